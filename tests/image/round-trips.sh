#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# round-trips.sh - what need not be asked at home is not, and what must be is

# shellcheck source=tests/image/lib.sh
. "$(dirname "$0")/lib.sh"

on_each_kernel "$here/round-trips.c $here/served.c" "acpi=off loglevel=4"
finish
