#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# leave - twelve busy jobs on four nodes; two nodes are drained, their jobs go to the others; they return, and it evens out
. "$(dirname "$0")/../lib.sh"
requires python3
rig_up 4 --cpus 2 --balance on
j() { on node1 timeout 60 sojourn "$@"; }
admin() {
    local node=$1; shift
    if [ "$(id -u)" = 0 ]; then (cd "$work" && rig on "$node" -u root timeout 100 sojourn "$@"); else on "$node" timeout 100 sojourn "$@"; fi
}
counts() { j list --json | python3 -c "
import json,sys
jobs = json.load(sys.stdin)
print(*[sum(job['node'] == 'node%d' % n for job in jobs) for n in range(1, 5)])"; }
is() { [ "$(counts)" = "$1" ]; }

for i in $(seq 12); do
    j run --home --detach --name busy$i -- sh -c 'while :; do :; done' </dev/null >"$work/id" 2>"$work/err" ||
        fail "busy$i did not start: $(cat "$work/err")"
done
wait_until 60 is "3 3 3 3" || fail "not even: $(counts)"
for node in node3 node4; do admin $node drain >"$work/drain" 2>&1 || fail "$node: $(cat "$work/drain")"; done
wait_until 30 is "6 6 0 0" || fail "the jobs of two drained nodes are not shared by the others: $(counts)"
note "drained: $(counts)"
for node in node3 node4; do admin $node block off >/dev/null && admin $node stay off >/dev/null || fail "$node"; done
SECONDS=0
wait_until 90 is "3 3 3 3" || fail "it does not even out: $(counts): $(j list)"
note "back: even after $SECONDS s"
on node1 sojourn events >"$work/events"
grep -q "the balancer's choice" "$work/events" || fail "the events do not tell: $(cat "$work/events")"
echo "ok - nodes leave and return"
