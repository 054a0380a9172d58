#!/bin/bash
# pipelines.sh - pipelines, substitutions, here documents and their statuses
. "${BASH_SOURCE[0]%/*}/lib.bash"
while more; do
    is "$(seq 500 | sort -r | sort -n | uniq | wc -l)" 500
    is "$(seq 1000 | tee >(cat >copy) | md5sum)" "$(seq 1000 | md5sum)"
    is "$(seq 100 | awk '{ sum += $1 } END { print sum }')" 5050
    is "$(diff <(seq 5) <(seq 6) | tail -n 1)" "> 6"
    false | true | sh -c 'exit 3'; is "${PIPESTATUS[*]}" "1 0 3"
    is "$(cat <<TEXT
$((6 * 7)) and $(echo inner)
TEXT
)" "42 and inner"
    (exit 9); is $? 9
    { sh -c 'kill -TERM $$'; is $? 143; } 2>/dev/null
    is "$(sh -c 'echo out; echo err >&2' 2>&1 >/dev/null)" err
    is "$(head -c 300000 /dev/zero | tr '\0' x | wc -c)" 300000
done
ok
