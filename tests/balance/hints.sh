#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# hints - what a job's user says of it counts with the balancer: --hint, --decay, --only, --avoid, --lock; a node of another island is
# no place for it
. "$(dirname "$0")/../lib.sh"
requires python3
rig_up 4 --cpus 1,4,4,32 --tsc-khz 0,0,0,100000 --balance on --balance-stay 8
j() { on node1 timeout 60 sojourn "$@"; }
start() { j run --detach --memory 64M "$@" </dev/null >"$work/out" 2>&1 || fail "$* did not start: $(cat "$work/out")"; }
where() { job_field node1 "$1" node; }
busy='while :; do :; done'

# Home's one CPU is taken. Who starts where it is best starts elsewhere, who reads and writes at home all the same.
start --home --lock --name locked -- sh -c "$busy"
start --hint io --name io -- sh -c "$busy"
start --name best -- sleep 1000
[ "$(where io)" = node1 ] || fail "--hint io started on $(where io)"
case $(where best) in node2 | node3) ;; *) fail "the best place for a job is not $(where best)" ;; esac

# Three more at home: one may go to node2 alone, one not there, one is said to compute though it sleeps.
start --home --only node2 --name only -- sh -c "$busy"
start --home --avoid node2 --name avoid -- sh -c "$busy"
start --home --hint cpu --name cpu -- sleep 1000

wait_until 60 job_is_on node1 only node2 || fail "--only node2: it is on $(where only)"
wait_until 60 job_is_on node1 avoid node3 || fail "--avoid node2: it is on $(where avoid)"
has_left() { [ "$(where "$1")" != node1 ]; }
wait_until 60 has_left cpu || fail "--hint cpu does not count"
for name in locked io; do [ "$(where $name)" = node1 ] || fail "$name has left: $(grep wants "$rig_base/n1/log/sojournd.log")"; done
! j migrate avoid node2 >"$work/out" 2>&1 || fail "--avoid node2 could be sent there"
grep -q "avoid" "$work/out" || fail "$(cat "$work/out")"
! j migrate locked node2 >"$work/out" 2>&1 || fail "a locked job moved"
j unlock locked
wait_until 60 has_left locked || fail "it is not locked any more, and does not leave"
note "hints, lists and locks count"

# Another island: the largest node of all
j why avoid node4 >"$work/out"
grep -q "time stamp counter" "$work/out" || fail "why it cannot go to node4: $(cat "$work/out")"
[ "$(j list --json | grep -c '"node4"')" = 0 ] || fail "a job is on node4: $(j list)"
note "no job goes to another island"

# Decay: they all compute, and then do not
for name in only avoid cpu io locked best; do j kill -9 $name; done
start --on node2 --decay fast --name fast -- sh -c "trap 'exec sleep 1000' USR1; $busy"
start --on node2 --name usual -- sh -c "trap 'exec sleep 1000' USR1; $busy"
start --on node2 --decay slow --name slow -- sh -c "trap 'exec sleep 1000' USR1; $busy"
start --on node2 --decay none --name none -- sh -c "trap 'exec sleep 1000' USR1; $busy"
demands() { # as "fast usual slow none", in thousandths
    j list --json >"$work/jobs" && SOJOURN_SOCKET=$rig_base/n1/control "$build/sojourn" node node2 --json >"$work/node" && python3 - "$work" <<'SCRIPT'
import json, sys
guests = {g['id']: g['demand'] for g in json.load(open(sys.argv[1] + '/node'))['guests']}
jobs = {j['name']: guests.get(j['id'], -1) for j in json.load(open(sys.argv[1] + '/jobs'))}
print(*[int(1000 * jobs[name]) for name in ('fast', 'usual', 'slow', 'none')])
SCRIPT
}
sleep 5
before=$(demands)
j kill -USR1 fast usual slow none
decayed() {
    after=$(demands)
    set -- $after
    [ "$1" -lt 100 ] && [ "$2" -lt 300 ] && [ "$1" -le "$2" ]
}
wait_until 20 decayed || fail "the demands were $before and are $(demands)"
set -- $after
[ "$3" -gt "$2" ] && [ "$4" -gt "$2" ] || fail "slow and none do not decay slowly: $after"
note "demands of fast, usual, slow and none: $before, then $after"
echo "ok - what users say counts"
