"""What callers get wrong: the right 4xx in OpenAI's shape, saying what to do; nothing crashes; the child never sees it."""

import json
import time

import pytest
import raw
from helpers import SLOW, chat_body

CHAT = "/v1/chat/completions"


@pytest.fixture(scope="module")
def shared(module_nursery):
    return module_nursery.managed("smollm2", config={"roles": {"chat": {"model": "smollm2"}}, "limits": {"body": "1MiB"}})


@pytest.fixture
def hob(shared):
    """hob, and afterwards: the same processes live, and the child has seen no chat."""
    child = shared.child("smollm2")
    gateway = shared.gateway()
    child.control.reset()
    yield shared
    assert gateway.alive() and child.alive(), shared.stderr()
    assert child.control.log().chats == [], "the child saw it"
    assert shared.get("/livez").status == 200


GOOD = chat_body("smollm2", "hi")
ASKING = b'{"model":"smollm2","messages":[{"role":"user","content":"hi"}],'
BODIES = [
    # body, code, param
    (ASKING + b'"response_format":{"type":"yaml"}}', "invalid_request", "response_format.type"),
    (ASKING + b'"response_format":{"type":null}}', "invalid_request", "response_format.type"),
    (ASKING + b'"text":{"format":{"type":"xml"}}}', "invalid_request", "text.format.type"),
    (ASKING + b'"format":"yaml"}', "invalid_request", "format"),
    (ASKING + b'"reasoning_effort":"enormous"}', "invalid_request", "reasoning_effort"),
    (ASKING + b'"reasoning":{"effort":"ultra"}}', "invalid_request", "reasoning"),
    (ASKING + b'"thinking":{"type":"perhaps"}}', "invalid_request", "thinking"),
    (ASKING + b'"thinking":{"type":"enabled","budget_tokens":-5}}', "invalid_request", "thinking"),
    (ASKING + b'"reasoning":{"max_tokens":-2}}', "invalid_request", "reasoning"),
    (ASKING + b'"thinking_budget":-2}', "invalid_request", "thinking_budget"),
    (ASKING + b'"think":"maybe"}', "invalid_request", "think"),
    (b"", "invalid_json", None),
    (b"{", "invalid_json", None),
    (b"{}x", "invalid_json", None),
    (b'{"model":"smollm2",}', "invalid_json", None),
    (b"{'model':'smollm2'}", "invalid_json", None),
    (b'{"model":"smollm2","messages":[{"role":"user","content":"\xff"}]}', "invalid_json", None),
    (b'{"model":"smollm2","messages":[{"role":"user","content":"\\ud800"}]}', None, None),
    (b'{"model":"smollm2","messages":[{"role":"user","content":"\x00"}]}', "invalid_json", None),
    (b"\xef\xbb\xbf{}", None, None),
    (b"[" * 100 + b"]" * 100, None, None),
    (b'{"model":"smollm2","x":' + b"[" * 5000 + b"]" * 5000 + b"}", None, None),
    (b'{"model":"smollm2","temperature":NaN}', "invalid_json", None),
    (b'{"model":"smollm2","temperature":01}', "invalid_json", None),
    (b"[]", "invalid_request", None),
    (b'"hello"', "invalid_request", None),
    (b"null", "invalid_request", None),
    (b"{}", "invalid_request", "messages"),
    (b'{"model":5,"messages":[]}', "invalid_request", "model"),
    (b'{"model":"","messages":[]}', None, "model"),
    (b'{"model":"smollm2"}', "invalid_request", "messages"),
    (b'{"model":"smollm2","messages":{}}', "invalid_request", "messages"),
    (b'{"model":"smollm2","model":"smollm2","messages":[{"role":"user","content":"hi"}]}', "bad_request", None),
    (b'{"model":"smollm2","mode\\u006c":"x","messages":[{"role":"user","content":"hi"}]}', "bad_request", None),
    (b'{"model":"smollm2","messages":[{"role":"user","content":"a","content":"b"}]}', "bad_request", None),
]


@pytest.mark.parametrize("body, code, param", BODIES)
def test_bad_bodies(hob, body, code, param):
    r = hob.post(CHAT, body)
    e = r.error()
    assert 400 <= r.status < 500 and e["type"] == "invalid_request_error" and e["hob"]["fault"] == "caller", r
    if code:
        assert (r.status, e["code"]) == (400, code), e
    if param:
        assert e["param"] == param, e
    assert e["hob"].get("hint") or len(e["message"]) > 15


