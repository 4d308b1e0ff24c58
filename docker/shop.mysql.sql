-- The small shop of the quick start and of compose.mysql.yaml, for MySQL and MariaDB.
CREATE TABLE customers (id bigint AUTO_INCREMENT PRIMARY KEY, name varchar(100) NOT NULL, email varchar(200) NOT NULL UNIQUE,
  created timestamp NOT NULL DEFAULT CURRENT_TIMESTAMP);
CREATE TABLE products (sku varchar(20) PRIMARY KEY, title varchar(200) NOT NULL, price decimal(10,2) NOT NULL, stock int NOT NULL);
CREATE TABLE orders (id bigint AUTO_INCREMENT PRIMARY KEY, customer bigint NOT NULL, sku varchar(20) NOT NULL, quantity int NOT NULL,
  total decimal(10,2) NOT NULL, state enum('new', 'paid', 'shipped', 'cancelled') NOT NULL DEFAULT 'new',
  placed timestamp(6) NOT NULL DEFAULT CURRENT_TIMESTAMP(6),
  FOREIGN KEY (customer) REFERENCES customers (id), FOREIGN KEY (sku) REFERENCES products (sku));
INSERT INTO customers (name, email) VALUES ('Ada', 'ada@example.org'), ('Grace', 'grace@example.org'), ('Edsger', 'edsger@example.org'),
  ('Barbara', 'barbara@example.org'), ('Donald', 'donald@example.org');
INSERT INTO products VALUES ('TEA-1', 'Darjeeling, 100 g', 8.90, 120), ('TEA-2', 'Sencha, 100 g', 11.50, 80),
  ('POT-1', 'Cast iron teapot', 64.00, 12), ('CUP-4', 'Four cups', 28.40, 40);
-- One step of the shop's life: an order placed, an older one moved on, now and then one taken away.
DELIMITER //
CREATE PROCEDURE shop_step()
BEGIN
  DECLARE p varchar(20);
  DECLARE c, o bigint;
  DECLARE q int DEFAULT 1 + floor(rand() * 3);
  SELECT sku INTO p FROM products ORDER BY rand() LIMIT 1;
  SELECT id INTO c FROM customers ORDER BY rand() LIMIT 1;
  START TRANSACTION;
  INSERT INTO orders (customer, sku, quantity, total) SELECT c, p, q, q * price FROM products WHERE sku = p;
  UPDATE products SET stock = CASE WHEN stock < 5 THEN 100 ELSE stock - 1 END WHERE sku = p;
  COMMIT;
  SELECT id INTO o FROM orders WHERE state IN ('new', 'paid') ORDER BY rand() LIMIT 1;
  UPDATE orders SET state = CASE state WHEN 'new' THEN 'paid' ELSE 'shipped' END WHERE id = o;
  IF rand() < 0.1 THEN
    DELETE FROM orders WHERE state = 'shipped' ORDER BY id LIMIT 1;
  END IF;
END//
DELIMITER ;
