"""The API of plmweb: each number against the runtime it is about."""

from __future__ import annotations

import itertools
import json
import re
import tempfile
import unittest
from pathlib import Path
from typing import Any, ClassVar

from web_support import (
    Live,
    Server,
    call,
    ctl,
    lengthen_history,
    load_noops,
    main,
    ordered,
    tasks,
    touch,
    until,
    world,
)


class Tasks(unittest.TestCase):
    """Lists and a task in full."""

    name: str
    server: Server
    directory: Path

    @classmethod
    def setUpClass(cls) -> None:
        cls.name, cls.server, cls.directory = cls.enterClassContext(world("api"))

    def settled(self, ref: str) -> Any:
        """The task, when it has ended."""
        ends = ("done", "failed", "cancelled")
        until(lambda: self.server.get("task", ref=ref)["state"] in ends, f"{ref} has ended")
        return self.server.get("task", ref=ref)

    def waiting_command(self, name: str, *options: str, text: str = "") -> tuple[str, Path]:
        """A command that prints a text, and ends when a file is there."""
        gate = self.directory / name
        script = f"printf %s '{text}'; until [ -e {gate} ]; do sleep 0.01; done; echo end"
        return call(self.name, *options, "--", "sh", "-c", script), gate

    def test_pages_show_every_task_once(self) -> None:
        refs = {call(self.name, "--label", "pages", "--", "true") for _ in range(23)}
        for ref in refs:
            self.settled(ref)
        for limit in (1, 7, 1000):
            seen = [task["ref"] for task in tasks(self.server, q="pages", limit=limit)]
            self.assertEqual(sorted(seen), sorted(refs))
        done = {task["ref"] for task in tasks(self.server, state="done", q="pages")}
        self.assertEqual(done, refs)
        self.assertEqual(list(tasks(self.server, state="failed,cancelled", q="pages")), [])

    def test_an_order_gives_the_first_of_all(self) -> None:
        gate = self.directory / "order"
        blocks = [
            call(self.name, "--", "sh", "-c", f"until [ -e {gate} ]; do sleep 0.01; done")
            for _ in range(2)
        ]
        for priority in (3, 9, -4, 7, 5, 1):
            call(self.name, "--label", "ranked", "--priority", str(priority), "--", "true")
        for order, expected in (("desc", [9, 7, 5]), ("asc", [-4, 1, 3])):
            page = self.server.get("tasks", q="ranked", sort="priority", order=order, limit=3)
            self.assertEqual([task["priority"] for task in page["tasks"]], expected)
        touch(str(gate))
        for ref in blocks:
            self.settled(ref)

    def test_a_waiting_task_tells_why(self) -> None:
        first, gate = self.waiting_command("why")
        second = call(self.name, "probe.echo", first)
        task = self.server.get("task", ref=second)
        self.assertEqual(task["state"], "waiting")
        self.assertIn(first, task["reasons"][0]["refs"])
        self.assertIn(first, task["reasons"][0]["text"])
        touch(str(gate))
        self.assertEqual(self.settled(second)["state"], "done")

    def test_a_failure_names_its_root(self) -> None:
        root = call(self.name, "--", "sh", "-c", "exit 3")
        child = call(self.name, "probe.echo", root)
        self.assertEqual(self.settled(root)["run"]["exit_code"], 3)
        self.assertEqual(self.settled(child)["state"], "failed")
        self.assertEqual(self.server.get("task", ref=child)["pending"], 0)
        reasons = self.server.get("task", ref=child)["reasons"]
        self.assertIn(root, [ref for reason in reasons for ref in reason["refs"]])

    def test_output_grows_and_stays(self) -> None:
        ref, gate = self.waiting_command("output", text="begun é ")

        def piece(offset: int) -> Any:
            return self.server.get("output", ref=ref, stream=1, offset=offset)

        until(lambda: piece(0)["text"] == "begun é ", "the first words are there")
        now = piece(0)
        self.assertFalse(now["settled"])
        self.assertEqual(piece(now["next"])["text"], "")
        touch(str(gate))
        self.settled(ref)
        self.assertEqual(piece(now["next"])["text"], "end\n")
        self.assertTrue(piece(0)["settled"])
        self.assertEqual(self.server.get("output", ref=ref, stream=2)["text"], "")

    def test_untrusted_text_stays_text(self) -> None:
        script = "</script><img src=x onerror=alert(1)>\x1b[31m"
        ref = call(self.name, "--label", script[:40], "--", "printf", "%s", script + "\\377")
        self.settled(ref)
        for what in (f"task?ref={ref}", f"output?ref={ref}&stream=1", "tasks?q=onerror"):
            status, headers, body = self.server.ask("/api/" + what)
            self.assertEqual(status, 200)
            self.assertEqual(headers["content-type"], "application/json")
            self.assertNotIn(b"<", body)
            json.loads(body)
        text = self.server.get("output", ref=ref, stream=1)["text"]
        self.assertTrue(text.startswith(script), text)

    def test_actions_act(self) -> None:
        ref, _ = self.waiting_command("never")
        until(lambda: self.server.get("task", ref=ref)["state"] == "running", "it runs")
        status, answer = self.server.act("cancel", ref=ref)
        self.assertEqual((status, answer["done"]), (200, f"cancelled: {ref}"))
        self.assertEqual(self.settled(ref)["state"], "cancelled")
        self.assertEqual(self.server.act("cancel", ref=ref)[0], 409)
        self.assertEqual(self.server.act("cancel", ref="@1.99.1")[0], 404)
        self.assertEqual(self.server.act("cancel")[0], 400)
        failed = call(self.name, "--", "false")
        self.settled(failed)
        status, answer = self.server.act("retry", ref=failed)
        self.assertEqual(status, 200, answer)
        again = re.findall(r"@[0-9a-f.]+[0-9a-f]", answer["done"])[0]
        self.assertEqual(self.settled(again)["state"], "failed")

    def test_a_worker_is_drained_and_comes_back(self) -> None:
        def conditions() -> list[str]:
            rows = self.server.get("workers")["workers"]
            return [row["condition"] for row in rows if row["worker"] == 1]

        self.assertEqual(self.server.act("worker/drain", worker=1)[0], 200)
        until(lambda: conditions() == ["drained"], "worker 1 has left")
        self.assertEqual(self.server.act("worker/resume", worker=1)[0], 200)
        until(lambda: conditions() == ["live"], "worker 1 is back")
        self.assertEqual(self.server.act("worker/drain", worker=77)[0], 404)
        self.assertEqual(self.server.act("worker/drain", worker="x")[0], 400)

    def test_lists(self) -> None:
        functions = [f["function"] for f in self.server.get("functions")["functions"]]
        self.assertIn("probe.echo", functions)
        pages, cursor, end = [], 0, False
        while not end:
            page = self.server.get("functions", limit=3, cursor=cursor)
            pages += [f["function"] for f in page["functions"]]
            cursor, end = page["cursor"], page["end"]
        self.assertEqual(pages, functions)
        self.assertIn("command", [m["module"] for m in self.server.get("modules")["modules"]])
        kinds = {p["kind"] for p in self.server.get("processes")["processes"]}
        self.assertLessEqual({"manager", "scheduler", "worker"}, kinds)
        in_force = [p["policy"] for p in self.server.get("policies")["policies"] if p["in_force"]]
        self.assertEqual(len(in_force), 1)
        ref = ctl("put", __file__, name=self.name).strip()
        objects = {row["ref"]: row["bytes"] for row in self.server.get("objects")["objects"]}
        self.assertEqual(objects[ref], Path(__file__).stat().st_size)

    def test_the_stream_has_each_task(self) -> None:
        with Live(self.server, stream=True) as live:
            until(lambda: live.next("stream").get("on"), "events are on")
            ref = call(self.name, "--", "sleep", "0.05")
            bad = call(self.name, "--", "false")
            found: dict[str, Any] = {}

            def take() -> bool:
                part = live.next("stream")
                for worker, begin, ran, name, how, task, _ in part["tasks"]:
                    found[task] = (worker, begin, ran, part["names"][name], how)
                return ref in found and bad in found

            until(take, "both tasks are in the stream")
            worker, begin, ran, name, how = found[ref]
            self.assertIn(worker, (0, 1))
            self.assertLess(begin, -ran)
            self.assertGreaterEqual(ran, 50)
            self.assertEqual((name, how), ("sleep", 0))
            self.assertEqual(found[bad][4], 1)
        events = [e["event"] for e in self.server.get("events", ref=ref)["events"]]
        self.assertLess(events.index("started"), events.index("done"))
        self.assertIn("submitted", events)

    def test_a_worker_of_several_cpus_runs_each_task_once(self) -> None:
        with world("cpus", "--workers", "cpus=3 x1") as (name, server, folder):
            gate = Path(folder, "gate")
            with Live(server, stream=True) as live:
                until(lambda: live.next("stream").get("on"), "events are on")
                waits = f"until [ -e {gate} ]; do sleep 0.01; done"
                refs = [call(name, "--", "sh", "-c", waits) for _ in range(6)]
                gate.touch()
                found: list[tuple[int, float, float, str]] = []

                def take() -> bool:
                    part = live.next("stream")
                    for _, begin, ran, _, _, ref, process in part["tasks"]:
                        found.append((process, part["to"] + begin, part["to"] + begin + ran, ref))
                    return len(found) >= len(refs)

                until(take, "all tasks are in the stream")
        self.assertEqual(sorted(ref for *_, ref in found), sorted(refs))
        self.assertEqual(len({process for process, *_ in found}), 3)
        found.sort()
        for before, after in itertools.pairwise(found):
            if before[0] == after[0]:
                self.assertLessEqual(before[2], after[1] + 0.001, "a cpu runs a task at a time")

    def test_progress_counts_by_function(self) -> None:
        ref = call(self.name, "probe.fail", "1", "no")
        self.settled(ref)
        with Live(self.server) as live:

            def counted() -> bool:
                groups = {group["name"]: group for group in live.next().get("groups", [])}
                return "probe.fail" in groups and groups["probe.fail"]["failed"] >= 1

            until(counted, "the failure is counted")


