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

PYTHONDONTWRITEBYTECODE=1 PYTHONPATH=$top/tests/cli python3 - "$build/sojourn" <<'PROGRAM' || fail "the shell does not behave"
import sys
from talk import Talk

shell = Talk(sys.argv[1])
expect, type = shell.expect, shell.type

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
sys.exit(1 if shell.end() else 0)
PROGRAM
echo "ok - shell"
