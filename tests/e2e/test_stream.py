"""Honest event streams: what leaves hob is the same, however sloppy the place that answered was."""

import json

import pytest
from helpers import FAKE, FORGIVING, ROUTING_KEYS, check_routing, chunks_of, content_of


@pytest.fixture(scope="module")
def world(module_nursery):
    up = module_nursery.fake()
    hob = module_nursery.hob({
        "engines": {"llama": {"path": str(FAKE)}},
        "hosts": {"up": {"kind": "openai", "url": up.url}},
        "models": {**module_nursery.model("small"), "far": {"host": "up"}},
        "roles": {"chat": {"model": "small"}},
        "tiers": {"fast": "far"}, **FORGIVING,
    }, wait="ready")
    return hob, up


@pytest.fixture(params=["small", "far"])
def model(request):
    return request.param


def check_stream(r, usage=False):
    """Everything that must hold of any stream that ended well; returns its chunks."""
    assert r.status == 200 and r.framing == "chunked", r
    assert r.get("content-type").startswith("text/event-stream")
    events = [e for e in r.events() if e[0] == "data"]
    assert events[-1] == ("data", "[DONE]") and sum(d == "[DONE]" for _, d in events) == 1
    chunks = chunks_of(events)
    assert all(c["object"] == "chat.completion.chunk" for c in chunks)
    for key in ("id", "created", "model"):
        assert len({c[key] for c in chunks}) == 1, (key, chunks)
    with_choice = [c for c in chunks if c["choices"]]
    assert with_choice[0]["choices"][0]["delta"]["role"] == "assistant"
    assert [c["choices"][0].get("finish_reason") for c in with_choice[:-1]] == [None] * (len(with_choice) - 1)
    assert with_choice[-1]["choices"][0]["finish_reason"]
    check_routing(with_choice[-1]["_routing"])
    assert not any("_routing" in c for c in with_choice[:-1])
    if usage:
        assert chunks[-1]["choices"] == [] and chunks[-1]["usage"]["total_tokens"] > 0
        assert all(c.get("usage") is None for c in chunks[:-1])
    else:
        assert with_choice == chunks and all(c.get("usage") is None for c in chunks)
    return chunks


def direct(up, text):
    """What the fake says when asked without hob between."""
    import raw
    body = {"model": "x", "messages": [{"role": "user", "content": text}]}
    return raw.call(up.at, "POST", "/v1/chat/completions", body).json()["choices"][0]["message"]["content"]


@pytest.mark.parametrize("usage", [False, True])
def test_a_plain_stream(world, model, usage):
    hob, up = world
    more = {"stream_options": {"include_usage": True}} if usage else {}
    r = hob.chat(model, "hello [[words 30]]", stream=True, **more)
    check_stream(r, usage)
    assert content_of(r.events()) == direct(up, "hello [[words 30]]")


# What may be wrong upstream without the answer being wrong.
SLOPPY = ["no_done", "two_done", "after_done", "crlf", "ping", "split_bytes 1", "split_bytes 3", "no_usage", "always_usage", "no_role",
          "null_choices_usage", "usage_in_finish", "no_id", "ids_differ", "created_drifts", "early_close_keepalive", "words 1", "content_type text/event-stream;charset=utf-8", "cached 2"]


@pytest.mark.parametrize("directive", SLOPPY)
def test_sloppiness_is_mended(world, model, directive):
    hob, up = world
    text = f"hello [[{directive}]]"
    r = hob.chat(model, text, stream=True)
    check_stream(r)
    assert content_of(r.events()) == direct(up, text)


@pytest.mark.parametrize("directive", ["null_choices_usage", "always_usage", "usage_in_finish", "split_bytes 2", "crlf"])
def test_the_usage_chunk_survives_sloppiness(world, model, directive):
    hob, _ = world
    check_stream(hob.chat(model, f"hello [[{directive}]]", stream=True, stream_options={"include_usage": True}), usage=True)


# What makes an answer wrong: the caller sees an error event as the last thing, and no [DONE].
BROKEN = ["close_after 3", "reset_after 3", "garbage_after 3", "bad_chunk_after 3", "truncate_json", "error_after 3",
          "big_event 2000000"]


@pytest.mark.parametrize("directive", BROKEN)
def test_a_broken_stream_ends_in_an_error_event(world, model, directive):
    hob, _ = world
    r = hob.chat(model, f"hello [[{directive}]]", stream=True)
    assert r.status == 200
    events = [e for e in r.events() if e[0] == "data"]
    error = json.loads(events[-1][1])["error"]
    assert error["code"] == "backend_failed" and error["hob"]["fault"] == "backend", error
    assert error["message"] and error["hob"]["request_id"] == r.get("x-request-id")
    assert content_of(events[:-1]), "what came before the fault was not passed on"


