# Copyright the tailrace authors. SPDX-License-Identifier: Apache-2.0
"""Messages as what verify.py judges: {topic, partition, offset, key, value, node}; node: the value's types, None where JSON says none.
Avro in Confluent's framing, or JSON with or without its schema; told apart by the first byte."""
import json
import struct

from .canonical import from_avro, from_connect
from .records import Decoder


class Values(Decoder):
    """Without looking up which version of its subject a schema is."""

    def version(self, subject, schema_id):
        return None


class Reader:
    def __init__(self, registry):
        self.registry, self.decoder = registry, Values(registry)
        self.nodes = {}  # schema id -> node

    def avro_node(self, schema_id):
        if schema_id not in self.nodes:
            self.nodes[schema_id] = from_avro(json.loads(self.registry.text(schema_id)))
        return self.nodes[schema_id]

    def part(self, topic, name, data):
        """(value, node)"""
        if data is None:
            return None, None
        if data[:1] == b"\0":
            return self.decoder.avro(topic, name, data)[0], self.avro_node(struct.unpack(">I", data[1:5])[0])
        value = json.loads(data)
        if isinstance(value, dict) and value.keys() == {"schema", "payload"}:
            return value["payload"], from_connect(value["schema"]) if value["schema"] else None
        return value, None

    def record(self, message):
        topic = message.topic()
        key, _ = self.part(topic, "key", message.key())
        value, node = self.part(topic, "value", message.value())
        return {"topic": topic, "partition": message.partition(), "offset": message.offset(), "key": key, "value": value, "node": node}


def read(kafka, registry, wanted):
    """By topic, partition and offset; of transactions only what is committed."""
    reader = Reader(registry)
    return [reader.record(m) for m in kafka.read(wanted)]
