#!/bin/sh
# deps.sh - installs the Debian packages that plm is built and tested with, where they are missing.
#
# Does nothing, in a few milliseconds, when all is there. Installs as root or through sudo; where
# neither is possible, or the system has no apt, it lists what is missing and ends with 1.
set -u

# what it is looked for by: a command, or a module of pkg-config; and the package that has it.
# Arguments are further commands, of one target alone.
commands="gcc:gcc make:make pkg-config:pkg-config python3:python3 parallel:parallel
	clang-format:clang-format $*"
modules="liburcu-bp:liburcu-dev liburcu-cds:liburcu-dev numa:libnuma-dev hwloc:libhwloc-dev
	jansson:libjansson-dev sqlite3:libsqlite3-dev check:check libsubunit:libsubunit-dev"

missing=
want() {
	case " $missing " in
	*" $1 "*) ;;
	*) missing="$missing $1" ;;
	esac
}

for pair in $commands; do
	command -v "${pair%%:*}" >/dev/null 2>&1 || want "${pair#*:}"
done
for pair in $modules; do
	pkg-config --exists "${pair%%:*}" 2>/dev/null || want "${pair#*:}"
done
# Debian's hwloc looks at the PCI bus (GPUs), and reads XML, by plugins in a package of their own.
if command -v dpkg >/dev/null 2>&1; then
	set -- /usr/lib/*/hwloc/hwloc_pci.so
	[ -e "$1" ] || want libhwloc-plugins
fi
# gcc alone does not bring the headers of the C library
if command -v gcc >/dev/null 2>&1; then
	echo '#include <stdlib.h>' | gcc -E -x c - >/dev/null 2>&1 || want libc6-dev
else
	want libc6-dev
fi
missing=${missing# }
[ -z "$missing" ] && exit 0

list() {
	echo "plm needs these Debian packages, which are not installed here:" >&2
	for package in $missing; do
		echo "    $package" >&2
	done
	echo "$1" >&2
	exit 1
}

command -v apt-get >/dev/null 2>&1 ||
	list "There is no apt-get: install what this system calls them, with their headers."
if [ "$(id -u)" -eq 0 ]; then
	as_root=
elif sudo -n true 2>/dev/null || { [ -t 0 ] && command -v sudo >/dev/null 2>&1; }; then
	as_root=sudo
else
	list "Install them as root: apt-get install $missing"
fi

echo "installing: $missing"
export DEBIAN_FRONTEND=noninteractive
# shellcheck disable=SC2086 # a list of words
install() {
	$as_root apt-get install -y --no-install-recommends $missing
}
install >/dev/null 2>&1 || { $as_root apt-get update -q && install; } >&2 ||
	list "apt-get could not install them; its words are above."
