"""plmweb --fleet: the page's numbers, the metrics of the queue and of each host, and an engine that
goes away and comes back."""

from __future__ import annotations

import contextlib
import json
import os
import re
import socket
import unittest
from unittest import mock

from test_web_metrics import OPEN, promtool, samples, scrape, types_of
from web_support import Server, main, runtime, until

from fleet_support import SERVER, Fleet, ctl  # isort: skip


@unittest.skipUnless(SERVER, "no Redis on this machine (apt-get install redis-tools)")
class FleetPage(unittest.TestCase):
    """A fleet of two hosts, a task that has ended, a failed one, and one that waits for ever."""

    fleet: Fleet
    server: Server
    hosts: list[str]

    @classmethod
    def setUpClass(cls) -> None:
        stack = cls.enterClassContext(contextlib.ExitStack())
        cls.fleet = Fleet()
        stack.callback(cls.fleet.end)
        machine = socket.gethostname().partition(".")[0]
        cls.hosts = []
        for name in ("one", "two"):
            words = ("--fleet", cls.fleet.url, "--workers", "1")
            found = stack.enter_context(runtime("web-fleet-" + name, *words, python=None))
            cls.hosts.append(f"{machine}:{found}")
        until(lambda: ctl(cls.fleet, "hosts").count(" up ") == 2, "both hosts are up")
        ctl(cls.fleet, "submit", "true")  # a task that is shown to its submitter leaves
        kept = ctl(cls.fleet, "submit", "--detach", "true").strip()
        ctl(cls.fleet, "wait", kept)
        failed = ctl(cls.fleet, "submit", "--detach", "false").strip()
        ctl(cls.fleet, "wait", failed)
        ctl(cls.fleet, "submit", "--detach", "--needs", "never=1", "true")
        cls.server = Server(None, "--fleet", cls.fleet.url)
        stack.callback(cls.server.end)

    def test_the_numbers_of_queue_and_hosts(self) -> None:
        def counts() -> tuple[int, int, int]:
            now = self.server.get("fleet")
            return now["ready"], now["done"], now["failed"]

        until(lambda: counts() == (1, 1, 1), "the queue has one task of each kind")
        now = self.server.get("fleet", points=1)
        self.assertEqual(now["fleet"], re.sub("&.*", "", self.fleet.url))
        self.assertEqual([h["host"] for h in now["hosts"]], sorted(self.hosts))
        self.assertEqual([h["state"] for h in now["hosts"]], ["up", "up"])
        self.assertGreaterEqual(sum(h["finished"] for h in now["hosts"]), 3)
        self.assertGreater(now["hosts"][0]["memory_total"], now["hosts"][0]["memory_used"])
        self.assertTrue(now["points"])
        self.assertNotIn("points", self.server.get("fleet"))

    def test_rates_of_the_last_second(self) -> None:
        def ended() -> bool:
            ctl(self.fleet, "submit", "true")
            now = self.server.get("fleet")
            return now["rate"] > 0 and any(h["rate"] > 0 for h in now["hosts"])

        until(ended, "the rates show the tasks")

    def test_the_page_and_its_files(self) -> None:
        status, headers, body = self.server.ask("/")
        self.assertEqual((status, headers["content-type"]), (200, "text/html; charset=utf-8"))
        self.assertIn(b"/fleet.js", body)
        for path in re.findall(r'(?:src|href)="(/[^"]+)"', body.decode()):
            self.assertEqual(self.server.ask(path)[0], 200, path)
        self.assertEqual(self.server.ask("/api/status")[0], 404)
        self.assertEqual(self.server.ask("/api/fleet", "POST")[0], 405)

    def test_metrics_of_queue_and_hosts_in_both_formats(self) -> None:
        for accept in ("", OPEN):
            _, text = scrape(self.server, accept)
            helps = re.findall(r"^# HELP (\S+) \S.*\.$", text, re.M)
            self.assertEqual(helps, list(types_of(text)), "each family has one HELP")
            now = samples(text)
            self.assertEqual(now["plm_fleet_up"], 1)
            self.assertEqual(now["plm_fleet_hosts"], 2)
            self.assertEqual(now["plm_fleet_lease_seconds"], 3)
            self.assertEqual(now['plm_fleet_tasks{state="failed"}'], 1)
            self.assertEqual(now['plm_fleet_tasks{state="ready"}'], 1)
            for host in self.hosts:
                self.assertEqual(now[f'plm_fleet_host_up{{host="{host}"}}'], 1)
                self.assertEqual(now[f'plm_fleet_host_cores{{host="{host}"}}'], 1)
                self.assertLess(now[f'plm_fleet_host_seen_seconds{{host="{host}"}}'], 3)

    def test_promtool_finds_nothing(self) -> None:
        self.assertEqual(promtool("check", "metrics", text=scrape(self.server)[1]), "")

    def test_a_password_on_the_command_line_is_refused(self) -> None:
        server = Server(None, "--fleet", "redis://:secret@127.0.0.1")
        self.assertEqual(server.end(), 64)

    def test_a_name_means_a_runtime_whatever_the_variable_says(self) -> None:
        with mock.patch.dict(os.environ, {"PLM_FLEET": self.fleet.url}):
            server = Server("none")
        self.addCleanup(server.end)
        self.assertNotIn("plm_fleet_up", scrape(server)[1])
        self.assertEqual(Server("none", "--fleet", self.fleet.url).end(), 64)


@unittest.skipUnless(SERVER, "no Redis on this machine (apt-get install redis-tools)")
class Away(unittest.TestCase):
    """Hosts and engines come and go."""

    def test_the_engine_dies_and_comes_back(self) -> None:
        fleet = Fleet()
        self.addCleanup(fleet.end)
        with mock.patch.dict(os.environ, {"PLM_FLEET": fleet.url}):
            server = Server(None)
        self.addCleanup(server.end)
        status, _, body = server.ask("/healthz")
        self.assertEqual(status, 503)
        self.assertIn("no host", json.loads(body)["error"])
        fleet.kill()
        until(lambda: "trouble" in server.get("fleet"), "the page tells of the engine")
        self.assertEqual(samples(scrape(server)[1])["plm_fleet_up"], 0)
        fleet.begin()
        until(lambda: "trouble" not in server.get("fleet"), "the engine is back")
        fleet.ask("flushall")  # another queue in its place
        until(
            lambda: "trouble" not in server.get("fleet") and server.get("fleet")["done"] == 0,
            "the new queue is shown",
        )

    def test_a_host_that_left_is_down(self) -> None:
        fleet = Fleet()
        self.addCleanup(fleet.end)
        server = Server(None, "--fleet", fleet.url)
        self.addCleanup(server.end)
        with runtime("web-fleet-left", "--fleet", fleet.url, python=None):
            until(lambda: server.ask("/healthz")[0] == 200, "the host is up")
        until(lambda: server.ask("/healthz")[0] == 503, "the host has left")
        (host,) = server.get("fleet")["hosts"]
        self.assertEqual(host["state"], "left")
        now = samples(scrape(server)[1])
        self.assertEqual(now[f'plm_fleet_host_up{{host="{host["host"]}"}}'], 0)
        self.assertNotIn(f'plm_fleet_host_cores{{host="{host["host"]}"}}', now)


if __name__ == "__main__":
    main()