@pytest.mark.parametrize("name, suggestion", [("smollm", "smollm2"), ("smolm2", "smollm2"), ("SMOLLM2", "smollm2"), ("chatt", "chat")])
def test_an_unknown_model_is_suggested(hob, name, suggestion):
    r = hob.post(CHAT, {**GOOD, "model": name})
    e = r.error()
    assert (r.status, e["code"], e["param"]) == (404, "model_not_found", "model")
    assert suggestion in e["message"] + e["hob"].get("hint", "") and "did you mean" in (e["message"] + e["hob"].get("hint", "")).lower()


def test_a_wholly_unknown_model_says_where_to_look(hob):
    e = hob.post(CHAT, {**GOOD, "model": "completely-else" * 10}).error()
    assert e["code"] == "model_not_found" and ("hob" in e["hob"]["hint"] or "/v1/models" in e["hob"]["hint"])


def test_hostile_names_are_only_names(hob):
    for name in ("../../etc/passwd", "%n%s%s", "a\r\nx-evil: 1", "\u0000", "x" * 100000, "日本"):
        r = hob.post(CHAT, {**GOOD, "model": name})
        assert r.status in (400, 404) and r.get("x-evil") is None
        assert len(r.body) < 3000


def test_too_large_a_body(hob):
    r = hob.post(CHAT, {**GOOD, "x": "y" * (1 << 20)})
    assert r.status == 413 and r.error()["code"] == "body_too_large"


def test_too_large_a_body_is_refused_before_it_is_sent(hob):
    with hob.connect() as c:
        c.send(f"POST {CHAT} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 99999999999\r\n\r\n".encode())
        assert c.response().status == 413
        assert c.ended()


def test_too_large_a_chunked_body(hob):
    with hob.connect() as c:
        c.send(f"POST {CHAT} HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n".encode())
        try:
            for _ in range(40):
                c.send(b"8000\r\n" + b"x" * 0x8000 + b"\r\n")
        except OSError:
            pass
        assert c.response().status == 413


@pytest.mark.parametrize("method, path, allow", [
    ("GET", CHAT, "POST"), ("DELETE", CHAT, "POST"), ("PUT", CHAT, "POST"), ("POST", "/v1/models", "GET"), ("POST", "/livez", "GET"),
    ("DELETE", "/metrics", "GET"), ("PATCH", "/health", "GET"),
])
def test_wrong_methods(hob, method, path, allow):
    r = raw.call(hob.at, method, path)
    assert r.status == 405 and r.error()["code"] == "method_not_allowed" and allow in r.get("allow")


@pytest.mark.parametrize("path", ["/", "/v1", "/v1/", "/v1/chat", "/v1/chat/completions/", "/v2/chat/completions", "//v1/models",
                                  "/v1/../v1/models", "/%76%31/models", "/V1/models"])
def test_unknown_paths(hob, path):
    r = raw.call(hob.at, "GET" if "completions" not in path else "POST", path)
    assert r.status == 404 and r.error()["code"] == "not_found"


def test_a_near_path_is_suggested(hob):
    e = raw.call(hob.at, "POST", "/chat/completions", GOOD)
    assert e.status in (200, 404)
    if e.status == 404:
        assert CHAT in e.error()["message"] + e.error()["hob"].get("hint", "")


def test_a_query_does_no_harm(hob):
    assert hob.get("/v1/models?limit=1000").status == 200
    assert hob.get("/livez?").status == 200


# -- framing: 400 and the connection closes

