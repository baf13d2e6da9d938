"""What a failed task raises in the program that asks for its result.

An exception of the task travels with the failure, as a pickle behind the message, and is raised
again with the remote traceback as its cause. A death of the worker, a time limit, a lack of memory
and the failure of a C function or a command have exceptions of their own.
"""

from __future__ import annotations

import errno

from . import _values

TYPE_CHECKING = False  # as in _values.py
if TYPE_CHECKING:
    from typing import Any

DETAIL_MOST = 60 * 1024  # of the 64 KiB that a failure may carry
TRACEBACK_MOST = 16 * 1024


class TaskError(RuntimeError):
    """A task failed, and the reason is no Python exception: a C function, a command, a limit."""

    def __init__(self, message: str, *, code: int = 0, function: str = "") -> None:
        super().__init__(message)
        self.code = code
        self.function = function

    def __reduce__(self) -> tuple[Any, ...]:
        return _task_error, (type(self), self.args[0], self.code, self.function)


def _task_error(kind: type[TaskError], message: str, code: int, function: str) -> TaskError:
    return kind(message, code=code, function=function)


class OutOfMemory(TaskError, MemoryError):
    """The runtime ended the task because memory ran short, or over its memory limit."""


class RemoteError(TaskError):
    """An exception of a task that cannot be pickled, or unpickled here: its words."""


class RemoteTraceback(Exception):
    """The traceback of an exception in the worker, as text: the cause of that exception here."""

    def __init__(self, tb: str) -> None:
        self.tb = tb

    def __str__(self) -> str:
        return self.tb


RemoteTraceback.__name__ = RemoteTraceback.__qualname__ = "_RemoteTraceback"


# ---- in the worker ----


def describe(error: BaseException) -> tuple[str, bytes]:
    """The message of a failure, and what travels with the message."""
    import traceback  # late: a worker without failures never needs it

    words = "".join(traceback.format_exception_only(type(error), error)).strip()
    tb = "".join(traceback.format_exception(type(error), error, error.__traceback__))
    tb = f'\n"""\n{tb[-TRACEBACK_MOST:]}"""'
    try:
        detail = bytes(_values.dump((error, tb)))
        _values.load(detail)  # a class that pickles and does not unpickle is found out here
    except Exception:  # whatever the class raises, the task failed for another reason
        detail = b""
    if not detail or len(detail) > DETAIL_MOST:
        name = f"{type(error).__module__}.{type(error).__qualname__}"
        substitute = RemoteError(f"{name}: {words[:2000]}", code=errno.EIO)
        detail = _values.dumps((substitute, tb), _values.PROTOCOL)
    return words, detail


# ---- in the program that waits ----


def cancelled(message: str) -> BaseException:
    """The exception of a cancelled task."""
    from concurrent.futures import CancelledError

    return CancelledError(message)


def _raised_there(detail: bytes, message: str) -> BaseException:
    try:
        error, tb = _values.load(detail)
    except Exception as trouble:  # the class may be unknown here, or refuse
        return RemoteError(f"{message} (the exception cannot be unpickled here: {trouble})")
    if not isinstance(error, BaseException):
        return RemoteError(message)
    error.__cause__ = RemoteTraceback(tb)
    return error


def exception_of(failure: tuple[int, int, str, str, bytes | None]) -> BaseException:
    """The exception that tells of a failure as Client.failure() shows it."""
    code, signal, function, message, detail = failure
    if detail and not detail.startswith(b"exit="):
        return _raised_there(detail, message)
    if code == errno.EOWNERDEAD:
        from ._broken import death

        return death(message, signal, detail or b"")
    if code == errno.ECANCELED:
        return cancelled(message)
    if code == errno.ETIMEDOUT:
        return TimeoutError(message)
    if code == errno.ENOMEM:
        return OutOfMemory(message, code=code, function=function)
    return TaskError(message, code=code, function=function)
