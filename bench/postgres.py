"""bench/run postgres: the stream, the snapshot, the latency and the start of tailrace beside PostgreSQL's own tools.

Every reader of the stream reads the same changes: logical slots are copied from one that was made before the workload, and
rounds are interleaved, so that a ratio compares runs taken minutes apart at most.
"""
import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time
import uuid
from pathlib import Path

from confluent_kafka.admin import AdminClient, NewTopic
from measure import machine, middle, run, table
from trtest.postgres import Postgres

ROOT = Path(__file__).resolve().parent.parent
SERVICES = ROOT / "tests" / "services"

TABLE = """CREATE TABLE t (id bigint PRIMARY KEY, account integer NOT NULL, name text NOT NULL, email varchar(80),
  amount numeric(12,2) NOT NULL, balance double precision, active boolean NOT NULL, born date,
  created timestamp(3) NOT NULL, updated timestamptz NOT NULL)"""
ROW = """g, (g::bigint * 7919) % 100000, 'customer number ' || g, 'user' || g || '@example.org', (g % 1000000) / 100.0,
  g * 0.25, g % 3 = 0, date '1970-01-01' + (g % 18000)::int, timestamp '2024-01-01' + g * interval '1 second', now()"""
WORKLOAD = """CREATE PROCEDURE workload(events bigint) LANGUAGE plpgsql AS $$
DECLARE i bigint; half bigint := events / 2;
BEGIN
  FOR i IN 0 .. half / 100 - 1 LOOP
    INSERT INTO t SELECT %s FROM generate_series(i * 100 + 1, i * 100 + 100) g;
    COMMIT;
  END LOOP;
  FOR i IN 0 .. half / 100 - 1 LOOP
    UPDATE t SET amount = amount + 1, updated = now(), name = name || '.' WHERE id BETWEEN i * 100 + 1 AND i * 100 + 100;
    COMMIT;
  END LOOP;
END $$""" % ROW


