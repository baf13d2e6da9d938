#!/bin/bash
# nightly.sh - a night of all searches that find more the longer they run.
#
#	SWEPT="SWEEP..." nightly.sh MINUTES
#
# Shares of the time: the kill sweeps, in another order each night, 10 %; failing system calls 10 %;
# fuzzing 20 %; the soak 15 % (if there is one); a page before a flooded runtime 5 %; a fleet in
# chaos 8 %, and 4 % without namespaces; the explorer what is left, at least one round of all
# scenarios. What is drawn begins at NIGHT_SEED, by default a number of the clock's second: no
# two nights look at the same. What a part wrote is in build/logs/night. The closing line is
# `N passed, M failed`, the exit code 0 only if nothing failed.
set -u
minutes=${1:-480}
seed=${NIGHT_SEED:-$(($(date +%s) << 20))}
round=5000 # schedules of each scenario
logs=build/logs/night
began=$SECONDS end=$((SECONDS + minutes * 60))
passed=0 failed=0
mkdir -p "$logs"

seconds_of() { # PERCENT of the night, at least some
	local s=$((minutes * 60 * $1 / 100))
	echo $((s < 10 ? 10 : s))
}

part() { # NAME COMMAND...: counts what its closing line says
	local name=$1 log=$logs/$1.log code good bad at=$SECONDS
	shift
	"$@" >>"$log" 2>&1
	code=$?
	read -r good bad < <(grep -E '^[0-9]+ passed, [0-9]+ failed' "$log" | tail -n 1 |
		tr -d , | awk '{ print $1, $3 }')
	if [ -z "${bad:-}" ]; then # it did not come so far
		good=$((code == 0)) bad=$((code != 0))
	elif [ "$code" -ne 0 ] && [ "$bad" -eq 0 ]; then
		bad=1
	fi
	passed=$((passed + good)) failed=$((failed + bad))
	printf '  %-10s %6d passed %4d failed %6d s\n' "$name" "$good" "$bad" $((SECONDS - at))
	[ "$bad" -eq 0 ] && return
	tail -n 40 "$log" | sed 's/^/    /'
	echo "    all of it in $log"
}

sweeps() { # as many as there is time for
	local all until=$((SECONDS + $(seconds_of 10))) good=0 bad=0 n=0 log=$logs/sweep.part
	mapfile -t all < <(tr ' ' '\n' <<<"$SWEPT" | shuf --random-source=<(yes "$seed"))
	for program in "${all[@]}"; do
		[ "$SECONDS" -lt "$until" ] || break
		n=$((n + 1))
		PLM_BIN=. tools/run.sh --show build/logs/crash "$program" >"$log"
		cat "$log"
		read -r more_good more_bad < <(awk 'END { print $1, $3 }' "$log")
		good=$((good + more_good)) bad=$((bad + more_bad))
	done
	rm -f "$log"
	echo "$n of ${#all[@]} sweeps"
	echo "$good passed, $bad failed"
	[ "$bad" -eq 0 ]
}

explore() { # until the night is over
	local from=$seed good=0 bad=0
	while :; do
		if ! build/explore/verify/explore/explore --from "$from" --seeds $round; then
			bad=1 # told and shrunk: one is enough
			break
		fi
		good=$((good + 1))
		from=$((from + round + 1))
		[ "$SECONDS" -lt "$end" ] || break
	done
	echo "$((from - seed)) seeds of each scenario, from $seed on"
	echo "$good passed, $bad failed"
	[ "$bad" -eq 0 ]
}

echo "$minutes minutes from seed $seed on: NIGHT_SEED=$seed begins with the same"
rm -f "$logs"/*.log
part sweeps sweeps
part faults make --no-print-directory faults "FAULT_SECONDS=$(seconds_of 10)" "FAULT_SEED=$seed"
part fuzz make --no-print-directory fuzz "SECONDS=$(seconds_of 20)"
if make -n soak >/dev/null 2>&1; then
	part soak make --no-print-directory soak "MINUTES=$((($(seconds_of 15) + 59) / 60))"
fi
page() { # PERCENT
	PLM_BIN=. python3 tests/web/web_soak.py "$(($(seconds_of "$1") / 60 + 1))"
}
chaos() { # PERCENT
	python3 tests/fleet/chaos.py --minutes "$(($(seconds_of "$1") / 60 + 1))" --seed "$seed"
}
part page page 5
part chaos chaos 8
export PLM_PLAIN_PORTS=1
part ports chaos 4
unset PLM_PLAIN_PORTS
part explore explore
tail -n 2 "$logs/explore.log" | head -n 1
echo "a night of $(((SECONDS - began) / 60)) minutes"
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
