# SPDX-License-Identifier: GPL-2.0-or-later
"""density.py - what idle jobs cost their node: memory, processor time and wake-ups of their QEMUs, deputies and controller"""
import os
import re
import subprocess
import time

from common import CannotMeasure, output_of, programs, qemus_of, read_proc

SETTLE_S = 15
LOOK_S = 20
NAME = f'density{os.getpid()}-'
TICK_S = 1 / os.sysconf('SC_CLK_TCK')
ROWS = [
    ("an idle job: memory of its QEMU (Pss)", 'MiB', 'idle qemu', 60.0),
    ("an idle job: memory of its deputy (Pss)", 'MiB', 'idle deputy', 10.0),
    ('an idle job: a processor', '%', 'idle cpu', 0.2),
    ('an idle job: wake-ups a second', '', 'idle wakeups', 10.0),
    ('sojournd: memory (Pss)', 'MiB', 'idle sojournd', 40.0),
    ('sojournd: a processor', '%', 'idle sojournd cpu', 1.0),
]


def processes(rig):
    """Pids by kind: the node's QEMUs, its jobs' deputies, its controller."""
    run_dir = next(line.split()[-1] for line in output_of([rig.rig, 'list']).splitlines() if line.startswith('node1'))
    found = {'qemu': qemus_of(f'{run_dir}/'), 'deputy': [], 'sojournd': []}
    for pid, program, words in programs():
        if program == 'sojourn' and any(word.startswith(NAME) for word in words):
            found['deputy'].append(pid)
        elif program == 'sojournd' and run_dir in words and '--libvirtd' not in words:
            found['sojournd'].append(pid)
    return found


def pss_mib(pids):
    sizes = (re.search(r'^Pss: +(\d+)', read_proc(pid, 'smaps_rollup'), re.M) for pid in pids)
    return sum(int(size[1]) for size in sizes if size) / 1024


def cpu_s(pids):
    fields = (read_proc(pid, 'stat').rpartition(')')[2].split() for pid in pids)
    return sum(int(line[11]) + int(line[12]) for line in fields if line) * TICK_S


def wakeups(pids):
    """Times that any thread of them has gone to sleep so far."""
    tasks = ((pid, f'task/{task}/status') for pid in pids for task in os.listdir(f'/proc/{pid}/task'))
    counts = (re.search(r'^voluntary_ctxt_switches:\s+(\d+)', read_proc(*task), re.M) for task in tasks)
    return sum(int(count[1]) for count in counts if count)


def look(found):
    jobs = found['qemu'] + found['deputy']
    return time.monotonic(), cpu_s(jobs), wakeups(jobs), cpu_s(found['sojournd'])


def measure(rig, figures, count):
    found = processes(rig)
    if len(found['qemu']) < count or len(found['sojournd']) != 1:
        raise CannotMeasure(f'{len(found["qemu"])} of {count} idle jobs run')
    before = look(found)
    time.sleep(LOOK_S)
    after = look(found)
    seconds, cpu, woken, own = (b - a for a, b in zip(before, after))
    figures.add('idle qemu', pss_mib(found['qemu']) / len(found['qemu']))
    figures.add('idle deputy', pss_mib(found['deputy']) / len(found['qemu']))
    figures.add('idle cpu', 100 * cpu / seconds / len(found['qemu']))
    figures.add('idle wakeups', woken / seconds / len(found['qemu']))
    figures.add('idle sojournd', pss_mib(found['sojournd']))
    figures.add('idle sojournd cpu', 100 * own / seconds)


def bench(rig, figures, count, runs):
    rig.wait_for_template()  # as a node has it soon after its start; before, guests boot
    try:
        for i in range(count):
            output_of(rig.on('node1', 'sojourn', 'run', '--home', '--detach', '--name', f'{NAME}{i}', '--', 'sleep', '100000'))
        time.sleep(SETTLE_S)
        for _ in range(min(runs, 3)):
            measure(rig, figures, count)
    finally:
        for i in range(count):
            subprocess.run(rig.on('node1', 'sojourn', 'kill', '-9', f'{NAME}{i}'), stdin=subprocess.DEVNULL,
                           stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False, timeout=60)
