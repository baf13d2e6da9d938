"""The page of plmweb in headless Chromium: what a person sees, and what a stranger's text cannot
do. Driven by Playwright (tools/web_tools.sh)."""

from __future__ import annotations

import os
import signal
from pathlib import Path

from web_page import PHONE, PageCase, use_browser, when
from web_support import Server, ctl, lasting, main, runtime, touch, until, world

WILD = '<img src=x onerror="document.title=`hit`"><script>document.title="hit"</script>'
VERSION_AT = 8  # struct segment_header in shm/segment.h
STATE = "document.querySelector('#state').textContent"
NOTICE = "document.querySelector('#notice').textContent"

if __name__ == "__main__":
    use_browser()


class Page(PageCase):
    """The overview, themes, untrusted text, and runtimes that come and go."""

    def test_the_overview_shows_what_runs(self) -> None:
        page = self.page
        ref, gate = self.gated("overview")
        when(page, "document.querySelector('#state').textContent === 'up'")
        when(page, "stream.boxes.some((box) => box.task && box.task.how === -1)")
        touch(gate)
        self.command("sleep 0.5; exit 1")
        when(page, "stream.boxes.some((box) => box.task && box.task.how === 0)")
        when(page, "stream.boxes.some((box) => box.task && box.task.how === 1)")
        # White is idle, black is failed.
        when(
            page,
            """(() => {
                const c = document.getElementById("stream");
                const all = c.getContext("2d").getImageData(0, 0, c.width, c.height).data;
                const seen = new Set();
                for (let i = 0; i < all.length; i += 4)
                    if (all[i + 3] === 255) seen.add(all[i] << 16 | all[i + 1] << 8 | all[i + 2]);
                return seen.has(0xffffff) && seen.has(0);
            })()""",
        )
        when(page, "document.querySelectorAll('#progress .progress').length > 0")
        self.assertIn("sh", self.text("#progress"))
        self.assertEqual(page.locator("#plots canvas").count(), 4)
        page.hover("#stream", position={"x": 600, "y": 10})
        self.assertTrue(ref.startswith("@"))

    def test_a_row_is_a_cpu_of_a_worker(self) -> None:
        with world("rows", "--workers", "cpus=3 x1; cpus=1 x1") as (name, server, directory):
            gate = directory / "gate"
            script = f"until [ -e {gate} ]; do sleep 0.01; done"
            for _ in range(4):
                ctl("submit", "--detach", "--", "sh", "-c", script, name=name)
            page = self.open(server)
            labels = "stream.lines.map((line) => line[0]).join()"
            when(page, f"{labels} === 'w0.0,w0.1,w0.2,w1'")
            running = "stream.boxes.filter((box) => box.task && box.task.how === -1)"
            when(page, f"new Set({running}.map((box) => box.y)).size === 4")
            self.assertEqual(page.evaluate(f"{running}.length"), 4)
            # A dead worker's successor goes on in the row of the dead.
            busy = next(w for w in server.get("workers")["workers"] if w["worker"] == 1)
            os.kill(busy["pid"], signal.SIGKILL)
            when(page, f"live.frame.workers.every((w) => w[2] !== {busy['pid']})")
            when(page, f"{labels} === 'w0.0,w0.1,w0.2,w1'")
            touch(str(gate))
            page.context.close()

    def test_strangers_text_is_text(self) -> None:
        ref, gate = self.gated("wild", "--label", WILD[:60], text=WILD)
        page, body = self.page, "document.body.innerText.includes('onerror')"
        for view in ("tasks", "workers", f"task/{ref}", "overview"):
            page.goto(f"{self.server.url}#/{view}")
            shown = "stream.boxes.length > 0" if view == "overview" else body
            when(page, shown)
        page.goto(f"{self.server.url}#/task/{ref}")
        when(page, "document.querySelector('#output')?.textContent.includes('<script>')")
        self.assertEqual(page.evaluate("document.querySelectorAll('main img').length"), 0)
        self.assertNotEqual(page.title(), "hit")
        touch(gate)
        when(page, "document.querySelector('#output')?.textContent.includes('end')")

    def test_cancel_needs_the_token(self) -> None:
        ref, _ = self.gated("cancel")
        stranger = self.open(view=f"task/{ref}")
        stranger.click("#task button.danger")
        stranger.wait_for_selector("#ask[open]")
        stranger.keyboard.press("Escape")
        self.assertIn(self.server.get("task", ref=ref)["state"], ("ready", "running"))
        stranger.context.close()
        self.page.goto(f"{self.server.url}#/task/{ref}")
        self.page.click("#task button.danger")
        when(self.page, "document.querySelector('#task .state').innerText === 'cancelled'")
        self.assertEqual(self.server.get("task", ref=ref)["state"], "cancelled")
        self.assertNotIn(self.server.token, self.page.url)

    def test_light_and_dark(self) -> None:
        background = "getComputedStyle(document.body).backgroundColor"
        light = self.page.evaluate(background)
        dark = self.open(color_scheme="dark")
        self.assertNotEqual(dark.evaluate(background), light)
        dark.click("#theme")
        self.assertEqual(dark.evaluate(background), light)
        dark.reload()
        self.assertEqual(dark.evaluate(background), light, "the choice is kept")
        dark.context.close()

    def test_a_phone_needs_no_sideways_scrolling(self) -> None:
        ref = self.command("echo " + "x" * 300, "--label", "y" * 60)
        phone = self.open(viewport=PHONE, device_scale_factor=2, has_touch=True)
        views = ("overview", "tasks", f"task/{ref}", "workers", "objects", "functions", "history")
        for view in views:
            phone.goto(f"{self.server.url}#/{view}")
            when(
                phone,
                "[...document.querySelectorAll('main > section:not([hidden])')]"
                ".some((s) => s.innerText.length > 20)",
            )
            wide = phone.evaluate("document.documentElement.scrollWidth")
            self.assertLessEqual(wide, PHONE["width"], view)
        phone.context.close()

    def test_keys(self) -> None:
        ref = self.command("echo keys", "--label", "keys")
        page, press = self.page, self.page.keyboard.press
        press("w")
        page.wait_for_selector("#workers:not([hidden])")
        press("/")
        page.wait_for_selector("#task-text:focus")
        page.keyboard.type("keys")
        when(
            page,
            f"[...document.querySelectorAll('#tasks tr')].some((r) => r.dataset.open === '{ref}')",
        )
        press("Escape")
        press("j")
        press("Enter")
        page.wait_for_selector("#task:not([hidden]) h1")
        press("Escape")
        page.wait_for_selector("#tasks:not([hidden])")
        press("?")
        page.wait_for_selector("#help[open]")
        press("Escape")
        press("o")
        page.wait_for_selector("#overview:not([hidden])")
        when(page, "stream.clock !== null")
        press(" ")
        self.assertTrue(page.evaluate("stream.held !== null"))

    def test_filter_and_order(self) -> None:
        for priority in (1, 3, 2):
            self.command("true", "--label", "ranked", "--priority", str(priority))
        page = self.page
        page.goto(f"{self.server.url}#/tasks?q=ranked")
        rows = "[...document.querySelectorAll('#task-table tbody tr')]"
        column = rows + ".map((row) => row.children[4].innerText).join()"
        when(page, f"{column} === '1,3,2'")
        page.click("#task-table th button >> text=Prio")
        when(page, f"{column} === '3,2,1'")
        page.click("#task-table th button >> text=Prio")
        when(page, f"{column} === '1,2,3'")
        page.click("#task-states >> text=failed")
        page.wait_for_selector("#task-table td.empty")

    def test_the_page_survives_a_restart(self) -> None:
        with runtime("again", python=None) as name:
            server = Server(name)
            page = self.open(server)
            when(page, f"{STATE} === 'up'")
        when(page, f"{STATE} === 'gone'")
        self.assertIn("stopped", page.inner_text("#notice"))
        with runtime("again", python=None):
            when(page, f"{STATE} === 'up'")
            when(page, "document.querySelector('#notice').hidden")
            server.process.kill()
            when(page, f"{STATE} === 'no connection'")
            server.end()
            again = Server(name, listen=f"127.0.0.1:{server.port}")
            when(page, f"{STATE} === 'up'")
            page.context.close()
            until(lambda: again.end() == 0, "the server ends")

    def test_a_dead_manager_is_named_and_its_successor_shown(self) -> None:
        with lasting("page") as (name, boot):
            server = Server(name)
            page = self.open(server)
            when(page, f"{STATE} === 'up'")
            frame = page.evaluate("live.boot")
            boot.kill()
            when(page, f"{NOTICE}.includes('the manager is dead')")
            rows = server.get("processes")["processes"]
            for row in rows:
                if row["kind"] in ("scheduler", "worker"):
                    os.kill(row["pid"], signal.SIGKILL)
            when(page, f"{NOTICE}.includes('manager and scheduler are dead')")
            self.assertIn("test-", page.inner_text("#name"))
            self.assertGreater(page.locator("#tiles .tile").count(), 3, "what they left is shown")
            boot()
            when(page, f"{NOTICE} === ''")
            self.assertEqual(page.evaluate("live.boot"), frame, "it is the same boot")
            page.context.close()
            until(lambda: server.end() == 0, "the server ends")

    def test_another_version_is_named(self) -> None:
        with world("version") as (name, server, _):
            page = self.open(server)
            when(page, f"{STATE} === 'up'")
            control = Path(f"/dev/shm/plm-{os.getuid()}-{name}.control")
            with control.open("r+b") as file:
                file.seek(VERSION_AT)
                version = file.read(4)
                file.seek(VERSION_AT)
                file.write(b"\xff\xff\xff\x7f")
            when(page, f"{STATE} === 'other version'")
            self.assertIn("another version of plm", page.inner_text("#notice"))
            self.assertFalse(page.is_visible("#pause"))
            with control.open("r+b") as file:
                file.seek(VERSION_AT)
                file.write(version)
            when(page, f"{STATE} === 'up'")
            page.context.close()

    def test_the_policy_stops_what_is_not_ours(self) -> None:
        page = self.page
        blocked = """(text) => {
            const wild = [
                () => { document.body.innerHTML = text; },
                () => { document.createElement("script").src = "data:text/javascript,0"; },
                () => { document.createElement("script").text = "0"; },
                () => { setTimeout("document.title = 'hit'", 0); },
            ];
            const stopped = (run) => { try { run(); return false; } catch { return true; } };
            return wild.filter(stopped).length;
        }"""
        self.assertEqual(page.evaluate(blocked, WILD), 4)
        self.assertNotEqual(page.title(), "hit")
        self.assertTrue(all("Trusted" in text for text in self.complaints), self.complaints)
        self.complaints.clear()

    def test_a_silent_server_is_noticed(self) -> None:
        with world("silent") as (_, server, _):
            page = self.open(server)
            when(page, f"{STATE} === 'up'")
            os.kill(server.process.pid, signal.SIGSTOP)
            when(page, f"{STATE} === 'no connection'")
            self.assertIn("silent", page.inner_text("#notice"))
            os.kill(server.process.pid, signal.SIGCONT)
            when(page, f"{STATE} === 'up'")
            when(page, "document.querySelector('#notice').hidden")
            page.context.close()


if __name__ == "__main__":
    main()
