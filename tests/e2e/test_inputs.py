"""Generated bad input (inputs.py): each gets the 4xx that is right for it, naming the field that is wrong; the caller is blamed, the host never sees it, hob
lives and answers the next."""

import collections
import concurrent.futures
import pathlib
import re
import threading
import time

import gates
import inputs
import pytest
import raw
from helpers import FORGIVING, SLOW


@pytest.fixture(scope="module")
def far(module_nursery):
    up = module_nursery.fake()
    return module_nursery.hob({"hosts": {"up": {"url": up.url, "probe": "never"}}, "models": {"far": {"host": "up", "serves": ["chat", "embed", "rerank"]}},
                               "roles": {role: {"model": "far"} for role in ("chat", "embed", "rerank")},
                               **FORGIVING}), up


CODES = {"invalid_json": 400, "bad_request": 400, "invalid_request": 400, "model_not_found": 404, "body_too_large": 413, "unsupported_input": 400}


def judge(case, r):
    """What is wrong with hob's answer, or None."""
    if r.status == 200:
        return None if not case.codes or case.codes == ("?",) else f"taken, and should be {case.codes}"
    if not 400 <= r.status < 500:
        return f"{r.status}"
    e = r.error()
    if e["hob"]["fault"] != "caller" or e["type"] != "invalid_request_error":
        return f"blamed on {e['hob']['fault']}, {e['type']}"
    if CODES.get(e["code"]) != r.status:
        return f"{r.status} with {e['code']}"
    if not (e["hob"].get("hint") or len(e["message"]) > 15):
        return "says nothing"
    if len(r.body) > 4000:
        return f"an answer of {len(r.body)} bytes"
    if case.codes == ("?",):  # it is JSON, whatever else it may be
        return f"JSON, and refused with {e['code']}" if e["code"] in ("invalid_json", "bad_request") else None
    if case.fine_but:
        return f"refused for {e['param']}: {e['message']}" if (e["param"] or "").startswith(case.fine_but) or e["code"] != "invalid_request" else None
    if e["code"] not in case.codes:
        return f"{e['code']} instead of {case.codes or 'an answer'}: {e['message']}"
    if case.param and e["param"] != case.param:
        return f"param {e['param']} instead of {case.param}"
    return None


class Asker:
    """Connections that are kept as long as they hold, one a thread; one good request in fifty."""

    def __init__(self, at):
        self.at, self.local, self.taken, self.lock = at, threading.local(), 0, threading.Lock()

    def ask(self, path, body):
        for again in (True, False):
            c = getattr(self.local, "c", None)
            if c is None:
                c = self.local.c = raw.Connection(self.at, timeout=30 * SLOW)
            try:
                r = c.request("POST", path, body)
            except (raw.Gone, BrokenPipeError, ConnectionResetError):
                self.local.c = None
                if not again:
                    raise
                continue
            if r.get("connection") == "close":
                self.local.c = None
            return r

    def play(self, case):
        r = self.ask(case.path, case.body)
        wrong = judge(case, r)
        if r.status == 200 or case.fine_but:  # what the host itself refuses it has seen
            with self.lock:
                self.taken += 1
        return wrong


def play(far, name, cases):
    h, up = far
    gateway, asker = h.gateway(), Asker(h.at)
    up.reset()
    before = gateway.rss()
    with concurrent.futures.ThreadPoolExecutor(6) as pool:
        wrong = list(pool.map(asker.play, cases))
    assert gateway.alive(), h.stderr()
    assert h.chat("far", "and a good one").status == 200
    seen = [r for r in up.log().requests if b"and a good one" not in r.body]
    bad = [(c, w) for c, w in zip(cases, wrong) if w]
    gates.record("bad-input", f"{name}: cases", len(cases), "")
    gates.record("bad-input", f"{name}: answered wrongly", len(bad), "= 0")
    gates.record("bad-input", f"{name}: refused, taken", f"{len(cases) - asker.taken}, {asker.taken}", "")
    gates.record("bad-input", f"{name}: RSS grew by KiB", (gateway.rss() - before) >> 10, "")
    bad = [f"{name}: {c.path} {c.name}: {w}\n    {c.body[:300]!r}" for c, w in bad]
    assert bad or len(seen) == asker.taken, "the host has seen what was refused"
    for r in seen:
        assert inputs.verdict(r.body) is None, "the host was sent what is no JSON"
    return bad


