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
mkdir -p "$folder/licences"

# A copied library comes with its licence. Debian keeps the text beside each package.
licence() {
	command -v dpkg-query >/dev/null || return 0
	package=$(dpkg-query -S "$(readlink -f "$1")" 2>/dev/null | head -n 1 | cut -d : -f 1)
	[ -z "$package" ] || cp -L "/usr/share/doc/$package/copyright" "$folder/licences/$package"
}

for file in "$@"; do
	ldd "$file"
done | sed -n 's/^[[:space:]]*\([^ ]*\) => \(\/[^ ]*\) .*/\1 \2/p' | sort -u |
	while read -r name path; do
		case $name in
		libc.so.* | libm.so.* | libdl.so.* | librt.so.* | libpthread.so.*) continue ;;
		libresolv.so.* | ld-linux*) continue ;;
		esac
		[ "$path" -ef "$folder/$name" ] || cp -L "$path" "$folder/$name"
		licence "$path"
	done