class Orders(unittest.TestCase):
    """An order by a column, page by page to its end."""

    COUNT = 2300
    KEYS: ClassVar = {
        "age": "age_ms",
        "run": "run_ms",
        "queue": "queue_ms",
        "priority": "priority",
        "attempt": "attempt",
        "bytes": "value_bytes",
    }

    def pages(self, server: Server, sort: str, order: str, limit: int) -> list[Any]:
        """All tasks in an order, each of which is there once."""
        query = {"sort": sort, "order": order, "q": "probe.noop"}
        pages = list(ordered(server, limit, **query))
        self.assertEqual({len(page) for page in pages[:-1]} - {limit}, set())
        found = [task for page in pages for task in page]
        refs = [task["ref"] for task in found]
        self.assertEqual((len(refs), len(set(refs))), (self.COUNT, self.COUNT), (sort, order))
        places = [tuple(map(int, task["place"].split("."))) for task in found]
        ranks = [(-key, position) for _, key, position in places]
        self.assertEqual(ranks, sorted(ranks), "equal keys keep the order of the table")
        self.assertEqual(len({at for at, *_ in places}), 1, "all pages are as of one moment")
        return found

    def every_order(self, server: Server) -> None:
        """Each key, both ways, with a page that divides the tasks and one that does not."""
        for sort, key in self.KEYS.items():
            for order, limit in (("desc", 1000), ("asc", 460)):
                found = self.pages(server, sort, order, limit)
                values = [task[key] for task in found]
                if sort not in ("age", "queue"):  # these grow while the pages are read
                    self.assertEqual(values, sorted(values, reverse=order == "desc"), sort)

    def test_every_task_is_on_one_page_of_an_order(self) -> None:
        with world("orders") as (name, server, _):
            ctl("pause", name=name)
            load_noops(name, ({"priority": i % 7} for i in range(self.COUNT)))
            self.every_order(server)  # the tasks wait: ages and waits grow from page to page
            ctl("resume", name=name)
            until(
                lambda: server.get("status")["done"] == self.COUNT,
                "all tasks are done",
            )
            self.every_order(server)

    def test_a_place_is_of_an_order(self) -> None:
        with world("places") as (_, server, _):
            answer = server.get("tasks", sort="run")
            self.assertEqual((answer["tasks"], answer["matched"], answer["end"]), ([], 0, True))
            for words in ("after=1.2.3", "sort=run&after=x", "sort=run&after=1.2"):
                self.assertEqual(server.ask("/api/tasks?" + words)[0], 400, words)
            for words in ("1.-2", "1.2.3.4", "1.2.", ".1.2", "-1.2.3", "1.2.-3", "9" * 20, ""):
                self.assertEqual(server.ask("/api/tasks?sort=run&after=" + words)[0], 400, words)
            for words in ("0", "1.2.3", "1.-2.3", f"7.{2**63 - 1}.{2**64 - 1}"):
                self.assertEqual(server.ask("/api/tasks?sort=run&after=" + words)[0], 200, words)


