#!/usr/bin/env python3
# Copyright the tailrace authors. SPDX-License-Identifier: Apache-2.0
"""The file sink is killed before its files become visible, in snapshot and stream; a restart loses nothing. What goes to Kafka is
swept by tests/sweep."""
import signal
import sys
from pathlib import Path

import fastavro

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "lib"))
from trtest import checker  # noqa: E402
from trtest.case import Case, main  # noqa: E402
from trtest.replay import replay_differences  # noqa: E402

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


class Files(Case):
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

    def test_kill_before_a_file_is_visible(self):
        self.db = self.database(SCHEMA)
        job = self.file_job(self.db, sink={"roll": {"bytes": "8KiB"}})
        hits = 0
        for number in (1, 2):
            hits += self.killed_at(job, "file.rename", number)
            self.db.psql(BETWEEN.replace("500, 540", f"{number * 100 + 400}, {number * 100 + 440}"))
        self.finish(job)
        self.db.psql(CHANGES)
        hits += self.killed_at(job, "file.rename", 1)
        self.finish(job)
        records = []
        for path in sorted((self.folder / "out").glob("[!.]*.avro")):
            with open(path, "rb") as f:
                for value in fastavro.reader(f):
                    row = value["after"] or value["before"]
                    records.append({"topic": path.name.rsplit("-", 1)[0], "key": {"id": row["id"]}, "value": value})
        self.compare(records)
        self.assertGreater(hits, 0, "no file was to become visible: the test tests nothing")


if __name__ == "__main__":
    main()
