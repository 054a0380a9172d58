#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# port.sh - the virtio port: a read takes many buffers, but there are not too many; what was sent does not interrupt, and nothing is lost or stuck

# shellcheck source=tests/image/lib.sh
. "$(dirname "$0")/lib.sh"

command -v python3 >/dev/null || skip_all "python3 is not installed"
python3 -c 'import array, sys; array.array("I", range(2 << 20)).tofile(sys.stdout.buffer)' >"$tmp/numbers"
for arch in $archs; do
    requires_kernel "$arch"
    compile "$arch" "$here/port.c" "$tmp/init-$arch"
    make_initramfs "$tmp/init-$arch"
    mkfifo "$tmp/port-$arch.in" "$tmp/port-$arch.out"
    cat "$tmp/numbers" >"$tmp/port-$arch.in" &
    cat "$tmp/port-$arch.out" >"$tmp/written" &
    boot microvm max "acpi=off loglevel=4" -global virtio-device.event_idx=off -device virtio-serial-device,max_ports=2 \
        -chardev "pipe,id=c0,path=$tmp/port-$arch" \
        -device virtserialport,id=p0,nr=1,chardev=c0,name=test
    wait
    take_results "$arch"
    [ "$(wc -c <"$tmp/written")" = 13307200 ]
    ok $? "$arch: all that was written came"
done
finish
