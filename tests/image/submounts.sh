#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# submounts.sh - the home's file systems keep their device numbers, whatever is mounted, unmounted or lost

# shellcheck source=tests/image/lib.sh
. "$(dirname "$0")/lib.sh"

on_each_kernel "$here/submounts.c $here/served.c" "acpi=off loglevel=4"
finish
