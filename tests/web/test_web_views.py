"""The lists of the page and a task in full, in headless Chromium, by mouse and by keys alone."""

from __future__ import annotations

import tempfile
from pathlib import Path

from web_page import PageCase, use_browser, when
from web_support import call, ctl, lengthen_history, load_noops, main, serve, touch, until, world

ROWS = "[...document.querySelectorAll('#task-table tbody tr[data-open]')]"
EVENTS = ["submitted", "placed", "started", "name"]
NOTE = "document.querySelector('#task-note').textContent"
TITLE = "document.querySelector('#task .state')?.innerText"

if __name__ == "__main__":
    use_browser()


def shows(selector: str, text: str) -> str:
    """The condition that an element's text contains a text."""
    return f"document.querySelector('{selector}')?.innerText.includes({text!r})"


class Views(PageCase):
    """What each view shows, and what its buttons do."""

    def settled(self, ref: str, state: str) -> str:
        """The reference, when the task has this state."""
        until(lambda: self.server.get("task", ref=ref)["state"] == state, f"{ref} is {state}")
        return ref

    def test_a_task_from_waiting_to_done(self) -> None:
        self.open()  # its task stream keeps the event log on
        until(lambda: self.server.get("events", ref="@1.1.1")["on"], "events are written")
        first, gate = self.gated("first", text="begun")
        child = call(self.name, "probe.echo", first)
        page = self.page
        self.go(f"task/{child}")
        when(page, shows("#task", "Why it is waiting"))
        when(page, shows("#task .reason", first))
        page.click(f"#task .reason a[href='#/task/{first}']")
        when(page, f"{TITLE} === 'running'")
        when(page, "document.querySelector('#output')?.textContent === 'begun\\n'")
        when(page, shows("#output-note", "live"))
        for event in ("submitted", "placed", "started"):
            when(page, shows("#task table", event))
        cells = "[...document.querySelectorAll('#task table tbody tr')]"
        order = page.evaluate(f"{cells}.map((row) => row.children[1].innerText)")
        self.assertEqual(sorted(order, key=EVENTS.index), order)
        touch(gate)
        when(page, "document.querySelector('#output').textContent === 'begun\\nend\\n'")
        when(page, f"{TITLE} === 'done'")
        when(page, shows("#task", "How it ended"))
        when(page, shows("#task .detail", "exit code"))
        when(page, shows("#task table", "done"))
        page.click("#output-panel >> text=stderr")
        when(page, "document.querySelector('#output').textContent === ''")
        self.go(f"task/{child}")
        when(page, f"{TITLE} === 'done'")

    def test_a_failure_leads_to_its_root_and_is_retried(self) -> None:
        root = self.settled(self.command("echo sorry >&2; exit 3"), "failed")
        child = self.settled(call(self.name, "probe.echo", root), "failed")
        page = self.page
        self.go(f"task/{child}")
        when(page, shows("#task .reason", root))
        page.click(f"#task .reason a[href='#/task/{root}']")
        when(page, shows("#task h1", "exit 3"))
        self.assertEqual(page.inner_text("#task .detail dd >> text=/^3$/"), "3")
        page.click("#output-panel >> text=stderr")
        when(page, "document.querySelector('#output').textContent === 'sorry\\n'")
        before = {task["ref"] for task in self.server.get("tasks", q="exit 3")["tasks"]}
        page.click("#task >> text=Retry")
        when(page, shows("#toast", "retried"))
        again = {task["ref"] for task in self.server.get("tasks", q="exit 3")["tasks"]} - before
        self.assertEqual(len(again), 1)
        self.assertIn(again.pop(), page.inner_text("#toast"))

    def test_keys_alone_find_cancel_and_requeue(self) -> None:
        ref, _ = self.gated("keys", "--label", "only-keys")
        self.settled(ref, "running")
        page, press = self.page, self.page.keyboard.press
        press("/")
        page.wait_for_selector("#task-text:focus")
        page.keyboard.type("only-keys")
        when(page, f"{ROWS}.map((row) => row.dataset.open).join() === '{ref}'")
        press("Escape")
        press("j")
        press("q")
        when(page, shows("#toast", ref))
        until(lambda: self.server.get("task", ref=ref)["attempt"] == 2, "it runs again")
        press("Enter")
        when(page, f"{TITLE} === 'running'")
        press("c")
        when(page, f"{TITLE} === 'cancelled'")
        press("Escape")
        page.wait_for_selector("#tasks:not([hidden])")
        press("p")
        until(lambda: self.server.get("status")["paused"], "the runtime is paused")
        when(page, "document.querySelector('#state').textContent === 'paused'")
        press("p")
        until(lambda: not self.server.get("status")["paused"], "the runtime goes on")
        press("Tab")
        outline = "getComputedStyle(document.activeElement).outlineStyle"
        self.assertNotEqual(page.evaluate(outline), "none", "the focus is seen")

    def test_pages_of_tasks(self) -> None:
        with tempfile.NamedTemporaryFile("w", suffix=".jsonl") as file:
            for i in range(250):
                file.write(f'{{"shell": "true", "label": "paged", "priority": {i}}}\n')
            file.flush()
            ctl("load", file.name, name=self.name)
        until(
            lambda: len(self.server.get("tasks", q="paged", limit=1000)["tasks"]) == 250,
            "all tasks are there",
        )
        page, press = self.page, self.page.keyboard.press
        self.go("tasks?q=paged")
        when(page, f"{NOTE}.startsWith('tasks 1 to 100,')")
        self.assertFalse(page.is_visible("#task-back"))
        seen = page.evaluate(f"{ROWS}.map((row) => row.dataset.open)")
        page.click("#task-next")
        when(page, f"{NOTE}.startsWith('tasks 101 to 200,')")
        seen += page.evaluate(f"{ROWS}.map((row) => row.dataset.open)")
        press("]")
        when(page, f"{NOTE}.startsWith('tasks 201 to 250,')")
        seen += page.evaluate(f"{ROWS}.map((row) => row.dataset.open)")
        self.assertEqual((len(seen), len(set(seen))), (250, 250))
        self.assertFalse(page.is_visible("#task-next"))
        press("[")
        when(page, f"{NOTE}.startsWith('tasks 101 to 200,')")
        page.click("#task-table th button >> text=Prio")
        priority = ROWS + ".map((row) => row.children[4].innerText)"
        when(page, f"{priority}[0] === '249'")
        press("]")
        when(page, f"{priority}[0] === '149' && {priority}[99] === '50'")
        press("]")
        when(page, f"{priority}.length === 50 && {priority}[49] === '0'")
        self.assertFalse(page.is_visible("#task-next"))
        press("k")
        press("Enter")
        page.wait_for_selector("#task:not([hidden]) h1")
        press("Escape")
        when(page, f"{NOTE}.startsWith('tasks 201 to 250')")

    def test_an_order_is_turned_to_its_end_and_back(self) -> None:
        count = 1250
        with world("turned") as (name, server, _):
            load_noops(name, ({"priority": i % 3} for i in range(count)))
            page = self.open(server, view="tasks")
            press = page.keyboard.press
            when(page, f"{NOTE}.startsWith('tasks 1 to 100,')")
            page.click("#task-table th button >> text=Prio")
            seen: list[str] = []
            priorities: list[str] = []
            for first in range(1, count, 100):
                last = min(first + 99, count)
                note = f"tasks {first:,} to {last:,} of {count:,}"
                when(page, f"{NOTE} === {note!r}")
                seen += page.evaluate(f"{ROWS}.map((row) => row.dataset.open)")
                priorities += page.evaluate(f"{ROWS}.map((row) => row.children[4].innerText)")
                self.assertEqual(page.is_visible("#task-next"), last < count)
                press("]")
            self.assertEqual((len(seen), len(set(seen))), (count, count))
            self.assertEqual(priorities, sorted(priorities, reverse=True))
            page.click("#task-back")
            when(page, f"{NOTE} === 'tasks 1,101 to 1,200 of 1,250'")
            self.assertEqual(
                page.evaluate(f"{ROWS}.map((row) => row.dataset.open)"), seen[1100:1200]
            )
            page.context.close()

    def test_workers_are_drained_and_resumed(self) -> None:
        page = self.page
        self.go("workers")
        row = "[...document.querySelectorAll('#worker-table tr')].map((row) => row.innerText)"
        when(page, f"{row}.some((text) => text.startsWith('w1'))")
        when(page, shows("#process-table", "scheduler"))
        page.click("#worker-table tr:has-text('w1') button")
        page.mouse.click(5, 500)
        page.evaluate("document.activeElement.blur()")
        when(page, f"{row}.some((text) => /^w1.*drained/s.test(text))")
        page.click("#worker-table tr:has-text('w1') button")
        page.evaluate("document.activeElement.blur()")
        when(page, f"{row}.some((text) => /^w1.*idle/s.test(text))")

    def test_read_only_shows_no_button(self) -> None:
        ref, gate = self.gated("readonly")
        self.settled(ref, "running")
        with serve(self.name, "--read-only") as server:
            page = self.open(server)
            self.assertFalse(page.is_visible("#pause") or page.is_visible("#drain"))
            page.goto(f"{server.url}#/task/{ref}")
            page.wait_for_selector("#task h1")
            self.assertEqual(page.locator("#task .push button").count(), 0)
            page.goto(f"{server.url}#/workers")
            when(page, shows("#worker-table", "w0"))
            self.assertEqual(page.locator("#worker-table button").count(), 0)
            page.context.close()
        touch(gate)
        self.settled(ref, "done")


