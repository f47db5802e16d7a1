"""Large bodies are read beside the loop (api/exchange_read.c): what comes of them is what comes of small ones, and others are served meanwhile."""

import json

import pytest
import raw
from helpers import FAKE, chat_body, cli, wait_for

CHAT = "/v1/chat/completions"
LARGE = 300 * 1024
PAD = "x" * LARGE  # few words: it fits a window


@pytest.fixture(scope="module")
def large(module_nursery):
    return module_nursery.managed(slots=4, context=131072)


def row(hob, r):
    return json.loads(cli("logs", r.get("x-request-id"), "--json", "-c", hob.config_path, env=hob.env).stdout)


def test_a_large_body_is_answered_as_a_small_one(large):
    for stream in (False, True):
        small, big = (large.chat("m", "say this " + text, stream=stream) for text in ("", PAD))
        assert (big.status, big.get("x-hob-model")) == (small.status, small.get("x-hob-model")) == (200, "m")
        assert row(large, big)["status"] == 200
    messages = large.child().control.log().chats[-1].json()["messages"]
    assert messages[-1]["content"] == "say this " + PAD


@pytest.mark.parametrize("body, code, param", [
    (json.dumps({"model": "m", "messages": [], "x": PAD}), "invalid_request", "messages"),
    (json.dumps({"model": "m", "messages": [{"role": "king", "content": PAD}]}), "invalid_request", "messages[0].role"),
    (json.dumps({"model": "nobody", "messages": [{"role": "user", "content": PAD}]}), "model_not_found", "model"),
    (json.dumps({"messages": [{"role": "user", "content": PAD}]})[:-1], "invalid_json", None),
    ('{"a":1,"a":2,"messages":[{"role":"user","content":"' + PAD + '"}]}', "bad_request", "a"),
    ("[" * LARGE, "bad_request", None),
    (" " * LARGE, "invalid_json", None),
])
def test_a_large_body_is_refused_as_a_small_one(large, body, code, param):
    r = large.post(CHAT, body)
    e = r.error()
    assert (e["code"], e["param"]) == (code, param), e
    assert row(large, r)["code"] == code


def test_callers_who_leave_while_it_is_read_leave_nothing(large):
    body = raw.request_bytes("POST", CHAT, {"model": "m", "messages": [{"role": "user", "content": PAD}], "metadata": {f"k{i}": i for i in range(60000)}})
    before = len(large.child().control.log().chats)
    for _ in range(8):
        with large.connect() as c:
            c.send(body)
    assert large.chat("m", "hello").status == 200
    def running():
        return [line for line in large.get("/metrics").body.decode().splitlines() if line.startswith("hob_requests_running")]
    wait_for("nothing runs", lambda: all(line.endswith(" 0") for line in running()))
    assert len(large.child().control.log().chats) <= before + 9


def test_several_at_once_over_one_connection(large):
    one = raw.request_bytes("POST", CHAT, chat_body("m", "first " + PAD))
    two = raw.request_bytes("POST", CHAT, chat_body("m", "second"))
    with large.connect() as c:
        c.send(one + two)
        assert [c.response("POST").status for _ in range(2)] == [200, 200]


def test_a_stop_while_it_is_read(nursery):
    hob = nursery.managed()
    with hob.connect() as c:
        c.send(raw.request_bytes("POST", CHAT, {"model": "m", "messages": [{"role": "user", "content": PAD}], "metadata": {f"k{i}": i for i in range(60000)}}))
        assert hob.stop() == 0


@pytest.mark.parametrize("size", [10, LARGE])
def test_placeholders_are_the_same(nursery, size):
    up = nursery.fake()
    hob = nursery.hob({"hosts": {"up": {"url": up.url, "local": False}}, "models": {"m": {"host": "up"}}, "privacy": {"redact": True}}, wait="ready")
    text = "Write to ann.lee@widgets.example, not to bob@widgets.example. " + PAD[:size] + " ann.lee@widgets.example"
    assert hob.chat("m", text).status == 200
    sent = up.log().chats[-1].json()["messages"][0]["content"]
    assert "widgets.example" not in sent and sent.count("[EMAIL_1]") == 2 and sent.count("[EMAIL_2]") == 1
    assert sent.startswith("Write to [EMAIL_1], not to [EMAIL_2]. ")


def test_what_is_found_keeps_it_here(nursery):
    up = nursery.fake()
    hob = nursery.hob({"engines": {"llama": {"path": str(FAKE)}}, "hosts": {"up": {"url": up.url, "local": False}},
                       "models": {"far": {"host": "up"}, **nursery.model("near", context=131072)}, "roles": {"chat": {"model": "far", "fallback": ["near"]}}}, wait="ready")
    assert hob.chat("chat", PAD).get("x-hob-model") == "far"
    assert hob.chat("chat", PAD + " ann.lee@widgets.example").get("x-hob-model") == "near"


# -- how large a schema may be

SCHEMA_MOST, TOOLS_MOST = 256 * 1024, 1024 * 1024


def schema_of(size):
    """A schema that is `size` bytes as it is written."""
    text = '{"type":"object","description":"%s"}'
    return json.loads(text % ("d" * (size - len(text) + 2)))


def compact(body):
    return json.dumps(body, separators=(",", ":"))


@pytest.mark.parametrize("size", [SCHEMA_MOST, SCHEMA_MOST + 1])
def test_a_schema_has_a_largest_size(large, size):
    body = {**chat_body("m", "[[say {}]]"), "response_format": {"type": "json_schema", "json_schema": {"name": "s", "schema": schema_of(size)}}}
    r = large.post(CHAT, compact(body))
    if size <= SCHEMA_MOST:
        assert r.status != 400 or r.error()["code"] == "context_length_exceeded", r
    else:
        e = r.error()
        assert (r.status, e["code"], e["param"]) == (400, "schema_unsupported", "response_format") and str(size) in e["message"] and str(SCHEMA_MOST) in e["message"], e


@pytest.mark.parametrize("sizes, param", [([SCHEMA_MOST] * 3, None), ([SCHEMA_MOST + 1], "tools[0]"), ([10000, SCHEMA_MOST + 1], "tools[1]"), ([SCHEMA_MOST - 100] * 5, "tools")])
def test_tools_have_a_largest_size(large, sizes, param):
    tools = [{"type": "function", "function": {"name": f"f{i}", "parameters": schema_of(n)}} for i, n in enumerate(sizes)]
    r = large.post(CHAT, compact({**chat_body("m", "hello"), "tools": tools}))
    if param:
        e = r.error()
        assert (r.status, e["code"], e["param"]) == (400, "invalid_request", param) and "at most" in e["message"], e
    else:
        assert r.status != 400 or r.error()["code"] == "context_length_exceeded", r
