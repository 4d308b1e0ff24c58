# Copyright the tailrace authors. SPDX-License-Identifier: Apache-2.0
"""At-least-once in commit order, checked on what was published.

A topic's events, in order, have to be a walk through the list of first occurrences L: each event is the next one of L, or
goes back to one that is already in L, and then follows L from there without a gap. So a duplicate can only come from taking
up the stream at an earlier position. And in L each key's rows are in commit order (the load's column n ascends), each event
starting from what the one before left (`before`): nothing is missing, also where a later event hides it from a replay.
tests/scenarios/test_checker.py shows that dropped, doubled and reordered events are found.
"""
import re

from .replay import replay_differences, row_key


def identity(record):
    """The same for the same event of the same transaction, whenever and however often it is published."""
    value = record["value"]
    source = value["source"]
    if "lsn" in source:
        return source.get("txId"), source["lsn"], value["op"], row_key(record["key"])
    return source["file"], source["pos"], source["row"], value["op"], row_key(record["key"])


def transaction(record):
    source = record["value"]["source"]
    return source["txId"] if "lsn" in source else source["gtid"] or (source["file"], source["pos"])


def events(records):
    """The records of changes: no tombstones, no snapshot rows, no transaction or heartbeat records."""
    return [r for r in records if isinstance(r["value"], dict) and r["value"].get("op") in ("c", "u", "d")]


def walk(records):
    """(first occurrences, number of repeated events, faults)."""
    first, place, faults = [], {}, []
    repeated, at = 0, None  # at: index in L that the last event had
    for r in events(records):
        mark = identity(r)
        known = place.get(mark)
        if known is None:
            if at is not None and at != len(first) - 1:
                faults.append(f"new event {mark} although {len(first) - 1 - at} of the repeated ones are missing before it")
            place[mark] = at = len(first)
            first.append(r)
        else:
            repeated += 1
            # Going back is allowed; jumping forward inside what is known leaves some out.
            if at is not None and known > at + 1:
                faults.append(f"repeated event {mark} comes {known - at - 1} events too early")
            if first[known]["value"]["after"] != r["value"]["after"]:
                faults.append(f"repeated event {mark} has other contents")
            at = known
    if at is not None and at != len(first) - 1:
        faults.append(f"the topic ends inside a repetition, {len(first) - 1 - at} events before its end")
    return first, repeated, faults


def order_faults(records, column="n"):
    """Rows of a key whose `column` does not ascend, among first occurrences and after the snapshot."""
    faults, last = [], {}
    for r in records:
        if r["value"]["op"] == "d":
            continue
        key, n = row_key(r["key"]), r["value"]["after"][column]
        if n <= last.get(key, -1):
            faults.append(f"key {key}: {column} {n} after {last[key]}")
        last[key] = n
    return faults


def chain_faults(records, snapshot):
    """With REPLICA IDENTITY FULL each event's `before` is what the event before left of the key: a dropped one leaves a gap."""
    faults, rows = [], {row_key(r["key"]): r["value"]["after"] for r in snapshot}
    for r in records:
        key, value = row_key(r["key"]), r["value"]
        if value["before"] != rows.get(key):
            faults.append(f"event {identity(r)} changes {value['before']}, but what was published before is {rows.get(key)}")
        rows[key] = value["after"]
    return faults


def sequence_faults(records):
    """source.sequence [last commit, lsn]: the first never falls, and both never fall together."""
    import json
    faults, before = [], (0, 0)
    for r in records:
        if r["value"]["source"]["sequence"] is None:    # MySQL
            continue
        last_commit, lsn = (int(x) if x else 0 for x in json.loads(r["value"]["source"]["sequence"]))
        if last_commit and (last_commit, lsn) < before:
            faults.append(f"sequence {(last_commit, lsn)} after {before} at {identity(r)}")
        if last_commit:
            before = (last_commit, lsn)
    return faults


def sums_faults(records, column, total, rows):
    """After each transaction of first occurrences the sum of `column` over all rows is `total`; rows: {key: value} before."""
    faults, rows, last = [], dict(rows), None
    for r in records + [None]:
        now = r and transaction(r)
        if last is not None and now != last and sum(rows.values()) != total:
            faults.append(f"after transaction {last} the sum is {sum(rows.values())}, not {total}")
        if r:
            rows[row_key(r["key"])] = r["value"]["after"][column]
        last = now
    return faults


