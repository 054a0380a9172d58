#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# signals.sh - runs signals.py, which says what it is about
exec /usr/bin/python3 -W ignore "$(dirname "$0")/signals.py"