class History(unittest.TestCase):
    """The journal, of a living and of a dead runtime."""

    def test_the_journal_is_read_by_pages(self) -> None:
        with tempfile.TemporaryDirectory(prefix="plm-test-") as state:
            with world("history", "--state", state) as (name, server, _):
                for i in range(5):
                    words = ["submit", "--detach", "--label", "odd" if i % 2 else "even"]
                    ctl(*words, "--", "echo", f"<{i}>", name=name)
                until(
                    lambda: len(server.get("history", state="done")["tasks"]) == 5,
                    "all are written",
                )
                first = server.get("history", limit=3)
                second = server.get("history", limit=3, before=first["before"])
                ids = [task["id"] for task in first["tasks"] + second["tasks"]]
                self.assertEqual(ids, sorted(ids, reverse=True))
                self.assertEqual((len(ids), second["end"]), (5, True))
                odd = server.get("history", q="ODD")["tasks"]
                self.assertEqual([task["label"] for task in odd], ["odd"] * 2)
                self.assertEqual(server.get("history", state="failed")["tasks"], [])
                self.assertIn("<4>", first["tasks"][0]["stdout"])
                ctl("stop", "--now", name=name)
                until(lambda: server.ask("/api/status")[0] == 404, "the runtime is gone")
                self.assertEqual(len(server.get("history")["tasks"]), 5)

    def test_a_search_goes_on_where_the_last_request_ended(self) -> None:
        with tempfile.TemporaryDirectory(prefix="plm-test-") as state:
            with world("search", "--state", state) as (name, server, _):
                for label in ("needle", "hay"):
                    ctl("submit", "--detach", "--label", label, "--", "true", name=name)
                until(
                    lambda: len(server.get("history", state="done")["tasks"]) == 2,
                    "both are written",
                )
                ctl("stop", "--now", name=name)
                until(lambda: server.ask("/api/status")[0] == 404, "the runtime is gone")
                lengthen_history(state, 300_000)
                found, before, end = [], 0, False
                while not end:
                    answer = server.get("history", q="needle", before=before)
                    found += answer["tasks"]
                    self.assertTrue(answer["end"] or before == 0 or answer["before"] < before)
                    self.assertEqual(answer["newest"] - answer["oldest"], 300_001)
                    before, end = answer["before"], answer["end"]
                self.assertEqual([task["label"] for task in found], ["needle"])
                self.assertEqual(before, answer["oldest"])
                one = server.get("history", id=found[0]["id"])
                self.assertEqual((len(one["tasks"]), one["end"]), (1, True))
                self.assertEqual(server.get("history", id=10**9)["tasks"], [])

    def test_no_journal_is_named(self) -> None:
        with world("nojournal") as (_, server, _):
            status, _, body = server.ask("/api/history")
            self.assertEqual(status, 404)
            self.assertIn(b"--state", body)


if __name__ == "__main__":
    main()
