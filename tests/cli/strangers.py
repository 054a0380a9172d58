# SPDX-License-Identifier: GPL-2.0-or-later
# strangers.py - one who is not the job's user tries what there is: strangers.py CHECK WORD...; prints what it tried, or fails
#
# What must not come back is the job's *secret* (it stands in its environment, its output and its words), its id and its name.
import functools, http.client, json, os, re, signal, socket, subprocess, sys

check, *words = sys.argv[1:]
job = json.loads(os.environ["JOB"])          # {"id", "name", "secret", "there": a node to move it to}
told = [job["secret"], job["id"], job["name"]]


def keeps_silent(what, text):
    for word in told:
        assert word not in text, f"{what} tells {word!r}: {text[:500]}"


def call(path, method, params, wait=3):
    """The answer to a call, and all that came on the connection meanwhile; None where none comes."""
    with socket.socket(socket.AF_UNIX) as s:
        s.settimeout(wait)
        s.connect(path)
        s.sendall(json.dumps({"jsonrpc": "2.0", "id": 1, "method": method, "params": params}).encode() + b"\n")
        text = b""
        try:
            while not re.search(rb'"id": ?1\b', text):
                part = s.recv(65536)
                if not part:
                    return None, text.decode()
                text += part
        except TimeoutError:
            return None, text.decode()
        return json.loads(text.splitlines()[-1]), text.decode()


# Methods that answer anybody, of what is anybody's or the caller's own, and those of a deputy, which count for the job that its connection
# has made, and for a connection without one do nothing. All others must refuse.
HARMLESS = {"cluster.fingerprint", "cluster.members", "cluster.waiting", "job.list", "job.events", "node.doctor", "node.list", "node.show",
            "web.token", "web.logout", "deputy.relink", "deputy.state", "deputy.end", "deputy.fetched"}


def methods(path, *names):
    """Every method of the control socket."""
    for method in names:
        for word in {"id": job["id"], "prefix": job["id"][:8], "name": job["name"], "pid": str(job["pid"])}.values():
            params = {"job": word, "id": job["id"], "node": job["there"], "signal": 9, "locked": True, "group": "strangers", "follow": False,
                      "status": 9, "epoch": 1, "token": "x", "key": "0" * 64, "authority": "0" * 64, "command": ["x"], "pid": job["pid"],
                      "memory_bytes": 1 << 28, "state": "ended", "stay": True, "speed": 1, "deadline_s": 1, "name": "x", "force": True,
                      "method": "job.kill", "migration": "x", "user": "root", "uid": 0, "claim": "0" * 64}
            answer, text = call(path, method, params)
            # what it has said itself may come back
            said = (word, params["id"]) if answer and "error" in answer else ()
            keeps_silent(method, functools.reduce(lambda rest, part: rest.replace(part, ""), said, text))
            assert answer is not None, f"{method} has not answered"
            assert "error" in answer or method in HARMLESS, (method, answer)
    _, text = call(path, "job.events", {"follow": True}, 1)
    keeps_silent("job.events", text)
    print(f"{len(names)} methods")


def commands(path, *names):
    """Every command; those that want more words than a job are said here."""
    program = os.environ["SOJOURN"]
    tries = {"run": None, "help": None, "version": None, "cluster": ["cluster", "leave"], "why": ["why", "JOB", job["there"]],
             "migrate": ["migrate", "JOB", job["there"]], "group": ["group", "strangers", "JOB"], "kill": ["kill", "-KILL", "JOB"],
             "speed": ["speed", "1"], "procfs": ["procfs", "/nowhere"], "top": ["top", "--json"], "web": ["web", "--logout"]}
    alone = {"list", "events", "nodes", "node", "stay", "block", "quiet", "expel", "bring", "drain", "doctor"}
    jobs = {"show", "wait", "attach", "home", "lock", "unlock", "suspend", "resume", "history"}
    for name in names:
        assert name in tries or name in alone or name in jobs, f"how would a stranger try \"sojourn {name}\"? say it in strangers.py"
        line = tries.get(name, [name] if name in alone else [name, "JOB"])
        for word in (job["id"], job["name"], str(job["pid"])) if line and "JOB" in line else ("",) if line else ():
            done = subprocess.run([program] + [word if part == "JOB" else part for part in line], stdin=subprocess.DEVNULL,
                                  capture_output=True, text=True, timeout=20)
            keeps_silent(f"sojourn {name}", (done.stdout + done.stderr).replace(word, ""))
            assert done.returncode or name in {"list", "events", "nodes", "node", "top", "web", "doctor"}, (name, done)
    print(f"{len(names)} commands")


