#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# cut.sh - a TCP connection between a job on another node and home, busy both ways, while the link is cut again and again
# shellcheck source=tests/sockets/lib.sh
. "$(dirname "$0")/lib.sh"

requires python3
cuts=${CUTS:-12}
prefix=127.0.${RIG:-1}
coproc python3 "$top/tests/faults/proxy.py" $((7227 + $(id -u) % 10000)) $prefix.101=$prefix.1 $prefix.102=$prefix.2
proxy=$COPROC_PID to_proxy=${COPROC[1]} from_proxy=${COPROC[0]}
at_exit "kill $proxy 2>/dev/null"
read -r -t 10 -u "$from_proxy" answer && [ "$answer" = ready ] || fail "the proxy does not start"
tell() { echo "$*" >&"$to_proxy" && read -r -t 10 -u "$from_proxy" answer || fail "the proxy is gone"; }
rig_up 2 --address $prefix.101,$prefix.102

echo_at_home
pump_start --on node2 -- python3 peer.py pump home.port stop
for ((i = 0; i < cuts; i++)); do
    sleep 0.$((RANDOM % 9 + 1))
    tell cut $((1 + RANDOM % 2))
done
pump_end "the connection" "$cuts cuts"
echo "ok - a busy connection over a cut link"
