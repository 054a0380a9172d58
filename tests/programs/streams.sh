#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# streams - streams, statuses and all that a program inherits are in a job what they are natively
. "$(dirname "$0")/../lib.sh"
rig_up 1
failures=0

# probe NAME SCRIPT: the script, in which $R stands before a program, with and without sojourn: the same streams and status.
# What differs for a reason is changed by the sed script $filter in both.
probe() {
    local name=$1 script=$2 way prefix status
    for way in native job; do
        prefix=; [ $way = native ] || prefix='sojourn run --'
        R=$prefix W=$way on node1 timeout 100 bash -c "$script" >"$work/$way.out" 2>"$work/$way.err" <"${input:-/dev/null}"
        status=$?
        echo "status $status" >>"$work/$way.out"
        [ -z "${filter-}" ] || sed -i -E "$filter" "$work/$way.out" "$work/$way.err"
    done
    if cmp -s "$work/native.out" "$work/job.out" && cmp -s "$work/native.err" "$work/job.err"; then
        note "$name"
    else
        echo "not ok - $name: natively (<) and as a job (>)"
        diff -a "$work/native.out" "$work/job.out" | head -n 8; diff -a "$work/native.err" "$work/job.err" | head -n 8
        failures=$((failures + 1))
    fi
}

head -c 10000000 /dev/urandom >"$work/random" && chmod 644 "$work/random"
echo private >"$work/private" && chmod 600 "$work/private"
mkdir "$work/a b" "$work/closed" && chmod 777 "$work/a b" && chmod 700 "$work/closed"
cp /usr/bin/true "$work/closed/hidden-program"
input=$work/random probe 'binary data on both streams, status 7' "\$R sh -c 'cat; echo err >&2; exit 7'"
input=$work/random probe 'binary data through pipes' "cat | \$R cat | sha256sum; echo \${PIPESTATUS[*]}"
probe 'a reader that goes away' "\$R yes | head -n 3; echo \${PIPESTATUS[*]}"
probe 'a reader that goes away, EPIPE' "\$R python3 -c 'import signal,sys,os
signal.signal(signal.SIGPIPE, signal.SIG_IGN)
try:
    while True: os.write(1, b\"x\" * 4096)
except OSError as e: sys.exit(e.errno)' | true; echo \${PIPESTATUS[*]}"
probe 'closed stdin' "\$R sh -c 'cat; echo \$?' <&-"
probe 'closed stdout' "\$R sh -c 'echo x; echo \$? >&2' >&-"
probe 'closed stderr' "\$R sh -c 'echo x; echo y >&2; echo \$?' 2>&-"
probe 'closed stdin and stdout' "\$R sh -c 'exec 3</etc/hostname; ls /proc/self/fd | grep -c ^.\$ >&2' <&- >&-"
probe 'two streams in one, in order' "\$R sh -c 'for i in 1 2 3 4 5 6 7 8 9; do echo o\$i; echo e\$i >&2; done' 2>&1"
probe 'two streams in one file' "\$R sh -c 'for i in 1 2 3; do echo o\$i; echo e\$i >&2; done' >both.\$W 2>&1; cat both.\$W"
probe 'appending to a file' "echo first >app.\$W; \$R sh -c 'echo more' >>app.\$W; cat app.\$W"
probe '/dev/null in all three places' "\$R sh -c 'cat; echo x; echo y >&2; stat -Lc %t,%T /proc/self/fd/0' </dev/null >/dev/null 2>/dev/null"
probe 'input that is left for the next' "printf '1\n2\n3\n' | (\$R head -n 1)"
probe 'arguments with odd bytes' "\$R printf '<%s>\n' '' ' ' \$'a\nb' \$'\x01\x7f\xff\xfe' '*' '\\' '\$HOME' '-x' -- \"'\" '\"' ä"
probe 'a long argument' "\$R sh -c 'printf %s \"\$1\" | wc -c' sh \"\$(head -c 130000 /dev/zero | tr '\\0' x)\""
probe 'many arguments' "\$R sh -c 'echo \$# \$*' sh \$(seq 15000) | sha256sum"
probe 'a big environment' "for i in \$(seq 200); do export V\$i=\$(head -c 5000 /dev/zero | tr '\\0' y); done; \$R env -0 -u R -u W -u _ | sort -z | sha256sum"
filter='s/^_=.*//; s/^(W|R)=.*//' probe 'the environment' "export ODD=\$'a\nb=c\x01' EMPTY=; \$R env | sort"
probe 'umask' "umask 027; \$R sh -c 'umask; : >mask.file'; stat -c %a mask.file; rm -f mask.file"
probe 'limits' "ulimit -S -n 300; ulimit -S -s 4096; ulimit -c 0; ulimit -S -t 1000; \$R bash -c 'ulimit -a; ulimit -aH'"
probe 'a file size limit' "ulimit -f 100; \$R sh -c 'head -c 1000000 /dev/zero >limited; echo \$?'; stat -c %s limited; rm -f limited"
probe 'a folder with spaces' "cd 'a b'; \$R sh -c 'pwd; /bin/pwd; echo x >\"y z\"; ls; rm \"y z\"'"
probe 'ids and groups' "\$R id; \$R id -G"
probe 'host name' "\$R uname -n; \$R hostname; \$R cat /etc/hostname"
probe 'nice' "nice -n 5 \$R nice"
probe 'process ids' "\$R sh -c 'test \$\$ = \$0 && echo mine' \$BASHPID; sh -c 'exec \$R sh -c \"test \\\$\\\$ = \$\$ && echo the same\"'; sh -c '\$R sh -c \"test \\\$PPID = \$\$ && echo the parent\"; true'"
probe 'ignored signals' "trap '' TERM INT; \$R grep SigIgn /proc/self/status"
probe 'statuses' "for i in 0 1 125 128 255; do \$R sh -c \"exit \$i\"; echo \$?; done"
probe 'killed by signals' "python3 -c 'import subprocess, sys
for sig in 1, 2, 9, 11, 13, 15, 24, 34, 64:
    print(sig, subprocess.call(sys.argv[1:] + [\"ulimit -c 0; kill -%d \$\$\" % sig]))' \$R sh -c"
filter='s/line 1: +[0-9]+ //' probe 'killed, and the shell says so' "ulimit -c 0; \$R sh -c 'kill -QUIT \$\$'; echo \$?"

# a shell's statuses for what it cannot run, and a sentence
filter='s/^bash: line 1: |^bash: |^sojourn: //; s/: command not found|: not found/: nothing/; s/: No such file or directory/: nothing/; s/cannot execute: //'
probe '127: no such program' "\$R no-such-program; echo \$?"
probe '127: no such path' "\$R ./no/such; echo \$?"
probe '127: PATH with a folder that may not be read' "PATH=\$PATH:$work/closed; \$R hidden-program; echo \$?"
probe '126: not executable' "\$R /etc/passwd; echo \$?"
probe '126: a folder' "\$R /etc 2>/dev/null; echo \$?"
probe '126: not executable, by PATH' "printf '#!/bin/sh\n' >'a b/plain-file'; chmod 644 'a b/plain-file'; PATH=\"$work/a b:\$PATH\"; \$R plain-file 2>/dev/null; echo \$?"
probe 'a wrong format, as with env' "printf '\\177ELFxx' >elf; chmod 755 elf; \${R:-env} ./elf 2>/dev/null; echo \$?"
probe 'a script without #!' "echo 'echo plain script \$1' >script; chmod 755 script; \$R ./script arg; echo \$?"
filter=

# a full disk and files that may not be read
if [ "$(id -u)" = 0 ] && mkdir "$work/full" && mount -t tmpfs -o size=1m,mode=777 tmpfs "$work/full"; then
    at_exit "umount $work/full"
    # the program has a pipe, and is told that nobody reads it; that the disk is full is said by the front
    on node1 sh -c 'sojourn run -- head -c 3000000 /dev/zero >full/x; echo $?' >"$work/out" 2>"$work/err"
    [ "$(cat "$work/out")" != 0 ] && grep -q 'No space left on device' "$work/err" || fail "a full disk is not told: $(cat "$work/out" "$work/err")"
    rm -f "$work/full/x"
    note 'a full disk, stdout'
    probe 'a full disk, a file' "\$R python3 -c 'import os
f = os.open(\"full/y\", os.O_CREAT | os.O_WRONLY)
try:
    for i in range(300): os.write(f, b\"z\" * 10000)
except OSError as e: print(e.strerror)'; rm -f full/y"
fi
probe 'a file that may not be read' "\$R cat private; \$R cat /etc/shadow; \$R ls closed; \$R touch /etc/x"

# home's /proc, /sys and /dev are not to be had; the job has its own
probe_no() { on node1 timeout 60 sojourn run -- sh -c "$2" >"$work/out" 2>&1 || fail "$1: $(head -n 3 "$work/out")"; note "$1"; }
mkdir "$work/bound" && { [ "$(id -u)" != 0 ] || { mount --bind /proc "$work/bound" && at_exit "umount $work/bound"; }; }
sleep 300 & marked=$!
at_exit "kill $marked"
probe_no "home's processes are not seen" "[ ! -e /proc/$marked ] && ! cat $work/bound/$marked/cmdline && ! cat $work/bound/self/environ"
probe_no "/proc is the job's own" '[ "$(readlink /proc/self)" = $$ ] || [ -d /proc/$$ ]; [ "$(cat /proc/1/comm)" != systemd ] && [ "$(ls -d /proc/[0-9]* | wc -l)" -lt 20 ]'
probe_no "/sys and /dev are the job's own" '[ "$(ls /dev | wc -l)" -lt 30 ] && [ ! -e /dev/kvm ] && echo x >/dev/null && head -c 9 /dev/urandom >/dev/null && [ ! -w /sys/kernel/uevent_seqnum ]'

[ $failures = 0 ] || fail "$failures probes differ"
echo "ok - streams"
