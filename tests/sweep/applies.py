# Copyright the tailrace authors. SPDX-License-Identifier: Apache-2.0
"""Which fail points a run passes. A point that does not apply has a reason here, and the sweep tries that it is really never
passed; one without a reason must be hit."""
import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
POINTS = re.findall(r'^TR_FAILPOINT\(\w+,\s*"([^"]+)"', (ROOT / "core" / "failpoints.def").read_text(encoding="utf-8"), re.MULTILINE)
PHASES = ("snapshot", "catch-up", "stream")
DATABASES = ("postgres", "mysql", "mariadb")
DELIVERIES = ("exactly_once", "at_least_once")

# How often a phase passes a point at least, so that a seeded pass is nearly always there. Others: once.
PASSES = {
    "snapshot": {"snapshot.rows": 2, "snapshot.table": 2, "decoded": 300, "sealed": 4, "send": 4, "sent": 4, "delivered": 2, "state.write": 2,
                 "sink.begin": 2, "sink.commit": 2, "recorded": 2, "confirmed": 2},
    "catch-up": {"read": 200, "decoded": 200, "commit.read": 8},
    "stream": {"read": 60, "decoded": 60, "commit.read": 8, "sealed": 3, "send": 3, "sent": 3, "delivered": 3, "state.write": 3, "sink.begin": 3,
               "sink.commit": 3, "recorded": 3, "confirmed": 3},
}


def not_applicable(point, phase, database, delivery):
    """The reason, or None."""
    if point == "file.rename":
        return "of the file sink: scenarios/failpoint/file.rename"
    if point in ("fenced", "sink.begin", "sink.commit", "sink.abort") and delivery == "at_least_once":
        return "no transactions of the sink"
    if point.startswith("snapshot.") and phase != "snapshot":
        return "no snapshot"
    if point in ("read", "commit.read", "feedback") and phase == "snapshot":
        return "of the stream"
    if point == "sink.abort" and phase != "snapshot":
        return "only a snapshot that is stopped is taken back"
    if point == "feedback" and database != "postgres":
        return "the server keeps its log by its own rule"
    return None
