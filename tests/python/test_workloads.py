"""The Python programs of examples/workloads yield what numpy, a loop and sort yield, also while
workers are killed."""

from __future__ import annotations

import contextlib
import importlib.util
import json
import os
import shutil
import subprocess
import sys
import tempfile
import unittest
import unittest.mock as mock
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import support

import plm

WORKLOADS = support.ROOT / "examples" / "workloads"


class Programs(unittest.TestCase):
    def said(self, *words: str | Path) -> str:
        done = subprocess.run(
            [str(word) for word in words], capture_output=True, text=True, timeout=300, check=False
        )
        self.assertEqual(done.returncode, 0, done.stderr)
        return done.stdout

    @unittest.skipUnless(importlib.util.find_spec("numpy"), "numpy is not installed")
    def test_matrices_are_those_of_numpy(self) -> None:
        said = self.said(sys.executable, WORKLOADS / "matrix" / "matrix.py", "check")
        self.assertIn("all results are right", said)

    def test_words_are_those_of_a_loop_and_of_sort(self) -> None:
        with tempfile.TemporaryDirectory() as folder:
            paths = [Path(folder, f"{n}.txt") for n in range(40)]
            for n, path in enumerate(paths):
                path.write_text(
                    "to be or not to be\nthat is the question\n" * (n + 1) + "x" * n + "\n"
                )
            program = WORKLOADS / "words" / "words.py"
            self.assertIn("are right", self.said(sys.executable, program, "check", *paths))
            counted = self.said(sys.executable, program, "count", *paths)
            script = WORKLOADS / "words" / "words.sh"
            self.assertEqual(counted, self.said(script, "sort", *paths))
            index = self.said(sys.executable, program, "index", *paths[:2])
            self.assertIn("question 1:1 4:1 6:1\n", index)  # lines count on over the files


class Settled:
    """A reference whose task has ended with a value."""

    def __init__(self) -> None:
        self.client = mock.Mock(state=lambda ref: plm._core.DONE)
        self.done = lambda: True
        self.cancel = mock.Mock(return_value=False)


