# lib.bash - what the shell payloads share; source it first
#
# A case loops `while more` and says `ok` at the end, or `wrong TEXT` as soon as something is not as it must be.
set -u
name=${0##*/}
rounds=0
began=$EPOCHREALTIME
more() {
    local now=$EPOCHREALTIME
    rounds=$((rounds + 1))
    [ $rounds = 1 ] || [ $(((${now/[.,]/} - ${began/[.,]/}) / 1000)) -lt $((${PAYLOAD_SECONDS:-3} * 1000)) ]
}
wrong() { echo "$name: WRONG: $* (round $rounds)"; exit 1; }
is() { [ "$1" = "$2" ] || wrong "'$1' is not '$2'"; }
fact() { [ $rounds != 1 ] || echo "$name: $*"; }
ok() { echo "$name: ok"; }
