"""What the benchmarks of all databases share: servers, runs of tailrace, kcat, a consumer, the tables that are printed."""
import argparse
import json
import multiprocessing
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
import uuid
from pathlib import Path

from confluent_kafka import Consumer, Producer
from confluent_kafka.admin import AdminClient, NewTopic
from measure import machine, middle, run, table

ROOT = Path(__file__).resolve().parent.parent
SERVICES = ROOT / "tests" / "services"


class Bench:
    def __init__(self, options):
        self.o = options
        self.dir = Path(tempfile.mkdtemp(prefix="tailrace-bench-"))
        os.chmod(self.dir, 0o755)
        self.binary = str(Path(options.binary).resolve())
        self.count = 0

    def start_servers(self, *names):
        out = subprocess.run([SERVICES / "all", "start", self.dir / "servers", *names], check=True, capture_output=True, text=True)
        for line in out.stdout.splitlines():
            key, value = line.removeprefix("export ").split("=", 1)
            os.environ[key] = value
        self.broker, self.registry = os.environ["TR_TEST_KAFKA"], os.environ["TR_TEST_REGISTRY"]

    def stop(self):
        subprocess.run([SERVICES / "all", "stop", self.dir / "servers"], check=False)
        shutil.rmtree(self.dir, ignore_errors=True)

    def next_name(self):
        self.count += 1
        return f"bench_{self.count}_{uuid.uuid4().hex[:6]}"

    def once(self, arguments):
        """A whole run of the program, which has to succeed."""
        with open(self.dir / "tailrace.log", "w") as log:
            result = run([self.binary, "run", "--once", *arguments], stderr=log)
        if result.status != 0:
            sys.exit(f"tailrace ended with {result.status}:\n{(self.dir / 'tailrace.log').read_text()[-3000:]}")
        return result

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

    def print_stream(self, runs, floor_name, title):
        """runs: {name: [Run]}; the first column of ratios is to the run named."""
        floor = middle(runs[floor_name]).wall
        rows = []
        for name, values in runs.items():
            m = middle(values)
            rows.append([name, f"{m.wall:.2f}", f"{min(v.wall for v in values):.2f}-{max(v.wall for v in values):.2f}",
                         f"{m.wall / floor:.2f}", f"{m.cpu / self.o.events * 1e6:.2f}", f"{m.system / self.o.events * 1e6:.2f}",
                         f"{m.rss / 2**20:.0f}", f"{self.o.events / m.wall / 1000:.0f}k"])
        table(title, ["", "wall s", "min-max", f"/{floor_name.split()[0].removeprefix('pg_')}", "cpu s/1M", "sys s/1M", "RSS MiB", "events/s"], rows)

    def print_cost(self, once, twice):
        """once, twice: the runs of both deliveries."""
        once, twice = middle(once), middle(twice)
        print(f"  exactly once: {once.wall / twice.wall:.2f} of the time of at least once, {once.cpu / twice.cpu:.2f} of its CPU")

    def print_snapshot(self, runs, rows, floor_name, column):
        floor = middle(runs[floor_name]).wall
        table(f"snapshot: {rows} rows, medians of {self.o.rounds}", ["", "wall s", column, "cpu s/1M", "RSS MiB", "rows/s"],
              [[n, f"{m.wall:.2f}", f"{m.wall / floor:.2f}", f"{m.cpu / rows * 1e6:.2f}", f"{m.rss / 2**20:.0f}", f"{rows / m.wall / 1000:.0f}k"]
               for n, m in ((name, middle(values)) for name, values in runs.items())])

    def begin_consumer(self, topic, seen, stop):
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

    def save_ms(self, port):
        """How long a save took in the mean (exactly once: the commit of a transaction), and how many there were."""
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=5) as page:
            values = dict(line.rsplit(" ", 1) for line in page.read().decode().splitlines() if not line.startswith("#"))
        of = lambda name: sum(float(v) for k, v in values.items() if k.split("{")[0] == name)
        saves = of("tailrace_saves_total")
        return of("tailrace_save_seconds_total") / max(1, saves) * 1000, saves

    def delays(self, topic, write):
        """How long rows took from write() to the consumer, in order; each carries its own time (at)."""
        delays, stop, rate = [], threading.Event(), self.o.rate

        def seen(message, now):
            after = json.loads(message.value())["after"]
            if after and after["id"] > rate:        # the first second warms up
                delays.append(now - after["at"])
        thread = self.begin_consumer(topic, seen, stop)
        time.sleep(3)
        write()
        time.sleep(2)
        stop.set()
        thread.join()
        return sorted(delays)

    def latency_of(self, topic, arguments, write):
        """Commits at a steady rate by write(); each row carries its commit time as closely as SQL can know it. The consumer
        reads committed records only."""
        log = open(self.dir / "latency.log", "w")
        with socket.socket() as s:
            s.bind(("127.0.0.1", 0))
            port = s.getsockname()[1]
        service = subprocess.Popen([self.binary, "run", *arguments, "--set", f"http.listen=127.0.0.1:{port}"], stderr=log)
        delays = self.delays(topic, write)
        save_ms, saves = self.save_ms(port)
        service.terminate()
        service.wait()
        if not delays:
            sys.exit("no event arrived: " + (self.dir / "latency.log").read_text()[-2000:])
        return [*quantiles(delays), f"{save_ms:.1f}", f"{saves:.0f}"]

    def latency_of_broker(self):
        """The floor: a producer writes as many records at that rate, with neither database nor tailrace."""
        topic = f"beat-{uuid.uuid4().hex[:8]}"
        admin = AdminClient({"bootstrap.servers": self.broker})
        admin.create_topics([NewTopic(topic, 1, 1)])[topic].result()

        def write():
            child = multiprocessing.Process(target=produce_steadily, args=(self.broker, topic, self.o.rate, self.o.seconds))
            child.start()
            child.join()
        return [*quantiles(self.delays(topic, write)), "-", "-"]

    def measure_latency(self, measure):
        """measure(delivery): latency_of() with a pipeline and a table of its own."""
        table(f"latency: commit to consumer at {self.o.rate} transactions/s for {self.o.seconds} s",
              ["", "events", "p50 ms", "p90 ms", "p99 ms", "p99.9 ms", "max ms", "save ms", "saves"],
              [["a producer alone to Kafka", *self.latency_of_broker()],
               *([f"tailrace to Kafka, {d.replace('_', ' ')}", *measure(d)] for d in ("at_least_once", "exactly_once"))])

    def time_to_first_line(self, arguments):
        begin = time.monotonic()
        service = subprocess.Popen([self.binary, "run", *arguments], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        service.stdout.readline()
        took = time.monotonic() - begin
        service.terminate()
        service.wait()
        return took

    def print_start(self, times, what):
        table(f"start: exec to first event ({what})", ["", "median s", "max s"],
              [["tailrace to stdout", f"{sorted(times)[len(times) // 2]:.3f}", f"{max(times):.3f}"]])


def deliveries(number):
    """Both, in the order of that round: neither is always the one behind a load of writes."""
    both = ("exactly_once", "at_least_once")
    return both if number % 2 == 0 else both[::-1]


def quantiles(delays):
    return [str(len(delays)), *(f"{delays[min(len(delays) - 1, int(q * len(delays)))] * 1000:.1f}" for q in (.5, .9, .99, .999, 1))]


def produce_steadily(broker, topic, rate, seconds):
    producer = Producer({"bootstrap.servers": broker, "linger.ms": 0, "enable.idempotence": True})
    begin = time.monotonic()
    for i in range(rate * seconds):
        time.sleep(max(0, begin + i / rate - time.monotonic()))
        producer.produce(topic, json.dumps({"after": {"id": i + 1, "at": time.time()}}))
        producer.poll(0)
    producer.flush()


def options(version):
    """version: (option, default) that chooses the database server."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--binary", required=True)
    parser.add_argument("--events", type=int, default=2_000_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--rate", type=int, default=1000)
    parser.add_argument("--seconds", type=int, default=15)
    parser.add_argument("--only", default="stream,snapshot,latency,start")
    parser.add_argument(version[0], default=version[1])
    parser.add_argument("--keep", action="store_true", help="stop after the workload and print how to read it, for a profiler")
    return parser.parse_args()


def measure_all(bench, about):
    """All parts that were asked for; the stream is always read, since its table is the snapshot's."""
    try:
        print(f"machine: {machine()}")
        bench.start()
        print(about(bench))
        parts = bench.o.only.split(",")
        bench.stream()
        for name, part in (("snapshot", bench.snapshot), ("latency", bench.latency), ("start", bench.start_time)):
            if name in parts:
                part()
    finally:
        bench.stop()
