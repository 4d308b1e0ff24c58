"""bench/run postgres: the stream, the snapshot, the latency and the start of tailrace beside PostgreSQL's own tools.

Every reader of the stream reads the same changes: logical slots are copied from one that was made before the workload, and
rounds are interleaved, so that a ratio compares runs taken minutes apart at most.
"""
import os
import shutil
import subprocess
import time
from pathlib import Path

from common import SERVICES, Bench, deliveries, measure_all, options
from measure import run
from trtest.postgres import Postgres

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


class PostgresBench(Bench):
    def start(self):
        self.start_servers("kafka", "registry", f"pg{self.o.pg}")
        host, port = os.environ[f"TR_TEST_PG_{self.o.pg}"].split(":")
        root = Postgres(host, int(port))
        root.fresh_database("bench")
        self.pg, self.host, self.port = root.database("bench"), host, port
        self.bin = subprocess.run([SERVICES / "postgres", "bin", self.o.pg], check=True, capture_output=True, text=True).stdout.strip()
        root.psql("ALTER SYSTEM SET max_replication_slots = 40; ALTER SYSTEM SET max_wal_size = '16GB'")
        subprocess.run([SERVICES / "postgres", "stop", self.dir / "servers" / f"pg{self.o.pg}"], check=True)
        subprocess.run([SERVICES / "postgres", "start", self.dir / "servers" / f"pg{self.o.pg}", port, self.o.pg], check=True)

    def tool(self, name):
        return str(Path(self.bin) / name)

    def config(self, sink, *more):
        """A new pipeline each time: own name, own state."""
        name = self.next_name()
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
        result = self.once(arguments)
        self.drop(slot)
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
        runs = {n: [] for n in ("pg_recvlogical to a file", "tailrace to Kafka, Avro", "the same, at least once", "tailrace to files, Avro", "tailrace, null sink", "kcat, as many bytes")}
        self.tailrace(f"kafka://{self.broker}")  # the brokers' first transactions cost a second and more
        names = {"exactly_once": "tailrace to Kafka, Avro", "at_least_once": "the same, at least once"}
        for number in range(o.rounds):
            runs["pg_recvlogical to a file"].append(self.recvlogical())
            for delivery in deliveries(number):
                runs[names[delivery]].append(self.tailrace(f"kafka://{self.broker}", f"--delivery={delivery}"))
            files = self.dir / "files"
            runs["tailrace to files, Avro"].append(self.tailrace(f"file:{files}"))
            record = sum(f.stat().st_size for f in files.iterdir()) // o.events
            shutil.rmtree(files)
            runs["tailrace, null sink"].append(self.tailrace("null:"))
            runs["kcat, as many bytes"].append(self.kcat(o.events, record))
        self.print_stream(runs, "pg_recvlogical to a file",
                          f"stream: {o.events} changes, {self.raw_bytes / 2**20:.0f} MiB of pgoutput, medians of {o.rounds}")
        self.print_cost(runs["tailrace to Kafka, Avro"], runs["the same, at least once"])

    def snapshot(self):
        rows = int(self.pg.value("SELECT count(*) FROM t"))
        runs = {n: [] for n in ("psql \\copy to a file", "tailrace to Kafka, Avro", "tailrace, null sink")}
        for _ in range(self.o.rounds):
            runs["psql \\copy to a file"].append(self.copy())
            for sink, into in ((f"kafka://{self.broker}", "tailrace to Kafka, Avro"), ("null:", "tailrace, null sink")):
                name, arguments = self.config(sink, "--set", "snapshot.mode=only")
                runs[into].append(self.once(arguments))
                self.pg.psql(f"SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots WHERE slot_name = 'tailrace_{name}'")
        self.print_snapshot(runs, rows, "psql \\copy to a file", "/COPY")

    def beat(self):
        script = self.dir / "beat.sql"
        script.write_text("INSERT INTO beat SELECT nextval('beat_id'), extract(epoch FROM clock_timestamp());\n")
        self.pg.psql("CREATE SEQUENCE IF NOT EXISTS beat_id")
        subprocess.run([self.tool("pgbench"), "-n", "-f", str(script), "-R", str(self.o.rate), "-T", str(self.o.seconds), "-c", "2",
                        "-h", self.host, "-p", self.port, "-U", "postgres", "bench"], check=True, capture_output=True)

    def latency(self):
        def measure(delivery):
            self.pg.psql("DROP TABLE IF EXISTS beat; DROP SEQUENCE IF EXISTS beat_id; CREATE TABLE beat (id bigint PRIMARY KEY, at double precision)")
            self.pg.psql("ALTER PUBLICATION bench ADD TABLE beat")
            name, arguments = self.config(f"kafka://{self.broker}", "--set", "source.tables=[public.beat]", "--set", "events.format=json",
                                          "--set", "snapshot.mode=never", f"--delivery={delivery}")
            return self.latency_of(f"{name}.public.beat", [a for a in arguments if a != "--tables=public.t"], self.beat)
        self.measure_latency(measure)

    def start_time(self):
        """From exec to the first event at a consumer, for a table of one row."""
        self.pg.psql("DROP TABLE IF EXISTS one; CREATE TABLE one (id int PRIMARY KEY); INSERT INTO one VALUES (1)")
        times = []
        for _ in range(self.o.rounds):
            name, arguments = self.config("stdout", "--set", "source.tables=[public.one]", "--set", "source.publication=")
            times.append(self.time_to_first_line([a for a in arguments if a != "--tables=public.t"]))
            self.pg.psql(f"SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots WHERE slot_name = 'tailrace_{name}'")
        self.print_start(times, "publication, slot, snapshot of one row")


measure_all(PostgresBench(options(("--pg", "15"))),
            lambda b: f"PostgreSQL {b.pg.value('SHOW server_version')} (fsync off), Kafka and registry on the same machine")
