"""What the Python tests share: where the package and the programs are, runtimes, leftovers."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import unittest
from collections.abc import Iterator
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
def runtime(
    name: str, *options: str, python: str | None = sys.executable
) -> Iterator[str]:
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


def script(
    text: str, *words: str, check: bool = True
) -> subprocess.CompletedProcess[str]:
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


def main() -> None:
    """Runs the tests of the calling module."""
    unittest.main(verbosity=2)
