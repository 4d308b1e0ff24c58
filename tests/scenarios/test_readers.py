#!/usr/bin/env python3
# Copyright the tailrace authors. SPDX-License-Identifier: Apache-2.0
"""Programs that are not ours read what is published: kcat, avro-c's avrocat, fastavro, and a JSON parser."""
import io
import json
import shutil
import subprocess
import sys
import unittest
from pathlib import Path

import fastavro

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "lib"))
from trtest.case import Case, eventually, main  # noqa: E402
from trtest.replay import row_key  # noqa: E402

SCHEMA = """
CREATE TYPE mood AS ENUM ('glad', 'sad');
CREATE TABLE t (id int PRIMARY KEY, s text, d numeric(12,3), ts timestamptz, b bytea, m mood, a int[], j jsonb, u uuid, f float8);
INSERT INTO t VALUES (1, 'Grüße, "Welt"', 12345.678, '2026-01-02 03:04:05.678901+00', '\\xdeadbeef', 'sad', '{1,NULL,3}', '{"k": [1, 2]}',
  '6c3c9b53-6b2a-4a0e-8f6b-0f3d5f1f7a10', 'NaN'), (2, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL);
"""
CHANGES = "UPDATE t SET s = 'changed' WHERE id = 2; DELETE FROM t WHERE id = 1; UPDATE t SET id = 7 WHERE id = 2; INSERT INTO t (id, s) VALUES (8, E'a\\nb');"
LIVE = {7: "changed", 8: "a\nb"}


def run(*words, data=None):
    done = subprocess.run(words, input=data, capture_output=True, timeout=60)
    if done.returncode:
        raise RuntimeError(f"{words[0]} ended with {done.returncode}: {done.stderr.decode('utf-8', 'replace')[-2000:]}")
    return done.stdout


