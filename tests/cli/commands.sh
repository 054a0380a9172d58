#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# commands.sh - each command's question to the controller, what it prints, and its exit status
: "${SOJOURN_BUILD:=${G_TEST_BUILDDIR-}}"
[ -n "$SOJOURN_BUILD" ] || unset SOJOURN_BUILD
. "$(dirname "$0")/../lib.sh"
requires python3

export SOJOURN_SOCKET=$work/control
"$top/tests/cli/canned-controller" "$SOJOURN_SOCKET" "$top/tests/cli/answers.json" "$work/record" &
controller=$!
at_exit "kill $controller"
wait_until 10 test -S "$SOJOURN_SOCKET" || fail "the canned controller does not start"

# try STATUS WORD...: runs sojourn; its output is in $out, its errors in $err, the question in $asked
try() {
    local wanted=$1 status=0
    shift
    : >"$work/record"
    "$build/sojourn" "$@" >"$work/out" 2>"$work/err" </dev/null || status=$?
    out=$(cat "$work/out") err=$(cat "$work/err") asked=$(cat "$work/record")
    [ "$status" = "$wanted" ] || fail "sojourn $* ended with $status, not $wanted: $out $err"
}
is() { [ "$1" = "$2" ] || fail "\"$1\" is not \"$2\""; }
has() { case $1 in *"$2"*) ;; *) fail "\"$1\" does not have \"$2\"" ;; esac; }
field() { echo "$out" | python3 -c "import json,sys; print(json.load(sys.stdin)$1)"; }

try 0 list
is "$asked" 'job.list {"all": false}'
has "$out" "01234567   chain   visitor   4711   node1   node2   running, locked   1.2 s   python3 chain.py"
has "$out" "sleep ?[31m9"
try 0 list --json
is "$(field '[0]["cpu_seconds"]')" 1.25
is "$(field '[1]["command"]')" $'sleep \e[31m9'
for key in id name user pid command home node state migrations locked memory_bytes cpu_seconds; do field "[0]['$key']" >/dev/null || fail "no $key"; done

try 0 show chain
is "$asked" 'job.show {"job": "chain"}'
has "$out" "node1 to node2 in 512 ms, standing still for 8 ms, 20 MiB sent"
has "$out" "It is locked"
try 0 show --json chain
is "$(field '["last_migration"]["downtime_ms"]')" 8
try 0 why chain node2
is "$asked" 'job.why {"job": "chain", "node": "node2"}'
is "$out" "Job chain is locked: sojourn unlock chain"
try 0 migrate chain node2
is "$asked" 'job.migrate {"job": "chain", "node": "node2"}'
is "$out" "Job chain moved from node1 to node2 in 512 ms, standing still for 8 ms, 20 MiB sent."
is "$err" ""
try 0 migrate chain node2 --json
is "$(field '["total_ms"]')" 512
try 0 migrate chain other node2 --json
is "$asked" 'job.migrate {"job": "chain", "node": "node2"}
job.migrate {"job": "other", "node": "node2"}'
is "$(field '["moved"][1]["job"]')" other
try 0 migrate --group five node2
is "$asked" 'job.list {"all": false}
job.migrate {"job": "chain", "node": "node2"}'
is "$out" "Job chain moved from node1 to node2 in 512 ms, standing still for 8 ms, 20 MiB sent. (1 of 1)"
try 0 migrate --group=five best
is "$(echo "$asked" | tail -n 2)" 'job.best {"group": true, "job": "0123456789abcdef0123456789abcdef"}
job.migrate {"job": "chain", "node": "node3"}'
try 1 migrate --group six node2
has "$err" "no job of a group six"
try 0 group five
has "$out" "01234567   chain   4711   node2"
try 0 group five --json
is "$(field '[0]["pid"]')" 4711
try 0 group six chain other
is "$asked" 'job.group {"group": "six", "job": "chain"}
job.group {"group": "six", "job": "other"}'
try 1 group six
try 0 home chain
is "$asked" 'job.migrate {"job": "chain", "node": "home"}'
try 0 wait chain
is "$out" "Job chain ended with status 3."
try 3 wait --status chain
try 0 kill chain
is "$asked" 'job.kill {"job": "chain", "signal": 15}'
for word in -9 -KILL -SIGKILL "-s kill"; do
    try 0 kill $word chain other
    is "$asked" 'job.kill {"job": "chain", "signal": 9}
job.kill {"job": "other", "signal": 9}'
done
try 2 kill -NONSENSE chain
try 0 lock chain
is "$asked" 'job.lock {"job": "chain", "locked": true}'
try 0 lock chain other
is "$asked" 'job.lock {"job": "chain", "locked": true}
job.lock {"job": "other", "locked": true}'
try 0 home chain other
is "$asked" 'job.migrate {"job": "chain", "node": "home"}
job.migrate {"job": "other", "node": "home"}'
has "$out" "(2 of 2)"
try 0 unlock chain
is "$asked" 'job.lock {"job": "chain", "locked": false}'
try 0 suspend chain
is "$asked" 'job.suspend {"job": "chain"}'
try 1 resume nobody
is "$err" 'sojourn: There is no job "nobody"'
is "$out" ""

try 0 nodes
has "$out" "node1 *   127.0.1.1   alive    tcg     2      0.50   1.0 GiB of 4.0 GiB   1"
has "$out" "node2     127.0.1.2   failed   -"
try 0 node node1
is "$asked" 'node.show {"node": "node1"}'
has "$out" "TSC:             2400000 kHz"
for order in stay block quiet; do
    try 0 $order
    is "$asked" "node.standing {\"$order\": true}"
