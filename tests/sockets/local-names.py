# SPDX-License-Identifier: GPL-2.0-or-later
"""local-names.py - AF_UNIX sockets by path: serve PATH, ask PATH, inside (both ends in one job, with a descriptor passed)"""
import os
import socket
import struct
import sys
import threading


def serve_packets(server):
    """Sends the packets of one client back, until it sends no more."""
    client, _ = server.accept()
    with client:
        while data := client.recv(65536):
            client.send(data)


def serve(path):
    """Echoes what four clients say, and tells who they are; then the packets of one."""
    packets = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    packets.bind(path + '.packets')
    packets.listen(5)
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(path)
        server.listen(5)
        for _ in range(4):
            client, _ = server.accept()
            with client:
                _, uid, _ = struct.unpack('3i', client.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))
                total = b''
                while data := client.recv(65536):
                    total += data
                client.sendall(b'%d %s %d' % (uid == os.getuid(), os.fsencode(os.path.basename(client.getsockname())), len(total)))
                client.sendall(total)
    with packets:
        serve_packets(packets)
    os.unlink(path + '.packets')
    os.unlink(path)


def ask_packets(path):
    with socket.socket(socket.AF_UNIX) as client:
        print('a stream to packets:', client.connect_ex(path))
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as client:
        client.connect(path)
        sent = [os.urandom(size) for size in (1, 60000, 3, 40000, 2)]
        for data in sent:
            client.send(data)
        print('packets:', [client.recv(65536) == data for data in sent])
        client.send(b'longer than asked for')
        print('cut:', client.recv(6))
        client.shutdown(socket.SHUT_WR)
        print('the end:', client.recv(10), os.path.basename(client.getpeername()))
        try:
            client.send(b'x')
        except OSError as error:
            print('after the end:', error.errno)


def ask(path):
    for size in (0, 1, 1000, 3000000):
        with socket.socket(socket.AF_UNIX) as client:
            client.connect(path)
            data = os.urandom(size)
            sender = threading.Thread(target=lambda: (client.sendall(data), client.shutdown(socket.SHUT_WR)))
            sender.start()
            answer = b''
            while more := client.recv(100000):
                answer += more
            sender.join()
            head, rest = answer[:len(answer) - size], answer[len(answer) - size:]
            print(head.decode(), rest == data, os.path.basename(client.getpeername()), flush=True)
    ask_packets(path + '.packets')


def inside(path):
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(path)
        try:
            server.bind(path + '2')
        except OSError as error:
            print('bound twice:', error.errno)
        server.listen(1)
        if os.fork() == 0:
            with socket.socket(socket.AF_UNIX) as client, open('/etc/passwd', 'rb') as file:
                client.connect(path)
                socket.send_fds(client, [b'x'], [file.fileno()])
            os._exit(0)
        client, _ = server.accept()
        data, fds, _, _ = socket.recv_fds(client, 10, 1)
        print(data, os.read(fds[0], 4), os.wait()[1])
    try:
        socket.socket(socket.AF_UNIX).bind(path)
    except OSError as error:
        print('in use:', error.errno)
    try:
        socket.socket(socket.AF_UNIX).connect(path)
    except OSError as error:
        print('nobody there:', error.errno)
    os.unlink(path)


os.umask(0o027)
{'serve': serve, 'ask': ask, 'inside': inside}[sys.argv[1]](sys.argv[2])
