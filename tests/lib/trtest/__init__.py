# Copyright the tailrace authors. SPDX-License-Identifier: Apache-2.0
"""Helpers of the suites that run the real program against real servers.

postgres   databases, SQL files, rows of a table
kafka      topics, quiet, reading everything
registry   subjects and schemas
records    decoded records in the format of the golden cases
program    the tailrace process: start, status, stop, kill
replay     topic applied to a table, compared with the table
servers    addresses from the environment (set by `tests/services/all start`)
"""
