#!/usr/bin/env python3
"""Makes golden.jsonl: what a real server prints for the tables of the golden cases, and what has to become of it.

    golden_data.py PSQL_ARGUMENT... > golden.jsonl      e.g. golden_data.py -h /tmp/pg -p 5432 -U postgres

One JSON object a line: {"case", "table", "options", "types": pg_type rows, "columns": pg_attribute rows,
"schema": the published field types in Connect's terms, "rows": [{"copy": a line of COPY, "expect": {field: value}}]}.
Rows and values are those of the stream (its snapshot differs where Debezium's reader damages values); TRUE_VALUES has
what is published instead where the stream damages one, too, as tests/golden/DEVIATIONS.md says.
"""
import json
import os
import re
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
CASES = os.path.join(HERE, "../../golden/cases")
OPTIONS = {"decimal.handling.mode", "time.precision.mode", "binary.handling.mode", "interval.handling.mode",
           "hstore.handling.mode", "include.unknown.datatypes"}
SETTINGS = ["client_encoding = 'UTF8'", "DateStyle = 'ISO, YMD'", "IntervalStyle = 'postgres'", "TimeZone = 'UTC'",
            "extra_float_digits = 3", "bytea_output = 'hex'"]
KINDS = {"int": "INT32", "long": "INT64", "float": "FLOAT32", "double": "FLOAT64", "boolean": "BOOLEAN",
         "string": "STRING", "bytes": "BYTES"}

# pgvector is in no Debian package: what it prints for the case's values.
VECTOR_ROWS = {11: ["[9,9,9]", "[0.1,1e+10]", "[1,-0.5]", "{1:1,3:2.5}/5"], 12: [None] * 4,
               13: ["[0,0,0]", "[7]", "[0,65504]", "{}/5"]}

NAN = {"$float": "NaN"}
TRUE_VALUES = {
    ("postgres-types-scalar", "t_char", "nm"): {11: "a_name", 12: "", 14: "имя", 15: 'n"q'},
    ("postgres-types-scalar", "t_other", "ov"): {11: [1, 2, 3]},
    ("postgres-types-scalar", "t_other", "iv"): {11: [4, 5]},
    ("postgres-mode-time-isostring", "tm", "t"): {14: "24:00:00Z"},
    ("postgres-types-array", "a_time", "ti"): {11: [0, 86399999999, None]},
    ("postgres-types-array", "a_time", "tz"): {11: ["10:34:56.5Z", None]},
    ("postgres-types-array", "a_other", "l"): {11: ["a.b", None]},
    ("postgres-mode-decimal-string", "dec", "nua"): {14: ["NAN"]},
    ("postgres-mode-decimal-double", "dec", "nua"): {14: [NAN]},
    ("postgres-types-array-multidim", "md", "i4"): {2: [1, 2, 3, None], 3: [1, 2]},
    ("postgres-types-array-multidim", "md", "tx"): {2: ["{a,b}", "{c,NULL}"], 3: ["{{x}}"]},
}

COLUMNS = """
SELECT coalesce(json_agg(c ORDER BY attnum), '[]') FROM (
  SELECT a.attnum, a.attname AS name, a.atttypid::bigint AS type, a.atttypmod AS typmod, a.attnotnull AS not_null,
         a.attgenerated <> '' AS generated,
         CASE WHEN a.attgenerated = '' THEN pg_get_expr(d.adbin, d.adrelid) END AS default_expr
  FROM pg_attribute a LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
  WHERE a.attrelid = '%s'::regclass AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated = '') c"""

