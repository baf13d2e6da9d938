"""Matrices from Python: the task graphs of client_matrix.c with numpy, checked against numpy.

    python3 examples/workloads/matrix/matrix.py check
    python3 examples/workloads/matrix/matrix.py measure [ORDER [TILE [ROUNDS]]]

A tile is an array in the store: a task sees the tiles among its arguments in place, and computes
its own tile into the array of plm.empty(), which becomes the result without a copy.
"""

from __future__ import annotations

import os
import signal
import statistics
import sys
import time
from collections.abc import Sequence
from typing import Any, TypeAlias

import numpy as np

import plm

Matrix: TypeAlias = "np.ndarray[Any, Any]"
Tiles = list[list[Any]]


def element_tile(seed: int, i: int, j: int, tile: int, order: int, definite: bool) -> Matrix:
    """A tile of a seeded matrix; a definite matrix is symmetric, with its order on the diagonal."""
    out = plm.empty((tile, tile))
    rows = np.arange(i * tile, (i + 1) * tile, dtype=np.uint64)[:, None]
    columns = np.arange(j * tile, (j + 1) * tile, dtype=np.uint64)[None, :]
    first, second = (
        (np.minimum(rows, columns), np.maximum(rows, columns)) if definite else (rows, columns)
    )
    z = (first * np.uint64(order) + second + np.uint64(seed)) * np.uint64(0x9E3779B97F4A7C15)
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    out[...] = (z >> np.uint64(11)) / 2.0**53 - 0.5
    if definite and i == j:
        out[np.diag_indices(tile)] += order
    return out


def add(x: Matrix, y: Matrix) -> Matrix:
    return np.add(x, y, out=plm.empty(x.shape))


def subtract(x: Matrix, y: Matrix) -> Matrix:
    return np.subtract(x, y, out=plm.empty(x.shape))


def dot(count: int, *tiles: Matrix) -> float:
    """The sum of the products of all elements of so many pairs of tiles."""
    pairs = zip(tiles[:count], tiles[count:], strict=True)
    return float(sum(np.vdot(x, y) for x, y in pairs))


def multiply(count: int, *tiles: Matrix) -> Matrix:
    """A row of tiles times a column of tiles."""
    out = np.matmul(tiles[0], tiles[count], out=plm.empty(tiles[0].shape))
    for k in range(1, count):
        out += tiles[k] @ tiles[count + k]
    return out


def factor(a: Matrix, *row: Matrix) -> Matrix:
    """A tile on the diagonal of the lower factor."""
    out = plm.empty(a.shape)
    out[...] = a
    for left in row:
        out -= left @ left.T
    out[...] = np.linalg.cholesky(out)
    return out


def below(a: Matrix, diagonal: Matrix, count: int, *tiles: Matrix) -> Matrix:
    """A tile below the diagonal: the tiles of its row, then those of the diagonal's row."""
    out = plm.empty(a.shape)
    out[...] = a
    for left, right in zip(tiles[:count], tiles[count:], strict=True):
        out -= left @ right.T
    out[...] = np.linalg.solve(diagonal, out.T).T
    return out


class Grid:
    """Operations on matrices as tiles; each submits its tasks and returns references."""

    def __init__(self, pool: plm.Executor, order: int, tile: int) -> None:
        if order % tile:
            raise ValueError(f"the order {order} is no multiple of the tile {tile}")
        self.executor, self.order, self.tile = pool, order, tile
        self.pool = pool.options(crash_retries=20)
        self.across = order // tile

    def make(self, seed: int, definite: bool = False) -> Tiles:
        row = range(self.across)
        words = (self.tile, self.order, definite)
        return [[self.pool.submit(element_tile, seed, i, j, *words) for j in row] for i in row]

    def combine(self, function: Any, x: Tiles, y: Tiles) -> Tiles:
        return [
            [self.pool.submit(function, p, q) for p, q in zip(u, v, strict=True)]
            for u, v in zip(x, y, strict=True)
        ]

    def dot(self, x: Tiles, y: Tiles) -> float:
        left, right = [t for row in x for t in row], [t for row in y for t in row]
        total: float = self.pool.submit(dot, len(left), *left, *right).result()
        return total

    def multiply(self, x: Tiles, y: Tiles) -> Tiles:
        columns = [[row[j] for row in y] for j in range(self.across)]
        return [
            [self.pool.submit(multiply, self.across, *row, *column) for column in columns]
            for row in x
        ]

    def cholesky(self, a: Tiles) -> Tiles:
        lower: Tiles = [[] for _ in range(self.across)]
        for j in range(self.across):
            # Tiles of the first columns are wanted by most others.
            urgent = self.executor.options(priority=self.across - j, crash_retries=20)
            lower[j].append(urgent.submit(factor, a[j][j], *lower[j]))
            for i in range(j + 1, self.across):
                given = (*lower[i], *lower[j][:j])
                lower[i].append(urgent.submit(below, a[i][j], lower[j][j], j, *given))
        return lower

    def read(self, tiles: Tiles) -> Matrix:
        """The matrix in one piece; missing tiles are zeros."""
        whole = np.zeros((self.order, self.order))
        for i, row in enumerate(tiles):
            for j, future in enumerate(row):
                at = slice(i * self.tile, (i + 1) * self.tile)
                whole[at, j * self.tile : (j + 1) * self.tile] = future.result()
        return whole


