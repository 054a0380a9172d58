"""lib.py - what the Python payloads share: more() is true until the time is over, must() ends with a verdict"""
import os, sys, time

name = os.path.basename(sys.argv[0])
began = time.monotonic()
rounds = 0


def more():
    global rounds
    rounds += 1
    return rounds == 1 or time.monotonic() - began < float(os.environ.get("PAYLOAD_SECONDS", "3"))


def must(condition, what):
    if not condition:
        print("%s: WRONG: %s (round %d)" % (name, what, rounds), flush=True)
        os._exit(1)


def fact(text):
    if rounds == 1:
        print("%s: %s" % (name, text), flush=True)


def ok():
    print("%s: ok" % name, flush=True)
