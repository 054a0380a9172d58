#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# servers.sh - a web server and a database in jobs serve clients at home, both migrated every PAUSE seconds for SERVE seconds:
# no connection is lost and no byte wrong. make check-servers-long: ten minutes of it
# shellcheck source=tests/programs/postgres-lib.sh
. "$(dirname "$0")/postgres-lib.sh"

PATH=$PATH:/usr/sbin:/sbin
requires nginx python3 curl
nginx=$(command -v nginx)
serve=${SERVE:-25} pause=${PAUSE:-5}
rig_up 3
web=$((port + 1))
install -m 755 "$top/tests/programs/servers.py" "$work/servers.py"
natively mkdir files temporary
natively sh -c 'for i in 1 2 3 4 5 6; do head -c $((i * i * i * i * 1000)) /dev/urandom >files/$i; done'
cat >"$work/nginx.conf" <<END
daemon off;
worker_processes 1;
error_log $work/nginx.log;
pid $work/nginx.pid;
events { worker_connections 200; }
http {
    access_log off;
    keepalive_requests 1000000000;
    keepalive_timeout 1h;
    keepalive_time 24h;
    client_body_temp_path temporary; proxy_temp_path temporary; fastcgi_temp_path temporary;
    uwsgi_temp_path temporary; scgi_temp_path temporary;
    server { listen 127.0.0.1:$web; root $work/files; }
}
END
web_answers() { natively curl -sf "http://127.0.0.1:$web/1" -o /dev/null; }

database_make
database_start
database_fill
natively "$bin/psql" -h "$work/run" -Xqc 'CREATE TABLE bytes AS SELECT i, repeat(md5(i::text), 8) AS m FROM generate_series(1, 4000) i' || fail "psql"
natively "$bin/pg_ctl" -D data -w -m fast stop >/dev/null || fail "PostgreSQL does not stop natively"
on node1 sojourn run --on node2 --name database -- "$bin/postgres" -D data >"$work/database.out" 2>&1 </dev/null & database=$!
on node1 sojourn run --on node3 --name web -- "$nginx" -e "$work/nginx.log" -p "$work" -c "$work/nginx.conf" >"$work/web.out" 2>&1 </dev/null & server=$!
wait_until 60 natively "$bin/pg_isready" -q -h "$work/run" || { cat "$work/database.out"; fail "PostgreSQL does not start in a job"; }
wait_until 60 web_answers || { cat "$work/web.out" "$work/nginx.log"; fail "nginx does not start in a job"; }

# The clients, at home: web pages, transactions over TCP and the local socket, and a table that is read again and again
at_home python3 servers.py $web files stop 8 >"$work/pages" 2>&1; pages=$!
bench tcp 127.0.0.1 natively & tcp=$!
bench local "$work/run" natively & local=$!
reads() { wc -l <"$work/sums"; }
readings() { # one after another, over one connection
    local count=0
    while [ ! -e "$work/stop" ]; do
        echo "\\copy (SELECT * FROM bytes ORDER BY i) TO PROGRAM 'sha256sum >>sums'"
        count=$((count + 1))
        wait_until 60 eval '[ "$(reads)" -ge $count ]' || return
    done
}
natively touch sums
readings |
    natively "$bin/psql" -h 127.0.0.1 -Xq -v ON_ERROR_STOP=1 >"$work/reader" 2>&1 & reader=$!

: >"$work/moves"
keep_moving database "$pause" node1 node3 node2 & movers=($!)
keep_moving web "$pause" node1 node2 node3 & movers+=($!)
wait $tcp && wait $local || fail "transactions"
natively touch stop
wait $pages || { cat "$work/pages"; fail "pages"; }
wait $reader || { cat "$work/reader"; fail "the reader of a table lost its connection"; }
[ ! -s "$work/move-failures" ] || { cat "$work/migrate.log"; fail "a migration failed"; }
[ "$(moves_made)" -ge $((serve / (pause + 4))) ] || fail "only $(moves_made) migrations"
[ "$(sort -u "$work/sums" | wc -l)" = 1 ] || fail "a table that nobody changes was not always the same"
note "pages: $(tail -n 1 "$work/pages")"
note "database: $(done_of "$work"/bench.*) transactions over 8 connections, none failed; a table read $(wc -l <"$work/sums") times"
note "$(moves_made) migrations in $serve s"

balanced 127.0.0.1
natively "$bin/pg_amcheck" -h "$work/run" --install-missing --heapallindexed -d postgres >"$work/amcheck" 2>&1 || { cat "$work/amcheck"; fail "pg_amcheck"; }
natively "$bin/pg_ctl" -D data -w -m fast stop >"$work/stop-log" 2>&1 || { cat "$work/stop-log"; fail "pg_ctl does not stop the database"; }
wait $database || { cat "$work/database.out"; fail "the database's status is $?"; }
natively "$nginx" -e "$work/nginx.log" -p "$work" -c "$work/nginx.conf" -s quit || fail "nginx at home does not reach the one in a job by its process number"
wait $server || { cat "$work/web.out" "$work/nginx.log"; fail "nginx's status is $?"; }
wait "${movers[@]}"
checksums_right
echo "ok - servers: no connection lost, no byte wrong"
