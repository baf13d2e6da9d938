#!/bin/sh
# python.sh - the Python sources under ruff (layout, lint) and mypy --strict (types).
#
#	tools/python.sh [--fix]		--fix: lay the sources out, and mend what ruff can mend
#
# Both tools come from PyPI into build/python-tools, in these versions, so that everybody sees the
# same findings. Where PyPI cannot be reached the check is left out, with one line that says so.
set -u
tools=build/python-tools
python=${PYTHON:-python3}
wanted="ruff==0.8.4 mypy==1.13.0"

missing() {
	echo "left out: the Python sources were not checked: $*"
	exit 0
}

if [ "$(cat $tools/wanted 2>/dev/null)" != "$wanted" ]; then
	rm -rf $tools
	"$python" -m venv $tools >$tools.log 2>&1 ||
		missing "$python cannot make a venv ($tools.log)"
	# shellcheck disable=SC2086 # a list of words
	$tools/bin/pip install --quiet --disable-pip-version-check $wanted >>$tools.log 2>&1 ||
		missing "PyPI gave no $wanted ($tools.log)"
	echo "$wanted" >$tools/wanted
fi

folders=$(ls -d python tests/python tests/web tests/fleet examples/python examples/workloads \
    2>/dev/null)
if [ "${1:-}" = --fix ]; then
	# shellcheck disable=SC2086 # a list of words
	{
		$tools/bin/ruff check --quiet --config python/pyproject.toml --fix $folders
		$tools/bin/ruff format --quiet --config python/pyproject.toml $folders
	}
fi
bad=0
# shellcheck disable=SC2086 # a list of words
{
	$tools/bin/ruff check --quiet --config python/pyproject.toml $folders || bad=1
	$tools/bin/ruff format --quiet --check --config python/pyproject.toml $folders || bad=1
	MYPYPATH=python:tests/python:tests/web:tests/fleet $tools/bin/mypy --strict \
	    --no-error-summary --config-file python/pyproject.toml --cache-dir $tools/mypy \
	    python/plm tests/python tests/web tests/fleet examples/python examples/workloads ||
	    bad=1
}
exit $bad
