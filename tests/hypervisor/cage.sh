#!/bin/sh
# cage.sh - libvirtd and its QEMUs can execute, read and write what they need, and nothing else, whatever they are told
. "${0%/*}/lib.sh"
need virsh libvirt-clients
need_image
grep -qw landlock /sys/kernel/security/lsm 2>/dev/null || "$b/test-landlock" >/dev/null 2>&1 ||
    skip "this kernel has no Landlock"

node_up n1
id=6f1d2c3b-0a9e-4c5d-8b7a-112233445566
v() { as_user virsh -q -c "qemu:///session?socket=$w/n1/r/lv/libvirt-sock" "$@"; }
as_user mkdir -p "$w/n1/s/cluster"
as_user sh -c "echo secret >$w/n1/s/cluster/node.key"

# another emulator is not executed
printf '#!/bin/sh\ntouch %s/n1/s/cluster/pwned %s/n1/r/lv/pwned\n' "$w" "$w" >"$w/evil"
chmod 755 "$w/evil"
v domcapabilities --emulatorbin "$w/evil" >"$w/out" 2>&1 && fail "another emulator was probed"
as_user cp "$w/evil" "$w/n1/r/lv/evil"
v domcapabilities --emulatorbin "$w/n1/r/lv/evil" >>"$w/out" 2>&1 && fail "another emulator in lv/ was probed"
[ ! -e "$w/n1/s/cluster/pwned" ] && [ ! -e "$w/n1/r/lv/pwned" ] || fail "another emulator was executed"
grep -q 'Permission denied' "$w/out" || fail "the refusal was: $(cat "$w/out")"

# other drivers are not there
v pool-list >"$w/out" 2>&1 && fail "there is a storage driver"
v net-list >"$w/out" 2>&1 && fail "there is a network driver"

# a domain that reads the key or writes outside does not start
xml() { hv n1 xml $id 1 64M quiet; }
try() {
    v create "$w/x.xml" >"$w/out" 2>&1 && fail "$1"
    grep -qi 'permission denied\|could not open' "$w/out" || fail "the refusal was: $(cat "$w/out")"
}
xml | sed "s,<initrd>.*</initrd>,<initrd>$w/n1/s/cluster/node.key</initrd>," >"$w/x.xml"
try "a guest was given the node's key"
xml | sed "s,<source path=\"[^\"]*console\",<source path=\"$w/n1/s/cluster/written\"," >"$w/x.xml"
try "a guest's console was written outside"
xml | sed "s,<source mode=\"bind\" path=\"[^\"]*\",<source mode=\"bind\" path=\"$w/n1/s/socket\"," >"$w/x.xml"
try "a guest's socket was made outside"
[ ! -e "$w/n1/s/cluster/written" ] && [ ! -e "$w/n1/s/socket" ] || fail "something was written outside"

# an honest one does, and its QEMU is locked up
hv n1 start $id 1 64M quiet | grep -q '^done' || fail "a guest does not start"
q=$(qemu_pid n1 $id)
for line in 'NoNewPrivs:.1' 'Seccomp:.2' 'CapEff:.0*$' 'CapBnd:.0*$'; do
    [ -n "$user" ] || [ "$line" != 'CapBnd:.0*$' ] || continue
    grep -q "^$line" "/proc/$q/status" || fail "QEMU: no $line in its status"
done
[ "$(awk '/^Uid:/ {print $2}' "/proc/$q/status")" != 0 ] || fail "QEMU runs as root"

# there is no way around by D-Bus or the network
tr '\0' '\n' <"/proc/$(pid_of n1 libvirtd)/environ" >"$w/env" 2>/dev/null || true
[ ! -s "$w/env" ] || grep -q '^DBUS_SYSTEM_BUS_ADDRESS=disabled:' "$w/env" || fail "libvirtd may use D-Bus"
for p in "$q" "$(pid_of n1 libvirtd)"; do
    for f in /proc/"$p"/fd/*; do
        case $(readlink "$f") in socket:*) inode=$(readlink "$f" | tr -cd 0-9)
            ! grep -q " $inode " /proc/net/tcp /proc/net/tcp6 /proc/net/udp || fail "process $p has a network socket" ;;
        esac
    done
done
echo ok
