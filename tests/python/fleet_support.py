"""A fleet for tests in Python: a Redis of the test's own, and plmctl on it."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile

import support
from support import until

# Debian's redis-tools brings the server under the name of a checker; argv[0] tells which is meant.
SERVERS = ("redis-server", "valkey-server", "redis-check-rdb")
SERVER = next((p for p in map(shutil.which, SERVERS) if p), None)


class Fleet:
    """A Redis of the test's own."""

    def __init__(self) -> None:
        assert SERVER is not None
        self.folder = tempfile.mkdtemp(prefix="plm-fleet-")
        self.socket = os.path.join(self.folder, "redis.sock")
        self.url = f"unix://{self.socket}?queue=test&lease=3s"
        words = ["redis-server", "--port", "0", "--unixsocket", self.socket, "--save", ""]
        self.words = [*words, "--dir", self.folder, "--appendonly", "yes"]
        self.begin()

    def begin(self) -> None:
        """Starts Redis, at first or after kill()."""
        self.process = subprocess.Popen(self.words, executable=SERVER, stdout=subprocess.DEVNULL)
        until(lambda: self.ask("ping") == "PONG", "Redis answers")

    def kill(self) -> None:
        """Redis dies, and leaves its file."""
        self.process.kill()
        self.process.wait()

    def ask(self, *words: str) -> str:
        done = subprocess.run(
            ["redis-cli", "-s", self.socket, *words], capture_output=True, text=True, check=False
        )
        return done.stdout.strip()

    def tasks(self) -> int:
        return len(self.ask("keys", "plm:{test}:t:*").split())

    def end(self) -> None:
        self.kill()
        shutil.rmtree(self.folder)


def ctl(fleet: Fleet, *words: str) -> str:
    done = subprocess.run(
        [support.PROGRAMS / "plmctl", "--fleet", fleet.url, *words],
        capture_output=True,
        text=True,
        check=False,
    )
    return done.stdout + done.stderr
