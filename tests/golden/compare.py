#!/usr/bin/env python3
# Copyright the tailrace authors. SPDX-License-Identifier: Apache-2.0
"""Compares what tailrace published with what Debezium published for the same SQL.

    compare.py EXPECTED_DIR ACTUAL_DIR [--case NAME] [--server VERSION] [--limit N]

A directory has records.jsonl and schemas/*.avsc (see README.md). In the expected records a volatile value is a
placeholder {"$vol": kind, ...}; the comparison walks both trees, checks the kind's form at each placeholder and
collects the ranks, which afterwards have to map one to one and in order onto the actual values. Records are aligned
topic by topic before fields are compared, so that one lost record is reported as one lost record.
"""
import argparse
import fnmatch
import json
import re
import sys
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from pathlib import Path

HERE = Path(__file__).resolve().parent
UUID = re.compile(r"^[0-9a-f]{8}-([0-9a-f]{4}-){3}[0-9a-f]{12}$")
GTID = re.compile(r"^([0-9a-f-]{36}(?::[a-z_][a-z0-9_]*)?:|\d+-\d+-)(\d+)$")
WINDOW_SIGNAL = re.compile(r"-(open|close)$")
HEARTBEATS_KEPT = 3


@dataclass
class Capture:
    records: list
    schemas: dict  # "<subject>" or "<subject>-v<N>" -> text


@dataclass
class Difference:
    kind: str  # missing, unexpected, field, rank, schema
    where: str
    text: str

    def __str__(self):
        return f"{self.kind:10} {self.where}\n           {self.text}"


@dataclass
class Result:
    differences: list = field(default_factory=list)
    records: int = 0
    schemas: int = 0
    schemas_byte_equal: int = 0

    def add(self, kind, where, text):
        self.differences.append(Difference(kind, where, text))


def load(directory):
    directory = Path(directory)
    with open(directory / "records.jsonl", encoding="utf-8") as f:
        records = [json.loads(line) for line in f if line.strip()]
    schemas = {p.name[: -len(".avsc")]: p.read_text(encoding="utf-8") for p in (directory / "schemas").glob("*.avsc")}
    return Capture(records, schemas)


# ---- values -------------------------------------------------------------------------------------------------------


def short(value, width=160):
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= width else text[: width - 3] + "..."


def same_scalar(a, b):
    """JSON's kinds kept apart: 1, 1.0 and true differ, and so do 0.0 and -0.0."""
    return type(a) is type(b) and repr(a) == repr(b)


def same_json(a, b):
    if isinstance(a, dict) and isinstance(b, dict):
        return a.keys() == b.keys() and all(same_json(a[k], b[k]) for k in a)
    if isinstance(a, list) and isinstance(b, list):
        return len(a) == len(b) and all(same_json(x, y) for x, y in zip(a, b))
    return same_scalar(a, b)


