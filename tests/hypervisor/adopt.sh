#!/bin/sh
# adopt.sh - guests outlive libvirtd, sojournd and the supervisor, are found again, and obey
. "${0%/*}/lib.sh"
need_image

node_up n1
id=6f1d2c3b-0a9e-4c5d-8b7a-112233445566
hv n1 start $id 7 64M quiet | grep -q '^done' || fail "a guest does not start"
q=$(qemu_pid n1 $id)
sleep 0.5

expect_guest() {
    wait_until 10 hv n1 list >"$w/list" || fail "$1: libvirtd does not answer"
    grep -q "^$id running .*epoch=$2 description=$3 channel=$w/n1/r/ch/" "$w/list" || fail "$1: $(cat "$w/list")"
    [ "$(qemu_pid n1 $id)" = "$q" ] && alive "$q" || fail "$1: QEMU is another"
}
expect_guest "at first" 7 '{"name":"test"}'
hv n1 set $id 8 '{"name":"<other> & more"}' | grep -q '^done' || fail "the description cannot be changed"
expect_guest "described" 8 '{"name":"<other> & more"}'

kill -9 "$(pid_of n1 libvirtd)"
expect_guest "libvirtd killed" 8 '{"name":"<other> & more"}'
wait_until 5 grep -q '^lost' "$w/n1/r/log/sojournd.log" || fail "sojournd did not notice"
wait_until 5 sh -c "[ \$(grep -c '^ready' $w/n1/r/log/sojournd.log) -ge 2 ]" || fail "sojournd did not connect again"

kill -9 "$(pid_of n1 supervisor)"
wait_until 10 dead "$(pid_of n1 libvirtd)" || fail "libvirtd outlived its supervisor"
node_start n1
wait_until 10 test -S "$w/n1/r/lv/libvirt-sock"
expect_guest "supervisor killed" 8 '{"name":"<other> & more"}'

s=$(pid_of n1 supervisor)
kill "$s"
wait_until 10 dead "$s"
alive "$q" || fail "SIGTERM ended the guest too"
node_start n1
expect_guest "stopped and started" 8 '{"name":"<other> & more"}'

hv n1 suspend $id | grep -q '^done' || fail "it cannot be suspended"
hv n1 suspend $id | grep -q '^done' || fail "suspending it again is an error"
[ "$(state_of n1 $id)" = paused ] || fail "it is not paused"
hv n1 resume $id | grep -q '^done' || fail "it cannot be resumed"
hv n1 resume $id | grep -q '^done' || fail "resuming it again is an error"
[ "$(state_of n1 $id)" = running ] || fail "it does not run"
hv n1 usage $id | grep -q "known=1 pid=$q cpu_ns=[1-9]" || fail "its usage is not known"

# a guest that dies is told of; one that is ended is gone at once
hv n1 destroy $id | grep -q '^done' || fail "it cannot be ended"
dead "$q" || fail "QEMU is still there"
[ -z "$(hv n1 list | grep "$id")" ] || fail "it is still listed"
wait_until 5 grep -q "^ended $id" "$w/n1/r/log/sojournd.log" || fail "nobody was told"
hv n1 destroy $id | grep -q '^done' || fail "ending it twice is an error"
hv n1 resume $id | grep -q 'failed .*not found' || fail "one that is not there was resumed"

# SIGUSR1 ends guests too
hv n1 start $id 1 64M quiet | grep -q '^done' || fail "it does not start again"
q=$(qemu_pid n1 $id) s=$(pid_of n1 supervisor)
kill -USR1 "$s"
wait_until 10 dead "$s" || fail "the supervisor did not end"
dead "$q" || fail "SIGUSR1 left the guest"
echo ok
