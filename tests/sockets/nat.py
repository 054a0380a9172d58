#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
# nat.py - both ends of what tests/sockets/nat.sh does over a job's own network
#
# serve ADDRESS ADDRESS6: at home; echoes on TCP (7000) and UDP (7000), keeps what is left on 7001, has a secret on the
# loopback (7002), and answers on 127.0.0.53 as a name server that knows one name. The rest run in the job.

import hashlib
import os
import socket
import struct
import sys
import threading
import time

ECHO, LEAVE, SECRET = 7000, 7001, 7002


def background(function, *arguments):
    threading.Thread(target=function, args=arguments, daemon=True).start()


def listen(address, port, serve):
    server = socket.create_server((address, port), family=socket.AF_INET6 if ":" in address else socket.AF_INET)

    def accept():
        while True:
            connection, peer = server.accept()
            background(serve, connection, peer)

    background(accept)


def echo(connection, peer):
    while data := connection.recv(65536):
        connection.sendall(data)
    connection.close()


def keep(connection, peer):
    digest, size = hashlib.sha256(), 0
    time.sleep(1)
    while data := connection.recv(20000):
        digest.update(data)
        size += len(data)
        time.sleep(0.001)
    with open("kept", "w") as out:
        out.write(f"{size} {digest.hexdigest()}\n")


def secret(connection, peer):
    connection.sendall(b"secret")
    connection.close()


def answer_names(address, where):
    server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    server.bind((where, 53))
    while True:
        query, peer = server.recvfrom(512)
        question = query[12:query.index(b"\0", 12) + 5]
        known = question[:-4] == b"\4home\4test\0"
        answer = known and struct.unpack(">H", question[-4:-2])[0] == 1
        reply = query[:2] + (b"\x81\x80" if known else b"\x81\x83") + b"\0\1" + bytes([0, answer]) + b"\0\0\0\0" + question
        if answer:
            reply += b"\xc0\x0c\0\1\0\1\0\0\0\x3c\0\4" + socket.inet_aton(address)
        server.sendto(reply, peer)


def serve(address, address6):
    listen(address, ECHO, echo)
    listen(address6, ECHO, echo)
    listen(address, LEAVE, keep)
    listen("127.0.0.1", SECRET, secret)
    background(answer_names, address, "127.0.0.53")
    datagrams = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    datagrams.bind((address, ECHO))
    print("serving", flush=True)
    while True:
        data, peer = datagrams.recvfrom(65536)
        datagrams.sendto(data, peer)


def receive(connection, size):
    data = b""
    while len(data) < size:
        more = connection.recv(size - len(data))
        if not more:
            raise EOFError
        data += more
    return data


def tell(name, function, *arguments):
    try:
        print(name, function(*arguments), flush=True)
    except OSError as error:
        print(name, os.strerror(error.errno) if error.errno else "nothing comes", flush=True)


def tcp(address, port, size):
    with socket.create_connection((address, port), 20) as connection:
        data = os.urandom(size)
        background(connection.sendall, data)
        return receive(connection, size) == data


def udp(address, size):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as it:
        data = os.urandom(size)
        it.settimeout(10)
        it.sendto(data, (address, ECHO))
        return it.recv(65536) == data


def own_address(address):
    with socket.create_connection((address, ECHO), 20) as connection:
        return connection.getsockname()[0]


def by_name(name):
    return sorted({it[4][0] for it in socket.getaddrinfo(name, ECHO)})


def no_name():
    try:
        return by_name("nobody.test")
    except socket.gaierror:
        return "unknown"


def ask(address, address6):
    tell("own address", own_address, address)
    tell("tcp", tcp, address, ECHO, 1000000)
    tell("tcp over ipv6", tcp, address6, ECHO, 1000000)
    tell("udp", udp, address, 100)
    tell("long udp", udp, address, 60000)
    tell("refused", tcp, address, 1, 1)
    tell("home's loopback", tcp, "127.0.0.1", SECRET, 6)
    tell("the gateway", tcp, "10.0.2.2", SECRET, 6)
    tell("name", by_name, "home.test")
    tell("no such name", no_name)


def own(port_file):
    """A server of the job's own, and its client."""
    server = socket.create_server(("0.0.0.0", 0))
    port = server.getsockname()[1]
    with open(port_file + ".new", "w") as out:
        out.write(str(port))
    os.rename(port_file + ".new", port_file)
    client = socket.create_connection(("127.0.0.1", port))
    connection, _ = server.accept()
    connection.sendall(b"own")
    print(client.recv(10).decode(), flush=True)
    server.settimeout(20)
    while not os.path.exists(port_file + ".seen"):
        time.sleep(0.05)


def pump(address, stop):
    """Both ways at once, each byte known beforehand."""
    block = hashlib.sha256(b"nat").digest() * 2048
    sent = seen = 0
    ended = threading.Event()
    connection = socket.create_connection((address, ECHO))

    def send():
        nonlocal sent
        while not os.path.exists(stop):
            connection.sendall(block)
            sent += len(block)
        connection.shutdown(socket.SHUT_WR)
        ended.set()

    background(send)
    print("started", flush=True)
    while data := connection.recv(len(block) - seen % len(block)):
        at = seen % len(block)
        if data != block[at:at + len(data)]:
            sys.exit(f"byte {seen} and those after it are wrong")
        seen += len(data)
    print("exact" if ended.wait(10) and seen == sent else f"{sent} sent, {seen} came", seen, flush=True)


def leave(address, size):
    data = os.urandom(int(size))
    connection = socket.create_connection((address, LEAVE))
    connection.sendall(data)
    print(len(data), hashlib.sha256(data).hexdigest())


def rate(address, size, way):
    """Megabytes a second there and back, or round trips in microseconds."""
    size = int(size)
    with socket.create_connection((address, ECHO)) as connection:
        begin = time.monotonic()
        if way == "trips":
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            for _ in range(size):
                connection.sendall(b"x" * 64)
                receive(connection, 64)
            print(round((time.monotonic() - begin) * 1e6 / size))
        else:
            background(connection.sendall, bytes(size))
            left = size
            while left:
                left -= len(connection.recv(1 << 20))
            print(round(size / 1e6 / (time.monotonic() - begin)))


globals()[sys.argv[1]](*sys.argv[2:])
