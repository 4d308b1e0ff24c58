#!/usr/bin/env python3
# Copyright the tailrace authors. SPDX-License-Identifier: Apache-2.0
"""./quickstart in a copy of the tree: shows decoded events, leaves whole files and no process."""
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import unittest
from pathlib import Path

import fastavro

ROOT = Path(__file__).resolve().parents[2]


def processes_below(folder):
    """Processes whose command line names the folder."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and int(entry.name) != os.getpid():
            try:
                line = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode("utf-8", "replace")
            except OSError:
                continue
            if str(folder) in line:
                found.append(f"{entry.name}: {line}")
    return found


class Quickstart(unittest.TestCase):
    """One tree for all: the first builds it."""

    @classmethod
    def setUpClass(cls):
        cls.folder = Path(tempfile.mkdtemp(prefix="tailrace-quickstart-test-"))
        cls.addClassCleanup(shutil.rmtree, cls.folder, True)
        cls.folder.chmod(0o755)
        cls.tree, cls.temp = cls.folder / "tree", cls.folder / "tmp"
        cls.temp.mkdir()
        cls.built = False
        cls.temp.chmod(0o755)  # reachable for the database's own user, not writable
        skip = shutil.ignore_patterns(".git", "build", "quickstart-data", "cases", "__pycache__")
        shutil.copytree(ROOT, cls.tree, ignore=skip)

    def start(self, *arguments):
        return subprocess.Popen(["./quickstart", *arguments], cwd=self.tree, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                stderr=subprocess.STDOUT, text=True, errors="replace", env=dict(os.environ, TMPDIR=str(self.temp)), start_new_session=True)

    def leaves_nothing(self):
        deadline = time.monotonic() + 20
        while processes_below(self.folder) and time.monotonic() < deadline:
            time.sleep(0.1)
        self.assertEqual(processes_below(self.folder), [])
        self.assertEqual([p.name for p in self.temp.iterdir() if "quickstart" in p.name], [])

    def shows(self, kind, prefix):
        """Events for a while; it ends by itself and leaves files that hold snapshot rows, inserts and updates."""
        process = self.start(kind, "--for", "10s")
        out, _ = process.communicate(timeout=500)
        self.assertEqual(process.returncode, 0, out)
        self.leaves_nothing()
        if not self.built:  # the only one of them that takes its time over the second step
            self.assertRegex(out, r"2/3 building\n    \d+ s", "building says nothing")
            type(self).built = True
        shown = out[out.index("3/3"):]
        self.assertRegex(shown, r"orders", out)
        self.assertRegex(shown, r"TEA|POT|CUP", "no event was shown\n" + out)
        files = sorted((self.tree / "quickstart-data").glob("*.avro"))
        topics = {re.sub(r"-\d+\.avro$", "", f.name) for f in files}
        self.assertEqual(topics - {"shop"}, {f"{prefix}.{t}" for t in ("customers", "orders", "products")}, out)
        operations = set()
        for path in files:
            with open(path, "rb") as f:
                operations |= {value.get("op") for value in fastavro.reader(f)}
        self.assertLessEqual({"r", "c", "u"}, operations)

    def test_mysql(self):
        self.shows("mysql", "shop.shop")

    def test_mariadb(self):
        self.shows("mariadb", "shop.shop")

    def test_postgres_and_an_end_by_the_terminal(self):
        self.shows("postgres", "shop.public")
        # Ctrl-C, when all is built already: the terminal sends it to the whole group.
        process = self.start()
        for line in process.stdout:
            if "TEA" in line or "POT" in line or "CUP" in line:
                break
        os.killpg(process.pid, signal.SIGINT)
        process.communicate(timeout=60)
        self.leaves_nothing()


if __name__ == "__main__":
    unittest.main(verbosity=2)
