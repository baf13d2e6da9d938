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
    """The worker process of this one task died: by a signal, by exit, or for want of memory."""

    def __init__(self, message: str, *, signal: int = 0, function: str = "") -> None:
        super().__init__(message)
        self.signal = signal
        self.function = function

    def __reduce__(self) -> tuple[Any, ...]:
        return _worker_died, (self.args[0], self.signal, self.function)


def _worker_died(message: str, signal: int, function: str) -> WorkerDied:
    return WorkerDied(message, signal=signal, function=function)


class InitializerFailed(BrokenExecutor):
    """The initializer of an executor failed in a worker."""

    def __init__(self, *words: object) -> None:
        usual = "A process in the process pool failed in its initializer, the pool is not usable"
        super().__init__(*(words or (usual,)))
