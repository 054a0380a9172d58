#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# strangers - two users: one's job, and all that the other can try at its home and at its host; what there is to try is read from the source
. "$(dirname "$0")/../lib.sh"
[ "$(id -u)" = 0 ] || skip "only root can be two users"
requires python3
rig_up 2 --web-port auto,auto
id sojourn-stranger >/dev/null 2>&1 || at_exit "userdel -r sojourn-stranger 2>/dev/null"
cp "$top/tests/cli/strangers.py" "$work/"
secret=seldom-said-word
on node1 env SECRET=$secret sojourn run --home --detach --name walker sh -c 'while :; do echo "$SECRET $0"; sleep 0.2; done' \
    $secret </dev/null >/dev/null || fail "walker did not start"
on node1 sojourn migrate walker node2 >/dev/null || fail "walker does not move"
wait_until 20 job_runs node1 walker

what() {
    on node1 sojourn show walker --json | python3 -c '
import json, sys
job = json.load(sys.stdin)
told = {key: job[key] for key in ("id", "name", "pid", "node")}
print(json.dumps(told | {"there": sys.argv[2], "secret": sys.argv[1]}))' "$secret" "$1"
}
export JOB SOJOURN=sojourn
stranger() {
    local node=$1; shift
    (cd "$work" && rig on "$node" -u sojourn-stranger /usr/bin/python3 "$work/strangers.py" "$@") >"$work/tried" 2>&1 ||
        fail "$node, $1: $(tail -n 6 "$work/tried")"
    note "$node: $(cat "$work/tried")"
}
state() {
    on node1 sojourn show walker --json |
        python3 -c 'import json, sys; r = json.load(sys.stdin); print(*(r[k] for k in "node state migrations locked group epoch".split()))'
}

methods=$(grep -ohE '"(cluster|deputy|job|node|web)\.[a-z]{3,}"' "$top"/src/controller/{admin,commands,deputies,web}.c | tr -d '"' | sort -u)
orders=$(grep -oE '"job\.[a-z]+"' "$top/src/controller/commands.c" | tr -d '"' | grep -vx -e job.list -e job.events -e job.command | sort -u)
commands=$(on node1 sojourn help | awk '/^  [a-z]/ { print $1 }')
[ "$(wc -w <<<"$methods")" -ge 40 ] && [ "$(wc -w <<<"$orders")" -ge 9 ] && [ "$(wc -w <<<"$commands")" -ge 30 ] ||
    fail "what there is to try was not found: $methods, $orders, $commands"
home=$(getent passwd "$job_user" | cut -d: -f6)
before=$(state)
for node in node1 node2; do
    n=${node#node}
    JOB=$(what node1)
    [ $node = node2 ] || JOB=$(what node2)
    socket=$rig_base/n$n/control
    stranger $node methods "$socket" $methods
    stranger $node commands "$socket" $commands
    stranger $node web "$(rig on $node -u sojourn-stranger sojourn web)" $orders
    stranger $node files "$rig_base" "$home" /dev/shm
    stranger $node processes $(pgrep -f "$rig_base/") $(pgrep -f 'sojourn run .*walker') $(pgrep -u "$job_user" sojourn)
    read -r address port < <(on $node sojourn cluster members --json |
        python3 -c 'import json, sys; r = json.load(sys.stdin)[0]; print(r["address"], r["port"])')
    stranger $node tcp "$address" "$port" $((port + 10000))
done
[ "$(state)" = "$before" ] || fail "the job was \"$before\", and is \"$(state)\""

note "openMosix's files, for all"
if [ -w /dev/fuse ] && command -v fusermount3 >/dev/null; then
    mkdir "$work/all"
    at_exit 'fusermount3 -u -z "$work/all" 2>/dev/null'
    SOJOURN_SOCKET=$rig_base/n2/control "$build/sojourn" procfs --foreground --allow-other "$work/all" >"$work/all.log" 2>&1 </dev/null &
    wait_until 10 test -d "$work/all/hpc" || fail "not mounted: $(cat "$work/all.log")"
    pid=$(job_field node1 walker pid)
    grep -q "user=$job_user name=walker" "$work/all/hpc/remote/$pid/identity" || fail "root does not see the guest: $(ls -R "$work/all/hpc/remote")"
    stranger node2 files "$work/all"
    ! rig on node2 -u sojourn-stranger cat "$work/all/hpc/remote/$pid/identity" >"$work/out" 2>&1 || fail "$(cat "$work/out")"
    fusermount3 -u -z "$work/all"
fi

note "a controller that is started again is not told wrong"
back=$(pgrep -u "$job_user" -f 'sojourn run .*walker' | tr '\n' ' ')
kill -STOP $back
at_exit "kill -CONT $back 2>/dev/null"
old=$(cat "$rig_base/n1/sojournd.pid")
rig kill node1 sojournd
is_new() { [ "$(cat "$rig_base/n1/sojournd.pid")" != "$old" ] && rig on node1 -u sojourn-stranger timeout 2 sojourn nodes; }
wait_until 20 is_new || fail "node1's controller does not come back"
JOB=$(python3 -c 'import json,os; r=json.loads(os.environ["JOB"]); r["node"]="node2"; print(json.dumps(r))')
stranger node1 register "$rig_base/n1/control"
kill -CONT $back
wait_until 30 job_runs node1 walker || fail "the job is lost"
[ "$(state)" = "$before" ] || fail "the job was \"$before\", and is \"$(state)\""
on node1 sojourn migrate walker home >/dev/null || fail "walker does not come home"
on node1 sojourn kill -KILL walker || fail "its user cannot end it"
echo "ok - strangers"
