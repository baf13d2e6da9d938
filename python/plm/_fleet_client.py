"""A fleet in place of a runtime: the session of an executor whose tasks run on many machines.

`FleetClient` has the methods of plm._core.Client that sessions, futures and watchers use, on a
connection to the engine of a fleet (plm._fleet). A fleet has no shared memory: arguments and texts
of functions travel with each task, unless they are long, and a result comes back as bytes.

The tasks need a Python worker (`python=1`), so a host without one leaves them to other hosts.
"""

from __future__ import annotations

import errno
import os
import time

from . import _core, _fleet, _values
from ._session import Promise, Session

TYPE_CHECKING = False  # as in _values.py
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Any

BATCH = 256  # tasks of one round trip, when many are submitted
ROOM_AGAIN_S = 0.05
TEXT_INLINE_MOST = 64 * 1024  # fetching a text costs a host a round trip for each task
PLACES = ("", "front", "priority", "parked", "todo")  # by the numbers of enum plm_place
_STATES = {
    0: _core.DONE,
    errno.EAGAIN: _core.READY,
    errno.EREMOTEIO: _core.FAILED,
    errno.ECANCELED: _core.CANCELLED,
}


class FleetRef(Promise):
    """The name of a task of a fleet, with a hold that ends with the object: then the fleet forgets
    the task, as soon as it has ended."""

    __slots__ = ("client", "id")

    def __init__(self, client: FleetClient, number: int) -> None:
        self.client = client
        self.id = number

    def __del__(self) -> None:
        self.client.drop(self.id)

    @property
    def ref(self) -> Any:
        """Itself: a reference stands for its task, as a future does."""
        return self

    @property
    def text(self) -> str:
        """As plmctl shows the reference."""
        return f"@{self.id & 0xFFFFFFFF:x}.{self.id >> 32:x}.{self.client.raw.epoch:x}"

    def __repr__(self) -> str:
        return f"<FleetRef {self.text}>"

    def __reduce__(self) -> tuple[Any, ...]:
        # No host knows the connection of this program: inside of an argument goes the value.
        from ._futures import Known

        return Known, (self.result(),)

    def result(self, timeout: float | None = None) -> Any:
        """The value, when the task has ended; raises what the task raised."""
        from ._session import session_of

        return session_of(self).value(self, timeout)  # type: ignore[arg-type]

    def done(self) -> bool:
        """Tells whether the task has ended, in any way."""
        return self.client.state(self) >= _core.DONE

    def cancel(self) -> bool:
        """Cancels the task, also a running one. False: the task has ended before."""
        return self.client.cancel(self)

    def move(self, to: str | None = None, *, priority: int | None = None) -> bool:
        """Gives the task another place, as Ref.move() does."""
        from ._session import place_of

        return self.client.move(self, *place_of(to, priority))

    def explain(self) -> str:
        """Why the task has not ended, or what became of it."""
        return self.client.explain(self)


