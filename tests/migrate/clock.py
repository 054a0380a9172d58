# SPDX-License-Identifier: GPL-2.0-or-later
"""clock.py - compares the clocks of a job that is moved with home's

usage: clock.py MOVES SECONDS COMMAND...

Runs the command, a job of clockwork, and moves it MOVES times, each SECONDS after the last. Each line of the job is noted with
home's time when it arrived. Home's time less the job's is what the job stood still so far, plus the line's way home, which
is least for the quickest line of a stay; so the least of each stay tells by how much a move has set the clock back or
forth, and the stay's lines whether the clock runs at the right speed."""
import json
import os
import subprocess
import sys
import threading
import time

WAY_MS = 30          # by which the quickest line of a stay may still be late
SPEED_PPM = 2000     # over a stay of a few seconds on a busy machine
WALL_MS = 500

lines = []           # (home's monotonic ns, its wall clock ns, job's monotonic, boottime, realtime)
moves = []           # (began, ended, statistics)


def fail(text):
    print(f'not ok - {text}')
    os._exit(1)


def collect(stream):
    for line in stream:
        mono, wall = time.monotonic_ns(), time.time_ns()
        words = line.split()
        if len(words) == 3 and words[0].isdigit():
            lines.append((mono, wall, *map(int, words)))
        else:
            print('#', line.strip(), flush=True)
            if 'wrong' in line:
                fail(line.strip())


def sojourn(*words):
    result = subprocess.run([*RIG, 'sojourn', *words], stdout=subprocess.PIPE, text=True)
    if result.returncode != 0:
        fail(f'sojourn {" ".join(words)}: {result.returncode}')
    return json.loads(result.stdout) if '--json' in words else result.stdout


def offsets(begin, end, column):
    return [(line[0], line[0] - line[column]) for line in lines if begin <= line[0] < end]


def quickest(begin, end, column):
    found = [offset for _, offset in offsets(begin, end, column)]
    if len(found) < 20:
        fail(f'only {len(found)} lines came in {(end - begin) / 1e9:.1f} s')
    return min(found)


def check_speed(begin, end):
    """The quickest of the first half of a stay against that of the second."""
    middle = (begin + end) // 2
    drift = quickest(middle, end, 2) - quickest(begin, middle, 2)
    allowed = (end - begin) / 2 * SPEED_PPM / 1e6 + WAY_MS * 1e6
    print(f'# in {(end - begin) / 2e9:.1f} s the clock went wrong by {drift / 1e6:.2f} ms', flush=True)
    if abs(drift) > allowed:
        fail(f'in a stay of {(end - begin) / 1e9:.1f} s the clock went wrong by {drift / 1e6:.1f} ms')


def check():
    stays = list(zip([lines[0][0]] + [move[1] for move in moves], [move[0] for move in moves] + [lines[-1][0]]))
    for begin, end in stays:
        check_speed(begin, end)
    for (before, after), (_, _, statistics) in zip(zip(stays, stays[1:]), moves):
        for column, name in ((2, 'monotonic'), (3, 'boot time')):
            back = (quickest(*after, column) - quickest(*before, column)) / 1e6
            if column == 2:
                print(f'# stood still for {statistics["downtime_ms"]} ms as told, {back:.1f} ms by the clocks', flush=True)
            if back < -WAY_MS:
                fail(f'the {name} clock jumped forth by {-back:.1f} ms')
            if back > statistics['total_ms'] + WAY_MS:
                fail(f'the {name} clock stood still for {back:.1f} ms, longer than the whole move')
    for begin, end in stays:
        wall = min(abs(line[1] - line[4]) for line in lines if begin <= line[0] < end) / 1e6
        if wall > WALL_MS:
            fail(f'the wall clock is {wall:.1f} ms wrong after a move')


RIG = sys.argv[3:sys.argv.index('--')]
job = subprocess.Popen([*RIG, 'sojourn', 'run', '--name', 'clockwork', '--', *sys.argv[sys.argv.index('--') + 1:]],
                       stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
reader = threading.Thread(target=collect, args=(job.stdout,))
reader.start()
while len(lines) < 50:
    time.sleep(0.1)
    if job.poll() is not None:
        fail('the job did not start')
for i in range(int(sys.argv[1])):
    time.sleep(float(sys.argv[2]))
    began = time.monotonic_ns()
    sojourn('migrate', 'clockwork', ('node2', 'node3', 'node1')[i % 3])
    ended = time.monotonic_ns()
    moves.append((began, ended, sojourn('show', 'clockwork', '--json')['last_migration']))
time.sleep(float(sys.argv[2]))
job.stdin.close()
reader.join(30)
if job.wait(30) != 0:
    fail('the job ended badly')
check()
