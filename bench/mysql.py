"""bench/run mysql: the stream, the snapshot, the latency and the start of tailrace beside the server's own tools.

Every reader of the stream reads the same changes: tailrace starts from a position that was stored before the workload (its state
is copied for each run), mysqlbinlog from the log file that was begun there. Rounds are interleaved, so that a ratio compares
runs taken minutes apart at most.
"""
import shutil
import subprocess
import time
from pathlib import Path

from common import SERVICES, Bench, deliveries, measure_all, options
from measure import middle, run
from trtest import servers
from trtest.mysql import MySql
from trtest.own import OwnMySql

TABLE = """CREATE TABLE t (id bigint PRIMARY KEY, account int NOT NULL, name text NOT NULL, email varchar(80),
  amount decimal(12,2) NOT NULL, balance double, active boolean NOT NULL, born date,
  created datetime(3) NOT NULL, updated timestamp(6) NOT NULL)"""
ROW = """g, (g * 7919) % 100000, CONCAT('customer number ', g), CONCAT('user', g, '@example.org'), (g % 1000000) / 100.0,
  g * 0.25, g % 3 = 0, DATE '1970-01-01' + INTERVAL (g % 18000) DAY, TIMESTAMP '2024-01-01 00:00:00' + INTERVAL g SECOND, NOW(6)"""
WORKLOAD = """DELIMITER //
CREATE PROCEDURE workload(events bigint)
BEGIN
  DECLARE i, half bigint;
  SET half = events DIV 2, i = 0;
  WHILE i < half DO
    INSERT INTO t SELECT %s FROM (SELECT i + n AS g FROM hundred) s;
    SET i = i + 100;
  END WHILE;
  SET i = 0;
  WHILE i < half DO
    UPDATE t SET amount = amount + 1, updated = NOW(6), name = CONCAT(name, '.') WHERE id BETWEEN i + 1 AND i + 100;
    SET i = i + 100;
  END WHILE;
END//
DELIMITER ;
CREATE TABLE hundred (n int PRIMARY KEY);
INSERT INTO hundred WITH RECURSIVE r (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM r WHERE n < 100) SELECT n FROM r;""" % ROW
SETTINGS = ("innodb-buffer-pool-size=1G", "max-binlog-size=256M")


