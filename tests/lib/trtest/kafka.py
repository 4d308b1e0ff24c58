# Copyright the tailrace authors. SPDX-License-Identifier: Apache-2.0
"""A Kafka cluster: topics, and everything that is in them."""
import threading
import time

from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition
from confluent_kafka.admin import AdminClient

# A topic made a moment ago, or made again under an old name: the cluster has not told everybody yet.
NOT_READY = {KafkaError.NOT_LEADER_FOR_PARTITION, KafkaError.LEADER_NOT_AVAILABLE, KafkaError.UNKNOWN_TOPIC_OR_PART,
             KafkaError._UNKNOWN_PARTITION, KafkaError._UNKNOWN_TOPIC, KafkaError._TRANSPORT}


class Kafka:
    def __init__(self, bootstrap):
        self.bootstrap = bootstrap
        quiet = {"bootstrap.servers": bootstrap, "log_level": 0}
        self.admin = AdminClient(quiet)
        self.consumer = Consumer(dict(quiet, **{"group.id": "tests", "enable.auto.commit": False, "enable.partition.eof": True,
                                                "auto.offset.reset": "earliest", "isolation.level": "read_committed"}))

    def close(self):
        self.consumer.close()

    def partitions(self, wanted):
        """{topic: [partition]} of the topics for which wanted(name)."""
        topics = self.admin.list_topics(timeout=20).topics
        return {name: sorted(t.partitions) for name, t in topics.items() if t.error is None and wanted(name)}

    def delete(self, wanted, timeout=30):
        """Deletes topics and waits until the cluster has forgotten them."""
        names = list(self.partitions(wanted))
        if names:
            for future in self.admin.delete_topics(names).values():
                future.result()
        deadline = time.monotonic() + timeout
        while self.partitions(wanted):
            if time.monotonic() > deadline:
                raise TimeoutError(f"topics are still there: {names}")
            time.sleep(0.1)

    def high_marks(self, wanted):
        """{(topic, partition): offset of the next record}."""
        marks = {}
        for topic, partitions in self.partitions(wanted).items():
            for p in partitions:
                marks[topic, p] = self.high_mark(TopicPartition(topic, p))
        return marks

    def high_mark(self, partition, timeout=20):
        """A topic made a moment ago has no leader yet: that passes."""
        deadline = time.monotonic() + timeout
        while True:
            try:
                return self.consumer.get_watermark_offsets(partition, timeout=timeout, cached=False)[1]
            except KafkaException as e:
                if e.args[0].code() not in NOT_READY or time.monotonic() > deadline:
                    raise
                time.sleep(0.2)

    def wait_quiet(self, wanted, quiet=1.5, timeout=120, alive=lambda: None):
        """Until no record has come for `quiet` seconds. `alive` may raise when waiting has become pointless."""
        deadline = time.monotonic() + timeout
        before, since = None, time.monotonic()
        while True:
            alive()
            marks = self.high_marks(wanted)
            now = time.monotonic()
            if marks != before:
                before, since = marks, now
            elif now - since >= quiet:
                return marks
            if now > deadline:
                raise TimeoutError(f"topics are not quiet after {timeout} s")
            time.sleep(0.2)

    def read(self, wanted, timeout=60):
        """All messages now in the topics, by topic, partition and offset."""
        at = [TopicPartition(t, p, 0) for t, ps in self.partitions(wanted).items() for p in ps]
        if not at:
            return []
        self.consumer.assign(at)
        open_ends, messages = {(p.topic, p.partition) for p in at}, []
        deadline = time.monotonic() + timeout
        while open_ends:
            if time.monotonic() > deadline:
                raise TimeoutError(f"cannot read to the end of {sorted(open_ends)}")
            for m in self.consumer.consume(500, timeout=0.1):
                if m.error() is None:
                    messages.append(m)
                elif m.error().code() == KafkaError._PARTITION_EOF:
                    open_ends.discard((m.topic(), m.partition()))
                else:
                    raise RuntimeError(f"{m.topic()}: {m.error()}")
        self.consumer.unassign()
        return sorted(messages, key=lambda m: (m.topic(), m.partition(), m.offset()))

    # -- who leads what -------------------------------------------------------------------------------------------------------

    def leader(self, topic, partition=0):
        """The node that leads it, or -1."""
        found = self.admin.list_topics(timeout=20).topics.get(topic)
        return found.partitions[partition].leader if found and partition in found.partitions else -1

    def coordinator(self, transactional_id):
        """The node that decides about the transactions of that id: who leads its partition of the brokers' own topic."""
        topic = "__transaction_state"
        count = len(self.admin.list_topics(timeout=20).topics[topic].partitions)
        number = 0
        for letter in transactional_id:  # String.hashCode
            number = (31 * number + ord(letter)) & 0xFFFFFFFF
        return self.leader(topic, (number & 0x7FFFFFFF) % count)


class Watch:
    """A reader of committed records beside everything else: when something arrived, and how long nothing did."""

    def __init__(self, bootstrap, topics):
        self.consumer = Consumer({"bootstrap.servers": bootstrap, "log_level": 0, "group.id": "watch", "enable.auto.commit": False,
                                  "auto.offset.reset": "earliest", "isolation.level": "read_committed",
                                  "reconnect.backoff.max.ms": 500, "socket.timeout.ms": 5000})
        self.consumer.assign([TopicPartition(t, 0, 0) for t in topics])
        self.last, self.gaps, self.ending = time.monotonic(), [], threading.Event()
        self.thread = threading.Thread(target=self.read, daemon=True)
        self.thread.start()

    def read(self):
        while not self.ending.is_set():
            arrived = [m for m in self.consumer.consume(500, timeout=0.1) if m.error() is None]
            if arrived:
                now = time.monotonic()
                self.gaps.append((now, now - self.last))
                self.last = now

    def interruption(self, since):
        """The longest time without a record that ended after `since`, or goes on."""
        return max([gap for end, gap in list(self.gaps) if end >= since] + [time.monotonic() - self.last])

    def close(self):
        self.ending.set()
        self.thread.join()
        self.consumer.close()
