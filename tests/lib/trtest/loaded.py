# Copyright the tailrace authors. SPDX-License-Identifier: Apache-2.0
"""Cases that run a job beside load.py's transactions and have the checker judge what was published."""
import sys
import time

from . import checker, load
from .case import Case, MySqlCase, eventually
from .records import topics_of
from .replay import replay


class Judged:
    """What both kinds of source have in common; `prefix` is that of the tables' topics, SCHEMA the load's for it."""

    def make(self, server=None, **more):
        self.db = self.database(self.SCHEMA, server)
        source = {"retry_for": "60s", "retry_delay_max": "300ms", **more.pop("source", {})}
        return self.kafka_job(self.db, source=source, **more)

    def judge(self, kafka, since=(), least=100):
        """The number of repeated events; anything else that is wrong fails."""
        self.read = records = self.records(kafka)
        faults, repeated, firsts = checker.check(records, self.db, load.TABLES, self.prefix, since)
        self.assertEqual(faults[:10], [], f"{len(faults)} faults")
        accounts = [r for r in records if r["topic"] == f"{self.prefix}.account"]
        began = replay([r for r in accounts if isinstance(r["value"], dict) and r["value"]["op"] == "r"])
        sums = checker.sums_faults(firsts["account"], "balance", load.ACCOUNTS * load.BALANCE, {k: row["balance"] for k, row in began.items()})
        self.assertEqual(sums[:5], [], "a transaction was torn apart")
        counts = {t: len(f) for t, f in firsts.items()}
        print(f"{len(records)} records, events {counts}, {repeated} repeated", file=sys.stderr)
        self.assertGreater(min(counts.values()), least, "there was no load")
        return repeated

    def judge_once(self, kafka):
        """Nothing twice, and no transaction in part (needs events.transaction_metadata)."""
        self.assertEqual(self.judge(kafka, least=20), 0, "events were published twice")
        self.assertEqual(checker.transaction_faults(self.read, f"{self.tag}.transaction")[:5], [])
        keys = [(r["topic"], checker.row_key(r["key"])) for r in self.read if isinstance(r["value"], dict) and r["value"].get("op") == "r"]
        self.assertEqual(len(keys), len(set(keys)), "snapshot rows were published twice")


class Loaded(Judged, Case):
    SCHEMA = load.SCHEMA

    @property
    def prefix(self):
        return f"{self.tag}.public"

    def settle(self, kafka, program):
        """Until all that was committed has been published."""
        end = self.db.value("SELECT pg_current_wal_lsn() - '0/0'")
        deadline = time.monotonic() + 60
        while True:
            program.check_alive()
            self.db.psql("SELECT pg_logical_emit_message(false, 'tests', 'end')")
            confirmed = self.db.value(f"SELECT confirmed_flush_lsn - '0/0' FROM pg_replication_slots WHERE slot_name = 'tailrace_{self.tag}'")
            if confirmed and int(confirmed) >= int(end):
                return kafka.wait_quiet(topics_of(self.tag), 0.5)
            if time.monotonic() > deadline:
                self.fail(f"the slot stands at {confirmed}, the log at {end}; {program.status()}\n{program.tail()}")
            time.sleep(0.2)


class LoadedMySql(Judged, MySqlCase):
    SCHEMA = load.MYSQL_SCHEMA

    @property
    def prefix(self):
        return f"{self.tag}.{self.tag}"

    def settle(self, kafka, program):
        """Until all that was committed has been published: a last row comes after everything."""
        program.wait_state()
        kafka.wait_quiet(topics_of(self.tag), 0.5, alive=program.check_alive)
        topic = f"{self.prefix}.item"
        mark = sum(kafka.high_marks(lambda t: t == topic).values())
        self.db.sql("INSERT INTO item SELECT greatest(999999, max(id)) + 1, 'end', UUID_SHORT() FROM item")
        eventually(lambda: sum(kafka.high_marks(lambda t: t == topic).values()) > mark, 30, what="the last row")
        kafka.wait_quiet(topics_of(self.tag), 0.5, alive=program.check_alive)
