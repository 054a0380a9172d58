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

PYTHONDONTWRITEBYTECODE=1 PYTHONPATH=$top/tests/cli python3 - "$build/sojourn" "$work/record" <<'PROGRAM' || fail "top does not behave"
import sys, time
from talk import Talk

top = Talk(sys.argv[1], "top")
expect, type = top.expect, top.type


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
type(b"m")
expect(b"3.0 GiB used")
type(b"t")
expect(b"1 nodes up, 2 CPUs")
type(b"o")
expect(b"node")
type(b"/chain\n")
expect(b"with chain")
type(b"gnode3\n")
asked('job.migrate {"job": "0123456789abcdef0123456789abcdef", "node": "node3"}')
expect(b"has moved")
type(b"h")
asked('"node": "home"}')
type(b"Kn\n")
type(b"Ky\n")
asked('job.kill {"job": "0123456789abcdef0123456789abcdef", "signal": 15}')
expect(b"told to end")
if open(sys.argv[2]).read().count("job.kill") != 1:
    sys.exit("an answer of no was taken for yes")
type(b"m")
type(b"w")                     # upright bars with their scale and numbers
expect(b"100%|")
expect(b"257  258")
type(b"l")
expect(b"1|")
type(b"v")
expect(b"2  2")
type(b"V")
expect(b"D")
type(b"b")
expect(b"load 0.50")
type(b"q")
if top.end():
    sys.exit("top ended badly")
mon = Talk(sys.argv[1], "top", "--chart", "a", "--bars", "m", "--nodes-only", "--alive", "--from", "258")
mon.expect(b"####")
mon.type(b"q")
sys.exit(mon.end())
PROGRAM
"$build/sojourn" top --json | python3 -c "import json,sys; a = json.load(sys.stdin); assert len(a['nodes']) == 2 and len(a['jobs']) == 2" || fail "--json"
! "$build/sojourn" top </dev/null >"$work/out" 2>"$work/err" && grep -q terminal "$work/err" || fail "without a terminal: $(cat "$work/err")"
for words in "--bars x" "--chart n" "--bars lm"; do
    "$build/sojourn" top $words 2>"$work/err" && fail "top $words"
    grep -q "no such key" "$work/err" || fail "top $words: $(cat "$work/err")"
done
echo "ok - top"
