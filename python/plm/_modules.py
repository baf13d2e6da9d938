"""Python files as modules of a runtime: `plm --python python3 --module tools.py`.

Each public function of the file is a function of the runtime, "tools.add", for C programs, plmctl
and Python alike. Such a function gets its arguments as bytes (values of futures as read-only
views), and returns bytes, text, a buffer or None.

Where: `exports` in a process of the loader, which tells the manager the names; `run_named` in
workers.
"""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

from . import _core

_files: dict[str, ModuleType] = {}


def _load(path: str) -> ModuleType:
    known = _files.get(path)
    if known is None:
        from importlib.util import module_from_spec, spec_from_file_location

        name = Path(path).stem
        spec = spec_from_file_location(name, path)
        if spec is None or spec.loader is None:
            raise ImportError(f"{path} is no Python file")
        known = module_from_spec(spec)
        sys.modules.setdefault(name, known)
        spec.loader.exec_module(known)
        _files[path] = known
    return known


def _functions(module: ModuleType) -> dict[str, Callable[..., Any]]:
    listed = getattr(module, "__all__", None)
    names = listed if listed is not None else [n for n in vars(module) if not n.startswith("_")]
    found = {}
    for name in names:
        value = getattr(module, name)
        function = getattr(value, "__plm_function__", value)
        ours = listed is not None or getattr(function, "__module__", None) == module.__name__
        if inspect.isroutine(function) and ours:
            found[name] = function
    return found


def run_named(call: _core.Call) -> None:
    """Runs a function of a Python file for a task."""
    function = _functions(_load(call.path))[call.function.partition(".")[2]]
    result = function(*(call.arg(i) for i in range(call.nargs)))
    if isinstance(result, str):
        result = result.encode()
    if result is not None:
        call.reply(result)


def exports(path: str) -> None:
    """Prints the functions of a file, a line each: the name, a tab, the first line of its help."""
    for name, function in _functions(_load(path)).items():
        words = (inspect.getdoc(function) or "").partition("\n")[0]
        print(f"{name}\t{words}")


if __name__ == "__main__":
    exports(sys.argv[1])
