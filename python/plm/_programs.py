"""The programs plm, plmctl and plmdump of an installed package, as commands of its environment."""

from __future__ import annotations

import os
import sys
from typing import NoReturn


def _run(name: str) -> NoReturn:
    program = os.path.join(os.path.dirname(__file__), "bin", name)
    try:
        os.execv(program, [name, *sys.argv[1:]])
    except OSError as error:
        sys.exit(f"{name}: {program}: {error.strerror}")


def plm() -> NoReturn:
    """A runtime."""
    _run("plm")


def plmctl() -> NoReturn:
    """The command line client."""
    _run("plmctl")


def plmdump() -> NoReturn:
    """The checker."""
    _run("plmdump")