class Journal(PageCase):
    """A runtime with --state and few values."""

    @classmethod
    def setUpClass(cls) -> None:
        cls.options = ("--state", cls.enterClassContext(tempfile.TemporaryDirectory()))
        super().setUpClass()

    def test_values_functions_and_modules(self) -> None:
        self.assertIn("@", ctl("put", __file__, name=self.name))
        page = self.page
        self.go("objects")
        when(page, shows("#object-table", "put by a client"))
        size = Path(__file__).stat().st_size
        when(page, shows("#object-table", f"{size / 1024:.1f}".removesuffix(".0") + " KiB"))
        self.go("functions")
        when(page, shows("#function-table", "probe.echo"))
        when(page, shows("#module-table", "command"))
        when(page, shows("#policy-table", "in force"))
        page.click("#function-table >> text=probe.echo")
        when(page, "document.querySelector('#task-text').value === 'probe.echo'")

    def test_history_and_a_task_that_has_left(self) -> None:
        for label in ("kept", "other"):
            self.command(f"echo {label}; exit 4", "--label", label)
        page = self.page
        until(
            lambda: len(self.server.get("history", state="failed")["tasks"]) == 2,
            "the journal has both",
        )
        self.go("history")
        rows = "[...document.querySelectorAll('#history-table tbody tr[data-open]')]"
        when(page, f"{rows}.length === 2")
        page.fill("#history-text", "KEPT")
        when(page, f"{rows}.length === 1 && {rows}[0].innerText.includes('kept')")
        page.click("#history-states >> text=done")
        when(page, f"{rows}.length === 0")
        page.click("#history-states >> text=done")
        when(page, f"{rows}.length === 1")
        ref = str(page.evaluate(f"{rows}[0].dataset.open"))
        ctl("forget", "--all", name=self.name)
        until(lambda: self.server.ask(f"/api/task?ref={ref}")[0] == 404, "it has left the table")
        page.evaluate("document.activeElement.blur()")
        page.keyboard.press("j")
        page.keyboard.press("Enter")
        when(page, shows("#task", "From the journal"))
        when(page, shows("#task h1", "echo kept"))
        when(page, shows("#task pre.output", "kept"))
        self.assertIn("4", page.inner_text("#task dl.facts"))

    def test_a_search_goes_on_until_it_finds(self) -> None:
        state = self.enterContext(tempfile.TemporaryDirectory(prefix="plm-test-"))
        with world("long", "--state", state) as (name, server, _):
            for label in ("needle", "hay"):
                ctl("submit", "--detach", "--label", label, "--", "true", name=name)
            until(
                lambda: len(server.get("history", state="done")["tasks"]) == 2, "both are written"
            )
            ctl("stop", "--now", name=name)
            until(lambda: server.ask("/api/status")[0] == 404, "the runtime is gone")
            lengthen_history(state, 300_000)
            page = self.open(server, view="history")
            rows = "[...document.querySelectorAll('#history-table tbody tr[data-open]')]"
            note = "document.querySelector('#history-note').textContent"
            when(page, f"{rows}.length === 100")
            page.evaluate(f"""notes = []; new MutationObserver(() => notes.push({note})).observe(
                document.querySelector('#history-note'), {{childList: true}})""")
            page.fill("#history-text", "needle")
            when(page, f"{rows}.length === 1 && {note} === 'tasks 1 to 1'")
            self.assertRegex(page.evaluate("notes.join()"), r"searched \d+ % of the history…")
            page.fill("#history-text", "straw")
            when(page, shows("#history-table", "no such task"))
            when(page, f"!{note}")
            page.context.close()


if __name__ == "__main__":
    main()
