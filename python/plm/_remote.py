"""@plm.remote: a function whose calls are tasks."""

from __future__ import annotations

import functools
from collections.abc import Callable, Generator
from typing import Any, Generic, ParamSpec, TypeVar, overload

from . import _core
from ._session import Session, current, session_of

P = ParamSpec("P")
R = TypeVar("R")


class RemoteFunction(Generic[P, R]):
    """A function with its options. Called directly it is the function itself; `remote()` submits
    a task and returns a reference at once."""

    def __init__(self, function: Callable[P, R], options: dict[str, Any], results: int) -> None:
        self.__plm_function__ = function
        self._options = options
        self._results = results
        self._made: tuple[Session, _core.Options] | None = None
        functools.update_wrapper(self, function)

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R:
        return self.__plm_function__(*args, **kwargs)

    def options(self, *, results: int | None = None, **options: Any) -> RemoteFunction[P, R]:
        """The same function with other options."""
        merged = {**self._options, **options}
        return RemoteFunction(self.__plm_function__, merged, results or self._results)

    def remote(self, *args: P.args, **kwargs: P.kwargs) -> Any:
        """Submits a call: a Ref, or with results=N a tuple of N."""
        session = current()
        if self._made is None or self._made[0] is not session:
            self._made = (session, session.options_of(self._options, self._results))
        return session.submit(self.__plm_function__, args, kwargs, self._made[1])

    def __reduce__(self) -> tuple[Any, ...]:
        return RemoteFunction, (self.__plm_function__, self._options, self._results)


@overload
def remote(
    function: Callable[P, R], /, *, results: int = 1, **options: Any
) -> RemoteFunction[P, R]: ...
@overload
def remote(
    *, results: int = 1, **options: Any
) -> Callable[[Callable[P, R]], RemoteFunction[P, R]]: ...
def remote(
    function: Callable[..., Any] | None = None, /, *, results: int = 1, **options: Any
) -> Any:
    """Makes a function remote: @plm.remote, or @plm.remote(priority=5, retries=2, results=2)."""
    if function is None:
        return lambda f: RemoteFunction(f, options, results)
    return RemoteFunction(function, options, results)


class AsCompleted(Generic[R]):
    """The references or futures of a collection, each when its task has ended."""

    def __init__(self, items: Any, timeout: float | None) -> None:
        self._pending = list(items)
        self._total = len(self._pending)
        self._timeout = timeout

    def __len__(self) -> int:
        return self._total

    def __iter__(self) -> Generator[R, None, None]:
        import time

        end = None if self._timeout is None else time.monotonic() + self._timeout
        pending = [(item, item if isinstance(item, _core.Ref) else item.ref) for item in
                   self._pending]  # fmt: skip
        ready = [p for p in pending if p[1] is None]  # calls that could not be submitted
        pending = [p for p in pending if p[1] is not None]
        for item, _ in ready:
            yield item
        while pending:
            core = session_of(pending[0][1]).core
            ended = set(core.settled([ref for _, ref in pending], 0, len(pending)))
            for i in sorted(ended):
                yield pending[i][0]
            pending = [p for i, p in enumerate(pending) if i not in ended]
            if pending and not ended:
                self._await(core, [ref for _, ref in pending[:1024]], end)

    def _await(self, core: _core.Client, refs: list[_core.Ref], end: float | None) -> None:
        import time

        left = -1
        if end is not None:
            left = int((end - time.monotonic()) * 1000)
            if left < 0:
                raise TimeoutError(f"{len(refs)} (of {self._total}) futures unfinished")
        # A task beyond the first thousand may end first: look at all now and then.
        step = 50 if self._total > len(refs) else left
        core.wait(refs, 1, step if left < 0 else min(step, left) if step >= 0 else left)


def as_completed(items: Any, timeout: float | None = None) -> AsCompleted[Any]:
    """Iterates over references or futures in the order in which they end. len() is known."""
    return AsCompleted(items, timeout)


def get(ref: Any, timeout: float | None = None, *, writable: bool = False) -> Any:
    """The value of a reference, or the list of values of several. Arrays are read-only, in the
    store; writable=True gives private copies."""
    if isinstance(ref, _core.Ref):
        value = session_of(ref).value(ref, timeout)
    elif isinstance(ref, list | tuple):
        return _get_all(ref, timeout, writable)
    else:
        value = ref.result(timeout)
    if writable:
        import copy

        return bytearray(value) if isinstance(value, memoryview) else copy.deepcopy(value)
    return value


def _get_all(refs: Any, timeout: float | None, writable: bool) -> list[Any]:
    import time

    end = None if timeout is None else time.monotonic() + timeout
    values = []
    try:
        for ref in refs:
            left = None if end is None else max(0.0, end - time.monotonic())
            values.append(get(ref, left, writable=writable))
    except KeyboardInterrupt:
        for ref in refs:
            ref.cancel()
        raise
    return values


def wait(
    refs: Any, num_returns: int | None = None, timeout: float | None = None
) -> tuple[list[Any], list[Any]]:
    """Waits until so many of the references have ended (all of them by default): those that have,
    and those that have not, both in the given order."""
    items = list(refs)
    if not items:
        return [], []
    names: list[_core.Ref] = [r if isinstance(r, _core.Ref) else r.ref for r in items]
    want = len(items) if num_returns is None else num_returns
    if not 0 <= want <= len(items):
        raise ValueError(f"num_returns must be between 0 and {len(items)}")
    from ._session import milliseconds

    ready = session_of(names[0]).core.wait(names, want, milliseconds(timeout))
    done = [r for r, flag in zip(items, ready, strict=True) if flag]
    return done, [r for r, flag in zip(items, ready, strict=True) if not flag]
