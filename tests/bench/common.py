# SPDX-License-Identifier: GPL-2.0-or-later
"""common.py - what the parts of the bench share: arrivals of a ticker, processes that are never left behind, rows"""
import atexit
import contextlib
import os
import selectors
import signal
import socket
import statistics
import subprocess
import threading
import time

TOP = os.path.realpath(os.path.join(os.path.dirname(os.path.abspath(__file__)), '../..'))
BUILD = os.environ.get('SOJOURN_BUILD', os.path.join(TOP, 'build'))
MIB = 1 << 20
AFTER_S = 0.2  # ticks are looked at until so long after a migration


class CannotMeasure(Exception):
    """A sentence: why the bench cannot say anything."""


class Load:
    """What the program of a migration does: holds MiB of memory, writes to KiB of it each second, and may have a past."""

    def __init__(self, mib, kib_s=0, freed_mib=0, memory_mib=512):
        self.mib, self.kib_s, self.freed_mib, self.memory_mib = mib, kib_s, freed_mib, memory_mib
        self.key = f'{mib}' + (f'+{kib_s >> 10}' if kib_s else '') + (' past' if freed_mib else '')
        self.text = f'{mib} MiB touched' + (f', {kib_s >> 10} MiB/s dirtied' if kib_s else '') + \
            (f', 300 MB read, {freed_mib} MiB freed' if freed_mib else '')

    def words(self, past=None):
        """For the command line of a guest whose only process is the ticker."""
        return f'touch={self.mib} dirty={self.kib_s}' + (f' freed={self.freed_mib} past={past} ' if self.freed_mib else '')

    def arguments(self, past=None):
        """For the ticker as a program."""
        return [str(self.mib), str(self.kib_s), *([str(self.freed_mib), past] if self.freed_mib else [])]


def now_ms():
    return time.monotonic_ns() / 1e6


class Ticks:
    """When something came from any of a few descriptors, all of which say something each millisecond."""

    def __init__(self):
        self.times = []
        self.bytes_seen = 0
        self.selector = selectors.DefaultSelector()
        self.wake_read, self.wake_write = os.pipe()
        self.selector.register(self.wake_read, selectors.EVENT_READ)
        self.ended = False
        self.thread = threading.Thread(target=self.listen, daemon=True)
        self.thread.start()

    def forget(self, fd):
        with contextlib.suppress(KeyError, ValueError):
            self.selector.unregister(fd)

    def add(self, fd):
        self.forget(fd)  # the number of one that was closed before its end was seen
        self.selector.register(fd, selectors.EVENT_READ)
        os.write(self.wake_write, b'.')

    def listen(self):
        while not self.ended:
            for key, _ in self.selector.select():
                try:
                    data = os.read(key.fd, 65536)
                except OSError:
                    data = b''
                if key.fd == self.wake_read:
                    continue
                if data:
                    self.times.append(now_ms())
                else:
                    self.forget(key.fd)

    def end(self):
        self.ended = True
        os.write(self.wake_write, b'.')
        self.thread.join(5)

    def wait_for(self, count, seconds=60):
        limit = time.monotonic() + seconds
        while len(self.times) < count:
            if time.monotonic() > limit:
                raise CannotMeasure(f'only {len(self.times)} ticks came in {seconds} s')
            time.sleep(0.02)

    def longest_gap(self, begin, end):
        """Of arrivals between two times; one before and one after are taken in."""
        times = list(self.times)
        inside = [t for t in times if begin <= t <= end]
        before = [t for t in times if t < begin][-1:]
        after = [t for t in times if t > end][:1]
        around = before + inside + after
        return max((b - a for a, b in zip(around, around[1:])), default=float('nan'))


started = []


def start(command, **options):
    """A process of its own group, ended at exit if it still runs."""
    options.setdefault('stdin', subprocess.DEVNULL)
    process = subprocess.Popen(command, start_new_session=True, **options)
    started.append(process)
    return process


def stop(process):
    if process.poll() is None:
        process.kill()
    process.wait()
    if process in started:
        started.remove(process)


def stop_all():
    for process in list(started):
        stop(process)


atexit.register(stop_all)
signal.signal(signal.SIGTERM, lambda number, frame: exit(1))


def read_proc(pid, name):
    """A file of a process; nothing where it has gone."""
    try:
        with open(f'/proc/{pid}/{name}', 'rb') as file:
            return file.read().decode(errors='replace')
    except (FileNotFoundError, ProcessLookupError):
        return ''


def programs():
    """Each process: its pid, its program's name, its arguments."""
    for pid in filter(str.isdigit, os.listdir('/proc')):
        words = read_proc(pid, 'cmdline').split('\0')
        yield int(pid), os.path.basename(words[0]), words


def qemus_of(text):
    """Pids of the QEMUs that have a text in their arguments."""
    return [pid for pid, program, words in programs()
            if program.startswith('qemu-system') and any(text in word for word in words)]


@contextlib.contextmanager
def standing_still(guests):
    """Processes that would only take the processor from what is measured."""
    pids = [pid for guest in guests for pid in guest.qemus()]
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        for pid in pids:
            os.kill(pid, signal.SIGCONT)


def output_of(command, **options):
    options.setdefault('timeout', 120)
    result = subprocess.run(command, capture_output=True, text=True, stdin=subprocess.DEVNULL, **options)
    if result.returncode:
        raise CannotMeasure(f'{" ".join(command[:6])}: {result.stderr.strip() or result.stdout.strip()}')
    return result.stdout


def time_of(what, command, **options):
    """Milliseconds from a command's execve to its end. Python's own waiting with a time limit looks only each 50 ms."""
    begun = now_ms()
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL, **options)
    limit = threading.Timer(120, process.kill)
    limit.start()
    status = process.wait()
    ended = now_ms()
    limit.cancel()
    if status:
        raise CannotMeasure(f'{what} ended with {status}')
    return ended - begun


def wait_until(what, condition, seconds=20):
    limit = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > limit:
            raise CannotMeasure(f'{what}: not within {seconds} s')
        time.sleep(0.005)


def connect(path, seconds=20):
    """A connection to a UNIX socket, as soon as somebody listens there."""
    limit = time.monotonic() + seconds
    while True:
        connection = socket.socket(socket.AF_UNIX)
        try:
            connection.connect(path)
            return connection
        except (FileNotFoundError, ConnectionRefusedError):
            connection.close()
            if time.monotonic() > limit:
                raise CannotMeasure(f'nobody listens at {path}') from None
            time.sleep(0.001)


class Figures:
    """Samples by name, in the order in which the names first came."""

    def __init__(self):
        self.samples = {}

    def add(self, name, value):
        self.samples.setdefault(name, []).append(value)

    def add_all(self, name, result):
        """What a migration told; its bytes as MiB."""
        for what, value in result.items():
            self.add(f'{name} {what}', value / MIB if what == 'bytes' else value)

    def merge(self, samples):
        for name, values in samples.items():
            self.samples.setdefault(name, []).extend(values)

    def of(self, name):
        """Median, and the ends of the middle half."""
        values = self.samples.get(name)
        if not values:
            return None
        low, middle, high = statistics.quantiles(values, n=4, method='inclusive') if len(values) > 1 else values * 3
        return middle, low, high
