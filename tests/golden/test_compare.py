#!/usr/bin/env python3
# Copyright the tailrace authors. SPDX-License-Identifier: Apache-2.0
"""The comparer against itself: every golden case equals its own materialisation, and each planted fault is found."""
import copy
import functools
import json
import unittest
from pathlib import Path

import compare as c

CASES = sorted(p.name for p in (Path(__file__).parent / "cases").iterdir())
NONE = {"modes": {"postgres-incremental": "incremental", "postgres-ddl-burst": "burst", "mysql-incremental": "incremental",
                  "mariadb-incremental": "incremental"}, "rules": []}


def concrete(tree):
    """Actual-looking values for the placeholders, ranks kept as order."""
    if isinstance(tree, list):
        return [concrete(v) for v in tree]
    if not isinstance(tree, dict):
        return tree
    kind = tree.get("$vol")
    if kind is None:
        return {k: concrete(v) for k, v in tree.items()}
    lsn = lambda n: 100_000 + 8 * n
    commit = lambda n: 100_001 + 8 * n
    if kind == "ts":
        return 0  # filled by times()
    if kind == "lsn":
        return lsn(tree["n"])
    if kind == "txid":
        return 700 + tree["n"]
    if kind == "sequence":
        text = lambda value: None if value is None else str(value)
        parts = [tree["commit"] and text(commit(tree["commit"])), tree["lsn"] and text(lsn(tree["lsn"]))]
        return json.dumps(parts, separators=(",", ":"))
    if kind == "pos":
        return 150 + 10 * tree["n"]
    if kind == "file":
        return "binlog.000001"
    if kind == "thread":
        return 12
    if kind == "gtid" or tree.get("form") == "<gtid>":
        return f"3e11fa47-71ca-11e1-9e33-c80aa9429562:{95 + tree['n']}"  # two digits and three: the number has the order
    if kind == "txnid":
        at = lsn(tree["lsn"]) if isinstance(tree["lsn"], int) else 99
        return f"{700 + tree['txid']}:{at}"
    if kind == "uuid":
        return "01234567-89ab-cdef-0123-456789abcdef"
    return "text"


def times(tree):
    if isinstance(tree, dict):
        for name, value in tree.items():
            if name in ("ts_ms", "ts_us", "ts_ns") and value == 0:
                tree[name] = {"ts_ms": 1_700_000_000_123, "ts_us": 1_700_000_000_123_456, "ts_ns": 1_700_000_000_123_456_000}[name]
            else:
                times(value)
    elif isinstance(tree, list):
        for value in tree:
            times(value)
    return tree


@functools.lru_cache(maxsize=None)
def text(case):
    return c.load(c.HERE / "cases" / case)


def pair(case):
    expected = copy.deepcopy(text(case))
    actual = c.Capture([times(concrete(r)) for r in expected.records], dict(expected.schemas))
    return expected, actual


def kinds(case, plant):
    expected, actual = pair(case)
    plant(actual)
    return [d.kind for d in c.compare(expected, actual, case, deviations=NONE).differences]


class Golden(unittest.TestCase):
    def test_each_case_equals_itself(self):
        for case in CASES:
            with self.subTest(case):
                expected, actual = pair(case)
                result = c.compare(expected, actual, case, deviations=NONE)
                self.assertEqual([str(d) for d in result.differences], [])
                if case != "postgres-ddl-burst":
                    self.assertEqual(result.schemas, len(expected.schemas))

    def test_each_deviation_meets_records_and_is_a_difference(self):
        deviations = c.load_deviations()
        for rule in deviations["rules"]:
            cases = [n for n in CASES if c.applies(rule, n, None)]
            self.assertTrue(cases, rule)
            for case in cases:
                with self.subTest(rule=rule["id"], path=rule.get("path"), case=case):
                    expected, actual = pair(case)
                    if "values" not in rule:  # meets something, or raises
                        c.deviate(expected, [rule], case)
                        continue
                    result = c.compare(expected, actual, case, deviations={"rules": [rule], "modes": {}})
                    self.assertGreaterEqual(len(result.differences), len(rule["values"]))
                    self.assertEqual({d.kind for d in result.differences}, {"field"})

    def test_a_stale_deviation_is_an_error(self):
        rule = {"id": "stale", "case": "*", "by": "after.id", "path": "after.nothing", "values": {"1": 1}}
        with self.assertRaises(ValueError):
            c.compare(*pair("postgres-types-array"), "postgres-types-array", deviations={"rules": [rule]})


