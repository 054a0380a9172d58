# SPDX-License-Identifier: GPL-2.0-or-later
"""stock.py - what people would do today: a guest with Debian's own kernel on q35, moved by `virsh migrate`

Between the same two private libvirtds as in twins.py. In the guest is nothing but that kernel, its modules for virtio, and the
ticker: the services of a distribution would only add to it. The kernel's package is fetched once and kept in the cache."""
import glob
import gzip
import os
import re
import shutil
import threading
import time
import uuid

from bare import cpio_entry
from common import AFTER_S, BUILD, MIB, CannotMeasure, Ticks, connect, now_ms, output_of, qemus_of
from twins import Node

MODULES = ('virtio/virtio_ring', 'virtio/virtio', 'virtio/virtio_pci_legacy_dev', 'virtio/virtio_pci_modern_dev',
           'virtio/virtio_pci', 'char/virtio_console', 'block/virtio_blk', 'virtio/virtio_balloon')
PAST_BYTES = 300_000_000
NUMBER = re.compile(r'^(Total downtime|Memory processed|Data processed):\s+([\d.]+)\s+(\S+)', re.M)
UNITS = {'ms': 1, 's': 1000, 'B': 1, 'KiB': 1 << 10, 'MiB': MIB, 'GiB': 1 << 30}
DOMAIN = '''<domain type='{type}'><name>stock</name><uuid>{uuid}</uuid><memory unit='MiB'>{mib}</memory><vcpu>1</vcpu>
<os><type arch='x86_64' machine='q35'>hvm</type><kernel>{folder}/vmlinuz</kernel><initrd>{folder}/initramfs</initrd>
<cmdline>quiet panic=-1 {words}</cmdline></os><features><acpi/><apic/></features>
<cpu mode='custom' match='exact' check='none'><model fallback='forbid'>{model}</model></cpu><on_reboot>destroy</on_reboot>
<devices><disk type='file' device='disk'><driver name='qemu' type='raw'/><source file='{folder}/past'/>
<target dev='vda' bus='virtio'/><readonly/></disk><controller type='usb' model='none'/>
<channel type='unix'><source mode='bind' path='{channel}'/><target type='virtio' name='bench'/></channel>
<memballoon model='virtio'/></devices></domain>'''


def package():
    """The name of the newest kernel that linux-image-amd64 stands for."""
    found = re.search(r'Depends: (linux-image-\S+)', output_of(['apt-cache', 'depends', 'linux-image-amd64']))
    if not found:
        raise CannotMeasure('apt-cache does not know linux-image-amd64: apt-get update?')
    return found[1]


def kernel():
    """A folder with boot/ and lib/ of Debian's kernel."""
    name = package()
    cache = os.path.join(os.environ.get('XDG_CACHE_HOME', os.path.expanduser('~/.cache')), 'sojourn', 'bench', name)
    if os.path.isdir(cache):
        return cache
    partial = cache + '.new'
    shutil.rmtree(partial, ignore_errors=True)
    os.makedirs(partial)
    output_of(['apt-get', '-q', '-o', 'APT::Sandbox::User=root', 'download', name], cwd=partial)
    output_of(['sh', '-c', 'dpkg-deb -x *.deb . && rm *.deb'], cwd=partial)
    os.rename(partial, cache)
    return cache


