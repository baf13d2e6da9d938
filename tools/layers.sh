#!/bin/bash
# layers.sh - the dependencies of the tree, checked: includes in the sources, symbols in the
# objects.
#
# 1. An include goes down, or stays in its folder:
#
#	base <- shm <- heap, store <- tables <- events
#	events <- client, scheduler <- worker <- command <- manager
#	          client <- cli <- dump, web (plm.h and plm_inspect.h alone)
#	client <- journal <- manager
#	client (the doors alone) <- fleet <- manager, cli/fleet, fleet/library
#	base <- policy <- client, scheduler, manager
#	base <- topology <- client, manager
#	command <- python/core
#    Examples and the module `probe` see what any user sees: plm.h and plm_inspect.h; a workload
#    also the headers of its folder, and of examples/workloads. Benches see no part of a runtime but
#    the public interface, and the verbs of a fleet; the simulation is made of heap and policy, and
#    the cost of placing is measured on the tests' stage. Tests and the explorer may see the whole
#    product, and nothing sees them; bench/, tests/ and verify/ share tests/support alone.
# 2. The manager takes no shared lock and walks no shared structure but the process table: none of
#    its objects names a function that does. Its children do (they run the roles' own code), and the
#    loader of modules, a process of its own (manager/loader.c).
# 3. What a dead process could hold is in shm/lock.c alone: mutexes elsewhere are those that threads
#    of one process share (client/, bench/); condition variables, semaphores, rwlocks, barriers:
#    nowhere. fleet/library may not include a header of shared memory, and has locks of its threads.
# 4. At most four files of a folder call each other in a circle (tools/circles.py): a reader has to
#    understand the files of a circle together.
#
# Wants the release objects (make layers builds them). An object without a source is skipped: an
# older build made it from a file that is renamed now. Every offence is a line; exit code 1 if there
# is any.
set -u
objects=build/release

declare -A below
below[base]=""
below[shm]="base"
below[policy]="base"
below[spec]="base"
below[heap]="base shm"
below[store]="base shm"
below[tables]="base shm heap store spec"
below[events]="${below[tables]} tables"
below[topology]="base"
below[client]="${below[events]} events policy topology"
below[scheduler]="${below[events]} events policy"
below[worker]="${below[client]} client"
below[command]="${below[worker]} worker"
below[journal]="${below[client]} client"
below[python/core]="${below[command]} command"
below[python/fleet]="client"
below[fleet]="base client"
below[fleet/library]="base client fleet"
below[manager]="${below[command]} command scheduler journal fleet"
below[cli]="base client"
below[cli/map]="${below[cli]} cli"
below[cli/load]="${below[cli]} cli"
below[cli/top]="${below[cli]} cli fleet"
below[cli/fleet]="${below[cli]} cli fleet"
below[cli/runs]="base client"
below[cli/trace]="${below[cli]} cli cli/runs"
below[dump]="base client cli"
below[web]="base client cli fleet"
below[bench]="base shm"

for tool in nm grep sed python3; do
	command -v "$tool" >/dev/null && continue
	echo "layers: $tool is not installed: nothing was checked"
	exit 1
done

offences=0
offence() {
	echo "layers: $*"
	offences=$((offences + 1))
}

# FILE:LINE HEADER, a line an #include "..."
includes() {
	grep -Hn '^[[:space:]]*#[[:space:]]*include[[:space:]]*"' "$@" /dev/null |
		sed 's/^\([^:]*:[0-9]*\):[^"]*"\([^"]*\)".*/\1 \2/'
}

