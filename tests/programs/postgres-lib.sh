# SPDX-License-Identifier: GPL-2.0-or-later
# postgres-lib.sh - what the tests with PostgreSQL share: a database in $work/data at $port, pgbench on it, and that all is right
# shellcheck source=tests/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/../lib.sh"

bin=$(ls -d /usr/lib/postgresql/*/bin 2>/dev/null | sort -V | tail -n 1)
[ -x "$bin/postgres" ] && [ -x "$bin/pgbench" ] || skip "postgresql is not installed"
port=$((21000 + ${RIG:-1} * 10))
export PGUSER=clerk PGPORT=$port PGDATABASE=postgres PGCONNECT_TIMEOUT=30

# database_make: with checksums, listening at 127.0.0.1 and in $work/run
database_make() {
    natively mkdir run
    natively "$bin/initdb" -D data --data-checksums --auth=trust -U clerk >"$work/initdb.log" 2>&1 || { cat "$work/initdb.log"; fail "initdb"; }
    cat >>"$work/data/postgresql.conf" <<END
port = $port
listen_addresses = '127.0.0.1'
unix_socket_directories = '$work/run'
shared_buffers = 16MB
END
    at_exit 'natively "$bin/pg_ctl" -D data -m immediate stop >/dev/null 2>&1'
}
database_start() { natively "$bin/pg_ctl" -D data -l log -w start >"$work/start" 2>&1 || { cat "$work/log"; fail "PostgreSQL does not start natively"; }; }
database_fill() { natively "$bin/pgbench" -h "$work/run" -i -q -s 2 >"$work/init" 2>&1 || { cat "$work/init"; fail "pgbench -i"; }; }

# bench NAME HOST WHO...: pgbench with four clients for $serve seconds, run by WHO; none of its transactions may fail
bench() {
    local name=$1 host=$2; shift 2
    "$@" "$bin/pgbench" -h "$host" -n -c 4 -j 2 -T "$serve" >"$work/bench.$name" 2>&1 </dev/null || { cat "$work/bench.$name"; fail "$name: pgbench"; }
    grep -q 'failed transactions: 0 ' "$work/bench.$name" || { cat "$work/bench.$name"; fail "$name: transactions failed"; }
}
done_of() { sed -n 's/^number of transactions actually processed: \([0-9]*\).*/\1/p' "$@" | paste -sd+ | bc; }

# balanced HOST: there is the same money everywhere, and as many rows as transactions were told to be done
balanced() {
    local said
    said=$(natively "$bin/psql" -h "$1" -XAtc "SELECT (SELECT sum(abalance) FROM pgbench_accounts) = sum(delta),
        (SELECT sum(bbalance) FROM pgbench_branches) = sum(delta), (SELECT sum(tbalance) FROM pgbench_tellers) = sum(delta), count(*)
        FROM pgbench_history") || fail "psql cannot ask for the balance"
    [ "$said" = "t|t|t|$(done_of "$work"/bench.*)" ] || fail "the balance is $said after $(done_of "$work"/bench.*) transactions"
}

# After the database was stopped.
checksums_right() {
    natively "$bin/pg_checksums" --check -D data >"$work/checksums" || { cat "$work/checksums"; fail "checksums"; }
    note "$(grep 'Blocks scanned' "$work/checksums"), no checksum wrong"
}
