"""Future: a concurrent.futures.Future whose task lives in a runtime.

Nothing of a Future is done before somebody asks: the state is one load of shared memory, the result
is read by the thread that calls result(), and the lock is made for the first waiter. So a Future
costs a fraction of the standard one, and no thread of this process handles results. A callback, and
wait() and as_completed() of the standard library, which look into a Future, make the watcher
(_watch.py) follow the task.

A result that was read is kept in the Future, as with the standard one.
"""

from __future__ import annotations

import threading
from concurrent.futures import CancelledError
from concurrent.futures import Future as StandardFuture
from concurrent.futures._base import (
    CANCELLED,
    CANCELLED_AND_NOTIFIED,
    FINISHED,
    LOGGER,
    PENDING,
    RUNNING,
)

from . import _core
from ._session import Promise, Ref, Session, milliseconds, place_of, stopped

TYPE_CHECKING = False  # as in _values.py
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, TypeVar

    T = TypeVar("T")
    V = TypeVar("V")

    def _looked_at(read: Callable[[Any], V]) -> V:
        """A property that stands for an attribute of the standard Future."""
        raise NotImplementedError
else:
    T = object
    _looked_at = property

_NAMES = {
    _core.WAITING: PENDING,
    _core.READY: PENDING,
    _core.RUNNING: RUNNING,
    _core.DONE: FINISHED,
    _core.FAILED: FINISHED,
    _core.CANCELLED: CANCELLED_AND_NOTIFIED,
    _core.GONE: FINISHED,
}


