#!/bin/sh
# supervisor.sh - what dies is started again, nothing runs as root, one supervisor a folder, an end leaves nothing
. "${0%/*}/lib.sh"

node_up n1
s=$(pid_of n1 supervisor) d=$(pid_of n1 sojournd) l=$(pid_of n1 libvirtd)
for p in "$s" "$d" "$l"; do
    alive "$p" || fail "process $p is not there"
    [ "$(awk '/^Uid:/ {print $2 $3 $4}' "/proc/$p/status")" != 000 ] || fail "process $p runs as root"
    grep -q '^CapEff:.*[^0]$' "/proc/$p/status" && fail "process $p has capabilities"
    grep -q '^NoNewPrivs:.*1' "/proc/$p/status" || fail "process $p could gain privileges"
done
[ "$(awk '{print $6}' "/proc/$s/stat")" = "$s" ] || fail "the supervisor has no session of its own"

# a second one says so and harms nothing
# shellcheck disable=SC2046
if "$b/sojourn-supervisor" ${user:+--user $user} $(settings n1) 2>"$w/second"; then fail "a second supervisor started"; fi
grep -q 'runs in .* already' "$w/second" || fail "the second supervisor said: $(cat "$w/second")"
alive "$s" && alive "$d" && alive "$l" || fail "the second supervisor harmed the first"

# killed, they come back
kill -9 "$l" "$d"
wait_until 10 sh -c "[ \"\$(cat $w/n1/r/libvirtd.pid)\" != $l ] && [ \"\$(cat $w/n1/r/sojournd.pid)\" != $d ]" ||
    fail "what was killed did not come back"
wait_until 10 hv n1 list >/dev/null || fail "libvirtd does not answer after its restart"

# one that cannot live is not started in a tight loop; the orphans it leaves are reaped
kill "$(pid_of n1 supervisor)"
wait_until 10 dead "$s" || fail "the supervisor did not end"
printf '#!/bin/sh\nsleep 0.1 &\necho $! >>%s/starts\nexit 1\n' "$w/n1/r" >"$w/lib/sojournd"
node_start n1
sleep 2
n=$(wc -l <"$w/n1/r/starts")
[ "$n" -ge 4 ] && [ "$n" -le 20 ] || fail "a dying child was started $n times in 2 s"
while read -r orphan; do
    wait_until 2 dead "$orphan" || fail "an orphan was not reaped"
done <"$w/n1/r/starts"

# an end leaves no process and nothing in memory
s=$(pid_of n1 supervisor)
kill "$s"
wait_until 10 dead "$s" || fail "the supervisor did not end"
[ ! -e "$w/n1/r/supervisor.pid" ] || fail "supervisor.pid is still there"
ps -eo pid,stat,args >"$w/ps"
! grep "$w/n1" "$w/ps" || fail "a process is left"
[ ! -L "$w/n1/r/lv/libvirt/qemu/run" ] || fail "the status folder in memory is left"

# bad words
"$b/sojourn-supervisor" --nonsense x 2>"$w/bad" && fail "a bad option was taken"
[ -s "$w/bad" ] || fail "nothing was said of a bad option"
if [ -n "$user" ]; then
    # shellcheck disable=SC2046
    if "$b/sojourn-supervisor" --user root $(settings n1) 2>"$w/bad"; then fail "it ran as root"; fi
    grep -q 'is root' "$w/bad" || fail "of --user root it said: $(cat "$w/bad")"
fi
echo ok
