#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# agent.sh - what the agent does for a program, in a bare QEMU without controllers: streams, status, identity, signals,
# terminal, files, the end of a job; and the same with a link that breaks all the time
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"

image=$build/images/x86_64
home=$build/tests/agent/home
[ -f "$image/digest" ] || skip "the guest image is not built (scripts/guest)"
[ -x "$home" ] || skip "$home is not built (make check)"
requires qemu-system-x86_64 python3
cd "$work"

# job [OPTION]... PROGRAM [ARG]...: standard error is that of the program and, for what is not it, console.
job() {
    timeout 100 "$home" --image "$image" --append acpi=off "$@" 2>stderr
    local status=$?
    grep -vE '^(PCI|ACPI|reboot|home|sojourn)' stderr >program.err
    return $status
}
says() { grep -q -- "$1" stderr || { cat stderr; fail "$2"; }; }
is() { [ "$1" = "$2" ] || { cat stderr; fail "$3: '$1', not '$2'"; }; }

# Streams and status
printf 'one\ntwo\n' >in
out=$(job sh -c 'cat; echo err >&2; exit 7' <in); is $? 7 "status"
is "$out" "$(cat in)" "standard output"
is "$(cat program.err)" err "standard error"
head -c 5000000 /dev/urandom >big
is "$(job cat <big | sha256sum)" "$(sha256sum <big)" "5 MB there and back"
is "$(job --break 10 cat <big | sha256sum)" "$(sha256sum <big)" "5 MB there and back over a breaking link"
says 'home: [1-9]' "the link was never broken"
is "$(job --away 500 sh -c 'sleep 1.2; cat' <big | sha256sum)" "$(sha256sum <big)" "5 MB there and back, home away"
is "$(job --merged --null sh -c 'for i in 1 2 3; do echo o$i; echo e$i >&2; done')" "$(printf 'o1\ne1\no2\ne2\no3\ne3')" "order"
is "$(job yes | head -n 2)" "$(printf 'y\ny')" "a reader that goes away"
yes | job head -n 1 >out
is "$(cat out)" y "a program that reads no more"
is "$(job --null sh -c 'exec >&-; echo lost; cat; true')" "" "closed output"
note "streams"

# What cannot be started
job --null no-such-program; is $? 127 "not found"
job --null /etc/passwd; is $? 126 "not executable"
job --null --directory /no/such/folder true; says 'working directory' "a missing folder"
job --null --image "$image" --trial; says 'trial passed' "the trial"
note "failures"

# Identity
read -r pid ppid pgid sid < <(job --null sh -c 'ps -o pid=,ppid=,pgid=,sid= $$')
homes=$(ps -o sid= $$ | tr -d ' ')
[ "$homes" = 0 ] || is "$sid" "$homes" "session" # 0: the leader is outside of this PID namespace
[ "$pid" -gt 2 ] && [ "$ppid" -gt 2 ] && [ "$pgid" -gt 2 ] || fail "numbers $pid $ppid $pgid"
is "$(cd / && umask 027 && FOO='a b' job --null --directory "$work" sh -c 'pwd; umask; echo $FOO; id -u; hostname; ulimit -n')" \
    "$work
0027
a b
$(id -u)
$(hostname)
$(ulimit -n)" "what is inherited"
is "$(job --null sh -c 'cat /proc/self/oom_score_adj; echo x >/dev/null; test -w /dev/shm && ls /dev/fd/0')" "0
/dev/fd/0" "devices"
note "identity"

# Signals
job --null sh -c 'kill -TERM $$'; is $? 143 "killed by itself"
job --null --signal 15@300 sleep 20; is $? 143 "SIGTERM"
is "$(job --null --signal 10@1500 sh -c 'trap "echo usr1; exit 3" USR1; while :; do sleep 0.1; done')" usr1 "SIGUSR1"
job --null --signal 2@1000g sh -c 'sleep 20; echo no'; is $? 130 "SIGINT to the group"
job --null --signal 20@300 --signal 0@900 sleep 1; is $? 0 "stopped and continued"
says 'stopped by 20' "not stopped"; says continued "not continued"
note "signals"

# The end of a job
began=$SECONDS
is "$(job --null sh -c 'sleep 60 & echo bye')" bye "what is left behind is ended"
is "$(job --null sh -c '(trap "" TERM; sleep 60) & echo bye')" bye "and killed"
[ $((SECONDS - began)) -lt 30 ] || fail "ending took $((SECONDS - began)) s"
is "$(job --null --linger sh -c '(sleep 1; echo late) & echo first')" "first
late" "lingering"
job --null --end true; is $? 0 "power off"
says Restarting "the guest did not power itself off"
note "the end"

# Terminal
terminal=$(printf 'tty; stty size; stty -echo; exit 4\n' | job --terminal sh -i); is $? 4 "shell on a terminal"
case $terminal in *"/dev/pts/0"*"24 80"*) ;; *) fail "terminal: $terminal" ;; esac
says 'home: modes' "changed modes were not told"
(sleep 1.5; printf '\003'; sleep 1) | job --terminal sleep 20 >/dev/null; is $? 130 "Ctrl-C"
(sleep 1.5; printf '\032'; sleep 2) | job --terminal --signal 0@2500 sleep 3 >/dev/null; is $? 0 "Ctrl-Z"
says 'stopped by 20' "Ctrl-Z did not stop"
note "terminal"

# Files, short of memory, over a breaking link: the agent must not need what only it can free
cat >dirty.py <<'END'
import hashlib, mmap, os, sys
size = int(sys.argv[1]) << 20
with open('mapped', 'w+b') as file:
    file.truncate(size)
    with mmap.mmap(file.fileno(), size) as memory:
        block = os.urandom(1 << 20)
        for at in range(0, size, len(block)):
            memory[at:at + len(block)] = block
        print(hashlib.sha256(memory).hexdigest())
END
is "$(job --null --memory 64 --break 200 python3 dirty.py 48)" "$(sha256sum <mapped | cut -d' ' -f1)" "dirty pages"
is "$(stat -c %s mapped)" $((48 << 20)) "their file"
note "memory"
echo "ok"
