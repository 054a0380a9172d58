#!/usr/bin/env python3
"""peer.py - both sides of the tests of sockets: which one, at home or in a job, is no matter

    peer.py serve FILE         an echo server: TCP and UDP at one port of 127.0.0.1, AF_UNIX at FILE.unix; the port is written to FILE
    peer.py ask FILE           a client of it: connections, asyncio, datagrams, half closes, errors, many at once; says what it saw
    peer.py slow FILE GO       takes one connection, reads when the file GO is there, says how many bytes came
    peer.py leave FILE SIZE    sends so many bytes to it and ends at once
    peer.py pump FILE STOP     sends bytes to it and checks what comes back, until the file STOP is there; says how many were right
"""
import asyncio
import errno
import hashlib
import os
import select
import socket
import struct
import sys
import tempfile
import threading
import time


def pattern(at, size):
    """Bytes that tell where in the stream they belong."""
    block = at // 32
    out = b"".join(hashlib.sha256(b"%d" % n).digest() for n in range(block, (at + size) // 32 + 1))
    return out[at - block * 32:at - block * 32 + size]


def echo(connection):
    with connection:
        try:
            while data := connection.recv(65536):
                connection.sendall(data)
        except ConnectionError:
            pass


def serve_stream(listener):
    while True:
        connection, _ = listener.accept()
        threading.Thread(target=echo, args=(connection,), daemon=True).start()


def serve_datagrams(sock):
    while True:
        data, sender = sock.recvfrom(65536)
        sock.sendto(data.upper(), sender)


def serve(name):
    stream = socket.create_server(("127.0.0.1", 0), backlog=64)
    port = stream.getsockname()[1]
    datagrams = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    datagrams.bind(("127.0.0.1", port))
    local = socket.socket(socket.AF_UNIX)
    local.bind(name + ".unix")
    local.listen(16)
    for target, sock in (serve_stream, stream), (serve_datagrams, datagrams), (serve_stream, local):
        threading.Thread(target=target, args=(sock,), daemon=True).start()
    with open(name + ".new", "w") as file:
        file.write("%d\n" % port)
    os.rename(name + ".new", name)
    threading.Event().wait()


def read_all(sock):
    return b"".join(iter(lambda: sock.recv(65536), b""))


def ask_stream(address, family=socket.AF_INET):
    with socket.socket(family) as sock:
        sock.connect(address)
        data = pattern(0, 300000)
        writer = threading.Thread(target=lambda: (sock.sendall(data), sock.shutdown(socket.SHUT_WR)))
        writer.start()
        assert read_all(sock) == data
        writer.join()


async def ask_asyncio(port):
    async def one(number):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        line = b"line %d\n" % number
        for _ in range(3):
            writer.write(line)
            assert await reader.readline() == line
        writer.close()
        await writer.wait_closed()

    await asyncio.gather(*(one(number) for number in range(40)))


def ask_datagrams(port):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.settimeout(20)
        for size in 0, 1, 1400, 9000, 60000:
            sock.sendto(b"x" * size, ("127.0.0.1", port))
            data, sender = sock.recvfrom(65536)
            assert data == b"X" * size and sender == ("127.0.0.1", port), (size, len(data), sender)
        assert sock.getsockname()[1] != 0


def ask_in_pieces(port):
    """MSG_MORE: one datagram of several sends, one line of a stream."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.settimeout(20)
        sock.connect(("127.0.0.1", port))
        for piece, flags in (b"one ", socket.MSG_MORE), (b"and ", socket.MSG_MORE), (b"two", 0):
            sock.send(piece, flags)
        yield "datagram in pieces", sock.recv(100)
    with socket.create_connection(("127.0.0.1", port)) as sock:
        sock.send(b"one ", socket.MSG_MORE)
        sock.send(b"and two")
        yield "stream in pieces", sock.recv(11, socket.MSG_WAITALL)


def ask_error_queue():
    """What comes back for a datagram that nobody takes, with its details (IP_RECVERR, struct sock_extended_err)."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        nobody = free.getsockname()[1]
    for family, level, option, host in ((socket.AF_INET, socket.IPPROTO_IP, 11, "127.0.0.1"),
                                        (socket.AF_INET6, socket.IPPROTO_IPV6, 25, "::1")):
        with socket.socket(family, socket.SOCK_DGRAM) as sock:
            sock.setsockopt(level, option, 1)
            sock.sendto(b"anybody?", (host, nobody))
            poll = select.poll()
            poll.register(sock, 0)
            yield "asked for errors", poll.poll(20000)[0][1] == select.POLLERR
            data, control, flags, address = sock.recvmsg(100, 200, socket.MSG_ERRQUEUE)
            error, origin, kind, code = struct.unpack_from("IBBB", control[0][2])
            yield "error queue", (data, control[0][:2], errno.errorcode[error], origin, kind, code,
                                  flags & socket.MSG_ERRQUEUE != 0, address[0], address[1] == nobody)
            yield "queue then", error_of(sock.recvmsg, 100, 200, socket.MSG_ERRQUEUE)
            yield "error then", sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)


def ask_converted(port):
    """IPV6_ADDRFORM: a socket of IPv6 that is connected to an address of IPv4 becomes one of IPv4."""
    with socket.socket(socket.AF_INET6) as sock:
        yield "not connected", error_of(sock.setsockopt, socket.IPPROTO_IPV6, 1, socket.AF_INET)
        sock.connect(("::ffff:127.0.0.1", port))
        sock.setsockopt(socket.IPPROTO_IPV6, 1, socket.AF_INET)
        yield "converted", sock.getsockopt(socket.SOL_SOCKET, socket.SO_DOMAIN) == socket.AF_INET
        with socket.socket(fileno=os.dup(sock.fileno())) as other:
            yield "names", (other.getpeername() == ("127.0.0.1", port), other.getsockname()[0])
            other.sendall(b"still there")
            yield "echo", other.recv(100)


def error_of(call, *arguments):
    try:
        call(*arguments)
    except OSError as error:
        return errno.errorcode[error.errno]
    return "none"


def ask_errors(port):
    with socket.create_server(("127.0.0.1", 0)) as free:
        nobody = free.getsockname()[1]
    with socket.socket() as sock:
        yield "refused", error_of(sock.connect, ("127.0.0.1", nobody))
        yield "refused again", error_of(sock.connect, ("127.0.0.1", nobody))
        yield "the same socket elsewhere", error_of(sock.connect, ("127.0.0.1", port))
        for level in 500, socket.IPPROTO_UDP, socket.IPPROTO_IP, socket.IPPROTO_TCP, socket.SOL_SOCKET:
            yield "unknown option got at level %d" % level, error_of(sock.getsockopt, level, 9999)
            yield "unknown option set at level %d" % level, error_of(sock.setsockopt, level, 9999, 1)
    with tempfile.TemporaryDirectory(dir=".") as folder, socket.socket(socket.AF_UNIX) as listener:
        listener.bind(folder + "/closed")
        listener.listen()
        os.chmod(folder + "/closed", 0)
        with socket.socket(socket.AF_UNIX) as sock:
            yield "a closed socket of the same job", error_of(sock.connect, folder + "/closed")
    with socket.socket() as sock:
        yield "in use", error_of(sock.bind, ("127.0.0.1", port))
    with socket.socket() as sock:
        yield "privileged", error_of(sock.bind, ("127.0.0.1", 81))
    with socket.socket() as sock:
        yield "not connected", error_of(sock.getpeername)
        yield "send", error_of(sock.send, b"x")
    with socket.socket() as sock:
        sock.setblocking(False)
        first = error_of(sock.connect, ("127.0.0.1", port))
        select.select([], [sock], [], 20)
        yield "non-blocking", first in ("none", "EINPROGRESS") and sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.connect(("127.0.0.1", nobody))
        sock.send(b"x")
        sock.settimeout(20)
        yield "datagram", error_of(sock.recv, 1)
    with socket.socket() as sock:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        yield "option", sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY) != 0


