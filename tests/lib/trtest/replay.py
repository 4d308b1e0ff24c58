# Copyright the tailrace authors. SPDX-License-Identifier: Apache-2.0
"""Replay = table: a topic, applied in order to an empty table, gives the table."""
import json


def row_key(key):
    return json.dumps(key, sort_keys=True)


def replay(records):
    """{key: row} after applying Debezium records of one topic. Applying one twice changes nothing, as duplicates must."""
    table = {}
    for r in records:
        value = r["value"]
        if value is None:
            table.pop(row_key(r["key"]), None)
        elif value["op"] == "t":
            table.clear()
        elif value["op"] == "d":
            table.pop(row_key(r["key"]), None)
        elif value["op"] in ("r", "c", "u"):
            table[row_key(r["key"])] = value["after"]
    return table


def replay_differences(records, database, table, key_columns):
    """What differs between the replayed topic and the table, as lines; none when they agree.
    For columns whose JSON is the same in both worlds: integers, text, booleans."""
    rows = database.table_rows(table)
    actual = {row_key({c: row[c] for c in key_columns}): row for row in rows}
    played = replay(records)
    found = [f"{table} {k}: in the table, not in the topic" for k in actual.keys() - played.keys()]
    found += [f"{table} {k}: in the topic, not in the table" for k in played.keys() - actual.keys()]
    found += [f"{table} {k}: table {actual[k]}, topic {played[k]}" for k in actual.keys() & played.keys() if actual[k] != played[k]]
    return sorted(found)


def duplicates(records):
    """Events of the stream that came more than once, by transaction and place: [(lsn, key, op)]."""
    seen, found = set(), []
    for r in records:
        value = r["value"]
        if not isinstance(value, dict) or value.get("op") not in ("c", "u", "d"):
            continue
        mark = (value["source"]["lsn"], row_key(r["key"]), value["op"])
        if mark in seen:
            found.append(mark)
        seen.add(mark)
    return found
