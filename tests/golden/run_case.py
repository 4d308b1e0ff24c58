#!/usr/bin/env python3
# Copyright the tailrace authors. SPDX-License-Identifier: Apache-2.0
"""Runs golden cases: the case's SQL and connector.properties through the real program, its topics compared.

    run_case.py CASE [--server NAME] [--binary PATH]     one case
    run_case.py --all [--server NAME]                    all cases of that kind of server, a table at the end
    run_case.py --list                                   the cases
    run_case.py CASE --paced                             each statement of changes.sql only when the one before has arrived

CASE is a name below cases/ or a directory. NAME is pg15, pg17, pg18, mysql97, maria1011 or maria118 (default: the first of
the case's kind); `--pg 17` is short for `--server pg17`. The servers' addresses come from the environment
(tests/services/all). What was published is left in --out (default <tmp>/tailrace-golden-<user>/<case>-<name>):
records.jsonl, schemas/, the configuration and the log. Exit: 0 equal, 1 different or failed, 77 skipped (a server or an
extension is absent).
"""
import argparse
import getpass
import json
import re
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "lib"))
sys.path.insert(0, str(HERE))

import compare  # noqa: E402
from trtest import mysql, servers  # noqa: E402
from trtest.kafka import Kafka  # noqa: E402
from trtest.mysql import MySql  # noqa: E402
from trtest.postgres import Postgres, SqlError  # noqa: E402
from trtest.program import ProgramError, Tailrace, find_binary  # noqa: E402
from trtest.records import read_records, read_schemas, subjects_of, topics_of, without_heartbeat  # noqa: E402
from trtest.registry import Registry  # noqa: E402

DATABASE = "golden"
QUIET_SECONDS = 1.5
PACE_SECONDS = 0.3
STOP_SECONDS = 10
DEFAULT_SERVER = {"postgres": "pg15", "mysql": "mysql97", "mariadb": "maria1011"}


class Failed(Exception):
    pass


class Skipped(Exception):
    pass


class Case:
    def __init__(self, name):
        path = Path(name)
        self.path = path.resolve() if path.is_dir() else HERE / "cases" / name
        if not self.path.is_dir():
            raise SystemExit(f"no case {name}")
        self.name = self.path.name
        self.setup, self.changes = (self.read(f) for f in ("setup.sql", "changes.sql"))
        self.properties = self.read("connector.properties")
        prefix = re.search(r"^topic\.prefix\s*=\s*(\S+)", self.properties, re.MULTILINE)
        self.prefix = prefix[1]
        # By what the connector is, so that a directory may have any name.
        self.kind = re.search(r"^connector\.class\s*=.*\.(mysql|mariadb|postgresql)\.", self.properties, re.MULTILINE)[1].replace("postgresql", "postgres")

    def read(self, name):
        return (self.path / name).read_text(encoding="utf-8")

    def extensions(self):
        return set(re.findall(r"^CREATE EXTENSION (?:IF NOT EXISTS )?\"?(\w+)", self.setup, re.MULTILINE))


class PostgresSource:
    """A server of the kind that the case is for, and the settings by which a connector reaches it."""

    def __init__(self, name):
        self.server = Postgres(*servers.postgres(name.removeprefix("pg")))

    def missing(self, case):
        return case.extensions() - self.server.available_extensions()

    def allow(self, case, database):
        pass

    def slot(self, case):
        return "golden_" + re.sub(r"[^a-z0-9_]", "_", case.name.lower())

    def settings(self, case):
        return {"database.user": "postgres", "database.password": "postgres", "database.dbname": DATABASE, "slot.name": self.slot(case)}

    def change(self, case, database):
        return database.script(case.changes, stop=False, slot=self.slot(case))


class MySqlSource:
    def __init__(self, name):
        self.server = MySql(*servers.mysql(name))

    def missing(self, case):
        return set()

    def allow(self, case, database):
        """The marks of incremental snapshots are the only thing the program ever writes."""
        table = re.search(r"^signal\.data\.collection\s*=\s*(\S+)", case.properties, re.MULTILINE)
        if table:
            database.sql(f"SET sql_log_bin = 0; GRANT INSERT ON {table[1]} TO '{mysql.USER}'@'%';")

    def settings(self, case):
        return {"database.user": mysql.USER, "database.password": mysql.PASSWORD, "database.include.list": DATABASE,
                "database.server.id": str(7000 + sum(case.name.encode()) % 1000)}

    def change(self, case, database):
        return database.script(case.changes, stop=False)


