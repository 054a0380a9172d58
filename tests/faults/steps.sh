#!/bin/bash
# steps - home's, the source's or the destination's controller dies between any two steps of a migration, or the libvirtd of one of
# these, or a last answer is lost: one copy goes on, where the deputy says it is, and its output is exact
. "$(dirname "$0")/lib.sh"
export SOJOURN_FAULTS=1 # src/common/fault.h
fault_rig 3

where() { job_field node1 walker node 2>/dev/null; }
alone() { local node; node=$(where) && guests_are "$node" 1 && guests_sum_is 1; }
is_well() { answers "$1" && sees "$1" 3; }
faults() { echo "$(rig list | awk -v node="$1" '$1 == node { print $6 }')/faults"; }

# try STEP ACTION WHERE: a migration meets ACTION at STEP; then the job is WHERE: from, to, or either.
try() {
    local step=$1 action=$2 place=$3 node from to file status=0
    from=$(where)
    case $from in node2) to=node3 ;; *) to=node2 ;; esac
    case $step in home.*) node=node1 ;; source.*) node=$from ;; *) node=$to ;; esac
    file=$(faults $node)
    echo "$step $action" >"$file.new" && mv "$file.new" "$file"
    on node1 sojourn migrate walker $to >"$work/migrate.log" 2>&1 & mover=$!
    wait_ended 60 $mover || fail "$step $action: the migration does not end"
    wait $mover || status=$?
    wait_until 5 test ! -e "$file" || { cat "$work/migrate.log"; fail "$step: the step was never reached"; }
    for node in node1 node2 node3; do wait_until 40 is_well $node || fail "$step $action: $node is not well again"; done
    goes_on walker 20 || { on node1 sojourn list; fail "$step $action: the job does not go on"; }
    wait_until 20 alone || { rig list; fail "$step $action: there are copies beside the one on $(where)"; }
    case $place,$(where) in either,$from | either,$to | from,$from | to,$to) ;; *) fail "$step $action: the job is on $(where)" ;; esac
    [ $status = 0 ] || grep -q '^sojourn: .' "$work/migrate.log" || fail "$step $action: migrate failed without a sentence"
    if [ $action = kill ] && [ ${step%%.*} = home ]; then
        grep -q 'went away.*sojourn show walker' "$work/migrate.log" || { cat "$work/migrate.log"; fail "$step: it is not said what to do"; }
    fi
    [ $action != lose ] || [ $status = 0 ] || { cat "$work/migrate.log"; fail "$step: a lost answer makes the migration fail"; }
    note "$step $action: $from to $to, now on $(where): $(tail -n 1 "$work/migrate.log")"
}

start_steady walker 100000
on node1 sojourn migrate walker node2 >/dev/null || fail "it could not go to node2"
try destination.answer lose to
try source.answer lose to
try home.committed lose to
for step in checked expected prepared; do try home.$step kill from; done
for step in asked dialled prepared copying; do try source.$step kill from; done
for step in asked opened prepared; do try destination.$step kill from; done
try source.finishing kill either
try destination.finished kill from
try home.asked kill either
try home.committed kill to
for step in committed resumed answer over; do try destination.$step kill to; done
for step in answer gone over; do try source.$step kill to; done
try home.over kill to
for step in source.copying source.finishing source.answer destination.prepared destination.finished; do try $step libvirtd either; done
for step in committed resumed; do try destination.$step libvirtd to; done
on node1 sojourn kill -KILL walker || fail "it cannot be killed"
wait $job
seq "$(wc -l <"$work/walker.out")" | cmp - "$work/walker.out" || fail "its output is not exact"
seq "$(wc -l <"$work/walker.lines")" | cmp - "$work/walker.lines" || fail "its file is not exact"
wait_until 10 guests_sum_is 0 || { rig list; fail "guests are left over"; }
echo "ok - each time one copy went on"
