#!/usr/bin/env python3
# Copyright the tailrace authors. SPDX-License-Identifier: Apache-2.0
"""Several instances share pipelines: one runs each, another takes over when it ends, is killed, or is not heard of. Under load,
and every change is published exactly once."""
import json
import signal
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "lib"))
from trtest import checker, load  # noqa: E402
from trtest.case import Case, Job, MySqlCase, eventually, main  # noqa: E402
from trtest.own import OwnPostgres, port_pair  # noqa: E402
from trtest.program import find_binary  # noqa: E402
from trtest.records import topics_of  # noqa: E402

SESSION_S = 6  # the least that brokers allow by default
SLACK_S = 20   # to begin a session on a machine that does much else


class Fleet(Case):
    """Instances by name, each a process with a folder and an address of its own."""

    def setUp(self):
        super().setUp()
        self.addCleanup(lambda: self.kafka.delete(lambda t: t.startswith(f"tailrace-fleet.{self.tag}.")))
        self.instances = {}

    def fleet(self, config):
        return {**config, "state": {"url": "kafka"}, "delivery": "exactly_once",
                "fleet": {"group": self.tag, "session_timeout": f"{SESSION_S}s"}}

    def add(self, name, config):
        """Makes an instance; it is started."""
        folder = self.folder / name
        folder.mkdir()
        http = f"127.0.0.1:{port_pair()}"
        job = Job(folder, {**config, "http": {"listen": http}, "fleet": {**config["fleet"], "instance": name}}, None, http)
        program = self.instances[name] = job.background()
        program.job = job
        self.addCleanup(program.kill)
        program.start()
        return program

    def view(self, program):
        """/status, or {} while nothing answers."""
        try:
            return json.loads(program.get("/status"))
        except (OSError, ValueError):
            return {}

    def states(self, program):
        return {p["name"]: p["state"] for p in self.view(program).get("pipelines", [])}

    def owners(self, program):
        return {p["name"]: p["owner"]["instance"] if p["owner"] else None for p in self.view(program).get("pipelines", [])}

    def ready(self, program):
        try:
            return program.get("/readyz") == b"ok\n"
        except OSError:
            return False

    def wait_quiet(self, program):
        program.check_alive()
        self.kafka.wait_quiet(topics_of(self.tag), 2)


class Takeover(Fleet):
    """One pipeline, two instances."""
    SCHEMA, PREFIX = load.SCHEMA, "public"

    def begin(self):
        self.db = self.database(self.SCHEMA)
        self.pipeline = self.fleet(self.kafka_job(self.db).config)
        self.pipeline["source"]["retry_for"] = "60s"
        first = self.add("first", self.pipeline)
        first.wait_state()
        second = self.add("second", self.pipeline)
        seen = second.wait_state("standby")
        eventually(lambda: self.ready(second), 15, what="a member that owns nothing is ready")
        eventually(lambda: self.owners(second) == {self.tag: "first"}, 15, what="the owner's name")
        seen = second.status()
        self.assertEqual((seen["state"], seen["owner"]["host"]), ("standby", "127.0.0.1"))
        return first, second

    def taken(self, program, seconds):
        """Streams within so many seconds of now."""
        begin = time.monotonic()
        program.wait_state(timeout=seconds)
        print(f"taken over after {time.monotonic() - begin:.1f} s", file=sys.stderr)

    def judge(self):
        records = self.records()
        faults, repeated, firsts = checker.check(records, self.db, load.TABLES, f"{self.tag}.{self.PREFIX or self.tag}")
        self.assertEqual(faults[:5], [], f"{len(faults)} faults")
        self.assertEqual(repeated, 0, "events were published twice")
        self.assertGreater(min(len(f) for f in firsts.values()), 50, "there was no load")

    def test_killed_terminated_and_started_again(self):
        first, second = self.begin()
        with load.Load(self.db, 1):
            time.sleep(1)
            first.kill()
            self.taken(second, SESSION_S + SLACK_S)
            first.start()
            first.wait_state("standby", 20)
            eventually(lambda: self.owners(first) == {self.tag: "second"}, 15, what="the new owner's name")
            time.sleep(1)
            ended = second.terminate()
            self.taken(first, SLACK_S)  # it said good-bye
            self.assertEqual(ended, 0)
            time.sleep(1)
        self.wait_quiet(first)
        metrics = first.get("/metrics").decode()
        self.assertIn(f'tailrace_fleet_member{{group="{self.tag}"}} 1', metrics)
        self.assertIn(f'tailrace_fleet_pipelines_owned{{group="{self.tag}"}} 1', metrics)
        shown = first.job.command("status")
        self.assertIn("streaming", shown.out, shown.err)
        self.assertEqual(first.terminate(), 0)
        self.judge()

    def test_stopped_past_the_session(self):
        """It wakes up with its connections, its producer and what it had read, and believes that the pipeline is its own."""
        first, second = self.begin()
        with load.Load(self.db, 1):
            time.sleep(1)
            first.process.send_signal(signal.SIGSTOP)
            self.taken(second, SESSION_S + SLACK_S)
            time.sleep(1)
            restarts = second.status()["restarts"]
            first.process.send_signal(signal.SIGCONT)
            time.sleep(2)
            first.wait_state("standby", 20)
            eventually(lambda: self.ready(first), 20, what="it is a member again")
            second.check_alive()
            eventually(lambda: self.owners(first) == self.owners(second) == {self.tag: "second"}, 15, what="the same owner")
            self.assertEqual(self.states(second), {self.tag: "streaming"})
        self.wait_quiet(second)
        self.assertEqual(second.status()["restarts"], restarts, "the one that woke up disturbed the one that took over")
        self.judge()


