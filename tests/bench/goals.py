# SPDX-License-Identifier: GPL-2.0-or-later
"""goals.py - what is wanted of each figure, and whether it is so: a median against a number, or against its floor's in the same run

A goal is (what, unit, figure, 'at most' or 'at least', factor, floor, more): wanted is factor times the floor's median and
more on top; without a floor it is the number itself."""
import density
import files

MOST, LEAST = 'at most', 'at least'
START = [('run --cold true', 'ms', 'true', MOST, 1.25, 'boot', 0),
         ('run true, a guest waiting', 'ms', 'warm', MOST, 0.30, 'boot', 0)]
FREEZE_MS = {'8': 12, '256+4': 25}
GAP_MS = 15   # by which the freeze may seem longer from home
FLOOR_TEXT = {'boot': 'bare QEMU', 'libvirt': "libvirt's call", 'stock': 'a stock guest', 'port': 'the bare virtio port',
              'tmpfs': 'tmpfs in the guest', 'sshfs': 'sshfs', 'stock-port': "a stock kernel's port", 'within': "the guest's own TCP"}


def of_migrations(load):
    at, key = f'{load.text}: ', load.key
    yield at + 'migrate', 'ms', f'{key} job total', MOST, 1.10, f'{key} libvirt total', 40
    if key in FREEZE_MS:
        yield at + 'STOP to RESUME', 'ms', f'{key} job freeze', MOST, FREEZE_MS[key], None, 0
        yield at + 'freeze seen from home', 'ms', f'{key} job gap', MOST, FREEZE_MS[key] + GAP_MS, None, 0


def of_bytes(load):
    what, figure = f'{load.text}: moved, and read in the 10 s after', f'{load.key} job whole'
    yield what, 'MiB', figure, MOST, 1.10 * load.mib + 10, None, 0
    yield what, 'MiB', figure, MOST, 0.10, f'{load.key} stock bytes', 0


def of_files():
    for port in ('stock-port', 'port'):
        yield 'sequential read, cold', 'MB/s', 'read home cold', LEAST, 0.7, f'read {port}', 0
    for name, when, factor in ((files.STATUS, 'warm', 1.3), (files.IMPORT, 'warm', 1.3), (files.MAKE, 'warm', 1.3),
                               (files.LIST, 'cold', 4), (files.LIST, 'warm', 1.2)):
        yield f'{files.TEXT[name]}, {when}', 'ms', f'{name} home {when}', MOST, factor, f'{name} tmpfs warm', 0
    yield 'sequential read, cold', 'MB/s', 'read home cold', LEAST, 2, 'read sshfs cold', 0
    for name, when in ((files.STATUS, 'cold'), (files.STATUS, 'warm'), (files.IMPORT, 'cold'), (files.IMPORT, 'warm'),
                       (files.LIST, 'cold'), (files.LIST, 'warm'), (files.MAKE, 'warm')):
        yield f'{files.TEXT[name]}, {when}', 'ms', f'{name} home {when}', MOST, 0.5, f'{name} sshfs {when}', 0


def of_sockets():
    for port in ('stock-port', 'port'):
        yield 'one TCP stream, job to home', 'MB/s', 'sockets home up', LEAST, 0.7, f'sockets {port} up', 0
        yield 'one TCP stream, home to job', 'MB/s', 'sockets home down', LEAST, 0.6, f'sockets {port} down', 0
        yield 'a question of 64 bytes and its answer', 'us', 'sockets home echo', MOST, 1.5, f'sockets {port} echo', 80
        yield 'a question under file load', 'us', 'sockets home loaded', MOST, 3, f'sockets {port} echo', 160
    yield 'both ends in one job', 'MB/s', 'sockets home within', LEAST, 0.5, 'sockets stock within', 0


def all_of(loads, byte_loads):
    yield from START
    for load in loads:
        yield from of_migrations(load)
    for load in byte_loads:
        yield from of_bytes(load)
    yield from of_files()
    yield from of_sockets()
    for what, unit, figure, limit in density.ROWS:
        yield what, unit, figure, MOST, limit, None, 0


def number(value):
    return f'{value:.0f}' if value >= 100 else f'{value:.1f}'


def how(factor, floor, more):
    """Where a limit comes from, in words."""
    if not floor:
        return ''
    text = next((FLOOR_TEXT[word] for word in reversed(floor.split()) if word in FLOOR_TEXT), floor)
    return f'{factor:g} times {text}' + (f' + {more:g}' if more else '')


COLUMNS = ('what', 'median', 'wanted', 'which is', 'met')


def rows(figures, loads, byte_loads):
    """Of all goals whose figures were taken."""
    for what, unit, figure, sense, factor, floor, more in all_of(loads, byte_loads):
        mine, base = figures.of(figure), figures.of(floor) if floor else (1,)
        if not mine or not base:
            continue
        limit = factor * base[0] + more
        met = mine[0] <= limit if sense == MOST else mine[0] >= limit
        yield what, f'{number(mine[0])} {unit}'.rstrip(), f'{sense} {number(limit)} {unit}'.rstrip(), how(factor, floor, more), \
            'yes' if met else '**no**'
