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

if [ "$(id -u)" = 0 ]; then
    note "another user has taken serf's port: is told no secret, and is gone around"
    old=$(setting node1 rpc_addr)
    kill -STOP "$(pid_of node1 supervisor)"
    kill -9 "$(pid_of node1 serf)"
    cat >"$work/taker.py" <<'END'
import os, socket, sys, time
os.setgid(65534); os.setuid(65534)
door = socket.socket()
door.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
for attempt in range(100):
    try:
        door.bind(("127.0.0.1", int(sys.argv[1])))
        break
    except OSError:
        time.sleep(0.1)
door.listen()
door.settimeout(30)
print("listens", flush=True)
guest, _ = door.accept()
guest.settimeout(30)
print("heard", guest.recv(1000), flush=True)
END
    timeout 60 python3 "$work/taker.py" "${old##*:}" >"$work/taker" 2>&1 </dev/null &
    taker=$!
    listens() { grep -q listens "$work/taker"; }
    wait_until 15 listens || fail "nobody takes the port: $(cat "$work/taker")"
    kill -CONT "$(pid_of node1 supervisor)"
    wait $taker
    grep -q "heard b''" "$work/taker" || fail "it was told something, or not asked: $(cat "$work/taker")"
    wait_until 30 hears node1 2 || fail "node1: $(gossip node1)"
    [ "$(setting node1 rpc_addr)" != "$old" ] || fail "serf has still the same port"
fi

note "what strangers make serf say does not fill the disk"
log=$rig_base/n1/log/serf.log
echo last words | dd of="$log" bs=1M seek=40 2>/dev/null
is_cut() { kill -USR2 "$(pid_of node1 supervisor)" && [ "$(stat -c %s "$log")" -lt 100000 ] && tail -n 1 "$log.old" | grep -aq "last words"; }
wait_until 10 is_cut || fail "serf's log was not cut: $(ls -l "$rig_base/n1/log")"
[ "$(stat -c '%s %a' "$log.old")" = "8388608 600" ] || fail "its end was not put aside: $(ls -l "$rig_base/n1/log")"

note "a node that is to do without serf from now on does"
set_serf() { sed -i "/^--serf\$/{n;s|.*|$1|}" "$rig_base/2.settings" && grep -qx -- "$1" "$rig_base/2.settings" || fail "what settings? $(cat "$rig_base/2.settings")"; }
set_serf none
rig kill node2 && rig start node2
without() { gossip node2 | grep -q "serf is not to be used" && [ ! -e "$rig_base/n2/serf.json" ] && [ ! -e "$rig_base/n2/serf.pid" ]; }
wait_until 20 without || fail "node2: $(gossip node2) $(ls "$rig_base/n2")"
set_serf "$serf"
rig kill node2 && rig start node2
wait_until 20 hears node2 2 || fail "node2: $(gossip node2)"

note "a node fails and returns"
rig kill node3
SECONDS=0
wait_until 10 is_now node1 "node1=alive node2=alive node3=failed node4=alive" || fail "node3 is not missed: $(states node1)"
note "noticed after about $SECONDS s"
wait_until 10 hears node1 1 || fail "serf does not miss node3: $(gossip node1)"
rig start node3
wait_until 10 is_now node1 "$all" || fail "node3 is not taken back: $(states node1)"
wait_until 20 hears node1 2 || fail "serf does not take node3 back: $(gossip node1)"
wait_until 10 is_now node4 "$all" || fail "the node without serf does not see it: $(states node4)"

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
