#!/usr/bin/env python3
# Copyright the tailrace authors. SPDX-License-Identifier: Apache-2.0
"""A source that cannot be captured: which exit code, and the statement that mends it."""
import socket
import sys
import threading
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "lib"))
from trtest.case import PASSWORD, ROW_SECRET, Case, main  # noqa: E402
from trtest.own import OwnPostgres  # noqa: E402
from trtest.postgres import Postgres  # noqa: E402

TABLE = f"CREATE TABLE t (id int PRIMARY KEY, s text); INSERT INTO t VALUES (1, '{ROW_SECRET}');"


class Source(Case):
    LIMIT_SECONDS = 240

    def test_unreachable_database_is_tried_for_the_time_allowed(self):
        ended = self.file_job(f"postgres://cdc:{PASSWORD}@127.0.0.1:1/none").once()
        self.assert_fails(ended, 69, "TR201", "could not connect to the source", "source.url", ("127.0.0.1", "refused"))
        self.assertGreater(ended.seconds, 2.5, "gave up before source.retry_for")
        self.assertIn("session.retry", ended.err)

    def test_unresolvable_host(self):
        ended = self.file_job("postgres://cdc@no-such-host.invalid/none").once()
        self.assert_fails(ended, 69, "TR201", "could not connect to the source", "source.url", "no-such-host.invalid")

    def test_wrong_database(self):
        database = self.shared().database("no_such_database")
        self.assert_fails(self.file_job(database).once(), 78, "TR206", hint="source.url", detail="no_such_database")

    def test_not_a_postgresql_server(self):
        with socket.create_server(("127.0.0.1", 0)) as server:
            def answer():
                while True:
                    try:
                        peer, _ = server.accept()
                    except OSError:
                        return
                    with peer:
                        peer.recv(1000)
                        peer.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")
            threading.Thread(target=answer, daemon=True).start()
            ended = self.file_job(f"postgres://cdc:{PASSWORD}@127.0.0.1:{server.getsockname()[1]}/none?sslmode=disable").once()
            server.shutdown(socket.SHUT_RDWR)
        self.assert_fails(ended, 69, "TR201", "could not connect to the source", "host and port")

    def test_value_in_the_servers_message_is_not_shown(self):
        """A publication's row filter that fails quotes the value: in the stream and in the snapshot."""
        database = self.database("CREATE TABLE t (id int PRIMARY KEY, s text); ALTER TABLE t REPLICA IDENTITY FULL;"
                                 "CREATE PUBLICATION own_pub FOR TABLE t WHERE (decode('00', s) IS NOT NULL);")
        config = self.config(database)
        config["source"].update(publication="own_pub", tables=["public.t"])
        job = self.job(config)
        self.assert_ok(job.once())
        database.psql(f"INSERT INTO t VALUES (1, '{ROW_SECRET}')")
        self.assert_fails(job.once(), 69, "TR218", detail="22023")
        database.psql(f"SELECT pg_drop_replication_slot('tailrace_{self.tag}')")
        self.assert_ok(job.command("offsets", "reset", "--yes"))
        self.assert_fails(job.once(), 69, "TR218", "public.t", detail="22023")

    def test_no_table_matches(self):
        config = self.config(self.database(TABLE))
        config["source"]["tables"] = ["public.absent_*"]
        self.assert_fails(self.job(config).once(), 78, "TR217", self.tag, "globs", "public.absent_*")

    def test_missing_publication_with_create_false(self):
        database = self.database(TABLE)
        config = self.config(database)
        config["source"].update(create=False, publication="absent_pub", tables=["public.t"])
        self.assert_fails(self.job(config).once(), 78, "TR215", '"absent_pub"', ("CREATE PUBLICATION", "absent_pub", "public", "t"))
        self.assertEqual(database.value("SELECT count(*) FROM pg_publication"), "0")
        self.assertEqual(database.value(f"SELECT count(*) FROM pg_replication_slots WHERE database = '{self.tag}'"), "0")

    def test_publication_without_a_captured_table(self):
        database = self.database(TABLE + "CREATE TABLE u (id int PRIMARY KEY); CREATE PUBLICATION own_pub FOR TABLE t;")
        config = self.config(database)
        config["source"].update(create=False, publication="own_pub", tables=["public.*"])
        self.assert_fails(self.job(config).once(), 78, "TR216", '"own_pub"', ("ALTER PUBLICATION", "ADD TABLE", "u"))

    def test_the_statement_in_the_hint_mends_it(self):
        database = self.database(TABLE)
        config = self.config(database)
        config["source"].update(create=False, publication="mended_pub", tables=["public.t"])
        job = self.job(config)
        hint = job.once().failure.hint
        database.psql(hint[hint.index("CREATE PUBLICATION"):hint.index(";") + 1])
        # The slot is missing, too: create: false makes neither.
        ended = job.once()
        self.assertNotEqual((ended.code, ended.failure.code), (78, "TR215"), ended.err)


