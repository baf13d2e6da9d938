#!/bin/sh
# deps.sh - installs the Debian packages that plm is built and tested with, where they are missing.
#
#	deps.sh [COMMAND:PACKAGE ...]   the packages of every target, and those of the arguments
#	deps.sh --python PYTHON         the packages that the Python package is built and tested
#	                                with, for Debian's own interpreter only; one line tells
#	                                what cannot be installed, and the exit code is 0
#	deps.sh --library MODULE:PACKAGE ...
#	                                the packages of every target, and libraries that pkg-config
#	                                knows by these names
#	deps.sh --others                lists packages that somebody installed on this machine and
#	                                deps.sh would not: a green run may depend on these
#
# Takes a few milliseconds when nothing is missing. Installs as root or through sudo; without both,
# or on a system without apt, deps.sh lists the missing packages and exits with 1.
set -u

others='' python='' libraries=''
[ "${1:-}" = --others ] && others=1 && shift
[ "${1:-}" = --python ] && python=$2 && shift 2
[ "${1:-}" = --library ] && shift && libraries=$* && set --

# COMMAND:PACKAGE, and MODULE:PACKAGE for modules of pkg-config.
commands="gcc:gcc make:make pkg-config:pkg-config python3:python3 parallel:parallel
	tsp:task-spooler
	clang-format:clang-format tmux:tmux gnuplot:gnuplot-nox
	redis-check-rdb:redis-tools ip:iproute2 openssl:openssl $*"
modules="liburcu-bp:liburcu-dev liburcu-cds:liburcu-dev numa:libnuma-dev hwloc:libhwloc-dev
	zlib:zlib1g-dev jansson:libjansson-dev libmicrohttpd:libmicrohttpd-dev
	ncursesw:libncurses-dev sqlite3:libsqlite3-dev check:check libsubunit:libsubunit-dev
	hiredis:libhiredis-dev libsodium:libsodium-dev openssl:libssl-dev $libraries"

# MODULE:PACKAGE of Python. scikit-learn (340 MB) is tested where somebody has installed it.
imports="venv:python3-venv ensurepip:python3-venv pip:python3-pip setuptools:python3-setuptools
	wheel:python3-wheel numpy:python3-numpy cloudpickle:python3-cloudpickle
	joblib:python3-joblib dask:python3-dask tqdm:python3-tqdm
	threadpoolctl:python3-threadpoolctl
	test.test_concurrent_futures:libpython@VERSION@-testsuite"

if [ "$others" ]; then
	ours=$(for pair in $commands $modules $imports _:libhwloc-plugins _:libc6-dev _:g++ \
	    _:libopenblas-dev _:python3-dev _:libpython3-dev _:chromium \
	    _:python3-prometheus-client; do
		echo "${pair#*:}"
	done)
	ours="$ours
$(echo "$ours" | sed -n "s/@VERSION@/$(/usr/bin/python3 -c '
import sys
print("%d.%d" % sys.version_info[:2])')/p")"
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

want_programs() {
	for pair in $commands; do
		command -v "${pair%%:*}" >/dev/null 2>&1 || want "${pair#*:}"
	done
	for pair in $modules; do
		pkg-config --exists "${pair%%:*}" 2>/dev/null || want "${pair#*:}"
	done
	# Debian's hwloc finds GPUs on the PCI bus, and reads XML, with plugins from a separate
	# package.
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
}

want_python() {
	# shellcheck disable=SC2086 # a list of words
	lacks=$("$python" - $imports <<-'END' 2>/dev/null || echo _:python3-dev
		import importlib.util, os, sys, sysconfig

		def there(name):
		    try:
		        return importlib.util.find_spec(name) is not None
		    except ImportError:
		        return False

		version = "%d.%d" % sys.version_info[:2]
		missing = (pair for pair in sys.argv[1:] if not there(pair.partition(":")[0]))
		print(" ".join(missing).replace("@VERSION@", version))
		if not os.path.exists(sysconfig.get_path("include") + "/Python.h"):
		    print("Python.h:python3-dev")
		END
	)
	for pair in $lacks; do
		want "${pair#*:}"
	done
}

if [ "$python" ]; then
	# Debian's packages are for Debian's interpreter.
	[ "$python" = /usr/bin/python3 ] || exit 0
	want_python
else
	want_programs
fi
missing=${missing# }
[ -z "$missing" ] && exit 0

list() {
	[ "$python" ] && echo "Python packages not installed here: $missing. $1" &&
		exit 0
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
install() {
	$as_root apt-get install -y --no-install-recommends "$@"
}
# shellcheck disable=SC2086 # a list of words
install $missing >/dev/null 2>&1 ||
	{ $as_root apt-get update -q && install $missing; } >&2 || {
	[ "$python" ] || list "apt-get could not install these packages, for the reason above."
	# Other systems with apt may lack one of the packages: the others are still of use.
	for package in $missing; do
		install "$package" >/dev/null 2>&1 || left="${left:-} $package"
	done
	missing=${left:-}
	[ -z "$missing" ] || list "apt-get has no such packages."
}
