#!/usr/bin/env python3
# Copyright the tailrace authors. SPDX-License-Identifier: Apache-2.0
"""Bad days of a running pipeline, the same on PostgreSQL, MySQL and MariaDB, exactly once and under load: whatever happens to the
line, the server, the login or the program, nothing is lost, nothing is doubled, and it says what is wrong."""
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "lib"))
from trtest import load  # noqa: E402
from trtest.case import eventually, main  # noqa: E402
from trtest.loaded import Loaded, LoadedMySql  # noqa: E402
from trtest.own import OwnMySql, OwnPostgres, port_pair  # noqa: E402
from trtest.preload import WALL_CLOCK, Preload  # noqa: E402
from trtest.proxy import Proxy  # noqa: E402

DAY_S = 86400


class Survives:
    LIMIT_SECONDS = 240

    def once_job(self, server=None, **more):
        source = {"receive_timeout": "3s", "status_interval": "500ms", **more.pop("source", {})}
        return self.make(server, delivery="exactly_once", events={"transaction_metadata": True}, source=source, **more)

    def through(self, port):
        """The database's address, behind another port."""
        return self.db.url.replace(f":{self.db.port}/", f":{port}/")

    def done(self, program):
        self.settle(self.kafka, program)
        self.assertEqual(program.terminate(), 0)
        self.judge_once(self.kafka)

    def test_sigterm_under_load(self):
        """In the snapshot, in the stream and in the first moments: it ends with 0 within ten seconds, and goes on later."""
        job, rng = self.once_job(), load.seeded(5)
        with load.Load(self.db):
            for i in range(5):
                with job.background() as program:
                    if i != 1:
                        program.wait_state()
                    time.sleep(rng.uniform(0.1, 1))
                    begun = time.monotonic()
                    self.assertEqual(program.terminate(15), 0)
                    self.assertLess(time.monotonic() - begun, 10)
        with job.background() as program:
            program.wait_state()
            self.done(program)

    def test_server_killed(self):
        own = self.own_server()
        job = self.once_job(own.server)
        with job.background() as program:
            program.wait_state()
            with load.Load(self.db):
                for _ in range(2):
                    time.sleep(1)
                    own.kill()
                    own.start()
                    program.wait_state()
                time.sleep(1.5)
            self.assertGreaterEqual(program.status()["restarts"], 2)
            self.done(program)

    def test_second_instance_fences_the_first(self):
        job = self.once_job()
        other = job.other_with_own_state()
        with job.background() as old:
            old.wait_state()
            with load.Load(self.db):
                time.sleep(1)
                with other.background() as new:
                    self.assertEqual(old.process.wait(60), 75)
                    new.wait_state()
                    time.sleep(1.5)
                    self.assertEqual(new.terminate(), 0)
        with other.background() as new:
            new.wait_state()
            self.done(new)

    # -- the line to the database ---------------------------------------------------------------------------------------------

    def bad_line(self, trouble):
        job = self.once_job()
        proxy = Proxy(port_pair(), (self.db.host, self.db.port))
        self.addCleanup(proxy.close)
        job.write({**job.config, "source": {**job.config["source"], "url": self.through(proxy.port)}})
        with job.background() as program:
            program.wait_state()
            with load.Load(self.db):
                time.sleep(1)
                trouble(proxy, program)
                program.wait_state(timeout=40)
                time.sleep(1.5)
            self.restarts = program.status()["restarts"]
            self.done(program)

    def test_slow_line(self):
        """Feedback goes on, so nobody gives up."""
        def trouble(proxy, _):
            proxy.latency_s, proxy.rate = 0.3, 50_000
            time.sleep(6)
            proxy.latency_s = proxy.rate = 0
        self.bad_line(trouble)
        self.assertEqual(self.restarts, 0, "a slow line was taken for a dead one")

    def test_half_open_line(self):
        """Neither side closes anything, nothing comes: it is noticed after source.receive_timeout."""
        def trouble(proxy, program):
            proxy.silent = True
            error = eventually(lambda: (program.status() or {}).get("error"), 20, what="the end of patience")
            self.assertEqual(error["code"], "TR201")
            proxy.reset_all()
            proxy.silent = False
        self.bad_line(trouble)
        self.assertGreaterEqual(self.restarts, 1)

    def test_line_cut_in_the_middle(self):
        def trouble(proxy, program):
            for _ in range(4):
                proxy.reset_all()
                time.sleep(0.7)
                program.check_alive()
        self.bad_line(trouble)
        self.assertGreaterEqual(self.restarts, 2)

    # -- the login ------------------------------------------------------------------------------------------------------------

    def test_password_changed_under_the_stream(self):
        """The connections that are there go on; the next is refused and says so; the new password goes on where it stood."""
        own = self.own_server()
        job = self.once_job(own.server)
        self.login("first-password")
        job.write({**job.config, "source": {**job.config["source"], "url": self.url_of("first-password")}})
        with job.background() as program:
            program.wait_state()
            with load.Load(self.db):
                time.sleep(1)
                self.login("second")
                self.cut_connections()
                self.assertEqual(program.process.wait(30), 77)
                self.assertIn("TR202", program.tail())
                self.assertNotIn("first-", program.tail(200))
                job.write({**job.config, "source": {**job.config["source"], "url": self.url_of("second")}})
                with job.background() as again:
                    again.wait_state()
                    time.sleep(1)
                    self.done_under_load = again.terminate()
        self.assertEqual(self.done_under_load, 0)
        with job.background() as program:
            program.wait_state()
            self.done(program)

    def test_privilege_revoked_under_the_stream(self):
        """Named with its statement at the next connection; given back, it goes on where it stood."""
        own = self.own_server()
        job = self.once_job(own.server)
        self.login("a-password")
        job.write({**job.config, "source": {**job.config["source"], "url": self.url_of("a-password")}})
        with load.Load(self.db):
            with job.background() as program:
                program.wait_state()
                time.sleep(1)
                self.revoke()
                self.cut_connections()
                self.assertEqual(program.process.wait(30), 77)
                self.assertRegex(program.tail(), f"TR203.*{self.GRANT}")
            time.sleep(1)
        self.give_back()
        with job.background() as program:
            program.wait_state()
            self.done(program)

    # -- the machine ----------------------------------------------------------------------------------------------------------

    def test_wall_clock_jumps(self):
        """A day forwards, a day back: no wait becomes a day long, no commit is early, nothing is given up."""
        for back in (False, True):
            wall = Preload(self.folder, WALL_CLOCK, **({"PRELOAD_BACK": "1"} if back else {}))
            job = self.once_job() if not back else job
            with job.background(environment=wall.environment) as program:
                program.wait_state()
                with load.Load(self.db):
                    time.sleep(1.5)
                    wall.on(DAY_S)
                    time.sleep(2)
                    wall.off()
                    time.sleep(1.5)
                self.settle(self.kafka, program)
                self.assertEqual(program.status()["restarts"], 0)
                self.assertEqual(program.terminate(), 0)
            off = [r["value"]["ts_ms"] / 1000 - time.time() for r in self.records() if isinstance(r["value"], dict) and "ts_ms" in r["value"]]
            self.assertGreater(max(-t if back else t for t in off), DAY_S / 2, "the clock did not jump")
        self.judge_once(self.kafka)


