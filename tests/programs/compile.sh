#!/bin/bash
# compile - gcc makes the same objects of this project's agent natively, in a job, and in a job on the move
. "$(dirname "$0")/../lib.sh"
requires gcc
rig_up 3
mkdir "$work/src" && cp -r "$top/src/common" "$top/guest" "$work/src/" && cp "$build/config.h" "$work/src/"
[ "$(id -u)" != 0 ] || chown -R visitor "$work/src"
before='rm -rf objects && mkdir objects'
same compile 10 '' sh -c 'for f in src/guest/agent/*.c src/common/link*.c src/common/frame.c src/common/wire.c; do
    gcc -std=gnu11 -O2 -include src/config.h -Isrc -Isrc/guest/agent -c $f -o objects/$(basename $f .c).o || exit 1; done
    sha256sum objects/*'
echo "ok - compile"
