#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""web.py - a client of a node's HTTP view for web.sh: a check a word, each says what it found, or fails

web.py CHECK ADDRESS [WORD]...
"""
import http.client, json, re, socket, sys, time

check, address, words = sys.argv[1], sys.argv[2], sys.argv[3:]


def parse(address):
    port, token = re.fullmatch(r"http://127\.0\.0\.1:(\d+)/#([0-9a-f]{64})", address).groups()
    return int(port), token


port, token = parse(address)


def ask(method, path, body=None, headers=None, raw=False):
    """One request: status, headers, text (or what it is as JSON)."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    headers = dict(headers or {})
    if body is not None:
        headers.setdefault("Content-Type", "application/json")
        body = body if isinstance(body, (bytes, str)) else json.dumps(body)
    connection.request(method, path, body, headers)
    answer = connection.getresponse()
    text = answer.read().decode()
    connection.close()
    if text and not raw and answer.headers.get_content_type() == "application/json":
        text = json.loads(text)
    return answer.status, answer.headers, text


def login(token):
    status, headers, answer = ask("POST", "/login", {"token": token})
    assert status == 200, (status, answer)
    cookie = headers["Set-Cookie"]
    assert "HttpOnly" in cookie and "SameSite=Strict" in cookie and "Path=/" in cookie, cookie
    return answer, {"Cookie": cookie.split(";")[0], "Sojourn-Key": answer["key"]}


def call(session, method, **params):
    return ask("POST", "/call", {"method": method, "params": params}, session)


class Events:
    """The events of a page that follows; nodes and jobs as they are known."""

    def __init__(self, session=None):
        self.connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
        self.connection.request("GET", "/events", headers=session or {})
        self.answer = self.connection.getresponse()
        assert self.answer.status == 200, self.answer.read()
        assert self.answer.headers.get_content_type() == "text/event-stream"
        self.nodes, self.jobs, self.news, self.progress, self.hello, self.text = {}, {}, [], [], None, ""

    def next(self):
        lines = []
        while (line := self.answer.readline().decode()) not in ("\n", ""):
            lines.append(line)
        if not line:
            return None
        self.text += "".join(lines)
        fields = dict(l.rstrip("\n").split(": ", 1) for l in lines if not l.startswith(":"))
        if not fields:
            return "comment"
        data, kind = json.loads(fields["data"]), fields["event"]
        if kind in ("nodes", "jobs"):
            rows = getattr(self, kind)
            for key in data["gone"]:
                del rows[key]
            rows.update({row["name" if kind == "nodes" else "id"]: row for row in data["set"]})
        elif kind in ("news", "progress"):
            getattr(self, kind).append(data)
        elif kind == "hello":
            self.hello = data
        return kind

    def until(self, condition, seconds=20):
        end = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < end, "what was waited for does not happen"
            assert self.next(), "the stream has ended"

    def job(self, name):
        return next((job for job in self.jobs.values() if job["name"] == name), None)


def anybody(name, secret, user):
    status, headers, page = ask("GET", "/")
    assert status == 200 and "<svg" in page
    policy = headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy and "unsafe" not in policy and "*" not in policy, policy
    for header in ("X-Content-Type-Options", "X-Frame-Options", "Referrer-Policy", "Cache-Control", "Cross-Origin-Resource-Policy"):
        assert headers[header], header
    # all that the page needs is here
    files, seen = ["/"], set()
    while files:
        file = files.pop()
        if file in seen:
            continue
        seen.add(file)
        status, headers, text = ask("GET", file)
        assert status == 200, (file, status)
        assert not re.search(r"""(?:https?:)?//[a-z0-9.-]+\.[a-z]""", text.replace("http://www.w3.org", "")), file
        assert not re.search(r"<script>|\son\w+=|style=\"", text), file
        files += ["/" + f for f in re.findall(r"""(?:src|href)="(?!#)([^"]+)"|from "\./([^"]+)\"""", text) for f in f if f]
    assert {"/app.js", "/style.css", "/icon.svg"} <= seen, seen
    events = Events()
    events.until(lambda: len(events.nodes) == 3 and events.nodes["node1"].get("jobs") == 1)
    end = time.monotonic() + 2.5
    while time.monotonic() < end:
        assert events.next()
    assert events.hello["user"] is None and not events.hello["admin"]
    assert not events.jobs and not events.news
    for word in (name, secret, user):
        assert word not in events.text, f"{word} in {events.text}"
    assert {"name", "state", "load", "cpus", "memory_total_bytes", "jobs"} <= set(events.nodes["node1"])
    for method in ("job.migrate", "job.show", "job.kill"):
        status, _, answer = call({}, method, job=name, node="node3", signal=9)
        assert status == 401 and answer["error"]["kind"] == "denied", answer
    print(f"{len(seen)} files; nodes and counts for everybody, no job")


