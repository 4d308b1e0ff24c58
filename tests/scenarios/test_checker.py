#!/usr/bin/env python3
# Copyright the tailrace authors. SPDX-License-Identifier: Apache-2.0
"""The judge of the kill loops is judged: planted faults must be found, and lawful repetitions must not."""
import copy
import json
import random
import sys
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "lib"))
from trtest import checker  # noqa: E402


class Table:
    """Stands for the database: what the last event of each key left."""

    def __init__(self, rows):
        self.content = rows

    def table_rows(self, _):
        return self.content


def history(count=300, seed=1):
    """A topic of transactions of one to three events, and the table they leave."""
    rng, records, rows, n = random.Random(seed), [], {}, 0
    lsn, commit, tx = 1000, 900, 1
    while len(records) < count:
        for _ in range(rng.randint(1, 3)):
            n, lsn, key = n + 1, lsn + 8, rng.randint(1, 30)
            before = rows.get(key)
            op = "c" if before is None else "d" if rng.random() < 0.2 else "u"
            after = None if op == "d" else {"id": key, "n": n}
            rows.pop(key, None)
            if after:
                rows[key] = after
            records.append({"topic": "x.public.t", "key": {"id": key}, "value": {
                "op": op, "before": before, "after": after,
                "source": {"txId": tx, "lsn": lsn, "sequence": json.dumps([str(commit), str(lsn)])}}})
        tx, lsn = tx + 1, lsn + 8
        commit = lsn
    return records, Table(list(rows.values()))


def judge(records, table, **more):
    faults, repeated, _ = checker.check(records, table, {"t": ["id"]}, "x.public", **more)
    return faults, repeated


class Checker(unittest.TestCase):
    def setUp(self):
        self.records, self.table = history()

    def test_a_faultless_topic_has_no_faults(self):
        self.assertEqual(judge(self.records, self.table), ([], 0))

    def test_a_repetition_from_an_earlier_position_is_lawful(self):
        faults, repeated = judge(self.records[:200] + self.records[150:], self.table)
        self.assertEqual((faults, repeated), ([], 50))

    def test_repetition_inside_a_repetition_is_lawful(self):
        self.assertEqual(judge(self.records[:200] + self.records[150:170] + self.records[140:], self.table)[0], [])

    def test_each_dropped_event_is_found(self):
        missed = [i for i in range(len(self.records)) if not judge(self.records[:i] + self.records[i + 1:], self.table)[0]]
        self.assertEqual(missed, [])

    def test_a_doubled_event_is_found(self):
        for i in (10, 100, 200):
            doubled = self.records[:i + 1] + [copy.deepcopy(self.records[i - 5])] + self.records[i + 1:]
            self.assertTrue(judge(doubled, self.table)[0], f"event {i}")

    def test_exchanged_events_of_a_key_are_found(self):
        by_key = {}
        for i, r in enumerate(self.records):
            by_key.setdefault(r["key"]["id"], []).append(i)
        for places in by_key.values():
            for a, b in zip(places, places[1:]):
                swapped = list(self.records)
                swapped[a], swapped[b] = swapped[b], swapped[a]
                self.assertTrue(judge(swapped, self.table)[0], f"events {a} and {b}")

    def test_a_gap_in_a_repetition_is_found(self):
        self.assertTrue(judge(self.records[:200] + self.records[150:160] + self.records[165:], self.table)[0])

    def test_a_repetition_with_other_contents_is_found(self):
        changed = copy.deepcopy(self.records[190:])
        for r in changed:
            if r["value"]["after"]:
                r["value"]["after"]["n"] += 1
                break
        self.assertTrue(judge(self.records[:200] + changed, self.table)[0])

    def test_an_event_from_before_the_stored_position_is_found(self):
        lsn = int(json.loads(self.records[180]["value"]["source"]["sequence"])[0])
        since = [("x.public.t", 200, checker.before_lsn(lsn))]
        self.assertEqual(judge(self.records[:200] + self.records[190:], self.table, commits_since=since)[0], [])
        self.assertTrue(judge(self.records[:200] + self.records[150:], self.table, commits_since=since)[0])

    def test_what_a_gtid_set_has_left_behind(self):
        uuid = "3e11fa47-71ca-11e1-9e33-c80aa9429562"
        event = lambda gtid: {"value": {"source": {"gtid": gtid}}}
        done = checker.in_gtid_set(f"{uuid}:1-3:7:blue:2-4,\nae11fa47-71ca-11e1-9e33-c80aa9429562:9")
        for number, expected in ((1, True), (3, True), (4, False), (7, True), (8, False)):
            self.assertEqual(done(event(f"{uuid}:{number}")), expected, number)
        self.assertEqual([done(event(f"{uuid}:blue:{n}")) for n in (1, 2, 4, 5)], [False, True, True, False])
        done = checker.in_gtid_set("0-2-10,5-1-3")
        self.assertEqual([done(event(g)) for g in ("0-2-10", "0-1-9", "0-2-11", "5-9-4", "1-2-3")], [True, True, False, False, False])

    def test_an_incomplete_transaction_is_found(self):
        """By the transaction topic: an event missing, a doubled announcement, an END that never came."""
        def change(order):
            return {"topic": "x.public.t", "value": {"op": "c", "transaction": {"id": "7:90", "total_order": order}}}
        begin, end = ({"topic": "x.transaction", "value": {"status": s, "id": "7:99", "event_count": 2}} for s in ("BEGIN", "END"))
        whole = [begin, change(1), change(2), end]
        self.assertEqual(checker.transaction_faults(whole, "x.transaction"), [])
        for broken in (whole[:2] + whole[3:], [begin] + whole, whole[:3], whole[1:], whole + [change(2)], [change(1)]):
            self.assertNotEqual(checker.transaction_faults(broken, "x.transaction"), [])

    def test_a_torn_transaction_is_found(self):
        records = [{"key": {"id": k}, "value": {"op": "u", "after": {"balance": b}, "source": {"txId": tx, "lsn": 0}}}
                   for tx, k, b in ((1, 1, 90), (1, 2, 110), (2, 1, 80), (2, 2, 120))]
        rows = {checker.row_key({"id": 1}): 100, checker.row_key({"id": 2}): 100}
        self.assertEqual(checker.sums_faults(records, "balance", 200, rows), [])
        for i in range(4):
            self.assertTrue(checker.sums_faults(records[:i] + records[i + 1:], "balance", 200, rows), f"without event {i}")


if __name__ == "__main__":
    unittest.main(verbosity=2)
