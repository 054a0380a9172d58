#!/bin/bash
# clock - the monotonic clock never goes back, never jumps forth and runs at its speed, wherever the job is, also where the time
# stamp counter has another rate (other-tsc.c); the wall clock is home's
. "$(dirname "$0")/../lib.sh"
requires gcc
for program in clockwork payload; do [ -x "$build/$program" ] || skip "$program is not built (make check builds it)"; done
slow=1700000 fast=4300000
for rate in $slow $fast; do
    gcc -shared -fPIC -O2 -nostartfiles -Wl,-e,begin -o "$work/qemu-$rate" "$top/tests/migrate/other-tsc.c" || fail "other-tsc.c"
done
rig_up 3 --qemu "/usr/bin/qemu-system-x86_64,$work/qemu-$slow,$work/qemu-$fast" --tsc-khz "0,$slow,$fast"
cp "$build/clockwork" "$build/payload" "$work/" && chmod 755 "$work/clockwork" "$work/payload"
(cd "$work" && python3 "$top/tests/migrate/clock.py" "${MOVES:-6}" 3 "$top/scripts/rig" on node1 -- ./clockwork) || fail "clocks"

# The payloads of time (tests/payload/time.c), moved between the rates.
cases=(clocks-not-back sleeping waiting-with-limit conditions-with-limit timerfd-counts timerfd-once interval-timers alarm-once
    posix-timers timers-with-threads time-agrees tsc-not-back)
natively mkdir "$work/times"
on node1 sojourn run --name times -- env PAYLOAD_SECONDS=6 ./payload --suite "$work/times" 12 "${cases[@]}" \
    >"$work/times.out" </dev/null &
payloads=$!
wait_until 30 job_runs node1 times || fail "the payloads do not run"
keep_moving times 0.5 node2 node3 node1
wait $payloads || { cat "$work/times.out"; fail "payloads of time"; }
[ ! -s "$work/move-failures" ] || { cat "$work/move-failures" "$work/migrate.log"; fail "a migration failed"; }
note "$(tail -n 1 "$work/times.out"), moved $(moves_made) times"
[ "$(moves_made)" -ge 3 ] || fail "only $(moves_made) moves"
echo "ok - clock"
