"""C functions and command lines as tasks, called from Python."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from . import _core
from ._errors import TaskError
from ._session import _SECONDS, Promise, RawRef, Ref, current, milliseconds, session_of


def _options(given: dict[str, Any], results: int = 1) -> _core.Options:
    words: dict[str, Any] = {
        _SECONDS.get(k, k): milliseconds(v) if k in _SECONDS else v for k, v in given.items()
    }
    return _core.Options(results=results, **words)


def call(function: str, /, *args: Any, results: int = 1, **options: Any) -> Any:
    """Submits a call of a C function of a module, "module.function". Arguments are bytes, buffers,
    text (as UTF-8), or references. Returns a reference to the bytes of the result."""
    session = current()
    row = tuple(
        a.encode() if isinstance(a, str) else a.ref if isinstance(a, Promise) else a for a in args
    )
    return session._patiently(
        session.core.submit, function, row, _options(options, results), RawRef
    )


@dataclass
class Completed:
    """What became of a command, as subprocess.CompletedProcess."""

    args: list[str]
    returncode: int
    stdout: bytes
    message: str

    def check_returncode(self) -> None:
        """Raises TaskError if the command failed."""
        if self.returncode:
            raise TaskError(f"{self.args[0]}: {self.message}", code=self.returncode)


def start(
    words: Sequence[str | os.PathLike[str]],
    *,
    cwd: str | os.PathLike[str] | None = None,
    env: Mapping[str, str] | None = None,
    stdin: str | os.PathLike[str] | RawRef | None = None,
    after: Sequence[Ref] = (),
    after_any: Sequence[Ref] = (),
    after_failed: Sequence[Ref] = (),
    label: str | None = None,
    memory_limit: int = 0,
    **options: Any,
) -> RawRef:
    """Submits a command line as a task. Returns a reference to its standard output. env: variables
    beyond those of this process. stdin: a file, or a reference to bytes. The command starts when
    each task of after has succeeded, of after_any has ended in whatever way, and of after_failed
    has failed or been cancelled; if one of these succeeds, the command is cancelled."""
    session = current()
    orders = {"after": after, "after_any": after_any, "after_failed": after_failed}
    futures: list[tuple[str, str | None, _core.Ref]] = [
        (kind, None, ref) for kind, refs in orders.items() for ref in refs
    ]
    if isinstance(stdin, _core.Ref):
        futures.append(("stdin", None, stdin))
        stdin = None
    refs = session._patiently(
        session.core.command,
        [os.fspath(w) for w in words],
        _options(options),
        os.fspath(cwd) if cwd is not None else None,
        os.fspath(stdin) if stdin is not None else None,
        label,
        [f"{k}={v}" for k, v in (env or {}).items()],
        memory_limit,
        0,
        futures,
        RawRef,
    )
    out = refs[0]
    assert isinstance(out, RawRef)
    return out


def run(
    words: Sequence[str | os.PathLike[str]],
    *,
    check: bool = False,
    timeout: float | None = None,
    **options: Any,
) -> Completed:
    """Runs a command line as a task, and waits for its end. Options as of start()."""
    out = start(words, **options)
    session = session_of(out)
    names = [os.fspath(w) for w in words]
    try:
        done = Completed(names, 0, bytes(session.core.get(out, milliseconds(timeout))), "")
    except _core.TaskFailed:
        code, signal, _, message, _ = session.core.failure(out)
        done = Completed(names, -signal if signal else code, b"", message)
    except (TimeoutError, KeyboardInterrupt):
        session.cancel_quietly([out])
        raise
    if check:
        done.check_returncode()
    return done