class Bench:
    def __init__(self, options):
        self.o = options
        self.dir = Path(tempfile.mkdtemp(prefix="tailrace-bench-"))
        os.chmod(self.dir, 0o755)
        self.binary = str(Path(options.binary).resolve())
        self.count = 0

    def start(self):
        names = ["kafka", "registry", f"pg{self.o.pg}"]
        out = subprocess.run([SERVICES / "all", "start", self.dir / "servers", *names], check=True, capture_output=True, text=True)
        for line in out.stdout.splitlines():
            key, value = line.removeprefix("export ").split("=", 1)
            os.environ[key] = value
        host, port = os.environ[f"TR_TEST_PG_{self.o.pg}"].split(":")
        self.broker, self.registry = os.environ["TR_TEST_KAFKA"], os.environ["TR_TEST_REGISTRY"]
        root = Postgres(host, int(port))
        root.fresh_database("bench")
        self.pg, self.host, self.port = root.database("bench"), host, port
        self.bin = subprocess.run([SERVICES / "postgres", "bin", self.o.pg], check=True, capture_output=True, text=True).stdout.strip()
        root.psql("ALTER SYSTEM SET max_replication_slots = 40; ALTER SYSTEM SET max_wal_size = '16GB'")
        subprocess.run([SERVICES / "postgres", "stop", self.dir / "servers" / f"pg{self.o.pg}"], check=True)
        subprocess.run([SERVICES / "postgres", "start", self.dir / "servers" / f"pg{self.o.pg}", port, self.o.pg], check=True)

    def stop(self):
        subprocess.run([SERVICES / "all", "stop", self.dir / "servers"], check=False)
        shutil.rmtree(self.dir, ignore_errors=True)

    def tool(self, name):
        return str(Path(self.bin) / name)

    def config(self, sink, *more):
        """A new pipeline each time: own name, own state."""
        self.count += 1
        name = f"bench_{self.count}_{uuid.uuid4().hex[:6]}"
        state = self.dir / name
        return name, [f"--source=postgres://postgres@{self.host}:{self.port}/bench", f"--name={name}", f"--sink={sink}",
                      "--tables=public.t", "--set", f"state.url=file:{state}", "--set", "http.listen=",
                      "--set", f"events.registry.url={self.registry}", "--set", "source.publication=bench", *more]

    def slot(self):
        self.count += 1
        name = f"copy_{self.count}"
        self.pg.psql(f"SELECT pg_copy_logical_replication_slot('base', '{name}')")
        return name

    def drop(self, name):
        self.pg.psql(f"SELECT pg_drop_replication_slot('{name}')")

    def tailrace(self, sink, *more):
        slot = self.slot()
        _, arguments = self.config(sink, "--set", f"source.slot={slot}", "--set", "snapshot.mode=never", *more)
        with open(self.dir / "tailrace.log", "w") as log:
            result = run([self.binary, "run", "--once", *arguments], stderr=log)
        self.drop(slot)
        if result.status != 0:
            sys.exit(f"tailrace ended with {result.status}:\n{(self.dir / 'tailrace.log').read_text()[-3000:]}")
        return result

    def recvlogical(self):
        slot = self.slot()
        end = self.pg.value("SELECT pg_current_wal_flush_lsn()")
        out = self.dir / "recvlogical"
        result = run([self.tool("pg_recvlogical"), "-h", self.host, "-p", self.port, "-U", "postgres", "-d", "bench",
                      "--slot", slot, "--start", "-o", "proto_version=1", "-o", "publication_names=bench", "-E", end,
                      "--no-loop", "-f", str(out)])
        self.raw_bytes = out.stat().st_size
        out.unlink()
        self.drop(slot)
        return result

    def copy(self):
        return run(["psql", "-qX", self.pg.url, "-c", f"\\copy t TO '{self.dir / 'copy'}'"])

    def kcat(self, count, size):
        """kcat producing as many records of the size that ours have."""
        source = self.dir / "kcat.in"
        if not source.exists():
            line = os.urandom(size // 2).hex()[:size - 1] + "\n"
            with open(source, "w") as f:
                for _ in range(count // 1000):
                    f.write(line * 1000)
        topic = f"kcat-{uuid.uuid4().hex[:8]}"
        admin = AdminClient({"bootstrap.servers": self.broker})
        admin.create_topics([NewTopic(topic, 1, 1)])[topic].result()
        return run(["kcat", "-b", self.broker, "-P", "-t", topic, "-X", "linger.ms=5", "-l", str(source)])

    def bytes_of(self, name):
        return sum(p.stat().st_size for p in (self.dir / "servers" / "kafka").glob(f"**/{name}*/*.log"))

    def stream(self):
        o = self.o
        self.pg.psql(TABLE)
        self.pg.psql(WORKLOAD)
        self.pg.psql("CREATE PUBLICATION bench FOR TABLE t")
        self.pg.psql("SELECT pg_create_logical_replication_slot('base', 'pgoutput')")
        begin = time.monotonic()
        self.pg.psql(f"CALL workload({o.events})")
        print(f"workload: {o.events // 2} inserts and {o.events // 2} updates of 10 columns in transactions of 100, "
              f"{time.monotonic() - begin:.0f} s")
        if o.keep:
            _, arguments = self.config("null:", "--set", f"source.slot={self.slot()}", "--set", "snapshot.mode=never")
            print(f"kafka://{self.broker}\n" + " ".join([self.binary, "run", "--once", *arguments]), flush=True)
            input("Enter ends: ")
            return
        runs = {n: [] for n in ("pg_recvlogical to a file", "tailrace to Kafka, Avro", "tailrace to files, Avro", "tailrace, null sink", "kcat, as many bytes")}
        for _ in range(o.rounds):
            runs["pg_recvlogical to a file"].append(self.recvlogical())
            runs["tailrace to Kafka, Avro"].append(self.tailrace(f"kafka://{self.broker}"))
            files = self.dir / "files"
            runs["tailrace to files, Avro"].append(self.tailrace(f"file:{files}"))
            record = sum(f.stat().st_size for f in files.iterdir()) // o.events
            shutil.rmtree(files)
            runs["tailrace, null sink"].append(self.tailrace("null:"))
            runs["kcat, as many bytes"].append(self.kcat(o.events, record))
        floor = middle(runs["pg_recvlogical to a file"]).wall
        rows = []
        for name, values in runs.items():
            m = middle(values)
            rows.append([name, f"{m.wall:.2f}", f"{min(v.wall for v in values):.2f}-{max(v.wall for v in values):.2f}",
                         f"{m.wall / floor:.2f}", f"{m.cpu / o.events * 1e6:.2f}", f"{m.system / o.events * 1e6:.2f}",
                         f"{m.rss / 2**20:.0f}", f"{o.events / m.wall / 1000:.0f}k"])
        table(f"stream: {o.events} changes, {self.raw_bytes / 2**20:.0f} MiB of pgoutput, medians of {o.rounds}",
              ["", "wall s", "min-max", "/recvlogical", "cpu s/1M", "sys s/1M", "RSS MiB", "events/s"], rows)

    def snapshot(self):
        rows = int(self.pg.value("SELECT count(*) FROM t"))
        copies, ours, nulls = [], [], []
        for _ in range(self.o.rounds):
            copies.append(self.copy())
            for sink, into in ((f"kafka://{self.broker}", ours), ("null:", nulls)):
                name, arguments = self.config(sink, "--set", "snapshot.mode=only")
                with open(self.dir / "tailrace.log", "w") as log:
                    into.append(run([self.binary, "run", "--once", *arguments], stderr=log))
                if into[-1].status != 0:
                    sys.exit((self.dir / "tailrace.log").read_text()[-3000:])
                self.pg.psql(f"SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots WHERE slot_name = 'tailrace_{name}'")
        floor = middle(copies).wall
        table(f"snapshot: {rows} rows, medians of {self.o.rounds}", ["", "wall s", "/COPY", "cpu s/1M", "RSS MiB", "rows/s"],
              [[n, f"{m.wall:.2f}", f"{m.wall / floor:.2f}", f"{m.cpu / rows * 1e6:.2f}", f"{m.rss / 2**20:.0f}", f"{rows / m.wall / 1000:.0f}k"]
               for n, m in (("psql \\copy to a file", middle(copies)), ("tailrace to Kafka, Avro", middle(ours)), ("tailrace, null sink", middle(nulls)))])

    def begin_consumer(self, topic, seen, stop):
        from confluent_kafka import Consumer
        consumer = Consumer({"bootstrap.servers": self.broker, "group.id": uuid.uuid4().hex, "auto.offset.reset": "earliest",
                             "fetch.wait.max.ms": 5, "topic.metadata.refresh.interval.ms": 100,
                             "allow.auto.create.topics": False, "fetch.error.backoff.ms": 5})
        consumer.subscribe([topic])

        def loop():
            while not stop.is_set():
                message = consumer.poll(0.05)
                if message is not None and not message.error():
                    seen(message, time.time())
            consumer.close()
        thread = threading.Thread(target=loop)
        thread.start()
        return thread

    def latency(self):
        """Commits at a steady rate; each row carries its commit time as closely as SQL can know it."""
        self.pg.psql("DROP TABLE IF EXISTS beat; CREATE TABLE beat (id bigint PRIMARY KEY, at double precision)")
        self.pg.psql("ALTER PUBLICATION bench ADD TABLE beat")
        name, arguments = self.config(f"kafka://{self.broker}", "--set", "source.tables=[public.beat]", "--set", "events.format=json",
                                      "--set", "snapshot.mode=never")
        arguments = [a for a in arguments if a != "--tables=public.t"]
        log = open(self.dir / "latency.log", "w")
        service = subprocess.Popen([self.binary, "run", *arguments], stderr=log)
        delays, stop, rate, seconds = [], threading.Event(), self.o.rate, self.o.seconds
        import json

        def seen(message, now):
            after = json.loads(message.value())["after"]
            if after and after["id"] > rate:        # the first second warms up
                delays.append(now - after["at"])
        thread = self.begin_consumer(f"{name}.public.beat", seen, stop)
        time.sleep(3)
        script = self.dir / "beat.sql"
        script.write_text("INSERT INTO beat SELECT nextval('beat_id'), extract(epoch FROM clock_timestamp());\n")
        self.pg.psql("CREATE SEQUENCE IF NOT EXISTS beat_id")
        subprocess.run([self.tool("pgbench"), "-n", "-f", str(script), "-R", str(rate), "-T", str(seconds), "-c", "2",
                        "-h", self.host, "-p", self.port, "-U", "postgres", "bench"], check=True, capture_output=True)
        time.sleep(2)
        stop.set()
        thread.join()
        service.terminate()
        service.wait()
        delays.sort()
        if not delays:
            sys.exit("no event arrived: " + (self.dir / "latency.log").read_text()[-2000:])
        at = lambda q: delays[min(len(delays) - 1, int(q * len(delays)))] * 1000
        table(f"latency: commit to consumer at {rate} transactions/s for {seconds} s ({len(delays)} events)",
              ["", "p50 ms", "p90 ms", "p99 ms", "p99.9 ms", "max ms"],
              [["tailrace to Kafka", *(f"{at(q):.1f}" for q in (.5, .9, .99, .999, 1))]])

    def start_time(self):
        """From exec to the first event at a consumer, for a table of one row."""
        self.pg.psql("DROP TABLE IF EXISTS one; CREATE TABLE one (id int PRIMARY KEY); INSERT INTO one VALUES (1)")
        times = []
        for _ in range(self.o.rounds):
            name, arguments = self.config("stdout", "--set", "source.tables=[public.one]", "--set", "source.publication=")
            arguments = [a for a in arguments if a != "--tables=public.t"]
            begin = time.monotonic()
            service = subprocess.Popen([self.binary, "run", *arguments], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
            service.stdout.readline()
            times.append(time.monotonic() - begin)
            service.terminate()
            service.wait()
            self.pg.psql(f"SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots WHERE slot_name = 'tailrace_{name}'")
        table("start: exec to first event (publication, slot, snapshot of one row)", ["", "median s", "max s"],
              [["tailrace to stdout", f"{sorted(times)[len(times) // 2]:.3f}", f"{max(times):.3f}"]])


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--binary", required=True)
    parser.add_argument("--events", type=int, default=2_000_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--rate", type=int, default=1000)
    parser.add_argument("--seconds", type=int, default=15)
    parser.add_argument("--only", default="stream,snapshot,latency,start")
    parser.add_argument("--pg", default="15")
    parser.add_argument("--keep", action="store_true", help="stop after the workload and print how to read it, for a profiler")
    bench = Bench(parser.parse_args())
    try:
        print(f"machine: {machine()}")
        bench.start()
        print(f"PostgreSQL {bench.pg.value('SHOW server_version')} (fsync off), Kafka and registry on the same machine")
        parts = bench.o.only.split(",")
        bench.stream()
        for name, part in (("snapshot", bench.snapshot), ("latency", bench.latency), ("start", bench.start_time)):
            if name in parts:
                part()
    finally:
        bench.stop()


main()
