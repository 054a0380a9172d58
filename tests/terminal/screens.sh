#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# screens.sh - vim, less, mc and top in a job draw what they draw natively, key by key, and a migration changes nothing on the screen
# shellcheck source=tests/terminal/lib.sh
. "$(dirname "$0")/lib.sh"

requires vim less mc top
rig_up 2 --accel tcg # no word about KVM at each run
natively mkdir place place/folder place/folder/below place/folder/other
natively sh -c 'for i in $(seq 300); do echo "line $i of a text with $((i * i)) in it"; done >place/folder/text; seq 40 >place/folder/numbers; touch -d "2020-02-02 02:02" place/folder/* place/folder place'
screen_up 100 30

# The keys of each program, one step a line; the screen after each is compared.
steps_vim() { cat <<'END'
/line 77 Enter
C-f
i typed Space here Escape
:set Space number Enter
dd u p
:split Enter
C-w j G
:%s/line/LINE/g Enter
:q! Enter
:wq! Enter
END
}
steps_less() { cat <<'END'
Space
G
/line Space 200 Enter
b
-N Enter
100g
q
END
}
steps_mc() { cat <<'END'
Down Down
Tab
Down Enter
Enter
C-s num Enter
F3
Down PageDown
F10
F9
Escape Escape
F10
END
}

settled() { # the screen, when it has not changed for a moment
    local now before=
    for ((i = 0; i < 60; i++)); do
        now=$(screen)
        [ "$now" != "$before" ] || [ -z "$now" ] || break
        before=$now
        sleep 0.3
    done
    echo "$now"
}
is_on_screen() { screen | cmp -s - "$1"; }

# natively_seen NAME COMMAND: its screens, step by step, become $work/NAME.N
natively_seen() {
    local name=$1 step keys
    keys C-l; line "clear; $2"
    settled >"$work/$name.0"
    step=1
    while read -r -a keys; do
        keys -- "${keys[@]}"
        settled >"$work/$name.$((step++))"
    done < <("steps_$name")
    see '^@@ *$'
}

# seen_in_job NAME COMMAND: the same in a job, which is moved before every other step
seen_in_job() {
    local name=$1 step=1 node=node2 keys
    line "clear; sojourn run --home --name $name $2"
    wait_until 60 is_on_screen "$work/$name.0" || { screen | diff "$work/$name.0" -; fail "$name: another screen at its start"; }
    while read -r -a keys; do
        if ((step % 2)); then
            on node1 sojourn migrate "$name" $node >>"$work/migrate.log" 2>&1 || { cat "$work/migrate.log"; fail "$name: a migration failed"; }
            [ $node = node2 ] && node=node1 || node=node2
        fi
        is_on_screen "$work/$name.$((step - 1))" || { screen | diff "$work/$name.$((step - 1))" -; fail "$name: the migration before step $step changed the screen"; }
        keys -- "${keys[@]}"
        wait_until 20 is_on_screen "$work/$name.$step" ||
            { screen | diff "$work/$name.$step" -; fail "$name: another screen than natively after step $step, ${keys[*]}"; }
        step=$((step + 1))
    done < <("steps_$name")
    note "$name: $step screens as natively, and the same before and after $((step / 2)) migrations"
}

both() { natively_seen "$1" "$2" && "${3:-true}" && seen_in_job "$1" "$2"; }
text_again() { natively sh -c 'mv place/folder/text written; for i in $(seq 300); do echo "line $i of a text with $((i * i)) in it"; done >place/folder/text; touch -d "2020-02-02 02:02" place/folder/text'; }
both vim "vim -u NONE -i NONE -N place/folder/text" text_again
cmp "$work/place/folder/text" "$work/written" || fail "vim in a job wrote another text"
both less "less place/folder/text"
plainly() { # without hints, which are drawn by lot, and the free space, which others change
    rm -rf "$work/.config" "$work/.cache" "$work/.local"
    natively touch -d "2020-02-02 02:02" place/folder place
    natively sh -c 'mkdir -p .config/mc; printf "[Layout]\nmessage_visible=false\nfree_space=false\n" >.config/mc/ini'
}
plainly
both mc "mc -d -u place/folder place/folder" plainly

line "clear; sojourn run --name top top -d 60"
see 'Tasks:' 60
for node in node2 node1; do
    settled >"$work/top.before"
    on node1 sojourn migrate top $node >>"$work/migrate.log" 2>&1 || { cat "$work/migrate.log"; fail "top: a migration failed"; }
    is_on_screen "$work/top.before" || { screen | diff "$work/top.before" -; fail "the migration changed top's screen"; }
done
keys 1
see '^%Cpu0'
keys q
see '^@@ *$'
note "top: the same before and after migrations, and goes on"
echo "ok - screens"
