#!/bin/bash
# bench.sh - the tables and charts in the documentation are those of docs/bench/results.json.
exec "$(dirname "$0")/../../scripts/bench" --check
