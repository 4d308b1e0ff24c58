#!/usr/bin/env python3
# Copyright the tailrace authors. SPDX-License-Identifier: Apache-2.0
"""To whom a pipeline belongs: which sink its position is of, and which of several instances has it."""
import json
import signal
import sys
import threading
import time
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "lib"))
from trtest.case import Case, eventually, main  # noqa: E402
from test_exactly_once import OnceCase  # noqa: E402

TABLE = "CREATE TABLE t (id int PRIMARY KEY, s text); INSERT INTO t SELECT i, 'x' FROM generate_series(1, 50) i;"


class Sinks(Case):
    """A position says what one sink has been given."""

    def keys(self):
        return {r["key"]["id"] for r in self.records() if r["topic"] == f"{self.tag}.public.t"}

    def refused(self, job, *pieces):
        self.assert_fails(job.once(), 65, "TR606", "belongs to another sink", hint="offsets reset", detail=pieces)

    def test_a_look_on_stdout_is_not_continued_in_kafka(self):
        db = self.database(TABLE)
        job = self.kafka_job(db, delivery="exactly_once")
        look = {**job.config, "events": {"format": "json"}, "sink": {"url": "stdout"}}
        kafka = job.config
        job.write(look)
        self.assert_ok(job.once())
        job.write(kafka)
        self.refused(job, "stdout", "kafka:")
        self.assertFalse(self.kafka.partitions(lambda name: name.startswith(f"{self.tag}.")), "something was written")
        job.write(look)  # the look itself goes on
        self.assert_ok(job.once())
        job.write(kafka)
        self.assertEqual(job.command("offsets", "reset", "--yes").code, 0)
        db.psql("SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots WHERE database = current_database()")
        self.assert_ok(job.once())
        self.assertEqual(self.keys(), set(range(1, 51)))
        self.assertTrue(job.stored()["sink"].startswith("kafka:"))

    def test_a_directory_is_itself_by_any_name(self):
        db = self.database(TABLE)
        job = self.file_job(db)
        self.assert_ok(job.once())
        (self.folder / "link").symlink_to(self.folder / "out")
        job.write({**job.config, "sink": {"url": f"file:{self.folder / 'link'}/"}})
        self.assert_ok(job.once())
        job.write({**job.config, "sink": {"url": f"file:{self.folder / 'other'}"}})
        self.refused(job, str(self.folder / "out"), str(self.folder / "other"))
        # The events were moved: a person says so.
        exported = self.folder / "exported.json"
        exported.write_text(job.command("offsets", "export").out, encoding="utf-8")
        self.assertEqual(job.command("offsets", "import", str(exported), "--force", "--yes").code, 0)
        self.refused(job, "other")
        self.assertEqual(job.command("offsets", "set", str(exported), "--yes").code, 0)
        db.psql("INSERT INTO t VALUES (100, 'moved')")
        self.assert_ok(job.once())
        self.assertIn("other", job.stored()["sink"])

    def test_a_position_of_an_older_version_is_taken(self):
        db = self.database(TABLE)
        job = self.file_job(db)
        self.assert_ok(job.once())
        record = job.stored()
        old = {k: v for k, v in record.items() if k not in ("sink", "owner")} | {"version": 2}
        given = self.folder / "old.json"
        given.write_text(json.dumps(old), encoding="utf-8")
        self.assertEqual(job.command("offsets", "import", str(given), "--force", "--yes").code, 0)
        self.assertNotIn("sink", job.stored())
        job.write({**job.config, "sink": {"url": f"file:{self.folder / 'other'}"}})
        self.assert_ok(job.once())
        self.assertEqual(job.stored()["position"], record["position"])


class Instances(OnceCase):
    """Who goes on, when more than one instance of a pipeline lives or seems to."""
    LIMIT_SECONDS = 200

    def started(self, **more):
        """Streaming, with the state in Kafka alone."""
        topic = f"{self.tag}-state"
        self.addCleanup(lambda: self.kafka.delete(lambda name: name == topic))
        return self.start(**{"state": {"url": f"kafka:{topic}"}, "source": {"retry_for": "60s"}, **more})

    def owner(self, job):
        return (job.stored() or {}).get("owner")

    def stall(self, process, seconds):
        process.process.send_signal(signal.SIGSTOP)
        time.sleep(seconds)

    def test_a_stall_beyond_the_timeout_is_no_other_instance(self):
        """Stopped inside of a transaction, for longer than its timeout and the 10 s after which brokers look for such ones."""
        job = self.started(transaction={"timeout": "6s"})
        with job.background(environment={"TAILRACE_FAILPOINT": "delivered=sleep:4000"}) as run:
            run.wait_state()
            delivered = lambda: (run.status() or {}).get("records_delivered", 0)
            before = delivered()
            changes = threading.Thread(target=self.changes, args=(1,))
            changes.start()
            eventually(lambda: delivered() > before, every=0, what="records that are not committed yet")
            self.stall(run, 18)
            changes.join()
            run.process.send_signal(signal.SIGCONT)
            eventually(lambda: "session.retry" in job.log.read_text(), what="the refusal")
            run.wait_state()
            self.assertEqual(run.terminate(30), 0, run.tail())
        self.changes(2)
        self.assertIn("SINK_FENCED", job.log.read_text())
        self.assertIsNone(self.owner(job))
        self.assert_ok(job.once())
        self.compare()

    def test_a_stalled_instance_ends_when_another_one_has_come(self):
        job = self.started(transaction={"timeout": "2s"})
        other = job.other()
        with job.background() as old:
            old.wait_state()
            self.changes(1)
            first = eventually(lambda: self.owner(job))
            self.stall(old, 1)
            with other.background() as new:
                eventually(lambda: self.owner(other) not in (None, first), what="the takeover")
                old.process.send_signal(signal.SIGCONT)
                self.assertEqual(old.process.wait(60), 75)
                new.wait_state()
                self.changes(2)
                self.assertEqual(new.terminate(20), 0)
        self.assertIn("is signed by", job.log.read_text())
        self.assert_ok(other.once())
        self.compare()

    def test_an_idle_instance_notices_and_a_reset_names_who_loses_it(self):
        """Nothing is written meanwhile: only the signature is due, every 10 s."""
        job = self.started(source={"retry_for": "1s"})
        with job.background() as old:
            old.wait_state()
            eventually(lambda: self.owner(job))
            ended = job.command("offsets", "reset", "--yes")
            self.assertEqual(ended.code, 0, ended.err)
            self.assertIn("ends with 75", ended.err)
            self.assertEqual(old.process.wait(30), 75)

    def test_a_newer_instance_waits_for_the_slot_of_an_idle_one(self):
        job = self.started(source={"retry_for": "1s"})
        other = job.other()
        with job.background() as old:
            old.wait_state()
            with other.background() as new:
                self.assertEqual(old.process.wait(40), 75)
                new.wait_state()
                self.assertIn("has not left this pipeline", other.log.read_text())
                self.changes(1)
                eventually(lambda: len(self.records()) > 700)
                self.assertEqual(new.terminate(20), 0)
        self.assert_ok(other.once())
        self.compare()

if __name__ == "__main__":
    main()
