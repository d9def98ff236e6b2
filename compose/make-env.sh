#!/usr/bin/env bash
# Makes compose/.env with random passwords, readable by its owner only. Never overwrites one that is there: the
# passwords in it are those of the data that is there.
set -euo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")"
if [[ -e .env ]]; then
  echo "compose/.env is there already; remove it only together with the volumes (docker compose down --volumes)" >&2
  exit 1
fi

secret() { head -c 24 /dev/urandom | base64 | tr '+/' '-_'; }

umask 077
{
  echo "POSTGRES_PASSWORD=$(secret)"
  echo "APP_PASSWORD=$(secret)"
  echo "DEBEZIUM_PASSWORD=$(secret)"
} >.env.new
mv -n .env.new .env
echo "wrote compose/.env" >&2
