"""Builds the package: `make` makes the extension, the programs and the libraries that they need.

The version and everything else that does not need a program stands in pyproject.toml.
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path

from setuptools import Distribution, setup
from setuptools.command.build_py import build_py

ROOT = Path(__file__).resolve().parent.parent
PARTS = ROOT / "build" / "release" / "wheel-parts" / "plm"


class BuildWithMake(build_py):
    """Adds to the Python files what make builds (the target wheel-parts)."""

    def run(self) -> None:
        super().run()
        jobs = f"-j{len(os.sched_getaffinity(0))}"
        environment = {k: v for k, v in os.environ.items() if not k.startswith("MAKE")}
        words = ["VARIANT=release", f"PYTHON={sys.executable}", "wheel-parts"]
        subprocess.run(["make", "-C", ROOT, jobs, *words], check=True, env=environment)
        shutil.copytree(PARTS, Path(self.build_lib) / "plm", dirs_exist_ok=True)


class WithPrograms(Distribution):
    """A wheel for this kind of machine, for each CPython from 3.11 on."""

    def has_ext_modules(self) -> bool:
        return True


setup(
    cmdclass={"build_py": BuildWithMake},
    distclass=WithPrograms,
    options={"bdist_wheel": {"py_limited_api": "cp311"}},
)
