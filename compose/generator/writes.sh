#!/usr/bin/env bash
# Ends with 0 when an order was placed within the last half minute.
set -euo pipefail

fresh="SELECT coalesce(max(placed) > now() - interval '30 seconds', false) FROM public.orders"
[[ $(psql --no-psqlrc -v ON_ERROR_STOP=1 -qtAc "$fresh") == t ]]
