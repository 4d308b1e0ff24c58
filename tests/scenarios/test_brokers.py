#!/usr/bin/env python3
# Copyright the tailrace authors. SPDX-License-Identifier: Apache-2.0
"""Three brokers under faults and load, exactly once: nothing lost, nothing doubled, whole transactions, and the lag goes back to
nothing. Each fault prints how long readers of committed records waited.

    test_brokers.py [short | NAME...]      all, the part that CI takes, or some
"""
import os
import signal
import sys
import time
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "lib"))
from trtest import load  # noqa: E402
from trtest.case import eventually  # noqa: E402
from trtest.kafka import Kafka, Watch  # noqa: E402
from trtest.loaded import Loaded, LoadedMySql  # noqa: E402
from trtest.own import OwnCluster  # noqa: E402

TIMEOUT_S = 10  # of transactions
# A broker that is silent counts as gone after 4 s, and what it left open is looked at each second.
PROPERTIES = ("broker.session.timeout.ms=4000", "broker.heartbeat.interval.ms=500",
              "transaction.abort.timed.out.transaction.cleanup.interval.ms=1000")
SHORT = ("Brokers.test_kill_the_leader_of_a_partition", "Lines.test_resets_inside_of_requests")


class Faults:
    LIMIT_SECONDS = 300
    cluster = None

    @classmethod
    def setUpClass(cls):
        if not Faults.cluster:
            Faults.cluster = OwnCluster(*PROPERTIES, lines=True)
            unittest.addModuleCleanup(Faults.cluster.remove)

    def setUp(self):
        super().setUp()
        self._kafka = Kafka(self.cluster.bootstrap)
        self.addCleanup(self._kafka.close)
        self.addCleanup(self.forget_topics)

    def topic(self, table):
        return f"{self.prefix}.{table}"

    def under(self, fault, most_seconds, by_line=False):
        """`fault(program)` under load; what is committed reaches readers again within `most_seconds` of its end."""
        way = self.cluster.line if by_line else self.cluster.bootstrap
        job = self.make(delivery="exactly_once", sink={"url": f"kafka://{way}"}, events={"transaction_metadata": True},
                        transaction={"timeout": f"{TIMEOUT_S}s"})
        with job.background() as program:
            program.wait_state()
            watch = Watch(self.cluster.bootstrap, [self.topic(t) for t in load.TABLES])
            self.addCleanup(watch.close)
            with load.Load(self.db):
                time.sleep(2)
                begun = time.monotonic()
                fault(program)
                ended = time.monotonic()
                eventually(lambda: program.check_alive() or watch.last > ended + 1, most_seconds + 1, what="delivery after the fault")
                time.sleep(2)
            self.settle(self.kafka, program)
            # What lies between is keepalives.
            eventually(lambda: (program.status() or {}).get("lag_bytes", 1) < 1000, 20, what="the end of the lag")
            restarts = program.status()["restarts"]
            self.assertEqual(program.terminate(), 0)
        print(f"{self.id().split('.', 1)[1]}: fault {ended - begun:.1f} s, delivery interrupted for {watch.interruption(begun):.1f} s, "
              f"{restarts} new sessions", file=sys.stderr)
        self.judge_once(self.kafka)
        return watch.interruption(begun)

    # -- kill -9 --------------------------------------------------------------------------------------------------------------

    def kill(self, who, seconds=5):
        def fault(_):
            node = who()
            self.assertIn(node, self.cluster.NODES)
            self.cluster.kill(node)
            time.sleep(seconds)
            self.cluster.start_node(node)
        return fault

    def test_kill_the_leader_of_a_partition(self):
        self.under(self.kill(lambda: self.kafka.leader(self.topic("account"))), 30)

    def test_kill_the_coordinator(self):
        self.under(self.kill(lambda: self.kafka.coordinator(f"tailrace-{self.tag}")), 30)


class Brokers(Faults, Loaded):
    def test_kill_the_leader_of_the_state(self):
        self.under(self.kill(lambda: self.kafka.leader("tailrace-state")), 30)

    def test_kill_all_at_once(self):
        def fault(_):
            self.cluster.kill()
            time.sleep(5)
            self.cluster.start()
        self.under(fault, 60)

    def test_kill_each_in_turn(self):
        """Rolling, faster than copies are back in step."""
        def fault(_):
            for node in self.cluster.NODES:
                self.cluster.kill(node)
                time.sleep(1)
                self.cluster.start_node(node)
        self.under(fault, 60)

    # -- SIGSTOP past the transactions' timeout -------------------------------------------------------------------------------

    def pause(self, who):
        def fault(_):
            node = who()
            self.cluster.pause(node)
            try:
                time.sleep(1.5 * TIMEOUT_S)
            finally:
                self.cluster.resume(node)
        return fault

    def test_stopped_leader_comes_back_after_the_timeout(self):
        self.under(self.pause(lambda: self.kafka.leader(self.topic("account"))), 60)

    def test_stopped_coordinator_comes_back_after_the_timeout(self):
        self.under(self.pause(lambda: self.kafka.coordinator(f"tailrace-{self.tag}")), 60)

    def test_all_stopped_come_back_after_the_timeout(self):
        def fault(_):
            for node in self.cluster.NODES:
                self.cluster.pause(node)
            time.sleep(1.5 * TIMEOUT_S)
            for node in self.cluster.NODES:
                self.cluster.resume(node)
        self.under(fault, 60)

    def test_stopped_program_goes_on_after_the_timeout(self):
        """Nobody else has taken over, so the one who was away is not fenced for good."""
        def fault(program):
            os.kill(program.process.pid, signal.SIGSTOP)
            time.sleep(1.5 * TIMEOUT_S)
            os.kill(program.process.pid, signal.SIGCONT)
        self.assertGreater(self.under(fault, 30), TIMEOUT_S)


class Lines(Faults, Loaded):
    """A bad line between the program and the brokers."""
    test_kill_the_leader_of_a_partition = test_kill_the_coordinator = None

    def tearDown(self):
        self.line(latency_s=0.0, rate=0, reset_after=0, silent=False)

    def line(self, **how):
        for proxy in self.cluster.proxies.values():
            for name, value in how.items():
                setattr(proxy, name, value)

    def line_for(self, seconds, **how):
        def fault(_):
            before = sum(p.connections for p in self.cluster.proxies.values())
            self.assertGreater(before, 0, "the program does not use the line")
            self.line(**how)
            time.sleep(seconds)
            self.line(**{name: 0 for name in how})
        return fault

    def test_latency_and_little_bandwidth(self):
        self.under(self.line_for(15, latency_s=0.2, rate=60_000), 30, by_line=True)

    def test_resets_inside_of_requests(self):
        self.under(self.line_for(8, reset_after=100_000), 30, by_line=True)
        self.assertGreater(sum(p.resets for p in self.cluster.proxies.values()), 3, "nothing was reset")

    def test_all_connections_reset_at_once(self):
        def fault(_):
            for _ in range(5):
                for proxy in self.cluster.proxies.values():
                    proxy.reset_all()
                time.sleep(1)
        self.under(fault, 30, by_line=True)

    def test_silent_line_past_the_timeout(self):
        """Half-open: nobody closes anything, and nothing comes."""
        self.under(self.line_for(1.5 * TIMEOUT_S, silent=True), 90, by_line=True)


class BrokersMySql(Faults, LoadedMySql):
    pass


class BrokersMariaDb(Faults, LoadedMySql):
    SERVER = "maria1011"


if __name__ == "__main__":
    names = sys.argv[1:]
    unittest.main(argv=[sys.argv[0]] + (list(SHORT) if names == ["short"] else names), verbosity=2)
