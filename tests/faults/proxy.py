"""proxy.py PORT FROM=TO...: stands before nodes: what comes to FROM is passed on to TO; obeys words on stdin.

cut N: N connections, chosen at random, are broken, as by a router that forgot them. block, unblock: none goes through.
Each word is answered by a line on stdout.
"""
import random
import socket
import struct
import sys
import threading

pairs = [word.split("=") for word in sys.argv[2:]]
port = int(sys.argv[1])
lock = threading.Lock()
connections = set()
blocked = False


def abort(connection):
    for end in connection:
        try:
            end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            end.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass


def carry(connection, source, sink):
    try:
        while data := source.recv(65536):
            sink.sendall(data)
        sink.shutdown(socket.SHUT_WR)
    except OSError:
        abort(connection)


def serve(near, to):
    connection = None
    try:
        far = socket.create_connection((to, port), 5)
        connection = (near, far)
        with lock:
            if blocked:
                raise OSError
            connections.add(connection)
        near.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        far.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        back = threading.Thread(target=carry, args=(connection, far, near), daemon=True)
        back.start()
        carry(connection, near, far)
        back.join()
    except OSError:
        near.close()
    finally:
        with lock:
            connections.discard(connection)
        for end in connection or ():
            end.close()


def listen(at, to):
    listener = socket.create_server((at, port), backlog=100)
    while True:
        near, _ = listener.accept()
        threading.Thread(target=serve, args=(near, to), daemon=True).start()


for at, to in pairs:
    threading.Thread(target=listen, args=(at, to), daemon=True).start()
print("ready", flush=True)
for line in sys.stdin:
    word, *rest = line.split()
    with lock:
        blocked = word == "block" or (blocked and word != "unblock")
        count = int(rest[0]) if rest else len(connections) if word == "block" else 0
        for connection in random.sample(sorted(connections, key=id), min(count, len(connections))):
            abort(connection)
    print("done", flush=True)
