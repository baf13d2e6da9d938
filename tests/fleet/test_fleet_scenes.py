"""Single deaths and refusals of a fleet, on machines of their own: what the documents promise."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import unittest
from pathlib import Path

from fleet_ledger import Ledger, show
from fleet_world import LEASE_S, PROGRAMS, ROOT, World, main, redis_program, until


def lines(path: Path) -> list[str]:
    return path.read_text().splitlines() if path.exists() else []


@unittest.skipUnless(redis_program(), "no Redis on this machine: apt-get install redis-tools")
class Scenes(unittest.TestCase):
    def log_says(self, world: World, text: str) -> None:
        until(lambda: text in world.logs(), f"a host writes {text!r}", 60.0)

    def test_redis_without_its_file_is_a_new_fleet(self) -> None:
        with World("nofile") as world:
            host = world.host()
            host.up()
            began = world.directory / "began"
            trap = f"trap 'echo ended >>{began}; exit' TERM; echo began >>{began}; sleep 99 & wait"
            ref = world.ctl("submit", "--detach", "--shell", trap).strip()
            until(lambda: lines(began), "the task has begun")
            world.redis.machine.power_off()
            world.redis.forget_file()
            world.redis.up()
            until(lambda: lines(began) == ["began", "ended"], "the host has ended its task", 60.0)
            host.until("up")
            self.assertEqual(world.ctl("submit", "echo", "new").strip(), "new")
            done = world.run("get", ref)
            self.assertEqual(done.returncode, 65, done.stderr)
            self.assertIn("another fleet", done.stderr)

    def test_a_password_set_meanwhile_keeps_hosts_out_until_it_is_right(self) -> None:
        with World("password") as world:
            host = world.host()
            host.up()
            world.redis.cli("config", "set", "requirepass", "sesame")
            world.redis.cli("-a", "sesame", "client", "kill", "type", "normal")
            self.log_says(world, "Redis wants a password")
            done = world.run("tasks")
            self.assertEqual(done.returncode, 77, done.stderr)
            world.redis.cli("-a", "sesame", "config", "set", "requirepass", "")
            host.until("up")
            self.assertEqual(world.ctl("submit", "echo", "in").strip(), "in")

    def test_databases_are_fleets_of_their_own(self) -> None:
        with World("database") as world:
            world.ctl("submit", "--detach", "true")
            place, options = world.url.split("?")
            other = world.run("--fleet", f"{place}/1?{options}", "tasks", "--quiet")
            self.assertEqual((other.returncode, other.stdout), (0, ""), other.stderr)
            none = world.run("--fleet", f"{place}/99?{options}", "tasks")
            self.assertEqual(none.returncode, 64, none.stderr)
            self.assertIn("no database of this number", none.stderr)

    def test_a_host_leaves_keys_of_others_alone_and_says_so(self) -> None:
        with World("foreign") as world:
            world.redis.cli("set", "plm:{test}:meta", "mine")
            world.host().start()
            self.log_says(world, "not made by plm")
            self.assertEqual(world.redis.cli("get", "plm:{test}:meta"), "mine")

    def test_a_host_waits_for_a_redis_that_is_not_there_yet(self) -> None:
        with World("early") as world:
            world.redis.machine.power_off()
            host = world.host()
            host.start()
            self.log_says(world, "trying again")
            world.redis.up()
            host.until("up")

    def test_a_slow_and_lossy_way_is_no_death(self) -> None:
        with World("slow", lease_s=10.0) as world:
            host = world.host(slow=True)
            host.up()
            print("latency of 200 ms, loss of 5 %, by", host.slow(200, 0.05))
            ledger = Ledger(world, 1)
            ledger.load(12, 0.2, crash_retries=0)
            verdict = ledger.judge()
            print(show("slow and lossy", verdict))
            self.assertEqual((verdict.done, verdict.again, verdict.wrong), (12, 0, []))
            self.assertNotIn("out of the fleet", world.logs())

    def test_a_task_that_takes_its_machine_down_is_given_up(self) -> None:
        with World("poison") as world:
            if not world.net.real:
                self.skipTest("a machine that a task may take down needs namespaces")
            hosts = [world.host() for _ in range(3)]
            for host in hosts:
                host.up()
            began = world.directory / "began"
            deadly = f"echo began >>{began}; kill -KILL -1"
            world.ctl("submit", "--detach", "--crash-retries", "1", "--shell", deadly)
            ledger = Ledger(world, 1)
            ledger.load(20, 0.1)
            until(lambda: len(lines(began)) == 2, "the second machine is down", 60.0)
            verdict = ledger.judge()
            self.assertEqual((verdict.done, verdict.failed, verdict.wrong), (20, 1, []))
            states = sorted(host.state() for host in hosts)
            self.assertEqual((len(lines(began)), states), (2, ["lost", "lost", "up"]))

    def test_a_stubborn_task_of_a_dead_bridge_ends_before_the_lease(self) -> None:
        with World("grace") as world:
            hosts = [world.host(), world.host()]
            for host in hosts:
                host.up()
            ledger = Ledger(world, 1)
            ledger.load(4, 2 * LEASE_S, options=["--grace", "1m"], before="trap '' TERM; ")
            ledger.until_begun(4)
            hosts[0].machine.signal(signal.SIGKILL, "plm-fleet")
            verdict = ledger.judge()
            print(show("a stubborn task", verdict))
            self.assertEqual((verdict.done, verdict.wrong), (4, []))
            self.assertGreater(verdict.again, 0)

    def test_a_task_ended_for_want_of_memory_goes_to_another_host(self) -> None:
        with World("memory") as world:
            meters = [world.directory / f"meter{i}" for i in range(2)]
            for meter in meters:
                remember(meter, 400, 390)
            words = ["--accept-free", "100M", "--return-free", "50M"]
            small, large = (
                world.host(words=words, workers=1, PLM_MEMORY_METER=str(meter)) for meter in meters
            )
            small.up()
            began = world.directory / "began"
            eats = (
                "x=$(head -c 120000000 /dev/zero | tr '\\0' x); "
                f"echo ${{XDG_RUNTIME_DIR##*/}} >>{began}; "
                f"until [ -e {began}.go ]; do sleep 0.1; done"
            )
            ref = world.ctl("submit", "--detach", "--shell", eats).strip()
            until(lambda: lines(began) == ["host1"], "the task has begun", 60.0)
            large.up()
            remember(meters[0], 400, 40)
            until(lambda: lines(began) == ["host1", "host2"], "the task is on host2", 60.0)
            Path(f"{began}.go").touch()
            world.ctl("wait", ref)
            self.assertEqual(len(lines(began)), 2)

    def test_the_task_files_and_verbs_of_a_redis_job_runner_work(self) -> None:
        with World("origin") as world:
            world.host(workers="cpus=1,mem=8G x1").up()
            world.host(workers="cpus=2,mem=8G x1").up()
            world.ctl("forget", "--finished", "--failed")  # init
            world.ctl("cancel", "--todo")
            tasks = ["# type:priority:min_dram:min_cpu:params", ""]
            tasks += [f"shell:4:2:2:echo {i} http://a:80; test {i} -ne 3" for i in range(6)]
            file = world.directory / "task"
            file.write_text("\n".join(tasks) + "\n")
            self.assertIn("loaded 6, skipped 0", world.run("load", "--unique", str(file)).stderr)
            self.assertRegex(
                world.run("load", "--unique", str(file)).stderr, "loaded [01], skipped [56]"
            )
            world.run("wait", "--todo", "--in-progress")
            status = json.loads(world.ctl("status", "--json"))  # check task
            self.assertEqual((status["todo"], status["running"], status["done"]), (0, 0, 5))
            failed = world.rows("tasks", "--failed")
            self.assertEqual({row["command"].split()[3] for row in failed}, {"3"})
            # check worker: the first host has no two cpus
            columns = ("seen_ms", "cores", "cores_used", "memory", "memory_used", "running")
            rows = sorted(world.rows("hosts"), key=lambda row: str(row["runtime"]))
            self.assertTrue(all(isinstance(row[name], int) for row in rows for name in columns))
            self.assertEqual([rows[0]["finished"], rows[1]["finished"] >= 6], [0, True])
            watch = [*world.net.at_desk(), str(PROGRAMS / "plmctl"), "--fleet", world.url]
            with subprocess.Popen(
                [*watch, "status", "--watch=1"], stdout=subprocess.PIPE, text=True
            ) as shown:
                assert shown.stdout is not None
                # Two, if the task had failed before the file was loaded again.
                line, seen = f"in progress, 5 finished, {len(failed)} failed", 0
                while seen < 2:
                    seen += line in shown.stdout.readline()
                shown.kill()
            world.ctl("move", "--to", "todo", "--failed")
            world.run("wait", "--todo", "--in-progress")
            world.ctl("forget", "--finished")
            self.assertEqual(json.loads(world.ctl("status", "--json"))["done"], 0)

    def test_the_script_for_slurm_starts_hosts_and_ends_them_in_order(self) -> None:
        with World("slurm") as world:
            srun = world.directory / "bin" / "srun"
            srun.parent.mkdir()
            # One node: srun passes signals on, as exec does.
            srun.write_text('#!/bin/sh\nwhile [ "$1" != plm ]; do shift; done\nexec "$@"\n')
            srun.chmod(0o755)
            host = world.host()
            host.runtime = f"slurm-{os.getpid()}"
            path = f"{srun.parent}:{PROGRAMS}:{os.environ['PATH']}"
            script = str(ROOT / "examples" / "fleet.slurm")
            log = host.place / "log"
            host.machine.start(["bash", script], log, PATH=path, SLURM_JOB_ID=str(os.getpid()))
            host.until("up")
            ref = world.ctl("submit", "--detach", "--shell", "sleep 0.5; echo ended").strip()
            until(lambda: world.rows("hosts")[0]["running"] == 1, "the task runs")
            self.assertEqual(host.machine.signal(signal.SIGTERM, "bash"), 1)
            host.until("left")
            self.assertEqual(world.ctl("get", ref).strip(), "ended")


def remember(meter: Path, total_mb: int, free_mb: int) -> None:
    """The memory that a host finds on its machine (base/meter.h)."""
    fresh = meter.with_suffix(".new")
    fresh.write_text(f"MemTotal: {total_mb << 10} kB\nMemAvailable: {free_mb << 10} kB\n")
    fresh.rename(meter)


if __name__ == "__main__":
    main()
