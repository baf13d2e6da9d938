"""A fleet on machines of a test: Redis, perhaps a replica, hosts, and a desk with plmctl."""

from __future__ import annotations

import json
import os
import shutil
import struct
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests" / "python"))

from network import Machine, Network, Wire, free_port, why_no_spaces  # noqa: E402
from support import PACKAGE, PROGRAMS, main, until  # noqa: E402

__all__ = [
    "LEASE_S",
    "PATIENCE_S",
    "PROGRAMS",
    "ROOT",
    "Host",
    "Server",
    "World",
    "main",
    "redis_program",
    "until",
]

LEASE_S = 2.5
PATIENCE_S = 90.0
CLOCK = PACKAGE.parent / "tests" / "support" / "modules" / "clock.so"
FLOATING = "10.91.0.10"  # the address of the fleet, which moves to a replica
PORT = 6379


def redis_program() -> list[str]:
    """How to start a Redis; [] without one. Debian's redis-tools has the server as a checker."""
    for name in ("redis-server", "valkey-server"):
        if path := shutil.which(name):
            return [path]
    if path := shutil.which("redis-check-rdb"):
        return ["/bin/bash", "-c", f'exec -a redis-server {path} "$@"', "redis"]
    return []


class Server:
    """A Redis on a machine of its own, with an append-only file."""

    def __init__(self, world: World, name: str, number: int, *options: str) -> None:
        self.world = world
        self.tls = world.tls
        self.machine = Machine(world.net, name, number)
        self.port = PORT if world.net.real else free_port()
        self.place = world.directory / name
        self.place.mkdir()
        self.options = list(options)
        self.up()

    def up(self) -> None:
        """Starts the server with what is in its file; returns when it answers."""
        ports = ["--port", "0", "--tls-port"] if self.tls else ["--port"]
        words = [*redis_program(), *ports, str(self.port), "--bind", "0.0.0.0"]
        words += ["--protected-mode", "no", "--save", "", "--dir", str(self.place)]
        words += ["--appendonly", "yes", "--appendfsync", "always", *self.options]
        self.machine.start(words, self.place / "log")
        until(lambda: self.cli("ping") in ("PONG", ""), f"{self.place} answers", PATIENCE_S)
        until(lambda: self.cli("ping") == "PONG", f"{self.place} answers", PATIENCE_S)

    def cli(self, *words: str) -> str:
        before = [*self.world.net.at_desk(), "redis-cli", "-h", self.machine.address]
        done = subprocess.run(
            [*before, "-p", str(self.port), *self.tls, *words],
            capture_output=True,
            text=True,
            check=False,
        )
        return done.stdout.strip()

    def forget_file(self) -> None:
        """Only while the server is down."""
        shutil.rmtree(self.place / "appendonlydir")

    def take_address(self, former: Server | None = None) -> None:
        """Clients of the fleet find this server from now on."""
        if not self.world.net.real:
            for wire in self.world.ways:
                wire.order(to=[self.machine.address, self.port])
            return
        if former:
            former.machine.inside(f"ip address del {FLOATING}/24 dev eth0")
        self.machine.inside(f"ip address add {FLOATING}/24 dev eth0")
        for each in self.world.net.machines:
            each.inside("ip neighbour flush all")
        self.world.net.do("ip neighbour flush all")


class Host:
    """A host: plm on a machine of its own."""

    def __init__(self, world: World, number: int, **options: Any) -> None:
        self.world = world
        self.label = f"host{number}"
        self.runtime = f"test-{os.getpid()}-{world.tag}{number}"
        self.place = world.directory / self.label
        self.place.mkdir()
        self.way = world.way_for(options.pop("slow", False))
        self.clock = self.place / "clock"
        self.clock.write_bytes(struct.pack("q", 0))
        # A machine whose boot clock says something else than the others' clocks.
        self.workers = options.pop("workers", 2)
        self.options: list[str] = options.pop("words", [])
        boot_clock_s = options.pop("boot_clock_s", 0)
        self.machine = Machine(
            world.net,
            self.label,
            100 + number,
            boot_clock_s=boot_clock_s,
            XDG_RUNTIME_DIR=str(self.place),
            PLM_FLEET=self.way,
            **options,
        )

    @property
    def name(self) -> str:
        """The name by which the fleet knows the host."""
        machine = self.label if self.world.net.real else os.uname().nodename.split(".")[0]
        return f"{machine}:{self.runtime}"

    def start(self, *more: str) -> None:
        words = [str(PROGRAMS / "plm"), "--name", self.runtime, "--workers", str(self.workers)]
        env = {"LD_PRELOAD": str(CLOCK), "PLM_TEST_CLOCK": str(self.clock)}
        if not CLOCK.exists():
            env = {}
        self.machine.start([*words, *self.options, *more], self.place / "log", **env)

    def up(self, *more: str) -> None:
        """Starts the host; returns when it is in the fleet."""
        self.start(*more)
        self.until("up")

    def until(self, state: str) -> None:
        until(lambda: self.state() == state, f"host {self.name} is {state}", PATIENCE_S)

    def state(self) -> str:
        """Of the newest member with the name of the host."""
        rows = self.world.rows("hosts")
        states = [row["state"] for row in rows if row["host"] == self.name]
        return "up" if "up" in states else states[-1] if states else ""

    def jump(self, seconds: int) -> None:
        """The clock of the host is wrong from now on."""
        with open(self.clock, "r+b") as file:
            file.write(struct.pack("q", seconds))

    def cut(self) -> None:
        if self.world.net.real:
            self.machine.unplug()
        else:
            self.world.wires[self.way].order(cut="both")

    def heal(self) -> None:
        if self.world.net.real:
            self.machine.plug()
        else:
            self.world.wires[self.way].order(cut="")

    def deafen(self) -> None:
        """What the host says arrives; no answer reaches the host."""
        if self.world.net.real:
            for server in self.world.servers:
                server.machine.inside(f"ip route add blackhole {self.machine.address}/32")
        else:
            self.world.wires[self.way].order(cut="down")

    def undeafen(self) -> None:
        if self.world.net.real:
            for server in self.world.servers:
                server.machine.inside(f"ip route del blackhole {self.machine.address}/32")
        else:
            self.world.wires[self.way].order(cut="")

    def power_off(self) -> None:
        self.machine.power_off()

    def slow(self, delay_ms: int, loss: float) -> str:
        """Returns by what means; the host was made with slow=True."""
        if self.world.net.can_slow:
            self.machine.slow(delay_ms, loss)
            return "tc netem"
        self.world.wires[self.way].order(delay_ms=delay_ms, loss=loss)
        return "a relay, since this kernel has no netem"


