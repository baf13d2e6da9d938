"""Machines of a test: namespaces joined by a bridge or, where there is no leave, processes beside
each other whose connections pass a relay (wire.py)."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from pathlib import Path
from typing import IO, Any

HERE = Path(__file__).resolve().parent
SPACES = ["--net", "--pid", "--mount", "--mount-proc", "--uts", "--ipc", "--fork", "--kill-child"]


def quiet(*words: str) -> bool:
    """Runs a program; true if all was well."""
    return subprocess.run(words, capture_output=True, check=False).returncode == 0


class Obeyed:
    """A child that takes an order in JSON a line, and answers each."""

    def __init__(self, words: list[str], env: dict[str, str] | None = None) -> None:
        self.process = subprocess.Popen(
            words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=env
        )
        assert self.process.stdin and self.process.stdout
        self.orders: IO[str] = self.process.stdin
        self.answers: IO[str] = self.process.stdout
        if self.answer() != "up":
            raise AssertionError(f"did not start: {' '.join(words)}")

    def answer(self) -> Any:
        line = self.answers.readline()
        return json.loads(line) if line else None

    def order(self, **order: Any) -> Any:
        self.orders.write(json.dumps(order) + "\n")
        self.orders.flush()
        return self.answer()

    def end(self) -> None:
        self.orders.close()
        self.process.wait()
        self.answers.close()

    def child(self) -> int:
        """The process that `unshare --fork` has started."""
        pid = self.process.pid
        text = Path(f"/proc/{pid}/task/{pid}/children").read_text()
        return int(text.split()[0])


def why_no_spaces() -> str:
    """Why this process cannot have namespaces; "" if it can."""
    if os.geteuid() != 0:
        return "only root may make network namespaces"
    words = ["unshare", *SPACES, "sh", "-c"]
    bridge = "ip link add dev br0 type bridge && ip link add dev v0 type veth"
    probe = f"mount -t tmpfs tmpfs /dev/shm && {bridge}"
    try:
        done = subprocess.run([*words, probe], capture_output=True, text=True, check=False)
    except FileNotFoundError as missing:
        return f"{missing.filename} is not installed"
    return "" if done.returncode == 0 else done.stderr.strip().replace("\n", "; ")


class Network:
    """A switch, and a desk at which plmctl runs."""

    def __init__(self, real: bool) -> None:
        self.real = real
        self.machines: list[Machine] = []
        self.wires: list[Wire] = []
        self.can_slow = False
        if not real:
            return
        self.switch = Obeyed(
            ["unshare", "--net", "--fork", "--kill-child", "sh", "-c", "echo '\"up\"'; cat"]
        )
        self.desk = ["nsenter", f"--net=/proc/{self.switch.child()}/ns/net"]
        self.do("ip link set lo up")
        self.do("ip link add br0 type bridge")
        self.do("ip address add 10.91.0.1/24 dev br0")
        self.do("ip link set br0 up")
        self.can_slow = quiet(
            *self.desk, *"tc qdisc add dev br0 root netem delay 1ms loss 1%".split()
        )
        if self.can_slow:
            self.do("tc qdisc del dev br0 root")

    def do(self, line: str) -> None:
        subprocess.run([*self.desk, *line.split()], check=True, stdout=subprocess.DEVNULL)

    def at_desk(self) -> list[str]:
        """The words before a program that runs at the desk."""
        return self.desk if self.real else []

    def end(self) -> None:
        for each in [*self.machines, *self.wires]:
            each.end()
        if self.real:
            self.switch.end()


class Machine(Obeyed):
    """One machine. In a network without namespaces, its processes alone."""

    def __init__(
        self, net: Network, name: str, number: int, boot_clock_s: int = 0, **env: str
    ) -> None:
        self.net, self.name, self.port = net, name, f"v{number}"
        self.address = f"10.91.0.{number}" if net.real else "127.0.0.1"
        clock = [f"--boottime={boot_clock_s}", "--time"] if boot_clock_s else []
        before = ["unshare", *SPACES, *clock, "--"] if net.real else []
        words = [*before, sys.executable, str(HERE / "machine.py"), name]
        super().__init__(words if net.real else [*words, "--alone"], {**os.environ, **env})
        net.machines.append(self)
        if net.real:
            self.plug_in()

    def inside(self, line: str) -> None:
        space = f"--net=/proc/{self.child()}/ns/net"
        subprocess.run(["nsenter", space, *line.split()], check=True, stdout=subprocess.DEVNULL)

    def plug_in(self) -> None:
        peer = f"peer name eth0 netns {self.child()}"
        self.net.do(f"ip link add {self.port} type veth {peer}")
        self.net.do(f"ip link set {self.port} master br0 up")
        self.inside(f"ip address add {self.address}/24 dev eth0")
        self.inside("ip link set eth0 up")

    def unplug(self) -> None:
        """From now on what the machine sends goes nowhere, and nobody is told."""
        self.net.do(f"ip link set {self.port} nomaster")

    def plug(self) -> None:
        self.net.do(f"ip link set {self.port} master br0")

    def slow(self, delay_ms: int, loss: float) -> None:
        """Half of the delay each way; 0: as before."""
        verb = "replace" if delay_ms else "del"
        rule = f" netem delay {delay_ms // 2}ms loss {loss * 100}%" if delay_ms else ""
        self.net.do(f"tc qdisc {verb} dev {self.port} root{rule}")
        space = f"--net=/proc/{self.child()}/ns/net"
        words = ["nsenter", space, *f"tc qdisc {verb} dev eth0 root{rule}".split()]
        subprocess.run(words, check=True)

    def start(self, words: list[str], log: Path, **env: str) -> None:
        self.order(verb="start", words=words, log=str(log), env=env)

    def power_off(self) -> None:
        self.order(verb="power_off")

    def signal(self, number: int, name: str | None = None) -> int:
        return int(self.order(verb="signal", signal=int(number), name=name))


class Wire(Obeyed):
    """A relay, at the desk."""

    def __init__(self, net: Network, target: str, port: int) -> None:
        self.address = "10.91.0.1" if net.real else "127.0.0.1"
        self.port = free_port() if not net.real else 7000 + len(net.wires)
        relay = [sys.executable, str(HERE / "wire.py")]
        super().__init__([*net.at_desk(), *relay, self.address, str(self.port), target, str(port)])
        net.wires.append(self)


def free_port() -> int:
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return int(s.getsockname()[1])
