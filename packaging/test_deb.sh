#!/bin/bash
# test_deb.sh - install the packages of build/deb, use them, remove them, and look for files left.
#
#	test_deb.sh		in a throw-away copy of this machine (an overlay in a private mount
#				namespace): nothing of the machine changes. Needs root
#	test_deb.sh --here	on this machine itself: dpkg -i, later dpkg --purge. Needs root
#
# Exit code: 0 all is well, 1 a check failed, 77 skipped (the reason is printed).
set -eu
export LC_ALL=C PATH=/usr/sbin:/usr/bin:/sbin:/bin
top=$(cd "$(dirname "$0")/.." && pwd)

skip() {
	echo "skipped: $*"
	exit 77
}
fail() {
	echo "test_deb: $*" >&2
	exit 1
}

# ---- the throw-away copy ----

# Runs as root in namespaces of its own, and unmounts at the end: in a chroot, where nobody can make
# mounts private, the machine around the chroot may see them until then.
run_in_copy() {
	local copy=$1 code=0
	mount -t tmpfs tmpfs "$copy"
	trap "umount -R '$copy' 2>/dev/null || umount -R -l '$copy'" EXIT
	mkdir "$copy/upper" "$copy/work" "$copy/root"
	mount -t overlay overlay -o "lowerdir=/,upperdir=$copy/upper,workdir=$copy/work" \
		"$copy/root" 2>/dev/null || skip "this kernel mounts no overlay here; see --here"
	mount -t proc proc "$copy/root/proc"
	mount --rbind /dev "$copy/root/dev"
	mount --make-rslave "$copy/root/dev"
	mount -t tmpfs -o mode=1777 tmpfs "$copy/root/dev/shm"
	mount -t tmpfs -o mode=1777 tmpfs "$copy/root/tmp"
	mkdir -p "$copy/root/tmp/plm/build" "$copy/root/tmp/plm/packaging"
	cp -r "$top/build/deb" "$copy/root/tmp/plm/build/deb"
	cp "$top/packaging/test_deb.sh" "$copy/root/tmp/plm/packaging"
	chroot "$copy/root" env -i HOME=/root PATH="$PATH" \
		/tmp/plm/packaging/test_deb.sh --here || code=$?
	exit $code
}

case ${1:-} in
--here) ;;
--copy) run_in_copy "$2" ;;
'')
	[ "$(id -u)" -eq 0 ] || skip "dpkg -i needs root"
	copy=$(mktemp -d /tmp/plm-test-deb.XXXXXX)
	code=0 propagation=private
	unshare -m true 2>/dev/null || propagation=unchanged # a chroot, or no right to mount
	unshare -m -p -f --propagation $propagation true 2>/dev/null ||
		skip "a private mount namespace needs more rights than these; see --here"
	unshare -m -p -f --propagation $propagation "$top/packaging/test_deb.sh" --copy "$copy" ||
		code=$?
	rmdir "$copy"
	exit $code
	;;
*) fail "unknown option: $1" ;;
esac

# ---- install ----

[ "$(id -u)" -eq 0 ] || skip "dpkg -i needs root"
for tool in dpkg gcc pkg-config; do
	command -v $tool >/dev/null || skip "$tool is not installed"
