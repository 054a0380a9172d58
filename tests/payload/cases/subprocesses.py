#!/usr/bin/python3
"""subprocesses.py - many children with all their streams, time-outs, sessions and signals"""
import os, signal, subprocess, sys
sys.path.insert(0, os.path.dirname(os.path.realpath(__file__)))
from lib import more, must, ok

while more():
    done = subprocess.run(["sh", "-c", "cat; echo bad >&2; exit 3"], input=b"in" * 30000, capture_output=True)
    must(done.stdout == b"in" * 30000 and done.stderr == b"bad\n" and done.returncode == 3, "streams")
    children = [subprocess.Popen(["sh", "-c", "echo $0; sleep 0.0%d" % (i % 5), str(i)], stdout=subprocess.PIPE)
                for i in range(6)]
    must([child.communicate()[0] for child in children] == [b"%d\n" % i for i in range(6)], "children")
    try:
        subprocess.run(["sleep", "50"], timeout=0.05)
        must(False, "no time-out")
    except subprocess.TimeoutExpired:
        pass
    child = subprocess.Popen(["sleep", "50"], start_new_session=True)
    must(os.getsid(child.pid) == child.pid, "session")
    os.killpg(child.pid, signal.SIGINT)
    must(child.wait() == -signal.SIGINT, "signal")
    try:
        subprocess.run(["./no-such-program"])
        must(False, "no error")
    except FileNotFoundError:
        pass
    must(subprocess.run("kill -USR1 $$", shell=True).returncode == -signal.SIGUSR1, "status of a shell")
ok()
