#!/bin/bash
# writers.sh - shells that append to one file, and flock(1) between them
. "${BASH_SOURCE[0]%/*}/lib.bash"
while more; do
    : >log; echo 0 >count
    for who in a b c; do
        for i in 1 2 3 4 5 6; do
            echo "$who $i" >>log
            flock lock sh -c 'n=$(cat count); echo $((n + 1)) >count'
        done &
    done
    wait
    is "$(sort log | tr '\n' ,)" "a 1,a 2,a 3,a 4,a 5,a 6,b 1,b 2,b 3,b 4,b 5,b 6,c 1,c 2,c 3,c 4,c 5,c 6,"
    is "$(cat count)" 18
    is "$(grep ^b log | tr '\n' ,)" "b 1,b 2,b 3,b 4,b 5,b 6,"
    flock -n lock sh -c 'flock -n lock true'; is $? 1
done
ok
