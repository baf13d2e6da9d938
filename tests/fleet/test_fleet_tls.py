"""rediss://: a Redis that speaks TLS alone, a CA of the test, and wrong certificates."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
import unittest
from pathlib import Path

from fleet_world import FLOATING, World, main, redis_program


def openssl(*words: str) -> None:
    subprocess.run(["openssl", *words], check=True, capture_output=True)


def speaks_tls() -> bool:
    """A Redis built without TLS refuses the option."""
    words = [*redis_program(), "--port", "0", "--tls-port", "0", "--no-such-option", "1"]
    done = subprocess.run(words, capture_output=True, text=True, check=False, timeout=20)
    return "'tls-port" not in done.stdout + done.stderr


class Authority:
    """A CA, and certificates that it signs."""

    def __init__(self, place: Path, name: str) -> None:
        self.place, self.cert, self.key = place, place / f"{name}.crt", place / f"{name}.key"
        words = ["-nodes", "-days", "2", "-subj", f"/CN={name}", "-newkey", "ec"]
        words += ["-pkeyopt", "ec_paramgen_curve:P-256", "-keyout", str(self.key)]
        openssl("req", "-x509", *words, "-out", str(self.cert))

    def sign(self, name: str, subject: str) -> tuple[Path, Path]:
        key, request, cert = (self.place / f"{name}.{end}" for end in ("key", "csr", "crt"))
        names = self.place / f"{name}.names"
        names.write_text(f"subjectAltName={subject}\n")
        words = ["-nodes", "-subj", f"/CN={name}", "-newkey", "ec"]
        words += ["-pkeyopt", "ec_paramgen_curve:P-256", "-keyout", str(key)]
        openssl("req", *words, "-out", str(request))
        by = ["-CA", str(self.cert), "-CAkey", str(self.key), "-CAcreateserial", "-days", "2"]
        words = ["-in", str(request), "-extfile", str(names), *by, "-out", str(cert)]
        openssl("x509", "-req", *words)
        return cert, key


@unittest.skipUnless(shutil.which("openssl"), "no openssl: apt-get install openssl")
@unittest.skipUnless(redis_program() and speaks_tls(), "no Redis here that speaks TLS")
class Tls(unittest.TestCase):
    def setUp(self) -> None:
        self.place = Path(tempfile.mkdtemp(prefix="plm-test-tls-"))
        self.addCleanup(shutil.rmtree, self.place)
        self.ca, self.other = Authority(self.place, "ca"), Authority(self.place, "other")
        where = f"IP:{FLOATING},IP:127.0.0.1,IP:10.91.0.1"
        cert, key = self.ca.sign("redis", where)
        self.mine = self.ca.sign("host", "DNS:host")
        self.options = ["--tls-cert-file", str(cert)]
        self.options += ["--tls-key-file", str(key), "--tls-ca-cert-file", str(self.ca.cert)]
        self.cli = ["--tls", "--cacert", str(self.ca.cert), "--cert", str(self.mine[0])]
        self.cli += ["--key", str(self.mine[1])]

    def url(self, world: World, options: str) -> str:
        return f"rediss://{world.url.partition('://')[2]}&{options}"

    def refused(self, world: World, options: str, code: int, text: str) -> None:
        done = world.run("--fleet", self.url(world, options), "tasks")
        self.assertEqual(done.returncode, code, done.stderr)
        self.assertIn(text, done.stderr)

    def test_hosts_and_users_speak_tls_and_check_whom_they_speak_to(self) -> None:
        with World("tls", *self.options, tls=self.cli) as world:
            trusts = f"cacert={self.ca.cert}"
            whole = f"{trusts}&cert={self.mine[0]}&key={self.mine[1]}"
            wrong = f"cacert={self.other.cert}&cert={self.mine[0]}&key={self.mine[1]}"
            self.refused(world, wrong, 77, "cacert=FILE")
            self.refused(world, f"cert={self.mine[0]}&key={self.mine[1]}", 77, "not trusted")
            self.refused(world, f"cacert={self.place}/none", 77, "No such file")
            self.refused(world, f"{trusts}&cert={self.mine[0]}&key={self.other.key}", 77, "key=")
            self.refused(world, trusts, 69, "certificate of its clients")
            done = world.run("tasks")
            self.assertNotEqual(done.returncode, 0, "a Redis that speaks TLS takes plain words")
            world.url = self.url(world, whole)
            world.scheme, world.options = "rediss", "&" + whole
            world.host().up()
            self.assertEqual(world.ctl("submit", "echo", "through TLS").strip(), "through TLS")
            size = 3 << 20
            text = world.ctl("submit", "--shell", f"head -c {size} /dev/zero | tr '\\0' x")
            self.assertEqual(len(text.strip()), size)

    def test_a_certificate_for_another_host_is_refused(self) -> None:
        cert, key = self.ca.sign("elsewhere", "DNS:elsewhere.example")
        options = [*self.options, "--tls-auth-clients", "no"]
        options += ["--tls-cert-file", str(cert), "--tls-key-file", str(key)]
        with World("tlsname", *options, tls=self.cli) as world:
            self.refused(world, f"cacert={self.ca.cert}", 77, "for another host")
            done = world.run("--fleet", self.url(world, "verify=no"), "tasks")
            self.assertEqual(done.returncode, 0, done.stderr)


if __name__ == "__main__":
    main()