done
try 0 block off
is "$asked" 'node.standing {"block": false}'
try 0 stay off --json
is "$asked" 'node.standing {"stay": false, "stay_own": false}'
is "$(field '["speed"]')" 10000
try 0 speed 4000
is "$asked" 'node.standing {"speed": 4000}'
for words in speed "speed fast" "speed -1" "stay maybe" "block on off" "drain --deadline=-1" "expel node2"; do
    try 2 $words
    is "$asked" ""
done
try 0 expel
is "$asked" 'node.expel {}'
is "$out" 'Job 01234567 (chain) went to node3 in 400 ms. (1 of 1)
1 job has moved.'
try 0 bring --json
is "$(field '["stayed"]')" '[]'
try 1 drain --deadline=10
is "$asked" 'node.drain {"deadline_s": 10}'
has "$out" "Job fedcba98 will not make it: it needs about 12.2 s when its turn comes."
has "$out" "Job fedcba98 stays: it would not have been out in time."
has "$err" "1 job has not moved"
try 0 events
is "$asked" 'job.events {"follow": false}'
has "$out" "123  moved    job 01234567 moved from node1 to node2 in 512 ms"
try 0 events --json
is "$(field '[0]["kind"]')" moved
try 0 history chain
is "$asked" 'job.show {"job": "chain"}'
has "$out" "node1   node2   512 ms   8 ms          20 MiB"
try 0 history chain --json
is "$(field '[0]["to"]')" node2
try 0 web
is "$asked" 'web.token {}'
is "$out" "http://127.0.0.1:4000/#00ff"
try 0 web --json
is "$(field '["valid_s"]')" 300
try 0 web --logout
is "$asked" 'web.logout {}'
is "$out" "2 sessions ended."
try 2 web chain
# the browser is not given the token where everybody can read it
mkdir -m 700 "$work/runtime" "$work/bin"
printf '#!/bin/sh\necho "$@" >%s\n' "$work/opened" >"$work/bin/xdg-open" && chmod +x "$work/bin/xdg-open"
XDG_RUNTIME_DIR=$work/runtime PATH=$work/bin:$PATH try 0 web --open
is "$(cat "$work/opened")" "file://$work/runtime/sojourn-web.html"
has "$(cat "$work/runtime/sojourn-web.html")" "url=http://127.0.0.1:4000/#00ff"
is "$(stat -c %a "$work/runtime/sojourn-web.html")" 600
try 0 doctor
has "$out" "remedy: another machine"
try 0 cluster init --name alpha --address 10.0.0.1
is "$asked" 'cluster.init {"address": "10.0.0.1", "name": "alpha"}'
try 0 cluster token --single --valid 60
is "$asked" 'cluster.token {"single": true, "valid_s": 60}'
is "$out" sj1-token
try 0 cluster join sj1-token
is "$asked" 'cluster.join {"token": "sj1-token"}'
try 0 cluster fingerprint
is "$out" 00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff
try 0 cluster join --wait 0011-2233-4455-6677-8899
has "$out" "sojourn cluster admit node9 ffee-ddcc-bbaa-9988-7766"
try 0 cluster admit node9 ffee-ddcc-bbaa-9988-7766
is "$asked" 'cluster.admit {"key": "ffee-ddcc-bbaa-9988-7766", "node": "node9"}'
try 2 cluster join
try 2 cluster join token --wait 0011-2233-4455-6677-8899
try 0 nodes --all --json
is "$asked" 'node.list {"all": true, "pending": true}'
try 0 cluster leave
is "$asked" 'cluster.leave {}'
try 0 cluster leave --force node2
is "$asked" 'cluster.remove {"node": "node2"}'
has "$out" "node2 is no member any more"
try 0 cluster members --json
is "$(field '[0]["authority"]')" True

try 1 procfs "$work/nowhere"
is "$err" "sojourn: $work/nowhere: No such file or directory"
try 1 procfs "$work/record"
has "$err" "is no folder"
is "$asked" ""

# Wrong usage is 2, with the synopsis; help is 0 for every command; nothing is asked.
for words in nonsense migrate "migrate a" "migrate --group g" "migrate --group g a b" group "list b" "show a b" "list --nonsense" procfs "procfs a b" "cluster" "cluster nonsense" kill "run"; do
    try 2 $words
    is "$asked" ""
    has "$err" sojourn
done
try 0 help
commands=$(echo "$out" | sed -n 's/^  \([a-z]*\) .*/\1/p')
has "$commands" migrate
for command in $commands; do
    try 0 help "$command"
    has "$out" "sojourn $command"
done
try 0 --version
has "$out" "sojourn "

# The shell without a terminal: one line after another, the last one's status.
: >"$work/record"
status=0
printf 'lock chain\n\nresume nobody\n' | "$build/sojourn" >"$work/out" 2>"$work/err" || status=$?
is $status 1
is "$(cat "$work/record")" 'job.lock {"job": "chain", "locked": true}
job.resume {"job": "nobody"}'

# Nobody there: a sentence, and 1.
export SOJOURN_SOCKET=$work/nowhere
try 1 list
has "$err" "$work/nowhere"
try 1 nodes
has "$err" "$work/nowhere"

echo "ok - commands"
