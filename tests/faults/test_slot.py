#!/usr/bin/env python3
# Copyright the tailrace authors. SPDX-License-Identifier: Apache-2.0
"""A slot that cannot carry on from the stored position stops with 65 (or says what else is wrong); nothing starts anew in silence."""
import subprocess
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "lib"))
from trtest.case import ROW_SECRET, Case, Job, eventually, main  # noqa: E402
from trtest import servers  # noqa: E402
from trtest.own import OwnPostgres  # noqa: E402
from trtest.postgres import Postgres  # noqa: E402

TABLE = f"CREATE TABLE t (id int PRIMARY KEY, s text); INSERT INTO t VALUES (1, '{ROW_SECRET}');"


class Slot(Case):
    LIMIT_SECONDS = 240

    def captured(self):
        """A job that ran once, and its database."""
        database = self.database(TABLE)
        job = self.file_job(database)
        self.assert_ok(job.once())
        return job, database

    def files(self):
        return sorted(str(p) for p in (self.folder / "out").iterdir())

    def test_slot_of_another_plugin(self):
        database = self.database(TABLE)
        database.psql(f"SELECT pg_create_logical_replication_slot('{self.tag}', 'test_decoding')")
        config = self.config(database)
        config["source"]["slot"] = self.tag
        self.assert_fails(self.job(config).once(), 78, "TR213", (f'"{self.tag}"', "test_decoding"), ("source.slot", "pg_drop_replication_slot"))
        self.assertEqual(database.value(f"SELECT plugin FROM pg_replication_slots WHERE slot_name = '{self.tag}'"), "test_decoding")

    def test_slot_of_another_database(self):
        database = self.database(TABLE)
        self.server.psql(f"SELECT pg_create_logical_replication_slot('{self.tag}', 'pgoutput')")
        self.addCleanup(lambda: self.server.psql(f"SELECT pg_drop_replication_slot('{self.tag}')", stop=False))
        config = self.config(database)
        config["source"]["slot"] = self.tag
        self.assert_fails(self.job(config).once(), 78, "TR213", (f'"{self.tag}"', '"postgres"'), "source.slot")

    def test_slot_that_somebody_else_made(self):
        database = self.database(TABLE)
        database.psql(f"SELECT pg_create_logical_replication_slot('{self.tag}', 'pgoutput')")
        config = self.config(database)
        config["source"]["slot"] = self.tag
        self.assert_fails(self.job(config).once(), 78, "TR213", f'"{self.tag}"', "source")

    def test_publication_dropped_and_made_again(self):
        """Up to 17 the server ends the stream; since 18 it leaves the changes out and only warns."""
        for version in servers.postgres_versions():
            with self.subTest(version=version):
                database = self.database(TABLE, Postgres(*servers.postgres(version)))
                config = self.config(database)
                config["state"]["url"] += version
                job = self.job(config)
                with job.background() as program:
                    program.wait_state()
                    database.psql(f"DROP PUBLICATION tailrace_{self.tag}; INSERT INTO t VALUES (2, 'lost')")
                    self.assertEqual(program.process.wait(60), 78, program.tail())
                    self.assertIn("TR215", program.tail())
                database.psql(f"CREATE PUBLICATION tailrace_{self.tag} FOR TABLE t")
                for _ in range(2):  # the gap does not heal by trying again
                    self.assert_fails(job.once(), 78, "TR215", detail=(), hint=(f'"tailrace_{self.tag}"', "offsets reset"))
                self.forget_database()

    def test_busy_slot(self):
        job, database = self.captured()
        with job.background() as first:
            first.wait_state()
            config = self.config(database, state={"url": f"file:{self.folder / 'other'}"}, snapshot={"mode": "never"})
            config["source"].update(create=False, slot=f"tailrace_{self.tag}", publication=f"tailrace_{self.tag}")
            folder = self.folder / "busy"
            folder.mkdir()
            ended = Job(folder, config).once()
            self.assert_fails(ended, 69, "TR212", f'"tailrace_{self.tag}"', "pg_stat_replication", "active_pid")
            self.assertGreater(ended.seconds, 2, "a busy slot was not waited for")
            first.check_alive()
            self.assertEqual(first.terminate(), 0)

    def test_dropped_slot(self):
        job, database = self.captured()
        before = self.files()
        database.psql(f"SELECT pg_drop_replication_slot('tailrace_{self.tag}')")
        self.assert_fails(job.once(), 65, "TR210", f'"tailrace_{self.tag}"', ("offsets reset", "when_needed"))
        self.assertEqual(database.value(f"SELECT count(*) FROM pg_replication_slots WHERE database = '{self.tag}'"), "0", "the slot was made anew in silence")
        self.assertEqual(self.files(), before)

    def test_dropped_slot_with_when_needed_takes_a_new_snapshot_and_says_so(self):
        job, database = self.captured()
        database.psql(f"SELECT pg_drop_replication_slot('tailrace_{self.tag}'); INSERT INTO t VALUES (2, 'x')")
        ended = job.once("--set", "snapshot.mode=when_needed")
        self.assert_ok(ended)
        self.assertIn("snapshot.needed", ended.err)

    def test_slot_moved_by_somebody_else(self):
        job, database = self.captured()
        database.psql("INSERT INTO t VALUES (2, 'gone')")
        database.psql(f"SELECT pg_replication_slot_advance('tailrace_{self.tag}', pg_current_wal_lsn())")
        self.assert_fails(job.once(), 65, "TR214", f'"tailrace_{self.tag}"', "offsets reset", "confirmed_flush_lsn")

    def test_the_way_out_works(self):
        job, database = self.captured()
        database.psql(f"SELECT pg_drop_replication_slot('tailrace_{self.tag}')")
        self.assertEqual(job.once().code, 65)
        self.assert_ok(job.command("offsets", "reset", "--yes"))
        self.assert_ok(job.once())


