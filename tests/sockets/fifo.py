#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""fifo.py - FIFOs between two processes, of which one may be in a job

fifo.py play        says what it sees; the other one, in the same folder, is
fifo.py partner     which does what "play" tells it, through a FIFO
fifo.py pump STOP   bytes to the partner and back, until the file STOP is there
"""
import array
import errno
import fcntl
import hashlib
import os
import select
import signal
import subprocess
import sys
import termios
import time

READ, WRITE, BOTH, NOW = os.O_RDONLY, os.O_WRONLY, os.O_RDWR, os.O_NONBLOCK
LINE = 512


def write_all(fd, data):
    while data:
        data = data[os.write(fd, data):]


def read_all(fd):
    pieces = []
    while piece := os.read(fd, 65536):
        pieces.append(piece)
    return b''.join(pieces)


def noise(size, seed):
    return b''.join(hashlib.sha256(b'%d %d' % (seed, i)).digest() for i in range(size // 32))


def lines(letter, count):
    return [letter * (LINE - 1) + b'\n'] * count


# The partner: a line is an order, and is answered by a line where it says something.

def partner():
    fds = {}
    with open('orders', 'rb') as orders, open('answers', 'wb', 0) as answers:
        for order in orders:
            word, *rest = order.split()
            name, number = rest[0].decode(), int(rest[1]) if len(rest) > 1 else 0
            if word == b'open':
                fds[name] = os.open(name, number)
            elif word == b'later':
                time.sleep(0.4)
                fds[name] = os.open(name, number)
            elif word == b'close':
                os.close(fds.pop(name))
            elif word == b'write':
                write_all(fds[name], noise(number, 1) if number > 64 else b'x' * number)
            elif word == b'lines':
                for line in lines(b'h', number):
                    os.write(fds[name], line)
            elif word == b'read':
                answers.write(b'%r\n' % os.read(fds[name], number)[:8])
            elif word == b'sum':
                answers.write(hashlib.md5(read_all(fds[name])).hexdigest().encode() + b'\n')
            elif word == b'echo':
                with open(name, 'rb', 0) as come, open(name + '.back', 'wb', 0) as go:
                    while data := come.read(65536):
                        write_all(go.fileno(), data)
            elif word == b'sync':
                answers.write(b'here\n')


class Partner:
    def __init__(self):
        self.orders = open('orders', 'wb', 0)
        self.answers = open('answers', 'rb')

    def do(self, *words):
        self.orders.write(' '.join(map(str, words)).encode() + b'\n')

    def ask(self, *words):
        self.do(*words)
        return self.answers.readline().decode().strip()


def say(*words):
    print(*words, flush=True)


def error_of(action, *arguments):
    try:
        return action(*arguments)
    except OSError as error:
        return errno.errorcode[error.errno]


def opening(other):
    say('nobody reads:', error_of(os.open, 'p', WRITE | NOW))
    begun = time.monotonic()
    other.do('later', 'p', WRITE)
    fd = os.open('p', READ)
    say('a reader waited:', time.monotonic() - begun > 0.3)
    other.do('write', 'p', 5)
    say('read:', os.read(fd, 100))
    other.do('close', 'p')
    say('end:', os.read(fd, 100), os.read(fd, 100))
    other.do('open', 'p', WRITE)
    other.do('write', 'p', 6)
    other.ask('sync', 'p')
    say('a second writer:', os.read(fd, 100))
    os.close(fd)
    other.do('close', 'p')
    begun = time.monotonic()
    other.do('later', 'p', READ)
    fd = os.open('p', WRITE)
    say('a writer waited:', time.monotonic() - begun > 0.3)
    os.write(fd, b'hello')
    say('it was read:', other.ask('read', 'p', 100))
    other.do('close', 'p')
    other.ask('sync', 'p')
    say('nobody reads any more:', error_of(os.write, fd, b'x'))
    os.close(fd)


def not_waiting(other):
    fd = os.open('p', READ | NOW)
    say('no writer:', os.read(fd, 10))
    other.do('open', 'p', WRITE)
    other.ask('sync', 'p')
    say('a writer who says nothing:', error_of(os.read, fd, 10))
    other.do('write', 'p', 7)
    other.ask('sync', 'p')
    size = array.array('i', [0])
    fcntl.ioctl(fd, termios.FIONREAD, size)
    say('there are', size[0], 'bytes;', os.read(fd, 3), os.read(fd, 100), error_of(os.read, fd, 1))
    other.do('close', 'p')
    os.close(fd)
    fd = os.open('p', BOTH | NOW)
    sent = 0
    while isinstance(size := error_of(os.write, fd, b'y' * 4096), int):
        sent += size
    say('it holds', sent, 'then', size, error_of(os.lseek, fd, 0, 0))
    # Nobody keeps what others may read
    say('read here', len(os.read(fd, 1000)))
    other.do('open', 'p', READ)
    other.ask('sync', 'p')
    os.close(fd)
    say('the rest there', other.ask('sum', 'p'))
    other.do('close', 'p')


def polling(other):
    fd = os.open('p', READ | NOW)
    other.do('open', 'p', WRITE)
    other.ask('sync', 'p')
    poller, edges = select.poll(), select.epoll()
    poller.register(fd, select.POLLIN)
    edges.register(fd, select.EPOLLIN | select.EPOLLET)
    say('poll, nothing:', poller.poll(50), edges.poll(0.05))
    other.do('write', 'p', 5)
    say('poll:', [event for _, event in poller.poll(5000)], [event for _, event in edges.poll(5)], edges.poll(0.05))
    say('select:', [len(some) for some in select.select([fd], [], [], 5)], os.read(fd, 100))
    other.do('write', 'p', 6)
    say('the next edge:', [event for _, event in edges.poll(5)], os.read(fd, 100))
    other.do('close', 'p')
    say('hang-up:', [event for _, event in edges.poll(5)], [event for _, event in poller.poll(5000)])
    edges.close()
    os.close(fd)
    other.do('open', 'p', READ)
    fd = os.open('p', WRITE)
    poller = select.poll()
    poller.register(fd, select.POLLOUT)
    say('a writer:', [event for _, event in poller.poll(5000)])
    os.set_blocking(fd, False)
    while isinstance(error_of(os.write, fd, b'y' * 4096), int):
        pass
    say('full:', poller.poll(50))
    other.ask('read', 'p', 65536)
    say('room:', [event for _, event in poller.poll(5000)])
    other.do('close', 'p')
    other.ask('sync', 'p')
    say('nobody:', [event for _, event in poller.poll(5000)])
    os.close(fd)


class Alarm(Exception):
    pass


def alarm(number, frame):
    raise Alarm


def interrupted(action, *arguments):
    signal.signal(signal.SIGALRM, alarm)
    signal.setitimer(signal.ITIMER_REAL, 0.2)
    try:
        return action(*arguments)
    except Alarm:
        return 'interrupted'


def signals(other):
    say('open:', interrupted(os.open, 'p', READ), interrupted(os.open, 'p', WRITE))
    fd = os.open('p', BOTH)
    say('read:', interrupted(os.read, fd, 10))
    write_all(fd, b'z' * 65536)
    say('write:', interrupted(os.write, fd, b'zz'), len(os.read(fd, 65536)))
    os.close(fd)
    child = subprocess.Popen(['cat', 'p'])
    time.sleep(0.2)
    child.kill()
    say('killed while it opens:', child.wait(), error_of(os.open, 'p', WRITE | NOW))
    other.do('open', 'p', READ)
    child = subprocess.Popen(['sh', '-c', 'exec yes >p'], restore_signals=True)
    other.ask('read', 'p', 100)
    other.do('close', 'p')
    say('SIGPIPE:', child.wait())


def bulk(other):
    data = noise(4 << 20, 2)
    other.do('open', 'p', READ)
    fd = os.open('p', WRITE)
    other.do('sum', 'p')
    write_all(fd, data)
    os.close(fd)
    say('there:', other.answers.readline().decode().strip() == hashlib.md5(data).hexdigest())
    other.do('close', 'p')
    other.do('open', 'p', WRITE)
    fd = os.open('p', READ)
    other.do('write', 'p', 4 << 20)
    other.do('close', 'p')
    say('here:', hashlib.md5(read_all(fd)).hexdigest() == hashlib.md5(noise(4 << 20, 1)).hexdigest())
    os.close(fd)


def together(other):
    """Writers here and there, and one reader: small writes are whole."""
    other.do('open', 'p', WRITE)
    fd = os.open('p', READ)
    out = os.open('p', WRITE)
    child = os.fork()
    if child == 0:
        for line in lines(b'j', 300):
            os.write(out, line)
        os._exit(0)
    os.close(out)
    other.do('lines', 'p', 300)
    other.do('close', 'p')
    data = read_all(fd)
    os.waitpid(child, 0)
    good = {lines(b'j', 1)[0], lines(b'h', 1)[0]}
    found = [data[at:at + LINE] for at in range(0, len(data), LINE)]
    say('whole:', len(found), all(line in good for line in found), len(set(found)))
    os.close(fd)


def play():
    other = Partner()
    for scene in (opening, not_waiting, polling, signals, bulk, together):
        say(f'-- {scene.__name__}')
        scene(other)


def pump(stop):
    other = Partner()
    other.do('echo', 'there')
    go, back = os.open('there', WRITE), os.open('there.back', READ)
    say('started')
    total, seed = 0, 0
    while not os.path.exists(stop):
        seed += 1
        data = noise(100000, seed)
        write_all(go, data[:50000])
        got = b''
        while len(got) < 50000:
            got += os.read(back, 65536)
        if got != data[:50000]:
            say('not the same in round', seed)
            sys.exit(1)
        total += len(got)
    say('exact', total)


if __name__ == '__main__':
    {'play': play, 'partner': partner, 'pump': lambda: pump(sys.argv[2])}[sys.argv[1]]()