def processes(*pids):
    """Of the processes that have to do with it: what /proc tells only of one's own, and signals."""
    count = 0
    for pid in pids:
        for name in "environ", "mem", "maps", "io", "stack", "syscall", "auxv", "pagemap":
            try:
                with open(f"/proc/{pid}/{name}", "rb") as f:
                    got = f.read(4096)
            except OSError:
                continue
            assert not got, f"/proc/{pid}/{name} can be read"
        for folder in "fd", "cwd", "root", "map_files":
            try:
                os.listdir(f"/proc/{pid}/{folder}")
            except OSError:
                continue
            raise AssertionError(f"/proc/{pid}/{folder} can be read")
        try:
            os.kill(int(pid), signal.SIGURG)
        except PermissionError:
            count += 1
            continue
        except ProcessLookupError:
            continue
        raise AssertionError(f"process {pid} took a signal")
    assert count >= 5, count
    print(f"{count} processes")


def files(*roots):
    """Every file and socket below these folders."""
    seen = sockets = 0
    for root in roots:
        for folder, folders, names in os.walk(root):
            keeps_silent(folder, " ".join(folders + names))
            for name in names:
                path = os.path.join(folder, name)
                seen += 1
                try:
                    with open(path, "rb") as f:
                        keeps_silent(path, f.read(1 << 24).decode(errors="replace"))
                except OSError:
                    pass
    with open("/proc/net/unix") as f:
        paths = {line.split()[7] for line in f if len(line.split()) > 7}
    for path in paths:
        if not any(root in path for root in roots):
            continue
        with socket.socket(socket.AF_UNIX) as s:
            sockets += 1
            try:
                s.settimeout(2)
                s.connect("\0" + path[1:] if path[0] == "@" else path)
            except OSError:
                continue
            assert path.endswith("/control"), f"{path} takes a stranger"
    assert sockets >= 5 or len(roots) == 1, paths
    print(f"{seen} files, {sockets} sockets")


def tcp(address, *ports):
    """TLS and HTTP ports of the node: nothing without a certificate, a token."""
    for port in ports:
        for path in "/", "/metrics", "/events", "/call":
            try:
                connection = http.client.HTTPConnection(address, int(port), timeout=2)
                connection.request("GET", path)
                keeps_silent(f"port {port}{path}", connection.getresponse().read1(65536).decode(errors="replace"))
            except (OSError, http.client.HTTPException):
                pass
    print(f"{len(ports)} ports")


def web(token, *names):
    """Every method by a session of one's own."""
    address, token = token.split("#")
    connection = http.client.HTTPConnection(address.split("/")[2], timeout=10)

    def post(path, body, headers):
        connection.request("POST", path, json.dumps(body), {"Content-Type": "application/json", **headers})
        answer = connection.getresponse()
        return answer.status, answer.headers, answer.read().decode()
    status, headers, text = post("/login", {"token": token}, {})
    assert status == 200, text
    session = {"Cookie": headers["Set-Cookie"].split(";")[0], "Sojourn-Key": json.loads(text)["key"]}
    for name in names:
        status, _, text = post("/call", {"method": name, "params": {"job": job["id"], "node": job["there"], "signal": 9, "locked": True,
                                                                    "group": "strangers"}}, session)
        keeps_silent(name, text.replace(job["id"], ""))
        assert status != 200, (name, text)
    print(f"{len(names)} methods by HTTP")


def register(path):
    """To be taken for the deputy of a job, which a controller that was started again does not know."""
    answer, text = call(path, "deputy.register", {"id": job["id"], "name": "", "command": ["x"], "pid": job["pid"], "memory_bytes": 1 << 28,
                                                  "cpus": 1, "epoch": 1, "node": job["node"], "state": "running", "claim": "0" * 64})
    assert answer and "error" in answer and "not created here by you" in answer["error"]["message"], text
    print("a job of another's is not given away")


{"methods": methods, "commands": commands, "processes": processes, "files": files, "tcp": tcp, "web": web, "register": register}[check](*words)
