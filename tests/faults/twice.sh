#!/bin/bash
# twice - two orders to move the same job at once: one wins and the other is told; six jobs move at once
. "$(dirname "$0")/lib.sh"
[ -x /usr/bin/python3 ] || skip "python3 is not installed"
fault_rig 3
cp "$top/tests/faults/orders.py" "$work/" && chmod 644 "$work/orders.py"

start_steady pair 100000
pair=$job
for round in 1 2 3; do
    others=$(printf 'node%d\n' 1 2 3 | grep -vx "$(job_field node1 pair node)")
    on node1 /usr/bin/python3 "$work/orders.py" pair $others >"$work/answers" || { cat "$work/answers"; fail "the orders were not answered"; }
    won=$(awk '$2 == "moved" { print $1 }' "$work/answers")
    [ "$(echo $won | wc -w)" = 1 ] || { cat "$work/answers"; fail "of two orders at once not exactly one moved the job"; }
    grep refused: "$work/answers" | grep -qE "being migrated|under way" ||
        { cat "$work/answers"; fail "the loser is not told that a migration is under way"; }
    job_is_on node1 pair "$won" || fail "it is not on $won"
    goes_on pair 10 || fail "it does not go on"
done
on node1 sojourn kill -KILL pair || fail "it cannot be killed"
wait $pair
seq "$(wc -l <"$work/pair.out")" | cmp - "$work/pair.out" || fail "its output is not exact"

note "six at once"
pids=() jobs=()
for i in 1 2 3 4 5 6; do start_steady job$i 1200; jobs[i]=$job; done
for round in 2 3; do
    for i in 1 2 3 4 5 6; do
        on node1 sojourn migrate job$i node$((i % 2 ? round : 5 - round)) >"$work/job$i.log" 2>&1 & pids[i]=$!
    done
    for i in 1 2 3 4 5 6; do wait "${pids[i]}" || { cat "$work/job$i.log"; fail "job$i could not go"; }; done
done
guests_are node1 0 && guests_are node2 3 && guests_are node3 3 || { rig list; fail "the guests are not where they should be"; }
for i in 1 2 3 4 5 6; do end_steady job$i 1200 "${jobs[i]}"; done
wait_until 10 guests_sum_is 0 || { rig list; fail "guests are left over"; }
echo "ok - one wins, the other is told; six move at once"
