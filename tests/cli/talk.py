# SPDX-License-Identifier: GPL-2.0-or-later
"""talk - a program on a terminal of its own, and what a test says to it and hears"""
import fcntl, os, pty, select, struct, sys, termios, time


class Talk:
    def __init__(self, *argv, lines=24, columns=80):
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            os.execv(argv[0], argv)
        fcntl.ioctl(self.fd, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))
        self.seen = b""

    def expect(self, what, seconds=10):
        """Waits until that has come; what came before it is forgotten."""
        end = time.time() + seconds
        while what not in self.seen:
            if not select.select([self.fd], [], [], max(0, end - time.time()))[0]:
                sys.exit(f"{what} does not come, but {self.seen}")
            self.seen += os.read(self.fd, 65536)
        self.seen = self.seen[self.seen.index(what) + len(what):]

    def type(self, text):
        os.write(self.fd, text)

    def end(self, seconds=10):
        """Its wait status, when it has ended by itself."""
        limit = time.time() + seconds
        while time.time() < limit:
            if select.select([self.fd], [], [], 0.1)[0]:
                try:
                    os.read(self.fd, 65536)
                except OSError:
                    pass
            done, status = os.waitpid(self.pid, os.WNOHANG)
            if done:
                return status
        sys.exit("it does not end")
