#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# narrow.sh - run --root and --read-only: what the job sees and may change is less, also after a migration
. "$(dirname "$0")/../lib.sh"
rig_up 2
run() { on node1 timeout 60 sojourn run --home "$@" </dev/null; }

# A root of its own: a shell, two tools, their libraries; and ways that would lead out of it.
root=$work/root
mkdir -p "$root/bin" "$root/tmp" "$work/outside"
for tool in sh cat ls; do cp "$(command -v $tool)" "$root/bin/"; done
for library in $(ldd "$root"/bin/* | grep -o '/[^ ]*' | grep '\.so' | sort -u); do
    mkdir -p "$root$(dirname "$library")" && cp -L "$library" "$root$library"
done
echo secret >"$work/outside/file"
ln -s "$work/outside/file" "$root/absolute"
ln -s ../outside "$root/upwards"
ln "$work/outside/file" "$root/hard"
chmod -R a+rX "$work"; chmod 777 "$root/tmp" "$work/outside"; chmod 666 "$work/outside/file"

(cd "$root/tmp" && rig on node1 sojourn run --home --root "$root" -- /bin/sh -c 'pwd; ls /; ls /..; echo new >made; cat made') \
    >"$work/seen" 2>"$work/seen.err" </dev/null || { cat "$work/seen.err"; fail "a job does not run in a root of its own"; }
printf '%s\n' /tmp "$(ls "$root")" "$(ls "$root")" new | cmp - "$work/seen" || { cat "$work/seen"; fail "it does not see its root as /"; }
[ "$(cat "$root/tmp/made")" = new ] || fail "what it makes is not in its root"
for way in /absolute /upwards/file "$work/outside/file" /../outside/file /proc/1/root"$work"/outside/file; do
    (cd "$root" && rig on node1 sojourn run --home --root "$root" -- /bin/cat "$way") >"$work/leak" 2>&1 </dev/null &&
        { cat "$work/leak"; fail "$way leads out of the root"; }
done
[ "$(cd "$root" && rig on node1 sojourn run --home --root "$root" -- /bin/cat /hard </dev/null)" = secret ] || fail "a hard link is not in the root"
note "--root: nothing leads out of it"
(cd "$root" && rig on node1 sojourn run --root "$root/missing" -- /bin/sh) >"$work/said" 2>&1 </dev/null && fail "a missing root is taken"
grep -q "is not a folder" "$work/said" || { cat "$work/said"; fail "a missing root: no sentence"; }

# Read-only: no call changes anything, on this node or on the next.
cat >"$work/outside/change" <<'SCRIPT'
cd "$1" || exit 1
for change in 'echo x >new' 'echo x >>file' 'rm file' 'mv file other' 'mkdir d' 'ln file l' 'ln -s file s' 'chmod 600 file' \
    'touch file' 'truncate -s 0 file' 'mkfifo f'; do
    sh -c "$change" 2>/dev/null && echo "$change: done"
done
cat file
SCRIPT
chmod a+r "$work/outside/change"
touch -d 2020-02-02 "$work/outside/file"
before=$(stat -c '%n %s %Y %a %h' "$work"/outside/*)
[ "$(run --read-only -- sh "$work/outside/change" "$work/outside")" = secret ] || fail "--read-only: something could be changed"
on node1 sojourn run --home --read-only --name narrow -- sh -c "while ! [ -e $work/go ]; do sleep 0.2; done; sh $work/outside/change $work/outside" \
    >"$work/moved" 2>&1 </dev/null & job=$!
wait_until 30 job_runs node1 narrow || fail "the job does not run"
on node1 sojourn migrate narrow node2 >/dev/null || fail "it cannot be moved"
touch "$work/go"
wait $job || fail "the moved job has failed"
[ "$(cat "$work/moved")" = secret ] || { cat "$work/moved"; fail "--read-only: something could be changed after a migration"; }
[ "$(stat -c '%n %s %Y %a %h' "$work"/outside/*)" = "$before" ] || fail "--read-only: something was changed"
note "--read-only: nothing can be changed"
echo "ok - narrow"
