#!/bin/bash
# deputy-kill - kill -9 of the front, or of the back, ends the guest within 5 s wherever it runs, also in a migration
. "$(dirname "$0")/lib.sh"
fault_rig 3

# The front is the process of `sojourn run`; the back is its child of the same name.
front_of() { job_field node1 "$1" pid; }
back_of() { pgrep -P "$1" -x sojourn; }
no_job() { ! on node1 sojourn list --json | grep -q "\"$1\""; }

# ended_everywhere NAME SECONDS-LEFT WHAT
ended_everywhere() {
    wait_until "$2" guests_sum_is 0 || { rig list; fail "$3: a guest is left after $2 s"; }
    wait_until 5 no_job "$1" || fail "$3: the job is still listed"
}

number=0
for victim in front back; do
    for place in node1 node2; do
        for when in rest copy; do
            number=$((number + 1)) name=victim$number what="$victim killed, the job on $place, at $when"
            start_steady $name 100000
            [ $place = node1 ] || on node1 sojourn migrate $name $place >/dev/null || fail "it could not go to $place"
            pid=$(front_of $name)
            [ $victim = front ] || pid=$(back_of "$pid")
            [ -n "$pid" ] || fail "$what: there is no such process"
            if [ $when = copy ]; then
                on node1 sojourn migrate $name node3 >"$work/migrate.log" 2>&1 & mover=$!
                pause_ms $((RANDOM % 400))
            fi
            kill -9 "$pid" || fail "$what: it was gone before"
            ended_everywhere $name 5 "$what"
            status=0
            wait $job || status=$?
            case $victim,$status in
            front,137) ;;
            back,0) fail "$what: the front says that all is well" ;;
            back,*) [ -s "$work/$name.err" ] || fail "$what: the front ends with status $status and says nothing" ;;
            *) fail "$what: status $status" ;;
            esac
            if [ $when = copy ]; then
                wait_ended 20 $mover || fail "$what: the command migrate does not end"
                wait $mover || [ -s "$work/migrate.log" ] || fail "$what: migrate failed without a sentence"
            fi
            note "$what: ended, status $status: $(tail -n 1 "$work/$name.err")"
        done
    done
done
start_steady after 100
on node1 sojourn migrate after node2 >/dev/null || fail "no job can be moved any more"
end_steady after 100 $job
echo "ok - $number jobs ended with their deputies"
