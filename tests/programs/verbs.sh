#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# verbs - kill, wait, suspend, resume, lock, names, --detach, --on, --home, --only and --avoid, from another process
. "$(dirname "$0")/../lib.sh"
rig_up 3
j() { on node1 timeout 60 sojourn "$@"; }
run() { j run "$@" </dev/null; }
start() { run --name "$1" --detach "${@:2}" >"$work/$1.id" 2>"$work/$1.err" || fail "$1 did not start: $(cat "$work/$1.err")"; }
refused() { # NAME WORD COMMAND...: fails with a sentence that has the word in it
    local name=$1 word=$2; shift 2
    ! j "$@" >"$work/said" 2>&1 || fail "$name: was not refused"
    grep -qi -- "$word" "$work/said" || fail "$name: no word of \"$word\" in: $(cat "$work/said")"
    note "$name: $(tail -n 1 "$work/said")"
}
where() { job_field node1 "$1" node; }
grows() { local before; before=$(stat -c %s "$1"); sleep 1; [ "$(stat -c %s "$1")" -gt "$before" ]; }

# signals and wait
cat >"$work/traps" <<'SCRIPT'
trap 'echo usr1 >>said' USR1
trap 'echo term >>said; exit 42' TERM
echo ready >said
while :; do sleep 0.1; done
SCRIPT
chmod 644 "$work/traps"
start traps sh traps
grep -qE '^[0-9a-f-]{36}$' "$work/traps.id" || fail "--detach does not print the id: $(cat "$work/traps.id")"
wait_until 30 grep -q ready "$work/said" || fail "the job is not ready"
j kill -USR1 traps && wait_until 10 grep -q usr1 "$work/said" || fail "USR1 did not arrive"
j kill -s USR1 "$(cut -c 1-8 "$work/traps.id")" && wait_until 10 eval '[ $(grep -c usr1 "$work/said") = 2 ]' || fail "no USR1 by a prefix of the id"
j kill "$(job_field node1 traps pid)" || fail "no kill by the PID"
j wait --status traps >"$work/waited"; status=$?
[ $status = 42 ] || fail "wait says $status, not 42: $(cat "$work/waited")"
note "kill and wait, by name, id and PID; --detach"
start killed sleep 100
j kill -9 killed && j wait killed >"$work/waited" && grep -q 'signal 9' "$work/waited" || fail "killed by 9 is waited for: $(cat "$work/waited")"
refused 'no such job' 'no job' kill nobody
refused 'no such signal' 'no signal' kill -NOSUCH traps

# suspend and resume
start writer sh -c 'while :; do echo x; sleep 0.05; done >>growing'
wait_until 30 test -s "$work/growing" || fail "the writer does not write"
j suspend writer || fail suspend
sleep 0.5
! grows "$work/growing" || fail "a suspended job goes on"
j resume writer || fail resume
wait_until 10 grows "$work/growing" || fail "a resumed job does not go on"
note "suspend and resume"

# lock
j lock writer || fail lock
refused 'a locked job' 'locked' migrate writer node2
j why writer node2 | grep -qi locked || fail "why says nothing of the lock"
[ "$(where writer)" = node1 ] || fail "a locked job moved"
j unlock writer && j migrate writer node2 >/dev/null || fail "an unlocked job does not move"
[ "$(where writer)" = node2 ] && grows "$work/growing" || fail "the job is not at node2, or stands still"
refused 'no such node' 'node9' migrate writer node9
j home writer >/dev/null && [ "$(where writer)" = node1 ] || fail home
j kill -9 writer; note "lock, unlock, migrate, home"

# where a job starts
for place in node1 node2 node3; do
    start at --on $place sleep 100
    [ "$(where at)" = $place ] || fail "--on $place: it is on $(where at)"
    [ "$(job_field node1 at home)" = node1 ] || fail "--on $place changes the home"
    j kill -9 at && j wait at >/dev/null
done
run --on node2 -- sh -c 'cat /etc/hostname; exit 3' >"$work/out"; status=$?
[ $status = 3 ] && cmp -s /etc/hostname "$work/out" || fail "--on node2: status $status"
start at --home sleep 100
[ "$(where at)" = node1 ] || fail "--home: it is on $(where at)"
j kill -9 at
refused '--on a node that there is not' 'node9' run --on node9 true
note "--on, --home"

# where it may go
start only --only node1,node3 sleep 100
refused '--only' 'node2' migrate only node2
j migrate only node3 >/dev/null || fail "--only does not let it go to node3"
j kill -9 only
start avoid --avoid node3 sleep 100
refused '--avoid' 'node3' migrate avoid node3
j migrate avoid node2 >/dev/null || fail "--avoid does not let it go to node2"
j kill -9 avoid
refused '--on and --avoid' 'node2' run --on node2 --avoid node2 true
start locked --lock sleep 100
refused '--lock' locked migrate locked node2
j kill -9 locked

# a name that is taken, a name that is none
start twice sleep 100
refused 'a name twice' 'twice' run --name twice true
refused 'a name that is none' 'name' run --name 1x true
j kill -9 twice
no_jobs() { ! j list --json | grep -q '"id"'; }
wait_until 30 no_jobs || fail "jobs are left: $(j list)"
echo "ok - verbs"
