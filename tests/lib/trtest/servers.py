# Copyright the tailrace authors. SPDX-License-Identifier: Apache-2.0
"""Where the servers of this run are: TR_TEST_KAFKA, TR_TEST_REGISTRY, TR_TEST_PG_<version>, TR_TEST_MYSQL_<version>,
TR_TEST_MARIADB_<version> (a version without its dot)."""
import os
import socket
import sys

SKIPPED = 77  # ctest's SKIP_RETURN_CODE


def address(name):
    value = os.environ.get(name)
    if not value:
        print(f"skipped: {name} is not set; start the servers with ./test, or by hand:\n"
              '  eval "$(tests/services/all start /tmp/tailrace-services)"', file=sys.stderr)
        sys.exit(SKIPPED)
    return value


def kafka():
    return address("TR_TEST_KAFKA")


def registry():
    return address("TR_TEST_REGISTRY")


def postgres(version):
    host, port = address(f"TR_TEST_PG_{version}").rsplit(":", 1)
    return host, int(port)


def postgres_versions():
    return sorted(name[len("TR_TEST_PG_") :] for name, value in os.environ.items() if name.startswith("TR_TEST_PG_") and value)


def mysql(name):
    """The server named as in tests/services/all: mysql97, maria1011, maria118. Returns (host, port, kind)."""
    kind = "mysql" if name.startswith("mysql") else "mariadb"
    host, port = address(f"TR_TEST_{kind.upper()}_{name.lstrip('abcdefghijklmnopqrstuvwxyz')}").rsplit(":", 1)
    return host, int(port), kind


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]
