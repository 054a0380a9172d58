#!/bin/bash
# orphan - home cannot be heard: the guest is frozen after orphan-suspend, goes on when home is back, ends after orphan-end
. "$(dirname "$0")/lib.sh"
fault_rig 2 --orphan-suspend 4 --orphan-end 25

# The home is silent while its supervisor and controller are stopped: connections stay open, nothing answers.
home_pids() { rig list | awk '$1 == "node1" { print $6 }' | while read -r dir; do cat "$dir/supervisor.pid" "$dir/sojournd.pid"; done; }
silence_home() { pids=$(home_pids); kill -STOP $pids; at_exit "kill -CONT $(echo $pids)"; }
wake_home() { kill -CONT $pids; }
there() { on node2 sojourn list --json; }
is_frozen() { there | grep -q '"state": *"suspended"'; }

start_steady walker 1200
on node1 sojourn migrate walker node2 >/dev/null || fail "it could not go to node2"
goes_on walker 10 || fail "it does not go on at node2"
silence_home
wait_until 20 is_frozen || { there; fail "the guest is not frozen"; }
note "frozen"
before=$(lines_of walker)
sleep 1
[ "$(lines_of walker)" = "$before" ] || fail "a frozen job writes lines"
wake_home
goes_on walker 20 || { on node1 sojourn list; fail "it does not go on when home is back"; }
note "went on"
end_steady walker 1200 $job

start_steady gone 100000
on node1 sojourn migrate gone node2 >/dev/null || fail "it could not go to node2"
silence_home
wait_until 60 guests_are node2 0 || { rig list; fail "the guest was not ended"; }
note "ended"
wake_home
wait_ended 30 $job || { on node1 sojourn list; fail "the front does not end when home is back"; }
status=0
wait $job || status=$?
[ $status = 137 ] && grep -q "^sojourn: .*lost" "$work/gone.err" || { cat "$work/gone.err"; fail "status $status, without a sentence"; }
echo "ok - frozen, went on, ended"
