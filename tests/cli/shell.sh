#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# shell.sh - the interactive shell on a terminal: completion of commands, jobs and nodes, and what runs
: "${SOJOURN_BUILD:=${G_TEST_BUILDDIR-}}"
[ -n "$SOJOURN_BUILD" ] || unset SOJOURN_BUILD
. "$(dirname "$0")/../lib.sh"
requires python3

export SOJOURN_SOCKET=$work/control TERM=dumb INPUTRC=/dev/null
"$top/tests/cli/canned-controller" "$SOJOURN_SOCKET" "$top/tests/cli/answers.json" "$work/record" &
controller=$!
at_exit "kill $controller"
wait_until 10 test -S "$SOJOURN_SOCKET" || fail "the canned controller does not start"

python3 - "$build/sojourn" <<'PROGRAM' || fail "the shell does not behave"
import os, pty, select, sys, time

pid, fd = pty.fork()
if pid == 0:
    os.execv(sys.argv[1], [sys.argv[1]])
seen = b""


def expect(what, seconds=10):
    global seen
    end = time.time() + seconds
    while what not in seen:
        if not select.select([fd], [], [], max(0, end - time.time()))[0]:
            sys.exit(f"{what} does not come, but {seen}")
        seen += os.read(fd, 4096)
    seen = seen[seen.index(what) + len(what):]


def type(text):
    os.write(fd, text)


expect(b"sojourn # ")
type(b"migr\tcha\tnode2\n")
expect(b"migrate chain node2")
expect(b"copy       [###############               ]  50 %")
expect(b"Job chain moved from node1 to node2")
expect(b"sojourn # ")
type(b"why fed\tno\t")              # a job without a name by its id; two nodes begin alike
expect(b"fedcba98 ")
expect(b"node1")
expect(b"node2")
type(b"1\n")
expect(b"Job chain is locked")
expect(b"sojourn # ")
type(b"cluster tok\t\n")
expect(b"cluster token")
expect(b"sj1-token")
expect(b"sojourn # ")
type(b"nonsense\n")
expect(b'There is no command "nonsense"')
expect(b"sojourn # ")
type(b"wait chain\n")
expect(b"ended with status 3")
expect(b"sojourn # ")
type(b"exit\n")
_, status = os.waitpid(pid, 0)
sys.exit(0 if status == 0 else f"the shell ended with {status}")
PROGRAM
echo "ok - shell"
