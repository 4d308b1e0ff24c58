#!/usr/bin/env python3
# Copyright the tailrace authors. SPDX-License-Identifier: Apache-2.0
"""A sink that cannot take the events."""
import json
import os
import socket
import subprocess
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "lib"))
from confluent_kafka.admin import NewTopic  # noqa: E402

from trtest.case import ROW_SECRET, Case, eventually, main  # noqa: E402
from trtest.replay import replay_differences  # noqa: E402

TABLE = f"CREATE TABLE t (id int PRIMARY KEY, s text); INSERT INTO t VALUES (1, '{ROW_SECRET}');"
# What cannot be compressed, so that a record's size is what it says.
NOISE = "(SELECT string_agg(md5(random()::text || i), '') FROM generate_series(1, {}) i)"


class Sink(Case):
    LIMIT_SECONDS = 240

    def test_kafka_down_at_start(self):
        job = self.kafka_job(self.database(TABLE), sink={"url": "kafka://127.0.0.1:1"})
        ended = job.once()
        self.assert_fails(ended, 69, "TR501", "127.0.0.1:1", "sink.url")
        self.assertFalse((job.stored() or {}).get("position"))

    def test_stop_while_no_broker_answers(self):
        """Whatever waits for the brokers, the state or the sink, sees the signal."""
        database = self.database(TABLE)
        silent = self.silent_port()
        for port, delivery, state in ((1, "exactly_once", f"file:{self.folder / 'a'}"), (1, "exactly_once", "kafka"),
                                      (1, "at_least_once", "kafka"), (silent, "exactly_once", "kafka")):
            with self.subTest(port=port, delivery=delivery, state=state):
                job = self.kafka_job(database, sink={"url": f"kafka://127.0.0.1:{port}"}, delivery=delivery, state={"url": state},
                                     source={"retry_for": "5m"})
                with job.background() as program:
                    eventually(lambda: program.status(), 20, what="the status page")
                    time.sleep(3)
                    program.check_alive()
                    self.assertEqual(program.terminate(10), 0)

    def test_property_that_does_not_exist(self):
        job = self.kafka_job(self.database(TABLE), sink={"properties": {"lingr.ms": "5"}})
        self.assert_fails(job.once(), 78, "TR507", '"lingr.ms"')

    def test_property_that_would_break_the_promise(self):
        job = self.kafka_job(self.database(TABLE), sink={"properties": {"enable.idempotence": "false"}})
        self.assert_fails(job.once(), 78, "TR507", '"enable.idempotence"')

    def test_topic_missing_and_not_to_be_made(self):
        job = self.kafka_job(self.database(TABLE), sink={"topics": {"create": False}})
        self.assert_fails(job.once(), 78, "TR503", f'"{self.tag}.public.t"', ("sink.topics.create", "kafka-topics"))

    def test_topic_that_cannot_be_made(self):
        job = self.kafka_job(self.database(TABLE), sink={"topics": {"replication": 3}})
        self.assert_fails(job.once(), 78, "TR503", f'"{self.tag}.public.t"', "sink.topics", "replication")

    def topic(self, **config):
        name = f"{self.tag}.public.t"
        self.kafka.admin.create_topics([NewTopic(name, 1, 1, config=config)])[name].result()

    def test_topic_that_takes_less_than_one_request(self):
        self.topic(**{"max.message.bytes": "20000"})
        job = self.kafka_job(self.database(TABLE))
        self.assert_fails(job.once(), 78, "TR503", f'"{self.tag}.public.t"', "batch.size: 20000", "max.message.bytes is 20000")

    def test_record_above_the_topic_limit_stops(self):
        self.topic(**{"max.message.bytes": "20000"})
        database = self.database(TABLE)
        job = self.kafka_job(database, sink={"properties": {"batch.size": "20000"}})
        self.assert_ok(job.once())
        before = job.stored()["position"]
        database.psql(f"INSERT INTO t VALUES (2, {NOISE.format(1000)})")
        ended = job.once()
        self.assert_fails(ended, 65, "TR504", f'"{self.tag}.public.t"', ("max.message.bytes", "dead_letter"))
        self.assertRegex(ended.failure.text + ended.failure.detail, r"3[0-9]{4}")
        self.assertEqual(job.stored()["position"], before, "the position moved past what was not published")

    def test_record_above_the_topic_limit_becomes_a_dead_letter(self):
        self.topic(**{"max.message.bytes": "20000"})
        database = self.database(TABLE + f"INSERT INTO t VALUES (2, {NOISE.format(1000)}); INSERT INTO t VALUES (3, 'small')")
        job = self.kafka_job(database, sink={"oversize": "dead_letter", "properties": {"batch.size": "20000"}})
        self.assert_ok(job.once())
        messages = self.kafka.read(lambda topic: topic.startswith(self.tag))
        self.assertEqual(len([m for m in messages if m.topic() == f"{self.tag}.public.t"]), 2)
        letters = [m for m in messages if m.topic() == f"{self.tag}.dead_letter"]
        self.assertEqual(len(letters), 1)
        letter = json.loads(letters[0].value())
        self.assertEqual((letter["topic"], letter["limit"]), (f"{self.tag}.public.t", 20000))
        self.assertGreater(letter["size"], 32000)

    def test_record_above_the_clients_limit_stops(self):
        database = self.database(TABLE + f"INSERT INTO t VALUES (2, {NOISE.format(2000)});")
        job = self.kafka_job(database, sink={"properties": {"message.max.bytes": "30000"}})
        self.assert_fails(job.once(), 65, "TR504", f'"{self.tag}.public.t"', ("message.max.bytes", "dead_letter"))

    def test_row_above_the_memory_limit_stops_by_name(self):
        database = self.database(TABLE + f"INSERT INTO t VALUES (2, {NOISE.format(160000)});")
        job = self.file_job(database, limits={"memory": "4MiB"})
        self.assert_fails(job.once(timeout=80), 65, "TR308", "t", "limits.memory")

    def test_large_row_within_the_limits_arrives(self):
        database = self.database("CREATE TABLE t (id int PRIMARY KEY, s text);" + f"INSERT INTO t VALUES (2, {NOISE.format(28000)});")
        job = self.kafka_job(database)
        self.assert_ok(job.once())
        self.assertEqual(replay_differences(self.records(), database, "t", ["id"]), [])

    def test_directory_that_cannot_be_made(self):
        (self.folder / "flat").write_text("a file", encoding="utf-8")
        job = self.job(self.config(self.database(TABLE), f"file:{self.folder / 'flat' / 'out'}"))
        self.assert_fails(job.once(), 74, "TR508", str(self.folder / "flat"))

    def test_stop_while_the_broker_does_not_answer(self):
        # It takes connections and says nothing, so every request has to be given up.
        with socket.create_server(("127.0.0.1", 0)) as silent:
            job = self.kafka_job(self.database(TABLE), sink={"url": f"kafka://127.0.0.1:{silent.getsockname()[1]}"},
                                 source={"retry_for": "0s"})
            with job.background() as program:
                eventually(lambda: (program.status() or {}).get("state") in ("snapshot", "waiting"), what="a snapshot")
                time.sleep(1)
                self.assertEqual(program.terminate(), 0)
        log = job.log.read_text(encoding="utf-8")
        self.assertIn('"pipeline.ended"', log)
        self.assertNotIn("service.stop_limit", log)
        self.assertNotIn("Sanitizer", log)
        self.assertFalse((job.stored() or {}).get("position"))

    def test_what_a_file_took_is_counted(self):
        job = self.file_job(self.database(TABLE), snapshot={"mode": "initial"})
        with job.background() as program:
            first = program.wait_state("streaming")
            self.assertGreater(first["bytes_delivered"], 0)
            time.sleep(0.5)
            self.assertEqual(program.status()["snapshot"]["elapsed_seconds"], first["snapshot"]["elapsed_seconds"],
                             "the snapshot's clock goes on after its end")
            self.assertEqual(program.terminate(), 0)

    def test_closed_stdout(self):
        database = self.database(TABLE + "INSERT INTO t SELECT i, repeat('x', 100) FROM generate_series(2, 5000) i;")
        job = self.job(self.config(database, "stdout", http={"listen": ""}))
        reading, writing = os.pipe()
        os.close(reading)
        with os.fdopen(writing, "wb") as gone:
            done = subprocess.run([job.binary, "run", "--once", "-c", str(job.file)], stdout=gone, stderr=subprocess.PIPE, text=True, timeout=60, env=dict(os.environ))
        self.assertNotEqual(done.returncode, 0)
        self.assertIn("stdout", done.stderr)
        self.assertFalse((job.stored() or {}).get("position"))


if __name__ == "__main__":
    main()
