"""plm: tasks on this machine, from Python.

import plm

with plm.Executor() as pool:                  # as concurrent.futures.ProcessPoolExecutor
    print(list(pool.map(pow, range(10), range(10))))

@plm.remote
def double(x): ...

ref = double.remote(21)                       # a task; its reference is an argument of others
plm.get(ref)
"""

from __future__ import annotations

from ._core import Error
from ._errors import OutOfMemory, RemoteError, TaskError
from ._session import RawRef, Ref, Session, current, open_session, set_current

TYPE_CHECKING = False  # as in _values.py
if TYPE_CHECKING:
    from concurrent.futures import CancelledError
    from typing import Any

    from ._arrays import empty, zeros
    from ._broken import WorkerDied
    from ._executor import Executor
    from ._futures import Future
    from ._native import Completed, call, run, start
    from ._remote import RemoteFunction, as_completed, get, remote, wait
    from ._worker import TaskStopped

__version__ = "0.1.0"
__all__ = [
    "CancelledError",
    "Completed",
    "Error",
    "Executor",
    "Future",
    "OutOfMemory",
    "RawRef",
    "Ref",
    "RemoteError",
    "RemoteFunction",
    "TaskError",
    "TaskStopped",
    "WorkerDied",
    "as_completed",
    "call",
    "cancel",
    "connect",
    "disconnect",
    "empty",
    "explain",
    "get",
    "move",
    "put",
    "remote",
    "run",
    "start",
    "status",
    "wait",
    "zeros",
]

# Loaded when first used, so that `import plm` stays quick.
_LATER = {
    "Completed": "_native",
    "Executor": "_executor",
    "Future": "_futures",
    "RemoteFunction": "_remote",
    "TaskStopped": "_worker",
    "WorkerDied": "_broken",
    "as_completed": "_remote",
    "call": "_native",
    "empty": "_arrays",
    "get": "_remote",
    "remote": "_remote",
    "run": "_native",
    "start": "_native",
    "wait": "_remote",
    "zeros": "_arrays",
}


def __getattr__(name: str) -> Any:
    from importlib import import_module

    if name == "joblib":
        return import_module("plm.joblib")
    if name == "CancelledError":
        return import_module("concurrent.futures").CancelledError
    if name not in _LATER:
        raise AttributeError(f"module 'plm' has no attribute {name!r}")
    value = globals()[name] = getattr(import_module(f"plm.{_LATER[name]}"), name)
    return value


def connect(name: str | None = None, *, python: str | None = None) -> Session:
    """Connects this process to a runtime, which the functions of the package use from now on.

    Without a name: $PLM_NAME, else the runtime "default"; if none is up, a runtime of our own is
    booted, which ends with this process. python: the interpreter of the workers to use, where a
    runtime has several.
    """
    session = open_session(name, python)
    set_current(session)
    return session


def disconnect() -> None:
    """Ends the connection of connect()."""
    session = current()
    set_current(None)
    session.close()


def put(value: Any, *, raw: bool = False) -> Ref:
    """Writes a value into the store, once, for any number of tasks. raw: the bytes of a buffer as
    they are, for C functions and commands."""
    session = current()
    return session.put_raw(value) if raw else session.put_value(value)


def cancel(ref: Any) -> bool:
    """Cancels a task, also a running one. False: it has ended before."""
    cancelled: bool = ref.cancel()
    return cancelled


def move(ref: Any, to: str | None = None, *, priority: int | None = None) -> bool:
    """Gives a task another place: to="front", "parked" or "todo", or another priority. False: it
    runs already, or has ended; "todo" puts a running task back into the queue."""
    moved: bool = ref.move(to, priority=priority)
    return moved


def explain(ref: Any) -> str:
    """Why a task has not ended, or what became of it. ref: a reference or a future."""
    name = ref if isinstance(ref, Ref) else ref.ref
    if name is None:
        return "The task has ended."
    words: str = name.explain()
    return words


def status() -> dict[str, Any]:
    """The numbers of the runtime."""
    return current().core.status()
