#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# orders - an administrator's orders: block, speed, expel, bring, drain, with a deadline, interrupted, across a restart
. "$(dirname "$0")/../lib.sh"
requires python3
rig_up 3 --cpus 2 --migrations 1
j() { on node1 timeout 60 sojourn "$@"; }
# admin NODE COMMAND...: as somebody who may order the node about
admin() {
    local node=$1; shift
    if [ "$(id -u)" = 0 ]; then (cd "$work" && rig on "$node" -u root timeout 100 sojourn "$@"); else on "$node" timeout 100 sojourn "$@"; fi
}
jobs_on() { j list --json | python3 -c "import json,sys; print(sum(job['node'] == '$1' for job in json.load(sys.stdin)))"; }
node_is() { [ "$(admin "$1" node "$1" --json | python3 -c "import json,sys; print(json.load(sys.stdin)['$2'])")" = "$3" ]; }
has() { grep -q -- "$2" "$1" || fail "no word of \"$2\" in: $(cat "$1")"; }
start() { j run --home --detach --name "$1" -- sh -c "while :; do echo x >>$1.ticks; sleep 0.2; done" </dev/null >/dev/null || fail "$1 did not start"; }
ticks() { wc -l <"$work/$1.ticks"; }
all_tick() { # every job works
    local name before
    for name in "$@"; do
        before=$(ticks "$name")
        wait_until 20 eval "[ \$(ticks $name) -gt $before ]" || fail "$name stands still: $(j list)"
    done
}

# block: a reason, in why and at migrate; seen by the others; kept by a controller that is killed
names=()
for i in 1 2 3 4; do start job$i; names+=(job$i); done
admin node2 block >"$work/out" || fail "block: $(cat "$work/out")"
! j migrate job1 node2 >"$work/out" 2>&1 || fail "a blocked node took a job"
has "$work/out" "administrator's order"
j why job1 node2 >"$work/out"; has "$work/out" "block off"
blocked() { j nodes | grep -q 'node2.*blocked'; }
wait_until 10 blocked || fail "the others do not see it: $(j nodes)"
if [ "$(id -u)" = 0 ]; then ! on node2 sojourn block off >"$work/out" 2>&1 || fail "an ordinary user gave an order"; fi
rig kill node2 sojournd
wait_until 30 node_is node2 block True || fail "the order was forgotten"
admin node2 speed 2500 >"$work/out" && node_is node2 speed 2500 || fail "speed"
admin node2 speed 0 >"$work/out" && node_is node2 speed 10000 || fail "speed 0"
admin node2 block off >"$work/out"
come() { j migrate job1 node2 >"$work/out" 2>&1; }
wait_until 30 come || fail "the block does not end: $(cat "$work/out")"
note "block: $(admin node2 nodes | grep -c alive) nodes alive again"

# expel: all guests of another home leave, a few at a time, and it says so
# (three migrate at once: they take turns, so there is never more than one guest twice)
movers=() most=0 limit=$((SECONDS + 60))
for name in job2 job3 job4; do j migrate $name node2 >"$work/$name.out" 2>&1 & movers+=($!); done
while kill -0 "${movers[@]}" 2>/dev/null && [ $SECONDS -lt $limit ]; do
    guests=$(rig list | awk 'NR > 1 { sum += $5 } END { print sum + 0 }')
    [ "$guests" -le $most ] || most=$guests
done
for mover in "${movers[@]}"; do wait "$mover" || fail "of three orders at once one failed: $(cat "$work"/job?.out)"; done
[ $most -le 5 ] || fail "$most guests of 4 jobs: more than one moved at a time"
[ "$(jobs_on node2)" = 4 ] || fail "not all are at node2: $(j list)"
admin node2 expel >"$work/expel" 2>&1 || fail "expel: $(cat "$work/expel")"
[ "$(grep -c ' went to ' "$work/expel")" = 4 ] || fail "not four of four: $(cat "$work/expel")"
[ "$(jobs_on node2)" = 0 ] || fail "node2 still has $(jobs_on node2) jobs"
node_is node2 block True || fail "it is not blocked"
all_tick "${names[@]}"
note "expel: $(tail -n 1 "$work/expel")"

