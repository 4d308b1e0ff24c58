# Copyright the tailrace authors. SPDX-License-Identifier: Apache-2.0
"""Canonical texts: a value of a topic and the same value of the table give the same text, whatever the type.

The topic's side is told by its schema (Avro's, or Connect's as JSON): connect.name says what a number or some bytes mean. The
table's side is made by SQL, an expression for each type. Neither side goes by the code under test.

    numbers   decimal digits; floats as Python's repr        bytes   hex
    bits      their number                                    date    YYYY-MM-DD [BC]
    time      [-]HH:MM:SS[.ffffff]                             moment  date time [BC]; with a zone: in UTC
    text, uuid, JSON, ranges, ...  the server's own text       lists   of the elements' texts
A type without a rule is no fault and no match: it is named, see `uncompared`.
"""
import json
import struct
from decimal import Decimal

# -- schemas ----------------------------------------------------------------------------------------------------------------


class Node:
    """A type: kind (Avro's name), meaning (connect.name), parameters, fields {name: Node}, items."""

    def __init__(self, kind, meaning=None, parameters=None, fields=None, items=None):
        self.kind, self.meaning, self.parameters = kind, meaning, parameters or {}
        self.fields, self.items = fields or {}, items


def from_avro(schema, names=None):
    """The node of an Avro schema; null in a union says nothing here."""
    names = {} if names is None else names
    if isinstance(schema, list):
        return from_avro(next(s for s in schema if s != "null"), names)
    if isinstance(schema, str):
        return names.get(schema.rsplit(".", 1)[-1]) or Node(schema)
    kind = schema["type"]
    if not isinstance(kind, str) or (kind not in ("record", "array", "map", "enum", "fixed") and kind in names):
        return from_avro(kind, names)
    node = Node(kind, schema.get("connect.name"), schema.get("connect.parameters"))
    if "scale" in schema:
        node.parameters = {**node.parameters, "scale": schema["scale"]}
    if "name" in schema:
        names[schema["name"].rsplit(".", 1)[-1]] = node
    if kind == "record":
        node.fields = {f["name"]: from_avro(f["type"], names) for f in schema["fields"]}
    if kind == "array":
        node.items = from_avro(schema["items"], names)
    return node


def from_connect(schema):
    """The node of the `schema` beside a `payload`."""
    node = Node(schema["type"], schema.get("name"), schema.get("parameters"))
    node.fields = {f["field"]: from_connect(f) for f in schema.get("fields", [])}
    if "items" in schema:
        node.items = from_connect(schema["items"])
    return node


# -- the topic's side -------------------------------------------------------------------------------------------------------


class Uncompared(Exception):
    """No rule for this type."""


