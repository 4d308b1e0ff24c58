#!/usr/bin/env python3
# Copyright the tailrace authors. SPDX-License-Identifier: Apache-2.0
"""What is large: transactions, rows, columns, tables, pipelines. Each passes within limits.memory and what the libraries need
beside it, measured by the kernel (VmHWM), or is refused by name. TR_SIZES=full (./test sizes) takes the sizes of the promise."""
import collections
import json
import os
import sys
import threading
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "lib"))
from trtest.case import Case, eventually, main  # noqa: E402
from trtest.own import OwnPostgres  # noqa: E402
from trtest.program import find_binary  # noqa: E402
from trtest.records import topics_of  # noqa: E402

FULL = os.environ.get("TR_SIZES") == "full"
MIB = 1 << 20
BASE_MIB = 32  # libraries and threads
SANITIZED = b"__asan_init" in Path(find_binary()).read_bytes()


def sized(short, full):
    return full if FULL else short


class Watch(threading.Thread):
    """The highest resident size and number of threads of a process, until it ends."""

    def __init__(self, pid):
        super().__init__(daemon=True)
        self.pid, self.peak_mib, self.threads = pid, 0.0, 0
        self.start()

    def run(self):
        while True:
            try:
                lines = Path(f"/proc/{self.pid}/status").read_text(encoding="ascii", errors="replace").splitlines()
            except OSError:
                return
            facts = dict(line.split(":", 1) for line in lines if ":" in line)
            if "VmHWM" not in facts:
                return
            self.peak_mib = max(self.peak_mib, int(facts["VmHWM"].split()[0]) / 1024)
            self.threads = max(self.threads, int(facts["Threads"]))
            time.sleep(0.02)


