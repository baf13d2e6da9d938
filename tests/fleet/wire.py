"""wire.py - a relay of TCP connections that a test makes slow, deaf, or leads elsewhere.

    python3 wire.py LISTEN_ADDRESS PORT TARGET_ADDRESS PORT

Each line on standard input is an order in JSON, and each order has one line of answer:

    {"delay_ms": D, "loss": L}   each piece arrives D ms late. A share L is lost at first: the piece
                                 and all behind it arrive 2 D + 200 ms later
    {"cut": "both" | "down" | ""}   pieces stay here: all, or those from the target; "": go on
    {"to": [ADDRESS, PORT]}      breaks all connections; new ones go there
"""

from __future__ import annotations

import asyncio
import ctypes
import json
import random
import signal
import sys
from typing import Any

RESEND_S = 0.2
PIECE = 1 << 16


class Wire:
    def __init__(self, target: tuple[str, int]) -> None:
        self.target = target
        self.delay_s = 0.0
        self.loss = 0.0
        self.cut = ""
        self.heal = asyncio.Event()
        self.heal.set()
        self.chance = random.Random(7)
        self.open: set[asyncio.StreamWriter] = set()

    async def held(self, down: bool) -> None:
        """Waits while the direction is cut."""
        while self.cut == "both" or (self.cut == "down" and down):
            self.heal.clear()
            await self.heal.wait()

    async def read(
        self, source: asyncio.StreamReader, queue: asyncio.Queue[tuple[float, bytes]]
    ) -> None:
        loop = asyncio.get_running_loop()
        due = 0.0
        piece = b"-"
        while piece:
            try:
                piece = await source.read(PIECE)
            except OSError:
                piece = b""
            late = self.delay_s
            if self.delay_s and self.chance.random() < self.loss:
                late += 2 * self.delay_s + RESEND_S
            due = max(due, loop.time() + late)
            await queue.put((due, piece))

    async def write(
        self, sink: asyncio.StreamWriter, queue: asyncio.Queue[tuple[float, bytes]], down: bool
    ) -> None:
        loop = asyncio.get_running_loop()
        while True:
            due, piece = await queue.get()
            if due > loop.time():
                await asyncio.sleep(due - loop.time())
            await self.held(down)
            if not piece:
                return
            try:
                sink.write(piece)
                await sink.drain()
            except OSError:
                return

    async def pump(
        self, source: asyncio.StreamReader, sink: asyncio.StreamWriter, down: bool
    ) -> None:
        queue: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue(256)
        reading = asyncio.create_task(self.read(source, queue))
        await self.write(sink, queue, down)
        reading.cancel()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        both = [writer]
        self.open.add(writer)
        try:
            await self.held(False)
            far_reader, far = await asyncio.open_connection(*self.target)
            both.append(far)
            self.open.add(far)
            pumps = {
                asyncio.create_task(self.pump(reader, far, False)),
                asyncio.create_task(self.pump(far_reader, writer, True)),
            }
            await asyncio.wait(pumps, return_when=asyncio.FIRST_COMPLETED)
            for each in pumps:
                each.cancel()
        except OSError:
            pass
        finally:
            for end in both:
                self.open.discard(end)
                end.close()

    def obey(self, order: dict[str, Any]) -> None:
        if "delay_ms" in order:
            self.delay_s, self.loss = order["delay_ms"] / 1000, order["loss"]
        if "cut" in order:
            self.cut = order["cut"]
            self.heal.set()
        if "to" in order:
            self.target = (order["to"][0], order["to"][1])
            for end in list(self.open):
                end.transport.abort()


async def run(address: str, port: int, target: tuple[str, int]) -> None:
    wire = Wire(target)
    server = await asyncio.start_server(wire.serve, address, port)
    orders = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(orders), sys.stdin
    )
    print(json.dumps("up"), flush=True)
    async with server:
        while line := await orders.readline():
            wire.obey(json.loads(line))
            print(json.dumps("done"), flush=True)


def main() -> None:
    pr_set_pdeathsig = 1
    ctypes.CDLL(None).prctl(pr_set_pdeathsig, signal.SIGKILL, 0, 0, 0)
    address, port, to_address, to_port = sys.argv[1:5]
    asyncio.run(run(address, int(port), (to_address, int(to_port))))


if __name__ == "__main__":
    main()
