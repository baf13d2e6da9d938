#!/bin/sh
# check.sh - checks that every model holds in all states, and that each mutation fails.
#
#	verify/models/check.sh [MODEL.pml ...]    the output of spin and the compiler: build/models
#
# A mutation is a name that the model tests with #ifdef, and breaks one rule. A mutation that passes
# is an error, because the model then says nothing about the rule. The exit code is 1 on an error.
set -u
cd "$(dirname "$0")/../.." || exit 1
[ $# -gt 0 ] || set -- verify/models/*.pml
work=build/models
mkdir -p "$work"
passed=0 failed=0

# explore MODEL [-DMUTATION]: pan's output goes to $work/NAME/log
explore() {
	name=$(basename "$1" .pml)${2:+$2}
	rm -rf "${work:?}/$name"
	mkdir "$work/$name"
	log=$PWD/$work/$name/log
	source=$PWD/$1
	(
		cd "$work/$name" || exit 1
		spin ${2:+"$2"} -a "$source" &&
			${CC:-gcc} -O2 -w -DSAFETY -DVECTORSZ=2048 -DMEMLIM=4000 -o pan pan.c &&
			./pan -m1000000
	) >"$log" 2>&1
	grep -q 'errors:' "$log" && ! grep -q 'max search depth too small' "$log" && return 0
	echo "$1 ${2:-}: could not be explored:"
	tail -5 "$log"
	failed=$((failed + 1))
	return 1
}

mutations() { sed -n 's/^#ifn*def \([A-Z_]*\)$/\1/p' "$1" | sort -u | grep -v DEATHS; }
errors() { sed -n 's/.*errors: \([0-9]*\).*/\1/p' "$log"; }
states() { sed -n 's/ *\([0-9.e+]*\) states, stored.*/\1/p' "$log"; }

for model; do
	explore "$model" || continue
	if [ "$(errors)" = 0 ]; then
		echo "$model: holds in $(states) states"
		passed=$((passed + 1))
	else
		echo "$model: FAILS: $(grep '^pan:1' "$log")"
		echo "	see it: spin -t -p -g -k $(ls "$work/$name"/*.trail) $model"
		failed=$((failed + 1))
	fi
	for mutation in $(mutations "$model"); do
		explore "$model" "-D$mutation" || continue
		if [ "$(errors)" = 0 ]; then
			echo "$model: $mutation goes UNNOTICED in $(states) states"
			failed=$((failed + 1))
		else
			echo "$model: $mutation is found after $(states) states"
			passed=$((passed + 1))
		fi
	done
done
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