class Readers(Case):
    def published(self, job):
        self.assert_ok(job.once())
        self.db.psql(CHANGES)
        self.assert_ok(job.once())

    def files(self, kind="avro"):
        found = sorted((self.folder / "out").glob(f"[!.]*.{kind}"))
        self.assertTrue(found, "no file was published")
        return found

    def test_kcat_reads_the_topic(self):
        self.db = self.database(SCHEMA)
        self.published(self.kafka_job(self.db))
        topic = f"{self.tag}.public.t"
        words = ["kcat", "-q", "-b", self.kafka.bootstrap, "-t", topic, "-C", "-e", "-o", "beginning"]
        count = len(run(*words, "-f", "%o\n").splitlines())
        # Two rows, an update, a delete and a tombstone, a key change (delete, tombstone, create), an insert.
        self.assertEqual(count, 9)
        features = run("kcat", "-V").decode()
        if "Avro" not in features:
            self.skipTest("this kcat was built without Avro")
        lines = run(*words, "-J", "-s", "avro", "-r", self.registry.url).decode().splitlines()
        decoded = [json.loads(line) for line in lines]
        self.assertEqual(len(decoded), 9)
        values = [m["payload"] for m in decoded]
        self.assertEqual(sum(v is None for v in values), 2)
        self.assertTrue(any("changed" in json.dumps(v) for v in values))

    def test_fastavro_reads_the_topic_with_its_logical_types(self):
        self.db = self.database(SCHEMA)
        self.published(self.kafka_job(self.db))
        first = next(m for m in self.kafka.read(lambda t: t == f"{self.tag}.public.t"))
        schema = fastavro.parse_schema(json.loads(self.registry.text(int.from_bytes(first.value()[1:5], "big"))))
        row = fastavro.schemaless_reader(io.BytesIO(first.value()[5:]), schema)["after"]
        self.assertEqual(row["id"], 1)
        self.assertEqual(row["s"], 'Grüße, "Welt"')
        self.assertEqual(row["b"], b"\xde\xad\xbe\xef")
        self.assertEqual((row["m"], row["a"], json.loads(row["j"])), ("sad", [1, None, 3], {"k": [1, 2]}))
        self.assertEqual(str(row["d"]), "12345.678")
        self.assertNotEqual(row["f"], row["f"], "NaN")

    def test_fastavro_reads_the_files(self):
        for codec in ("null", "deflate"):
            with self.subTest(codec):
                self.db = self.database(SCHEMA)
                shutil.rmtree(self.folder / "out", ignore_errors=True)
                shutil.rmtree(self.folder / "state", ignore_errors=True)
                self.published(self.file_job(self.db, sink={"file_codec": codec}))
                values = []
                for path in self.files():
                    with open(path, "rb") as f:
                        reader = fastavro.reader(f)
                        self.assertEqual(reader.codec, codec)
                        values += list(reader)
                self.assertEqual([v["op"] for v in values], ["r", "r", "u", "d", "d", "c", "c"])
                self.assertEqual(values[0]["after"]["s"], 'Grüße, "Welt"')
                self.forget_database()

    @unittest.skipUnless(shutil.which("avrocat"), "avrocat (avro-bin) is not installed")
    def test_avro_c_reads_the_files(self):
        self.db = self.database(SCHEMA.replace("'NaN'", "1.5"))  # avrocat writes JSON, which has no NaN
        self.published(self.file_job(self.db))
        lines = [json.loads(line) for path in self.files() for line in run("avrocat", str(path)).decode().splitlines()]
        self.assertEqual([v["op"] for v in lines], ["r", "r", "u", "d", "d", "c", "c"])
        self.assertTrue(any("changed" in json.dumps(v) for v in lines))

    def test_flat_envelope_is_an_upsert_stream(self):
        self.db = self.database(SCHEMA)
        self.published(self.kafka_job(self.db, events={"envelope": "flat"}))
        table = {}
        for r in self.records():
            if r["value"] is None:
                table.pop(row_key(r["key"]), None)
            else:
                table[row_key(r["key"])] = r["value"]
        self.assertEqual({row["id"]: row["s"] for row in table.values()}, LIVE)
        self.assertNotIn("op", next(iter(table.values())))

    def test_flat_envelope_in_files(self):
        self.db = self.database(SCHEMA)
        self.published(self.file_job(self.db, events={"envelope": "flat"}))
        table = {}
        for path in self.files():
            with open(path, "rb") as f:
                for record in fastavro.reader(f):
                    key = row_key(record["key"])
                    if record["value"] is None:
                        table.pop(key, None)
                    else:
                        table[key] = record["value"]
        self.assertEqual({row["id"]: row["s"] for row in table.values()}, LIVE)

    def replay_json(self, pairs):
        table = {}
        for key, value in pairs:
            if value is None or value["op"] == "d":
                table.pop(row_key(key), None)
            else:
                table[row_key(key)] = value["after"]
        return {row["id"]: row["s"] for row in table.values()}

    def test_json_on_kafka(self):
        self.db = self.database(SCHEMA)
        config = self.config(self.db, f"kafka://{self.kafka.bootstrap}", events={"format": "json"})
        self.published(self.job(config))
        messages = self.kafka.read(lambda t: t == f"{self.tag}.public.t")
        self.assertEqual(self.replay_json([(json.loads(m.key()), json.loads(m.value()) if m.value() else None) for m in messages]), LIVE)

    def test_json_with_schemas(self):
        self.db = self.database(SCHEMA)
        config = self.config(self.db, f"kafka://{self.kafka.bootstrap}", events={"format": "json", "json_schemas": True})
        self.published(self.job(config))
        messages = self.kafka.read(lambda t: t == f"{self.tag}.public.t")
        for m in messages:
            self.assertEqual(sorted(json.loads(m.key())), ["payload", "schema"])
        pairs = [(json.loads(m.key())["payload"], json.loads(m.value())["payload"] if m.value() else None) for m in messages]
        self.assertEqual(self.replay_json(pairs), LIVE)

    def test_json_lines_in_files(self):
        self.db = self.database(SCHEMA)
        self.published(self.file_job(self.db, events={"format": "json"}))
        values = [json.loads(line) for path in self.files("jsonl") for line in path.read_text(encoding="utf-8").splitlines()]
        self.assertTrue(values)
        self.assertIn("changed", json.dumps(values))

    def test_stdout_is_json_lines(self):
        self.db = self.database(SCHEMA)
        job = self.job(self.config(self.db, "stdout", http={"listen": ""}))
        lines = job.once().out.splitlines()
        self.db.psql(CHANGES)
        lines += job.once().out.splitlines()
        events = [json.loads(line) for line in lines]
        self.assertEqual(len(events), 9)
        self.assertEqual({frozenset(e) >= {"topic", "key", "value"} for e in events}, {True})
        self.assertEqual(self.replay_json([(e["key"], e["value"]) for e in events]), LIVE)

    def test_tail_shows_the_events(self):
        self.db = self.database(SCHEMA)
        job = self.kafka_job(self.db)
        self.published(job)
        shown = job.command("tail", "--from-beginning", "--limit", "7")
        self.assert_ok(shown)
        self.assertIn("public.t", shown.out)
        self.assertIn("changed", shown.out)
        as_json = job.command("tail", "--from-beginning", "--limit", "7", "--json")
        self.assertEqual(len([json.loads(line) for line in as_json.out.splitlines()]), 7)

    def test_tail_shows_files_while_they_come(self):
        self.db = self.database(SCHEMA)
        job = self.file_job(self.db, sink={"roll": {"interval": "300ms"}})
        with job.background() as program:
            program.wait_state()
            words = [job.binary, "tail", "-c", str(job.file), "--from-beginning"]
            with open(self.folder / "tail", "wb") as out, subprocess.Popen(words, stdout=out, stdin=subprocess.DEVNULL) as tail:
                try:
                    self.db.psql(CHANGES)
                    eventually(lambda: b"changed" in (self.folder / "tail").read_bytes(), what="the change in tail")
                finally:
                    tail.terminate()
                    tail.wait(30)
            self.assertEqual(program.terminate(), 0)


if __name__ == "__main__":
    main()
