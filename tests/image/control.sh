#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# control.sh - the control files: asked, ordered, refused, interrupted

# shellcheck source=tests/image/lib.sh
. "$(dirname "$0")/lib.sh"

on_each_kernel "$here/control.c" "acpi=off loglevel=4"
finish
