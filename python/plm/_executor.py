"""Executor: concurrent.futures.Executor over a runtime.

`plm.Executor()` boots a runtime, which ends with the program; `plm.Executor(name=...)` joins a
running runtime. Calls, exceptions and texts equal ProcessPoolExecutor's, with three differences: a
dead worker fails only the running task, cancel() also stops a running task, and a future among the
arguments is a dependency.
"""

from __future__ import annotations

import itertools
import os
import sys
import threading
import time
import weakref
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import BrokenExecutor
from concurrent.futures import Executor as StandardExecutor
from concurrent.futures._base import LOGGER

from . import _core, _functions, _values
from ._broken import InitializerFailed
from ._futures import Future
from ._runtime import Runtime
from ._session import NAMES, SCALARS, Chunk, PutOnce, Ref, Session, lend

TYPE_CHECKING = False  # as in _values.py
if TYPE_CHECKING:
    from typing import Any, TypeVar

    T = TypeVar("T")
else:
    T = object

WORKERS_MOST = 1000
LARGE_BYTES = 64 * 1024  # a buffer among the arguments of map() that is put into the store once
_numbers = itertools.count(1)


class Executor(StandardExecutor):
    """Runs functions in the workers of a runtime."""

    def __init__(
        self,
        max_workers: int | None = None,
        mp_context: object = None,
        initializer: Callable[..., object] | None = None,
        initargs: tuple[Any, ...] = (),
        *,
        name: str | None = None,
        max_tasks_per_child: int | None = None,
        preload: Sequence[str] = (),
        python: str | None = None,
        fleet: str | None = None,
    ) -> None:
        if max_workers is not None and max_workers <= 0:
            raise ValueError("max_workers must be greater than 0")
        if max_workers is not None and max_workers > WORKERS_MOST:
            raise ValueError(f"max_workers must be <= {WORKERS_MOST}")
        if initializer is not None and not callable(initializer):
            raise TypeError("initializer must be a callable")
        if max_tasks_per_child is not None:
            if not isinstance(max_tasks_per_child, int):
                raise TypeError("max_tasks_per_child must be an integer")
            if max_tasks_per_child <= 0:
                raise ValueError("max_tasks_per_child must be >= 1")
        if name is not None and (max_workers, max_tasks_per_child, tuple(preload)) != (
            None,
            None,
            (),
        ):
            raise ValueError(
                "an executor that joins a runtime takes its workers as they are: "
                "give max_workers, max_tasks_per_child and preload to plm"
            )
        plain = (name, max_workers, max_tasks_per_child, python, tuple(preload)) == (
            *[None] * 4,
            (),
        )
        if fleet and not plain:
            raise ValueError(
                "an executor on a fleet takes the hosts as they are: "
                "give name, max_workers, max_tasks_per_child, preload and python to plm there"
            )
        if fleet is None and plain:
            fleet = _core.getenv("PLM_FLEET")
        self._runtime: Runtime | None = None
        self._max_workers = max_workers or len(os.sched_getaffinity(0))
        if name is None and not fleet:
            options = ["--recycle-tasks", str(max_tasks_per_child)] if max_tasks_per_child else []
            self._runtime = Runtime(max_workers, preload=preload, options=options, python=python)
        self._session = self._open_session(name, python, fleet)
        lend(self._session)
        self._initializer = self._pickled_initializer(initializer, initargs)
        self._texts = _functions.Texts(self._initialized) if initializer else self._session.texts
        self._chunks = _functions.Texts(self._chunked)
        self._lock = threading.Lock()
        self._shutdown = False
        self._broken: str | bool = False
        self._end = weakref.finalize(self, _end, self._session, self._runtime)
        self._end.atexit = False
        _executors.add(self)

    def _open_session(self, name: str | None, python: str | None, fleet: str | None) -> Session:
        if fleet:
            from ._fleet_client import FleetSession

            return FleetSession(fleet)
        if name is None:
            assert self._runtime is not None
            name = self._runtime.name
        return Session(_core.connect(name), python)

    @staticmethod
    def _pickled_initializer(
        initializer: Callable[..., object] | None, initargs: tuple[Any, ...]
    ) -> tuple[int, bytes] | None:
        if initializer is None:
            return None
        number = os.getpid() << 32 | next(_numbers)
        return number, bytes(_values.dump((initializer, initargs)))

    # ---- submitting ----

    def _check_open(self) -> None:
        if self._broken:
            raise BrokenExecutor(self._broken)
        if self._shutdown:
            raise RuntimeError("cannot schedule new futures after shutdown")
        if _exiting:
            raise RuntimeError("cannot schedule new futures after interpreter shutdown")

    def _initialized(self, function: Callable[..., Any], mark: bytes = b"") -> bytes | _core.Ref:
        """The text of a function, behind the initializer and the mark of a chunk."""
        text = mark + _functions.encode(function)
        if self._initializer is not None:
            text = _functions.join_initializer(*self._initializer, text)
        return self._session.short(text)

    def _chunked(self, function: Callable[..., Any]) -> bytes | _core.Ref:
        return self._initialized(function, _functions.FOR_EACH)

    def _future(self, ref: Any) -> Future[Any]:
        if self._initializer is None:
            future: Future[Any] = Future(self._session, ref)
        else:
            future = _FutureOfInitialized(self._session, ref, weakref.ref(self))
        self._session.watch_future(future)
        return future

    def _submit(
        self,
        function: Callable[..., T],
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        options: _core.Options | None,
    ) -> Future[T]:
        with self._lock:
            self._check_open()
            try:
                row = self._session.row(self._texts.of(function), args, kwargs)
            except Exception as error:  # arguments without a pickle fail the task alone
                return _failed(self._session, error)
            return self._future(self._session.submit_row(row, options))

    def submit(self, fn: Callable[..., T], /, *args: Any, **kwargs: Any) -> Future[T]:
        """Submits fn(*args, **kwargs), and returns its Future."""
        return self._submit(fn, args, kwargs, None)

    def options(self, **options: Any) -> Submitter:
        """The executor with options for tasks: needs=, priority=, retries=,
        crash_retries=, run_limit=, ... (times in seconds)."""
        return Submitter(self, self._session.options_of(options))

    def submit_with(
        self,
        fn: Callable[..., T],
        /,
        *args: Any,
        kwargs: dict[str, Any] | None = None,
        **options: Any,
    ) -> Future[T]:
        """Submits fn(*args, **kwargs) with options, as of options()."""
        return self._submit(fn, args, kwargs or {}, self._session.options_of(options))

    def usable(self) -> bool:
        """Tells whether the executor takes tasks: not shut down, and the runtime is up."""
        if self._shutdown or self._broken or _exiting or self._session.core.closed:
            return False
        return self._runtime is None or not self._runtime.ended()

    def put(self, value: Any) -> Ref:
        """Writes a value into the store of the runtime, once for any number of tasks."""
        return self._session.put_value(value)

    # ---- map ----

    def map(
        self,
        fn: Callable[..., T],
        *iterables: Iterable[Any],
        timeout: float | None = None,
        chunksize: int = 1,
        buffersize: int | None = None,
    ) -> Iterator[T]:
        """The results of fn for each row of the iterables, in order. chunksize: rows of one task.
        buffersize: so many tasks are submitted ahead of the results taken."""
        return self._map(fn, iterables, timeout, chunksize, buffersize, None)

    def _map(
        self,
        fn: Callable[..., T],
        iterables: tuple[Iterable[Any], ...],
        timeout: float | None,
        chunksize: int,
        buffersize: int | None,
        options: _core.Options | None,
    ) -> Iterator[T]:
        if chunksize < 1:
            raise ValueError("chunksize must be >= 1.")
        if buffersize is not None and not isinstance(buffersize, int):
            raise TypeError("buffersize must be an integer or None")
        if buffersize is not None and buffersize < 1:
            raise ValueError("buffersize must be None or > 0")
        deadline = None if timeout is None else time.monotonic() + timeout
        with self._lock:
            self._check_open()
        rows = zip(*iterables, strict=False)
        if chunksize > 1:
            chunks = _chunks(rows, chunksize)
            text = self._chunks.of(fn)
            futures = self._submit_rows(text, chunks, buffersize, options)
            return itertools.chain.from_iterable(_Results(futures, deadline))
        futures = self._submit_rows(self._texts.of(fn), rows, buffersize, options)
        return _Results(futures, deadline)

    def _submit_rows(
        self,
        text: bytes | _core.Ref,
        rows: Iterator[tuple[Any, ...]],
        buffersize: int | None,
        options: _core.Options | None,
    ) -> _Ahead:
        if self._session.batch > 1:
            return self._submit_batches(text, rows, buffersize, options)
        once = PutOnce(self.put)

        def submit(row: tuple[Any, ...]) -> Future[Any]:
            with self._lock:
                self._check_open()
                task = self._row_or_error(text, row, once)
                if isinstance(task, Exception):
                    return _failed(self._session, task)
                return self._future(self._session.submit_row(task, options))

        return _Ahead(submit, rows, buffersize)

    def _submit_batches(
        self,
        text: bytes | _core.Ref,
        rows: Iterator[tuple[Any, ...]],
        buffersize: int | None,
        options: _core.Options | None,
    ) -> _Ahead:
        once = PutOnce(self.put)

        def submit(batch: list[tuple[Any, ...]]) -> list[Future[Any]]:
            with self._lock:
                self._check_open()
                tasks = [self._row_or_error(text, row, once) for row in batch]
                good = [task for task in tasks if isinstance(task, tuple)]
                refs = iter(self._session.submit_rows(good, options))
                return [
                    self._future(next(refs)) if isinstance(t, tuple) else _failed(self._session, t)
                    for t in tasks
                ]

        return _AheadInBatches(submit, rows, buffersize, self._session.batch)

    def _row_or_error(
        self, text: bytes | _core.Ref, row: tuple[Any, ...], once: PutOnce
    ) -> tuple[bytes | _core.Ref, ...] | Exception:
        try:
            args = tuple(once.of(v) if _is_large(v) else v for v in row)
            return self._session.row(text, args, {})
        except Exception as error:  # arguments without a pickle fail the task alone
            return error

    # ---- the end ----

    def _break(self, error: BaseException) -> None:
        """The initializer failed: the executor takes no more tasks."""
        with self._lock:
            if self._broken:
                return
            self._broken = (
                "A process in the process pool was terminated abruptly while the future was "
                "running or pending."
            )
        LOGGER.critical("Exception in initializer:", exc_info=error.__cause__ or error)
        self._cancel_all()

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Ends the executor. Submitted tasks run to the end; with cancel_futures, tasks not yet
        begun are cancelled. wait: return when all tasks have ended."""
        with self._lock:
            self._shutdown = True
        if not self._end.alive:
            return
        if cancel_futures:
            for future in self._session.open_futures():
                self._session.core.cancel(future.ref, 0, True)
                future._follow()
        if wait:
            self._finish()
        else:
            self._end()

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        # A Ctrl-C leaves the block at once: its tasks are cancelled, not waited for.
        if kind is not None and issubclass(kind, KeyboardInterrupt):
            self._cancel_all()
        self.shutdown(wait=True)

    def _cancel_all(self) -> None:
        self._session.cancel_quietly(future.ref for future in self._session.open_futures())

    def _finish(self) -> None:
        try:
            self._session.core.wait_all(-1)
            self._session.fetch_ended()
        except _core.Error:
            pass  # the runtime is gone, and with it what there was to wait for
        except KeyboardInterrupt:
            self._cancel_all()
            raise
        self._end()


class Submitter(StandardExecutor):
    """An executor with options: Executor.options()."""

    def __init__(self, executor: Executor, options: _core.Options) -> None:
        self._executor = executor
        self._options = options

    def submit(self, fn: Callable[..., T], /, *args: Any, **kwargs: Any) -> Future[T]:
        """Submits fn(*args, **kwargs) with the options."""
        return self._executor._submit(fn, args, kwargs, self._options)

    def map(
        self,
        fn: Callable[..., T],
        *iterables: Iterable[Any],
        timeout: float | None = None,
        chunksize: int = 1,
        buffersize: int | None = None,
    ) -> Iterator[T]:
        """As Executor.map(), with the options."""
        return self._executor._map(fn, iterables, timeout, chunksize, buffersize, self._options)

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Ends the executor behind."""
        self._executor.shutdown(wait, cancel_futures=cancel_futures)


