#!/usr/bin/env python3
# Copyright the tailrace authors. SPDX-License-Identifier: Apache-2.0
"""What `check` finds in the plan before anything runs: tables, topics, keys, columns, schemas. It makes nothing."""
import json
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "lib"))
from trtest.case import Case, main  # noqa: E402
from trtest.records import subjects_of  # noqa: E402

SHOP = """CREATE TABLE orders (id int PRIMARY KEY, note text NOT NULL, secret text);
          CREATE TABLE log (a int, shape box);"""


class Plan(Case):
    LIMIT_SECONDS = 240

    def check(self, job, exit_code=0):
        done = job.command("check", "--json")
        self.assertEqual(done.code, exit_code, done.out + done.err)
        report = json.loads(done.out)
        self.assertEqual(report["exit_code"], exit_code)
        return report

    def found(self, report, subject, *pieces, severity=None):
        """The first finding of the plan about `subject` that says all pieces."""
        for f in report["findings"]:
            said = " ".join([f["what"], f["why"], f["fix"], f.get("code", "")])
            if f["layer"] == "plan" and f["subject"] == subject and f["severity"] == (severity or f["severity"]) and all(p in said for p in pieces):
                return f
        self.fail(f"nothing about {subject} with {pieces}: {json.dumps(report['findings'], indent=1)}")

    def nothing_was_made(self, database):
        self.assertEqual(database.value("SELECT (SELECT count(*) FROM pg_publication) + (SELECT count(*) FROM pg_replication_slots "
                                       "WHERE database = current_database())"), "0")

    def test_tables_topics_keys_columns(self):
        database = self.database(SHOP)
        job = self.file_job(database, events={"columns": [{"exclude": "public.orders.secret"}]})
        report = self.check(job)
        self.found(report, "table public.orders", f"topic {self.tag}.public.orders", "key (id)", "2 of 3 columns", severity="ok")
        self.found(report, "table public.log", "no key", "ADD PRIMARY KEY", severity="note")
        self.found(report, "table public.log", "shape (BOX)", "TR305", severity="warning")
        tables = {t["table"]: t for t in report["tables"]}
        self.assertEqual(list(tables), ["public.log", "public.orders"])
        orders = tables["public.orders"]
        self.assertEqual((orders["topic"], orders["key"]), (f"{self.tag}.public.orders", ["id"]))
        self.assertEqual([(c["name"], c["published"], c.get("reason")) for c in orders["columns"]],
                         [("id", True, None), ("note", True, None), ("secret", False, "excluded")])
        value = orders["value_schema"]
        self.assertEqual((value["subject"], value["schema"]["name"]), (f"{self.tag}.public.orders-value", "Envelope"))
        self.assertIsNone(tables["public.log"]["key_schema"])
        self.nothing_was_made(database)

    def test_only_the_columns_of_the_publication(self):
        database = self.database(SHOP + f"CREATE PUBLICATION tailrace_{self.tag} FOR TABLE orders (id, note), log")
        report = self.check(self.file_job(database))
        self.found(report, "table public.orders", "2 of 2 columns", severity="ok")

    def test_topics_that_collide(self):
        report = self.check(self.file_job(self.database('CREATE TABLE "a b" (id int PRIMARY KEY); CREATE TABLE "a_b" (id int PRIMARY KEY)'),
                                          events={"schema_names": "avro"}), 78)
        self.found(report, "table public.a_b", "TR306", f"{self.tag}.public.a_b", severity="error")

    def test_names_that_avro_cannot_hold(self):
        report = self.check(self.file_job(self.database('CREATE TABLE t ("a b" int PRIMARY KEY)')), 78)
        self.found(report, "table public.t", "TR309", "events.field_names", severity="error")

    def test_mask_that_would_hide_nothing(self):
        job = self.file_job(self.database(SHOP), events={"columns": [{"mask": "public.orders.id", "length": 3}]})
        self.found(self.check(job, 78), "table public.orders", "TR102", '"public.orders.id" cannot be masked', "exclude", severity="error")

    def test_mask_that_the_key_shows(self):
        job = self.file_job(self.database("CREATE TABLE t (card text PRIMARY KEY)"), events={"columns": [{"mask": "public.t.card", "length": 3}]})
        self.found(self.check(job), "table public.t", "card is masked", "events.key_columns", severity="warning")

    def test_schema_that_the_registry_would_refuse(self):
        database = self.database("CREATE TABLE t (id int PRIMARY KEY, v int)")
        job = self.kafka_job(database)
        self.found(self.check(job), "table public.t", "schema new", severity="ok")
        self.assertEqual(self.registry.subjects(subjects_of(self.tag)), [], "check registered a schema")
        database.psql("INSERT INTO t VALUES (1, 1)")
        self.assert_ok(job.once())
        self.found(self.check(job), "table public.t", "schema compatible", severity="ok")
        self.registry.compatibility(f"{self.tag}.public.t-value", "BACKWARD")
        database.psql("ALTER TABLE t ALTER v TYPE text")
        versions = self.registry.versions(f"{self.tag}.public.t-value")
        report = self.check(job, 65)
        self.found(report, "table public.t", "TR402", f"{self.tag}.public.t-value", "would refuse", severity="error")
        self.assertEqual(self.registry.versions(f"{self.tag}.public.t-value"), versions)
        registered = {t["table"]: t["value_schema"]["registry"] for t in report["tables"]}
        self.assertEqual(registered["public.t"], "incompatible")

    def test_nothing_may_be_registered_and_nothing_is(self):
        job = self.kafka_job(self.database("CREATE TABLE t (id int PRIMARY KEY)"))
        job.config["events"]["registry"]["auto_register"] = False
        job.write(job.config)
        self.found(self.check(job, 65), "table public.t", "TR402", f"{self.tag}.public.t-key", severity="error")

    def test_database_that_cannot_be_asked(self):
        report = self.check(self.file_job("postgres://postgres@127.0.0.1:1/nowhere"), 69)
        self.found(report, "tables", "not all could be looked at", severity="note")


if __name__ == "__main__":
    main()
