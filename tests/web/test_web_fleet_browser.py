"""The page of plmweb --fleet in headless Chromium."""

from __future__ import annotations

import unittest
from typing import Any

from web_page import CHROMIUM, PLAYWRIGHT, use_browser, when
from web_support import Server, main, runtime, until

from fleet_support import SERVER, Fleet, ctl  # isort: skip

if __name__ == "__main__":
    use_browser()


@unittest.skipUnless(SERVER, "no Redis on this machine (apt-get install redis-tools)")
@unittest.skipUnless(PLAYWRIGHT, "Playwright is not there; tools/web_tools.sh gets it")
@unittest.skipUnless(CHROMIUM, "Chromium is not there; tools/web_tools.sh gets it")
class FleetPage(unittest.TestCase):
    """What a person sees of a fleet."""

    def open(self, server: Server) -> Any:
        from playwright.sync_api import sync_playwright  # type: ignore[import-not-found]

        playwright = self.enterContext(sync_playwright())
        browser = playwright.chromium.launch(
            executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"]
        )
        self.addCleanup(browser.close)
        page = browser.new_page()
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.on("console", lambda m: self.complaints.append(m.text) if m.type == "error" else None)
        page.goto(server.url)
        return page

    def test_hosts_numbers_and_an_engine_that_dies(self) -> None:
        self.complaints: list[str] = []
        fleet = Fleet()
        self.addCleanup(fleet.end)
        server = Server(None, "--fleet", fleet.url)
        self.addCleanup(server.end)
        with runtime("web-fleet-page", "--fleet", fleet.url, python=None) as name:
            until(lambda: ctl(fleet, "hosts").count(" up ") == 1, "the host is up")
            page = self.open(server)
            row = f"document.querySelector('tr[data-host$=\":{name}\"]')"
            when(page, f"{row} !== null && {row}.textContent.includes('up')")
            when(page, "document.getElementById('state').textContent === 'up'")
            ctl(fleet, "submit", "--detach", "--needs", "never=1", "true")
            when(page, "document.getElementById('tiles').textContent.includes('1 ready')")
            when(page, "fleetPlots.length === 3 && fleetPlots[1].plot.data[1].at(-1) === 1")
            page.click("#theme")
            when(page, "fleetPlots.length === 3")
            self.assertEqual(page.locator("#plots canvas").count(), 3)
        when(page, f"{row}.textContent.includes('left')")
        fleet.kill()
        when(page, "document.getElementById('state').textContent === 'engine away'")
        self.assertEqual(self.complaints, [])


if __name__ == "__main__":
    main()
