#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# cut.sh - a TCP connection between a job on another node and home, busy both ways, while the link is cut again and again
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"

requires python3
cuts=${CUTS:-12}
prefix=127.0.${RIG:-1}
coproc python3 "$top/tests/faults/proxy.py" $((7227 + $(id -u) % 10000)) $prefix.101=$prefix.1 $prefix.102=$prefix.2
proxy=$COPROC_PID to_proxy=${COPROC[1]} from_proxy=${COPROC[0]}
at_exit "kill $proxy 2>/dev/null"
read -r -t 10 -u "$from_proxy" answer && [ "$answer" = ready ] || fail "the proxy does not start"
tell() { echo "$*" >&"$to_proxy" && read -r -t 10 -u "$from_proxy" answer || fail "the proxy is gone"; }
rig_up 2 --address $prefix.101,$prefix.102

install -m 755 "$top/tests/sockets/peer.py" "$work/peer.py"
natively python3 peer.py serve home.port >"$work/server.out" 2>&1 & at_exit "kill $! 2>/dev/null"
wait_until 20 test -s "$work/home.port" || fail "the server at home did not start"
on node1 sojourn run --on node2 --name pump -- python3 peer.py pump home.port stop >"$work/pump.out" 2>&1 & pump=$!
wait_until 60 grep -q started "$work/pump.out" || { cat "$work/pump.out"; fail "the job did not connect"; }
for ((i = 0; i < cuts; i++)); do
    sleep 0.$((RANDOM % 9 + 1))
    tell cut $((1 + RANDOM % 2))
done
natively touch stop
wait $pump || { cat "$work/pump.out"; fail "the connection did not survive"; }
grep -q "^exact [1-9]" "$work/pump.out" || { cat "$work/pump.out"; fail "the connection carried nothing"; }
note "$(tail -n 1 "$work/pump.out") bytes both ways over $cuts cuts"
echo "ok - a busy connection over a cut link"
