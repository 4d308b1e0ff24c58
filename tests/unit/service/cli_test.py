#!/usr/bin/env python3
# Copyright the tailrace authors. SPDX-License-Identifier: Apache-2.0
"""The command line as a user meets it: exit statuses, messages, generated pages. No server is needed."""
import json
import os
import pathlib
import random
import signal
import socket
import sqlite3
import subprocess
import sys
import tempfile
import time
import unittest
import urllib.error
import urllib.request
import zlib

BINARY = os.environ.get("TR_TEST_BINARY", "build/dev/tailrace")
ROOT = pathlib.Path(__file__).resolve().parents[3]
COMMANDS = ["run", "check", "lint", "status", "offsets", "tail", "import-debezium", "version"]
MINIMAL = "source: {url: postgres://u:hidden-word@127.0.0.1:1/shop}\nsink: {url: stdout}\n"


def run(*args, cwd=None, stdin=None, env=None):
    return subprocess.run([BINARY, *args], capture_output=True, text=True, timeout=60, cwd=cwd, input=stdin,
                          env=dict(os.environ, **(env or {})))


def free_port():
    """Below the range of outgoing connections, one of which could take it before the program does."""
    for _ in range(100):
        port = 12000 + random.randrange(20000)
        with socket.socket() as s:
            try:
                s.bind(("127.0.0.1", port))
                return port
            except OSError:
                continue
    raise AssertionError("no free port")


class Cli(unittest.TestCase):
    def setUp(self):
        self.dir = tempfile.TemporaryDirectory()
        self.addCleanup(self.dir.cleanup)

    def file(self, text, name="t.yaml"):
        path = pathlib.Path(self.dir.name) / name
        path.write_text(text, encoding="utf-8")
        return str(path)

    def state(self):
        return f"file:{self.dir.name}/state"

    def expect(self, code, *args, **more):
        done = run(*args, **more)
        self.assertEqual(done.returncode, code, f"{args}\n{done.stdout}\n{done.stderr}")
        return done


class Usage(Cli):
    def test_no_command(self):
        self.assertIn("Commands:", self.expect(64).stderr)

    def test_unknown_command_suggests(self):
        self.assertIn('Did you mean "version"', self.expect(64, "vesion").stderr)

    def test_unknown_option_suggests(self):
        self.assertIn('Did you mean "--once"', self.expect(64, "run", "--onse").stderr)
        self.assertIn("unknown option", self.expect(64, "version", "--once").stderr)

    def test_missing_values_and_arguments(self):
        self.expect(64, "run", "-c")
        self.expect(64, "run", "--set", "nothing")
        self.expect(64, "offsets")
        self.expect(64, "import-debezium")
        self.expect(64, "version", "more")
        self.expect(64, "offsets", "move", "--source", "postgres://h/d", "--sink", "stdout", "--state", self.state())

    def test_help_of_every_command_has_an_example(self):
        self.assertIn("Commands:", self.expect(0, "--help").stdout)
        for command in COMMANDS:
            text = self.expect(0, command, "--help").stdout
            self.assertIn("Example:", text)
            self.assertIn(f"tailrace {command}", text)
            self.assertNotIn("\x1b", text)

    def test_help_lists_the_keys_that_the_command_uses(self):
        tail = self.expect(0, "tail", "--help").stdout
        for key in ("sink.url", "events.registry.user", "name, --name"):
            self.assertIn(key, tail)
        for key in ("snapshot.mode", "limits.batch", "log.level"):
            self.assertNotIn(key, tail)
        every = json.loads("[" + ",".join(f'"{line.split("`")[1]}"' for line in self.expect(0, "docs", "options").stdout.splitlines()
                                           if line.startswith("| `")) + "]")
        run = self.expect(0, "run", "--help").stdout
        self.assertGreater(len(every), 80)
        self.assertEqual([key for key in every if key not in run], [])
        self.assertLess(len(run.splitlines()), 80)

    def test_version(self):
        facts = json.loads(self.expect(0, "version", "--json").stdout)
        self.assertRegex(facts["version"], r"^\d+\.\d+\.\d+$")
        for library in ("libpq", "librdkafka", "sqlite", "libyaml"):
            self.assertIn(library, facts["libraries"])
        self.assertIn("tailrace " + facts["version"], self.expect(0, "--version").stdout)

    def test_reader_that_goes_away(self):
        reading, writing = os.pipe()
        os.close(reading)
        with os.fdopen(writing, "wb") as gone:
            done = subprocess.run([BINARY, "version"], stdout=gone, stderr=subprocess.PIPE, timeout=20)
        self.assertEqual((done.returncode, done.stderr), (141, b""))

    def test_full_output_is_an_error(self):
        with open("/dev/full", "w") as full:
            done = subprocess.run([BINARY, "version"], stdout=full, stderr=subprocess.PIPE, text=True, timeout=60)
        self.assertEqual(done.returncode, 70)


