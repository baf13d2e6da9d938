#!/bin/bash
# run.sh - runs test programs side by side and counts.
#
#	run.sh [--show] [--jobs N] LOGS PROGRAM...
#
# N programs run at once, by default two more than there are cpus, because most tests wait for other
# processes. The longest programs start first, by the seconds of their last run (LOGS/seconds) or
# else by tests/schedule; the programs that tests/schedule calls alone run one by one at the end.
#
# When a program ends, the script prints a line with its time. Output goes to LOGS/NAME.log. The end
# of the log is shown if the program failed. With --show every log is shown whole and kept under a
# name with the variant; without --show the log of a good program is removed.
#
# A program whose name ends in .py runs under $PYTHON (python3).
#
# The script counts the checks that a program reports: "95%: Checks: 20, Failures: 1, Errors: 0"
# (the Check library), or lines that end in "ok", "FAILED", "FAIL" or "ERROR" (the kill sweeps, and
# unittest of Python); without such lines the program counts as one check. The closing line is
# `N passed, N failed`, the exit code 0 only if nothing failed. Lines that begin with "left out" (a
# test that cannot run here) or "left behind" (tests/support/suite_watcher.h), and tests that
# unittest skips, are repeated below the line of the program. What failed is told again above the
# closing line, a line "failed: PROGRAM: WHAT" each. A program may take $RUN_LIMIT_S (600) seconds.
set -u -m # -m: without job control the shell would let its children ignore SIGINT

show='' jobs=$(($(nproc) + 2))
while :; do
	case $1 in
	--show) show=1 && shift ;;
	--jobs) jobs=$2 && shift 2 ;;
	*) break ;;
	esac
done
logs=$1
shift
limit=${RUN_LIMIT_S:-600}
passed=0 failed=0 failures=''
declare -A program_of=() began_at=()
mkdir -p "$logs"
touch "$logs/seconds"

# A killed test program leaves segments and a directory, named after the pid of the program.
for left in /dev/shm/plm-"$(id -u)"-test-* "${TMPDIR:-/tmp}"/plm-test-*; do
	pid=${left#*-test-} pid=${pid%%-*}
	[[ $pid =~ ^[0-9]+$ ]] && [ -e "$left" ] && [ ! -d "/proc/$pid" ] && rm -rf "$left"
done

log_of() { # PROGRAM
	local name=${1##*/}
	[ "$show" ] && name=$(cut -d / -f 2 <<<"$1")-$name
	echo "$logs/$name.log"
}

call_of() { # PROGRAM
	case $1 in
	*.py) echo "${PYTHON:-python3} $1" ;;
	*) echo "$1" ;;
	esac
}

in_order() { # PROGRAM...: "alone|beside PROGRAM", the longest first, those to run alone at the end
	for program in "$@"; do
		echo "$program $(basename "$(log_of "$program")" .log)"
	done | awk '
		FILENAME != "-" && !/^#/ {
			seconds[$1] = $2
			if ($3 == "alone:")
				alone[$1] = 1
		}
		FILENAME == "-" {
			name = $1; sub(".*/", "", name)
			time = $2 in seconds ? seconds[$2] : seconds[name]
			print (name in alone ? "alone" : "beside"), $1, time + 0
		}' tests/schedule "$logs/seconds" - | sort -k 1,1r -k 3,3nr -s | cut -d ' ' -f 1,2
}

