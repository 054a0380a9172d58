#!/bin/bash
# ends - jobs end while they are being migrated, by themselves or with their fronts: their guests are gone at once, and no libvirtd
# has died of it, which would end the migrations of other jobs
. "$(dirname "$0")/lib.sh"
ROUNDS=${ROUNDS:-12}
fault_rig 2
libvirtds() { rig list | awk 'NR > 1 { print $6 }' | while read -r dir; do cat "$dir/libvirtd.pid"; done; }
before=$(libvirtds)
for round in $(seq "$ROUNDS"); do
    name=short$round
    start_steady $name 100000
    on node1 sojourn migrate $name node2 >"$work/migrate.log" 2>&1 & mover=$!
    pause_ms $((RANDOM % 500))
    on node1 sojourn kill $([ $((round % 2)) = 0 ] && echo -KILL || echo -TERM) $name || fail "$name cannot be killed"
    wait_ended 20 $job || fail "round $round: the front does not end"
    wait_until 5 guests_sum_is 0 || { rig list; fail "round $round: a guest is left"; }
    wait_ended 20 $mover || fail "round $round: the migration does not end"
    wait $mover || grep -qE '^sojourn: .*(ended|no job|gone)' "$work/migrate.log" || { cat "$work/migrate.log"; fail "round $round: migrate does not say that the job has ended"; }
    [ "$(libvirtds)" = "$before" ] || fail "round $round: a libvirtd has died: $(cat "$work/migrate.log")"
    note "$(tail -n 1 "$work/migrate.log")"
done
start_steady after 100
on node1 sojourn migrate after node2 >/dev/null || fail "no job can be moved any more"
end_steady after 100 $job
echo "ok - $ROUNDS jobs ended on their way"
