# Copyright the tailrace authors. SPDX-License-Identifier: Apache-2.0
"""What the tests of faults and scenarios start from: a folder, a database, topics of their own, and a job.

A job is a configuration and the program run with it. Nothing of what a test makes outlives it.
"""
import hashlib
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import time
import unittest
from pathlib import Path

from . import servers
from .kafka import Kafka
from .mysql import MySql
from .own import port_pair
from .postgres import Postgres, SqlError
from .program import ProgramError, Tailrace, find_binary
from .records import read_records, topics_of
from .registry import Registry
from .replay import replay_differences

# In a row and in a password: what no log, message or status may show.
ROW_SECRET = "row-c0ffee-secret"
PASSWORD = "pass-c0ffee-secret"
CLI_ERROR = re.compile(r"^error: (?P<text>.*) \((?P<code>TR\d+) (?P<symbol>\w+)\)$", re.MULTILINE)


class Failure:
    """The error a run ended with, from the log's last entry that has a code, or from the command line's three lines."""

    def __init__(self, output):
        self.code = self.symbol = self.text = self.detail = self.hint = ""
        entries = [json.loads(line) for line in output.splitlines() if line.startswith("{") and '"code":' in line]
        printed = list(CLI_ERROR.finditer(output))
        if printed:
            self.code, self.symbol, self.text = (printed[-1][g] for g in ("code", "symbol", "text"))
            after = output[printed[-1].end():]
            self.detail, self.hint = (self.line(after, name) for name in ("detail", "hint"))
        elif entries:
            last = entries[-1]
            self.code, self.symbol, self.text = last["code"], last["error"], last["message"]
            self.detail, self.hint = last.get("detail", ""), last.get("hint", "")

    @staticmethod
    def line(text, name):
        found = re.search(rf"^  {name}: (.*)$", text, re.MULTILINE)
        return found[1] if found else ""

    def __str__(self):
        return f"{self.code} {self.symbol}: {self.text}\n  detail: {self.detail}\n  hint: {self.hint}"


class Ended:
    def __init__(self, code, out, err, seconds):
        self.code, self.out, self.err, self.seconds = code, out, err, seconds
        self.failure = Failure(err)


class Job:
    def __init__(self, folder, config, environment=None, http=None):
        self.folder, self.http = Path(folder), http
        self.binary = find_binary()
        self.environment = environment or {}
        self.file = self.folder / "tailrace.yaml"
        self.log = self.folder / "tailrace.log"
        self.write(config)

    def write(self, config):
        """JSON is YAML. A text is written as it is."""
        self.config = config
        self.file.write_text(config if isinstance(config, str) else json.dumps(config, indent=2), encoding="utf-8")

    def command(self, *arguments, timeout=120, environment=None):
        """Any command with this job's configuration, to its end."""
        env = dict(os.environ, **self.environment, **(environment or {}))
        words = [self.binary, arguments[0], *(["-c", str(self.file)] if arguments[0] != "version" else []), *arguments[1:]]
        begin = time.monotonic()
        try:
            done = subprocess.run(words, stdin=subprocess.DEVNULL, capture_output=True, text=True, errors="replace", timeout=timeout, env=env)
        except subprocess.TimeoutExpired as e:
            shown = (e.stderr or b"").decode("utf-8", "replace")[-3000:]
            raise ProgramError(f"{' '.join(words[1:])} had not ended after {timeout} s:\n{shown}") from None
        with open(self.log, "a", encoding="utf-8") as log:
            log.write(done.stderr)
        return Ended(done.returncode, done.stdout, done.stderr, time.monotonic() - begin)

    def once(self, *arguments, timeout=120, environment=None):
        return self.command("run", "--once", *arguments, timeout=timeout, environment=environment)

    def background(self, *arguments, environment=None):
        return Tailrace(self.binary, self.file, self.http, self.log, arguments, dict(self.environment, **(environment or {})))

    def other(self, **sections):
        """Another instance of the same pipeline, with a folder and an address of its own; `sections` replace the configuration's."""
        folder = self.folder / "other"
        folder.mkdir()
        listen = f"127.0.0.1:{servers.free_port()}"
        return Job(folder, self.config | {"http": {"listen": listen}} | sections, self.environment, listen)

    def other_with_own_state(self):
        return self.other(state={"url": f"file:{self.folder / 'other'}"})

    def stored(self):
        """The stored record, or None."""
        done = self.command("offsets", "export")
        if done.code == 64 and "has no stored position" in done.err:
            return None
        if done.code:
            raise ProgramError(f"offsets export ended with {done.code}: {done.err}")
        return json.loads(done.out) if done.out.strip() else None


