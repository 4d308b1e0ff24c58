# Copyright the tailrace authors. SPDX-License-Identifier: Apache-2.0
"""The sweep's tables and what happens to them: a ledger, rows that come, change, go and change their key, and one row type with
every kind of column whose topic's and table's values have a canonical text (those of the golden cases `types-*`).

Every statement is made of a number, so that no two rounds write the same rows.
"""

ACCOUNTS, BALANCE, ITEMS, KINDS = 20, 1000, 250, 40

# column: (type, value for the row i, value for i odd when it differs from NULL)
PG_COLUMNS = {
    "b": ("boolean", "i % 3 = 0"), "i2": ("smallint", "-32768 + i"), "i4": ("integer", "2147483647 - i"),
    "i8": ("bigint", "-9223372036854775807 + i"), "o": ("oid", "4294967295 - i"), "f4": ("real", "(0.1 * i)::real"),
    "f8": ("double precision", "1e300 / (i + 3)"), "nn": ("double precision", "'NaN'"), "inf": ("real", "'-Infinity'"),
    "n5": ("numeric(9,2)", "-999.99 + i"), "n38": ("numeric(38,10)", "9999999999999999999999999999.9999999999 - i"),
    "nu": ("numeric", "123456789012345678901234567890.123456789 * i"), "m": ("money", "(92233720368547 - i)::money"),
    "c1": ("char(4)", "'x' || i % 10"), "vc": ("varchar(40)", "'naïve ' || i"), "t": ("text", "repeat('日本 \"q\" \\ ', i % 5) || i"),
    "by": ("bytea", "decode('00ff' || lpad(to_hex(i), 8, '0'), 'hex')"), "b1": ("bit(1)", "(i % 2)::bit(1)"), "b33": ("bit(33)", "(i::bigint * 1000003 % 8589934592)::bit(33)"),
    "vb": ("varbit", "(i % 256)::bit(8)::varbit"), "d": ("date", "date '1500-02-28' + 1009 * i"), "bc": ("date", "date '0044-03-15 BC' - i"),
    "ti": ("time", "time '00:00:00.000001' + i * interval '7 minutes'"), "ti3": ("time(3)", "time '23:59:59.999' - i * interval '1 minute'"),
    "tz": ("timetz", "timetz '03:04:05.006007+09'"), "ts": ("timestamp", "timestamp '1969-12-31 23:59:59.999999' + i * interval '1 day'"),
    "ts3": ("timestamp(3)", "timestamp '9999-12-31 23:59:59.999' - i * interval '1 second'"),
    "tsbc": ("timestamp", "timestamp '0044-03-15 12:00:00.5 BC'"), "tstz": ("timestamptz", "timestamptz '2024-02-29 23:59:59.25+05:30' + i * interval '1 hour'"),
    "iv": ("interval", "make_interval(years => 1, months => i % 12, days => 3, secs => 0.5 + i)"), "u": ("uuid", "md5(i::text)::uuid"),
    "j": ("json", "('{\"b\": ' || i || ',  \"a\": [true, null, 1.50]}')::json"), "jb": ("jsonb", "jsonb_build_object('k', i, 'ü', 'x')"),
    "x": ("xml", "('<r a=\"' || i || '\"><c/>text</r>')::xml"), "ip": ("inet", "inet '192.168.1.5/24' + i"), "ci": ("cidr", "cidr '10.0.0.0/8'"),
    "ma": ("macaddr", "macaddr '08:00:2b:01:02:03'"), "r4": ("int4range", "int4range(i, i + 10)"), "rn": ("numrange", "numrange(i, NULL)"),
    "h": ("hstore", "hstore('k\"ey', i::text) || 'n=>NULL'"), "l": ("ltree", "('Top.N' || i)::ltree"), "cit": ("citext", "'MixedCase' || i"),
    "mo": ("mood", "(ARRAY['sad', 'very happy'])[1 + i % 2]::mood"), "pt": ("point", "point(i + 0.5, -2.25)"),
    "ai": ("integer[]", "ARRAY[i, NULL, -i]"), "at": ("text[]", "ARRAY['a', NULL, 'with, \"comma\"', 'n' || i]"), "ad": ("date[]", "ARRAY[date '2024-02-29' + i]"),
    "an": ("numeric(8,2)[]", "ARRAY[1.5 * i, NULL]"), "au": ("uuid[]", "ARRAY[md5(i::text)::uuid]"),
}
MY_COLUMNS = {
    "t1": ("tinyint", "i % 127"), "tu": ("tinyint unsigned", "255 - i % 100"), "s": ("smallint", "-32768 + i"), "mi": ("mediumint unsigned", "16777215 - i"),
    "i4": ("int", "2147483647 - i"), "iu": ("int unsigned", "4294967295 - i"), "i8": ("bigint", "-9223372036854775807 + i"),
    "f4": ("float", "0.1 * i"), "f8": ("double", "1e300 / (i + 3)"), "de": ("decimal(10,2)", "-999.99 + i"),
    "d65": ("decimal(65,30)", "12345678901234567890123456789012345.123456789012345678901234567890"), "c4": ("char(4)", "concat('x', i % 10)"),
    "vc": ("varchar(60)", "concat('naïve 日本 \"q\" ', i)"), "l1": ("varchar(40) CHARACTER SET latin1", "concat('größe ', i)"),
    "tx": ("text", "repeat('žluťoučký ', i % 5 + 1)"), "bi": ("binary(4)", "unhex(lpad(hex(i + 16777217), 8, '0'))"), "vb": ("varbinary(20)", "unhex(concat('00FF', lpad(hex(i), 8, '0')))"),
    "bl": ("blob", "unhex(concat('DEADBEEF', lpad(hex(i), 8, '0')))"), "b1": ("bit(1)", "i % 2"), "b33": ("bit(33)", "i * 1000003 % 8589934592"),
    "da": ("date", "date_add('1500-02-28', INTERVAL 1009 * i DAY)"), "ti": ("time", "sec_to_time(i % 700 * 4001 - 1000000)"), "t6": ("time(6)", "'-838:59:58.999999'"),
    "dt": ("datetime", "date_add('2024-02-29 23:59:59', INTERVAL i HOUR)"), "dt6": ("datetime(6)", "date_add('1969-12-31 23:59:59.999999', INTERVAL i DAY)"),
    "st": ("timestamp(3)", "date_add('2001-01-01 00:00:00.125', INTERVAL i DAY)"), "ye": ("year", "1901 + i % 200"), "en": ("enum('sad','very happy')", "1 + i % 2"),
    "se": ("set('a','b','c')", "i % 8"), "js": ("json", "json_object('k', i, 'a', json_array(true, null, 1.5))"), "pt": ("point", "point(i + 0.5, -2.25)"),
}


