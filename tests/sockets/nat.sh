#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# nat.sh - a job with a network of its own behind home's: what it reaches, what it does not, and that it can be moved
# shellcheck source=tests/sockets/lib.sh
. "$(dirname "$0")/lib.sh"

requires python3 ip
[ "$(id -u)" = 0 ] || skip "network namespaces need root"
moves=${MOVES:-6}
ns=sj${RIG:-1}-1 address=10.77.${RIG:-1}.1 address6=fd99::1
# what "ip netns exec" shows as /etc/resolv.conf there: a name server on the loopback
mkdir -p "/etc/netns/$ns"
at_exit "rm -rf /etc/netns/$ns; rmdir /etc/netns 2>/dev/null"
echo "nameserver 127.0.0.53" >"/etc/netns/$ns/resolv.conf"
rig_up 2 --netns
ip -n "$ns" addr add $address6/64 dev eth0 nodad
install -m 755 "$top/tests/sockets/nat.py" "$work/nat.py"
on node1 -u root python3 nat.py serve "$address" $address6 >"$work/server.out" 2>&1 & at_exit "kill $! 2>/dev/null"
wait_until 20 grep -q serving "$work/server.out" || { cat "$work/server.out"; fail "the server at home did not start"; }
nat() { on node1 env SOJOURN_SANDBOX=kill timeout 120 sojourn run --network nat "$@"; }

nat --on node2 -- python3 nat.py ask "$address" $address6 >"$work/asked" 2>&1
cat >"$work/expected" <<EOF
own address 10.0.2.15
tcp True
tcp over ipv6 True
udp True
long udp True
refused Connection refused
home's loopback Connection refused
the gateway Network is unreachable
name ['$address']
no such name unknown
EOF
diff "$work/expected" "$work/asked" || fail "a job with its own network sees something else"
note "TCP, UDP, IPv6 and names reach home; home's loopback is not reached"

listens_at_home() { ip netns exec "$ns" cat /proc/net/tcp /proc/net/tcp6 | grep -i ":$(printf %04X "$1") .* 0A "; }
nat --home -- python3 nat.py own own.port >"$work/own.out" 2>&1 & own=$!
wait_until 60 test -s "$work/own.port" || { cat "$work/own.out"; fail "the job could not listen"; }
wait_until 10 grep -q own "$work/own.out" || fail "the job did not reach itself"
! listens_at_home "$(cat "$work/own.port")" || fail "the job's port is open at home"
listens_at_home 7000 >/dev/null || fail "the look at listening ports sees none"
natively touch own.port.seen
wait $own || { cat "$work/own.out"; fail "the job's own server"; }
note "a server in the job is its own; nothing listens at home"

SOJOURN_SANDBOX=kill pump_start --network nat --home -- python3 nat.py pump "$address" stop
pump_moves "$moves"
on node1 sojourn migrate pump node2 >>"$work/migrate.log" 2>&1
rig cut node1 node2 2>>"$work/migrate.log"
sleep 8
rig heal node1 node2 2>>"$work/migrate.log"
sleep 1
pump_end "a connection of the job's own" "$moves migrations and a cut"

wait_until 60 on node1 sojourn run --on node2 true || fail "node2 is not back after the cut"
left=$(nat --on node2 -- python3 nat.py leave "$address" 3000000) || fail "the job that leaves failed"
wait_until 30 test -s "$work/kept" || fail "the slow reader got no end"
[ "$left" = "$(cat "$work/kept")" ] || fail "of what the job sent before it ended ($left) $(cat "$work/kept") came"
note "what a job had sent when it ended came"

on node1 timeout 60 sojourn run --network none -- python3 nat.py ask "$address" $address6 >"$work/none" 2>&1
! grep -q True "$work/none" || { cat "$work/none"; fail "--network none reaches something"; }
[ "$(grep -c 'Network is unreachable' "$work/none")" -ge 5 ] || { cat "$work/none"; fail "--network none"; }
echo "ok - a network of the job's own"
