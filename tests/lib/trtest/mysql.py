# Copyright the tailrace authors. SPDX-License-Identifier: Apache-2.0
"""A MySQL or MariaDB server, by the mariadb client."""
import json
import os
import re
import subprocess
import time

from .postgres import SqlError

PAUSE = re.compile(r"^-- @pause ([0-9.]+)[ \t]*$", re.MULTILINE)
USER, PASSWORD = "tailrace", "tailrace"
# What the program needs, and no more. MariaDB splits REPLICATION CLIENT differently but knows the name.
PRIVILEGES = "SELECT, RELOAD, SHOW DATABASES, REPLICATION SLAVE, REPLICATION CLIENT, LOCK TABLES"


class MySql:
    """`kind` is mysql or mariadb: the scheme of its URL."""

    def __init__(self, host, port, kind="mysql", dbname="", user="root", password=""):
        self.host, self.port, self.kind, self.dbname, self.user, self.password = host, port, kind, dbname, user, password

    def database(self, dbname):
        return MySql(self.host, self.port, self.kind, dbname, self.user, self.password)

    @property
    def url(self):
        return f"{self.kind}://{USER}:{PASSWORD}@{self.host}:{self.port}/{self.dbname}"

    def command(self, *options):
        words = ["mariadb", "--no-defaults", "-h", self.host, "-P", str(self.port), "-u", self.user, "--skip-ssl", "--default-character-set=utf8mb4"]
        return words + list(options) + ([self.dbname] if self.dbname else [])

    def words(self, sql):
        """A command that runs the statement in a new connection."""
        return self.command("-e", sql)

    def sql(self, text, stop=True):
        """Runs SQL text in one new connection as root. Returns (output, errors); the output has one row a line, tabs between."""
        words = self.command("--batch", "--raw", "--skip-column-names", "--comments", *([] if stop else ["--force"]))
        env = {k: v for k, v in os.environ.items() if k != "MYSQL_PWD" or self.user != "root"}
        if self.password:
            env["MYSQL_PWD"] = self.password
        done = subprocess.run(words, input=text, capture_output=True, text=True, encoding="utf-8", env=env)
        if done.returncode and (stop or "ERROR 20" in done.stderr):
            raise SqlError(done.stderr.strip())
        return done.stdout, done.stderr

    psql = sql  # as the tests of either kind of server call it

    def value(self, sql):
        return self.sql(sql)[0].removesuffix("\n")

    def values(self, sql):
        return self.sql(sql)[0].splitlines()

    def table_rows(self, table):
        """A table's rows as dictionaries; for columns whose JSON is the same in a topic: integers, text."""
        columns = self.values(f"SELECT column_name FROM information_schema.columns WHERE table_schema = DATABASE() AND table_name = '{table}'")
        pairs = ", ".join(f"'{c}', `{c}`" for c in columns)
        return [json.loads(line) for line in self.values(f"SELECT JSON_OBJECT({pairs}) FROM `{table}`")]

    def script(self, sql, stop=True):
        """A SQL file; `-- @pause N` waits N seconds and goes on in a new connection. Returns the error output."""
        errors = ""
        parts = PAUSE.split(sql)
        for text, pause in zip(parts[::2], parts[1::2] + [None]):
            errors += self.sql(text, stop)[1]
            if pause is not None:
                time.sleep(float(pause))
        return errors

    def ensure_user(self, user=USER, password=PASSWORD, privileges=PRIVILEGES):
        """A user that may come from anywhere, made without a trace in the binary log."""
        self.sql(f"SET sql_log_bin = 0; CREATE USER IF NOT EXISTS '{user}'@'%' IDENTIFIED BY '{password}';"
                 f"GRANT {privileges} ON *.* TO '{user}'@'%';")

    def drop_user(self, user):
        self.sql(f"SET sql_log_bin = 0; DROP USER IF EXISTS '{user}'@'%';")

    def drop_database(self, dbname):
        """Fails soon when a transaction still holds one of its tables."""
        self.sql(f"SET lock_wait_timeout = 10; DROP DATABASE IF EXISTS `{dbname}`;")

    def fresh_database(self, dbname):
        self.ensure_user()
        self.drop_database(dbname)
        self.sql(f"CREATE DATABASE `{dbname}`;")
        return self.database(dbname)

    # -- the binary log -------------------------------------------------------------------------------------------------

    def logs(self):
        return [line.split("\t")[0] for line in self.values("SHOW BINARY LOGS")]

    def rotate(self):
        self.sql("FLUSH BINARY LOGS")

    def purge(self):
        """All but the newest file. MariaDB keeps, without a word, what its engine has not made durable yet."""
        self.rotate()
        newest = self.logs()[-1]
        for _ in range(300):
            self.sql(f"PURGE BINARY LOGS TO '{newest}'")
            if self.logs()[0] == newest:
                return
            time.sleep(0.1)
        raise AssertionError(f"the log before {newest} is kept")

    def executed(self):
        """The executed GTIDs, as text."""
        return self.value("SELECT @@global.gtid_executed" if self.kind == "mysql" else "SELECT @@global.gtid_binlog_pos").replace("\n", "")