def metrics():
    """The text format 0.0.4, strictly."""
    status, headers, text = ask("GET", "/metrics", raw=True)
    assert status == 200 and headers["Content-Type"].startswith("text/plain; version=0.0.4"), headers["Content-Type"]
    name, label = r"[a-zA-Z_:][a-zA-Z0-9_:]*", r'[a-zA-Z_][a-zA-Z0-9_]*="(?:[^"\\\n]|\\["\\n])*"'
    labels = rf"\{{{label}(?:,{label})*\}}"
    types, helps, values, family = {}, set(), {}, None
    assert text.endswith("\n")
    for line in text.split("\n")[:-1]:
        if match := re.fullmatch(rf"# HELP ({name}) \S.*", line):
            assert match[1] not in helps, line
            helps.add(family := match[1])
        elif match := re.fullmatch(rf"# TYPE ({name}) (counter|gauge|histogram|summary|untyped)", line):
            assert match[1] == family and family not in types, line
            types[family] = match[2]
        else:
            match = re.fullmatch(rf"({name})({labels})? ([-+]?(?:\d+(?:\.\d+)?(?:e[-+]?\d+)?|Inf)|NaN)", line)
            assert match, f"no sample: {line}"
            base = re.sub("_(bucket|sum|count)$", "", match[1]) if types.get(family) == "histogram" else match[1]
            assert base == family and family in types, line
            assert (match[1], match[2]) not in values, line
            values[match[1], match[2]] = float(match[3])
            assert (types[family] == "counter") == (family.endswith("_total")), line
    for family in (f for f, kind in types.items() if kind == "histogram"):
        buckets = [v for (n, _), v in values.items() if n == family + "_bucket"]
        assert buckets == sorted(buckets) and (family + "_bucket", '{le="+Inf"}') in values
        assert buckets[-1] == values[family + "_count", None] and (family + "_sum", None) in values
    assert values["sojourn_nodes", '{state="alive"}'] == 3
    assert values["sojourn_jobs", '{state="running"}'] == 1 and values["sojourn_guests", None] == 1
    assert values["sojourn_jobs_started_total", None] == 1
    assert 0 < values["process_cpu_seconds_total", None] < 600 and values["process_resident_memory_bytes", None] > 1e6
    assert abs(time.time() - values["process_start_time_seconds", None]) < 600
    assert values["sojourn_node_memory_free_bytes", None] <= values["sojourn_node_memory_bytes", None]
    assert "secret-word" not in text and "walker" not in text
    print(f"{len(types)} families, {len(values)} samples")
    return values


