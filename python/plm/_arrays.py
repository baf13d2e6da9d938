"""Arrays that lie in the store: what a program writes into them is never copied again.

In a task, the array of `plm.empty()` becomes the result when the function returns the array, or a
value with the array inside. In a client, `plm.put()` of the array seals the array. The room begins
with space for the head and the pickle of the value (_values.py), which are written last.

After its task, or after put(), an array is a value that others read: do not write to it any more.
"""

from __future__ import annotations

import sys

from . import _core, _session, _values

TYPE_CHECKING = False  # as in _values.py
if TYPE_CHECKING:
    import pickle
    from typing import Any

    import numpy as np
    import numpy.typing as npt

HEAD_ROOM = 4096


class _Room:
    """A room of the store, and the array over it."""

    def __init__(
        self,
        room: _core.Room,
        call: _core.Call | None = None,
        session: _session.Session | None = None,
    ) -> None:
        import numpy as np

        self.room = room
        self.call = call
        self.session = session
        self.bytes = np.frombuffer(memoryview(room), dtype=np.uint8)
        self.address: int = self.bytes.__array_interface__["data"][0]
        self.size = self.bytes.nbytes

    def place(self, buffer: memoryview) -> int | None:
        """The offset of a buffer that lies in the room."""
        import numpy as np

        address: int = np.frombuffer(buffer, dtype=np.uint8).__array_interface__["data"][0]
        inside = self.address <= address and address + buffer.nbytes <= self.address + self.size
        return address - self.address if inside else None

    def seal_value(self, value: object) -> bool:
        """Writes head and pickle of a value whose array lies in the room. False: it does not, or
        there is not enough space."""
        places: list[tuple[int, int]] = []

        def keep(buffer: pickle.PickleBuffer) -> bool:
            raw = buffer.raw()
            at = self.place(raw) if raw.nbytes else None
            if at is None:
                return True
            places.append((at, raw.nbytes))
            return False

        try:
            data = _values.dumps(value, _values.PROTOCOL, buffer_callback=keep)
        except Exception:  # whether the value can be sent at all, the usual way tells
            return False
        head = _values.HEAD.size + _values.PLACE.size * len(places)
        if not places or head + len(data) > HEAD_ROOM:
            return False
        words = [_values.HEAD.pack(_values.MAGIC, len(places), head, len(data))]
        words += [_values.PLACE.pack(*place) for place in places]
        self.room.write(0, b"".join(words) + data)
        return True


_of_task: list[_Room] = []  # in a worker: rooms of running tasks, the innermost last
_of_client: dict[int, tuple[Any, _Room]] = {}


def _call_now() -> _core.Call | None:
    worker = sys.modules.get("plm._worker")
    running = worker._running if worker is not None else None
    return running[-1] if running else None


def empty(shape: int | tuple[int, ...], dtype: npt.DTypeLike = float) -> np.ndarray[Any, Any]:
    """A new array in the store, not initialized, as numpy.empty().

    In a task one array at a time can become the result; further ones are ordinary arrays.
    """
    import numpy as np

    kind = np.dtype(dtype)
    if kind.hasobject:
        raise TypeError("an array of Python objects cannot lie in the store")
    sizes = (shape,) if isinstance(shape, int) else tuple(shape)
    count = 1
    for size in sizes:
        count *= size
    nbytes = count * kind.itemsize
    call = _call_now()
    if nbytes == 0 or (call is not None and any(r.call is call for r in _of_task)):
        return np.empty(shape, dtype)
    if call is not None:
        room = _Room(call.result(HEAD_ROOM + nbytes, 0), call)
        _of_task.append(room)
    else:
        session = _session.current()
        room = _Room(session._patiently(session.core.create, HEAD_ROOM + nbytes), session=session)
    array: np.ndarray[Any, Any] = room.bytes[HEAD_ROOM:].view(kind).reshape(sizes)
    if call is None:
        _remember(room)
    return array


def zeros(shape: int | tuple[int, ...], dtype: npt.DTypeLike = float) -> np.ndarray[Any, Any]:
    """The same, filled with zeros."""
    array = empty(shape, dtype)
    array[...] = 0
    return array


def _remember(room: _Room) -> None:
    """The room lives as long as the byte array, which is the base of each view of the array."""
    import weakref

    key = room.address
    _of_client[key] = (weakref.ref(room.bytes, lambda _: _of_client.pop(key, None)), room)
    del room.bytes


def put(session: _session.Session, value: Any) -> _session.Ref | None:
    """Seals the array of empty() that is put. None: the value is no such array, or a part of one:
    the program may go on to write to the rest."""
    if not _of_client or type(value).__name__ != "ndarray":
        return None
    _, room = _of_client.get(value.__array_interface__["data"][0] - HEAD_ROOM, (None, None))
    if room is None or value.nbytes != room.size - HEAD_ROOM or room.session is not session:
        return None
    if not room.seal_value(value):
        return None
    value.flags.writeable = False
    _of_client.pop(room.address, None)
    sealed = room.room.seal()
    assert isinstance(sealed, _session.Ref)
    return sealed


def waiting() -> bool:
    """Tells whether a running task has asked for an array."""
    return bool(_of_task)


def forget(call: _core.Call) -> None:
    """The task has ended, perhaps without a result."""
    _of_task[:] = [room for room in _of_task if room.call is not call]


def reply(call: _core.Call, result: Any, which: int) -> bool:
    """Makes the array of empty() the result. False: the task has not asked for an array, or has
    returned something else."""
    if not _of_task or _of_task[-1].call is not call:
        return False
    room = _of_task.pop()
    if which != 0:
        return False
    if room.seal_value(result):
        return True
    # Another result takes the place of the room. The core refuses while the array is in use.
    return False
