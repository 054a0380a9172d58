#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# descriptors.sh - each program opens as many files as its limit allows, though its deputy has the same limit
. "$(dirname "$0")/../lib.sh"
requires python3 prlimit
rig_up 1
install -m 755 "$top/tests/deputy/descriptors.py" "$work/"
natively prlimit --nofile=400:400 ./descriptors.py >"$work/native" 2>&1 </dev/null || { cat "$work/native"; fail "natively"; }
rm -f "$work/many" "$work"/[fg][0-9]*
on node1 prlimit --nofile=400:400 timeout 60 sojourn run -- ./descriptors.py >"$work/job" 2>&1 </dev/null
cmp "$work/native" "$work/job" || { diff "$work/native" "$work/job"; fail "a job has other limits"; }
echo "ok - $(head -n 1 "$work/job")"
