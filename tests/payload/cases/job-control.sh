#!/bin/bash
# job-control.sh - a shell with job control but without a terminal: groups, stopping, going on
. "${BASH_SOURCE[0]%/*}/lib.bash"
set -m
state() { ps -o stat= -p "$1" | cut -c1; }
while more; do
    sleep 100 | cat & last=$!
    group=$(ps -o pgid= -p $last | tr -d ' ')
    [ "$group" != "$(ps -o pgid= -p $$ | tr -d ' ')" ] || wrong "a job has no group of its own"
    kill -STOP %1
    for i in $(seq 200); do [ "$(state $last)" = T ] && break; sleep 0.01; done
    is "$(state $last)" T
    bg %1 >/dev/null 2>&1
    for i in $(seq 200); do [ "$(state $last)" = S ] && break; sleep 0.01; done
    is "$(state $last)" S
    kill -- -"$group"; wait 2>/dev/null
    is "$(jobs -p)" ""
done
ok
