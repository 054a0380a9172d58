#!/bin/bash
# traps.sh - traps, background processes, wait and its statuses
. "${BASH_SOURCE[0]%/*}/lib.bash"
while more; do
    got=
    trap 'got=$got.usr1' USR1
    kill -USR1 $$; kill -USR1 $$
    is "$got" .usr1.usr1
    sleep 100 & sleeper=$!
    kill $sleeper; wait $sleeper; is $? 143
    (exit 6) & wait $!; is $? 6
    is "$(trap 'echo left' EXIT; exit 0)" left
    (trap '' TERM; kill -TERM $BASHPID; exit 4); is $? 4
    for i in 1 2 3; do (sleep 0.0$i; echo $i >done.$i) & done; wait
    is "$(cat done.1 done.2 done.3 | tr '\n' ' ')" "1 2 3 "
    is "$(timeout 0.05 sleep 10; echo $?)" 124
    rm done.*
done
ok
