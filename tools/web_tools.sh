#!/bin/sh
# web_tools.sh - what the tests of plmweb and of traces use beside our programs: a browser,
# promtool, and Perfetto's own classes.
#
#	web_tools.sh PYTHON
#
# chromium and python3-prometheus-client come from Debian (deps.sh), Playwright and perfetto from
# PyPI into build/web-tools. promtool is taken out of Debian's package prometheus, which is not
# installed, because its installation starts a server. One line tells what cannot be had, and the
# exit code is 0: the tests then skip what needs the tool.
set -u
python=$1
tools=build/web-tools

tools/deps.sh chromium:chromium 2>/dev/null || true
command -v chromium >/dev/null ||
	echo "left out: the page in a browser: chromium cannot be installed here"

if [ "$python" = /usr/bin/python3 ] && ! "$python" -c 'import prometheus_client' 2>/dev/null; then
	tools/deps.sh prometheus_client:python3-prometheus-client 2>/dev/null || true
fi

# Installs a package into a virtual environment, once: PACKAGE==VERSION WHAT-FOR
from_pypi() {
	grep -qx "$1" $tools/wanted 2>/dev/null && return
	mkdir -p $tools
	if { [ -x $tools/venv/bin/pip ] || "$python" -m venv $tools/venv; } >>$tools/log 2>&1 &&
		$tools/venv/bin/pip install --quiet --disable-pip-version-check "$1" \
			>>$tools/log 2>&1; then
		echo "$1" >>$tools/wanted
	else
		echo "left out: $2: PyPI gave no $1 ($tools/log)"
	fi
}
from_pypi playwright==1.49.1 "the page in a browser"
from_pypi perfetto==0.59.1 "traces read by Perfetto's own classes"

if [ ! -x $tools/promtool ] && command -v apt-get >/dev/null; then
	(cd $tools && apt-get download prometheus && dpkg -x prometheus_*.deb parts &&
		mv parts/usr/bin/promtool . && rm -rf parts prometheus_*.deb) >>$tools/log 2>&1 ||
		echo "left out: promtool check metrics: apt-get gave no prometheus ($tools/log)"
fi
