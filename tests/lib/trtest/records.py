# Copyright the tailrace authors. SPDX-License-Identifier: Apache-2.0
"""Messages decoded into the records of the golden cases: see tests/golden/README.md for the format."""
import io
import json
import math
import re
import struct

import fastavro


def topics_of(prefix):
    """Which topics belong to a topic prefix (the heartbeat's too)."""
    name = re.sub(r"[^A-Za-z0-9._-]", "_", prefix)
    return lambda topic: topic == name or topic.startswith(name + ".") or topic == f"__debezium-heartbeat.{name}"


def subjects_of(prefix):
    topic = topics_of(prefix)
    return lambda subject: bool(re.search(r"-(key|value)$", subject)) and topic(subject.rsplit("-", 1)[0])


def without_heartbeat(wanted):
    return lambda topic: wanted(topic) and not topic.startswith("__debezium-heartbeat.")


def plain(schema):
    """A schema for reading bytes only: logical types would turn a decimal's bytes into a number."""
    if isinstance(schema, list):
        return [plain(s) for s in schema]
    if not isinstance(schema, dict):
        return schema
    return {k: plain(v) if k in ("type", "items", "values") else [plain(f) for f in v] if k == "fields" else v
            for k, v in schema.items() if k not in ("logicalType", "default") and not k.startswith("connect.")}


def as_json(value):
    """Bytes and what JSON has no number for, in the golden notation."""
    if isinstance(value, bytes):
        return {"$bytes": value.hex()}
    if isinstance(value, float) and not math.isfinite(value):
        return {"$float": "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"}
    if isinstance(value, dict):
        return {k: as_json(v) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [as_json(v) for v in value]
    return value


class Decoder:
    def __init__(self, registry):
        self.registry = registry
        self.readers = {}  # schema id -> parsed schema
        self.numbers = {}  # subject -> {schema id: version}

    def schema(self, schema_id):
        if schema_id not in self.readers:
            self.readers[schema_id] = fastavro.parse_schema(plain(json.loads(self.registry.text(schema_id))))
        return self.readers[schema_id]

    def version(self, subject, schema_id):
        known = self.numbers.setdefault(subject, {})
        if schema_id not in known:
            known.update({i: v for v, i, _ in self.registry.versions(subject)})
        return known.get(schema_id)

    def avro(self, topic, part, data):
        """(value, subject, version); a null is no Avro and has no subject."""
        if data is None:
            return None, None, None
        if len(data) < 5 or data[0] != 0:
            raise ValueError(f"{topic}: {part} is not in Confluent's format: {data[:16].hex()}")
        schema_id = struct.unpack(">I", data[1:5])[0]
        body = io.BytesIO(data[5:])
        value = fastavro.schemaless_reader(body, self.schema(schema_id))
        if body.read(1):
            raise ValueError(f"{topic}: {part} has bytes after its Avro body")
        subject = f"{topic}-{part}"
        return as_json(value), subject, self.version(subject, schema_id)

    def record(self, message):
        topic = message.topic()
        key, key_subject, key_version = self.avro(topic, "key", message.key())
        value, value_subject, value_version = self.avro(topic, "value", message.value())
        headers = [{"key": k, "value": None if v is None else v.decode("utf-8")} for k, v in message.headers() or []]
        return {"topic": topic, "partition": message.partition(), "key": key, "value": value, "headers": headers,
                "key_schema_subject": key_subject, "key_schema_version": key_version,
                "value_schema_subject": value_subject, "value_schema_version": value_version}


def read_records(kafka, registry, wanted):
    decoder = Decoder(registry)
    return [decoder.record(m) for m in kafka.read(wanted)]


def read_schemas(registry, wanted):
    """{"<subject>" or "<subject>-v<n>": text}, as the golden cases name them."""
    schemas = {}
    for subject in registry.subjects(wanted):
        versions = registry.versions(subject)
        for number, (_, _, text) in enumerate(versions, 1):
            schemas[subject if len(versions) == 1 else f"{subject}-v{number}"] = text
    return schemas
