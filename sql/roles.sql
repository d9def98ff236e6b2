-- The roles of a database whose changes are streamed: an application that writes, and Debezium, which reads and
-- replicates. Run it as a superuser in psql, which fills in the passwords:
--
--   psql -v app_password=… -v debezium_password=… -f sql/roles.sql
--
-- The process lab runs this file too, and gives the server verifiers instead of passwords.

CREATE ROLE app LOGIN PASSWORD :'app_password';
CREATE ROLE debezium LOGIN REPLICATION PASSWORD :'debezium_password';
GRANT pg_read_all_data TO debezium;
