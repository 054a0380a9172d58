#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""servers.py PORT FOLDER STOP CONNECTIONS - clients of a web server that compare every byte with the files in FOLDER

Each connection asks for one file after another until the file STOP is there, and is never made again: when it is lost, that is
counted. Prints how many requests and bytes there were, connections lost and answers wrong. Status 0: none.
"""
import hashlib
import http.client
import os
import random
import sys
import threading
import time


class Clients:
    def __init__(self, port, folder, stop):
        self.port, self.stop, self.lock = port, stop, threading.Lock()
        self.requests = self.size = self.lost = self.wrong = self.slowest = 0
        self.sums = {}
        for name in sorted(os.listdir(folder)):
            with open(os.path.join(folder, name), "rb") as file:
                self.sums[name] = hashlib.sha256(file.read()).digest()

    def ask(self, connection, name):
        began = time.monotonic()
        connection.request("GET", "/" + name)
        body = connection.getresponse().read()
        with self.lock:
            self.requests += 1
            self.size += len(body)
            self.slowest = max(self.slowest, time.monotonic() - began)
            self.wrong += hashlib.sha256(body).digest() != self.sums[name]

    def run(self, seed):
        chance = random.Random(seed)
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        connection.connect()
        connection.auto_open = 0
        try:
            while not os.path.exists(self.stop):
                self.ask(connection, chance.choice(sorted(self.sums)))
                time.sleep(chance.random() * 0.05)
        except (OSError, http.client.HTTPException) as error:
            print("a connection is lost:", repr(error), flush=True)
            with self.lock:
                self.lost += 1


def main(port, folder, stop, connections):
    clients = Clients(int(port), folder, stop)
    threads = [threading.Thread(target=clients.run, args=(seed,)) for seed in range(int(connections))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    print(f"{clients.requests} requests, {clients.size >> 20} MiB over {connections} connections, the slowest took "
          f"{clients.slowest:.2f} s: connections lost {clients.lost}, answers wrong {clients.wrong}")
    return 1 if clients.lost or clients.wrong or not clients.requests else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
