#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# features.sh - the kernels have what programs and the agent expect

# shellcheck source=tests/image/lib.sh
. "$(dirname "$0")/lib.sh"

on_each_kernel "$here/features.c" acpi=off -device virtio-rng-device -device virtio-balloon-device,free-page-reporting=on \
    -device virtio-serial-device -chardev null,id=port -device virtserialport,chardev=port,name=port
finish