class Case(unittest.TestCase):
    LIMIT_SECONDS = 240  # for one test; ends it with its clean-up, which a kill by ctest would not
    PG = "15"
    maxDiff = 2000

    @classmethod
    def shared(cls):
        return Postgres(*servers.postgres(cls.PG))

    def run(self, result=None):
        def expired(*_):
            raise TimeoutError(f"{self.id()} took more than {self.LIMIT_SECONDS} s")
        signal.signal(signal.SIGALRM, expired)
        signal.alarm(self.LIMIT_SECONDS)
        try:
            return super().run(result)
        finally:
            signal.alarm(0)

    def setUp(self):
        self.tag = "t" + hashlib.sha256(f"{self.id()} {os.getpid()}".encode()).hexdigest()[:10]
        self.folder = Path(tempfile.mkdtemp(prefix="tailrace-case-"))
        self.addCleanup(self.leave_folder)
        self.server = None
        self._kafka = self._registry = None

    def leave_folder(self):
        """Kept when KEEP=1 is set, as with ./test."""
        if os.environ.get("KEEP") != "1":
            shutil.rmtree(self.folder, ignore_errors=True)

    # -- servers --------------------------------------------------------------------------------------------------------

    def database(self, sql="", server=None):
        """A fresh database; `sql` is run in it."""
        self.server = server or self.shared()
        database = self.server.fresh_database(self.tag)
        self.addCleanup(self.forget_database)
        if sql:
            database.psql(sql)
        return database

    def forget_database(self):
        try:
            self.server.drop_database(self.tag)
        except SqlError:
            pass  # a server of the test's own may be gone

    @property
    def kafka(self):
        if not self._kafka:
            self._kafka = Kafka(servers.kafka())
            self.addCleanup(self._kafka.close)
            self.addCleanup(self.forget_topics)
        return self._kafka

    def forget_topics(self):
        try:
            self._kafka.delete(topics_of(self.tag))
        except Exception as e:  # noqa: BLE001: the test's own outcome matters more
            print(f"cannot delete topics: {e}")

    @property
    def registry(self):
        if not self._registry:
            self._registry = Registry(servers.registry())
        return self._registry

    def silent_port(self):
        """A port like that of a machine that is gone: it refuses nothing and answers nothing. Here its queue is full."""
        peer = socket.socket()
        self.addCleanup(peer.close)
        peer.bind(("127.0.0.1", port_pair()))
        peer.listen(0)
        for _ in range(4):
            waiting = socket.socket()
            self.addCleanup(waiting.close)
            waiting.setblocking(False)
            waiting.connect_ex(peer.getsockname())
        return peer.getsockname()[1]

    # -- jobs -----------------------------------------------------------------------------------------------------------

    def config(self, database, sink=None, **more):
        """A configuration as a dictionary; `more` holds sections, merged one level deep. Retries are short."""
        if isinstance(sink, dict):
            more, sink = {**more, "sink": sink}, None
        http = f"127.0.0.1:{port_pair()}"
        config = {
            "name": self.tag,
            "source": {"url": getattr(database, "url", database), "connect_timeout": "2s", "retry_delay_max": "500ms",
                       "retry_for": "3s", "status_interval": "200ms"},
            "events": {},
            "sink": {"url": sink or f"file:{self.folder / 'out'}"},
            "state": {"url": f"file:{self.folder / 'state'}", "interval": "50ms"},
            "delivery": "at_least_once",
            "http": {"listen": http},
        }
        for section, values in more.items():
            config[section] = {**config.get(section, {}), **values} if isinstance(values, dict) else values
        return config

    def job(self, config, environment=None):
        http = config.get("http", {}).get("listen") if isinstance(config, dict) else None
        return Job(self.folder, config, environment, http)

    def file_job(self, database, **more):
        return self.job(self.config(database, **more))

    def kafka_job(self, database, environment=None, **more):
        """Avro to the shared Kafka cluster, or the one named in `sink`."""
        events = {"registry": {"url": self.registry.url}, **more.pop("events", {})}
        sink = {"url": f"kafka://{self.kafka.bootstrap}", **more.pop("sink", {})}
        more.setdefault("delivery", "at_least_once")
        return self.job(self.config(database, events=events, sink=sink, **more), environment)

    def records(self, kafka=None):
        return read_records(kafka or self.kafka, self.registry, topics_of(self.tag))

    # -- what is asserted -----------------------------------------------------------------------------------------------

    def assert_discreet(self, *texts):
        for text in texts:
            for secret in (ROW_SECRET, PASSWORD):
                self.assertNotIn(secret, text, "a secret is shown")

    def assert_steady(self, program, sql):
        """Rows of t (id, s) that come fast enough for several a batch, too slowly to fill any, and never with a pause."""
        begin = time.monotonic()
        sql("\n".join(f"INSERT INTO t VALUES ({i}, REPEAT('x', 200));" for i in range(8000)))
        took = time.monotonic() - begin
        self.assertGreater(program.metric("tailrace_batches_total"), took * 50)
        self.assertEqual(program.terminate(), 0)

    def assert_fails(self, ended, exit_code, code, text=(), hint=(), detail=()):
        """Exit code, catalogue number, and pieces of what a person reads; nothing that nobody may read."""
        shown = f"ended with {ended.code}\n{ended.failure}\n--- output ---\n{ended.err[-3000:]}"
        self.assertNotIn("Sanitizer", ended.err, shown)
        self.assertEqual((ended.code, ended.failure.code), (exit_code, code), shown)
        for name, pieces in (("text", text), ("hint", hint), ("detail", detail)):
            for piece in [pieces] if isinstance(pieces, str) else pieces:
                self.assertIn(piece, getattr(ended.failure, name), shown)
        self.assertTrue(ended.failure.hint, f"no hint says what to do next: {shown}")
        self.assert_discreet(ended.out, ended.err)

    def assert_ok(self, ended):
        self.assertEqual(ended.code, 0, f"ended with {ended.code}\n{ended.failure}\n--- output ---\n{ended.err[-3000:]}")
        self.assert_discreet(ended.err)