HOST = b"Host: localhost\r\n"
FRAMING = [
    b"GET /livez HTTP/1.1\r\n\r\n",  # no Host
    b"GET /livez HTTP/1.1\r\nHost: localhost\r\nHost: b\r\n\r\n",
    b"GET /livez HTTP/1.1\nHost: localhost\n\n",
    b"GET /livez HTTP/1.1\r\nHost: localhost\n\r\n",
    b"GET /livez HTTP/1.1\r\nHost : a\r\n\r\n",
    b"GET /livez HTTP/1.1\r\n Host: localhost\r\n\r\n",
    b"GET /livez HTTP/1.1\r\nHost: localhost\r\nX: a\r\n b\r\n\r\n",
    b"GET /livez HTTP/1.1\r\nHost: localhost\r\n: empty\r\n\r\n",
    b"GET /livez HTTP/1.1\r\nHost: localhost\r\nnocolon\r\n\r\n",
    b"GET /livez HTTP/1.1\r\nHost: localhost\r\nX: a\0b\r\n\r\n",
    b"GET /livez HTTP/1.1\r\nHost: localhost\r\nX: a\rb\r\n\r\n",
    b"GET /livez HTTP/1.1\r\nHost: localhost\r\nX(y): b\r\n\r\n",
    b"GET /livez HTTP/1.1 \r\nHost: localhost\r\n\r\n",
    b"GET  /livez HTTP/1.1\r\nHost: localhost\r\n\r\n",
    b"GET /li vez HTTP/1.1\r\nHost: localhost\r\n\r\n",
    b"GET /livez HTTP/9.9\r\nHost: localhost\r\n\r\n",
    b"GET /livez\r\n\r\n",
    b"GET livez HTTP/1.1\r\nHost: localhost\r\n\r\n",
    b"get /livez HTTP/1.1\r\nHost: localhost\r\n\r\n",
    b"G\0T /livez HTTP/1.1\r\nHost: localhost\r\n\r\n",
    b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03 TLS, not HTTP\r\n\r\n",
    b"SSH-2.0-OpenSSH_9.9\r\n\r\n",
    b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    b"POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2\r\nContent-Length: 2\r\n\r\n{}",
    b"POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\n{}",
    b"POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2, 2\r\n\r\n{}",
    b"POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nContent-Length: +2\r\n\r\n{}",
    b"POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nContent-Length: -2\r\n\r\n{}",
    b"POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0x2\r\n\r\n{}",
    b"POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nContent-Length: \r\n\r\n{}",
    b"POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2 2\r\n\r\n{}",
    b"POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    b"POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    b"POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
    b"POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
    b"POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n",
    b"POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: identity\r\n\r\n{}",
    b"POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding:\x0bchunked\r\n\r\n0\r\n\r\n",
    b"POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n{}\r\n0\r\n\r\n",
    b"POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n2\n{}\n0\n\n",
    b"POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}x\r\n0\r\n\r\n",
    b"POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n+2\r\n{}\r\n0\r\n\r\n",
    b"POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n0x2\r\n{}\r\n0\r\n\r\n",
    b"POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\nfffffffffffffffff\r\n{}\r\n0\r\n\r\n",
]


@pytest.mark.parametrize("request_bytes", FRAMING)
def test_framing_errors_are_400_and_close(hob, request_bytes):
    with hob.connect(timeout=5 * SLOW) as c:
        # A second request behind it must never be answered: that would be smuggling.
        c.send(request_bytes + b"GET /v1/models HTTP/1.1\r\nHost: smuggled\r\n\r\n")
        r = c.response("GET")
        assert r.status in (400, 405, 501, 505), r
        assert r.status != 400 or r.error()["code"] == "bad_request"
        assert c.ended()


@pytest.mark.parametrize("head, status", [
    (b"POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nContent-Encoding: gzip\r\nContent-Length: 2\r\n\r\n{}", 415),
    (b"POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nExpect: a-miracle\r\nContent-Length: 2\r\n\r\n{}", 417),
    (b"GET /livez HTTP/1.1\r\nHost: localhost\r\nX: " + b"y" * 40000 + b"\r\n\r\n", 431),
    (b"GET /livez HTTP/1.1\r\nHost: localhost\r\n" + b"X: y\r\n" * 150 + b"\r\n", 431),
    (b"GET /" + b"x" * 10000 + b" HTTP/1.1\r\nHost: localhost\r\n\r\n", 431),
])
def test_heads_beyond_what_is_taken(hob, head, status):
    with hob.connect(timeout=5 * SLOW) as c:
        c.send(head)
        r = c.response("GET")
        assert r.status == status and r.error()["hob"]["fault"] == "caller", r


