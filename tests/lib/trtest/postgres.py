# Copyright the tailrace authors. SPDX-License-Identifier: Apache-2.0
"""A PostgreSQL server, by psql."""
import json
import os
import re
import subprocess
import time

PAUSE = re.compile(r"^-- @pause ([0-9.]+)[ \t]*$", re.MULTILINE)


class SqlError(Exception):
    pass


class Postgres:
    def __init__(self, host, port, user="postgres", dbname="postgres", password=""):
        self.host, self.port, self.user, self.dbname, self.password = host, port, user, dbname, password

    def database(self, dbname):
        return Postgres(self.host, self.port, self.user, dbname, self.password)

    @property
    def url(self):
        return f"postgres://{self.user}@{self.host}:{self.port}/{self.dbname}"

    def words(self, sql):
        """A command that runs the statement in a new connection."""
        return ["psql", "-X", "-q", "-h", self.host, "-p", str(self.port), "-U", self.user, "-d", self.dbname, "-c", sql]

    def psql(self, sql, stop=True, rows=False):
        """Runs SQL text in one new connection, a transaction a statement. Returns (output, errors)."""
        command = ["psql", "-X", "-q", "-h", self.host, "-p", str(self.port), "-U", self.user, "-d", self.dbname]
        command += ["-v", f"ON_ERROR_STOP={int(stop)}", "-f", "-"] + (["-At"] if rows else [])
        env = dict(os.environ, PGCLIENTENCODING="UTF8", PGOPTIONS="-c client_min_messages=warning",
                   **({"PGPASSWORD": self.password} if self.password else {}))
        done = subprocess.run(command, input=sql, capture_output=True, text=True, encoding="utf-8", env=env)
        if done.returncode and (stop or done.returncode == 2):
            raise SqlError(done.stderr.strip())
        return done.stdout, done.stderr

    def value(self, sql):
        return self.psql(sql, rows=True)[0].strip()

    def values(self, sql):
        return self.psql(sql, rows=True)[0].splitlines()

    def rows(self, query):
        """Rows of a query as dictionaries."""
        return [json.loads(line) for line in self.values(f"SELECT to_jsonb(t) FROM ({query}) t")]

    def table_rows(self, table):
        return self.rows(f"SELECT * FROM {table}")

    def script(self, sql, stop=True, slot=None):
        """A SQL file; `-- @pause N` waits N seconds, and until the slot's reader has caught up (on a machine that is busy), and
        goes on in a new connection. Returns the error output."""
        errors = ""
        parts = PAUSE.split(sql)
        for text, pause in zip(parts[::2], parts[1::2] + [None]):
            errors += self.psql(text, stop)[1]
            if pause is not None:
                written = self.value("SELECT pg_current_wal_lsn()")
                time.sleep(float(pause))
                if slot:
                    self.wait_confirmed(slot, written)
        return errors

    def wait_confirmed(self, slot, lsn, timeout=30):
        deadline = time.monotonic() + timeout
        while self.value(f"SELECT confirmed_flush_lsn >= '{lsn}' FROM pg_replication_slots WHERE slot_name = '{slot}'") != "t":
            if time.monotonic() > deadline:
                raise TimeoutError(f"slot {slot} has not reached {lsn} after {timeout} s")
            time.sleep(0.2)

    def available_extensions(self):
        return set(self.values("SELECT name FROM pg_available_extensions"))

    def drop_slots(self, dbname):
        """Slots of a database whose readers have gone or are going."""
        for _ in range(50):
            active = self.values(f"SELECT active_pid FROM pg_replication_slots WHERE database = '{dbname}' AND active_pid IS NOT NULL")
            if not active:
                break
            time.sleep(0.1)
        self.psql(f"SELECT pg_terminate_backend(active_pid) FROM pg_replication_slots WHERE database = '{dbname}' AND active;\n"
                  f"SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots WHERE database = '{dbname}' AND NOT active;", stop=False)

    def drop_database(self, dbname):
        """With its slots, whoever may still use it."""
        self.drop_slots(dbname)
        self.psql(f'DROP DATABASE IF EXISTS "{dbname}" WITH (FORCE);')

    def fresh_database(self, dbname):
        self.drop_database(dbname)
        self.psql(f"CREATE DATABASE \"{dbname}\" TEMPLATE template0 ENCODING 'UTF8';")
        return self.database(dbname)
