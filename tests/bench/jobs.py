# SPDX-License-Identifier: GPL-2.0-or-later
"""jobs.py - sojourn itself, on the rig"""
import json
import os
import subprocess
import time

from common import AFTER_S, BUILD, TOP, CannotMeasure, Ticks, now_ms, output_of, qemus_of, start, stop, time_of, wait_until


class Rig:
    def __init__(self):
        os.environ.setdefault('RIG', '9')
        os.environ['SOJOURN_BUILD'] = BUILD
        self.rig = os.path.join(TOP, 'scripts/rig')
        self.ours = 'node2' not in output_of([self.rig, 'list'])
        if self.ours:
            try:
                output_of([self.rig, 'up', '2', '--spare-guests', '1,0', '--template', 'on,off'])
            except CannotMeasure:
                self.down()
                raise

    def on(self, node, *words):
        """A command line that runs words on a node."""
        return [self.rig, 'on', node, *words]

    def ask(self, *words):
        return json.loads(output_of(self.on('node1', 'sojourn', *words, '--json')))

    def wait_for_template(self):
        """Until guests on node1 begin from a snapshot; under KVM they never do."""
        if self.ask('nodes')[0]['accel'] == 'tcg':
            wait_until('a snapshot to begin from', lambda: self.ask('nodes')[0].get('template') == 'ready', 60)

    def wait_for_spare(self):
        """Until a guest waits on node1 for the next job, and a moment longer."""
        wait_until('a guest that is started ahead', lambda: self.ask('nodes')[0].get('spare') == 'ready', 30)
        time.sleep(0.3)

    def down(self):
        if self.ours:
            subprocess.run([self.rig, 'down'], stdin=subprocess.DEVNULL, check=False)

    def environment(self, node='node1'):
        """PATH and the rest of a command on a node, so that what starts it is not part of a figure; and as whom."""
        text = output_of(self.on(node, 'env', '-0'))
        return dict(line.split('=', 1) for line in text.split('\0') if '=' in line)


def run_true(rig, environment, *options):
    """Milliseconds of `sojourn run true` on node1, from its execve to its exit status."""
    user = int(output_of(rig.on('node1', 'id', '-u'))) if os.geteuid() == 0 else None
    return time_of('sojourn run true', [os.path.join(BUILD, 'sojourn'), 'run', *options, 'true'], env=environment, user=user)


class Job:
    def __init__(self, rig, ticker, load, past=None):
        self.rig, self.name, self.there = rig, f'bench{os.getpid()}-{load.key.replace(" ", "")}', False
        command = ['sojourn', 'run', '--home', '--name', self.name, '--memory', f'{load.memory_mib}M', '--', ticker]
        self.process = start(rig.on('node1', *command, *load.arguments(past)), stdout=subprocess.PIPE)
        self.ticks = Ticks()
        self.ticks.add(self.process.stdout.fileno())
        self.ticks.wait_for(500)

    def qemus(self):
        return qemus_of(self.rig.ask('show', self.name)['id'])

    def quiet_gap(self, seconds=1.0):
        """The longest gap while nothing happens: what the machine itself does to a ticker."""
        begun = now_ms()
        time.sleep(seconds)
        return self.ticks.longest_gap(begun, now_ms())

    def migrate(self):
        to = 'node1' if self.there else 'node2'
        begun = now_ms()
        output_of(self.rig.on('node1', 'sojourn', 'migrate', self.name, to))
        ended = now_ms()
        self.there = not self.there
        time.sleep(AFTER_S)
        last = self.rig.ask('show', self.name)['last_migration']
        return {'total': ended - begun, 'freeze': last['downtime_ms'], 'bytes': last['bytes'],
                'gap': self.ticks.longest_gap(begun, ended + AFTER_S * 1e3)}

    def fetched(self):
        """Bytes that were read from home in the 10 s after the last migration; waits for them."""
        wait_until('what was read from home', lambda: 'fetched_bytes' in self.rig.ask('show', self.name)['last_migration'], 15)
        return self.rig.ask('show', self.name)['last_migration']['fetched_bytes']

    def end(self):
        subprocess.run(self.rig.on('node1', 'sojourn', 'kill', '-9', self.name), stdin=subprocess.DEVNULL,
                       stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False, timeout=60)
        self.ticks.end()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            stop(self.process)
