"""What the tests of the page share: a browser, a page that notes complaints, tasks to look at."""

from __future__ import annotations

import importlib.util
import os
import shutil
import sys
import unittest
from pathlib import Path
from typing import Any

from web_support import ROOT, Server, ctl, until, world

VENV = ROOT / "build" / "web-tools" / "venv" / "bin" / "python"
CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome")
PLAYWRIGHT = importlib.util.find_spec("playwright") is not None
PHONE = {"width": 390, "height": 844}


def use_browser() -> None:
    """Runs the program again with the interpreter that has Playwright, if there is one."""
    if not PLAYWRIGHT and VENV.exists() and Path(sys.prefix) != VENV.parents[1]:
        os.execv(VENV, [str(VENV), *sys.argv])


def when(page: Any, condition: str) -> None:
    """Waits for a condition in the page. Playwright's own way needs eval(), which the policy of the
    page forbids."""
    until(lambda: page.evaluate(condition), condition)


@unittest.skipUnless(PLAYWRIGHT, "Playwright is not there; tools/web_tools.sh gets it")
@unittest.skipUnless(CHROMIUM, "Chromium is not there; tools/web_tools.sh gets it")
class PageCase(unittest.TestCase):
    """Tests with a browser, a runtime and a page, which may complain of nothing."""

    name: str
    server: Server
    directory: Path
    browser: Any
    options: tuple[str, ...] = ()  # of plm

    @classmethod
    def setUpClass(cls) -> None:
        from playwright.sync_api import sync_playwright  # type: ignore[import-not-found]

        cls.name, cls.server, cls.directory = cls.enterClassContext(world("browser", *cls.options))
        playwright = cls.enterClassContext(sync_playwright())
        cls.browser = playwright.chromium.launch(
            executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"]
        )
        cls.addClassCleanup(cls.browser.close)

    def setUp(self) -> None:
        self.complaints: list[str] = []
        self.page = self.open()

    def tearDown(self) -> None:
        self.page.context.close()
        self.assertEqual(self.complaints, [])

    def open(self, server: Server | None = None, view: str = "", **options: object) -> Any:
        """A page in a context of its own, that notes errors and requests to other hosts."""
        server = server or self.server
        options = {"viewport": {"width": 1200, "height": 900}, **options}
        page = self.browser.new_context(**options).new_page()
        page.set_default_timeout(30_000)
        page.on("pageerror", lambda error: self.complaints.append(f"error: {error}"))
        page.on("dialog", lambda dialog: self.complaints.append(f"dialog: {dialog.message}"))
        page.on("console", self.note)
        page.on("request", lambda request: self.see(server, request.url))
        page.goto(f"{server.url}#token={server.token}" if not view else f"{server.url}#/{view}")
        when(page, "live.frame !== null")
        return page

    def note(self, message: Any) -> None:
        """Violations of the policy and errors of scripts appear in the console."""
        if message.type == "error" and "Failed to load resource" not in message.text:
            self.complaints.append(message.text)

    def see(self, server: Server, url: str) -> None:
        """No request goes to another host."""
        if not url.startswith((server.url, "data:")):
            self.complaints.append("request: " + url)

    def command(self, script: str, *options: str) -> str:
        """Submits a command of the shell."""
        words = ["submit", "--detach", *options, "--", "sh", "-c", script]
        return ctl(*words, name=self.name).split()[0]

    def gated(self, gate: str, *options: str, text: str = "begun") -> tuple[str, str]:
        """A command that runs until a file is there."""
        path = str(self.directory / gate)
        script = f"echo '{text}'; until [ -e {path} ]; do sleep 0.01; done; echo end"
        return self.command(script, *options), path

    def go(self, view: str) -> None:
        """Shows a view."""
        self.page.goto(f"{self.server.url}#/{view}")

    def text(self, selector: str) -> str:
        """The text of an element."""
        return str(self.page.inner_text(selector))
