#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# sockets.sh - sockets that live at home are like the stock kernel's, scene by scene

# shellcheck source=tests/image/lib.sh
. "$(dirname "$0")/lib.sh"

# What both ends share is one text.
sed '1,/^\/\* ------/d' "$top/src/common/home-sockets.h" >"$tmp/ours"
sed -n 's/^+//p' "$top"/guest/kernel/patches/50-home-sockets/*uapi*.patch | sed '1,/^\/\* ------/d' >"$tmp/theirs"
cmp "$tmp/ours" "$tmp/theirs"
ok $? "the header of the patches is src/common/home-sockets.h"

archs=${SOJOURN_TEST_ARCH:-x86_64 i686}
for arch in $archs; do
    requires_kernel "$arch"
done

for arch in $archs; do
    requires_kernel "$arch"
    compile "$arch" "$here/sockets.c $here/answer.c" "$tmp/init"
    make_initramfs "$tmp/init"
    for family in "" family=6; do
        boot microvm max "acpi=off loglevel=4 $family"
        take_results "$arch"
    done
done
finish
