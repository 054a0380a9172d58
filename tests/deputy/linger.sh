#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# linger.sh - run --linger: the shell has the program's status at once, the job stays until its last process has ended
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"
rig_up 2

over() { ! job_runs node1 "$1"; }
status=0 began=$SECONDS
on node1 sojourn run --home --linger --name late -- \
    sh -c '(while [ ! -e go ]; do sleep 0.1; done; echo late) & echo early; exit 3' >"$work/out" 2>"$work/err" </dev/null || status=$?
[ $status = 3 ] || { cat "$work/err"; fail "the status was $status"; }
[ "$(cat "$work/out")" = early ] || fail "the output at the program's end is $(cat "$work/out")"
job_runs node1 late || fail "the job is over with its program"
pid=$(job_field node1 late pid)
wait_until 5 eval '[ "$(job_field node1 late pid)" != '"$pid"' ] || kill -0 '"$pid" || fail "the job's process number is nobody's"
note "status after $((SECONDS - began)) s, the job goes on"

on node1 sojourn migrate late node2 >"$work/moved" 2>&1 || { cat "$work/moved"; fail "it does not move"; }
job_is_on node1 late node2 || fail "it is not on node2"
natively touch go
wait_until 20 over late || fail "the job outlives its last process"
wait_until 5 grep -q late "$work/out" || fail "what was written later is lost: $(cat "$work/out")"
[ "$(tr '\n' ' ' <"$work/out")" = "early late " ] || fail "the output is $(cat "$work/out")"
note "its last process wrote from node2, and the job was over"

[ "$(on node1 sojourn run --home --linger -- sh -c '(sleep 1; echo late) & echo early' | tr '\n' ' ')" = "early late " ] ||
    fail "a pipe does not last as long as the job"

status=0
on node1 sojourn run --home --linger --name killed -- sh -c 'sleep 100 & kill -TERM $$' >"$work/killed" 2>&1 </dev/null || status=$?
[ $status = 143 ] || { cat "$work/killed"; fail "the status of a killed program was $status"; }
job_runs node1 killed || fail "the job of a killed program is over"
on node1 sojourn kill killed || fail "it cannot be killed"
wait_until 20 over killed || fail "it was killed and goes on"
note "kill reaches what is left"

/usr/bin/python3 -B - "$top/tests/deputy" "$top/scripts/rig" <<'END' || fail "at a terminal"
import sys
sys.path.insert(0, sys.argv[1])
import harness
shell = harness.Shell(sys.argv[2], "on", "node1", cwd="/tmp")
shell.type("sojourn run --home --linger sh -c '(sleep 4; echo la; echo te) & stty -echo; echo early; exit 5'; echo st=$?; stty echo\n")
shell.expect("\r\nearly\r\nst=5\r\n")
shell.expect("@@ ")
shell.type("echo $((40+2))\n")
shell.expect("\r\n42\r\n")
shell.expect("la\r\nte\r\n")
shell.type("read x; echo got $x\n")
shell.type("line\n")
shell.expect("\r\ngot line\r\n")
shell.close()
END
note "at a terminal: the shell goes on, and what is left writes there"
echo "ok - the job lingers, the shell does not"