class Login(Case):
    """A server of its own, since passwords and privileges are the server's."""
    LIMIT_SECONDS = 240

    @classmethod
    def setUpClass(cls):
        cls.own = OwnPostgres("fsync=off")
        cls.addClassCleanup(cls.own.remove)
        cls.own.server.psql(f"CREATE ROLE cdc LOGIN REPLICATION PASSWORD '{PASSWORD}'; CREATE ROLE plain LOGIN; CREATE ROLE reader LOGIN REPLICATION;")
        cls.own.access(["host all,replication postgres,plain,reader 127.0.0.1/32 trust",
                        "host all,replication cdc 127.0.0.1/32 scram-sha-256"])

    def as_role(self, role, database=None):
        database = database or self.database(TABLE, self.own.server)
        return Postgres(database.host, database.port, role, database.dbname)

    def test_wrong_password(self):
        url = self.as_role("cdc").url.replace("cdc@", f"cdc:{PASSWORD}x@")
        ended = self.file_job(url).once()
        self.assert_fails(ended, 77, "TR202", "could not connect to the source", "PGPASSWORD", "password authentication failed")
        self.assertNotIn("session.retry", ended.err, "a refused login was tried again")

    def test_wrong_password_from_the_environment(self):
        ended = self.job(self.config(self.as_role("cdc")), {"PGPASSWORD": PASSWORD + "x"}).once()
        self.assert_fails(ended, 77, "TR202", detail="password authentication failed")

    def test_right_password_from_environment_passfile_and_url(self):
        database = self.as_role("cdc")
        self.own.server.psql(f'ALTER DATABASE "{self.tag}" OWNER TO cdc')
        Postgres(database.host, database.port, "postgres", self.tag).psql("ALTER TABLE t OWNER TO cdc")
        passfile = self.folder / "pgpass"
        passfile.write_text(f"127.0.0.1:*:*:cdc:{PASSWORD}\n", encoding="utf-8")
        passfile.chmod(0o600)
        self.assert_ok(self.job(self.config(database), {"PGPASSWORD": PASSWORD}).once())
        self.assert_ok(self.job(self.config(database), {"PGPASSFILE": str(passfile)}).once())
        ended = self.job(self.config(database.url.replace("cdc@", f"cdc:{PASSWORD}@"))).once()
        self.assert_ok(ended)
        shown = self.job(self.config(database.url.replace("cdc@", f"cdc:{PASSWORD}@"))).command("check")
        self.assert_discreet(shown.out, shown.err)

    def test_role_without_replication(self):
        ended = self.file_job(self.as_role("plain")).once()
        self.assert_fails(ended, 77, "TR203", hint=("ALTER ROLE", "plain", "REPLICATION"))

    def test_role_without_select(self):
        database = self.database(TABLE + "CREATE PUBLICATION own_pub FOR TABLE t;", self.own.server)
        config = self.config(self.as_role("reader", database))
        config["source"].update(publication="own_pub", tables=["public.t"])
        ended = self.job(config).once()
        self.assert_fails(ended, 77, "TR203", hint=("GRANT SELECT", "t", "reader"))
        checked = self.job(config).command("check")
        self.assertEqual(checked.code, 77, checked.out + checked.err)
        self.assertIn("GRANT SELECT ON", checked.out)
        grant = checked.out[checked.out.index("GRANT SELECT ON"):].split(";")[0].split("\n")[0]
        database.psql(grant)
        self.assert_ok(self.job(config).once())

    def test_role_that_cannot_make_the_publication(self):
        ended = self.file_job(self.as_role("reader")).once()
        self.assert_fails(ended, 77, "TR203", "publication", ("CREATE PUBLICATION", "GRANT"))


class WalLevel(Case):
    def test_wal_level_replica(self):
        own = OwnPostgres("fsync=off", "wal_level=replica")
        self.addCleanup(own.remove)
        config = self.config(self.database(TABLE, own.server))
        self.assert_fails(self.job(config).once(), 78, "TR204", "wal_level", ("wal_level", "logical", "restart"))
        checked = self.job(config).command("check")
        self.assertEqual(checked.code, 78, checked.out + checked.err)
        self.assertIn("ALTER SYSTEM SET wal_level", checked.out)

    def test_no_free_slot(self):
        own = OwnPostgres("fsync=off", "max_replication_slots=1")
        self.addCleanup(own.remove)
        database = self.database(TABLE, own.server)
        database.psql("SELECT pg_create_physical_replication_slot('taken')")
        self.assert_fails(self.file_job(database).once(), 78, "TR220", hint="max_replication_slots")


if __name__ == "__main__":
    main()
