# lib.sh - what the shell tests share: a rig, waiting, cleaning up; source it first
#
# A test is one script that names its needs, makes its own world, waits for conditions, cleans up on any exit, and says
# ok or what was wrong. Exit status: 0 passed, 1 failed, 77 skipped (with the reason on the last line).

top=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
build=${SOJOURN_BUILD:-$top/build}
export SOJOURN_BUILD=$build
export PATH=$build:$PATH
rig() { "$top/scripts/rig" "$@"; } # not scripts/ in PATH: there is a "test" in it
rig_base=/tmp/sojourn-rig-$(id -u)
[ "${RIG:-1}" = 1 ] || rig_base=$rig_base-$RIG
work=$(mktemp -d "${TMPDIR:-/tmp}/sojourn-test.XXXXXX")
chmod 755 "$work"
cleanups=()

fail() { echo "not ok - $*"; exit 1; }
skip() { echo "skipped: $*"; exit 77; }
note() { echo "# $*"; }
requires() { for tool; do command -v "$tool" >/dev/null || skip "$tool is not installed"; done; }

# Commands to be run at the end, last first, whatever happens.
at_exit() { cleanups+=("$*"); }
clean_up() {
    local status=$? i
    trap - EXIT INT TERM
    for ((i = ${#cleanups[@]} - 1; i >= 0; i--)); do eval "${cleanups[i]}" || true; done
    if [ -n "${KEEP-}" ] && [ $status != 0 ]; then echo "# kept: $work"; else rm -rf "$work"; fi
    exit $status
}
trap clean_up EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

# wait_until SECONDS COMMAND...: until it succeeds, looked at ten times a second.
wait_until() {
    local limit=$((SECONDS + $1)); shift
    until "$@" >/dev/null 2>&1; do
        [ $SECONDS -lt $limit ] || return 1
        sleep 0.1
    done
}

# A rig of N nodes that goes down with the test. The user that jobs belong to is $job_user.
rig_up() {
    [ -f "$build/images/x86_64/digest" ] || skip "the guest image is not built (scripts/guest)"
    at_exit "rig down >/dev/null 2>&1"
    [ -z "${KEEP-}" ] || at_exit 'for n in 1 2 3; do cp -r "$rig_base/n$n/log" "$work/node$n"; done 2>/dev/null'
    rig up "$@" >"$work/rig.log" 2>&1 || { cat "$work/rig.log"; fail "the rig did not come up"; }
    if [ "$(id -u)" = 0 ]; then
        job_user=visitor
        chown visitor "$work"
    else
        job_user=$(id -un)
    fi
}

# proxy_up N: what N nodes say to one another shall pass a proxy that breaks it when told so (tests/faults/proxy.py), as with
# "tell cut 2", "tell block", "tell unblock". To be called before the rig is raised with --address "$proxied".
proxy_up() {
    local node prefix=127.0.${RIG:-1} pairs=()
    for ((node = 1; node <= $1; node++)); do pairs+=("$prefix.10$node=$prefix.$node"); done
    proxied=$(IFS=,; echo "${pairs[*]%%=*}")
    coproc python3 "$top/tests/faults/proxy.py" $((7227 + $(id -u) % 10000)) "${pairs[@]}"
    exec {to_proxy}>&"${COPROC[1]}" {from_proxy}<&"${COPROC[0]}"
    at_exit "kill $COPROC_PID 2>/dev/null"
    read -r -t 10 -u "$from_proxy" answer && [ "$answer" = ready ] || fail "the proxy does not start"
}
tell() { echo "$*" >&"$to_proxy" && read -r -t 10 -u "$from_proxy" answer || fail "the proxy is gone"; }

# on NODE COMMAND...: as the ordinary user, in a folder that is the user's.
on() { local node=$1; shift; (cd "$work" && rig on "$node" "$@"); }

# job_field NODE JOB FIELD
job_field() { on "$1" sojourn show "$2" --json | python3 -c "import json,sys; print(json.load(sys.stdin)['$3'])"; }
job_is_on() { [ "$(job_field "$1" "$2" node)" = "$3" ]; }
job_runs() { [ "$(job_field "$1" "$2" state)" = running ]; }

# natively COMMAND...: as the user that jobs belong to, in the same folder, without sojourn.
natively() { (natively_exec "$@"); }
natively_exec() {
    cd "$work" || exit
    [ "$(id -u)" = 0 ] || exec "$@"
    exec setpriv --reuid "$job_user" --regid "$(id -g "$job_user")" --init-groups \
        env HOME="$(getent passwd "$job_user" | cut -d: -f6)" USER="$job_user" LOGNAME="$job_user" PATH="/usr/local/bin:/usr/bin:/bin" "$@"
}
# at_home COMMAND...: natively, in the background; $! is the command's own process, which ends with the test.
at_home() { natively_exec "$@" & at_exit "kill $! 2>/dev/null"; }

# keep_moving JOB SECONDS NODE...: from node to node until the job is over; each move is a line in $work/moves.
keep_moving() {
    local job=$1 pause=$2 node; shift 2
    while :; do
        for node; do
            sleep "$pause"
            on node1 sojourn list --json | grep -q "\"$job\"" || return 0
            if on node1 sojourn migrate "$job" "$node" >>"$work/migrate.log" 2>&1; then
                echo "$node" >>"$work/moves"
            elif on node1 sojourn list --json | grep -q "\"$job\""; then
                echo "a migration to $node failed" >>"$work/move-failures"
            fi
        done
    done
}
moves_made() { wc -l <"$work/moves"; }

# same_run NAME WAY COMMAND...: runs the command this way; its streams and status are $work/NAME.WAY.out and .err.
same_run() {
    local name=$1 way=$2 out=$work/$1.$2.out err=$work/$1.$2.err mover status=0; shift 2
    [ -z "${before-}" ] || natively sh -c "$before"
    case $way in
    native) natively "$@" >"$out" 2>"$err" </dev/null || status=$? ;;
    job) on node1 timeout "$patience" sojourn run --name "$name" -- "$@" >"$out" 2>"$err" </dev/null || status=$? ;;
    moved)
        on node1 timeout "$patience" sojourn run --name "$name" -- "$@" >"$out" 2>"$err" </dev/null & job=$!
        wait_until 60 job_runs node1 "$name"
        keep_moving "$name" "${PAUSE:-1}" node2 node3 node1 & mover=$!
        wait $job || status=$?
        wait $mover
        ;;
    esac
    [ $status != 124 ] || fail "$name: $way, it has not ended in $patience seconds"
    echo "status $status" >>"$out"
    for out in "$out" "$err"; do sed -i -E "$filter" "$out"; done
}

