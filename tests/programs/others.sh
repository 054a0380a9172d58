#!/bin/bash
# others - what others do at home to a file's ACL is seen in a job as with attributes, within a second or so; locks are POSIX locks
. "$(dirname "$0")/../lib.sh"
rig_up 1
mkdir "$work/shared" && chmod 777 "$work/shared"
cat >"$work/watch.py" <<'SCRIPT'
import fcntl, os, sys, time

ACL = 'system.posix_acl_access'

def acl(path):
    try:
        return len(os.getxattr(path, ACL))
    except OSError as error:
        return error.strerror

# the attributes are asked for all the time, so that they are always young
def until(condition, text):
    end = time.monotonic() + 20
    while not condition():
        os.stat('shared/file')
        if time.monotonic() > end:
            sys.exit(f'never: {text}')
        time.sleep(0.05)

def say(text):
    print(text, flush=True)

say(f'at first: {acl("shared/file")}')
begin = time.monotonic()
until(lambda: acl('shared/file') == 44, 'an ACL that is set at home')
say('set at home: seen')
until(lambda: acl('shared/file') == 'No data available', 'an ACL that is taken away at home')
say('taken away at home: seen')
os.setxattr('shared/file', 'user.note', b'mine')
say(f'set here: {os.getxattr("shared/file", "user.note").decode()}')

# a lock is dropped when any descriptor of the file is closed, also one that was opened before the lock was made
one, two = os.open('shared/lock', os.O_RDWR), os.open('shared/lock', os.O_RDONLY)
fcntl.lockf(one, fcntl.LOCK_EX)
say('locked')
until(lambda: os.path.exists('shared/close'), 'close')
os.close(two)
say('closed')
until(lambda: os.path.exists('shared/end'), 'end')
SCRIPT
cat >"$work/locked.py" <<'SCRIPT'
import fcntl
try:
    fcntl.lockf(open('shared/lock', 'r+'), fcntl.LOCK_EX | fcntl.LOCK_NB)
    print('free')
except OSError:
    print('held')
SCRIPT
chmod 644 "$work"/*.py
: >"$work/shared/file"; : >"$work/shared/lock"; chmod 666 "$work/shared/file" "$work/shared/lock"
# user::rw- user:1:r-- group::rw- mask::rw- other::r--
natively python3 -c 'import os; os.setxattr("shared/lock", "user.try", b"x")' 2>/dev/null || skip "no extended attributes here"
chown "$job_user" "$work/shared/file"
acl_set='import os, struct; os.setxattr("shared/file", "system.posix_acl_access", struct.pack("<I" + "HHI" * 5, 2, 1, 6, 2**32-1, 2, 4, 1, 4, 6, 2**32-1, 16, 6, 2**32-1, 32, 4, 2**32-1))'

on node1 timeout 60 sojourn run -- python3 watch.py >"$work/out" 2>"$work/err" </dev/null & job=$!
wait_until 30 grep -q 'at first: No data available' "$work/out" || { cat "$work/out" "$work/err"; fail "the job does not begin"; }
sleep 0.5
natively python3 -c "$acl_set" || skip "no ACLs here"
wait_until 3 grep -q 'set at home: seen' "$work/out" || { cat "$work/out" "$work/err"; fail "the ACL is not seen in 3 s"; }
sleep 0.5
natively python3 -c 'import os; os.removexattr("shared/file", "system.posix_acl_access")'
wait_until 3 grep -q 'taken away at home: seen' "$work/out" || fail "that it is gone is not seen in 3 s"
wait_until 5 grep -q '^locked' "$work/out" || { cat "$work/err"; fail "no lock"; }
[ "$(natively python3 locked.py)" = held ] || fail "the job's lock is not one at home"
: >"$work/shared/close"
wait_until 5 grep -q '^closed' "$work/out" || fail "not closed"
[ "$(natively python3 locked.py)" = free ] || fail "the lock has survived the closing of another descriptor"
: >"$work/shared/end"
wait $job || { cat "$work/err"; fail "the job ended badly"; }
echo "ok - others"
