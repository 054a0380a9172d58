#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# arch - a static 32-bit program runs on the x86-64 guest as natively, and with --arch i686 on a 32-bit one; both move
. "$(dirname "$0")/../lib.sh"
requires gcc
cat >"$work/sum.c" <<'SOURCE'
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>
/* Sums a file again and again, and a table that it changes on the way; says what machine it is on. */
int main(int argc, char **argv)
{
    struct utsname it;
    unsigned rounds = atoi(argv[2]), sum = 1, *table = calloc(1 << 20, sizeof *table);

    setvbuf(stdout, NULL, _IOLBF, 0);
    uname(&it);
    printf("%s %zu\n", argc > 3 ? it.machine : "-", sizeof(long));
    for (unsigned round = 0; round < rounds; round++) {
        FILE *file = fopen(argv[1], "rb");
        int byte;

        while (file && (byte = getc(file)) != EOF)
            sum = sum * 31 + byte + table[sum >> 12]++;
        if (!file || fclose(file))
            return 1;
        printf("%u %u %.6f\n", round, sum, sum / 7.0);
    }
    return 9;
}
SOURCE
gcc -m32 -static -O1 "$work/sum.c" -o "$work/sum" 2>"$work/gcc.log" || skip "gcc -m32 -static does not work here (libc6-dev-i386)"
chmod 755 "$work/sum"
rig_up 3
head -c 300000 /dev/urandom >"$work/input" && chmod 644 "$work/input"
same static32 10 '' ./sum input 100

[ -f "$build/images/i686/digest" ] || skip "the i686 guest image is not built (scripts/build --arch all)"
on node1 sojourn run --arch i686 --name old -- ./sum input 100 machine >"$work/old.out" 2>"$work/old.err" & job=$!
wait_until 60 job_runs node1 old || { cat "$work/old.err"; fail "the i686 job did not start"; }
: >"$work/moves"
keep_moving old 1 node2 node3 node1
wait $job; status=$?
[ $status = 9 ] || fail "the i686 job ended with $status: $(cat "$work/old.err")"
[ "$(head -n 1 "$work/old.out")" = "i686 4" ] || fail "uname -m is not i686 but: $(head -n 1 "$work/old.out")"
tail -n +2 "$work/old.out" >"$work/old.rest"
tail -n +2 "$work/static32.native.out" | grep -v ^status | cmp - "$work/old.rest" || fail "its output is not the native one"
[ ! -s "$work/move-failures" ] && [ "$(moves_made)" -ge 1 ] || { cat "$work/migrate.log"; fail "it was not moved as it should"; }
note "i686: moved $(moves_made) times"

on node1 sojourn run --arch i686 -- /usr/bin/true 2>"$work/err"; status=$?
[ $status = 126 ] && [ -s "$work/err" ] || fail "a 64-bit program on a 32-bit guest gives $status, not 126: $(cat "$work/err")"
echo "ok - arch"
