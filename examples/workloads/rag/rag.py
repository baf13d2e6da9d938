"""Questions to documents, answered by SmolLM2 from states in the store.

    examples/workloads/rag/ask "why does a task wait?"            the project's own pages
    rag.py ask QUESTION FILE...                                   other pages
    rag.py check FILE...                                          compares ways, kills workers
    rag.py measure QUESTIONS FILE...                              figures

A state is the value of a task `prefill`; its name is the way of what was read: pieces, then the
question. The state of a longer way has the state of the shorter way as argument, so a state can be
used before it is there, and by any worker. Prefetched states are computed with the lowest priority.
"""

from __future__ import annotations

import json
import os
import random
import select
import signal
import socket
import statistics
import sys
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import llm
import numpy as np
from library import Library

import plm
from plm._core import DONE, RUNNING

HITS = 2
TOKENS = 40
ROUNDS = 5  # of one question
THINK_S = 3.0  # between an answer and the next question
FOREGROUND, PREFETCH = 100, -1000
SYSTEM = (
    "<|im_start|>system\nYou answer questions about a program from the documents given, in one or "
    "two sentences.<|im_end|>\n<|im_start|>user\nDocuments:\n"
)
CHARACTER_BYTES = 8192  # of a state, until the state is there: 23,040 for a token of 4 characters
Pieces = tuple[int, ...]
Way = tuple[int | str, ...]  # pieces, then the question


class NoRoom(Exception):
    """The states of a way are larger than the budget."""


@dataclass
class State:
    ref: plm.Ref
    used: float
    size: int  # guessed until the state is there
    prefetched: bool = False
    measured: bool = False


@dataclass
class Figures:
    wanted: int = 0
    found: int = 0
    prefetched: int = 0
    used: int = 0
    cancelled: int = 0
    held_most: int = 0  # bytes


def store_share() -> int:
    """Half of the store: the other half is for the documents, and for states that are read."""
    return int(plm.status()["store_bytes"]) // 2


@dataclass
class States:
    """The tree of states: which are in the store, and which leave. Together they have at most
    `budget` bytes, as far as the size of a state can be told before it is there."""

    collection: Library
    budget: int = field(default_factory=store_share)
    known: dict[Way, State] = field(default_factory=dict)
    figures: Figures = field(default_factory=Figures)

    def text(self, way: Way) -> str:
        return SYSTEM + "".join(map(self._part, way))

    def _part(self, part: int | str) -> str:
        if isinstance(part, str):
            return f"Question: {part}<|im_end|>\n<|im_start|>assistant\n"
        return f"{self.collection.pieces[part].text.strip()}\n\n"

    def _make(self, way: Way, priority: int) -> plm.Ref:
        above = (len(self.text(way[:-1])), self.known[way[:-1]].ref) if way else ()
        task = plm.remote(llm.prefill).options(priority=priority, crash_retries=20, grace=5)
        ref: plm.Ref = task.remote(self.text(way), *above)
        return ref

    def held(self) -> int:
        """Bytes of all states, also of those that are still computed."""
        for state in self.known.values():
            if not state.measured and good(state.ref):
                state.size, state.measured = plm.get(state.ref).nbytes, True
        held = sum(state.size for state in self.known.values())
        self.figures.held_most = max(self.figures.held_most, held)
        return held

    def _victim(self, way: Way, prefetched: bool, any_kind: bool) -> Way | None:
        """The leaf of the tree that was used longest ago, and is no part of the way."""
        inner = {known[:-1] for known in self.known} | {way[:n] for n in range(len(way) + 1)}
        leaves = [known for known in self.known if known not in inner]
        kind = [known for known in leaves if self.known[known].prefetched == prefetched]
        oldest = sorted(kind or (leaves if any_kind else []), key=lambda w: self.known[w].used)
        return oldest[0] if oldest else None

    def _add(self, way: Way, prefetch: bool) -> State | None:
        """A new state, if there is room. For a question, prefetched states leave before used
        states. A prefetch takes the room of used states for half of the budget at most."""
        size = len(self.text(way)) * CHARACTER_BYTES
        self.held()  # measures what is there by now
        prefetched = sum(state.size for state in self.known.values() if state.prefetched)
        modest = prefetch and 2 * (prefetched + size) <= self.budget
        while self.held() + size > self.budget:
            leaving = self._victim(way, prefetched=not modest, any_kind=not prefetch)
            if leaving is None:
                return None
            self.known.pop(leaving).ref.cancel()
        ref = self._make(way, PREFETCH if prefetch else FOREGROUND)
        self.known[way] = State(ref, time.monotonic(), size, prefetched=prefetch)
        return self.known[way]

    def want(self, way: Way, told: list[str]) -> plm.Ref:
        """The state of a way for a question: computed before all else, unless it is there. Adds to
        `told`, for each part of the way, where its state came from."""
        now = time.monotonic()
        for n in range(len(way) + 1):
            part = way[:n]
            state = self.known.get(part)
            self.figures.wanted += 1
            if state is not None and good(state.ref):
                self.figures.found += 1
                told.append("prefetched" if state.prefetched else "reused")
            elif state is None or state.ref.client.state(state.ref) != RUNNING:
                if state is not None:
                    self.known.pop(part).ref.cancel()
                state = self._add(part, prefetch=False)
                if state is None:
                    raise NoRoom(f"the states of a question need more than {self.budget} bytes")
                told.append("new")
            else:
                told.append("under way")
            if state.prefetched:
                self.figures.used += 1
            state.prefetched, state.used = False, now
        needed = {way[:n] for n in range(len(way) + 1)}
        for part, state in self.known.items():
            if state.prefetched and part not in needed and not state.ref.done():
                self.figures.cancelled += state.ref.cancel()
        return self.known[way].ref

    def prefetch(self, way: Way) -> None:
        for n in range(len(way) + 1):
            state = self.known.get(way[:n])
            if state is not None and not (state.ref.done() and not good(state.ref)):
                continue
            self.known.pop(way[:n], None)
            if self._add(way[:n], prefetch=True) is None:
                return
            self.figures.prefetched += 1

    def clear(self) -> None:
        for state in self.known.values():
            state.ref.cancel()
        self.known.clear()
        self.figures = Figures()


