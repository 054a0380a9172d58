#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""told.py - a job that looks into a folder knows at once what home has changed there

    told.py job                answers questions that come on standard input
    told.py home ROUNDS        asks, changes something, says so by asking again; ROUNDS times
    told.py prime | changed    asks about all | changes all, and asks again
Standard output and input of the last three are the job's input and output; what goes wrong is said on standard error."""
import os
import sys


def kind(path):
    try:
        s = os.lstat(path)
    except OSError as error:
        return error.strerror
    return f'{s.st_mode:o} {s.st_size} {s.st_mtime_ns} {s.st_ino}'


def listing(path):
    try:
        return ' '.join(sorted(os.listdir(path)))
    except OSError as error:
        return error.strerror


def content(path):
    try:
        with open(path) as file:
            return file.read()
    except OSError as error:
        return error.strerror


def everything(path):
    return repr((kind(path), listing(path) if os.path.isdir(path) else content(path)))


def job():
    opened = os.open('open', os.O_RDONLY)
    for line in sys.stdin:
        path = line.rstrip('\n')
        if path == '+open':
            s = os.fstat(opened)
            print(f'{s.st_size} {s.st_mtime_ns}', flush=True)
        else:
            print(everything(path), flush=True)


def ask(path):
    print(path, flush=True)
    return sys.stdin.readline().rstrip('\n')


PATHS = ('there', 'missing', 'dir', 'dir/x', 'link', 'open', '.', 'gone', 'from', 'to', 'mode')
failures = 0


def compare(what):
    """The job sees each path as home does."""
    global failures
    for path in PATHS:
        here, there = everything(path), ask(path)
        if here != there:
            failures += 1
            print(f'not ok - after {what}: {path} is {here} at home, {there} in the job', file=sys.stderr)
    s = os.stat('open')
    here, there = f'{s.st_size} {s.st_mtime_ns}', ask('+open')
    if here != there:
        failures += 1
        print(f'not ok - after {what}: the open file is {here} at home, {there} in the job', file=sys.stderr)


def write(path, text, mode='w'):
    with open(path, mode) as file:
        file.write(text)


def replace(path, text):
    write('.new', text)
    os.rename('.new', path)


def relink(i):
    os.symlink(f'target{i}', '.link')
    os.rename('.link', 'link')


def grow_aside(i):
    os.makedirs('aside', exist_ok=True)
    os.rename('from', 'aside/from')
    write('aside/from', f'elsewhere {i}')


CHANGES = (
    ('a write', lambda i: write('there', f'{i:08d}')),
    ('an append', lambda i: write('open', 'more', 'a')),
    ('a replacement', lambda i: replace('there', f'new {i}')),
    ('a creation', lambda i: write('missing', f'{i}')),
    ('a removal', lambda i: os.unlink('missing')),
    ('a mode', lambda i: os.chmod('mode', 0o600 + i % 2 * 0o44)),
    ('a link', relink),
    ('a file in a folder', lambda i: write(f'dir/n{i}', 'x')),
    ('its removal', lambda i: os.unlink(f'dir/n{i}')),
    ('a change in a folder', lambda i: write('dir/x', f'{i}')),
    ('the mode of a folder', lambda i: os.chmod('dir', 0o700 + i % 2 * 0o55)),
    ('a rename', lambda i: os.rename('from', 'to')),
    ('a rename back', lambda i: os.rename('to', 'from')),
    ('a move to elsewhere', grow_aside),
    ('a move from there', lambda i: os.rename('aside/from', 'from')),
    ('a folder that goes', lambda i: os.rmdir('gone')),
    ('a folder that comes', lambda i: os.mkdir('gone')),
)


def prepare():
    for name in ('there', 'open', 'from', 'mode'):
        write(name, 'first')
        os.utime(name, (1e9, 1e9))
    os.makedirs('dir', exist_ok=True)
    os.makedirs('gone', exist_ok=True)
    write('dir/x', 'first')
    os.symlink('there', 'link')


def change_all(i):
    for what, change in CHANGES:
        if 'back' in what or 'from there' in what:
            continue
        change(i)
        if what == 'a rename':
            os.rename('to', 'from')


def main():
    word = sys.argv[1]
    if word == 'job':
        job()
    elif word == 'prepare':
        prepare()
    elif word == 'prime':
        compare('nothing')
        compare('nothing')
    elif word == 'changed':
        change_all(1000)
        compare('all of them')
    else:
        compare('nothing')
        for i in range(int(sys.argv[2])):
            for what, change in CHANGES:
                change(i)
                compare(what)
    return 1 if failures else 0


sys.exit(main())