class OnPostgres(Survives, Loaded):
    GRANT = "ALTER ROLE"

    def revoke(self):
        self.db.psql("ALTER ROLE cdc NOSUPERUSER NOREPLICATION")

    def give_back(self):
        self.db.psql("ALTER ROLE cdc SUPERUSER")

    def own_server(self):
        own = OwnPostgres("fsync=on")
        self.addCleanup(own.remove)
        own.server.psql("CREATE ROLE cdc SUPERUSER LOGIN")
        own.access(["host all,replication postgres 127.0.0.1/32 trust", "host all,replication cdc 127.0.0.1/32 scram-sha-256"])
        return own

    def login(self, password):
        self.db.psql(f"ALTER ROLE cdc PASSWORD '{password}'")

    def url_of(self, password):
        return self.db.url.replace("postgres@", f"cdc:{password}@")

    def cut_connections(self):
        self.db.psql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'cdc'")


class OnMySql(Survives, LoadedMySql):
    GRANT = "GRANT REPLICATION SLAVE"

    def revoke(self):
        self.db.sql("SET sql_log_bin = 0; REVOKE REPLICATION SLAVE ON *.* FROM 'cdc'@'%'")

    def give_back(self):
        self.db.sql("SET sql_log_bin = 0; GRANT REPLICATION SLAVE ON *.* TO 'cdc'@'%'")

    def own_server(self):
        own = OwnMySql(name=self.SERVER)
        self.addCleanup(own.remove)
        return own

    def login(self, password):
        self.db.ensure_user(user="cdc")
        self.db.sql(f"SET sql_log_bin = 0; ALTER USER 'cdc'@'%' IDENTIFIED BY '{password}'")

    def url_of(self, password):
        return self.db.url.replace("tailrace:tailrace@", f"cdc:{password}@")

    def cut_connections(self):
        for line in self.db.values("SELECT id FROM information_schema.processlist WHERE user = 'cdc'"):
            self.db.sql(f"KILL {line}", stop=False)


class OnMariaDb(OnMySql):
    SERVER = "maria1011"
    # Where the two differ: how they stream, lock and kill. The rest is the same code.
    test_slow_line = test_line_cut_in_the_middle = test_wall_clock_jumps = None


if __name__ == "__main__":
    main()
