# SPDX-License-Identifier: GPL-2.0-or-later
"""streams.py - a job's streams, status and what it inherits are those of the program run natively"""
import os, signal, subprocess, threading, time

import harness


class Streams(harness.Deputies):
    def same(self, *command, **how):
        """The job gives what the program gives."""
        job = self.run_job(*command, **how)
        options = how.pop("options", ())
        how.setdefault("stdin", subprocess.DEVNULL)
        if "input" in how:
            del how["stdin"]
        own = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=self.path, **how)
        self.assertEqual(job.returncode, own.returncode)
        self.assertEqual(job.stdout, own.stdout)
        self.assertEqual(job.stderr, own.stderr)

    def test_both_streams_and_status(self):
        self.same("sh", "-c", "cat; echo err >&2; exit 7", input=os.urandom(300000))

    def test_input_from_a_file(self):
        with open("/etc/services") as services:
            job = self.run_job("sh", "-c", "cat; exit 3", stdin=services)
        with open("/etc/services", "rb") as services:
            self.assertEqual(job.stdout, services.read())
        self.assertEqual(job.returncode, 3)

    def test_large_output(self):
        job = self.start_job("head", "-c", "30000000", "/dev/zero")
        self.assertEqual(len(job.stdout.read()), 30000000)
        self.assertEqual(job.wait(harness.PATIENCE), 0)

    def test_order_of_merged_streams(self):
        script = "for i in 1 2 3 4 5 6 7 8; do echo o$i; echo e$i >&2; done"
        job = self.run_job("sh", "-c", script, stderr=subprocess.STDOUT)
        self.assertEqual(job.stdout, b"".join(b"o%d\ne%d\n" % (i, i) for i in range(1, 9)))

    def test_reader_goes_away(self):
        job = self.start_job("yes")
        self.assertEqual(job.stdout.read(2), b"y\n")
        job.stdout.close()
        self.assertEqual(job.wait(harness.PATIENCE), -13)

    def test_slow_reader_of_one_stream(self):
        """A stdout that nobody reads holds up neither stderr nor files."""
        job = self.start_job("sh", "-c", "yes & sleep 1; cat /etc/hostname >&2; kill $!", stderr=subprocess.PIPE)
        with open("/etc/hostname", "rb") as hostname:
            self.assertEqual(job.stderr.readline(), hostname.readline())
        job.kill()
        job.stdout.close()
        job.stderr.close()
        job.wait()

    def test_closed_descriptors(self):
        for redirection in ("<&-", ">&-", "2>&-", "<&- >&-"):
            script = f"exec {redirection}; exec \"$@\" -- sh -c 'read x; echo $?; echo y >&2; ls -l /proc/self/fd | wc -l'"
            command = ("sh", "-c", script, "sh", harness.sojourn, "run")
            job = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, timeout=harness.PATIENCE)
            own = subprocess.run(("sh", "-c", script.replace("--", ""), "sh"), stdin=subprocess.DEVNULL,
                                 capture_output=True)
            self.assertEqual((job.returncode, job.stdout), (own.returncode, own.stdout),
                             f"{redirection}: {job.stderr}")

    def test_inheritance(self):
        script = "pwd; id; umask; ulimit -n; ulimit -s; hostname; env | grep -v ^_= | sort; echo $0 $@"
        self.same("sh", "-c", script, "zero", "one two", "", "ä")

    def test_pid_is_the_fronts(self):
        job = self.start_job("sh", "-c", "echo $$")
        self.assertEqual(int(job.stdout.read()), job.pid)
        job.wait()

    def test_not_found_and_not_executable(self):
        job = self.run_job("no-such-program")
        self.assertEqual((job.returncode, job.stderr), (127, b"sojourn: no-such-program: not found\n"))
        job = self.run_job("/etc/passwd")
        self.assertEqual((job.returncode, job.stderr), (126, b"sojourn: /etc/passwd: Permission denied\n"))

    def test_full_disk_behind_stdout(self):
        with open("/dev/full", "w") as full:
            job = self.run_job("echo", "x", stdout=full)
        self.assertNotEqual(job.returncode, 0)
        self.assertIn(b"No space left on device", job.stderr)

    def test_output_ends_before_the_program(self):
        """Who reads the output sees its end when the program closes it, not when the job ends."""
        job = self.start_job("sh", "-c", "echo x; exec >&-; sleep 30")
        self.assertEqual(job.stdout.read(), b"x\n")
        self.assertIsNone(job.poll())
        job.kill()
        job.wait()

    def test_read_only(self):
        job = self.run_job("touch", "made", options=["--read-only"])
        self.assertIn(b"Read-only file system", job.stderr)
        self.assertFalse(os.path.exists(os.path.join(self.path, "made")))

    def test_root(self):
        os.makedirs(os.path.join(self.path, "top"), exist_ok=True)
        subprocess.run(["cp", "/bin/busybox", os.path.join(self.path, "top")], check=False)
        if not os.path.exists(os.path.join(self.path, "top/busybox")):
            self.skipTest("busybox-static is not installed")
        job = self.run_job("/busybox", "ls", "/", options=["--root", os.path.join(self.path, "top")])
        self.assertIn(b"busybox\n", job.stdout)
        self.assertNotIn(b"etc\n", job.stdout)

    def test_linger(self):
        script = "(sleep 1; echo late) & echo early; exit 3"
        self.assertEqual(self.run_job("sh", "-c", script, options=["--linger"]).stdout, b"early\nlate\n")
        began = time.monotonic()
        job = self.run_job("sh", "-c", "sleep 60 & echo early; exit 3")
        self.assertEqual((job.stdout, job.returncode), (b"early\n", 3))
        self.assertLess(time.monotonic() - began, 40)

    def test_detach(self):
        made = os.path.join(self.path, "detached")
        job = self.run_job("sh", "-c", f"sleep 1; echo $$ > {made}.new; mv {made}.new {made}", options=["--detach"])
        self.assertEqual(job.returncode, 0)
        self.assertRegex(job.stdout, rb"^[0-9a-f-]{36}\n$")
        self.assertFalse(os.path.exists(made))
        harness.wait_until(lambda: os.path.exists(made), "the detached job does nothing")
        harness.wait_until(lambda: not self.guests(), "the guest stays")
        job = self.run_job("no-such-program", options=["--detach"])
        self.assertEqual((job.returncode, job.stderr), (127, b"sojourn: no-such-program: not found\n"))

    def test_small_limits(self):
        """The user's limits are the program's, not the deputy's."""
        script = f"ulimit -S -n 16; ulimit -S -f 100; ulimit -S -t 5; exec {harness.sojourn} run -- sh -c 'ulimit -n; cat /etc/passwd'"
        job = subprocess.run(["sh", "-c", script], stdin=subprocess.DEVNULL, capture_output=True, timeout=harness.PATIENCE)
        with open("/etc/passwd", "rb") as passwd:
            self.assertEqual(job.stdout, b"16\n" + passwd.read())

    def test_cut_link(self):
        """The link is cut again and again while bytes go both ways."""
        job = self.start_job("sh", "-c", "head -c 20000000 | cat", stdin=subprocess.PIPE)
        def feed():
            try:
                for _ in range(20):
                    job.stdin.write(bytes(range(256)) * 4096)
                job.stdin.close()
            except BrokenPipeError: # head has enough
                pass
        feeder = threading.Thread(target=feed, daemon=True)
        feeder.start()
        got = bytearray()
        while data := job.stdout.read1(1 << 20):
            got += data
            if len(got) % 7 == 0:
                self.controller.send_signal(signal.SIGUSR1)
        feeder.join(harness.PATIENCE)
        self.assertEqual(len(got), 20000000)
        self.assertEqual(bytes(got), (bytes(range(256)) * 78126)[:20000000])
        self.assertEqual(job.wait(harness.PATIENCE), 0)


if __name__ == "__main__":
    harness.main()
