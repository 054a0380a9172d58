# SPDX-License-Identifier: GPL-2.0-or-later
# lib.sh - what the tests with a screen share: a shell at node1 in a tmux of the test's own, keys for it, and what is seen
# shellcheck source=tests/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/../lib.sh"

requires tmux
mux() { tmux -L "sojourn-test-${RIG:-1}" -f /dev/null "$@"; }

# screen_up WIDTH HEIGHT: a shell of the user at node1, in $work, with the prompt "@@ "
screen_up() {
    at_exit 'mux kill-server 2>/dev/null'
    (cd "$work" && LC_ALL=C.UTF-8 mux new-session -d -x "$1" -y "$2" \
        "$top/scripts/rig" on node1 env LC_ALL=C.UTF-8 HOME="$work" HISTFILE= bash --norc --noprofile -i) || fail "tmux does not start"
    seen '\$ *$' || fail "no shell in tmux"
    line "PS1='@'\"@ \"; clear"
    seen '^@@ *$' || fail "no shell in tmux"
}
screen() { printf '%s\n' "$(mux capture-pane -p | sed 's/ *$//')"; }
keys() { mux send-keys "$@"; }
typed() { mux send-keys -l "$1"; }                 # as it is
line() { mux send-keys -l "$1"; mux send-keys Enter; }

shows() { screen | grep -qE -e "$1"; }
# seen PATTERN [SECONDS]: it is on the screen, or comes
seen() { wait_until "${2:-30}" shows "$1"; }
see() { seen "$@" || { screen; fail "\"$1\" is not seen"; }; }
