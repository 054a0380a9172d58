#!/bin/bash
# coherence.sh - what a job sees of changes at home, locks between them, and random operations
. "$(dirname "$0")/lib.sh"
requires python3

for cache in through none writeback; do
    empty_home
    served --cache $cache -- python3 "$here/coherence.py" "$work/home" "$job" $cache >"$work/log" ||
        { grep '^not ok' "$work/log"; fail "cache=$cache"; }
    for seed in 1 2; do
        served --cache $cache -- "$build/files-churn" "$job/c" "$work/home/c" $seed 150 map >/dev/null ||
            fail "cache=$cache: random operations, seed $seed"
    done
done
empty_home
served -- "$build/files-churn" "$job/c" "$work/home/c" 3 300 >/dev/null || fail "random operations"
echo "ok"
