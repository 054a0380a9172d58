#!/bin/bash
# node-kill - a whole node dies: a job that it hosted is lost and says so; one that was on its way there goes on
. "$(dirname "$0")/lib.sh"
fault_rig 3 --host-down 4

# lost NAME SECONDS: the front of the job ends as killed, with a sentence about it.
lost() {
    local status=0
    wait_ended "$2" $job || { on node1 sojourn list; fail "$1: the front does not end"; }
    wait $job || status=$?
    [ $status = 137 ] || fail "$1: the front ends with status $status"
    grep -q "^sojourn: job .* is lost: .*node2" "$work/$1.err" || { cat "$work/$1.err"; fail "$1: it does not say that the job is lost"; }
    ! on node1 sojourn list --json | grep -q "\"$1\"" || fail "$1 is still listed"
    note "$1: $(grep ^sojourn "$work/$1.err")"
}

start_steady down 100000
on node1 sojourn migrate down node2 >/dev/null || fail "it could not go to node2"
rig kill node2
wait_until 10 on node1 sh -c "sojourn list | grep -q unreachable" || { on node1 sojourn list; fail "the list does not say that the host is unreachable"; }
lost down 20

note "during a copy"
for delay in 100 400; do
    rig start node2 >/dev/null 2>&1 || fail "node2 does not start again"
    wait_until 20 sees node1 3 || fail "node1 does not see node2"
    start_steady copied$delay 600
    on node1 sojourn migrate copied$delay node2 >"$work/migrate.log" 2>&1 & mover=$!
    pause_ms $delay
    rig kill node2
    wait_ended 30 $mover || fail "the migration does not end"
    if wait $mover || [ "$(job_field node1 copied$delay node)" = node2 ]; then
        note "killed after $delay ms: it was there already"
        lost copied$delay 20
    else
        grep -q "stays on node1" "$work/migrate.log" || { cat "$work/migrate.log"; fail "migrate does not say what became of the job"; }
        goes_on copied$delay 10 || fail "killed after $delay ms: the job does not go on at the source"
        end_steady copied$delay 600 $job
        note "killed after $delay ms: went on at the source: $(cat "$work/migrate.log")"
    fi
done

note "a host that is back without the guest"
rig start node2 >/dev/null 2>&1 || fail "node2 does not start again"
wait_until 20 sees node1 3 || fail "node1 does not see node2"
start_steady back 100000
on node1 sojourn migrate back node2 >/dev/null || fail "it could not go to node2"
rig kill node2
rig start node2 >/dev/null 2>&1 || fail "node2 does not start again"
lost back 20

note "only the guest"
start_steady guest 100000
on node1 sojourn migrate guest node2 >/dev/null || fail "it could not go to node2"
rig kill node2 qemu
lost guest 10
start_steady copy 100000
on node1 sojourn migrate copy node2 >/dev/null || fail "it could not go to node2"
on node1 sojourn migrate copy node3 >"$work/migrate.log" 2>&1 & mover=$!
pause_ms 150
rig kill node2 qemu
wait_ended 20 $mover || fail "the migration of a guest that was killed does not end"
! wait $mover || fail "the migration of a guest that was killed succeeded"
lost copy 15
wait_until 10 guests_sum_is 0 || { rig list; fail "guests are left over"; }
echo "ok - what was lost was lost with a sentence, the rest went on"
