#!/bin/sh
# install.sh - installs the peers of plm: servers and libraries from Debian, Python's runtimes
# from PyPI into a virtual environment (`make bench-peers`).
#
#     bench/peers/install.sh [VENV]      (default build/venv)
#
# Each peer separately: a peer that cannot be installed is named, here and by the bench.
# Debian starts servers when they are installed. They are stopped: the bench starts private servers.
set -u
venv=${1:-build/venv}
missing=

if [ "$(id -u)" -eq 0 ]; then
	as_root=
else
	as_root=sudo
fi

installed() {
	dpkg-query -W -f '${Status}' "$1" 2>/dev/null | grep -q '^install ok installed'
}

# policy-rc.d would keep packages from starting servers, but belongs to the machine's owner.
debian() {
	peer=$1
	shift
	for package in "$@"; do
		installed "$package" && continue
		$as_root env DEBIAN_FRONTEND=noninteractive RUNLEVEL=1 \
			apt-get install -y --no-install-recommends "$package" >/dev/null 2>&1 ||
			{ missing="$missing $peer($package)"; return; }
	done
	echo "bench-peers: $peer"
}

pypi() {
	for package in "$@"; do
		if "$venv/bin/pip" install --quiet --disable-pip-version-check "$package"; then
			echo "bench-peers: $package"
		else
			missing="$missing $package"
		fi
	done
}

command -v apt-get >/dev/null 2>&1 && $as_root apt-get update -q >/dev/null 2>&1
debian redis redis-server libhiredis-dev
debian gearman gearman-job-server libgearman-dev
debian beanstalkd beanstalkd
debian MPI openmpi-bin libopenmpi-dev
debian OpenMP libgomp1
debian StarPU libstarpu-dev
debian xargs findutils
debian parallel parallel
debian task-spooler task-spooler
debian plots gnuplot-nox
debian python python3-venv
[ -x "$venv/bin/python" ] || python3 -m venv "$venv" || missing="$missing venv"
[ -x "$venv/bin/pip" ] &&
	pypi numpy loky mpire 'dask[distributed]' ray 'celery[redis]' rq hyperqueue

for server in redis-server gearman-job-server beanstalkd; do
	if [ -d /run/systemd/system ]; then
		$as_root systemctl disable --now "$server" >/dev/null 2>&1
	fi
done
[ -z "$missing" ] && exit 0
echo "bench-peers: not installed:$missing" >&2
exit 0