class Planted(unittest.TestCase):
    """Faults at every record of a case, one at a time."""

    case = "postgres-types-extension"

    def each(self, plant, want, case=None):
        case = case or self.case
        for i in range(len(pair(case)[1].records)):
            with self.subTest(i=i):
                found = kinds(case, lambda a: plant(a.records, i))
                self.assertEqual(found[:1], [want])

    def test_dropped(self):
        self.each(lambda records, i: records.pop(i), "missing")

    def test_doubled(self):
        self.each(lambda records, i: records.insert(i, copy.deepcopy(records[i])), "unexpected")

    def test_one_dropped_is_one_difference(self):
        found = kinds("postgres-changes", lambda a: a.records.pop(50))
        self.assertEqual(len(found), 1)

    def test_reordered(self):
        records = pair("postgres-changes")[0].records
        for i in range(len(records) - 1):
            a, b = records[i], records[i + 1]
            if i % 7 or a["topic"] != b["topic"] or a["key"] == b["key"] or a["topic"].startswith("__"):
                continue
            with self.subTest(i=i):

                def swap(actual):
                    actual.records[i], actual.records[i + 1] = actual.records[i + 1], actual.records[i]

                self.assertTrue(kinds("postgres-changes", swap))

    def test_doubled_at_end(self):
        self.assertEqual(kinds(self.case, lambda a: a.records.append(a.records[-1])), ["unexpected"])

    def test_altered_value(self):
        def alter(records, i):
            value = records[i]["value"]
            if value is None:
                records[i]["value"] = {}
            else:
                value["op"] = "x"

        self.each(alter, "field")

    def test_altered_key(self):
        self.each(lambda records, i: records[i].update(key={"id": 999}), "field", "postgres-types-array-multidim")

    def test_altered_header(self):
        self.each(lambda records, i: records[i]["headers"].reverse(), "field")

    def test_absent_field(self):
        def drop(a):
            del a.records[0]["value"]["source"]["origin"]

        self.assertEqual(kinds(self.case, drop), ["field"])

    def test_types_are_kept_apart(self):
        for was, now in ((1, 1.0), (1, True), (0.0, -0.0), (0, None), ("1", 1)):
            self.assertFalse(c.same_json(was, now), (was, now))

    def test_partition(self):
        self.each(lambda records, i: records[i].update(partition=1), "field")


