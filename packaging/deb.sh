#!/bin/bash
# deb.sh - Debian packages from what `make install DESTDIR=OUT/root PREFIX=/usr` installed.
#
#	deb.sh VERSION SOVERSION OUT
#
# OUT gets four packages. packaging/README.md says which file goes where, and why. Needs dpkg-deb,
# dpkg-shlibdeps (dpkg-dev) and strip (binutils); root is not needed.
set -eu -o pipefail
export LC_ALL=C
umask 022
version=$1 soversion=$2 folder=$3
library=libplm$soversion fleet=libplm-fleet$soversion
architecture=$(dpkg --print-architecture)
maintainer=${DEBFULLNAME:-plm developers} address=${DEBEMAIL:-plm@localhost}

take() { # PACKAGE PATH...: move installed files into the tree of a package
	local package=$1 path
	shift
	for path; do
		mkdir -p "$out/$package/$(dirname "$path")"
		mv "$root/$path" "$out/$package/$path"
	done
}

# The libraries that the programs of a package need, as versioned package names. dpkg-shlibdeps
# insists on a debian/control in the current folder.
depends() { # FILE...
	local work=$out/shlibdeps
	mkdir -p "$work/debian"
	printf 'Source: plm\n\nPackage: plm\nArchitecture: any\n' >"$work/debian/control"
	(cd "$work" && dpkg-shlibdeps --ignore-missing-info -l"$root/usr/lib" \
		-O "$@" 2>warnings) | sed -n 's/^shlibs:Depends=//p' || {
		cat "$work/warnings" >&2
		return 1
	}
	# libplm is a package of this run, and named by hand.
	grep -vE 'should already be installed in their package|libplm\.so' \
		"$work/warnings" >&2 || true
}

build() { # PACKAGE, with the fields of its control file that differ on stdin
	local package=$1 tree=$out/$1
	mkdir -p "$tree/DEBIAN" "$tree/usr/share/doc/$package"
	cat >"$tree/usr/share/doc/$package/copyright" <<-END
		plm, a task runtime for one machine.
		Licence: Apache-2.0. On Debian systems the text of the licence is in
		/usr/share/common-licenses/Apache-2.0.
	END
	(cd "$tree" && find usr -type f -exec md5sum {} +) >"$tree/DEBIAN/md5sums"
	{
		printf '%s\n' "Package: $package" "Source: plm" "Version: $version" \
			"Architecture: $architecture" "Maintainer: $maintainer <$address>" \
			"Installed-Size: $(du -sk "$tree/usr" | cut -f1)" "Priority: optional"
		cat
	} >"$tree/DEBIAN/control"
	dpkg-deb --root-owner-group --build "$tree" "$out/${package}_${version}_$architecture.deb" \
		>/dev/null
	rm -rf "$tree"
	echo "  DEB $folder/${package}_${version}_$architecture.deb"
}

[ -d "$folder/root/usr/bin" ] || {
	echo "deb.sh: $folder/root: no installed tree; use make deb" >&2
	exit 1
}
out=$(cd "$folder" && pwd) root=$out/root
strip --strip-unneeded "$root"/usr/bin/* "$root"/usr/lib/libplm*.so.*.*
strip --strip-debug "$root/usr/lib/libplm.a"
chmod 644 "$root"/usr/lib/libplm*.so.*.*
gzip -9n "$root"/usr/share/man/man*/*
# Debian's zsh looks there, and not into site-functions, for the completions of packages.
mv "$root/usr/share/zsh/site-functions" "$root/usr/share/zsh/vendor-completions"
needed_by_programs=$(depends "$root"/usr/bin/*)
needed_by_library=$(depends "$root"/usr/lib/libplm.so.*.*)
needed_by_fleet=$(depends "$root"/usr/lib/libplm-fleet.so.*.*)

take "$library" "usr/lib/libplm.so.$soversion" "usr/lib/libplm.so.$version"
mkdir -p "$out/$library/DEBIAN"
echo "libplm $soversion $library (>= $version)" >"$out/$library/DEBIAN/shlibs"
echo "activate-noawait ldconfig" >"$out/$library/DEBIAN/triggers"

take "$fleet" "usr/lib/libplm-fleet.so.$soversion" "usr/lib/libplm-fleet.so.$version"
mkdir -p "$out/$fleet/DEBIAN"
echo "libplm-fleet $soversion $fleet (>= $version)" >"$out/$fleet/DEBIAN/shlibs"
echo "activate-noawait ldconfig" >"$out/$fleet/DEBIAN/triggers"

take libplm-dev usr/include usr/lib/libplm.so usr/lib/libplm-fleet.so usr/lib/libplm.a \
	usr/lib/pkgconfig
mkdir -p "$out/libplm-dev/usr/share/doc/libplm-dev"
mv "$root/usr/share/doc/plm/examples" "$out/libplm-dev/usr/share/doc/libplm-dev/examples"

take plm usr # the rest
rm -f "$out/plm/usr/share/doc/plm/LICENSE" # the copyright file names Debian's copy
rmdir "$root"

build "$library" <<END
Section: libs
Depends: $needed_by_library
Description: task runtime for one machine (shared library)
 The client library of plm: programs submit tasks, wait for results and pass
 large values through shared memory.
END
build "$fleet" <<END
Section: libs
Depends: $library (= $version), $needed_by_fleet
Description: fleets of plm: tasks for many machines (shared library)
 The client library for fleets of plm: programs submit tasks to a queue in Redis
 or Valkey that the runtimes of many machines share.
END
build libplm-dev <<END
Section: libdevel
Depends: $library (= $version), $fleet (= $version)
Suggests: plm, pkg-config, liburcu-dev, libhwloc-dev, libnuma-dev
Description: task runtime for one machine (development files)
 Headers, pkg-config file, static library and examples for programs and modules
 of plm. Linking with the static library needs the suggested -dev packages.
END
build plm <<END
Section: utils
Depends: $needed_by_programs
Recommends: libhwloc-plugins, libssl3, gnuplot-nox
Suggests: libplm-dev
Description: task runtime for one machine
 plm runs C functions and command lines as tasks: one queue with priorities,
 resource needs, time limits, retries and dependencies. Results pass between
 processes through shared memory. Any process may be killed without the loss of
 a task. The package contains plm, plmctl, plmdump, plmweb, manual pages, completion
 for bash, zsh and fish, and a systemd unit for users.
END
rm -rf "$out/shlibdeps"