def columns_of(columns, wanted="{name} {type}", separator=", "):
    return separator.join(wanted.format(name=name, type=c[0], value=c[1]) for name, c in columns.items())


class PostgresTables:
    PREFIX = "public."

    @staticmethod
    def schema():
        return f"""
CREATE EXTENSION hstore; CREATE EXTENSION ltree; CREATE EXTENSION citext; CREATE TYPE mood AS ENUM ('sad', 'very happy');
CREATE TABLE account (id int PRIMARY KEY, balance bigint NOT NULL);
CREATE TABLE item (id int PRIMARY KEY, note text, round int NOT NULL);
CREATE TABLE kinds (id int PRIMARY KEY, {columns_of(PG_COLUMNS)});
ALTER TABLE account REPLICA IDENTITY FULL; ALTER TABLE item REPLICA IDENTITY FULL;
INSERT INTO account SELECT i, {BALANCE} FROM generate_series(1, {ACCOUNTS}) i;
INSERT INTO item SELECT i, repeat('first', 40), 0 FROM generate_series(1, {ITEMS}) i;
""" + PostgresTables.kinds(1, KINDS)

    @staticmethod
    def kinds(first, last):
        values = columns_of(PG_COLUMNS, "{value}")
        nulls = "SET " + columns_of(PG_COLUMNS, "{name} = NULL")
        return (f"INSERT INTO kinds SELECT id, {values} FROM (SELECT id, id % 1000 AS i FROM generate_series({first}, {last}) id) g; UPDATE kinds {nulls} WHERE id = {last};\n")

    @staticmethod
    def transfer(a, b, amount):
        return f"BEGIN; UPDATE account SET balance = balance - {amount} WHERE id = {a}; UPDATE account SET balance = balance + {amount} WHERE id = {b}; COMMIT;\n"


