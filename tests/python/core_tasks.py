"""Tasks of test_core.py: they look at the Call that runs them."""

from __future__ import annotations

import gc
import os
from collections.abc import Callable
from typing import Any

import support  # noqa: F401  # finds the package

from plm import _core, _worker

kept: list[Any] = []


def call_now() -> _core.Call:
    """The Call of the running task."""
    return _worker._running[-1]


def keep_view(value: Any) -> int:
    """Keeps a View of the third argument beyond the end of the task."""
    kept.append(memoryview(call_now().arg(2)))
    return len(value)


def kept_sum() -> int:
    """The bytes of the kept View, added up."""
    return sum(bytes(kept[-1]))


def keep_call() -> int:
    """Keeps the Call beyond its end."""
    kept.append(call_now())
    return 0


def use_kept_call() -> list[str]:
    """What each use of an ended Call raises."""
    call = kept[-1]
    uses: list[Callable[[], object]] = [
        lambda: call.arg(0),
        lambda: call.arg_ref(0),
        lambda: call.result(1),
        lambda: call.reply(b""),
        lambda: call.fail(1, ""),
        lambda: call.cancelled(),
        lambda: call.nargs,
        lambda: call.function,
    ]
    said = []
    for use in uses:
        try:
            use()
        except _core.Error as error:
            said.append(error.strerror)
    return said


def misuse() -> list[str]:
    """What wrong arguments of a living Call raise."""
    call = call_now()
    uses: list[Callable[[], object]] = [
        lambda: call.arg(99),
        lambda: call.arg(-1),
        lambda: call.result(1, 7),
        lambda: call.fail("x", "y"),  # type: ignore[arg-type]
        lambda: call.fail(1, b"y"),  # type: ignore[arg-type]
        lambda: call.fail(1, "y", b"d" * 70000),
    ]
    said = []
    for use in uses:
        try:
            use()
        except Exception as error:
            said.append(type(error).__name__)
    return said


def put_and_keep(n: int) -> str:
    """A Ref that outlives the task that made it."""
    ref = call_now().client.put(bytes([n]) * 1000)
    kept.append(ref)
    return str(ref.text)


def read_kept() -> bytes:
    """The value of the Ref kept by an earlier task."""
    ref = kept[-1]
    return bytes(ref.client.get(ref, 1000))[:2]


def forget() -> int:
    """Drops all that tasks have kept."""
    kept.clear()
    gc.collect()
    return 0


def call_c_function() -> bytes:
    """Waits in the task for a function in C, which runs in place of the wait."""
    client = call_now().client
    return bytes(client.get(client.submit("probe.echo", (b"in C",)), 10000))


def keep_room(_argument: Any) -> None:
    """Keeps a memoryview of the room of the result, and replies in another way."""
    window = memoryview(call_now().result(5000))
    window[:] = b"\5" * 5000
    kept.append(window)


def keep_room_of_a_failure() -> None:
    """Keeps a memoryview of the room of a result that is thrown away."""
    kept.append(memoryview(call_now().result(5000)))
    raise LookupError("on purpose")


def process() -> int:
    """The worker process."""
    return os.getpid()
