#!/usr/bin/env python3
# Copyright the tailrace authors. SPDX-License-Identifier: Apache-2.0
"""Every way to a server that psql knows: TLS with a certificate authority of one's own, a socket, a service, several hosts."""
import subprocess
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "lib"))
from trtest.case import PASSWORD, Case, main  # noqa: E402
from trtest.own import OwnPostgres  # noqa: E402

TABLE = "CREATE TABLE t (id int PRIMARY KEY); INSERT INTO t VALUES (1)"


def openssl(*words):
    done = subprocess.run(["openssl", *map(str, words)], stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60)
    if done.returncode:
        raise AssertionError(f"openssl {words[0]}: {done.stderr}")


def certify(folder):
    """An authority, a certificate for the name localhost signed by it, and an authority that signed nothing."""
    for name in ("ca", "other"):
        openssl("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", 30, "-subj", f"/CN=tests {name}",
                "-keyout", folder / f"{name}.key", "-out", folder / f"{name}.crt")
    openssl("req", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=localhost", "-keyout", folder / "server.key", "-out", folder / "server.csr")
    (folder / "names").write_text("subjectAltName=DNS:localhost\n", encoding="utf-8")
    openssl("x509", "-req", "-in", folder / "server.csr", "-CA", folder / "ca.crt", "-CAkey", folder / "ca.key", "-CAcreateserial",
            "-days", 30, "-extfile", folder / "names", "-out", folder / "server.crt")


class Connection(Case):
    @classmethod
    def setUpClass(cls):
        cls.own = OwnPostgres("fsync=off")
        cls.addClassCleanup(cls.own.remove)
        folder = cls.own.dir
        certify(folder)
        for name in ("server.key", "server.crt"):  # in the data directory: the server owns it
            (folder / "data" / name).write_bytes((folder / name).read_bytes())
            (folder / "data" / name).chmod(0o600)
            subprocess.run(["chown", "--reference", str(folder / "data" / "PG_VERSION"), str(folder / "data" / name)], check=True)
        cls.own.server.psql(f"CREATE ROLE cdc SUPERUSER LOGIN PASSWORD '{PASSWORD}'; ALTER SYSTEM SET ssl = on")
        cls.own.access(["local all all trust", "host all,replication postgres 127.0.0.1/32 trust",
                        "hostssl all,replication cdc 127.0.0.1/32 scram-sha-256"])

    def setUp(self):
        super().setUp()
        self.database(TABLE, self.own.server)

    def run_with(self, url, environment=None, **source):
        return self.job(self.config(url, source=source), environment).once()

    def secure(self, host, mode, root="ca"):
        return f"postgres://cdc:{PASSWORD}@{host}:{self.own.port}/{self.tag}?sslmode={mode}&sslrootcert={self.own.dir / (root + '.crt')}"

    def encrypted(self):
        """The role may come by TLS only."""
        return self.own.server.value("SELECT count(*) FROM pg_hba_file_rules WHERE 'cdc' = ANY (user_name) AND type <> 'hostssl'") == "0"

    def test_tls_verifies_the_name(self):
        self.assertTrue(self.encrypted())
        self.assert_ok(self.run_with(self.secure("localhost", "verify-full")))
        self.assert_fails(self.run_with(self.secure("127.0.0.1", "verify-full")), 69, "TR201", "could not connect", detail="127.0.0.1")
        self.assert_ok(self.run_with(self.secure("127.0.0.1", "verify-ca")))

    def test_tls_verifies_the_authority(self):
        self.assert_fails(self.run_with(self.secure("localhost", "verify-full", "other")), 69, "TR201", detail="certificate")

    def certificate(self, name):
        """The server takes another one up."""
        data = self.own.dir / "data"
        (data / "server.crt").write_bytes((self.own.dir / f"{name}.crt").read_bytes())
        self.own.server.psql("SELECT pg_reload_conf()")

    def test_certificate_that_expired(self):
        """Said, and safe; with a new one it goes on where it stood."""
        folder = self.own.dir
        openssl("x509", "-req", "-in", folder / "server.csr", "-CA", folder / "ca.crt", "-CAkey", folder / "ca.key", "-CAcreateserial",
                "-days", -1, "-extfile", folder / "names", "-out", folder / "expired.crt")
        job = self.job(self.config(self.secure("localhost", "verify-full")))
        self.assert_ok(job.once())
        self.certificate("expired")
        self.addCleanup(self.certificate, "server")
        before = job.stored()
        self.assert_fails(job.once(), 69, "TR201", "could not connect", detail="certificate verify failed")
        self.assertEqual(job.stored(), before)
        self.certificate("server")
        self.assert_ok(job.once())

    def test_login_that_tls_alone_may_use(self):
        self.assert_fails(self.run_with(self.secure("localhost", "disable")), 77, "TR202", detail="pg_hba.conf")

    def test_socket(self):
        self.assert_ok(self.run_with(f"postgres://postgres@/{self.tag}?host={self.own.dir}&port={self.own.port}"))
        folder = str(self.own.dir).replace("/", "%2F")
        self.assert_ok(self.run_with(f"postgres://postgres@{folder}:{self.own.port}/{self.tag}"))

    def test_service_and_passfile(self):
        services, passfile = self.folder / "services", self.folder / "passfile"
        services.write_text(f"[shop]\nhost=localhost\nport={self.own.port}\ndbname={self.tag}\nuser=cdc\nsslmode=require\n"
                            f"passfile={passfile}\n", encoding="utf-8")
        passfile.write_text(f"localhost:{self.own.port}:*:cdc:{PASSWORD}\n", encoding="utf-8")
        passfile.chmod(0o600)
        self.assert_ok(self.run_with("postgres:///?service=shop", {"PGSERVICEFILE": str(services)}))
        self.assert_fails(self.run_with("postgres:///?service=absent", {"PGSERVICEFILE": str(services)}), 78, "TR102", detail="absent")
        passfile.write_text(f"localhost:{self.own.port}:*:cdc:{PASSWORD}x\n", encoding="utf-8")
        self.assert_fails(self.run_with("postgres:///?service=shop", {"PGSERVICEFILE": str(services)}), 77, "TR202")

    def test_several_hosts(self):
        self.assert_ok(self.run_with(f"postgres://postgres@127.0.0.1:1,127.0.0.1:{self.own.port}/{self.tag}?target_session_attrs=read-write"))

    def test_a_host_that_does_not_answer_leaves_time_for_the_next(self):
        url = f"postgres://postgres@127.0.0.1:{self.silent_port()},127.0.0.1:{self.own.port}/{self.tag}"
        self.assert_ok(self.run_with(url, connect_timeout="4s"))


if __name__ == "__main__":
    main()
