"""plmweb and its peers: who is let in, what bytes do, what happens when the runtime goes."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import random
import re
import shutil
import signal
import socket
import stat
import subprocess
import tempfile
import threading
import time
import unittest
from pathlib import Path

from web_support import (
    PROGRAMS,
    SANITIZED,
    Live,
    Server,
    ctl,
    main,
    other_user,
    resident,
    runtime,
    segments,
    serve,
    until,
    world,
)

PAGE_BYTES_MOST = 150 << 10
RESIDENT_MOST = 20 << 20


class Guard(unittest.TestCase):
    """Who may ask, and for what."""

    server: Server
    name: str

    @classmethod
    def setUpClass(cls) -> None:
        cls.enterClassContext(tempfile.TemporaryDirectory(prefix="plm-test-"))
        cls.name, cls.server, _ = cls.enterClassContext(world("guard"))

    def test_the_page_is_small_whole_and_strict(self) -> None:
        total = 0
        page = self.server.ask("/")[2].decode()
        files = sorted(set(re.findall(r'(?:href|src)="(/[^"]+)"', page)))
        self.assertGreater(len(files), 5)
        for path in ["/", *files]:
            status, headers, body = self.server.ask(path)
            self.assertEqual(status, 200, path)
            self.assertIn("default-src 'none'", headers["content-security-policy"])
            self.assertNotIn("unsafe", headers["content-security-policy"])
            self.assertEqual(headers["x-content-type-options"], "nosniff")
            self.assertEqual(headers["x-frame-options"], "DENY")
            total += len(body)
            if path != "/uplot.js":
                self.assertNotRegex(body, rb"https?://(?!www\.w3\.org/2000/svg)")
        self.assertLess(total, PAGE_BYTES_MOST)
        status, _, body = self.server.ask("/", "HEAD")
        self.assertEqual((status, body), (200, b""))

    def test_the_host_must_be_ours(self) -> None:
        for host in ("127.0.0.1", "localhost:1", "[::1]:4756", "10.0.0.1:80", "LocalHost:4756"):
            self.assertEqual(self.server.ask("/api/status", Host=host)[0], 200, host)
        evil = [
            "evil.example",
            "localhost.evil.example",
            "127.0.0.1.evil.example",
            "[::1",
            "[::1]x",
        ]
        evil += ["", ":80", "localhost:80:80", "localhost:x", "evil.example:4756", "127.1", "[]"]
        for host in evil:
            self.assertEqual(self.server.ask("/api/status", Host=host)[0], 421, host)
        self.assertEqual(self.server.status_of(b"GET / HTTP/1.0\r\n\r\n"), 421)
        with serve(self.name, "--host", "board.example") as named:
            self.assertEqual(named.ask("/", Host="Board.Example:443")[0], 200)
            self.assertEqual(named.ask("/", Host="bored.example")[0], 421)

    def test_pages_of_other_sites_get_nothing(self) -> None:
        ask = self.server.ask
        for site in ("cross-site", "same-site"):
            self.assertEqual(ask("/api/status", Sec_Fetch_Site=site)[0], 403)
            self.assertEqual(ask("/metrics", Sec_Fetch_Site=site)[0], 403)
            followed = ask("/", Sec_Fetch_Site=site, Sec_Fetch_Mode="navigate")
            self.assertEqual(followed[0], 200)
        self.assertEqual(ask("/api/status", Sec_Fetch_Site="same-origin")[0], 200)
        self.assertEqual(ask("/api/status", Origin="http://evil.example")[0], 403)
        self.assertEqual(ask("/api/status", Origin="null")[0], 403)
        bearer = "Bearer " + self.server.token
        forged = ask("/api/pause", "POST", Authorization=bearer, Origin="http://evil.example")
        self.assertEqual(forged[0], 403)
        self.assertFalse(self.server.get("status")["paused"])

    def test_an_action_needs_the_token(self) -> None:
        ask, right = self.server.ask, "Bearer " + self.server.token
        self.assertEqual(ask("/api/pause", "POST")[0], 401)
        for wrong in ("Bearer ", "Bearer 0", right[:-1], right + "0", "Basic " + right[7:]):
            self.assertEqual(ask("/api/pause", "POST", Authorization=wrong)[0], 401, wrong)
        self.assertFalse(self.server.get("status")["paused"])
        self.assertEqual(ask("/api/pause", Authorization=right)[0], 405)
        self.assertEqual(ask("/api/status", "POST", Authorization=right)[0], 405)
        self.assertEqual(ask("/", "DELETE")[0], 405)
        self.assertEqual(self.server.act("pause")[0], 200)
        self.assertTrue(self.server.get("status")["paused"])
        self.assertEqual(self.server.act("resume")[0], 200)
        self.assertFalse(self.server.get("status")["paused"])

    def test_read_only_means_no_action(self) -> None:
        with serve(self.name, "--read-only") as server:
            for token in (self.server.token, server.token):
                answer = server.ask("/api/pause", "POST", Authorization="Bearer " + token)
                self.assertEqual(answer[0], 403)
            self.assertEqual(server.token, "")

    def test_no_path_leaves_the_page(self) -> None:
        for path in (
            "/../Makefile",
            "/..%2f..%2f..%2fetc/passwd",
            "//etc/passwd",
            "/etc/passwd",
            "/api/../plm.js",
            "/plm.js/",
            "/%2e%2e/web/README.md",
            "http://evil.example/",
            "/uplot.LICENSE",
        ):
            request = f"GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
            answer = self.server.raw(request.encode())
            self.assertRegex(answer[:20], rb"^HTTP/1\.1 4\d\d", path)
            self.assertNotIn(b"root:", answer)

    def codes_of_nobody(self, url: str) -> list[str]:
        """The statuses that another user gets."""
        if os.geteuid() != 0:
            self.skipTest("only root can become another user")
        text = (
            "import sys, urllib.request, urllib.error\n"
            "for path in sys.argv[2:]:\n"
            "    try: print(urllib.request.urlopen(sys.argv[1] + path).status)\n"
            "    except urllib.error.HTTPError as error: print(error.code)\n"
        )
        words = ["/usr/bin/python3", "-c", text, url, "", "api/status", "metrics", "healthz"]
        done = subprocess.run(
            words, preexec_fn=other_user, capture_output=True, text=True, check=True, cwd="/"
        )
        return done.stdout.split()

    def test_other_users_get_metrics_alone(self) -> None:
        self.assertEqual(self.codes_of_nobody(self.server.url), ["403", "403", "200", "200"])
        with serve(self.name, "--any-user") as server:
            self.assertEqual(self.codes_of_nobody(server.url), ["200"] * 4)

    def test_users_are_known_without_sock_diag(self) -> None:
        if SANITIZED or not shutil.which("strace"):
            self.skipTest("strace is not installed, or the build cannot be traced")
        # The first socket listens, and each later one would ask the kernel for a user.
        trace = ["strace", "-D", "-f", "-qq", "-o", "/dev/null", "-e", "trace=socket"]
        trace += ["-e", "inject=socket:error=EPROTONOSUPPORT:when=2+"]
        for listen in ("127.0.0.1:0", "[::1]:0"):
            server = Server(self.name, listen=listen, under=trace)
            try:
                self.assertEqual(server.get("status")["state"], "up")
                codes = self.codes_of_nobody(server.url)
                self.assertEqual(codes, ["403", "403", "200", "200"])
            finally:
                server.end()

    def test_a_unix_socket_is_private_and_replaced(self) -> None:
        with tempfile.TemporaryDirectory(prefix="plm-test-") as directory:
            path = directory + "/web.sock"
            first = Server(self.name, listen="unix:" + path)
            self.assertEqual(stat.S_IMODE(os.stat(path).st_mode) & 0o077, 0)
            self.assertEqual(first.get("status")["state"], "up")
            second = Server(self.name, listen="unix:" + path)
            self.assertEqual(second.process.wait(), 125, "the socket is in use")
            second.end()
            first.process.kill()
            first.end()
            with serve(self.name, listen="unix:" + path) as third:
                self.assertEqual(third.get("status")["state"], "up")
            self.assertFalse(os.path.exists(path))

    def test_wrong_options_are_named(self) -> None:
        wrong = [["--listen", "here"], ["--listen", "1.2.3:4"], ["--nonsense"], ["operand"]]
        for words in [*wrong, ["--name", "a/b"], ["--name", "no such"], ["--name", "\x1b[31m"]]:
            done = subprocess.run(
                [PROGRAMS / "plmweb", *words],
                capture_output=True,
                text=True,
                check=False,
                timeout=30,
            )
            self.assertEqual(done.returncode, 64, words)
            self.assertIn("plmweb: ", done.stderr)
        taken = subprocess.run(
            [PROGRAMS / "plmweb", "--listen", f"127.0.0.1:{self.server.port}"],
            capture_output=True,
            text=True,
            check=False,
        )
        self.assertEqual(taken.returncode, 125)
        self.assertIn("in use", taken.stderr)

    def test_plmctl_web_is_plmweb(self) -> None:
        process = subprocess.Popen(
            [PROGRAMS / "plmctl", "--name", self.name, "web", "--listen", "127.0.0.1:0"],
            stdout=subprocess.PIPE,
            text=True,
        )
        assert process.stdout is not None
        self.assertRegex(process.stdout.readline(), r"^plmweb: http://127\.0\.0\.1:\d+/#token=\w+$")
        process.terminate()
        self.assertEqual(process.wait(), 0)
        process.stdout.close()

    def test_plmctl_web_without_plmweb_says_what_to_do(self) -> None:
        with tempfile.TemporaryDirectory(prefix="plm-test-") as directory:
            alone = shutil.copy(PROGRAMS / "plmctl", directory)
            done = subprocess.run(
                [alone, "--name", self.name, "web"],
                capture_output=True,
                text=True,
                check=False,
                env={"PATH": directory},
            )
        self.assertEqual((done.returncode, done.stdout), (125, ""))
        for word in ("no plmweb", "make install", "Debian package", "docs/python.md"):
            self.assertIn(word, done.stderr)


class Bytes(unittest.TestCase):
    """Any bytes, any number of peers, however slow: the server goes on."""

    server: Server

    @classmethod
    def setUpClass(cls) -> None:
        _, cls.server, _ = cls.enterClassContext(world("bytes"))

    def tearDown(self) -> None:
        self.assertEqual(self.server.get("status")["state"], "up")
        self.assertIsNone(self.server.process.poll())

    def test_huge_headers_and_bodies_are_refused(self) -> None:
        head = b"GET / HTTP/1.1\r\nHost: localhost\r\n"
        self.assertIn(self.server.status_of(head + b"X: " + b"x" * 100_000 + b"\r\n\r\n"), (0, 431))
        self.assertIn(self.server.status_of(head + b"X: y\r\n" * 20_000 + b"\r\n"), (0, 431))
        long = b"GET /" + b"a" * 100_000 + b" HTTP/1.1\r\nHost: localhost\r\n\r\n"
        self.assertIn(self.server.status_of(long), (0, 414, 431))
        query = "/api/tasks?q=" + "x" * 2000
        self.assertEqual(self.server.ask(query)[0], 400)
        bearer = f"Authorization: Bearer {self.server.token}\r\n".encode()
        for post in (
            b"Content-Length: 99999999999999999999\r\n\r\n",
            b"Content-Length: -1\r\n\r\n",
            b"Content-Length: 100000\r\n\r\n" + b"x" * 100_000,
            b"Transfer-Encoding: chunked\r\n\r\nfffffffffffffffff\r\n",
        ):
            status = self.server.status_of(
                b"POST /api/pause HTTP/1.1\r\nHost: localhost\r\n" + bearer + post
            )
            self.assertIn(status, (0, 400, 413), post[:40])
        self.assertFalse(self.server.get("status")["paused"])

    def test_random_bytes_never_end_the_server(self) -> None:
        seed = int(os.environ.get("PLM_WEB_SEED", time.time_ns()))
        print(f"PLM_WEB_SEED={seed}")
        chance = random.Random(seed)
        pieces = [b"GET ", b"POST ", b"/api/tasks", b"?", b"=", b"&", b"%", b"%00", b" HTTP/1.1"]
        pieces += [b"\r\n", b"\r\n\r\n", b"Host: localhost", b"Host:", b"\0", b"cursor", b"limit"]
        pieces += [
            b"state",
            b"@1.2.3",
            b"ref",
            b"Content-Length: 5",
            b"sort",
            b"18446744073709551616",
        ]
        for _ in range(400):
            data = b"".join(
                chance.choice(pieces) if chance.random() < 0.8 else chance.randbytes(3)
                for _ in range(chance.randrange(1, 30))
            )
            self.server.throw(data)

    def test_valid_requests_with_wrong_bytes(self) -> None:
        seed = int(os.environ.get("PLM_WEB_SEED", time.time_ns()))
        print(f"PLM_WEB_SEED={seed}")
        chance = random.Random(seed)
        head = b" HTTP/1.1\r\nHost: localhost\r\n"
        token = f"Authorization: Bearer {self.server.token}\r\n".encode()
        paths = ["/", "/metrics", "/healthz", "/api/live?stream=1", "/api/tasks?sort=run"]
        paths += [
            "/api/task?ref=@1.2.3",
            "/api/output?ref=@1.2.3&stream=2&offset=9",
            "/api/objects",
        ]
        paths += ["/api/history?before=7&state=done", "/api/events?ref=@0.0.0", "/api/functions"]
        requests = [b"GET " + path.encode() + head + b"\r\n" for path in paths]
        requests.append(b"POST /api/worker/drain?worker=99" + head + token + b"\r\n")
        requests.append(
            b"POST /api/cancel?ref=@1.9.9"
            + head
            + token
            + b"Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n"
        )
        for _ in range(600):
            data = bytearray(b"".join(chance.choices(requests, k=chance.randrange(1, 4))))
            for _ in range(chance.randrange(8)):
                at = chance.randrange(len(data))
                change = chance.randrange(3)
                if change == 0:
                    data[at] = chance.randrange(256)
                elif change == 1:
                    del data[at : at + chance.randrange(9)]
                else:
                    data[at:at] = data[at : at + 16] * chance.randrange(300)
                data = data or bytearray(b" ")
            self.server.throw(bytes(data))

    def test_wrong_words_of_a_query_are_named(self) -> None:
        for path in (
            "tasks?state=nonsense",
            "tasks?cursor=-1",
            "tasks?limit=0",
            "tasks?limit=1001",
            "tasks?sort=colour",
            "tasks?worker=x",
            "task",
            "task?ref=nonsense",
            "output?ref=@1.2.3&stream=3",
            "objects?limit=18446744073709551616",
            "history?state=nonsense",
        ):
            status, _, body = self.server.ask("/api/" + path)
            self.assertIn(status, (400, 404), path)
            self.assertTrue(json.loads(body)["error"], path)
        self.assertEqual(self.server.ask("/api/task?ref=@1.2.3")[0], 404)

    def test_half_open_connections_do_not_stop_others(self) -> None:
        half = [self.server.connect() for _ in range(200)]
        for i, s in enumerate(half):
            s.sendall(b"GET / HTTP/1.1\r\nHost: loc"[: i % 26])
        self.assertEqual(self.server.ask("/")[0], 200)
        for s in half:
            s.close()

    def test_a_page_that_comes_back_begins_anew(self) -> None:
        with Live(self.server, Last_Event_ID="ffff.99999999999999999999") as live:
            self.assertIsInstance(live.next("history"), list)
            self.assertEqual(live.next()["state"], "up")

    def test_a_thousand_connections(self) -> None:
        many: list[socket.socket] = []
        try:
            for _ in range(1000):
                many.append(self.server.connect())
            for s in many[:900]:
                s.sendall(b"GET /api/status HTTP/1.1\r\nHost: localhost\r\n\r\n")
            answered = sum(s.recv(12) == b"HTTP/1.1 200" for s in many[:900])
            self.assertEqual(answered, 900)
            if not SANITIZED:
                self.assertLess(resident(self.server.process.pid), RESIDENT_MOST)
        finally:
            for s in many:
                s.close()

    def test_too_many_pages_are_refused(self) -> None:
        pages = [Live(self.server) for _ in range(64)]
        try:
            for page in pages:
                self.assertEqual(page.next()["state"], "up")
            self.assertEqual(self.server.ask("/api/live")[0], 503)
        finally:
            for page in pages:
                page.close()
        # The server notices the end of a page when it writes the next frame.
        until(lambda: self.server.ask("/metrics")[2].count(b"\nplm_web_pages 0\n"), "pages end")

    def test_many_at_once(self) -> None:
        failures: list[object] = []

        def work() -> None:
            for path in ("/", "/api/status", "/api/tasks", "/metrics", "/api/workers") * 10:
                status = self.server.ask(path)[0]
                if status != 200:
                    failures.append((path, status))

        threads = [threading.Thread(target=work) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual(failures, [])


class Sleepers(unittest.TestCase):
    """Peers that read late, or never, or send a byte now and then."""

    def pages(self, server: Server) -> int:
        """Open pages, as plmweb counts them."""
        found = re.search(rb"^plm_web_pages (\d+)$", server.ask("/metrics")[2], re.M)
        assert found
        return int(found[1])

    def test_a_slow_reader_gets_new_frames_and_a_sleeper_is_forgotten(self) -> None:
        with world("sleepers") as (name, server, directory):
            for i in range(60):  # frames of some size
                ctl("submit", "--detach", "--", f"{directory}/{'x' * 40}-{i}", name=name)
            with Live(server) as fast, Live(server, small=True) as slow:
                until(lambda: len(fast.next().get("groups", [])) >= 24, "the tasks are counted")
                sleepers = [Live(server, small=True) for _ in range(20)]
                before = resident(server.process.pid)
                slow.next()
                first = last = slow.sequence
                until(lambda: fast.next() and fast.sequence > first + 22, "frames go by", 60)
                if not SANITIZED:
                    self.assertLess(resident(server.process.pid) - before, 1 << 20)
                gap = 0
                while slow.sequence < fast.sequence:
                    slow.next()
                    gap, last = max(gap, slow.sequence - last), slow.sequence
                self.assertGreater(gap, 5, "frames of seconds ago were kept for the slow reader")
                until(lambda: fast.next() and self.pages(server) == 2, "sleepers are forgotten", 60)
                for sleeper in sleepers:
                    sleeper.close()
                self.assertEqual(slow.next()["state"], "up")

    def test_peers_that_trickle_do_not_keep_others_out(self) -> None:
        with world("trickle") as (_, server, _):
            many = [server.connect() for _ in range(1000)]
            for s in many:
                s.sendall(b"GET / HTTP/1.1\r\n")

            def answered() -> bool:
                for s in many:
                    with contextlib.suppress(OSError):
                        s.send(b"X")
                with contextlib.suppress(OSError), server.connect() as s:
                    s.settimeout(0.5)
                    s.sendall(b"GET /healthz HTTP/1.0\r\nHost: localhost\r\n\r\n")
                    return s.recv(12) == b"HTTP/1.1 200"
                return False

            self.assertFalse(answered(), "a thousand connections are the limit")
            until(answered, "the others have lost their connections")
            for s in many:
                s.close()


class Life(unittest.TestCase):
    """The runtime stops, comes back, is damaged; the server is killed."""

    def test_a_page_without_a_runtime_says_so(self) -> None:
        with serve("test-nobody-here") as server, Live(server) as live:
            frame = live.next()
            self.assertEqual(frame["state"], "gone")
            self.assertIn("test-nobody-here", frame["trouble"])
            self.assertEqual(server.ask("/healthz")[0], 503)
            self.assertEqual(server.ask("/api/status")[0], 404)
            self.assertIn(b"\nplm_up 0\n", server.ask("/metrics")[2])
            self.assertEqual(server.act("pause")[0], 404)

    def test_a_page_follows_a_restart(self) -> None:
        with runtime("restart", python=None) as name:
            server = Server(name)
            live = Live(server, stream=True)
            first = live.next()
            self.assertEqual(first["state"], "up")
            live.next("stream")
        try:
            until(lambda: live.next()["state"] == "gone", "the page shows that it is gone")
            with runtime("restart", python=None):
                until(lambda: live.next()["state"] == "up", "the page goes on")
                self.assertNotEqual(live.next()["boot"], first["boot"])
                self.assertEqual(server.ask("/healthz")[0], 200)
                until(lambda: live.next("stream").get("on"), "events are asked for again")
        finally:
            live.close()
            server.end()

    def test_damage_and_other_versions_are_named(self) -> None:
        with runtime("damage", python=None) as name, serve(name) as server, Live(server) as live:
            self.assertEqual(live.next()["state"], "up")
            control = Path(f"/dev/shm/plm-{os.getuid()}-{name}.control")
            with control.open("r+b") as file:
                magic = file.read(8)
                file.seek(0)
                file.write(b"nonsense")
            until(lambda: live.next()["state"] == "other version", "the page says why")
            self.assertEqual(server.ask("/api/tasks")[0], 503)
            with control.open("r+b") as file:
                file.write(magic)
            until(lambda: live.next()["state"] == "up", "the page goes on")

    def test_a_killed_worker_is_shown(self) -> None:
        with world("killed") as (_, server, _), Live(server) as live:
            workers = {w[0]: w[2] for w in live.next()["workers"]}
            os.kill(workers[0], signal.SIGKILL)

            def replaced() -> bool:
                now = {w[0]: w[2] for w in live.next()["workers"]}
                return now.get(0, workers[0]) not in (workers[0], 0)

            until(replaced, "another process is worker 0")

    def test_a_killed_server_leaves_nothing(self) -> None:
        with runtime("left", python=None) as name:
            before = segments(name)
            server = Server(name)
            live = Live(server, stream=True)
            until(lambda: live.next("stream").get("on"), "events are on")
            server.process.kill()
            server.end()
            live.close()
            until(lambda: "plmweb" not in ctl("clients", name=name), "no client is left")
            self.assertEqual(sorted(segments(name)), sorted(before))
            with serve(name) as again:
                ref = ctl("call", "--detach", "probe.echo", "x", name=name).strip()
                until(lambda: again.get("events", ref=ref)["on"] is False, "events are off again")

    def test_killed_at_any_moment_it_leaves_nothing(self) -> None:
        seed = int(os.environ.get("PLM_WEB_SEED", time.time_ns()))
        print(f"PLM_WEB_SEED={seed}")
        chance = random.Random(seed)
        with runtime("moments", python=None) as name, tempfile.TemporaryDirectory() as directory:
            before, path = segments(name), directory + "/web.sock"
            for _ in range(25):
                after = chance.uniform(0.001, 0.2)
                server = Server(name, listen="unix:" + path, killed_after=after)
                lives: list[Live] = []
                while server.process.poll() is None:
                    with contextlib.suppress(OSError, http.client.HTTPException):
                        lives.append(Live(server, stream=True))
                        server.act("pause")
                        server.get("status")
                        server.act("resume")
                self.assertEqual(server.end(), -signal.SIGKILL)
                for live in lives:
                    live.close()
            until(lambda: "plmweb" not in ctl("clients", name=name), "no client is left")
            self.assertEqual(sorted(segments(name)), sorted(before))
            with serve(name, listen="unix:" + path) as again:
                self.assertEqual(again.act("resume")[0], 200)
                ref = ctl("call", "--detach", "probe.echo", "x", name=name).strip()
                until(lambda: again.get("events", ref=ref)["on"] is False, "events are off again")
            self.assertEqual(os.listdir(directory), [])

    def test_without_a_page_the_server_sleeps(self) -> None:
        with world("sleeps") as (_, server, _):
            with Live(server) as live:
                live.next()
            until(lambda: server.ask("/metrics")[2].count(b"\nplm_web_pages 0\n"), "no page")

            def switches() -> int:
                text = Path(f"/proc/{server.process.pid}/status").read_text(encoding="ascii")
                return int(re.findall(r"^voluntary_ctxt_switches:\s+(\d+)", text, re.M)[0])

            last = -1
            deadline = time.monotonic() + 30
            while (now := switches()) != last:  # no turn of its loop in a second
                self.assertLess(time.monotonic(), deadline, "the server never rests")
                last = now
                time.sleep(1)


if __name__ == "__main__":
    main()