done
shopt -s nullglob
debs=("$top"/build/deb/*.deb)
[ ${#debs[@]} -eq 4 ] || fail "build/deb has ${#debs[@]} packages instead of 4; run make deb"
packages=()
for deb in "${debs[@]}"; do
	packages+=("$(dpkg-deb --field "$deb" Package)")
done
for package in "${packages[@]}"; do
	! dpkg-query -W -f '${Status}\n' "$package" 2>/dev/null | grep -q ' installed$' ||
		skip "$package is installed on this machine already"
done

work=$(mktemp -d /tmp/plm-test-deb-work.XXXXXX)
export HOME=$work/home
mkdir "$HOME"
export PLM_NAME=testdeb$$
clean_up() {
	plmctl stop --now >/dev/null 2>&1 || true
	dpkg --purge "${packages[@]}" >/dev/null 2>&1 || true
	rm -rf "$work"
}
trap clean_up EXIT
# The files where packages and programs write, except the books of dpkg, logs and caches.
list() {
	{
		find / -maxdepth 1
		find /boot /etc /opt /srv /usr /var -xdev \( -path /var/lib/dpkg -o -path /var/log \
			-o -path /var/cache -o -path /var/tmp -o -path "$top" \) -prune -o -print
		find "$HOME"
		find /dev/shm -name "*$PLM_NAME*"
	} 2>/dev/null | sort
}
list >"$work/before"
dpkg -i "${debs[@]}" >"$work/dpkg" 2>&1 || { cat "$work/dpkg"; fail "dpkg -i failed"; }
echo "ok   dpkg -i ${packages[*]}"

# ---- use ----

expect() { # WHAT EXPECTED ACTUAL
	[ "$2" = "$3" ] || fail "$1: expected \"$2\", got \"$3\""
	echo "ok   $1"
}
cd "$work"
dpkg --verify "${packages[@]}" >"$work/verify" || { cat "$work/verify"; fail "dpkg --verify"; }
for program in plm plmctl plmdump plmweb; do
	expect "$program comes from the package" /usr/bin/$program "$(command -v $program)"
done
version=$(dpkg-query -W -f '${Version}' plm)
expect "plm --version" "plm $version" "$(plm --version)"
expect "pkg-config --modversion" "$version" "$(pkg-config --modversion plm)"

examples=/usr/share/doc/libplm-dev/examples
# shellcheck disable=SC2046 # lists of options
gcc -o dot $examples/client_dot.c $(pkg-config --cflags --libs plm)
# shellcheck disable=SC2046
gcc -shared -fPIC -o vector.so $examples/mod_vector.c $(pkg-config --cflags plm)
case $(ldd dot) in
*"/usr/lib/libplm.so."* | *" /lib/libplm.so."*) echo "ok   a program finds libplm" ;;
*) ldd dot; fail "dot does not find the libplm of the package" ;;
esac
# shellcheck disable=SC2046
gcc -o fleet $examples/client_fleet.c $(pkg-config --cflags --libs plm-fleet)
! ./fleet 2>said || fail "a fleet without an address"
expect "a program of a fleet" 1 "$(grep -c 'PLM_FLEET is not set' said)"
dpkg -S /usr/lib/libplm-fleet.so.[0-9] | grep -q '^libplm-fleet' ||
	fail "libplm-fleet is not in its package"
plm --daemon --workers 2 >/dev/null
expect "a function" hello "$(plmctl call probe.echo hello)"
expect "a command" hello "$(plmctl submit -- echo hello)"
expect "a program and a module built with pkg-config" 3000000.0 "$(./dot "$work/vector.so")"
plmdump check >/dev/null || fail "plmdump check found damage"
plmctl stop

# ---- watch ----

plm --daemon --workers 2 --events on >/dev/null
plmctl call probe.sum 1 2 >/dev/null
plmctl top --once >top
grep -q '^Workers:' top || { cat top; fail "plmctl top --once"; }
plmctl trace --quiet run.json.gz
plmctl plot --csv tables
expect "a run in a trace and in tables" "1 1" \
	"$(gzip -dc run.json.gz | grep -c '"name":"probe.sum"') $(grep -c ^@ tables/runs.csv)"
if command -v gnuplot >/dev/null; then
	plmctl plot run.svg
	expect "a picture" 1 "$(grep -c '^</svg>' run.svg)"
else
	echo "skipped: a picture: gnuplot is not installed"
fi
plmweb --listen unix:"$work/web" >"$work/address" &
web=$!
if command -v curl >/dev/null; then
	curl -s --retry 50 --retry-delay 0 --retry-all-errors --unix-socket "$work/web" \
		http://localhost/metrics >metrics
	expect "plmweb serves metrics" 1 "$(grep -c '^plm_up 1' metrics)"
	curl -s --unix-socket "$work/web" http://localhost/ >page
	expect "plmweb serves the page" 1 "$(grep -ci '<!doctype html>' page)"
else
	echo "skipped: plmweb: curl is not installed"
fi
kill $web && wait $web || fail "plmweb ended with $?"
plmctl stop
[ -s /usr/share/doc/plm/grafana-plm.json ] || fail "the dashboard for Grafana is missing"

# ---- read and complete ----

# What bash offers behind a line.
completed() { # LINE
	bash -c 'source /usr/share/bash-completion/completions/plmctl
		COMP_LINE=$1 COMP_POINT=${#1} COMPREPLY=()
		_plm && echo "${COMPREPLY[*]}"' bash "$1"
}
expect "completion of a command" trace "$(completed "plmctl tra")"
expect "completion of an option" --record "$(completed "plmctl trace --rec")"
expect "completion of plmweb" --read-only "$(completed "plmweb --read")"
for file in share/man/man1/plm.1.gz share/man/man1/plmctl.1.gz share/man/man1/plmdump.1.gz \
	share/man/man1/plmweb.1.gz \
	share/man/man5/plm-tasks.5.gz share/bash-completion/completions/plmctl \
	share/zsh/vendor-completions/_plmctl share/fish/vendor_completions.d/plmctl.fish; do
	[ -s /usr/$file ] || fail "/usr/$file is missing or empty"
done
grep -q '^ExecStart=/usr/bin/plm$' /usr/lib/systemd/user/plm.service ||
	fail "the systemd unit does not start /usr/bin/plm"
echo "ok   manual pages, completion, systemd unit"

# ---- remove ----

dpkg -r "${packages[@]}" >"$work/dpkg" 2>&1 || { cat "$work/dpkg"; fail "dpkg -r failed"; }
dpkg --purge "${packages[@]}" >>"$work/dpkg" 2>&1 || { cat "$work/dpkg"; fail "dpkg --purge"; }
list >"$work/after"
diff "$work/before" "$work/after" || fail "removing the packages left, or took, these files"
echo "ok   no file is left"