def refused():
    _, session = login(token)
    body = {"method": "job.migrate", "params": {"job": "walker", "node": "node3"}}
    own = f"http://127.0.0.1:{port}"

    def wants(wanted, method, path, body=None, **headers):
        headers = {k.replace("_", "-"): v for k, v in headers.items()}
        status, _, answer = ask(method, path, body, headers)
        assert status in (wanted if isinstance(wanted, tuple) else (wanted,)), (wanted, status, method, path, headers, answer)

    wants(403, "POST", "/login", {"token": token})
    wants(403, "POST", "/login", {"token": "0" * 64})
    # names that lead here by somebody else's name server
    for host in ("evil.example", "127.0.0.1.evil.example", f"localhost.evil.example:{port}", "127.0.0.2", "[::1]", ""):
        for path in ("/", "/metrics", "/events"):
            wants((400, 421), "GET", path, Host=host, **session)
        wants((400, 421), "POST", "/call", body, Host=host, **session)
    wants((400, 421), "GET", "http://evil.example/metrics", **session)
    wants(200, "GET", "/metrics", Host=f"localhost:{port}")
    # other sites' pages
    for headers in ({"Origin": "http://evil.example"}, {"Origin": "null"}, {"Origin": "http://127.0.0.1:1"},
                    {"Origin": f"http://localhost:{port}"}, {"Sec-Fetch-Site": "cross-site"}, {"Sec-Fetch-Site": "same-site"},
                    {"Origin": own, "Sec-Fetch-Site": "cross-site"}):
        wants(403, "POST", "/call", body, **headers, **session)
        wants(403, "POST", "/login", {"token": "0" * 64}, **headers)
        wants(403, "GET", "/events", **headers, **session)
    wants(415, "POST", "/call", "method=job.migrate", Content_Type="application/x-www-form-urlencoded", **session)
    wants(415, "POST", "/call", json.dumps(body), Content_Type="text/plain", **session)
    # half a session is none
    wants(401, "POST", "/call", body, Cookie=session["Cookie"])
    wants(401, "POST", "/call", body, Sojourn_Key=session["Sojourn-Key"])
    wants(401, "POST", "/call", body, Cookie=session["Cookie"], Sojourn_Key="0" * 64)
    wants(401, "POST", "/call", body, Cookie=session["Cookie"] + "; " + session["Cookie"], Sojourn_Key=session["Sojourn-Key"])
    # what cannot be called, and what is nonsense
    for method in ("deputy.create", "node.stop", "node.standing", "cluster.token", "web.token", "job.list", "job.wait", "job.events", ""):
        wants(400, "POST", "/call", {"method": method, "params": {}}, **session)
    for text in ("", "[]", "null", "{", '{"method": 1}', '{"method": "job.show", "params": []}', "[" * 1000, b"\xff\xfe", b"\0"):
        wants(400, "POST", "/call", text, **session)
    wants(413, "POST", "/call", "x" * 20000, **session)
    try:
        wants(413, "POST", "/login", "x" * 2000000)
    except ConnectionError:
        pass  # cut off while it was still sending
    wants(413, "GET", "/", "{}")
    for method in ("PUT", "DELETE", "HEAD", "OPTIONS", "TRACE", "GET"):
        wants(405, method, "/call", **session)
    wants(405, "POST", "/", {})
    for path in ("/../etc/passwd", "/%2e%2e/etc/passwd", "/..%2fetc/passwd", "//etc/passwd", "/index.html", "/app.js/",
                 "/app.js/../files.xml", "/./files.xml", "/files.xml", "/app.js%00", "/%", "/events/x", "/call?x", "/" + "a" * 3000):
        wants((400, 404, 405), "GET", path)
    for request in (b"GET / HTTP/1.1\r\nX: " + b"y" * 200000 + b"\r\n\r\n", b"GET / HTTP/1.0\r\n\r\n", b"nonsense\r\n\r\n",
                    b"POST /login HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
                    b"Transfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n"):
        raw = socket.create_connection(("127.0.0.1", port), 20)
        try:
            raw.sendall(request)
            assert b" 200 " not in raw.recv(1000), request[:40]
        except ConnectionError:
            pass
        raw.close()
    status, _, shown = call(session, "job.show", job="walker")
    assert status == 200 and shown["result"]["migrations"] == 0 and shown["result"]["node"] == "node1", shown
    ask("POST", "/logout", {}, session)
    print("names, sites, halves of sessions, calls, bodies, paths")


