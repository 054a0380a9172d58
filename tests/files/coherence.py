#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""coherence.py - what a job sees of changes at home, and home of the job's

    coherence.py HOME JOB [MODE]      the same directory, natively and through the file server
"""
import errno, fcntl, mmap, os, shutil, signal, socket, sqlite3, stat, struct, subprocess, sys, time

home, job = sys.argv[1], sys.argv[2]
mode = sys.argv[3] if len(sys.argv) > 3 else "through"
failures = []


def h(name):
    return os.path.join(home, name)


def j(name):
    return os.path.join(job, name)


def write(path, data, flags=os.O_CREAT | os.O_TRUNC):
    fd = os.open(path, os.O_WRONLY | flags, 0o644)
    os.write(fd, data)
    os.close(fd)


def read(path):
    with open(path, "rb") as f:
        return f.read()


def check(what, ok):
    if not ok:
        failures.append(what)
    print(("ok - " if ok else "not ok - ") + what, flush=True)


def error_of(call, *args):
    try:
        call(*args)
    except OSError as e:
        return e.errno
    return 0


def settle():
    time.sleep(0.05)


def open_sees_changes():
    for i in range(60):  # same size, changed in place, with and without pause
        write(h("f"), b"%08d" % i, os.O_CREAT)
        if read(j("f")) != b"%08d" % i:
            check("an open sees what home wrote before it (round %d)" % i, False)
            return
        if i % 3 == 0:
            settle()
    check("an open sees what home wrote before it", True)
    for i in range(30):
        write(h("new"), b"replaced %d" % i)
        os.rename(h("new"), h("f"))
        if read(j("f")) != b"replaced %d" % i:
            check("an open sees a file that home put in its place (round %d)" % i, False)
            return
    check("an open sees a file that home put in its place", True)


def names_appear():
    check("a missing file is missing", error_of(os.stat, j("later")) == errno.ENOENT)
    write(h("later"), b"here")
    check("a file made at home is there at once", read(j("later")) == b"here")
    os.unlink(h("later"))
    check("a file removed at home cannot be opened", error_of(os.open, j("later"), os.O_RDONLY) == errno.ENOENT)
    os.mkdir(h("dir"))
    write(h("dir/x"), b"1")
    check("a directory made at home", os.listdir(j("dir")) == ["x"])
    write(h("dir/y"), b"2")
    check("its new entries", sorted(os.listdir(j("dir"))) == ["x", "y"])
    os.rename(h("dir"), h("dir2"))
    check("a directory renamed at home", read(j("dir2/y")) == b"2")
    time.sleep(1.1)
    check("its old name is gone after a second", error_of(os.stat, j("dir/x")) == errno.ENOENT)


def size_at_open():
    write(h("grow"), b"a" * 10)
    check("size", os.stat(j("grow")).st_size == 10)
    write(h("grow"), b"b" * 5000, os.O_APPEND)
    fd = os.open(j("grow"), os.O_RDONLY)
    check("an open refreshes size", os.fstat(fd).st_size == 5010)
    check("and all of it is read", len(os.read(fd, 9000)) == 5010)
    write(h("grow"), b"c" * 3000, os.O_APPEND)
    time.sleep(1.1)
    os.lseek(fd, 0, 0)
    data = os.read(fd, 90000)
    check("an open file grows within a second", data == b"a" * 10 + b"b" * 5000 + b"c" * 3000)
    write(h("grow"), b"short")
    time.sleep(1.1)
    os.lseek(fd, 0, 0)
    check("and shrinks", os.read(fd, 90000) == b"short")
    os.close(fd)


def writes_go_home():
    fd = os.open(j("w"), os.O_CREAT | os.O_RDWR, 0o644)
    os.write(fd, b"first")
    if mode != "writeback":
        check("a written byte is at home", read(h("w")) == b"first")
    os.fsync(fd)
    check("a synced byte is at home", read(h("w")) == b"first")
    m = mmap.mmap(fd, 5)
    m[0:5] = b"FIRST"
    m.flush()
    check("a shared map goes home", read(h("w")) == b"FIRST")
    m[0:5] = b"again"
    m.close()
    os.close(fd)
    time.sleep(0.1)
    check("a map that was closed goes home", read(h("w")) == b"again")
    a = os.open(j("w"), os.O_WRONLY | os.O_APPEND)
    b = os.open(h("w"), os.O_WRONLY | os.O_APPEND)
    for i in range(100):
        os.write(a, b"A")
        os.write(b, b"B")
    os.close(a)
    os.close(b)
    check("both append and nothing is lost", mode == "writeback" or read(h("w")) == b"again" + b"AB" * 100)


def unlinked():
    write(h("u"), b"content")
    fd = os.open(j("u"), os.O_RDWR)
    os.unlink(h("u"))
    check("a file removed at home can still be read", os.read(fd, 20) == b"content")
    check("and written", os.write(fd, b"more") == 4)
    check("and seen", os.fstat(fd).st_nlink in (0, 1))
    os.close(fd)
    write(h("u"), b"1")
    fd = os.open(j("u"), os.O_RDWR)
    write(h("u2"), b"2")
    os.rename(h("u2"), h("u"))
    time.sleep(1.1)
    check("a replaced file that is open has its attributes", os.fstat(fd).st_size == 1)
    os.ftruncate(fd, 0)
    check("and can be truncated", os.fstat(fd).st_size == 0 and read(j("u")) == b"2")
    os.close(fd)
    write(h("v"), b"x")
    fd = os.open(j("v"), os.O_RDONLY)
    os.rename(h("v"), h("v2"))
    time.sleep(1.1)
    check("a file renamed at home and open has its attributes", os.fstat(fd).st_size == 1)
    check("and can be opened again", read("/proc/self/fd/%d" % fd) == b"x")
    os.close(fd)


def outside(script, *args):
    return subprocess.Popen([sys.executable, "-c", "import fcntl,os,sys,time\n" + script] + list(args),
                            stdin=subprocess.PIPE, stdout=subprocess.PIPE)


def locks():
    write(h("l"), b"x" * 100)
    fd = os.open(j("l"), os.O_RDWR)
    p = outside("f=open(sys.argv[1],'r+b')\nfcntl.lockf(f,fcntl.LOCK_EX,10,20)\nprint('y',flush=True)\ninput()\n"
                "fcntl.lockf(f,fcntl.LOCK_UN)\nprint('u',flush=True)\ninput()\n", h("l"))
    p.stdout.readline()
    check("home's lock is in the way", error_of(fcntl.lockf, fd, fcntl.LOCK_EX | fcntl.LOCK_NB, 10, 20) in (errno.EAGAIN, errno.EACCES))
    got = fcntl.fcntl(fd, fcntl.F_GETLK, struct.pack("hhqqi4x", fcntl.F_RDLCK, 0, 0, 0, 0))
    kind, _, start, length, pid = struct.unpack("hhqqi4x", got)
    check("F_GETLK tells where and who", (kind, start, length, pid) == (fcntl.F_WRLCK, 20, 10, p.pid))
    check("beside it there is room", error_of(fcntl.lockf, fd, fcntl.LOCK_EX | fcntl.LOCK_NB, 20, 0) == 0)
    signal.signal(signal.SIGALRM, lambda *a: (_ for _ in ()).throw(InterruptedError()))
    signal.setitimer(signal.ITIMER_REAL, 0.3)
    t = time.monotonic()
    try:
        fcntl.lockf(fd, fcntl.LOCK_EX, 10, 20)
        check("a waiting lock is interrupted", False)
    except InterruptedError:
        check("a waiting lock is interrupted", 0.2 < time.monotonic() - t < 2)
    signal.setitimer(signal.ITIMER_REAL, 0)
    t = time.monotonic()
    pid = os.fork()
    if pid == 0:
        time.sleep(0.3)
        p.stdin.write(b"\n")
        p.stdin.flush()
        os._exit(0)
    fcntl.lockf(fd, fcntl.LOCK_EX, 10, 20)
    check("a waiting lock is granted when home lets go", 0.2 < time.monotonic() - t < 2)
    os.waitpid(pid, 0)
    q = outside("f=open(sys.argv[1],'r+b')\ntry:\n fcntl.lockf(f,fcntl.LOCK_EX|fcntl.LOCK_NB)\n print('got')\nexcept OSError: print('no')\n", h("l"))
    check("the job's lock is in home's way", q.communicate()[0] == b"no\n")
    pid = os.fork()
    if pid == 0:
        f2 = os.open(j("l"), os.O_RDWR)
        e = error_of(fcntl.lockf, f2, fcntl.LOCK_EX | fcntl.LOCK_NB)
        got = fcntl.fcntl(f2, fcntl.F_GETLK, struct.pack("hhqqi4x", fcntl.F_WRLCK, 0, 0, 0, 0))
        os._exit(0 if e in (errno.EAGAIN, errno.EACCES) and struct.unpack("hhqqi4x", got)[4] == os.getppid() else 1)
    check("and in another process's of the job, which sees whose", os.waitpid(pid, 0)[1] == 0)
    os.close(os.open(j("l"), os.O_RDONLY))
    q = outside("f=open(sys.argv[1],'r+b')\nfcntl.lockf(f,fcntl.LOCK_EX|fcntl.LOCK_NB)\nprint('got')\n", h("l"))
    check("closing any descriptor drops it", q.communicate()[0] == b"got\n")
    p.communicate(b"\n")

    fcntl.flock(fd, fcntl.LOCK_EX)
    q = outside("f=open(sys.argv[1],'r+b')\ntry:\n fcntl.flock(f,fcntl.LOCK_EX|fcntl.LOCK_NB)\n print('got')\nexcept OSError: print('no')\n", h("l"))
    check("flock reaches home", q.communicate()[0] == b"no\n")
    dup = os.dup(fd)
    os.close(fd)
    q = outside("f=open(sys.argv[1],'r+b')\ntry:\n fcntl.flock(f,fcntl.LOCK_EX|fcntl.LOCK_NB)\n print('got')\nexcept OSError: print('no')\n", h("l"))
    check("flock stays with the open file", q.communicate()[0] == b"no\n")
    os.close(dup)
    time.sleep(0.2)
    q = outside("f=open(sys.argv[1],'r+b')\ntry:\n fcntl.flock(f,fcntl.LOCK_EX|fcntl.LOCK_NB)\n print('got')\nexcept OSError: print('no')\n", h("l"))
    check("flock ends with it", q.communicate()[0] == b"got\n")
    fd = os.open(j("l"), os.O_RDWR)
    F_OFD_SETLK = 37
    fcntl.fcntl(fd, F_OFD_SETLK, struct.pack("hhqqi4x", fcntl.F_WRLCK, 0, 0, 0, 0))
    os.close(os.open(j("l"), os.O_RDONLY))
    q = outside("f=open(sys.argv[1],'r+b')\ntry:\n fcntl.lockf(f,fcntl.LOCK_EX|fcntl.LOCK_NB)\n print('got')\nexcept OSError: print('no')\n", h("l"))
    check("an OFD lock of the job stays while another descriptor is closed", q.communicate()[0] == b"no\n")
    os.close(fd)
    time.sleep(0.2)
    q = outside("f=open(sys.argv[1],'r+b')\ntry:\n fcntl.lockf(f,fcntl.LOCK_EX|fcntl.LOCK_NB)\n print('got')\nexcept OSError: print('no')\n", h("l"))
    check("and ends with its open file", q.communicate()[0] == b"got\n")


def deadlock():
    write(h("dl"), b"x" * 10)
    r, w = os.pipe()
    fd = os.open(j("dl"), os.O_RDWR)
    fcntl.lockf(fd, fcntl.LOCK_EX, 1, 0)
    pid = os.fork()
    if pid == 0:
        f2 = os.open(j("dl"), os.O_RDWR)
        fcntl.lockf(f2, fcntl.LOCK_EX, 1, 1)
        os.write(w, b"1")
        fcntl.lockf(f2, fcntl.LOCK_EX, 1, 0)
        os._exit(0)
    os.read(r, 1)
    time.sleep(0.3)
    signal.alarm(5)
    check("a deadlock is seen", error_of(fcntl.lockf, fd, fcntl.LOCK_EX, 1, 1) == errno.EDEADLK)
    signal.alarm(0)
    fcntl.lockf(fd, fcntl.LOCK_UN, 1, 0)
    check("and ends", os.waitpid(pid, 0)[1] == 0)
    os.close(fd)


def lock_coherence():
    """home and job take turns under a lock, without closing: each must see the other's write"""
    write(h("turn"), b"%08d" % 0)
    p = outside("f=os.open(sys.argv[1],os.O_RDWR)\n"
                "while True:\n"
                " fcntl.lockf(f,fcntl.LOCK_EX)\n"
                " n=int(os.pread(f,8,0))\n"
                " if n%2: os.pwrite(f,b'%08d'%(n+1),0)\n"
                " fcntl.lockf(f,fcntl.LOCK_UN)\n"
                " if n>=300: break\n"
                " time.sleep(0.0005)\n", h("turn"))
    fd = os.open(j("turn"), os.O_RDWR)
    end = time.monotonic() + 30
    n = 0
    while n < 300 and time.monotonic() < end:
        fcntl.lockf(fd, fcntl.LOCK_EX)
        n = int(os.pread(fd, 8, 0))
        if n % 2 == 0:
            os.pwrite(fd, b"%08d" % (n + 1), 0)
            n += 1
        fcntl.lockf(fd, fcntl.LOCK_UN)
        time.sleep(0.0005)
    os.close(fd)
    if n < 300:
        p.kill()
    p.wait()
    check("turns under a lock see each other (%d of 300)" % n, n >= 300)


