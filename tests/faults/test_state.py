#!/usr/bin/env python3
# Copyright the tailrace authors. SPDX-License-Identifier: Apache-2.0
"""A state that cannot be read or written stops the program (74, 75); it is never taken for no state."""
import json
import os
import sqlite3
import subprocess
import sys
import unittest
import zlib
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "lib"))
from trtest.case import ROW_SECRET, Case, eventually, main  # noqa: E402
from trtest.preload import SYNC, Preload  # noqa: E402

TABLE = f"CREATE TABLE t (id int PRIMARY KEY, s text); INSERT INTO t VALUES (1, '{ROW_SECRET}');"


class State(Case):
    LIMIT_SECONDS = 240

    def captured(self):
        self.db = self.database(TABLE)
        job = self.file_job(self.db)
        self.assert_ok(job.once())
        self.path = self.folder / "state" / "tailrace.db"
        for extra in ("-wal", "-shm"):  # so that the file alone is the state
            self.assertFalse(Path(str(self.path) + extra).exists() and Path(str(self.path) + extra).stat().st_size, "the log was not folded in at the end")
        return job

    def refused(self, job, code, text, hint):
        before = self.path.read_bytes()
        self.assert_fails(job.once(), 74, code, text, hint)
        shown = job.command("offsets", "show")
        self.assertEqual(shown.code, 74, shown.out + shown.err)
        self.assertEqual(self.path.read_bytes(), before, "the damaged state was changed")
        self.assertEqual(self.db.value(f"SELECT count(*) FROM pg_replication_slots WHERE database = '{self.tag}'"), "1")

    def edit(self, change):
        """Changes the record as a newer or a careless program would."""
        with sqlite3.connect(self.path) as db:
            (text,) = db.execute("SELECT record FROM pipeline WHERE name = ?", (self.tag,)).fetchone()
            new = change(json.loads(text))
            checksum = zlib.crc32(self.tag.encode() + b"\0" + new.encode())
            db.execute("UPDATE pipeline SET record = ?, checksum = ?", (new, checksum))
            db.commit()
            db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        db.close()

    def test_truncated(self):
        job = self.captured()
        os.truncate(self.path, self.path.stat().st_size // 2)
        self.refused(job, "TR602", "tailrace.db", "backup")

    def test_table_that_is_gone(self):
        job = self.captured()
        with sqlite3.connect(self.path) as db:
            db.execute("DROP TABLE pipeline")
        db.close()
        self.refused(job, "TR602", "tailrace.db", "backup")

    def test_directory_behind_a_symbolic_link(self):
        """As after moving /var/lib to another disk; the file itself may still not be a link."""
        job = self.captured()
        (self.folder / "state").rename(self.folder / "moved")
        (self.folder / "state").symlink_to("moved")
        self.db.psql("INSERT INTO t VALUES (2, 'x')")
        before = job.stored()["sequence"]
        self.assert_ok(job.once())
        self.assertGreater(job.stored()["sequence"], before)
        self.path.rename(self.folder / "elsewhere.db")
        self.path.symlink_to(self.folder / "elsewhere.db")
        self.assertEqual(job.once().code, 74)

    def test_empty(self):
        job = self.captured()
        os.truncate(self.path, 0)
        self.refused(job, "TR602", "tailrace.db", "backup")

    def test_garbage(self):
        job = self.captured()
        self.path.write_bytes(b"\xde\xad\xbe\xef" * 4096)
        self.refused(job, "TR602", "tailrace.db", "backup")

    def test_edited_record(self):
        job = self.captured()
        with sqlite3.connect(self.path) as db:
            db.execute("UPDATE pipeline SET record = replace(record, '0/', '1/')")
            db.commit()
            db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        db.close()
        self.refused(job, "TR602", self.tag, "backup")

    def test_newer_record(self):
        job = self.captured()
        self.edit(lambda r: json.dumps({**r, "version": 99, "writer": "tailrace 9.9"}))
        self.refused(job, "TR603", "version 99", "newer")

    def test_newer_layout(self):
        job = self.captured()
        with sqlite3.connect(self.path) as db:
            db.execute("PRAGMA user_version = 7")
            db.commit()
            db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        db.close()
        self.refused(job, "TR603", "7", "newer")

    def test_two_instances(self):
        self.captured()
        job = self.file_job(self.db)
        with job.background() as first:
            first.wait_state()
            second = job.once("--set", "http.listen=")
            self.assert_fails(second, 75, "TR604", (f'"{self.tag}"', str(first.process.pid)), "Stop that process")
            self.assertLess(second.seconds, 5)
            first.check_alive()
            refused = job.command("offsets", "reset", "--yes")
            self.assertEqual(refused.code, 75, refused.out + refused.err)
            self.assertEqual(first.terminate(), 0)
        self.assert_ok(job.once())

    def no_sync(self, job, disk):
        """The stream ends with 74 at a row that cannot be made durable."""
        with job.background(environment=disk.environment) as program:
            program.wait_state()
            disk.on()
            self.db.psql("INSERT INTO t VALUES (2, 'not durable yet')")
            self.assertEqual(program.process.wait(30), 74, program.tail())
            self.assertRegex(program.tail(), "TR601|TR508")
        disk.off()

    def test_disk_that_cannot_sync(self):
        """What could not be made durable is not confirmed, and the next start has everything."""
        job = self.captured()
        before = job.stored()["position"]
        self.no_sync(job, Preload(self.folder, SYNC))
        self.assertEqual(job.stored()["position"], before)
        self.assert_ok(job.once())
        self.assertNotEqual(job.stored()["position"], before)

    def test_disk_of_the_copy_that_cannot_sync(self):
        """Exactly once: the position is Kafka's, and the copy that is behind it is made good by the next start."""
        self.db = self.database(TABLE)
        job = self.kafka_job(self.db, delivery="exactly_once")
        self.no_sync(job, Preload(self.folder, SYNC))
        self.assert_ok(job.once())
        self.assertEqual([r["key"]["id"] for r in self.records()], [1, 2])

    def test_directory_that_cannot_be_made(self):
        (self.folder / "flat").write_text("a file", encoding="utf-8")
        ended = self.file_job(self.database(TABLE), state={"url": f"file:{self.folder / 'flat' / 'state'}"}).once()
        self.assert_fails(ended, 74, "TR601", str(self.folder / "flat"))


@unittest.skipUnless(os.geteuid() == 0, "needs root to mount a small disk")
class FullDisk(Case):
    LIMIT_SECONDS = 240

    def small_disk(self, size):
        place = self.folder / "disk"
        place.mkdir()
        done = subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(place)], capture_output=True, text=True)
        if done.returncode:
            self.skipTest(f"cannot mount here: {done.stderr.strip()}")
        self.addCleanup(lambda: subprocess.run(["umount", "-l", str(place)], check=False))
        return place

    def test_full_disk_of_a_file_sink(self):
        place = self.small_disk("1m")
        database = self.database(TABLE + "INSERT INTO t SELECT i, repeat('x', 500) FROM generate_series(2, 6000) i;")
        job = self.job(self.config(database, f"file:{place / 'out'}"))
        self.assert_fails(job.once(), 74, "TR508", str(place / "out"), "start again", "No space left")
        self.assertNotIn("position\":{", json.dumps(job.stored() or {}).replace(" ", ""), "a position was stored for what was not written")
        subprocess.run(["mount", "-o", "remount,size=64m", str(place)], check=True)
        self.assert_ok(job.once())

    def test_full_disk_of_the_state(self):
        place = self.small_disk("256k")
        database = self.database(TABLE)
        job = self.job(self.config(database, state={"url": f"file:{place / 'state'}"}))
        with job.background() as program:
            program.wait_state()
            with open(place / "filler", "wb", buffering=0) as filler:
                try:
                    while filler.write(b"\0" * 4096):
                        pass
                except OSError:
                    pass
            def loaded():
                database.psql("INSERT INTO t SELECT coalesce(max(id), 0) + 1, 'x' FROM t")
                return program.process.poll() is not None
            eventually(loaded, 60, 0.02, "the end")
            self.assertEqual(program.process.returncode, 74, program.tail())
            self.assertIn("TR601", program.tail())
            self.assertIn("safe", program.tail())
            self.assert_discreet(program.tail(200))
        (place / "filler").unlink()
        self.assert_ok(job.once())


if __name__ == "__main__":
    main()
