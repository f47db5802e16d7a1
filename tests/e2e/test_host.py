"""kind openai: the request's bytes as they came, the answer honest, the next place when one fails."""

import json
import re
import socket

import pytest
import raw
from helpers import chunks_of, content_of, free_port


@pytest.fixture
def far(hob, fake):
    """hob with one model `far` (there `far/away`) on a fake host; (hob, fake)"""
    h = hob({"hosts": {"up": {"kind": "openai", "url": fake.url + "/v1", "key": "host-key"}},
             "models": {"far": {"host": "up", "name": "far/away", "aliases": ["alias"]}}})
    return h, fake


BODIES = [
    '{"model":"far","messages":[{"role":"user","content":"hi"}]}',
    ' {\n\t"messages" : [ {"content":"hi","role":"user"} ] ,"model"\t:\r\n "far" , "odd": [1e300, -0.0, 1E+5, 123456789012345678901234567890] }\n ',
    '{"model":"far","messages":[{"role":"user","content":"\\u00fc \\ud83d\\ude00 \\/ ü"}],"temperature":0.70000000000000001}',
    '{"messages":[{"role":"user","content":"say \\"model\\":\\"far\\" {"}],"x":{"model":"far"},"model":"\\u0066ar","empty":{},"l":[]}',
    '{"stream":false,"model":"alias","messages":[{"role":"user","content":[{"type":"text","text":"hi"}]}]}',
]


@pytest.mark.parametrize("body", BODIES)
def test_the_body_is_as_it_came_but_for_the_model(far, body):
    h, up = far
    r = h.post("/v1/chat/completions", body)
    assert r.status == 200, r
    value = re.search(r'"model"\s*:\s*("far"|"alias"|"\\u0066ar")(?!.*"model"\s*:\s*"(\\u0066ar|alias)")', body.replace('\\"', "''"), re.S)
    at = value.span(1)
    # The top-level one: in the table above it is the last that matches.
    expected = body[:at[0]] + '"far/away"' + body[at[1]:]
    assert up.chat().body.decode() == expected


def without_stream_options(body):
    mine = r'"stream_options"\s*:\s*\{\s*"include_usage"\s*:\s*true\s*\}'
    return re.sub(rf",\s*{mine}|{mine}\s*,", "", body, count=1)


def test_usage_is_asked_for_and_stripped_again(far):
    h, up = far
    body = '{ "model":"far", "stream":true,"messages":[{"role":"user","content":"hi"}] }'
    r = h.post("/v1/chat/completions", body)
    sent = up.chat().body.decode()
    assert json.loads(sent)["stream_options"] == {"include_usage": True}
    assert without_stream_options(sent) == body.replace('"far"', '"far/away"')
    chunks = chunks_of(r.events())
    assert all(c["choices"] for c in chunks) and not any(c.get("usage") for c in chunks)
    assert chunks[-1]["_routing"]["tokens"]["output"] == 8


def test_usage_asked_for_by_the_caller_is_left_alone(far):
    h, up = far
    body = '{"model":"far","stream":true,"stream_options":{"include_usage":true,"odd":1},"messages":[{"role":"user","content":"hi"}]}'
    r = h.post("/v1/chat/completions", body)
    assert up.chat().body.decode() == body.replace('"far"', '"far/away"')
    assert chunks_of(r.events())[-1]["choices"] == []


@pytest.mark.parametrize("options", ["{}", "null", '{"include_usage":false}', '{"include_usage":false,"odd":1}'])
def test_usage_declined_by_the_caller_is_still_metered(far, options):
    h, up = far
    r = h.post("/v1/chat/completions", '{"model":"far","stream":true,"stream_options":%s,"messages":[{"role":"user","content":"hi"}]}' % options)
    assert up.chat().json()["stream_options"]["include_usage"] is True
    assert not any(c.get("usage") for c in chunks_of(r.events()))


def test_an_answer_that_is_not_streamed_is_not_streamed_upstream(far):
    h, up = far
    assert h.chat("far", "hi").status == 200
    assert "stream" not in up.chat().json()


def test_headers_upstream_are_made_anew(far):
    h, up = far
    h.chat("far", "hi", headers={"Authorization": "Bearer callers", "X-Stainless-Lang": "x", "Cookie": "a=b", "X-Api-Key": "callers"})
    seen = up.chat()
    assert seen.target == "/v1/chat/completions" and seen.get("authorization") == "Bearer host-key"
    head = seen.head.decode().lower()
    assert "stainless" not in head and "cookie" not in head and "callers" not in head
    assert seen.get("host") == f"127.0.0.1:{up.port}"


