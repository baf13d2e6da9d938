"""@plm.remote: calls of a function become tasks."""

from __future__ import annotations

import functools
from collections.abc import Callable, Generator, Iterable, Iterator
from typing import Any, Generic, ParamSpec, TypeVar, overload

from . import _core
from ._session import Ref, Session, current, milliseconds, session_of

P = ParamSpec("P")
R = TypeVar("R")


class RemoteFunction(Generic[P, R]):
    """A function with its options. A direct call runs the function at once; `remote()`
    submits a task and returns a reference."""

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
        with _cancelling(_names(self._pending)):
            yield from self._ended()

    def _ended(self) -> Generator[R, None, None]:
        import time

        end = None if self._timeout is None else time.monotonic() + self._timeout
        groups: dict[int, tuple[Session, list[Ref], list[Any]]] = {}  # by connection
        for item in self._pending:
            ref: Any = item if isinstance(item, _core.Ref) else item.ref
            if ref is None:  # the submission failed
                yield item
                continue
            session = session_of(ref)
            _, refs, items = groups.setdefault(id(session), (session, [], []))
            refs.append(ref)
            items.append(item)
        while groups:
            found = False
            for key, (session, refs, items) in list(groups.items()):
                ended = session.core.settled(refs, 0, len(refs))
                for i in ended:
                    yield items[i]
                if ended:
                    found = True
                    gone = set(ended)
                    refs[:] = [r for i, r in enumerate(refs) if i not in gone]
                    items[:] = [r for i, r in enumerate(items) if i not in gone]
                if not refs:
                    del groups[key]
            if groups and not found:
                self._await([(session, refs) for session, refs, _ in groups.values()], end)

    def _await(self, groups: list[tuple[Session, list[Ref]]], end: float | None) -> None:
        import time

        session, refs = groups[0]
        # Tasks beyond these, or of another connection, may end first: look at all now and then.
        step = -1 if len(groups) == 1 and len(refs) <= WAITED_FOR else LOOK_MS
        if end is not None:
            left = int((end - time.monotonic()) * 1000)
            if left < 0:
                count = sum(len(refs) for _, refs in groups)
                raise TimeoutError(f"{count} (of {self._total}) futures unfinished")
            step = left if step < 0 else min(step, left)
        session.wait(refs[:WAITED_FOR], 1, step)


WAITED_FOR = 1024
LOOK_MS = 50


class _cancelling:
    """A Ctrl-C inside cancels the awaited tasks."""

    def __init__(self, refs: Iterable[Ref]) -> None:
        self.refs = refs

    def __enter__(self) -> None:
        return

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is not None and issubclass(kind, KeyboardInterrupt):
            for ref in self.refs:
                session_of(ref).cancel_quietly([ref])


def _names(items: Iterable[Any]) -> Iterator[Ref]:
    """The references of references and futures, without failed submissions."""
    for item in items:
        ref: Any = item if isinstance(item, _core.Ref) else item.ref
        if ref is not None:
            yield ref


def as_completed(items: Any, timeout: float | None = None) -> AsCompleted[Any]:
    """Iterates over references or futures in the order of their ends. len() is known."""
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
    with _cancelling(_names(refs)):
        for ref in refs:
            left = None if end is None else max(0.0, end - time.monotonic())
            values.append(get(ref, left, writable=writable))
    return values


def wait(
    refs: Any, num_returns: int | None = None, timeout: float | None = None
) -> tuple[list[Any], list[Any]]:
    """Waits until so many tasks have ended (by default all). Returns the ended and the open
    references, both in the given order."""
    items = list(refs)
    if not items:
        return [], []
    want = len(items) if num_returns is None else num_returns
    if not 0 <= want <= len(items):
        raise ValueError(f"num_returns must be between 0 and {len(items)}")
    names = list(_names(items))
    failed = len(items) - len(names)  # failed submissions count as ended
    ready: Iterator[int] = iter(b"")
    if names:
        with _cancelling(names):
            session = session_of(names[0])
            ready = iter(session.wait(names, max(0, want - failed), milliseconds(timeout)))
    done: list[Any] = []
    rest: list[Any] = []
    for item in items:
        ended = (not isinstance(item, _core.Ref) and item.ref is None) or next(ready) == 1
        (done if ended else rest).append(item)
    return done, rest
