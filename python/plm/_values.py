"""Values as bytes: pickle protocol 5, with large buffers beside the pickle.

A value without large buffers is a plain pickle. Any other value is a frame: a head, the pickle, and
each buffer at a multiple of 64 bytes. A frame lies in one object of the store, so a reader maps the
buffers in place, read-only, and copies nothing.

    head    4 bytes magic, 4 bytes number of buffers, 8 bytes offset and 8 bytes length of the
            pickle, then 8 bytes offset and 8 bytes length of each buffer

Where: any process; no state.
"""

from __future__ import annotations

import copyreg
import io
import struct
import sys

TYPE_CHECKING = False  # typing, which takes milliseconds to import, is for type checkers alone
if TYPE_CHECKING:
    import pickle
    from collections.abc import Callable
    from typing import Any
else:
    try:
        import _pickle as pickle  # the module pickle imports re and enum, milliseconds again
    except ImportError:
        import pickle

MAGIC = b"PLM\x00"
HEAD = struct.Struct("<4sIQQ")
PLACE = struct.Struct("<QQ")
ALIGNMENT = 64
# A smaller buffer is copied into the pickle: a place of its own would cost more.
BUFFER_LEAST = 1024
PROTOCOL = 5

dumps = pickle.dumps
loads = pickle.loads


class Unpicklable(TypeError):
    """A value that cannot be sent to another process."""


def _aligned(offset: int) -> int:
    return -(-offset // ALIGNMENT) * ALIGNMENT


class Frame:
    """A value made of a pickle and buffers, not yet written."""

    __slots__ = ("buffers", "data", "head", "places", "size")

    def __init__(self, data: bytes, buffers: list[memoryview]) -> None:
        self.data = data
        self.buffers = buffers
        at = HEAD.size + PLACE.size * len(buffers)
        head = [HEAD.pack(MAGIC, len(buffers), at, len(data))]
        at += len(data)
        self.places: list[int] = []
        for buffer in buffers:
            at = _aligned(at)
            self.places.append(at)
            head.append(PLACE.pack(at, buffer.nbytes))
            at += buffer.nbytes
        self.head = b"".join(head)
        self.size = at

    def write(self, put: Callable[[int, Any], None]) -> None:
        """Writes the frame by put(offset, bytes)."""
        put(0, self.head + self.data)
        for place, buffer in zip(self.places, self.buffers, strict=True):
            put(place, buffer)

    def __bytes__(self) -> bytes:
        room = bytearray(self.size)

        def put(offset: int, data: Any) -> None:
            room[offset : offset + len(data)] = data

        self.write(put)
        return bytes(room)


# ---- memoryviews, which pickle alone refuses ----


def view_of(data: Any, form: str, shape: tuple[int, ...]) -> memoryview:
    """A memoryview that was sent, over the bytes of the value."""
    flat = memoryview(data).cast("B")
    return flat if form == "B" and len(shape) == 1 else flat.cast(form, shape)  # type: ignore


def _reduce_view(view: memoryview) -> tuple[Any, ...]:
    data = view if view.c_contiguous else view.tobytes()
    return view_of, (pickle.PickleBuffer(data), view.format, view.shape)


def _with_views(value: object, keep: Callable[[pickle.PickleBuffer], bool]) -> bytes:
    room = io.BytesIO()
    pickler = pickle.Pickler(room, PROTOCOL, buffer_callback=keep)
    pickler.dispatch_table = {**copyreg.dispatch_table, memoryview: _reduce_view}
    pickler.dump(value)
    return room.getvalue()


# ---- functions and classes that cannot travel by name ----


def _with_cloudpickle(
    value: object, keep: Callable[[pickle.PickleBuffer], bool], trouble: BaseException | None
) -> bytes:
    try:
        import cloudpickle
    except ImportError:
        what = f"{type(value).__module__}.{type(value).__qualname__}"
        raise Unpicklable(
            f"a value of type {what} cannot be sent to another process: {trouble}; "
            "define its functions and classes in a module, or install cloudpickle"
        ) from trouble
    data: bytes = cloudpickle.dumps(value, protocol=PROTOCOL, buffer_callback=keep)
    return data


_cloudpickle: bool | None = None


def has_cloudpickle() -> bool:
    """Tells whether functions and classes of __main__ can travel by value."""
    global _cloudpickle
    if _cloudpickle is None:
        from importlib.util import find_spec

        try:
            _cloudpickle = find_spec("cloudpickle") is not None
        except ValueError:  # a module without a spec, put there by the program
            _cloudpickle = sys.modules.get("cloudpickle") is not None
    return _cloudpickle


def dump(value: object) -> bytes | Frame:
    """The value as bytes, or as a frame if it has large buffers."""
    buffers: list[memoryview] = []

    def keep(buffer: pickle.PickleBuffer) -> bool:
        raw = buffer.raw()
        if raw.nbytes < BUFFER_LEAST:
            return True
        buffers.append(raw)
        return False

    try:
        data = dumps(value, PROTOCOL, buffer_callback=keep)
        by_name = b"__main__" in data
    except RecursionError:
        raise
    except Exception as trouble:  # any class may refuse in its own way
        buffers.clear()
        try:
            data = _with_views(value, keep)
            by_name = b"__main__" in data
        except Exception:
            buffers.clear()
            data = _with_cloudpickle(value, keep, trouble)
            by_name = False
    if by_name and has_cloudpickle():
        buffers.clear()
        data = _with_cloudpickle(value, keep, None)
    return Frame(data, buffers) if buffers else data


def names_main(data: bytes | Frame) -> bool:
    """Tells whether a worker must import the program to read the value."""
    if has_cloudpickle():
        return False
    return b"__main__" in (data if isinstance(data, bytes) else data.data)


def load(data: Any) -> Any:
    """The value of bytes or of a view; buffers of a frame stay where they are."""
    if type(data) is bytes and data[:1] == b"\x80":
        return loads(data)
    view = memoryview(data)
    if view.nbytes < HEAD.size or view[:4] != MAGIC:
        return loads(view)
    _, count, at, length = HEAD.unpack_from(view)
    buffers = []
    for i in range(count):
        start, size = PLACE.unpack_from(view, HEAD.size + i * PLACE.size)
        if start + size > view.nbytes:
            raise pickle.UnpicklingError("a frame ends before its last buffer")
        buffers.append(view[start : start + size])
    if at + length > view.nbytes:
        raise pickle.UnpicklingError("a frame ends before its pickle")
    return loads(view[at : at + length], buffers=buffers)