# same NAME MOVES FILTER COMMAND...: the command natively, as a job, and as a job that is moved with a pause of PAUSE (1)
# seconds, again and again until there were MOVES migrations: streams (through the sed script FILTER) and status must be
# equal each time, and no migration may fail. MOVES 0, for what is over at once: natively and as a job.
same() {
    local name=$1 wanted=$2 filter=$3 way=job rounds=0 patience=${PATIENCE:-900}; shift 3
    rm -f "$work/move-failures"
    : >"$work/moves"
    same_run "$name" native "$@"
    while [ $way = job ] || [ "$(moves_made)" -lt "$wanted" ]; do
        same_run "$name" $way "$@"
        [ ! -s "$work/move-failures" ] || { cat "$work/move-failures" "$work/migrate.log"; fail "$name: a migration failed"; }
        for stream in out err; do
            cmp "$work/$name.native.$stream" "$work/$name.$way.$stream" ||
                { diff "$work/$name.native.$stream" "$work/$name.$way.$stream" | head -n 20; fail "$name: $way, std$stream differs"; }
        done
        way=moved
        rounds=$((rounds + 1))
        [ $rounds -le 20 ] || fail "$name: only $(moves_made) migrations in $rounds runs"
    done
    if [ "$wanted" = 0 ]; then note "$name: the same natively and as a job"
    else note "$name: the same natively, as a job, and moved $(moves_made) times in $((rounds - 1)) runs"; fi
}
