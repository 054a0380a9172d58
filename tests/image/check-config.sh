#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# check-config.sh - guest/kernel/check-config finds what kconfig has dropped or changed

# shellcheck source=tests/image/lib.sh
. "$(dirname "$0")/lib.sh"

cat >"$tmp/config" <<EOF
CONFIG_A=y
CONFIG_B=64
# CONFIG_C is not set
CONFIG_NAME="text with = and spaces"
EOF

# check WANTED-STATUS TEXT FRAGMENT...: each argument after TEXT is the content of a fragment.
check() {
    wanted=$1 text=$2 n=0
    shift 2
    set -- "$@" --
    while [ "$1" != -- ]; do
        n=$((n + 1))
        printf '%b\n' "$1" >"$tmp/$n.config"
        shift
        set -- "$@" "$tmp/$n.config"
    done
    shift
    "$top/guest/kernel/check-config" "$tmp/config" "$@" 2>"$tmp/errors"
    [ $? = "$wanted" ] && { [ "$wanted" = 0 ] || [ -s "$tmp/errors" ]; }
    ok $? "$text"
}

check 0 "what survived" '# why\nCONFIG_A=y\n\nCONFIG_B=64' '# CONFIG_C is not set\nCONFIG_NAME="text with = and spaces"'
check 1 "a symbol that is gone" 'CONFIG_GONE=y'
check 1 "a symbol that cannot be on" '# CONFIG_GONE is not set'
check 1 "another value" 'CONFIG_B=8'
check 1 "on against the fragment" '# CONFIG_A is not set'
check 1 "off against the fragment" 'CONFIG_C=y'
check 1 "a symbol in two fragments" 'CONFIG_A=y' 'CONFIG_A=y'
check 1 "two fragments that contradict" 'CONFIG_A=y' '# CONFIG_A is not set'
check 1 "a line that is neither" 'CONFIG_A y'

# The fragments in the tree agree among themselves, for both architectures.
for arch in x86_64 i686; do
    set --
    for file in "$top"/guest/kernel/config/*.config; do
        case ${file##*/} in
            "$arch.config" | [!xi]*) set -- "$@" "$file" ;;
        esac
    done
    grep -hE '^(CONFIG_|# CONFIG_.* is not set)' "$@" >"$tmp/config"
    "$top/guest/kernel/check-config" "$tmp/config" "$@"
    ok $? "no symbol twice among the fragments of $arch"
done
finish
