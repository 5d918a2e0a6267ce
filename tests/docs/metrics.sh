#!/bin/bash
# metrics.sh - the table in docs/metrics.md is that of vsmd/metrics/metrics.def, and the page
# has no other series: names, types and labels.
set -u
root=$(cd "$(dirname "$0")/../.." && pwd)
want=$(sed -nE 's/^METRIC\([A-Z]+, [A-Z_]+, ([A-Z]+), "([^"]*)", "([^"]*)", "([^"]*)"\)$/| `\2` | \L\1\E | \3 | \4 |/p' \
	"$root/vsmd/metrics/metrics.def" | sed -E ':a; s/^(\| `[^|]*\| [a-z]+ \| [^|]*[a-z]),([a-z])/\1, \2/; ta')
have=$(grep -E '^\| `caas_' "$root/docs/metrics.md")
rows=$(grep -c '^METRIC(' "$root/vsmd/metrics/metrics.def")
if [ "$rows" != "$(wc -l <<<"$want")" ]; then
	echo "metrics.sh: a row of metrics.def is not in one line as the others are"
	exit 1
fi
if ! diff <(echo "$want") <(echo "$have"); then
	echo "metrics.sh: docs/metrics.md is not what vsmd/metrics/metrics.def says (< has to be)"
	exit 1
fi
# Counters, and they alone, end in _total; times are in seconds.
if bad=$(grep '^METRIC(' "$root/vsmd/metrics/metrics.def" |
	grep -E 'COUNTER, "[^"]*[^l]"|(GAUGE|HISTOGRAM), "[^"]*_total"|HISTOGRAM, "[^"]*[^s]"'); then
	echo "metrics.sh: misnamed: $bad"
	exit 1
fi
echo "metrics: $rows metrics"
