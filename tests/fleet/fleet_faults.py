"""What happens to a fleet in chaos: each fault of the list, alone or beside others."""

from __future__ import annotations

import random
import signal
import time
from collections.abc import Callable, Iterator

from fleet_ledger import Ledger
from fleet_world import PATIENCE_S, Host, Server, World, until

# A fault runs until its first `yield`, which says for how long it lasts, and then heals.
Fault = Iterator[float]
Kind = Callable[[], Fault]


class Chaos:
    """A world with three hosts, the last of which can be slow, and what happens to it."""

    def __init__(self, world: World, seed: int) -> None:
        self.world = world
        self.lease = world.lease_s
        self.chance = random.Random(seed)
        self.ledger = Ledger(world, seed)
        self.hosts = [world.host(), world.host(boot_clock_s=7200), world.host(slow=True)]
        for host in self.hosts:
            host.up()
        self.second = world.server("redis2")
        self.busy: set[str] = set()  # hosts that a fault has in its hands
        self.counts: dict[str, int] = {}

    def any_host(self) -> Host:
        host = self.chance.choice([h for h in self.hosts if h.label not in self.busy])
        self.busy.add(host.label)
        return host

    # ---- hosts ----

    def host_killed(self) -> Fault:
        host = self.any_host()
        host.power_off()
        yield 0.0
        host.until("lost")
        host.up(*self.chance.choice([[], ["--fresh"]]))

    def host_cut_off_for_three_leases(self) -> Fault:
        host = self.any_host()
        host.cut()
        yield 3 * self.lease
        host.heal()
        host.until("up")

    def host_hears_nothing_for_two_leases(self) -> Fault:
        host = self.any_host()
        host.deafen()
        yield 2 * self.lease
        host.undeafen()
        host.until("up")

    def host_stopped_for_two_leases(self) -> Fault:
        host = self.any_host()
        self.ledger.stopped.add(host.label)
        host.machine.signal(signal.SIGSTOP)
        yield 2 * self.lease
        host.machine.signal(signal.SIGCONT)
        host.until("up")

    def host_slow_and_lossy(self) -> Fault:
        host = self.hosts[-1]
        self.busy.add(host.label)
        host.slow(200, 0.05)
        yield 2 * self.lease
        host.slow(0, 0.0)
        host.until("up")

    def host_clocks_jump_by_an_hour(self) -> Fault:
        for host in self.hosts:
            host.jump(self.chance.choice([3600, -3600]))
        yield self.lease
        for host in self.hosts:
            host.jump(0)

    def bridge_killed(self) -> Fault:
        assert self.any_host().machine.signal(signal.SIGKILL, "plm-fleet") == 1
        yield 0.0

    def bridge_stopped_for_two_leases(self) -> Fault:
        """The host runs on, and has to end its tasks all the same."""
        host = self.any_host()
        assert host.machine.signal(signal.SIGSTOP, "plm-fleet") == 1
        yield 2 * self.lease
        host.machine.signal(signal.SIGCONT, "plm-fleet")
        host.until("up")

    def manager_killed(self) -> Fault:
        host = self.any_host()
        assert host.machine.signal(signal.SIGKILL, "plm") == 1
        yield 0.2
        host.up()

    def worker_kills_itself_each_time(self) -> Fault:
        self.ledger.load(1, 0.0, crash_retries=2, dies=True)
        yield 0.0

    # ---- Redis ----

    def redis_killed(self) -> Fault:
        self.world.redis.machine.power_off()
        yield 0.3 * self.lease
        self.world.redis.up()

    def redis_stopped_beyond_the_lease(self) -> Fault:
        self.world.redis.machine.signal(signal.SIGSTOP)
        yield 1.5 * self.lease
        self.world.redis.machine.signal(signal.SIGCONT)

    def redis_paused_beyond_the_lease(self) -> Fault:
        self.world.redis.cli("client", "pause", str(int(1500 * self.lease)), "all")
        yield 1.5 * self.lease

    def redis_full(self) -> Fault:
        self.world.redis.cli("config", "set", "maxmemory", "1")
        yield 0.5 * self.lease
        self.world.redis.cli("config", "set", "maxmemory", "0")

    def redis_fails_over(self) -> Fault:
        """The replica has all that the primary has confirmed; then the primary dies."""
        first, second = self.world.redis, self.second
        follow(second, first)
        first.cli("client", "pause", "60000", "write")
        until(lambda: offset(first) == offset(second), "the replica has it all", PATIENCE_S)
        first.machine.power_off()
        second.cli("replicaof", "no", "one")
        second.take_address(first)
        self.world.redis, self.second = second, first
        yield 0.0
        first.up()  # for the next time

    # ---- the run ----

    def kinds(self) -> list[Kind]:
        return [*self.lasting(), *self.others()]

    def lasting(self) -> list[Kind]:
        """Of one host, and while they last others may strike."""
        return [
            self.host_cut_off_for_three_leases,
            self.host_hears_nothing_for_two_leases,
            self.host_stopped_for_two_leases,
            self.host_slow_and_lossy,
            self.bridge_stopped_for_two_leases,
        ]

    def others(self) -> list[Kind]:
        return [
            self.host_killed,
            self.host_clocks_jump_by_an_hour,
            self.bridge_killed,
            self.manager_killed,
            self.worker_kills_itself_each_time,
            self.redis_killed,
            self.redis_stopped_beyond_the_lease,
            self.redis_paused_beyond_the_lease,
            self.redis_full,
            self.redis_fails_over,
        ]

    def strike(self, kind: Kind, meanwhile: Kind | None = None) -> None:
        """One fault, from its begin to the healing, while tasks run; perhaps another meanwhile."""
        name, busy = kind.__name__, set(self.busy)
        self.counts[name] = self.counts.get(name, 0) + 1
        self.ledger.load(12, 0.2)
        self.ledger.load(2, 0.2, crash_retries=0)
        self.ledger.load(3, 1.5 * self.lease)
        self.ledger.until_begun(len(self.ledger.lines("begin")) + 1)
        began = time.monotonic()
        fault = kind()
        ends = time.monotonic() + next(fault)
        if meanwhile:
            self.strike(meanwhile)
        time.sleep(max(0.0, ends - time.monotonic()))
        for _ in fault:
            pass
        self.busy = busy
        print(f"  {name.replace('_', ' ')}: {time.monotonic() - began:.1f} s", flush=True)


def follow(replica: Server, primary: Server) -> None:
    replica.cli("replicaof", primary.machine.address, str(primary.port))
    until(
        lambda: "master_link_status:up" in replica.cli("info", "replication"),
        "the replica follows",
        PATIENCE_S,
    )


def offset(server: Server) -> str:
    lines = server.cli("info", "replication").split()
    return next(line for line in lines if line.startswith("master_repl_offset"))
