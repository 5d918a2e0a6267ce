#!/bin/bash
# run.sh - spin looks at every state of the models, within bounds: what is promised holds, and
# each mistake (-D, see the models' first comments) breaks exactly what it is said to break.
#
#	tests/models/run.sh [WORD]   only the lines of the table that have this word
#
# A state space that was not searched completely is a failure, whatever was found in it.
# CAAS_TEST_LONG: larger bounds.  CAAS_MODELS_MEMORY: megabytes for one search (2000).
# To see a counterexample: spin's -a with the options shown, gcc -DSAFETY pan.c, ./a.out, then
# spin -t -p with the same options.
NAME=models
. "$(dirname "$0")/../lib.sh"
models=$ROOT/tests/models
memory=${CAAS_MODELS_MEMORY:-2000}
LIMIT=${CAAS_TEST_LONG:+1}500 # seconds for one search

for tool in spin gcc; do
	command -v $tool >/dev/null || {
		skip models "$tool is not installed (scripts/deps models)"
		finish
		exit
	}
done

# MODEL, MISTAKES (`-': none; `+' between several), BOUNDS (below), and what of properties.pml is
# broken (`-': nothing)
table='
anchor	-				full	-
anchor	STRICT				full	-
anchor	TOGETHER			logs	-
anchor	TOGETHER+STRICT			logs	-
anchor	START_COMMITS			small	-
anchor	CUT_FIRST			small	-
anchor	NO_DIR_SYNC			small	-
anchor	NV_BEFORE_SYNC			small	brick zombie
anchor	ANSWER_FIRST			small	lost
anchor	OLD_LOG_FIRST			small	brick
anchor	HEADS_LOG_ONLY			small	brick
anchor	STRICT+CUT_FIRST		small	brick
anchor	STRICT+NO_DIR_SYNC		small	brick
anchor	NUMBER_ONLY			small	lost twice zombie
anchor	RETRY				small	brick
anchor	SERVE_ON			small	zombie
anchor	SERVE_ON+TOGETHER+STRICT	logs	zombie
anchor	LATE				small	brick
anchor	ROLL_FORWARD			small	lost twice zombie
anchor	ROLL_FORWARD+START_ANCHORS	small	zombie
anchor	ROLL_FORWARD+START_COMMITS	small	zombie
anchor	ROLL_FORWARD+START_COMMITS	sturdy	-
anchor	-				accept	-
anchor	-				again	-
anchor	COUNT_ON_DISK			again	uncounted
anchor	ACCEPT_BARE			accept	twice uncounted
anchor	SEQUENCE_BACK			accept	twice
counter	-				full	-
counter	-				accept	-
counter	SERVE_AT_ONCE			small	lost twice zombie
counter	ONCE				small	lost zombie
counter	INCREMENT_FIRST			small	brick
counter	RETRY				small	lost zombie
counter	WRITE_FIRST			accept	lost uncounted zombie
counter	BURN=2				accept	lost uncounted zombie
'

bounds() { # MODEL BOUNDS: operations, crashes, failed writes, rollbacks accepted, records
	case $1-$2${CAAS_TEST_LONG:+-long} in
	anchor-full) echo OPS=3 CRASHES=2 FAILS=1 ACCEPTS=0 GENS=2 RECORDS=7 ;;
	anchor-full-long) echo OPS=3 CRASHES=3 FAILS=1 ACCEPTS=0 GENS=2 RECORDS=7 ;;
	anchor-small*) echo OPS=2 CRASHES=2 FAILS=1 ACCEPTS=0 GENS=2 RECORDS=6 ;;
	anchor-logs*) echo OPS=2 CRASHES=2 FAILS=1 ACCEPTS=0 GENS=3 RECORDS=7 ;;
	anchor-sturdy) echo OPS=2 CRASHES=2 FAILS=0 ACCEPTS=0 GENS=2 RECORDS=6 ;;
	anchor-sturdy-long) echo OPS=3 CRASHES=3 FAILS=0 ACCEPTS=0 GENS=2 RECORDS=8 ;;
	anchor-accept) echo OPS=2 CRASHES=2 FAILS=1 ACCEPTS=1 GENS=2 RECORDS=6 ;;
	anchor-accept-long) echo OPS=2 CRASHES=3 FAILS=1 ACCEPTS=1 GENS=2 RECORDS=6 ;;
	anchor-again) echo OPS=1 CRASHES=2 FAILS=0 ACCEPTS=2 GENS=3 RECORDS=6 ;;
	anchor-again-long) echo OPS=2 CRASHES=2 FAILS=0 ACCEPTS=2 GENS=3 RECORDS=7 ;;
	counter-full) echo OPS=3 CRASHES=4 FAILS=1 ACCEPTS=0 RECORDS=9 ;;
	counter-full-long) echo OPS=4 CRASHES=5 FAILS=1 ACCEPTS=0 RECORDS=11 ;;
	counter-small*) echo OPS=2 CRASHES=3 FAILS=1 ACCEPTS=0 RECORDS=8 ;;
	counter-accept) echo OPS=1 CRASHES=3 FAILS=1 ACCEPTS=2 RECORDS=8 ;;
	counter-accept-long) echo OPS=2 CRASHES=3 FAILS=1 ACCEPTS=2 RECORDS=9 ;;
	esac
}

