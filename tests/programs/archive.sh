#!/bin/bash
# archive - tar, gzip and sha256sum of 200 MB give the same sum natively, in a job, and in a job on the move
. "$(dirname "$0")/../lib.sh"
rig_up 3
natively sh -c 'mkdir tree && cd tree && for i in $(seq 20); do head -c 10000000 /dev/urandom >f$i; done'
same archive 10 '' sh -c 'tar cf - --sort=name tree | gzip -1n | sha256sum'
echo "ok - archive"
