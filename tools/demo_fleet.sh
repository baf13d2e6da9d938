#!/bin/bash
# demo_fleet.sh - a fleet on one machine: a Redis, three hosts, 10,000 tasks. A host is killed and
# another stopped for more than two leases meanwhile, and the count is right at the end.
#
#	tools/demo_fleet.sh [DIRECTORY]    where plm and plmctl are; default: the current directory
#
# A host is a runtime with a name of its own; on several machines each has the usual name. All
# files lie in a directory that is removed at the end. Exit code 1: a task was lost, or ended twice.
set -eu
bin=$(realpath "${1:-.}")
dir=$(mktemp -d "${TMPDIR:-/tmp}/plm-demo-XXXXXX")
export XDG_RUNTIME_DIR=$dir PLM_FLEET="unix://$dir/redis.sock?queue=demo&lease=2s"
redis='' hosts=()
commands=1000 functions=9000

# A process and all that it has started, one a line.
family() {
	echo "$1"
	for child in $(ps -o pid= --ppid "$1"); do
		family "$child"
	done
}

finish() {
	for pid in "${hosts[@]}" $redis; do
		for each in $(family "$pid"); do
			kill -CONT "$each" 2>/dev/null || true
		done
		kill -KILL "$pid" 2>/dev/null || true
		while kill -0 "$pid" 2>/dev/null; do sleep 0.05; done
	done
	rm -rf "$dir" /dev/shm/plm-"$(id -u)"-demo-"$$"-*
}
trap finish EXIT

say() { printf '\n\033[1m%s\033[0m\n' "$*"; }
[ -t 1 ] || say() { printf '\n%s\n' "$*"; }

server=$(command -v redis-server || command -v valkey-server || command -v redis-check-rdb) || {
	echo "demo-fleet needs a Redis of version 7 or later: apt-get install redis-tools"
	exit 1
}
# Debian's redis-tools has the server under the name of a checker; argv[0] tells which is meant.
(exec -a redis-server "$server" --port 0 --unixsocket "$dir/redis.sock" --save '' \
    --appendonly yes --dir "$dir" >"$dir/redis.log") &
redis=$!
disown # no line of the shell about its end
until [ -S "$dir/redis.sock" ]; do sleep 0.05; done

say 'plm --fleet URL, three times: three hosts, one queue'
for i in 1 2 3; do
	"$bin/plm" --name "demo-$$-$i" --workers 4 --tied --quiet >/dev/null 2>"$dir/host-$i.log" &
	hosts+=($!)
	disown
done
until [ "$("$bin/plmctl" hosts --quiet | wc -l)" -eq 3 ]; do sleep 0.1; done
"$bin/plmctl" hosts

say "plmctl load: $functions functions and $commands commands, each of which writes a line"
for i in $(seq "$functions"); do
	echo "func:1:0:0:probe.sum $i 1"
done >"$dir/tasks"
for i in $(seq "$commands"); do
	echo "shell:2:0:0:echo $i >> $dir/ledger; sleep 0.03"
done >>"$dir/tasks"
began=$(date +%s.%N)
"$bin/plmctl" load --crash-retries 5 "$dir/tasks"
until [ "$(wc -l <"$dir/ledger" 2>/dev/null || echo 0)" -gt $((commands / 5)) ]; do sleep 0.05; done

say 'kill -9 of the first host; SIGSTOP of the second, for more than two leases'
kill -KILL "${hosts[0]}"
stopped=$(family "${hosts[1]}")
for pid in $stopped; do kill -STOP "$pid" 2>/dev/null || true; done
until [ "$("$bin/plmctl" hosts --json | grep -c '"state": "lost"')" -eq 2 ]; do sleep 0.1; done
"$bin/plmctl" hosts
"$bin/plmctl" wait --quiet --todo --in-progress >/dev/null
sleep 2
for pid in $stopped; do kill -CONT "$pid" 2>/dev/null || true; done

say 'the stopped host goes on, finds its attempts void, and joins as a new member'
until "$bin/plmctl" hosts --json | grep -q -- '-2", "state": "up"'; do sleep 0.1; done
"$bin/plmctl" status | sed -n '/^done/p;/^failed/p;/^cancelled/p'
done=$("$bin/plmctl" status --json | sed 's/.*"done": \([0-9]*\).*/\1/')
lines=$(sort -u "$dir/ledger" | wc -l)
again=$(($(wc -l <"$dir/ledger") - lines))
seconds=$(awk -v "began=$began" -v "ended=$(date +%s.%N)" 'BEGIN { print ended - began }')
echo "$done tasks done in $seconds s; $lines different commands began, $again of them again"
[ "$done" -eq $((functions + commands)) ] && [ "$lines" -eq "$commands" ] || {
	echo "that is WRONG: $((functions + commands)) tasks and $commands commands were loaded"
	exit 1
}
