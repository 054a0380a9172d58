#!/bin/bash
# mounts - find -xdev and cp -a of a tree with a second file system mounted in it stay within it as they do natively
. "$(dirname "$0")/../lib.sh"
[ "$(id -u)" = 0 ] || skip "mounting needs root"
rig_up 3
mkdir -p "$work/tree/a" "$work/tree/mounted"
mount -t tmpfs tmpfs "$work/tree/mounted" || skip "no tmpfs can be mounted here"
at_exit "umount $work/tree/mounted"
chmod 777 "$work/tree/mounted" "$work/tree/a"; chown visitor "$work/tree"
natively sh -c 'cd tree; for i in 1 2 3; do mkdir a/d$i mounted/m$i; seq $i 500 >a/d$i/f; seq $i 700 >mounted/m$i/g; done; ln -s ../mounted a/link; ln a/d1/f a/d2/hard; touch -d "2020-02-02 02:02:02.123456789" a/d3/f'
before='rm -rf copy'
PAUSE=0.1 same mounts 10 '' sh -c 'find tree -xdev | sort; cp -a tree copy; find copy -type f -exec sha256sum {} + | sort -k 2; cp -ax tree copy2; find copy2 | sort; rm -rf copy2
    stat -c "%n %s %Y %h" copy/a/d3/f copy/a/d1/f; [ "$(stat -c %d tree)" != "$(stat -c %d tree/mounted)" ] && echo two file systems'
grep -q 'two file systems' "$work/mounts.moved.out" || fail "the second file system has not kept its own st_dev"
echo "ok - mounts"