def good(ref: plm.Ref) -> bool:
    """Tells whether the task has ended with a value."""
    return ref.client.state(ref) == DONE


# ---- one question ----


@dataclass
class Answer:
    pieces: Pieces = ()
    # Of each state (system text, pieces, question): reused, prefetched, under way, new or no room.
    ready: list[str] = field(default_factory=list)
    first: float = 0.0
    all: float = 0.0
    tokens: int = 0


def tokens_of(listener: socket.socket, ref: plm.Ref) -> Iterator[str]:
    """Tokens as they come. A worker that takes over a killed worker's task begins anew: tokens that
    were seen are left out."""
    seen, rest = 0, b""
    line: socket.socket | None = None
    while line is not None or not ref.done() or select.select([listener], [], [], 0)[0]:
        ready = select.select([line or listener], [], [], 0.05)[0]
        if not ready:
            continue
        if line is None:
            line, rest = listener.accept()[0], b""
            continue
        data = line.recv(65536)
        if not data:
            line.close()
            line = None
            continue
        *whole, rest = (rest + data).split(b"\n")
        for number, token in map(json.loads, whole):
            if number == seen:
                seen += 1
                yield token


def ask(
    states: States,
    question: str,
    answer: Answer,
    *,
    reuse: bool = True,
    tokens: int = TOKENS,
    pieces: Pieces | None = None,
) -> Generator[str, None, None]:
    """The answer, token by token. A caller that stops listening cancels the rest. Where the store
    has no room for a state, the answer is read anew, without states. pieces: instead of a search"""
    began = time.perf_counter()
    answer.pieces = tuple(states.collection.search(question, HITS)) if pieces is None else pieces
    way: Way = (*answer.pieces, question)
    try:
        state = states.want(way, answer.ready) if reuse else None
        yield from tokens_behind(states, way, answer, state, tokens, began)
    except (plm.Error, plm.OutOfMemory, NoRoom):
        if not reuse or answer.tokens:
            raise
        states.clear()
        answer.ready = ["no room"] * (len(way) + 1)
        yield from tokens_behind(states, way, answer, None, tokens, began)
    answer.all = time.perf_counter() - began


def tokens_behind(
    states: States, way: Way, answer: Answer, state: plm.Ref | None, tokens: int, began: float
) -> Generator[str, None, None]:
    """The answer behind a state, or behind nothing."""
    with tempfile.TemporaryDirectory() as folder, socket.socket(socket.AF_UNIX) as listener:
        listener.bind(f"{folder}/tokens")
        listener.listen()
        task = plm.remote(llm.generate).options(priority=FOREGROUND, crash_retries=20)
        ref = task.remote(states.text(way), tokens, f"{folder}/tokens", state)
        try:
            for token in tokens_of(listener, ref):
                answer.tokens += 1
                if answer.tokens == 1:
                    answer.first = time.perf_counter() - began
                yield token
            plm.get(ref)  # raises what the task raised
        finally:
            if not ref.done():
                ref.cancel()


