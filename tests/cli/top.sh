#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# top.sh - sojourn top on a terminal of 80x24: what it shows, its keys, and what it orders
: "${SOJOURN_BUILD:=${G_TEST_BUILDDIR-}}"
[ -n "$SOJOURN_BUILD" ] || unset SOJOURN_BUILD
. "$(dirname "$0")/../lib.sh"
requires python3

export SOJOURN_SOCKET=$work/control TERM=xterm
"$top/tests/cli/canned-controller" "$SOJOURN_SOCKET" "$top/tests/cli/answers.json" "$work/record" &
controller=$!
at_exit "kill $controller"
wait_until 10 test -S "$SOJOURN_SOCKET" || fail "the canned controller does not start"

python3 - "$build/sojourn" "$work/record" <<'PROGRAM' || fail "top does not behave"
import fcntl, os, pty, re, select, struct, sys, termios, time

pid, fd = pty.fork()
if pid == 0:
    os.execv(sys.argv[1], [sys.argv[1], "top"])
fcntl.ioctl(fd, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
seen = b""


def expect(what, seconds=10):
    global seen
    end = time.time() + seconds
    while what not in seen:
        if not select.select([fd], [], [], max(0, end - time.time()))[0]:
            sys.exit(f"{what} does not come, but {seen}")
        seen += os.read(fd, 65536)
    seen = seen[seen.index(what) + len(what):]


def asked(what, seconds=10):
    end = time.time() + seconds
    while what not in open(sys.argv[2]).read():
        if time.time() > end:
            sys.exit(f"{what} was not asked, but {open(sys.argv[2]).read()}")
        time.sleep(0.05)


expect(b"2 nodes   2 jobs, by CPU")
expect(b"node1")
expect(b"load 0.50")
expect(b"failed")
expect(b"chain")
expect(b"sleep ?[31m9")        # a command line does not steer the terminal
expect(b"q quit")
os.write(fd, b"m")
expect(b"3.0 GiB used")
os.write(fd, b"t")
expect(b"1 nodes up, 2 CPUs")
os.write(fd, b"o")
expect(b"node")
os.write(fd, b"/chain\n")
expect(b"with chain")
os.write(fd, b"gnode3\n")
asked('job.migrate {"job": "0123456789abcdef0123456789abcdef", "node": "node3"}')
expect(b"has moved")
os.write(fd, b"h")
asked('"node": "home"}')
os.write(fd, b"Kn\n")
os.write(fd, b"Ky\n")
asked('job.kill {"job": "0123456789abcdef0123456789abcdef", "signal": 15}')
expect(b"told to end")
if open(sys.argv[2]).read().count("job.kill") != 1:
    sys.exit("an answer of no was taken for yes")
os.write(fd, b"q")
end = time.time() + 10
while time.time() < end:
    if select.select([fd], [], [], 0.1)[0]:
        try:
            os.read(fd, 65536)
        except OSError:
            break
done, status = os.waitpid(pid, os.WNOHANG)
if not done:
    time.sleep(1)
    done, status = os.waitpid(pid, os.WNOHANG)
sys.exit(0 if done and status == 0 else f"top ended with {status} ({done})")
PROGRAM
"$build/sojourn" top --json | python3 -c "import json,sys; a = json.load(sys.stdin); assert len(a['nodes']) == 2 and len(a['jobs']) == 2" || fail "--json"
! "$build/sojourn" top </dev/null >"$work/out" 2>"$work/err" && grep -q terminal "$work/err" || fail "without a terminal: $(cat "$work/err")"
echo "ok - top"
