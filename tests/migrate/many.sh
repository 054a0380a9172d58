#!/bin/bash
# many - migrations in a row of a job that checks its memory, writes numbered lines and reads a file: nothing lost
#
# MOVES (default 40) migrations; MOVES=200 is the long form.
. "$(dirname "$0")/../lib.sh"
moves=${MOVES:-40}
rig_up 3
cp "$build/steady" "$work/" && chmod 755 "$work/steady"
head -c 300000 /dev/urandom >"$work/input" && chmod 644 "$work/input"

# lines enough for all moves; it is told to stop by the number of lines, so the count is generous
on node1 sojourn run --name many -- ./steady "$((moves * 100 + 500))" 64 ./lines ./input >"$work/out" 2>"$work/err" & job=$!
wait_until 30 test -s "$work/out" || fail "the job did not start: $(cat "$work/err")"
nodes=(node2 node3 node1)
for ((i = 0; i < moves; i++)); do
    on node1 sojourn migrate many "${nodes[i % 3]}" >>"$work/moves" ||
        { tail -n 5 "$work/moves"; tail -n 20 "$work/err"; fail "migration $((i + 1)) of $moves"; }
done
awk '{ for (i = 1; i < NF; i++) if ($i == "still") print $(i + 2) }' "$work/moves" | sort -n |
    awk '{ v[NR] = $1 } END { printf "# standing still: median %d ms, worst %d ms\n", v[int((NR + 1) / 2)], v[NR] }'
wait $job || { tail -n 3 "$work/out"; cat "$work/err"; fail "the job ended badly"; }
(seq "$((moves * 100 + 500))"; echo "verdict ok") | cmp - "$work/out" || fail "its output is not exact"
seq "$((moves * 100 + 500))" | cmp - "$work/lines" || fail "its file is not exact"
echo "ok - $moves migrations in a row"