def databases():
    """a job and a process at home share a database"""
    db = sqlite3.connect(h("db"))
    db.execute("create table t (who text, n integer)")
    db.commit()
    db.close()
    script = ("import sqlite3\ndb=sqlite3.connect(sys.argv[1],timeout=60,isolation_level=None)\n"
              "for i in range(60):\n db.execute('begin immediate')\n n=db.execute('select count(*) from t').fetchone()[0]\n"
              " db.execute('insert into t values(?,?)',(sys.argv[2],n))\n db.execute('commit')\n")
    ps = [outside(script, where("db"), name) for where, name in ((h, "home"), (j, "job1"), (j, "job2"))]
    good = all(p.wait() == 0 for p in ps)
    db = sqlite3.connect(j("db"))
    check("three processes at home and in the job share a database", good and
          db.execute("select count(*), sum(n) from t").fetchone() == (180, 180 * 179 // 2) and
          db.execute("pragma integrity_check").fetchone() == ("ok",))
    db.close()


def replaced_directory():
    os.mkdir(h("rd"))
    write(h("rd/a"), b"1")
    read(j("rd/a"))
    shutil.rmtree(h("rd"))
    os.mkdir(h("rd"))
    write(h("rd/a"), b"2")
    ok = False
    for i in range(30):
        try:
            ok = read(j("rd/a")) == b"2"
        except OSError as e:
            if e.errno not in (errno.ENOENT, errno.ESTALE):
                raise
        if ok:
            break
        time.sleep(0.05)
    check("a directory made anew at home (after %d tries)" % i, ok)


def replaced_all_the_time():
    """each open gets a whole file, never an error, however often home puts another in its place"""
    write(h("often"), b"%08d" % 0)
    p = outside("n=0\nend=time.monotonic()+3\nwhile time.monotonic()<end:\n n+=1\n"
                " f=open(sys.argv[1]+'.new','w')\n f.write('%08d'%n)\n f.close()\n os.rename(sys.argv[1]+'.new',sys.argv[1])\n", h("often"))
    opened, last, bad = 0, 0, []
    while p.poll() is None:
        try:
            now = int(read(j("often")))
            opened += 1
            if now < last:
                bad.append("%d after %d" % (now, last))
            last = now
        except (OSError, ValueError) as e:
            bad.append(repr(e))
    check("a file that home replaces all the time (%d opened) %s" % (opened, bad[:3]), opened > 50 and not bad)


def moved_away():
    """a file that home renames and puts another in its place of: the next open sees it"""
    for i in range(20):
        write(h("current"), b"old %02d" % i)
        check_read = read(j("current"))
        os.rename(h("current"), h("kept.%d" % i))
        write(h("current"), b"new %02d" % i)
        if check_read != b"old %02d" % i or read(j("current")) != b"new %02d" % i:
            check("an open sees that home has moved a file away (round %d)" % i, False)
            return
    check("an open sees that home has moved a file away", True)


def special():
    s = socket.socket(socket.AF_UNIX)
    s.bind(h("sock"))
    s.listen()
    check("home's socket can be seen", stat.S_ISSOCK(os.stat(j("sock")).st_mode))
    check("but not opened", error_of(os.open, j("sock"), os.O_RDONLY) == errno.ENXIO)
    s.close()
    os.symlink("/proc/self/mem", h("mem"))
    check("a link is only a link", os.readlink(j("mem")) == "/proc/self/mem")


for part in (open_sees_changes, names_appear, size_at_open, writes_go_home, unlinked, locks, deadlock,
             lock_coherence, databases, replaced_directory, replaced_all_the_time,
             moved_away, special):
    if mode == "writeback" and part in (lock_coherence, databases, size_at_open):
        continue
    try:
        part()
    except Exception as e:
        check("%s: %r" % (part.__name__, e), False)
print("%d failed" % len(failures))
sys.exit(1 if failures else 0)
