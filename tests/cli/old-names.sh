#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# old-names - each of openMosix's names does on two nodes what its examples said
export RIG=${RIG:-6}
. "$(dirname "$0")/../lib.sh"
[ "$(id -u)" = 0 ] || skip "only root can make networks"
requires script ip
rig_up 2 --netns
cp "$build/sojourn-openmosix" "$work/"
old() { local node=$1; shift; on "$node" timeout 90 "$work/sojourn-openmosix" "$@" </dev/null; }
admin() { local node=$1; shift; (cd "$work" && rig on "$node" -u root timeout 90 "$work/sojourn-openmosix" "$@" </dev/null); }
is() { [ "$2" = "$3" ] || fail "$1: \"$2\" is not \"$3\""; }
has() { case $2 in *"$3"*) ;; *) fail "$1: \"$2\" does not have \"$3\"" ;; esac; }
tried=" "
names=$("$work/sojourn-openmosix" | awk '/^  [a-z]/ { print $1 }' | sort -u)

note "the map"
one=$((RIG * 256 + 1)) two=$((RIG * 256 + 2))
is whois "$(old node1 mosctl whois node2)" "$two 10.77.$RIG.2 node2"
has showmap "$(old node1 showmap)" "My Node-Id: $(printf 0x%04x $one)"
old node1 setpe -r >"$work/map" || fail "no map"
is setpe "$(cat "$work/map")" "$one 10.77.$RIG.1 1"$'\n'"$two 10.77.$RIG.2 1"
is "setpe -c" "$(old node2 setpe -c -f "$work/map")" "The table is well."
admin node1 setpe -w -f "$work/map" >/dev/null || fail "setpe -w"
printf '%s 10.77.%s.2 1\n9 127.0.0.1 1\n' $two "$RIG" >"$work/other"
! old node1 setpe -c -f "$work/other" >"$work/out" 2>&1 || fail "a table without this node is well"
has "setpe" "$(cat "$work/out")" "my IP address (10.77.$RIG.1) is not there!"
has "setpe" "$(cat "$work/out")" "which is every machine itself"
printf '1 10.77.%s.1 2\n' "$RIG" >"$work/other"
differs() { ! old node2 setpe -c -f "$work/other" >"$work/out" 2>&1; } # node2 hears of node1's table within a second
wait_until 10 differs || fail "another table is not noticed"
has "setpe" "$(cat "$work/out")" "node1 was given another table"
tried+="setpe showmap "

note "commands that run others"
# where NAME WORD...: the node where it has run
where() { tried+="$1 "; is "$*" "$(old node1 "$@" cat /proc/self/where 2>"$work/err")" "$there"; }
there=home
where runhome
where nomig
where mosrun -h
there=node2
where mosrun -$two
where mosrun -j$two
where runon $two
for name in cpujob iojob nodecay slowdecay fastdecay; do where $name -$two; done
! old node1 mosrun -$((two + 7)) true 2>"$work/err" || fail "it has run on a node that there is not"

note "migrate, mps, groups"
for name in walker runner; do
    on node1 sojourn run --home --detach --name $name sh -c 'while :; do sleep 1; done' </dev/null >/dev/null || fail "$name does not start"
done
pid=$(job_field node1 walker pid) other=$(job_field node1 runner pid)
old node1 migrate $pid $two && job_is_on node1 walker node2 || fail "migrate to node2"
has mps "$(old node1 mps | grep " *$pid ")" "$two"
old node1 migrate $pid home && job_is_on node1 walker node1 || fail "migrate home"
old node1 migrate $pid balance || fail "migrate balance"
old node1 joingroup $pid $other 5 || fail joingroup
is showgroup "$(old node1 showgroup 5 | tr ' ' '\n' | sort)" "$(printf '%s\n' $pid $other | sort)"
old node1 migrategroup 5 $two && job_is_on node1 walker node2 && job_is_on node1 runner node2 || fail "migrategroup"
old node1 resetgroup 5 || fail resetgroup
is showgroup "$(old node1 showgroup 5 2>/dev/null)" ""
tried+="migrate mps joingroup migrategroup resetgroup showgroup "

note "mosctl"
! old node2 mosctl expel 2>"$work/err" || fail "a user can expel"
admin node2 mosctl expel >/dev/null || fail "expel"
job_is_on node1 walker node1 && job_is_on node1 runner node1 || fail "expel has returned, and not all are gone"
blocked() { old node1 mosctl status $two | grep -q block; }
wait_until 10 blocked || fail "expel does not block: $(old node1 mosctl status $two)"
admin node2 mosctl noblock || fail noblock
open_again() { ! blocked; }
wait_until 10 open_again || fail "noblock: $(old node1 mosctl status $two)"
old node1 migrate $pid $two || fail "it still blocks"
admin node1 mosctl bring >/dev/null && job_is_on node1 walker node1 || fail "bring"
admin node1 mosctl nolstay || fail nolstay
for verb in getload getspeed getmem getfree getutil status isup; do
    [ -n "$(old node1 mosctl $verb $two)" ] || fail "mosctl $verb"
done
admin node2 mosctl setspeed 7000 || fail setspeed
slower() { [ "$(old node1 mosctl getspeed $two)" = 7000 ]; }
wait_until 10 slower || fail "node2 has the speed $(old node1 mosctl getspeed $two)"
tried+="mosctl "

note "what watches"
for name in mon mosmon mtop; do
    on node1 env TERM=xterm script -qec "timeout --foreground 2 $work/sojourn-openmosix $name" /dev/null </dev/null >"$work/out" 2>&1
    grep -qE "node2|$two|walker" "$work/out" || fail "$name shows nothing: $(cat "$work/out")"
done
old node1 omdiscd || fail omdiscd
tried+="mon mosmon mtop omdiscd "
for name in $names; do
    case $tried in *" $name "*) ;; *) fail "$name was not tried" ;; esac
    [ -e "$top/docs/openmosix/$name.1" ] || fail "there is no man page for $name"
done
on node1 sojourn kill -KILL walker runner || fail "they cannot be ended"
echo "ok - old names"