def ask_many(port):
    socks = [socket.create_connection(("127.0.0.1", port)) for _ in range(200)]
    poll = select.epoll()
    for sock in socks:
        poll.register(sock, select.EPOLLIN | select.EPOLLET)
        sock.sendall(b"%d" % sock.fileno())
    waiting = {sock.fileno(): sock for sock in socks}
    while waiting:
        for number, _ in poll.poll(20):
            assert waiting.pop(number).recv(100) == b"%d" % number
    for sock in socks:
        sock.close()


def ask_own():
    """Both ends in this process."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        client = socket.create_connection(listener.getsockname())
        server, peer = listener.accept()
        assert peer == client.getsockname() and server.getsockname() == client.getpeername()
    for one, other in (client, server), (server, client):
        one.sendall(b"over there")
        assert other.recv(100) == b"over there"
    client.close()
    assert server.recv(1) == b""
    server.close()


def ask(name):
    port = int(open(name).read())
    ask_stream(("127.0.0.1", port))
    print("stream")
    ask_stream(name + ".unix", socket.AF_UNIX)
    print("unix")
    asyncio.run(ask_asyncio(port))
    print("asyncio")
    ask_datagrams(port)
    print("datagrams")
    for what, result in ask_errors(port):
        print(what, result)
    for what, result in [*ask_in_pieces(port), *ask_error_queue(), *ask_converted(port)]:
        print(what, result)
    ask_many(port)
    print("many")
    ask_own()
    print("own")
    print(socket.getaddrinfo("localhost", port, socket.AF_INET, socket.SOCK_STREAM)[0][4][0])


def slow(name, go):
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    listener.bind(("127.0.0.1", 0))
    listener.listen()
    with open(name, "w") as file:
        file.write("%d\n" % listener.getsockname()[1])
    connection, _ = listener.accept()
    while not os.path.exists(go):
        time.sleep(0.05)
    print(len(read_all(connection)), flush=True)


def leave(name, size):
    sock = socket.socket()
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
    sock.connect(("127.0.0.1", int(open(name).read())))
    sock.setblocking(False)
    sent = sock.send(pattern(0, int(size)))
    print("left", sent)


def pump(name, stop):
    sock = socket.create_connection(("127.0.0.1", int(open(name).read())))
    lock = threading.Condition()
    state = {"sent": 0}

    def write():
        while not os.path.exists(stop):
            sock.sendall(pattern(state["sent"], 50000))
            with lock:
                state["sent"] += 50000
        sock.shutdown(socket.SHUT_WR)

    writer = threading.Thread(target=write)
    writer.start()
    got = 0
    print("started", flush=True)
    while data := sock.recv(65536):
        assert data == pattern(got, len(data)), got
        got += len(data)
    writer.join()
    assert got == state["sent"], (got, state["sent"])
    print("exact", got)


if __name__ == "__main__":
    {"serve": serve, "ask": ask, "slow": slow, "leave": leave, "pump": pump}[sys.argv[1]](*sys.argv[2:])
