#!/bin/bash
# no-answer - home falls silent just when it is asked for the COMMIT: both copies stand still; back in time, the migration is
# completed; not back in orphan-end seconds, both are ended and the job is lost with a sentence
. "$(dirname "$0")/lib.sh"
export SOJOURN_FAULTS=1 # src/common/fault.h
fault_rig 3 --orphan-suspend 4 --orphan-end 15

home_dir() { rig list | awk '$1 == "node1" { print $6 }'; }
home_stands() { grep -q '^State:.*stopped' "/proc/$(cat "$(home_dir)/sojournd.pid")/status"; }
wake_home() { kill -CONT "$(cat "$(home_dir)/sojournd.pid")"; }

# silence NAME: the job's migration from node2 to node3 comes as far as the COMMIT, and home's controller stops.
silence() {
    on node1 sojourn migrate "$1" node2 >/dev/null || fail "$1 could not go to node2"
    goes_on "$1" 10 || fail "$1 does not go on at node2"
    echo "home.asked stop" >"$(home_dir)/faults.new" && mv "$(home_dir)/faults.new" "$(home_dir)/faults"
    on node1 sojourn migrate "$1" node3 >"$work/$1.log" 2>&1 & mover=$!
    wait_until 20 home_stands || fail "home was never asked for the COMMIT"
    at_exit "kill -CONT $(cat "$(home_dir)/sojournd.pid") 2>/dev/null"
    guests_are node2 1 && guests_are node3 1 || { rig list; fail "there are not two copies"; }
}

start_steady late 1200
silence late
sleep 6
before=$(lines_of late)
sleep 1
[ "$(lines_of late)" = "$before" ] || fail "a copy goes on without home's word"
guests_are node2 1 && guests_are node3 1 || { rig list; fail "a copy was ended too early"; }
wake_home
wait_ended 30 $mover || fail "the migration does not end when home is back"
wait $mover || { cat "$work/late.log"; fail "the migration failed when home was back"; }
job_is_on node1 late node3 || fail "the job is not on node3"
end_steady late 1200 $job
note "home back in time: $(cat "$work/late.log")"

wait_until 10 guests_sum_is 0 || { rig list; fail "guests are left over"; }
start_steady never 100000
silence never
wait_until 60 guests_sum_is 0 || { rig list; fail "the copies are still there"; }
note "home not back in time: both copies were ended"
wake_home
wait_ended 30 $job || { on node1 sojourn list; fail "the front does not end when home is back"; }
status=0
wait $job || status=$?
[ $status = 137 ] && grep -q "^sojourn: .*lost" "$work/never.err" || { cat "$work/never.err"; fail "status $status, without a sentence"; }
wait_ended 30 $mover || fail "the migration does not end"
note "$(cat "$work/never.err")"
echo "ok - completed when home was back, ended when it was not"
