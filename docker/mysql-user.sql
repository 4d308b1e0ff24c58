-- The user of compose.mysql.yaml, with what tailrace needs and no more (tailrace check prints these for your server).
CREATE USER tailrace@'%' IDENTIFIED BY 'example';
GRANT SELECT, RELOAD, SHOW DATABASES, REPLICATION SLAVE, REPLICATION CLIENT ON *.* TO tailrace@'%';
