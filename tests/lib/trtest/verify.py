# Copyright the tailrace authors. SPDX-License-Identifier: Apache-2.0
"""What topics have to be, judged from the topics and the tables alone; tools/verify_topics is its command.

For each partition, in the order of its offsets:
- each event of the stream is new (exactly once), or a repetition that follows from taking up the stream at an earlier place
  (at least once; checker.walk says how), never older than a position that was stored before it was written;
- the order is the source's: (commit, number in the transaction) or (file, offset, row) strictly ascend;
- each event fits what the one before left of its key: no change of what is not there, no creation of what is, and `before` as it was.
Over all of them: each transaction that was announced has all of its events, and the sum of a ledger's column never changes
between two transactions. In the end the replay is the table, value by value (canonical.py).

A finding is (kind, topic, text). Texts name keys, positions and columns, never contents of rows.
"""
import json
import re
from collections import namedtuple
from functools import cached_property

from . import canonical
from .checker import identity, row_key

Finding = namedtuple("Finding", "kind topic text")
KINDS = ("lost", "extra", "changed", "doubled", "reordered", "torn", "sum")


class Table:
    """A table and its topic; the rows are read when they are first asked for."""

    def __init__(self, topic, database, name):
        self.topic, self.database, self.name = topic, database, name

    @cached_property
    def rows(self):
        return canonical.table_rows(self.database, self.name)


def is_change(record):
    return isinstance(record["value"], dict) and record["value"].get("op") in ("c", "u", "d")


def is_snapshot(record):
    return isinstance(record["value"], dict) and record["value"].get("op") == "r" and record["value"]["source"].get("snapshot") != "incremental"


def transaction_id(text):
    """PostgreSQL's is `transaction:position`, with another position for each event."""
    return text.split(":")[0] if re.fullmatch(r"\d+:\d+", text) else text


def place(record):
    """Where the source has it: ascends, strictly when transactions are numbered."""
    source = record["value"]["source"]
    number = (record["value"].get("transaction") or {}).get("total_order")
    if "lsn" in source:
        commit, lsn = (int(x) if x else 0 for x in json.loads(source["sequence"] or "[null, null]"))
        return (commit, number) if number else (commit, lsn)
    return int(re.sub(r"\D", "", source["file"]) or 0), source["pos"], source["row"], number or 0


def shown(record):
    source = record["value"]["source"]
    where = source.get("lsn") or source.get("gtid") or f"{source.get('file')}:{source.get('pos')}"
    return f"offset {record['offset']}: {record['value']['op']} of key {row_key(record['key'])} at {where}"


class Partition:
    """One partition's events, judged one after the other."""

    def __init__(self, topic, exactly_once, with_snapshot, report):
        self.topic, self.exactly_once, self.with_snapshot = topic, exactly_once, with_snapshot
        self.report = lambda kind, text: report(Finding(kind, topic, text))
        self.firsts, self.index, self.at = [], {}, None
        self.rows, self.snapshot_keys, self.last_place, self.repeated = {}, set(), None, 0

    def snapshot_row(self, r):
        key = row_key(r["key"])
        if self.firsts:
            self.report("reordered", f"a snapshot's row after the stream began, {shown(r)}")
        if self.exactly_once and key in self.snapshot_keys:
            self.report("doubled", shown(r))
        self.snapshot_keys.add(key)
        self.rows[key] = r["value"]["after"]

    def repetition(self, r, known):
        self.repeated += 1
        if self.exactly_once:
            self.report("doubled", shown(r))
        elif self.at is not None and known > self.at + 1:
            self.report("lost", f"{known - self.at - 1} events are left out of a repetition before {shown(r)}")
        if self.firsts[known]["value"]["after"] != r["value"]["after"]:
            self.report("changed", f"the repetition has other contents, {shown(r)}")
        self.at = known

    def in_order(self, r):
        here = place(r)
        if self.last_place is not None and (here < self.last_place or (here == self.last_place and r["value"].get("transaction"))):
            self.report("reordered", f"{shown(r)} is at {here}, after {self.last_place}")
        self.last_place = here

    def fits(self, r):
        """The event's own row, against what the events before left of it."""
        key, value = row_key(r["key"]), r["value"]
        there = key in self.rows
        if value["op"] == "c" and there:
            self.report("lost", f"the row's removal is missing before {shown(r)}")
        elif value["op"] != "c" and not there and self.with_snapshot:
            self.report("lost", f"the row's creation is missing before {shown(r)}")
        elif value["op"] == "u" and there and value["before"] is not None and value["before"] != self.rows[key]:
            names = sorted(c for c, v in value["before"].items() if v != self.rows[key].get(c))
            self.report("lost", f"a change of {', '.join(names)} is missing before {shown(r)}")
        if value["op"] == "d":
            self.rows.pop(key, None)
        else:
            self.rows[key] = value["after"]

    def event(self, r):
        if is_snapshot(r):
            return self.snapshot_row(r)
        if not is_change(r):
            return None
        mark = identity(r)
        known = self.index.get(mark)
        if known is not None:
            return self.repetition(r, known)
        if self.at is not None and self.at != len(self.firsts) - 1 and not self.exactly_once:
            self.report("lost", f"{len(self.firsts) - 1 - self.at} events are left out of a repetition before {shown(r)}")
        self.index[mark] = self.at = len(self.firsts)
        self.firsts.append(r)
        self.in_order(r)
        return self.fits(r)

    def end(self):
        if self.at is not None and self.at != len(self.firsts) - 1 and not self.exactly_once:
            self.report("lost", f"the topic ends {len(self.firsts) - 1 - self.at} events inside of a repetition")


