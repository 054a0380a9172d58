#!/bin/bash
# twice - two orders to move the same job at once: one wins and the other is told; six jobs move at once
. "$(dirname "$0")/lib.sh"
fault_rig 3

start_steady pair 100000
pair=$job
for round in 1 2 3; do
    others="node2 node3"
    [ $round = 1 ] || others="node1 $([ "$(job_field node1 pair node)" = node2 ] && echo node3 || echo node2)"
    # from one shell: two that are started apart could come one after the other
    on node1 sh -c 'sojourn migrate pair "$1" >"to-$1.log" 2>&1 & one=$!
        sojourn migrate pair "$2" >"to-$2.log" 2>&1 & two=$!
        wait $one; echo $? >"to-$1.status"; wait $two; echo $? >"to-$2.status"' sh $others
    won=
    for node in $others; do
        if [ "$(cat "$work/to-$node.status")" = 0 ]; then
            [ -z "$won" ] || { cat "$work"/to-*.log; on node1 sojourn show pair; fail "both orders say that they moved the job, to $won and $node"; }
            won=$node
        else
            grep -qE "being migrated|under way" "$work/to-$node.log" ||
                { cat "$work/to-$node.log"; fail "the loser is not told that a migration is under way"; }
        fi
    done
    [ -n "$won" ] || { cat "$work"/to-*.log; fail "neither order moved the job"; }
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