TYPES = """
SELECT coalesce(json_agg(t), '[]') FROM (
  SELECT t.oid::bigint, t.typname AS name, n.nspname AS schema, t.typtype, t.typcategory AS category,
         coalesce(e.typdelim, t.typdelim) AS delimiter, CASE WHEN t.typcategory = 'A' THEN t.typelem ELSE 0 END::bigint AS element,
         t.typbasetype::bigint AS base, t.typtypmod AS base_typmod,
         (SELECT json_agg(enumlabel ORDER BY enumsortorder) FROM pg_enum WHERE enumtypid = t.oid) AS labels,
         (SELECT json_agg(json_build_object('name', attname, 'type', atttypid::bigint, 'typmod', atttypmod) ORDER BY attnum)
          FROM pg_attribute WHERE attrelid = t.typrelid AND t.typrelid <> 0 AND attnum > 0 AND NOT attisdropped) AS attributes
  FROM pg_type t JOIN pg_namespace n ON n.oid = t.typnamespace LEFT JOIN pg_type e ON e.oid = t.typelem AND t.typcategory = 'A'
  WHERE t.typtype <> 'p' AND (n.nspname NOT IN ('pg_catalog', 'information_schema', 'pg_toast') OR t.oid < 16384)
    AND n.nspname <> 'information_schema' AND (t.typrelid = 0 OR n.nspname = 'public')) t"""


def psql(database, sql):
    done = subprocess.run(["psql", *sys.argv[1:], "-d", database, "-XAtq", "-v", "ON_ERROR_STOP=1"],
                          input="".join("SET %s;\n" % s for s in SETTINGS) + sql, capture_output=True, text=True)
    if done.returncode != 0:
        sys.exit("psql: " + done.stderr)
    return done.stdout


def connect_type(avro, named):
    """An Avro type as the Connect type it was rendered from."""
    optional = isinstance(avro, list)
    if optional:
        avro = [t for t in avro if t != "null"][0]
    if isinstance(avro, str):
        avro = {"type": avro} if avro in KINDS else dict(named[avro])
    out = {"optional": optional}
    kind = avro["type"]
    if kind == "array" and isinstance(avro["items"], dict) and avro["items"].get("name") == "MapEntry":
        fields = {f["name"]: connect_type(f["type"], named) for f in avro["items"]["fields"]}
        out.update(kind="MAP", key=fields["key"], item=fields["value"])
    elif kind == "array":
        out.update(kind="ARRAY", item=connect_type(avro["items"], named))
    elif kind == "map":
        out.update(kind="MAP", key={"kind": "STRING", "optional": False}, item=connect_type(avro["values"], named))
    elif kind == "record":
        named[avro["namespace"] + "." + avro["name"]] = avro
        out.update(kind="STRUCT", fields=[{"name": f["name"], "type": connect_type(f["type"], named)} for f in avro["fields"]])
    else:
        out["kind"] = {"int8": "INT8", "int16": "INT16"}.get(avro.get("connect.type"), KINDS[kind])
    for key, name in (("connect.name", "name"), ("connect.version", "version"), ("connect.doc", "doc"),
                      ("connect.parameters", "params")):
        if key in avro:
            out[name] = avro[key]
    if "connect.default" in avro:
        default = avro["connect.default"]
        out["default"] = {"$bytes": default.encode("latin-1").hex()} if kind == "bytes" else default
    return out


def schema_of(case, topic):
    folder = os.path.join(CASES, case, "schemas")
    path = os.path.join(folder, topic + "-value.avsc")
    if not os.path.exists(path):  # several versions: the last one is the stream's
        path = os.path.join(folder, topic + "-value-v2.avsc")
    envelope = json.load(open(path))
    before = [f for f in envelope["fields"] if f["name"] == "before"][0]["type"]
    row = [t for t in before if t != "null"][0]
    named = {}
    return {f["name"]: connect_type(f["type"], named) for f in row["fields"]}


def last_values(case):
    """table -> id -> the row as it was last published in the stream."""
    tables = {}
    for line in open(os.path.join(CASES, case, "records.jsonl")):
        record = json.loads(line)
        value = record["value"]
        if not value or value.get("op") not in ("c", "u", "d", "r"):
            continue
        rows = tables.setdefault(record["topic"], {})
        if value["op"] == "d":
            rows.pop(next(iter(value["before"].values())), None)
        elif value["op"] != "r":
            rows[next(iter(value["after"].values()))] = value["after"]
    return tables


