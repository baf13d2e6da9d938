"""Awaiting a reference: the event loop watches the descriptor of the session, without a thread."""

from __future__ import annotations

import asyncio
from typing import Any

from . import _core
from ._session import Session, session_of


class _Hub:
    """The awaited references of one session in one event loop."""

    def __init__(self, session: Session, loop: asyncio.AbstractEventLoop) -> None:
        self.session = session
        self.loop = loop
        self.waiting = 0

    def _readable(self) -> None:
        self.session.core.acknowledge()
        self.session.watcher.scan()
        if self.waiting == 0:
            self.loop.remove_reader(self.session.watcher.descriptor())

    async def wait(self, ref: _core.Ref) -> None:
        """Returns when the task has ended."""
        ended = self.loop.create_future()

        def tell() -> None:
            if not self.loop.is_closed():
                self.loop.call_soon_threadsafe(_set, ended)

        if self.waiting == 0:
            self.loop.add_reader(self.session.watcher.descriptor(), self._readable)
        self.waiting += 1
        try:
            self.session.watcher.add_in_loop(ref, tell)
            self.session.watcher.scan()  # it may have ended before the descriptor was watched
            await ended
        except asyncio.CancelledError:
            self.session.cancel_quietly([ref])
            raise
        finally:
            self.waiting -= 1


def _set(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)


_hubs: dict[tuple[int, int], _Hub] = {}


def _hub(session: Session) -> _Hub:
    loop = asyncio.get_running_loop()
    key = (id(session), id(loop))
    hub = _hubs.get(key)
    if hub is None or hub.loop is not loop or hub.session is not session:
        for old in [k for k, h in _hubs.items() if h.loop.is_closed() or h.session.core.closed]:
            del _hubs[old]
        hub = _hubs[key] = _Hub(session, loop)
    return hub


async def result_of(ref: _core.Ref) -> Any:
    """The value of a reference; a cancelled await cancels the task."""
    session = session_of(ref)
    if session.core.state(ref) < _core.DONE:
        await _hub(session).wait(ref)
    return session.value(ref, 0)
