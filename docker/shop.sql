-- The small shop of the quick start and of compose.yaml.
CREATE TABLE customers (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, name text NOT NULL, email text NOT NULL UNIQUE,
  created timestamptz NOT NULL DEFAULT now());
CREATE TABLE products (sku text PRIMARY KEY, title text NOT NULL, price numeric(10,2) NOT NULL, stock integer NOT NULL);
CREATE TYPE order_state AS ENUM ('new', 'paid', 'shipped', 'cancelled');
CREATE TABLE orders (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, customer bigint NOT NULL REFERENCES customers,
  sku text NOT NULL REFERENCES products, quantity integer NOT NULL, total numeric(10,2) NOT NULL,
  state order_state NOT NULL DEFAULT 'new', placed timestamptz NOT NULL DEFAULT now());
ALTER TABLE orders REPLICA IDENTITY FULL;
INSERT INTO customers (name, email) SELECT n, lower(n) || '@example.org' FROM unnest(ARRAY['Ada', 'Grace', 'Edsger', 'Barbara', 'Donald']) n;
INSERT INTO products VALUES ('TEA-1', 'Darjeeling, 100 g', 8.90, 120), ('TEA-2', 'Sencha, 100 g', 11.50, 80),
  ('POT-1', 'Cast iron teapot', 64.00, 12), ('CUP-4', 'Four cups', 28.40, 40);
-- One step of the shop's life: an order placed, an older one moved on, now and then one cancelled.
CREATE PROCEDURE shop_step() LANGUAGE plpgsql AS $$
DECLARE p products; o bigint;
BEGIN
  SELECT * INTO p FROM products ORDER BY random() LIMIT 1;
  INSERT INTO orders (customer, sku, quantity, total) SELECT (SELECT id FROM customers ORDER BY random() LIMIT 1), p.sku, q, q * p.price
    FROM (SELECT 1 + floor(random() * 3)::int) AS quantity(q);
  UPDATE products SET stock = CASE WHEN stock < 5 THEN 100 ELSE stock - 1 END WHERE sku = p.sku;
  COMMIT;
  SELECT id INTO o FROM orders WHERE state IN ('new', 'paid') ORDER BY random() LIMIT 1;
  UPDATE orders SET state = CASE state WHEN 'new' THEN 'paid'::order_state ELSE 'shipped' END WHERE id = o;
  IF random() < 0.1 THEN DELETE FROM orders WHERE id = (SELECT min(id) FROM orders WHERE state = 'shipped'); END IF;
  COMMIT;
END $$;
