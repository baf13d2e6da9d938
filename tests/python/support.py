"""What the Python tests share: where the package and the programs are, runtimes, leftovers."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import time
import unittest
from collections.abc import Callable, Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = Path(os.environ.get("PLM_PACKAGE", ROOT / "build" / "release" / "python"))
PROGRAMS = Path(os.environ.get("PLM_BIN", ROOT)).resolve()
SHM = Path("/dev/shm")

os.environ["PLM_BIN"] = str(PROGRAMS)
os.environ["PYTHONPATH"] = os.pathsep.join([str(PACKAGE), str(Path(__file__).parent)])
sys.path.insert(0, str(PACKAGE))
for _name in ("PLM_NAME", "MAKEFLAGS"):
    os.environ.pop(_name, None)


class Point:
    """A class that workers can import."""

    def __init__(self, x: int) -> None:
        self.x = x

    def plus(self, y: int) -> int:
        return self.x + y


def segments(name: str) -> list[str]:
    """The files of a runtime in /dev/shm."""
    return [p.name for p in SHM.glob(f"plm-{os.getuid()}-{name}*")]


def ctl(*words: str, name: str) -> str:
    """What plmctl prints."""
    done = subprocess.run(
        [PROGRAMS / "plmctl", "--name", name, *words],
        capture_output=True,
        text=True,
        check=False,
    )
    return done.stdout + done.stderr


@contextlib.contextmanager
def runtime(name: str, *options: str, python: str | None = sys.executable) -> Iterator[str]:
    """A runtime with two Python workers, stopped at the end."""
    name = f"test-{os.getpid()}-{name}"
    words = [str(PROGRAMS / "plm"), "--name", name, "--fresh", "--tied", *options]
    if python is not None:
        words += ["--python", python]
    if "--workers" not in options:
        words += ["--workers", "2"]
    process = subprocess.Popen(words, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    try:
        line = process.stdout.readline()
        if "ready" not in line:
            raise AssertionError(f"plm did not boot: {line!r}")
        yield name
    finally:
        process.terminate()
        process.send_signal(2)
        process.stdout.close()
        process.wait()
    left = segments(name)
    if left:
        raise AssertionError(f"left in /dev/shm: {left}")


def script(text: str, *words: str, check: bool = True) -> subprocess.CompletedProcess[str]:
    """Runs a program of its own with the package."""
    done = subprocess.run(
        [sys.executable, "-X", "dev", "-c", text, *words],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    if check and done.returncode != 0:
        raise AssertionError(f"exit code {done.returncode}: {done.stdout}{done.stderr}")
    return done


def until(true: Callable[[], object], what: str, patience: float = 30.0) -> None:
    """Waits until a condition holds; fails after a patience that only a hang outlives."""
    deadline = time.monotonic() + patience
    while not true():
        if time.monotonic() > deadline:
            raise AssertionError(f"not so after {patience:.0f} s: {what}")
        time.sleep(0.005)


def wait_for_file(path: str, patience: float = 30.0) -> str:
    """A task that runs until a file is there: the test decides when the task ends."""
    until(lambda: os.path.exists(path), f"the file {path} is there", patience)
    return path


def touch(path: str) -> None:
    """Makes an empty file."""
    with open(path, "w", encoding="ascii"):
        pass


def append(path: str, text: str) -> None:
    """Adds a line to a file by one write, so lines of several processes stay whole."""
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    os.write(fd, text.encode() + b"\n")
    os.close(fd)


def lines(path: str) -> list[str]:
    """The lines of a file; none if there is no such file."""
    try:
        with open(path, encoding="utf-8") as file:
            return file.read().splitlines()
    except FileNotFoundError:
        return []


def children() -> list[int]:
    """The processes whose parent is this one, also those that nobody has waited for."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            parent = stat.read_text().rpartition(")")[2].split()[1]
        except OSError:
            continue
        if int(parent) == os.getpid():
            found.append(int(stat.parent.name))
    return found


def main() -> None:
    """Runs the tests of the calling module."""
    unittest.main(verbosity=2)
