# SPDX-License-Identifier: GPL-2.0-or-later
"""terminal.py - a job at a terminal, under an interactive shell: keys, job control, size and modes"""
import fcntl, os, signal, struct, subprocess, termios, time

import harness
from harness import Shell, Terminal, state, wait_until


class Terminals(harness.Deputies):
    def setUp(self):
        os.environ["PATH"] = os.path.dirname(harness.sojourn) + ":" + os.environ["PATH"]
        self.shell = Shell(cwd=self.path)
        self.addCleanup(self.shell.close)
        self.do, self.status, self.job = self.shell.do, self.shell.status, self.shell.job

    def modes(self):
        return termios.tcgetattr(self.shell.fd)

    def test_is_a_terminal(self):
        self.assertIn("/dev/", self.do("sojourn run tty"))
        self.assertIn("yes", self.do("sojourn run sh -c 'test -t 0 && test -t 1 && test -t 2 && echo yes'"))
        self.assertEqual(self.do("sojourn run stty -a"), self.do("stty -a"))

    def test_typed_lines_and_end_of_file(self):
        self.job("sh -c 'echo up; cat; echo over'", "up\r\n")
        self.shell.type("one\n")
        self.shell.expect("one\r\none\r\n")
        self.shell.type("\x04")
        self.shell.expect("over\r\n@@ ")
        self.assertEqual(self.status(), 0)

    def test_interrupt(self):
        self.job("sh -c 'echo up; sleep 100'", "up\r\n")
        self.shell.type("\x03")
        self.shell.expect("@@ ")
        self.assertEqual(self.status(), 130)

    def test_interrupt_that_is_caught(self):
        self.job("sh -c 'trap \"echo caught\" INT; echo up; read x; echo $x'", "up\r\n")
        self.shell.type("\x03")
        self.shell.expect("caught\r\n")
        self.shell.type("\n")   # for a read that had not begun yet, and so was not interrupted
        self.shell.expect("@@ ")

    def test_interrupt_ends_a_script(self):
        self.shell.type("bash -c 'for i in 1 2 3; do sojourn run sh -c \"echo up; sleep 100\"; done; echo not reached'\n")
        self.shell.expect("\r\nup\r\n")
        self.shell.type("\x03")
        self.assertNotIn("up", self.shell.expect("@@ "))
        self.assertEqual(self.status(), 130)

    def test_suspend_and_foreground(self):
        before = self.modes()
        self.job("sh -c 'echo up; read x; echo got $x'", "up\r\n")
        for _ in range(2):
            self.shell.type("\x1a")
            self.shell.expect("Stopped")
            self.shell.expect("@@ ")
            self.assertIn("Stopped", self.do("jobs"))
            self.shell.type("fg\n")
            self.shell.expect("fg\r\nsojourn run [^\n]*\n")
            time.sleep(0.3)
        self.shell.type("line\n")
        self.shell.expect("got line\r\n")
        self.shell.expect("@@ ")
        self.assertEqual(self.modes(), before)

    def test_background_then_foreground(self):
        self.shell.type("sojourn run sh -c 'echo up; read x; echo got $x' &\n")
        self.shell.expect("up\r\n")
        self.assertEqual(self.do("echo the shell still has the keys"), "the shell still has the keys\n")
        self.shell.type("fg\n")
        self.shell.expect("fg\r\nsojourn run [^\n]*\n")
        time.sleep(0.5)
        self.shell.type("line\n")
        self.shell.expect("got line\r\n")
        self.shell.expect("@@ ")

    def test_stop_signal_without_a_key(self):
        self.job("sh -c 'echo up $$; read x; echo got $x'", "up ")
        pid = int(self.shell.expect("\r\n"))
        os.kill(pid, signal.SIGSTOP)
        self.shell.expect("Stopped")
        self.do("true")
        self.shell.type("fg\n")
        self.shell.expect("fg\r\nsojourn run [^\n]*\n")
        time.sleep(1)
        self.shell.type("line\n")
        self.shell.expect("got line\r\n")

    def test_size_and_its_change(self):
        fcntl.ioctl(self.shell.fd, termios.TIOCSWINSZ, struct.pack("HHHH", 33, 101, 0, 0))
        self.assertEqual(self.do("sojourn run stty size"), "33 101\n")
        self.job("bash -c 'trap \"stty size; exit\" WINCH; echo up; while :; do sleep 0.1; done'", "up\r\n")
        fcntl.ioctl(self.shell.fd, termios.TIOCSWINSZ, struct.pack("HHHH", 44, 122, 0, 0))
        self.shell.expect("44 122\r\n")

    def test_modes_stay_as_the_program_left_them(self):
        self.do("sojourn run stty -echoctl")
        self.assertFalse(self.modes()[3] & termios.ECHOCTL)
        self.do("sojourn run stty echoctl")
        self.assertTrue(self.modes()[3] & termios.ECHOCTL)

    def test_killed_front_leaves_no_raw_terminal(self):
        shell = Terminal("sh", "-i", cwd=self.path) # which does not put modes right itself
        self.addCleanup(shell.close)
        shell.expect("@@ ")
        before = termios.tcgetattr(shell.fd)
        shell.type("sojourn run sh -c 'echo up $$; sleep 100'\n")
        shell.expect("\r\nup ")
        pid = int(shell.expect("\r\n"))
        wait_until(lambda: not termios.tcgetattr(shell.fd)[3] & termios.ICANON, "the terminal is not raw")
        os.kill(pid, signal.SIGKILL)
        wait_until(lambda: termios.tcgetattr(shell.fd) == before, "the terminal stays raw", 5)

    def test_pipeline_keeps_the_terminal(self):
        """Where only some descriptors are the terminal it stays in line mode, and the rest of the pipeline has the keys."""
        self.shell.type("sojourn run sh -c 'echo up >&2; sleep 1; echo out' | cat\n")
        self.shell.expect("up\r\n")
        self.assertTrue(self.modes()[3] & termios.ICANON)
        self.shell.expect("out\r\n@@ ")
        self.shell.type("sojourn run sh -c 'echo up >&2; cat; echo over' | cat\n")
        self.shell.expect("up\r\n")
        self.shell.type("typed\n")
        self.shell.expect("typed\r\ntyped\r\n")
        self.shell.type("\x04")
        self.shell.expect("over\r\n@@ ")

    def test_interrupt_in_a_pipeline(self):
        self.shell.type("sojourn run sh -c 'echo up >&2; sleep 100' | cat\n")
        self.shell.expect("up\r\n")
        self.shell.type("\x03")
        self.shell.expect("@@ ")

    def test_suspend_in_a_pipeline(self):
        self.shell.type("sojourn run sh -c 'echo up >&2; sleep 2; echo on' | cat\n")
        self.shell.expect("up\r\n")
        self.shell.type("\x1a")
        self.shell.expect("Stopped")
        self.do("true")
        self.shell.type("fg\n")
        self.shell.expect("on\r\n")
        self.shell.expect("@@ ")

    def test_interactive_shell_as_the_program(self):
        """Its job control is its own: Ctrl-Z stops its child, not the job."""
        self.shell.type("PS1='in> ' sojourn run bash --norc --noprofile -i\n")
        self.shell.expect("\nin> ")
        self.shell.type("sleep 100\n")
        time.sleep(0.7)
        self.shell.type("\x1a")
        self.shell.expect("Stopped")
        self.shell.expect("\nin> ")
        self.shell.type("kill -9 %1; sleep 1; exit 5\n")
        self.shell.expect("@@ ")
        self.assertEqual(self.status(), 5)


if __name__ == "__main__":
    harness.main()
