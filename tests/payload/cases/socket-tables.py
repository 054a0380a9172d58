#!/usr/bin/python3
"""socket-tables.py - a program's own sockets are in /proc/net/tcp and its like, as netstat, ss and lsof look for them"""
import os, socket, sys
sys.path.insert(0, os.path.dirname(os.path.realpath(__file__)))
from lib import more, must, ok

TCP = {"01": "established", "05": "fin-wait", "08": "close-wait", "0A": "listen"}


def line_of(s):
    """state, own and peer's port, bytes that wait, owner: what the tables say of a socket, found by its inode"""
    kind = "tcp" if s.type == socket.SOCK_STREAM else "udp"
    inode = str(os.fstat(s.fileno()).st_ino)
    with open("/proc/net/" + kind + ("6" if s.family == socket.AF_INET6 else "")) as table:
        found = [line.split() for line in table if line.split()[9] == inode]
    must(len(found) <= 1, "one line for a socket")
    if not found:
        return None
    fields = found[0]
    must(fields[7] == str(os.getuid()), "owner")
    must(int(fields[1].split(":")[1], 16) == s.getsockname()[1], "own port")
    return fields[3], int(fields[2].split(":")[1], 16), int(fields[4].split(":")[1], 16), fields[1].split(":")[0]


def streams(family, address, digits):
    server = socket.socket(family)
    must(line_of(server) is None, "not yet")
    server.bind((address, 0))
    server.listen()
    must(line_of(server) == ("0A", 0, 0, digits), "listening")
    client = socket.create_connection(server.getsockname()[:2])
    accepted = server.accept()[0]
    must(line_of(client)[:2] == ("01", server.getsockname()[1]), "client")
    must(line_of(accepted)[:2] == ("01", client.getsockname()[1]), "accepted")
    client.sendall(b"x" * 100)
    accepted.recv(1, socket.MSG_PEEK)
    must(line_of(accepted)[2] == 100, "bytes that wait")
    must(len(accepted.recv(100)) == 100, "bytes")
    client.shutdown(socket.SHUT_WR)
    must(accepted.recv(1) == b"", "end")
    must(TCP[line_of(accepted)[0]] == "close-wait", "half-closed")
    accepted.close()
    must(client.recv(1) == b"", "both ends")
    client.close()
    server.close()


def datagrams(family, address, digits):
    one, two = socket.socket(family, socket.SOCK_DGRAM), socket.socket(family, socket.SOCK_DGRAM)
    must(line_of(one) is None, "no datagrams yet")
    one.bind((address, 0))
    must(line_of(one)[:2] == ("07", 0) and line_of(one)[3] == digits, "bound")
    two.connect(one.getsockname())
    must(line_of(two)[:2] == ("01", one.getsockname()[1]), "connected")
    one.close()
    two.close()


V4, V6 = "0100007F", "00000000000000000000000001000000"
with socket.socket(socket.AF_INET6) as probe:
    try:
        probe.bind(("::1", 0))
        six = True
    except OSError:
        six = False
while more():
    streams(socket.AF_INET, "127.0.0.1", V4)
    datagrams(socket.AF_INET, "127.0.0.1", V4)
    if six:
        streams(socket.AF_INET6, "::1", V6)
        datagrams(socket.AF_INET6, "::1", V6)
ok()
