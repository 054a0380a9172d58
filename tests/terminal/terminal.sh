#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# terminal - jobs of an interactive shell on a rig: keys, job control, migration while stopped, size, modes, ends
. "$(dirname "$0")/../lib.sh"
[ -x /usr/bin/python3 ] || skip "python3 is not installed"
rig_up 2 --accel tcg # no word about KVM at each run
cd "$work" && /usr/bin/python3 -B "$top/tests/terminal/terminal.py" "$top/scripts/rig" || fail "see above"
echo "ok - terminal"
