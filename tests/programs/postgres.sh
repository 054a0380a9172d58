#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# postgres.sh - PostgreSQL at home used from a job, over TCP and its local socket, while it moves (in a job: servers.sh)
# shellcheck source=tests/programs/postgres-lib.sh
. "$(dirname "$0")/postgres-lib.sh"

serve=${SERVE:-6}
rig_up 3
database_make
database_start
database_fill
in_job() { on node1 timeout 120 sojourn run --name client -- "$@"; }

# A client in a job, over both ways, moved
cat >"$work/ask.sql" <<'END'
SELECT count(*), sum(hashtext(repeat(i::text, 50))::bigint) FROM generate_series(1, 20000) i;
\copy (SELECT i, md5(i::text) FROM generate_series(1, 20000) i) TO 'rows'
CREATE TEMPORARY TABLE t (i int, m text);
\copy t FROM 'rows'
SELECT count(*), bool_and(m = md5(i::text)) FROM t;
SELECT 1/0;
\conninfo
END
for way in tcp local; do
    host=127.0.0.1; [ $way = tcp ] || host=$work/run
    PATIENCE=60 same ask 0 '' "$bin/psql" -h "$host" -X -f ask.sql
    : >"$work/moves"; rm -f "$work/move-failures"
    bench "client-$way" "$host" in_job & client=$!
    wait_until 60 job_runs node1 client
    keep_moving client 0.5 node2 node1
    wait $client || { cat "$work"/bench.*; fail "a client in a job"; }
    [ ! -s "$work/move-failures" ] || { cat "$work/migrate.log"; fail "a migration failed"; }
    [ "$(moves_made)" -ge 2 ] || fail "only $(moves_made) migrations"
    balanced "$host"
    note "a client in a job, at $host: $(done_of "$work/bench.client-$way") transactions over $(moves_made) migrations"
done
natively "$bin/pg_ctl" -D data -w -m fast stop >/dev/null || fail "PostgreSQL does not stop natively"
checksums_right
echo "ok - PostgreSQL"
