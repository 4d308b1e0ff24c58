# Copyright the tailrace authors. SPDX-License-Identifier: Apache-2.0
"""The tailrace process under test."""
import json
import os
import signal
import subprocess
import time
import urllib.error
import urllib.request
from pathlib import Path


def find_binary(given=None):
    """The binary given, or TR_TEST_BINARY, or the build's."""
    root = Path(__file__).resolve().parents[3]
    choices = [given, os.environ.get("TR_TEST_BINARY")] + [root / "build" / p / "tailrace" for p in ("asan-ubsan", "dev", "release")]
    for choice in choices:
        if choice and Path(choice).exists():
            return str(choice)
    raise SystemExit(f"no tailrace binary: build one or give --binary (looked at {', '.join(str(c) for c in choices if c)})")


class ProgramError(Exception):
    pass


class Tailrace:
    """`tailrace run -c CONFIG` in the background, its log in LOG."""

    def __init__(self, binary, config, http, log, arguments=(), environment=None):
        self.command = [binary, "run", "-c", str(config), *arguments]
        self.http, self.log = http, Path(log)
        self.environment = dict(os.environ, **(environment or {}))
        self.process = None

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        self.kill()

    def start(self):
        with open(self.log, "ab") as out:
            self.process = subprocess.Popen(self.command, stdin=subprocess.DEVNULL, stdout=out, stderr=out, env=self.environment)

    def tail(self, lines=25):
        return "\n".join(self.log.read_text(encoding="utf-8", errors="replace").splitlines()[-lines:])

    def check_alive(self):
        code = self.process.poll()
        if code is not None:
            raise ProgramError(f"tailrace ended by itself with {code}; its log ends\n{self.tail()}")

    def get(self, path):
        with urllib.request.urlopen(f"http://{self.http}{path}", timeout=20) as answer:
            return answer.read()

    def status(self):
        """The first pipeline of /status, or None while nothing answers."""
        try:
            return json.loads(self.get("/status"))["pipelines"][0]
        except (OSError, ValueError, LookupError):
            return None

    def metric(self, name):
        """The sum of a metric's series."""
        lines = [line for line in self.get("/metrics").decode().splitlines() if line.split("{")[0].split(" ")[0] == name]
        return sum(float(line.rsplit(" ", 1)[1]) for line in lines)

    def wait_state(self, state="streaming", timeout=90):
        deadline = time.monotonic() + timeout
        seen = None
        while time.monotonic() < deadline:
            self.check_alive()
            seen = self.status() or seen
            if seen and seen.get("state") == state:
                return seen
            time.sleep(0.05)
        raise ProgramError(f"not {state} after {timeout} s; last status {seen}; its log ends\n{self.tail()}")

    def terminate(self, timeout=30):
        """SIGTERM; the exit code. Not ending in time is an error."""
        self.process.send_signal(signal.SIGTERM)
        try:
            return self.process.wait(timeout)
        except subprocess.TimeoutExpired:
            self.kill()
            raise ProgramError(f"did not end within {timeout} s of SIGTERM; its log ends\n{self.tail()}")

    def kill(self):
        """kill -9, if it still runs."""
        if self.process and self.process.poll() is None:
            self.process.kill()
        return self.process.wait() if self.process else None
