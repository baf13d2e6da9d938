"""Documents in the store: pieces, vectors of wordllama, and the search of the C module.

The matrix of all vectors is one raw value; every search reads it in place, in whichever worker.
"""

from __future__ import annotations

import importlib.util
import json
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np

import plm

# As in values.h: kind, rows, dim, more, maker.
HEAD = struct.Struct("<IIIIQ")
PIECE = struct.Struct("<IIII")
MATRIX, HITS = 0x4D474152, 0x48474152
MAKER = 0x616D616C6C64726F  # vectors of wordllama
Vectors: TypeAlias = "np.ndarray[Any, Any]"


@dataclass
class Piece:
    path: str
    offset: int
    text: str


# ---- vectors ----


def wordllama_folder() -> Path:
    spec = importlib.util.find_spec("wordllama")
    if spec is None or spec.origin is None:
        raise ImportError("the package wordllama is not installed: run rag/install.sh")
    return Path(spec.origin).parent


def token_vectors() -> Vectors:
    """The vectors of all tokens, of the file in the package: a header in JSON, then halves."""
    path = wordllama_folder() / "weights" / "l2_supercat_256.safetensors"
    with path.open("rb") as file:
        size = int.from_bytes(file.read(8), "little")
        tensors = json.loads(file.read(size))
        name = next(name for name in tensors if name != "__metadata__")
        if tensors[name]["dtype"] != "F16":
            raise ValueError(f"{path} holds {tensors[name]['dtype']}, not F16")
        start, end = tensors[name]["data_offsets"]
        file.seek(8 + size + start)
        data = np.frombuffer(file.read(end - start), dtype=np.float16)
    return data.reshape(tensors[name]["shape"])


_tokenizer: Any = None


def embed(weights: Vectors, texts: Sequence[str]) -> Vectors:
    """A vector of length 1 for each text: the mean of the vectors of its tokens. The weights lie in
    the store, and are read in place."""
    global _tokenizer
    if _tokenizer is None:
        from tokenizers import Tokenizer

        folder = wordllama_folder() / "tokenizers"
        _tokenizer = Tokenizer.from_file(str(next(folder.glob("l2_supercat*.json"))))
    found = np.zeros((len(texts), weights.shape[1]), dtype=np.float32)
    for row, text in zip(found, texts, strict=True):
        tokens = _tokenizer.encode(text, add_special_tokens=False).ids
        if tokens:
            np.mean(weights[tokens], axis=0, dtype=np.float32, out=row)
    lengths = np.linalg.norm(found, axis=1, keepdims=True)
    return found / np.where(lengths > 0, lengths, 1)


def raw_matrix(vectors: Vectors) -> bytes:
    body: bytes = vectors.tobytes()
    return HEAD.pack(MATRIX, *vectors.shape, 0, MAKER) + body


class Library:
    """The pieces of documents, indexed once."""

    def __init__(self, paths: Sequence[str], piece_bytes: int = 700) -> None:
        documents = [plm.put(Path(path).read_bytes(), raw=True) for path in paths]
        order = struct.pack("<I", piece_bytes)
        self.pieces = list(self._pieces(plm.call("rag.split", order, *documents), paths))
        self.weights = plm.put(token_vectors())
        words = plm.remote(embed).remote(self.weights, [piece.text for piece in self.pieces])
        self.vectors: Vectors = plm.get(words)
        self.matrix = plm.put(raw_matrix(self.vectors), raw=True)

    @staticmethod
    def _pieces(ref: plm.RawRef, paths: Sequence[str]) -> Any:
        value = bytes(plm.get(ref))
        count = HEAD.unpack_from(value)[1]
        texts = HEAD.size + count * PIECE.size
        for n in range(count):
            document, offset, at, size = PIECE.unpack_from(value, HEAD.size + n * PIECE.size)
            text = value[texts + at : texts + at + size].decode(errors="replace")
            yield Piece(paths[document], offset, text)

    def search(self, question: str, hits: int) -> list[int]:
        """The pieces nearest to a question, the nearest first."""
        vector = plm.get(plm.remote(embed).options(priority=100).remote(self.weights, [question]))
        return self.near(vector, hits)

    def near(self, vector: Vectors, hits: int) -> list[int]:
        order = struct.pack("<II", hits, 0)
        found = plm.call("rag.search", order, self.matrix, raw_matrix(vector), priority=100)
        value = bytes(plm.get(found))
        count = HEAD.unpack_from(value)[1]
        return [struct.unpack_from("<I", value, HEAD.size + 8 * n)[0] for n in range(count)]

    def neighbours(self, piece: int, count: int) -> list[int]:
        """The pieces nearest to a piece, without itself."""
        found = self.near(self.vectors[piece : piece + 1], count + 1)
        return [n for n in found if n != piece][:count]