class MySqlTables:
    PREFIX = ""

    @staticmethod
    def series(first, last):
        return f"(WITH RECURSIVE g (i) AS (SELECT {first} UNION ALL SELECT i + 1 FROM g WHERE i < {last}) SELECT i FROM g) g"

    @staticmethod
    def schema():
        series = MySqlTables.series
        return f"""
CREATE TABLE account (id int PRIMARY KEY, balance bigint NOT NULL);
CREATE TABLE item (id int PRIMARY KEY, note text, round int NOT NULL);
CREATE TABLE kinds (id int PRIMARY KEY, {columns_of(MY_COLUMNS, "{name} {type} NULL")});
INSERT INTO account SELECT i, {BALANCE} FROM {series(1, ACCOUNTS)};
INSERT INTO item SELECT i, repeat('first', 40), 0 FROM {series(1, ITEMS)};
""" + MySqlTables.kinds(1, KINDS)

    @staticmethod
    def kinds(first, last):
        values = columns_of(MY_COLUMNS, "{value}")
        nulls = "SET " + columns_of(MY_COLUMNS, "{name} = NULL")
        return (f"SET time_zone = '+00:00'; INSERT INTO kinds SELECT id, {values} FROM (SELECT i AS id, i % 1000 AS i FROM {MySqlTables.series(first, last)}) k;"
                f" UPDATE kinds {nulls} WHERE id = {last};\n")

    @staticmethod
    def transfer(a, b, amount):
        return PostgresTables.transfer(a, b, amount)


def between(tables, number):
    """While a snapshot is interrupted: no key may vanish. It is made anew, and what the first attempt may have published of a
    row that is gone since then has no event that takes it back."""
    return (f"UPDATE item SET note = 'between', round = {number} WHERE id % 7 = {number % 7};\n" + tables.transfer(number % 5 + 1, 9, number + 1)
            + tables.kinds(number * 100 + 900, number * 100 + 903))


def changes(tables, number):
    """A round of the stream: transactions of many rows and of one, a key's change, deletes, a row that comes again, a rollback."""
    base, sql = number * 1000, ""
    for k in range(6):
        sql += tables.transfer(1 + (number + k) % ACCOUNTS, 1 + (number + 3 * k + 7) % ACCOUNTS, 5 + k)
    many = ", ".join(f"({base + i}, 'new', {number})" for i in range(60))
    return sql + f"""INSERT INTO item VALUES {many};
BEGIN; UPDATE item SET id = id + 500000, round = {number} WHERE id >= {base} AND id < {base + 10}; DELETE FROM item WHERE id >= {base + 50} AND id < {base + 60};
INSERT INTO item VALUES ({base + 55}, 'again', {number}); COMMIT;
BEGIN; UPDATE account SET balance = balance - 1; ROLLBACK;
UPDATE item SET note = repeat('x', 300), round = {number} WHERE id % 11 = {number % 11};
DELETE FROM item WHERE id = {number};
""" + tables.kinds(base, base + 8) + f"DELETE FROM kinds WHERE id = {base + 1}; UPDATE kinds SET id = -id WHERE id = {base + 2};\n"


def small(tables, number):
    """Some single transactions, for a stream that keeps up."""
    return tables.transfer(3, 4 + number % 9, 1) + f"UPDATE item SET round = {number} WHERE id = {20 + number % 50};\n" + tables.transfer(5, 6, 2)
