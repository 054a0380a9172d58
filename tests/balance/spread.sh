#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# spread - twelve busy jobs of one node of four: three each within 60 seconds, and there they stay, no move in a minute
. "$(dirname "$0")/../lib.sh"
requires python3
rig_up 4 --cpus 2 --balance on
j() { on node1 timeout 60 sojourn "$@"; }
# counts: how many jobs each node has, as "3 3 3 3"; moves: how often each job has moved, the most first
counts() { j list --json | python3 -c "
import json,sys
jobs = json.load(sys.stdin)
print(*[sum(job['node'] == 'node%d' % n for job in jobs) for n in range(1, 5)])"; }
moves() { j list --json | python3 -c "
import json,sys
print(*sorted((job['migrations'] for job in json.load(sys.stdin)), reverse=True))"; }
is_even() { [ "$(counts)" = "3 3 3 3" ]; }

for i in $(seq 12); do
    j run --home --detach --name busy$i -- sh -c 'while :; do :; done' </dev/null >"$work/id" 2>"$work/err" ||
        fail "busy$i did not start: $(cat "$work/err")"
done
began=$SECONDS
wait_until 60 is_even || fail "after 60 s the nodes have $(counts) jobs: $(j list)"
note "three jobs each after $((SECONDS - began)) s; moves: $(moves)"
sleep 5 # what was under way
before=$(moves)
sleep "${STAY:-60}"
[ "$(moves)" = "$before" ] || fail "jobs go on moving: $before, then $(moves)"
[ "$(counts)" = "3 3 3 3" ] || fail "the nodes have $(counts) jobs"
set -- $before
[ "$1" -le 2 ] || fail "a job has moved $1 times"
note "all busy: nothing moves any more"

# a new job is placed where it is best; explicitly, and by itself
for i in $(seq 12); do j kill -9 busy$i; done
idle() { [ "$(counts)" = "0 0 0 0" ]; }
wait_until 30 idle || fail "jobs are left: $(counts)"
for i in 1 2; do j run --home --detach --name here$i -- sh -c 'while :; do :; done' </dev/null >/dev/null || fail "here$i"; done
j run --best --detach --name there -- sleep 100 </dev/null >/dev/null || fail there
[ "$(job_field node1 there node)" != node1 ] || fail "--best chose the one node that is busy"
j run --detach --name there2 -- sleep 100 </dev/null >/dev/null || fail there2
[ "$(job_field node1 there2 node)" != node1 ] || fail "a job without --on started on the one node that is busy"
note "--best: on $(job_field node1 there node)"
echo "ok - twelve jobs spread over four nodes"