def options_of(case):
    out = {}
    for line in open(os.path.join(CASES, case, "connector.properties")):
        key, _, value = line.strip().partition("=")
        if key in OPTIONS:
            out[key] = value
    return out


def types_of(columns, types):
    """The types that the columns need, with what they are made of."""
    wanted, todo = {}, [c["type"] for c in columns]
    while todo:
        oid = todo.pop()
        row = types.get(oid)
        if row is None or oid in wanted:
            continue
        wanted[oid] = {k: v for k, v in row.items() if v is not None}
        todo += [row["element"], row["base"]] + [a["type"] for a in row["attributes"] or []]
    return [wanted[oid] for oid in sorted(wanted)]


def expectation(case, table, key, after):
    out = dict(after)
    for column in out:
        instead = TRUE_VALUES.get((case, table, column)) or {}
        if key in instead:
            out[column] = instead[key]
    return out


def vector_table(case, topic, published):
    """e_vec without the extension: the types under their names, the texts from VECTOR_ROWS."""
    names = ["vector", "vector", "halfvec", "sparsevec"]
    types = [{"oid": 90000 + i, "name": n, "schema": "public", "typtype": "b", "category": "U", "delimiter": ",", "element": 0,
              "base": 0, "base_typmod": -1} for i, n in enumerate(dict.fromkeys(names))]
    oids = {t["name"]: t["oid"] for t in types}
    columns = [{"name": "id", "type": 23, "typmod": -1, "not_null": True}]
    columns += [{"name": c, "type": oids[n], "typmod": -1, "not_null": False} for c, n in zip(["v", "vu", "hv", "sv"], names)]
    rows = [{"copy": "\t".join([str(k)] + [v or "\\N" for v in VECTOR_ROWS[k]]), "expect": published[k]} for k in VECTOR_ROWS]
    return {"case": case, "table": "e_vec", "options": {}, "types": types, "columns": columns, "schema": schema_of(case, topic),
            "rows": rows}


def one_table(case, topic, database, types, published):
    table = topic.rsplit(".", 1)[1]
    columns = json.loads(psql(database, COLUMNS % table))
    rows = []
    for key, after in published.items():
        literal = "'%s'" % key if isinstance(key, str) else str(key)
        copy = psql(database, "COPY (SELECT %s FROM %s WHERE id = %s) TO STDOUT;" %
                    (", ".join(c["name"] for c in columns), table, literal))
        rows.append({"copy": copy[:-1], "expect": expectation(case, table, key, after)})
    for column in columns:
        del column["attnum"], column["generated"]
    return {"case": case, "table": table, "options": options_of(case), "types": types_of(columns, types),
            "columns": columns, "schema": schema_of(case, topic), "rows": rows}


def main():
    for case in sorted(os.listdir(CASES)):
        if not re.match(r"postgres-(types|mode)-", case) or case == "postgres-mode-options":
            continue
        database = case.replace("-", "_")
        psql("postgres", "DROP DATABASE IF EXISTS %s;" % database)
        psql("postgres", "CREATE DATABASE %s TEMPLATE template0 ENCODING 'UTF8';" % database)
        for name in ("setup.sql", "changes.sql"):
            sql = open(os.path.join(CASES, case, name)).read()
            sql = re.sub(r"CREATE EXTENSION vector;|CREATE TABLE e_vec \([^;]*;|(INSERT INTO|UPDATE) e_vec [^;]*;", "", sql)
            psql(database, sql)
        types = {t["oid"]: t for t in json.loads(psql(database, TYPES))}
        for topic, published in sorted(last_values(case).items()):
            if topic.endswith(".e_vec"):
                out = vector_table(case, topic, published)
            else:
                out = one_table(case, topic, database, types, published)
            print(json.dumps(out, ensure_ascii=False))
        psql("postgres", "DROP DATABASE %s;" % database)


main()
