#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# gossip - serf watches the nodes: killed and restarted parts, a failed node, one without serf, one that is thrown out, a stranger
export RIG=${RIG:-6}
. "$(dirname "$0")/../lib.sh"
requires python3 serf
serf=$(command -v serf)
rig_up 4 --serf "$serf,$serf,$serf,none"
admin() {
    local node=$1; shift
    if [ "$(id -u)" = 0 ]; then (cd "$work" && rig on "$node" -u root timeout 60 sojourn "$@"); else on "$node" timeout 60 sojourn "$@"; fi
}
states() { on "$1" sojourn nodes --json | python3 -c 'import json,sys; print(*sorted(n["name"]+"="+n["state"] for n in json.load(sys.stdin)))'; }
is_now() { [ "$(states "$1")" = "$2" ]; }
gossip() { on "$1" sojourn doctor | grep -A1 ' gossip '; }
hears() { gossip "$1" | grep -q "serf watches the nodes: $2 of the others"; }
pid_of() { cat "$rig_base/n${1#node}/$2.pid"; }
setting() { python3 -c 'import json,sys; print(json.load(open(sys.argv[1]))[sys.argv[2]])' "$rig_base/n${1#node}/serf.json" "$2"; }
all="node1=alive node2=alive node3=alive node4=alive"

note "who watches whom"
for node in node1 node2 node3; do wait_until 20 hears $node 2 || fail "$node: $(gossip $node; cat "$rig_base/n1/log/serf.log")"; done
gossip node4 | grep -q "serf is not to be used" || fail "node4: $(gossip node4)"
gossip node4 | grep -q "remedy" || fail "node4's doctor knows no remedy"
key=$(setting node1 encrypt_key)
[ "$(stat -c %a "$rig_base/n1/serf.json")" = 600 ] || fail "serf's settings can be read by others"
! grep -lsaF "$key" /proc/[0-9]*/cmdline || fail "the key is in a command line"
[ "$(id -u)" != 0 ] || [ "$(stat -c %U "/proc/$(pid_of node1 serf)")" != root ] || fail "serf runs as root"

note "a killed serf comes back, and nobody misses the node; a restarted controller finds the serf that is there"
old=$(pid_of node2 serf)
rig kill node2 serf
serf_is_new() { [ "$(pid_of node2 serf)" != "$old" ]; }
wait_until 10 serf_is_new || fail "serf was not started again"
wait_until 10 hears node2 2 || fail "node2: $(gossip node2)"
old=$(pid_of node1 serf)
rig kill node1 sojournd
wait_until 20 hears node1 2 || fail "node1: $(gossip node1)"
[ "$(pid_of node1 serf)" = "$old" ] || fail "serf was started again with the controller"
is_now node3 "$all" || fail "a part that was restarted made a node fail: $(states node3)"
! grep "has failed" "$rig_base"/n[234]/log/sojournd.log | grep -v "'node1'" || fail "a node was missed"

note "a node fails and returns"
rig kill node3
SECONDS=0
wait_until 10 is_now node1 "node1=alive node2=alive node3=failed node4=alive" || fail "node3 is not missed: $(states node1)"
note "noticed after about $SECONDS s"
wait_until 10 hears node1 1 || fail "serf does not miss node3: $(gossip node1)"
rig start node3
wait_until 10 is_now node1 "$all" || fail "node3 is not taken back: $(states node1)"
wait_until 20 hears node1 2 || fail "serf does not take node3 back: $(gossip node1)"
is_now node4 "$all" || fail "the node without serf does not see it: $(states node4)"

note "a node that is thrown out takes the old key with it"
admin node1 cluster leave --force node3 || fail "node3 could not be thrown out"
key_is_new() { [ "$(setting "$1" encrypt_key)" != "$key" ]; }
for node in node1 node2; do wait_until 10 key_is_new $node || fail "$node still has the old key"; done
[ "$(setting node1 encrypt_key)" = "$(setting node2 encrypt_key)" ] || fail "the keys are not the same"
for node in node1 node2; do wait_until 20 hears $node 1 || fail "$node: $(gossip $node)"; done
no_serf() { [ ! -e "$rig_base/n3/serf.pid" ]; }
wait_until 10 no_serf || fail "node3's serf goes on"
cat >"$work/stranger.json" <<END
{"node_name": "node2@$(setting node1 bind | cut -d: -f1)", "bind": "127.0.$RIG.99:17999", "rpc_addr": "127.0.0.1:0", "encrypt_key": "$key",
 "start_join": ["$(setting node1 bind)"]}
END
! timeout 10 serf agent -config-file="$work/stranger.json" >"$work/stranger" 2>&1 || fail "a stranger with the old key got in: $(cat "$work/stranger")"
grep -q "Failed to join" "$work/stranger" || fail "the stranger did not try: $(cat "$work/stranger")"
is_now node2 "node1=alive node2=alive node4=alive" || fail "the rest is not at peace: $(states node2)"

note "nothing is left"
rig down
! grep -lsaF "$rig_base/" /proc/[0-9]*/cmdline || fail "processes are left"
echo "ok - gossip"