def test_the_hosts_url_may_lack_v1(hob, fake):
    h = hob({"hosts": {"up": {"url": fake.url + "/"}}, "models": {"far": {"host": "up"}}})
    assert h.chat("far", "hi").status == 200 and fake.chat().target == "/v1/chat/completions"


def test_the_answer_is_as_it_came_plus_routing(far):
    h, up = far
    body = h.chat("far", "hi there").json()
    routing = body.pop("_routing")
    direct = raw.call(up.at, "POST", "/v1/chat/completions", {"model": "x", "messages": [{"role": "user", "content": "hi there"}]}).json()
    assert body["choices"] == direct["choices"] and body["usage"] == direct["usage"] and routing["host"] == "up"


def test_connections_are_kept_and_reused(hob, fake):
    h, up = hob({"hosts": {"up": {"url": fake.url, "probe": "never"}}, "models": {"far": {"host": "up"}}}), fake
    for _ in range(5):
        assert h.chat("far", "hi").status == 200
        assert h.chat("far", "hi", stream=True).status == 200
    assert len({r.connection_id for r in up.log().chats}) == 1


@pytest.mark.parametrize("how", ["stale_next", "early_close_keepalive"])
def test_a_stale_connection_is_tried_again_on_a_fresh_one(far, how):
    h, up = far
    assert h.chat("far", f"hi [[{how}]]").status == 200
    for stream in (False, True):
        assert h.chat("far", "again", stream=stream).status == 200
    log = up.log()
    assert len({r.connection_id for r in log.chats}) > 1
    assert [r.outcome for r in log.chats] == ["completed"] * 3


def test_a_fresh_connection_that_closes_is_no_stale_one(far):
    h, up = far
    r = h.chat("far", "[[close_before]]")
    assert r.status == 502 and r.error()["code"] == "backend_failed"
    # A first try, perhaps on a connection that a probe had left, and a second one: nobody else is there to be asked.
    assert 2 <= len(up.log().chats) <= 3


def test_a_four_hundred_is_the_callers(far):
    h, _ = far
    r = h.chat("far", "[[status 400]]")
    assert r.status == 400 and r.error()["hob"]["fault"] == "caller" and "scripted error 400" in r.error()["message"]


# -- what comes back instead of an answer, and what the caller then gets when nobody else can

REFUSALS = [
    ("status 500", 502, "backend_failed"), ("status 503", 502, "backend_failed"), ("status 401", 502, "backend_auth"),
    ("status 403", 502, "backend_auth"), ("status 404", 502, "backend_model_missing"),
    ("error 429 retry_after 7", 429, "rate_limited"), ("close_before", 502, "backend_failed"),
    ("garbage_after 0", 502, "backend_failed"), ("truncate_json", 502, "backend_failed"),
    ("close_after 4", 502, "backend_failed"), ("reset_after 4", 502, "backend_failed"), ("bad_chunk_after 0", 502, "backend_failed"),
]


@pytest.mark.parametrize("directive, status, code", REFUSALS)
def test_a_fault_of_the_host_is_blamed_on_it(far, directive, status, code):
    h, _ = far
    r = h.chat("far", f"[[{directive}]]")
    assert r.status == status, r
    e = r.error()
    assert e["code"] == code and e["hob"]["fault"] == "backend", e
    assert e["hob"]["tried"][0]["model"] == "far" and e["hob"]["tried"][0]["host"] == "up", e
    if status == 429:
        assert r.get("retry-after") == "7"


