#!/usr/bin/env bash
# Run once by the image of PostgreSQL, in an empty data folder: the files that the process lab runs too.
set -euo pipefail

# Passwords travel through the environment and psql's variables, not through arguments that others can list.
psql --no-psqlrc -v ON_ERROR_STOP=1 -U "$POSTGRES_USER" -d "$POSTGRES_DB" <<SQL
\getenv app_password APP_PASSWORD
\getenv debezium_password DEBEZIUM_PASSWORD
\i ${SQL_FOLDER:-/sql}/roles.sql
\i ${SQL_FOLDER:-/sql}/rights.sql
\i ${SQL_FOLDER:-/sql}/schema.sql
SQL
