# Copyright the tailrace authors. SPDX-License-Identifier: Apache-2.0
"""A load of concurrent transactions whose effect can be checked from the outside.

account    a fixed set of rows; a transfer moves an amount between two, so the sum never changes
item       rows come, change, go, come back and change their key; several updates in one transaction
log        rows only come, in transactions of several
Each row has a column n from one sequence, taken while the row is locked: per key, commit order is ascending n. (MySQL has no
sequences; there n is UUID_SHORT(), which only ascends, also after a restart of the server.)
"""
import random
import subprocess
import threading
import time

ACCOUNTS, BALANCE = 40, 1000

SCHEMA = f"""
CREATE SEQUENCE tick;
CREATE TABLE account (id int PRIMARY KEY, balance bigint NOT NULL, n bigint NOT NULL);
CREATE TABLE item (id int PRIMARY KEY, note text, n bigint NOT NULL);
CREATE TABLE log (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, who int NOT NULL, n bigint NOT NULL);
ALTER TABLE account REPLICA IDENTITY FULL;
ALTER TABLE item REPLICA IDENTITY FULL;
ALTER TABLE log REPLICA IDENTITY FULL;
INSERT INTO account SELECT i, {BALANCE}, nextval('tick') FROM generate_series(1, {ACCOUNTS}) i;
INSERT INTO item SELECT i, 'first', nextval('tick') FROM generate_series(1, 200) i;
CREATE FUNCTION transfer(a int, b int, amount int) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
  PERFORM 1 FROM account WHERE id IN (a, b) ORDER BY id FOR UPDATE;
  UPDATE account SET balance = balance - amount, n = nextval('tick') WHERE id = a;
  UPDATE account SET balance = balance + amount, n = nextval('tick') WHERE id = b;
END $$;
CREATE FUNCTION change_item(i int, what float) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
  PERFORM 1 FROM item WHERE id = i FOR UPDATE;
  IF NOT FOUND THEN
    INSERT INTO item VALUES (i, 'again', nextval('tick')) ON CONFLICT DO NOTHING;
  ELSIF what < 0.25 THEN
    DELETE FROM item WHERE id = i;
  ELSIF what < 0.4 THEN
    UPDATE item SET id = i + 100000, note = 'moved', n = nextval('tick') WHERE id = i AND NOT EXISTS (SELECT FROM item WHERE id = i + 100000);
  ELSE
    UPDATE item SET note = repeat('x', (what * 50)::int), n = nextval('tick') WHERE id = i;
  END IF;
END $$;
CREATE PROCEDURE work(who int, seconds float) LANGUAGE plpgsql AS $$
DECLARE until timestamptz := clock_timestamp() + make_interval(secs => seconds); a int; b int;
BEGIN
  WHILE clock_timestamp() < until LOOP
    a := 1 + floor(random() * {ACCOUNTS})::int; b := 1 + floor(random() * {ACCOUNTS})::int;
    IF a <> b THEN PERFORM transfer(a, b, floor(random() * 50)::int); END IF;
    COMMIT;
    FOR k IN 1..3 LOOP PERFORM change_item(who * 50 + floor(random() * 50)::int, random()); END LOOP;
    COMMIT;
    INSERT INTO log (who, n) SELECT who, nextval('tick') FROM generate_series(1, 5);
    IF random() < 0.1 THEN ROLLBACK; ELSE COMMIT; END IF;
    PERFORM pg_sleep(0.04);
  END LOOP;
END $$;
"""
MYSQL_SCHEMA = f"""
CREATE TABLE account (id int PRIMARY KEY, balance bigint NOT NULL, n bigint NOT NULL);
CREATE TABLE item (id int PRIMARY KEY, note text, n bigint NOT NULL);
CREATE TABLE log (id bigint AUTO_INCREMENT PRIMARY KEY, who int NOT NULL, n bigint NOT NULL);
INSERT INTO account WITH RECURSIVE g (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM g WHERE i < {ACCOUNTS}) SELECT i, {BALANCE}, UUID_SHORT() FROM g;
INSERT INTO item WITH RECURSIVE g (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM g WHERE i < 200) SELECT i, 'first', UUID_SHORT() FROM g;
DELIMITER //
CREATE PROCEDURE transfer(a int, b int, amount int)
BEGIN
  DECLARE locked int;
  SELECT count(*) INTO locked FROM account WHERE id IN (a, b) ORDER BY id FOR UPDATE;
  UPDATE account SET balance = balance - amount, n = UUID_SHORT() WHERE id = a;
  UPDATE account SET balance = balance + amount, n = UUID_SHORT() WHERE id = b;
END//
CREATE PROCEDURE change_item(i int, what float)
BEGIN
  DECLARE there int;
  SELECT count(*) INTO there FROM item WHERE id = i FOR UPDATE;
  IF there = 0 THEN
    INSERT IGNORE INTO item VALUES (i, 'again', UUID_SHORT());
  ELSEIF what < 0.25 THEN
    DELETE FROM item WHERE id = i;
  ELSEIF what < 0.4 THEN
    UPDATE IGNORE item SET id = i + 100000, note = 'moved', n = UUID_SHORT() WHERE id = i;
  ELSE
    UPDATE item SET note = repeat('x', floor(what * 50)), n = UUID_SHORT() WHERE id = i;
  END IF;
END//
CREATE PROCEDURE work(who int, seconds float)
BEGIN
  DECLARE until datetime(3) DEFAULT now(3) + INTERVAL floor(seconds * 1000000) MICROSECOND;
  DECLARE a, b, k int;
  WHILE sysdate(3) < until DO
    SET a = 1 + floor(rand() * {ACCOUNTS}), b = 1 + floor(rand() * {ACCOUNTS}), k = 0;
    START TRANSACTION;
    IF a <> b THEN CALL transfer(least(a, b), greatest(a, b), floor(rand() * 50) - 25); END IF;
    COMMIT;
    START TRANSACTION;
    WHILE k < 3 DO
      CALL change_item(who * 50 + floor(rand() * 50), rand());
      SET k = k + 1;
    END WHILE;
    COMMIT;
    START TRANSACTION;
    INSERT INTO log (who, n) VALUES (who, UUID_SHORT()), (who, UUID_SHORT()), (who, UUID_SHORT()), (who, UUID_SHORT()), (who, UUID_SHORT());
    IF rand() < 0.1 THEN ROLLBACK; ELSE COMMIT; END IF;
    DO sleep(0.04);
  END WHILE;
END//
DELIMITER ;
"""
TABLES = {"account": ["id"], "item": ["id"], "log": ["id"]}


class Load:
    """Two writers, each calling work() again and again, also when the server goes away in between."""

    def __init__(self, database, writers=2):
        self.database, self.stopping = database, threading.Event()
        self.rounds = 0
        self.threads = [threading.Thread(target=self.write, args=(w,), daemon=True) for w in range(writers)]

    def __enter__(self):
        for t in self.threads:
            t.start()
        return self

    def __exit__(self, *_):
        self.stop()

    def write(self, who):
        words = self.database.words(f"CALL work({who}, 0.5)")
        while not self.stopping.is_set():
            done = subprocess.run(words, stdin=subprocess.DEVNULL, capture_output=True)
            if done.returncode:
                time.sleep(0.1)
            else:
                self.rounds += 1

    def stop(self):
        self.stopping.set()
        for t in self.threads:
            t.join()


def seeded(seed):
    """The kills' moments, the same each time."""
    return random.Random(seed)
