#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# session.sh - an hour at a shell in a job: edit, compile, debug, stop and go on, another window size; it is moved all the while
# shellcheck source=tests/terminal/lib.sh
. "$(dirname "$0")/lib.sh"

requires vim gcc gdb
rig_up 2
screen_up 90 30

# Another terminal moves the shell to and fro while something is typed.
move_on() {
    while [ ! -e "$work/stay" ]; do
        for node in node2 node1; do
            on node1 sojourn migrate shell $node >>"$work/migrate.log" 2>&1 || echo failed >>"$work/move-failures"
            echo $node >>"$work/moves"
        done
    done
}
# slowly TEXT: as one types, so that migrations come between the keys
slowly() {
    local i
    for ((i = 0; i < ${#1}; i++)); do
        case ${1:i:1} in ';') keys '\;' ;; $'\n') keys Enter ;; *) typed "${1:i:1}" ;; esac
        sleep 0.02
    done
}
mine() { see 'in> *$' "$@"; }

line "sojourn run --name shell bash --norc --noprofile -i"
see '\$ *$' 60
line "PS1='in'\"> \"; clear"
mine
: >"$work/moves"
move_on & mover=$!
at_exit "kill $mover 2>/dev/null"

# edit
program='#include <stdio.h>

static int square(int x)
{
return x * x;
}

int main(void)
{
int sum = 0;
for (int i = 1; i <= 10; i++)
sum += square(i);
printf("the sum is %d\n", sum);
return 3;
}'
line "vim -u NONE -i NONE -N sum.c"
see 'sum.c.*\[New' 60
slowly "i$program"
keys Escape
slowly ":wq"
keys Enter
mine
[ "$(cat "$work/sum.c")" = "$program" ] || { screen; diff <(echo "$program") "$work/sum.c"; fail "what was typed into vim is not what was written"; }

# compile and run
line "gcc -g -O0 -Wall -o sum sum.c && ./sum; echo status \$?"
see 'the sum is 385' 60
see 'status 3'

# debug
line "clear; gdb -q ./sum"
see '\(gdb\) *$' 60
line "set confirm off"; line "set pagination off"; line "break square if x == 5"; line "run"
see 'Breakpoint 1, square \(x=5\)' 60
line "backtrace"; see '#1 .* main'
line "up"; line "print sum"; see '= 30$'
line "set var sum = 1030"; line "delete"; line "continue"
see 'the sum is 1385'
see 'exited with code 03'
line "quit"
mine
note "vim, gcc and gdb while the shell moved $(moves_made) times"

# stop, go on, interrupt
line "clear; sleep 100"; sleep 1
keys C-z; see '^\[1\]\+ +Stopped +sleep 100'
line "cat >typed"; sleep 0.5
slowly "every key that is typed arrives once, and in order: 0123456789"
keys Enter C-d
mine
[ "$(cat "$work/typed")" = "every key that is typed arrives once, and in order: 0123456789" ] || fail "what was typed is $(cat "$work/typed")"
line "clear; fg"; see '^sleep 100'
sleep 0.5; keys C-c; sleep 0.3
line "echo status \$?"; see 'status 130'

# another size
line "clear; vim -u NONE -i NONE -N sum.c"; see '"sum.c" .*15L'
mux resize-window -x 70 -y 20; see '"sum.c" .*15L|^~'
wait_until 20 eval '[ "$(screen | wc -l)" -le 20 ]'
keys C-g; see '"sum.c"'
slowly ":q"; keys Enter
mine
line "clear; stty size"; see '^20 70'
touch "$work/stay"; wait $mover
[ ! -s "$work/move-failures" ] || { cat "$work/migrate.log"; fail "a migration failed"; }
note "stopped, continued, interrupted and resized over $(moves_made) migrations in all"

# suspended from another terminal: what is typed meanwhile is there afterwards
on node1 sojourn suspend shell >"$work/suspend" 2>&1 || { cat "$work/suspend"; fail "suspend"; }
line "clear; echo typed while it stood"; sleep 1
! shows '^typed while it stood' || fail "a suspended shell goes on"
on node1 sojourn resume shell >"$work/resume" 2>&1 || { cat "$work/resume"; fail "resume"; }
see '^typed while it stood'

# the shell stops itself, is moved, and goes on
line "clear; suspend"; see '^\[1\]\+ +Stopped +sojourn run'; see '^@@ *$'
on node1 sojourn migrate shell node2 >>"$work/migrate.log" 2>&1 || { cat "$work/migrate.log"; fail "a stopped shell does not move"; }
line "clear; fg"; see '^sojourn run'
line ""; mine
line "clear; exit 5"
see '^@@ *$' 60
line "echo status \$?"; see 'status 5'
note "suspended, stopped, moved, ended with its status"
echo "ok - a session"