class Configuration(Cli):
    def test_nothing_given(self):
        self.assertIn("source.url is missing", self.expect(78, "run", cwd=self.dir.name).stderr)

    def test_a_user_is_no_name(self):
        done = self.expect(78, "lint", "--source", "mysql://cdc@h/", "--sink", "stdout")
        self.assertIn("name is missing", done.stdout + done.stderr)
        self.expect(0, "lint", "--source", "mysql://cdc@h/", "--sink", "stdout", "--name", "shop")
        done = self.expect(0, "check", "--no-environment", "--source", "mysql://cdc@h/stock", "--sink", "stdout")
        self.assertIn("stock.", done.stdout)

    def test_missing_file(self):
        self.assertIn("could not open", self.expect(78, "run", "-c", "/no/such/file").stderr)

    def test_unknown_key_has_place_and_suggestion(self):
        done = self.expect(78, "run", "-c", self.file("source:\n  url: postgres://h/d\n  tabels: [a]\n"))
        self.assertIn("t.yaml:3:3: unknown key \"source.tabels\"", done.stderr)
        self.assertIn("source.tables", done.stderr)

    def test_lint(self):
        path = self.file(MINIMAL)
        facts = json.loads(self.expect(0, "lint", "-c", path, "--json").stdout)
        self.assertTrue(facts["ok"])
        facts = json.loads(self.expect(78, "lint", "-c", self.file("a: b\n", "bad.yaml"), "--json").stdout)
        self.assertEqual(facts["findings"][0]["error"], "CONFIG_UNKNOWN_KEY")
        self.expect(0, "lint", "-c", "-", stdin=MINIMAL)

    def test_check_without_environment_hides_passwords(self):
        done = self.expect(0, "check", "-c", self.file(MINIMAL), "--no-environment")
        self.assertIn("tailrace_shop", done.stdout)
        self.assertNotIn("hidden-word", done.stdout + done.stderr)

    def test_check_reports_an_unreachable_source(self):
        done = self.expect(69, "check", "-c", self.file(MINIMAL), "--state", self.state(), "--http", "", "--json")
        layers = {f["layer"] for f in json.loads(done.stdout)["findings"]}
        self.assertEqual(layers, {"file", "plan", "environment"})
        self.assertNotIn("hidden-word", done.stdout + done.stderr)

    def test_default_file_of_the_directory(self):
        self.file(MINIMAL, "tailrace.yaml")
        self.assertIn("tailrace.yaml is valid", self.expect(0, "lint", cwd=self.dir.name).stdout)

    def test_examples_are_valid(self):
        for path in sorted((ROOT / "examples").glob("*.yaml")):
            self.expect(0, "lint", "-c", str(path), env={"PGPASSWORD": "x"})


class Generated(Cli):
    def test_pages_are_fresh(self):
        for page, path in (("options", "docs/CONFIGURATION.md"), ("sample", "examples/full.yaml")):
            text = self.expect(0, "docs", page).stdout
            self.assertEqual(text, (ROOT / path).read_text(encoding="utf-8"), f"stale: tailrace docs {page} > {path}")


class Import(Cli):
    def test_every_golden_connector(self):
        for path in sorted((ROOT / "tests/golden/cases").glob("postgres-*/connector.properties")):
            text = path.read_text(encoding="utf-8") + "\n".join(
                ["", "database.hostname=h", "database.port=5432", "database.user=u", "database.password=p", "database.dbname=d"])
            done = self.expect(0, "import-debezium", self.file(text, "c.properties"), "--set", "sink.url=kafka://h:1", "--set",
                               "events.registry.url=http://r", "--set", "state.url=" + self.state(), "--set", "http.listen=127.0.0.1:1")
            self.assertIn("null_as_default", done.stderr)
            self.expect(0, "lint", "-c", self.file(done.stdout))

    def test_delivery_is_said(self):
        text = "connector.class=io.debezium.connector.postgresql.PostgresConnector\ntopic.prefix=t\n"
        done = self.expect(0, "import-debezium", self.file(text, "c.properties"))
        self.assertIn("delivery: exactly_once publishes each event once", done.stderr)
        self.assertIn("# delivery: exactly_once is available", done.stdout)
        done = self.expect(0, "import-debezium", self.file(text, "c.properties"), "--set", "delivery=exactly_once")
        self.assertNotIn("exactly_once", done.stderr)
        self.assertNotIn("# delivery", done.stdout)

    def test_no_connector(self):
        self.assertIn("connector.class", self.expect(78, "import-debezium", self.file("a=b\n")).stderr)
        self.expect(78, "import-debezium", "/no/such/file")
        self.expect(78, "import-debezium", self.file("connector.class=Postgres\ntopic.prefix=t\n"), "--set", "sink.ulr=x")


