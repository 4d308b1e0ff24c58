#!/usr/bin/env python3
# Copyright the tailrace authors. SPDX-License-Identifier: Apache-2.0
"""delivery: exactly_once: killed around a transaction's beginning and end, readers of committed records see each event once; the
other fail points and databases are swept by tests/sweep.

    test_exactly_once.py [NAME]      one fail point of POINTS, or one test
"""
import signal
import sys
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "lib"))
from trtest import checker  # noqa: E402
from trtest.case import Case, eventually  # noqa: E402
from trtest.records import topics_of  # noqa: E402
from trtest.replay import replay_differences  # noqa: E402
from test_failpoints import CHANGES, SCHEMA  # noqa: E402

POINTS = ("sink.begin", "sent", "delivered", "state.write", "sink.commit", "recorded")


class OnceCase(Case):
    """A database that changes, and what has to be on the topics in the end."""

    def start(self, **more):
        self.db = self.database(SCHEMA)
        more = {"delivery": "exactly_once", "events": {"transaction_metadata": True}, **more}
        job = self.kafka_job(self.db, **more)
        self.assert_ok(job.once())
        return job

    def changes(self, number):
        self.db.psql(CHANGES.replace("301, 400", f"{301 + number * 100}, {400 + number * 100}").replace("id + 1000", f"id + {number * 1000}"))

    def compare(self, repeated=0):
        records = self.records()
        for table in ("a", "b"):
            own = [r for r in records if r["topic"] == f"{self.tag}.public.{table}"]
            self.assertEqual(replay_differences(own, self.db, table, ["id"])[:5], [])
            first, again, faults = checker.walk(own)
            self.assertEqual((faults + checker.order_faults(first))[:5], [])
            self.assertEqual(again, repeated, "events were published twice")
            keys = [checker.row_key(r["key"]) for r in own if isinstance(r["value"], dict) and r["value"]["op"] == "r"]
            self.assertEqual(len(keys), len(set(keys)), "snapshot rows were published twice")
        self.assertEqual(checker.transaction_faults(records, f"{self.tag}.transaction")[:5], [])