# In a directory of its own: everything that spin finds in a model.
search() { # DIR MODEL MISTAKES BOUNDS
	local dir=$1 options=() o
	for o in $(bounds "$2" "$4") $(tr + ' ' <<<"${3#-}"); do options+=("-D$o"); done
	echo "options ${options[*]}" >"$dir/options"
	cd "$dir" && spin "${options[@]}" -a "$models/$2.pml" &&
		gcc -O${CAAS_TEST_LONG:+2} -w -DSAFETY -DCOLLAPSE -DNOFAIR -DVECTORSZ=2048 \
			-DMEMLIM="$memory" -o pan pan.c &&
		timeout --foreground -k 5 "$LIMIT" ./pan -c0 -w20 -m100000 -n
}

# What was broken, each once; `-' when nothing was.
broken() { # DIR
	local b
	b=$(sed -nE 's/^pan:[0-9]+: assertion violated +!\((.*)\) \(at.*/\1/p' "$1/out" | sort -u | xargs)
	echo "${b:--}"
}
# Whatever else is wrong with a search.
unfit() { # DIR
	[ "$(cat "$1/rc")" = 0 ] || echo "exit $(cat "$1/rc")"
	grep -q '^Full statespace search' "$1/out" || echo 'not a full search'
	grep -E 'max search depth|not completed|MEMLIM|out of memory|VECTORSZ|[Ee]rror:' "$1/out"
	grep -E '^pan:[0-9]+: ' "$1/out" | grep -vE 'assertion violated +!\('
}
judge() { # DIR NAME BREAKS: `-' or a list
	local states seconds why found
	why=$(unfit "$1" | head -n 3 | xargs)
	found=$(broken "$1")
	states=$(sed -nE 's/^ *([0-9.e+]+) states, stored.*/\1/p' "$1/out")
	seconds=$(cat "$1/seconds")
	if [ -n "$why" ]; then
		bad "$2" "$why"
		tail -n 15 "$1/out" | sed 's/^/# /'
	elif [ "$found" != "$3" ]; then
		bad "$2" "breaks \`$found', not \`$3'; $(cat "$1/options")"
	else
		ok "$2 ($states states, $seconds s; breaks $found)"
	fi
}

n=0
names=() wanted=()
while read -r model mistakes size breaks; do
	[ -n "$model" ] || continue
	[ $# = 0 ] || [[ " $model $(tr + ' ' <<<"$mistakes") $size " == *" $1 "* ]] || continue
	dir=$WORK/$n
	mkdir "$dir"
	while [ "$(jobs -rp | wc -l)" -ge "$(nproc)" ]; do wait -n; done
	(
		t0=$SECONDS
		search "$dir" "$model" "$mistakes" "$size" >"$dir/out" 2>&1
		echo $? >"$dir/rc"
		echo $((SECONDS - t0)) >"$dir/seconds"
		rm -f "$dir"/pan*
	) &
	names+=("$model-${mistakes/#-/sound}-$size") wanted+=("$breaks")
	n=$((n + 1))
done <<<"$table"
wait
for i in "${!names[@]}"; do judge "$WORK/$i" "${names[i]}" "${wanted[i]}"; done
finish