class MySqlBench(Bench):
    def start(self):
        self.start_servers("kafka", "registry", self.o.server)
        host, port, kind = servers.mysql(self.o.server)
        folder, (_, version) = self.dir / "servers" / self.o.server, OwnMySql.VERSIONS[self.o.server]
        subprocess.run([SERVICES / kind, "stop", folder], check=True)
        subprocess.run([SERVICES / kind, "start", folder, str(port), version, *SETTINGS], check=True)
        self.db = MySql(host, port, kind).fresh_database("bench")
        bin_dir = subprocess.run([SERVICES / kind, "bin", version], check=True, capture_output=True, text=True).stdout.strip()
        # Debian keeps mariadb-binlog apart from the server; MySQL's own program reads MySQL's log only.
        choices = [Path(bin_dir) / n for n in ("mysqlbinlog", "mariadb-binlog")] + [Path("/usr/bin/mariadb-binlog")]
        self.binlog = next((str(p) for p in choices if p.exists() and ("mysql" in p.name) == (kind == "mysql")), None)
        if not self.binlog:
            raise SystemExit("needs mariadb-binlog: apt-get install mariadb-client")

    def config(self, sink, name, *more, tables="bench.t"):
        return [f"--source={self.db.url}", f"--name={name}", f"--sink={sink}", f"--tables={tables}", "--set", "http.listen=",
                "--set", f"events.registry.url={self.registry}", "--set", "events.schema_changes=false",
                "--set", f"source.server_id={100 + self.count}", *more]

    def from_the_begin(self, sink, *more):
        """The position before the workload, each time for a pipeline of its own: exactly once, Kafka remembers how far it came."""
        name = self.next_name()
        state = f"state.url=file:{self.dir / name}"
        subprocess.run([self.binary, "offsets", "set", "-", "--yes", "--name", name, "--set", state], input=self.position, check=True,
                       capture_output=True, text=True)
        return self.config(sink, name, "--set", state, "--set", "snapshot.mode=never", *more)

    def raw(self):
        folder = self.dir / "raw"
        folder.mkdir()
        result = run([self.binlog, "--no-defaults", "--raw", "--read-from-remote-server", "--to-last-log", f"--host={self.db.host}",
                      f"--port={self.db.port}", "--user=root", f"--result-file={folder}/", self.first_log])
        if result.status != 0:
            raise SystemExit(f"{self.binlog} ended with {result.status}")
        self.raw_bytes = sum(p.stat().st_size for p in folder.iterdir())
        shutil.rmtree(folder)
        return result

    def select(self):
        with open(self.dir / "select", "wb") as out:
            return run(self.db.words("SELECT * FROM t") + ["--quick", "--batch", "--raw"], stdout=out)

    def stream(self):
        o = self.o
        self.db.sql(TABLE)
        self.db.sql(WORKLOAD)
        self.db.rotate()
        name = self.next_name()
        state = f"state.url=file:{self.dir / name}"
        self.once(self.config("null:", name, "--set", state, "--set", "snapshot.mode=never"))
        self.position = subprocess.run([self.binary, "offsets", "export", "--name", name, "--set", state], check=True,
                                       capture_output=True, text=True).stdout
        self.first_log = self.db.logs()[-1]
        begin = time.monotonic()
        self.db.sql(f"CALL workload({o.events})")
        print(f"workload: {o.events // 2} inserts and {o.events // 2} updates of 10 columns in transactions of 100, "
              f"{time.monotonic() - begin:.0f} s")
        if o.keep:
            print(f"kafka://{self.broker}\n" + " ".join([self.binary, "run", "--once", *self.from_the_begin("null:")]), flush=True)
            input("Enter ends: ")
            return
        tool = Path(self.binlog).name
        names = (f"{tool} --raw to files", "tailrace to Kafka, Avro", "tailrace to files, Avro", "tailrace, null sink", "kcat, as many bytes",
                 "tailrace to Kafka, at least once")
        runs = {n: [] for n in names}
        self.once(self.from_the_begin(f"kafka://{self.broker}"))  # the brokers' first transactions cost a second and more
        for number in range(o.rounds):
            runs[names[0]].append(self.raw())
            for delivery in deliveries(number):
                name = names[1] if delivery == "exactly_once" else names[5]
                runs[name].append(self.once(self.from_the_begin(f"kafka://{self.broker}", f"--delivery={delivery}")))
            files = self.dir / "files"
            runs[names[2]].append(self.once(self.from_the_begin(f"file:{files}")))
            record = sum(f.stat().st_size for f in files.iterdir()) // o.events
            shutil.rmtree(files)
            runs[names[3]].append(self.once(self.from_the_begin("null:")))
            runs[names[4]].append(self.kcat(o.events, record))
        self.print_stream(runs, names[0], f"stream: {o.events} changes, {self.raw_bytes / 2**20:.0f} MiB of binary log, medians of {o.rounds}")
        self.print_cost(runs[names[1]], runs[names[5]])
        kafka, null = middle(runs[names[1]]), middle(runs[names[3]])
        both = middle(runs[names[0]]).wall + middle(runs[names[4]]).wall
        print(f"  to Kafka: {kafka.wall / both:.2f} of {tool} and kcat one after the other; null sink: {o.events / null.cpu / 1000:.0f}k events per CPU second")

    def snapshot(self):
        rows = int(self.db.value("SELECT count(*) FROM t"))
        names = ("SELECT by mariadb --quick", "tailrace to Kafka, Avro", "tailrace, null sink")
        runs = {n: [] for n in names}
        for _ in range(self.o.rounds):
            runs[names[0]].append(self.select())
            for sink, into in ((f"kafka://{self.broker}", names[1]), ("null:", names[2])):
                name = self.next_name()
                runs[into].append(self.once(self.config(sink, name, "--set", f"state.url=file:{self.dir / name}", "--set", "snapshot.mode=only")))
        self.print_snapshot(runs, rows, names[0], "/SELECT")

    def beat(self):
        """One client at the rate asked for; it says when it falls behind by sending late, which the rows' own times do not hide."""
        begin = time.monotonic()
        with subprocess.Popen(self.db.command("--unbuffered", "--batch"), stdin=subprocess.PIPE, text=True) as client:
            for i in range(self.o.rate * self.o.seconds):
                time.sleep(max(0, begin + i / self.o.rate - time.monotonic()))
                client.stdin.write(f"INSERT INTO beat VALUES ({i + 1}, UNIX_TIMESTAMP(SYSDATE(6)));\n")
                client.stdin.flush()
            client.stdin.close()

    def latency(self):
        def measure(delivery):
            self.db.sql("DROP TABLE IF EXISTS beat; CREATE TABLE beat (id bigint PRIMARY KEY, at double)")
            name = self.next_name()
            arguments = self.config(f"kafka://{self.broker}", name, "--set", "events.format=json", "--set", "snapshot.mode=never",
                                    "--set", f"state.url=file:{self.dir / name}", f"--delivery={delivery}", tables="bench.beat")
            return self.latency_of(f"{name}.bench.beat", arguments, self.beat)
        self.measure_latency(measure)

    def start_time(self):
        """From exec to the first event at a consumer, for a table of one row."""
        self.db.sql("DROP TABLE IF EXISTS one; CREATE TABLE one (id int PRIMARY KEY); INSERT INTO one VALUES (1)")
        times = []
        for _ in range(self.o.rounds):
            name = self.next_name()
            times.append(self.time_to_first_line(self.config("stdout", name, "--set", f"state.url=file:{self.dir / name}", tables="bench.one")))
        self.print_start(times, "snapshot of one row")


measure_all(MySqlBench(options(("--server", "mysql97"))),
            lambda b: f"{b.db.kind} {b.db.value('SELECT VERSION()')} (log not flushed at commit), Kafka and registry on the same machine")