class FleetClient:
    """A connection to a fleet, as a session uses one to a runtime."""

    worker = False

    def __init__(self, address: str) -> None:
        self.raw = self._asked(_fleet.Fleet, address or None)
        self.name = f"fleet of epoch {self.raw.epoch:x}"
        self._patience_s = 0.0
        self._words: tuple[_core.Options | None, tuple[Any, ...]] = (None, ())

    def _asked(self, call: Callable[..., Any], *args: Any, ref: FleetRef | None = None) -> Any:
        """A call, whose errors are those of the package."""
        try:
            return call(*args)
        except TimeoutError:
            raise
        except OSError as error:
            if error.errno == errno.EREMOTEIO:
                raise _core.TaskFailed(ref) from None
            if error.errno == errno.ECANCELED and ref is not None:
                raise _core.TaskCancelled(ref) from None
            raise _core.Error(error.errno, error.strerror) from None

    @property
    def closed(self) -> bool:
        """Tells whether the connection was ended."""
        return bool(self.raw.closed)

    def pythons(self) -> list[tuple[str, int, bool]]:
        """Some hosts have Python workers: a task asks for one."""
        return [("python", 0, False)]

    # ---- tasks ----

    def _options(self, options: _core.Options) -> tuple[Any, ...]:
        """The options of a task, in the order of fleet_tasks.c."""
        known, words = self._words
        if known is options:
            return words
        if options.tied or options.results != 1 or options.replicas > 1:
            raise _core.Error(
                errno.EINVAL,
                "a Python task of a fleet has one result, and is neither tied nor replicated: "
                "leave out tied, results, replicas",
            )
        words = (
            options.priority,
            options.retries,
            options.crash_retries,
            options.keep,
            options.needs,
            options.queue_ms,
            options.run_ms,
            options.total_ms,
            options.backoff_ms,
            options.backoff_max_ms,
            options.grace_ms,
            options.keep_ms,
        )
        self._words = (options, words)
        return words

    def submit_many(
        self, function: str, rows: Sequence[Sequence[Any]], options: _core.Options
    ) -> list[FleetRef]:
        """Submits many tasks, by a round trip for each few hundred."""
        epoch = self.raw.epoch
        named = [
            tuple((a.id, epoch) if isinstance(a, FleetRef) else a for a in row) for row in rows
        ]
        deadline = time.monotonic() + self._patience_s
        while True:
            try:
                ids = self._asked(self.raw.submit, function, named, self._options(options))
                return [FleetRef(self, number) for number in ids]
            except _core.Error as error:
                if error.errno != errno.ENOSPC or time.monotonic() >= deadline:
                    raise
            time.sleep(ROOM_AGAIN_S)

    def put(self, data: bytes, ref_type: None = None) -> FleetRef:
        """Writes a value into the queue, for any number of tasks."""
        return FleetRef(self, self._asked(self.raw.put, data))

    def submit(self, function: str, row: Sequence[Any], options: _core.Options) -> FleetRef:
        """Submits one task."""
        return self.submit_many(function, [row], options)[0]

    def patience(self, timeout_ms: int) -> None:
        """How long a submission waits for room in the memory of Redis."""
        self._patience_s = timeout_ms / 1000

    def cancel(self, ref: FleetRef, grace_ms: int = -1, only_queued: bool = False) -> bool:
        """Cancels a task; the grace is that of its options."""
        if only_queued and self.running(ref):
            return False
        return bool(self._asked(self.raw.cancel, ref.id))

    def move(self, ref: FleetRef, to: str, priority: int = 0) -> bool:
        """Gives a task another place. False: too late."""
        return bool(self._asked(self.raw.move, ref.id, PLACES.index(to), priority))

    def failure(self, ref: FleetRef) -> tuple[int, int, str, str, bytes | None]:
        """code, signal, function, message, detail."""
        code, signal, message, detail = self._asked(self.raw.error, ref.id)
        return code, signal, "", message, detail or None

    def explain(self, ref: FleetRef) -> str:
        """Why the task has not ended, or what became of it."""
        words: str = self._asked(self.raw.explain, ref.id)
        return words

    def drop(self, number: int) -> None:
        """Ends one hold."""
        if not self.raw.closed:
            self.raw.drop(number)

    # ---- waiting and looking ----

    def get(self, ref: FleetRef, timeout_ms: int = -1) -> bytes:
        """Waits for a value."""
        value: bytes = self._asked(self.raw.get, ref.id, timeout_ms, ref=ref)
        return value

    def wait(self, refs: Sequence[FleetRef], want: int, timeout_ms: int = -1) -> bytes:
        """A byte for each, 1 if ended; also when the time is over."""
        ready: bytes = self._asked(self.raw.wait, [r.id for r in refs], want, timeout_ms)
        return ready

    def wait_all(self, timeout_ms: int = -1) -> bool:
        """Waits until all submitted tasks have ended."""
        return bool(self._asked(self.raw.wait_all, timeout_ms))

    def state(self, ref: FleetRef) -> int:
        """The state, as far as was heard: a task that has not ended counts as ready."""
        return _STATES.get(self._asked(self.raw.outcome, ref.id), _core.GONE)

    def running(self, ref: FleetRef) -> bool:
        """Asks whether the task runs on a host just now."""
        return bool(self._asked(self.raw.running, ref.id))

    def settled(self, refs: Sequence[FleetRef], start: int = 0, limit: int = 1 << 62) -> list[int]:
        """The indices of those that have ended."""
        state = self.state
        some = range(start, min(len(refs), start + limit))
        return [i for i in some if state(refs[i]) >= _core.DONE]

    def fd(self) -> int:
        """Readable after a task has ended."""
        return int(self._asked(self.raw.fd))

    def acknowledge(self) -> bool:
        """Reads the descriptor, before a look."""
        try:
            return bool(os.read(self.fd(), 8))
        except BlockingIOError:
            return False

    def status(self) -> dict[str, Any]:
        """The numbers of the queue."""
        numbers: dict[str, Any] = self._asked(self.raw.status)
        return numbers

    def close(self) -> None:
        """Ends the connection."""
        self.raw.close()


class FleetSession(Session):
    """What a program does with one fleet."""

    batch = BATCH

    def __init__(self, address: str) -> None:
        super().__init__(FleetClient(address))  # type: ignore[arg-type]

    def short(self, text: bytes) -> bytes | _core.Ref:
        """The text of a function travels with each task; a host fetches a long one."""
        return text if len(text) <= TEXT_INLINE_MOST else self._object(text)

    def write(self, value: bytes | _values.Frame) -> bytes | _core.Ref:
        """Arguments travel with the task."""
        return bytes(value)

    def running(self, ref: Any) -> bool:
        """Tells whether the task runs on a host just now."""
        client: Any = self.core
        return bool(client.running(ref))

    def _object(self, value: bytes | _values.Frame) -> Any:
        return self._patiently(self.core.put, bytes(value))

    def put_raw(self, data: Any) -> Any:
        """Bytes as they are have no reader: C functions and commands go through plmctl or C."""
        raise _core.Error(
            errno.ENOTSUP, "put(raw=True) is for runtimes: on a fleet, put(value) without raw"
        )