class _FutureOfInitialized(Future[T]):
    """A future with a failure that may come from the executor's initializer."""

    def __init__(self, session: Session, ref: Ref, executor: Callable[[], Executor | None]) -> None:
        super().__init__(session, ref)
        self.executor = executor

    def _fetch(self, timeout: float | None) -> None:
        super()._fetch(timeout)
        if isinstance(self._error, InitializerFailed):
            executor = self.executor()
            if executor is not None:
                executor._break(self._error)


class _Failed(Future["Any"]):
    """A call without a task: the submission failed."""

    def __init__(self, session: Session, error: BaseException) -> None:
        self.session = session
        self.fetched = True
        self._error = self._reason = error

    @property
    def ref(self) -> None:
        return None

    def __reduce__(self) -> tuple[Any, ...]:
        raise self._reason

    def _follow(self) -> None:
        self._tell()


def _failed(session: Session, error: BaseException) -> Future[Any]:
    return _Failed(session, error)


def _is_large(value: Any) -> bool:
    size = getattr(value, "nbytes", 0)
    return isinstance(size, int) and size >= LARGE_BYTES


def _chunks(rows: Iterator[tuple[Any, ...]], size: int) -> Iterator[tuple[Any, ...]]:
    while chunk := list(itertools.islice(rows, size)):
        plain = SCALARS.issuperset(map(type, itertools.chain.from_iterable(chunk)))
        named = not plain and any(isinstance(value, NAMES) for row in chunk for value in row)
        yield (Chunk(chunk) if named else chunk,)