class Walk:
    """One comparison of an expected tree with an actual one: differences by path, and the ranks met."""

    def __init__(self, event_lsns=frozenset()):
        self.found = []  # (path, expected, actual)
        self.ranks = []  # (kind, expected rank, actual value)
        self.event_lsns = event_lsns

    def differ(self, path, expected, actual):
        self.found.append((path, expected, actual))

    def tree(self, expected, actual, path):
        if isinstance(expected, dict) and "$vol" in expected:
            return self.volatile(expected, actual, path)
        if isinstance(expected, dict) and isinstance(actual, dict):
            for name in expected:
                if name in actual:
                    self.tree(expected[name], actual[name], f"{path}.{name}")
                else:
                    self.differ(f"{path}.{name}", expected[name], "(absent)")
            for name in actual:
                if name not in expected:
                    self.differ(f"{path}.{name}", "(absent)", actual[name])
        elif isinstance(expected, list) and isinstance(actual, list) and len(expected) == len(actual):
            for i, (e, a) in enumerate(zip(expected, actual)):
                self.tree(e, a, f"{path}[{i}]")
        elif not same_json(expected, actual):
            self.differ(path, expected, actual)

    def volatile(self, expected, actual, path):
        kind = expected["$vol"]
        if kind == "ignored":
            return None
        if not isinstance(actual, {"int": int, "string": str}[expected["type"]]) or isinstance(actual, bool):
            return self.differ(path, expected, actual)
        check = getattr(self, "check_" + kind.replace("-", "_"), None)
        if check is None:
            return self.differ(path, expected, f"no rule for kind {kind}")
        if not check(expected, actual):
            self.differ(path, expected, actual)

    def rank(self, kind, expected_rank, actual):
        self.ranks.append((kind, expected_rank, actual))
        return True

    def check_any(self, expected, actual):
        return actual != ""

    def check_ts(self, expected, actual):
        return actual > 0

    def check_uuid(self, expected, actual):
        return bool(UUID.match(header_text(actual)))

    def check_java_object(self, expected, actual):
        """Debezium prints a Java object's identity there; any text that says something is as good."""
        return actual != ""

    def check_lsn(self, expected, actual):
        return actual > 0 and self.rank("lsn", expected["n"], actual)

    def check_txid(self, expected, actual):
        return actual > 0 and self.rank("txid", expected["n"], actual)

    def check_sequence(self, expected, actual):
        try:
            parts = json.loads(actual)
        except ValueError:
            return False
        if not isinstance(parts, list) or len(parts) != 2 or json.dumps(parts, separators=(",", ":")) != actual:
            return False
        for kind, part in zip(("commit", "lsn"), parts):
            if (part is None) != (expected[kind] is None):
                return False
            if part is not None:
                if not isinstance(part, str) or not part.isdigit():
                    return False
                self.rank(kind, expected[kind], int(part))
        return True

    def check_file(self, expected, actual):
        return bool(re.fullmatch(r".+\.\d{6,}", actual))

    def check_pos(self, expected, actual):
        return actual > 0 and self.rank("pos", expected["n"], actual)

    def check_thread(self, expected, actual):
        return actual > 0

    def check_gtid(self, expected, actual):
        """Of one server and domain, so the number has the order."""
        match = GTID.match(actual)
        return bool(match) and self.rank("gtid", expected["n"], (match[1], int(match[2])))

    def check_txnid(self, expected, actual):
        if expected.get("form") == "<gtid>":
            return self.check_gtid(expected, actual)
        match = re.fullmatch(r"(\d+):(\d+)", actual)
        if not match:
            return False
        txid, lsn = int(match[1]), int(match[2])
        self.rank("txid", expected["txid"], txid)
        if isinstance(expected["lsn"], int):
            return self.rank("lsn", expected["lsn"], lsn)
        # "end", "other": a position that no event of this transaction has. The next transaction's first may have it: its record
        # begins where the commit record ends.
        return (txid, lsn) not in self.event_lsns


def header_text(text):
    """A header's own text: JsonConverter wraps it with its schema."""
    if not text.startswith('{"schema":'):
        return text
    try:
        return str(json.loads(text)["payload"])
    except (ValueError, KeyError):
        return text


def times_agree(source):
    """The three times of a source block are one moment, truncated."""
    ms, us, ns = source.get("ts_ms"), source.get("ts_us"), source.get("ts_ns")
    if not all(isinstance(v, int) for v in (ms, us, ns)):
        return True
    return us // 1000 == ms and ns // 1000 == us


# ---- one record ---------------------------------------------------------------------------------------------------


def describe(record):
    value = record.get("value")
    op = value.get("op", value.get("status", "")) if isinstance(value, dict) else "tombstone"
    return f"{record['topic']} {op} key {short(record['key'], 80)}"


def walk_record(expected, actual, event_lsns):
    walk = Walk(event_lsns)
    for name in ("partition", "key", "value", "headers", "key_schema_subject", "key_schema_version", "value_schema_subject", "value_schema_version"):
        walk.tree(expected.get(name), actual.get(name), name)
    value = actual.get("value")
    if isinstance(value, dict) and isinstance(value.get("source"), dict) and not times_agree(value["source"]):
        walk.differ("value.source.ts_*", "one moment, truncated to ms, us, ns", {k: value["source"][k] for k in ("ts_ms", "ts_us", "ts_ns")})
    return walk


def lsns_of_events(records):
    found = set()
    for r in records:
        source = r["value"].get("source") if isinstance(r["value"], dict) else None
        if isinstance(source, dict) and isinstance(source.get("lsn"), int):
            found.add((source.get("txId"), source["lsn"]))
    return frozenset(found)


# ---- alignment ----------------------------------------------------------------------------------------------------


def align(expected, actual, equal):
    """Longest common subsequence: pairs (i, j) of records that are equal but for ranks."""
    head = 0
    while head < min(len(expected), len(actual)) and equal(expected[head], actual[head]):
        head += 1
    tail = 0
    while tail < min(len(expected), len(actual)) - head and equal(expected[-1 - tail], actual[-1 - tail]):
        tail += 1
    middle = align_middle(expected[head : len(expected) - tail], actual[head : len(actual) - tail], equal)
    return (
        [(i, i) for i in range(head)]
        + [(head + i, head + j) for i, j in middle]
        + [(len(expected) - k, len(actual) - k) for k in range(tail, 0, -1)]
    )


