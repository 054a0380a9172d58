# SPDX-License-Identifier: GPL-2.0-or-later
# lib.sh - boots a kernel with a small test program as its only process; sourced by the tests beside it
# shellcheck shell=sh
#
# A test says requires_kernel ARCH, make_initramfs, boot; results are TAP. What is missing makes the test skip (77).

here=$(cd "$(dirname "$0")" && pwd)
top=$(cd "$here/../.." && pwd)
tmp=$(mktemp -d "${TMPDIR:-/tmp}/sojourn-image.XXXXXX")
trap 'rm -rf "$tmp"' EXIT
trap 'exit 1' INT TERM HUP
archs=${SOJOURN_TEST_ARCH:-x86_64 i686}
count=0
failed=0

skip_all() {
    echo "1..0 # SKIP $*"
    exit 77
}

# ok STATUS TEXT: one result.
ok() {
    count=$((count + 1))
    if [ "$1" = 0 ]; then
        echo "ok $count - $2"
    else
        echo "not ok $count - $2"
        failed=1
    fi
}

finish() {
    echo "1..$count"
    exit "$failed"
}

# Set $kernel to the folder of a kernel: $SOJOURN_TEST_KERNEL, or what scripts/guest has in its cache.
requires_kernel() {
    kernel=${SOJOURN_TEST_KERNEL:-$("$top/scripts/guest" --where --arch "$1" 2>/dev/null)} || skip_all "the $1 kernel is not built"
    command -v qemu-system-x86_64 >/dev/null || skip_all "qemu-system-x86_64 is not installed"
}

# compile ARCH "SOURCE..." PROGRAM: a static program, with tap.c.
compile() {
    bits=-m64
    [ "$1" = x86_64 ] || bits="-m32 -D_FILE_OFFSET_BITS=64"
    # shellcheck disable=SC2086
    ${CC:-gcc} $bits -std=gnu11 -D_GNU_SOURCE -Wall -Wextra -O2 -static -o "$3" $2 "$here/tap.c" 2>"$tmp/cc.log" ||
        skip_all "no static programs for $1 can be compiled: install gcc-multilib"
}

# make_initramfs INIT [NAME=FILE]...: $tmp/initramfs.cpio with INIT as /init and FILE as /NAME.
make_initramfs() {
    {
        echo "dir /dev 0755 0 0"
        echo "nod /dev/console 0600 0 0 c 5 1"
        echo "file /init $1 0755 0 0"
        shift
        for file in "$@"; do
            echo "file /${file%%=*} ${file#*=} 0755 0 0"
        done
    } >"$tmp/list"
    "$kernel/gen_init_cpio" "$tmp/list" >"$tmp/initramfs.cpio"
}

# boot MACHINE CPU CMDLINE [QEMU OPTION]...: until it reboots or a minute is over; $tmp/console is what it said.
# The rate of the TSC is given, as a node gives it: on a busy machine the guest could not find out.
boot() {
    machine=$1 cpu=$2
    if [ ! -x "$tmp/tsc" ]; then
        compile x86_64 "$here/tsc.c" "$tmp/tsc"
        tsc_khz=$("$tmp/tsc")
    fi
    cmdline="tsc_early_khz=$tsc_khz $3"
    shift 3
    case $machine in microvm) set -- -no-acpi "$@" ;; esac
    timeout -k 1 60 qemu-system-x86_64 -M "$machine",accel=tcg -cpu "$cpu" -m 64 -nodefaults -nographic -no-reboot \
        -kernel "$kernel/vmlinux" -initrd "$tmp/initramfs.cpio" -append "$(cat "$top/images/cmdline") $cmdline" \
        -serial "file:$tmp/console" "$@" </dev/null 2>"$tmp/qemu.log"
}

# What a test program in the guest says as TAP, renumbered after what was said before; TEXT says where.
take_results() {
    tr -d '\r' <"$tmp/console" >"$tmp/results"
    while read -r line; do
        case $line in
            "ok "*) ok 0 "$1: ${line#*- }" ;;
            "not ok "*) ok 1 "$1: ${line#*- }" ;;
            "# "*) echo "$line" ;;
        esac
    done <"$tmp/results"
    grep -q '^1\.\.[1-9]' "$tmp/results"
    ok $? "$1: came to its end"
}

# on_each_kernel SOURCES CMDLINE [QEMU-OPTION]...: a test program of these sources as the init of each kernel.
on_each_kernel() {
    sources=$1; shift
    for arch in $archs; do
        requires_kernel "$arch"
    done
    for arch in $archs; do
        requires_kernel "$arch"
        compile "$arch" "$sources" "$tmp/init"
        make_initramfs "$tmp/init"
        boot microvm max "$@"
        take_results "$arch"
    done
}