class _Ahead:
    """The futures of a map, submitted ahead of the results taken."""

    def __init__(
        self,
        submit: Callable[[tuple[Any, ...]], Future[Any]],
        rows: Iterator[tuple[Any, ...]],
        buffersize: int | None,
    ) -> None:
        self._submit = submit
        self._rows = rows
        self.futures: deque[Future[Any]] = deque(
            submit(row) for row in itertools.islice(rows, buffersize)
        )

    def next(self) -> Future[Any]:
        """The oldest future; another row is submitted in its place."""
        first = self.futures.popleft()
        for row in itertools.islice(self._rows, 1):
            self.futures.append(self._submit(row))
        return first


class _AheadInBatches(_Ahead):
    """The same; many rows are submitted together."""

    def __init__(
        self,
        submit: Callable[[list[tuple[Any, ...]]], list[Future[Any]]],
        rows: Iterator[tuple[Any, ...]],
        buffersize: int | None,
        batch: int,
    ) -> None:
        self._submit_batch = submit
        self._rows = rows
        self._batch = batch
        self.futures = deque()
        self._fill(buffersize)
        self._missing = 0
        self._refill_at = 1 if buffersize is None else min(batch, buffersize // 2 + 1)

    def _fill(self, most: int | None) -> None:
        rows = itertools.islice(self._rows, most)
        while batch := list(itertools.islice(rows, self._batch)):
            self.futures.extend(self._submit_batch(batch))

    def next(self) -> Future[Any]:
        """The oldest future; when many were taken, as many rows follow."""
        first = self.futures.popleft()
        self._missing += 1
        if self._missing >= self._refill_at:
            self._fill(self._missing)
            self._missing = 0
        return first


def _taken(future: Future[Any], deadline: float | None) -> Any:
    """The result of a future of the map; without a result the task is cancelled."""
    try:
        return future.result(None if deadline is None else max(0.0, deadline - time.monotonic()))
    finally:
        if not future.done():
            future.cancel()


class _Results:
    """The results of a map, in order. Dropped before the last result, the rest is cancelled."""

    def __init__(self, ahead: _Ahead, deadline: float | None) -> None:
        self._ahead = ahead
        self._deadline = deadline

    def __iter__(self) -> Iterator[Any]:
        return self

    def __next__(self) -> Any:
        if not self._ahead.futures:
            raise StopIteration
        try:
            # No name of this frame keeps the future or the result.
            return _taken(self._ahead.next(), self._deadline)
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Cancels the tasks without a taker."""
        futures = self._ahead.futures
        while futures:
            try:
                futures.popleft().cancel()
            except _core.Error:  # the runtime is gone with all tasks
                continue

    def __del__(self) -> None:
        self.close()


# ---- the end of executors ----

_executors: weakref.WeakSet[Executor] = weakref.WeakSet()
_exiting = False


def _end(session: Session, runtime: Runtime | None) -> None:
    """The executor is gone: ends its connection and its runtime, when the last task has ended."""
    if session.owner != os.getpid():
        return
    if not _has_ended(session):
        # Not in the caller's thread: a dropped executor does not wait for tasks.
        threading.Thread(
            target=_end_later, args=(session, runtime), name="plm-end", daemon=True
        ).start()
        _ending.append(session)
        return
    _end_now(session, runtime)


def _has_ended(session: Session) -> bool:
    try:
        return session.core.wait_all(0)
    except _core.Error:
        return True  # the runtime is gone with all tasks


def _end_later(session: Session, runtime: Runtime | None) -> None:
    try:
        session.core.wait_all(-1)
    except _core.Error:
        pass  # the runtime is gone with all tasks
    _end_now(session, runtime)
    _ending.remove(session)


def _end_now(session: Session, runtime: Runtime | None) -> None:
    """Unread results stay readable."""
    try:
        session.fetch_ended()
    except _core.Error:
        pass  # the runtime is gone before us
    session.close()
    if runtime is not None:
        runtime.end()


_ending: list[Session] = []


def _at_exit() -> None:
    """As concurrent.futures: submitted tasks end before the interpreter does. A program ended by
    Ctrl-C cancels its tasks instead."""
    global _exiting
    _exiting = True
    for executor in list(_executors):
        if issubclass(getattr(sys, "last_type", None) or object, KeyboardInterrupt):
            executor._cancel_all()
        executor.shutdown(wait=True)
    for session in list(_ending):
        try:
            session.core.wait_all(-1)
        except _core.Error:
            continue


def _after_fork_in_child() -> None:
    _executors.clear()
    _ending.clear()


os.register_at_fork(after_in_child=_after_fork_in_child)
threading._register_atexit(_at_exit)  # type: ignore[attr-defined]
