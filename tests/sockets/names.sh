#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# names.sh - a job asks home's name servers, also those on its loopback, and datagrams and groups are as natively
# shellcheck source=tests/sockets/lib.sh
. "$(dirname "$0")/lib.sh"

PATH=$PATH:/usr/sbin:/sbin
requires python3 ip dnsmasq dig
[ "$(id -u)" = 0 ] || skip "network namespaces need root"
ns=sj${RIG:-1}-1
mkdir -p "/etc/netns/$ns" # what "ip netns exec" shows as /etc/resolv.conf there
at_exit "rm -rf /etc/netns/$ns; rmdir /etc/netns 2>/dev/null"
resolvers() { printf 'nameserver %s\n' "$@" >"/etc/netns/$ns/resolv.conf"; }
resolvers 127.0.0.1
rig_up 2 --netns
install -m 755 "$top/tests/sockets/datagrams.py" "$work/datagrams.py"

# Names: one server at the loopback's usual address, one elsewhere on it, both at the usual port
serve_names() { # ADDRESS...
    on node1 -u root dnsmasq --keep-in-foreground --conf-file=/dev/null --no-hosts --no-resolv --log-facility=- --bind-interfaces --pid-file= \
        --listen-address="$1" --address=/four.test/10.1.2.3 --address=/six.test/fd77::5 --local=/test/ --host-record=both.test,10.9.8.7,fd77::9 \
        --ptr-record=3.2.1.10.in-addr.arpa,four.test --txt-record=long.test,$(printf '%0200d,' 1 2 3 4 5 6 7 8 9)end --port=53 \
        >"$work/names.$1.log" 2>&1 & at_exit "kill $! 2>/dev/null"
    wait_until 20 on node1 dig +short +tries=1 +time=1 @"$1" four.test || { cat "$work/names.$1.log"; fail "no name server at $1"; }
}
for server in 127.0.0.1 127.0.0.53 ::1; do serve_names $server; done
cat >"$work/names.sh" <<'END'
exec 2>&1
for name in four.test six.test both.test; do getent ahosts $name | awk '{print $1, $2}' | sort; done
getent hosts 10.1.2.3
getent ahosts nobody.test || echo "status $?"
for server in "$@"; do
    dig +short $server four.test A six.test AAAA
    dig +short +notcp $server long.test TXT | wc -c
    dig +tcp +short $server long.test TXT | wc -c
    dig $server nobody.test | grep -o 'status: [A-Z]*'
done
END
wanted() { on node1 sh names.sh "$@" >"$work/wanted" 2>&1; grep -q 10.1.2.3 "$work/wanted" || { cat "$work/wanted"; fail "natively"; }; }
asked() { # WHAT OPTION... -- ARGUMENT...: of names.sh
    local what=$1; shift
    on node1 timeout 90 sojourn run "${@%--}" -- sh names.sh "${servers[@]}" >"$work/asked" 2>&1 </dev/null
    diff "$work/wanted" "$work/asked" || fail "$what: other names than at home"
}
servers=(@127.0.0.1 @127.0.0.53 @::1)
wanted "${servers[@]}"
asked "a job's names" --on node2
servers=("")
for server in 127.0.0.1 ::1; do # nat.sh has another
    resolvers $server
    wanted ""
    asked "a network of its own, names from $server" --network nat --on node2
done
note "names, asked for over UDP and TCP, from servers on home's loopback"

# Datagrams: natively, from a job, and of a job
beside() { on node1 timeout 200 "$@" >"$work/server.out" 2>&1 </dev/null & server=$!; at_exit "kill $server 2>/dev/null"; }
beside python3 datagrams.py serve ports
wait_until 20 test -s "$work/ports" || { cat "$work/server.out"; fail "no server at home"; }
on node1 timeout 60 python3 datagrams.py ask ports >"$work/wanted" 2>&1 || { cat "$work/wanted"; fail "natively"; }
on node1 timeout 90 sojourn run --on node2 -- python3 datagrams.py ask ports >"$work/asked" 2>&1
diff "$work/wanted" "$work/asked" || fail "a job's datagrams are not as natively"
rm "$work/ports"
beside sojourn run --on node2 --name server -- python3 datagrams.py serve ports
wait_until 60 test -s "$work/ports" || { cat "$work/server.out"; fail "no server in a job"; }
on node1 timeout 60 python3 datagrams.py ask ports >"$work/asked" 2>&1
diff "$work/wanted" "$work/asked" || fail "a server in a job answers otherwise"
for node in node1 node2; do on node1 sojourn migrate server $node >>"$work/migrate.log" 2>&1 || { cat "$work/migrate.log"; fail "a migration"; }; done
on node1 timeout 60 python3 datagrams.py ask ports >"$work/asked" 2>&1
diff "$work/wanted" "$work/asked" || fail "a server in a job that was moved answers otherwise"
note "datagrams and groups: $(wc -l <"$work/wanted") answers as natively, in a job, of a job, and of one that was moved"
echo "ok - names and datagrams"
