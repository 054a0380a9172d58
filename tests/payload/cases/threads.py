#!/usr/bin/python3
"""threads.py - threads, locks, queues, processes and executors of Python"""
import concurrent.futures, multiprocessing, os, queue, sys, threading
sys.path.insert(0, os.path.dirname(os.path.realpath(__file__)))
from lib import more, must, ok


def square(n):
    return n * n


def pump(source, sink):
    while (item := source.get()) is not None:
        sink.put(item * 2)


while more():
    source, sink = queue.Queue(10), queue.Queue()
    pumps = [threading.Thread(target=pump, args=(source, sink)) for _ in range(4)]
    for one in pumps:
        one.start()
    for i in range(500):
        source.put(i)
    for one in pumps:
        source.put(None)
    for one in pumps:
        one.join()
    must(sorted(sink.queue) == [i * 2 for i in range(500)], "threads")
    with concurrent.futures.ProcessPoolExecutor(2) as pool:
        must(list(pool.map(square, range(30))) == [i * i for i in range(30)], "processes")
    near, far = multiprocessing.Pipe()
    child = multiprocessing.Process(target=lambda: far.send(far.recv()[::-1]))
    child.start()
    near.send(list(range(100)))
    must(near.recv() == list(range(99, -1, -1)), "pipe")
    child.join()
    must(child.exitcode == 0, "exit code")
ok()
