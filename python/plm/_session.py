"""A connection of this process to a runtime, and the references that the connection gives out.

A session turns Python calls into tasks `py.call`: the text of the function, the pickled arguments,
and the futures among the arguments, which the worker reads from the store. The process has one
current session; in a worker this is the handle of the worker itself.

A fork leaves the child without sessions: handles belong to the process that opened them.
"""

from __future__ import annotations

import errno
import os
import sys
import threading
import time
import weakref

from . import _core, _errors, _functions, _values

TYPE_CHECKING = False  # as in _values.py
if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable, Sequence
    from typing import Any

    from ._watch import Watcher

# Longer arguments get an object of the store; a task's own bytes are copied twice.
INLINE_MOST = 32 * 1024
# A longer text of a function is put into the store once; the tasks name the object.
TEXT_INLINE_MOST = 512
# How long a submission waits for room in a full table or store, and how long at a time.
ROOM_PATIENCE_S = 60.0
ROOM_STEP_MS = 200
OPTION_NAMES = frozenset(
    "priority retries crash_retries keep tied needs queue_limit run_limit total_limit backoff "
    "backoff_max grace keep_for replicas".split()
)
_SECONDS = {
    "queue_limit": "queue_ms",
    "run_limit": "run_ms",
    "total_limit": "total_ms",
    "backoff": "backoff_ms",
    "backoff_max": "backoff_max_ms",
    "grace": "grace_ms",
    "keep_for": "keep_ms",
}


def milliseconds(timeout: float | None) -> int:
    """A timeout in seconds, as the core takes it: None waits for ever."""
    if timeout is None:
        return -1
    return max(0, min(int(timeout * 1000 + 0.999), 2**31 - 1))


def place_of(to: str | None, priority: int | None) -> tuple[str, int]:
    """The place that the words of move() name."""
    if (to is None) == (priority is None):
        raise ValueError("a task has one place: give to= or priority=")
    if priority is not None:
        if not -32768 <= priority <= 32767:
            raise ValueError(f"priority is from -32768 to 32767, not {priority}")
        return "priority", priority
    if to not in ("front", "parked", "todo"):
        raise ValueError(f'to is "front", "parked" or "todo", not {to!r}')
    return to, 0


class Ref(_core.Ref):
    """The name of a future value in a runtime: of a task, or of an object.

    A Ref holds the value as long as the Ref lives. A Ref can be an argument of a task, can be
    pickled, and can be awaited. `plm.get(ref)` gives the value.
    """

    __slots__ = ()

    def __reduce__(self) -> tuple[Any, ...]:
        return _restore, (type(self), self.text, _pickled(self))

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.text}>"

    def __await__(self) -> Generator[Any, None, Any]:
        from ._aio import result_of

        return result_of(self).__await__()

    def result(self, timeout: float | None = None) -> Any:
        """The value, when the task has ended; raises what the task raised."""
        return session_of(self).value(self, timeout)

    def done(self) -> bool:
        """Tells whether the task has ended, in any way."""
        return session_of(self).core.state(self) >= _core.DONE

    def cancel(self) -> bool:
        """Cancels the task, also a running one. False: the task has ended before."""
        return session_of(self).core.cancel(self)

    def move(self, to: str | None = None, *, priority: int | None = None) -> bool:
        """Gives the task another place, as `plmctl move` does. to="front": before all queued tasks
        of its priority; "parked": aside, where nothing starts it; "todo": a parked task goes on, a
        running task is ended and queued again. priority: a queued task gets this one. False: too
        late, the task runs or has ended."""
        return session_of(self).core.move(self, *place_of(to, priority))

    def explain(self) -> str:
        """Why the task has not ended, or what became of it."""
        return session_of(self).core.explain(self)


class Promise:
    """The base of what has a reference: the futures of an executor."""

    @property
    def ref(self) -> Ref | None:
        """The reference; None: the call could not be submitted."""
        raise NotImplementedError

    def result(self, timeout: float | None = None) -> Any:
        """The value, when the task has ended."""
        raise NotImplementedError


