#!/usr/bin/env python3
# Copyright the tailrace authors. SPDX-License-Identifier: Apache-2.0
"""tools/verify_topics is judged: on what tailrace published it finds nothing, and each planted fault is found under its name."""
import copy
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "tests" / "lib"), str(ROOT / "tests" / "sweep")]
import tables as rows  # noqa: E402
from trtest import topics, verify  # noqa: E402
from trtest.case import Case, main  # noqa: E402
from trtest.records import topics_of  # noqa: E402

TABLES = ("account", "item", "kinds")


class VerifyTopics(Case):
    """One pipeline's topics for all tests; each plants its fault in a copy of what was read."""

    def published(self):
        self.db = self.database(rows.PostgresTables.schema())
        job = self.kafka_job(self.db, delivery="exactly_once", events={"transaction_metadata": True})
        self.assert_ok(job.once())
        for number in (1, 2):
            self.db.psql(rows.changes(rows.PostgresTables, number))
        self.assert_ok(job.once())
        self.all = topics.read(self.kafka, self.registry, topics_of(self.tag))
        self.tables = [verify.Table(f"{self.tag}.public.{t}", self.db, t) for t in TABLES]

    def judge(self, records, **more):
        ledger = [(self.tables[0].topic, "balance")]
        return {f.kind for f in verify.Verifier(records, **more).run(self.tables, f"{self.tag}.transaction", ledger)}

    def events(self, table, *ops):
        return [i for i, r in enumerate(self.all) if r["topic"] == f"{self.tag}.public.{table}" and isinstance(r["value"], dict) and r["value"]["op"] in ops]

    def without(self, *places):
        return [r for i, r in enumerate(self.all) if i not in places]

    def command(self, *more, kafka=None):
        words = [sys.executable, str(ROOT / "tools" / "verify_topics"), "--kafka", kafka or self.kafka.bootstrap, "--registry", self.registry.url,
                 "--source", self.db.url, "--prefix", self.tag, "--ledger", "public.account:balance", *more, *(f"public.{t}" for t in TABLES)]
        done = subprocess.run(words, capture_output=True, text=True, timeout=120)
        return done.returncode, done.stdout + done.stderr

    def test_planted_faults_are_found_and_named(self):
        self.published()
        code, out = self.command()
        self.assertEqual((code, "0 findings" in out, "not compared" in out), (0, True, False), out)
        self.assertEqual(self.judge(self.all), set())
        for plant in (self.dropped, self.doubled, self.reordered, self.torn, self.changed):
            with self.subTest(plant.__name__):
                plant()
        self.in_the_table()
        self.assertEqual(self.command(kafka="127.0.0.1:1")[0], 2)
        self.assertEqual(self.command("--no-such-option")[0], 2)

    def test_json_with_schemas(self):
        """The other format of values, and that a change behind the topics' backs shows there, too."""
        self.db = self.database(rows.PostgresTables.schema())
        job = self.kafka_job(self.db, delivery="at_least_once", events={"format": "json", "json_schemas": True})
        self.assert_ok(job.once())
        self.db.psql(rows.changes(rows.PostgresTables, 1))
        self.assert_ok(job.once())
        code, out = self.command("--delivery", "at_least_once")
        self.assertEqual((code, "0 findings" in out, "not compared" in out), (0, True, False), out)
        self.db.psql("UPDATE kinds SET n38 = n38 + 0.0000000001 WHERE id = 7")
        self.assertIn('differs in n38', self.command("--delivery", "at_least_once")[1])

    def dropped(self):
        for table in TABLES:
            for i in self.events(table, "c", "u", "d", "r")[::23]:
                self.assertTrue(self.judge(self.without(i)) & {"lost", "torn"}, f"without {table} {i}")
        # In the middle of a key's life, where a replay alone says nothing.
        middle = self.events("account", "u")[4]
        self.assertTrue({"lost", "torn", "sum"} <= self.judge(self.without(middle)))

    def doubled(self):
        for i in self.events("item", "u")[::37] + self.events("item", "r")[::101]:
            twice = self.all[: i + 1] + [copy.deepcopy(self.all[i])] + self.all[i + 1:]
            self.assertIn("doubled", self.judge(twice))
        # At least once, a repetition in order is lawful and a gap in it is not.
        at = self.events("account", "u")
        again = self.all[: at[-1] + 1] + copy.deepcopy([self.all[i] for i in at[5:]]) + self.all[at[-1] + 1:]
        self.assertEqual(self.judge(again, exactly_once=False), set())
        gap = self.all[: at[-1] + 1] + copy.deepcopy([self.all[i] for i in at[5:8] + at[9:]]) + self.all[at[-1] + 1:]
        self.assertIn("lost", self.judge(gap, exactly_once=False))

    def reordered(self):
        at = self.events("account", "u")
        for a, b in zip(at[::4], at[1::4]):
            if self.all[a]["partition"] != self.all[b]["partition"]:
                continue
            swapped = list(self.all)
            swapped[a], swapped[b] = swapped[b], swapped[a]
            self.assertIn("reordered", self.judge(swapped))

    def torn(self):
        """All events of a transaction in one of its tables are gone, and its announcement alone."""
        last = self.all[self.events("account", "u")[-1]]["value"]["source"]["txId"]
        places = [i for i in self.events("account", "u") if self.all[i]["value"]["source"]["txId"] == last]
        self.assertIn("torn", self.judge(self.without(*places)))
        self.assertIn("sum", self.judge(self.without(places[0])))
        announced = [i for i, r in enumerate(self.all) if r["topic"] == f"{self.tag}.transaction" and r["value"]["status"] == "END"]
        self.assertEqual(self.judge(self.without(announced[3])), {"torn"})

    def changed(self):
        """One value of every kind of column, by itself."""
        last = self.events("kinds", "r")[4]
        for column, value in self.all[last]["value"]["after"].items():
            other = self.all[self.events("kinds", "r")[5]]["value"]["after"][column]
            if other == value or column == "id":
                continue
            planted = list(self.all)
            planted[last] = copy.deepcopy(planted[last])
            planted[last]["value"]["after"][column] = other
            self.assertIn("changed", self.judge(planted), column)

    def in_the_table(self):
        """The command, when the table has moved on without the topics: names, no contents."""
        self.db.psql("UPDATE kinds SET t = 'row-c0ffee-secret' WHERE id = 7; DELETE FROM item WHERE id = 60; INSERT INTO account VALUES (77, 0)")
        code, out = self.command()
        self.assertEqual(code, 1, out)
        for text in ('kinds: key ["7"] differs in t', 'extra: ', 'item: key ["60"]', 'lost: ', 'account: key ["77"]'):
            self.assertIn(text, out)
        self.assert_discreet(out)


if __name__ == "__main__":
    main()