def civil(days):
    """(year, month, day) of days since 1970-01-01, in the proleptic Gregorian calendar; the year 0 is 1 BC."""
    days += 719468
    era, of_era = divmod(days, 146097)
    year = (of_era - of_era // 1460 + of_era // 36524 - of_era // 146096) // 365
    of_year = of_era - (365 * year + year // 4 - year // 100)
    month = (5 * of_year + 2) // 153
    day = of_year - (153 * month + 2) // 5 + 1
    month += 3 if month < 10 else -9
    return year + era * 400 + (month <= 2), month, day


def date_text(days, time=""):
    year, month, day = civil(days)
    text = f"{year if year > 0 else 1 - year:04d}-{month:02d}-{day:02d}{time}"
    return text if year > 0 else text + " BC"


def time_text(micros):
    sign, micros = ("-", -micros) if micros < 0 else ("", micros)
    seconds, fraction = divmod(micros, 1000000)
    tail = f".{fraction:06d}".rstrip("0") if fraction else ""
    return f"{sign}{seconds // 3600:02d}:{seconds // 60 % 60:02d}:{seconds % 60:02d}{tail}"


def moment_text(micros):
    days, micros = divmod(micros, 86400000000)
    return date_text(days, " " + time_text(micros))


def zoned_text(text):
    """2024-02-29T12:00:00.5Z, or a time with Z: both are UTC."""
    if not text.endswith("Z"):
        raise Uncompared("a zone other than UTC")
    text = text[:-1].replace("T", " ")
    return text.rstrip("0").rstrip(".") if "." in text else text


def raw(value):
    if isinstance(value, dict) and "$bytes" in value:
        return bytes.fromhex(value["$bytes"])
    if isinstance(value, (bytes, bytearray)):
        return bytes(value)
    if isinstance(value, str):  # JSON's form of bytes
        import base64
        return base64.b64decode(value)
    raise Uncompared("bytes in an unknown form")


def decimal_text(number):
    number = format(number, "f")
    if "." in number:
        number = number.rstrip("0").rstrip(".")
    return "0" if number in ("-0", "") else number


def unscaled(data, scale):
    digits = str(int.from_bytes(raw(data), "big", signed=True))
    return decimal_text(Decimal(f"{digits}E{-int(scale)}"))  # not scaleb, which rounds


def single(number):
    """To the nearest of single precision, of which JSON writes fewer digits."""
    return struct.unpack("f", struct.pack("f", number))[0]


def float_text(value, kind):
    number = float(value["$float"] if isinstance(value, dict) else value)
    return repr(single(number) if kind in ("float", "float32") else number)


def point_text(value, _):
    data = raw(value["wkb"])
    x, y = struct.unpack("<dd" if data[0] == 1 else ">dd", data[5:21])
    return f"({x!r},{y!r})"


MEANINGS = {
    "io.debezium.time.Date": lambda v, n: date_text(v),
    "org.apache.kafka.connect.data.Date": lambda v, n: date_text(v),
    "io.debezium.time.Time": lambda v, n: time_text(v * 1000),
    "org.apache.kafka.connect.data.Time": lambda v, n: time_text(v * 1000),
    "io.debezium.time.MicroTime": lambda v, n: time_text(v),
    "io.debezium.time.NanoTime": lambda v, n: time_text(v // 1000),
    "io.debezium.time.Timestamp": lambda v, n: moment_text(v * 1000),
    "org.apache.kafka.connect.data.Timestamp": lambda v, n: moment_text(v * 1000),
    "io.debezium.time.MicroTimestamp": lambda v, n: moment_text(v),
    "io.debezium.time.NanoTimestamp": lambda v, n: moment_text(v // 1000),
    "io.debezium.time.ZonedTimestamp": lambda v, n: zoned_text(v),
    "io.debezium.time.ZonedTime": lambda v, n: zoned_text(v),
    "io.debezium.time.MicroDuration": lambda v, n: str(v),
    "io.debezium.time.Year": lambda v, n: str(v),
    "org.apache.kafka.connect.data.Decimal": lambda v, n: unscaled(v, n.parameters["scale"]),
    "io.debezium.data.VariableScaleDecimal": lambda v, n: unscaled(v["value"], v["scale"]),
    "io.debezium.data.Bits": lambda v, n: str(int.from_bytes(raw(v), "little")),
    "io.debezium.data.geometry.Point": point_text,
}
# Their text is the server's.
TEXTS = {"io.debezium.data.Json", "io.debezium.data.Xml", "io.debezium.data.Uuid", "io.debezium.data.Ltree", "io.debezium.data.Enum",
         "io.debezium.data.EnumSet", "io.debezium.data.TsVector"}


def canonical(value, node):
    """The text of a topic's value, None for NULL, a list for an array."""
    if value is None:
        return None
    if node.meaning in MEANINGS:
        return MEANINGS[node.meaning](value, node)
    if node.meaning is not None and node.meaning not in TEXTS:
        raise Uncompared(node.meaning)
    if node.kind in ("array",):
        return [canonical(v, node.items) for v in value]
    if node.kind == "boolean":
        return "true" if value else "false"
    if node.kind in ("float", "double", "float32", "float64"):
        return float_text(value, node.kind)
    if node.kind == "bytes":
        return raw(value).hex()
    if node.kind == "string":
        return value
    if isinstance(value, int):
        return str(value)
    raise Uncompared(node.kind)


# -- the table's side -------------------------------------------------------------------------------------------------------

# {c} is the column. The server's own output text where nothing else is said.
PG_TEXT = "CASE WHEN {c} IS NULL THEN NULL ELSE format('%s', {c}) END"
PG_EXPRESSIONS = {
    "bool": "{c}::text", "bytea": "encode({c}, 'hex')", "money": "{c}::numeric::text", "timetz": "({c} AT TIME ZONE 'UTC')::time::text",
    "timestamptz": "({c} AT TIME ZONE 'UTC')::text", "hstore": "hstore_to_json({c})::text", "bit": "{c}::text", "varbit": "{c}::text",
    "interval": "((extract(year FROM {c}) * 12 + extract(month FROM {c})) * 2629800000000 + extract(day FROM {c}) * 86400000000"
                " + (extract(hour FROM {c}) * 60 + extract(minute FROM {c})) * 60000000 + extract(microseconds FROM {c}))::bigint::text",
}
PG_COLUMNS = """
SELECT json_build_object('name', a.attname, 'type', t.typname, 'of', e.typname, 'length', a.atttypmod) FROM pg_attribute a JOIN pg_type t
  ON t.oid = CASE WHEN (SELECT typtype FROM pg_type WHERE oid = a.atttypid) = 'd' THEN (SELECT typbasetype FROM pg_type WHERE oid = a.atttypid)
    ELSE a.atttypid END LEFT JOIN pg_type e ON e.oid = t.typelem AND t.typcategory = 'A'
WHERE a.attrelid = '{table}'::regclass AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum"""
MY_BYTES = {"binary", "varbinary", "tinyblob", "blob", "mediumblob", "longblob"}


def bits_text(text):
    return str(int(text, 2)) if text else "0"


def trimmed(text):
    """A fraction's trailing zeros say nothing."""
    main, era, _ = text.partition(" BC")
    return (main.rstrip("0").rstrip(".") if "." in main else main) + era


# What is left to do here, by the type's name.
AFTER = {
    "float4": lambda t: repr(single(float(t))), "float8": lambda t: repr(float(t)),
    "float": lambda t: repr(single(float(t))), "double": lambda t: repr(float(t)),
    "numeric": lambda t: decimal_text(Decimal(t)), "money": lambda t: decimal_text(Decimal(t)), "decimal": lambda t: decimal_text(Decimal(t)),
    "varbit": bits_text, "time": trimmed, "datetime": trimmed, "timestamp": trimmed, "timetz": trimmed, "timestamptz": trimmed,
    "point": lambda t: "(" + ",".join(repr(float(x)) for x in t.strip("()").split(",")) + ")",
}


def finish_pg(column, text):
    kind = column["of"] or column["type"]
    if text is None:
        return None
    if column["of"]:
        return [finish_pg(dict(column, of=None, type=kind), e) for e in json.loads(text)]
    if kind == "bit":
        return {"0": "false", "1": "true"}[text] if column["length"] == 1 else bits_text(text)
    return AFTER.get(kind, lambda t: t)(text)


def pg_rows(database, table):
    columns = [json.loads(line) for line in database.values(PG_COLUMNS.format(table=table))]

    def expression(column):
        name = '"' + column["name"].replace('"', '""') + '"'
        if column["of"]:
            return f"to_json({name}::text[])::text"
        return PG_EXPRESSIONS.get(column["type"], PG_TEXT).format(c=name)
    select = ", ".join(expression(c) for c in columns)
    for line in database.values(f"SET extra_float_digits = 1; SET TimeZone = 'UTC'; SELECT json_build_array({select}) FROM {table}"):
        yield {c["name"]: finish_pg(c, text) for c, text in zip(columns, json.loads(line))}


def my_expression(name, kind, full):
    column = f"`{name}`"
    if kind in MY_BYTES:
        return f"LOWER(HEX({column}))"
    if kind == "bit":
        return f"CAST({column} + 0 AS CHAR)"
    if kind in ("float", "double"):
        return f"CAST({column} + 0e0 AS CHAR)"
    if kind == "point":
        return f"CONCAT('(', ST_X({column}), ',', ST_Y({column}), ')')"
    return f"CAST({column} AS CHAR CHARACTER SET utf8mb4)"


def finish_my(kind, full, text):
    if text is None:
        return None
    if kind == "bit" and full == "bit(1)":
        return {"0": "false", "1": "true"}[text]
    return AFTER.get(kind, lambda t: t)(text)


def my_rows(database, table):
    schema, name = table.split(".") if "." in table else (database.dbname, table)
    columns = [line.split("\t") for line in database.values(
        "SELECT column_name, data_type, column_type FROM information_schema.columns"
        f" WHERE table_schema = '{schema}' AND table_name = '{name}' ORDER BY ordinal_position")]
    select = ", ".join(my_expression(*c) for c in columns)
    for line in database.values(f"SET time_zone = '+00:00'; SELECT JSON_ARRAY({select}) FROM `{schema}`.`{name}`"):
        yield {c[0]: finish_my(c[1], c[2], text) for c, text in zip(columns, json.loads(line))}


def table_rows(database, table):
    """The table's rows, {column: text, None or a list}."""
    return list(my_rows(database, table) if hasattr(database, "kind") else pg_rows(database, table))


def topic_row(row, node, uncompared):
    """The same of a topic's row; columns without a rule are left out and noted in `uncompared`."""
    found = {}
    for name, value in row.items():
        try:
            if not node:
                raise Uncompared("JSON without a schema says no types")
            found[name] = canonical(value, node.fields[name])
        except (Uncompared, KeyError) as e:
            uncompared[name] = str(e)
    return found


def same(a, b):
    """JSON that the server keeps as another type (hstore) has no text of its own: it is compared as JSON."""
    if a == b or type(a) is not type(b):
        return a == b
    if isinstance(a, list):
        return len(a) == len(b) and all(map(same, a, b))
    try:
        return a[:1] == b[:1] == "{" and json.loads(a) == json.loads(b)
    except (TypeError, ValueError):
        return False
