#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# features.sh - the kernels have what programs and the agent expect

# shellcheck source=tests/image/lib.sh
. "$(dirname "$0")/lib.sh"

archs=${SOJOURN_TEST_ARCH:-x86_64 i686}
for arch in $archs; do
    requires_kernel "$arch"
done

for arch in $archs; do
    requires_kernel "$arch"
    compile "$arch" "$here/features.c" "$tmp/init"
    make_initramfs "$tmp/init"
    boot microvm max acpi=off -device virtio-rng-device -device virtio-balloon-device,free-page-reporting=on \
        -device virtio-serial-device -chardev null,id=port -device virtserialport,chardev=port,name=port
    take_results "$arch"
done
finish