class RawRef(Ref):
    """The name of a value that is bytes, not a pickle: of a C function, a command, or a file."""

    __slots__ = ()


NAMES = (Ref, Promise)
# Values that hold no reference and no class of the program: pickled without a second look.
SCALARS = frozenset((int, float, str, bytes, bool, complex, type(None)))
_dumps = _values.dumps


class Slot:
    """Stands among the pickled arguments for a future; the worker puts the value there."""

    __slots__ = ("index", "raw")

    def __init__(self, index: int, raw: bool) -> None:
        self.index = index
        self.raw = raw

    def __reduce__(self) -> tuple[Any, ...]:
        return Slot, (self.index, self.raw)


class Keywords(dict[str, "Any"]):
    """The keyword arguments of a task, behind the tuple of the others."""


class Chunk(list["tuple[Any, ...]"]):
    """The rows of a task of map(chunksize=...), if there are references among them."""


# ---- references inside of pickles ----

# The references pickled while the arguments or the result of a task are being written: the task
# has to hold them, or the reader could find them gone.
_collector = threading.local()


class Collecting:
    """While entered, pickled references of the thread are collected in `refs`."""

    __slots__ = ("kept", "outer", "refs")

    def __init__(self, kept: bool) -> None:
        self.refs: list[_core.Ref] = []
        self.kept = kept
        self.outer: Collecting | None = None

    def __enter__(self) -> Collecting:
        self.outer = getattr(_collector, "now", None)
        _collector.now = self
        return self

    def __exit__(self, *_: object) -> None:
        _collector.now = self.outer


def _pickled(ref: Ref) -> bool:
    """Notes a reference that is pickled. True: the runtime keeps the value until the reader holds
    the reference."""
    now: Collecting | None = getattr(_collector, "now", None)
    if now is not None:
        now.refs.append(ref)
    kept = now is None or now.kept
    if kept:
        ref.client.keep(ref)
    return kept


def _restore(kind: type[Ref], text: str, kept: bool) -> Ref:
    session = current()
    ref = session.core.hold(text, kind)
    if kept:
        session.core.forget(ref)
    return ref


def stopped(cancelled: _core.TaskCancelled) -> BaseException | None:
    """What a wait raises that ended because the waiting task itself was asked to stop."""
    if cancelled.args:
        return None
    from ._worker import TaskStopped

    return TaskStopped()


# ---- sessions ----


