#!/bin/bash
# fuzz.sh - runs each target for a share of the time, then the tests with real processes.
#
#	fuzz.sh SECONDS
#
# In-process targets (fuzz_*.c, with libFuzzer) begin with their corpus; inputs that a run adds are
# kept in build/fuzz/corpus and used the next time, but not by git. Real processes: test_damage,
# test_liar and test_scribbler, from their seeds. A line each: executions, seconds, findings; what
# was found is in build/fuzz/found. The closing line is `N passed, M failed`, the exit code 0 only
# if nothing was found.
set -u
seconds=${1:-60}
mapfile -t targets < <(printf '%s\n' build/fuzz/verify/fuzz/fuzz_* | grep -v '\.')
tests=(damage liar scribbler)
share=$((seconds / (${#targets[@]} + 3)))
[ "$share" -gt 0 ] || share=1
found=build/fuzz/found
mkdir -p "$found"
passed=0 failed=0

line() { # NAME EXECUTIONS SECONDS CODE LOG
	local bad=0
	[ "$4" -eq 0 ] || bad=1
	printf '  %-16s %10s executions %5d s %3d found\n' "$1" "$2" "$3" "$bad"
	passed=$((passed + 1 - bad)) failed=$((failed + bad))
	[ "$bad" -eq 0 ] && return
	tail -n 40 "$5" | sed 's/^/    /'
	echo "    all of it in $5, inputs beside it"
}

# A target's files lie in memory and vanish with the target, also after a kill.
TMPDIR=$(mktemp -d /dev/shm/plm-fuzz.XXXXXX) || exit 1
export TMPDIR
memory=$TMPDIR
trap 'rm -rf "$memory"' EXIT
for target in "${targets[@]}"; do
	name=${target##*/fuzz_}
	mkdir -p "build/fuzz/corpus/$name"
	log=$found/$name.log began=$SECONDS
	"$target" -max_total_time="$share" -timeout=20 -rss_limit_mb=2048 \
		-print_final_stats=1 -artifact_prefix="$found/$name-" \
		"build/fuzz/corpus/$name" "verify/fuzz/corpus/$name" >"$log" 2>&1
	code=$?
	line "$name" "$(awk '/number_of_executed_units/ { print $2 }' "$log")" \
		$((SECONDS - began)) "$code" "$log"
done

rm -rf "$memory"
unset TMPDIR
export PLM_DAMAGE_SECONDS=$share PLM_LIAR_SECONDS=$(((share + 1) / 2))
export PLM_SCRIBBLE_SECONDS=$(((share + 1) / 2)) # twice: control, store
for name in "${tests[@]}"; do
	log=$found/$name.log began=$SECONDS
	timeout -k 5 $((2 * share + 300)) "build/release/tests/programs/test_$name" >"$log" 2>&1
	code=$?
	line "$name" "$(awk '/ boots, | messages at | hints$/ { n += $3 }
		/ wild words/ { n += $5 } END { print n + 0 }' "$log")" \
		$((SECONDS - began)) "$code" "$log"
done
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
