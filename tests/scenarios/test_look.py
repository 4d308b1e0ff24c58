#!/usr/bin/env python3
# Copyright the tailrace authors. SPDX-License-Identifier: Apache-2.0
"""A first look at a database: what is said about where it starts, what it leaves at the server, and what is not there yet."""
import json
import subprocess
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "lib"))
from trtest.case import Case, MySqlCase, eventually, main  # noqa: E402

TABLES = "CREATE TABLE orders (id int PRIMARY KEY); INSERT INTO orders VALUES (1); CREATE TABLE nokey (a int);"


def events(ended):
    return {line["event"]: line["message"] for line in map(json.loads, ended.err.splitlines())}


class Tail:
    """tailrace tail in the background; what it says on standard error."""

    def __init__(self, case, job, *words):
        self.said = job.folder / "tail.err"
        with open(self.said, "w", encoding="utf-8") as err:
            self.process = subprocess.Popen([job.binary, "tail", "-c", str(job.file), *words], stdin=subprocess.DEVNULL,
                                            stdout=subprocess.PIPE, stderr=err, text=True)
        case.addCleanup(self.end)

    def end(self):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        self.process.stdout.close()

    def text(self):
        return self.said.read_text(encoding="utf-8")


class Look(Case):
    def left(self, database):
        return database.value("SELECT (SELECT count(*) FROM pg_publication) + (SELECT count(*) FROM pg_replication_slots "
                              "WHERE database = current_database())")

    def test_what_stays_is_said_and_dropped_on_request(self):
        database = self.database(TABLES)
        job = self.file_job(database, sink="stdout")
        first = job.once()
        self.assert_ok(first)
        self.assertIn("streaming from {\"lsn\":", events(first)["stream.started"])
        said = events(first)["source.left"]
        for piece in (f'replication slot "tailrace_{self.tag}"', f'publication "tailrace_{self.tag}"', "tailrace offsets reset --drop",
                      f"SELECT pg_drop_replication_slot('tailrace_{self.tag}'); DROP PUBLICATION"):
            self.assertIn(piece, said)
        again = job.once()
        self.assertIn("continues at {\"lsn\":", events(again)["stream.started"])
        self.assertEqual(self.left(database), "2")
        kept = job.command("offsets", "reset", "--yes")
        self.assertIn("--drop", kept.err)
        self.assertEqual(self.left(database), "2")
        done = job.command("offsets", "reset", "--drop", "--yes")
        self.assert_ok(done)
        self.assertIn(f'dropped replication slot "tailrace_{self.tag}" and publication "tailrace_{self.tag}"', done.out)
        self.assertEqual(self.left(database), "0")
        self.assertIn("nothing to drop", job.command("offsets", "reset", "--drop", "--yes").out)

    def test_only_what_is_ours_is_dropped(self):
        database = self.database(TABLES + f"CREATE PUBLICATION tailrace_{self.tag} FOR TABLE orders, nokey")
        job = self.file_job(database)
        self.assert_ok(job.once())
        self.assertNotIn("publication", job.command("offsets", "reset", "--drop", "--yes").out)
        self.assertEqual(self.left(database), "1")
        database.psql(f"SELECT pg_create_logical_replication_slot('tailrace_{self.tag}', 'test_decoding')")
        self.assert_fails(job.command("offsets", "reset", "--drop", "--yes"), 78, "TR213", "test_decoding")
        job.config["source"]["create"] = False
        job.write(job.config)
        self.assert_fails(job.command("offsets", "reset", "--drop", "--yes"), 64, "TR101", "source.create is false")
        self.assertEqual(self.left(database), "2")

    def test_tail_says_that_a_table_has_no_topic_yet(self):
        database = self.database(TABLES)
        for kind in (self.file_job, self.kafka_job):  # one after the other: they share a file
            with self.subTest(kind.__name__):
                job = kind(database)
                begin = time.monotonic()
                tail = Tail(self, job)
                eventually(lambda: "no topic" in tail.text(), 5, what="the note")
                self.assertLess(time.monotonic() - begin, 3)
                tail.end()
                self.assert_ok(job.once())
                tail = Tail(self, job, "orders", "nosuch", "--limit", "1")
                eventually(lambda: "nosuch" in tail.text(), 5, what="the note")
                self.assertEqual(tail.text().splitlines(),
                                 ['tail: no topic of a table "nosuch" exists yet; waiting for it. There are: public.orders'])
                database.psql("INSERT INTO orders SELECT max(id) + 1 FROM orders")
                self.assert_ok(job.once())
                self.assertEqual(tail.process.wait(20), 0)
                self.assertIn("public.orders", tail.process.stdout.read())
                job.command("offsets", "reset", "--drop", "--yes")

    def test_check_shows_delivery_and_state(self):
        database = self.database(TABLES)
        for kind, delivery, state in ((self.file_job, "at_least_once (this sink has no", "in file:"),
                                      (self.kafka_job, "exactly_once: ", "a copy in file:")):
            report = json.loads(kind(database, delivery="exactly_once").command("check", "--json").out)
            plan = {f["subject"]: f["what"] for f in report["findings"] if f["layer"] == "plan"}
            self.assertIn(delivery, plan["delivery"])
            self.assertIn(state, plan["state"])


class LookMySql(MySqlCase):
    def test_positions_and_a_table_without_key(self):
        database = self.database(TABLES)
        job = self.file_job(database, sink="stdout")
        keyless = [f for f in json.loads(job.command("check", "--json").out)["findings"] if "key" in f["what"] and f["severity"] != "ok"]
        self.assertEqual([f["subject"] for f in keyless], [f"table {self.tag}.nokey"])
        first, again = job.once(), job.once()
        self.assertIn("streaming from {\"gtid", events(first)["stream.started"])
        self.assertIn("continues at {\"gtid", events(again)["stream.started"])
        self.assertNotIn("source.left", events(again))
        self.assertIn("nothing stays", job.command("offsets", "reset", "--drop", "--yes").out)


if __name__ == "__main__":
    main()
