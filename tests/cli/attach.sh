#!/bin/bash
# attach - the output of a detached job is kept, bounded, and shown to its end, also while the job moves
. "$(dirname "$0")/../lib.sh"
rig_up 2

# standard error of a test is a file, and what goes to a file is not kept
run() { on node1 sojourn run "$@" 2>/dev/null; }
id=$(run --detach -- sh -c 'for i in $(seq 30); do echo "line $i"; echo "error $i" >&2; sleep 0.1; done; exit 5') ||
    fail "it does not start"
on node1 sojourn attach "$id" >"$work/live" & attached=$!
wait_until 20 test -s "$work/live" || fail "attach shows nothing of a job that runs"
on node1 sojourn migrate "$id" node2 >/dev/null || fail "it does not move"
status=0; wait $attached || status=$?
[ $status = 5 ] || fail "attach ended with $status, not as the job did"
for i in $(seq 30); do echo "line $i"; echo "error $i"; done >"$work/wanted"
cmp "$work/wanted" "$work/live" || fail "what attach showed is not what the job wrote"

note "what was kept is bounded, and its end is there"
id=$(run --detach --name much -- sh -c 'sleep 1; seq 3000000; echo last') || fail "it does not start"
on node1 sojourn attach much >"$work/late"
on node1 sojourn wait "$id" >/dev/null 2>&1
[ "$(tail -n 1 "$work/late")" = last ] || fail "the last line is missing"
kept=$(on node1 sh -c 'cd "${XDG_STATE_HOME:-$HOME/.local/state}/sojourn/output" && du -bc '"$id"'* | tail -n 1 | cut -f1')
[ "$kept" -gt 4000000 ] && [ "$kept" -le $((8 << 20)) ] || fail "$kept bytes are kept"

note "other jobs, no jobs, and output to a file"
on node1 sojourn attach nobody >"$work/err" 2>&1 && fail "a job that is not there is attached to"
id=$(run --detach -- sh -c 'echo to-file; echo kept >&2; sleep 3') || fail "it does not start"
[ "$(on node1 sojourn attach "$id")" = "to-file
kept" ] || fail "attach shows something else"
run --name plain -- sleep 5 & plain=$!
wait_until 20 job_runs node1 plain
on node1 sojourn attach plain 2>"$work/err" && fail "a job that was not detached is attached to"
grep -q 'not started with --detach' "$work/err" || fail "no reason is given: $(cat "$work/err")"
kill $plain; wait $plain
echo "ok"
