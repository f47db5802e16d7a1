"""The second stage of `auto`: a small model's opinion, when it is there in time and may know."""

import json

import pytest
from helpers import FAKE, chat_body, wait_for

EASY = "Hello, how are you today?"
OPINION = {"complexity": "heavy", "intent": "refund", "urgent": True, "private": False}


def says(**change):
    return f"[[json {json.dumps({**OPINION, **change}, separators=(',', ':'))}]]"


@pytest.fixture
def place(nursery):
    """hob with the tiers fast and heavy and a judge, all fake hosts; start(routes=…, triage=…) -> (hob, judge)"""
    def start(triage=None, judge_host=None, **config):
        small, large, judge = nursery.fake(), nursery.fake(), nursery.fake()
        judge.default(says())
        h = nursery.hob({"hosts": {"near": {"url": small.url}, "far": {"url": large.url}, "court": {"url": judge.url, **(judge_host or {})}},
                         "models": {"small": {"host": "near"}, "large": {"host": "far"}, "judge": {"host": "court"}},
                         "tiers": {"fast": "small", "heavy": "large"},
                         "triage": {"model": "judge", "intents": ["search", "refund"], "deadline": "5s", **(triage or {})}, **config})
        return h, judge
    return start


def ask(h, text=EASY, **kw):
    r = h.post("/v1/chat/completions", chat_body("auto", text), **kw)
    assert r.status == 200, r
    return r.json()["_routing"]


def test_its_opinion_goes_before_the_words(place):
    h, judge = place()
    assert ask(h)["tier"] == "heavy"
    asked = judge.chat().json()
    assert EASY in asked["messages"][-1]["content"] and asked["response_format"]["type"] == "json_schema"
    judge.default(says(complexity="fast"))
    assert ask(h, "Compare three queueing strategies in depth, weigh the trade-offs and recommend one, step by step.")["tier"] == "fast"


def test_rules_can_ask_for_what_it_found(place):
    h, judge = place(routes=[{"when": {"intent": ["refund"], "urgent": True}, "to": "small"}])
    assert ask(h)["model"] == "small"
    judge.default(says(intent="search"))
    assert ask(h)["model"] == "large"


@pytest.mark.parametrize("fault", ["[[status 500]]", "[[words 8]]", says(complexity="enormous"), "[[close_before]]", "[[first_ms 60000]]"])
def test_late_or_odd_it_is_no_opinion(place, fault):
    h, judge = place(triage={"deadline": "300ms"})
    judge.default(fault)
    assert ask(h)["tier"] == "fast"


def test_who_names_a_model_is_not_judged(place):
    h, judge = place()
    assert h.post("/v1/chat/completions", chat_body("small", EASY)).status == 200
    assert judge.log().chats == []



def test_a_judge_that_is_not_in_memory_is_not_loaded_for_it(nursery):
    small, large = nursery.fake(), nursery.fake()
    judge = nursery.model("judge", "default " + says(), keep="demand")
    h = nursery.hob({"engines": {"llama": {"path": str(FAKE)}},
                     "hosts": {"near": {"url": small.url}, "far": {"url": large.url}},
                     "models": {"small": {"host": "near"}, "large": {"host": "far"}, **judge},
                     "tiers": {"fast": "small", "heavy": "large"}, "triage": {"model": "judge", "deadline": "5s"}})
    assert ask(h)["tier"] == "fast"
    assert h.children() == []
    assert h.post("/v1/chat/completions", chat_body("judge", "hello")).status == 200
    assert ask(h)["tier"] == "heavy"


def test_a_caller_who_leaves_takes_the_question_along(place):
    h, judge = place(triage={"deadline": "60s"})
    judge.default("[[first_ms 60000]]")
    s = h.open_chat("auto", EASY)
    wait_for("the judge is asked", lambda: judge.log().in_flight == 1)
    s.close()
    wait_for("the judge is let go", lambda: judge.log().in_flight == 0)


def test_what_is_private_does_not_go_to_a_judge_elsewhere(place):
    h, judge = place(judge_host={"local": False})
    assert ask(h, headers=[("x-hob-private", "true")])["tier"] == "fast"
    assert ask(h, "Hello, I am jane.roe@example.org")["tier"] == "fast"
    assert judge.log().chats == []
    assert ask(h)["tier"] == "heavy"


@pytest.mark.parametrize("then", [{"private": True}, {"local_only": True}])
def test_what_a_rule_keeps_here_does_not_go_to_a_judge_elsewhere(place, then):
    h, judge = place(judge_host={"local": False}, routes=[{"when": {"header": ["x-team: hr"]}, **then}])
    assert ask(h, headers=[("x-team", "hr")])["tier"] == "fast"
    assert judge.log().chats == []
    assert ask(h)["tier"] == "heavy"