for folder in "${!below[@]}"; do
	while read -r place header; do
		case "$folder/${header%/*}:$header" in
		bench/client:client/plm.h | bench/client:client/plm_inspect.h) continue ;;
		bench/plm.h:plm.h) continue ;;
		client/plm.h:plm.h) continue ;; # plm_inspect.h, plm_fleet.h, as they are installed
		bench/*:tests/support/*) continue ;;
		bench/fleet:*) case $place in bench/*fleet*) continue ;; esac ;;
		bench/heap:* | bench/policy:*) case $place in bench/*sim*) continue ;; esac ;;
		esac
		case " $folder ${below[$folder]} " in
		*" ${header%/*} "*) ;;
		*) offence "$place includes $header; may be: $folder ${below[$folder]}" ;;
		esac
	done < <(includes "$folder"/*.[ch])
done

while read -r place header; do
	case $header in
	plm.h | client/plm.h | worker/probe.h | race.h | gauge.h | given.h) ;;
	plm_inspect.h | client/plm_inspect.h | plm_fleet.h) ;;
	*) offence "$place includes $header: it may see what a user sees, the two doors" ;;
	esac
done < <(includes examples/*.c worker/probe.[ch] tests/support/modules/*.c client/plm.h \
	client/plm_inspect.h)

while read -r place header; do
	case $header in
	plm.h | plm_inspect.h) continue ;;
	esac
	[ -f "examples/workloads/$header" ] || [ -f "${place%/*}/$header" ] ||
		offence "$place includes $header: it may see what a user sees, and its own folder"
done < <(includes examples/workloads/*.[ch] examples/workloads/*/*.[ch])

# Judging folders share tests/support alone.
while read -r place header; do
	case $place:$header in
	tests/support/*:*:tests/support/*) ;;
	tests/*:*:bench/* | tests/*:*:verify/* | verify/*:*:bench/* | tests/support/*:*:tests/*)
		offence "$place includes $header: judging folders share tests/support alone" ;;
	verify/*:*:tests/support/* | bench/*:*:tests/support/*) ;;
	verify/*:*:tests/* | bench/*:*:tests/* | bench/*:*:verify/*)
		offence "$place includes $header: judging folders share tests/support alone" ;;
	esac
done < <(includes bench/*.[ch] tests/*/*.[ch] verify/*/*.[ch])

# The programs see of libplm what any user sees.
while read -r place header; do
	case $header in
	client/plm.h | client/plm_inspect.h | client/plm_fleet.h) ;;
	client/*) offence "$place includes $header: it may see the two doors alone" ;;
	esac
done < <(includes cli/*.[ch] cli/*/*.[ch] dump/*.[ch] web/*.[ch] fleet/*.[ch] \
	fleet/*/*.[ch])

# OBJECT SYMBOL, a line an undefined symbol
undefined() {
	for object in "$@"; do
		source=${object#"$objects"/}
		[ -f "${source%.o}.c" ] || continue
		nm -u "$object" | sed "s|^ *U \\([A-Za-z0-9_]*\\).*|$object \\1|"
	done
}

manager=()
for object in "$objects"/manager/*.o; do
	[ "$object" = "$objects/manager/loader.o" ] || manager+=("$object")
done
[ -f "${manager[0]}" ] || offence "there are no objects in $objects: run make first"

while read -r object symbol; do
	case $symbol in
	lock_* | heap_* | arena_* | pool_* | ring_* | store_* | registry_add | record_* | hold_*)
		offence "$object uses $symbol: the manager takes no lock and walks no structure" ;;
	esac
done < <(undefined "${manager[@]}")

while read -r object symbol; do
	case $symbol in
	pthread_mutex_* | pthread_mutexattr_*)
		case $object in
		*/shm/lock.o | */client/*) ;;
		*) offence "$object uses $symbol: shared locks are shm/lock.c's" ;;
		esac ;;
	pthread_cond_* | pthread_rwlock_* | pthread_barrier_* | pthread_spin_* | sem_* | semop)
		offence "$object uses $symbol: it does not survive the death of its user" ;;
	esac
done < <(for folder in "${!below[@]}"; do
	[ "$folder" = bench ] || [ "$folder" = fleet/library ] || undefined "$objects/$folder"/*.o
done)

circles=$(python3 tools/circles.py "$objects") || offence "$(grep 'at most' <<<"$circles")"

[ $offences -eq 0 ]
