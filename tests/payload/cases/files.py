#!/usr/bin/python3
"""files.py - Python's own ways with files: mmap, shutil, tempfile, zipfile, pathlib, json, locks, scandir"""
import fcntl, gzip, hashlib, json, mmap, os, pathlib, shutil, sys, tempfile, zipfile
sys.path.insert(0, os.path.dirname(os.path.realpath(__file__)))
from lib import fact, more, must, ok

while more():
    top = pathlib.Path(tempfile.mkdtemp(dir="."))
    for i in range(40):
        (top / ("f%d" % i)).write_text("x" * i)
    must(sum(entry.stat().st_size for entry in os.scandir(top)) == 780, "scandir")
    with zipfile.ZipFile(top / "z.zip", "w", zipfile.ZIP_DEFLATED) as z:
        for i in range(40):
            z.write(top / ("f%d" % i), "in/f%d" % i)
    must(sum(len(zipfile.ZipFile(top / "z.zip").read("in/f%d" % i)) for i in range(40)) == 780, "zip")
    shutil.copytree(top, "copy")
    must(sorted(os.listdir("copy")) == sorted(os.listdir(top)), "copytree")
    shutil.rmtree("copy")
    with gzip.open(top / "g.gz", "wt") as g:
        json.dump(list(range(1000)), g)
    with gzip.open(top / "g.gz", "rt") as g:
        must(json.load(g) == list(range(1000)), "gzip")
    with open(top / "m", "w+b") as f:
        f.truncate(100000)
        with mmap.mmap(f.fileno(), 0) as m:
            m[5000:5010] = b"0123456789"
            must(m.find(b"345") == 5003, "find")
        f.seek(5000)
        must(f.read(10) == b"0123456789", "mmap")
        fcntl.flock(f, fcntl.LOCK_EX | fcntl.LOCK_NB)
    fact(hashlib.sha256((top / "m").read_bytes()).hexdigest())
    with tempfile.NamedTemporaryFile(dir=top) as t:
        t.write(b"text")
        t.flush()
        must(os.path.getsize(t.name) == 4, "size")
    must(not os.path.exists(t.name), "temporary file is left")
    os.replace(top / "m", top / "n")
    must(sorted(p.name for p in top.glob("?")) == ["n"], "glob")
    shutil.rmtree(top)
ok()
