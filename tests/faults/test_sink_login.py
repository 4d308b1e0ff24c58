#!/usr/bin/env python3
# Copyright the tailrace authors. SPDX-License-Identifier: Apache-2.0
"""A cluster that wants to know who writes (SASL: PLAIN, SCRAM), lets not everybody write everything (ACLs), and has limits."""
import json
import re
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "lib"))
from confluent_kafka.admin import (AclBinding, AclBindingFilter, AclOperation, AclPermissionType, AdminClient, NewTopic, ResourcePatternType,  # noqa: E402
                                   ResourceType, ScramCredentialInfo, ScramMechanism, UserScramCredentialUpsertion)

from trtest.case import PASSWORD, ROW_SECRET, Case, eventually, main  # noqa: E402
from trtest.kafka import Kafka  # noqa: E402
from trtest.own import Own, OwnKafka, port_pair  # noqa: E402
from trtest.records import topics_of  # noqa: E402

TABLE = f"CREATE TABLE t (id int PRIMARY KEY, s text); INSERT INTO t VALUES (1, '{ROW_SECRET}');"


# What each may do with the topics of its test.
USERS = {"all": (AclOperation.WRITE, AclOperation.DESCRIBE, AclOperation.CREATE, AclOperation.DESCRIBE_CONFIGS),
         "reader": (AclOperation.DESCRIBE, AclOperation.DESCRIBE_CONFIGS), "writer": (AclOperation.DESCRIBE, AclOperation.WRITE)}


class SecureKafka(OwnKafka):
    """Whoever comes without a name may do all; `login` is the listener for those who have one."""

    def __init__(self):
        Own.__init__(self, "kafka")
        self.bootstrap, self.login = f"127.0.0.1:{self.port}", f"127.0.0.1:{port_pair()}"
        self.properties = (
            f"listeners=PLAINTEXT://{self.bootstrap},LOGIN://{self.login},CONTROLLER://127.0.0.1:{self.port + 1}",
            f"advertised.listeners=PLAINTEXT://{self.bootstrap},LOGIN://{self.login}",
            "listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT,LOGIN:SASL_PLAINTEXT",
            "sasl.enabled.mechanisms=PLAIN,SCRAM-SHA-256",
            "listener.name.login.plain.sasl.jaas.config=org.apache.kafka.common.security.plain.PlainLoginModule required "
            + " ".join(f'user_{user}="{PASSWORD}"' for user in USERS) + ";",
            "listener.name.login.scram-sha-256.sasl.jaas.config=org.apache.kafka.common.security.scram.ScramLoginModule required;",
            "authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer", "super.users=User:ANONYMOUS",
            "transaction.max.timeout.ms=20000")
        self.start()
        self.admin = AdminClient({"bootstrap.servers": self.bootstrap, "log_level": 0})

    def scram_user(self, name):
        credential = ScramCredentialInfo(ScramMechanism.SCRAM_SHA_256, 4096)
        for future in self.admin.alter_user_scram_credentials([UserScramCredentialUpsertion(name, credential, PASSWORD.encode())]).values():
            future.result()

    def allow(self, user, name, operation, resource=ResourceType.TOPIC, pattern=ResourcePatternType.PREFIXED):
        """Each test has topics of its own, so rules of one are nothing to another. The controller answers before the broker
        that decides has heard of the rule."""
        named = resource, name, pattern, f"User:{user}", "*", operation, AclPermissionType.ALLOW
        self.admin.create_acls([AclBinding(*named)])[AclBinding(*named)].result()
        eventually(lambda: self.admin.describe_acls(AclBindingFilter(*named)).result(), what=f"the rule of {name}")

    def topic(self, name):
        self.admin.create_topics([NewTopic(name, 1, 1)])[name].result()