class ExactlyOnce(OnceCase):
    LIMIT_SECONDS = 400

    def sweep(self, point, **more):
        job, hits = self.start(**more), 0
        for number in (1, 2, 3):
            self.changes(number)
            ended = job.once(environment={"TAILRACE_FAILPOINT": f"{point}=kill:{number}"})
            self.assertIn(ended.code, (0, -signal.SIGKILL), ended.err)
            hits += ended.code != 0
        self.assert_ok(job.once())
        self.assertGreater(hits, 0, f"{point} was never reached: the sweep tests nothing")
        self.compare()

    def test_a_large_transaction_over_many_of_kafka(self):
        """Cut by bytes inside of the source's transaction, killed in between: taken up at (commit, index)."""
        job = self.start(transaction={"bytes": "4KiB", "interval": "10ms"}, limits={"batch": "64KiB"})
        self.db.psql("BEGIN; INSERT INTO a SELECT i, nextval('tick'), 'large' FROM generate_series(10000, 40000) i; COMMIT")
        ended = job.once(environment={"TAILRACE_FAILPOINT": "recorded=kill:2"}, timeout=100)
        self.assertEqual(ended.code, -signal.SIGKILL, ended.err)
        self.assertIn("index", job.stored()["position"])
        self.assert_ok(job.once(timeout=100))
        self.compare()

    def test_atomic_keeps_a_transaction_whole(self):
        job = self.start(transaction={"bytes": "4KiB", "interval": "1ms", "atomic": True}, limits={"batch": "64KiB"})
        self.db.psql("BEGIN; INSERT INTO a SELECT i, nextval('tick'), 'large' FROM generate_series(10000, 30000) i; COMMIT")
        self.assert_ok(job.once(environment={"TAILRACE_FAILPOINT": "recorded=sleep:20"}, timeout=100))
        self.compare()

    def test_a_new_instance_takes_over_and_the_old_one_is_fenced(self):
        """Two processes with their own copies of the state: the newer one goes on, the older one ends with 75."""
        job = self.start(source={"retry_for": "60s"})
        other = job.other_with_own_state()
        with job.background() as old:
            old.wait_state()
            self.changes(1)
            eventually(lambda: job.stored() is not None)
            # The slot serves one: the newer instance waits for it, having fenced the older one already, unless that noticed at once.
            with other.background() as new:
                eventually(lambda: other.log.exists() and ("SLOT_BUSY" in new.tail() or old.process.poll() is not None), what="the fence")
                self.changes(2)
                self.assertEqual(old.process.wait(60), 75)
                eventually(lambda: len([r for r in self.records() if isinstance(r["value"], dict)]) > 0)
                new.check_alive()
                self.assertEqual(new.terminate(20), 0)
        self.assert_ok(other.once())
        self.compare()

    # -- the other delivery meanwhile: the file is the authority then, whatever Kafka still says -----------------------------

    def deliver(self, job, delivery):
        job.write(job.config | {"delivery": delivery, "snapshot": {"mode": "never"}})
        return job

    def saved(self):
        """Exactly once, with a good many saves in Kafka."""
        job = self.start()
        exported = self.folder / "exported.json"
        for number in (1, 2, 3):
            self.changes(number)
            self.assert_ok(job.once())
            if number == 1:
                exported.write_text(job.command("offsets", "export").out, encoding="utf-8")
        return job, exported

    def drop_slot(self):
        self.db.psql("SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots WHERE database = current_database()")

    def test_reset_of_the_copy_counts(self):
        job, _ = self.saved()
        self.assertEqual(self.deliver(job, "at_least_once").command("offsets", "reset", "--yes").code, 0)
        self.drop_slot()
        self.deliver(job, "exactly_once")
        self.assertIn("no position is stored", job.command("offsets", "show").out)
        # Kafka's position would be refused: its slot is gone.
        self.assert_ok(job.once())
        self.changes(4)
        self.assert_ok(job.once())
        self.compare()

    def test_new_beginning_of_the_copy_counts(self):
        """Its count of saves is lower than Kafka's."""
        job, _ = self.saved()
        high = job.stored()["sequence"]
        self.assertEqual(self.deliver(job, "at_least_once").command("offsets", "reset", "--yes").code, 0)
        self.drop_slot()
        self.assert_ok(job.once())
        self.changes(4)
        self.assert_ok(job.once())
        before = job.stored()
        self.assertLess(before["sequence"], high)
        self.assert_ok(self.deliver(job, "exactly_once").once())
        self.changes(5)
        self.assert_ok(job.once())
        self.assertGreater(job.stored()["sequence"], high)
        self.compare()

    def test_import_into_the_copy_counts(self):
        """The older position is asked for, so what lies behind it is published again."""
        job, exported = self.saved()
        self.deliver(job, "at_least_once")
        ended = job.command("offsets", "import", str(exported), "--force", "--yes")
        self.assertEqual(ended.code, 0, ended.err)
        wanted = job.stored()["position"]
        self.deliver(job, "exactly_once")
        self.assertEqual(job.stored()["position"], wanted)
        ended = job.once()  # PostgreSQL has no longer what is behind it, and that is what has to be said
        self.assert_fails(ended, 65, "TR214", "has moved past the stored position")

    def test_readers_of_committed_records_see_nothing_of_an_open_transaction(self):
        job = self.start()
        self.db.psql("UPDATE a SET n = nextval('tick')")
        before = len(self.records())
        ended = job.once(environment={"TAILRACE_FAILPOINT": "delivered=kill:1"})
        self.assertEqual(ended.code, -signal.SIGKILL, ended.err)
        marks = sum(self.kafka.high_marks(topics_of(self.tag)).values())
        self.assertGreater(marks, before, "nothing was delivered before the kill")
        self.assert_ok(job.once())
        self.compare()


def add(point):
    setattr(ExactlyOnce, "test_kill_at_" + point.replace(".", "_"), lambda self: self.sweep(point))


for name in POINTS:
    add(name)

if __name__ == "__main__":
    chosen = [f"ExactlyOnce.test_kill_at_{p.replace('.', '_')}" if p in POINTS else p for p in sys.argv[1:]]
    unittest.main(argv=[sys.argv[0]] + chosen, verbosity=2)
