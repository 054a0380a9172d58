#!/usr/bin/python3
"""events.py - asyncio: tasks, timers, a subprocess, a socket pair"""
import asyncio, os, socket, sys, time
sys.path.insert(0, os.path.dirname(os.path.realpath(__file__)))
from lib import more, must, ok


async def echo(end):
    reader, writer = await asyncio.open_connection(sock=end)
    while line := await reader.readline():
        writer.write(line.upper())
        await writer.drain()
    writer.close()


async def round_trip():
    near, far = socket.socketpair()
    server = asyncio.create_task(echo(far))
    reader, writer = await asyncio.open_connection(sock=near)
    for i in range(100):
        writer.write(b"line %d\n" % i)
        must(await reader.readline() == b"LINE %d\n" % i, "echo")
    writer.close()
    await server
    before = time.monotonic()
    await asyncio.gather(*(asyncio.sleep(0.03) for _ in range(20)))
    must(time.monotonic() - before >= 0.0299, "a timer was early")
    child = await asyncio.create_subprocess_exec("cat", stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE)
    out, _ = await child.communicate(b"x" * 100000)
    must(out == b"x" * 100000 and child.returncode == 0, "subprocess")


while more():
    asyncio.run(round_trip())
ok()
