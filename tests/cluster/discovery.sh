#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# discovery - nodes find one another by the Avahi in each one's network; one that waits can do nothing, and is let in by its key alone
export RIG=${RIG:-6}
. "$(dirname "$0")/../lib.sh"
[ "$(id -u)" = 0 ] || skip "only root can make networks"
requires python3 dbus-daemon avahi-daemon ip
rig_up 5 --netns --avahi
admin() { local node=$1; shift; (cd "$work" && rig on "$node" -u root timeout 60 sojourn "$@"); }
states() { on "$1" sojourn nodes --json | python3 -c 'import json,sys; print(*sorted(n["name"]+"="+n["state"] for n in json.load(sys.stdin)))'; }
is_now() { [ "$(states "$1")" = "$2" ]; }
finding() { on "$1" sojourn doctor | grep ' discovery '; }
says_ok() { finding "$1" | grep -q '^ok'; }
refused_lines() { grep -c "no member of the cluster was refused" "$rig_base/n1/log/sojournd.log"; }
all="node1=alive node2=alive node3=alive node4=alive node5=alive"

note "five nodes have found one another: no address and no token was given"
is_now node1 "$all" || fail "$(states node1)"
grep -q "'node3' has joined the cluster" "$rig_base/n1/log/sojournd.log" || fail "node3 did not join"
for node in node1 node2 node3 node4 node5; do wait_until 20 says_ok $node || fail "$node: $(finding $node; cat "$rig_base"/a?/*.log)"; done

note "a node waits; every member sees it"
cluster=$(on node1 sojourn cluster fingerprint)
admin node3 cluster leave >/dev/null || fail "node3 cannot leave"
is_now node3 "node3=alive" || fail "node3 is not alone: $(states node3)"
admin node3 cluster join --wait "$cluster" >"$work/wait" 2>&1 & waiter=$!
for node in node1 node2 node4 node5; do
    wait_until 10 is_now $node "${all/node3=alive/node3=pending}" || fail "$node does not see who waits: $(states $node); $(cat "$work/wait")"
done
told() { on "$1" sojourn events | grep "$2" | tail -n 1; } # the last event with these words
for node in node1 node4; do
    told $node node3 | grep -q "a node that calls itself node3, at .*, waits to be let in" || fail "$node: $(on $node sojourn events)"
done
on node4 sojourn top --json | grep -q '"pending"' || fail "top does not show who waits"
key=$(sed -n 's/.*cluster admit node3 //p' "$work/wait")
[ -n "$key" ] || fail "it does not say how to let it in: $(cat "$work/wait")"

note "it can do nothing"
cat >"$work/client.py" <<'END'
import json, socket, ssl, sys
context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
def connect(purpose):
    stream = context.wrap_socket(socket.create_connection((sys.argv[1], int(sys.argv[2])), 5))
    stream.sendall(json.dumps({"purpose": purpose}).encode() + b"\n")
    return stream.makefile("rwb")
for purpose in "link", "gate", "migration":
    answer = json.loads(connect(purpose).readline())
    assert "error" in answer, (purpose, answer)
methods = sys.argv[3:]
calls = connect("call")
assert json.loads(calls.readline()) == {}
for number, method in enumerate(methods):
    calls.write(json.dumps({"jsonrpc": "2.0", "id": number, "method": method, "params": {"token": "sojourn1:no"}}).encode() + b"\n")
    calls.flush()
    answer = json.loads(calls.readline())
    assert answer["id"] == number and "error" in answer, (method, answer)
