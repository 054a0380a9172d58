#!/bin/bash
# load.sh - many files, many processes, few descriptors
. "$(dirname "$0")/lib.sh"
requires python3

# Each process makes, renames, reads and removes files in folders shared by all, and checks its own.
cat >"$work/churn.py" <<'END'
import os, random, sys
base, me, rounds = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
r = random.Random(me)
mine = {}
open_files = []
for i in range(rounds):
    d = os.path.join(base, "d%d" % r.randrange(8), "e%d" % r.randrange(4))
    os.makedirs(d, exist_ok=True)
    what = r.random()
    if what < .4 or not mine:
        p, data = os.path.join(d, "p%d-%d" % (me, i)), os.urandom(r.randrange(20000))
        with open(p, "wb") as f:
            f.write(data)
        mine[p] = data
    elif what < .55:
        p = r.choice(list(mine))
        q = os.path.join(d, "q%d-%d" % (me, i))
        os.rename(p, q)
        mine[q] = mine.pop(p)
    elif what < .65:
        p = r.choice(list(mine))
        f = open(p, "rb")
        os.unlink(p)
        open_files.append((f, mine.pop(p)))
        if len(open_files) > 20:
            f, data = open_files.pop(0)
            assert f.read() == data, "an unlinked file"
            f.close()
    elif what < .9:
        p = r.choice(list(mine))
        assert open(p, "rb").read() == mine[p], p
        assert os.stat(p).st_size == len(mine[p]), p
    else:
        for x in os.scandir(d):
            x.name.startswith("%d" % me)
for p, data in mine.items():
    assert open(p, "rb").read() == data, p
print(me, len(mine))
END
cat >"$work/many.py" <<'END'
import os, sys
d = sys.argv[1] + "/many"
os.mkdir(d)
for i in range(int(sys.argv[2])):
    os.close(os.open("%s/a-longer-name-%d" % (d, i), os.O_CREAT | os.O_WRONLY))
names = os.listdir(d)
assert len(names) == len(set(names)) == int(sys.argv[2]), len(names)
seen = 0
with os.scandir(d) as it:
    for e in it:
        assert e.is_file(follow_symlinks=False)
        os.unlink(e.path)
        seen += 1
assert seen == int(sys.argv[2]), seen
os.rmdir(d)
END
for limit in 20000 400; do
    empty_home
    # shellcheck disable=SC2016
    (ulimit -n $limit; served -- sh -c 'for i in 1 2 3 4 5 6; do python3 "$1/churn.py" "$2" $i 1500 & done; wait; ls "$2" >/dev/null' - "$work" "$job") \
        >"$work/out" 2>&1
    status=$?
    [ $status != 77 ] || skip "this machine does not let us mount FUSE"
    [ $status = 0 ] || fail "limit $limit"
    [ "$(grep -c '^[1-6] [0-9]*$' "$work/out")" = 6 ] || { cat "$work/out"; fail "$limit descriptors: a process failed"; }
done
empty_home
served -- python3 "$work/many.py" "$job" 100000 || fail "100,000 entries"
echo "ok"
