#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# moving.sh - a TCP connection between a job and home, busy both ways, while the job moves: not a byte lost or doubled
# shellcheck source=tests/sockets/lib.sh
. "$(dirname "$0")/lib.sh"

requires python3
moves=${MOVES:-40}
rig_up 2
echo_at_home
pump_start --home -- python3 peer.py pump home.port stop
pump_moves "$moves"
pump_end "the connection" "$moves migrations"
echo "ok - a busy connection moved $moves times"