class Sizes(Case):
    LIMIT_SECONDS = sized(120, 1700)

    def run_once(self, job, what, limit_mib=None):
        """--once to its end. (exit code, output); the peak is held against the limit."""
        if SANITIZED:
            job.environment["ASAN_OPTIONS"] = os.environ.get("ASAN_OPTIONS", "") + ":quarantine_size_mb=1:malloc_context_size=0"
        before = job.log.stat().st_size if job.log.exists() else 0
        begin = time.monotonic()
        with job.background("--once") as program:
            watch = Watch(program.process.pid)
            code = program.process.wait(self.LIMIT_SECONDS)
            watch.join()
        print(f"{what}: exit {code}, {time.monotonic() - begin:.1f} s, peak {watch.peak_mib:.0f} MiB", file=sys.stderr)
        if limit_mib:
            self.within(watch.peak_mib, limit_mib)
        return code, job.log.read_bytes()[before:].decode("utf-8", "replace")

    def passes(self, job, what, limit_mib=None):
        code, output = self.run_once(job, what, limit_mib)
        self.assertEqual(code, 0, output[-3000:])

    def within(self, peak_mib, limit_mib):
        """A sanitizer keeps shadows and margins of its own."""
        self.assertGreater(peak_mib, 1, "nothing was measured")
        self.assertLess(peak_mib, 2 * limit_mib + 200 if SANITIZED else limit_mib + BASE_MIB)

    def refused(self, job, what, limit_mib, size=None):
        code, output = self.run_once(job, what)  # what libpq reads at one go is not ours to bound
        self.assertEqual(code, 65, output[-3000:])
        failure = next(json.loads(line) for line in output.splitlines() if '"pipeline.failed"' in line)
        self.assertEqual(failure["code"], "TR308")
        self.assertIn('"public.big"', failure["message"])
        self.assertIn("limits.memory", failure["hint"])
        self.assertIn(str(limit_mib * MIB // 4), failure["detail"])
        if size:
            self.assertIn(str(size), failure["detail"])

    def lines(self, table):
        """Events of a file sink in JSON."""
        paths = sorted((self.folder / "out").glob(f"*.public.{table}-*.jsonl"))
        return [json.loads(line)["after"] for path in paths for line in path.read_text(encoding="utf-8").splitlines()]

    def test_row_above_the_limit_is_refused_by_name(self):
        limit_mib, length = 64, 200_000_000
        self.db = self.database("CREATE TABLE big (id int PRIMARY KEY, t text); CREATE TABLE small (id int PRIMARY KEY);")
        job = self.file_job(self.db, limits={"memory": f"{limit_mib}MiB"}, events={"format": "json"})
        self.passes(job, "empty")
        self.db.psql(f"INSERT INTO small VALUES (1); BEGIN; INSERT INTO small VALUES (2); INSERT INTO big VALUES (1, repeat('x', {length})); COMMIT")
        message = length + 1 + 4 + 1 + 2 + (1 + 4 + 1) + (1 + 4)  # pgoutput's Insert with id 1
        self.refused(job, f"stream, a row of {length}", limit_mib, message)
        self.assert_ok(job.command("offsets", "reset", "--yes"))
        self.db.psql(f"SELECT pg_drop_replication_slot('tailrace_{self.tag}')")
        self.refused(job, f"snapshot, a row of {length}", limit_mib)

    def test_row_within_the_limit_passes(self):
        limit_mib, length = sized(64, 1024), sized(15_000_000, 200_000_000)
        self.db = self.database(f"CREATE TABLE big (id int PRIMARY KEY, t text); INSERT INTO big VALUES (1, repeat('x', {length}))")
        job = self.file_job(self.db, limits={"memory": f"{limit_mib}MiB"}, events={"format": "json"})
        self.passes(job, f"snapshot, a row of {length}", limit_mib)
        self.db.psql(f"INSERT INTO big VALUES (2, repeat('y', {length}))")
        self.passes(job, f"stream, a row of {length}", limit_mib)
        self.assertEqual([(row["id"], len(row["t"]), row["t"][-1]) for row in self.lines("big")], [(1, length, "x"), (2, length, "y")])

    def test_transaction_of_many_rows(self):
        count = sized(400_000, 10_000_000)
        self.db = self.database("CREATE TABLE t (id int PRIMARY KEY, n int)")
        job = self.kafka_job(self.db, delivery="exactly_once", limits={"memory": "64MiB"}, transaction={"bytes": "1MiB"})
        self.passes(job, "empty")
        self.db.psql(f"INSERT INTO t SELECT i, 0 FROM generate_series(1, {count}) i")
        self.passes(job, f"a transaction of {count} rows", 64)
        marks = sum(self.kafka.high_marks(topics_of(self.tag)).values())
        self.assertGreater(marks, count + 1, "one marker at least for each of several transactions")
        self.assertLess(marks, count * 1.01)

    def test_columns(self):
        """1,600 is PostgreSQL's maximum."""
        columns = ", ".join(f"a_column_with_number_{i} int" for i in range(1599))
        self.db = self.database(f"CREATE TABLE wide (id int PRIMARY KEY, {columns}); INSERT INTO wide (id) SELECT generate_series(1, 100);")
        job = self.file_job(self.db, limits={"memory": "16MiB"}, events={"format": "json"})
        self.passes(job, "snapshot of 1600 columns", 16)
        self.db.psql("UPDATE wide SET a_column_with_number_1598 = id")
        self.passes(job, "stream of 1600 columns", 16)
        rows = self.lines("wide")
        self.assertEqual({len(row) for row in rows}, {1600})
        self.assertEqual([row["a_column_with_number_1598"] for row in rows], [None] * 100 + list(range(1, 101)))

    def test_tables(self):
        """Their topics are made many at a time, and nothing that is asked of the process grows with them."""
        count = sized(200, 5000)
        self.db = self.database()
        for at in range(0, count, 500):
            self.db.psql("\n".join(f"CREATE TABLE t{i} (id int PRIMARY KEY, a text, b timestamptz, c numeric(10, 2)); INSERT INTO t{i} VALUES (1);"
                                   for i in range(at, min(at + 500, count))))
        job = self.file_job(self.db, limits={"memory": "32MiB"}, events={"format": "json"}, sink={"url": f"kafka://{self.kafka.bootstrap}"})
        self.passes(job, f"snapshot of {count} tables", 32 + count // 50)
        for at in range(0, count, 500):
            self.db.psql("\n".join(f"INSERT INTO t{i} VALUES (2);" for i in range(at, min(at + 500, count))))
        self.passes(job, f"stream of {count} tables", 32 + count // 50)
        marks = self.kafka.high_marks(topics_of(self.tag))
        self.assertEqual((len(marks), set(marks.values())), (count, {2}))
        with job.background() as program:
            begin = time.monotonic()
            program.wait_state()
            print(f"streaming after {time.monotonic() - begin:.1f} s", file=sys.stderr)
            self.assertLess(len(program.get("/metrics")), 64_000)
            self.assertLess(len(program.get("/status")), 64_000)
            self.assertEqual(program.terminate(), 0)

    def test_pipelines(self):
        """Many in one process: one state directory, one HTTP server, a limit for each."""
        count, limit_mib = sized(16, 100), 4
        own = OwnPostgres(f"max_wal_senders={count + 10}", f"max_replication_slots={count + 10}", f"max_connections={4 * count + 20}")
        self.addCleanup(own.remove)
        self.db = self.database("\n".join(f"CREATE TABLE t{i} (id int PRIMARY KEY);" for i in range(count)), server=own.server)
        job = self.file_job(self.db, events={"format": "json"}, limits={"memory": f"{limit_mib}MiB"}, delivery="exactly_once")
        top = job.config
        source = {**top.pop("source"), "connect_timeout": "20s", "retry_for": "60s"}
        top.pop("name"), top.pop("sink")
        top["pipelines"] = [{"name": f"{self.tag}.p{i}", "source": {**source, "tables": [f"public.t{i}"]}, "sink": {"url": f"kafka://{self.kafka.bootstrap}"}}
                            for i in range(count)]
        job.write(top)

        def all_of(program, field, wanted):
            program.check_alive()
            try:
                found = collections.Counter(p[field] for p in json.loads(program.get("/status"))["pipelines"])
            except OSError:
                return False
            return found == {wanted: count}

        with job.background() as program:
            begin = time.monotonic()
            watch = Watch(program.process.pid)
            eventually(lambda: all_of(program, "state", "streaming"), sized(60, 300), 0.2, "all stream")
            print(f"{count} pipelines stream after {time.monotonic() - begin:.1f} s", file=sys.stderr)
            self.db.psql("\n".join(f"INSERT INTO t{i} SELECT generate_series(1, 1000);" for i in range(count)))
            eventually(lambda: all_of(program, "events", 1000), sized(60, 300), 0.2, "all have their rows")
            self.assertEqual(program.terminate(), 0)
            watch.join()
        print(f"peak {watch.peak_mib:.0f} MiB, {watch.threads} threads", file=sys.stderr)
        self.within(watch.peak_mib, count * limit_mib)
        self.assertLess(watch.threads, 16 * count + 10)


if __name__ == "__main__":
    main()
