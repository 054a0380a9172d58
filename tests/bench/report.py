# SPDX-License-Identifier: GPL-2.0-or-later
"""report.py - docs/performance.md: the table of a run, what it was taken on, and what its lines mean"""
import os
import platform
import re
import subprocess
import textwrap

import criu

HEAD = '''# How fast it is

Made by `tests/bench/run --report docs/performance.md`; not to be edited by hand. Every figure stands beside a *floor* (the same
thing done with as little as can do it) or a *peer* (the same thing done in another way), taken in turn with it in one run
on one machine, so the ratio says more than the milliseconds: those are the machine's. The spread is that of the middle half
of the samples.

{machine}

## What is wanted, and whether it is so

{wanted}

## All figures

'''

NOTES = '''
## What is measured

- *run --cold true*: from the start of `sojourn run --cold true` to its exit status; the guest is started for it. Its floor is a
  bare QEMU with the job's kernel whose only process ends the machine at once, from its start to its end.
  Under TCG the guest begins from a snapshot (`template`); *no snapshot*: it boots.
- *a guest waiting*: the same while the node has a guest that was started ahead (`spare-guests`).
- *migrate*: the command, from its start to its end. *libvirt's call*: `virDomainMigrate3` alone, between two private libvirtds
  without gate, TLS and commit, of the same guest with the same program as its only process. *QEMU to QEMU*: the same by
  QEMU's own monitors without libvirt, from the start of the second QEMU to its RESUME.
- *STOP to RESUME*: the time for which the guest stood still, by the machine's clock. *Seen from home*: the longest gap between
  arrivals of what a job prints every millisecond; *no migration*: the same gap while nothing happens, which is what the
  machine itself does to the ticker. *libvirt's call* is here what libvirt reckons: until the memory has gone over, without its
  last calls and the resume. The guests that are not measured stand still meanwhile.
- *bytes moved*: what went over the wire for the guest's memory and state. The touched memory holds random bytes. *Read in the
  10 s after*: what the job's deputy has answered to the guest's requests for files since (`fetched_bytes` in `sojourn show`).
- *A stock guest*: Debian's kernel on q35 with the same program as its only process, 512 MiB (1 GiB where it reads 300 MB and
  frees 200 MiB first), moved by `virsh migrate --live` between the same two libvirtds; its figures are those of `virsh
  domjobinfo`. A distribution's services in it would only add to them.
- Files: *cold* is the first time in a guest that has just begun, *warm* the second; home has the files in its memory. The trees
  (this repository, Python's library, `/usr/include`) are at home, in a tmpfs, or behind sshfs; the programs are always home's.
  *sshfs*: Debian's, in a job, with an sftp-server at home, by a connection through the same port, unencrypted.
  *make* is warm in all but the first of a few times in one guest. *The bare virtio port*, and a stock kernel's: as for sockets,
  from home to guest. For MB/s a larger ratio is the better one.
- Sockets: a program in a job at home and one at home, joined by a TCP connection; 64 MB each way, questions one after the other.
  *The bare virtio port* is what all of it goes through: the same far end as the only process of a bare QEMU, without checksums,
  credit or anything else that a migration needs. *A stock kernel's virtio port* is that of a kernel of the same source and
  configuration without our patches (`scripts/guest --stock`): the port as it is, which ours is faster than. *Under file
  load*: another process of the job writes and reads a file of home's, past all caches. *Both ends in one job*: 256 MB from
  one process to another; for these rows, and the other MB/s, a larger ratio is the better one.
- *An idle job*: `sleep` in a job, one of many at once (`--jobs`); its share of memory that several processes have in common is
  counted (Pss). *Wake-ups*: how often a thread of its QEMU or deputy went to sleep.
'''


def first_line(*command):
    try:
        return subprocess.run(command, capture_output=True, text=True, stdin=subprocess.DEVNULL, timeout=20).stdout.split('\n')[0]
    except OSError:
        return ''


def machine_text(spec, figures):
    runs = max(len(samples) for samples in figures.samples.values())
    load = max(figures.samples.get('load', [0]))
    with open('/proc/cpuinfo') as file:
        model = re.search(r'model name\s*: (.*)', file.read())
    qemu = re.search(r'version (\S+)', first_line('qemu-system-x86_64', '--version'))
    libvirt = re.search(r'(\d+\.\S+)', first_line('libvirtd', '--version'))
    return (f'{model[1] if model else "processor unknown"}, {os.cpu_count()} processors, Linux {platform.release()}, '
            f'QEMU {qemu[1] if qemu else "?"}, libvirt {libvirt[1] if libvirt else "?"}; guests under {spec["accel"].upper()} '
            f'with {spec["memory_mib"]} MiB and {spec["cpus"]} CPU. Medians of up to {runs}. '
            f'Load average when it began: {load:.1f}'
            + (' (the machine had other things to do: times, and what waits for more than one process, are longer than they are '
               'on an idle one).' if load > 1.5 else '.'))


def table(rows):
    """Lines of a Markdown table whose columns are aligned in the source too."""
    widths = [max(len(line[i]) for line in rows) for i in range(len(rows[0]))]
    lines = ['| ' + ' | '.join(cell.ljust(width) for cell, width in zip(line, widths)) + ' |' for line in rows]
    lines.insert(1, '|' + '|'.join('-' * (width + 2) for width in widths) + '|')
    return lines


def write(path, wanted, rows, spec, figures):
    """wanted and rows: tables, each with its head."""
    with open(path + '.new', 'w') as out:
        out.write(HEAD.format(machine='\n'.join(textwrap.wrap(machine_text(spec, figures), 120)), wanted='\n'.join(table(wanted))))
        out.write('\n'.join(table(rows)) + '\n' + NOTES)
        if criu.why_not():
            line = '- *CRIU*, which would be a peer for the freeze, is not in the table: ' + criu.why_not()
            out.write('\n'.join(textwrap.wrap(line, 120, subsequent_indent='  ')) + '\n')
    os.replace(path + '.new', path)
