#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# many-jobs - twenty jobs: moved at once as a group, drained, expelled with an interruption, brought home, drained as far as time
# allows; all of them live
. "$(dirname "$0")/../lib.sh"
requires python3
many=${JOBS:-20}
rig_up 3 --cpus 2
j() { on node1 timeout 100 sojourn "$@"; }
admin() { # NODE COMMAND...: as somebody who may order the node about
    local node=$1; shift
    if [ "$(id -u)" = 0 ]; then (cd "$work" && rig on "$node" -u root timeout 100 sojourn "$@"); else on "$node" timeout 100 sojourn "$@"; fi
}
count() { j list --json | python3 -c "
import json,sys
print(sum($1 for job in json.load(sys.stdin)))"; }
jobs_on() { count "job['node'] == '$1'"; }
is_count() { [ "$(count "$1")" = "$2" ]; }
standing() { admin "$1" node --json | python3 -c "import json,sys; print(json.load(sys.stdin)['$2'])"; }
# stopwatch NAME COMMAND...: its output is $work/NAME; says how long it took
stopwatch() {
    local name=$1 began=${EPOCHREALTIME/./} status=0; shift
    "$@" >"$work/$name" 2>&1 || status=$?
    note "$name: $(((${EPOCHREALTIME/./} - began) / 1000)) ms"
    return $status
}
# told NAME: the progress of $work/NAME is 1 of many, 2 of many, ...
told() {
    grep -o '([0-9]* of [0-9]*)' "$work/$1" >"$work/told" || true
    diff "$work/told" <(seq -f "(%.0f of $many)" "$many") >/dev/null || fail "$1 tells: $(cat "$work/$1")"
}

start() {
    j run --home --detach --memory 64M --group many --name job$1 -- \
        sh -c "trap 'echo >>ticks.$1' USR1; while :; do sleep 1000 & wait; done" </dev/null >/dev/null
}
# three at a time
start_all() {
    local i starters=()
    for ((i = 1; i <= many; i++)); do
        start $i & starters+=($!)
        [ $((i % 3)) != 0 ] && [ $i != "$many" ] && continue
        for starter in "${starters[@]}"; do wait "$starter" || return 1; done
        starters=()
    done
}
stopwatch start start_all || fail "a job did not start: $(cat "$work/start")"
is_count "job['state'] == 'running'" "$many" || fail "not all run: $(j list)"

stopwatch migrate j migrate --group many node2 || fail "migrate: $(cat "$work/migrate")"
told migrate
[ "$(jobs_on node2)" = "$many" ] || fail "not all are at node2: $(j list)"
stopwatch drain admin node2 drain || fail "drain: $(cat "$work/drain")"
told drain
[ "$(jobs_on node2)" = 0 ] || fail "node2 has $(jobs_on node2) jobs left"
together() { [ "$(jobs_on node1)" = "$many" ] || [ "$(jobs_on node3)" = "$many" ]; }
together || fail "a group was torn apart: node1 $(jobs_on node1), node3 $(jobs_on node3)"
admin node2 stay off >"$work/out" 2>&1 && admin node2 block off >"$work/out" 2>&1 || fail "$(cat "$work/out")"

# all at node3; an expel of them is interrupted when it has got so far: nothing is half done
stopwatch migrate2 j migrate --group many node3 || fail "migrate: $(cat "$work/migrate2")"
who=()
[ "$(id -u)" != 0 ] || who=(-u root)
(cd "$work" && exec "$top/scripts/rig" on node3 "${who[@]}" sojourn expel >"$work/expel" 2>&1) & expel=$!
some() { [ "$(grep -c ' went to ' "$work/expel")" -ge 3 ]; }
wait_until 60 some || fail "expel does not begin: $(cat "$work/expel")"
kill -TERM $expel
wait $expel && fail "an interrupted expel ended as if all was done: $(cat "$work/expel")"
wait_until 30 is_count "job['state'] == 'running'" "$many" || fail "some are in between: $(j list)"
[ "$(standing node3 block)" = False ] || fail "an interrupted expel left an order behind"
left=$(jobs_on node3)
sleep 2
[ "$(jobs_on node3)" = "$left" ] || fail "it goes on though it was interrupted"
note "an interrupted expel has left $left of $many where they were"

stopwatch bring admin node1 bring || fail "bring: $(cat "$work/bring")"
[ "$(jobs_on node1)" = "$many" ] || fail "not all are at home: $(j list)"
admin node1 stay off >"$work/out" 2>&1
admin node3 block off >"$work/out" 2>&1

# in two seconds: who will not make it is said beforehand; on a busy machine a few more do not
status=0
stopwatch deadline admin node1 drain --deadline=2 || status=$?
late=$(grep -c "will not make it" "$work/deadline") left=$(jobs_on node1)
note "drain --deadline=2: it said that $late will not make it; $left of $many had not left when it returned (status $status)"
[ $status = $((left > 0)) ] || fail "$left are left, and the status is $status: $(cat "$work/deadline")"
[ "$left" -le $((late + 10)) ] || fail "it said that $late stay, but $left have: $(cat "$work/deadline")"

for ((i = 1; i <= many; i++)); do j kill -USR1 job$i || fail "job$i"; done
all_alive() { [ "$(ls "$work" | grep -c '^ticks\.')" = "$many" ]; }
wait_until 30 all_alive || fail "only $(ls "$work" | grep -c '^ticks\.') of $many live"
echo "ok - many jobs"
