"""The metrics of plmweb, its health, and the dashboard that reads the metrics."""

from __future__ import annotations

import importlib
import json
import os
import re
import shutil
import signal
import subprocess
import tempfile
import unittest
from pathlib import Path

from web_support import (
    ROOT,
    Server,
    call,
    lasting,
    main,
    serve,
    tasks,
    touch,
    until,
    world,
)

LABEL = r'[a-z]+="(?:[^"\\\n]|\\.)*"'
SAMPLE = re.compile(rf"^([a-z_]+)(?:\{{({LABEL}(?:,{LABEL})*)\}})? (-?[0-9.]+(?:e[+-][0-9]+)?)$")
BOUNDED = {"state", "worker", "process", "function", "name", "version"}
UNITS = ("seconds", "bytes")
DASHBOARD = ROOT / "packaging" / "grafana-plm.json"
PROMTOOL = shutil.which("promtool", path=f"{ROOT}/build/web-tools:{os.environ['PATH']}")
OPEN = "application/openmetrics-text"


def scrape(server: Server, accept: str = "") -> tuple[str, str]:
    """The type and the text."""
    _, headers, body = server.ask("/metrics", Accept=accept)
    return headers["content-type"], body.decode()


def samples(text: str) -> dict[str, float]:
    """The value of each sample, by its name and labels; Prometheus refuses a sample that is there
    twice."""
    found: dict[str, float] = {}
    for line in text.splitlines():
        if not line.startswith("#"):
            match = SAMPLE.match(line)
            assert match, line
            key = f"{match[1]}{{{match[2]}}}" if match[2] else match[1]
            assert key not in found, f"twice in an answer: {key}"
            found[key] = float(match[3])
    return found


def values(server: Server) -> dict[str, float]:
    """The samples of now."""
    return samples(scrape(server)[1])


def types_of(text: str) -> dict[str, str]:
    """The type of each family."""
    return dict(re.findall(r"^# TYPE (\S+) (\S+)$", text, re.M))


def promtool(*words: str, text: str = "") -> str:
    """What promtool complains about."""
    if not PROMTOOL:
        raise unittest.SkipTest("there is no promtool; tools/web_tools.sh gets it")
    words_ = [PROMTOOL, *words]
    done = subprocess.run(words_, input=text, capture_output=True, text=True, check=False)
    return "" if done.returncode == 0 and not done.stderr else done.stdout + done.stderr


