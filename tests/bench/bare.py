# SPDX-License-Identifier: GPL-2.0-or-later
"""bare.py - the floor: QEMU alone, without libvirt, controllers, agent or forwarded files

The guest is the job's: kernel, machine, processor, memory, devices. Its only process is ticker.c."""
import json
import os
import subprocess
import time

from common import AFTER_S, CannotMeasure, Ticks, connect, now_ms, start, stop, time_of

QEMU = 'qemu-system-x86_64'


def cpio_entry(number, name, mode, data=b'', device=(0, 0)):
    """One file of an initramfs ("newc")."""
    path = name.encode() + b'\0'
    fields = (number, mode, 0, 0, 1, 0, len(data), 0, 0, *device, len(path), 0)
    head = b'070701' + b''.join(b'%08x' % field for field in fields) + path
    return head + b'\0' * (-len(head) % 4) + data + b'\0' * (-len(data) % 4)


class Image:
    """The job's kernel, and nothing but the ticker."""

    def __init__(self, folder, image_folder, ticker, tsc_khz, top):
        self.folder, self.kernel = folder, os.path.join(image_folder, 'vmlinux')
        self.initramfs = os.path.join(folder, 'initramfs.cpio')
        with open(ticker, 'rb') as program, open(self.initramfs, 'wb') as out:
            out.write(cpio_entry(1, 'dev', 0o040755))
            out.write(cpio_entry(2, 'dev/console', 0o020600, device=(5, 1)))
            out.write(cpio_entry(3, 'init', 0o100755, program.read()))
            out.write(cpio_entry(0, 'TRAILER!!!', 0))
        with open(os.path.join(top, 'images/cmdline')) as line:
            self.words = line.read().strip() + ' acpi=off'
        if tsc_khz:
            self.words += f' tsc_early_khz={tsc_khz}'


def machine(image, spec, words):
    return [QEMU, '-M', 'microvm', '-accel', spec['accel'] + (',tb-size=128' if spec['accel'] == 'tcg' else ''),
            '-cpu', spec['cpu_model'], '-m', f'{spec["memory_mib"]}M', '-smp', str(spec['cpus']), '-no-acpi', '-no-reboot',
            '-nodefaults', '-display', 'none', '-kernel', image.kernel, '-initrd', image.initramfs,
            '-append', f'{image.words} {words}', '-serial', f'file:{image.folder}/console']


def boot(image, spec):
    """Milliseconds from execve to the end of a QEMU whose init reboots at once."""
    return time_of('the bare QEMU', machine(image, spec, 'touch=none'), stderr=subprocess.DEVNULL)


class Qemu:
    """One incarnation; with incoming it waits for another's memory."""

    count = 0

    def __init__(self, image, spec, words, incoming=False):
        Qemu.count += 1
        base = os.path.join(image.folder, f'q{Qemu.count}')
        self.stream = base + '.in'
        command = machine(image, spec, words) + [
            '-global', 'virtio-device.event_idx=off', '-device', 'virtio-serial-device,max_ports=2',
            '-chardev', f'socket,id=c0,path={base}.ch,server=on,wait=off',
            '-device', 'virtserialport,id=p0,nr=1,chardev=c0,name=sojourn.link',
            '-device', 'virtio-balloon-device,free-page-reporting=on',
            '-object', 'rng-random,id=r0,filename=/dev/urandom', '-device', 'virtio-rng-device,rng=r0',
            '-qmp', f'unix:{base}.qmp,server=on,wait=off']
        if incoming:
            command += ['-incoming', f'unix:{self.stream}']
        self.process = start(command, stderr=subprocess.DEVNULL)
        self.channel = connect(base + '.ch')
        self.monitor = connect(base + '.qmp')
        self.monitor.settimeout(60)
        self.lines = self.monitor.makefile('r')
        self.events = {}
        self.command('qmp_capabilities')

    def take(self):
        line = self.lines.readline()
        if not line:
            raise CannotMeasure('a bare QEMU has ended')
        message = json.loads(line)
        if 'event' in message:
            stamp = message['timestamp']
            self.events[message['event']] = stamp['seconds'] * 1e3 + stamp['microseconds'] / 1e3
        return message

    def command(self, name, **arguments):
        self.monitor.sendall(json.dumps({'execute': name, 'arguments': arguments}).encode())
        while True:
            message = self.take()
            if 'error' in message:
                raise CannotMeasure(f'QEMU refused {name}: {message["error"]["desc"]}')
            if 'return' in message:
                return message['return']

    def until(self, event):
        while event not in self.events:
            self.take()

    def end(self):
        stop(self.process)
        self.monitor.close()
        self.channel.close()


class Guest:
    """A guest that ticks, and can be moved to another QEMU."""

    def __init__(self, image, spec, load):
        self.image, self.spec, self.words = image, spec, load.words()
        self.qemu = Qemu(image, spec, self.words)
        self.ticks = Ticks()
        self.ticks.add(self.qemu.channel.fileno())
        self.ticks.wait_for(500)

    def qemus(self):
        return [self.qemu.process.pid]

    def migrate(self):
        """From the start of the other QEMU to the word that the guest runs in it."""
        begun = now_ms()
        there = Qemu(self.image, self.spec, self.words, incoming=True)
        self.ticks.add(there.channel.fileno())
        here = self.qemu
        here.events.clear()
        here.command('migrate', uri=f'unix:{there.stream}')
        there.until('RESUME')
        ended = now_ms()
        here.until('STOP')
        info = here.command('query-migrate')
        while info.get('status') not in ('completed', 'failed'):
            time.sleep(0.005)
            info = here.command('query-migrate')
        if info['status'] == 'failed':
            raise CannotMeasure('the migration between bare QEMUs failed')
        time.sleep(AFTER_S)
        result = {'total': ended - begun, 'freeze': there.events['RESUME'] - here.events['STOP'],
                  'gap': self.ticks.longest_gap(begun, ended + AFTER_S * 1e3),
                  'bytes': info['ram']['transferred']}
        self.qemu = there
        here.end()
        return result

    def end(self):
        self.ticks.end()
        self.qemu.end()