def align_middle(expected, actual, equal):
    n, m = len(expected), len(actual)
    best = [[0] * (m + 1) for _ in range(n + 1)]
    same = [[equal(e, a) for a in actual] for e in expected]
    for i in range(n - 1, -1, -1):
        for j in range(m - 1, -1, -1):
            best[i][j] = best[i + 1][j + 1] + 1 if same[i][j] else max(best[i + 1][j], best[i][j + 1])
    pairs, i, j = [], 0, 0
    while i < n and j < m:
        if same[i][j]:
            pairs.append((i, j))
            i, j = i + 1, j + 1
        elif best[i + 1][j] >= best[i][j + 1]:
            i += 1
        else:
            j += 1
    return pairs


def identity(record):
    """What makes two unequal records versions of the same one: key and operation."""
    value = record["value"]
    if not isinstance(value, dict):
        return json.dumps(record["key"], sort_keys=True), None
    row = value.get("after") or value.get("before") or {}
    key = record["key"] if record["key"] is not None else row
    if isinstance(key, dict) and any(isinstance(v, dict) and "$vol" in v for v in key.values()):
        key = None
    if value.get("status"):
        key = None
    return json.dumps(key, sort_keys=True), value.get("op", value.get("status"))


def compare_topic(topic, expected, actual, event_lsns, result, ranks):
    walks = {}

    def equal(e, a):
        walk = walk_record(e, a, event_lsns)
        walks[id(e), id(a)] = walk
        return not walk.found

    pairs = align(expected, actual, equal)
    bounds = [(-1, -1)] + pairs + [(len(expected), len(actual))]
    missing, unexpected = [], []  # with the place in the topic
    for (i0, j0), (i1, j1) in zip(bounds, bounds[1:]):
        gap = Gap(topic, i0 + 1, expected[i0 + 1 : i1], actual[j0 + 1 : j1])
        gap.compare(event_lsns, result, ranks)
        missing += gap.missing
        unexpected += gap.unexpected
    report_lost(topic, missing, unexpected, equal, result)
    for i, j in pairs:
        e, a = expected[i], actual[j]
        walk = walks.get((id(e), id(a))) or walk_record(e, a, event_lsns)
        ranks.extend((kind, n, v, f"{topic} #{i} {describe(a)}") for kind, n, v in walk.ranks)


class Gap:
    """The records between two aligned pairs: those of one identity are altered, the others missing or unexpected."""

    def __init__(self, topic, first, expected, actual):
        self.topic, self.first, self.expected, self.actual = topic, first, expected, actual
        self.missing, self.unexpected = [], []

    def partner(self, record, left):
        if len(self.expected) == len(self.actual) == 1:
            return left[0]
        return next((r for r in left if identity(r) == identity(record)), None)

    def compare(self, event_lsns, result, ranks):
        left = list(self.actual)
        for place, e in enumerate(self.expected, self.first):
            a = self.partner(e, left)
            walk = walk_record(e, a, event_lsns) if a else None
            if walk is None or not walk.found:  # equal at another place: left to report_lost
                self.missing.append((place, e))
                continue
            left = [r for r in left if r is not a]
            where = f"{self.topic} #{place} {describe(e)}"
            for path, want, got in walk.found:
                result.add("field", where, f"{path}: expected {short(want)}, got {short(got)}")
            ranks.extend((kind, n, v, where) for kind, n, v in walk.ranks)
        self.unexpected += [(self.first, a) for a in left]


def report_lost(topic, missing, unexpected, equal, result):
    """A record missing here and unexpected there has changed its place."""
    for place, e in missing:
        moved = next(((at, a) for at, a in unexpected if equal(e, a)), None)
        where = f"{topic} #{place} {describe(e)}"
        if moved:
            unexpected = [u for u in unexpected if u is not moved]
            result.add("reordered", where, f"came near #{moved[0]}")
        else:
            result.add("missing", where, short(e["value"]))
    for place, a in unexpected:
        result.add("unexpected", f"{topic} near #{place} {describe(a)}", short(a["value"]))


# ---- ranks --------------------------------------------------------------------------------------------------------


