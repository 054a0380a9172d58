# SPDX-License-Identifier: GPL-2.0-or-later
"""files.py - the home's files as a job sees them, against the same trees on a tmpfs in the guest, natively, on sshfs, the port

Cold is the first time in a guest that has just begun (home has the files in its memory); warm is the next. The programs
themselves are always home's. A tmpfs is never cold. sshfs runs in a job of root and talks with an sftp-server at home by a
connection that goes through the same port, without ssh; only root can make its mount, so there is no such row otherwise."""
import os
import shutil
import socket
import subprocess
import threading

import bare
import sockets
from common import MIB, TOP, output_of, start, stop

SIZE_MIB = 256   # so much that the start of cat does not count
INCLUDE = '/usr/include'
PYTHON = '/usr/bin/python3'
SFTP_SERVER = '/usr/lib/openssh/sftp-server'
GIT = "git -c safe.directory='*' -c gc.auto=0"
READ, LIST, STATUS, IMPORT, MAKE = 'read', 'list', 'status', 'import', 'make'
COMMANDS = {
    READ: 'cat {0}/data >/dev/null',
    LIST: 'ls -lR {1}',
    STATUS: GIT + ' -C {0}/repository status',
    IMPORT: 'PYTHONHOME={0}/python ' + PYTHON + " -c 'import asyncio, json, sqlite3'",
    MAKE: 'make -s -j2 -C {0}/repository -f agent.mk clean && make -s -j2 -C {0}/repository -f agent.mk',
}
TEXT = {READ: f'read {SIZE_MIB} MiB', LIST: 'ls -lR /usr/include', STATUS: 'git status', IMPORT: 'import asyncio, json, sqlite3',
        MAKE: 'make -j2 of the agent'}
WHEN = ('cold', 'warm')
PLACES = (('tmpfs', 'tmpfs in the guest'), ('native', 'natively'), ('sshfs', 'sshfs in the guest'))
TIMED = (LIST, STATUS, IMPORT)
ROWS = [('sequential read, cold', 'MB/s', 'read home cold', 'the bare virtio port', 'read port'),
        ('sequential read, cold', 'MB/s', 'read home cold', "a stock kernel's virtio port", 'read stock-port'),
        ('sequential read, cold', 'MB/s', 'read home cold', 'sshfs in the guest', 'read sshfs cold'),
        ('sequential read, cold', 'MB/s', 'read home cold', 'natively', 'read native cold'),
        ('sequential read, warm', 'MB/s', 'read home warm', 'tmpfs in the guest', 'read tmpfs warm')]
ROWS += [(f'{TEXT[name]}, {when}', 'ms', f'{name} home {when}', text, f'{name} {place} {"warm" if place == "tmpfs" else when}')
         for name in TIMED for when in WHEN for place, text in PLACES]
ROWS += [(f'{TEXT[MAKE]}, warm', 'ms', 'make home warm', text, f'make {place} warm') for place, text in PLACES]

# The agent, as guest/agent/local.mk has it, without a configured tree
AGENT_MAKE = '''SOURCES = $(wildcard guest/agent/*.c) $(addprefix src/common/,checksum.c frame.c link.c link-receive.c link-send.c wire.c)
OBJECTS = $(SOURCES:.c=.o)
CFLAGS = -std=gnu11 -D_GNU_SOURCE -O1 -Isrc -I. -pthread -fno-pie
agent: $(OBJECTS)
\tgcc -static -pthread -o $@ $(OBJECTS)
clean:
\trm -f agent $(OBJECTS)
'''


def make_python(folder):
    """The standard library, without what takes room and is not imported."""
    source = output_of([PYTHON, '-c', 'import sysconfig; print(sysconfig.get_path("stdlib"))']).strip()
    shutil.copytree(source, os.path.join(folder, 'lib', os.path.basename(source)), symlinks=True,
                    ignore=shutil.ignore_patterns('test', 'config-*', 'idlelib', 'lib2to3', 'ensurepip', 'dist-packages', 'tkinter',
                                                  'turtledemo', 'pydoc_data'))


def make_trees(folder, rig):
    shutil.rmtree(folder, ignore_errors=True)  # of one that could not be measured
    os.mkdir(folder)
    with open(os.path.join(folder, 'data'), 'wb') as out:
        for _ in range(SIZE_MIB):
            out.write(os.urandom(MIB))
    repository = os.path.join(folder, 'repository')
    output_of(['git', 'clone', '-q', '--no-hardlinks', '--depth=1', 'file://' + TOP, repository])
    with open(os.path.join(repository, 'agent.mk'), 'w') as out:
        out.write(AGENT_MAKE)
    make_python(os.path.join(folder, 'python'))
    user = output_of(rig.on('node1', 'id', '-un')).strip()
    if os.geteuid() == 0:
        output_of(['chown', '-R', user, folder])
    output_of(rig.on('node1', 'sh', '-c', COMMANDS[STATUS].format(folder)))


def commands(place, names, when=WHEN, include=INCLUDE):
    return [COMMANDS[name].format(place, include) for name in names for _ in when]


def take(figures, where, names, when, text):
    for key, value in zip([(name, one) for name in names for one in when], text.split()):
        rate = key[0] == READ
        figures.add(f'{key[0]} {where} {key[1]}', SIZE_MIB * MIB / 1e3 / float(value) if rate else float(value))


