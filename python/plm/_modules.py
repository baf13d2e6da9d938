"""Python files as modules of a runtime: `plm --python python3 --module tools.py`.

Each public function of the file is a function of the runtime, "tools.add", for C programs, plmctl
and Python alike. Such a function gets its arguments as bytes (values of futures as read-only
views), and returns bytes, text, a buffer or None. A file with __all__ says itself what is public.

Where: `main` in a process of the loader, which tells the manager the names; `run_named` in workers.
"""

from __future__ import annotations

import os
import sys

from . import _core

TYPE_CHECKING = False  # as in _values.py
if TYPE_CHECKING:
    from collections.abc import Callable
    from types import ModuleType
    from typing import Any

ANSWER = 3  # the descriptor for the names (manager/loader_python.c)
_files: dict[str, ModuleType] = {}


def _load(path: str) -> ModuleType:
    known = _files.get(path)
    if known is not None:
        return known
    from importlib.util import module_from_spec, spec_from_file_location

    folder, file = os.path.split(path)
    name = file.removesuffix(".py")
    spec = spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise ImportError(f"{path} is no Python file")
    module = module_from_spec(spec)
    if folder not in sys.path:
        sys.path.append(folder)  # the file may import its neighbours
    sys.modules.setdefault(name, module)
    try:
        spec.loader.exec_module(module)
    except BaseException:
        if sys.modules.get(name) is module:
            del sys.modules[name]
        raise
    _files[path] = module
    return module


def _functions(module: ModuleType) -> dict[str, Callable[..., Any]]:
    """What the file defines itself, or names in __all__, and can be called."""
    listed: list[str] | None = getattr(module, "__all__", None)
    names = listed if listed is not None else [n for n in vars(module) if not n.startswith("_")]
    found: dict[str, Callable[..., Any]] = {}
    for name in names:
        value = getattr(module, name)
        function = getattr(value, "__plm_function__", value)  # of @plm.remote
        ours = listed is not None or getattr(function, "__module__", None) == module.__name__
        if callable(function) and not isinstance(function, type) and ours:
            found[name] = function
    return found


def run_named(call: _core.Call) -> None:
    """Runs a function of a Python file for a task."""
    name = call.function.partition(".")[2]
    function = _functions(_load(call.path)).get(name)
    if function is None:
        raise AttributeError(
            f"{call.path} has no function {name!r} any more: restart the runtime after a change"
        )
    result = function(*(_argument(call.arg(i)) for i in range(call.nargs)))
    if isinstance(result, str):
        result = result.encode()
    if result is None:
        result = b""
    try:
        view = memoryview(result)
    except TypeError:
        raise TypeError(
            f"{call.function} returned {type(result).__name__}: a function of a module returns "
            "bytes, text, a buffer or None"
        ) from None
    call.reply(view)


def _argument(data: bytes | _core.View) -> bytes | memoryview:
    return data if isinstance(data, bytes) else memoryview(data)


def main() -> None:
    """Tells the manager the functions of the file that the command line names."""
    try:
        functions = _functions(_load(sys.argv[1]))
    except BaseException as error:
        import traceback

        traceback.print_exc()
        words = traceback.format_exception_only(type(error), error)[-1].strip()
        answer = "\t" + words.replace("\n", " ")[:300]
    else:
        answer = "".join(
            f"{name}\t{(function.__doc__ or '').strip().partition(chr(10))[0]}\n"
            for name, function in functions.items()
        )
    with open(ANSWER, "w", closefd=False) as out:
        out.write(answer)
