"""The wheel: it installs into an empty environment, and needs nothing of this machine but the C
library."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path
from typing import ClassVar

import support

C_LIBRARY = (
    "linux-vdso",
    "libc.so",
    "libm.so",
    "libdl.so",
    "librt.so",
    "libpthread.so",
    "ld-linux",
)
PROGRAM = """
import sys
from plm import _core, _runtime
mine = sys.prefix
with open("/proc/self/maps", encoding="utf-8") as maps:
    loaded = {line.split()[-1] for line in maps if ".so" in line}
for name in ("liburcu", "libhwloc", "libnuma"):
    assert any(name in p for p in loaded), (name, loaded)
    assert all(p.startswith(mine) for p in loaded if name in p), (name, loaded)
print(_core.VERSION)
"""


def run(*words: str | Path, env: dict[str, str] | None = None) -> str:
    done = subprocess.run(words, capture_output=True, text=True, check=False, env=env)
    if done.returncode != 0:
        raise AssertionError(f"{words}: {done.stdout}{done.stderr}")
    return done.stdout


class Wheel(unittest.TestCase):
    home: ClassVar[tempfile.TemporaryDirectory[str]]
    wheel: ClassVar[Path]
    place: ClassVar[Path]
    env: ClassVar[dict[str, str]]

    @classmethod
    def setUpClass(cls) -> None:
        run("make", "-C", support.ROOT, f"PYTHON={sys.executable}", "wheel-parts")
        made = subprocess.run(
            ["make", "-C", support.ROOT, f"PYTHON={sys.executable}", "wheel"],
            capture_output=True,
            text=True,
            check=False,
        )
        if made.returncode != 0:  # setuptools is neither here nor to be had
            raise unittest.SkipTest(f"pip cannot build a wheel here: {made.stderr[-300:]}")
        cls.home = tempfile.TemporaryDirectory()
        cls.addClassCleanup(cls.home.cleanup)
        cls.wheel = max((support.ROOT / "build/release/wheel").glob("plm-*.whl"))
        cls.place = Path(cls.home.name) / "place"
        run(sys.executable, "-m", "venv", cls.place)
        run(cls.place / "bin/pip", "install", "--quiet", "--no-index", cls.wheel)
        cls.env = {k: v for k, v in os.environ.items() if k not in ("PYTHONPATH", "PLM_BIN")}

    def test_the_tag_says_every_python_from_3_11_on(self) -> None:
        self.assertIn("-cp311-abi3-linux_", self.wheel.name)

    def test_all_libraries_come_along(self) -> None:
        package = next(self.place.glob("lib/python*/site-packages/plm"))
        for file in (
            *package.glob("bin/*"),
            *package.glob("lib/*.so*"),
            package / "_core.abi3.so",
        ):
            # Libraries in the wheel are found by the programs that load them.
            env = {**self.env, "LD_LIBRARY_PATH": str(package / "lib")}
            for line in run("ldd", file, env=env).splitlines():
                if not line.strip().removeprefix("/lib64/").startswith(C_LIBRARY):
                    self.assertIn(str(package), line, file)

    def test_programs_and_package_work(self) -> None:
        self.assertEqual(
            run(self.place / "bin/plmctl", "--version", env=self.env).split()[1],
            run(self.place / "bin/python", "-c", PROGRAM, env=self.env).strip(),
        )
        name = f"core-wheel-{os.getpid()}"
        boot = [
            "--name",
            name,
            "--fresh",
            "--daemon",
            "--python",
            str(self.place / "bin/python"),
        ]
        run(self.place / "bin/plm", *boot, env=self.env)
        try:
            task = (
                "import os.path, plm\n"
                f"plm.connect({name!r})\n"
                "print(plm.get(plm.remote(os.path.join).remote('a', 'b')))\n"
            )
            said = run(self.place / "bin/python", "-c", task, env=self.env)
            self.assertEqual(said, "a/b\n")
        finally:
            run(self.place / "bin/plmctl", "--name", name, "stop", env=self.env)


if __name__ == "__main__":
    support.main()
