"""A page in the browser: one asks the documents, and sees the answer come, the pieces used, and
which states were reused or prefetched.

    examples/workloads/rag/ask --page [--port N] [FILE...]       by default the project's pages

Serves the own machine alone. One question at a time is answered; the next pieces that a reader of
this session may ask for are prefetched meanwhile (predictor: neighbours). When the browser goes
away in the middle of an answer, the rest of the answer is cancelled.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import rag

PAGE = """<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>Ask the documents</title>
<style>
body { font: 16px/1.5 system-ui, sans-serif; max-width: 44em; margin: 2em auto; padding: 0 1em }
input { font: inherit; width: 30em; max-width: 70% }
#answer { min-height: 3em; white-space: pre-wrap }
#answer { border-left: 3px solid #3465a4; padding-left: 1em }
li { margin: .4em 0 } small { color: #555; display: block }
</style>
<h1>Ask the documents</h1>
<form id="form"><input id="question" name="q" autofocus
 placeholder="What does the manager do?"> <button>Ask</button></form>
<p id="answer"></p>
<ul id="pieces"></ul>
<small id="figures" role="status"></small>
<small>new: read for this question. reused: the state lay in the store. prefetched: read before
anybody asked. under way: a prefetch went on. no room: read without states.</small>
<script>
"use strict";
const at = (id) => document.getElementById(id);
let source = null;
function ask(question) {
  if (source) source.close();
  for (const id of ["answer", "pieces", "figures"]) at(id).textContent = "";
  at("figures").textContent = "searching, then reading what was found\u2026";
  source = new EventSource("/ask?q=" + encodeURIComponent(question));
  source.addEventListener("token", (e) => { at("answer").textContent += JSON.parse(e.data); });
  source.addEventListener("end", (e) => {
    const told = JSON.parse(e.data);
    source.close();
    for (const piece of told.pieces) {
      const line = document.createElement("li");
      const place = `${piece.path}, byte ${piece.offset} (${piece.state})`;
      line.textContent = `${place}: ${piece.text}\u2026`;
      at("pieces").append(line);
    }
    at("figures").textContent = told.error ||
      `first token after ${told.first} ms. System text: ${told.system}; question: ` +
      `${told.question}. ${told.states} states, ${told.megabytes} MB, in the store; ` +
      `${told.prefetched} prefetched so far, ${told.used} of them used.`;
    document.body.dataset.ended = "yes";
  });
}
at("form").addEventListener("submit", (e) => { e.preventDefault(); ask(at("question").value); });
const asked = new URLSearchParams(location.search).get("q");
if (asked) { at("question").value = asked; ask(asked); }
</script>
"""


class Service(ThreadingHTTPServer):
    """The server, with the documents and their states."""

    daemon_threads = True

    def __init__(self, port: int, states: rag.States) -> None:
        super().__init__(("127.0.0.1", port), Handler)
        self.states = states
        self.seen = rag.Seen(states.collection)
        self.turn = threading.Lock()  # one question at a time


class Handler(BaseHTTPRequestHandler):
    server: Service

    def do_GET(self) -> None:
        """The page, or the events of an answer."""
        asked = urlsplit(self.path)
        if asked.path == "/":
            self._reply("text/html; charset=utf-8")
            self.wfile.write(PAGE.encode())
        elif asked.path == "/ask":
            self._reply("text/event-stream")
            with self.server.turn:
                self._answer(parse_qs(asked.query).get("q", [""])[0].strip())
        else:
            self.send_error(404)

    def _reply(self, kind: str) -> None:
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.send_header("Cache-Control", "no-store")
        self.end_headers()

    def _event(self, name: str, data: Any) -> None:
        self.wfile.write(f"event: {name}\ndata: {json.dumps(data)}\n\n".encode())
        self.wfile.flush()

    def _answer(self, question: str) -> None:
        states, answer, error = self.server.states, rag.Answer(), ""
        tokens = rag.ask(states, question, answer)
        try:
            for token in tokens:
                self._event("token", token)
        except OSError:  # the browser went away: the rest is cancelled
            return
        except Exception as failed:
            error = str(failed)
        finally:
            tokens.close()
        pieces = [
            {
                "path": states.collection.pieces[n].path,
                "offset": states.collection.pieces[n].offset,
                "text": " ".join(states.collection.pieces[n].text[:100].split()),
                "state": state,
            }
            for n, state in zip(answer.pieces, answer.ready[1:], strict=False)
        ]
        told = {
            "pieces": pieces,
            "first": round(answer.first * 1e3),
            "system": answer.ready[0] if answer.ready else "",
            "question": answer.ready[-1] if answer.ready else "",
            "states": len(states.known),
            "megabytes": round(states.held() / 1e6),
            "prefetched": states.figures.prefetched,
            "used": states.figures.used,
            "error": error,
        }
        self._event("end", told)
        if answer.pieces:
            self.server.seen.add(0, (*answer.pieces, question))
            for way in rag.PREDICTORS["neighbours"](self.server.seen, 0, ()):
                states.prefetch(way)

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing: the terminal belongs to the user."""


def own_pages() -> list[str]:
    root = Path(__file__).resolve().parents[3]
    found = [root / "README.md", *sorted(root.glob("docs/*.md")), *sorted(root.glob("*/README.md"))]
    return [os.path.relpath(path) for path in found]


def main() -> None:
    given = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    given.add_argument("--port", type=int, default=8080)
    given.add_argument("files", nargs="*")
    options = given.parse_args()
    states = rag.open_states(options.files or own_pages())
    try:
        service = Service(options.port, states)
    except OSError as error:
        sys.exit(f"page.py: port {options.port}: {error.strerror}: choose another with --port")
    with service:
        print(f"http://127.0.0.1:{service.server_port}/", flush=True)
        try:
            service.serve_forever()
        except KeyboardInterrupt:
            print()


if __name__ == "__main__":
    main()
