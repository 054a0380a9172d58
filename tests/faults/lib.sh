# lib.sh - what the tests of faults share: a job whose output is known, nodes that are hurt, what must be left; source it first
#
# The job is tests/payload/steady: numbered lines to stdout and to a file, memory and input checked all the time. If two
# incarnations of it were ever listened to, or one went on from an older state, its output would not be exact.
. "$(dirname "${BASH_SOURCE[0]}")/../lib.sh"

# steady_files: what the jobs need, in $work.
steady_files() {
    cp "$build/steady" "$work/"
    head -c 100000 /dev/urandom >"$work/input"
    chmod 755 "$work/steady"
    chmod 644 "$work/input"
}

# start_steady NAME LINES [RUN-OPTION]...: on node1; its process is $job. Lines come each 10 ms at most.
start_steady() {
    local name=$1 lines=$2; shift 2
    on node1 sojourn run --name "$name" "$@" -- ./steady "$lines" 4 "./$name.lines" ./input >"$work/$name.out" 2>"$work/$name.err" &
    job=$!
    wait_until 30 test -s "$work/$name.out" || { cat "$work/$name.err"; fail "job $name printed nothing"; }
}

# end_steady NAME LINES PROCESS: it must end well, with every line once.
end_steady() {
    local name=$1 lines=$2 process=$3 status=0
    wait_ended 60 "$process" || { on node1 sojourn list; fail "job $name does not end: $(tail -n 1 "$work/$name.out")"; }
    wait "$process" || status=$?
    [ $status = 0 ] || { cat "$work/$name.err"; tail -n 2 "$work/$name.out"; fail "job $name ended with status $status"; }
    (seq "$lines"; echo "verdict ok") | cmp - "$work/$name.out" || fail "the output of $name is not exact"
    seq "$lines" | cmp - "$work/$name.lines" || fail "the file of $name is not exact"
    [ ! -s "$work/$name.err" ] || { cat "$work/$name.err"; fail "job $name wrote errors"; }
}

has_ended() { ! kill -0 "$1" 2>/dev/null; }
wait_ended() { wait_until "$1" has_ended "$2"; }

lines_of() { wc -l <"$work/$1.out"; }
has_more_lines() { [ "$(lines_of "$1")" -gt "$2" ]; }

# goes_on NAME SECONDS: more lines come.
goes_on() { wait_until "$2" has_more_lines "$1" "$(($(lines_of "$1") + 5))"; }

# guests NODE: how many QEMUs run there.
guests() { rig list | awk -v node="$1" '$1 == node { print $5 }'; }
guests_are() { [ "$(guests "$1")" = "$2" ]; }
guests_sum() { rig list | awk 'NR > 1 { sum += $5 } END { print sum + 0 }'; }
guests_sum_is() { [ "$(guests_sum)" = "$1" ]; }

# fault_rig N [OPTION]...: a rig; with KEEP set, the nodes' logs are kept with the rest of a test that failed.
fault_rig() {
    rig_up "$@"
    at_exit "[ -z \"\${KEEP-}\" ] || for log in \$(rig list | awk 'NR > 1 { print \$6 }'); do cp -r \$log/log $work/\${log##*/}.log; done"
    steady_files
}

# answers NODE: its controller and its libvirtd are there again, and it sees the others.
sees() { [ "$(on "$1" sojourn nodes --json | grep -cE '"state": *"alive"')" = "$2" ]; }
answers() { on "$1" sojourn doctor --json | grep -A1 '"check": *"libvirtd"' | grep -q true; }

# milliseconds N
pause_ms() { sleep "$(printf '%d.%03d' $(($1 / 1000)) $(($1 % 1000)))"; }
