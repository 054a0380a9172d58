#!/bin/bash
# payload.sh - all payloads natively, in a job, in a job that moves each second, and in one whose link breaks: no difference
#
# usage: payload.sh [CASE]...
# PAYLOAD_SECONDS is how long a case lasts (2), PAYLOAD_LIMIT when one is said to hang, PAYLOAD_PARALLEL how many run at once
# (8), PAYLOAD_WAYS which ways (native job moved cut), PAYLOAD_OPTIONS more options of run (--cpus 2), PAYLOAD_LONG=1 makes
# large folders. What a way printed is compared with the native output, whole.
. "$(dirname "$0")/../lib.sh"
requires python3 setpriv
seconds=${PAYLOAD_SECONDS:-2} parallel=${PAYLOAD_PARALLEL:-8}
ways=${PAYLOAD_WAYS:-native job moved cut}

# Between the nodes stands a proxy that can break what it carries.
proxy_up 3
rig_up 3 --address "$proxied"
cp "$build/payload" "$work/" && cp -r "$top/tests/payload/cases" "$work/" && chmod -R a+rX "$work/payload" "$work/cases"

# A folder that cannot be changed, though its modes say it could.
variables=(PAYLOAD_SECONDS="$seconds" PAYLOAD_LIMIT="${PAYLOAD_LIMIT:-$((seconds * 20 + 120))}" PAYLOAD_SCRIPTS="$work/cases"
    PYTHONDONTWRITEBYTECODE=1)
[ -z "${PAYLOAD_LONG-}" ] || variables+=(PAYLOAD_LONG=1)
[ -z "${PAYLOAD_VERBOSE-}" ] || variables+=(PAYLOAD_VERBOSE=1)
if [ "$(id -u)" = 0 ]; then
    mkdir "$work/fixed" && echo 'read only' >"$work/fixed/file" && chown -R "$job_user" "$work/fixed"
    mount --bind "$work/fixed" "$work/fixed" && mount -o remount,bind,ro "$work/fixed" || fail "no read-only mount"
    at_exit "umount $work/fixed"
    variables+=(PAYLOAD_READ_ONLY="$work/fixed")
fi

# suite WAY COMMAND...: the suite by way of this command; its output is $work/WAY.out.
suite() {
    local way=$1 partner=$work/partner.$1 status=0; shift
    natively mkdir "$work/in.$way" "$partner"
    natively ./payload --partner "$partner" & partner_pid=$!
    wait_until 10 test -e "$partner/ready" || fail "$way: the partner at home does not start"
    "$@" env "${variables[@]}" PAYLOAD_PARTNER="$partner" ./payload --suite "$work/in.$way" "$parallel" "${cases[@]}" \
        >"$work/$way.out" 2>"$work/$way.err" </dev/null || status=$?
    : >"$partner/stop"
    wait $partner_pid || fail "$way: the partner at home found something wrong"
    grep '^#' "$work/$way.err" || true
    grep -v '^#' "$work/$way.err" && echo "# that was written to the standard error of way $way"
    note "$way: $(tail -n 1 "$work/$way.out"), status $status, $((SECONDS - began)) s"
    rm -rf "${work:?}/in.$way"
}

# shellcheck disable=SC2086
job() { on node1 sojourn run --name "payload-$way" --memory 1G ${PAYLOAD_OPTIONS-} -- "$@"; }

# Connections break, one by one or all, for up to two seconds, until the job is over.
keep_cutting() {
    local cuts=0
    while sleep "0.$((RANDOM % 9 + 1))"; job_exists; do
        if [ $((cuts % 4)) = 3 ]; then
            tell block
            sleep "$((RANDOM % 2)).$((RANDOM % 10))"
            tell unblock
        else
            tell cut $((RANDOM % 3 + 1))
        fi
        cuts=$((cuts + 1))
    done
    note "$way: cut $cuts times"
}
job_exists() { on node1 sojourn list --json 2>/dev/null | grep -q '"payload-cut"'; }

cases=("$@")
for way in $ways; do
    began=$SECONDS
    case $way in
    native) suite native natively ;;
    job) suite job job ;;
    moved)
        : >"$work/moves"
        suite moved job & running=$!
        wait_until 60 job_runs node1 payload-moved || fail "the job does not run"
        keep_moving payload-moved 1 node2 node3 node1
        wait $running || fail "moved: the suite could not be run"
        note "moved $(moves_made) times"
        [ ! -s "$work/move-failures" ] || { cat "$work/move-failures" "$work/migrate.log"; fail "a migration failed"; }
        ;;
    cut)
        suite cut job & running=$!
        wait_until 60 job_runs node1 payload-cut || fail "the job does not run"
        on node1 sojourn migrate payload-cut node2 >"$work/migrate.log" 2>&1 ||
            { cat "$work/migrate.log"; fail "the job cannot go to node2"; }
        keep_cutting
        wait $running || fail "cut: the suite could not be run"
        ;;
    esac
done
for way in $ways; do
    tail -n 1 "$work/$way.out" | grep -q '^verdict: \([1-9][0-9]*\) of \1 ok$' || bad=${bad-}" $way"
    if [ -e "$work/native.out" ]; then
        cmp -s "$work/native.out" "$work/$way.out" ||
            { bad=${bad-}" $way"; diff "$work/native.out" "$work/$way.out" | head -n 60; }
    else
        grep -vE '(: ok|^verdict: .*)$' "$work/$way.out"
    fi
done
[ -z "${bad-}" ] || fail "not the same:$bad"
echo "ok - $(grep -c ': ok$' "$work/native.out" 2>/dev/null) payloads:$(printf ' %s' $ways)"
