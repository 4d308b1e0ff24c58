#!/usr/bin/env python3
# Copyright the tailrace authors. SPDX-License-Identifier: Apache-2.0
"""The stream in PostgreSQL's binary form: the same events as in text, and back to text when a type asks for it."""
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "lib"))
from trtest.case import Case, eventually, main  # noqa: E402

TABLE = """CREATE TYPE mood AS ENUM ('sad', 'very happy');
CREATE DOMAIN price AS numeric(9,2);
CREATE TABLE t (id bigint PRIMARY KEY, b boolean, i2 smallint, i4 integer, o oid, f4 real, f8 double precision, n numeric(12,4),
  nu numeric, p price, c char(5), vc varchar(20), t text, nm name, by bytea, u uuid, d date, ti time, ts3 timestamp(3), ts timestamp,
  tz timestamptz, j json, jb jsonb, m mood, big text);
ALTER TABLE t REPLICA IDENTITY FULL; ALTER TABLE t ALTER big SET STORAGE EXTERNAL"""
ROWS = """INSERT INTO t VALUES
  (1, true, -7, 2147483647, 4294967295, 1.1, -0.1, 12345.6789, 1.500, 10.5, 'ab', 'vc', 'text', 'nm', '\\x00ff', gen_random_uuid(),
   '2024-02-29', '23:59:59.999999', '2024-02-29 01:02:03.004', '2024-02-29 01:02:03.000004', '2024-02-29 01:02:03.5+02', '{"a": 1}',
   '{"b": [1, null]}', 'very happy', repeat('x', 5000)),
  (2, false, 0, 0, 0, 'NaN', '-Infinity', -0.0001, -1e30, 0, '', '', '', '', '', NULL, '0044-03-15 BC', '24:00', '-infinity', 'infinity',
   'infinity', 'null', '"x"', 'sad', NULL),
  (3, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL,
   NULL, NULL, NULL);
UPDATE t SET i4 = 5 WHERE id = 1;
UPDATE t SET id = 30 WHERE id = 3;
DELETE FROM t WHERE id = 2"""


class Binary(Case):
    LIMIT_SECONDS = 240

    def stream_query(self):
        return self.db.value("SELECT coalesce(max(query), '') FROM pg_stat_activity WHERE query LIKE 'START_REPLICATION%'"
                             " AND datname = current_database()")

    def published(self, name=None):
        topic = f"{name or self.tag}.public.t"
        rows = [r["value"] for r in self.records() if r["topic"] == topic and isinstance(r["value"], dict)]
        return [(v["op"], v["before"], v["after"]) for v in rows]

    def follow(self, binary):
        """The events of ROWS, on a table without rows."""
        self.db = self.database(TABLE)
        name = f"{self.tag}.{'binary' if binary else 'text'}"
        job = self.kafka_job(self.db, name=name, source={"binary": binary}, state={"url": f"file:{self.folder / name}"})
        with job.background() as program:
            program.wait_state()
            self.assertEqual("binary 'true'" in self.stream_query(), binary)
            self.db.psql("SET extra_float_digits = 0; " + ROWS.replace("gen_random_uuid()", "'11111111-2222-3333-4444-555555555555'"))
            eventually(lambda: len(self.published(name)) == 7)
            self.assertEqual(program.terminate(), 0)
        return self.published(name)

    def test_both_forms_publish_the_same(self):
        text = self.follow(False)
        binary = self.follow(True)
        self.assertEqual(binary, text)

    def test_a_type_without_a_form_goes_back_to_text(self):
        self.db = self.database("CREATE TABLE t (id integer PRIMARY KEY, v text)")
        job = self.kafka_job(self.db)
        with job.background() as program:
            program.wait_state()
            self.assertIn("binary 'true'", self.stream_query())
            self.db.psql("INSERT INTO t VALUES (1, 'before')")
            self.db.psql("ALTER TABLE t ADD a integer[]")
            self.db.psql("INSERT INTO t VALUES (2, 'after', '{1,NULL,3}')")
            eventually(lambda: len(self.published()) == 2)
            self.assertNotIn("binary", self.stream_query())
            self.assertEqual(program.terminate(), 0)
        self.assertEqual([after for _, _, after in self.published()],
                         [{"id": 1, "v": "before"}, {"id": 2, "v": "after", "a": [1, None, 3]}])


main()
