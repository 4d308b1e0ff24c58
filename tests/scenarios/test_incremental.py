#!/usr/bin/env python3
# Copyright the tailrace authors. SPDX-License-Identifier: Apache-2.0
"""Incremental snapshots under writes, with kill -9 in the middle: nothing is lost, no row is put back to an older state, and what
was durable is not read again."""
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "lib"))
from trtest import load  # noqa: E402
from trtest.case import Case, eventually, main  # noqa: E402
from trtest.records import topics_of  # noqa: E402
from trtest.replay import replay_differences, row_key  # noqa: E402

SIGNALS = "CREATE TABLE signals (id varchar(64) PRIMARY KEY, type varchar(32) NOT NULL, data varchar(2048));"
BIG = "CREATE TABLE big (id int PRIMARY KEY, v text); INSERT INTO big SELECT g, 'row ' || g FROM generate_series(1, 6000) g;"


class Incremental(Case):
    LIMIT_SECONDS = 240

    def progress(self, job):
        return ((job.stored() or {}).get("position") or {}).get("incremental")

    def test_kill_in_the_middle(self):
        self.db = self.database(load.SCHEMA + SIGNALS + BIG)
        job = self.kafka_job(self.db, snapshot={"mode": "never"},
                             source={"signal_table": "public.signals", "signal_chunk_rows": 40, "retry_for": "60s"})
        program, kept, kills = job.background(), [], 0
        self.addCleanup(program.kill)
        with load.Load(self.db):
            program.start()
            program.wait_state()
            self.db.psql("INSERT INTO signals VALUES ('all', 'execute-snapshot', "
                         "'{\"data-collections\": [\"public.(account|item|big)\"], \"type\": \"incremental\"}')")
            eventually(lambda: self.progress(job), what="the first durable chunk")
            while self.progress(job) and kills < 6:
                time.sleep(0.3)
                program.kill()
                kills += 1
                stored = self.progress(job)
                if stored:
                    kept.append((stored["tables"][0]["table"], int(stored["last"][0]) if stored.get("last") else 0))
                    marks = self.kafka.high_marks(topics_of(self.tag))
                    kept[-1] += (marks.get((f"{self.tag}.public.big", 0), 0),)
                program.start()
                program.wait_state()
            eventually(lambda: not self.progress(job), seconds=90, what="the end of the incremental snapshot")
        self.assertEqual(program.terminate(), 0)
        self.assert_ok(job.once())
        self.judge(kills, kept)

    def judge(self, kills, kept):
        self.assertGreater(kills, 1, "it was over too soon to be killed")
        records = self.records()
        for table in ("account", "item", "big"):
            own = [r for r in records if r["topic"] == f"{self.tag}.public.{table}"]
            self.assertEqual(replay_differences(own, self.db, table, ["id"])[:5], [], table)
        big = [r for r in records if r["topic"] == f"{self.tag}.public.big"]
        self.assertEqual({r["value"]["source"]["snapshot"] for r in big}, {"incremental"})
        self.assertEqual(len({row_key(r["key"]) for r in big}), 6000)
        for table, last, offset in kept:
            if table == "big":
                again = [r["key"]["id"] for r in big[offset:] if r["key"]["id"] <= last]
                self.assertEqual(again[:5], [], f"rows up to {last} were durable and came again")
        print(f"{len(big)} rows of big in {kills} kills, {len(big) - 6000} repeated; stopped at {kept}", file=sys.stderr)


if __name__ == "__main__":
    main()
