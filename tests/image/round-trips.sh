#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# round-trips.sh - what need not be asked at home is not, and what must be is

# shellcheck source=tests/image/lib.sh
. "$(dirname "$0")/lib.sh"

archs=${SOJOURN_TEST_ARCH:-x86_64 i686}
for arch in $archs; do
    requires_kernel "$arch"
done

for arch in $archs; do
    requires_kernel "$arch"
    compile "$arch" "$here/round-trips.c" "$tmp/init"
    make_initramfs "$tmp/init"
    boot microvm max "acpi=off loglevel=4"
    take_results "$arch"
done
finish
