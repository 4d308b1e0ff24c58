#!/usr/bin/env python3
# Copyright the tailrace authors. SPDX-License-Identifier: Apache-2.0
"""Standbys: a stream read from one, its promotion under the stream, and the take-over by a synchronised failover slot."""
import sys
import threading
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "lib"))
from trtest.case import Case, eventually, main  # noqa: E402
from trtest.own import OwnPostgres, OwnStandby  # noqa: E402
from trtest.replay import replay_differences  # noqa: E402

TABLE = "CREATE TABLE t (id int PRIMARY KEY, s text); INSERT INTO t SELECT g, 'snapshot' FROM generate_series(1, 200) g"


class Standby(Case):
    PG = "17"

    def setUp(self):
        super().setUp()
        self.stopping = threading.Event()
        self.primary = OwnPostgres("fsync=off", version=self.PG)
        self.addCleanup(self.primary.remove)
        self.db = self.database(TABLE, self.primary.server)

    def standby(self, *settings):
        made = OwnStandby(self.primary, "fsync=off", *settings)
        self.addCleanup(made.remove)
        return made

    def running_transactions(self):
        """A slot on a standby begins with the next note of the primary's transactions, which an idle one writes rarely."""
        def note():
            while not self.stopping.wait(0.3):
                self.primary.server.psql("SELECT pg_log_standby_snapshot()", stop=False)
        thread = threading.Thread(target=note, daemon=True)
        self.addCleanup(thread.join)
        self.addCleanup(self.stopping.set)
        thread.start()

    def published(self):
        return {(r["key"]["id"], (r["value"] or {}).get("op")) for r in self.records() if r["topic"] == f"{self.tag}.public.t"}

    def arrives(self, row, program):
        eventually(lambda: program.check_alive() or (row, "c") in self.published(), what=f"row {row}")

    def same(self, database):
        own = [r for r in self.records() if r["topic"] == f"{self.tag}.public.t"]
        self.assertEqual(replay_differences(own, database, "t", ["id"])[:5], [])

    def test_stream_from_a_standby_and_its_promotion(self):
        standby = self.standby()
        replica = standby.server.database(self.tag)
        eventually(lambda: replica.value("SELECT count(*) FROM t") == "200", what="the copy")
        job = self.kafka_job(replica, source={"retry_for": "60s", "tables": ["public.t"]})
        self.assert_fails(job.once(), 78, "TR215", hint=("CREATE PUBLICATION", "on the primary"))
        self.db.psql(f"CREATE PUBLICATION tailrace_{self.tag} FOR TABLE t")
        self.running_transactions()
        with job.background() as program:
            program.wait_state()
            self.db.psql("INSERT INTO t VALUES (1000, 'on the primary'); DELETE FROM t WHERE id = 1")
            self.arrives(1000, program)
            self.stopping.set()
            self.primary.kill()
            standby.promote()
            replica.psql("INSERT INTO t VALUES (1001, 'promoted')")
            self.arrives(1001, program)
            self.assertEqual(program.terminate(), 0)
        replica.psql("INSERT INTO t VALUES (1002, 'after')")
        self.assert_ok(job.once())
        replica.psql("INSERT INTO t VALUES (1003, 'later')")
        self.assert_ok(job.once())
        self.assertLessEqual({(1002, "c"), (1003, "c")}, self.published())
        self.same(replica)

    def test_failover_to_a_synchronised_slot(self):
        job = self.kafka_job(self.db, source={"failover": True, "tables": ["public.t"]})
        self.assert_ok(job.once())
        self.assertEqual(self.db.value(f"SELECT failover FROM pg_replication_slots WHERE slot_name = 'tailrace_{self.tag}'"), "t")
        standby = self.standby("sync_replication_slots=on")
        replica = standby.server.database(self.tag)
        synced = f"SELECT count(*) FROM pg_replication_slots WHERE slot_name = 'tailrace_{self.tag}' AND synced AND NOT temporary"
        self.running_transactions()
        with job.background() as program:
            program.wait_state()
            self.db.psql("INSERT INTO t VALUES (1000, 'on the primary')")
            self.arrives(1000, program)
            eventually(lambda: replica.value(synced) == "1", what="a synchronised slot")
            self.assertEqual(program.terminate(), 0)
        self.db.psql("INSERT INTO t VALUES (1001, 'not read from the primary')")
        end = self.db.value("SELECT pg_current_wal_lsn()")
        eventually(lambda: replica.value(f"SELECT pg_last_wal_replay_lsn() >= '{end}'") == "t", what="the standby")
        self.stopping.set()
        self.primary.kill()
        standby.promote()
        replica.psql("INSERT INTO t VALUES (1002, 'on the new primary')")
        job.write(dict(job.config, source=dict(job.config["source"], url=replica.url)))
        for row in (1003, 1004):  # the second start finds the new primary's branch of history stored
            self.assert_ok(job.once())
            replica.psql(f"INSERT INTO t VALUES ({row}, 'later')")
        self.assert_ok(job.once())
        self.assertLessEqual({(row, "c") for row in range(1000, 1005)}, self.published())
        self.same(replica)


if __name__ == "__main__":
    main()