count() { # LOG EXIT_CODE: sets good and bad
	read -r good bad < <(awk '
		/^[0-9]+%: Checks: / {
			gsub(",", "")
			all += $3; bad += $5 + $7
		}
		/(^| )(ok|FAILED|FAIL|ERROR)$/ { all++; bad += !/ok$/ }
		END { print all - bad, bad + 0 }' "$1")
	if [ $((good + bad)) -eq 0 ]; then
		good=$(($2 == 0)) bad=$(($2 != 0))
	elif [ "$2" -ne 0 ] && [ "$bad" -eq 0 ]; then
		bad=1 # the program died after its checks
	fi
}

what_failed() { # NAME LOG EXIT_CODE: lines of Check, unittest and sweeps, or else the last line
	local lines told='^[^ :]+:[0-9]+:[FE]:|^(FAIL|ERROR): |(^| )(FAILED|FAIL)$'
	lines=$(grep -aE "$told" "$2" | head -n 10)
	[ "$lines" ] || lines="exit code $3: $(tail -n 1 "$2")"
	echo "failed: $1: ${lines//$'\n'/$'\n'failed: $1: }"
}

tell() { # PROGRAM EXIT_CODE MILLISECONDS
	local name=${1##*/} log good bad
	log=$(log_of "$1")
	count "$log" "$2"
	passed=$((passed + good)) failed=$((failed + bad))
	[ "$show" ] && [ "$jobs" -gt 1 ] && echo "$1" && cat "$log"
	printf '  %-28s %4d passed %4d failed %5d.%03d s\n' "$name" "$good" "$bad" \
		$(($3 / 1000)) $(($3 % 1000))
	echo "$(basename "$log" .log) $(($3 / 1000))" >>"$logs/seconds.new"
	[ "$show" ] || sed -n -E -e 's/^([^ ]+) .*\.\.\. skipped .(.*).$/left out: \1: \2/' \
		-e 's/^left (out|behind)/    &/p' "$log" | sort -u
	if [ "$2" -eq 0 ] && [ "$bad" -eq 0 ]; then
		[ "$show" ] || rm -f "$log"
		return
	fi
	failures+=$(what_failed "$name" "$log" "$2")$'\n'
	[ "$2" -eq 124 ] && echo "    it did not end in $limit s"
	[ "$show" ] || tail -n 40 "$log" | sed 's/^/    /'
	echo "    exit code $2; the whole log: $log"
}

start() { # PROGRAM
	began_at[$1]=$(date +%s%N)
	# shellcheck disable=SC2046 # one word or two
	timeout -k 5 "$limit" $(call_of "$1") >"$(log_of "$1")" 2>&1 </dev/null &
	program_of[$!]=$1
}

finish() { # waits for the next program to end
	local pid code program
	wait -n -p pid "${!program_of[@]}"
	code=$?
	program=${program_of[$pid]}
	unset "program_of[$pid]"
	tell "$program" "$code" $((($(date +%s%N) - began_at[$program]) / 1000000))
}

watch() { # PROGRAM: starts and finishes a program, and shows the output meanwhile
	local began code
	began=$(date +%s%N)
	echo "$1"
	# shellcheck disable=SC2046 # one word or two
	timeout --foreground -k 5 "$limit" $(call_of "$1") </dev/null 2>&1 | tee "$(log_of "$1")"
	code=${PIPESTATUS[0]}
	tell "$1" "$code" $((($(date +%s%N) - began) / 1000000))
}

trap 'kill "${!program_of[@]}" 2>/dev/null; wait; exit 130' INT TERM

rm -f "$logs/seconds.new"
mapfile -t ordered < <(in_order "$@") # a loop over `read` would leak its descriptor to programs
for line in "${ordered[@]}"; do
	program=${line#* } at_once=$jobs
	[ "${line%% *}" = alone ] && at_once=1
	while [ ${#program_of[@]} -ge "$at_once" ]; do
		finish
	done
	if [ "$show" ] && [ "$jobs" -eq 1 ]; then
		watch "$program"
	else
		start "$program"
	fi
done
while [ ${#program_of[@]} -gt 0 ]; do
	finish
done

# Keep the times of programs that this call did not run.
awk '!($1 in seen) { seen[$1] = 1; print }' "$logs/seconds.new" "$logs/seconds" >"$logs/seconds.all"
mv "$logs/seconds.all" "$logs/seconds"
rm -f "$logs/seconds.new"
printf %s "$failures"
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
