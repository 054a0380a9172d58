# SPDX-License-Identifier: GPL-2.0-or-later
"""signals.py - what the front gets the program gets, and the front stops and ends as the program does"""
import os, signal, subprocess, time

import harness
from harness import state, wait_until

TELL = """
import os, signal, sys, time
def tell(sig, info): print(signal.Signals(sig).name, flush=True)
for sig in (signal.SIGHUP, signal.SIGINT, signal.SIGTERM, signal.SIGUSR1, signal.SIGUSR2, signal.SIGALRM, signal.SIGWINCH):
    signal.signal(sig, tell)
print("ready", flush=True)
while True: time.sleep(0.05) # a signal just before pause() would not end it
"""
QUEUED = """
import signal
signal.pthread_sigmask(signal.SIG_BLOCK, {40})
print("ready", flush=True)
for _ in range(3): print(signal.sigwaitinfo({40}).si_signo, flush=True)
"""


class Signals(harness.Deputies):
    def python(self, program):
        job = self.start_job("/usr/bin/python3", "-c", program)
        self.assertEqual(job.stdout.readline(), b"ready\n")
        return job

    def test_all_are_passed_on(self):
        job = self.python(TELL)
        for sig in ("SIGHUP", "SIGINT", "SIGUSR1", "SIGUSR2", "SIGALRM", "SIGWINCH", "SIGTERM"):
            job.send_signal(getattr(signal, sig))
            self.assertEqual(job.stdout.readline().decode(), sig + "\n")
        job.send_signal(signal.SIGQUIT)
        self.assertEqual(job.wait(harness.PATIENCE), -signal.SIGQUIT)

    def test_real_time_signals_queue(self):
        job = self.python(QUEUED)
        for _ in range(3):
            job.send_signal(40)
        self.assertEqual(job.stdout.read(), b"40\n40\n40\n")
        self.assertEqual(job.wait(harness.PATIENCE), 0)

    def test_ends_by_the_programs_signal(self):
        for sig in (signal.SIGTERM, signal.SIGSEGV, signal.SIGKILL):
            self.assertEqual(self.run_job("sh", "-c", f"kill -{sig.value} $$").returncode, -sig)

    def test_ignored_stays_ignored(self):
        job = subprocess.Popen(["sh", "-c", f"trap '' HUP TERM; exec {harness.sojourn} run -- sh -c 'echo up; read x; echo $x'"],
                               stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.assertEqual(job.stdout.readline(), b"up\n")
        job.send_signal(signal.SIGHUP)
        job.send_signal(signal.SIGTERM)
        time.sleep(0.3)
        self.assertEqual(job.communicate(b"on\n", harness.PATIENCE)[0], b"on\n")
        self.assertEqual(job.returncode, 0)

    def test_ignored_by_the_caller_only(self):
        job = subprocess.Popen(["sh", "-c", 'trap "" INT QUIT HUP; exec "$@"', "sh", harness.sojourn, "run", "--", "/usr/bin/python3", "-c",
                                TELL], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)
        self.addCleanup(lambda: job.poll() is None and job.kill())
        self.assertEqual(job.stdout.readline(), b"ready\n")
        for sig in ("SIGINT", "SIGQUIT", "SIGHUP"):
            job.send_signal(getattr(signal, sig))
            if sig != "SIGQUIT":
                self.assertEqual(job.stdout.readline().decode(), sig + "\n")
        job.kill()

    def test_before_the_program_runs(self):
        job = self.start_job("sleep", "100")
        time.sleep(0.2)
        job.send_signal(signal.SIGTERM)
        self.assertEqual(job.wait(5), -signal.SIGTERM)
        wait_until(lambda: not self.guests(), "the guest is still there", 5)

    def test_killed_front(self):
        job = self.start_job("sh", "-c", "echo up; sleep 100")
        job.stdout.readline()
        self.assertEqual(len(self.guests()), 1)
        job.kill()
        wait_until(lambda: not self.guests(), "the guest is still there", 5)

    def ticks(self):
        """A job that prints a number each 50 ms."""
        job = self.start_job("sh", "-c", "i=0; while :; do echo $((i=i+1)); sleep 0.05; done")
        job.stdout.readline()
        return job

    def is_silent(self, job):
        os.set_blocking(job.stdout.fileno(), False)
        while job.stdout.read(65536):
            pass
        time.sleep(0.5)
        silent = not job.stdout.read(65536)
        os.set_blocking(job.stdout.fileno(), True)
        return silent

    def test_stop_and_continue(self):
        for sig in (signal.SIGTSTP, signal.SIGSTOP):
            job = self.ticks()
            job.send_signal(sig)
            wait_until(lambda: state(job.pid) == "T", f"{sig} does not stop the front")
            time.sleep(1)
            self.assertTrue(self.is_silent(job), f"{sig} does not stop the program")
            job.send_signal(signal.SIGCONT)
            self.assertTrue(job.stdout.readline())
            self.assertTrue(job.stdout.readline())
            wait_until(lambda: state(job.pid) != "T", "the front stays stopped")
            job.kill()
            job.stdout.close()
            job.wait()

    def test_program_stops_itself(self):
        job = self.start_job("sh", "-c", "echo up; kill -STOP $$; echo on")
        job.stdout.readline()
        wait_until(lambda: state(job.pid) == "T", "the front does not stop")
        job.send_signal(signal.SIGCONT)
        self.assertEqual(job.stdout.read(), b"on\n")
        self.assertEqual(job.wait(harness.PATIENCE), 0)


if __name__ == "__main__":
    harness.main()
