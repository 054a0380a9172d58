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

for family in "" family=6; do
    on_each_kernel "$here/sockets.c $here/answer.c" "acpi=off loglevel=4 $family"
done
finish