class World:
    """All of it, in a directory that is removed at the end."""

    def __init__(
        self, tag: str, *redis_options: str, lease_s: float = LEASE_S, tls: Sequence[str] = ()
    ) -> None:
        """tls: options of redis-cli, for a Redis that speaks nothing else."""
        why = why_no_spaces() if os.environ.get("PLM_PLAIN_PORTS") is None else "PLM_PLAIN_PORTS"
        if why:
            print(f"left out: network namespaces ({why}): plain ports instead")
        self.tag, self.lease_s, self.tls = tag, lease_s, list(tls)
        self.scheme, self.options = "redis", ""
        self.directory = Path(tempfile.mkdtemp(prefix=f"plm-test-{os.getpid()}-"))
        self.net = Network(not why)
        self.wires: dict[str, Wire] = {}
        self.ways: list[Wire] = []
        self.servers: list[Server] = []
        self.hosts: list[Host] = []
        self.redis = self.server("redis1", *redis_options)
        if self.net.real:
            self.redis.take_address()
        self.url = self.way_for(False)

    def server(self, name: str, *options: str) -> Server:
        server = Server(self, name, 11 + len(self.servers), *options)
        self.servers.append(server)
        return server

    def host(self, **options: Any) -> Host:
        host = Host(self, 1 + len(self.hosts), **options)
        self.hosts.append(host)
        return host

    def words_of(self, address: str, port: int) -> str:
        lease = f"lease={int(self.lease_s * 1000)}ms"
        return f"{self.scheme}://{address}:{port}?queue=test&{lease}{self.options}"

    def way_for(self, slow: bool) -> str:
        """The address of the fleet for one host: its own relay, where the network has no other
        way to be cut or slow."""
        if self.net.real and (not slow or self.net.can_slow):
            return self.words_of(FLOATING, PORT)
        target = (FLOATING, PORT) if self.net.real else ("127.0.0.1", self.redis.port)
        wire = Wire(self.net, *target)
        self.ways += [] if self.net.real else [wire]
        url = self.words_of(wire.address, wire.port)
        self.wires[url] = wire
        return url

    def run(self, *words: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
        """plmctl, at the desk."""
        env = {**os.environ, "PLM_FLEET": self.url}
        return subprocess.run(
            [*self.net.at_desk(), str(PROGRAMS / "plmctl"), *words],
            input=stdin,
            capture_output=True,
            text=True,
            check=False,
            env=env,
            timeout=300,
        )

    def ctl(self, *words: str, stdin: str = "", patient: bool = True) -> str:
        """Its output. While the engine is away a patient caller asks again."""
        deadline = time.monotonic() + PATIENCE_S
        while True:
            done = self.run(*words, stdin=stdin)
            if done.returncode == 0:
                return done.stdout
            if not patient or time.monotonic() > deadline:
                said = f"exit code {done.returncode}: {done.stderr}"
                raise AssertionError(f"plmctl {' '.join(words)}: {said}")
            time.sleep(0.1)

    def rows(self, *words: str) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.ctl(*words, "--json").splitlines()]

    def logs(self) -> str:
        """What the hosts wrote, for a test that failed."""
        return "".join(f"---- {h.label}\n{(h.place / 'log').read_text()}" for h in self.hosts)

    def end(self) -> None:
        self.net.end()
        shutil.rmtree(self.directory)
        for host in self.hosts:
            for left in Path("/dev/shm").glob(f"plm-{os.getuid()}-{host.runtime}.*"):
                left.unlink()

    def __enter__(self) -> World:
        return self

    def __exit__(self, kind: object, *_: object) -> None:
        if kind is not None:
            print(self.logs())
        self.end()
