"""A private runtime: `plm --tied`, started by the program and ended with the program.

The runtime ends with the program, also when the program is killed. The workers write to the
standard output of the program. The programs of plm are found in the package, else in PATH.
"""

from __future__ import annotations

import atexit
import os
import select
import signal
import sys
import threading
import time

from . import _core

TYPE_CHECKING = False  # as in _values.py
if TYPE_CHECKING:
    from collections.abc import Sequence

BOOT_PATIENCE_S = 30.0
END_PATIENCE_S = 10.0
# Variables for the runtime of a user: its name, its number of workers, its journal, its fleet; and
# those of a make around the program.
NOT_FOR_A_PRIVATE_RUNTIME = (
    *("PLM_NAME", "PLM_WORKERS", "PLM_RESERVE_CORES", "PLM_STATE", "PLM_DURABILITY"),
    *("PLM_PYTHON", "PLM_PRELOAD", "PLM_FLEET", "MAKEFLAGS"),
)


def program(name: str) -> str:
    """The path of a program of plm."""
    here = os.path.dirname(os.path.realpath(__file__))
    places = [os.environ.get("PLM_BIN", ""), f"{here}/bin", *os.environ.get("PATH", "").split(":")]
    for place in filter(None, places):
        path = f"{place}/{name}"
        if os.access(path, os.X_OK):
            return path
    raise FileNotFoundError(
        f"the program {name} was not found: neither in the package nor in PATH; "
        "install plm, or set PLM_BIN to its directory"
    )


class Runtime:
    """A runtime started by this process."""

    def __init__(
        self,
        workers: int | None = None,
        *,
        preload: Sequence[str] = (),
        options: Sequence[str] = (),
        python: str | None = None,
    ) -> None:
        self.name = f"py-{os.getpid()}-{os.urandom(4).hex()}"
        self.owner = os.getpid()
        self.pid = 0
        self._pidfd = -1
        self._ending = threading.Lock()
        count = workers if workers is not None else len(os.sched_getaffinity(0))
        words = [
            program("plm"),
            *("--name", self.name, "--tied", "--fresh", "--quiet"),
            *("--workers", str(count), "--python", python or sys.executable),
            *options,
        ]
        if preload:
            words += ["--preload", ",".join(preload)]
        self._start(words)

    def _start(self, words: list[str]) -> None:
        ours, theirs = os.pipe()  # not inherited, but for the descriptor given below
        try:
            environment = {**os.environ, "PYTHONPATH": os.pathsep.join(p for p in sys.path if p)}
            for name in NOT_FOR_A_PRIVATE_RUNTIME:
                environment.pop(name, None)
            ready = 9
            self.pid = os.posix_spawn(
                words[0],
                [*words, "--ready", str(ready)],
                environment,
                file_actions=[
                    (os.POSIX_SPAWN_OPEN, 0, "/dev/null", os.O_RDONLY, 0),
                    (os.POSIX_SPAWN_DUP2, theirs, ready),
                ],
                setpgroup=0,  # a Ctrl-C at the terminal is for the program alone
                setsigmask=[],
                setsigdef=[signal.SIGINT, signal.SIGTERM, signal.SIGPIPE],
            )
            self._pidfd = os.pidfd_open(self.pid)
        finally:
            os.close(theirs)
        try:
            self._await_ready(ours)
        except BaseException:
            self.end()
            raise
        finally:
            os.close(ours)
        _own.append(self)

    def _await_ready(self, fd: int) -> None:
        deadline = time.monotonic() + BOOT_PATIENCE_S
        line = b""
        while not line.endswith(b"\n"):
            left = deadline - time.monotonic()
            if left <= 0 or not select.select([fd], [], [], left)[0]:
                raise _core.Error(110, f"plm was not ready within {BOOT_PATIENCE_S:.0f} s")
            more = os.read(fd, 4096)
            if not more:
                raise _core.Error(111, "plm could not boot: it wrote the reason above")
            line += more

    def ended(self) -> bool:
        """Tells whether the runtime has ended, by itself or by end()."""
        return self._pidfd < 0 or bool(select.select([self._pidfd], [], [], 0)[0])

    def end(self) -> None:
        """Ends the runtime at once, and waits for the end."""
        if self.owner == os.getpid():
            with self._ending:
                self._end_once()

    def _end_once(self) -> None:
        if self._pidfd < 0:
            return
        # Two signals of different kinds: two equal signals might merge.
        for number in (signal.SIGTERM, signal.SIGINT):
            self._signal(number)
        if not select.select([self._pidfd], [], [], END_PATIENCE_S)[0]:
            self._signal(signal.SIGKILL)
        try:
            os.waitpid(self.pid, 0)
        except ChildProcessError:  # the program waits for all children
            pass
        self._remove_files()
        os.close(self._pidfd)
        self._pidfd = -1
        if self in _own:
            _own.remove(self)

    def _remove_files(self) -> None:
        """A killed manager leaves the segments; the name is ours alone."""
        for kind in ("control", "store", "events", "lock"):
            try:
                os.unlink(f"/dev/shm/plm-{os.getuid()}-{self.name}.{kind}")
            except OSError:  # as usual: the manager has removed the file
                continue

    def _signal(self, number: int) -> None:
        try:
            signal.pidfd_send_signal(self._pidfd, number)
        except ProcessLookupError:
            return


_own: list[Runtime] = []
_default: Runtime | None = None


def boot() -> Runtime:
    """The runtime of this process for the functional face: booted once."""
    global _default
    if _default is None or _default._pidfd < 0 or _default.owner != os.getpid():
        _default = Runtime()
    return _default


@atexit.register
def _end_all() -> None:
    for runtime in list(_own):
        runtime.end()
