"""A page in the browser: one asks the documents, and sees the answer come, the pieces used, and
which states were reused or prefetched.

    build/rag-venv/bin/python examples/workloads/rag/page.py [--port N] FILE...

Serves the own machine alone. One question at a time is answered; the next pieces that a reader of
this session may ask for are prefetched meanwhile (predictor: neighbours). When the browser goes
away in the middle of an answer, the rest of the answer is cancelled.
"""

from __future__ import annotations

import argparse
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

import rag

PAGE = """<!doctype html>
<meta charset="utf-8">
<title>Ask the documents</title>
<style>
body { font: 16px/1.5 system-ui, sans-serif; max-width: 44em; margin: 2em auto; padding: 0 1em }
input { font: inherit; width: 30em; max-width: 70% }
#answer { min-height: 3em; white-space: pre-wrap }
#answer { border-left: 3px solid #3465a4; padding-left: 1em }
li { margin: .4em 0 } small { color: #555 }
</style>
<h1>Ask the documents</h1>
<form id="form"><input id="question" name="q" autofocus
 placeholder="What does the manager do?"> <button>Ask</button></form>
<p id="answer"></p>
<ul id="pieces"></ul>
<p><small id="figures"></small></p>
<script>
"use strict";
const at = (id) => document.getElementById(id);
let source = null;
function ask(question) {
  if (source) source.close();
  for (const id of ["answer", "pieces", "figures"]) at(id).textContent = "";
  source = new EventSource("/ask?q=" + encodeURIComponent(question));
  source.addEventListener("token", (e) => { at("answer").textContent += JSON.parse(e.data); });
  source.addEventListener("end", (e) => {
    const told = JSON.parse(e.data);
    source.close();
    for (const piece of told.pieces) {
      const line = document.createElement("li");
      line.textContent = `${piece.path}, byte ${piece.offset} (${piece.state}): ${piece.text}`;
      at("pieces").append(line);
    }
    at("figures").textContent = told.error ||
      `first token after ${told.first} ms; system text: ${told.system}`;
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
                "text": states.collection.pieces[n].text[:80],
                "state": state,
            }
            for n, state in zip(answer.pieces, answer.ready[1:], strict=False)
        ]
        system = answer.ready[0] if answer.ready else ""
        told = {"pieces": pieces, "first": round(answer.first * 1e3), "system": system}
        self._event("end", {**told, "error": error})
        if answer.pieces:
            self.server.seen.add(0, (*answer.pieces, question))
            for way in rag.PREDICTORS["neighbours"](self.server.seen, 0, ()):
                states.prefetch(way)

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing: the terminal belongs to the user."""


def main() -> None:
    given = argparse.ArgumentParser(description=__doc__)
    given.add_argument("--port", type=int, default=8080)
    given.add_argument("files", nargs="+")
    options = given.parse_args()
    with Service(options.port, rag.open_states(options.files)) as service:
        print(f"http://127.0.0.1:{service.server_port}/", flush=True)
        try:
            service.serve_forever()
        except KeyboardInterrupt:
            print()


if __name__ == "__main__":
    main()
