#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# transfer.sh - servers in jobs are reached at home's address, from home and from another node; a gigabyte each way over moves
# shellcheck source=tests/sockets/lib.sh
. "$(dirname "$0")/lib.sh"

requires python3 curl nc ip
[ "$(id -u)" = 0 ] || skip "network namespaces need root"
size=${SIZE:-1000000000}
rig_up 2 --netns
home=10.77.${RIG:-1}.1
natively mkdir files
natively sh -c 'head -c 5000000 /dev/urandom >files/small'
listens() { ip netns exec "sj${RIG:-1}-1" ss -Hltn "sport = :$1" | grep -q .; }
sum_of() { sha256sum "$@" | cut -c-64; }
small=$(sum_of "$work/files/small")

# A server in a job on another node is at home's address, for home, for that other node, and for another job
on node1 sojourn run --on node2 --name web -- python3 -u -m http.server --bind $home --directory files 8000 >"$work/web.out" 2>&1 </dev/null & web=$!
wait_until 60 listens 8000 || { cat "$work/web.out"; fail "http.server in a job does not listen at home"; }
fetch=(curl -sS --max-time 60 "http://$home:8000/small")
[ "$(on node1 "${fetch[@]}" | sum_of)" = "$small" ] || fail "home got something else"
[ "$(on node2 "${fetch[@]}" | sum_of)" = "$small" ] || fail "another node got something else"
[ "$(on node1 sojourn run --on node2 -- "${fetch[@]}" | sum_of)" = "$small" ] || fail "another job got something else"
for ((i = 0; i < 3; i++)); do
    on node1 sojourn migrate web node$((1 + i % 2)) >>"$work/migrate.log" 2>&1 || { cat "$work/migrate.log"; fail "migration $i of the server"; }
    [ "$(on node2 "${fetch[@]}" | sum_of)" = "$small" ] || fail "after migration $i another node got something else"
done
[ "$(grep -c "^10.77.${RIG:-1}.2 .*GET /small" "$work/web.out")" = 4 ] || { cat "$work/web.out"; fail "the server does not see who asked"; }
on node1 sojourn kill web >/dev/null
wait $web
note "a web server in a job, asked from home, from another node, and by a job"

# nc -l in a job, a gigabyte from another node to it; nc in a job, a gigabyte from it to a server at home; it moves all the while
flow() { natively python3 -c "
import hashlib, sys
block, left = bytearray(1 << 20), $size
for n in range(64): block[n * 16384:(n + 1) * 16384] = hashlib.sha512(b'%d' % n).digest() * 256
while left:
    block[:8] = left.to_bytes(8, 'big')
    left -= sys.stdout.buffer.write(block[:min(left, len(block))])"; }
wanted=$(flow | sum_of)
: >"$work/moves"
on node1 sojourn run --on node2 --name sink -- sh -c "nc -l -N $home 8001 | sha256sum" >"$work/sink.out" 2>"$work/sink.err" </dev/null & sink=$!
wait_until 60 listens 8001 || { cat "$work/sink.err"; fail "nc in a job does not listen at home"; }
keep_moving sink 1 node1 node2 & mover=$!
flow | on node2 nc -N $home 8001 || fail "nc from another node"
wait $sink || { cat "$work/sink.err"; fail "nc in a job"; }
wait $mover
[ "$(cut -c-64 "$work/sink.out")" = "$wanted" ] || fail "$size bytes into a job are not the same"
[ ! -s "$work/move-failures" ] || { cat "$work/migrate.log"; fail "a migration failed"; }
[ "$(moves_made)" -ge 2 ] || fail "only $(moves_made) migrations"
note "$size bytes into a job over $(moves_made) migrations"

: >"$work/moves"
on node1 nc -l -N 127.0.0.1 8002 2>"$work/nc.err" | sum_of >"$work/home.out" & ear=$!
wait_until 20 listens 8002 || fail "nc does not listen at home"
flow | on node1 sojourn run --on node2 --name source -- nc -N 127.0.0.1 8002 >"$work/source.out" 2>&1 & source=$!
wait_until 60 job_runs node1 source
keep_moving source 1 node1 node2 & mover=$!
wait $source || { cat "$work/source.out"; fail "nc in a job"; }
wait $mover $ear
[ "$(cat "$work/home.out")" = "$wanted" ] || fail "$size bytes out of a job are not the same"
[ ! -s "$work/move-failures" ] || { cat "$work/migrate.log"; fail "a migration failed"; }
note "$size bytes out of a job, through its standard input and a socket, over $(moves_made) migrations"
echo "ok - servers and transfers"
