#!/usr/bin/env python3
# Copyright the tailrace authors. SPDX-License-Identifier: Apache-2.0
"""Incremental snapshots of MySQL and MariaDB under writes, with kill -9 in the middle: nothing is lost, no row is put back to
an older state, and what was durable is not read again. Keys are numbers, several columns, and names whose case changes."""
import subprocess
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "lib"))
from trtest import load, mysql  # noqa: E402
from trtest.case import MySqlCase, eventually, main  # noqa: E402
from trtest.records import topics_of  # noqa: E402
from trtest.replay import replay_differences, row_key  # noqa: E402

BIG_ROWS, NAME_ROWS = 4000, 600
SERIES = "WITH RECURSIVE g (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM g WHERE i < {}) SELECT"
TABLES = f"""
CREATE TABLE signals (id varchar(64) PRIMARY KEY, type varchar(32) NOT NULL, data varchar(2048));
SET SESSION cte_max_recursion_depth = 100000;
CREATE TABLE big (id int PRIMARY KEY, v varchar(40));
INSERT INTO big {SERIES.format(BIG_ROWS)} i, concat('row ', i) FROM g;
CREATE TABLE name (name varchar(20) COLLATE utf8mb4_general_ci, number bigint unsigned, n bigint NOT NULL, PRIMARY KEY (name, number));
INSERT INTO name {SERIES.format(NAME_ROWS)} concat(elt(1 + i % 4, 'Äpfel', 'Birne', 'zimt', 'apfel'), i), 18446744073709551615 - i % 3, uuid_short() FROM g;
DELIMITER //
CREATE PROCEDURE rename_work(seconds float)
BEGIN
  DECLARE until datetime(3) DEFAULT now(3) + INTERVAL floor(seconds * 1000000) MICROSECOND;
  DECLARE k int;
  WHILE sysdate(3) < until DO
    SET k = 1 + floor(rand() * {NAME_ROWS});
    START TRANSACTION;
    UPDATE name SET name = if(rand() < 0.5, upper(name), lower(name)), n = uuid_short() WHERE name LIKE concat('%l', k) OR name LIKE concat('%e', k);
    UPDATE name SET number = 1 + number % 7, n = uuid_short() WHERE name = concat('zimt', k);
    IF rand() < 0.3 THEN
      DELETE FROM name WHERE name = concat('ZIMT', k);
      INSERT IGNORE INTO name VALUES (concat(if(rand() < 0.5, 'zimt', 'Zimt'), k), 3, uuid_short());
    END IF;
    COMMIT;
    DO sleep(0.01);
  END WHILE;
END//
DELIMITER ;
"""


class Renames(load.Load):
    def write(self, who):
        words = self.database.words("CALL rename_work(0.5)")
        while not self.stopping.is_set():
            if subprocess.run(words, stdin=subprocess.DEVNULL, capture_output=True).returncode:
                time.sleep(0.1)
            else:
                self.rounds += 1


class MySqlIncremental(MySqlCase):
    LIMIT_SECONDS = 240

    def progress(self, job):
        return ((job.stored() or {}).get("position") or {}).get("incremental")

    def topic(self, table):
        return f"{self.tag}.{self.tag}.{table}"

    def kill_again_and_again(self, job, program):
        kept = []
        while self.progress(job) and len(kept) < 6:
            time.sleep(0.4)
            program.kill()
            stored = self.progress(job)
            if stored and stored["tables"][0]["table"] == "big" and stored.get("last"):
                mark = self.kafka.high_marks(topics_of(self.tag)).get((self.topic("big"), 0), 0)
                kept.append((int(stored["last"][0]), mark))
            elif stored:
                kept.append(None)
            program.start()
            program.wait_state()
        return kept

    def test_kill_in_the_middle(self):
        schema = TABLES if self.SERVER == "mysql97" else TABLES.replace("SET SESSION cte_max_recursion_depth", "SET SESSION max_recursive_iterations")
        self.db = self.database(load.MYSQL_SCHEMA + schema)
        self.db.sql(f"SET sql_log_bin = 0; GRANT INSERT ON signals TO '{mysql.USER}'@'%'")
        job = self.kafka_job(self.db, snapshot={"mode": "never"},
                             source={"signal_table": f"{self.tag}.signals", "signal_chunk_rows": 50, "retry_for": "60s"})
        program = job.background()
        self.addCleanup(program.kill)
        program.start()
        program.wait_state()
        with load.Load(self.db), Renames(self.db, 1) as renames:
            self.db.sql("INSERT INTO signals VALUES ('all', 'execute-snapshot', "
                        f"'{{\"data-collections\": [\"{self.tag}.(account|item|big|name)\"], \"type\": \"incremental\"}}')")
            eventually(lambda: self.progress(job), what="the first durable chunk")
            kept = self.kill_again_and_again(job, program)
            eventually(lambda: not self.progress(job), seconds=120, what="the end of the incremental snapshot")
        self.assertGreater(renames.rounds, 0)
        self.assertEqual(program.terminate(), 0)
        self.assert_ok(job.once())
        self.judge(kept)

    def judge(self, kept):
        self.assertGreater(len(kept), 1, "it was over too soon to be killed")
        self.same("account", "item", "big")
        records = self.records()
        # An unsigned number is published as Debezium's default has it: as a signed one.
        names = [r for r in records if r["topic"] == self.topic("name")]
        for part in [p for r in names for p in (r["key"], (r["value"] or {}).get("after")) if p]:
            part["number"] %= 1 << 64
        self.assertEqual(replay_differences(names, self.db, "name", ["name", "number"])[:5], [], "name")
        big = [r for r in records if r["topic"] == self.topic("big")]
        self.assertEqual({r["value"]["source"]["snapshot"] for r in big}, {"incremental"})
        self.assertEqual(len({row_key(r["key"]) for r in big}), BIG_ROWS)
        for last, offset in filter(None, kept):
            again = [r["key"]["id"] for r in big[offset:] if r["key"]["id"] <= last]
            self.assertEqual(again[:5], [], f"rows up to {last} were durable and came again")
        print(f"{len(big)} rows of big in {len(kept)} kills, {len(big) - BIG_ROWS} repeated; stopped at {kept}", file=sys.stderr)


class MariaDbIncremental(MySqlIncremental):
    SERVER = "maria118"


def load_tests(loader, standard, _):
    import unittest
    return unittest.TestSuite([loader.loadTestsFromTestCase(MySqlIncremental), loader.loadTestsFromTestCase(MariaDbIncremental)])


if __name__ == "__main__":
    main()
