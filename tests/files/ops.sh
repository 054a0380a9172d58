#!/bin/bash
# ops.sh - many calls give the same results natively and through the file server, for root and for a user
. "$(dirname "$0")/lib.sh"
requires setpriv

user=65534
for who in 0 $user; do
    empty_home $who
    setpriv --reuid $who --regid $who --clear-groups "$build/files-ops" "$work/home" >"$work/native" || fail "native run"
    for options in "--cache through" "--cache none" "--cache through --workers 1"; do
        empty_home $who
        # shellcheck disable=SC2086
        served $options --uid $who -- "$build/files-ops" "$job" >"$work/served" || fail "$options: the program failed"
        diff "$work/native" "$work/served" || fail "uid $who, $options: a result differs"
    done
    # writeback: the guest does not write back before it looks for data
    empty_home $who
    served --cache writeback --uid $who -- "$build/files-ops" "$job" >"$work/served" || fail "writeback: the program failed"
    diff <(grep -v SEEK "$work/native") <(grep -v SEEK "$work/served") || fail "uid $who, writeback: a result differs"
done
empty_home 0
setpriv --clear-groups "$build/files-ops" "$work/home" >"$work/native"
empty_home 0
served --switch-ids -- "$build/files-ops" "$job" >"$work/served" || fail "switch-ids: the program failed"
diff "$work/native" "$work/served" || fail "switch-ids: a result differs"
echo "ok - $(wc -l <"$work/native") results"
