#!/usr/bin/env python3
# Copyright the tailrace authors. SPDX-License-Identifier: Apache-2.0
"""docker/Dockerfile, built for real, and the program run in the image: version, check, a run, as a user who may write nothing
but the state. What chroot isolation cannot show (a root mounted read-only, dropped capabilities) compose.yaml sets."""
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests" / "lib"))
from trtest.case import Case, main  # noqa: E402
from trtest.servers import SKIPPED  # noqa: E402

IMAGE = ROOT / "tests" / "services" / "image"
TAG = f"tailrace-test-{os.getpid()}"
ADDED_LIMIT_MB = 120  # the program, its libraries and certificates; a debootstrapped base is larger than Docker's own


def image(*words, timeout=600):
    return subprocess.run([str(IMAGE), *words], stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=timeout)


class Image(Case):
    LIMIT_SECONDS = 900

    @classmethod
    def setUpClass(cls):
        cls.addClassCleanup(image, "remove", TAG)
        done = image("build", str(ROOT), str(ROOT / "docker" / "Dockerfile"), TAG, timeout=900)
        if done.returncode:
            raise AssertionError(f"the image could not be built:\n{(done.stdout + done.stderr)[-4000:]}")

    def inside(self, *words, options=()):
        return image("run", TAG, *options, "--", *words)

    def test_size(self):
        megabytes, base = int(image("size", TAG).stdout) / 1e6, int(image("base-size", "trixie").stdout) / 1e6
        print(f"the image has {megabytes:.0f} MB, {megabytes - base:.0f} MB above its base", file=sys.stderr)
        self.assertLess(megabytes - base, ADDED_LIMIT_MB)

    def test_version(self):
        done = self.inside("tailrace", "version")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("tailrace", done.stdout)
        self.assertIn("librdkafka", done.stdout)

    def test_user_and_entry(self):
        config = json.loads(image("config", TAG).stdout)["Docker"]["config"]
        self.assertEqual(config["User"], "10001:10001")
        self.assertEqual(config["Entrypoint"], ["tailrace"])
        self.assertIn("/var/lib/tailrace", config["Volumes"])
        self.assertIn("Healthcheck", config)

    def test_writes_nothing_but_the_state(self):
        script = 'id -u; for d in / /etc /usr /usr/bin /var /var/lib /root; do [ ! -w "$d" ] || echo "writable: $d"; done; touch /var/lib/tailrace/x && echo state'
        done = self.inside("sh", "-c", script)
        self.assertEqual(done.stdout.split("\n")[:-1], ["10001", "state"], done.stderr)

    def test_no_compiler_and_no_sources(self):
        done = self.inside("sh", "-c", "command -v gcc cmake; ls /src")
        self.assertEqual(done.stdout.strip(), "")

    def test_check_and_run_against_a_server(self):
        database = self.database("CREATE TABLE t (id int PRIMARY KEY, s text); INSERT INTO t VALUES (1, 'from the image');")
        config = {"name": self.tag, "source": {"url": database.url}, "sink": {"url": "stdout"}, "http": {"listen": ""}, "delivery": "at_least_once"}
        file = self.folder / "tailrace.yaml"
        file.write_text(json.dumps(config), encoding="utf-8")
        self.folder.chmod(0o755)
        mounted = ("--volume", f"{file}:/etc/tailrace/tailrace.yaml:ro")
        done = self.inside("tailrace", "check", options=mounted)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        self.assertIn("wal_level", done.stdout)
        done = self.inside("tailrace", "run", "--once", options=mounted)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(json.loads(done.stdout)["value"]["after"]["s"], "from the image")


if __name__ == "__main__":
    if os.geteuid() != 0 or not shutil.which("buildah") or not shutil.which("debootstrap"):
        print("skipped: needs root, buildah and debootstrap", file=sys.stderr)
        sys.exit(SKIPPED)
    main()
