#!/usr/bin/env python3
# Copyright the tailrace authors. SPDX-License-Identifier: Apache-2.0
"""kill -9 of tailrace, of PostgreSQL and of Kafka under load, at least once: nothing lost, nothing out of order, repetitions
only of what came after the last durable position. See trtest/checker.py for what exactly is checked, test_checker.py for why to
believe it."""
import json
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "lib"))
from trtest import checker, load  # noqa: E402
from trtest.case import main  # noqa: E402
from trtest.kafka import Kafka  # noqa: E402
from trtest.loaded import Loaded  # noqa: E402
from trtest.own import OwnKafka, OwnPostgres  # noqa: E402
from trtest.records import topics_of  # noqa: E402

KILLS = 8


class Kill(Loaded):
    LIMIT_SECONDS = 240

    def stored_lsn(self, job):
        """The end of the newest transaction that the record has left behind."""
        position = (job.stored() or {}).get("position") or {}
        high, low = (int(x, 16) for x in position.get("commit", "0/0").split("/"))
        return (high << 32) + low

    def test_kill_tailrace(self):
        job, rng, since = self.make(), load.seeded(1), []
        program = job.background()
        self.addCleanup(program.kill)
        with load.Load(self.db):
            for i in range(KILLS):
                program.start()
                if i % 2 == 0:
                    program.wait_state()
                time.sleep(rng.uniform(0.2, 2.5))
                program.check_alive()
                program.kill()
                lsn = self.stored_lsn(job)
                since += [(topic, offset, checker.before_lsn(lsn)) for (topic, _), offset in self.kafka.high_marks(topics_of(self.tag)).items()]
            program.start()
            program.wait_state()
            time.sleep(1)
        self.settle(self.kafka, program)
        self.assertEqual(program.terminate(), 0)
        self.assertGreater(self.judge(self.kafka, since), 0, "no kill hit anything that was under way: the test tests nothing")

    def test_kill_postgres(self):
        own = OwnPostgres("fsync=on")
        self.addCleanup(own.remove)
        job, rng = self.make(own.server), load.seeded(2)
        with job.background() as program:
            program.wait_state()
            with load.Load(self.db):
                for _ in range(6):
                    time.sleep(rng.uniform(0.5, 2))
                    own.kill()
                    own.start()
                    program.wait_state()
                time.sleep(1)
            self.settle(self.kafka, program)
            self.assertGreaterEqual(program.status()["restarts"], 6)
            self.assertEqual(program.terminate(), 0)
        self.judge(self.kafka)

    def test_kill_kafka(self):
        own = OwnKafka()
        self.addCleanup(own.remove)
        kafka = Kafka(own.bootstrap)
        self.addCleanup(kafka.close)
        job, rng = self.make(sink={"url": f"kafka://{own.bootstrap}"}), load.seeded(3)
        with job.background() as program:
            program.wait_state()
            with load.Load(self.db):
                for _ in range(5):
                    time.sleep(rng.uniform(1, 2))
                    own.kill()
                    own.start()
                    program.check_alive()
                time.sleep(1)
            self.settle(kafka, program)
            self.assertEqual(program.terminate(), 0)
        self.judge(kafka)

    def test_kill_with_a_file_sink(self):
        """The same loop into files: what is visible is whole, and all of it together replays to the tables."""
        import fastavro
        self.db = self.database(load.SCHEMA)
        job = self.file_job(self.db, source={"retry_for": "60s"}, sink={"roll": {"bytes": "40KiB", "interval": "500ms"}})
        rng, program, out = load.seeded(4), job.background(), self.folder / "out"
        self.addCleanup(program.kill)
        with load.Load(self.db):
            for _ in range(KILLS):
                program.start()
                program.wait_state()
                time.sleep(rng.uniform(0.2, 1.5))
                program.check_alive()
                program.kill()
                for path in out.glob("[!.]*.avro"):
                    with open(path, "rb") as f:
                        for _ in fastavro.reader(f):
                            pass
            program.start()
            program.wait_state()
            time.sleep(1)
        program.terminate()
        self.assert_ok(job.once())
        records = []
        for path in sorted(out.glob("[!.]*.avro")):
            with open(path, "rb") as f:
                topic = path.name.rsplit("-", 1)[0]
                for value in fastavro.reader(f):
                    row = value["after"] or value["before"]
                    records.append({"topic": topic, "key": {"id": row["id"]}, "value": value})
        faults, repeated, firsts = checker.check(records, self.db, load.TABLES, f"{self.tag}.public")
        self.assertEqual(faults[:10], [], f"{len(faults)} faults")
        self.assertEqual([p.name for p in out.glob(".*.part")], [], "parts were left")
        print(f"{len(records)} records in {len(list(out.iterdir()))} files, {repeated} repeated; last position {json.dumps(job.stored()['position'])}", file=sys.stderr)


if __name__ == "__main__":
    main()