class OwnServer(Case):
    LIMIT_SECONDS = 240

    def test_wal_status_lost(self):
        own = OwnPostgres("fsync=off", "max_slot_wal_keep_size=1MB", "max_wal_size=32MB", "min_wal_size=32MB")
        self.addCleanup(own.remove)
        database = self.database(TABLE, own.server)
        job = self.file_job(database)
        self.assert_ok(job.once())

        def lost():
            database.psql("CREATE TABLE IF NOT EXISTS fill (b text); INSERT INTO fill SELECT repeat(md5(i::text), 60) FROM generate_series(1, 12000) i; TRUNCATE fill;")
            database.psql("SELECT pg_switch_wal();\nCHECKPOINT;")
            return database.value(f"SELECT wal_status FROM pg_replication_slots WHERE slot_name = 'tailrace_{self.tag}'") == "lost"

        eventually(lost, 60, what="a lost slot")
        config = dict(job.config, source={**job.config["source"], "tables": ["public.t"]})
        job.write(config)
        self.assert_fails(job.once(), 65, "TR211", f'"tailrace_{self.tag}"', ("pg_drop_replication_slot", "offsets reset"), "lost")
        checked = job.command("check")
        self.assertEqual(checked.code, 65, checked.out + checked.err)
        self.assertIn("lost", checked.out)

    def test_other_server_behind_the_same_address(self):
        """As after a restore into a new cluster: same address, database and slot name, another system identifier."""
        first = OwnPostgres("fsync=off")
        self.addCleanup(first.remove)
        job = self.file_job(self.database(TABLE, first.server))
        self.assert_ok(job.once())
        before = job.stored()
        first.stop()
        second = OwnPostgres("fsync=off", port=first.port)
        self.addCleanup(second.remove)
        database = self.database(TABLE, second.server)
        database.psql(f"SELECT pg_create_logical_replication_slot('tailrace_{self.tag}', 'pgoutput')")
        self.assert_fails(job.once(), 65, "TR205", "another server", ("reset", "Nothing was read"), "stored:")
        self.assertEqual(job.stored(), before, "the stored record was changed")

    def test_server_restored_to_an_earlier_point(self):
        """The same cluster, put back: its log ends before the stored position."""
        own = OwnPostgres("fsync=off")
        self.addCleanup(own.remove)
        database = self.database(TABLE, own.server)
        job = self.file_job(database)
        self.assert_ok(job.once())
        own.stop()
        copy = own.dir / "copy"
        subprocess.run(["cp", "-a", str(own.dir / "data"), str(copy)], check=True)
        own.start()
        database.psql("INSERT INTO t SELECT i, 'later' FROM generate_series(10, 2000) i")
        self.assert_ok(job.once())
        own.stop()
        subprocess.run(["rm", "-rf", str(own.dir / "data")], check=True)
        copy.rename(own.dir / "data")
        own.start()
        ended = job.once()
        self.assert_fails(ended, 65, "TR214", "ends before the stored position", "offsets reset", "end of the log")

    def test_server_goes_away_for_longer_than_allowed(self):
        own = OwnPostgres("fsync=off")
        self.addCleanup(own.remove)
        job = self.file_job(self.database(TABLE, own.server))
        with job.background() as program:
            program.wait_state()
            own.stop()
            waiting = eventually(lambda: (s := program.status()) and s["state"] == "waiting" and s, what="waiting")
            self.assertEqual(waiting["error"]["code"], "TR201")
            self.assertEqual(program.process.wait(60), 69)
            self.assertIn("TR201", program.tail())


if __name__ == "__main__":
    main()