class Verifier:
    """records: decoded (topics.py's form: topic, partition, offset, key, value, node), by topic, partition and offset."""

    def __init__(self, records, exactly_once=True, with_snapshot=True):
        self.records, self.exactly_once, self.with_snapshot = records, exactly_once, with_snapshot
        self.findings, self.uncompared, self.partitions = [], {}, {}
        self.compared_rows = self.transactions = 0

    def of(self, topic):
        return [r for r in self.records if r["topic"] == topic]

    def report(self, kind, topic, text):
        self.findings.append(Finding(kind, topic, text))

    def stream(self, topic):
        for r in self.of(topic):
            where = topic, r["partition"]
            if where not in self.partitions:
                self.partitions[where] = Partition(topic, self.exactly_once, self.with_snapshot, self.findings.append)
            self.partitions[where].event(r)
        for (name, _), p in self.partitions.items():
            if name == topic:
                p.end()

    def firsts(self, topic):
        """First occurrences of all partitions in the source's order."""
        own = [r for (name, _), p in self.partitions.items() if name == topic for r in p.firsts]
        return sorted(own, key=place)

    def stored(self, topic, partition, offset, left_behind):
        """No event from this offset on may belong to what the position, stored before it was written, had left behind."""
        for r in self.of(topic):
            if r["partition"] == partition and r["offset"] >= offset and is_change(r) and left_behind(r):
                self.report("doubled", topic, f"older than the position that was stored, {shown(r)}")
                return

    def complete(self, topic):
        """The topic of transactions: each begins and ends, and END's count is what is there."""
        begun, ended, orders = {}, {}, {}
        for r in self.records:
            value = r["value"]
            if r["topic"] == topic and isinstance(value, dict):
                tx = transaction_id(value["id"])
                seen = begun if value["status"] == "BEGIN" else ended
                if self.exactly_once and tx in seen:
                    self.report("doubled", topic, f"{value['status']} of transaction {tx}, offset {r['offset']}")
                seen[tx] = value.get("event_count")
            elif is_change(r) and value.get("transaction"):
                orders.setdefault(transaction_id(value["transaction"]["id"]), set()).add(value["transaction"]["total_order"])
        for tx in begun.keys() | ended.keys() | orders.keys():
            got, count = orders.get(tx, set()), ended.get(tx)
            if tx not in begun or count is None:
                self.report("torn", topic, f"transaction {tx} has {len(got)} events, no {'BEGIN' if tx not in begun else 'END'}")
            elif got != set(range(1, count + 1)):
                missing = sorted(set(range(1, count + 1)) - got)
                self.report("torn", topic, f"transaction {tx} has {len(got)} events of {count}; missing {missing[:5]}")
        self.transactions = len(ended)

    def ledger(self, topic, column):
        """The sum over all rows is the snapshot's after each transaction."""
        rows = {row_key(r["key"]): r["value"]["after"][column] for r in self.of(topic) if is_snapshot(r)}
        total, last = sum(rows.values()), None
        for r in [*self.firsts(topic), None]:
            source = r and r["value"]["source"]
            now = r and (source.get("txId") or source.get("gtid") or (source["file"], source["pos"]))
            if last is not None and now != last and sum(rows.values()) != total:
                self.report("sum", topic, f"after transaction {last} the sum of {column} is off by {sum(rows.values()) - total}")
                total = sum(rows.values())
            if r:
                rows[row_key(r["key"])] = r["value"]["after"][column] if r["value"]["after"] else 0
            last = now

    def replay(self, topic):
        """{key: (key, row, node)} in the end."""
        rows = {}
        for r in self.of(topic):
            value, key = r["value"], row_key(r["key"])
            if value is None or value["op"] == "d":
                rows.pop(key, None)
            elif value["op"] == "t":
                rows.clear()
            elif value["op"] in ("r", "c", "u"):
                rows[key] = r["key"], value["after"], r["node"] and r["node"].fields["after"]
        return rows

    def table(self, table):
        """The replay is the table."""
        skipped, played = self.uncompared.setdefault(table.topic, {}), {}
        replayed = list(self.replay(table.topic).values())
        keys = next((sorted(r["key"]) for r in self.of(table.topic) if isinstance(r["key"], dict)), [])
        for key, row, node in replayed:
            texts = canonical.topic_row(row, node, skipped)
            played[row_key([texts.get(k, str(key[k])) for k in keys])] = texts
        actual = {row_key([row[k] for k in keys]): row for row in table.rows}
        for key in sorted(actual.keys() - played.keys()):
            self.report("lost", table.topic, f"key {key} is in the table, not in the topic")
        for key in sorted(played.keys() - actual.keys()):
            self.report("extra", table.topic, f"key {key} is in the topic, not in the table")
        for key in sorted(actual.keys() & played.keys()):
            names = sorted(c for c, text in actual[key].items() if c not in skipped and not canonical.same(text, played[key].get(c)))
            if names:
                self.report("changed", table.topic, f"key {key} differs in {', '.join(names)}")
        self.compared_rows += len(actual)

    def run(self, tables, transactions=None, sums=(), stored=()):
        for table in tables:
            self.stream(table.topic)
            self.table(table)
        if transactions:
            self.complete(transactions)
        for topic, column in sums:
            self.ledger(topic, column)
        for since in stored:
            self.stored(*since)
        return self.findings

    def repeated(self):
        return sum(p.repeated for p in self.partitions.values())