class Login(Case):
    @classmethod
    def setUpClass(cls):
        cls.own = SecureKafka()
        cls.addClassCleanup(cls.own.remove)

    def login_job(self, user, password=PASSWORD, mechanism="PLAIN", **source):
        for operation in USERS[user]:
            self.own.allow(user, self.tag, operation)
        properties = {"security.protocol": "SASL_PLAINTEXT", "sasl.mechanisms": mechanism, "sasl.username": user, "sasl.password": password}
        sink = {"url": f"kafka://{self.own.login}", "properties": properties}
        return self.job(self.config(self.database(TABLE), sink=sink, events={"format": "json"}, source=source))

    def written(self):
        kafka = Kafka(self.own.bootstrap)
        try:
            return sum(kafka.high_marks(topics_of(self.tag)).values())
        finally:
            kafka.close()

    def nothing_done(self, job):
        self.assertEqual(self.written(), 0)
        exported = job.command("offsets", "export")
        self.assertTrue(exported.code == 64 or not json.loads(exported.out).get("position"), exported.out + exported.err)

    def test_the_rights_that_the_hint_names_are_enough(self):
        self.assert_ok(self.login_job("all").once())
        self.assertEqual(self.written(), 1)

    def test_brokers_that_keep_no_transaction_for_so_long(self):
        job = self.job(self.config(self.database(TABLE), sink={"url": f"kafka://{self.own.bootstrap}"}, events={"format": "json"},
                                   delivery="exactly_once", transaction={"timeout": "30s"}))
        self.assert_fails(job.once(), 78, "TR507", hint=("transaction.timeout", "transaction.max.timeout.ms"))
        self.assertEqual(self.written(), 0)

    def test_wrong_password(self):
        job = self.login_job("all", PASSWORD + "x")
        self.assert_fails(job.once(), 77, "TR502", self.own.login, "sasl.")
        self.nothing_done(job)

    def test_topic_that_may_not_be_written(self):
        self.own.topic(f"{self.tag}.public.t")
        job = self.login_job("reader")
        # Who may write nothing at all does not even become a producer.
        self.assert_fails(job.once(), 77, "TR502", hint="Write", detail="CLUSTER_AUTHORIZATION_FAILED")
        self.own.allow("reader", "elsewhere", AclOperation.WRITE)
        self.assert_fails(job.once(), 77, "TR502", f'"{self.tag}.public.t"', "Write")
        self.nothing_done(job)
        self.own.allow("reader", self.tag, AclOperation.WRITE)
        self.assert_ok(job.once())
        self.assertEqual(self.written(), 1)

    def test_topic_that_may_not_be_written_in_transactions(self):
        """There the brokers refuse the partition before any record."""
        self.own.topic(f"{self.tag}.public.t")
        job = self.login_job("reader")
        job.write({**job.config, "delivery": "exactly_once", "transaction": {"timeout": "10s"}})
        for operation in (AclOperation.WRITE, AclOperation.DESCRIBE):
            self.own.allow("reader", "tailrace-", operation, ResourceType.TRANSACTIONAL_ID)
        for operation in (*USERS["all"], AclOperation.READ):
            self.own.allow("reader", "tailrace-state", operation)
        self.assert_fails(job.once(), 77, "TR502", "write within", hint="Write", detail="TOPIC_AUTHORIZATION_FAILED")
        self.nothing_done(job)
        self.own.allow("reader", self.tag, AclOperation.WRITE)
        self.assert_ok(job.once())
        self.assertEqual(self.written(), 2, "the row and the marker of its transaction")

    def test_refusal_while_the_source_is_still_connecting(self):
        """The refusal interrupts the source; that is no clean end."""
        job = self.login_job("reader", url="postgres://postgres@unset/none", connect_timeout="8s")
        host, port = self.server.host, self.server.port
        job.write({**job.config, "source": {**job.config["source"], "url": f"postgres://postgres@{host}:{self.silent_port()},{host}:{port}/{self.tag}"}})
        self.assert_fails(job.once(), 77, "TR502", hint="Write")
        self.nothing_done(job)

    def test_topic_that_may_not_be_made(self):
        job = self.login_job("writer")
        self.assert_fails(job.once(), 77, "TR502", f'"{self.tag}.public.t"', "Create")
        self.nothing_done(job)

    def test_topic_that_may_only_be_written(self):
        """Its limits cannot be read then; that alone is no reason to stop."""
        self.own.topic(f"{self.tag}.public.t")
        self.assert_ok(self.login_job("writer").once())
        self.assertEqual(self.written(), 1)

    def test_scram(self):
        """librdkafka before 2.6.1 sends what brokers have refused since 2024; then the hint says so."""
        self.own.scram_user("all")
        job = self.login_job("all", mechanism="SCRAM-SHA-256")
        version = re.search(r"librdkafka +(\d+)\.(\d+)\.(\d+)", job.command("version").out)
        if tuple(map(int, version.groups())) < (2, 6, 1):
            self.assert_fails(job.once(), 77, "TR502", hint="2.6.1")
            return
        self.assert_ok(job.once())
        self.assertEqual(self.written(), 1)


if __name__ == "__main__":
    main()
