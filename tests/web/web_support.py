"""What the tests of plmweb share: a runtime, a server before it, requests, live frames."""

from __future__ import annotations

import contextlib
import ctypes
import http.client
import json
import os
import re
import signal
import socket
import sqlite3
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests" / "python"))

from support import PROGRAMS, ctl, main, runtime, segments, touch, until  # noqa: E402

__all__ = [
    "PROGRAMS",
    "ROOT",
    "SANITIZED",
    "Live",
    "Server",
    "call",
    "ctl",
    "lasting",
    "lengthen_history",
    "load_noops",
    "main",
    "ordered",
    "resident",
    "runtime",
    "segments",
    "serve",
    "tasks",
    "touch",
    "until",
    "world",
]

Json = Any
PATIENCE = 30.0


def end_with_parent() -> None:
    """In a child: a test that dies leaves no server behind."""
    pr_set_pdeathsig = 1
    ctypes.CDLL(None).prctl(pr_set_pdeathsig, signal.SIGKILL)


class Server:
    """A plmweb that listens on a free port, or on a unix socket."""

    def __init__(
        self,
        name: str | None,
        *options: str,
        listen: str = "127.0.0.1:0",
        under: Sequence[str] = (),
        killed_after: float | None = None,
    ) -> None:
        named = ["--name", name] if name else []  # a fleet has none
        words = [*under, str(PROGRAMS / "plmweb"), *named, "--listen", listen, *options]
        self.process = subprocess.Popen(
            words, stdout=subprocess.PIPE, text=True, preexec_fn=end_with_parent
        )
        if killed_after is not None:
            threading.Timer(killed_after, self.process.kill).start()
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        self.token = (re.findall(r"token=(\w+)", line) or [""])[0]
        found = re.search(r"http://(\S+?):(\d+)/", line)
        self.path = "" if found else listen.partition(":")[2]
        self.host, self.port = (found[1], int(found[2])) if found else ("localhost", 0)

    @property
    def url(self) -> str:
        """The address of the page."""
        return f"http://{self.host}:{self.port}/"

    def connect(self) -> socket.socket:
        """An open connection."""
        if self.path:
            s = socket.socket(socket.AF_UNIX)
            s.settimeout(PATIENCE)
            try:
                s.connect(self.path)
            except OSError:
                s.close()
                raise
            return s
        return socket.create_connection((self.host.strip("[]"), self.port), timeout=PATIENCE)

    def ask(
        self, path: str, method: str = "GET", body: bytes | None = None, **headers: str
    ) -> tuple[int, dict[str, str], bytes]:
        """Status, headers and body of one request; `_` in a name of a header stands for `-`."""
        connection = http.client.HTTPConnection(
            self.host.strip("[]"), self.port or 80, timeout=PATIENCE
        )
        connection.sock = self.connect()
        try:
            named = {key.replace("_", "-"): value for key, value in headers.items()}
            connection.request(method, path, body=body, headers=named)
            answer = connection.getresponse()
            fields = {key.lower(): value for key, value in answer.getheaders()}
            return answer.status, fields, answer.read()
        finally:
            connection.close()

    def get(self, what: str, **parameters: object) -> Json:
        """The JSON of /api/WHAT, which must succeed."""
        status, _, body = self.ask("/api/" + what + "?" + urlencode(parameters))
        assert status == 200, (status, body)
        return json.loads(body)

    def act(self, what: str, **parameters: object) -> tuple[int, Json]:
        """An action with the token."""
        path = "/api/" + what + "?" + urlencode(parameters)
        status, _, body = self.ask(path, "POST", Authorization="Bearer " + self.token)
        return status, json.loads(body)

    def raw(self, data: bytes) -> bytes:
        """All that the server answers to these bytes; b"" if it closes the connection."""
        with self.connect() as s:
            try:
                s.sendall(data)
                s.shutdown(socket.SHUT_WR)
                answer = b""
                while piece := s.recv(65536):
                    answer += piece
            except OSError:  # closed while we write
                return b""
            return answer

    def throw(self, data: bytes) -> None:
        """Sends bytes and leaves; the answer, if there is one, finds nobody."""
        with self.connect() as s, contextlib.suppress(ConnectionError):
            s.sendall(data)

    def status_of(self, data: bytes) -> int:
        """The status of the first answer to these bytes; 0: none."""
        found = re.match(rb"HTTP/1\.1 (\d+)", self.raw(data))
        return int(found[1]) if found else 0

    def end(self) -> int:
        """Ends the server by SIGTERM; returns the exit code."""
        if self.process.poll() is None:
            self.process.terminate()
        code = self.process.wait(PATIENCE)
        assert self.process.stdout is not None
        self.process.stdout.close()
        return code


@contextlib.contextmanager
def serve(name: str, *options: str, listen: str = "127.0.0.1:0") -> Iterator[Server]:
    """A server that ends with the block."""
    server = Server(name, *options, listen=listen)
    try:
        yield server
    finally:
        code = server.end()
        assert code in (0, -signal.SIGKILL), f"plmweb ended with {code}"


@contextlib.contextmanager
def world(name: str, *options: str) -> Iterator[tuple[str, Server, Path]]:
    """A runtime of two C workers, a server, and a directory."""
    with (
        tempfile.TemporaryDirectory(prefix="plm-test-") as directory,
        runtime(name, *options, python=None) as full,
        serve(full) as server,
    ):
        yield full, server, Path(directory)