# ---- predictors: the ways that the next question of a session may need ----


@dataclass
class Seen:
    collection: Library
    last: dict[int, Way] = field(default_factory=dict)
    after: dict[int | str, Counter[Way]] = field(default_factory=lambda: defaultdict(Counter))

    def add(self, session: int, way: Way) -> None:
        if session in self.last:
            self.after[self.last[session][0]][way] += 1
        self.last[session] = way


Predictor = Callable[[Seen, int, Way], list[Way]]
PREDICTORS: dict[str, Predictor] = {
    "none": lambda seen, session, _: [],
    "last": lambda seen, session, _: [seen.last[session]],
    "markov": lambda seen, session, _: [
        way for way, _ in seen.after[seen.last[session][0]].most_common(2)
    ],
    "neighbours": lambda seen, session, _: [
        (n, seen.collection.neighbours(n, 1)[0])
        for n in seen.collection.neighbours(int(seen.last[session][0]), 2)
    ],
    "oracle": lambda seen, session, following: [following] if following else [],
}


# ---- sessions ----


def written_sessions() -> list[list[str]]:
    """The sessions of questions.txt."""
    text = Path(__file__).with_name("questions.txt").read_text()
    lines = (line for line in text.splitlines() if not line.startswith("#"))
    return [group.splitlines() for group in "\n".join(lines).strip().split("\n\n")]


def sessions(count: int) -> list[tuple[int, str]]:
    """So many questions, with the number of their session. Two readers take turns. A reader follows
    a written session, the k-th of them k times as rarely as the first, and asks in one of four
    cases a question of any session instead."""
    chance = random.Random(1)
    written = written_sessions()
    weights = [1 / (n + 1) for n in range(len(written))]
    open_: dict[int, tuple[int, list[str]]] = {}
    found: list[tuple[int, str]] = []
    opened = 0
    while len(found) < count:
        reader = chance.randrange(2)
        number, rest = open_.get(reader, (0, []))
        if not rest:
            number, rest = opened, list(chance.choices(written, weights)[0])
            opened += 1
        asked = rest.pop(0)
        if chance.random() < 0.25:
            asked = chance.choice(chance.choice(written))
        open_[reader] = number, rest
        found.append((number, asked))
    return found


def row(value: float, unit: str, name: str) -> None:
    print(f"{name:64}  {value:12.6g}  {unit}", flush=True)


LEARNED = 60  # earlier questions, known to the predictors


def measure(states: States, count: int) -> None:
    questions = sessions(LEARNED + count)
    found: dict[str, Way] = {
        text: (*states.collection.search(text, HITS), text) for _, text in questions
    }
    for name, predict in [("no reuse", PREDICTORS["none"]), *PREDICTORS.items()]:
        states.clear()
        seen = Seen(states.collection)
        for session, text in questions[:LEARNED]:
            seen.add(session, found[text])
        firsts, rates = [], []
        for n, (session, text) in enumerate(questions[LEARNED:], LEARNED):
            answer = Answer()
            for _ in ask(states, text, answer, reuse=name != "no reuse", tokens=24):
                pass
            firsts.append(answer.first * 1e3)
            rates.append((answer.tokens - 1) / (answer.all - answer.first))
            seen.add(session, found[text])
            later = (found[t] for s, t in questions[n + 1 :] if s == session)
            for way in predict(seen, session, next(later, ())):
                states.prefetch(way)
            time.sleep(THINK_S if name != "no reuse" else 0)  # the reader's pause
        show(name, states.figures, firsts, rates)


def show(name: str, figures: Figures, firsts: list[float], rates: list[float]) -> None:
    row(statistics.median(firsts), "ms", f"llm, {name}: first token p50")
    row(max(firsts), "ms", f"llm, {name}: first token, longest")
    row(statistics.mean(firsts), "ms", f"llm, {name}: first token mean")
    row(statistics.median(rates), "1/s", f"llm, {name}: tokens")
    row(figures.found / max(1, figures.wanted), "share", f"llm, {name}: states found")
    row(figures.used / max(1, figures.prefetched), "share", f"llm, {name}: prefetches used")
    row(figures.held_most / 1e6, "MB", f"llm, {name}: states, at most")


def first_token(states: States, question: str, pieces: Pieces, reuse: bool = True) -> float:
    answer = Answer()
    for _ in ask(states, question, answer, reuse=reuse, tokens=2, pieces=pieces):
        pass
    return answer.first * 1e3


