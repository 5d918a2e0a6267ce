#!/bin/sh
# doctable.sh CALLTABLE PROTOCOL.MD - the table between the markers is that of calls.def.
set -eu
page=$(sed -n '/^<!-- calls -->$/,/^<!-- end of calls -->$/p' "$2" | grep '^|')
table=$("$1" --markdown)
if [ "$page" != "$table" ]; then
	echo "$2: the table of calls is not that of calls.def; put this between the markers:"
	echo "$table"
	exit 1
fi