class Boot:
    """A runtime that outlives its manager: each call begins another manager."""

    def __init__(self, name: str) -> None:
        self.words = [str(PROGRAMS / "plm"), "--name", name, "--workers", "2"]
        self.managers: list[subprocess.Popen[str]] = []

    def kill(self) -> None:
        """Kills the manager, which stays a zombie until the next call."""
        self.managers[-1].kill()

    def __call__(self, *options: str) -> None:
        self.reap()
        process = subprocess.Popen(
            [*self.words, *options],
            stdout=subprocess.PIPE,
            text=True,
            preexec_fn=end_with_parent,
        )
        self.managers.append(process)
        assert process.stdout is not None
        line = process.stdout.readline()
        assert "ready" in line, line

    def reap(self) -> None:
        """Ends all managers."""
        for manager in self.managers:
            if manager.poll() is None:
                manager.kill()
            manager.wait()
            assert manager.stdout is not None
            manager.stdout.close()


@contextlib.contextmanager
def lasting(name: str) -> Iterator[tuple[str, Boot]]:
    """The name of a runtime, and the call that replaces its manager."""
    name = f"test-{os.getpid()}-{name}"
    boot = Boot(name)
    try:
        boot("--fresh")
        yield name, boot
    finally:
        if boot.managers[-1].poll() is not None:
            boot()
        ctl("stop", "--now", name=name)
        boot.reap()
    assert not segments(name), segments(name)


def call(name: str, *words: str) -> str:
    """Submits a function or, behind `--`, a command; returns the reference."""
    verb = "submit" if "--" in words else "call"
    printed = ctl(verb, "--detach", *words, name=name).strip()
    if not printed.startswith("@"):
        raise AssertionError(printed)
    return printed.split()[0]


def tasks(server: Server, **query: object) -> Iterator[Any]:
    """All tasks that the API lists, page by page."""
    cursor = 0
    while True:
        page = server.get("tasks", cursor=cursor, **query)
        yield from page["tasks"]
        cursor = page["cursor"]
        if page["end"]:
            return


def ordered(server: Server, limit: int, **query: object) -> Iterator[list[Any]]:
    """The pages of an order, each merged from the answers of one pass over the records."""
    after: dict[str, str] = {}
    while True:
        page: list[Any] = []
        matched, cursor, end = 0, 0, False
        while not end:
            answer = server.get("tasks", cursor=cursor, limit=limit, **after, **query)
            page += answer["tasks"]
            matched += answer["matched"]
            after = {"after": answer["after"]}
            cursor, end = answer["cursor"], answer["end"]
        page.sort(key=lambda task: -int(task["place"].split(".")[1]))
        page = page[:limit]
        yield page
        if matched <= limit:
            return
        after = {"after": page[-1]["place"]}


def load_noops(name: str, tasks: Iterable[dict[str, object]]) -> None:
    """Submits calls of a function that does nothing, with these further keys of a task's line."""
    with tempfile.NamedTemporaryFile("w", suffix=".jsonl") as file:
        for task in tasks:
            file.write(json.dumps({"func": "probe.noop", **task}) + "\n")
        file.flush()
        ctl("load", file.name, name=name)


def lengthen_history(state: str, rows: int) -> None:
    """Puts copies of the newest task in front of all tasks of a journal that nobody writes."""
    with contextlib.closing(sqlite3.connect(Path(state) / "journal.db")) as db, db:
        columns = [row[1] for row in db.execute("PRAGMA table_info(task)") if row[1] != "id"]
        copied = ",".join(columns)
        db.execute(
            "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?)"
            f" INSERT INTO task(id, {copied}) SELECT newest + i, {copied} FROM n,"
            " (SELECT max(id) AS newest FROM task), task WHERE id = newest",
            (rows,),
        )


class Live:
    """The events of /api/live."""

    def __init__(
        self, server: Server, *, stream: bool = False, small: bool = False, **headers: str
    ) -> None:
        self.socket = server.connect()
        if small:  # the kernel keeps little for us
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        self.sequence = 0  # of the last event that has a number
        lines = [f"GET /api/live?stream={int(stream)} HTTP/1.0", f"Host: {server.host}"]
        lines += [f"{key.replace('_', '-')}: {value}" for key, value in headers.items()]
        self.file = self.socket.makefile("rb")
        try:
            self.socket.sendall("\r\n".join([*lines, "", ""]).encode())
            while self.file.readline().strip():
                pass
        except OSError:
            self.close()
            raise

    def next(self, kind: str = "message") -> Json:
        """The next event of this kind."""
        event = "message"
        while line := self.file.readline():
            text = line.decode().rstrip("\n")
            if text.startswith("id: "):
                self.sequence = int(text.rpartition(".")[2])
            elif text.startswith("event: "):
                event = text[7:]
            elif text.startswith("data: "):
                if event == kind:
                    return json.loads(text[6:])
                event = "message"
        raise ConnectionError("the stream has ended")

    def close(self) -> None:
        """Leaves."""
        self.file.close()
        self.socket.close()

    def __enter__(self) -> Live:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


# Of a build with AddressSanitizer, whose memory is not ours, and which cannot be traced.
SANITIZED = PROGRAMS.name == "asan"


def resident(pid: int) -> int:
    """Resident memory of a process in bytes, without the shared memory of the runtime."""
    status = Path(f"/proc/{pid}/status").read_text(encoding="ascii")
    kib = {key: int(value) for key, value in re.findall(r"(Rss\w+):\s+(\d+)", status)}
    return 1024 * (kib["RssAnon"] + kib["RssFile"])


def other_user() -> None:
    """Becomes nobody, for a child of root."""
    os.setgroups([])
    os.setgid(65534)
    os.setuid(65534)