class Volatile(unittest.TestCase):
    case = "postgres-changes"

    def find(self, plant):
        return kinds(self.case, plant)

    def sources(self, actual):
        return [r["value"]["source"] for r in actual.records if r["value"] and "source" in r["value"] and r["value"]["source"]["snapshot"] == "false"]

    def test_lsn_out_of_order(self):
        def plant(a):
            self.sources(a)[5]["lsn"] = 1

        self.assertIn("rank", self.find(plant))

    def test_lsns_that_should_differ(self):
        def plant(a):
            for s in self.sources(a):
                s["lsn"] = 100_008

        self.assertIn("rank", self.find(plant))

    def test_txid_of_another_transaction(self):
        def plant(a):
            self.sources(a)[5]["txId"] += 1

        self.assertTrue(self.find(plant))

    def test_times_disagree(self):
        def plant(a):
            self.sources(a)[5]["ts_us"] += 1000

        self.assertEqual(self.find(plant), ["field"])

    def test_malformed(self):
        for name, value in (("sequence", '["1"]'), ("sequence", '["1", "2"]'), ("lsn", None), ("lsn", "1"), ("txId", None)):
            with self.subTest(name):

                def plant(a):
                    self.sources(a)[5][name] = value

                self.assertEqual(self.find(plant)[:1], ["field"])

    def test_faults_of_a_binlog_position(self):
        self.case = "mysql-changes"
        uuid = "3e11fa47-71ca-11e1-9e33-c80aa9429562"
        for name, value, kind in (("gtid", f"{uuid}:1", "rank"), ("gtid", uuid, "field"), ("gtid", f"{uuid}:x:y:3", "field"), ("pos", 4, "rank"),
                                  ("pos", 0, "field"), ("file", "binlog", "field"), ("thread", 0, "field"), ("gtid", None, "field")):
            with self.subTest(name, value=value):

                def plant(a):
                    self.sources(a)[5][name] = value

                self.assertEqual(self.find(plant)[:1], [kind])

    def test_transaction_of_another_gtid(self):
        self.case = "mariadb-changes"

        def plant(a):
            ended = next(r for r in a.records if r["value"] and r["value"].get("status") == "END")
            ended["value"]["id"] = "0-2-9999"

        self.assertEqual(self.find(plant)[:1], ["rank"])

    def test_run_id_is_a_uuid(self):
        def plant(a):
            next(r for r in a.records if r["headers"])["headers"][-1]["value"] = "x"

        self.assertEqual(self.find(plant), ["field"])

    def test_more_heartbeats_are_no_difference(self):
        def plant(a):
            beat = next(r for r in a.records if r["topic"].startswith("__debezium-heartbeat"))
            a.records += [beat] * 20

        self.assertEqual(self.find(plant), [])

    def test_end_is_not_the_position_of_an_event(self):
        def plant(a):
            end = next(r for r in a.records if r["topic"].endswith(".transaction") and r["value"]["status"] == "END")
            txid = end["key"]["id"].split(":")[0]
            lsn = next(source["lsn"] for source in self.sources(a) if str(source.get("txId")) == txid)
            end["key"]["id"] = end["value"]["id"] = f"{txid}:{lsn}"

        self.assertEqual(set(self.find(plant)), {"field"})


class Incremental(unittest.TestCase):
    case = "postgres-incremental"

    def window_rows(self, records):
        return [i for i, r in enumerate(records) if c.is_incremental(r)]

    def test_window_rows_may_stand_elsewhere(self):
        def plant(a):
            rows = [a.records.pop(i) for i in reversed(self.window_rows(a.records))]
            a.records += rows

        self.assertEqual(kinds(self.case, plant), [])

    def test_window_row_lost(self):
        def plant(a):
            a.records.pop(next(i for i in self.window_rows(a.records) if a.records[i]["key"] == {"id": 7}))

        self.assertEqual(kinds(self.case, plant), ["missing"])

    def test_window_row_doubled(self):
        def plant(a):
            a.records.append(a.records[self.window_rows(a.records)[3]])

        self.assertEqual(kinds(self.case, plant), ["unexpected"])

    def test_streamed_row_lost(self):
        def plant(a):
            a.records.pop(next(i for i, r in enumerate(a.records) if r["topic"].endswith(".fifty") and not c.is_incremental(r)))

        self.assertEqual(kinds(self.case, plant), ["missing"])


class Schemas(unittest.TestCase):
    case = "postgres-types-extension"

    def edit(self, change):
        def plant(a):
            name = next(n for n in sorted(a.schemas) if n.endswith("-value"))
            schema = json.loads(a.schemas[name])
            change(schema)
            a.schemas[name] = json.dumps(schema)

        return kinds(self.case, plant)

    def test_attribute_order_is_no_difference(self):
        def reverse(schema):
            items = list(schema.items())[::-1]
            schema.clear()
            schema.update(items)

        self.assertEqual(self.edit(reverse), [])

    def test_faults(self):
        value = lambda s: s["fields"][0]["type"][1]
        faults = {
            "field order": lambda s: s["fields"].reverse(),
            "field lost": lambda s: value(s)["fields"].pop(),
            "default lost": lambda s: s["fields"][0].pop("default"),
            "name": lambda s: s.update(name="Other"),
            "nullability": lambda s: s["fields"][0]["type"].reverse(),
            "connect name": lambda s: s.pop("connect.name"),
            "number for boolean": lambda s: value(s)["fields"][0].update(default=False),
        }
        for name, fault in faults.items():
            with self.subTest(name):
                self.assertEqual(self.edit(fault), ["schema"])

    def test_missing_and_unexpected(self):
        def lose(a):
            del a.schemas[next(iter(a.schemas))]

        def add(a):
            a.schemas["other-value"] = "{}"

        self.assertEqual(kinds(self.case, lose), ["schema"])
        self.assertEqual(kinds(self.case, add), ["schema"])


