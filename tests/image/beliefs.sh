#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# beliefs.sh - what is believed for long is not once it was invalidated, whatever was under way

# shellcheck source=tests/image/lib.sh
. "$(dirname "$0")/lib.sh"

on_each_kernel "$here/beliefs.c $here/served.c" "acpi=off loglevel=4"
finish
