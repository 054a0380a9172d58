#!/bin/bash
# control - a C program and a shell script move themselves through /proc/PID, and see why they cannot
. "$(dirname "$0")/../lib.sh"
[ -x "$build/wanderer" ] || skip "wanderer is not built (make check builds it)"
rig_up 4
cp "$build/wanderer" "$work/" && chmod 755 "$work/wanderer"

on node1 timeout 120 sojourn run --name wanderer --avoid node4 -- ./wanderer node1 node4 node2 node3 >"$work/out" 2>"$work/err" </dev/null ||
    { tail -n 5 "$work/out"; cat "$work/err"; fail "the program that moves itself ended badly"; }
grep -q '^verdict ok, 7 moves$' "$work/out" || { cat "$work/out"; fail "no verdict"; }
sed 's/^/# /' "$work/out"

cat >"$work/script" <<'SCRIPT'
set -e
echo "$(cat /proc/$$/where) $(cat /proc/$$/nmigs) $(cat /proc/self/home)"
echo node2 >/proc/$$/goto
echo "$(cat /proc/$$/where) $(cat /proc/$$/nmigs)"
echo node3 >/proc/self/pms/where
echo "$(cat /proc/$$/pms/where) $(cat /proc/$$/nmigs)"
echo 1 >/proc/$$/lock
! echo node2 2>/dev/null >/proc/$$/goto || echo "it moved in spite of its lock"
sed 's/:.*//' /proc/$$/cantmove
echo 0 >/proc/$$/lock
echo home >/proc/$$/goto
echo "$(cat /proc/$$/where) $(cat /proc/$$/nmigs)"
SCRIPT
chmod 644 "$work/script"
on node1 timeout 120 sojourn run --name script sh script >"$work/said" 2>&1 </dev/null || { cat "$work/said"; fail "the script ended badly"; }
diff - "$work/said" <<'EXPECTED' || fail "the script says something else"
home 0 node1
node2 1
node3 2
locked
home 3
EXPECTED
note "a shell script, too"

# what it ordered is in its history as if a person had
on node1 sojourn run --name seen -- sh -c 'echo node2 >/proc/self/goto; read line' >/dev/null 2>&1 < <(sleep 30) &
wait_until 30 job_is_on node1 seen node2 || fail "the job has not gone to node2"
counted() { [ "$(job_field node1 seen migrations)" = 1 ]; } # when all is cleaned up, which is later than that it is there
wait_until 10 counted || fail "its migration was not counted"
on node1 sojourn kill -9 seen
echo "ok - control"
