#!/usr/bin/env python3
"""descriptors.py - opens a file as often as the limit allows, and uses what it opened: says what it found"""
import errno
import fcntl
import os


def open_all(flags):
    found = []
    while True:
        try:
            found.append(os.open("many", flags, 0o644))
        except OSError as error:
            print("after", len(found) + (found[0] if found else 0), "descriptors:", errno.errorcode[error.errno])
            return found


def try_lock(fd):
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return "locked"
    except OSError as error:
        return errno.errorcode[error.errno]


os.closerange(3, 400)  # what the caller has open, which a job does not get
opened = open_all(os.O_CREAT | os.O_RDWR)
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
print("again:", len(open_all(os.O_RDONLY)) == len(opened))
