#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# desktop.sh - programs in jobs draw on an X server at home and speak on its session bus, while they move
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"

requires Xvfb xdpyinfo xlogo xclock xwd dbus-daemon dbus-send dbus-monitor gdbus
rig_up 3
export DISPLAY=:$((100 + ${RIG:-1})) LC_ALL=C.UTF-8
x_is_up() { natively xdpyinfo; }
screen() { natively timeout 20 xwd -root -silent | tail -c +3300 | sha256sum; }
screen_changed() { [ "$(screen)" != "$1" ]; }
screen_is() { [ "$(screen)" = "$1" ]; }
move_about() { # JOB
    for node in node2 node1 node2; do
        on node1 sojourn migrate "$1" $node >>"$work/migrate.log" 2>&1 || { cat "$work/migrate.log"; fail "$1: a migration failed"; }
    done
}
end_of() { on node1 sojourn kill "$1" >/dev/null; wait "$2"; }

# X
at_home Xvfb $DISPLAY -screen 0 640x480x24 -nolisten tcp -noreset >"$work/x.log" 2>&1
wait_until 20 x_is_up || { cat "$work/x.log"; fail "Xvfb does not start"; }
empty=$(screen)
PATIENCE=60 same dpyinfo 0 '' xdpyinfo

at_home xlogo -geometry 300x200+50+40; logo=$!
wait_until 20 screen_changed "$empty" || fail "xlogo draws nothing natively"
sleep 0.5
drawn=$(screen)
kill $logo; wait $logo 2>/dev/null
wait_until 10 screen_is "$empty" || fail "the screen is not empty again"
on node1 sojourn run --on node2 --name logo -- xlogo -geometry 300x200+50+40 >"$work/logo.out" 2>&1 </dev/null & logo=$!
wait_until 60 screen_is "$drawn" || { cat "$work/logo.out"; fail "a job's window is not drawn as natively"; }
move_about logo
# covered and uncovered, it draws itself again
at_home xlogo -geometry 640x480+0+0 -bg red; cover=$!
wait_until 20 screen_changed "$drawn"
kill $cover; wait $cover 2>/dev/null
wait_until 20 screen_is "$drawn" || fail "after its migrations the job's window is not drawn again"
end_of logo $logo
wait_until 20 screen_is "$empty" || fail "the window of a killed job stays"

on node1 sojourn run --on node2 --name clock -- xclock -digital -update 1 -strftime %H:%M:%S >"$work/clock.out" 2>&1 </dev/null & clock=$!
wait_until 60 screen_changed "$empty" || { cat "$work/clock.out"; fail "xclock draws nothing"; }
for node in node1 node2 node1; do
    on node1 sojourn migrate clock $node >>"$work/migrate.log" 2>&1 || { cat "$work/migrate.log"; fail "clock: a migration failed"; }
    was=$(screen)
    wait_until 10 screen_changed "$was" || fail "the clock stands still at $node"
done
end_of clock $clock
note "X: windows as natively, drawn again and going on after migrations"

# D-Bus
cat >"$work/bus.conf" <<END
<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN" "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig><type>session</type><listen>unix:path=$work/bus</listen><auth>EXTERNAL</auth>
<policy context="default"><allow send_destination="*" eavesdrop="true"/><allow eavesdrop="true"/><allow own="*"/></policy></busconfig>
END
export DBUS_SESSION_BUS_ADDRESS=unix:path=$work/bus
call() { echo "dbus-send --session --print-reply --dest=org.freedesktop.DBus /org/freedesktop/DBus org.freedesktop.DBus.$*"; }
cat >"$work/bus.sh" <<END
exec 2>&1
$(call ListNames) | grep -c string
$(call GetConnectionUnixUser string:org.freedesktop.DBus) | tail -n 1
$(call RequestName string:test.Name uint32:0) | tail -n 1
$(call NoSuchThing)
gdbus call --session --dest org.freedesktop.DBus --object-path / --method org.freedesktop.DBus.NameHasOwner test.Nobody
gdbus introspect --session --dest org.freedesktop.DBus --object-path /org/freedesktop/DBus
! command -v busctl >/dev/null || busctl --address=$DBUS_SESSION_BUS_ADDRESS call org.freedesktop.DBus / org.freedesktop.DBus ListActivatableNames
END
signals() { # FROM TO
    for ((i = $1; i <= $2; i++)); do natively dbus-send --session --type=signal /test test.Beat.Beat uint32:$i; done
}
bus_is_up() { natively sh -c "$(call GetId)"; }
at_home dbus-daemon --config-file=bus.conf --nofork --nopidfile >"$work/bus.log" 2>&1; bus=$!
wait_until 20 bus_is_up || { cat "$work/bus.log"; fail "no bus at home"; }
PATIENCE=60 same bus 0 's/sender=[^ ]* |time=[^ ]* |destination=[^ ]* |:1\.[0-9]+|guid=[^,]*//g' sh bus.sh
on node1 sojourn run --on node2 --name ears -- gdbus monitor --session --dest org.freedesktop.DBus >"$work/ears" 2>&1 </dev/null & ears=$!
on node1 sojourn run --on node2 --name listener -- dbus-monitor --session --profile "type='signal',interface='test.Beat'" >"$work/raw" 2>&1 </dev/null & listener=$!
wait_until 60 grep -q NameAcquired "$work/raw" || { cat "$work/raw"; fail "nothing is monitored"; }
wait_until 60 test -s "$work/ears" || { cat "$work/ears"; fail "gdbus monitors nothing"; }
beats() { grep -c 'test.Beat' "$work/raw"; }
signals 1 5
move_about listener & move_about ears
wait $!
signals 6 10
wait_until 20 eval '[ "$(beats)" = 10 ]' || { cat "$work/raw"; fail "of 10 signals $(beats) were heard"; }
natively sh -c "$(call RequestName string:test.Late uint32:0)" >/dev/null
wait_until 20 grep -q 'test.Late' "$work/ears" || { cat "$work/ears"; fail "gdbus monitor hears nothing after its migrations"; }
end_of listener $listener
end_of ears $ears
kill $bus; wait $bus 2>/dev/null
note "D-Bus: a bus at home, every signal heard over migrations"

on node1 sojourn run --on node2 --name bus -- dbus-daemon --config-file=bus.conf --nofork --nopidfile >"$work/bus.log" 2>&1 </dev/null & bus=$!
wait_until 60 bus_is_up || { cat "$work/bus.log"; fail "no bus in a job"; }
at_home dbus-monitor --session --profile "type='signal',interface='test.Beat'" >"$work/raw" 2>&1
wait_until 20 grep -q NameAcquired "$work/raw" || fail "nothing is monitored at home"
signals 1 3
move_about bus
signals 4 6
wait_until 20 eval '[ "$(beats)" = 6 ]' || { cat "$work/raw"; fail "of 6 signals $(beats) were heard at home"; }
natively sh bus.sh >"$work/there" 2>&1
sed -i -E 's/sender=[^ ]* |time=[^ ]* |destination=[^ ]* |:1\.[0-9]+|guid=[^,]*//g' "$work/there"
diff <(tail -n +2 "$work/bus.native.out" | grep -v ^status) <(tail -n +2 "$work/there") ||
    fail "a bus in a job answers otherwise"
end_of bus $bus
note "D-Bus: a bus in a job, used from home"
echo "ok - desktop"
