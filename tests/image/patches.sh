#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# patches.sh - each patch of the kernel applies, in order and exactly, to the source that Debian has; who has its kernel in
# the cache would not notice

# shellcheck source=tests/image/lib.sh
. "$(dirname "$0")/lib.sh"

source=/usr/src/linux-source-6.1.tar.xz
[ -r "$source" ] || skip_all "linux-source-6.1 is not installed"
find "$top/guest/kernel/patches" -name '*.patch' | LC_ALL=C sort >"$tmp/patches"
# shellcheck disable=SC2046
sed -n 's,^--- a/,linux-source-6.1/,p' $(cat "$tmp/patches") | sort -u >"$tmp/wanted"
mkdir "$tmp/source"
# what a patch makes and a later one changes is not in there
tar -x -f "$source" -C "$tmp/source" --strip-components=1 -T "$tmp/wanted" 2>/dev/null
while read -r patch; do
    patch -d "$tmp/source" -p1 --fuzz=0 --silent <"$patch" >"$tmp/log" 2>&1
    ok $? "${patch#"$top/guest/kernel/patches/"} $(tr '\n' ' ' <"$tmp/log")"
done <"$tmp/patches"
finish
