"""Reads what the codecs wrote with fastavro and compares it with its JSON. Input: one line per case, tab-separated:
schema, body in base64, JSON. Exit: 0 equal, 1 not, 77 fastavro is not installed."""
import base64
import io
import json
import struct
import sys

try:
    import fastavro
except ImportError:
    sys.exit(77)


def same_float(a, b):
    if isinstance(b, str):
        return a == float(b)
    return a == b or struct.pack("f", a) == struct.pack("f", b)


def same(a, b):
    if isinstance(a, bytes):
        return base64.b64encode(a).decode() == b
    if isinstance(a, float):
        return same_float(a, b)
    if isinstance(a, dict) and isinstance(b, list):  # an entry of a map whose keys are not text
        return same([a["key"], a["value"]], b)
    if isinstance(a, dict):
        return a.keys() == b.keys() and all(same(a[k], b[k]) for k in a)
    if isinstance(a, list):
        return len(a) == len(b) and all(map(same, a, b))
    return type(a) is type(b) and a == b


def main():
    cases = 0
    with open(sys.argv[1], encoding="utf-8", newline="\n") as lines:
        for line in lines:
            schema, body, text = line.rstrip("\n").split("\t")
            stream = io.BytesIO(base64.b64decode(body))
            value = fastavro.schemaless_reader(stream, fastavro.parse_schema(json.loads(schema)))
            if stream.read(1) or not same(value, json.loads(text)):
                print(f"differs: schema {schema[:2000]}\n got {str(value)[:1000]}\nwant {text[:1000]}")
                return 1
            cases += 1
    print(f"fastavro read {cases} records")
    return 0


sys.exit(main())
