# SPDX-License-Identifier: GPL-2.0-or-later
"""twins.py - virDomainMigrate3 alone: two private libvirtds that talk to each other without a gate, TLS, or a commit

A node of ours whose sojournd is tests/hypervisor/hv; the guest is the job's, with the ticker as its only process."""
import os
import re
import shutil
import signal
import subprocess
import uuid

from common import BUILD, CannotMeasure, Ticks, connect, output_of, qemus_of, start, wait_until

LINE = re.compile(r'migrated total_ms=(\d+) downtime_ms=(-?\d+) bytes=(\d+) state=ended')


class Node:
    def __init__(self, world, name):
        self.world, self.run = world, os.path.join(world.folder, name, 'r')
        os.makedirs(os.path.join(world.folder, name))
        self.settings = ['--run-dir', self.run, '--state-dir', os.path.join(world.folder, name, 's'),
                         '--image-dir', world.images, '--libexec-dir', world.programs]
        user = ['--user', 'nobody'] if os.geteuid() == 0 else []
        self.supervisor = start([os.path.join(BUILD, 'sojourn-supervisor'), *user, *self.settings],
                                stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self.libvirt = os.path.join(self.run, 'lv/libvirt-sock')
        wait_until(f'libvirtd of {name}', lambda: os.path.exists(self.libvirt))

    def hv(self, *words):
        drop = ['setpriv', '--reuid=nobody', '--regid=nogroup', '--clear-groups'] if os.geteuid() == 0 else []
        return output_of([*drop, os.path.join(self.world.programs, 'sojournd'), *self.settings, *words])

    def down(self):
        pid = os.path.join(self.run, 'supervisor.pid')
        if os.path.exists(pid):
            with open(pid) as file:
                os.kill(int(file.read()), signal.SIGUSR1)
        self.supervisor.wait(20)


class Guest:
    count = 0

    def __init__(self, image, spec, load):
        Guest.count += 1
        self.folder = os.path.join(os.path.dirname(image.folder), f't{Guest.count}')  # short: QEMU's sockets are below it
        self.images, self.programs = os.path.join(self.folder, 'images'), os.path.join(self.folder, 'lib')
        os.makedirs(os.path.join(self.images, 'x86_64'))
        os.makedirs(self.programs)
        shutil.copy(image.kernel, os.path.join(self.images, 'x86_64/vmlinux'))
        shutil.copy(image.initramfs, os.path.join(self.images, 'x86_64/initramfs'))
        shutil.copy(os.path.join(BUILD, 'hv'), os.path.join(self.programs, 'sojournd'))
        self.id, self.epoch = str(uuid.uuid4()), 1
        self.words = [f'{spec["memory_mib"]}M', f'{image.words} {load.words()}', 'microvm', spec['cpu_model']]
        self.nodes = []
        self.nodes.append(Node(self, 'n1'))
        self.nodes.append(Node(self, 'n2'))
        if 'done' not in self.nodes[0].hv('start', self.id, '1', *self.words):
            raise CannotMeasure('libvirt alone does not start a guest')
        self.ticks = Ticks()
        self.channels = []
        self.listen()
        self.ticks.wait_for(300)

    def listen(self):
        channel = connect(os.path.join(self.nodes[0].run, f'ch/{self.id[:8]}.{self.epoch}'))
        self.channels.append(channel)
        self.ticks.add(channel.fileno())

    def qemus(self):
        return qemus_of(self.id)

    def migrate(self):
        """The call, warm connection, destination left paused; then resumed for the next one."""
        here, there = self.nodes
        self.epoch += 1
        path = os.path.join(self.folder, 'xml')
        with open(path, 'w') as xml:
            xml.write(there.hv('xml', self.id, str(self.epoch), *self.words))
        os.chmod(path, 0o644)
        said = here.hv('migrate', self.id, there.libvirt, os.path.join(there.run, f'ch/m{self.epoch}'), path)
        match = LINE.search(said)
        if not match:
            raise CannotMeasure(f'libvirt alone does not migrate: {said.strip()}')
        self.nodes.reverse()
        self.listen()   # before the guest goes on: what it said to nobody would be lost, and its port might get stuck
        there.hv('resume', self.id)
        self.ticks.wait_for(len(self.ticks.times) + 300)
        return {'total': float(match[1]), 'freeze': float(match[2]), 'bytes': int(match[3])}

    def end(self):
        self.ticks.end()
        for node in self.nodes:
            node.down()
