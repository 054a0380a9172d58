#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# moving.sh - a TCP connection between a job and home, busy both ways, while the job moves: not a byte lost or doubled
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"

requires python3
moves=${MOVES:-20}
rig_up 2
install -m 755 "$top/tests/sockets/peer.py" "$work/peer.py"
natively python3 peer.py serve home.port >"$work/server.out" 2>&1 & at_exit "kill $! 2>/dev/null"
wait_until 20 test -s "$work/home.port" || fail "the server at home did not start"
on node1 sojourn run --home --name pump -- python3 peer.py pump home.port stop >"$work/pump.out" 2>&1 & pump=$!
wait_until 60 grep -q started "$work/pump.out" || { cat "$work/pump.out"; fail "the job did not connect"; }

for ((i = 1; i <= moves; i++)); do
    on node1 sojourn migrate pump node$((1 + i % 2)) >>"$work/migrate.log" 2>&1 ||
        { cat "$work/migrate.log" "$work/pump.out"; fail "migration $i failed"; }
done
natively touch stop
wait $pump || { cat "$work/pump.out"; fail "the connection did not survive"; }
grep -q "^exact [1-9]" "$work/pump.out" || { cat "$work/pump.out"; fail "the connection carried nothing"; }
note "$(tail -n 1 "$work/pump.out") bytes both ways over $moves migrations"
echo "ok - a busy connection moved $moves times"