def image(folder, ticker):
    """vmlinuz, initramfs and a disk with something to read, in folder."""
    source = kernel()
    shutil.copy(glob.glob(source + '/boot/vmlinuz-*')[0], os.path.join(folder, 'vmlinuz'))
    drivers = glob.glob(source + '/lib/modules/*/kernel/drivers')[0]
    entries, names = [cpio_entry(1, 'dev', 0o040755), cpio_entry(2, 'dev/console', 0o020600, device=(5, 1))], []
    for i, module in enumerate(MODULES):
        name = os.path.basename(module) + '.ko'
        with open(os.path.join(drivers, module + '.ko'), 'rb') as file:
            entries.append(cpio_entry(10 + i, name, 0o100644, file.read()))
        names.append('/' + name)
    with open(ticker, 'rb') as program:
        entries.append(cpio_entry(3, 'init', 0o100755, program.read()))
    entries += [cpio_entry(4, 'modules', 0o100644, '\n'.join(names).encode()), cpio_entry(0, 'TRAILER!!!', 0)]
    with gzip.open(os.path.join(folder, 'initramfs'), 'wb', 1) as out:
        out.write(b''.join(entries))
    with open(os.path.join(folder, 'past'), 'wb') as out:
        for _ in range(PAST_BYTES // 1_000_000):
            out.write(os.urandom(1_000_000))


class Guest:
    """One that ticks; as long as it is not ended two libvirtds of its own run."""

    def __init__(self, folder, ticker, spec, load):
        self.folder = os.path.join(folder, f's{load.mib}{"p" if load.freed_mib else ""}')
        self.images, self.programs = os.path.join(self.folder, 'images'), os.path.join(self.folder, 'lib')
        os.makedirs(self.images)
        os.makedirs(self.programs)
        image(self.images, ticker)
        shutil.copy(os.path.join(BUILD, 'hv'), os.path.join(self.programs, 'sojournd'))
        self.nodes = [Node(self, 'n1'), Node(self, 'n2')]
        self.spec, self.load, self.id, self.moves = spec, load, str(uuid.uuid4()), 0
        self.ticks = Ticks()
        self.virsh(self.nodes[0], 'create', self.domain(self.nodes[0]))
        self.listen(self.nodes[0])
        self.ticks.wait_for(300)

    def virsh(self, node, *words):
        drop = ['setpriv', '--reuid=nobody', '--regid=nogroup', '--clear-groups'] if os.geteuid() == 0 else []
        return output_of([*drop, 'env', 'HOME=/nonexistent', 'virsh', '-q', '-c', self.uri(node), *words])

    @staticmethod
    def uri(node):
        return f'qemu+unix:///session?socket={node.libvirt}'

    def channel(self, node):
        return os.path.join(node.run, f'ch/s{self.moves}')

    def domain(self, node):
        """A file with the domain's XML as that node is to have it."""
        path = os.path.join(self.folder, 'xml')
        past = '/dev/vda' if self.load.freed_mib else None
        with open(path, 'w') as out:
            out.write(DOMAIN.format(type='kvm' if self.spec['accel'] == 'kvm' else 'qemu', uuid=self.id, mib=self.load.memory_mib,
                                    folder=self.images, words=self.load.words(past), model=self.spec['cpu_model'],
                                    channel=self.channel(node)))
        os.chmod(path, 0o644)
        return path

    def listen(self, node):
        self.ticks.add(connect(self.channel(node)).detach())

    def qemus(self):
        return qemus_of(self.id)

    def migrate(self):
        here, there = self.nodes
        self.moves += 1
        xml, listener = self.domain(there), threading.Thread(target=self.listen, args=(there,))
        listener.start()
        begun = now_ms()
        self.virsh(here, 'migrate', '--live', 'stock', self.uri(there), '--xml', xml, '--migrateuri',
                   f'unix://{there.run}/ch/m{self.moves}')
        ended = now_ms()
        listener.join()
        self.nodes.reverse()
        time.sleep(AFTER_S)
        info = self.virsh(there, 'domjobinfo', '--completed', 'stock')  # the old side's guest is gone, and its account with it
        said = {name: float(value) * UNITS[unit] for name, value, unit in NUMBER.findall(info)}
        return {'total': ended - begun, 'freeze': said['Total downtime'], 'bytes': said['Memory processed'],
                'gap': self.ticks.longest_gap(begun, ended + AFTER_S * 1e3)}

    def end(self):
        self.ticks.end()
        for node in self.nodes:
            node.down()
