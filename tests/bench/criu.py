# SPDX-License-Identifier: GPL-2.0-or-later
"""criu.py - CRIU on one machine: the ticker is dumped to local files and restored from them, without a network between"""
import os
import re
import shutil
import subprocess
import time

from common import AFTER_S, CannotMeasure, now_ms, start, wait_until

LOOK_S = 0.0005


def why_not():
    """A sentence why CRIU cannot be a peer here; None: it can."""
    if not shutil.which('criu'):
        return 'CRIU is not installed.'
    said = subprocess.run(['criu', 'check'], capture_output=True, text=True, stdin=subprocess.DEVNULL, check=False)
    if said.returncode == 0:
        return None
    errors = [line for line in said.stderr.splitlines() if line.startswith('Error')]
    reason = re.sub(r'^Error \([^)]*\): ', '', errors[0]) if errors else 'criu check fails'
    version = subprocess.run(['criu', '--version'], capture_output=True, text=True, stdin=subprocess.DEVNULL, check=False)
    number = re.search(r'Version: (\S+)', version.stdout)
    return f'CRIU {number[1] if number else ""} does not run on this kernel ({reason}).'


class Process:
    """A ticker that appends to a file, so that nothing of it is outside of what CRIU knows."""

    def __init__(self, folder, ticker, load):
        self.folder, self.path = folder, os.path.join(folder, f'criu-{load.key}'.replace(' ', '-'))
        with open(self.path, 'wb') as out:
            self.pid = start([ticker, *load.arguments()], stdout=out, stderr=subprocess.DEVNULL).pid
        wait_until('the ticker', lambda: os.path.getsize(self.path) > 1000, 60)
        self.moves = 0

    @staticmethod
    def criu(*words):
        said = subprocess.run(['criu', *words], capture_output=True, text=True, stdin=subprocess.DEVNULL, timeout=60, check=False)
        if said.returncode:
            raise CannotMeasure(f'criu {words[0]}: {said.stderr.strip().splitlines()[-1:]}')

    def migrate(self):
        """Freeze: from the last thing it said before to the first one after."""
        self.moves += 1
        images = f'{self.path}.{self.moves}'
        os.mkdir(images)
        begun = now_ms()
        self.criu('dump', '-t', str(self.pid), '-D', images, '--shell-job')
        size, stopped = os.path.getsize(self.path), os.stat(self.path).st_mtime_ns / 1e6
        self.criu('restore', '-D', images, '--shell-job', '-d', '--pidfile', images + '/pid')
        ended = now_ms()
        while os.path.getsize(self.path) == size:
            time.sleep(LOOK_S)
        gap = time.time_ns() / 1e6 - stopped
        moved = sum(entry.stat().st_size for entry in os.scandir(images))
        shutil.rmtree(images)
        time.sleep(AFTER_S)
        return {'total': ended - begun, 'gap': gap, 'bytes': moved}

    def end(self):
        subprocess.run(['kill', '-9', str(self.pid)], check=False, stderr=subprocess.DEVNULL)
        os.unlink(self.path)


def bench(folder, ticker, figures, loads, runs):
    for load in loads:
        process = Process(folder, ticker, load)
        try:
            for _ in range(runs):
                figures.add_all(f'{load.key} criu', process.migrate())
        finally:
            process.end()
