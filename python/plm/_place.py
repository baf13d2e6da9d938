"""The state of a worker that tasks may change and the next task finds as before: directory, signal
handlers, standard streams and their descriptors.

Nothing is compared after each task: the functions of Python for such changes are replaced by
functions with a note.

Where: a worker process, around each task.
"""

from __future__ import annotations

import os
import sys

from . import _core

TYPE_CHECKING = False  # as in _values.py
if TYPE_CHECKING:
    import signal as _signal
    from collections.abc import Callable
    from typing import Any
else:
    import _signal  # the module signal imports enum, which takes time

STANDARD = range(3)
_DIRECTORY = os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC


def _replace(name: str, note: Callable[..., None]) -> Callable[..., Any]:
    """Lets a function of os call note() first. Returns the original."""
    original: Callable[..., Any] = getattr(os, name)

    def noting(*args: Any, **kwargs: Any) -> Any:
        note(*args, **kwargs)
        return original(*args, **kwargs)

    # A function travels by name, also a replaced function.
    noting.__module__, noting.__name__, noting.__qualname__ = "os", name, name
    noting.__doc__ = original.__doc__
    setattr(os, name, noting)
    return original


def _again(name: str) -> Any:
    """A standard stream anew, over the same descriptor: the task closed the stream."""
    number = ("stdin", "stdout", "stderr").index(name)
    former = getattr(sys, f"__{name}__") or getattr(sys, name)
    try:
        stream = open(  # noqa: SIM115
            number,
            "w" if number else "r",
            1 if number == 2 else -1,
            encoding=getattr(former, "encoding", None),
            errors=getattr(former, "errors", None),
            closefd=False,
        )
    except OSError:  # the process never had the descriptor
        return None
    setattr(sys, name, stream)
    setattr(sys, f"__{name}__", stream)
    return stream


class Place:
    """The state of the process as tasks find it."""

    def __init__(self) -> None:
        self._chdir = _replace("chdir", self._note_directory)
        self._fchdir = _replace("fchdir", self._note_directory)
        _replace("close", self._note_close)
        _replace("closerange", self._note_close)
        self._dup2 = _replace("dup2", lambda _, fd2, *more, **named: self._note_close(fd2))
        self._signal = _signal.signal
        _signal.signal = self._note_signal  # type: ignore[assignment]
        self._directory = os.open(".", _DIRECTORY)
        self._outer: list[tuple[int, Any, dict[int, Any], bool]] = []
        self._spare: list[tuple[int, int]] = []
        self._begin()
        self.keep()

    def _begin(self) -> None:
        self._streams = (sys.stdin, sys.stdout, sys.stderr)
        self._handlers: dict[int, Any] = {}
        self._moved = self._closed = False

    # ---- notes ----

    def _note_directory(self, *_: Any, **__: Any) -> None:
        self._moved = True

    def _note_close(self, fd: Any, *_: Any, **__: Any) -> None:
        if isinstance(fd, int) and fd in STANDARD:
            self._closed = True

    def _note_signal(self, number: Any, handler: Any, /) -> Any:
        former = self._signal(number, handler)
        self._handlers.setdefault(int(number), former)
        return former

    # ---- tasks ----

    def keep(self) -> None:
        """Tasks find the present state from now on: an initializer has run."""
        if self._moved:
            os.close(self._directory)
            self._directory = os.open(".", _DIRECTORY)
        for _, copy in self._spare:
            os.close(copy)
        self._spare.clear()
        for fd in STANDARD:
            try:
                self._spare.append((fd, os.dup(fd)))
            except OSError:
                continue
        self._begin()

    def enter(self) -> None:
        """A task begins in the place of a waiting task, which finds the state as before, too."""
        self._outer.append((self._directory, self._streams, self._handlers, self._moved))
        self._directory = os.open(".", _DIRECTORY)
        self._begin()

    def leave(self) -> None:
        """The task in the place of a waiting task has ended."""
        self.restore()
        os.close(self._directory)
        self._directory, self._streams, self._handlers, self._moved = self._outer.pop()

    def restore(self) -> None:
        """A task has ended."""
        if self._closed:
            self._closed = False
            for fd, copy in self._spare:
                self._dup2(copy, fd)
        if self._moved:
            self._moved = False
            self._fchdir(self._directory)
        if self._handlers:
            for number, former in self._handlers.items():
                if former is not None:
                    self._signal(number, former)
            self._handlers = {}
            _core.take_signals()
        if (sys.stdin, sys.stdout, sys.stderr) != self._streams:
            sys.stdin, sys.stdout, sys.stderr = self._streams
        if sys.stdin is not None and sys.stdin.closed:
            _again("stdin")
            self._streams = (sys.stdin, sys.stdout, sys.stderr)
        self._flush("stdout")
        self._flush("stderr")

    def _flush(self, name: str) -> None:
        """Writes the output of the task. Output without a taker is lost, as on a broken pipe."""
        stream = getattr(sys, name)
        if stream is None:
            return
        try:
            stream.flush()
        except (OSError, ValueError):  # the descriptor takes no more; the stream was closed
            _again(name)
            self._streams = (sys.stdin, sys.stdout, sys.stderr)
