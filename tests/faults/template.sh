#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# template - guests begin from a snapshot: as good as booted ones, each with its own randomness and the right time; and boot where it fails
. "$(dirname "$0")/lib.sh"
export SOJOURN_FAULTS=1 # src/common/fault.h

template() { on "$1" sojourn nodes --json | python3 -c "import json,sys; print(next(n['template'] for n in json.load(sys.stdin) if n['name'] == '$1'))"; }
template_is() { [ "$(template "$1")" = "$2" ]; }
ready() { wait_until 60 template_is "$1" ready || { rig log "$1"; fail "there is no template on $1: $(template "$1")"; }; }
qemu_of() { cat "$rig_base/n1/lv/libvirt/qemu/run/sojourn-$(on node1 sojourn show "$1" --json | json_string id).pid"; }
json_string() { sed -n "s/.*\"$1\": *\"\([^\"]*\)\".*/\1/p" | head -n 1; }
waited() { tr '\0' ' ' <"/proc/$(qemu_of "$1")/cmdline" | grep -q -- '-incoming defer'; }

fault_rig 2 --accel tcg --template on,off
guests_are node1 0 || { rig list; fail "the guest that is saved is counted"; }
ready node1
template_is node2 none || fail "there is a template on node2, which is to have none"
[ "$(on node1 sojourn list --json | tr -d ' \n')" = '[]' ] || fail "a guest that is nobody's is listed"

# A job in such a guest is a job as any other.
on node1 sojourn run -- sh -c 'cat; echo err >&2; exit 7' <"$work/input" >"$work/out" 2>"$work/err"; status=$?
[ $status = 7 ] && cmp "$work/input" "$work/out" && [ "$(cat "$work/err")" = err ] || fail "from a snapshot: status $status, $(cat "$work/err")"
start_steady from 2000
waited from || fail "the guest booted, though there is a template"
on node1 sojourn migrate from node2 >/dev/null && goes_on from 20 && on node1 sojourn home from >/dev/null || fail "the job does not move"
end_steady from 2000 $job
on node1 sojourn run --home --memory 300M --name other --detach sleep 100 >/dev/null
! waited other || fail "a guest of another shape began from the template"
on node1 sojourn kill other
note "jobs run and move in guests that began from a snapshot; one of another shape boots"

# What is random differs; the time is home's.
for i in 1 2; do
    on node1 sojourn run -- sh -c 'head -c 16 /dev/urandom | od -An -tx1; cat /proc/sys/kernel/random/uuid /proc/sys/kernel/random/boot_id' >"$work/random$i" || fail "run"
done
[ "$(sort "$work/random1" "$work/random2" | uniq | wc -l)" = 6 ] || { cat "$work"/random?; fail "two guests have the same randomness"; }
late=$(($(on node1 sojourn run -- date +%s%3N) - $(date +%s%3N)))
[ ${late#-} -lt 3000 ] || fail "the clock is wrong by $late ms"
note "randomness is each guest's own, and the time is right"

# A snapshot that cannot be loaded: the guest boots.
faults=$rig_base/n1/faults
echo 'snapshot.load lose' >"$faults.new" && mv "$faults.new" "$faults"
[ "$(on node1 sojourn run -- echo booted)" = booted ] || fail "where the snapshot fails the job does"
! [ -e "$faults" ] || fail "the snapshot was not tried"
template_is node1 none || fail "a template that failed is used again"
rig log node1 | grep -q 'boot' || fail "the log does not say so"

# A controller that is killed while a guest is being saved leaves none behind.
rig kill node1 sojournd
wait_until 30 sees node1 2 || fail "the controller does not come back"
ready node1
gone() { ! ls "$rig_base"/n1/lv/libvirt/qemu/run/sojourn-*.pid >/dev/null 2>&1; }
wait_until 10 gone || { rig list; fail "guests are left over"; }

# A QEMU that is given no snapshot does not wait for it for ever.
echo 'snapshot.open lose' >"$faults.new" && mv "$faults.new" "$faults"
[ "$(on node1 timeout 60 sojourn run -- echo booted)" = booted ] || fail "a guest that got no snapshot hangs"
! [ -e "$faults" ] || fail "the snapshot was not to be given"
rig log node1 | grep -q 'does not take the snapshot' || fail "the log does not say that it was ended"
rig down

# The guest that waits begins from it, too, and so does the next one.
spare() { on node1 sojourn nodes --json | python3 -c "import json,sys; print(json.load(sys.stdin)[0]['spare'])"; }
spare_waited() { [ "$(spare)" = ready ] && tr '\0' ' ' <"/proc/$(cat "$rig_base"/n1/lv/libvirt/qemu/run/sojourn-*.pid)/cmdline" 2>/dev/null | grep -q -- '-incoming defer'; }
fault_rig 1 --accel tcg --template on --spare-guests 1
ready node1
for _ in 1 2; do
    wait_until 30 spare_waited || { rig log node1; fail "the guest that waits has booted: $(spare)"; }
    [ "$(on node1 sojourn run -- echo taken)" = taken ] || fail "in a guest that waited, from a snapshot"
done
note "so does the guest that waits"
echo "ok"