class MySqlTakeover(MySqlCase, Takeover):
    SCHEMA, PREFIX = load.MYSQL_SCHEMA, ""


class Many(Fleet):
    """Thirty pipelines of one server on three instances."""
    COUNT = 30

    def begin(self):
        names = [f"{self.tag}.p{i}" for i in range(self.COUNT)]
        tables = "".join(f"CREATE TABLE t{i} (id int PRIMARY KEY, n bigint); ALTER TABLE t{i} REPLICA IDENTITY FULL;"
                         for i in range(self.COUNT))
        # Two connections each, and as many again while they move.
        server = OwnPostgres("max_replication_slots=40", "max_wal_senders=70", "max_connections=200")
        self.addCleanup(server.remove)
        self.db = self.database(f"CREATE SEQUENCE tick; {tables}", server.server)
        one = self.fleet(self.kafka_job(self.db, events={"format": "json"}).config)
        del one["name"]
        source = {**one.pop("source"), "retry_for": "60s"}
        self.config_of_all = {**one, "limits": {"memory": "4MiB"}, "snapshot": {"mode": "never"}, "pipelines": [
            {"name": name, "source": {**source, "tables": [f"public.t{i}"]}} for i, name in enumerate(names)]}
        self.number = 0
        for name in ("a", "b", "c"):
            self.add(name, self.config_of_all)
        self.settled()

    def running(self, program):
        return [name for name, state in self.states(program).items() if state == "streaming"]

    def settled(self, seconds=60):
        """Each pipeline streams on one instance, as many on each, and all tell the same owners."""
        alive = {n: p for n, p in self.instances.items() if p.process.poll() is None}
        begin = time.monotonic()

        def agreed():
            where = {name: self.running(p) for name, p in alive.items()}
            told = [self.owners(p) for p in alive.values()]
            owners = {pipeline: name for name, pipelines in where.items() for pipeline in pipelines}
            share = self.COUNT // len(alive)
            return len(owners) == self.COUNT and all(len(w) == share for w in where.values()) and all(t == owners for t in told)
        try:
            eventually(agreed, seconds, 0.3, "a balanced fleet")
        except TimeoutError as e:
            errors = {p["error"]["message"] for a in alive.values() for p in self.view(a).get("pipelines", []) if p["error"]}
            self.fail(f"{e}: {errors} " + "; ".join(f"{n} runs {len(self.running(p))}: {self.states(p)}" for n, p in alive.items()))
        print(f"{self.COUNT} pipelines on {len(alive)} instances after {time.monotonic() - begin:.1f} s", file=sys.stderr)

    def change(self):
        """A row comes and changes in each table."""
        self.number += 1
        self.db.psql("".join(f"INSERT INTO t{i} VALUES ({self.number}, nextval('tick')); "
                             f"UPDATE t{i} SET n = nextval('tick') WHERE id = {self.number};" for i in range(self.COUNT)))

    def test_three_instances_share_thirty_pipelines(self):
        self.begin()
        self.change()
        self.instances["b"].kill()
        self.change()
        self.settled()
        self.change()
        self.instances["b"].start()
        self.settled()
        self.change()
        eventually(lambda: len(self.changes()) >= 2 * self.number * self.COUNT, 30, what="every change")
        self.kafka.wait_quiet(topics_of(self.tag), 1)
        found = self.changes()
        wanted = {(f"t{i}", n, op) for i in range(self.COUNT) for n in range(1, self.number + 1) for op in "cu"}
        self.assertEqual(len(found), len(set(found)), "a change was published twice")
        self.assertEqual(set(found), wanted)
        for program in self.instances.values():
            program.process.send_signal(signal.SIGTERM)
        self.assertEqual([p.process.wait(20) for p in self.instances.values()], [0, 0, 0])

    def changes(self):
        values = [(m.topic(), json.loads(m.value())) for m in self.kafka.read(topics_of(self.tag)) if m.value()]
        return [(v["source"]["table"], v["after"]["id"], v["op"]) for _, v in values if v["op"] in "cu"]


class OneFails(Fleet):
    def test_a_pipeline_that_fails_for_good_shows_why_and_the_others_go_on(self):
        self.db = self.database("CREATE TABLE good (id int PRIMARY KEY)")
        one = self.fleet(self.kafka_job(self.db, events={"format": "json"}).config)
        del one["name"]
        source = one.pop("source")
        program = self.add("only", {**one, "pipelines": [
            {"name": f"{self.tag}.good", "source": {**source, "tables": ["public.good"]}},
            {"name": f"{self.tag}.bad", "source": {**source, "tables": ["public.nothing"]}}]})
        wanted = {f"{self.tag}.good": "streaming", f"{self.tag}.bad": "failed"}
        eventually(lambda: self.states(program) == wanted, 30, what="one streams, one has failed")
        bad = next(p for p in self.view(program)["pipelines"] if p["state"] == "failed")
        self.assertEqual((bad["error"]["code"], bad["owner"]["instance"]), ("TR217", "only"))
        self.assertFalse(self.ready(program))
        self.assertEqual(program.terminate(), 0)

    def test_a_state_that_stays_on_one_machine_is_refused(self):
        self.db = self.database("CREATE TABLE good (id int PRIMARY KEY)")
        job = self.kafka_job(self.db, events={"format": "json"}, fleet={"group": self.tag})
        self.assert_fails(job.command("run"), 78, "TR102", "stays behind on one machine", hint="state.url: kafka")
        job.write(job.config | {"state": {"url": "kafka"}})
        self.assert_fails(job.once(), 64, "TR101", "--once and fleet.group")


if __name__ == "__main__":
    find_binary()
    main()