class Metrics(unittest.TestCase):
    """Prometheus reads what we write."""

    name: str
    server: Server

    @classmethod
    def setUpClass(cls) -> None:
        cls.name, cls.server, _ = cls.enterClassContext(world("metrics"))
        for words in (("probe.echo", "x"), ("--", "true"), ("--", "false")):
            call(cls.name, *words)

        def settled() -> bool:
            states = [task["state"] for task in tasks(cls.server)]
            return sorted(states) == ["done", "done", "failed"]

        until(settled, "the tasks have ended")

    def test_names_types_and_help(self) -> None:
        for accept in ("", OPEN):
            kind, text = scrape(self.server, accept)
            self.assertIn("version=1.0.0" if accept else "version=0.0.4", kind)
            types = types_of(text)
            helps = re.findall(r"^# HELP (\S+) \S.*\.$", text, re.M)
            self.assertEqual(helps, list(types), "each family has one HELP, before its TYPE")
            for name, type_ in types.items():
                self.assertRegex(name, r"^(plm|process)_[a-z_]+[a-z]$")
                self.assertIn(type_, ("gauge", "counter") + (("info",) if accept else ()))
                if not accept:
                    self.assertEqual(name.endswith("_total"), type_ == "counter", name)
                    continue
                self.assertNotRegex(name, "_(total|info)$")
                unit = next((unit for unit in UNITS if name.endswith("_" + unit)), "")
                self.assertEqual(f"# UNIT {name} {unit}\n" in text, unit != "", name)
            for key in samples(text):
                family = re.sub(r"\{.*", "", key)
                bare = re.sub("_(total|info)$", "", family) if accept else family
                self.assertIn(bare, types)

    def test_labels_are_bounded(self) -> None:
        labels = set(re.findall(r'[{,]([a-z]+)="', "\n".join(values(self.server))))
        self.assertLessEqual(labels, BOUNDED)
        self.assertFalse([key for key in values(self.server) if "@" in key], "a task has a label")

    def test_numbers_are_the_runtimes(self) -> None:
        now = values(self.server)
        self.assertEqual(now["plm_up"], 1)
        self.assertEqual(now['plm_tasks{state="failed"}'], 1)
        self.assertEqual(now['plm_tasks{state="done"}'], 2)
        done = [n for key, n in now.items() if key.startswith("plm_worker_tasks_done_total{")]
        self.assertEqual(sum(done), 2)

    def test_open_metrics_on_request(self) -> None:
        for accept, opened in (
            ("application/openmetrics-text;version=1.0.0,text/plain;q=0.5", True),
            ("text/plain;version=0.0.4", False),
            ("application/openmetrics-text;q=0", False),
            ("application/openmetrics-text;q=0.2, text/plain;q=0.3", False),
            ("*/*", False),
        ):
            kind, text = scrape(self.server, accept)
            self.assertEqual(kind.startswith(OPEN), opened, accept)
            self.assertEqual(text.endswith("# EOF\n"), opened, accept)
            self.assertIn("\nplm_restarts_total 0\n", text)

    def test_the_parser_of_prometheus_reads_both(self) -> None:
        try:
            plain = importlib.import_module("prometheus_client.parser")
            opened = importlib.import_module("prometheus_client.openmetrics.parser")
        except ImportError:
            self.skipTest("python3-prometheus-client is not installed")
        for parser, accept in ((plain, ""), (opened, OPEN)):
            families = list(parser.text_string_to_metric_families(scrape(self.server, accept)[1]))
            names = {family.name for family in families}
            self.assertIn("plm_tasks", names)
            self.assertIn("plm_restarts", names)

    def test_promtool_agrees(self) -> None:
        self.assertEqual(promtool("check", "metrics", text=scrape(self.server)[1]), "")


class Life(unittest.TestCase):
    """Workers of several cpus, workers that come and go, dead managers."""

    def test_each_sample_is_there_once_whatever_workers_do(self) -> None:
        with world("cpus", "--workers", "cpus=2 x2") as (name, server, directory):
            gate = directory / "gate"
            for _ in range(4):
                call(name, "--", "sh", "-c", f"until [ -e {gate} ]; do sleep 0.01; done")
            busy = 'plm_workers{state="busy"}'
            until(lambda: values(server)[busy] == 4, "both cpus of both workers are busy")
            self.assertEqual(server.act("worker/drain", worker=0)[0], 200)
            until(lambda: values(server)['plm_workers{state="leaving"}'] == 2, "worker 0 leaves")
            self.assertEqual(server.act("worker/resume", worker=0)[0], 200)
            until(lambda: values(server)['plm_workers{state="idle"}'] == 2, "successors are there")
            self.assertEqual(values(server)[busy], 2)
            touch(str(gate))
            until(lambda: values(server)['plm_tasks{state="done"}'] == 4, "the tasks have ended")

    def test_counters_go_on_after_a_managers_death(self) -> None:
        with lasting("metrics") as (name, boot), serve(name) as server:
            for _ in range(3):
                call(name, "probe.echo", "x")
            until(lambda: values(server)['plm_tasks{state="done"}'] == 3, "the tasks have ended")
            os.kill(server.get("workers")["workers"][0]["pid"], signal.SIGKILL)
            idle = 'plm_workers{state="idle"}'
            until(lambda: values(server)["plm_restarts_total"] == 1, "the death is counted")
            until(lambda: values(server)[idle] == 2, "the worker is replaced")
            before, started = values(server), values(server)["plm_start_time_seconds"]
            boot()
            after = values(server)
            for key, value in before.items():
                if "_total" in key:
                    self.assertGreaterEqual(after[key], value, key)
            self.assertAlmostEqual(after["plm_start_time_seconds"], started, delta=2)

    def test_health_is_of_manager_and_scheduler(self) -> None:
        with lasting("health") as (name, boot), serve(name) as server:

            def pid(kind: str) -> int:
                rows = server.get("processes")["processes"]
                return next(int(row["pid"]) for row in rows if row["kind"] == kind)

            def health() -> tuple[int, str]:
                status, _, body = server.ask("/healthz")
                answer = json.loads(body)
                return status, answer.get("error", answer.get("state"))

            self.assertEqual(health(), (200, "up"))
            for kind in ("manager", "scheduler"):
                stopped = pid(kind)
                os.kill(stopped, signal.SIGSTOP)
                try:
                    until(lambda: health()[0] == 503, "a stopped process is seen", 5)
                    self.assertIn(f"the {kind} is stopped", health()[1])
                finally:
                    os.kill(stopped, signal.SIGCONT)
                until(lambda: health() == (200, "up"), "it goes on")
            boot.kill()
            until(lambda: health()[0] == 503, "a dead manager is seen")
            self.assertIn("the manager is dead", health()[1])
            boot()
            self.assertEqual(health(), (200, "up"))


