"""What a task with needs finds: thread counts of numerical libraries, and the GPUs it may use.

The worker, which is C, sets OMP_NUM_THREADS, OPENBLAS_NUM_THREADS, MKL_NUM_THREADS, PLM_CPUS and
CUDA_VISIBLE_DEVICES before the task. Two things are left for Python: os.environ, a copy, does not
show that, and libraries that were loaded before are told by threadpoolctl, where it is installed.

Where: a worker process, before a task, and only if the environment has changed since the last one.
"""

from __future__ import annotations

import contextlib
import os
import sys

from . import _core

TYPE_CHECKING = False  # as in _values.py
if TYPE_CHECKING:
    from collections.abc import Iterator

VARIABLES = (
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "PLM_CPUS",
    "CUDA_VISIBLE_DEVICES",
)
_THREADS = VARIABLES[:3]
# Modules that bring libraries with threads of their own.
_HEAVY = ("numpy", "scipy", "sklearn", "torch", "numexpr", "numba")


def refresh() -> None:
    """Shows the environment of the task to Python, and tells the loaded libraries."""
    counts = False
    for name in VARIABLES:
        value = _core.getenv(name)
        if value == os.environ.get(name):
            continue
        if value is None:
            del os.environ[name]
        else:
            os.environ[name] = value
        counts |= name in _THREADS
    if counts:
        _tell_libraries(os.environ.get("OMP_NUM_THREADS", ""))


def _tell_libraries(count: str) -> None:
    """A worker keeps the count until the next change, so nothing is restored."""
    if not count.isdigit() or not any(name in sys.modules for name in _HEAVY):
        return
    try:
        import threadpoolctl
    except ImportError:
        return
    threadpoolctl.threadpool_limits(int(count))


@contextlib.contextmanager
def limited(count: int) -> Iterator[None]:
    """Numerical libraries use so many threads meanwhile; 0: as they are."""
    if count == 0:
        yield
        return
    before = {name: os.environ.get(name) for name in _THREADS}
    os.environ.update(dict.fromkeys(_THREADS, str(count)))
    try:
        _tell_libraries(str(count))
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value
        _tell_libraries(before["OMP_NUM_THREADS"] or "")
