#!/bin/bash
# programs.sh - real programs, with the file server as their whole root
. "$(dirname "$0")/lib.sh"
requires git python3 gcc sqlite3 tar

cat >"$work/run" <<'END'
set -e
cd "$1"
git init -q a && cd a
for i in $(seq 200); do mkdir -p d$((i % 7)); seq $i >d$((i % 7))/f$i; done
git add . && git -c user.name=t -c user.email=t@t commit -qm first
cd .. && git clone -q a b && git -C b fsck --strict 2>&1 && git -C b status --porcelain
cp -a a c && diff -r a c && tar cf - a | tar xf - --transform 's/^a/e/' && diff -r a e
find a -name .git -prune -o -type f -print | sort | xargs cat | sha256sum
printf '#include <stdio.h>\nint main(void) { puts("compiled"); return 0; }\n' >m.c
gcc -g -O2 -o m m.c && ./m
python3 - <<'PY'
import json, os, shutil, sqlite3, subprocess, sys, tempfile, zipfile
d = tempfile.mkdtemp(dir=".")
with zipfile.ZipFile(d + "/z", "w") as z:
    for i in range(50):
        z.writestr("f%d" % i, "x" * i * 100)
print(sum(len(zipfile.ZipFile(d + "/z").read("f%d" % i)) for i in range(50)))
shutil.rmtree(d)
db = sqlite3.connect("db"); db.execute("create table t(who, n)"); db.commit(); db.close()
w = "import sqlite3,sys\nd=sqlite3.connect('db',timeout=60)\nfor t in range(10):\n with d: d.executemany('insert into t values(?,?)',[(sys.argv[1],i) for i in range(500)])\n"
ps = [subprocess.Popen([sys.executable, "-c", w, n]) for n in "ab"]
print([p.wait() for p in ps])
db = sqlite3.connect("db"); print(db.execute("select count(*),sum(n) from t").fetchone(), db.execute("pragma integrity_check").fetchone())
PY
rm -rf a b c e
ls
END
# nobody's files at home are in a folder that is open to all; results must be those of a native run
for who in 0 65534; do
    empty_home $who
    setpriv --reuid $who --regid $who --clear-groups env HOME="$work/home" sh "$work/run" "$work/home" >"$work/native" 2>&1 ||
        { cat "$work/native"; fail "native run"; }
    for cache in through writeback; do
        empty_home $who
        served --chroot --cache $cache --uid $who -- env HOME="$work/home" sh "$work/run" "$work/home" >"$work/served" 2>&1 ||
            { cat "$work/served"; fail "uid $who, cache=$cache"; }
        diff <(grep -v dangling "$work/native") <(grep -v dangling "$work/served") || fail "uid $who, cache=$cache: output differs"
    done
done
echo "ok"
