#!/usr/bin/env python3
# Copyright the tailrace authors. SPDX-License-Identifier: Apache-2.0
"""kill -9 of tailrace, of the database server and of Kafka under load, at least once, as test_kill.py does for PostgreSQL: nothing
lost, nothing out of order, repetitions only of what came after the last durable position (see trtest/checker.py)."""
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "lib"))
from trtest import checker, load  # noqa: E402
from trtest.case import main  # noqa: E402
from trtest.kafka import Kafka  # noqa: E402
from trtest.loaded import LoadedMySql  # noqa: E402
from trtest.own import OwnKafka, OwnMySql  # noqa: E402
from trtest.records import topics_of  # noqa: E402

KILLS = 8


class Kill(LoadedMySql):
    LIMIT_SECONDS = 240

    def left_behind(self, job):
        position = (job.stored() or {}).get("position") or {}
        return checker.in_gtid_set(position.get("gtid_set") or position.get("gtid") or "")

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
                done = self.left_behind(job)
                since += [(topic, offset, done) for (topic, _), offset in self.kafka.high_marks(topics_of(self.tag)).items()]
            program.start()
            program.wait_state()
            time.sleep(1)
        self.settle(self.kafka, program)
        self.assertEqual(program.terminate(), 0)
        self.assertGreater(self.judge(self.kafka, since), 0, "no kill hit anything that was under way: the test tests nothing")

    def kill_server(self, name):
        own = OwnMySql(name=name)
        self.addCleanup(own.remove)
        job, rng = self.make(own.server), load.seeded(2)
        with job.background() as program:
            program.wait_state()
            with load.Load(self.db):
                for _ in range(5):
                    time.sleep(rng.uniform(0.5, 2))
                    own.kill()
                    own.start()
                    program.wait_state(timeout=30)
                time.sleep(1)
            self.settle(self.kafka, program)
            self.assertGreaterEqual(program.status()["restarts"], 5)
            self.assertEqual(program.terminate(), 0)
        self.judge(self.kafka)

    def test_kill_mysql(self):
        self.kill_server("mysql97")

    def test_kill_mariadb(self):
        self.kill_server("maria1011")

    def test_kill_kafka(self):
        own = OwnKafka()
        self.addCleanup(own.remove)
        kafka = Kafka(own.bootstrap)
        self.addCleanup(kafka.close)
        job, rng = self.make(sink={"url": f"kafka://{own.bootstrap}"}), load.seeded(3)
        with job.background() as program:
            program.wait_state()
            with load.Load(self.db):
                for _ in range(4):
                    time.sleep(rng.uniform(1, 2))
                    own.kill()
                    own.start()
                    program.check_alive()
                time.sleep(1)
            self.settle(kafka, program)
            self.assertEqual(program.terminate(), 0)
        self.judge(kafka)

    def test_log_rotated_and_purged_under_kills(self):
        """Between a kill and the next start the log is rotated, and purged up to where the stored position needs it."""
        own = OwnMySql()
        self.addCleanup(own.remove)
        job, rng = self.make(own.server), load.seeded(4)
        program = job.background()
        self.addCleanup(program.kill)
        with load.Load(self.db):
            for _ in range(5):
                program.start()
                program.wait_state()
                time.sleep(rng.uniform(0.5, 1.5))
                program.kill()
                own.server.rotate()
                needed = job.stored()["position"]["file"]
                own.server.sql(f"PURGE BINARY LOGS TO '{needed}'")
            program.start()
            program.wait_state()
            time.sleep(1)
        self.assertGreater(int(own.server.logs()[0].split(".")[-1]), 2, "nothing was purged")
        self.settle(self.kafka, program)
        self.assertEqual(program.terminate(), 0)
        self.judge(self.kafka)


class KillMariaDb(Kill):
    """The same loop against the other server."""
    SERVER = "maria1011"


def load_tests(loader, standard, _):
    import unittest
    return unittest.TestSuite([loader.loadTestsFromTestCase(Kill), KillMariaDb("test_kill_tailrace")])


if __name__ == "__main__":
    main()
