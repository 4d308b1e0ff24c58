#!/usr/bin/env python3
# Copyright the tailrace authors. SPDX-License-Identifier: Apache-2.0
"""A machine that runs out of something: descriptors, address space, brokers for a long time. It ends or waits cleanly, and what
is made good later shows that nothing was lost."""
import re
import resource
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "lib"))
from trtest import load  # noqa: E402
from trtest.case import eventually, main  # noqa: E402
from trtest.kafka import Kafka  # noqa: E402
from trtest.loaded import Loaded  # noqa: E402
from trtest.own import OwnKafka  # noqa: E402

MIB = 1 << 20


def sanitized(binary):
    """The sanitizers want address space and memory for themselves."""
    return b"__asan_init" in Path(binary).read_bytes()


def memory(program, what):
    """VmRSS, VmHWM, VmSize of the process, in bytes."""
    text = Path(f"/proc/{program.process.pid}/status").read_text(encoding="utf-8")
    return int(re.search(rf"^{what}:\s+(\d+) kB", text, re.MULTILINE)[1]) * 1024


class Machine(Loaded):
    def once_job(self, **more):
        return self.make(delivery="exactly_once", events={"transaction_metadata": True}, **more)

    def judged(self, job):
        with job.background() as program:
            program.wait_state()
            with load.Load(self.db):
                time.sleep(1.5)
            self.settle(self.kafka, program)
            self.assertEqual(program.terminate(), 0)
        self.judge_once(self.kafka)

    def test_no_more_file_descriptors(self):
        """Nothing more can be opened under a running stream: it goes on with what it has, and ends by a code when it has to connect."""
        job = self.once_job(source={"retry_for": "3s"})
        with job.background() as program:
            program.wait_state()
            used = len(list(Path(f"/proc/{program.process.pid}/fd").iterdir()))
            resource.prlimit(program.process.pid, resource.RLIMIT_NOFILE, (used, used))
            with load.Load(self.db):
                time.sleep(2)
                program.check_alive()
                self.db.psql("SELECT pg_terminate_backend(active_pid) FROM pg_replication_slots WHERE active")
                eventually(lambda: program.process.poll() is not None or program.tail().count("session.retry") > 0, 30, what="a word about it")
                time.sleep(1)
            if program.process.poll() is None:
                self.assertEqual(program.terminate(), 0)
            self.assertIn(program.process.returncode, (0, 69, 70, 74), program.tail())
        self.judged(job)

    def test_no_more_memory(self):
        """No more address space than it has: an allocation that fails is an error by name or no need, never a crash."""
        job = self.once_job()
        if sanitized(job.binary):
            self.skipTest("a sanitizer ends the process when memory is refused")
        with job.background() as program:
            program.wait_state()
            size = memory(program, "VmSize")
            resource.prlimit(program.process.pid, resource.RLIMIT_AS, (size, size))
            self.db.psql("INSERT INTO log (who, n) SELECT i, nextval('tick') FROM generate_series(1, 20000) i")
            self.db.psql("INSERT INTO item SELECT i, repeat('y', 900000), nextval('tick') FROM generate_series(500000, 500019) i")
            self.db.psql("DELETE FROM item WHERE id >= 500000")
            time.sleep(5)
            if program.process.poll() is None:
                self.assertEqual(program.terminate(), 0)
            self.assertIn(program.process.returncode, (0, 65, 69, 70), program.tail())
        self.judged(job)

    def test_brokers_away_while_much_is_written(self):
        """What cannot be delivered stays in the database: the process holds no more than limits.memory and its libraries."""
        own = OwnKafka()
        self.addCleanup(own.remove)
        self._kafka = Kafka(own.bootstrap)
        self.addCleanup(self._kafka.close)
        job = self.make(sink={"url": f"kafka://{own.bootstrap}"}, limits={"memory": "16MiB"})
        with job.background() as program:
            program.wait_state()
            before = memory(program, "VmHWM")
            own.kill()
            for i in range(5):
                self.db.psql(f"INSERT INTO item SELECT i, repeat('x', 30000), nextval('tick') FROM generate_series({200000 + i * 300}, {200299 + i * 300}) i")
                program.check_alive()
            with load.Load(self.db):
                time.sleep(3)
            grown = memory(program, "VmHWM") - before
            print(f"peak grew by {grown / MIB:.1f} MiB while 45 MB waited", file=sys.stderr)
            if not sanitized(job.binary):
                self.assertLess(grown, 24 * MIB)
            own.start()
            self.settle(self.kafka, program)
            self.assertEqual(program.terminate(), 0)
        self.judge(self.kafka)


if __name__ == "__main__":
    main()
