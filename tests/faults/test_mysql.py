#!/usr/bin/env python3
# Copyright the tailrace authors. SPDX-License-Identifier: Apache-2.0
"""A MySQL or MariaDB server that cannot be captured, or that cannot carry on from the stored position: which exit code, and the
statement that mends it. Nothing starts anew in silence."""
import shutil
import socket
import subprocess
import sys
import threading
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "lib"))
from trtest.case import PASSWORD, ROW_SECRET, Job, MySqlCase, eventually, main  # noqa: E402
from trtest.own import OwnMySql  # noqa: E402

TABLE = f"CREATE TABLE t (id int PRIMARY KEY, s text); INSERT INTO t VALUES (1, '{ROW_SECRET}');"
TABLE_OF_BOTH = "CREATE TABLE t (id int PRIMARY KEY, s text); INSERT INTO t VALUES (1, 'x');"


class Source(MySqlCase):
    LIMIT_SECONDS = 60

    def as_user(self, user, privileges, database=None):
        """A user of the given name, who may do what is listed; its URL."""
        database = database or self.database(TABLE)
        database.drop_user(user)
        database.ensure_user(user, PASSWORD, privileges)
        self.addCleanup(database.drop_user, user)
        return database.url.replace("tailrace:tailrace@", f"{user}:{PASSWORD}@")

    def test_unreachable_server_is_tried_for_the_time_allowed(self):
        ended = self.file_job(f"mysql://cdc:{PASSWORD}@127.0.0.1:1/none").once()
        self.assert_fails(ended, 69, "TR201", "could not connect to the source", "source.url", "127.0.0.1")
        self.assertGreater(ended.seconds, 2.5, "gave up before source.retry_for")
        self.assertIn("session.retry", ended.err)

    def test_unresolvable_host(self):
        ended = self.file_job("mysql://cdc@no-such-host.invalid/none").once()
        self.assert_fails(ended, 69, "TR201", "could not connect to the source", "source.url", "no-such-host.invalid")

    def test_wrong_database(self):
        database = self.shared()
        database.ensure_user()
        self.assert_fails(self.file_job(database.database("no_such_database")).once(), 78, "TR206", hint="source.url", detail="no_such_database")

    def test_not_a_mysql_server(self):
        with socket.create_server(("127.0.0.1", 0)) as server:
            def answer():
                while True:
                    try:
                        peer, _ = server.accept()
                    except OSError:
                        return
                    with peer:
                        peer.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")
            threading.Thread(target=answer, daemon=True).start()
            ended = self.file_job(f"mysql://cdc:{PASSWORD}@127.0.0.1:{server.getsockname()[1]}/none").once()
            server.shutdown(socket.SHUT_RDWR)
        self.assert_fails(ended, 69, "TR201", "could not connect to the source", "source.url")

    def test_the_other_flavour_behind_the_scheme(self):
        database = self.database(TABLE)
        url = database.url
        other = url.replace("mysql://", "mariadb://") if url.startswith("mysql://") else url.replace("mariadb://", "mysql://")
        self.assert_fails(self.file_job(other).once(), 78, "TR102", hint=url.split(":")[0] + "://")

    def test_wrong_password(self):
        url = self.as_user(f"u{self.tag}", "SELECT").replace(PASSWORD, PASSWORD + "x")
        ended = self.file_job(url).once()
        self.assert_fails(ended, 77, "TR202", "could not connect to the source", "MYSQL_PWD", "Access denied")
        self.assertLess(ended.seconds, 8, "a refused login was tried again")

    def test_password_from_the_environment(self):
        url = self.as_user(f"u{self.tag}", "SELECT, RELOAD, SHOW DATABASES, REPLICATION SLAVE, REPLICATION CLIENT")
        self.assert_ok(self.job(self.config(url.replace(f":{PASSWORD}@", "@")), {"MYSQL_PWD": PASSWORD}).once())

    def test_each_missing_privilege_is_named_with_its_grant(self):
        """From nothing to enough, by the GRANTs that the program itself asks for."""
        user = f"u{self.tag}"
        database = self.database(TABLE)
        url = self.as_user(user, "USAGE", database)
        granted = []
        for _ in range(6):
            ended = self.file_job(url.replace(f"/{self.tag}", "/")).once()
            if ended.code == 0:
                break
            self.assertEqual((ended.code, ended.failure.code), (77, "TR203"), f"after {granted}: {ended.err[-2000:]}")
            self.assertIn("GRANT ", ended.failure.hint)
            grant = "GRANT " + ended.failure.hint.split("GRANT ", 1)[1].split(";")[0]
            self.assertIn(user, grant)
            self.assertNotIn(grant, granted, "the same statement is asked for again")
            granted.append(grant)
            database.sql(f"SET sql_log_bin = 0; {grant};")
        self.assert_ok(ended)
        self.assertRegex(" ".join(granted), r"REPLICATION SLAVE")
        self.assertRegex(" ".join(granted), r"SELECT")

    def test_check_names_all_missing_privileges_at_once(self):
        user = f"u{self.tag}"
        database = self.database(TABLE)
        job = self.file_job(self.as_user(user, "USAGE", database).replace(f"/{self.tag}", "/"))
        checked = job.command("check")
        self.assertEqual(checked.code, 77, checked.out + checked.err)
        for line in (checked.out + checked.err).splitlines():
            if "GRANT " in line:
                database.sql("SET sql_log_bin = 0; GRANT " + line.split("GRANT ", 1)[1].split(";")[0] + ";")
        again = job.command("check")
        self.assertEqual(again.code, 0, again.out + again.err)
        self.assert_ok(job.once())

    def test_no_table_matches(self):
        config = self.config(self.database(TABLE))
        config["source"]["tables"] = [f"{self.tag}.absent_*"]
        self.assert_fails(self.job(config).once(), 78, "TR217", "", "globs", f"{self.tag}.absent_*")

    def test_server_id_that_another_replica_has(self):
        database = self.database(TABLE)
        job = self.file_job(database)
        with job.background() as first:
            first.wait_state()
            folder = self.folder / "second"
            folder.mkdir()
            config = self.config(database, name=self.tag + "b", state={"url": f"file:{folder / 'state'}"}, sink={"url": f"file:{folder / 'out'}"})
            config["source"]["tables"] = [f"{self.tag}.*"]
            config["source"]["server_id"] = job.config["source"]["server_id"]
            ended = Job(folder, config).once()
            self.assertEqual(ended.code, 78, f"{ended.failure}\n{ended.err[-2000:]}")
            self.assertIn("server_id", ended.failure.hint)
            first.check_alive()
            self.assertEqual(first.status()["restarts"], 0, "the first reader was thrown out")
            self.assertEqual(first.terminate(), 0)

    def test_statements_that_change_rows_stop(self):
        """A session may log statements although the server logs rows: their rows are nowhere."""
        database = self.database(TABLE)
        job = self.file_job(database)
        self.assert_ok(job.once())
        database.sql(f"SET SESSION binlog_format = STATEMENT; INSERT INTO t VALUES (2, '{ROW_SECRET}')")
        ended = job.once()
        self.assert_fails(ended, 65, "TR223", (), ("binlog_format", "ROW"))
        self.assert_fails(job.once(), 65, "TR223")


