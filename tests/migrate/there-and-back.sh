#!/bin/bash
# there-and-back - a job that checks itself goes away and home, A to B to C without passing home, and loses nothing
. "$(dirname "$0")/../lib.sh"
rig_up 3
cp "$build/steady" "$work/"
head -c 300000 /dev/urandom >"$work/input"
chmod 755 "$work/steady"; chmod 644 "$work/input"

on node1 sojourn run --name walker -- ./steady 1500 16 ./lines ./input >"$work/out" 2>"$work/err" & job=$!
wait_until 20 job_runs node1 walker || { cat "$work/err"; fail "the job did not start"; }
wait_until 20 test -s "$work/out" || fail "the job printed nothing"
for node in node2 node3 node2 home; do
    on node1 sojourn migrate walker "$node" || fail "it could not go to $node"
    job_is_on node1 walker "${node/home/node1}" || fail "it is not on $node"
done
wait $job || { cat "$work/err"; tail -n 20 /tmp/sojourn-rig-*/n*/log/sojournd.log; fail "the job ended badly"; }
(seq 1500; echo "verdict ok") | cmp - "$work/out" || fail "its output is not exact"
seq 1500 | cmp - "$work/lines" || fail "its file is not exact"
echo "ok - moved four times, nothing lost"
