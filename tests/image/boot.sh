#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# boot.sh - both kernels boot on both machines, every time, and run the programs they are for

# shellcheck source=tests/image/lib.sh
. "$(dirname "$0")/lib.sh"

# try ARCH MACHINE CPU CPUS PROGRAM-ARCH TEXT
try() {
    case $2 in
        microvm) extra=acpi=off; device=virtio-rng-device ;;
        *) extra=; device=virtio-rng-pci ;;
    esac
    compile "$1" "$here/init.c" "$tmp/init"
    compile "$5" "$here/init.c" "$tmp/program"
    make_initramfs "$tmp/init" "program=$tmp/program"
    boot "$2" "$3" "$extra machine=$1 cpus=$4" -smp "$4" -device $device
    take_results "$6"
}

for arch in $archs; do
    requires_kernel "$arch"
done
for arch in $archs; do
    requires_kernel "$arch"
    cpu=Nehalem
    [ "$arch" = x86_64 ] || cpu=pentium3
    try "$arch" microvm "$cpu" 1 "$arch" "$arch"
    try "$arch" microvm "$cpu" 2 i686 "$arch, 2 processors, 32-bit program"
    try "$arch" pc "$cpu" 1 i686 "$arch, pc"
    good=0
    for turn in 1 2 3 4 5 6 7 8 9 10; do
        boot microvm "$cpu" "acpi=off machine=$arch cpus=1 turn=$turn" -device virtio-rng-device
        if grep -q '^1\.\.' "$tmp/console"; then good=$((good + 1)); fi
    done
    [ $good = 10 ]
    ok $? "$arch: boots ten times of ten ($good)"
done
finish
