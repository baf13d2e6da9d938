"""The process from which the workers of an interpreter are forked.

A manager starts ``INTERPRETER -c "from plm._zygote import main; main()"``. The process
imports what all workers need, says hello, and forks a worker for each order. It has one thread and
runs no task.
"""

from __future__ import annotations

import gc
import importlib
import os
import sys

from plm import _core

SOCKET = 3  # to the manager


def _preload(names: str) -> None:
    for name in names.replace(",", " ").split():
        try:
            importlib.import_module(name)
        except BaseException as error:
            import traceback

            traceback.print_exc()
            _refuse(
                f"{sys.executable} cannot import the module {name}, which --preload names: "
                f"{type(error).__name__}: {error}; install it there, or leave it out"
            )


def _refuse(reason: str) -> None:
    _core.zygote_hello(SOCKET, reason.encode(errors="replace")[:390].decode(errors="ignore"))
    sys.stderr.flush()
    os._exit(1)


def main() -> None:
    """Never returns: the manager ends the process, and a worker ends by itself."""
    os.set_inheritable(SOCKET, False)
    if sys.path[:1] == [""]:
        sys.path[0] = os.getcwd()
    _preload(os.environ.pop("PLM_PRELOAD", ""))
    from plm import _worker

    sys.stdout.flush()
    sys.stderr.flush()
    gc.collect()
    gc.freeze()
    _core.zygote_hello(SOCKET)
    order = _core.zygote_serve(SOCKET)
    _core.worker_main(order, _worker.handle, _worker.begin)
