#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# openmosix.sh - what each old name asks the controller, what it prints, what it runs, and its exit status
: "${SOJOURN_BUILD:=${G_TEST_BUILDDIR-}}"
[ -n "$SOJOURN_BUILD" ] || unset SOJOURN_BUILD
. "$(dirname "$0")/../lib.sh"
requires python3

export SOJOURN_SOCKET=$work/control
python3 - "$top/tests/cli/answers.json" "$work/answers.json" <<'PROGRAM'
import json, sys
answers = json.load(open(sys.argv[1]))
nodes = [("node1", "192.168.10.220", "alive"), ("node2", "192.168.10.221", "blocked"), ("node3", "192.168.10.222", "alive"),
         ("node4", "192.168.11.1", "failed")]
answers["node.list"] = [{"name": n, "address": a, "state": s, "load": 0.5, "speed": 10000, "cpus": 2, "block": s == "blocked",
                         "memory_total_bytes": 4096, "memory_free_bytes": 1024} for n, a, s in nodes]
json.dump(answers, open(sys.argv[2], "w"))
PROGRAM
"$top/tests/cli/canned-controller" "$SOJOURN_SOCKET" "$work/answers.json" "$work/record" &
controller=$!
at_exit "kill $controller"
wait_until 10 test -S "$SOJOURN_SOCKET" || fail "the canned controller does not start"
# a "sojourn" that says how it was called, for what runs a command
mkdir "$work/bin"
printf '#!/bin/sh\nprintf "<%%s>" "$@"\nexit 7\n' >"$work/bin/sojourn" && chmod 755 "$work/bin/sojourn"

try() {
    local wanted=$1 status=0; shift
    : >"$work/record"
    PATH=$work/bin:$PATH "$build/openmosix/$1" "${@:2}" >"$work/out" 2>"$work/err" </dev/null || status=$?
    out=$(cat "$work/out") err=$(cat "$work/err") asked=$(grep -v '^node.list' "$work/record")
    [ "$status" = "$wanted" ] || fail "$* ended with $status, not $wanted: $out $err"
}
is() { [ "$1" = "$2" ] || fail "\"$1\" is not \"$2\""; }
has() { case $1 in *"$2"*) ;; *) fail "\"$1\" does not have \"$2\"" ;; esac; }

try 0 migrate 4711 2781
is "$asked" 'job.migrate {"job": "4711", "node": "node2"}'
try 0 migrate 4711 home; is "$asked" 'job.migrate {"job": "4711", "node": "home"}'
try 0 migrate 4711 balance; is "$asked" 'job.migrate {"job": "4711", "node": "best"}'
try 1 migrate 4711 99; has "$err" "no node 99"
try 1 migrate 4711; has "$err" usage

try 0 joingroup 4711 4712 5
is "$asked" 'job.group {"group": "5", "job": "4711"}
job.group {"group": "5", "job": "4712"}'
try 1 joingroup 4711; has "$err" usage
try 0 showgroup five; is "$out" 4711
try 1 showgroup 7; has "$err" "no job of a group 7"
try 0 migrategroup five 2782
is "$asked" 'job.list {"all": false}
job.migrate {"job": "chain", "node": "node3"}'
try 0 migrategroup five home; has "$asked" '"node": "home"}'
try 0 migrategroup five balance; has "$asked" '"node": "node3"}'
try 1 migrategroup five 99; has "$err" "no node 99"
try 0 resetgroup five
is "$asked" 'job.list {"all": false}
job.group {"group": "", "job": "0123456789abcdef0123456789abcdef"}'

try 7 mosrun ls -l; is "$out" '<run><--><ls><-l>'
try 7 mosrun -h ls; is "$out" '<run><--home><--lock><--><ls>'
try 7 mosrun -h -l ls; is "$out" '<run><--home><--><ls>'
try 7 mosrun -2782 -c ls; is "$out" '<run><--hint><cpu><--on><node3><--lock><--><ls>'
try 1 mosrun -2817 ls; has "$err" "down"
try 7 mosrun -2817 -F ls; is "$out" '<run><--best><--lock><--><ls>'
try 7 mosrun -j2782-2900 -i ls; is "$out" '<run><--hint><io><--on><node3><--lock><--><ls>'
try 1 mosrun -j3000-3001 ls; has "$err" "down"
try 7 mosrun -L -s ls; is "$out" '<run><--decay><slow><--lock><--><ls>'
try 7 mosrun -z bash name x; has "$out" '<bash><name><x>'
try 1 mosrun -Q ls; has "$err" usage
try 1 mosrun
for pair in "cpujob <--hint><cpu>" "iojob <--hint><io>" "nodecay <--decay><none>" "slowdecay <--decay><slow>" "fastdecay <--decay><fast>"; do
    try 7 ${pair% *} ls -l; is "$out" "<run>${pair#* }<--><ls><-l>"
    try 7 ${pair% *} -2782 ls; is "$out" "<run>${pair#* }<--on><node3><--lock><--><ls>"