def measure_one(states: States, rounds: int) -> None:
    """One prompt without states, and from the state of the whole prompt; then other questions
    behind the same pieces, whose own words are read."""
    question = states.collection.pieces[len(states.collection.pieces) // 2].text[:60]
    pieces = tuple(states.collection.search(question, HITS))
    cold, warm, other, handed = [], [], [], []
    for n in range(rounds):
        cold.append(first_token(states, question, pieces, reuse=False))
        first_token(states, question, pieces)  # computes the states
        warm.append(first_token(states, question, pieces))
        other.append(first_token(states, f"{n}. {question}", pieces))
        state = states.known[(*pieces, question)].ref
        handed.append(plm.get(plm.remote(llm.take).options(priority=FOREGROUND).remote(state)))
    name = "llm, one question: first token"
    row(statistics.median(cold), "ms", f"{name}, no state")
    row(statistics.median(warm), "ms", f"{name}, states in the store")
    row(statistics.median(other), "ms", f"{name}, another question, states of the pieces")
    shorter = statistics.median(cold) / statistics.median(warm)
    row(shorter, "x", "llm, one question: shorter by states")
    shorter = statistics.median(cold) / statistics.median(other)
    row(shorter, "x", "llm, another question: shorter by states of the pieces")
    share = statistics.median(handed) * 1e3 / statistics.median(cold)
    row(share, "x", "llm, handing a state over, of the prefill")
    row(plm.get(states.known[(*pieces, question)].ref).nbytes / 1e6, "MB", "llm, a state")


# ---- the program ----


def workers() -> list[int]:
    """Pids of the workers of the runtime."""
    name = plm._session.current().name
    from plm._runtime import program

    said = os.popen(f"{program('plmctl')} --name {name} workers --json").read()
    return [json.loads(line)["pid"] for line in said.splitlines() if '"live"' in line]


def check(states: States) -> None:
    """The answer from states is the same in any worker, also when all workers are killed meanwhile.
    (An answer without states may differ in a word: llama.cpp adds up in another order then.)"""
    question = "What does a worker do?"
    if not "".join(ask(states, question, Answer(), reuse=False, tokens=16)).strip():
        sys.exit("rag.py: the model answers nothing")
    right = "".join(ask(states, question, Answer(), tokens=16))
    for kills in (False, True):
        text: list[str] = []
        for token in ask(states, question, Answer(), tokens=16):
            text.append(token)
            if kills and len(text) == 5:
                for pid in workers():
                    os.kill(pid, signal.SIGKILL)
        if "".join(text) != right:
            sys.exit(f"rag.py: {''.join(text)!r}, at first {right!r}")
    try:
        plm.get(plm.remote(llm.take).remote(np.zeros(1000, np.uint8)))
        sys.exit("rag.py: a state of another model was taken")
    except llm.ModelError:
        pass
    listening = ask(states, question, Answer(), tokens=200)
    next(listening)
    listening.close()  # the client leaves, and its task ends
    deadline = time.monotonic() + 60
    while plm.status()["running"] and time.monotonic() < deadline:
        time.sleep(0.01)
    if plm.status()["running"]:
        sys.exit("rag.py: the answer goes on though its client has left")
    print("rag.py: all results are right")


def open_states(paths: Sequence[str]) -> States:
    session = plm.connect()
    build = os.environ.get("RAG_MODULE", "build/release/workloads/rag.so")
    try:
        session.core.module_load(str(Path(build).resolve()))
    except FileExistsError:
        pass
    return States(Library(paths))


def main(words: Sequence[str]) -> None:
    mode = words[0] if words else ""
    if mode == "ask" and len(words) > 2:
        states = open_states(words[2:])
        answer = Answer()
        for token in ask(states, words[1], answer):
            print(token, end="", flush=True)
        print()
        for n, state in zip(answer.pieces, answer.ready[1:], strict=False):
            piece = states.collection.pieces[n]
            print(f"  from {piece.path}, byte {piece.offset} (state: {state})", file=sys.stderr)
    elif mode == "check" and len(words) > 1:
        check(open_states(words[1:]))
    elif mode == "measure" and len(words) > 2:
        states = open_states(words[2:])
        measure_one(states, ROUNDS)
        measure(states, int(words[1]))
    else:
        sys.exit("usage: rag.py ask QUESTION FILE..., check FILE..., measure QUESTIONS FILE...")


if __name__ == "__main__":
    main(sys.argv[1:])
