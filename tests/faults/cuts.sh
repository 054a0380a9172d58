#!/bin/bash
# cuts - connections between the nodes are broken all the time while a job moves, then nothing goes through for a while
. "$(dirname "$0")/lib.sh"
requires python3
MOVES=${MOVES:-20}
proxy_up 3
fault_rig 3 --address "$proxied"

where() { job_field node1 walker node; }
alone() { local node; node=$(where) && guests_are "$node" 1 && guests_sum_is 1; }

start_steady walker 100000
moved=0
for try in $(seq "$MOVES"); do
    case $(where) in node2) to=node3 ;; node3) to=node1 ;; *) to=node2 ;; esac
    on node1 sojourn migrate walker $to >"$work/migrate.log" 2>&1 & mover=$!
    while pause_ms $((RANDOM % 300)); kill -0 $mover 2>/dev/null; do tell cut $((1 + RANDOM % 3)); pause_ms 1500; done
    if wait $mover; then
        moved=$((moved + 1))
    else
        grep -q '^sojourn: .' "$work/migrate.log" || fail "a migration failed without a sentence"
    fi
    goes_on walker 30 || { on node1 sojourn list; fail "after try $try to $to the job does not go on: $(cat "$work/migrate.log")"; }
    wait_until 20 alone || { rig list; fail "after try $try there are copies beside the one on $(where)"; }
done
note "$moved of $MOVES migrations succeeded"

note "nothing goes through"
[ "$(where)" = node1 ] || wait_until 60 on node1 sojourn home walker || fail "it does not come home"
tell block
! on node1 sojourn migrate walker node2 >"$work/migrate.log" 2>&1 || fail "it went away although nothing goes through"
grep -q '^sojourn: .*node2' "$work/migrate.log" || { cat "$work/migrate.log"; fail "there is no sentence about it"; }
note "$(cat "$work/migrate.log")"
goes_on walker 10 || fail "the job does not go on"
tell unblock
wait_until 30 on node1 sojourn migrate walker node2 || fail "it cannot go although all goes through again"
goes_on walker 10 || fail "the job does not go on at node2"
on node1 sojourn kill -KILL walker || fail "it cannot be killed"
wait $job
seq "$(wc -l <"$work/walker.out")" | cmp - "$work/walker.out" || fail "its output is not exact"
seq "$(wc -l <"$work/walker.lines")" | cmp - "$work/walker.lines" || fail "its file is not exact"
wait_until 10 guests_sum_is 0 || { rig list; fail "guests are left over"; }
echo "ok - $moved of $MOVES migrations succeeded, nothing lost"