MALFORMED = [
    "HTTP/1.1 200 OK\\r\\nContent-Length: 5\\r\\nContent-Length: 6\\r\\n\\r\\nabcdef",
    "HTTP/1.1 200 OK\\r\\nContent-Length: 5\\r\\nTransfer-Encoding: chunked\\r\\n\\r\\n0\\r\\n\\r\\n",
    "HTTP/1.1 200 OK\\r\\nContent-Length: -5\\r\\n\\r\\nabcde",
    "HTTP/1.1 200 OK\\r\\nContent-Length: 5x\\r\\n\\r\\nabcde",
    "HTTP/1.1 2OO OK\\r\\nContent-Length: 0\\r\\n\\r\\n",
    "HTTP/1.1 200 OK\\nContent-Length: 0\\n\\n",
    "HTTP/3.7 200 OK\\r\\nContent-Length: 0\\r\\n\\r\\n",
    "SSH-2.0-OpenSSH_9.9\\r\\n",
    "\\x00\\x01\\x02\\x03",
    "HTTP/1.1 200 OK\\r\\n X: folded\\r\\nContent-Length: 0\\r\\n\\r\\n",
    "HTTP/1.1 200 OK\\r\\nContent-Length: 100\\r\\n\\r\\nshort",
    "HTTP/1.1 200 OK\\r\\nTransfer-Encoding: chunked\\r\\n\\r\\nffffffffffffffffff\\r\\nx",
    "HTTP/1.1 200 OK\\r\\nTransfer-Encoding: chunked\\r\\n\\r\\n5\\r\\nabc",
    "HTTP/1.1 200 OK\\r\\nContent-Type: application/json\\r\\nContent-Length: 0\\r\\n\\r\\n",
    "HTTP/1.1 200 OK\\r\\nContent-Type: text/html\\r\\nContent-Length: 13\\r\\n\\r\\n<html></html>",
    "HTTP/1.1 200 OK\\r\\nContent-Type: application/json\\r\\nContent-Length: 4\\r\\n\\r\\n[\\x221]",
    "HTTP/1.1 200 OK\\r\\nContent-Type: application/json\\r\\nContent-Length: 2\\r\\n\\r\\n[]",
    "HTTP/1.1 204 No Content\\r\\n\\r\\n",
    "HTTP/1.1 301 Moved\\r\\nLocation: http://127.0.0.1:1/\\r\\nContent-Length: 0\\r\\n\\r\\n",
    "HTTP/1.1 101 Switching Protocols\\r\\nUpgrade: x\\r\\n\\r\\n",
]


@pytest.mark.parametrize("answer", MALFORMED)
@pytest.mark.parametrize("stream", [False, True])
def test_broken_http_from_upstream_never_goes_on(far, answer, stream):
    h, up = far
    r = h.chat("far", f'[[http "{answer}"]]', stream=stream)
    if r.status == 200:  # only where a stream had begun already
        assert stream and "error" in json.loads(r.events()[-1][1])
    else:
        assert r.status == 502 and r.error()["code"] == "backend_failed", r
    assert h.chat("far", "hello").status == 200


def test_interim_answers_are_skipped(far):
    h, _ = far
    body = json.dumps({"id": "i", "object": "chat.completion", "created": 1, "model": "m", "usage": {
        "prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2}, "choices": [
        {"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": "fine"}}]})
    r = h.chat("far", '[[http "HTTP/1.1 103 Early Hints\\r\\nLink: x\\r\\n\\r\\nHTTP/1.1 200 OK\\r\\nContent-Type: application/json\\r\\n'
               f'Content-Length: {len(body)}\\r\\n\\r\\n{body.replace(chr(34), chr(92) + chr(34))}"]]')
    assert r.status == 200 and r.json()["choices"][0]["message"]["content"] == "fine"


# -- the next place


@pytest.fixture
def two(nursery):
    """hob with a role `chat`: model `a` on host one, then `b` on host two."""
    one, other = nursery.fake(), nursery.fake()
    h = nursery.hob({"hosts": {"one": {"url": one.url}, "other": {"url": other.url}},
                     "models": {"a": {"host": "one"}, "b": {"host": "other"}},
                     "roles": {"chat": {"model": "a", "fallback": ["b"]}}})
    return h, one, other


IN_A_STREAM_TOO_LATE = ("garbage_after 0", "truncate_json", "close_after 4", "reset_after 4")  # a byte has been sent by then


@pytest.mark.parametrize("directive, stream", [(r[0], s) for r in REFUSALS for s in (False, True)
                                               if not s or r[0] not in IN_A_STREAM_TOO_LATE])
def test_the_next_model_answers_before_the_first_byte(two, directive, stream):
    h, one, other = two
    one.default(f"[[{directive}]]")
    r = h.chat("chat", "hello", stream=stream)
    assert r.status == 200, r
    assert r.get("x-hob-fallback") == "a->b" and r.get("x-hob-model") == "b" and r.get("x-hob-host") == "other"
    routing = chunks_of(r.events())[-1]["_routing"] if stream else r.json()["_routing"]
    assert routing["fallback"] == "a->b" and routing["model"] == "b"
    first = routing["fallback_chain"][0]
    assert (first["model"], first["host"]) == ("a", "one") and first["error"]
    assert other.log().completed == 1