class Dashboard(unittest.TestCase):
    """packaging/grafana-plm.json asks for what there is."""

    @staticmethod
    def targets() -> list[dict[str, str]]:
        """The queries of all panels."""
        panels = json.loads(DASHBOARD.read_text(encoding="utf-8"))["panels"]
        return [target for panel in panels for target in panel.get("targets", [])]

    @staticmethod
    def queries() -> list[str]:
        """The queries, with Grafana's variables filled in."""
        words = {"$instance": ".*", "$__rate_interval": "1m"}
        found = [target["expr"] for target in Dashboard.targets()]
        for word, value in words.items():
            found = [query.replace(word, value) for query in found]
        return found

    def test_each_metric_and_label_exists(self) -> None:
        with tempfile.TemporaryDirectory(prefix="plm-test-") as state:
            with world("board", "--state", state) as (name, server, directory):
                gate = directory / "gate"
                call(name, "--", "sh", "-c", f"until [ -e {gate} ]; do sleep 0.01; done")
                until(lambda: 'function="command.run"' in scrape(server)[1], "a task runs")
                now = list(values(server))
                touch(str(gate))
        self.assertGreater(len(self.targets()), 15)
        for target, query in zip(self.targets(), self.queries(), strict=True):
            self.assertNotIn("$", query)
            names = re.findall(r"plm_[a-z_]+", query)
            self.assertTrue(names, query)
            for metric in names:
                series = [key for key in now if re.sub(r"\{.*", "", key) == metric]
                self.assertTrue(series, f"{query}: there is no {metric}")
                wanted = re.findall(r'([a-z]+)="', query.replace('instance=~"', ""))
                wanted += re.findall(r"\{\{([a-z]+)\}\}", target.get("legendFormat", ""))
                for label in set(wanted) - {"instance"}:
                    self.assertTrue(all(f'{label}="' in key for key in series), query)
                for value in re.findall(r'state="([a-z]+)"', query):
                    self.assertTrue(any(f'state="{value}"' in key for key in series), query)

    def test_promtool_reads_each_query(self) -> None:
        rules = [{"record": f"query:{i}", "expr": query} for i, query in enumerate(self.queries())]
        with tempfile.TemporaryDirectory(prefix="plm-test-") as directory:
            path = Path(directory) / "rules.json"  # JSON is YAML
            path.write_text(json.dumps({"groups": [{"name": "all", "rules": rules}]}))
            self.assertEqual(promtool("check", "rules", str(path)), "")


if __name__ == "__main__":
    main()