def generated(far, rng):
    reference = far[0].get("/openapi.json").json()
    return {name: list(make(reference)) for name, make in inputs.FAMILIES.items()}


@pytest.mark.torture
def test_generated_bad_input(far):
    rng = gates.rng("bad-input")
    families = generated(far, rng)
    total = sum(map(len, families.values()))
    families["mutations"] = list(inputs.mutations(rng, gates.sized(300, max(5000, 12000 - total))))
    if gates.FORM == "quick":  # some of each
        families = {name: rng.sample([c for c in cases if len(c.body) < 50000], min(110, len(cases) // 2)) for name, cases in families.items()}
    bad = [line for name, cases in families.items() for line in play(far, name, cases)]
    n = sum(map(len, families.values()))
    gates.record("bad-input", "cases in all", n, gates.sized(">= 800", ">= 10000"))
    assert not bad, f"{len(bad)} of {n}:\n" + "\n".join(bad[:60])
    assert n >= gates.sized(800, 10000)


# -- limits of the HTTP itself, just inside, on them, just outside

LINE, FIELDS, COUNT, ADMIN_BODY, BODY = 8 << 10, 32 << 10, 100, 64 << 10, 100 << 10
HOST = b"Host: localhost\r\n"


def request_line(n):
    return b"GET /livez?" + b"x" * (n - len(b"GET /livez? HTTP/1.1")) + b" HTTP/1.1\r\n" + HOST + b"\r\n"


def one_field(n):
    return b"GET /livez HTTP/1.1\r\n" + HOST + b"X: " + b"y" * (n - len(HOST) - len(b"X: \r\n")) + b"\r\n\r\n"


def many_fields(n):
    each = b"X: " + b"y" * 995 + b"\r\n"
    rest = n - len(HOST) - len(each) * 31
    return b"GET /livez HTTP/1.1\r\n" + HOST + each * 31 + b"Z: " + b"y" * (rest - len(b"Z: \r\n")) + b"\r\n\r\n"


def empty_fields(n):
    return b"GET /livez HTTP/1.1\r\n" + HOST + b"X:\r\n" * (n - 1) + b"\r\n"


HEADS = [("the request line", request_line, LINE), ("one field", one_field, FIELDS), ("many fields", many_fields, FIELDS),
         ("so many fields", empty_fields, COUNT)]


@pytest.mark.parametrize("what, make, limit", HEADS)
def test_limits_of_a_head(far, what, make, limit):
    h, _ = far
    for n, status in ((limit - 1, 200), (limit, 200), (limit + 1, 431)):
        for piece in (1 << 20, 1000, 1):
            data = make(n)
            if piece == 1 and n != limit + 1:
                continue
            with h.connect(timeout=20 * SLOW) as c:
                for i in range(0, len(data), piece):
                    try:
                        c.send(data[i:i + piece])
                    except (BrokenPipeError, ConnectionResetError):
                        break  # refused before its end
                r = c.response("GET")
                assert r.status == status, (what, n, piece, r)
                if status == 431:
                    assert r.error()["code"] == "headers_too_large" and r.get("connection") == "close" and c.ended()


def padded(path, n):
    body = inputs.body_of(path)
    return body[:-1] + b" " * (n - len(body)) + b"}"


def chunked(path, body, size=65536):
    head = b"POST " + path.encode() + b" HTTP/1.1\r\n" + HOST + b"Transfer-Encoding: chunked\r\n\r\n"
    return head + b"".join(b"%x\r\n%s\r\n" % (len(body[i:i + size]), body[i:i + size]) for i in range(0, len(body), size)) + b"0\r\n\r\n"


def send_all(c, data):
    try:
        c.send(data)
    except (BrokenPipeError, ConnectionResetError):
        pass  # refused before its end


@pytest.fixture(scope="module")
def small(far, module_nursery):
    _, up = far
    return module_nursery.hob({"hosts": {"up": {"url": up.url, "probe": "never"}}, "models": {"far": {"host": "up", "serves": ["chat", "embed", "rerank"]}},
                               "limits": {"body": f"{BODY}B"}})


@pytest.mark.parametrize("path", inputs.PATHS)
def test_limits_of_a_body(small, path):
    h = small
    for n, status in ((1023, 200), (BODY - 1, 200), (BODY, 200), (BODY + 1, 413)):
        for data in (raw.request_bytes("POST", path, padded(path, n)), chunked(path, padded(path, n))):
            with h.connect(timeout=20 * SLOW) as c:
                send_all(c, data)
                r = c.response()
                assert r.status == status, (path, n, r)
                if status == 413:
                    assert r.error()["code"] == "body_too_large" and r.error()["hob"]["fault"] == "caller"


# -- what a head may say to hob

HEADERS = [("x-hob-hops", v) for v in ("", "-1", "x", "99999999999999999999", "1.5", "0x1", "1 2", "\t3")] + [
    ("x-hob-class", v) for v in ("", "root", "chat,chat", "CHAT", "background;x", "\xff", "a" * 8000)] + [
    (name, v) for name in ("x-hob-session", "x-client-request-id", "x-request-id", "traceparent", "x-hob-private", "x-hob-wait", "x-hob-as",
                           "x-hob-schema-raw", "user-agent", "origin", "authorization", "content-type", "accept")
    for v in ("", "a" * 8000, "\xff\xfe", "%0d%0ax-evil:1", "'; DROP TABLE requests; --", "\x80" * 100, "null", "${env:HOME}", "../../x", "a\tb", "Bearer",
              "Bearer ", "Basic Og==")]


@pytest.mark.torture
def test_odd_values_of_known_headers_do_no_harm(far):
    h, up = far
    gateway = h.gateway()
    up.reset()
    statuses = collections.Counter()
    for name, value in HEADERS:
        body = inputs.body_of("/v1/chat/completions")
        data = b"POST /v1/chat/completions HTTP/1.1\r\n" + HOST + b"Content-Length: %d\r\n" % len(body) + f"{name}: {value}\r\n\r\n".encode("latin-1") + body
        with h.connect(timeout=20 * SLOW) as c:
            c.send(data)
            r = c.response()
            statuses[r.status] += 1
            assert r.get("x-evil") is None
            if r.status != 200:
                assert 400 <= r.status < 500 or r.status in (502, 503, 508), (name, value[:40], r)
                assert r.error()["hob"]["fault"] in ("caller", "gateway"), (name, value[:40], r)
    assert not any(record.get("x-evil") for record in up.log().requests)
    assert gateway.alive() and statuses[200] >= len(HEADERS) * 0.8, statuses


# -- the admin door


ADMIN = [
    # path, body, status, param
    *((f"/hob/v1/models/{what}", body, status, param) for what in ("load", "unload") for body, status, param in (
        (b"", 400, None), (b"{", 400, None), (b"[]", 400, "model"), (b"null", 400, "model"), (b"{}", 400, "model"), (b'{"model":1}', 400, "model"),
        (b'{"model":null}', 400, "model"), (b'{"model":""}', 400, "model"), (b'{"model":[]}', 400, "model"),
        (b'{"model":{}}', 400, "model"), (b'{"model":"far","pin":1}', 400, "pin"), (b'{"model":"far","pin":"yes"}', 400, "pin"),
        (b'{"model":"far","pin":[]}', 400, "pin"), (b'{"model":"nobody"}', 404, "model"), (b'{"model":"../../etc/passwd"}', 404, "model"),
        (b'{"model":"%n%s"}', 404, "model"), (b'{"model":"\\u0000"}', 404, "model"), (b'{"model":"a\\r\\nx-evil: 1"}', 404, "model"),
        (b'{"model":"' + b"x" * 60000 + b'"}', 404, "model"), (b'{"model":"far","model":"far"}', 400, "model"), (b'{"model":"\xff"}', 400, None),
        (b'{"model":"\\ud800"}', 400, None), (b'{"model":"far"}x', 400, None), (b"[" * 1000, 400, None),
        (b'{"model":"far","x":' + b"[" * 70 + b"]" * 70 + b"}", 400, None), (b'{"model":' + b" " * ADMIN_BODY + b'"far"}', 413, None))),
    *(("/hob/v1/route/explain", body, 400, param) for body, param in (
        (b"", None), (b"{", None), (b"[]", None), (b"null", None), (b'{"model":1}', None), (b'{"model":"far"}', "messages"),
        (b'{"model":"far","messages":[]}', "messages"), (b'{"model":"far","messages":[{"role":"x","content":"a"}]}', "messages[0].role"),
        (b'{"model":"far","messages":[{"role":"user","content":"a"}],"temperature":9}', "temperature"),
        (b'{"model":"far","messages":[{"role":"user","content":"\xff"}]}', None))),
]
QUERIES = ["n=0", "n=-1", "n=x", "n=10001", "n=99999999999999999999", "n=", "n=1.5", "n=%31%00", "since=x", "since=-1", "since=",
           "since=99999999999999999999h", "since=9999-99-99", "since=%ff", "until=x", "until=2h2", "x=1", "N=1", "n=1&n=x", "%6e=x", "=1&x=", "id", "limit=1",
           "since=2026-02-30x", "faults"]


@pytest.mark.torture
def test_bad_input_at_the_admin_door(far):
    h, _ = far
    gateway, at = h.gateway(), str(h.state / "hob.sock")
    for path, body, status, param in ADMIN:
        r = raw.call(at, "POST", path, body)
        e = r.error()
        assert (r.status, e["hob"]["fault"]) == (status, "caller") and r.get("x-evil") is None and len(r.body) < 4000, (path, body[:80], r)
        assert param is None or e["param"] == param, (path, body[:80], e)
    for view in ("logs", "gain", "callers"):
        for query in QUERIES:
            r = raw.call(at, "GET", f"/hob/v1/{view}?{query}")
            assert r.status in (200, 400), (view, query, r)
            assert r.status == 200 or r.error()["hob"]["fault"] == "caller", (view, query, r)
    for query in QUERIES[:4] + ["since=x", "x=1"]:
        assert raw.call(at, "GET", f"/hob/v1/logs?{query}").status == 400, query
    assert gateway.alive() and raw.call(at, "GET", "/hob/v1/ps").status == 200
    gates.record("bad-input", "at the admin door: cases", len(ADMIN) + 3 * len(QUERIES), "")


# -- an engine of ours: what it is sent is made anew, and headers tell what was left out

@pytest.mark.torture
def test_names_of_fields_that_an_engine_does_not_get(module_nursery):
    h = module_nursery.managed("m")
    child, rng = h.child("m"), gates.rng("bad-names")
    names = ["a\r\nx-evil: 1", "a\0b", "\u202e", "é" * 40, "😀", "a,b", "a b", "a:b", '"', "\\", "\x7f", "\x01", "__proto__", "x" * 5000, "",
             "chat_template", "id_slot", "n_discard", "lora_path", "slot_id", "image_url",
             "".join(chr(rng.choice((rng.randrange(1, 0x250), 0x1f600))) for _ in range(60))]
    for name in names:
        r = h.chat("m", "hi", **{name: 1})
        assert r.status == 200 and r.get("x-evil") is None, (name, r)
        told = r.get("x-hob-dropped") or ""
        assert all(0x20 <= ord(c) < 0x7f for c in told) and len(told) < 4096, told
    assert all(set(r.json()) <= {"messages", "stream", "stream_options", "max_tokens", "model", "cache_prompt", "n_predict", "return_progress",
                                 "timings_per_token", "chat_template_kwargs"}
               for r in child.control.log().chats), child.control.log().chats[-1].json().keys()
    many = {f"unknown{i}": i for i in range(20000)}
    r = h.chat("m", "hi", **many)
    assert r.status == 200 and len(r.get("x-hob-dropped")) < 8192


# -- bombs: small for who sends them, large for who reads them

MIB = 1 << 20


def filled(n, opening, item, closing, between=","):
    each = len(item) + len(between)
    return (opening + between.join([item] * ((n - len(opening) - len(closing)) // each)) + closing).encode()


def counted(n, opening, item, closing):
    """The same, %d in the item being its number."""
    parts, left = [], n - len(opening) - len(closing)
    while left > 0:
        parts.append(item.replace("%d", str(len(parts))))
        left -= len(parts[-1]) + 1
    return (opening + ",".join(parts[:-1]) + closing).encode()


CHAT_HEAD, CHAT_TAIL = '{"model":"far","messages":[{"role":"user","content":"hi"}],', "}"


def bombs(n):
    """[(name, path, body of about n bytes)]"""
    chat, text, embed, rerank = inputs.PATHS
    say = '{"model":"far","messages":['
    yield "numbers", chat, filled(n, CHAT_HEAD + '"x":[', "0", "]}")
    yield "arrays", chat, filled(n, CHAT_HEAD + '"x":[', "[]", "]}")
    yield "objects", chat, filled(n, CHAT_HEAD + '"x":[', "{}", "]}")
    yield "empty texts", chat, filled(n, CHAT_HEAD + '"x":[', '""', "]}")
    yield "nested sixty deep", chat, filled(n, CHAT_HEAD + '"x":[', "[" * 60 + "]" * 60, "]}")
    yield "keys", chat, counted(n, CHAT_HEAD + '"metadata":{', '"k%d":0', "}}")
    yield "keys in small objects", chat, filled(n, CHAT_HEAD + '"x":[', "{" + ",".join(f'"{c}":0' for c in "abcdefghijklmnop") + "}", "]}")
    yield "one number", chat, (CHAT_HEAD + '"x":' + "1" * (n - 90) + "}").encode()
    yield "one fraction", chat, (CHAT_HEAD + '"x":0.' + "1" * (n - 90) + "}").encode()
    yield "one key", chat, (CHAT_HEAD + '"' + "k" * (n - 90) + '":1}').encode()
    yield "escapes", chat, filled(n, CHAT_HEAD + '"x":"', "\\u0000", '"}', "")
    yield "a text of escapes", chat, filled(n, say + '{"role":"user","content":"', "\\ud83d\\ude00", '"}]}', "")
    yield "a text", chat, filled(n, say + '{"role":"user","content":"', "word ", '"}]}', "")
    yield "messages", chat, filled(n, say, '{"role":"user","content":""}', "]}")
    yield "parts", chat, filled(n, say + '{"role":"user","content":[', '{"type":"text","text":""}', "]}]}")
    yield "tools", chat, counted(n, CHAT_HEAD + '"tools":[', '{"type":"function","function":{"name":"f%d"}}', "]}")
    properties = ",".join(f'"p{i}":{{"type":"string","enum":["a","b"]}}' for i in range(200))
    large = '{"type":"function","function":{"name":"f%d","parameters":{"type":"object","properties":{' + properties + "}}}}"
    yield "large tools", chat, counted(n, CHAT_HEAD + '"tools":[', large, "]}")
    allowed = '"tools":[{"type":"function","function":{"name":"f"}}],"tool_choice":{"type":"allowed_tools","allowed_tools":{"mode":"auto","tools":['
    yield "allowed tools", chat, counted(n // 2, CHAT_HEAD + allowed, '{"type":"function","function":{"name":"g%d"}}', "]}}}")
    yield "biases", chat, counted(n, CHAT_HEAD + '"logit_bias":{', '"%d":-1', "}}")
    yield "stops", chat, filled(n, CHAT_HEAD + '"stop":[', '"x"', "]}")
    yield "blanks", chat, filled(n, CHAT_HEAD, " ", '"x":1}', "")
    yield "tokens", text, filled(n, '{"model":"far","prompt":[', "1", "]}")
    yield "prompts", text, filled(n, '{"model":"far","prompt":[', '""', "]}")
    yield "inputs", embed, filled(n, '{"model":"far","input":[', '"x"', "]}")
    yield "lists of tokens", embed, filled(n // 16, '{"model":"far","input":[', "[1]", "]}")  # the fake is slow with many
    yield "documents", rerank, filled(n, '{"model":"far","query":"q","documents":[', '""', "]}")
    yield "no JSON, at its end", chat, filled(n, CHAT_HEAD + '"x":[', "0", "]}")[:-1] + b"x"
    yield "no UTF-8, at its end", chat, filled(n, say + '{"role":"user","content":"', "word ", '"}]}', "")[:-5] + b'\xff"}]}'
    secrets = "4111 1111 1111 1111 a@b.example sk-abcdefghijklmnopqrstuvwx +1 202 555 0100 "
    yield "secrets", chat, filled(n, say + '{"role":"user","content":"', secrets, '"}]}', "")
    yield "brackets", chat, filled(n, say + '{"role":"user","content":"', "[{(<```", '"}]}', "")


class Watch(threading.Thread):
    """Asks /livez all the time, on a connection of its own: how long did the loop let it wait at most?"""

    def __init__(self, at):
        super().__init__(daemon=True)
        self.at, self.worst, self.over = at, 0.0, threading.Event()

    def run(self):
        with raw.Connection(self.at, timeout=60 * SLOW) as c:
            while not self.over.is_set():
                began = time.monotonic()
                assert c.request("GET", "/livez").status == 200
                self.worst = max(self.worst, time.monotonic() - began)

    def stop(self):
        self.over.set()
        self.join()
        return self.worst


def memory(pid, what):
    return int(re.search(rf"^{what}:\s+(\d+) kB", pathlib.Path(f"/proc/{pid}/status").read_text(), re.M)[1]) << 10


@pytest.mark.torture
def test_bombs(far, module_nursery):
    """A body, with the answer to it, may cost a hundred times its size, and no more; how long each holds the loop is told."""
    _, up = far
    n = gates.sized(MIB, 8 * MIB - 1000)
    h = module_nursery.hob({"hosts": {"up": {"url": up.url, "probe": "never"}}, "models": {"far": {"host": "up", "serves": ["chat", "embed", "rerank"]}},
                            "tiers": {"fast": "far", "heavy": "far"}, "privacy": {"detect": "local"}, **FORGIVING})
    gateway, worst = h.gateway(), []
    for name, path, body in bombs(n):
        for model in ("far", "auto") if path.endswith("chat/completions") else ("far",):
            body = body.replace(b'"model":"far"', b'"model":"%s"' % model.encode(), 1)
            pathlib.Path(f"/proc/{gateway.pid}/clear_refs").write_text("5")
            before, watch = memory(gateway.pid, "VmRSS"), Watch(h.at)
            watch.start()
            r = h.post(path, body, timeout=120 * SLOW)
            waited = watch.stop()
            assert r.status == 200 or r.error()["hob"]["fault"] in ("caller", "backend"), (name, r)  # an answer to it may be too large
            assert gateway.alive(), name
            times = max(0, memory(gateway.pid, "VmHWM") - before) / (len(body) + len(r.body))  # what the host says to it is input, too
            worst.append((waited, times, f"{name}, {model}"))
            print(f"{waited * 1000:7.0f} ms {times:6.1f} x  {name}, {model}")
            assert times <= 100, (name, times)
            up.reset()
    slowest, largest = max(worst), max(worst, key=lambda w: w[1])
    gates.record("bad-input", f"bombs of {n >> 10} KiB: memory by size, at most", round(largest[1], 1), "<= 100", which=largest[2])
    gates.record("bad-input", f"bombs of {n >> 10} KiB: another request waited ms, at most", round(slowest[0] * 1000), "", which=slowest[2])
