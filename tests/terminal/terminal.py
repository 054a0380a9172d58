# SPDX-License-Identifier: GPL-2.0-or-later
"""terminal.py - a shell on a pseudo-terminal at node1 of a rig, and what jobs do to it"""
import fcntl, json, os, signal, struct, subprocess, sys, termios, time, unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../deputy"))
import harness
from harness import Shell, state, wait_until

rig = sys.argv.pop(1)


def sojourn(*words):
    return subprocess.run((rig, "on", "node1", "sojourn") + words, stdin=subprocess.DEVNULL, capture_output=True, text=True,
                          timeout=harness.PATIENCE)


def show(job):
    return json.loads(sojourn("show", job, "--json").stdout)


def guests():
    rows = subprocess.run((rig, "list"), capture_output=True, text=True).stdout.splitlines()[1:]
    return sum(int(row.split()[4]) for row in rows)


def back_of(front):
    with open(f"/proc/{front}/task/{front}/children") as children:
        return int(children.read().split()[0])


def content(path):
    with open(path) as file:
        return file.read()


class Terminals(unittest.TestCase):
    def setUp(self):
        self.shell = Shell(rig, "on", "node1", cwd=os.getcwd())
        self.addCleanup(self.shell.close)
        self.do, self.status = self.shell.do, self.shell.status
        self.before = self.do("stty -g")

    def job(self, command, ready="up\r\n"):
        self.shell.job(command, ready)

    def settled(self):
        """The shell has the terminal again, as it was; the status of the last command."""
        self.shell.expect("@@ ")
        status = self.status()
        self.assertEqual(self.do("stty -g"), self.before)
        return status

    def test_interrupt(self):
        self.job("sh -c 'echo up; sleep 100'")
        self.shell.type("\x03")
        self.assertEqual(self.settled(), 130)

    def test_quit(self):
        self.job("sh -c 'ulimit -c 0; echo up; sleep 100'")
        self.shell.type("\x1c")
        self.assertEqual(self.settled(), 131)

    def test_interrupt_of_a_loop(self):
        self.shell.type("for i in 1 2 3; do sojourn run sh -c 'echo up; sleep 100'; done\n")
        self.shell.expect("\r\nup\r\n")
        self.shell.type("\x03")
        self.assertNotIn("up", self.shell.expect("@@ "))

    def test_stop_move_and_continue(self):
        self.job("--name stopped sh -c 'i=0; echo up; while [ $i -lt 20 ]; do sleep 0.1; i=$((i + 1)); done; read x; echo got $x $i; exit 4'")
        self.shell.type("\x1a")
        self.shell.expect("Stopped")
        self.settled()
        self.assertIn("Stopped", self.do("jobs"))
        self.assertEqual(show("stopped")["state"], "stopped")
        moved = sojourn("migrate", "stopped", "node2")
        self.assertEqual(moved.returncode, 0, moved.stderr)
        self.assertEqual((show("stopped")["node"], show("stopped")["state"]), ("node2", "stopped"))
        self.shell.type("bg\n")
        self.shell.expect("bg\r\n")
        self.shell.expect("@@ ")
        wait_until(lambda: show("stopped")["state"] == "running" or "Stopped" in self.do("jobs"), "bg does not continue it")
        self.shell.type("fg\n")
        self.shell.expect("fg\r\nsojourn run [^\n]*\n")
        time.sleep(1)
        moved = sojourn("migrate", "stopped", "node1")
        self.assertEqual(moved.returncode, 0, moved.stderr)
        self.shell.type("line\n")
        self.shell.expect("got line 20\r\n")
        self.assertEqual(self.settled(), 4)

    def test_shell_in_a_job(self):
        self.shell.type("sojourn run --name inner bash --norc --noprofile -i\n")
        self.shell.expect("\\$ ")
        self.shell.type("PS1='in> '\n")
        self.shell.expect("\nin> ")
        self.shell.type("sleep 100\n")
        time.sleep(1)
        self.shell.type("\x1a")
        self.shell.expect("Stopped")
        self.shell.expect("in> ")
        self.shell.type("jobs; sleep 200 &\n")
        self.shell.expect("Stopped +sleep 100")
        self.shell.expect("in> ")
        self.assertEqual(sojourn("migrate", "inner", "node2").returncode, 0)
        self.shell.type("fg %1\n")
        self.shell.expect("sleep 100\r\n")
        time.sleep(0.5)
        self.shell.type("\x03")
        self.shell.expect("in> ")
        self.shell.type("echo $?; kill %2; exit 5\n")
        self.shell.expect("130\r\n")
        self.assertEqual(self.settled(), 5)

    def test_size(self):
        fcntl.ioctl(self.shell.fd, termios.TIOCSWINSZ, struct.pack("HHHH", 33, 101, 0, 0))
        self.assertEqual(self.do("sojourn run stty size"), "33 101\n")
        self.job("bash -c 'trap \"stty size; exit\" WINCH; echo up; while :; do sleep 0.1; done'")
        fcntl.ioctl(self.shell.fd, termios.TIOCSWINSZ, struct.pack("HHHH", 44, 122, 0, 0))
        self.shell.expect("44 122\r\n")
        self.settled()

    def test_raw_mode(self):
        """What an editor does: keys one by one, also those that are signals otherwise; then a full screen."""
        self.job("sh -c 'old=$(stty -g); stty raw -echo; printf up.; dd bs=1 count=4 2>/dev/null | od -An -tx1; stty $old'", "up\\.")
        self.shell.type("a")
        time.sleep(0.3)
        self.shell.type("\x03\x1a\x1b")
        self.shell.expect("61 03 1a 1b")
        self.settled()
        self.shell.type("TERM=xterm sojourn run --name screen /usr/bin/python3 -c 'import curses; curses.wrapper(lambda s: "
                        "(s.addstr(3, 5, \"curses here\"), s.refresh(), s.getkey()))'\n")
        self.shell.expect("\x1b\\[4;6H.*curses here")
        self.assertEqual(sojourn("migrate", "screen", "node2").returncode, 0)
        self.shell.type("q")
        self.settled()

    def test_back_killed(self):
        self.job("sh -c 'echo up $$; sleep 100'", "up ")
        front = int(self.shell.expect("\r\n"))
        os.kill(back_of(front), signal.SIGKILL)
        self.shell.expect("sojourn: [^\n]*lost")
        self.assertEqual(self.settled(), 137)
        wait_until(lambda: guests() == 0, "the guest outlives its deputy", 10)

    def test_front_killed(self):
        self.job("sh -c 'echo up $$; sleep 100'", "up ")
        front = int(self.shell.expect("\r\n"))
        wait_until(lambda: guests() == 1, "there are others")
        os.kill(front, signal.SIGKILL)
        wait_until(lambda: guests() == 0, "the guest outlives its front by five seconds", 5)
        self.shell.expect("Killed")
        self.settled()

    def test_background(self):
        self.shell.type("sojourn run sh -c 'sleep 2; echo over' &\n")
        self.shell.expect("@@ ")
        for _ in range(5):
            self.assertEqual(self.do("stty -g"), self.before)
            time.sleep(0.2)
        self.shell.expect("over\r\n")
        self.assertIn("Done", self.do("wait; jobs"))
        self.assertEqual(self.do("stty -g"), self.before)

    def test_front_stopped_and_continued(self):
        """SIGSTOP and SIGCONT of the front stop and continue the program."""
        self.shell.type("sojourn run --name halted sh -c 'echo up $$; i=0; while [ $i -lt 300 ]; do i=$((i + 1)); echo $i "
                        ">>count; sleep 0.05; done' >halted.out &\n")
        self.shell.expect("@@ ")
        wait_until(lambda: os.path.exists("halted.out") and "\n" in content("halted.out"), "it does not start")
        front = int(content("halted.out").split()[1])
        os.kill(front, signal.SIGSTOP)
        wait_until(lambda: show("halted")["state"] == "stopped", "the job is not stopped")
        time.sleep(0.5)
        count = content("count")
        time.sleep(1)
        self.assertEqual(content("count"), count)
        os.kill(front, signal.SIGCONT)
        wait_until(lambda: len(content("count")) > len(count), "the job does not go on")
        self.do("kill %1; wait; jobs")
        wait_until(lambda: guests() == 0, "the guest does not end")


if __name__ == "__main__":
    signal.alarm(600)
    unittest.main(verbosity=2, failfast="FAILFAST" in os.environ)
