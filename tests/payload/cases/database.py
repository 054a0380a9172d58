#!/usr/bin/python3
"""database.py - SQLite in a file, two processes that write, a roll-back, a check of its integrity; with and without WAL"""
import os, sqlite3, subprocess, sys
sys.path.insert(0, os.path.dirname(os.path.realpath(__file__)))
from lib import more, must, ok

WRITER = """
import sqlite3, sys
d = sqlite3.connect("db", timeout=120)
for t in range(4):
    with d:
        d.executemany("insert into t values(?,?)", [(sys.argv[1], i) for i in range(100)])
"""
while more():
    for mode in "delete", "wal":
        for name in "db", "db-wal", "db-shm":
            if os.path.exists(name):
                os.unlink(name)
        db = sqlite3.connect("db")
        db.execute("pragma journal_mode=" + mode)
        db.execute("create table t(who, n)")
        db.commit()
        db.close()
        writers = [subprocess.Popen([sys.executable, "-c", WRITER, who]) for who in "ab"]
        must([one.wait() for one in writers] == [0, 0], "a writer failed")
        db = sqlite3.connect("db")
        must(db.execute("select count(*), sum(n) from t").fetchone() == (800, 39600), "rows with " + mode)
        try:
            with db:
                db.execute("insert into t values('c', 1)")
                raise KeyError
        except KeyError:
            pass
        must(db.execute("select count(*) from t").fetchone() == (800,), "roll-back")
        must(db.execute("pragma integrity_check").fetchone() == ("ok",), "integrity")
        db.close()
ok()
