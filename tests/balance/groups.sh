#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# groups - jobs of a group leave a busy node together, newcomers start with them, a person moves one or all, a torn one gathers
. "$(dirname "$0")/../lib.sh"
requires python3
rig_up 2 --cpus 1,4 --balance on,off --balance-stay 15
j() { on node1 timeout 60 sojourn "$@"; }
# where GROUP: how many of its members are on each node, as "node1:0 node2:3"
where() { j list --json | python3 -c "
import json, sys
at = [job['node'] for job in json.load(sys.stdin) if job['group'] == '$1']
print(' '.join(f'node{n}:{at.count(f\"node{n}\")}' for n in (1, 2)))"; }
is_where() { [ "$(where "$1")" = "$2" ]; }
moves() { j show "$1" --json | python3 -c "import json,sys; print(json.load(sys.stdin)['migrations'])"; }
busy() { j run --detach --memory 64M "$@" -- sh -c 'while :; do :; done' </dev/null >/dev/null || fail "$* did not start"; }

# Three that compute on a node of one CPU: one alone would leave until it is well for the rest; as a group they leave all.
for i in 1 2 3; do busy --home --name pack$i --group pack; done
is_where pack "node1:3 node2:0" || fail "they did not start at home: $(where pack)"
wait_until 60 is_where pack "node1:0 node2:3" || fail "they have not moved together: $(where pack)"
for i in 1 2 3; do [ "$(moves pack$i)" = 1 ] || fail "pack$i has moved $(moves pack$i) times"; done
note "three left a node of one CPU together"

# A newcomer starts where they are; one that joins later is known to its host, too; both after the controller was killed.
busy --name pack4 --group pack
is_where pack "node1:0 node2:4" || fail "the fourth did not start with them: $(where pack)"
busy --home --lock --name late --memory 64M
j group pack late || fail "late cannot join"
is_where pack "node1:1 node2:4" || fail "late is not in the group: $(where pack)"
rig kill node1 sojournd
wait_until 30 is_where pack "node1:1 node2:4" || fail "a controller that was killed forgot the group: $(where pack)"
if [ "$(id -u)" = 0 ]; then
    j group other pack4
    told() { (cd "$work" && rig on node2 -u root sojourn list --json) | grep -q '"group": *"other"'; }
    wait_until 10 told || fail "its host does not know that it changed the group"
    j group pack pack4
fi

# By hand: one alone, or all; what is locked is told
j migrate pack1 node1 >"$work/out" 2>&1 || fail "one member alone: $(cat "$work/out")"
is_where pack "node1:2 node2:3" || fail "not one alone: $(where pack)"

# One that is torn apart is together again soon; but not what a person has put elsewhere, nor what is locked
busy --on node2 --name twin1 --group twins
busy --home --name twin2 --group twins
is_where twins "node1:1 node2:1" || fail "the twins are at $(where twins)"
wait_until 60 is_where twins "node1:0 node2:2" || fail "the twins do not gather: $(where twins)"
grep -q "to node2 for group" "$rig_base/n1/log/sojournd.log" || fail "they are together, but not because they are a group"
is_where pack "node1:2 node2:3" || fail "what a person has moved was moved back: $(where pack)"
note "a torn group is together again"
for i in 1 2; do j kill -9 twin$i; done
j unlock late
j lock pack1
! j migrate --group pack node2 >"$work/out" 2>&1 || fail "a locked job moved with its group"
grep -q "job pack1 stays: .*locked" "$work/out" || fail "which stays is not told: $(cat "$work/out")"
is_where pack "node1:1 node2:4" || fail "the others did not move: $(where pack) $(cat "$work/out")"
for i in 1 2 3 4; do j group none pack$i; done
! j group pack | grep -q pack1 || fail "pack1 is still in the group"
note "by hand: one, or all but the locked one"
echo "ok - groups"
