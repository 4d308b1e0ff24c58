#!/usr/bin/env python3
# Copyright the tailrace authors. SPDX-License-Identifier: Apache-2.0
"""The program is killed at every named place between reading and confirming, in snapshot and stream; a restart loses nothing.

    test_failpoints.py [NAME]      one fail point, or all
"""
import re
import signal
import sys
import unittest
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests" / "lib"))
from trtest import checker  # noqa: E402
from trtest.case import Case  # noqa: E402
from trtest.replay import replay_differences  # noqa: E402

POINTS = re.findall(r'^TR_FAILPOINT\(\w+,\s*"([^"]+)"', (ROOT / "core" / "failpoints.def").read_text(encoding="utf-8"), re.MULTILINE)
SCHEMA = """
CREATE TABLE a (id int PRIMARY KEY, n bigint, s text);
CREATE TABLE b (id int PRIMARY KEY, n bigint, s text);
ALTER TABLE a REPLICA IDENTITY FULL;
ALTER TABLE b REPLICA IDENTITY FULL;
CREATE SEQUENCE tick;
INSERT INTO a SELECT i, nextval('tick'), 'snapshot' FROM generate_series(1, 300) i;
INSERT INTO b SELECT i, nextval('tick'), 'snapshot' FROM generate_series(1, 300) i;
"""
CHANGES = """
INSERT INTO a SELECT i, nextval('tick'), 'stream' FROM generate_series(301, 400) i;
UPDATE b SET s = 'changed', n = nextval('tick') WHERE id % 3 = 0;
BEGIN; UPDATE a SET id = id + 1000, n = nextval('tick') WHERE id <= 20; DELETE FROM b WHERE id > 280; COMMIT;
UPDATE a SET n = nextval('tick') WHERE id = 100;
"""
# While a snapshot is interrupted: no key may vanish. A snapshot is made anew, not resumed, and what the first attempt published
# of a row that is gone since then has no event that takes it back.
BETWEEN = """
INSERT INTO a SELECT i, nextval('tick'), 'between' FROM generate_series(500, 540) i;
UPDATE b SET s = 'between', n = nextval('tick') WHERE id % 7 = 0;
"""
# A fail point that the part does not pass, for a reason.
SNAPSHOT_ONLY = {"snapshot.begin", "snapshot.table", "snapshot.end"}
FILE_ONLY = {"file.rename"}


class Sweep(Case):
    LIMIT_SECONDS = 400

    def compare(self, records):
        for table in ("a", "b"):
            own = [r for r in records if r["topic"] == f"{self.tag}.public.{table}"]
            self.assertEqual(replay_differences(own, self.db, table, ["id"])[:5], [])
            first, _, faults = checker.walk(own)
            self.assertEqual((faults + checker.order_faults(first))[:5], [])

    def killed_at(self, job, point, number):
        ended = job.once(environment={"TAILRACE_FAILPOINT": f"{point}=kill:{number}"})
        self.assertIn(ended.code, (0, -signal.SIGKILL), ended.err)
        return ended.code != 0

    def finish(self, job):
        ended = job.once()
        self.assert_ok(ended)
        self.assert_ok(job.once())  # and once more: a second start after it has nothing to mend

    def sweep_snapshot(self, point):
        self.db = self.database(SCHEMA)
        job = self.kafka_job(self.db, limits={"batch": "64KiB"})
        hits = 0
        for number in (1, 2):
            hits += self.killed_at(job, point, number)
            self.db.psql(BETWEEN.replace("500, 540", f"{number * 100 + 400}, {number * 100 + 440}"))
        self.finish(job)
        self.db.psql(CHANGES)
        self.finish(job)
        self.compare(self.records())
        return hits

    def sweep_stream(self, point):
        self.db = self.database(SCHEMA)
        job = self.kafka_job(self.db)
        self.assert_ok(job.once())
        hits = 0
        for number in (1, 2):
            self.db.psql(CHANGES.replace("301, 400", f"{301 + number * 100}, {400 + number * 100}").replace("id + 1000", f"id + {number * 1000}"))
            hits += self.killed_at(job, point, number)
        self.finish(job)
        self.compare(self.records())
        return hits

    def sweep_files(self, point):
        import fastavro
        self.db = self.database(SCHEMA)
        job = self.file_job(self.db, sink={"roll": {"bytes": "8KiB"}})
        hits = 0
        for number in (1, 2):
            hits += self.killed_at(job, point, number)
            self.db.psql(BETWEEN.replace("500, 540", f"{number * 100 + 400}, {number * 100 + 440}"))
        self.finish(job)
        self.db.psql(CHANGES)
        hits += self.killed_at(job, point, 1)
        self.finish(job)
        records = []
        for path in sorted((self.folder / "out").glob("[!.]*.avro")):
            with open(path, "rb") as f:
                for value in fastavro.reader(f):
                    row = value["after"] or value["before"]
                    records.append({"topic": path.name.rsplit("-", 1)[0], "key": {"id": row["id"]}, "value": value})
        self.compare(records)
        return hits


def add(point):
    def both(self):
        hits = {}
        if point in FILE_ONLY:
            hits["files"] = self.sweep_files(point)
        else:
            hits["snapshot"] = self.sweep_snapshot(point)
            if point not in SNAPSHOT_ONLY:
                self.doCleanups()
                self.setUp()
                hits["stream"] = self.sweep_stream(point)
        for part, count in hits.items():
            # state.write acts only as an error inside the state's transaction; the rest must be passed by each part.
            self.assertGreater(count, 0, f"{point} was never reached in the {part}: the sweep tests nothing there")
    setattr(Sweep, "test_" + point.replace(".", "_"), both)


for name in POINTS:
    add(name)

if __name__ == "__main__":
    chosen = [p for p in sys.argv[1:] if p in POINTS]
    unknown = [p for p in sys.argv[1:] if p not in POINTS]
    if unknown:
        sys.exit(f"no fail point {unknown[0]}; there are {', '.join(POINTS)}")
    unittest.main(argv=[sys.argv[0]] + [f"Sweep.test_{p.replace('.', '_')}" for p in chosen], verbosity=2)
