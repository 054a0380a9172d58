#!/bin/bash
# git - a clone and an fsck of a local repository are the same natively, in a job, and in a job on the move
. "$(dirname "$0")/../lib.sh"
requires git
rig_up 3
natively sh -c 'git init -q -b main repo && cd repo && git config user.name t && git config user.email t@t &&
    for i in $(seq 60); do mkdir -p d$i && seq $i $((i * 400)) >d$i/a && cp d$i/a d$i/b && git add . && git commit -qm "c$i"; done'
before='rm -rf clone'
same git 10 '' sh -c 'git clone -q --no-hardlinks repo clone && cd clone && git fsck --full && git log --format=%T && git status --short && sha256sum */*'
echo "ok - git"
