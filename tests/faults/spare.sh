#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# spare - a guest started ahead: nobody's until a job takes it, then a guest like any other, whoever dies when
. "$(dirname "$0")/lib.sh"

spare() { on "$1" sojourn nodes --json | python3 -c "import json,sys; print(next(n['spare'] for n in json.load(sys.stdin) if n['name'] == '$1'))"; }
spare_is() { [ "$(spare "$1")" = "$2" ]; }
ready() { wait_until 40 spare_is "$1" ready || { rig log "$1"; fail "no guest was started ahead on $1: $(spare "$1")"; }; }
jobs_on() { on node1 sojourn nodes --json | python3 -c "import json,sys; print(next(n['jobs'] for n in json.load(sys.stdin) if n['name'] == '$1'))"; }
qemus() { ls "$rig_base/n${1#node}"/lv/libvirt/qemu/run/sojourn-*.pid 2>/dev/null | wc -l; }
qemus_are() { [ "$(qemus "$1")" = "$2" ]; }
spare_id() { basename "$(ls "$rig_base/n${1#node}"/lv/libvirt/qemu/run/sojourn-*.pid)" .pid | cut -d- -f2-; }

fault_rig 2 --spare-guests 1,0 --template off
ready node1

# It is nobody's: not listed, not counted; and there is none where none is wanted.
qemus_are node1 1 || fail "$(qemus node1) guests on node1"
guests_are node1 0 && [ "$(jobs_on node1)" = 0 ] || { rig list; fail "the guest that waits is counted"; }
[ "$(on node1 sojourn list --json | tr -d ' \n')" = '[]' ] || fail "the guest that waits is listed"
spare_is node2 none && qemus_are node2 0 || fail "a guest was started ahead on node2, which is to have none"
console=$rig_base/n1/log/$(spare_id node1).console
[ -f "$console" ] && ! grep rehearsal "$console" || fail "the guest that waits could not rehearse"
note "a guest waits, and is nobody's"

# A job of the usual shape gets it, with its id; one that asks for something else does not.
id=$(spare_id node1)
on node1 sojourn run -- sh -c 'cat; echo err >&2; exit 7' <"$work/input" >"$work/out" 2>"$work/err"; status=$?
[ $status = 7 ] && cmp "$work/input" "$work/out" && [ "$(cat "$work/err")" = err ] || fail "in a guest that waited: status $status, $(cat "$work/err")"
ready node1
[ "$(spare_id node1)" != "$id" ] || fail "the job did not get the guest that waited"
id=$(spare_id node1)
for option in --cold --memory=256M --cpus=2; do
    on node1 sojourn run "$option" true || fail "run $option"
    wait_until 10 qemus_are node1 1 && [ "$(spare_id node1)" = "$id" ] || fail "run $option took the guest that waited"
done
note "a job of the usual shape gets it, no other does"

# From then on it is a guest like any other: moved, taken over by another controller.
start_steady taken 2000
guests_are node1 1 && on node1 sojourn show taken --json | grep -q "\"$id\"" || { rig list; fail "the job is not in the guest that waited"; }
on node1 sojourn migrate taken node2 >/dev/null && goes_on taken 20 && on node1 sojourn home taken >/dev/null || fail "the job does not move"
rig kill node1 sojournd
wait_until 30 sees node1 2 || fail "the controller does not come back"
goes_on taken 30 || fail "the job stands still after its controller was killed"
on node1 sojourn migrate taken node2 >/dev/null || fail "the job does not move after its controller was killed"
end_steady taken 2000 $job
note "it moves, and outlives its controller"

# One that its controller does not know any more is destroyed; so is one whose QEMU is killed; another takes its place.
ready node1
id=$(spare_id node1)
rig kill node1 sojournd
wait_until 30 sees node1 2 || fail "the controller does not come back"
ready node1
wait_until 10 qemus_are node1 1 && [ "$(spare_id node1)" != "$id" ] || fail "the guest of the controller before is still there"
rig kill node1 qemu
wait_until 10 spare_is node1 none || fail "a dead guest waits"
on node1 sojourn run true || fail "run true, when the guest that waited had just been killed"
note "another takes its place"

# What has ended leaves no sockets behind.
only_live_sockets() {
    local socket
    for socket in "$rig_base"/n1/ch/*-*; do
        socket=${socket##*/}
        [ "$socket" = '*-*' ] || [ -e "$rig_base/n1/lv/libvirt/qemu/run/sojourn-${socket%%.*}.pid" ] || return 1
    done
}
wait_until 10 only_live_sockets || { ls "$rig_base/n1/ch"; fail "sockets of guests that have ended are left"; }
note "no socket is left"

# The node's end is its end.
rig down
! grep -lsaF "$rig_base/" /proc/[0-9]*/cmdline | xargs -r -n 1 dirname | xargs -r -I{} sh -c 'tr "\0" " " <{}/cmdline 2>/dev/null' | grep -a qemu || fail "QEMU is left over"
echo "ok"
