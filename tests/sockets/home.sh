#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# home.sh - a job's sockets are its home's: clients and servers, in the job and at home, see what they see natively
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"

requires python3 curl
peer=$top/tests/sockets/peer.py
rig_up 2
install -m 755 "$peer" "$work/peer.py"

# What runs at home beside the job: NAME COMMAND...
beside() { local name=$1; shift; at_home "$@" >"$work/$name.out" 2>&1; }
port_of() { cat "$work/$1"; }
can_connect() { natively python3 -c "import socket; socket.create_connection(('127.0.0.1', $1)).close()" 2>/dev/null; }

beside at-home python3 peer.py serve home.port
wait_until 20 test -s "$work/home.port" || fail "the server at home did not start"
natively python3 peer.py ask home.port >"$work/native" 2>&1 || { cat "$work/native"; fail "natively"; }
on node1 timeout 100 sojourn run --home -- python3 peer.py ask home.port >"$work/job" 2>&1
cmp "$work/native" "$work/job" || { diff "$work/native" "$work/job"; fail "a job sees other sockets than home"; }
note "a client in a job: $(wc -l <"$work/job") kinds of use"

mkdir "$work/files" && head -c 8000000 /dev/urandom >"$work/files/data"
beside web python3 -u -m http.server --bind 127.0.0.1 --directory "$work/files" 0
wait_until 20 grep -q Serving "$work/web.out" || fail "the web server did not start"
web=$(sed -E 's/.* port ([0-9]+) .*/\1/; q' "$work/web.out")
sum=$(on node1 timeout 60 sojourn run --on node2 -- curl -sS "http://localhost:$web/data" | sha256sum)
[ "$sum" = "$(sha256sum <"$work/files/data")" ] || fail "curl in a job got something else"
note "curl: the same bytes"

on node1 sojourn run --on node2 --name server -- python3 peer.py serve job.port >"$work/server.out" 2>&1 & server=$!
wait_until 60 test -s "$work/job.port" || { cat "$work/server.out"; fail "the server in a job did not start"; }
natively timeout 100 python3 peer.py ask job.port >"$work/reverse" 2>&1 || { cat "$work/reverse"; fail "a server in a job"; }
cmp "$work/native" "$work/reverse" || { diff "$work/native" "$work/reverse"; fail "a server in a job answers otherwise"; }
note "a server in a job on another node, at its home's address"

can_connect "$(port_of job.port)" || fail "the job's port is not open"
on node1 sojourn kill -KILL server
wait $server
wait_until 10 eval '! can_connect "$(port_of job.port)"' || fail "the port is open after the job's end"
note "a killed job's ports are closed"

beside slow python3 peer.py slow slow.port go
wait_until 20 test -s "$work/slow.port" || fail "the slow reader did not start"
left=$(on node1 timeout 60 sojourn run --on node2 -- python3 peer.py leave slow.port 200000) || fail "the job that leaves failed"
natively touch go
wait_until 30 test -s "$work/slow.out" || fail "the slow reader got no end"
[ "left $(cat "$work/slow.out")" = "$left" ] || fail "of what the job $left before it ended, $(cat "$work/slow.out") came"
note "what a job had sent when it ended came: $(cat "$work/slow.out") bytes"

on node1 timeout 60 sojourn run --home --network none -- python3 -c "
import socket
try:
    socket.create_connection(('127.0.0.1', $(port_of home.port)))
except ConnectionRefusedError:
    print('refused')" >"$work/none" 2>&1
[ "$(cat "$work/none")" = refused ] || { cat "$work/none"; fail "--network none"; }
echo "ok - the job's sockets live at home"
