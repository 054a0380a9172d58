#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# cut.sh - a TCP connection between a job on another node and home, busy both ways, while the link is cut again and again
# shellcheck source=tests/sockets/lib.sh
. "$(dirname "$0")/lib.sh"

requires python3
cuts=${CUTS:-12}
proxy_up 2
rig_up 2 --address "$proxied"

echo_at_home
pump_start --on node2 -- python3 peer.py pump home.port stop
for ((i = 0; i < cuts; i++)); do
    sleep 0.$((RANDOM % 9 + 1))
    tell cut $((1 + RANDOM % 2))
done
pump_end "the connection" "$cuts cuts"
echo "ok - a busy connection over a cut link"
