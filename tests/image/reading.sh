#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# reading.sh - how far is read ahead, and how much around a fault

# shellcheck source=tests/image/lib.sh
. "$(dirname "$0")/lib.sh"

on_each_kernel "$here/reading.c $here/served.c" "acpi=off loglevel=4"
finish
