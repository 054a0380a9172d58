#!/usr/bin/python3
"""interpreter.py - big numbers, generators, collection of garbage, pickles, regular expressions: the same each round"""
import collections, gc, math, os, pickle, random, re, sys, weakref
sys.path.insert(0, os.path.dirname(os.path.realpath(__file__)))
from lib import fact, more, must, ok


class Node:
    pass


def once():
    numbers = random.Random(7)
    big = math.factorial(600) % (10 ** 40 + 7)
    table = collections.defaultdict(list)
    for i in range(3000):
        table[numbers.randrange(50)].append(i)
    one, two = Node(), Node()
    one.other, two.other = two, one
    gone = weakref.ref(one)
    del one, two
    gc.collect()
    must(gone() is None, "a cycle was not collected")
    back = pickle.loads(pickle.dumps(dict(table)))
    words = re.findall(r"\b(\w+)ing\b", "running jumping standing still being")
    return big, sorted(back) == sorted(table), words, sum(math.sin(x) for x in range(1000)), sum(
        x * x for x in range(9999) if x % 7)


first = once()
while more():
    fact(repr(first))
    must(once() == first, "a result is another")
ok()
