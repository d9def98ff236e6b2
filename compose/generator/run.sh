#!/usr/bin/env bash
# Writes to the tables until it is stopped: RATE transactions a second in SESSIONS sessions.
set -euo pipefail

# Numbers that no row has had before, also when the generator starts again.
psql --no-psqlrc -v ON_ERROR_STOP=1 -q <<'SQL'
CREATE SEQUENCE IF NOT EXISTS public.generator_revision START 1000000000;
CREATE SEQUENCE IF NOT EXISTS public.generator_order START 1000000000;
SQL
# A session that loses its server ends; the container is then started again and goes on.
exec pgbench --no-vacuum --file="$(dirname "$0")/orders.sql" --client="$SESSIONS" --rate="$RATE" --time=2000000000 --max-tries=10 --progress=10
