#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# fifo.sh - a named pipe between home and job: open waits, bytes, ends, signals and poll are as between two processes of home
# shellcheck source=tests/sockets/lib.sh
. "$(dirname "$0")/lib.sh"

requires python3
moves=${MOVES:-10}
rig_up 2
install -m 755 "$top/tests/sockets/fifo.py" "$work/fifo.py"
natively mkfifo orders answers p there there.back
partner=
beside() { at_home timeout 100 python3 fifo.py partner >"$work/partner.out" 2>&1; partner=$!; }

# play NAME COMMAND...: what is seen when this plays with a partner at home
play() {
    local name=$1; shift
    beside
    "$@" timeout 40 python3 fifo.py play >"$work/$name" 2>&1 </dev/null ||
        { cat "$work/$name" "$work/partner.out"; fail "$name: it did not get through"; }
    wait $partner || { cat "$work/partner.out"; fail "$name: the partner at home"; }
    [ "$name" = native ] || cmp "$work/native" "$work/$name" ||
        { diff "$work/native" "$work/$name"; fail "$name: other FIFOs than at home"; }
}
in_job() { on node1 timeout 90 sojourn run "$@"; }

play native natively
play home in_job --home --
play away in_job --on node2 --
note "between home and a job, $(wc -l <"$work/native") lines as natively"

beside
pump_start --home -- timeout 200 python3 fifo.py pump stop
pump_moves "$moves"
pump_end "the FIFOs" "$moves migrations"
echo "ok - FIFOs between home and job"