def wait(tiles: Tiles) -> None:
    plm.wait([future for row in tiles for future in row])


def same(what: str, got: Matrix | float, right: Matrix | float, order: int) -> None:
    worst = float(np.max(np.abs(np.asarray(got) - right)))
    if not worst <= 1e-12 * order * (order if what == "dot" else 1):
        sys.exit(f"matrix.py: {what} of order {order} differs by {worst:g} from numpy")


def die_once(path: str) -> None:
    """Kills its worker at the first call."""
    if not os.path.exists(path):
        with open(path, "w", encoding="ascii"):
            os.kill(os.getpid(), signal.SIGKILL)


def check(order: int, tile: int, mark: str) -> None:
    with plm.Executor(max_workers=2) as pool:
        grid = Grid(pool, order, tile)
        x, y, z = grid.make(1), grid.make(2), grid.make(3, definite=True)
        product, lower = grid.multiply(x, y), grid.cholesky(z)
        deaths = [grid.pool.submit(die_once, f"{mark}.{n}") for n in range(2)]
        a, b, c = grid.read(x), grid.read(y), grid.read(z)
        same("add", grid.read(grid.combine(add, x, y)), a + b, order)
        same("subtract", grid.read(grid.combine(subtract, x, y)), a - b, order)
        same("dot", grid.dot(x, y), float(np.vdot(a, b)), order)
        same("multiply", grid.read(product), a @ b, order)
        same("cholesky", grid.read(lower), np.linalg.cholesky(c), order)
        for death in deaths:
            death.result()
    print("matrix.py: all results are right")


def measure(order: int, tile: int, rounds: int) -> None:
    """Each round measures plm, then numpy in this process. The first round warms up."""
    times: dict[str, list[float]] = {}

    def timed(name: str, work: Any) -> Any:
        began = time.perf_counter()
        result = work()
        times.setdefault(name, []).append(time.perf_counter() - began)
        return result

    with plm.Executor() as pool:
        grid = Grid(pool, order, tile)
        x, y, z = grid.make(1), grid.make(2), grid.make(3, definite=True)
        a, b, c = grid.read(x), grid.read(y), grid.read(z)
        for _ in range(rounds + 1):
            timed("multiply", lambda: wait(grid.multiply(x, y)))
            timed("multiply, numpy", lambda: a @ b)
            timed("cholesky", lambda: wait(grid.cholesky(z)))
            timed("cholesky, numpy", lambda: np.linalg.cholesky(c))
    for name in ("multiply", "cholesky"):
        ours = statistics.median(times[name][1:])
        theirs = statistics.median(times[f"{name}, numpy"][1:])
        row(ours * 1e3, "ms", f"Python, {name}, order {order}")
        row(theirs * 1e3, "ms", f"Python, {name}, order {order}, numpy")
        row(theirs / ours, "x", f"Python, {name}, order {order}, of numpy")


def row(value: float, unit: str, name: str) -> None:
    print(f"{name:64}  {value:12.6g}  {unit}", flush=True)


def main(words: Sequence[str]) -> None:
    mode = words[0] if words else "check"
    numbers = [int(word) for word in words[1:4]]
    order, tile, rounds = [*numbers, *(1024, 256, 5)[len(numbers) :]]
    if mode == "measure":
        measure(order, tile, rounds)
    elif mode == "check":
        import tempfile

        with tempfile.TemporaryDirectory() as folder:
            check(120, 24, f"{folder}/died")
    else:
        sys.exit(f"matrix.py: there are check and measure, not {mode!r}")


if __name__ == "__main__":
    main(sys.argv[1:])
