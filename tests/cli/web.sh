#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# web - the HTTP view of a node: its page, events and metrics; who may see and do what; what is refused; a job moved by it
. "$(dirname "$0")/../lib.sh"
requires python3
rig_up 3 --web-port auto,off,auto
j() { on node1 timeout 60 sojourn "$@"; }
web() {
    python3 "$top/tests/cli/web.py" "$@" >"$work/web.out" 2>&1 || fail "$1: $(tail -n 12 "$work/web.out")"
    sed 's/^/# /' "$work/web.out"
}

# A port is opened when it is asked for, where that is allowed, and nowhere but on the loopback device.
! on node2 sojourn web >"$work/out" 2>&1 || fail "a node with web-port = off gave an address"
grep -q "web-port = off" "$work/out" || fail "no reason: $(cat "$work/out")"
! grep -q "HTTP view is at" "$rig_base"/n1/log/sojournd.log || fail "a port is open that nobody asked for"
j run --home --detach --name walker -- sh -c 'while :; do sleep 1; done' secret-word </dev/null >/dev/null || fail "walker did not start"
j web --json | python3 -c 'import json,sys; r=json.load(sys.stdin); print(r["address"]); assert r["valid_s"] == 300' >"$work/address" ||
    fail "no address"
address=$(cat "$work/address")
case $address in http://127.0.0.1:*/\#*) ;; *) fail "what an address is \"$address\"?" ;; esac
port=${address##*:} port=${port%%/*}
listens=$(awk -v p="$(printf ':%04X' "$port")" 'substr($2, 9) == p && $4 == "0A" { print $2 }' /proc/net/tcp /proc/net/tcp6)
[ "$listens" = "$(printf '0100007F:%04X' "$port")" ] || fail "it listens at \"$listens\""

web anybody "$address" walker secret-word "$job_user"
web metrics "$address"
web refused "$address"
web user "$(j web)" walker secret-word node1 node3
[ "$(job_field node1 walker node)" = node1 ] || fail "walker has not come home again"

# Another user neither sees nor commands the job; root does.
if [ "$(id -u)" = 0 ]; then
    web stranger "$(rig on node1 -u sojourn-stranger sojourn web)" walker secret-word
    web admin "$(rig on node1 -u root sojourn web)" walker node3
    [ "$(job_field node1 walker node)" = node3 ] || fail "root's order was not carried out"
fi

# Rights are those that the user's account has, at any moment.
if [ "$(id -u)" = 0 ]; then
    clerk=sojourn-clerk
    getent group sojourn-admin >/dev/null || { groupadd -r sojourn-admin && at_exit "groupdel sojourn-admin"; }
    useradd -M -G sojourn-admin $clerk || fail "there can be no user $clerk"
    at_exit "userdel $clerk 2>/dev/null"
    web rights "$(rig on node1 -u $clerk sojourn web)" walker <(sleep 2; gpasswd -d $clerk sojourn-admin)
    ! rig on node1 -u $clerk sojourn show walker >"$work/out" 2>&1 || fail "$clerk is still an administrator"
fi

# Sessions end by the command line too, and with them the pages that follow.
web ends "$(j web)" "$(j web)" <(sleep 2; j web --logout)
web slow "$address"

if command -v promtool >/dev/null; then
    python3 -c "import urllib.request; print(urllib.request.urlopen('http://127.0.0.1:$port/metrics').read().decode(), end='')" |
        promtool check metrics >"$work/out" 2>&1 || fail "promtool: $(cat "$work/out")"
fi

# The page itself, as far as there is something to run it in.
if command -v node >/dev/null; then
    mkdir "$work/page" && cp "$top"/src/controller/web/*.js "$work/page/" && echo '{"type": "module"}' >"$work/page/package.json"
    node "$top/tests/cli/web-model.mjs" "$work/page" >"$work/out" 2>&1 || fail "the page's model: $(tail -n 12 "$work/out")"
    note "$(cat "$work/out")"
fi
if command -v chromium >/dev/null; then
    j migrate walker home >/dev/null || fail "walker does not come home"
    mkdir "$work/browser"
    for check in "real chromium $work/browser $(j web) walker node3" "many chromium $work/browser $top/src/controller/web"; do
        timeout 120 python3 "$top/tests/cli/web-page.py" $check >"$work/out" 2>&1 || fail "in the browser: $(tail -n 12 "$work/out")"
        note "$(cat "$work/out")"
    done
else
    note "chromium is not installed: the page was not looked at"
fi
j list | grep -q walker || fail "the node does not answer any more"
! grep -qiE "critical|assert" "$rig_base"/n?/log/sojournd.log || fail "$(grep -iE "critical|assert" "$rig_base"/n?/log/sojournd.log)"
j kill walker
echo "ok - the HTTP view"
