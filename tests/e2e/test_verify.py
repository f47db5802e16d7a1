"""Draft and verify: the better of two answers, whoever is right about which that is."""

import pytest
from helpers import chat_body, chunks_of, content_of, wait_for

GOOD = '[[json {"verdict":"good","answer":""}]]'
BETTER = '[[json {"verdict":"better","answer":"The sum is 4."}]]'


@pytest.fixture
def place(nursery):
    """hob with a drafter and a checker, both fake hosts; start(**host settings of the checker) -> (hob, drafter, checker)"""
    def start(**checker_host):
        small, large = nursery.fake(), nursery.fake()
        h = nursery.hob({"hosts": {"near": {"url": small.url}, "far": {"url": large.url, **checker_host}},
                         "models": {"small": {"host": "near"}, "large": {"host": "far"}},
                         "tiers": {"fast": "small", "heavy": "large"},
                         "roles": {"chat": {"model": "fast"}, "plain": {"model": "fast"}},
                         "routes": [{"when": {"role": ["chat"]}, "verify": "heavy"}]})
        return h, small, large
    return start


def test_a_good_draft_stands(place):
    h, small, large = place()
    large.default(GOOD)
    plain = h.post("/v1/chat/completions", chat_body("plain", "what is 2+2?")).json()
    r = h.post("/v1/chat/completions", chat_body("chat", "what is 2+2?"))
    assert r.status == 200, r
    o = r.json()
    assert o["choices"][0]["message"]["content"] == plain["choices"][0]["message"]["content"]
    assert o["model"] == "small" and o["_routing"]["model"] == "small"
    assert o["_routing"]["verify"]["verdict"] == "agreed" and o["_routing"]["verify"]["model"] == "large"
    assert "verify" not in plain["_routing"] or plain["_routing"]["verify"] is None
    asked = large.chat().json()
    assert [m["role"] for m in asked["messages"]] == ["user", "assistant", "user"]
    assert asked["messages"][1]["content"] == o["choices"][0]["message"]["content"]


def test_a_better_answer_takes_its_place(place):
    h, _, large = place()
    large.default(BETTER)
    o = h.post("/v1/chat/completions", chat_body("chat", "what is 2+2?")).json()
    assert o["choices"][0]["message"]["content"] == "The sum is 4."
    assert o["model"] == "large" and o["_routing"]["verify"]["verdict"] == "improved"


@pytest.mark.parametrize("verdict, words", [(GOOD, None), (BETTER, "The sum is 4.")])
def test_a_stream_gets_what_was_decided(place, verdict, words):
    h, small, large = place()
    large.default(verdict)
    small.default("[[words 5]]")
    r = h.post("/v1/chat/completions", chat_body("chat", "what is 2+2?", stream=True, stream_options={"include_usage": True}))
    assert r.status == 200
    events = r.events()
    assert events[-1] == ("data", "[DONE]")
    said = content_of(events)
    assert said == words if words else len(said.split()) == 5
    routing = [c["_routing"] for c in chunks_of(events) if "_routing" in c]
    assert len(routing) == 1 and routing[0]["verify"]["verdict"] == ("improved" if words else "agreed")
    assert [c for c in chunks_of(events) if c.get("usage")]


@pytest.mark.parametrize("fault", ["[[status 500]]", "[[words 8]]", "[[close_before]]"])
def test_without_a_check_the_draft_stands(place, fault):
    h, _, large = place()
    large.default(fault)
    r = h.post("/v1/chat/completions", chat_body("chat", "what is 2+2?"))
    assert r.status == 200, r
    assert r.json()["_routing"]["verify"]["verdict"] == "failed" and r.json()["model"] == "small"


def test_a_call_of_a_tool_is_not_checked(place):
    h, small, large = place()
    small.default('[[tool f {"a":1}]]')
    o = h.post("/v1/chat/completions", chat_body("chat", "call f", tools=[{"type": "function", "function": {"name": "f"}}])).json()
    assert o["choices"][0]["message"]["tool_calls"]
    assert large.log().chats == []



def test_when_there_is_no_draft_there_is_nothing_to_check(place):
    h, small, large = place()
    small.default("[[status 500]]")
    r = h.post("/v1/chat/completions", chat_body("chat", "what is 2+2?"))
    assert r.status == 502 and large.log().chats == []


def test_a_caller_who_leaves_during_the_check_ends_it(place):
    h, _, large = place()
    large.default("[[first_ms 60000]]")
    s = h.open_chat("chat", "what is 2+2?")
    wait_for("the checker is asked", lambda: large.log().in_flight == 1)
    s.close()
    wait_for("the checker is let go", lambda: large.log().in_flight == 0)


def test_what_is_private_is_not_checked_elsewhere(place):
    h, _, large = place(local=False)
    o = h.post("/v1/chat/completions", chat_body("chat", "what is 2+2?"), headers=[("x-hob-private", "true")]).json()
    assert o["model"] == "small" and large.log().chats == []