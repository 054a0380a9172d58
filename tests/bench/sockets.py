# SPDX-License-Identifier: GPL-2.0-or-later
"""sockets.py - a job's TCP connection to its home, against the bare virtio port that all of it goes through, and natively

Everywhere the far end is pump.c, in the guest or not, and this program is the near one: up is towards home. The same two
processors do both ends."""
import os
import socket
import statistics
import subprocess
import tempfile
import time

import bare
from common import TOP, CannotMeasure, output_of, start, stop

BYTES = 64 << 20
NATIVE_BYTES = 512 << 20
PIECE = 1 << 20
QUESTIONS = 400
WITHIN_MIB = 256
FLOORS = (('port', 'the bare virtio port'), ('stock-port', "a stock kernel's virtio port"), ('native', "home's own loopback"))
ROWS = [(f'one TCP stream, {text}', 'MB/s', f'sockets home {name}', floor_text, f'sockets {floor} {name}')
        for name, text in (('up', 'job to home'), ('down', 'home to job')) for floor, floor_text in FLOORS]
ROWS += [('a question of 64 bytes and its answer', 'us', 'sockets home echo', floor_text, f'sockets {floor} echo')
         for floor, floor_text in FLOORS]
ROWS += [('a question under file load', 'us', 'sockets home loaded', 'the same, idle', 'sockets home echo')]
ROWS += [(f'{text}, --network nat', unit, f'sockets nat {name}', 'home sockets', f'sockets home {name}')
         for name, text, unit in (('up', 'one TCP stream, job to home', 'MB/s'), ('down', 'one TCP stream, home to job', 'MB/s'),
                                  ('echo', 'a question of 64 bytes and its answer', 'us'))]
ROWS += [('both ends in one job', 'MB/s', 'sockets home within', floor_text, f'sockets {floor} within')
         for floor, floor_text in (('stock', "the guest's own TCP (--network none)"), FLOORS[-1])]


def order(near, letter, number):
    near.sendall(f'{letter}{number}'.encode().ljust(16, b'\0'))


def take(near, size, room=bytearray(PIECE)):
    while size:
        done = near.recv_into(room, min(size, PIECE))
        if not done:
            raise CannotMeasure('the far end of a connection is gone')
        size -= done


def up(near, size):
    """MB/s, from the first bytes on."""
    order(near, 'u', size)
    take(near, 1 << 16)
    begun = time.monotonic()
    take(near, size - (1 << 16))
    return size / 1e6 / (time.monotonic() - begun)


def down(near, size):
    piece = bytes(PIECE)
    order(near, 'd', size)
    begun = time.monotonic()
    for _ in range(size // PIECE):
        near.sendall(piece)
    take(near, 1)
    return size / 1e6 / (time.monotonic() - begun)


def echo(near):
    """Microseconds, the median."""
    times = []
    order(near, 'e', QUESTIONS)
    for _ in range(QUESTIONS):
        begun = time.monotonic()
        near.sendall(bytes(64))
        take(near, 64)
        times.append((time.monotonic() - begun) * 1e6)
    return statistics.median(times)


def stock_kernel():
    """The folder with a kernel of the same source and configuration without our patches; building it takes minutes, once."""
    program = [os.path.join(TOP, 'scripts/guest'), '--stock', '--arch', 'x86_64']
    build = subprocess.run([*program, '--kernel-only'], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, check=False)
    if build.returncode:
        raise CannotMeasure('the stock kernel cannot be built')
    return output_of([*program, '--where']).strip()


def measure(figures, where, near, size=BYTES):
    up(near, size // 8)
    figures.add(f'sockets {where} up', up(near, size))
    figures.add(f'sockets {where} down', down(near, size))
    figures.add(f'sockets {where} echo', echo(near))


def own_address():
    """One of this machine's that is not the loopback's, which a job with a network of its own can reach; None: there is none."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as it:
        try:
            it.connect(('192.0.2.1', 9))
        except OSError:
            return None
        return it.getsockname()[0]


def measure_question(figures, where, near, size):
    figures.add(f'sockets {where}', echo(near))


def over_tcp(figures, where, command, size=BYTES, address='127.0.0.1', how=measure):
    listener = socket.create_server((address, 0))
    listener.settimeout(60)
    far = start([argument.format(port=listener.getsockname()[1], address=address) for argument in command])
    try:
        near, _ = listener.accept()
        near.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        near.settimeout(60)
        with near:
            how(figures, where, near, size)
        far.wait(60)
    except (TimeoutError, subprocess.TimeoutExpired):
        raise CannotMeasure(f'{where}: nothing comes through the sockets') from None
    finally:
        listener.close()
        stop(far)


def over_port(figures, where, image, spec):
    qemu = bare.Qemu(image, spec, 'touch=pump')
    try:
        qemu.channel.settimeout(60)
        measure(figures, where, qemu.channel)
    finally:
        qemu.end()


def bench(rig, image, stock_image, pump, spec, figures, runs):
    job = ('sojourn', 'run', '--home')
    far = (pump, '{port}', '{address}')
    within = (pump, 'within', str(WITHIN_MIB))
    for _ in range(runs):
        over_port(figures, 'port', image, spec)
        if stock_image:
            over_port(figures, 'stock-port', stock_image, spec)
        over_tcp(figures, 'home', rig.on('node1', *job, '--', *far))
        with tempfile.TemporaryDirectory(prefix='sjb.', dir='/var/tmp') as folder:
            os.chmod(folder, 0o777)
            loaded = rig.on('node1', *job, '--', *far, os.path.join(folder, 'load'))
            over_tcp(figures, 'home loaded', loaded, how=measure_question)
        if own_address():
            over_tcp(figures, 'nat', rig.on('node1', *job, '--network', 'nat', '--', *far), address=own_address())
        over_tcp(figures, 'native', far, NATIVE_BYTES)
        figures.add('sockets home within', float(output_of(rig.on('node1', *job, '--', *within))))
        figures.add('sockets stock within', float(output_of(rig.on('node1', *job, '--network', 'none', '--', *within))))
        figures.add('sockets native within', float(output_of(list(within))))
