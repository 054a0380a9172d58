#!/bin/sh
# migrate.sh [COUNT] - libvirt's own live migration between two nodes: there and back, its figures, abort, a dead gate
. "${0%/*}/lib.sh"
need_image

count=${1:-6}
id=6f1d2c3b-0a9e-4c5d-8b7a-112233445566
node_up n1
node_up n2
hv n1 start $id 1 64M quiet | grep -q '^done' || fail "a guest does not start"
sleep 1

# go FROM TO EPOCH [ABORT_MS MIBPS]
go() {
    hv "$2" xml $id "$3" 64M quiet >"$w/x.xml"
    chmod 644 "$w/x.xml"
    hv "$1" migrate $id "$w/$2/r/lv/libvirt-sock" "$w/$2/r/ch/m$3" "$w/x.xml" ${4:+"$4" "$5"} >"$w/out" || true
    sed -n 's/^migrated/# migrated/p' "$w/out"
}

runs() { [ "$(state_of "$1" $id)" = running ]; }
absent() { [ -z "$(state_of "$1" $id)" ]; }

from=n1 to=n2 i=1
while [ "$i" -le "$count" ]; do
    i=$((i + 1))
    go $from $to $i
    grep -q '^migrated .*state=ended' "$w/out" || fail "migration $i: $(cat "$w/out")"
    grep -q 'downtime_ms=[0-9]* bytes=[1-9]' "$w/out" || fail "libvirt did not say what it did: $(cat "$w/out")"
    hv $to list | grep -q "^$id paused pause=1 busy=0 epoch=$i " || fail "it did not arrive paused: $(hv $to list)"
    [ -z "$(state_of $from $id)" ] || fail "it is still at $from"
    hv $to resume $id | grep -q '^done' || fail "it cannot be resumed"
    t=$from from=$to to=$t
done

# nobody answers at the gate: it goes on where it is
hv $from migrate $id "$w/nowhere" "$w/$to/r/ch/x" "$w/x.xml" >"$w/out" || true
grep -q '^migrated .*state=running pause=0' "$w/out" || fail "without a gate: $(cat "$w/out")"
grep -q '^failed the destination did not open its gate' "$w/out" || fail "without a gate: $(cat "$w/out")"

# aborted in the middle of a slow copy, it goes on where it is
go $from $to 90 1500 2
grep -q '^progress [1-9][0-9]* [1-9]' "$w/out" || fail "no progress: $(cat "$w/out")"
grep -q '^migrated total_ms=[1-9].*state=running' "$w/out" || fail "aborted: $(cat "$w/out")"
[ "$(state_of $from $id)" = running ] || fail "after the abort it does not run"
[ -z "$(state_of $to $id)" ] || fail "after the abort something is left at $to"

# a libvirtd dies in the middle: the call ends, nobody is lost, and the guest runs in the end
for victim in $to $from; do
    go $from $to 90 60000 2 &
    call=$!
    sleep 1.5
    kill -9 "$(pid_of $victim libvirtd)"
    wait_until 15 dead $call || fail "the call hangs after the death of $victim's libvirtd"
    wait $call || true
    grep -q '^failed' "$w/out" || fail "it succeeded: $(cat "$w/out")"
    sed -n 's/^failed/# failed/p' "$w/out"
    wait_until 10 test -S "$w/$victim/r/lv/libvirt-sock"
    wait_until 10 runs $from || fail "it does not run after the death of $victim's libvirtd"
    wait_until 10 absent $to || fail "something is left at $to"
done

# and after all that it can still be migrated
go $from $to 91
grep -q '^migrated .*state=ended' "$w/out" || fail "after an abort: $(cat "$w/out")"
echo ok
