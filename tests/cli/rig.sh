#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# rig.sh - the rig: up, again, on, kill, start, down and nothing left; with root also cut, heal and shape
. "$(dirname "$0")/../lib.sh"
export RIG=${RIG:-6}
base=/tmp/sojourn-rig-$(id -u)-$RIG
rig_up 2 --cpus 2,3 --memory 4G
before=$(rig list)

states() { rig on "$1" sojourn nodes --json | python3 -c 'import json,sys; print(*sorted(n["name"]+"="+n["state"] for n in json.load(sys.stdin)))'; }
is_now() { [ "$(states "$1")" = "$2" ]; }
pid_of() { cat "$base/n${1#node}/$2.pid"; }
is() { [ "$1" = "$2" ] || fail "\"$1\" is not \"$2\""; }

is "$(states node2)" "node1=alive node2=alive"
rig up 2 2>"$work/again" || fail "a second \"rig up\" failed: $(cat "$work/again")"
is "$(rig list)" "$before"
is "$(rig on node2 sojourn nodes --json | python3 -c 'import json,sys; print(*[n["cpus"] for n in sorted(json.load(sys.stdin), key=lambda n: n["name"])])')" "2 3"

note "on: directory, streams, status, user"
cd "$work"
is "$(echo in | rig on node1 sh -c 'pwd; cat; echo err >&2' 2>"$work/err")" "$work
in"
is "$(cat "$work/err")" err
status=0
rig on node1 sh -c 'exit 7' || status=$?
is $status 7
is "$(rig on node1 id -un)" "$job_user"
is "$(rig on node2 sojourn run -- sh -c 'echo $0 $PPID | cut -d" " -f1')" sh
for process in supervisor sojournd libvirtd; do
    [ "$(stat -c %U "/proc/$(pid_of node1 $process)")" != root ] || fail "$process runs as root"
done

note "kill and start"
old=$(pid_of node1 sojournd)
rig kill node1 sojournd
wait_until 10 is_now node1 "node1=alive node2=alive" || fail "sojournd did not come back"
[ "$old" != "$(pid_of node1 sojournd)" ] || fail "sojournd was not killed"
rig kill node2
wait_until 20 is_now node1 "node1=alive node2=failed" || fail "node2 is not missed: $(states node1)"
status=0
rig kill node2 qemu 2>/dev/null || status=$?
is $status 1
rig start node2
wait_until 20 is_now node1 "node1=alive node2=alive" || fail "node2 did not come back"
for words in "kill nobody" "kill node1 nothing" "on" "up" "up x" "nothing"; do
    status=0
    rig $words >/dev/null 2>&1 || status=$?
    is $status 2
done

note "down"
on node1 sleep 1000 & sleeper=$!
sleep 0.2
rig down
wait $sleeper
[ ! -e "$base" ] || fail "$base is left"
! grep -lsaF "$base/" /proc/[0-9]*/cmdline || fail "processes are left"
rig down || fail "a second \"rig down\" failed"

if [ "$(id -u)" = 0 ]; then
    note "network namespaces"
    rig up 3 --netns || fail "no nodes in network namespaces"
    is "$(states node3)" "node1=alive node2=alive node3=alive"
    rig cut node1 node2
    wait_until 20 is_now node1 "node1=alive node2=failed node3=alive" || fail "node1 sees node2: $(states node1)"
    is "$(states node3)" "node1=alive node2=alive node3=alive"
    rig heal node1 node2
    wait_until 20 is_now node1 "node1=alive node2=alive node3=alive" || fail "node1 does not see node2 again"
    rig shape node1 10mbit || fail "node1 cannot be shaped"
    rig shape node1 off
    rig down
    ip netns list | grep -q "^sj$RIG-" && fail "network namespaces are left"
    ! ip link show "sjbr$RIG" >/dev/null 2>&1 || fail "the bridge is left"
fi
echo "ok - rig"