# bring: all of one's own come home
for name in job1 job2; do j migrate $name node3 >/dev/null 2>&1; done
away=$((4 - $(jobs_on node1)))
[ $away -ge 2 ] || fail "only $away jobs are away"
admin node1 bring --json >"$work/bring" 2>&1 || fail "bring: $(cat "$work/bring")"
[ "$(jobs_on node1)" = 4 ] || fail "node1 has $(jobs_on node1) of 4 jobs: $(cat "$work/bring")"
python3 -c "import json,sys; r = json.load(open('$work/bring')); assert len(r['moved']) == $away and not r['stayed'], r" || fail "$(cat "$work/bring")"
node_is node1 stay_own True || fail "own jobs may leave"
admin node1 stay off >"$work/out"; node_is node1 stay_own False || fail "stay off"
note "bring: $away jobs"

# drain that cannot be done in time: it says so beforehand, returns in time, leaves them where they are
SECONDS=0
! admin node1 drain --deadline=1 >"$work/drain" 2>&1 || fail "four jobs in a second? $(cat "$work/drain")"
[ $SECONDS -le 4 ] || fail "a deadline of 1 s took $SECONDS s"
has "$work/drain" "will not make it"
admin node1 stay off >"$work/out"; admin node1 block off >"$work/out"
admin node2 block off >"$work/out"
# It keeps its word: who was not named is out. One may be late on a busy machine; that more get out than it said is no harm.
late=$(grep -c "will not make it" "$work/drain") stayed=$(jobs_on node1)
[ "$stayed" -le $((late + 1)) ] || fail "$stayed stayed, but it named $late: $(cat "$work/drain")"
[ "$stayed" = "$(grep -c ") stays: " "$work/drain")" ] || fail "$stayed stayed, but it said otherwise in the end: $(cat "$work/drain")"
all_tick "${names[@]}"
note "drain --deadline=1: $late of 4 will not make it"

# drain: everything leaves; interrupted, nothing is half done and the orders are as before
admin node1 bring >"$work/out" 2>&1; admin node1 stay off >"$work/out"
who=()
[ "$(id -u)" != 0 ] || who=(-u root)
(cd "$work" && exec "$top/scripts/rig" on node1 "${who[@]}" sojourn drain >"$work/drain" 2>&1) & drain=$!
wait_until 30 grep -q ' went to ' "$work/drain" || fail "nobody leaves: $(cat "$work/drain")"
kill -TERM $drain
! wait $drain 2>/dev/null || fail "drain was over before it could be interrupted: $(cat "$work/drain")"
not_blocked() { node_is node1 block False && node_is node1 stay False; }
wait_until 20 not_blocked || fail "the orders are not as before: $(admin node1 node)"
none_moves() { ! j list --json | grep -q '"migrating"'; }
wait_until 30 none_moves || fail "half done: $(j list)"
left=$(jobs_on node1)
sleep 2
[ "$(jobs_on node1)" = "$left" ] || fail "jobs go on leaving after the interruption"
all_tick "${names[@]}"
[ "$left" -ge 1 ] || fail "all have left after the interruption"
note "interrupted: $left of 4 jobs were still there"
admin node1 drain --deadline=60 >"$work/drain" 2>&1 || fail "drain: $(cat "$work/drain")"
[ "$(jobs_on node1)" = 0 ] || fail "node1 still has jobs: $(j list)"
! grep -q "will not make it" "$work/drain" || fail "60 s are enough: $(cat "$work/drain")"
all_tick "${names[@]}"
[ "$(rig list | awk '$1 == "node1" { print $5 }')" = 0 ] || fail "a guest was left: $(rig list)"
j history job1 >"$work/history" && [ "$(grep -c ' ms ' "$work/history")" -ge 3 ] || fail "history: $(cat "$work/history")"
note "drain: $(tail -n 1 "$work/drain")"
echo "ok - orders of an administrator"
