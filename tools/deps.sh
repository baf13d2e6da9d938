#!/bin/sh
# deps.sh - installs the Debian packages that plm is built and tested with, where they are missing.
#
#	deps.sh [COMMAND:PACKAGE ...]   the packages of every target, and those of the arguments
#	deps.sh --others                lists packages that somebody installed on this machine and
#	                                deps.sh would not: a green run may depend on these
#
# Takes a few milliseconds when nothing is missing. Installs as root or through sudo; without both,
# or on a system without apt, deps.sh lists the missing packages and exits with 1.
set -u

others=
[ "${1:-}" = --others ] && others=1 && shift

# COMMAND:PACKAGE, and MODULE:PACKAGE for modules of pkg-config.
commands="gcc:gcc make:make pkg-config:pkg-config python3:python3 parallel:parallel
	clang-format:clang-format $*"
modules="liburcu-bp:liburcu-dev liburcu-cds:liburcu-dev numa:libnuma-dev hwloc:libhwloc-dev
	jansson:libjansson-dev sqlite3:libsqlite3-dev check:check libsubunit:libsubunit-dev"

if [ "$others" ]; then
	ours=$(for pair in $commands $modules _:libhwloc-plugins _:libc6-dev _:g++; do
		echo "${pair#*:}"
	done)
	apt-mark showmanual 2>/dev/null | grep -vxF "$ours"
	exit 0
fi

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
# Debian's hwloc finds GPUs on the PCI bus, and reads XML, with plugins from a separate package.
if command -v dpkg >/dev/null 2>&1; then
	set -- /usr/lib/*/hwloc/hwloc_pci.so
	[ -e "$1" ] || want libhwloc-plugins
fi
# The package gcc comes without the headers of the C library.
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
	list "There is no apt-get: install these libraries and headers in the way of this system."
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
	list "apt-get could not install these packages, for the reason above."
