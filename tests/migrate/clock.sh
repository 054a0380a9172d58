#!/bin/bash
# clock - the monotonic clock never goes back, never jumps forth and runs at its speed, wherever the job is; the wall clock is home's
. "$(dirname "$0")/../lib.sh"
[ -x "$build/clockwork" ] || skip "clockwork is not built (make check builds it)"
rig_up 3
cp "$build/clockwork" "$work/" && chmod 755 "$work/clockwork"
(cd "$work" && python3 "$top/tests/migrate/clock.py" "${MOVES:-6}" 3 "$top/scripts/rig" on node1 -- ./clockwork) || fail "clocks"
echo "ok - clock"
