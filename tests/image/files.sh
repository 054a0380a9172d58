#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# files.sh - who may is decided at home, plain files cannot be polled, ranges of files move

# shellcheck source=tests/image/lib.sh
. "$(dirname "$0")/lib.sh"

on_each_kernel "$here/files.c $here/served.c" "acpi=off loglevel=4"
finish
