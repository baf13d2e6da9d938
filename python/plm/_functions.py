"""Functions as bytes: by name where the other process can import the name, else by value.

A function becomes a short text, made once and remembered:

    n MODULE \\0 QUALIFIED NAME     a function that a worker imports
    v 16 bytes of hash, PICKLE     any other callable, and functions of __main__ (cloudpickle)
    f PATH \\0 TEXT                 the main file of the program is imported first, under the name
                                   __mp_main__, as multiprocessing does; TEXT as above
    c TEXT                         call the function for each row of a list
    i 8 bytes of number, 4 bytes of length, PICKLE of (initializer, arguments), TEXT
                                   the initializer runs first, once in each worker process

A worker remembers the callable of each text, so a function is imported or unpickled once.
Where: `encode` in clients, `decode` in workers.
"""

from __future__ import annotations

import sys
import weakref

from . import _values

TYPE_CHECKING = False  # as in _values.py
if TYPE_CHECKING:
    from collections.abc import Callable
    from hashlib import blake2b
    from typing import Any

    from . import _core

    Text = bytes | _core.Ref  # a long text is an object of the store
else:
    from _blake2 import blake2b  # hashlib would load OpenSSL

BY_NAME, BY_VALUE, WITH_MAIN, FOR_EACH, AFTER_INITIALIZER = b"n", b"v", b"f", b"c", b"i"
DIGEST_BYTES = 16
REMEMBERED = 1024  # a program that makes functions for ever must not fill the memory


def _resolve(module: str, name: str) -> Any:
    from importlib import import_module

    found: Any = import_module(module)
    for part in name.split("."):
        found = getattr(found, part)
    return getattr(found, "__plm_function__", found)


def _main_path() -> str | None:
    main = sys.modules.get("__main__")
    path = getattr(main, "__file__", None)
    return path if isinstance(path, str) and path.endswith(".py") else None


def with_main(text: bytes) -> bytes:
    """The text, which names things of __main__, for a worker that has to import the program."""
    path = _main_path()
    if text[:1] == WITH_MAIN:
        return text
    if path is None:
        raise _values.Unpicklable(
            "a function or class of an interactive session cannot be sent by name: "
            "define it in a module, or install cloudpickle"
        )
    # What comes back names the classes of the program by the name they have in the worker.
    sys.modules.setdefault("__mp_main__", sys.modules["__main__"])
    return WITH_MAIN + path.encode() + b"\0" + text


def _by_value(function: Callable[..., Any]) -> bytes:
    data = bytes(_values.dump(function))
    return BY_VALUE + blake2b(data, digest_size=DIGEST_BYTES).digest() + data


def _is_named(function: Callable[..., Any], module: str, name: str) -> bool:
    try:
        return _resolve(module, name) is function
    except (ImportError, AttributeError, ValueError):
        return False


def encode(function: Callable[..., Any]) -> bytes:
    """The text of a function."""
    module = getattr(function, "__module__", None)
    name = getattr(function, "__qualname__", None)
    if isinstance(module, str) and isinstance(name, str) and _is_named(function, module, name):
        text = BY_NAME + module.encode() + b"\0" + name.encode()
        if module != "__main__":
            return text
        return _by_value(function) if _values.has_cloudpickle() else with_main(text)
    text = _by_value(function)
    return with_main(text) if b"__main__" in text and not _values.has_cloudpickle() else text


class Texts:
    """The texts of functions, each made once; a function that is gone is forgotten."""

    def __init__(self, make: Callable[[Callable[..., Any]], Text]) -> None:
        self._make = make
        self._known: dict[int, tuple[weakref.ref[Any], Text]] = {}

    def of(self, function: Callable[..., Any]) -> Text:
        """The text of a function."""
        known = self._known.get(id(function))
        if known is not None and known[0]() is function:
            return known[1]
        text = self._make(function)
        try:
            weak = weakref.ref(function)
        except TypeError:  # a callable that cannot be watched
            return text
        if len(self._known) >= REMEMBERED:
            self._known.clear()
        self._known[id(function)] = (weak, text)
        return text

    def clear(self) -> None:
        """Forgets all."""
        self._known.clear()


def import_main(path: str) -> None:
    """Makes the program of a client the module __main__ of this worker."""
    main = sys.modules.get("__main__")
    if getattr(main, "__plm_path__", None) == path:
        return
    import types
    from importlib.util import module_from_spec, spec_from_file_location

    spec = spec_from_file_location("__mp_main__", path)
    if spec is None or spec.loader is None:
        raise ImportError(f"the main file of the program cannot be imported: {path}")
    module: types.ModuleType = module_from_spec(spec)
    module.__dict__["__plm_path__"] = path
    sys.modules["__mp_main__"] = sys.modules["__main__"] = module
    quiet, sys.dont_write_bytecode = sys.dont_write_bytecode, True  # as python PROGRAM itself
    try:
        spec.loader.exec_module(module)
    finally:
        sys.dont_write_bytecode = quiet


def after_main(text: bytes) -> bytes:
    """The text behind the path of the program, which is imported first."""
    if text[:1] != WITH_MAIN:
        return text
    path, _, inner = text[1:].partition(b"\0")
    import_main(path.decode())
    return inner


def _for_each(function: Callable[..., Any]) -> Callable[..., Any]:
    def run(rows: list[tuple[Any, ...]]) -> list[Any]:
        return [function(*row) for row in rows]

    return run


def decode(text: bytes) -> Callable[..., Any]:
    """The callable of a text, without an initializer in front."""
    kind, rest = text[:1], text[1:]
    if kind == BY_NAME:
        module, _, name = rest.partition(b"\0")
        found: Callable[..., Any] = _resolve(module.decode(), name.decode())
        return found
    if kind == BY_VALUE:
        value: Callable[..., Any] = _values.load(rest[DIGEST_BYTES:])
        return value
    if kind == WITH_MAIN:
        return decode(after_main(text))
    if kind == FOR_EACH:
        return _for_each(decode(rest))
    raise ValueError(f"not a function: it begins with {kind!r}")


def split_initializer(text: bytes) -> tuple[int, bytes, bytes]:
    """Number, pickle of the initializer, and the text behind; number 0: no initializer."""
    if text[:1] != AFTER_INITIALIZER:
        return 0, b"", text
    number = int.from_bytes(text[1:9], "little")
    length = int.from_bytes(text[9:13], "little")
    return number, text[13 : 13 + length], text[13 + length :]


def join_initializer(number: int, pickled: bytes, text: bytes) -> bytes:
    """The reverse of split_initializer()."""
    return (
        AFTER_INITIALIZER
        + number.to_bytes(8, "little")
        + len(pickled).to_bytes(4, "little")
        + pickled
        + text
    )
