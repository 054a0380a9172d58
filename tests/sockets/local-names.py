# SPDX-License-Identifier: GPL-2.0-or-later
"""local-names.py - AF_UNIX sockets by path: serve PATH, ask PATH, inside (both ends in one job, with a descriptor passed)"""
import os
import socket
import struct
import sys
import threading


def serve(path):
    """Echoes what four clients say, and tells who they are."""
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
    os.unlink(path)


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
