#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# told.sh - a job believes what it has seen until home changes it, and not a moment longer, wherever it is
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"

requires python3
rig_up 2
install -m 755 "$top/tests/files/told.py" "$work/told.py"
natively python3 told.py prepare
sleep 2.5       # what changed just now is believed for a second only
coproc JOB { on node1 timeout 100 sojourn run --home --name told -- python3 told.py job 2>"$work/job.err"; }
exec {from}<&"${JOB[0]}" {to}>&"${JOB[1]}"

# at_home WORD...: home's part, which talks with the job
at_home() {
    natively timeout 60 python3 told.py "$@" <&"$from" >&"$to" 2>"$work/home.err" ||
        { head -20 "$work/home.err" "$work/job.err"; fail "$*: the job believes what is not so any more"; }
}

at_home home "${ROUNDS:-4}"
note "each change is seen at once"
for node in node2 node1; do
    natively rm -rf there missing dir gone link from to mode aside
    natively python3 told.py prepare && sleep 2.5
    at_home prime
    on node1 sojourn migrate told $node >"$work/migrate.log" 2>&1 || { cat "$work/migrate.log"; fail "no migration"; }
    at_home changed
done
note "also by a job that has moved meanwhile"
exec {to}>&- {from}<&-
echo "ok"