def longest_increasing(values):
    """Indices of a longest strictly increasing subsequence (a few hundred values: quadratic is fine)."""
    length, before = [1] * len(values), [None] * len(values)
    for i, v in enumerate(values):
        for j in range(i):
            if values[j] < v and length[j] + 1 > length[i]:
                length[i], before[i] = length[j] + 1, j
    i = max(range(len(values)), key=length.__getitem__, default=None)
    kept = set()
    while i is not None:
        kept.add(i)
        i = before[i]
    return kept


def compare_ranks(ranks, result):
    """Expected ranks and actual values of one kind must map one to one and in order."""
    by_kind = defaultdict(lambda: defaultdict(list))
    for kind, n, value, where in ranks:
        if n is not None:
            by_kind[kind][n].append((value, where))
    for kind, by_rank in by_kind.items():
        usual = {n: Counter(v for v, _ in hits).most_common(1)[0][0] for n, hits in by_rank.items()}
        for n, hits in by_rank.items():
            for value, where in hits:
                if value != usual[n]:
                    result.add("rank", where, f"{kind}: is {value}, but the others of rank {n} are {usual[n]}")
        order = sorted(usual)
        kept = longest_increasing([usual[n] for n in order])
        for i, n in enumerate(order):
            if i not in kept:
                value, where = by_rank[n][0]
                result.add("rank", where, f"{kind}: {value} is out of order, or equals one that should differ (rank {n})")


# ---- schemas ------------------------------------------------------------------------------------------------------


def first_difference(expected, actual, path="$"):
    if isinstance(expected, dict) and isinstance(actual, dict):
        for k in list(expected) + [k for k in actual if k not in expected]:
            if k not in actual:
                return f"{path}.{k}: missing, expected {short(expected[k])}"
            if k not in expected:
                return f"{path}.{k}: unexpected {short(actual[k])}"
            found = first_difference(expected[k], actual[k], f"{path}.{k}")
            if found:
                return found
    elif isinstance(expected, list) and isinstance(actual, list):
        names = lambda fields: [f.get("name") if isinstance(f, dict) else f for f in fields]
        if path.endswith(".fields") and names(expected) != names(actual):
            return f"{path}: expected {names(expected)}, got {names(actual)}"
        for i, (e, a) in enumerate(zip(expected, actual)):
            name = e.get("name", i) if isinstance(e, dict) else i
            found = first_difference(e, a, f"{path}[{name}]")
            if found:
                return found
        if len(expected) != len(actual):
            return f"{path}: expected {len(expected)} items {short(expected)}, got {len(actual)} {short(actual)}"
    elif not same_scalar(expected, actual):
        return f"{path}: expected {short(expected)}, got {short(actual)}"
    return None


def without_defaults(schema):
    """A schema as it is but for defaults; null comes first in every union, since the default decides that order."""
    if isinstance(schema, list):
        plain = [without_defaults(s) for s in schema]
        return sorted(plain, key=lambda s: s != "null") if "null" in plain else plain
    if isinstance(schema, dict):
        plain = {k: without_defaults(v) for k, v in schema.items() if k not in ("default", "connect.default")}
        return plain["type"] if set(plain) == {"type"} else plain
    return schema


def compare_schemas(expected, actual, result, loose=False):
    """loose: defaults are not compared."""
    read = lambda text: without_defaults(json.loads(text)) if loose else json.loads(text)
    for name in sorted(expected.keys() | actual.keys()):
        if name not in actual:
            result.add("schema", name, "not registered")
        elif name not in expected:
            result.add("schema", name, "registered, but not expected: " + short(actual[name]))
        else:
            try:
                found = first_difference(read(expected[name]), read(actual[name]))
            except ValueError as e:
                found = f"not JSON: {e}"
            if found:
                result.add("schema", name, found)
            result.schemas += 1
            result.schemas_byte_equal += expected[name] == actual[name]


# ---- deviations: what tailrace publishes instead ------------------------------------------------------------------


def get_path(tree, path):
    for name in path.split("."):
        if not isinstance(tree, dict) or name not in tree:
            return None
        tree = tree[name]
    return tree


def set_path(tree, path, value):
    *parents, last = path.split(".")
    for name in parents:
        tree = tree.get(name)
        if not isinstance(tree, dict):
            return False
    if last not in tree:
        return False
    tree[last] = value
    return True


def applies(rule, case, server):
    cases = rule["case"] if isinstance(rule["case"], list) else [rule["case"]]
    return any(fnmatch.fnmatchcase(case, c) for c in cases) and (server is None or server in rule.get("servers", [server]))


