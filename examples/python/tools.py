"""A Python file as a module of a runtime: its functions are called by name, also from C and shell.

    plm --daemon --python python3 --module examples/python/tools.py
    plmctl call tools.upper "hello"
    plmctl call tools.lines "$(plmctl put README.md)"

Arguments are bytes; the value of a future is a view of the store. Results are bytes or text.
"""

from __future__ import annotations


def upper(text: bytes | memoryview) -> bytes:
    """TEXT: in capital letters"""
    return bytes(text).upper()


def lines(text: bytes | memoryview) -> str:
    """TEXT: the number of lines"""
    return str(bytes(text).count(b"\n"))
