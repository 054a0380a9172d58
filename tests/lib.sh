# lib.sh - what the shell tests share: a rig, waiting, cleaning up; source it first
#
# A test is one script that names its needs, makes its own world, waits for conditions, cleans up on any exit, and says
# ok or what was wrong. Exit status: 0 passed, 1 failed, 77 skipped (with the reason on the last line).

top=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
build=${SOJOURN_BUILD:-$top/build}
export SOJOURN_BUILD=$build
export PATH=$build:$top/scripts:$PATH
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
    rig up "$@" >"$work/rig.log" 2>&1 || { cat "$work/rig.log"; fail "the rig did not come up"; }
    if [ "$(id -u)" = 0 ]; then
        job_user=visitor
        chown visitor "$work"
    else
        job_user=$(id -un)
    fi
}

# on NODE COMMAND...: as the ordinary user, in a folder that is the user's.
on() { local node=$1; shift; (cd "$work" && rig on "$node" "$@"); }

# job_field NODE JOB FIELD
job_field() { on "$1" sojourn show "$2" --json | python3 -c "import json,sys; print(json.load(sys.stdin)['$3'])"; }
job_is_on() { [ "$(job_field "$1" "$2" node)" = "$3" ]; }
job_runs() { [ "$(job_field "$1" "$2" state)" = running ]; }
