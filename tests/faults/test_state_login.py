#!/usr/bin/env python3
# Copyright the tailrace authors. SPDX-License-Identifier: Apache-2.0
"""The state in Kafka, on a cluster that lets not everybody do everything: what is refused is said, what the hint names is enough."""
import json
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "lib"))
sys.path.insert(0, str(Path(__file__).resolve().parent))
from confluent_kafka.admin import AclOperation, ResourcePatternType, ResourceType  # noqa: E402
from test_sink_login import SecureKafka  # noqa: E402

from trtest.case import PASSWORD, Case, main  # noqa: E402

POSITION = '{"lsn":"0/16B3748"}'


class StateLogin(Case):
    @classmethod
    def setUpClass(cls):
        cls.own = SecureKafka()
        cls.addClassCleanup(cls.own.remove)

    def allow(self, resource, name, *operations):
        for operation in operations:
            self.own.allow("reader", name, operation, resource, ResourcePatternType.LITERAL)

    def state_job(self, password=PASSWORD):
        properties = {"security.protocol": "SASL_PLAINTEXT", "sasl.mechanisms": "PLAIN", "sasl.username": "reader",
                      "sasl.password": password}
        self.topic = f"{self.tag}-state"
        config = self.config(self.database("CREATE TABLE t (id int PRIMARY KEY);"), events={"format": "json"},
                             sink={"url": f"kafka://{self.own.login}", "properties": properties}, transaction={"timeout": "10s"})
        config["state"] = {"url": f"kafka:{self.topic}"}
        job = self.job(config)
        self.position = job.folder / "position.json"
        self.position.write_text(POSITION, encoding="utf-8")
        return job

    def set(self, job):
        return job.command("offsets", "set", str(self.position), "--yes")

    def test_wrong_password(self):
        self.assert_fails(self.set(self.state_job(PASSWORD + "x")), 77, "TR502", self.own.login)

    def test_each_right_that_the_hint_names(self):
        job, topic, producer = self.state_job(), ResourceType.TOPIC, ResourceType.TRANSACTIONAL_ID
        transactional_id = f"tailrace-state-{job.config['name']}"
        for resource, name, operations in ((topic, self.topic, (AclOperation.DESCRIBE, AclOperation.CREATE)),
                                           (topic, self.topic, (AclOperation.DESCRIBE_CONFIGS,)),
                                           (producer, f"tailrace-{job.config['name']}", (AclOperation.WRITE, AclOperation.DESCRIBE)),
                                           (producer, transactional_id, (AclOperation.WRITE, AclOperation.DESCRIBE)),
                                           (topic, self.topic, (AclOperation.READ,)), (topic, self.topic, (AclOperation.WRITE,))):
            with self.subTest(f"without {operations}"):
                self.assert_fails(self.set(job), 77, "TR502", self.topic, hint=transactional_id)
            self.allow(resource, name, *operations)
        self.assert_ok(self.set(job))
        self.assertEqual(json.loads(job.command("offsets", "export").out)["position"], json.loads(POSITION))


if __name__ == "__main__":
    main()