class State(Cli):
    def arguments(self):
        return ["-c", self.file(MINIMAL), "--state", self.state(), "--http", ""]

    def test_empty(self):
        self.assertIn("no position", self.expect(0, "offsets", "show", *self.arguments()).stdout)
        self.assertIn("starts anew", self.expect(0, "status", *self.arguments()).stdout)
        facts = json.loads(self.expect(0, "status", "--json", *self.arguments()).stdout)
        self.assertIsNone(facts["pipelines"][0]["stored"])
        self.expect(64, "offsets", "export", *self.arguments())

    def test_set_asks_keeps_and_resets(self):
        position = self.file('{"lsn":"0/16B3748"}', "p.json")
        self.assertIn("--yes", self.expect(64, "offsets", "set", position, *self.arguments(), stdin="").stderr)
        self.expect(0, "offsets", "set", position, "--yes", *self.arguments())
        self.assertIn("0/16B3748", self.expect(0, "offsets", "show", *self.arguments()).stdout)
        exported = self.expect(0, "offsets", "export", *self.arguments()).stdout
        self.assertEqual(json.loads(exported)["position"]["lsn"], "0/16B3748")
        done = self.expect(0, "offsets", "reset", "--yes", *self.arguments())
        kept = done.stderr.split(" is kept in ")[1].splitlines()[0]
        self.assertIn('slot "tailrace_shop" stays', done.stderr)
        self.assertIn("0/16B3748", pathlib.Path(kept).read_text(encoding="utf-8"))
        self.assertIn("no position", self.expect(0, "offsets", "show", *self.arguments()).stdout)
        self.expect(0, "offsets", "set", self.file(exported, "e.json"), "--yes", *self.arguments())
        self.assertIn("0/16B3748", self.expect(0, "offsets", "show", *self.arguments()).stdout)
        self.expect(64, "offsets", "set", self.file("[1]", "l.json"), "--yes", *self.arguments())

    def test_only_name_and_state_are_needed(self):
        where = ["--name", "shop", "--state", self.state()]
        self.assertIn("name is missing", self.expect(78, "offsets", "show", "--state", self.state(), cwd=self.dir.name).stderr)
        self.expect(0, "offsets", "set", self.file('{"lsn":"0/16B3748"}', "p.json"), "--yes", *where)
        self.assertIn("no position of any source", self.expect(64, "offsets", "set", self.file('{"a":1}', "b.json"), "--yes", *where).stderr)
        self.assertIn("0/16B3748", self.expect(0, "offsets", "show", *where).stdout)
        self.assertIn("0/16B3748", self.expect(0, "status", *where).stdout)
        exported = json.loads(self.expect(0, "offsets", "export", *where).stdout)
        self.assertIn("source.url is missing", self.expect(78, "offsets", "reset", "--drop", "--yes", *where).stderr)
        self.expect(0, "offsets", "reset", "--yes", *where)
        done = self.expect(78, "offsets", "show", "--name", "shop", "--state", "kafka")
        self.assertIn("sink.url is missing", done.stderr)
        self.assertEqual(exported["pipeline"], "shop")

    def test_a_copy_is_not_changed_without_kafka(self):
        where = ["--name", "shop", "--state", self.state()]
        self.expect(0, "offsets", "set", self.file('{"lsn":"0/1"}', "p.json"), "--yes", *where)
        with sqlite3.connect(f"{self.dir.name}/state/tailrace.db") as db:
            text = db.execute("SELECT record FROM pipeline").fetchone()[0].replace("at_least_once", "exactly_once")
            db.execute("UPDATE pipeline SET record = ?, checksum = ?", (text, zlib.crc32(b"shop\0" + text.encode())))
        db.close()
        for words in (["reset"], ["set", self.file('{"lsn":"0/2"}', "q.json")]):
            done = self.expect(78, "offsets", *words, "--yes", *where)
            self.assertIn("sink.url is missing", done.stderr)
        self.assertIn("0/1", self.expect(0, "offsets", "show", *where).stdout)

    def test_set_refuses_what_is_no_position(self):
        self.expect(0, "offsets", "set", self.file('{"lsn":"0/1"}', "p.json"), "--yes", *self.arguments())
        for text in ('{"foo":1}', '{"lsn":"zzz"}', '{"lsn":5}', "{}"):
            with self.subTest(text):
                self.assertIn("is no position", self.expect(64, "offsets", "set", self.file(text, "b.json"), "--yes", *self.arguments()).stderr)
        self.assertIn("0/1", self.expect(0, "offsets", "show", *self.arguments()).stdout)

    def test_a_record_that_cannot_be_read_can_be_removed(self):
        self.expect(0, "offsets", "set", self.file('{"lsn":"0/1"}', "p.json"), "--yes", *self.arguments())
        with sqlite3.connect(f"{self.dir.name}/state/tailrace.db") as db:
            db.execute("UPDATE pipeline SET record = replace(record, '0/1', '0/2')")
        db.close()
        self.expect(74, "offsets", "show", *self.arguments())
        done = self.expect(0, "offsets", "reset", "--yes", *self.arguments())
        self.assertIn("cannot be read", done.stderr)
        kept = done.stderr.split(" is kept in ")[1].splitlines()[0]
        self.assertIn("0/2", pathlib.Path(kept).read_text(encoding="utf-8"))
        self.assertIn("no position", self.expect(0, "offsets", "show", *self.arguments()).stdout)

    def move(self, there):
        """there: arguments that name another store."""
        here = self.arguments()
        self.expect(0, "offsets", "set", self.file('{"lsn":"0/2A"}', "p.json"), "--yes", *here)
        exported = self.expect(0, "offsets", "export", *here).stdout
        self.assertIn("--yes", self.expect(64, "offsets", "import", self.file(exported, "e.json"), *there, stdin="").stderr)
        self.assertIn("no position", self.expect(0, "offsets", "show", *there).stdout)
        self.expect(0, "offsets", "import", "-", "--yes", *there, stdin=exported)
        facts, moved = json.loads(exported), json.loads(self.expect(0, "offsets", "export", *there).stdout)
        self.assertEqual((moved["position"], moved["snapshot"]), (facts["position"], facts["snapshot"]))
        # Only into an empty state, and of the same pipeline, unless it is forced; what was there is kept.
        refused = self.expect(64, "offsets", "import", "-", "--yes", *there, stdin=exported.replace("0/2A", "0/3A"))
        self.assertIn("--force", refused.stderr)
        self.expect(64, "offsets", "import", "-", "--yes", "--force", *there, stdin='{"lsn":"0/3A"}')
        done = self.expect(0, "offsets", "import", "-", "--yes", "--force", *there, stdin=exported.replace("0/2A", "0/3A"))
        kept = pathlib.Path(done.stderr.split(" is kept in ")[1].splitlines()[0])
        self.assertEqual(json.loads(kept.read_text(encoding="utf-8"))["position"]["lsn"], "0/2A")
        self.assertIn("0/3A", self.expect(0, "offsets", "show", *there).stdout)
        done = self.expect(0, "offsets", "reset", "--yes", *there)
        self.assertIn("no position", self.expect(0, "offsets", "show", *there).stdout)
        other = exported.replace('"pipeline":"shop"', '"pipeline":"stock"')
        self.assertIn('"stock"', self.expect(64, "offsets", "import", "-", "--yes", *there, stdin=other).stderr)
        self.expect(0, "offsets", "import", "-", "--yes", *there, "--name", "stock", stdin=other)
        self.expect(0, "offsets", "import", "-", "--yes", "--force", *there, stdin=other)
        self.assertIn("0/2A", self.expect(0, "offsets", "show", *there).stdout)
        self.expect(64, "offsets", "import", *there)
        self.expect(74, "offsets", "import", "-", "--yes", *there, stdin='{"version":99}')

    def test_import_moves_a_state(self):
        self.move(["-c", self.file(MINIMAL), "--state", f"file:{self.dir.name}/elsewhere", "--http", ""])

    @unittest.skipUnless(os.environ.get("TR_TEST_KAFKA"), "needs a broker (TR_TEST_KAFKA)")
    def test_import_moves_a_state_to_kafka(self):
        topic = f"unit-cli-{os.getpid()}-{time.monotonic_ns()}"
        os.environ["XDG_STATE_HOME"] = self.dir.name
        self.move(["-c", self.file(MINIMAL), "--state", f"kafka://{os.environ['TR_TEST_KAFKA']}/{topic}", "--http", ""])

    def test_state_in_kafka_needs_brokers(self):
        done = self.expect(78, "lint", "-c", self.file(MINIMAL), "--state", "kafka")
        self.assertIn("names no brokers", done.stderr + done.stdout)
        self.expect(0, "lint", "-c", self.file(MINIMAL), "--state", "kafka://127.0.0.1:1/t")
        self.expect(0, "lint", "-c", self.file(MINIMAL), "--state", "kafka", "--sink", "kafka://127.0.0.1:1", "--format", "json")

    def test_every_copy_is_kept(self):
        kept = set()
        for i in range(4):
            done = self.expect(0, "offsets", "set", self.file(f'{{"lsn":"0/{i + 1}"}}', "p.json"), "--yes", *self.arguments())
            kept |= {line.split(" is kept in ")[1] for line in done.stderr.splitlines() if " is kept in " in line}
        self.assertEqual(sorted(json.loads(pathlib.Path(k).read_text(encoding="utf-8"))["position"]["lsn"] for k in kept), ["0/1", "0/2", "0/3"])


