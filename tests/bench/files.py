# SPDX-License-Identifier: GPL-2.0-or-later
"""files.py - the home's files as a job sees them, against the same tree on a tmpfs in the guest, and natively

Cold is the first time in a guest that has just begun (home has the files in its memory); warm is the second."""
import os
import shutil

from common import MIB, output_of

SIZE_MIB = 64
SOURCE = ''.join(f'int f{i}(int a) {{ int s = {i}; for (int j = 0; j < a; j++) s += j * {i} ^ a; return s; }}\n'
                 for i in range(60))
COMMANDS = (
    ('read', 'dd if={0}/data of=/dev/null bs=1M 2>/dev/null'),
    ('write', 'dd if=/dev/zero of={0}/out bs=1M count=' + str(SIZE_MIB) + ' 2>/dev/null'),
    ('ls -lR', 'ls -lR {0}/tree'),
    ('gcc -c', 'gcc -c -O1 -o {0}/f.o {0}/f.c'),
)
TEXT = {'read': f'read {SIZE_MIB} MiB', 'write': f'write {SIZE_MIB} MiB', 'ls -lR': 'ls -lR of 2000 files',
        'gcc -c': 'gcc -c of 60 functions'}
WHEN = ('cold', 'warm')
ROWS = [(f'{TEXT[name]}, {when}', f'home {name} {when}', text, f'{floor} {name} {when}')
        for name, _ in COMMANDS for when in WHEN
        for floor, text in (('tmpfs', 'tmpfs in the guest'), ('native', 'natively'))]


def make_tree(folder):
    os.makedirs(os.path.join(folder, 'tree'))
    for i in range(40):
        where = os.path.join(folder, 'tree', f'd{i}')
        os.mkdir(where)
        for j in range(50):
            with open(os.path.join(where, f'f{j}'), 'w') as out:
                out.write(f'{i} {j}\n')
    with open(os.path.join(folder, 'data'), 'wb') as out:
        for _ in range(SIZE_MIB):
            out.write(os.urandom(MIB))
    with open(os.path.join(folder, 'f.c'), 'w') as out:
        out.write(SOURCE)
    for name, _, _ in os.walk(folder):
        os.chmod(name, 0o777)


def commands(place):
    return [text.format(place) for _, text in COMMANDS for _ in WHEN]


def take(figures, where, text):
    for key, value in zip([(name, when) for name, _ in COMMANDS for when in WHEN], text.split()):
        figures.add(f'{where} {key[0]} {key[1]}', float(value))


def bench(rig, folder, stopwatch, figures, runs):
    tree = os.path.join(folder, 'files')
    copy = '/dev/shm/bench'
    make_tree(tree)
    job = ('sojourn', 'run', '--home', '--memory', '1G', '--')
    for _ in range(runs):
        for name in ('out', 'f.o'):
            if os.path.exists(os.path.join(tree, name)):
                os.unlink(os.path.join(tree, name))
        take(figures, 'home', output_of(rig.on('node1', *job, stopwatch, *commands(tree))))
        script = f'cp -r {tree} {copy} && exec "$@"'
        take(figures, 'tmpfs', output_of(rig.on('node1', *job, 'sh', '-c', script, 'sh', stopwatch, *commands(copy))))
        for name in ('out', 'f.o'):
            os.unlink(os.path.join(tree, name))
        take(figures, 'native', output_of(rig.on('node1', stopwatch, *commands(tree))))
    shutil.rmtree(tree)
