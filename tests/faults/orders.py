"""orders.py JOB NODE...: orders JOB to each NODE at once, in one write on the control socket, and says what each order came to.

A line an order, as they are answered: "NODE moved", "NODE is there already" or "NODE refused: SENTENCE".
"""
import json
import os
import socket
import sys

job, *nodes = sys.argv[1:]
control = socket.socket(socket.AF_UNIX)
control.settimeout(60)
control.connect(os.environ["SOJOURN_SOCKET"])
orders = [{"jsonrpc": "2.0", "id": number, "method": "job.migrate", "params": {"job": job, "node": node}}
          for number, node in enumerate(nodes)]
control.sendall(b"".join(json.dumps(order).encode() + b"\n" for order in orders))
answers = 0
for line in control.makefile():
    answer = json.loads(line)
    if "method" in answer:
        continue
    error = answer.get("error")
    there = not error and answer["result"].get("there")
    print(nodes[answer["id"]], "refused: " + error["message"] if error else "is there already" if there else "moved", flush=True)
    answers += 1
    if answers == len(nodes):
        break
