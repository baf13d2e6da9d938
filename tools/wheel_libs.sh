#!/bin/sh
# wheel_libs.sh - copies the shared libraries that a wheel has to bring along.
#
#	wheel_libs.sh FOLDER FILE...	copies into FOLDER what the programs and libraries FILE...
#					load, except for the C library, which every machine has
#
# The files find the copies by their DT_RPATH, which also counts for what the copies load in turn.
set -eu
folder=$1
shift
mkdir -p "$folder"
for file in "$@"; do
	ldd "$file"
done | sed -n 's/^[[:space:]]*\([^ ]*\) => \(\/[^ ]*\) .*/\1 \2/p' | sort -u |
	while read -r name path; do
		case $name in
		libc.so.* | libm.so.* | libdl.so.* | librt.so.* | libpthread.so.*) continue ;;
		libresolv.so.* | ld-linux*) continue ;;
		esac
		[ "$path" -ef "$folder/$name" ] || cp -L "$path" "$folder/$name"
	done