print("refused", len(methods) + 3)
END
# every word in quotes that could be a call, in the files that dispatch them: one that is added is tried, too
methods=$(grep -ohE '"(cluster|job|load|migration|node)\.[a-z]{3,}"' "$top/src/controller/calls.c" "$top"/src/cluster/*.c | tr -d '"' | sort -u)
for method in node.info job.command job.start migration.prepare load.news cluster.update cluster.renew cluster.leave cluster.order cluster.join \
    cluster.admitted cluster.hello; do
    grep -qx "$method" <<<"$methods" || fail "$method is not among what is tried"
done
before=$(refused_lines)
port=$(on node1 sojourn cluster members --json | python3 -c 'import json,sys; print(json.load(sys.stdin)[0]["port"])')
ip netns exec sj$RIG-3 python3 "$work/client.py" 10.77.$RIG.1 "$port" $methods >"$work/client" 2>&1 || fail "$(cat "$work/client")"
note "$(cat "$work/client")"
[ $(($(refused_lines) - before)) = 1 ] || fail "the refusals are not told once: $(grep refused "$rig_base/n1/log/sojournd.log")"
is_now node2 "${all/node3=alive/node3=pending}" || fail "something happened: $(states node2)"

note "it is let in by its key"
! admin node1 cluster admit node3 1234-1234-1234-1234-1234 >"$work/admit" 2>&1 || fail "any key will do"
grep -q "has another key" "$work/admit" || fail "$(cat "$work/admit")"
! on node2 sojourn cluster admit node3 "$key" >"$work/admit" 2>&1 || fail "anybody can let it in"
admin node2 cluster admit node3 "$key" >"$work/admit" 2>&1 || fail "$(cat "$work/admit")"
grep -q "user 'root' at node 'node2' orders: let in" "$rig_base/n1/log/sojournd.log" || fail "the log does not say whose order it was"
wait_until 5 sh -c "! kill -0 $waiter" || fail "it still waits: $(cat "$work/wait")"
wait $waiter || fail "$(cat "$work/wait")"
for node in node1 node2 node3 node4 node5; do wait_until 10 is_now $node "$all" || fail "$node: $(states $node)"; done

for node in node1 node4; do
    told $node 'node3.*wait' | grep -q "node3, which has waited for it, was let in" || fail "$node: $(on $node sojourn events)"
done

note "one is thrown out from anywhere; the gossip has another key then"
sponsor() {
    on node4 sojourn cluster members --json |
        python3 -c 'import json, sys; print(*(n.get("sponsor") for n in json.load(sys.stdin) if n["name"] == sys.argv[1]))' "$1"
}
gossip() { sha256sum <"$rig_base/s$1/cluster/gossip.key"; }
[ "$(sponsor node3)" = node2 ] || fail "node3 was let in by $(sponsor node3)"
before=$(gossip 4)
admin node5 cluster leave --force node3 >"$work/out" 2>&1 || fail "$(cat "$work/out")"
for node in node1 node2 node4 node5; do wait_until 10 is_now $node "${all/node3=alive /}" || fail "$node: $(states $node)"; done
is_new() { [ "$(gossip 4)" != "$before" ] && [ "$(gossip 4)" = "$(gossip 1)" ]; }
wait_until 10 is_new || fail "the gossip's key is the old one"
wait_until 10 is_now node3 node3=alive || fail "node3 does not know: $(states node3)"
[ ! -e "$rig_base/s3/cluster/gossip.key" ] || fail "node3 still has a key"

note "waiting ends with a sentence when another command has ended it"
bus=$(pgrep -f "=$rig_base/a3/bus.conf")
kill -STOP $bus # and meanwhile a system bus that hangs hinders nobody but Avahi
at_exit "kill -CONT $bus 2>/dev/null"
admin node3 cluster join --wait "$cluster" >"$work/wait" 2>&1 & waiter=$!
says_key() { grep -q "Its key is" "$work/wait"; }
wait_until 3 says_key || fail "no answer while the bus hangs: $(cat "$work/wait")"
for _ in 1 2 3 4; do on node3 timeout 2 sojourn nodes >/dev/null || fail "the controller waits for the bus"; sleep 0.5; done
! states node2 | grep -q node3 || fail "the bus was not stopped"
kill -CONT $bus
wait_until 10 is_now node2 "${all/node3=alive/node3=pending}" || fail "$(states node2)"
admin node3 cluster leave >/dev/null || fail "node3 cannot give up"
gone() { told node2 node3 | grep -q "node3, at .*, waits no more"; }
wait_until 10 gone || fail "node2 does not tell that it is gone: $(on node2 sojourn events)"
wait_until 5 sh -c "! kill -0 $waiter" || fail "it still waits: $(cat "$work/wait")"
! wait $waiter || fail "it says that it is in"
grep -q "waits no more" "$work/wait" || fail "$(cat "$work/wait")"
admin node3 cluster join "$(admin node1 cluster token)" >"$work/join" 2>&1 || fail "$(cat "$work/join")"
for node in node1 node3; do wait_until 10 is_now $node "$all" || fail "$node: $(states $node)"; done

note "without the authority's node the order fails, and says so"
rig kill node1
failed() { states node2 | grep -q node1=failed; }
wait_until 10 failed || fail "node1's end is not noticed"
! admin node2 cluster leave --force node3 >"$work/out" 2>&1 || fail "it was carried out"
grep -q "node 'node1' is not reachable.*authority" "$work/out" || fail "$(cat "$work/out")"
rig start node1 >"$work/start" 2>&1 || fail "$(cat "$work/start")"
wait_until 15 is_now node2 "$all" || fail "$(states node2)"

note "Avahi goes: nothing fails, and doctor says it"
kill $(pgrep -f "=$rig_base/a1/bus.conf")
silent() { finding node1 | grep -q '^--'; }
wait_until 10 silent || fail "doctor does not notice: $(finding node1)"
is_now node1 "$all" || fail "$(states node1)"
rig down
! grep -lsaF "$rig_base/" /proc/[0-9]*/cmdline || fail "processes are left"
echo "ok - discovery"
