#!/bin/bash
# run.sh - runs test programs one after the other and counts.
#
#	run.sh [--show] LOGS PROGRAM...
#
# A line a program with its time. Its output goes to LOGS/NAME.log, is shown when it failed (the end
# of it) or with --show (all of it; LOGS keeps it, with the variant in its name), else the log is
# kept only if it failed. Counted are the checks a program speaks of: "95%: Checks: 20, Failures: 1,
# Errors: 0" (the Check library), lines that end in "ok" or "FAILED" (the kill sweeps); else the
# program itself. The closing line is `N passed, N failed`, the exit code 0 only if nothing failed.
# What a test has left out, and why, is a line below its own ("left out, ..."). $RUN_LIMIT_S (600)
# is the longest a program may take. First it removes what failed tests that are no more have left
# in /dev/shm.
set -u

show=
if [ "$1" = --show ]; then
	show=1
	shift
fi
logs=$1
shift
mkdir -p "$logs"
passed=0 failed=0

# What tests left that failed, and whose process is no more: segments are named after it.
for segment in /dev/shm/plm-"$(id -u)"-test-*; do
	pid=${segment#*-test-} pid=${pid%%-*}
	[ -e "$segment" ] && [ ! -d "/proc/$pid" ] && rm -rf "$segment"
done

count() { # LOG EXIT_CODE: sets good and bad
	read -r good bad < <(awk '
		/^[0-9]+%: Checks: / {
			gsub(",", "")
			all += $3; bad += $5 + $7
		}
		/ (ok|FAILED)$/ { all++; bad += /FAILED$/ }
		END { print all - bad, bad + 0 }' "$1")
	if [ $((good + bad)) -eq 0 ]; then
		good=$(($2 == 0)) bad=$(($2 != 0))
	elif [ "$2" -ne 0 ] && [ "$bad" -eq 0 ]; then
		bad=1 # it died of something else
	fi
}

for program in "$@"; do
	name=$(basename "$program")
	log=$logs/${show:+$(cut -d / -f 2 <<<"$program")-}$name.log
	began=$(date +%s%N)
	if [ "$show" ]; then
		echo "$program"
		timeout -k 5 "${RUN_LIMIT_S:-600}" "$program" 2>&1 | tee "$log"
		code=${PIPESTATUS[0]}
	else
		timeout -k 5 "${RUN_LIMIT_S:-600}" "$program" >"$log" 2>&1
		code=$?
	fi
	took=$((($(date +%s%N) - began) / 1000000))
	count "$log" "$code"
	passed=$((passed + good)) failed=$((failed + bad))
	printf '  %-28s %4d passed %4d failed %5d.%03d s\n' "$name" "$good" "$bad" \
		$((took / 1000)) $((took % 1000))
	[ "$show" ] || grep '^left out' "$log" | sort -u | sed 's/^/    /'
	if [ "$code" -eq 0 ] && [ "$bad" -eq 0 ]; then
		[ "$show" ] || rm -f "$log"
		continue
	fi
	[ "$code" -eq 124 ] && echo "    it did not end in ${RUN_LIMIT_S:-600} s"
	[ "$show" ] || tail -n 40 "$log" | sed 's/^/    /'
	echo "    exit code $code; all of it in $log"
done
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
