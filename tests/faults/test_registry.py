#!/usr/bin/env python3
# Copyright the tailrace authors. SPDX-License-Identifier: Apache-2.0
"""A schema registry that is down, refuses or talks nonsense: told apart, and nothing published meanwhile."""
import json
import sys
import time
import urllib.request
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "lib"))
from trtest.case import PASSWORD, ROW_SECRET, Case, eventually, main  # noqa: E402
from trtest.peer import HttpPeer  # noqa: E402
from trtest.records import subjects_of, topics_of  # noqa: E402

TABLE = f"CREATE TABLE t (id int PRIMARY KEY, s text); INSERT INTO t VALUES (1, '{ROW_SECRET}');"


class RegistryFaults(Case):
    LIMIT_SECONDS = 240

    def job_with(self, url, **registry):
        return self.kafka_job(self.database(TABLE), events={"registry": {"url": url, "retry_for": "2s", "timeout": "2s", **registry}})

    def scripted(self, answer, **registry):
        peer = HttpPeer(answer)
        self.addCleanup(peer.close)
        return peer, self.job_with(peer.url, **registry)

    def nothing_published(self, job):
        self.assertEqual(sum(self.kafka.high_marks(topics_of(self.tag)).values()), 0, "records were published")
        self.assertFalse((job.stored() or {}).get("position"), "a position was stored")

    def test_down(self):
        job = self.job_with("http://127.0.0.1:1")
        ended = job.once()
        self.assert_fails(ended, 69, "TR401", "schema registry could not be reached", "events.registry.url", "127.0.0.1:1")
        self.nothing_published(job)

    def test_overloaded_for_a_while(self):
        """503 passes: what then happens is as if it had not been."""
        count = [0]
        def answer(method, path, body):
            count[0] += 1
            if count[0] <= 3:
                return 503, b'{"error_code":50302,"message":"busy"}'
            return self.real(method, path, body)
        _, job = self.scripted(answer, retry_for="20s")
        self.assert_ok(job.once())
        self.assertGreater(count[0], 3)

    def test_overloaded_for_too_long(self):
        peer, job = self.scripted(lambda *_: (503, b'{"error_code":50302,"message":"busy"}'))
        self.assert_fails(job.once(), 69, "TR401", "registry", detail=("503", "busy"))
        self.assertGreater(len(peer.requests), 1, "it was not tried again")
        self.nothing_published(job)

    def real(self, method, path, body):
        request = urllib.request.Request(self.registry.url + path, method=method, data=body or None, headers={"Content-Type": "application/json"})
        with urllib.request.urlopen(request, timeout=10) as got:
            return got.status, got.read()

    def ids(self):
        return [r["key"]["id"] for r in self.records()]

    def test_away_in_the_stream(self):
        """Schemas that are known go on; rows of a new one wait, and come when the registry does."""
        away = []
        def answer(*request):
            return (503, b'{"error_code":50302,"message":"busy"}') if away else self.real(*request)
        peer, job = self.scripted(answer, retry_for="60s")
        with job.background() as program:
            program.wait_state()
            self.server.database(self.tag).psql("INSERT INTO t VALUES (2, 'known')")
            eventually(lambda: self.ids() == [1, 2], what="row 2")
            away.append(True)
            self.server.database(self.tag).psql("INSERT INTO t VALUES (3, 'known')")
            eventually(lambda: self.ids() == [1, 2, 3], what="a row of a schema that is known")
            asked = len(peer.requests)
            self.server.database(self.tag).psql("ALTER TABLE t ADD COLUMN n int; INSERT INTO t VALUES (4, 'new', 4)")
            eventually(lambda: len(peer.requests) > asked + 1, what="a second question")
            eventually(lambda: '"registry.retry"' in program.log.read_text(encoding="utf-8"), what="a word about it")
            program.check_alive()
            self.assertEqual(self.ids(), [1, 2, 3])
            away.clear()
            eventually(lambda: self.ids() == [1, 2, 3, 4], what="row 4")
            self.assertEqual(program.terminate(), 0)

    def test_slow(self):
        def answer(*request):
            time.sleep(1.5)
            return self.real(*request)
        _, job = self.scripted(answer)
        self.assert_ok(job.once())
        self.assertEqual(self.ids(), [1])

    def test_emptied_in_the_stream(self):
        """It has forgotten its subjects: the process goes on with the ids it has, the next start registers again."""
        job = self.job_with(self.registry.url)
        with job.background() as program:
            program.wait_state()
            self.registry.delete(subjects_of(self.tag))
            self.server.database(self.tag).psql("INSERT INTO t VALUES (2, 'x')")
            eventually(lambda: sum(self.kafka.high_marks(topics_of(self.tag)).values()) >= 2, what="row 2")
            self.assertEqual(program.terminate(), 0)
        self.server.database(self.tag).psql("INSERT INTO t VALUES (3, 'x')")
        self.assertEqual(self.registry.subjects(subjects_of(self.tag)), [])
        self.assert_ok(job.once())
        self.assertEqual(sum(self.kafka.high_marks(topics_of(self.tag)).values()), 3)
        self.assertEqual(len(self.registry.subjects(subjects_of(self.tag))), 2)

    def test_id_that_does_not_fit(self):
        """No registry gives a number that does not fit into the four bytes of the format."""
        _, job = self.scripted(lambda *_: (200, b'{"id": 4294967296000}'))
        self.assert_fails(job.once(), 69, "TR403", "registry", "events.registry.url")
        self.nothing_published(job)

    def test_incompatible_by_a_script(self):
        peer, job = self.scripted(lambda *_: (409, b'{"error_code":409,"message":"incompatible schema"}'))
        self.assert_fails(job.once(), 65, "TR402", f"{self.tag}.public.t-", "compatibility", ("409", "incompatible schema"))
        self.nothing_published(job)

    def test_incompatible_in_a_real_registry(self):
        database = self.database(TABLE)
        job = self.kafka_job(database)
        self.assert_ok(job.once())
        subject = f"{self.tag}.public.t-value"
        request = urllib.request.Request(f"{self.registry.url}/config/{subject}", method="PUT", data=json.dumps({"compatibility": "FULL_TRANSITIVE"}).encode(),
                                         headers={"Content-Type": "application/json"})
        urllib.request.urlopen(request, timeout=10).read()
        database.psql("ALTER TABLE t ADD COLUMN must int NOT NULL DEFAULT 0; ALTER TABLE t ALTER COLUMN must DROP DEFAULT; INSERT INTO t VALUES (2, 'x', 7);")
        before = job.stored()["position"]
        self.assert_fails(job.once(), 65, "TR402", subject, "compatibility", "409")
        self.assertEqual(job.stored()["position"], before, "the position moved past what was not published")

    def test_garbage(self):
        _, job = self.scripted(lambda *_: (200, b"<html>It works!</html>", "text/html"))
        self.assert_fails(job.once(), 69, "TR403", "registry", "events.registry.url")
        self.nothing_published(job)

    def test_json_of_another_shape(self):
        _, job = self.scripted(lambda *_: (200, b'{"identity": "yes"}'))
        self.assert_fails(job.once(), 69, "TR403", "registry", "events.registry.url")

    def test_not_a_registry(self):
        _, job = self.scripted(lambda *_: (404, b"no such page", "text/plain"))
        self.assert_fails(job.once(), 69, "TR403", "registry", "path in events.registry.url", "404")

    def test_refused_login_shows_no_password(self):
        _, job = self.scripted(lambda *_: (401, b'{"error_code":40101,"message":"who are you"}'), user="cdc", password=PASSWORD)
        self.assert_fails(job.once(), 77, "TR404", "registry", "password", "401")

    def test_password_in_the_address_is_not_shown(self):
        self.assert_fails(self.job_with(f"http://cdc:{PASSWORD}@127.0.0.1:1").once(), 69, "TR401", "registry")

    def test_schema_that_was_not_registered(self):
        job = self.job_with(self.registry.url, auto_register=False)
        self.assert_fails(job.once(), 65, "TR402", f"{self.tag}.public.t-", "auto_register")


if __name__ == "__main__":
    main()
