#!/bin/bash
# compress.sh - data goes through compressors and checksums and is the same
. "${BASH_SOURCE[0]%/*}/lib.bash"
seq 3000 >numbers
sum=$(sha256sum <numbers)
while more; do
    is "$(gzip -c numbers | gunzip | sha256sum)" "$sum"
    is "$(base64 numbers | base64 -d | sha256sum)" "$sum"
    is "$(split -b 2000 numbers part. && cat part.* | sha256sum)" "$sum"
    is "$(sort -R numbers | sort -n | sha256sum)" "$sum"
    cp numbers copy && cmp numbers copy || wrong "cp"
    is "$(od -An -c numbers | head -n 1 | tr -d ' ')" '1\n2\n3\n4\n5\n6\n7\n8\n'
    fact "$(cksum numbers)"
    rm part.* copy
done
ok