class Session:
    """What a program does with one runtime."""

    batch = 1  # how many tasks of a map are submitted together

    def __init__(self, core: _core.Client, python: str | None = None) -> None:
        self.core = core
        self.name = core.name
        self.owner = os.getpid()
        self.needs = self._needs_of(python)
        self.plain = self.options_of({})
        self.texts = _functions.Texts(self._text)
        self._watcher: Watcher | None = None
        self._lock = threading.RLock()  # a collected executor may end the session inside
        self._open: list[weakref.ref[Any]] = []  # futures not yet fetched
        self._prune_at = 1024
        if not core.worker:
            core.patience(ROOM_STEP_MS)
        _sessions[id(core)] = self

    def _needs_of(self, python: str | None) -> str | None:
        """What a Python task asks for, so that a worker with the right interpreter runs it."""
        pythons = self.core.pythons()
        if not pythons:
            return ""
        wanted = python or sys.executable
        at = next((i for i, row in enumerate(pythons) if row[0] == wanted), None)
        if at is None and (python or len(pythons) > 1):
            names = ", ".join(row[0] for row in pythons)
            raise _core.Error(
                errno.ENOENT,
                f"runtime {self.core.name!r} has no workers with the interpreter {wanted}; "
                f"it has {names}: name one by plm.connect(python=...)",
            )
        at = at or 0
        if pythons[at][2]:
            return None
        return "python=1" if at == 0 else f"python{at + 1}=1"

    # ---- options ----

    def options_of(self, given: dict[str, Any], results: int = 1) -> _core.Options:
        """The options of a Python task from keywords; times are in seconds."""
        unknown = given.keys() - OPTION_NAMES
        if unknown:
            raise TypeError(
                f"unknown option {', '.join(sorted(unknown))}: there are "
                f"{', '.join(sorted(OPTION_NAMES))}"
            )
        words: dict[str, Any] = {"results": results}
        for name, value in given.items():
            if name in _SECONDS:
                words[_SECONDS[name]] = milliseconds(value)
            else:
                words[name] = value
        if self.needs:
            # Alternatives are separated by "|": the interpreter belongs to each.
            ways = (words.get("needs") or "").split("|")
            words["needs"] = "|".join(
                f"{way.strip()},{self.needs}" if way.strip() else self.needs for way in ways
            )
        return _core.Options(**words)

    # ---- submitting ----

    def _text(self, function: Callable[..., Any]) -> bytes | _core.Ref:
        return self.short(_functions.encode(function))

    def short(self, text: bytes) -> bytes | _core.Ref:
        """The text of a function as an argument; a long text is an object of the store."""
        return text if len(text) <= TEXT_INLINE_MOST else self._patiently(self.core.put, text)

    def _patiently(self, call: Callable[..., Any], *args: Any) -> Any:
        """Waits for room in a full table or store: fetches ended results, then tries again."""
        deadline = 0.0
        while True:
            try:
                return call(*args)
            except _core.Error as error:
                if error.errno != errno.ENOSPC or self.core.worker:
                    raise
                now = time.monotonic()
                deadline = deadline or now + ROOM_PATIENCE_S
                if now > deadline:
                    raise
            self.fetch_ended()

    def write(self, value: bytes | _values.Frame) -> bytes | _core.Ref:
        """Bytes as an argument of a task: long ones become an object of the store."""
        size = len(value) if isinstance(value, bytes) else value.size
        return bytes(value) if size <= INLINE_MOST else self._object(value)

    def _object(self, value: bytes | _values.Frame) -> Ref:
        """An object of the store."""
        if isinstance(value, bytes):
            ref: Ref = self._patiently(self.core.put, value)
            return ref
        room = self._patiently(self.core.create, value.size)
        value.write(room.write)
        sealed: Ref = room.seal()
        return sealed

    def row(
        self, text: bytes | _core.Ref, args: Sequence[Any], kwargs: dict[str, Any]
    ) -> tuple[bytes | _core.Ref, ...]:
        """The arguments of `py.call`: the function, a pickle, and the futures named in it."""
        if not kwargs and SCALARS.issuperset(map(type, args)):
            data: bytes | _values.Frame = _dumps(tuple(args), _values.PROTOCOL)
            return text, self.write(data)
        futures: list[_core.Ref] = []

        def place(value: Any) -> Any:
            if not isinstance(value, NAMES):
                return value
            ref = value if isinstance(value, Ref) else value.ref
            if ref is None or ref.client is not self.core:
                return value.result()
            futures.append(ref)
            return Slot(len(futures) + 1, isinstance(ref, RawRef))

        # place() does not call itself: the cycle would keep the futures until the next collection.
        row = tuple(
            Chunk(tuple(map(place, one)) for one in value) if type(value) is Chunk else place(value)
            for value in args
        )
        words = Keywords((name, place(value)) for name, value in kwargs.items())
        with Collecting(kept=False) as inner:
            data = _values.dump((row, words) if kwargs else row)
        futures.extend(ref for ref in inner.refs if self._has(ref))
        if isinstance(text, bytes) and _values.names_main(data):
            text = _functions.with_main(text)
        return text, self.write(data), *futures

    def _has(self, ref: _core.Ref) -> bool:
        """False: the runtime knows the reference, which came by another connection."""
        if ref.client is self.core:
            return True
        if session_of(ref).name == self.name:
            return False
        raise ValueError(
            f"{ref!r} inside of an argument is of runtime {session_of(ref).name!r}, and the task "
            f"is of {self.name!r}: put the value there, by put() of the executor, or give the "
            "reference as an argument of its own"
        )

    def submit(
        self,
        function: Callable[..., Any],
        args: Sequence[Any],
        kwargs: dict[str, Any],
        options: _core.Options | None = None,
    ) -> Any:
        """Submits a call of a Python function: a Ref, or a tuple of several."""
        return self.submit_row(self.row(self.texts.of(function), args, kwargs), options)

    def submit_row(
        self, row: tuple[bytes | _core.Ref, ...], options: _core.Options | None = None
    ) -> Any:
        """Submits a task made of a text and arguments."""
        if self.needs == "":
            raise _core.Error(
                errno.ENOENT,
                f"runtime {self.name!r} has no Python workers: boot it with "
                f"`plm --python {sys.executable}`",
            )
        return self._patiently(self.core.submit, "py.call", row, options or self.plain)

    def running(self, ref: _core.Ref) -> bool:
        """Tells whether the task runs just now."""
        return self.core.state(ref) == _core.RUNNING

    def submit_rows(
        self, rows: list[tuple[bytes | _core.Ref, ...]], options: _core.Options | None
    ) -> list[Any]:
        """The same for many tasks."""
        refs: list[Any] = self._patiently(
            self.core.submit_many, "py.call", rows, options or self.plain
        )
        return refs

    # ---- values ----

    def put(self, value: Any) -> Ref:
        """Writes a value into the store."""
        with Collecting(kept=True):
            data = _values.dump(value)
        return self._object(data)

    def put_value(self, value: Any) -> Ref:
        """The same; an array of plm.empty() is sealed as it is."""
        arrays = sys.modules.get("plm._arrays")
        sealed: Ref | None = arrays.put(self, value) if arrays else None
        return sealed or self.put(value)

    def put_raw(self, data: Any) -> RawRef:
        """Writes bytes into the store as they are, for C functions and commands."""
        ref: RawRef = self._patiently(self.core.put, data, RawRef)
        return ref

    def decode(self, ref: _core.Ref, view: Any) -> Any:
        """The value in a view: of a raw reference the bytes themselves."""
        return memoryview(view) if isinstance(ref, RawRef) else _values.load(view)

    def value(self, ref: _core.Ref, timeout: float | None = None) -> Any:
        """Waits for a value; raises the exception of a failed task."""
        try:
            return self.decode(ref, self.core.get(ref, milliseconds(timeout)))
        except _core.TaskFailed:
            error = self.exception(ref)
        except _core.TaskCancelled as cancelled:
            error = stopped(cancelled) or _errors.cancelled("the task was cancelled")
        except KeyboardInterrupt:
            self.cancel_quietly([ref])
            raise
        try:
            raise error  # outside of the handler, so that its cause stays the remote traceback
        finally:
            del error, ref  # a cycle with the traceback would hold the value until a collection

    def wait(self, refs: Sequence[_core.Ref], want: int, timeout_ms: int) -> bytes:
        """Waits until so many have ended; a byte for each, 1 if ended."""
        try:
            return self.core.wait(refs, want, timeout_ms)
        except _core.TaskCancelled as cancelled:
            raise stopped(cancelled) or cancelled from None

    def exception(self, ref: _core.Ref) -> BaseException:
        """The exception of a failed or cancelled task."""
        return _errors.exception_of(self.core.failure(ref))

    def cancel_quietly(self, refs: Iterable[_core.Ref]) -> None:
        """Cancels what may still be cancelled."""
        for ref in refs:
            try:
                self.core.cancel(ref)
            except _core.Error:  # the value is gone, or the runtime
                continue

    # ---- futures that are still to be fetched ----

    def watch_future(self, future: Any) -> None:
        """Remembers a future, so that its result can make room."""
        self._open.append(weakref.ref(future))
        if len(self._open) >= self._prune_at:
            self._prune()

    def _prune(self) -> None:
        with self._lock:
            taken, self._open = self._open, []
        alive = [w for w in taken if (f := w()) is not None and f.ref is not None]
        with self._lock:
            self._open = alive + self._open
            self._prune_at = max(1024, 2 * len(self._open))

    def open_futures(self) -> list[Any]:
        """The futures of this session that are still to be fetched."""
        return [f for w in list(self._open) if (f := w()) is not None and not f.fetched]

    def fetch_ended(self) -> None:
        """Takes the results of ended futures out of the runtime, which frees their records."""
        for weak in list(self._open):
            future = weak()
            if future is not None and future.fetch_if_ended():
                future.let_go()
        self._prune()

    @property
    def watcher(self) -> Watcher:
        """Tells of ended futures: by a thread, or in an event loop."""
        with self._lock:
            if self._watcher is None:
                from ._watch import Watcher

                self._watcher = Watcher(self.core)
            return self._watcher

    def close(self) -> None:
        """Ends the connection; values that were read stay readable."""
        if self._watcher is not None:
            self._watcher.stop()
        self.texts.clear()
        _sessions.pop(id(self.core), None)
        self.core.close()