def selected(rule, record):
    if not fnmatch.fnmatchcase(record["topic"], rule.get("topic", "*")) or not isinstance(record["value"], dict):
        return False
    if any(get_path(record["value"], path) != wanted for path, wanted in rule.get("where", {}).items()):
        return False
    return record["value"].get("op") in rule["ops"] if "ops" in rule else True


def ignore(tree, path):
    """Whatever stands at the path is accepted; a name ending in [] goes into each item of a list. How many were met."""
    name, _, rest = path.partition(".")
    many, name = name.endswith("[]"), name.removesuffix("[]")
    if not isinstance(tree, dict) or name not in tree:
        return 0
    if rest:
        return sum(ignore(item, rest) for item in (tree[name] or [] if many else [tree[name]]))
    tree[name] = {"$vol": "ignored"}
    return 1


def end_transactions(expected, rule):
    """Debezium begins a transaction for a MariaDB DDL and never ends it. Without events there is none; with events it ends."""
    records = [r for r in expected.records if fnmatch.fnmatchcase(r["topic"], rule["topic"])]
    rank = lambda r: r["value"]["id"]["n"]
    ended = {rank(r) for r in records if r["value"]["status"] == "END"}
    filled = {r["value"]["transaction"]["id"]["n"] for r in expected.records if isinstance(r["value"], dict) and r["value"].get("transaction")}
    open_ones = [r for r in records if r["value"]["status"] == "BEGIN" and rank(r) not in ended]
    for begin in open_ones:
        at = next(i for i, r in enumerate(expected.records) if r is begin)
        if rank(begin) in filled:
            end = {**begin, "value": {**begin["value"], "status": "END", "event_count": {"$vol": "ignored"}, "data_collections": {"$vol": "ignored"}}}
            expected.records.insert(at + 1, end)
        else:
            del expected.records[at]
    return len(open_ones)


def shape_of_field(schema, name, shape):
    """Gives the column's field in each row of a schema the type and the default of `shape`. How many were met."""
    if isinstance(schema, list):
        return sum(shape_of_field(s, name, shape) for s in schema)
    if not isinstance(schema, dict):
        return 0
    met = 0
    for field in schema.get("fields", []) if schema.get("name") == "Value" else []:
        if field["name"] == name:
            field.pop("default", None)
            field.update(shape)
            met += 1
    return met + sum(shape_of_field(v, name, shape) for v in schema.values() if isinstance(v, (dict, list)))


def deviate_schemas(expected, rule):
    met = 0
    for name, text in expected.schemas.items():
        if fnmatch.fnmatchcase(name, rule["schema"]):
            schema = json.loads(text)
            found = shape_of_field(schema, rule["field"], rule["shape"])
            if found:
                expected.schemas[name] = json.dumps(schema)
            met += found
    return met


def deviate_values(rule, record):
    key = str(get_path(record["value"], rule["by"]))
    return key in rule["values"] and set_path(record["value"], rule["path"], rule["values"][key])


def deviate(expected, rules, case, server=None):
    """Rewrites the expectation by the rules of the case. A rule that meets nothing is an error: it has become stale."""
    for rule in rules:
        if not applies(rule, case, server):
            continue
        chosen = [r for r in expected.records if selected(rule, r)]
        if "schema" in rule:
            met = deviate_schemas(expected, rule)
        elif "unended" in rule:
            met = end_transactions(expected, rule)
        elif "ignore" in rule:
            met = sum(ignore(r["value"], path) for r in chosen for path in rule["ignore"])
        else:
            met = sum(deviate_values(rule, r) for r in chosen)
        if not met:
            raise ValueError(f"deviation {rule['id']} meets no record of {case}")


def load_deviations():
    with open(HERE / "deviations.json", encoding="utf-8") as f:
        return json.load(f)


# ---- the whole ----------------------------------------------------------------------------------------------------


def by_topic(records):
    topics = defaultdict(list)
    for r in records:
        topics[r["topic"]].append(r)
    for topic in topics:
        if topic.startswith("__debezium-heartbeat."):
            del topics[topic][HEARTBEATS_KEPT:]
    return topics


def our_version(records):
    """source.version names the program, so ours may be anything."""
    for r in records:
        source = r["value"].get("source") if isinstance(r["value"], dict) else None
        if isinstance(source, dict) and "version" in source:
            source["version"] = {"$vol": "any", "type": "string"}


def is_incremental(record):
    return isinstance(record["value"], dict) and (record["value"].get("source") or {}).get("snapshot") == "incremental"