class Run:
    def __init__(self, case, name, binary, out, args):
        self.case, self.name, self.binary, self.paced, self.keep_schemas = case, name, binary, args.paced, args.keep_schemas
        self.source = PostgresSource(name) if name.startswith("pg") else MySqlSource(name)
        self.server = self.source.server
        self.kafka, self.registry = Kafka(servers.kafka()), Registry(servers.registry())
        self.out = out
        self.topics, self.subjects = topics_of(case.prefix), subjects_of(case.prefix)
        self.data_topics = without_heartbeat(self.topics)

    def prepare(self):
        missing = self.source.missing(self.case)
        if missing:
            raise Skipped(f"server {self.name} does not have {', '.join(sorted(missing))}")
        shutil.rmtree(self.out, ignore_errors=True)
        self.out.mkdir(parents=True)
        self.kafka.delete(self.topics)
        if not self.keep_schemas:
            self.registry.delete(self.subjects)
        self.database = self.server.fresh_database(DATABASE)
        self.database.script(self.case.setup)
        self.source.allow(self.case, self.database)

    def configure(self):
        """The connector's configuration as its user has it, through the importer."""
        reached = {"database.hostname": self.server.host, "database.port": self.server.port, **self.source.settings(self.case)}
        properties = self.out / "connector.properties"
        properties.write_text(self.case.properties.rstrip("\n") + "\n" + "".join(f"{k}={v}\n" for k, v in reached.items()), encoding="utf-8")
        self.http = f"127.0.0.1:{servers.free_port()}"
        settings = {"sink.url": f"kafka://{self.kafka.bootstrap}", "events.registry.url": self.registry.url,
                    "state.url": f"file:{self.out / 'state'}", "http.listen": self.http}
        command = [self.binary, "import-debezium", str(properties)]
        for name, value in settings.items():
            command += ["--set", f"{name}={value}"]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60)
        if done.stderr.strip():
            print("import-debezium: " + done.stderr.strip().replace("\n", "\n                 "), file=sys.stderr)
        if done.returncode:
            raise Failed(f"import-debezium ended with {done.returncode}")
        self.config = self.out / "tailrace.yaml"
        self.config.write_text(done.stdout, encoding="utf-8")

    def publish(self):
        with Tailrace(self.binary, self.config, self.http, self.out / "tailrace.log") as program:
            program.wait_state("streaming")
            self.kafka.wait_quiet(self.data_topics, QUIET_SECONDS, alive=program.check_alive)
            errors = self.change(program)
            if errors:
                print(f"changes.sql: {errors.strip()}", file=sys.stderr)
            self.kafka.wait_quiet(self.data_topics, QUIET_SECONDS, alive=program.check_alive)
            code = program.terminate(STOP_SECONDS)
            if code != 0:
                raise Failed(f"ended with {code} after SIGTERM; its log ends\n{program.tail()}")

    def change(self, program):
        """Runs changes.sql; paced: statement by statement (each ends a line), all in one transaction where there is one."""
        if not self.paced:
            return self.source.change(self.case, self.database)
        errors = text = ""
        for line in self.case.changes.splitlines(keepends=True):
            text += line
            opened = len(re.findall(r"^(?:START TRANSACTION|BEGIN);", text, re.MULTILINE)) - len(re.findall(r"^(?:COMMIT|ROLLBACK);", text, re.MULTILINE))
            if line.rstrip().endswith(";") and not opened:
                errors += self.database.script(text, stop=False)
                text = ""
                self.kafka.wait_quiet(self.data_topics, PACE_SECONDS, alive=program.check_alive)
        return errors

    def collect(self):
        actual = compare.Capture(read_records(self.kafka, self.registry, self.topics), read_schemas(self.registry, self.subjects))
        (self.out / "schemas").mkdir()
        for name, text in actual.schemas.items():
            (self.out / "schemas" / f"{name}.avsc").write_text(text, encoding="utf-8")
        with open(self.out / "records.jsonl", "w", encoding="utf-8") as f:
            for record in actual.records:
                f.write(json.dumps(record, ensure_ascii=False) + "\n")
        return actual

    def finish(self):
        try:
            self.server.drop_database(DATABASE)
        except SqlError as e:
            print(f"cannot drop the database: {e}", file=sys.stderr)
        self.kafka.close()

    def run(self):
        try:
            self.prepare()
            self.configure()
            self.publish()
            return compare.compare(compare.load(self.case.path), self.collect(), self.case.name, self.name, paced=self.paced)
        finally:
            self.finish()