class PutOnce:
    """Large buffers that repeat among the arguments of many tasks: each is put into the store once.
    Only the last few are remembered, since many different buffers would fill the store; tasks hold
    their arguments themselves."""

    MOST = 8

    def __init__(self, put: Callable[[Any], Ref]) -> None:
        self._put = put
        self._known: dict[int, tuple[Any, Ref]] = {}

    def of(self, value: Any) -> Ref:
        """The reference of the buffer."""
        known = self._known.get(id(value))
        if known is None:
            if len(self._known) >= self.MOST:
                del self._known[next(iter(self._known))]
            known = self._known[id(value)] = (value, self._put(value))  # a held value keeps the id
        return known[1]


# ---- the session of this process ----

_sessions: dict[int, Session] = {}
_lent: list[Session] = []  # of the open executors, the latest last
_current: Session | None = None
_current_lock = threading.Lock()


def session_of(ref: _core.Ref) -> Session:
    """The session that gave out a reference."""
    session = _sessions.get(id(ref.client))
    if session is None:
        raise _core.Error(errno.EHOSTDOWN, "the connection of this reference was closed")
    return session


def in_worker() -> bool:
    """Tells whether this process is a worker, so that what asks is a task."""
    return _current is not None and _current.core.worker


def current() -> Session:
    """The session of this process: of connect(), else of the latest executor that is open. Without
    either the first use connects."""
    global _current
    with _current_lock:
        if _current is not None and not _current.core.closed:
            return _current
        while _lent and _lent[-1].core.closed:
            _lent.pop()
        if _lent:
            return _lent[-1]
        _current = open_session(None, None)
        return _current


def lend(session: Session) -> None:
    """Lets the functions of the package use the session of an executor."""
    with _current_lock:
        _lent[:] = [s for s in _lent if not s.core.closed]
        _lent.append(session)


def open_session(name: str | None, python: str | None) -> Session:
    """Connects to a runtime. Without a name, and if none is up, a runtime of our own is booted."""
    try:
        return Session(_core.connect(name), python)
    except _core.Error as error:
        if name is not None or os.environ.get("PLM_NAME") or error.errno != errno.ENOENT:
            raise
    from ._runtime import boot

    return Session(_core.connect(boot().name), python)


def set_current(session: Session | None) -> None:
    """Makes a session the one that the functions of the package use."""
    global _current
    _current = session


def _after_fork_in_child() -> None:
    global _current, _current_lock
    _current = None
    _current_lock = threading.Lock()
    _lent.clear()
    _sessions.clear()


os.register_at_fork(after_in_child=_after_fork_in_child)
_core.set_types(Ref)