def user(name, secret, home, there):
    who, session = login(token)
    events = Events(session)
    events.until(lambda: events.job(name) and events.nodes)
    job = events.job(name)
    assert events.hello["user"] == who["user"] == job["user"] and secret in job["command"], job
    before = metrics_quiet()
    begun = time.monotonic()
    status, _, moved = call(session, "job.migrate", job=job["id"], node=there)
    assert status == 200 and moved["result"]["to"] == there and moved["result"]["downtime_ms"] >= 0, moved
    events.until(lambda: events.job(name)["node"] == there)
    seen = time.monotonic() - begun
    assert seen < 3 + moved["result"]["total_ms"] / 1000, seen
    events.until(lambda: any(event["kind"] == "moved" for event in events.news))
    status, _, answer = call(session, "job.migrate", job=name, node="nowhere")
    assert status in (404, 409) and "nowhere" in answer["error"]["text"], (status, answer)
    for locked in (True, False):
        status, _, answer = call(session, "job.lock", job=name, locked=locked)
        events.until(lambda: events.job(name)["locked"] is locked)
    status, _, answer = call(session, "job.migrate", job=name, node="home")
    assert status == 200 and answer["result"]["to"] == home, answer
    after = metrics_quiet()
    for key, least in ((("sojourn_migrations_total", '{result="moved"}'), 2), (("sojourn_migrations_total", '{result="refused"}'), 1),
                       (("sojourn_migration_duration_seconds_count", None), 2), (("sojourn_migration_bytes_total", None), 2),
                       (("sojourn_migration_downtime_seconds_count", None), 2)):
        assert after[key] - before[key] >= least, (key, before[key], after[key])
    assert after["sojourn_web_sessions", None] >= 1 and after["sojourn_web_streams", None] >= 1
    ask("POST", "/logout", {}, session)
    while events.next():
        pass
    assert call(session, "job.show", job=name)[0] == 401
    print(f"moved to {there}: seen {seen:.2f} s after the order")


def metrics_quiet():
    text = ask("GET", "/metrics", raw=True)[2]
    return {(m[1], m[2]): float(m[3]) for m in re.finditer(r"^(\w+)(\{[^ ]*\})? (\S+)$", text, re.M)}


def stranger(name, secret):
    who, session = login(token)
    assert not who["admin"]
    events = Events(session)
    end = time.monotonic() + 2.5
    events.until(lambda: events.nodes)
    while time.monotonic() < end:
        assert events.next()
    assert name not in events.text and secret not in events.text and not events.jobs, events.text
    for method, params in (("job.show", {}), ("job.migrate", {"node": "node3"}), ("job.kill", {"signal": 9}),
                           ("job.lock", {"locked": True}), ("job.suspend", {}), ("job.why", {"node": "node3"})):
        status, _, answer = call(session, method, job=name, **params)
        assert status == 404 and secret not in json.dumps(answer), (method, status, answer)
    print(f"{who['user']} neither sees nor commands it")


def admin(name, node):
    who, session = login(token)
    assert who["admin"]
    events = Events(session)
    events.until(lambda: events.job(name))
    status, _, answer = call(session, "job.migrate", job=name, node=node)
    assert status == 200, answer
    events.until(lambda: events.job(name)["node"] == node)
    print("an administrator sees and commands all")


def rights(name, change):
    who, session = login(token)
    assert who["admin"]
    events = Events(session)
    events.until(lambda: events.job(name))
    assert call(session, "job.show", job=name)[0] == 200
    open(change).read()
    assert call(session, "job.show", job=name)[0] == 401
    while events.next():
        pass
    print("a session ends with the rights that it had")


def ends(second, logout):
    _, session = login(token)
    events = Events(session)
    said = open(logout).read()
    assert said.startswith("1 session"), said
    while events.next():
        pass
    assert call(session, "job.show", job="walker")[0] == 401
    status, _, _ = ask("POST", "/login", {"token": parse(second)[1]})
    assert status == 403, "a token has outlived the log-out"
    print("by sojourn web --logout")


def slow():
    """Connections that say nothing, half of something, or do not listen: bounded in number and time; the node goes on."""
    held = []
    for i in range(130):
        s = socket.create_connection(("127.0.0.1", port), 5)
        s.settimeout(30)
        held.append(s)
        try:
            s.sendall(b"" if i % 2 else b"POST /login HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
                      b"Content-Length: 100\r\n\r\n{")
        except ConnectionError:
            pass
    begun = time.monotonic()
    refused = 0
    for s in held[-10:]:
        try:
            refused += s.recv(1) == b""
        except ConnectionError:
            refused += 1
    assert refused == 10 and time.monotonic() - begun < 5, "there is no limit to connections"
    for s in held:
        try:
            while s.recv(4096):
                pass
        except ConnectionError:
            pass
    took = time.monotonic() - begun
    assert took < 25, f"slow clients are borne for {took:.0f} s"
    assert ask("GET", "/")[0] == 200
    print(f"130 connections: those too many refused, the others cut off after {took:.0f} s")


checks = {"anybody": anybody, "metrics": metrics, "refused": refused, "user": user, "stranger": stranger, "admin": admin, "rights": rights,
          "ends": ends, "slow": slow}
checks[check](*words)
