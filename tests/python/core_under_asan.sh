#!/bin/sh
# core_under_asan.sh - tests/python/test_core.py with the extension built by `make VARIANT=asan`.
#
# The interpreter is not instrumented, so the sanitizer is loaded before it. Leaks are not reported:
# an interpreter frees little at its end. test_core.py itself looks for lost references.
set -u
asan=$(gcc -print-file-name=libasan.so)
ubsan=$(gcc -print-file-name=libubsan.so)
export LD_PRELOAD="$asan $ubsan" ASAN_OPTIONS=detect_leaks=0 PYTHONMALLOC=malloc
export PLM_PACKAGE=build/asan/python
exec "${PYTHON:-python3}" tests/python/test_core.py
