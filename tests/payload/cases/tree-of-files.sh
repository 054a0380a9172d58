#!/bin/bash
# tree-of-files.sh - a tree is made, copied, packed, unpacked, compared, searched, changed and removed
. "${BASH_SOURCE[0]%/*}/lib.bash"
while more; do
    mkdir -p tree/a/b/c tree/d && for i in $(seq 30); do seq $i >tree/a/f$i; done
    ln -s ../a/f1 tree/d/link && ln tree/a/f2 tree/d/hard && touch -d '2001-02-03 04:05:06.789' tree/a/f3 && chmod 640 tree/a/f4
    printf 'x\ny\n' >'tree/d/a name with blanks and ÄÖ'
    cp -a tree copy && diff -r tree copy || wrong "cp -a"
    is "$(stat -c '%y %a' copy/a/f3 copy/a/f4 | cut -c1-23 | head -n 1)" "2001-02-03 04:05:06.789"
    is "$(stat -c %h tree/d/hard)" 2
    tar cf - tree | (mkdir un && cd un && tar xf -) && diff -r tree un/tree || wrong tar
    is "$(find tree -type f | wc -l)" 32
    is "$(find tree -name 'f*' -size -1k -o -name 'f1' | wc -l)" 1
    sed -i 's/^7$/seven/' tree/a/f9 && is "$(grep -l seven -r tree)" tree/a/f9
    is "$(find tree -newer tree/a/f3 -name f5)" tree/a/f5
    mv tree/a tree/moved && is "$(cat tree/moved/f2)" "$(cat tree/d/hard)"
    dd if=tree/moved/f30 of=part bs=7 skip=3 count=2 status=none && is "$(wc -c <part)" 14
    truncate -s 1M hole && is "$(du -k hole | cut -f1)" 0
    rm -r tree copy un part hole || wrong rm
    is "$(ls -A)" ""
done
ok
