#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# procfs.sh - openMosix's files in a folder, on two nodes: what they say, what writing to them does, and for whom
. "$(dirname "$0")/../lib.sh"
requires fusermount3
[ -w /dev/fuse ] || skip "/dev/fuse cannot be opened"
if [ "$(id -u)" = 0 ] && [ "$(stat -c %a /dev/fuse)" != 666 ]; then
    at_exit "chmod $(stat -c %a /dev/fuse) /dev/fuse"
    chmod 666 /dev/fuse # as udev has it
fi
rig_up 2

dir=$work/proc
on node1 mkdir "$dir"
at_exit 'fusermount3 -u -z "$dir" 2>/dev/null'
on node1 sojourn procfs "$dir" >"$work/mount.log" 2>&1 </dev/null || fail "it is not mounted: $(cat "$work/mount.log")"
file() { on node1 cat "$dir/$1" 2>&1 || true; }
is() { [ "$2" = "$3" ] || fail "$1 says \"$2\", not \"$3\""; }
says() { is "$1" "$(file "$1")" "$2"; }
# write FILE TEXT [WORD]: with an error of that kind
write() {
    local err
    err=$(on node1 bash -c 'echo "$2" >"$1"' - "$dir/$1" "$2" 2>&1) && { [ $# = 2 ] || fail "$2 could be written to $1"; return; }
    [ $# = 3 ] || fail "$2 cannot be written to $1: $err"
    case $err in *"$3") ;; *) fail "$2 to $1: $err, not $3" ;; esac
}

# nodes
one=$(on node1 cat "$dir/hpc/admin/mospe")
two=$((one + 1))
is hpc/nodes "$(on node1 ls "$dir/hpc/nodes" | sort -n | tr '\n' ' ')" "$one $two "
is hpc "$(on node1 ls "$dir" "$dir/hpc" | tr '\n' ' ')" "$dir: hpc  $dir/hpc: admin nodes remote "
[ $(($(file "hpc/nodes/$two/status") & 2)) = 2 ] || fail "the second node is not up: $(file "hpc/nodes/$two/status")"
says "hpc/nodes/node2/cpus" "$(file "hpc/nodes/$two/cpus")"
says "hpc/nodes/$two/speed" 10000
[ "$(file "hpc/nodes/$two/mem")" -le "$(file "hpc/nodes/$two/tmem")" ] || fail "more is free than there is"
says hpc/nodes/9/load "cat: $dir/hpc/nodes/9/load: No such file or directory"

# a job
id=$(on node1 sojourn run --detach --name walker sh -c 'i=0; while :; do i=$((i + 1)); sleep 0.1; done')
at_exit 'on node1 sojourn kill -KILL walker >/dev/null 2>&1'
pid=$(job_field node1 walker pid)
is "the folder" "$(on node1 ls "$dir" | tr '\n' ' ')" "$pid hpc "
says "$pid/where" 0
says "$pid/home" "$one"
write "$pid/goto" "$two"
job_is_on node1 walker node2 || fail "the write returned, and the job is not there"
says "$pid/where" "$two"
says "$pid/nmigs" 1
write "$pid/lock" 1
says "$pid/lock" 1
write "$pid/migrate" "$one"     # home is always open to it
says "$pid/where" 0
write "$pid/goto" "$two" "Device or resource busy"
says "$pid/cantmove" "locked: the job is locked to node1"
write "$pid/lock" 0
write "$pid/lock" 2 "Invalid argument"
write "$pid/goto" nowhere "Invalid argument"
write "$pid/where" "$two" "Permission denied"
write "$pid/nothing" 1 "Permission denied"
write hpc/admin/stay 1 "Operation not permitted"
note "a user: nodes, a job that moves and comes home, errors"

# a signal ends the wait, not the move
on node1 timeout -s INT 0.3 bash -c 'echo "$2" >"$1"' - "$dir/$pid/goto" "$two" 2>/dev/null || true
wait_until 30 job_is_on node1 walker node2 || fail "the move was not completed"
on node1 fusermount3 -u "$dir" || fail "it cannot be unmounted"
server_ended() { ! pgrep -f "procfs $dir" >/dev/null; }
wait_until 10 server_ended || fail "its server goes on"

if [ "$(id -u)" = 0 ]; then
    # for all, by root: each with the own rights
    all=$work/all
    mkdir "$all"
    at_exit 'fusermount3 -u -z "$all" 2>/dev/null'
    SOJOURN_SOCKET=$rig_base/n1/control "$build/sojourn" procfs --foreground --allow-other "$all" >"$work/all.log" 2>&1 </dev/null &
    server=$!
    wait_until 10 test -d "$all/hpc" || fail "not mounted for all: $(cat "$work/all.log")"
    dir=$all
    write "$pid/lock" 1
    write hpc/admin/stay 1 "Operation not permitted"
    is "another's folder" "$(setpriv --reuid 65533 --regid 65533 --clear-groups ls "$all")" hpc
    setpriv --reuid 65533 --regid 65533 --clear-groups cat "$all/$pid/lock" 2>/dev/null && fail "another user sees the job"
    # a descriptor is worth what its opener may, whoever writes to it; and the other way round
    python3 - "$all/hpc/admin/stay" "$(id -u visitor)" <<'PROGRAM' || fail "a descriptor is worth more than its opener"
import errno, os, sys
os.seteuid(int(sys.argv[2]))
theirs = os.open(sys.argv[1], os.O_WRONLY)
os.seteuid(0)
try:
    os.write(theirs, b"1")
    sys.exit("root has written by a descriptor of a user's")
except PermissionError as e:
    assert e.errno == errno.EPERM, e
roots = os.open(sys.argv[1], os.O_WRONLY)
os.seteuid(int(sys.argv[2]))
os.write(roots, b"1")
PROGRAM
    is stay "$(cat "$all/hpc/admin/stay")" 1
    echo 0 >"$all/hpc/admin/stay"
    echo 1 >"$all/hpc/admin/block"
    is block "$(on node1 sojourn nodes --json | python3 -c 'import json,sys; print(json.load(sys.stdin)[0]["state"])')" blocked
    echo 0 >"$all/hpc/admin/block"
    echo 7000 >"$all/hpc/admin/speed"
    is speed "$(cat "$all/hpc/nodes/$one/speed")" 7000
    echo 0 >"$all/$pid/lock"
    echo 1 >"$all/hpc/admin/bring" || fail "bring failed"
    job_is_on node1 walker node1 || fail "bring returned, and the job is not at home"
    is lstay "$(cat "$all/hpc/admin/lstay")" 1
    echo 0 >"$all/hpc/admin/bring"
    kill $server
    wait $server || fail "its end was no good one: $(cat "$work/all.log")"
    ! mountpoint -q "$all" || fail "it ended and left a mount behind"
    note "root: for all, each with the own rights; orders to the node"
fi
err=$(on node1 sojourn procfs "$work/nowhere" 2>&1) && fail "mounted on nothing"
is "no folder" "$err" "sojourn: $work/nowhere: No such file or directory"
echo "ok - procfs"
