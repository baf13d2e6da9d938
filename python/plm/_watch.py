"""The watcher of a session: calls back when a task has ended.

Only futures with a callback, a standard waiter or an awaiting coroutine are watched. The core's
pollable descriptor says that something has ended; then a look at shared memory tells which: at the
oldest tasks first, since they tend to end first, and at all of them in their turn.

Where: a daemon thread for Futures (made for the first), or the event loop for coroutines.
"""

from __future__ import annotations

import os
import select
import threading
import time
from collections.abc import Callable

from . import _core

WINDOW = 4096  # looked at each time
LOOK_AT_ALL_SHARE = 8  # a look at all costs at most one such part of the time


class Watcher:
    """The watched tasks of one session."""

    def __init__(self, core: _core.Client) -> None:
        self.core = core
        self._lock = threading.RLock()  # garbage collected inside may end the session
        self._refs: list[_core.Ref] = []
        self._tells: list[Callable[[], None]] = []
        self._thread: threading.Thread | None = None
        self._wake: tuple[int, int] | None = None
        self._stop = False
        self._all_due = 0.0

    def add(self, ref: _core.Ref, tell: Callable[[], None]) -> None:
        """Calls tell() once when the task has ended, in the thread of the watcher."""
        self._append(ref, tell)
        with self._lock:
            if self._thread is None:
                self._wake = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
                self._thread = threading.Thread(target=self._run, daemon=True, name="plm-watcher")
                self._thread.start()
        self._ring()

    def add_in_loop(self, ref: _core.Ref, tell: Callable[[], None]) -> None:
        """The same for an event loop, which calls scan() when descriptor() is readable."""
        self._append(ref, tell)

    def descriptor(self) -> int:
        """Readable when a task has ended."""
        return self.core.fd()

    def _append(self, ref: _core.Ref, tell: Callable[[], None]) -> None:
        with self._lock:
            self._refs.append(ref)
            self._tells.append(tell)

    def _ring(self) -> None:
        with self._lock:
            if self._wake is not None:
                try:
                    os.write(self._wake[1], b".")
                except BlockingIOError:
                    return  # rung already

    def scan(self) -> bool:
        """Tells of tasks that have ended. True: of some."""
        now = time.monotonic()
        with self._lock:
            everything = now >= self._all_due
            limit = len(self._refs) if everything else WINDOW
            ended = self.core.settled(self._refs, 0, limit)
            tells = [self._tells[i] for i in ended]
            for i in reversed(ended):
                # A few are cut out; for many the lists are made anew below.
                if len(ended) < LOOK_AT_ALL_SHARE:
                    del self._refs[i], self._tells[i]
            if len(ended) >= LOOK_AT_ALL_SHARE:
                gone = set(ended)
                self._refs = [r for i, r in enumerate(self._refs) if i not in gone]
                self._tells = [t for i, t in enumerate(self._tells) if i not in gone]
        if everything:
            took = time.monotonic() - now
            self._all_due = now + took * LOOK_AT_ALL_SHARE
        for tell in tells:
            tell()
        return bool(ended)

    def _run(self) -> None:
        assert self._wake is not None
        poll = select.poll()
        poll.register(self.core.fd(), select.POLLIN)
        poll.register(self._wake[0], select.POLLIN)
        while not self._stop:
            try:
                more = self.scan()
                late = len(self._refs) > WINDOW
                poll.poll(0 if more else 20 if late else None)
                self._drain()
            except _core.Error:
                break  # the runtime has ended
        self._end()
        with self._lock:
            for descriptor in self._wake:
                os.close(descriptor)
            self._wake = None

    def _drain(self) -> None:
        self.core.acknowledge()
        assert self._wake is not None
        try:
            os.read(self._wake[0], 4096)
        except BlockingIOError:
            return

    def _end(self) -> None:
        """The runtime is gone: everybody who waits shall see that."""
        with self._lock:
            tells, self._tells, self._refs = self._tells, [], []
        for tell in tells:
            try:
                tell()
            except (_core.Error, TimeoutError):
                continue

    def stop(self) -> None:
        """Ends the thread; waits for its end, unless the thread itself calls."""
        self._stop = True
        thread = self._thread
        if thread is not None and thread is not threading.current_thread():
            self._ring()
            thread.join()
