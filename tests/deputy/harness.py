# SPDX-License-Identifier: GPL-2.0-or-later
"""harness.py - what the deputy's tests share: a controller without libvirt, jobs, a shell on a pseudo-terminal"""
import faulthandler, os, pty, re, select, signal, socket, subprocess, sys, tempfile, time, unittest

here = os.path.dirname(os.path.abspath(__file__))
build = os.environ.get("SOJOURN_BUILD", os.path.join(here, "../../build"))
image = os.path.join(os.environ.get("SOJOURN_IMAGES", os.path.join(build, "images")), "x86_64")
sojourn = os.path.join(os.path.abspath(build), "sojourn")
PATIENCE = float(os.environ.get("SOJOURN_TEST_PATIENCE", 60))


class Deputies(unittest.TestCase):
    """A test case with a controller of its own; jobs run as self.run_job or in self.shell."""

    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory(prefix="sojourn-test-")
        cls.path = cls.folder.name
        cls.socket = os.path.join(cls.path, "control")
        cls.controller = subprocess.Popen([os.path.join(here, "fake-controller"), cls.socket, image],
                                          stdin=subprocess.PIPE, stderr=open(os.path.join(cls.path, "controller.log"), "w"))
        wait_until(lambda: os.path.exists(cls.socket), "the controller does not start")
        os.environ.update(SOJOURN_SOCKET=cls.socket, SOJOURN_SANDBOX="kill", LC_ALL="C.UTF-8")

    @classmethod
    def tearDownClass(cls):
        cls.controller.stdin.close()
        try:
            cls.controller.wait(PATIENCE)
        finally:
            cls.controller.kill()
            cls.folder.cleanup()

    def setUp(self):
        # a test that waits for what never comes says where, and ends
        faulthandler.dump_traceback_later(4 * PATIENCE, exit=True)
        self.addCleanup(faulthandler.cancel_dump_traceback_later)

    def run_job(self, *command, options=(), **how):
        """Like subprocess.run, both streams as bytes."""
        how.setdefault("stdin", subprocess.DEVNULL)
        if "input" in how:
            del how["stdin"]
        how.setdefault("stdout", subprocess.PIPE)
        how.setdefault("stderr", subprocess.PIPE)
        return subprocess.run([sojourn, "run", *options, "--", *command], timeout=PATIENCE, cwd=self.path, **how)

    def start_job(self, *command, options=(), **how):
        how.setdefault("stdin", subprocess.DEVNULL)
        how.setdefault("stdout", subprocess.PIPE)
        job = subprocess.Popen([sojourn, "run", *options, "--", *command], cwd=self.path, **how)
        self.addCleanup(lambda: job.poll() is None and job.kill())
        return job

    def guests(self):
        """PIDs of the controller's QEMUs."""
        with open(f"/proc/{self.controller.pid}/task/{self.controller.pid}/children") as f:
            return [int(pid) for pid in f.read().split() if state(int(pid)) not in "ZX"]


def state(pid):
    """The state of a process as ps has it, X if there is none."""
    try:
        with open(f"/proc/{pid}/stat") as f:
            return f.read().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return "X"


def wait_until(condition, text, patience=PATIENCE):
    deadline = time.monotonic() + patience
    while not condition():
        if time.monotonic() > deadline:
            raise AssertionError(text)
        time.sleep(0.02)


class Terminal:
    """A program, mostly a shell, on a pseudo-terminal of its own."""

    def __init__(self, *command, cwd):
        self.text = ""
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            os.chdir(cwd)
            os.environ.update(PS1="@@ ", TERM="dumb")
            os.execvp(command[0], command)

    def type(self, keys):
        os.write(self.fd, keys.encode())

    def read_more(self, patience):
        if not select.select([self.fd], [], [], patience)[0]:
            return False
        try:
            data = os.read(self.fd, 65536)
        except OSError:
            return False
        self.text += data.decode(errors="replace")
        return bool(data)

    def expect(self, pattern, patience=PATIENCE):
        """Reads until the pattern comes; what was before it is given, both are done with."""
        deadline = time.monotonic() + patience
        while not (match := re.search(pattern, self.text)):
            if time.monotonic() > deadline or not (self.read_more(0.2) or time.monotonic() < deadline):
                raise AssertionError(f"{pattern!r} did not come, but {self.text!r}")
        before, self.text = self.text[:match.start()], self.text[match.end():]
        return before

    def close(self):
        os.close(self.fd)
        try:
            os.kill(self.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        os.waitpid(self.pid, 0)


class Shell(Terminal):
    """An interactive bash with the prompt "@@ ", started by these words (a rig's "on node1", or none)."""

    def __init__(self, *words, cwd):
        super().__init__(*words, "bash", "--norc", "--noprofile", "-i", cwd=cwd)
        if words:   # a script, which takes PS1 out of the environment
            self.type("PS1='@'@' '\n")
        self.expect(r"\n@@ " if words else "@@ ")

    def do(self, line, patience=PATIENCE):
        """A command: what it prints."""
        self.type(line + "\n")
        self.expect("\r\n")
        return self.expect("@@ ", patience).replace("\r\n", "\n")

    def status(self):
        """Of the last command."""
        return int(self.do("echo $?"))

    def job(self, command, ready):
        """sojourn run, until the program has said what ready matches."""
        self.type(f"sojourn run {command}\n")
        self.expect("\r\n")
        self.expect(ready)


def main():
    if not os.path.exists(os.path.join(image, "initramfs.cpio")):
        print(f"skipped: there is no guest image in {image} (scripts/guest)")
        sys.exit(77)
    if not os.access(sojourn, os.X_OK):
        print("skipped: sojourn is not built")
        sys.exit(77)
    signal.alarm(800)
    unittest.main(verbosity=2)
