#!/bin/bash
# python - Python's own tests give the same verdicts natively, in a job, and in a job on the move
. "$(dirname "$0")/../lib.sh"
[ -d /usr/lib/python3.11/test ] || skip "libpython3.11-testsuite is not installed"
rig_up 3
# times differ from run to run, verdicts must not
# (how long the test before took is said only when it was long)
same python 10 's/ -- test_[a-z_]+ passed.*//; s/in [0-9.]+ ?(ms|sec|min)[^ ]*//; s/[0-9.]+ (ms|sec|min)( [0-9.]+ sec)?//g; s/load avg: [0-9.]+//; s/^[0-9:]+ //; s/TEMPDIR.*//; s/test_python_[0-9a-zæ]+//' \
    /usr/bin/python3 -m test test_json test_re test_zlib
tail -n 3 "$work/python.moved.out"
grep -q SUCCESS "$work/python.moved.out" || fail "Python's tests did not succeed"
echo "ok - python"