def test_just_below_the_limits_is_fine(hob):
    with hob.connect() as c:
        c.send(b"GET /livez HTTP/1.1\r\nHost: localhost\r\n" + b"X: y\r\n" * 98 + b"\r\n")
        assert c.response("GET").status == 200
        c.send(b"GET /livez HTTP/1.1\r\nHost: localhost\r\nX: " + b"y" * 30000 + b"\r\n\r\n")
        assert c.response("GET").status == 200
        c.send(b"GET /livez?" + b"x" * 8000 + b" HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert c.response("GET").status == 200


@pytest.mark.parametrize("method", ["CONNECT", "TRACE", "OPTIONS", "BREW"])
def test_odd_methods(hob, method):
    with hob.connect(timeout=5 * SLOW) as c:
        c.send(f"{method} /livez HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
        assert c.response("GET").status in (400, 405, 501)


def test_a_half_sent_body_is_nothing(hob):
    for cut in (b"", b'{"model":"smollm2","mess', json.dumps(GOOD).encode()):
        with hob.connect() as c:
            c.send(b"POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nContent-Length: 500\r\n\r\n" + cut)
    for cut in (b"", b"5", b"5\r\n{", b"2\r\n{}\r\n"):
        with hob.connect() as c:
            c.send(b"POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n" + cut)
    with hob.connect() as c:
        c.send(b"POST /v1/chat/comp")


# -- what is unusual and right


@pytest.fixture
def alive(shared):
    return shared


def test_expect_continue_gets_its_100(alive):
    body = json.dumps(GOOD).encode()
    with alive.connect() as c:
        c.send(f"POST {CHAT} HTTP/1.1\r\nHost: localhost\r\nExpect: 100-continue\r\nContent-Length: {len(body)}\r\n\r\n".encode())
        assert c.head().status == 100
        c.send(body)
        assert c.response().status == 200


def test_expect_continue_for_what_is_refused_gets_no_100(alive):
    with alive.connect() as c:
        c.send(b"POST /nowhere HTTP/1.1\r\nHost: localhost\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n")
        r = c.response()
        assert r.status == 404 and r.interim == []


def test_a_request_byte_by_byte(alive):
    with alive.connect() as c:
        for b in raw.request_bytes("POST", CHAT, GOOD):
            c.send(bytes([b]))
        assert c.response().status == 200


@pytest.mark.parametrize("size", [1, 7, 1000])
def test_a_chunked_body(alive, size):
    body = json.dumps(GOOD).encode()
    with alive.connect() as c:
        c.send(f"POST {CHAT} HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n".encode())
        for i in range(0, len(body), size):
            part = body[i:i + size]
            c.send(b"%x\r\n%s\r\n" % (len(part), part))
        c.send(b"0\r\n\r\n")
        assert c.response().status == 200


def test_pipelined_requests_are_answered_in_order(alive):
    with alive.connect() as c:
        c.send(raw.request_bytes("GET", "/livez") + raw.request_bytes("POST", CHAT, GOOD) + raw.request_bytes("GET", "/nowhere")
               + raw.request_bytes("GET", "/v1/models"))
        assert [c.response(m).status for m in ("GET", "POST", "GET", "GET")] == [200, 200, 404, 200]


def test_one_connection_for_many_requests(alive):
    with alive.connect() as c:
        for i in range(50):
            assert c.request("POST", CHAT, GOOD if i % 3 else {**GOOD, "stream": True}).status == 200


def test_an_error_keeps_the_connection_when_it_can(alive):
    with alive.connect() as c:
        assert c.request("POST", CHAT, b"{").status == 400
        assert c.request("GET", "/nowhere").status == 404
        assert c.request("POST", CHAT, GOOD).status == 200


def test_connection_close_is_obeyed(alive):
    with alive.connect() as c:
        r = c.request("GET", "/livez", headers={"Connection": "close"})
        assert r.status == 200 and r.get("connection", "").lower() == "close" and c.ended()


def test_http_1_0_gets_its_answer_and_the_end(alive):
    with alive.connect() as c:
        c.send(b"GET /livez HTTP/1.0\r\n\r\n")
        assert c.response("GET").status == 200 and c.ended()


def test_head_has_no_body(alive):
    with alive.connect() as c:
        r = c.request("HEAD", "/livez")
        assert r.status in (200, 405) and r.body == b""
        assert c.request("GET", "/livez").status == 200


def test_one_models_entry(alive):
    r = alive.get("/v1/models/smollm2")
    assert r.status in (200, 404)
    if r.status == 200:
        assert r.json()["id"] == "smollm2" and r.json()["object"] == "model"


def test_metrics_are_prometheus_text(alive):
    r = alive.get("/metrics")
    assert r.status == 200 and r.get("content-type").startswith("text/plain")
    names = set()
    for line in r.body.decode().splitlines():
        if not line.startswith("#"):
            name, _, value = line.rpartition(" ")
            float(value)
            names.add(name.partition("{")[0])
    assert names and all(n.startswith(("hob_", "process_")) for n in names), names


def test_health_in_the_engines_manner(alive):
    assert alive.get("/health").json()["status"] == "ok"