def out_directory(given, case, server):
    if given:
        return Path(given).resolve() / f"{case.name}-{server}"
    return Path(tempfile.gettempdir()) / f"tailrace-golden-{getpass.getuser()}" / f"{case.name}-{server}"


def run_one(name, args):
    """(outcome, seconds, result or None), the differences printed."""
    case = Case(name)
    server = args.server or DEFAULT_SERVER[case.kind]
    start = time.monotonic()
    out = out_directory(args.out, case, server)
    try:
        result = Run(case, server, find_binary(args.binary), out, args).run()
    except Skipped as e:
        print(f"{case.name}: skipped: {e}")
        return "skipped", time.monotonic() - start, None
    except (Failed, ProgramError, SqlError, TimeoutError, ValueError, OSError, RuntimeError) as e:
        print(f"{case.name}: failed: {type(e).__name__}: {e}\n(see {out})")
        return "failed", time.monotonic() - start, None
    print(f"{case.name} on {server} (see {out})")
    compare.report(result, args.limit)
    return "different" if result.differences else "equal", time.monotonic() - start, result


def run_all(names, args):
    table = []
    for name in names:
        table.append((name, *run_one(name, args)))
    print(f"\n{'case':40} {'outcome':10} {'seconds':>7} {'differences':>11} {'records':>7} {'schemas':>7} {'byte-equal':>10}")
    for name, outcome, seconds, r in table:
        numbers = (len(r.differences), r.records, r.schemas, r.schemas_byte_equal) if r else ("", "", "", "")
        print("{:40} {:10} {:7.1f} {:>11} {:>7} {:>7} {:>10}".format(name, outcome, seconds, *numbers))
    return [outcome for _, outcome, _, _ in table]


def main():
    parser = argparse.ArgumentParser(description="run golden cases through the real program")
    parser.add_argument("cases", nargs="*", metavar="CASE")
    parser.add_argument("--all", action="store_true")
    parser.add_argument("--list", action="store_true")
    parser.add_argument("--server", metavar="NAME")
    parser.add_argument("--pg", dest="server", type=lambda version: f"pg{version}", metavar="VERSION")
    parser.add_argument("--paced", action="store_true", help="one statement at a time")
    parser.add_argument("--keep-schemas", action="store_true", help="begin with what is registered of the case (all servers' "
                        "runs register the same): Apicurio forgets what others register while something is deleted")
    parser.add_argument("--binary", metavar="PATH")
    parser.add_argument("--out", metavar="DIR")
    parser.add_argument("--limit", type=int, default=20, help="differences to print")
    args = parser.parse_args()
    names = sorted(p.name for p in (HERE / "cases").iterdir() if p.is_dir())
    if args.list:
        print("\n".join(names))
        return 0
    if args.all == bool(args.cases):
        parser.error("give cases or --all")
    if args.all:
        of_kind = [kind for kind, name in DEFAULT_SERVER.items() if (args.server or "pg").startswith(name.rstrip("0123456789"))]
        names = [name for name in names if name.startswith(f"{of_kind[0]}-")]
    cases = names if args.all else args.cases
    outcomes = run_all(cases, args) if len(cases) > 1 else [run_one(cases[0], args)[0]]
    if outcomes == ["skipped"]:
        return servers.SKIPPED
    return 0 if set(outcomes) <= {"equal", "skipped"} else 1


if __name__ == "__main__":
    sys.exit(main())
