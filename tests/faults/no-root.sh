#!/bin/bash
# no-root - nothing of a node runs as root, and the node's libvirtd is bound by Landlock, also on a rig that root raised
. "$(dirname "$0")/lib.sh"
fault_rig 2
start_steady walker 100000
on node1 sojourn migrate walker node2 >/dev/null || fail "it could not go to node2"
folder=$(rig list | awk '$1 == "node1" { print $6 }')
rig_folder=${folder%/n1}
count=0
for process in /proc/[0-9]*; do
    words=$(tr '\0' ' ' 2>/dev/null <"$process/cmdline") || continue
    case $words in
    *sojourn-supervisor*"$rig_folder/"* | *sojournd*"$rig_folder/"* | libvirtd*"$rig_folder/"* | serf\ *"$rig_folder/"* | *qemu-system*"$rig_folder/"*) ;;
    *) continue ;;
    esac
    uids=$(awk '/^Uid:/ { print $2, $3, $4, $5 }' "$process/status" 2>/dev/null)
    [ -n "$uids" ] || continue
    case " $uids " in *" 0 "*) fail "this runs as root: $words" ;; esac
    grep -qE '^CapEff:.0*$' "$process/status" || fail "this has capabilities: $words"
    count=$((count + 1))
done
[ $count -ge 7 ] || fail "only $count processes of two nodes were found"

note "the stream went through TLS, and is counted"
sent=$(on node1 sojourn node node1 --json | python3 -c '
import json, sys
def find(value):
    if isinstance(value, dict):
        for key, member in value.items():
            if key == "migration" and isinstance(member, dict): yield from (n for n in member.values() if isinstance(n, int))
            yield from find(member)
    elif isinstance(value, list):
        for member in value:
            if isinstance(member, dict) and member.get("purpose") == "migration": yield from (n for k, n in member.items() if isinstance(n, int))
            yield from find(member)
print(max(find(json.load(sys.stdin)), default=0))')
bytes=$(on node1 sojourn show walker --json | python3 -c 'import json, sys; print(json.load(sys.stdin)["last_migration"]["bytes"])')
[ "$bytes" -gt 1000000 ] || fail "the migration says that it moved $bytes bytes"
[ "$sent" -ge "$bytes" ] || { on node1 sojourn node node1 --json; fail "$bytes bytes moved, $sent counted at the TLS port"; }

if command -v virsh >/dev/null; then
    note "libvirtd is bound"
    printf '#!/bin/sh\ntouch %s/pwned\n' "$work" >"$work/evil"
    chmod 755 "$work/evil"
    as_owner() { if [ "$(id -u)" = 0 ]; then setpriv --reuid sojourn --regid sojourn --clear-groups "$@"; else "$@"; fi; }
    as_owner virsh -q -c "qemu:///session?socket=$folder/lv/libvirt-sock" domcapabilities --emulatorbin "$work/evil" >"$work/virsh.out" 2>&1 &&
        fail "libvirtd ran another emulator"
    grep -q 'Permission denied' "$work/virsh.out" || { cat "$work/virsh.out"; fail "it was not Landlock that refused"; }
    [ ! -e "$work/pwned" ] || fail "another emulator was executed"
fi
echo "ok - $count processes, none of them root's; $bytes bytes moved, $sent counted"
