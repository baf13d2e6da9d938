"""Exceptions of the kind BrokenExecutor: of dead workers and failed initializers.

A module of its own, since the standard module of BrokenExecutor imports logging: a worker, and a
program that uses no executor, start faster without.
"""

from __future__ import annotations

from concurrent.futures import BrokenExecutor

TYPE_CHECKING = False  # as in _values.py
if TYPE_CHECKING:
    from typing import Any


class WorkerDied(BrokenExecutor):
    """The worker process of this one task died: by a signal, by exit, or for want of memory.

    signal, exitcode: how it ended (exitcode None: by a signal, or nobody saw it). usage: what the
    worker process had used: "user" and "system" in seconds, "rss" in bytes; {} if not known.
    """

    def __init__(
        self,
        message: str,
        *,
        signal: int = 0,
        exitcode: int | None = None,
        usage: dict[str, float] | None = None,
    ) -> None:
        super().__init__(message)
        self.signal = signal
        self.exitcode = exitcode
        self.usage = usage or {}

    def __reduce__(self) -> tuple[Any, ...]:
        return _worker_died, (self.args[0], self.signal, self.exitcode, self.usage)


def _worker_died(
    message: str, signal: int, exitcode: int | None, usage: dict[str, float]
) -> WorkerDied:
    return WorkerDied(message, signal=signal, exitcode=exitcode, usage=usage)


def death(message: str, signal: int, detail: bytes) -> WorkerDied:
    """The exception of a death, from the message and the detail of the failure (plm.h)."""
    told = dict(part.split("=", 1) for part in detail.decode(errors="replace").split())
    numbers = {name: int(value) for name, value in told.items()}
    if not numbers:
        return WorkerDied(message, signal=signal)
    usage = {
        "user": numbers["user_us"] / 1e6,
        "system": numbers["system_us"] / 1e6,
        "rss": float(numbers["rss_kib"] * 1024),
    }
    exitcode = numbers["exit"] if numbers["exit"] >= 0 else None
    return WorkerDied(message, signal=signal, exitcode=exitcode, usage=usage)


class InitializerFailed(BrokenExecutor):
    """The initializer of an executor failed in a worker."""

    def __init__(self, *words: object) -> None:
        usual = "A process in the process pool failed in its initializer, the pool is not usable"
        super().__init__(*(words or (usual,)))
