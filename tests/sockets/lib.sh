# SPDX-License-Identifier: GPL-2.0-or-later
# lib.sh - what the tests of sockets share: a pump, which is a job "pump" that sends and checks until the file $work/stop is there
# shellcheck source=tests/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/../lib.sh"

# pump_start OPTION-OR-COMMAND...: as after "sojourn run"; it has connected when this returns.
pump_start() {
    natively rm -f stop
    on node1 sojourn run --name pump "$@" >"$work/pump.out" 2>&1 </dev/null & pump=$!
    wait_until 60 grep -q started "$work/pump.out" || { cat "$work/pump.out"; fail "the job did not connect"; }
}

# pump_moves N: between node1 and node2
pump_moves() {
    local i
    for ((i = 1; i <= $1; i++)); do
        on node1 sojourn migrate pump node$((1 + i % 2)) >>"$work/migrate.log" 2>&1 ||
            { cat "$work/migrate.log" "$work/pump.out"; fail "migration $i failed"; }
    done
}

# pump_end WHAT HOW: it says so many bytes
pump_end() {
    natively touch stop
    wait $pump || { cat "$work/pump.out"; fail "$1 did not survive"; }
    grep -q "^exact [1-9]" "$work/pump.out" || { cat "$work/pump.out"; fail "$1 carried nothing, or not what was sent"; }
    note "$1: $(tail -n 1 "$work/pump.out") bytes both ways over $2"
}

# echo_at_home: peer.py serves at home; its port is in $work/home.port
echo_at_home() {
    install -m 755 "$top/tests/sockets/peer.py" "$work/peer.py"
    at_home python3 peer.py serve home.port >"$work/server.out" 2>&1
    wait_until 20 test -s "$work/home.port" || fail "the server at home did not start"
}
