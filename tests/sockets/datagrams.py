#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""datagrams.py - UDP over IPv4, IPv6 and multicast on the loopback: which side is at home and which in a job is no matter

    datagrams.py serve FILE    answers on 127.0.0.1, ::1 and a multicast group; the ports are written to FILE
    datagrams.py ask FILE      asks it in all ways, and says what it saw
"""
import errno
import os
import select
import socket
import struct
import sys

GROUP = "239.77.1.1"
LOOPBACK = socket.inet_aton("127.0.0.1")
IP_PKTINFO = 8     # of <linux/in.h>
MEMBER = socket.inet_aton(GROUP) + LOOPBACK


def bound(family, address):
    sock = socket.socket(family, socket.SOCK_DGRAM)
    sock.settimeout(20)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    sock.bind(address)
    return sock


def member(port):
    sock = bound(socket.AF_INET, (GROUP, port))
    sock.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, MEMBER)
    return sock


def serve(name):
    socks = [bound(socket.AF_INET, ("127.0.0.1", 0)), bound(socket.AF_INET6, ("::1", 0)), member(0)]
    with open(name + ".new", "w") as file:
        file.write(" ".join(str(sock.getsockname()[1]) for sock in socks))
    os.rename(name + ".new", name)
    while True:
        for sock in select.select(socks, [], [])[0]:
            data, sender = sock.recvfrom(70000)
            sock.sendto(data[::-1], sender)


def error_of(call, *arguments):
    try:
        return call(*arguments)
    except OSError as error:
        return errno.errorcode.get(error.errno, "nothing came")


def ask_sizes(family, server):
    with socket.socket(family, socket.SOCK_DGRAM) as sock:
        sock.settimeout(20)
        for size in 0, 1, 512, 1500, 30000, 65000:
            data = os.urandom(size)
            sock.sendto(data, server)
            answer, sender = sock.recvfrom(70000)
            yield f"{size} bytes", answer == data[::-1] and sender[:2] == server[:2]
        yield "too long", error_of(sock.sendto, bytes(70000), server)


def ask_flags(family, server):
    with socket.socket(family, socket.SOCK_DGRAM) as sock:
        sock.settimeout(20)
        sock.connect(server)
        sock.send(b"0123456789")
        yield "peek", sock.recv(100, socket.MSG_PEEK)
        _, _, flags, _ = sock.recvmsg(4)
        yield "cut short", bool(flags & socket.MSG_TRUNC)
        sock.setblocking(False)
        yield "nothing left", error_of(sock.recv, 1)
        sock.settimeout(20)
        for _ in range(20):
            sock.send(b"many")
        yield "many", [sock.recv(10) for _ in range(20)].count(b"ynam")
        yield "peer", sock.getpeername()[:2] == server[:2]


def ask_destination():
    """To which address a datagram came (IP_PKTINFO)."""
    with bound(socket.AF_INET, ("0.0.0.0", 0)) as sock:
        sock.setsockopt(socket.IPPROTO_IP, IP_PKTINFO, 1)
        for address in "127.0.0.1", "127.3.2.1":
            sock.sendto(b"x", (address, sock.getsockname()[1]))
            _, ancillary, _, _ = sock.recvmsg(10, 100)
            yield "came to", [socket.inet_ntoa(data[8:12]) for _, kind, data in ancillary if kind == IP_PKTINFO]


def ask_group(port):
    with bound(socket.AF_INET, ("127.0.0.1", 0)) as sock, member(port) as own:
        sock.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, LOOPBACK)
        sock.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_TTL, 0)
        sock.sendto(b"to all", (GROUP, port))
        yield "a member here", own.recvfrom(100)[0]
        yield "a member there", sock.recvfrom(100)[0]
        yield "interface", sock.getsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, 4) == LOOPBACK
        yield "twice", error_of(own.setsockopt, socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, MEMBER)
        own.setsockopt(socket.IPPROTO_IP, socket.IP_DROP_MEMBERSHIP, MEMBER)
        yield "dropped", error_of(own.setsockopt, socket.IPPROTO_IP, socket.IP_DROP_MEMBERSHIP, MEMBER)
        sock.sendto(b"again", (GROUP, port))
        yield "the member there", sock.recvfrom(100)[0]
        own.settimeout(0.3)
        yield "the one that left", error_of(own.recv, 100)
        sock.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_LOOP, 0)
        sock.sendto(b"not to here", (GROUP, port))
        sock.settimeout(0.3)
        yield "without loop", error_of(sock.recv, 100)


def ask_group6():
    """A group of IPv6 on the loopback, both ends here."""
    index = socket.if_nametoindex("lo")
    with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as own, socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as sock:
        own.bind(("::", 0))
        own.settimeout(5)
        group = socket.inet_pton(socket.AF_INET6, "ff11::77") + struct.pack("@I", index)
        yield "joined", error_of(own.setsockopt, socket.IPPROTO_IPV6, socket.IPV6_JOIN_GROUP, group)
        yield "interface", error_of(sock.setsockopt, socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_IF, index)
        yield "sent", error_of(sock.sendto, b"six", ("ff11::77", own.getsockname()[1], 0, index))
        yield "got", error_of(lambda: own.recvfrom(10)[0])


def ask(name):
    four, six, group = map(int, open(name).read().split())
    for label, answers in (("IPv4", ask_sizes(socket.AF_INET, ("127.0.0.1", four))), ("IPv6", ask_sizes(socket.AF_INET6, ("::1", six))),
                           ("IPv4", ask_flags(socket.AF_INET, ("127.0.0.1", four))), ("IPv6", ask_flags(socket.AF_INET6, ("::1", six))),
                           ("IPv4", ask_destination()), ("multicast", ask_group(group)), ("IPv6 multicast", ask_group6())):
        for what, result in answers:
            print(f"{label}: {what}: {result}", flush=True)


if __name__ == "__main__":
    {"serve": serve, "ask": ask}[sys.argv[1]](sys.argv[2])
