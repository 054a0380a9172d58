#!/bin/bash
# departure - the bytes that a migration moves follow the program, not what its guest has been through
#
# The job holds 64 MiB, and has read a file of 300 MB and freed 200 MiB. Bytes moved and, after 10 s, read again from home: at
# most 1.10 times its anonymous memory and 10 MiB. The noise in all of them is nothing that could be squeezed.
. "$(dirname "$0")/../lib.sh"
[ -x "$build/leaver" ] || skip "leaver is not built (make check builds it)"
rig_up 2
cp "$build/leaver" "$work/" && chmod 755 "$work/leaver"
head -c 300000000 /dev/urandom >"$work/past" && chmod 644 "$work/past"
mkfifo "$work/in" && chmod 666 "$work/in"
exec 3<>"$work/in"

on node1 timeout 150 sojourn run --name leaver --memory 800M -- ./leaver 64 200 ./past >"$work/out" 2>"$work/err" <"$work/in" & job=$!
wait_until 60 grep -q ready "$work/out" || { cat "$work/err"; fail "the job is not ready"; }
anonymous=$(awk '/^ready/ { print $2 }' "$work/out")
limit=$((anonymous * 110 / 100 + (10 << 20)))

# moved NODE: the bytes of the move there
moved() {
    on node1 sojourn migrate leaver "$1" >>"$work/moves" || { cat "$work/moves"; fail "it could not go to $1"; }
    on node1 sojourn show leaver --json | python3 -c 'import json,sys; print(json.load(sys.stdin)["last_migration"]["bytes"])'
}

# fetched: the bytes that it has read from home in the 10 s after its last move
fetched() { on node1 sojourn show leaver --json | python3 -c 'import json,sys; print(json.load(sys.stdin)["last_migration"]["fetched_bytes"])'; }
for node in node2 node1; do
    bytes=$(moved $node) || { echo "$bytes"; exit 1; }
    wait_until 15 fetched || fail "nobody says what it read from home afterwards"
    again=$(fetched)
    note "to $node: $((bytes >> 10)) KiB moved, $((again >> 10)) read later, $((anonymous >> 10)) are the program's, at most $((limit >> 10)) may be"
    [ $((bytes + again)) -le "$limit" ] || fail "more was moved than the program has"
done
on node1 sojourn why leaver node2 | grep -q ': expected to take [0-9]* ms and to stand still for [0-9]* ms\.$' || fail "why does not say what to expect"
echo >&3
wait $job || { cat "$work/out" "$work/err"; fail "the job ended badly"; }
grep -q '^verdict ok$' "$work/out" || { cat "$work/out"; fail "its memory has changed"; }
cat "$work/moves" | sed 's/^/# /'
echo "ok - departure"
