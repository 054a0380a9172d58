#!/bin/bash
# kill-controllers - sojournd, libvirtd or both killed with -9, at rest and at every moment of migrations: the job goes on
. "$(dirname "$0")/lib.sh"
fault_rig 3
LINES_MAX=${LINES_MAX:-5000}
RANDOM=${SEED:-7}

# hurt NODE WHAT: WHAT is sojournd, libvirtd or both.
hurt() {
    local what
    for what in ${2/both/sojournd libvirtd}; do rig kill "$1" "$what" 2>/dev/null; done
    true
}

# The node has its parts again, and the others see it.
is_well() { answers "$1" && sees "$1" 3 && sees node1 3; }

# is_on NODE: home says so, and no other node has a guest.
where() { job_field node1 walker node; }
alone_on() { [ "$(where)" = "$1" ] && guests_are "$1" 1 && guests_sum_is 1; }

# all_well WHAT: everything answers, the job goes on, one guest is left, and the list is right.
all_well() {
    local node
    for node in node1 node2 node3; do wait_until 40 is_well "$node" || fail "$1: $node is not well again"; done
    goes_on walker 30 || fail "$1: the job does not go on (it is on $(where))"
    wait_until 20 alone_on "$(where)" || { rig list; fail "$1: there are guests beside the one on $(where)"; }
    on node1 sojourn list --json | grep -q '"state": *"running"' || { on node1 sojourn list; fail "$1: the list is wrong"; }
}

move() { on node1 sojourn migrate walker "$1" >"$work/migrate.log" 2>&1; }

start_steady walker "$LINES_MAX"

note "at rest"
for place in node1 node2; do
    [ "$(where)" = "$place" ] || move "$place" || { cat "$work/migrate.log"; fail "it could not go to $place"; }
    for what in sojournd libvirtd both; do
        for node in $( [ $place = node1 ] && echo node1 || echo node1 node2 ); do
            hurt "$node" $what
            all_well "$what of $node killed, the job on $place"
        done
    done
done
move node3 || { cat "$work/migrate.log"; fail "after all that it could not go to node3"; }
all_well "after moving to node3"

note "during migrations"
tries=0 moved=0
for what in sojournd libvirtd both; do
    for victim in home from to; do
        for delay in $((RANDOM % 600)); do
            [ "$(lines_of walker)" -lt $((LINES_MAX - 400)) ] || break 3
            from=$(where)
            case $from in node2) to=node3 ;; *) to=node2 ;; esac
            case $victim in home) node=node1 ;; from) node=$from ;; to) node=$to ;; esac
            move $to & mover=$!
            pause_ms "$delay"
            hurt "$node" $what
            wait_ended 60 $mover || fail "the migration to $to does not end: $what of $node ($victim) killed after $delay ms"
            wait $mover && moved=$((moved + 1))
            tries=$((tries + 1))
            all_well "$what of $node ($victim) killed $delay ms into a migration to $to"
            note "$what of $node ($victim) after $delay ms: $from to $to, now on $(where): $(tail -n 1 "$work/migrate.log")"
        done
    done
done
to=$([ "$(where)" = node2 ] && echo node3 || echo node2)
# what the last kills left on that node goes when home, just started too, has said that it may
wait_until 40 move $to || { cat "$work/migrate.log"; fail "it could not be moved at the end"; }
job_is_on node1 walker $to || fail "it is not on $to at the end"
end_steady walker "$LINES_MAX" $job
wait_until 10 guests_sum_is 0 || { rig list; fail "guests are left over"; }
echo "ok - $tries migrations with something killed, $moved succeeded, nothing lost"
