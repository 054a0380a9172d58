#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# memory - a job whose memory grows and grows: first the small one beside it leaves, then it does, before the node is short
. "$(dirname "$0")/../lib.sh"
requires python3
rig_up 2 --cpus 4 --memory 800M,4G --memory-reserve 15 --balance on
j() { on node1 timeout 60 sojourn "$@"; }
least() { # the least free memory that node1 has had, in MiB
    local free
    while :; do
        free=$(on node1 sojourn node --json | python3 -c "import json,sys; print(json.load(sys.stdin)['memory_free_bytes'] >> 20)") && echo "$free"
        sleep 0.3
    done
}
cat >"$work/hog.py" <<'SCRIPT'
import hashlib, time
block = bytes(range(256)) * 4096
kept = []
for i in range(620):            # MiB, at some 40 a second
    kept.append(bytes([i % 251]) + block[1:])
    time.sleep(0.025)
    print(i, flush=True)
while True:
    print(hashlib.sha256(b"".join(kept[::40])).hexdigest(), flush=True)
    time.sleep(0.5)
SCRIPT
chmod 644 "$work/hog.py"
j run --home --detach --name small -- sleep 1000 </dev/null >/dev/null || fail small
least >"$work/least" & watcher=$!
at_exit "kill $watcher 2>/dev/null"
on node1 sojourn run --home --memory 1G --name hog -- python3 hog.py </dev/null >"$work/out" 2>"$work/err" & job=$!
wait_until 30 job_is_on node1 hog node1 || fail "the hog did not start: $(cat "$work/err")"
wait_until 90 job_is_on node1 hog node2 || fail "it has not left: $(j list) $(on node1 sojourn node) $(tail -n 1 "$work/out")"
kill $watcher
wait_until 60 grep -qE '^[0-9a-f]{64}$' "$work/out" || fail "it does not go on: $(tail -n 2 "$work/out")"
sleep 2
[ "$(grep -cE '^[0-9a-f]{64}$' "$work/out")" -ge 2 ] && [ "$(grep -E '^[0-9a-f]{64}$' "$work/out" | sort -u | wc -l)" = 1 ] || fail "its memory is not what it was"
[ "$(job_field node1 small migrations)" -le 1 ] || fail "the small job is sent about"
free=$(sort -n "$work/least" | head -n 1)
note "node1 had never less than $free of 800 MiB free; $(job_field node1 hog migrations) move"
[ "$free" -gt 0 ] || fail "it left too late"
j kill -9 hog; wait $job
echo "ok - memory is made free before it is short"
