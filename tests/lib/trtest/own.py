# Copyright the tailrace authors. SPDX-License-Identifier: Apache-2.0
"""Servers of a test's own, which it may kill, starve or replace. They are made by the scripts of tests/services."""
import os
import random
import shutil
import signal
import socket
import subprocess
import tempfile
from pathlib import Path

from .mysql import MySql
from .postgres import Postgres
from .proxy import Proxy

SERVICES = Path(__file__).resolve().parents[2] / "services"


class ServiceError(Exception):
    pass


def service(name, *arguments, timeout=150):
    done = subprocess.run([str(SERVICES / name), *map(str, arguments)], stdin=subprocess.DEVNULL, capture_output=True, text=True,
                          timeout=timeout)
    if done.returncode:
        raise ServiceError(f"{name} {arguments[0]} ended with {done.returncode}: {done.stderr.strip()[-2000:]}")
    return done.stdout.strip()


def port_block(count):
    """The first of so many neighbouring free ports below the range of outgoing connections."""
    for _ in range(100):
        port = 12000 + 2 * random.SystemRandom().randrange(10000)
        if all(is_free(port + i) for i in range(count)):
            return port
    raise ServiceError("no free port")


def is_free(port):
    with socket.socket() as s:
        try:
            s.bind(("127.0.0.1", port))
            return True
        except OSError:
            return False


def port_pair():
    """A Kafka node takes the second for its controller."""
    return port_block(2)


class Own:
    def __init__(self, kind, port=None):
        self.dir = Path(tempfile.mkdtemp(prefix=f"tailrace-own-{kind}-"))
        self.dir.chmod(0o755)  # PostgreSQL runs as a user of its own
        self.port = port or port_pair()

    def remove(self):
        self.stop()
        shutil.rmtree(self.dir, ignore_errors=True)


class OwnPostgres(Own):
    def __init__(self, *settings, version="15", port=None):
        super().__init__("postgres", port)
        self.version, self.settings = version, settings
        self.server = Postgres("127.0.0.1", self.port)
        self.start()

    def start(self):
        service("postgres", "start", self.dir, self.port, self.version, *self.settings)

    def stop(self):
        service("postgres", "stop", self.dir)

    def kill(self):
        service("postgres", "kill", self.dir)

    def access(self, lines):
        """Replaces pg_hba.conf."""
        (self.dir / "data" / "pg_hba.conf").write_text("\n".join(lines) + "\n", encoding="utf-8")
        self.server.psql("SELECT pg_reload_conf()")


class OwnStandby(OwnPostgres):
    """A hot standby of another OwnPostgres, on a physical slot of its own."""

    def __init__(self, primary, *settings):
        self.primary = primary
        super().__init__(*settings, "hot_standby_feedback=on", "primary_slot_name=standby", version=primary.version)

    def start(self):
        if not (self.dir / "data").exists():
            self.copy_primary()
        service("postgres", "start", self.dir, self.port, self.version, f"unix_socket_directories={self.dir}", *self.settings)

    def copy_primary(self):
        programs = service("postgres", "bin", self.version)
        words = [f"{programs}/pg_basebackup", "-D", str(self.dir / "data"), "-R", "-X", "stream", "-c", "fast", "-C", "-S", "standby",
                 "-d", f"host=127.0.0.1 port={self.primary.port} user=postgres dbname=postgres"]
        if os.geteuid() == 0:
            shutil.chown(self.dir, "postgres", "postgres")
            words = ["setpriv", "--reuid=postgres", "--regid=postgres", "--init-groups", "--", *words]
        done = subprocess.run(words, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=120)
        if done.returncode:
            raise ServiceError(f"pg_basebackup ended with {done.returncode}: {done.stderr.strip()[-2000:]}")

    def promote(self):
        self.server.psql("SELECT pg_promote()")


class OwnMySql(Own):
    """`name` as in tests/services/all: mysql97, maria1011, maria118. Settings are the server's, name=value."""

    VERSIONS = {"mysql97": ("mysql", "9.7"), "maria1011": ("mariadb", "10.11"), "maria118": ("mariadb", "11.8")}

    def __init__(self, *settings, name="mysql97", port=None):
        super().__init__(name, port)
        self.kind, self.version = self.VERSIONS[name]
        self.settings = settings
        self.server = MySql("127.0.0.1", self.port, self.kind)
        self.start()

    def start(self):
        service(self.kind, "start", self.dir, self.port, self.version, *self.settings)

    def stop(self):
        service(self.kind, "stop", self.dir)

    def kill(self):
        service(self.kind, "kill", self.dir)


class OwnKafka(Own):
    def __init__(self, *properties):
        super().__init__("kafka")
        self.properties = properties
        self.bootstrap = f"127.0.0.1:{self.port}"
        self.start()

    def start(self):
        service("kafka", "start", self.dir, self.port, *self.properties)

    def stop(self):
        service("kafka", "stop", self.dir)

    def kill(self):
        service("kafka", "kill", self.dir)


class OwnCluster(Own):
    """Three brokers, replication 3, two in sync. With `lines` each has a listener that clients reach through a proxy only:
    `line` is the bootstrap of that way, `bootstrap` the direct one."""

    NODES = (1, 2, 3)

    def __init__(self, *properties, lines=False):
        super().__init__("cluster", port_block(6))
        self.bootstrap = ",".join(f"127.0.0.1:{self.node_port(n)}" for n in self.NODES)
        self.properties, self.proxies = list(properties), {}
        if lines:
            self.add_lines()
        self.start()

    def node_port(self, node):
        return self.port + 2 * (node - 1)

    def add_lines(self):
        ports = port_block(6)
        for n in self.NODES:
            direct, inner, outer = self.node_port(n), ports + n - 1, ports + n + 2
            self.properties += [
                f"{n}:listeners=PLAINTEXT://127.0.0.1:{direct},LINE://127.0.0.1:{inner},CONTROLLER://127.0.0.1:{direct + 1}",
                f"{n}:advertised.listeners=PLAINTEXT://127.0.0.1:{direct},LINE://127.0.0.1:{outer}",
                f"{n}:listener.security.protocol.map=PLAINTEXT:PLAINTEXT,LINE:PLAINTEXT,CONTROLLER:PLAINTEXT"]
            self.proxies[n] = Proxy(outer, ("127.0.0.1", inner))
        self.line = ",".join(f"127.0.0.1:{p.port}" for p in self.proxies.values())

    def start(self):
        service("kafka", "start", self.dir, self.port, 3, *self.properties, timeout=200)

    def start_node(self, node):
        service("kafka", "start-node", self.dir, node, timeout=200)

    def kill(self, *nodes):
        """All at once when none is named."""
        service("kafka", "kill", self.dir, *nodes)

    def pause(self, node):
        os.kill(self.pid(node), signal.SIGSTOP)

    def resume(self, node):
        os.kill(self.pid(node), signal.SIGCONT)

    def pid(self, node):
        return int((self.dir / f"node-{node}" / "pid").read_text(encoding="utf-8").split()[0])

    def stop(self):
        service("kafka", "kill", self.dir)

    def remove(self):
        for proxy in self.proxies.values():
            proxy.close()
        super().remove()
