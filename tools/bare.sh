#!/bin/bash
# bare.sh - checks that the hooks of shm/steps.h cost the ordinary build nothing.
#
#	COMPILE='gcc -I. -O2 ...' bare.sh	(make bare knows the flags)
#
# The sources are copied, and whatever a hook could hang on is taken out of the copy: in steps.h the
# named places and their macros make room for the bare atomics below, elsewhere the words go. Then
# no such word may be left, the copy is compiled as the ordinary objects were, and each object must
# have their instructions, byte by byte, with the same relocations. One that differs is a line with
# the first difference; exit code 1 if there is any.
set -u
export LC_ALL=C
folders='base shm heap store spec tables events client scheduler worker command journal fleet
	manager'
objects=build/release
copy=build/bare
: "${COMPILE:?how the ordinary objects were compiled: run make bare}"

for tool in objdump awk cmp diff xargs; do
	command -v "$tool" >/dev/null && continue
	echo "bare: $tool is not installed: nothing was compared"
	exit 1
done

bare_atomics() {
	cat <<'END'
#define sh_load(p)     atomic_load_explicit((p), memory_order_acquire)
#define sh_peek(p)     atomic_load_explicit((p), memory_order_relaxed)
#define sh_glance(p)   atomic_load_explicit((p), memory_order_relaxed)
#define sh_once(l)     __atomic_load_n(&(l), __ATOMIC_RELAXED)
#define sh_fill(l, v)  __atomic_store_n(&(l), (v), __ATOMIC_RELAXED)
#define sh_store(p, v, ...) atomic_store_explicit((p), (v), memory_order_release)
#define sh_poke(p, v, ...)  atomic_store_explicit((p), (v), memory_order_relaxed)
#define sh_set(l, v, ...)   ((void)((l) = (v)))
#define sh_rewrite(l, v, ...) __atomic_store_n(&(l), (v), __ATOMIC_RELAXED)
#define sh_cas(p, e, w, ...) atomic_compare_exchange_strong_explicit((p), (e), (w), \
    memory_order_seq_cst, memory_order_acquire)
#define sh_or(p, v, ...)    atomic_fetch_or_explicit((p), (v), memory_order_seq_cst)
#define sh_and(p, v, ...)   atomic_fetch_and_explicit((p), (v), memory_order_seq_cst)
#define sh_add(p, v, ...)   atomic_fetch_add_explicit((p), (v), memory_order_seq_cst)
#define sh_swap(p, v, ...)  atomic_exchange_explicit((p), (v), memory_order_seq_cst)
END
}

# Lines stay where they are: CHECK() names its own.
strip() { # FILE
	case $1 in
	shm/steps.c) echo 'typedef int steps_are_gone;' ;;
	shm/steps.h)
		awk -v bare="$(bare_atomics)" '
			/^#ifndef PLM_STEPS_H$/ { code = 1 } # its head speaks of hooks
			/^#ifdef PLM_STEPS$/ { print bare; out = 1 }
			/^\/\* ThreadSanitizer/ { out = 0 }
			code && !out' "$1" |
			sed 's/step_here("[^"]*");/;/; s/step_do("futex wake", word,//
				s/, (void)0);$/;/' ;;
	*) sed 's/step_here("[^"]*");/;/' "$1" ;;
	esac
}

instructions() { # OBJECT
	objdump -drw "$1" | sed 1,3d
}

rm -rf "$copy"
for folder in $folders policy topology; do
	mkdir -p "$copy/$folder"
	for file in "$folder"/*.[ch]; do
		strip "$file" >"$copy/$file"
	done
done
cp fleet/fleet.lua "$copy/fleet/" # a part of an object
if grep -rnE '\b(step_(at|do|here|hook)|look_here|PLM_STEPS|PLM_LOOKS)\b' "$copy" >&2; then
	echo "bare: a hook is left in the copy: the comparison would say nothing"
	exit 1
fi

mapfile -t sources < <(cd "$copy" && ls $(printf '%s/*.c ' $folders))
compile_each='for file; do '$COMPILE' -g0 -c -o "${file%.c}.o" "$file" || exit 255; done'
(cd "$copy" && printf '%s\n' "${sources[@]}" |
	xargs -P "$(nproc)" -n 4 sh -c "$compile_each" sh) 2>"$copy/errors" || {
	echo "bare: the copy does not compile:"
	head -n 5 "$copy/errors"
	exit 1
}

equal=0 count=0 differ=0
for source in "${sources[@]}"; do
	object=${source%.c}.o
	if [ "$source" -nt "$objects/$object" ]; then
		echo "bare: $objects/$object is older than $source: run make bare"
		differ=$((differ + 1))
	elif cmp -s <(instructions "$objects/$object") <(instructions "$copy/$object"); then
		equal=$((equal + 1))
		count=$((count + $(objdump -drw "$copy/$object" | grep -cE '^ +[0-9a-f]+:')))
	else
		echo "bare: $source is compiled to other instructions than without a hook:"
		diff <(instructions "$objects/$object") <(instructions "$copy/$object") | head -n 4
		differ=$((differ + 1))
	fi
done
echo "bare: $equal of ${#sources[@]} objects, $count instructions: the same without any hook"
[ $differ -eq 0 ] && [ $equal -gt 0 ]