done
try 7 nomig ls; is "$out" '<run><--home><--lock><--><ls>'
try 7 runhome ls -h; is "$out" '<run><--home><--lock><--><ls><-h>'
try 7 runon 2782 ls; is "$out" '<run><--on><node3><--lock><--><ls>'
try 1 runon 2782

for pair in stay:stay lstay:stay_own block:block quiet:quiet; do
    try 0 mosctl ${pair%:*}; is "$asked" "node.standing {\"${pair#*:}\": true}"
    try 0 mosctl no${pair%:*}; is "$asked" "node.standing {\"${pair#*:}\": false}"
    try 0 mosctl -${pair%:*}; is "$asked" "node.standing {\"${pair#*:}\": false}"
done
try 0 mosctl expel; is "$asked" 'node.expel {}'
try 0 mosctl bring; is "$asked" 'node.bring {}'
try 0 mosctl getload; is "$out" 50
try 0 mosctl getspeed 2782; is "$out" 10000
try 0 mosctl getmem; is "$out" 1024
try 0 mosctl getfree; is "$out" '1024 of 4096'
try 0 mosctl getutil; is "$out" 50%
try 0 mosctl isup 2817; is "$out" no
try 0 mosctl isup 2781; is "$out" yes
try 0 mosctl status 2781; is "$out" 'up block'
try 1 mosctl getload 2817; has "$err" down
try 0 mosctl whois 192.168.10.222; is "$out" '2782 192.168.10.222 node3'
try 0 mosctl whois; is "$out" '2780 192.168.10.220 node1'
try 0 mosctl setspeed 7000; is "$asked" 'node.standing {"speed": 7000}'
try 0 mosctl getyard; is "$out" 10000
try 1 mosctl nonsense; has "$err" usage
try 1 mosctl mfs; has "$err" "means nothing"

try 7 mtop; is "$out" '<top>'
try 1 mtop x; has "$err" usage
try 7 mon; is "$out" '<top><--nodes-only><--chart=a><--bars=l><--alive>'
try 7 mosmon -v -m -dt +2781; is "$out" '<top><--nodes-only><--chart=v><--bars=m><--totals><--from=2781>'
try 1 mon -x; has "$err" usage
try 0 omdiscd -i eth0,eth1 -m 3
try 0 omdiscd -n; has "$err" "node 2781 192.168.10.221 blocked"; is "$asked" 'job.events {"follow": true}'
try 1 omdiscd -i; has "$err" usage
try 0 mps
has "$out" "   4711 visitor      2781     2    1 locked   python3 chain.py"
has "$out" "   4712 visitor         0     0    0 locked   sleep ?[31m9"
try 0 showmap
has "$out" "My Node-Id: 0x0adc"
has "$out" "0x0add       192.168.10.221   1"
try 0 setpe -r
is "$out" $'2780 192.168.10.220 1\n2781 192.168.10.221 1\n2782 192.168.10.222 1\n2817 192.168.11.1 1'
try 0 setpe -r -f "$work/map"
try 0 setpe -c -f "$work/map"; is "$out" "The table is well."
printf '# all\n1 192.168.10.220 3\n\n4 192.168.11.1 1 # far\n4 192.168.12.1 ALIAS\n' >"$work/map"
try 0 setpe -w -f "$work/map"; has "$asked" 'node.standing {"map": "'
digest=$(sed 's/.*"map": "\([0-9a-f]*\)".*/\1/' <<<"$asked")
printf '1 192.168.10.220 3 # the same\n4 192.168.11.1 1\n4 192.168.12.1 ALIAS\n' >"$work/map"
try 0 setpe -w -f "$work/map"; has "$asked" "$digest"
try 0 setpe -c -f "$work/map"; is "$asked" ""
printf '1 192.168.10.221 2\n2 192.168.10.222 1\n3 127.0.0.1 1\n4 192.168.11.1\n0 192.168.11.1 1\n' >"$work/map"
try 1 setpe -w -f "$work/map"
has "$err" "my IP address (192.168.10.220) is not there!"
has "$err" "line 2: node 2 is there twice"
has "$err" "line 3: 127.0.0.1 is 127.0.0.1, which is every machine itself"
has "$err" "line 4: three fields are wanted"
has "$err" "line 5: three fields are wanted"
try 1 setpe -w -f /nonexistent; has "$err" "cannot be read"
"$build/sojourn-openmosix" mosctl getyard >"$work/out" && is "$(cat "$work/out")" 10000
"$build/sojourn-openmosix" >"$work/out" && grep -q mosrun "$work/out" || fail "it does not tell its names"
echo "ok - openMosix's old names"