def is_window_signal(record):
    return isinstance(record["key"], dict) and bool(WINDOW_SIGNAL.search(str(record["key"].get("id", ""))))


def compare_incremental(topic, expected, actual, event_lsns, result, ranks):
    """Where the window rows stand among the others may vary, how many windows there are, and whether a row that changed
    meanwhile is read at all: the stream's own records are compared as ever, untouched window rows by key."""
    stream = lambda rs: [r for r in rs if not is_incremental(r) and not is_window_signal(r)]
    compare_topic(topic, stream(expected), stream(actual), event_lsns, result, ranks)
    key = lambda r: json.dumps(r["key"], sort_keys=True)
    touched = {key(r) for r in stream(expected)}
    want = {key(r): r for r in expected if is_incremental(r)}
    got = Counter(key(r) for r in actual if is_incremental(r))
    for a in filter(is_incremental, actual):
        e = want.get(key(a))
        if e is None:
            if key(a) not in touched:
                result.add("unexpected", f"{topic} {describe(a)}", short(a["value"]))
        elif key(a) not in touched:
            for path, w, g in walk_record(e, a, event_lsns).found:
                result.add("field", f"{topic} {describe(e)}", f"{path}: expected {short(w)}, got {short(g)}")
    for k, e in want.items():
        if got[k] > 1:
            result.add("unexpected", f"{topic} {describe(e)}", f"read {got[k]} times")
        if got[k] == 0 and k not in touched:
            result.add("missing", f"{topic} {describe(e)}", short(e["value"]))


def compare_burst(topic, expected, actual, _lsns, result, _ranks):
    """Debezium's keys and schemas depend on when it asks the catalogue: only what happened to the rows is compared."""
    seen = lambda rs: [(r["value"]["op"], r["value"]["after"]) for r in rs if isinstance(r["value"], dict)]
    for i, (e, a) in enumerate(zip(seen(expected), seen(actual))):
        if not same_json(list(e), list(a)):
            result.add("field", f"{topic} #{i}", f"expected {short(e)}, got {short(a)}")
    if len(seen(expected)) != len(seen(actual)):
        result.add("missing", topic, f"expected {len(seen(expected))} changes, got {len(seen(actual))}")


# ddl: what the catalogue tells of a table after a DDL may be newer than the DDL, so defaults are not compared.
MODES = {"exact": compare_topic, "incremental": compare_incremental, "burst": compare_burst, "ddl": compare_topic}


def compare(expected, actual, case="", server=None, deviations=None, paced=False):
    """Result of comparing two captures; `expected` is changed by the deviations. paced: the program kept up with each
    statement, so that what only a burst excuses is compared, too."""
    deviations = deviations if deviations is not None else load_deviations()
    mode = deviations.get("modes", {}).get(case, "exact")
    if paced and mode == "ddl":
        mode = "exact"
    rules = [r for r in deviations.get("rules", []) if r.get("paced", paced) == paced]
    deviate(expected, rules, case, server)
    our_version(expected.records)
    result, ranks = Result(records=len(expected.records)), []
    lsns = lsns_of_events(actual.records)
    want, got = by_topic(expected.records), by_topic(actual.records)
    for topic in sorted(want.keys() | got.keys()):
        MODES[mode](topic, want[topic], got[topic], lsns, result, ranks)
    compare_ranks(ranks, result)
    if mode != "burst":
        compare_schemas(expected.schemas, actual.schemas, result, loose=mode == "ddl")
    return result


def report(result, limit=20, out=sys.stdout):
    for d in result.differences[:limit]:
        print(d, file=out)
    more = len(result.differences) - limit
    if more > 0:
        print(f"... and {more} more differences", file=out)
    print(f"{len(result.differences)} differences; {result.records} records and {result.schemas} schemas compared, "
          f"{result.schemas_byte_equal} schemas equal byte for byte", file=out)


def main():
    parser = argparse.ArgumentParser(description="compare two captures of a golden case")
    parser.add_argument("expected")
    parser.add_argument("actual")
    parser.add_argument("--case", help="name of the case, for its deviations (default: name of EXPECTED)")
    parser.add_argument("--server", help="version of the server, for deviations that depend on it")
    parser.add_argument("--limit", type=int, default=20)
    args = parser.parse_args()
    case = args.case or Path(args.expected).resolve().name
    result = compare(load(args.expected), load(args.actual), case, args.server)
    report(result, args.limit)
    return 1 if result.differences else 0


if __name__ == "__main__":
    sys.exit(main())