class Rules(unittest.TestCase):
    """The rules that are no plain values."""

    def differences(self, case, rules, plant=lambda a: None, mode="exact", paced=False):
        expected, actual = pair(case)
        plant(actual)
        return [d.kind for d in c.compare(expected, actual, case, deviations={"modes": {case: mode}, "rules": rules}, paced=paced).differences]

    def test_what_is_ignored_may_be_anything_and_nothing_else_may(self):
        def plant(a):
            change = next(r for r in a.records if r["value"] and r["value"].get("ddl", "").startswith("ALTER TABLE evo "))
            change["value"]["tableChanges"][0]["table"]["columns"][0]["length"] = 99

        rule = {"id": "x", "case": "mysql-ddl", "topic": "gold_*_ddl", "where": {"source.snapshot": "false"}}
        self.assertEqual(self.differences("mysql-ddl", [], plant), ["field"])
        self.assertEqual(self.differences("mysql-ddl", [{**rule, "ignore": ["tableChanges[].table"]}], plant), [])
        self.assertEqual(self.differences("mysql-ddl", [{**rule, "ignore": ["tableChanges[].table.columns[].length"]}], plant), [])
        self.assertEqual(self.differences("mysql-ddl", [{**rule, "ignore": ["tableChanges[].table.columns[].scale"]}], plant), ["field"])
        self.assertEqual(self.differences("mysql-ddl", [{**rule, "paced": False, "ignore": ["tableChanges[].table"]}], plant, paced=True), ["field"])

    def test_a_burst_excuses_defaults_only(self):
        name = "gold_my_ddl.golden.evo-value-v3"

        def default(a):
            a.schemas[name] = a.schemas[name].replace('"connect.default":7', '"connect.default":70').replace('"default":7', '"default":70')

        def kind(a):
            a.schemas[name] = a.schemas[name].replace('"int"', '"long"', 1)

        self.assertEqual(self.differences("mysql-ddl", [], default, "ddl"), [])
        self.assertEqual(self.differences("mysql-ddl", [], default, "ddl", paced=True), ["schema"])
        self.assertEqual(self.differences("mysql-ddl", [], kind, "ddl"), ["schema"])

    def test_a_transaction_that_never_ends(self):
        rules = [r for r in c.load_deviations()["rules"] if r["id"] == "unended"]

        def plant(a, with_end=True):
            """As tailrace publishes it: no BEGIN without events, an END for the one with events."""
            filled = {r["value"]["transaction"]["id"] for r in a.records if r["value"] and r["value"].get("transaction")}
            ended = {r["value"]["id"] for r in a.records if r["value"] and r["value"].get("status") == "END"}
            for i, r in reversed(list(enumerate(a.records))):
                if r["value"] and r["value"].get("status") == "BEGIN" and r["value"]["id"] not in ended:
                    if r["value"]["id"] not in filled:
                        del a.records[i]
                    elif with_end:
                        a.records.insert(i + 1, {**r, "value": {**r["value"], "status": "END", "event_count": 1, "data_collections": []}})

        self.assertEqual(self.differences("mariadb-changes", rules, plant), [])
        self.assertEqual(self.differences("mariadb-changes", rules, lambda a: plant(a, False)), ["missing"])
        self.assertTrue(self.differences("mariadb-changes", [], plant))


if __name__ == "__main__":
    unittest.main()