def test_a_stream_that_is_no_event_stream_is_passed_over(two):
    h, one, _ = two
    one.default("[[content_type text/html]]")
    assert h.chat("chat", "hello", stream=True).get("x-hob-fallback") == "a->b"


def test_a_host_that_refuses_connections_is_passed_over(nursery):
    there = nursery.fake()
    h = nursery.hob({"hosts": {"gone": {"url": f"http://127.0.0.1:{free_port()}"}, "there": {"url": there.url}},
                     "models": {"a": {"host": "gone"}, "b": {"host": "there"}}, "roles": {"chat": {"model": "a", "fallback": ["b"]}}})
    assert h.chat("chat", "hello").get("x-hob-fallback") == "a->b"
    r = h.chat("a", "hello")
    assert r.status == 502 and r.error()["code"] == "backend_failed"


def test_nobody_left_names_all_that_were_tried(two):
    h, one, other = two
    one.default("[[status 500]]")
    other.default("[[close_before]]")
    e = h.chat("chat", "hello").error()
    # The last one is asked twice: nobody else is left.
    assert [t["model"] for t in e["hob"]["tried"]] == ["a", "b", "b"] and e["code"] == "backend_failed"


def test_the_callers_own_fault_goes_nowhere_else(two):
    h, one, other = two
    one.default("[[status 400]]")
    assert h.chat("chat", "hello").status == 400 and other.log().chats == []


@pytest.mark.parametrize("directive", ["close_after 2", "garbage_after 2", "stall_after 2"])
def test_after_the_first_byte_there_is_no_way_back(nursery, directive):
    one, other = nursery.fake(), nursery.fake()
    h = nursery.hob({"timeouts": {"idle": "300ms"}, "hosts": {"one": {"url": one.url}, "other": {"url": other.url}},
                     "models": {"a": {"host": "one"}, "b": {"host": "other"}}, "roles": {"chat": {"model": "a", "fallback": ["b"]}}})
    r = h.chat("chat", f"hello [[{directive}]]", stream=True)
    events = [e for e in r.events() if e[0] == "data"]
    e = json.loads(events[-1][1])["error"]
    assert e["code"] == ("backend_timeout" if "stall" in directive else "backend_failed") and e["hob"]["fault"] == "backend"
    assert content_of(events[:-1]) and other.log().chats == []


# -- time


def test_a_silent_host_times_out(nursery):
    up = nursery.fake()
    h = nursery.hob({"hosts": {"up": {"url": up.url, "timeouts": {"first_byte": "200ms"}}}, "models": {"far": {"host": "up"}}})
    for stream in (False, True):
        r = h.chat("far", "[[first_ms 60000]]", stream=stream)
        assert r.status == 504 and r.error()["code"] == "backend_timeout"
    up.wait("it was told to stop", lambda l: l.cancelled == 2)


def test_a_pause_in_an_answer_times_out(nursery):
    up = nursery.fake()
    h = nursery.hob({"timeouts": {"idle": "200ms"}, "hosts": {"up": {"url": up.url}}, "models": {"far": {"host": "up"}}})
    r = h.chat("far", "[[stall_after 3]]")
    assert r.status == 504 and r.error()["code"] == "backend_timeout"
    up.wait("it was told to stop", lambda l: l.cancelled == 1)


def test_an_endless_answer_times_out(nursery):
    up = nursery.fake()
    h = nursery.hob({"timeouts": {"total": "400ms"}, "hosts": {"up": {"url": up.url}}, "models": {"far": {"host": "up"}}})
    r = h.chat("far", "[[words 100000]] [[gap_ms 10]]", stream=True)
    assert json.loads(r.events()[-1][1])["error"]["code"] == "backend_timeout"
    up.wait("it was told to stop", lambda l: l.cancelled == 1)


def test_a_host_that_does_not_accept_times_out(nursery):
    with socket.socket() as deaf:
        deaf.bind(("127.0.0.1", 0))
        deaf.listen(0)
        h = nursery.hob({"timeouts": {"connect": "200ms", "first_byte": "500ms"},
                         "hosts": {"up": {"url": f"http://127.0.0.1:{deaf.getsockname()[1]}"}}, "models": {"far": {"host": "up"}}})
        assert h.chat("far", "hi").status == 504