class OnMariaDb(Source):
    SERVER = "maria1011"


class OwnServer(MySqlCase):
    """What needs a server of its own: settings, purged logs, another server behind the address."""
    LIMIT_SECONDS = 240

    def own(self, *settings, name="mysql97", port=None):
        own = OwnMySql(*settings, name=name, port=port)
        self.addCleanup(own.remove)
        return own

    def captured(self, own):
        database = self.database(TABLE, own.server)
        job = self.file_job(database)
        self.assert_ok(job.once())
        return job, database

    def test_settings_of_the_server(self):
        for name, setting, text in (("mysql97", "disable-log-bin", "log_bin"), ("maria1011", "skip-log-bin", "log_bin"),
                                    ("mysql97", "binlog-format=STATEMENT", "binlog_format"), ("maria1011", "binlog-format=MIXED", "binlog_format")):
            with self.subTest(name, setting=setting):
                own = self.own(setting, name=name)
                database = self.database(TABLE, own.server)
                job = self.file_job(database)
                self.assert_fails(job.once(), 78, "TR204", (), text)
                checked = job.command("check")
                self.assertEqual(checked.code, 78, checked.out + checked.err)
                self.assertIn(text, checked.out)
                own.remove()

    def test_purged_position(self):
        for name in ("mysql97", "maria1011"):
            with self.subTest(name):
                own = self.own(name=name)
                job, database = self.captured(own)
                before = job.stored()
                database.sql("INSERT INTO t VALUES (2, 'gone')")
                own.server.purge()
                database.sql("INSERT INTO t VALUES (3, 'here')")
                ended = job.once()
                self.assert_fails(ended, 65, "TR214", (), ("offsets reset", "when_needed"))
                if name == "mysql97":
                    missing = database.value("SELECT GTID_SUBTRACT(@@global.gtid_purged, '{}')".format(before["position"]["gtid_set"].replace("\n", "")))
                    self.assertIn(missing, ended.failure.detail + ended.failure.text, "the missing set is not named")
                self.assertEqual(job.stored(), before)
                self.assertEqual(job.command("check").code, 65)
                ended = job.once("--set", "snapshot.mode=when_needed")
                self.assert_ok(ended)
                self.assertIn("snapshot.needed", ended.err)
                shutil.rmtree(self.folder / "state")
                own.remove()

    def test_restored_server_lacks_what_was_read(self):
        """The stored position has transactions that the server never had, or no longer has: put back, or a failover with loss."""
        for name in ("mysql97", "maria1011"):
            with self.subTest(name):
                own = self.own(name=name)
                job, database = self.captured(own)
                own.stop()
                copy = own.dir / "copy"
                subprocess.run(["cp", "-a", str(own.dir / "data"), str(copy)], check=True)
                own.start()
                database.sql("INSERT INTO t VALUES (10, 'later'); INSERT INTO t VALUES (11, 'later')")
                self.assert_ok(job.once())
                before = job.stored()
                own.stop()
                shutil.rmtree(own.dir / "data")
                copy.rename(own.dir / "data")
                own.start()
                self.assert_fails(job.once(), 65, "TR214", (), "offsets reset")
                database.sql("INSERT INTO t VALUES (20, 'another history')")
                self.assert_fails(job.once(), 65, "TR214", (), "offsets reset")
                self.assertEqual(job.stored(), before, "the stored record was changed")
                shutil.rmtree(self.folder / "state")
                own.remove()

    def test_other_server_behind_the_same_address(self):
        for settings, name, code in (((), "mysql97", "TR205"), (("gtid-mode=OFF", "enforce-gtid-consistency=OFF"), "mysql97", "TR205")):
            with self.subTest(settings=settings):
                first = self.own(*settings, name=name)
                job, database = self.captured(first)
                database.sql("INSERT INTO t VALUES (2, 'x')")
                self.assert_ok(job.once())
                before = job.stored()
                first.stop()
                second = self.own(*settings, name=name, port=first.port)
                self.database(TABLE, second.server)
                self.assert_fails(job.once(), 65, code, (), "reset")
                self.assertEqual(job.stored(), before, "the stored record was changed")
                second.remove()
                shutil.rmtree(self.folder / "state")

    def test_failover_to_another_server_by_gtid(self):
        """The second host has all that was read, under the same GTIDs and in other files: it goes on without a gap."""
        for name in ("mysql97", "maria1011"):
            with self.subTest(name):
                self.fail_over(*(self.own(f"server-id={number}", name=name) for number in (11, 12)))
                shutil.rmtree(self.folder / "state")
                shutil.rmtree(self.folder / "out")

    def fail_over(self, first, second):
        database = self.database(TABLE_OF_BOTH, first.server)
        job = self.file_job(database, events={"format": "json"})
        self.assert_ok(job.once())
        executed = first.server.executed()
        second.server.ensure_user()
        second.server.sql(f"RESET BINARY LOGS AND GTIDS; SET GLOBAL gtid_purged = '{executed}';" if first.kind == "mysql" else
                          f"RESET MASTER; SET GLOBAL gtid_binlog_state = '{executed}';")
        second.server.sql(f"SET sql_log_bin = 0; CREATE DATABASE `{self.tag}`;")
        second.server.database(self.tag).sql("SET sql_log_bin = 0; " + TABLE_OF_BOTH)
        second.server.rotate()
        second.server.database(self.tag).sql("INSERT INTO t VALUES (2, 'after the failover')")
        job.write({**job.config, "source": {**job.config["source"], "url": second.server.database(self.tag).url}})
        first.stop()
        self.assert_ok(job.once())
        text = "".join(p.read_text(encoding="utf-8") for p in sorted((self.folder / "out").glob(f"*{self.tag}.t-*")))
        self.assertIn("after the failover", text)
        self.assertEqual(text.count('"op":"r"'), 1, "a second snapshot was taken")

    def test_server_goes_away_for_longer_than_allowed(self):
        own = self.own()
        job, _ = self.captured(own)
        job.config["source"]["retry_for"] = "15s"  # the server's own end takes some of it
        job.write(job.config)
        with job.background() as program:
            program.wait_state()
            own.stop()
            waiting = eventually(lambda: (s := program.status()) and s["state"] == "waiting" and s, 10, what="waiting")
            self.assertEqual(waiting["error"]["code"], "TR201")
            self.assertEqual(program.process.wait(45), 69)
            self.assertIn("TR201", program.tail())


if __name__ == "__main__":
    main()
