#!/usr/bin/env python3
"""descriptors.py - opens as many files as the limit allows, and uses what it opened: says what it found"""
import errno
import fcntl
import os
import sys

os.closerange(3, 400)  # what the caller has open, which a job does not get


def open_all(name, flags):
    found = []
    while True:
        try:
            found.append(os.open(name(len(found)), flags, 0o644))
        except OSError as error:
            sys.stdout.flush()
            print("after", len(found) + found[0], "descriptors:", errno.errorcode[error.errno])
            return found


def try_lock(fd):
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return "locked"
    except OSError as error:
        return errno.errorcode[error.errno]


def one_file():
    opened = open_all(lambda n: "many", os.O_CREAT | os.O_RDWR)
    last = opened[-3:]
    os.write(last[0], b"first")
    print("offsets of their own:", os.read(last[1], 10), os.lseek(last[2], 0, os.SEEK_CUR))
    print("flock:", try_lock(last[0]), try_lock(last[1]), try_lock(opened[0]))
    fcntl.flock(last[0], fcntl.LOCK_UN)
    print("after it was released:", try_lock(last[1]), try_lock(last[0]))
    os.close(last[1])
    print("after it was closed:", try_lock(last[0]))
    appending = os.open("many", os.O_WRONLY | os.O_APPEND)
    os.write(appending, b" last")
    print("another kind of opening:", os.pread(last[0], 20, 0))
    os.close(appending)
    for fd in opened:
        if fd != last[1]:
            os.close(fd)


def many_files():
    opened = open_all(lambda n: "f%d" % n, os.O_CREAT | os.O_RDWR)
    fcntl.lockf(opened[0], fcntl.LOCK_EX)
    fcntl.flock(opened[1], fcntl.LOCK_EX)
    for n, fd in enumerate(opened):
        os.write(fd, b"contents of %d" % n)
    for n in range(0, len(opened), 2):
        os.unlink("f%d" % n)
    for n in range(1, len(opened), 4):
        os.chmod("f%d" % n, 0)
    for _ in range(2):
        right = sum(os.pread(fd, 100, 0) == b"contents of %d" % n and os.fstat(fd).st_nlink == n % 2
                    for n, fd in enumerate(opened))
        print("with what was written:", right == len(opened))
    child = os.fork()
    if not child:  # others' files, besides those of the parent
        os.close(opened[1])
        os.closerange(3, 400)
        again = open_all(lambda n: "g%d" % n, os.O_CREAT | os.O_RDWR)
        other = os.open("f1", os.O_RDONLY) if os.close(again.pop()) is None and os.chmod("f1", 0o600) is None else -1
        print("flock of a file opened long ago:", try_lock(other))
        os._exit(0)
    os.waitpid(child, 0)
    print("still there:", sum(os.pread(fd, 100, 0) == b"contents of %d" % n for n, fd in enumerate(opened)) == len(opened))
    for n, fd in enumerate(opened):
        os.close(fd)
        if n % 2:
            os.unlink("f%d" % n)


one_file()
many_files()
one_file()