class Future(StandardFuture[T], Promise):
    """The result of a task to come; made by Executor.submit()."""

    # What a new Future begins with. Not the standard initialisation: lock, waiters and callbacks
    # are made when asked for.
    fetched = False
    _view: Any = None  # the value, not yet decoded
    _error: BaseException | None = None
    _value: Any = None
    _lock: threading.Condition | None = None
    _waiting: list[Any] | None = None
    _callbacks: list[Callable[[Any], object]] | None = None
    _told = False
    _owed: list[Any] | None = None  # the waiters from before the end was first shown to one
    _shown: str | None = None  # by _state, until a waiter is installed

    def __init__(self, session: Session, ref: Ref) -> None:
        self.session = session
        self._task: Any = ref

    @property
    def ref(self) -> Ref | None:
        """The reference of the task; None: the call could not be submitted, or
        the record was given back."""
        task: Ref | None = self._task
        return task

    def __reduce__(self) -> tuple[Any, ...]:
        # Inside of an argument a future travels as its reference.
        if self._task is None:
            return Known, (self.result(),)
        words: tuple[Any, ...] = self._task.__reduce__()
        return words

    # ---- what the standard library looks at ----

    def _look_condition(self) -> threading.Condition:
        if self._lock is None:
            with _making:
                if self._lock is None:
                    self._lock = threading.Condition()
        return self._lock

    _condition = _looked_at(_look_condition)

    def _look_state(self) -> str:
        # The library looks twice while it holds the condition, and then installs its waiter. Both
        # looks show the same, and the waiter is told of the end unless the looks have shown it:
        # told again, as_completed() would yield the Future twice.
        if self._lock is None or not self._lock._is_owned():  # type: ignore[attr-defined]
            return self._state_now()
        if self._shown is None or self._shown_ended:
            self._shown = self._state_now()
        return self._shown

    @property
    def _shown_ended(self) -> bool:
        return self._shown in (FINISHED, CANCELLED_AND_NOTIFIED)

    _state = _looked_at(_look_state)

    def _state_now(self) -> str:
        if not self.fetched:
            state = self.session.core.state(self._task)
            return _NAMES[state]
        return CANCELLED_AND_NOTIFIED if isinstance(self._error, CancelledError) else FINISHED

    def _look_waiters(self) -> list[Any]:
        if self._waiting is None:
            self._waiting = []
            if not self._shown_ended:
                self._follow()
        if self._shown_ended and self._owed is None:
            self._owed = list(self._waiting)
        self._shown = None
        return self._waiting

    _waiters = _looked_at(_look_waiters)

    def _look_done_callbacks(self) -> list[Callable[[Any], object]]:
        if self._callbacks is None:
            self._callbacks = []
        return self._callbacks

    _done_callbacks = _looked_at(_look_done_callbacks)

    def _look_result(self) -> Any:
        self._fetch(None)
        return None if self._error else self._decode()

    _result = _looked_at(_look_result)

    def _look_exception(self) -> BaseException | None:
        self._fetch(None)
        return self._error

    _exception = _looked_at(_look_exception)

    # ---- the result ----

    def _fetch(self, timeout: float | None) -> None:
        """Waits for the task, and takes the value or the exception."""
        if self.fetched:
            return
        core = self.session.core
        try:
            self._view = core.get(self._task, milliseconds(timeout))
        except _core.TaskFailed:
            self._error = self.session.exception(self._task)
        except _core.TaskCancelled as cancelled:
            if not cancelled.args:
                raise stopped(cancelled) or cancelled from None
            self._error = CancelledError()
        self.fetched = True

    def fetch_if_ended(self) -> bool:
        """Takes the result if there is one. True: it was taken, now or before."""
        if not self.fetched and self.session.core.state(self._task) >= _core.DONE:
            self._fetch(0)
            if self._error is None and len(self._view) <= _SMALL_BYTES:
                self._decode()
        return self.fetched

    def let_go(self) -> None:
        """Room is short: a Future that knows its result needs the record no more. From now on the
        Future is an argument by its value."""
        if self._view is None:
            self._task = None

    def _decode(self) -> Any:
        view = self._view
        if view is None:  # decoded before, perhaps by another thread just now
            return self._value
        try:
            self._value = self.session.decode(self._task, view)
        except BaseException as error:
            self._error = error
            raise
        self._view = None
        return self._value

    def result(self, timeout: float | None = None) -> T:
        """The result of the task, as Future.result() of the standard library."""
        try:
            self._fetch(timeout)
            if self._error is not None:
                raise self._error
            value: T = self._decode()
            return value
        except KeyboardInterrupt:
            if not self.fetched:
                self.cancel()
            raise
        finally:
            del self  # the traceback must not keep the Future

    def exception(self, timeout: float | None = None) -> BaseException | None:
        """The exception of the task, or None."""
        self._fetch(timeout)
        if isinstance(self._error, CancelledError):
            raise self._error
        if self._error is None:
            try:
                self._decode()
            except BaseException:
                return self._error
        return self._error

    # ---- states ----

    def done(self) -> bool:
        """Tells whether the task has ended, in any way."""
        return self.fetched or self.session.core.state(self._task) >= _core.DONE

    def running(self) -> bool:
        """Tells whether the task runs just now."""
        return not self.fetched and self.session.running(self._task)

    def cancelled(self) -> bool:
        """Tells whether the task was cancelled."""
        return self._state_now() in (CANCELLED, CANCELLED_AND_NOTIFIED)

    def cancel(self) -> bool:
        """Cancels the task. A running task is stopped, too: TaskStopped is raised in it, and a
        second later its worker is killed."""
        if self.cancelled():
            return True
        if self.fetched or not self.session.core.cancel(self._task):
            return self.cancelled()
        if self._callbacks or self._waiting:
            self._follow()
        return True

    def move(self, to: str | None = None, *, priority: int | None = None) -> bool:
        """Gives the task another place in the queue, as Ref.move() does. False: too late."""
        place = place_of(to, priority)
        return not self.fetched and self.session.core.move(self._task, *place)

    # ---- who wants to be told ----

    def _follow(self) -> None:
        self.session.watcher.add(self._task, self._tell)

    def _tell(self) -> None:
        """The task has ended: wakes waiters and runs callbacks, in the watcher's thread."""
        try:
            self._fetch(0)
        except Exception as error:  # the runtime has ended: waiters must learn so
            self._error = error
            self.fetched = True
        with self._condition:
            if self._told:
                return
            self._told = True
            waiters, callbacks = self._waiting or [], self._callbacks or []
            for waiter in waiters if self._owed is None else self._owed:
                if waiter not in waiters:
                    continue  # waits no more
                if self.cancelled():
                    waiter.add_cancelled(self)
                elif self._error is not None:
                    waiter.add_exception(self)
                else:
                    waiter.add_result(self)
            self._condition.notify_all()
        for callback in callbacks:
            self._call_back(callback)

    def _call_back(self, callback: Callable[[Any], object]) -> None:
        try:
            callback(self)
        except Exception:
            LOGGER.exception("exception calling callback for %r", self)

    def add_done_callback(self, fn: Callable[[Future[T]], object]) -> None:
        """Calls fn(self) when the task has ended, in the thread of the watcher; at once if it has
        ended before."""
        if not self.done():
            with self._condition:
                if not self._told:
                    first = not self._done_callbacks
                    self._done_callbacks.append(fn)
                    if first:
                        self._follow()
                    return
        self._call_back(fn)

    def set_running_or_notify_cancel(self) -> bool:
        """Only the runtime runs a task."""
        raise RuntimeError("the task of this future runs in a runtime")

    def set_result(self, result: T) -> None:
        """Only the runtime sets a result."""
        raise RuntimeError("the task of this future runs in a runtime")

    def set_exception(self, exception: BaseException | None) -> None:
        """Only the runtime sets an exception."""
        raise RuntimeError("the task of this future runs in a runtime")

    def __repr__(self) -> str:
        words = {CANCELLED_AND_NOTIFIED: "cancelled", FINISHED: "finished"}
        state = self._state_now()
        return f"<Future at {id(self):#x} state={words.get(state, state.lower())}>"


class Known:
    """A future inside of an argument whose value is known."""

    def __init__(self, value: Any) -> None:
        self.value = value

    def result(self, timeout: float | None = None) -> Any:
        """The value, as of a reference."""
        return self.value


_making = threading.Lock()
_SMALL_BYTES = 64 * 1024