@unittest.skipUnless(importlib.util.find_spec("numpy"), "numpy is not installed")
class Tree(unittest.TestCase):
    """Which states are in the store, without a model: each state has a million bytes."""

    MEGABYTES = 10

    def setUp(self) -> None:
        sys.path.insert(0, str(WORKLOADS / "rag"))
        self.addCleanup(sys.path.remove, str(WORKLOADS / "rag"))
        self.rag = importlib.import_module("rag")
        pieces = [mock.Mock(text=f"piece {n}") for n in range(100)]
        collection = mock.Mock(pieces=pieces)
        self.states = self.rag.States(collection, self.MEGABYTES * 1_000_000)
        self.states._make = lambda way, priority: Settled()
        value = mock.Mock(nbytes=1_000_000)
        for patch in (
            mock.patch.object(self.rag.plm, "get", lambda ref: value),
            mock.patch.object(self.rag, "CHARACTER_BYTES", 1000),
        ):
            patch.start()
            self.addCleanup(patch.stop)

    def prefetched(self) -> int:
        return sum(state.prefetched for state in self.states.known.values())

    def test_states_of_ten_times_the_budget_stay_within_the_budget(self) -> None:
        for n in range(100):
            way = (n, (n * 7) % 100, "why?")
            self.states.want(way, [])
            self.assertIn(way, self.states.known)
            self.assertLessEqual(self.states.held(), self.states.budget)
        self.assertLessEqual(self.states.figures.held_most, self.states.budget)
        self.assertGreater(len(self.states.known), self.MEGABYTES // 2)

    def test_a_prefetch_takes_half_of_the_room_and_leaves_first(self) -> None:
        for n in range(20):
            self.states.want((n, "why?"), [])
        for n in range(30, 60):
            self.states.prefetch((n,))
        self.assertIn(self.prefetched(), range(2, self.MEGABYTES // 2 + 1))
        for n in range(4):
            self.states.want((n, "how?"), [])
        self.assertEqual(self.prefetched(), 0)

    def test_a_way_beyond_the_budget_is_refused(self) -> None:
        self.states.budget = 1_500_000
        with self.assertRaises(self.rag.NoRoom):
            self.states.want((1, 2, "why?"), [])


class LanguageModel(unittest.TestCase):
    """SmolLM2 in Python workers: packages of PyPI in build/rag-venv, made by rag/install.sh."""

    RAG = WORKLOADS / "rag"
    DOCUMENTS = (support.ROOT / "docs" / "durable.md", support.ROOT / "docs" / "scheduling.md")
    python = support.ROOT / "build" / "rag-venv" / "bin" / "python"

    def setUp(self) -> None:
        installed = subprocess.run(
            [self.RAG / "install.sh", sys.executable],
            cwd=support.ROOT,
            capture_output=True,
            text=True,
            check=True,
        )
        if "left out" in installed.stdout:
            self.skipTest(installed.stdout.strip())
        if importlib.util.find_spec("numpy") is None:
            self.skipTest("numpy is not installed")
        module = next(
            path
            for path in (support.PROGRAMS, support.ROOT / "build" / "release")
            if (path / "workloads" / "rag.so").exists()
        )
        self.environment = {**os.environ, "RAG_MODULE": str(module / "workloads" / "rag.so")}

    def run_rag(self, *words: str | Path) -> subprocess.CompletedProcess[str]:
        return self.run_python(str(self.RAG / "rag.py"), *map(str, words))

    def run_python(self, *words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [str(self.python), *words],
            capture_output=True,
            text=True,
            timeout=500,
            check=False,
            env=self.environment,
        )

    def test_an_answer_is_the_same_in_any_worker_and_while_workers_are_killed(self) -> None:
        done = self.run_rag("check", *self.DOCUMENTS)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("all results are right", done.stdout)

    def test_a_model_that_cannot_be_used_is_named_with_the_reason(self) -> None:
        with tempfile.TemporaryDirectory() as folder:
            cut = Path(folder, "cut.gguf")
            cut.write_bytes(b"GGUF" + bytes(1000))
            text = Path(folder, "text.gguf")
            text.write_text("no model")
            model = self.model_head()
            half = Path(folder, "half.gguf")
            half.write_bytes(model)
            foreign = Path(folder, "foreign.gguf")
            foreign.write_bytes(model.replace(b"llama", b"xlama", 1))
            for path, words in (
                (Path(folder, "none.gguf"), "cannot be read"),
                (text, "no model in the format GGUF"),
                (cut, "architecture unknown"),
                (half, "architecture llama): the file is cut"),
                (foreign, "architecture xlama): the file is cut or damaged, or llama.cpp"),
            ):
                self.environment["RAG_MODEL"] = str(path)
                done = self.run_rag("ask", "Why?", self.DOCUMENTS[0])
                self.assertNotEqual(done.returncode, 0)
                self.assertIn(words, done.stderr)
                self.assertIn(str(path), done.stderr)

    def model_head(self) -> bytes:
        """The first megabytes of the model, with the names of all tensors."""
        found = self.run_python(str(self.RAG / "llm.py")).stdout.strip()
        with open(found, "rb") as file:
            return file.read(4 << 20)

    def test_without_room_for_states_a_question_is_answered_all_the_same(self) -> None:
        inherited = os.environ["PYTHONPATH"]
        os.environ["PYTHONPATH"] = f"{self.RAG}:{inherited}"  # workers import llm and library
        self.addCleanup(os.environ.__setitem__, "PYTHONPATH", inherited)
        with support.runtime("small", "--store", "24M", python=str(self.python)) as name:
            self.environment["PLM_NAME"] = name
            done = self.run_rag("ask", "What is the journal?", self.DOCUMENTS[0])
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertTrue(done.stdout.strip())
        self.assertIn("no room", done.stderr)

    def test_a_question_longer_than_the_context_is_refused_with_the_reason(self) -> None:
        done = self.run_rag("ask", "why and " * 3000, self.DOCUMENTS[0])
        self.assertNotEqual(done.returncode, 0)
        self.assertIn("context", done.stderr)

    def test_an_empty_corpus_is_refused(self) -> None:
        with tempfile.NamedTemporaryFile() as empty:
            done = self.run_rag("ask", "Why?", empty.name)
        self.assertNotEqual(done.returncode, 0)
        self.assertIn("the corpus is empty", done.stderr)

    def test_the_page_shows_the_answer_and_the_pieces(self) -> None:
        browser = shutil.which("chromium")
        with self.page() as address:
            with urllib.request.urlopen(f"{address}ask?q=What+is+locality", timeout=200) as events:
                told = events.read().decode()
            self.assertIn("event: token", told)
            self.assertIn('"path": "', told.split("event: end")[1])
            if browser is None:
                self.skipTest("chromium is not installed")
            shown = self.said(browser, f"{address}?q=What+is+locality")
            self.assertIn('data-ended="yes"', shown)
            self.assertIn("(reused):", shown)
            self.assertIn("question: reused", shown)

    @contextlib.contextmanager
    def page(self) -> Iterator[str]:
        """The address of a page, which is served until the end."""
        page = subprocess.Popen(
            [str(self.python), str(self.RAG / "page.py"), "--port", "0", *self.DOCUMENTS],
            stdout=subprocess.PIPE,
            text=True,
            env=self.environment,
        )
        assert page.stdout is not None
        try:
            yield page.stdout.readline().strip()
        finally:
            page.terminate()
            page.wait()
            page.stdout.close()

    def test_a_browser_that_goes_away_cancels_the_rest_of_its_answer(self) -> None:
        inherited = os.environ["PYTHONPATH"]
        os.environ["PYTHONPATH"] = f"{self.RAG}:{inherited}"  # workers import llm and library
        self.addCleanup(os.environ.__setitem__, "PYTHONPATH", inherited)
        with support.runtime("left", "--events", "on", python=str(self.python)) as name:
            self.environment["PLM_NAME"] = name

            def cancelled() -> bool:  # or the worker noticed first that nobody listens
                ended = support.ctl("events", "--json", "--kind", "cancelled,failed", name=name)
                status = json.loads(support.ctl("status", "--json", name=name).splitlines()[0])
                return bool(ended.strip()) and not status["running"]

            with self.page() as address:
                with urllib.request.urlopen(f"{address}ask?q=Why", timeout=200) as events:
                    while not events.readline().startswith(b"event: token"):
                        self.assertFalse(cancelled())
                support.until(cancelled, "the task of the answer is cancelled, none runs")

    def said(self, browser: str, address: str) -> str:
        """The page as the browser shows it when the answer has come."""
        with tempfile.TemporaryDirectory() as profile:
            words = ["--headless", "--no-sandbox", "--disable-gpu", f"--user-data-dir={profile}"]
            words += ["--virtual-time-budget=300000", "--dump-dom", address]
            done = subprocess.run(
                [browser, *words], capture_output=True, text=True, timeout=300, check=False
            )
        return done.stdout


if __name__ == "__main__":
    support.main()