JOB = ('sojourn', 'run', '--home', '--memory', '1G', '--')
SHORT = (READ, *TIMED)
COPY = '/dev/shm/bench'


def on_tmpfs(rig, tree, stopwatch, figures, names, runs):
    """All samples in one guest: to fill the tmpfs takes longer than they do."""
    script = (f'mkdir {COPY} && cd {tree} && cp -a data repository python {COPY} && '
              f'cp -a --attributes-only {INCLUDE} {COPY}/include && exec "$@"')
    words = [word for _ in range(runs + 1) for word in commands(COPY, names, ('warm',), COPY + '/include')]
    values = output_of(rig.on('node1', *JOB, 'sh', '-c', script, 'sh', stopwatch, *words), timeout=400).split()
    for i in range(1, runs + 1):
        take(figures, 'tmpfs', names, ('warm',), ' '.join(values[i * len(names):(i + 1) * len(names)]))


def bench(rig, folder, stopwatch, images, spec, figures, runs):
    """images: of the pump, by name, the bare port with the job's kernel and with a stock one."""
    tree = os.path.join(folder, 'files')
    make_trees(tree, rig)
    for _ in range(runs):
        take(figures, 'home', SHORT, WHEN, output_of(rig.on('node1', *JOB, stopwatch, *commands(tree, SHORT)), timeout=400))
        take(figures, 'native', SHORT, WHEN, output_of(rig.on('node1', stopwatch, *commands(tree, SHORT))))
        for name, image in images.items():
            figures.add(f'read {name}', port_rate(image, spec))
    on_tmpfs(rig, tree, stopwatch, figures, SHORT, runs)
    shutil.rmtree(tree)


def port_rate(image, spec):
    """MB/s to the guest, as sockets.py measures it."""
    qemu = bare.Qemu(image, spec, 'pump')
    try:
        qemu.channel.settimeout(60)
        sockets.down(qemu.channel, sockets.BYTES // 8)
        return sockets.down(qemu.channel, sockets.BYTES)
    finally:
        qemu.end()


# ---- make: all samples of a place in one guest, which is warm after the first file ----

def make_words(place, runs):
    return [f'make -s -C {place}/repository -f agent.mk src/common/frame.o', *commands(place, (MAKE,), ('warm',)) * runs]


def take_makes(figures, where, command):
    for value in output_of(command, timeout=600).split()[1:]:
        take(figures, where, (MAKE,), ('warm',), value)


def bench_make(rig, folder, stopwatch, figures, runs):
    tree = os.path.join(folder, 'files')
    make_trees(tree, rig)
    script = f'mkdir {COPY} && cp -a {tree}/repository {COPY} && exec "$@"'
    take_makes(figures, 'home', rig.on('node1', *JOB, stopwatch, *make_words(tree, runs)))
    take_makes(figures, 'tmpfs', rig.on('node1', *JOB, 'sh', '-c', script, 'sh', stopwatch, *make_words(COPY, runs)))
    take_makes(figures, 'native', rig.on('node1', stopwatch, *make_words(tree, runs)))
    shutil.rmtree(tree)


# ---- sshfs ----

class SftpServer:
    """What sshd would start, at a port of the loopback."""

    def __init__(self):
        self.listener = socket.create_server(('127.0.0.1', 0))
        self.port = self.listener.getsockname()[1]
        self.servers = []
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self):
        while True:
            try:
                near, _ = self.listener.accept()
            except OSError:
                return
            near.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            with near:
                self.servers.append(start([SFTP_SERVER], stdin=near, stdout=near, stderr=subprocess.DEVNULL))

    def end(self):
        self.listener.close()
        for server in self.servers:
            stop(server)


def why_no_sshfs():
    if os.geteuid() != 0:
        return 'only root can mount it in a job'
    missing = [path for path in (SFTP_SERVER, '/usr/bin/sshfs') if not os.path.exists(path)]
    return f'there is no {missing[0]}' if missing else ''


def bench_sshfs(rig, folder, stopwatch, figures, runs):
    if why_no_sshfs():
        print(f'sshfs is not measured: {why_no_sshfs()}', flush=True)
        return
    tree = os.path.join(folder, 'files')
    make_trees(tree, rig)
    server = SftpServer()
    script = ('mknod -m 666 /dev/fuse c 10 229 && mkdir /dev/shm/far && exec unshare -m sh -c "$0" "$@"',
              f'sshfs -o directport={server.port} 127.0.0.1:/ /dev/shm/far && exec "$0" "$@"')
    far = '/dev/shm/far'
    try:
        for _ in range(runs):
            words = [*commands(far + tree, SHORT, include=far + INCLUDE), *commands(far + tree, (MAKE,), ('warm',))]
            # without ssh this sshfs reads no symbolic links, of which ls complains
            words = [f'{word} 2>/dev/null || true' if word.startswith('ls ') else word for word in words]
            text = output_of(rig.on('node1', '-u', 'root', *JOB, 'sh', '-c', *script, stopwatch, *words), timeout=400)
            take(figures, 'sshfs', SHORT, WHEN, ' '.join(text.split()[:-1]))
            take(figures, 'sshfs', (MAKE,), ('warm',), text.split()[-1])
    finally:
        server.end()
    shutil.rmtree(tree)