def test_a_stream_without_a_finish_is_broken(world, model):
    hob, _ = world
    r = hob.chat(model, "hello [[no_finish]] [[no_done]]", stream=True)
    events = [e for e in r.events() if e[0] == "data"]
    assert json.loads(events[-1][1])["error"]["code"] == "backend_failed"


def test_the_child_lives_on_after_all_that(world):
    hob, _ = world
    assert hob.chat("small", "hello").status == 200


def test_headers_name_who_answered(world, model):
    hob, _ = world
    for stream in (False, True):
        r = hob.chat(model, "hello", stream=stream)
        assert r.get("x-request-id") and r.get("x-hob-model") == model and r.get("x-hob-host")
        assert r.get("x-hob-fallback") in (None, "")


def test_roles_and_tiers_resolve(world):
    hob, _ = world
    r = hob.chat("chat", "hello")
    assert (r.get("x-hob-role"), r.get("x-hob-model")) == ("chat", "small")
    routing = r.json()["_routing"]
    assert (routing["role"], routing["model"]) == ("chat", "small") and routing["reason"]
    r = hob.chat("fast", "hello")
    assert (r.get("x-hob-tier"), r.get("x-hob-model")) == ("fast", "far")
    assert r.json()["_routing"]["host"] == "up"


def test_routing_has_every_field_of_the_contract(world, model):
    hob, _ = world
    whole = hob.chat(model, "hello").json()["_routing"]
    stream = chunks_of(hob.chat(model, "hello", stream=True).events())[-1]["_routing"]
    for routing in (whole, stream):
        assert ROUTING_KEYS <= routing.keys(), f"missing: {ROUTING_KEYS - routing.keys()}"
        assert {"thinking", "context", "schema"} <= routing["policy"].keys()


def test_routing_counts_tokens_and_time(world, model):
    hob, _ = world
    routing = check_routing(hob.chat(model, "one two [[words 7]] [[gap_ms 5]] [[cached 3]]").json()["_routing"])
    assert routing["tokens"]["output"] == 7 and routing["tokens"]["input"] > 0 and routing["tokens"]["cached"] == 3
    assert routing["latency_ms"] >= 30 and routing["fallback_chain"] == [] and routing["fallback"] is None


def test_request_ids_differ(world):
    hob, _ = world
    ids = {hob.chat("far", "hi", headers={"x-request-id": "mine"}).get("x-request-id") for _ in range(5)}
    assert len(ids) == 5 and "mine" not in ids


def test_routing_metadata_can_be_turned_off(hob, fake):
    h = hob({"routing_metadata": "off", "hosts": {"up": {"url": fake.url}}, "models": {"far": {"host": "up"}}})
    r = h.chat("far", "hello")
    assert "_routing" not in r.json() and r.get("x-hob-model") == "far"
    assert b"_routing" not in h.chat("far", "hello", stream=True).body


# -- while nothing comes


def test_a_waiting_stream_is_kept_alive(hob, fake):
    h = hob({"keepalive": "150ms", "hosts": {"up": {"url": fake.url}}, "models": {"far": {"host": "up"}}})
    r = h.chat("far", "[[first_ms 900]]", stream=True)
    kinds = [k for k, _ in r.events()]
    assert kinds[:2] == ["comment", "comment"] and kinds.count("comment") < 12
    check_stream(r)


def test_comments_come_in_a_pause_too(hob, fake):
    h = hob({"keepalive": "150ms", "hosts": {"up": {"url": fake.url}}, "models": {"far": {"host": "up"}}})
    r = h.chat("far", "[[words 2]] [[gap_ms 500]]", stream=True)
    check_stream(r)


def test_a_failure_after_a_comment_is_an_error_event(hob, fake):
    h = hob({"keepalive": "100ms", "hosts": {"up": {"url": fake.url}}, "models": {"far": {"host": "up"}}})
    r = h.chat("far", "[[first_ms 400]] [[status 500]]", stream=True)
    assert r.status == 200 and r.events()[0][0] == "comment"
    assert json.loads(r.events()[-1][1])["error"]["code"] == "backend_failed"


def test_by_default_the_first_comment_comes_after_ten_seconds(hob, fake):
    """The one slow test: the default itself."""
    import time
    h = hob({"hosts": {"up": {"url": fake.url}}, "models": {"far": {"host": "up"}}})
    with h.open_chat("far", "[[first_ms 10600]]", stream=True) as c:
        began = time.monotonic()
        s = c.stream(c.start())
        assert next(s)[0] == "comment"
        assert 9.5 < time.monotonic() - began < 10.6
        assert [d for k, d in s if k == "data"][-1] == "[DONE]"