def transaction_faults(records, topic):
    """With events.transaction_metadata: each transaction is announced once, ended once, and has in between as many events as its
    END says, numbered without a gap. Its events may lie in topics that `records` leaves out: give all."""
    faults, begun, ended, orders = [], set(), {}, {}
    for r in records:
        value = r["value"]
        if r["topic"] == topic:
            seen, tx = (begun, ended)[value["status"] == "END"], transaction_name(value["id"])
            if tx in seen:
                faults.append(f"transaction {tx} has {value['status']} twice")
            if seen is begun:
                begun.add(tx)
            else:
                ended[tx] = value["event_count"]
        elif isinstance(value, dict) and value.get("transaction"):
            orders.setdefault(transaction_name(value["transaction"]["id"]), []).append(value["transaction"]["total_order"])
    for tx in sorted(begun ^ ended.keys()):
        faults.append(f"transaction {tx} has no {'END' if tx in begun else 'BEGIN'}")
    for tx in sorted(orders.keys() - ended.keys()):
        faults.append(f"events of transaction {tx}, which has no END")
    for tx, count in ended.items():
        if sorted(orders.get(tx, [])) != list(range(1, count + 1)):
            faults.append(f"transaction {tx} has {len(orders.get(tx, []))} events, its END says {count}")
    return faults


def transaction_name(text):
    """PostgreSQL's is txid:lsn, and the lsn is the event's; that of the others is the same for all."""
    return text.split(":")[0] if re.fullmatch(r"\d+:\d+", text) else text


def before_lsn(lsn):
    """Which events a stored position of PostgreSQL has left behind."""
    import json
    return lambda r: int(json.loads(r["value"]["source"]["sequence"])[0] or 0) < lsn


def in_gtid_set(text):
    """Which events a stored position of MySQL (uuid[:tag]:1-5:7, ...) or MariaDB (domain-server-sequence, ...) has left behind."""
    done = {}
    for part in filter(None, text.replace("\n", "").split(",")):
        if re.fullmatch(r"\d+-\d+-\d+", part.strip()):
            domain, _, sequence = part.strip().split("-")
            done.setdefault(domain, []).append((0, int(sequence)))
            continue
        uuid, *rest = part.strip().split(":")
        name = uuid
        for interval in rest:
            if interval[0].isdigit():
                first, _, last = interval.partition("-")
                done.setdefault(name, []).append((int(first), int(last or first)))
            else:
                name = f"{uuid}:{interval}"

    def left_behind(record):
        gtid = record["value"]["source"]["gtid"]
        name, number = (gtid.split("-")[0], gtid.split("-")[2]) if gtid.count("-") == 2 else gtid.rsplit(":", 1)
        return any(first <= int(number) <= last for first, last in done.get(name, []))
    return left_behind


def check(records, database, tables, prefix, commits_since=()):
    """(faults, repeated events, first occurrences by table). prefix: of the tables' topics. commits_since: [(topic, offset,
    left_behind)]: events of the topic from that offset on may not belong to transactions that a record of the state, read at
    that moment, had left behind (before_lsn, in_gtid_set)."""
    faults, repeated, firsts = [], 0, {}
    for table, keys in tables.items():
        topic = f"{prefix}.{table}"
        own = [r for r in records if r["topic"] == topic]
        first, again, found = walk(own)
        firsts[table] = first
        repeated += again
        snapshot = [r for r in own if isinstance(r["value"], dict) and r["value"].get("op") == "r"]
        found += order_faults(first) + chain_faults(first, snapshot) + sequence_faults(first)
        found += replay_differences(own, database, table, keys)
        for since_topic, offset, left_behind in commits_since:
            old = next(filter(left_behind, events(own[offset:])), None) if since_topic == topic else None
            if old:
                found.append(f"event {identity(old)} after offset {offset} is older than the position stored then")
        faults += [f"{table}: {f}" for f in found]
    return faults, repeated, firsts