class Running(Cli):
    """A source that cannot be reached: the service runs, waits, says so, and stops on request."""

    def start(self, *more):
        self.port = free_port()
        log = open(f"{self.dir.name}/log", "w+", encoding="utf-8")
        self.addCleanup(log.close)
        process = subprocess.Popen([BINARY, "run", "-c", self.file(MINIMAL), "--state", self.state(), "--http",
                                    f"127.0.0.1:{self.port}", *more], stdout=log, stderr=log, stdin=subprocess.DEVNULL)
        self.addCleanup(lambda: process.poll() is None and (process.kill(), process.wait()))
        return process

    def get(self, path):
        for _ in range(100):
            try:
                with urllib.request.urlopen(f"http://127.0.0.1:{self.port}{path}", timeout=5) as answer:
                    return answer.status, answer.read().decode()
            except urllib.error.HTTPError as e:
                return e.code, e.read().decode()
            except OSError:
                time.sleep(0.1)
        self.fail("nothing answers:\n" + pathlib.Path(f"{self.dir.name}/log").read_text(encoding="utf-8"))

    def test_endpoints_and_stop(self):
        process = self.start()
        self.assertEqual(self.get("/healthz")[0], 200)
        code, text = self.get("/readyz")
        self.assertEqual(code, 503)
        self.assertIn("shop", text)
        pipeline = json.loads(self.get("/status")[1])["pipelines"][0]
        self.assertEqual(pipeline["name"], "shop")
        self.assertIn(pipeline["state"], ("starting", "waiting"))
        for key in ("position", "lag_bytes", "lag_seconds", "events"):
            self.assertIn(key, pipeline)
        self.assertIn('tailrace_state{pipeline="shop"}', self.get("/metrics")[1])
        self.assertIn("<title>tailrace</title>", self.get("/")[1])
        self.assertEqual(self.get("/nothing")[0], 404)
        self.assertEqual(run("status", "--ready", "--http", f"127.0.0.1:{self.port}").returncode, 69)
        # A second one would share state and port.
        self.expect(78, "run", "-c", self.file(MINIMAL), "--state", self.state(), "--http", f"127.0.0.1:{self.port}")
        self.expect(75, "run", "-c", self.file(MINIMAL), "--state", self.state(), "--http", "")
        self.expect(75, "offsets", "reset", "--yes", "-c", self.file(MINIMAL), "--state", self.state())
        process.send_signal(signal.SIGTERM)
        self.assertEqual(process.wait(30), 0)
        text = pathlib.Path(f"{self.dir.name}/log").read_text(encoding="utf-8")
        self.assertNotIn("hidden-word", text)
        for line in text.splitlines():
            json.loads(line)

    def test_gives_up_when_told(self):
        process = self.start("--set", "source.retry_for=1s", "--set", "source.retry_delay_max=100ms")
        self.assertEqual(process.wait(30), 69)

    def test_nobody_answers(self):
        self.expect(69, "status", "--ready", "--http", f"127.0.0.1:{free_port()}")

    def test_bad_address(self):
        self.expect(78, "run", "-c", self.file(MINIMAL), "--state", self.state(), "--http", "nonsense")


if __name__ == "__main__":
    if len(sys.argv) > 1 and not sys.argv[1].startswith("-"):
        BINARY = sys.argv.pop(1)
    BINARY = str(pathlib.Path(BINARY).resolve())
    unittest.main()