class MySqlCase(Case):
    """On a server of tests/services/all: mysql97, maria1011, maria118. The captured tables are those of the test's database."""
    SERVER = "mysql97"

    @classmethod
    def shared(cls):
        return MySql(*servers.mysql(cls.SERVER))

    def config(self, database, sink=None, **more):
        config = super().config(database, sink, **more)
        # Numbers of replicas are unique on a server.
        config["source"].setdefault("server_id", 1000 + int(self.tag[1:8], 16) % 1_000_000_000)
        config["source"].setdefault("tables", [f"{self.tag}.*"])
        return config

    def values(self, table):
        """The events of a table's topic, without tombstones."""
        topic = f"{self.tag}.{self.tag}.{table}"
        return [r["value"] for r in self.records() if r["topic"] == topic and isinstance(r["value"], dict)]

    def same(self, *tables, keys=("id",)):
        """Replay = table."""
        records = self.records()
        for table in tables:
            own = [r for r in records if r["topic"] == f"{self.tag}.{self.tag}.{table}"]
            self.assertEqual(replay_differences(own, self.db, table, list(keys))[:5], [], table)


def eventually(condition, seconds=60, every=0.1, what="it"):
    """The condition's first true value."""
    deadline = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > deadline:
            raise TimeoutError(f"{what} did not come about within {seconds} s")
        time.sleep(every)


def main():
    """Skipped altogether (77) when a server's address is missing: see servers.address."""
    unittest.main(module="__main__", verbosity=2)
