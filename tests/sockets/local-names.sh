#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# local-names.sh - AF_UNIX sockets at a path of the home's: between job and home, both ways, and within a job
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"

requires python3
rig_up 2
install -m 755 "$top/tests/sockets/local-names.py" "$work/names.py"

at_home python3 names.py serve "$work/native" >"$work/server.out" 2>&1; server=$!
wait_until 10 test -S "$work/native" || fail "no server natively"
natively timeout 60 python3 names.py ask "$work/native" >"$work/expected" 2>&1 || { cat "$work/expected"; fail "natively"; }
sed -i s/native/name/g "$work/expected"
wait $server

at_home python3 names.py serve "$work/name" >"$work/server.out" 2>&1; server=$!
wait_until 10 test -S "$work/name" || fail "no server at home"
on node1 timeout 60 sojourn run --on node2 -- python3 names.py ask "$work/name" >"$work/got" 2>&1
cmp "$work/expected" "$work/got" || { diff "$work/expected" "$work/got"; cat "$work/server.out"; fail "a job asks home's server"; }
wait $server
note "a job asks a server at home"

on node1 timeout 60 sojourn run --on node2 -- python3 names.py serve "$work/name" >"$work/server.out" 2>&1 & server=$!
wait_until 30 test -S "$work/name" || { cat "$work/server.out"; fail "no server in a job"; }
[ "$(stat -c %a:%U "$work/name")" = "750:$job_user" ] || fail "the file of a job's socket: $(stat -c %a:%U "$work/name")"
natively timeout 60 python3 names.py ask "$work/name" >"$work/got" 2>&1
cmp "$work/expected" "$work/got" || { diff "$work/expected" "$work/got"; cat "$work/server.out"; fail "home asks a server in a job"; }
wait $server || { cat "$work/server.out"; fail "the server in a job"; }
note "home asks a server in a job"

natively timeout 60 python3 names.py inside "$work/in" >"$work/expected" 2>&1
on node1 timeout 60 sojourn run --home -- python3 names.py inside "$work/in" >"$work/got" 2>&1
cmp "$work/expected" "$work/got" || { diff "$work/expected" "$work/got"; fail "within a job"; }
note "within a job, with a descriptor passed"
echo "ok - local sockets by path"
