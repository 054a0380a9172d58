#!/bin/bash
# bad-input - whatever is asked wrongly is answered by a sentence that says what and what to do, and the job is unharmed
. "$(dirname "$0")/lib.sh"
cp -rL "${SOJOURN_IMAGES:-$build/images}" "$work/other-images"
fault_rig 3

# says STATUS PATTERN COMMAND...: it must end with this status and say something on stderr that fits, and nothing else.
says() {
    local wanted=$1 pattern=$2 status=0; shift 2
    on node1 timeout 60 "$@" >"$work/said.out" 2>"$work/said.err" </dev/null || status=$?
    [ $status = "$wanted" ] || { cat "$work/said.err"; fail "\"$*\" ended with status $status, not $wanted"; }
    grep -qE "$pattern" "$work/said.err" || { cat "$work/said.err"; fail "\"$*\" does not say /$pattern/"; }
    [ "$(grep -c . "$work/said.err")" -le 3 ] || { cat "$work/said.err"; fail "\"$*\" says too much"; }
}

start_steady walker 100000
steady=$job

note "names"
for command in "show nobody" "wait nobody" "kill nobody" "migrate nobody node2" "home nobody" "lock nobody" "unlock nobody" "why nobody node2"; do
    says 1 'no job "nobody".*sojourn list' sojourn $command
done
says 1 'no node (mars|"mars"|'"'mars'"').*sojourn nodes' sojourn migrate walker mars
says 1 'no node .?mars.*sojourn nodes' sojourn run --on mars -- true
says 1 'no node .?mars' sojourn node mars
says 1 'have a job named "walker" already' sojourn run --name walker -- true
says 0 'on node1 already' sh -c 'sojourn migrate walker node1 >&2'

note "words"
says 2 '.' sojourn migrate
says 2 '.' sojourn migrate walker
says 2 '.' sojourn frobnicate
says 2 '.' sojourn run --frobnicate -- true
says 2 '.' sojourn run
says 2 'is no size' sojourn run --memory lots -- true
says 2 '.' sojourn run --cpus none -- true
says 2 '.' sojourn run --arch vax -- true
says 2 '.' sojourn run --memory 1K -- true
says 2 '.' sojourn kill -FROB walker

note "programs"
says 127 'no-such-program.*not found' sojourn run -- no-such-program
says 127 '.' sojourn run -- ./no-such-program
says 126 'input' sojourn run -- ./input
says 126 '.' sojourn run -- /tmp

note "locked"
on node1 sojourn lock walker >/dev/null || fail "it cannot be locked"
says 1 'locked.*unlock' sojourn migrate walker node2
on node1 sojourn unlock walker >/dev/null || fail "it cannot be unlocked"

if [ "$(id -u)" = 0 ]; then
    note "other users"
    id sojourn-stranger >/dev/null 2>&1 || at_exit "userdel -r sojourn-stranger 2>/dev/null"
    rig on node1 -u sojourn-stranger sojourn show walker >"$work/said.out" 2>"$work/said.err" && fail "another user sees the job"
    grep -q 'no job "walker" of yours' "$work/said.err" || { cat "$work/said.err"; fail "another user is not told that it is not theirs"; }
    rig on node1 -u sojourn-stranger sojourn kill walker >"$work/said.out" 2>"$work/said.err" && fail "another user can kill the job"
    [ ! -s "$work/said.out" ] || fail "another user is told something"
fi

if [ "$(id -u)" = 0 ]; then
    note "root's"
    rig on node1 -u root sh -c "cd $work && sojourn run --name mighty -- sleep 1000" >"$work/mighty.log" 2>&1 & mighty=$!
    wait_until 20 rig on node1 -u root sh -c 'sojourn list | grep mighty | grep -q running' || { cat "$work/mighty.log"; fail "root's job does not start"; }
    rig on node1 -u root sojourn migrate mighty node2 >"$work/said.out" 2>"$work/said.err" && fail "root's job went away from home"
    grep -q -- '--trust-nodes' "$work/said.err" || { cat "$work/said.err"; fail "it does not say what to do about root's job"; }
    rig on node1 -u root sojourn cluster init --name other >"$work/said.out" 2>"$work/said.err" && fail "a node with jobs has another name"
    grep -q 'jobs at home here know this node as node1; end them' "$work/said.err" || { cat "$work/said.err"; fail "it does not say why the name must stay"; }
    rig on node1 -u root sojourn kill -KILL mighty || fail "root's job cannot be killed"
    wait $mighty
fi

note "a node that is down"
rig kill node3
wait_until 15 on node1 sh -c 'sojourn nodes | grep node3 | grep -q failed' || { on node1 sojourn nodes; fail "node3 is not seen to be down"; }
says 1 'node3 does not answer.*(another node|start)' sojourn migrate walker node3
says 1 'node3 does not answer' sojourn run --on node3 -- true

note "a node with another image"
printf 'another' >>"$work/other-images/x86_64/initramfs.cpio"
if [ -f "$work/other-images/x86_64/digest" ]; then sed -i 's/^..../0000/' "$work/other-images/x86_64/digest"; fi
chmod -R a+rX "$work/other-images"
SOJOURN_IMAGES=$work/other-images rig start node3 >/dev/null 2>&1 || fail "node3 does not start again"
wait_until 20 sees node1 3 || fail "node3 is not seen"
says 1 'node3 has another guest image.*same version' sojourn migrate walker node3
on node1 sojourn why walker node3 | grep -q 'another guest image' || fail "why does not say that the image is another"

note "a full disk at home"
if [ "$(id -u)" = 0 ]; then
    mkdir "$work/small"
    mount -t tmpfs -o size=256k,mode=1777 tmpfs "$work/small" || fail "cannot mount a small file system"
    at_exit "umount $work/small"
    says 1 'No space left on device' sojourn run -- dd if=/dev/zero of=small/file bs=64k count=64 status=none
    on node1 sojourn run -- python3 -c '
import errno, os
fd = os.open("small/other", os.O_WRONLY | os.O_CREAT)
try:
    for i in range(64): os.write(fd, b"x" * 16384)
except OSError as e:
    print(errno.errorcode[e.errno])' >"$work/said.out" 2>&1
    grep -qx ENOSPC "$work/said.out" || { cat "$work/said.out"; fail "ENOSPC does not reach the program"; }
fi

note "the job is unharmed"
goes_on walker 10 || fail "the job does not go on"
on node1 sojourn migrate walker node2 >/dev/null || fail "the job cannot be moved any more"
goes_on walker 10 || fail "the job does not go on at node2"
on node1 sojourn kill -TERM walker || fail "it cannot be killed"
status=0
wait $steady || status=$?
[ $status = 143 ] || fail "killed by SIGTERM its front ends with status $status"
seq "$(wc -l <"$work/walker.out")" | cmp - "$work/walker.out" || fail "its output is not exact"
echo "ok - each was answered by a sentence"
