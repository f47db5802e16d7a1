"""JSON that was asked for is JSON delivered, checked against its schema, or an error that says where it does not fit."""

import json
import os
import re

import places
import pytest
from helpers import FAKE, FORGIVING, SLOW, chunks_of, cli, content_of, wait_for

CITY = {"type": "object", "properties": {"city": {"type": "string", "description": "the capital's name"}, "people": {"type": "integer", "minimum": 0}},
        "required": ["city", "people"], "additionalProperties": False}
GOOD = '{"city": "Paris", "people": 2100000}'
BAD = '{"city": "Paris", "people": "many"}'


def wish(schema, **more):
    return {"type": "json_schema", "json_schema": {"name": "s", "schema": schema, **more}}


def say(text, **directives):
    """The fake's directives for one answer."""
    return f"[[text {json.dumps(text)}]]" + "".join(f"[[{k} {v}]]" for k, v in directives.items())


def ask(h, model, said, fields, **kw):
    """As h.chat(), for fields of any name."""
    return h.post("/v1/chat/completions", {"model": model, "messages": [{"role": "user", "content": said}], **fields}, **kw)


def rows(h):
    return [json.loads(line) for line in cli("logs", "-c", h.config_path, "--json", env=h.env).stdout.splitlines()]


def body_of(r):
    return json.loads(r.json()["choices"][0]["message"]["content"])


def schema_of(r):
    return r.json()["_routing"]["policy"]["schema"]  # "direct:valid"


@pytest.fixture(scope="module")
def world(module_nursery):
    """hob with a managed fake model `own`, the hosts' models `far` and `other`, and roles for every setting."""
    far, other = module_nursery.fake(), module_nursery.fake()
    h = module_nursery.hob({
        **FORGIVING,
        "engines": {"llama": {"path": str(FAKE)}},
        "hosts": {"up": {"url": far.url, "local": False, "price": {"input": 1000, "output": 1000}}, "beside": {"url": other.url}},
        "models": {**module_nursery.model("own"), "far": {"host": "up"}, "other": {"host": "beside"}, "plain": {"host": "up", "capabilities": ["none"]}},
        "roles": {
            "chat": {"model": "own", "fallback": ["other"]},
            "escalates": {"model": "own", "fallback": ["other"], "policy": {"schema": {"escalate": True}}},
            "live": {"model": "own", "policy": {"schema": {"stream": "live"}}},
            "live-far": {"model": "far", "policy": {"schema": {"stream": "live"}}},
            "first": {"model": "own", "policy": {"schema": {"mode": "reason_first"}}},
            "first-far": {"model": "far", "policy": {"schema": {"mode": "reason_first"}}},
            "twice": {"model": "own", "policy": {"schema": {"mode": "two_pass"}}},
            "strict": {"model": "own", "policy": {"schema": {"formats": True}}},
            "told": {"model": "own", "policy": {"schema": {"describe": "on"}}},
            "untold": {"model": "far", "policy": {"schema": {"describe": "off"}}},
        },
    }, wait="ready")
    h.far, h.other, h.own = far, other, h.child("own").control
    return h


@pytest.fixture(autouse=True)
def clean(request):
    if "world" in request.fixturenames:
        h = request.getfixturevalue("world")
        for f in (h.far, h.other, h.own):
            f.default("")
            f.reset()


EVERYWHERE = pytest.mark.parametrize("model", ["own", "far"])


# -- what fits


@EVERYWHERE
def test_what_fits_passes(world, model):
    r = world.chat(model, say(GOOD), response_format=wish(CITY, strict=True))
    assert r.status == 200, r
    assert r.json()["choices"][0]["message"]["content"] == GOOD
    assert r.get("x-hob-schema") == "valid"
    assert schema_of(r) == "direct:valid" and "spent" not in r.json()["_routing"]


@EVERYWHERE
def test_without_a_wish_nothing_is_checked(world, model):
    r = world.chat(model, say(BAD), response_format={"type": "text"})
    assert r.status == 200 and r.get("x-hob-schema") is None and schema_of(r) is None


@pytest.mark.parametrize("fields", [
    {"response_format": wish(CITY)}, {"response_format": wish(CITY, strict=False)}, {"response_format": {"type": "json_schema", "schema": CITY}},
    {"response_format": {"type": "json_object", "schema": CITY}}, {"format": CITY}, {"text": {"format": {"type": "json_schema", "name": "s", "schema": CITY}}},
], ids=["usual", "not strict", "flat", "json_object", "ollama", "responses"])
@EVERYWHERE
def test_the_wish_in_every_form(world, model, fields):
    assert body_of(ask(world, model, say(GOOD), fields)) == json.loads(GOOD)
    sent = (world.own if model == "own" else world.far).chat().json()["response_format"]
    assert (sent.get("json_schema") or sent)["schema"] == CITY
    r = ask(world, model, say(BAD), fields)
    assert r.status == 502 and r.json()["error"]["code"] == "schema_unmet", r


@pytest.mark.parametrize("fields", [{"response_format": {"type": "json_object"}}, {"format": "json"}, {"text": {"format": {"type": "json_object"}}}])
@EVERYWHERE
def test_any_object_is_an_object(world, model, fields):
    assert body_of(ask(world, model, say('{"a": [1]}'), fields)) == {"a": [1]}
    for text in ("[1]", "3", '"a"', "Paris is nice."):
        r = ask(world, model, say(text), fields)
        assert r.status == 502 and r.json()["error"]["code"] == "schema_unmet", (text, r)


def test_calls_of_tools_are_no_answer_yet(world):
    tools = [{"type": "function", "function": {"name": "f", "parameters": {"type": "object", "properties": {"a": {"type": "integer"}}}}}]
    r = world.chat("own", '[[tool f {"a":1}]]', tools=tools, response_format=wish(CITY))
    assert r.status == 200 and r.json()["choices"][0]["message"]["tool_calls"], r
    assert r.get("x-hob-schema") is None


# -- what does not


@EVERYWHERE
def test_it_is_shown_what_is_wrong_and_asked_once_more(world, model):
    place = world.own if model == "own" else world.far
    place.default(say(GOOD))
    r = world.chat(model, say(BAD), response_format=wish(CITY))
    assert r.status == 200 and body_of(r) == json.loads(GOOD), r
    assert r.get("x-hob-schema") == "repaired"
    spent = r.json()["_routing"]["spent"]
    assert schema_of(r) == "direct:repaired" and spent["output"] > 0
    first, second = [c.json() for c in place.log().chats]
    assert [m["role"] for m in second["messages"]][-2:] == ["assistant", "user"]
    assert second["messages"][-2]["content"] == BAD and "/people: " in second["messages"][-1]["content"]
    assert second["response_format"] == first["response_format"]
    if model == "far":  # both answers are paid for
        routing = r.json()["_routing"]
        tokens = sum(routing["tokens"][k] + spent[k] for k in ("input", "output"))
        assert routing["cost"] == pytest.approx(tokens / 1000, rel=1e-3)


CASES = [  # (answer, what the message says, where)
    (BAD, "must be", "/people"),
    ('{"city": "Paris"}', "people", ""),
    ('{"city": "Paris", "people": 1, "more": 2}', "must not be there", "/more"),
    ('{"city": "Paris", "people": -1}', "must be", "/people"),
    ('{"city": "Paris", "city": "Rome", "people": 1}', "JSON", ""),
    ("Paris has many people.", "JSON", ""),
    ('Sure! {"city": "Paris", "people": 1}', "JSON", ""),
    ("[]", "must be", ""),
]


@pytest.mark.parametrize("answer, says, at", CASES)
@EVERYWHERE
def test_what_does_not_fit_is_an_error(world, model, answer, says, at):
    place = world.own if model == "own" else world.far
    place.default(say(answer))
    r = world.chat(model, say(answer), response_format=wish(CITY))
    e = r.json()["error"]
    assert r.status == 502 and e["code"] == "schema_unmet" and e["hob"]["fault"] == "model", r
    assert says in e["message"] and e["path"] == at and e["raw"] is None
    assert len(place.log().chats) == 2
    assert [t["error"] for t in e["hob"]["tried"]] == ["schema_unmet"]
    assert world.chat(model, say(GOOD)).status == 200  # no breaker minds


def test_the_raw_text_for_who_wants_it(world):
    world.own.default(say(BAD))
    r = world.chat("own", say(BAD), response_format=wish(CITY), headers=[("x-hob-schema-raw", "true")])
    assert r.status == 502 and r.json()["error"]["raw"] == BAD


def test_the_row_has_the_code_and_not_the_text(world):
    world.own.default(say('{"city": "canary-7"}'))
    r = world.chat("own", "x", response_format=wish(CITY))
    row = world.get(f"/hob/v1/logs?id={r.get('x-request-id')}")
    assert r.status == 502 and (row.status != 200 or "canary-7" not in json.dumps(row.json()))
    assert "canary-7" not in world.stderr()


@EVERYWHERE
def test_a_fence_is_taken_off(world, model):
    r = world.chat(model, say(f"```json\n{GOOD}\n```"), response_format=wish(CITY))
    assert r.status == 200 and r.json()["choices"][0]["message"]["content"] == GOOD, r
    assert r.get("x-hob-schema") == "repaired" and "spent" not in r.json()["_routing"]


def test_only_who_escalates_asks_the_next(world):
    world.own.default(say(BAD))
    world.other.default(say(GOOD))
    r = world.chat("chat", "x", response_format=wish(CITY))
    assert r.status == 502 and not world.other.log().chats
    r = world.chat("escalates", "x", response_format=wish(CITY))
    assert r.status == 200 and r.json()["model"] == "other" and body_of(r) == json.loads(GOOD), r
    assert r.get("x-hob-schema") == "escalated" and schema_of(r) == "direct:escalated" and r.json()["_routing"]["spent"]["output"] > 0
    assert [t["error"] for t in r.json()["_routing"]["fallback_chain"]] == ["schema_unmet"]
    world.other.default(say(BAD))
    r = world.chat("escalates", "x", response_format=wish(CITY))
    assert r.status == 502 and [t["model"] for t in r.json()["error"]["hob"]["tried"]] == ["own", "other"]


# -- cut off


@pytest.mark.parametrize("limit", ["max_tokens", "max_completion_tokens"])
@EVERYWHERE
def test_the_callers_limit_is_one(world, model, limit):
    place = world.own if model == "own" else world.far
    r = world.chat(model, say(GOOD[:20], finish="length"), response_format=wish(CITY), **{limit: 20})
    e = r.json()["error"]
    assert r.status == 502 and e["code"] == "schema_unmet" and e["param"] == "max_tokens" and "20" in e["hob"]["hint"], r
    assert len(place.log().chats) == 1


def test_another_limit_is_raised_once(world):
    world.own.default(say(GOOD[:20], finish="length"))
    r = world.chat("own", "x", response_format=wish(CITY))
    assert r.status == 502 and "cut off" in r.json()["error"]["message"]
    first, second = [c.json() for c in world.own.log().chats]
    assert len(second["messages"]) == 1 and second["max_tokens"] > 0, second


def test_what_is_whole_though_the_limit_was_met(world):
    r = world.chat("own", say(GOOD, finish="length"), response_format=wish(CITY), max_tokens=20)
    assert r.status == 200 and body_of(r) == json.loads(GOOD)
    r = world.chat("own", say("12", finish="length"), response_format=wish({"type": "integer"}), max_tokens=20)
    assert r.status == 502  # there may have been more digits


def test_what_is_whole_and_does_not_fit_was_not_cut_off(world):
    world.own.default(say(BAD, finish="length"))
    e = world.chat("own", "x", response_format=wish(CITY), max_tokens=20).error()
    assert e["code"] == "schema_unmet" and e["path"] == "/people" and "cut off" not in e["message"] and e["param"] is None


@EVERYWHERE
def test_a_call_that_nobody_offered_is_no_answer(world, model):
    (world.own if model == "own" else world.far).default('[[tool weather {"city":"Oslo"}]]')
    r = world.chat(model, "x", response_format=wish(CITY))
    assert r.status == 502 and r.error()["code"] == "schema_unmet"


# -- schemas that are none


@pytest.mark.parametrize("schema", [
    {"type": "banana"}, {"type": "object", "properties": {"a": {"$ref": "#/$defs/none"}}}, {"$ref": "https://example.com/x.json"},
    {"type": "string", "pattern": "("}, {"type": "integer", "minimum": "x"}, {"required": "a"}, "an object", False, None, 3, [],
], ids=str)
def test_what_is_no_schema_is_refused(world, schema):
    r = world.chat("own", say(GOOD), response_format=wish(schema))
    e = r.json()["error"]
    assert r.status == 400 and e["code"] == "schema_unsupported" and e["param"] == "response_format" and e["hob"]["fault"] == "caller", r
    assert not world.own.log().chats


def test_where_in_the_schema(world):
    r = world.chat("own", "x", response_format=wish({"type": "object", "properties": {"a": {"items": {"type": "banana"}}}}))
    assert "/properties/a/items/type" in r.json()["error"]["message"], r


# -- what engines accept and do not enforce: the schema, an answer that such an engine gives, what the header says
LOOSE = [
    ({}, "The answer is 4.", None),
    (True, "The answer is 4.", None),
    ({"type": "object", "properties": {"a": {"not": {"type": "string"}}}, "required": ["a"]}, '{"a": "x"}', "not"),
    ({"type": "object", "properties": {"a": {"type": "integer", "multipleOf": 7}}, "required": ["a"]}, '{"a": 8}', "multipleOf"),
    ({"type": "object", "properties": {"a": {"type": "number", "minimum": 1}}, "required": ["a"]}, '{"a": 0.5}', "minimum"),
    ({"type": "object", "properties": {"a": {"type": "number", "maximum": 1}}, "required": ["a"]}, '{"a": 1.5}', "maximum"),
    ({"type": "array", "items": {"type": "integer"}, "uniqueItems": True}, "[1, 1]", "uniqueItems"),
    ({"type": "object", "if": {"required": ["a"]}, "then": {"required": ["b"]}}, '{"a": 1}', "if,then"),
    ({"type": "string", "pattern": "^(?=a)[a-z]+$"}, '"banana"', "pattern"),
    ({"type": "array", "items": {"type": "integer"}, "contains": {"const": 3}}, "[1]", "contains"),
    ({"type": "object", "minProperties": 1}, "{}", "minProperties"),
    ({"type": "object", "propertyNames": {"pattern": "^a$"}}, '{"b": 1}', "propertyNames"),
    ({"type": "object", "dependentRequired": {"a": ["b"]}}, '{"a": 1}', "dependentRequired"),
    ({"oneOf": [{"type": "integer"}, {"type": "number"}]}, "3", "oneOf"),
    ({"type": "object", "required": ["a"]}, "{}", "required"),
]


@pytest.mark.parametrize("schema, answer, unenforced", LOOSE, ids=lambda v: json.dumps(v)[:60])
def test_what_is_not_enforced_is_caught(world, schema, answer, unenforced):
    world.own.default(say(answer))
    r = world.chat("own", "x", response_format=wish(schema))
    assert r.status == 502 and r.json()["error"]["code"] == "schema_unmet", r
    fits = {"not": '{"a": 1}', "multipleOf": '{"a": 7}', "minimum": '{"a": 1}', "maximum": '{"a": 1}', "uniqueItems": "[1, 2]", "if,then": '{"a": 1, "b": 2}',
            "pattern": '"apple"', "contains": "[3]", "minProperties": '{"a": 1}', "propertyNames": '{"a": 1}', "dependentRequired": "{}",
            "oneOf": "0.5", "required": '{"a": 1}', None: "{}"}[unenforced]
    world.own.default(say(fits))
    r = world.chat("own", "x", response_format=wish(schema))
    assert r.status == 200 and r.get("x-hob-schema-unenforced") == unenforced, r


def test_formats_are_checked_where_that_is_said(world):
    schema = {"type": "string", "format": "email"}
    assert world.chat("own", say('"nobody"'), response_format=wish(schema)).status == 200
    world.own.default(say('"nobody"'))
    assert world.chat("strict", "x", response_format=wish(schema)).status == 502
    world.own.default(say('"a@example.com"'))
    r = world.chat("strict", "x", response_format=wish(schema))
    assert r.status == 200 and r.get("x-hob-schema-unenforced") == "format"


def test_an_engine_gets_what_it_takes(world):
    schema = {"type": "object", "properties": {"a": {"type": "string", "pattern": r"\d{3}"}, "b": True, "c": {"allOf": [{"type": "integer"}]}}}
    world.own.default(say('{"a": "x123"}'))
    r = world.chat("own", "x", response_format=wish(schema))
    assert r.status == 200, r
    sent = world.own.chat().json()["response_format"]["json_schema"]["schema"]["properties"]
    assert sent["a"]["pattern"].startswith("^") and sent["a"]["pattern"].endswith("$") and "[0-9]{3}" in sent["a"]["pattern"]
    assert sent["b"] == {} and sent["c"] == {"type": "integer"}
    world.far.default(say('{"a": "x123"}'))
    assert world.chat("far", "x", response_format=wish(schema)).status == 200
    assert world.far.chat().json()["response_format"] == wish(schema)  # a host gets the caller's own


# -- told in words


@pytest.mark.parametrize("model, described", [("own", False), ("far", True), ("told", True), ("untold", False)])
def test_who_is_told_in_words(world, model, described):
    place = world.far if model in ("far", "untold") else world.own
    place.default(say(GOOD))
    assert world.chat(model, "x", response_format=wish(CITY)).status == 200
    text = json.dumps(place.chat().json()["messages"])
    assert ("the capital's name" in text) == described


# -- modes


@pytest.mark.parametrize("model", ["first", "first-far"])
@pytest.mark.parametrize("stream", [False, True])
def test_to_reason_first(world, model, stream):
    place = world.own if model == "first" else world.far
    place.default(say('{"reasoning": "It is large.", "city": "Paris", "people": 2100000}'))
    r = world.chat(model, "x", response_format=wish(CITY), stream=stream)
    assert r.status == 200, r
    text = content_of(r.events()) if stream else r.json()["choices"][0]["message"]["content"]
    assert json.loads(text) == json.loads(GOOD)
    sent = place.chat().json()["response_format"]["json_schema"]["schema"]
    assert next(iter(sent["properties"])) == "reasoning" and "reasoning" in sent["required"]
    if not stream:
        assert schema_of(r) == "reason_first:valid"


def test_to_reason_first_around_what_is_no_object(world):
    world.own.default(say('{"reasoning": "hm", "answer": [1, 2]}'))
    r = world.chat("first", "x", response_format=wish({"type": "array", "items": {"type": "integer"}}))
    assert r.status == 200 and body_of(r) == [1, 2], r


def test_to_reason_first_where_that_cannot_be(world):
    schema = {"type": "object", "properties": {"next": {"$ref": "#"}}}
    world.own.default(say('{"next": {}}'))
    r = world.chat("first", "x", response_format=wish(schema))
    assert r.status == 200 and body_of(r) == {"next": {}} and schema_of(r) == "direct:valid", r


@pytest.mark.parametrize("stream", [False, True])
def test_to_answer_twice(world, stream):
    world.own.default(say(GOOD))
    r = world.chat("twice", say("Paris, and it has 2.1 million people."), response_format=wish(CITY), stream=stream)
    assert r.status == 200, r
    text = content_of(r.events()) if stream else r.json()["choices"][0]["message"]["content"]
    assert json.loads(text) == json.loads(GOOD)
    first, second = [c.json() for c in world.own.log().chats]
    assert "response_format" not in first and second["response_format"]["type"] == "json_schema"
    assert second["messages"][-2] == {"role": "assistant", "content": "Paris, and it has 2.1 million people."}
    if not stream:
        assert schema_of(r) == "two_pass:valid" and r.get("x-hob-schema") == "valid"


# -- streams


@EVERYWHERE
def test_a_stream_waits_for_the_check(world, model):
    place = world.own if model == "own" else world.far
    place.default(say(GOOD))
    r = world.chat(model, say(BAD), response_format=wish(CITY), stream=True, stream_options={"include_usage": True})
    assert r.status == 200, r
    events = r.events()
    assert events[-1] == ("data", "[DONE]") and json.loads(content_of(events)) == json.loads(GOOD)
    routing = [c["_routing"] for c in chunks_of(events) if "_routing" in c]
    assert len(routing) == 1 and routing[0]["policy"]["schema"] == "direct:repaired"
    assert [c for c in chunks_of(events) if c.get("usage")]
    assert r.get("x-hob-schema") == "repaired"
    place.default(say(BAD))
    r = world.chat(model, say(BAD), response_format=wish(CITY), stream=True)
    assert r.status == 502 and r.json()["error"]["code"] == "schema_unmet", r


@pytest.mark.parametrize("model", ["live", "live-far"])
def test_a_live_stream_is_checked_at_its_end(world, model):
    r = world.chat(model, say(GOOD), response_format=wish(CITY), stream=True)
    events = r.events()
    assert r.status == 200 and events[-1] == ("data", "[DONE]") and content_of(events) == GOOD
    for text in (BAD, GOOD[:20], f"```json\n{GOOD}\n```"):
        r = world.chat(model, say(text), response_format=wish(CITY), stream=True)
        events = r.events()
        assert content_of(events) == text and ("data", "[DONE]") not in events
        assert json.loads(events[-1][1])["error"]["code"] == "schema_unmet"
        assert not [c for c in chunks_of(events) if c.get("choices") and c["choices"][0].get("finish_reason")]


class Several(places.Place):
    """An OpenAI host that gives as many answers as it was told to."""
    content_type, chat_path, models = "application/json", "/v1/chat/completions", ["m"]

    def check(self, b):
        assert "stream" not in b or not b["stream"]

    def stream(self, h, texts):
        choices = [{"index": i, "message": {"role": "assistant", "content": c}, "finish_reason": "stop"} for i, c in enumerate(texts)]
        self.send(h, 200, {"id": "c", "object": "chat.completion", "created": 1, "model": "m", "choices": choices,
                           "usage": {"prompt_tokens": 90, "completion_tokens": 20, "total_tokens": 110}})


@pytest.fixture
def several(hob):
    place = Several()
    yield hob({"hosts": {"up": {"url": place.url, "probe": "never"}}, "models": {"m": {"host": "up"}}}), place
    place.stop()


@pytest.mark.parametrize("second, status", [(GOOD, 200), (BAD, 502), (f"```json\n{GOOD}\n```", 502)])
def test_several_answers_are_all_checked(several, second, status):
    h, place = several
    for stream in (False, True):
        place.next = [[GOOD, second]] * 2
        r = h.chat("m", "x", response_format=wish(CITY), n=2, stream=stream)
        assert r.status == status, r
        if status == 200 and stream:
            got = [c["delta"]["content"] for chunk in chunks_of(r.events()) for c in chunk["choices"] if c["delta"].get("content")]
            assert got == [GOOD, second] and r.events()[-1] == ("data", "[DONE]")
        elif status == 200:
            assert [c["message"]["content"] for c in r.json()["choices"]] == [GOOD, second]


# -- other places


@pytest.fixture
def abroad(hob):
    far, box = places.Anthropic(key="sekret"), places.Ollama()
    h = hob({**FORGIVING, "hosts": {"far": {"kind": "anthropic", "url": far.url, "key": "sekret", "probe": "never"}, "box": {"kind": "ollama", "url": box.url, "probe": "never"}},
             "models": {"claude": {"host": "far", "name": "claude-sonnet-4-5"}, "qwen": {"host": "box", "name": "qwen3:8b"}}})
    yield h, far, box
    far.stop()
    box.stop()


LIMITED = {"type": "object", "properties": {"city": {"type": "string", "maxLength": 5, "pattern": r"^\w+$"}, "n": {"type": "number", "minimum": 0}}, "required": ["city", "n"]}


def test_a_messages_api(abroad):
    h, far, _ = abroad
    far.next = [places.message(places.text_block(0, '{"city": "Par', 'is!", "n": 1}')), places.message(places.text_block(0, '{"city": "Paris", "n": 1}'))]
    r = h.chat("claude", "hi", response_format=wish(LIMITED))
    assert r.status == 200 and body_of(r) == {"city": "Paris", "n": 1} and r.get("x-hob-schema") == "repaired", r
    first, second = far.chats
    sent = first["output_config"]["format"]["schema"]  # without what that API refuses
    assert "maxLength" not in sent["properties"]["city"] and "minimum" not in sent["properties"]["n"] and sent["additionalProperties"] is False
    assert r.get("x-hob-schema-unenforced") == "minimum,maxLength"
    assert "length <= 5" in json.dumps(first["system"])
    assert second["messages"][-2]["role"] == "assistant" and "/city" in json.dumps(second["messages"][-1])


def test_an_ollama(abroad):
    h, _, box = abroad
    box.next = [[places.line(content='{"city": "Paris", "n": -1}'), places.last()], [places.line(content='{"city": "Paris", "n": 1}'), places.last()]]
    r = h.chat("qwen", "hi", format=LIMITED)
    assert r.status == 200 and body_of(r) == {"city": "Paris", "n": 1}, r
    assert box.chats[0]["format"]["properties"]["city"]["pattern"] == "^([A-Za-z0-9_]+)$" and r.get("x-hob-dropped") is None
    box.next = [[places.line(content='{"city": "Pa'), places.last("length")]] * 2
    r = h.chat("qwen", "hi", format=LIMITED, max_tokens=5)
    assert r.status == 502 and r.json()["error"]["code"] == "schema_unmet"


# -- the official client


def test_the_client_parses(world):
    import pydantic

    class City(pydantic.BaseModel):
        city: str
        people: int

    world.own.default(say(GOOD))
    r = world.client.chat.completions.parse(model="own", messages=[{"role": "user", "content": "x"}], response_format=City)
    assert r.choices[0].message.parsed == City(city="Paris", people=2100000)
    with world.client.chat.completions.stream(model="own", messages=[{"role": "user", "content": "x"}], response_format=City) as s:
        assert s.get_final_completion().choices[0].message.parsed == City(city="Paris", people=2100000)


# -- the real engine

def exactly(o, *names):
    return isinstance(o, dict) and sorted(o) == sorted(names)


def is_whole(v, least, most):
    return isinstance(v, int) and not isinstance(v, bool) and least <= v <= most


def is_flat(o):
    return exactly(o, "name", "age", "kind", "fast") and isinstance(o["name"], str) and len(o["name"]) <= 20 and is_whole(o["age"], 0, 120) \
        and o["kind"] in ("person", "animal") and isinstance(o["fast"], bool)


def is_list(o):
    return exactly(o, "items") and isinstance(o["items"], list) and 1 <= len(o["items"]) <= 3 and all(
        exactly(i, "what", "n") and isinstance(i["what"], str) and len(i["what"]) <= 16 and is_whole(i["n"], 1, 9) for i in o["items"])


def is_loose(o):
    return exactly(o, "score", "even", "tags") and isinstance(o["score"], (int, float)) and 0 <= o["score"] <= 1 and is_whole(o["even"], 0, 9) \
        and o["even"] % 2 == 0 and len(set(o["tags"])) == len(o["tags"]) <= 3 and set(o["tags"]) <= {"a", "b", "c"}


THREE = {  # the schema, the same as code of another hand, what is asked
    "flat": ({"type": "object", "properties": {"name": {"type": "string", "maxLength": 20}, "age": {"type": "integer", "minimum": 0, "maximum": 120},
                                               "kind": {"enum": ["person", "animal"]}, "fast": {"type": "boolean"}},
              "required": ["name", "age", "kind", "fast"], "additionalProperties": False}, is_flat, "Tell me about a horse named Bo, 7 years old."),
    "list": ({"type": "object", "properties": {"items": {"type": "array", "items": {"type": "object", "properties": {
        "what": {"type": "string", "maxLength": 16}, "n": {"type": "integer", "minimum": 1, "maximum": 9}}, "required": ["what", "n"], "additionalProperties": False},
        "minItems": 1, "maxItems": 3}}, "required": ["items"], "additionalProperties": False}, is_list, "A shopping list: 2 apples and 3 eggs."),
    "loose": ({"type": "object", "properties": {"score": {"type": "number", "minimum": 0, "maximum": 1}, "even": {"type": "integer", "multipleOf": 2, "minimum": 0, "maximum": 9},
                                                "tags": {"type": "array", "items": {"enum": ["a", "b", "c"]}, "maxItems": 3, "uniqueItems": True}},
               "required": ["score", "even", "tags"], "additionalProperties": False}, is_loose, "Give a score, an even digit and some tags."),
}


@pytest.fixture(scope="module")
def real_world(real, module_nursery):
    engine, model = real
    return module_nursery.hob({
        "engines": {"llama": {"path": engine}},
        "models": {"small": {"file": model, "context": 2048, "slots": 1, "keep": "hot", "max_tokens": 200}},
        "roles": {"chat": {"model": "small"}, "first": {"model": "small", "policy": {"schema": {"mode": "reason_first"}}},
                  "twice": {"model": "small", "policy": {"schema": {"mode": "two_pass"}}}},
    }, wait="ready", seconds=60)


def came_of(r, stream):
    """(the content, or None; what came of it): an error may come after the status, which a stream does not hold back for ever."""
    if r.status != 200:
        return None, r.json()["error"]
    if not stream:
        return r.json()["choices"][0]["message"]["content"], r.get("x-hob-schema")
    events = r.events()
    errors = [c["error"] for c in chunks_of(events) if "error" in c]
    return (None, errors[0]) if errors else (content_of(events), r.get("x-hob-schema") or "late")


RUNS = 200 if os.environ.get("HOB_SOAK") else 30


@pytest.mark.timeout((1800 if RUNS == 200 else 300) * SLOW)
@pytest.mark.parametrize("role", ["chat", "first", "twice"])
def test_nothing_that_does_not_fit_is_a_success(real_world, role, request):
    runs = RUNS if role == "chat" else RUNS // 5
    counts = {}
    for i in range(runs):
        name = list(THREE)[i % 3]
        schema, fits, text = THREE[name]
        r = real_world.chat(role, text, response_format=wish(schema), temperature=0.7, seed=i, stream=i % 2 == 1, timeout=120)
        content, outcome = came_of(r, i % 2 == 1)
        if content is None:
            assert outcome["code"] == "schema_unmet", outcome
            outcome = "schema_unmet"
        else:
            assert fits(json.loads(content)), content
        counts[name, outcome] = counts.get((name, outcome), 0) + 1
    print(role, sorted(counts.items()))
    assert sum(n for (name, outcome), n in counts.items() if outcome != "schema_unmet") > 0


@pytest.mark.parametrize("stream", [False, True])
def test_20_tokens_are_never_enough_by_luck(real_world, stream):
    for i, (schema, fits, text) in enumerate(THREE.values()):
        r = real_world.chat("chat", text, response_format=wish(schema), max_tokens=20, seed=i, stream=stream, timeout=60)
        content, outcome = came_of(r, stream)
        if content is None:
            assert outcome["code"] == "schema_unmet" and outcome["param"] == "max_tokens"
        else:  # it may fit, but never be cut
            assert fits(json.loads(content)), content


PATTERNS = [r"^\d{3}-\d{4}$", r"^[A-Z]{2}\w+$", r"^\S+@\S+\.com$", r"abc", r"^a.{2,6}z$", r"^[^x]{1,8}$", r"^(?:yes|no)$", r"^\+?[\d\- ]{5,9}$"]


@pytest.mark.parametrize("pattern", PATTERNS)
def test_patterns_are_made_for_the_real_engine(real_world, pattern):
    """Each of them is refused by the engine as it is, or makes it write what is no JSON."""
    schema = {"type": "object", "properties": {"v": {"type": "string", "pattern": pattern, "maxLength": 40}}, "required": ["v"], "additionalProperties": False}
    r = real_world.chat("chat", "Give a value.", response_format=wish(schema), temperature=0, max_tokens=40, timeout=60)
    if r.status == 200:
        assert re.search(pattern, body_of(r)["v"])
    else:
        assert r.json()["error"]["code"] == "schema_unmet", r


def test_the_client_parses_what_a_real_model_says(real_world):
    import pydantic

    class Animal(pydantic.BaseModel):
        legs: int = pydantic.Field(ge=0, le=8)
        tame: bool

    r = real_world.client.chat.completions.parse(model="small", messages=[{"role": "user", "content": "A dog."}], response_format=Animal, temperature=0)
    assert isinstance(r.choices[0].message.parsed, Animal)


# -- together with others


def test_a_rival_of_another_kind_changes_nothing_of_what_is_mended(nursery):
    """Each of the two is told in its own form, and who mends is told once more what it was told before."""
    late = nursery.fake()
    h = nursery.hob({**FORGIVING, "engines": {"llama": {"path": str(FAKE)}}, "hosts": {"late": {"url": late.url}},
                     "models": {"far": {"host": "late"}, **nursery.model("own")}, "hedge": {"tokens": 10000}, "retry": {"budget": 1},
                     "roles": {"chat": {"model": "far", "fallback": ["own"], "policy": {"schema": {"mode": "reason_first"}}}}}, wait="ready")
    for _ in range(20):
        h.chat("chat", "hi")
    late.reset()
    h.child("own").control.default("[[first_ms 60000]]")
    late.default("[[first_ms 400]]" + say(GOOD))
    digits = {f"p{i}": {"type": "string", "pattern": r"\d\w\W\D\S"} for i in range(300)}  # for an engine of ours many times as long
    schema = {"type": "object", "properties": {**CITY["properties"], **digits}, "required": ["city", "people"]}
    r = h.chat("chat", say(BAD), response_format=wish(schema))
    assert r.status == 200 and body_of(r) == json.loads(GOOD) and r.get("x-hob-model") == "far", r
    assert r.json()["_routing"]["hedged"] is True
    first, second = [c.json() for c in late.log().chats]
    assert second["response_format"] == first["response_format"]


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
def test_half_an_answer_is_no_fault_of_the_model(world, stream):
    r = world.chat("own", say(BAD, no_finish=""), response_format=wish(CITY), stream=stream)
    assert r.status == 502 and r.json()["error"]["code"] == "backend_failed" and r.json()["error"]["hob"]["fault"] == "backend", r
    assert len(world.own.log().chats) == 1


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
@EVERYWHERE
def test_who_leaves_while_it_is_mended_has_used_the_first_answer(world, model, stream):
    place = world.own if model == "own" else world.far
    place.default("[[first_ms 60000]]")
    c = world.open_chat(model, say(BAD, first_ms=0), stream=stream, response_format=wish(CITY))
    place.wait("it is asked once more", lambda log: len(log.chats) == 2)
    c.close()
    place.wait("it is told to stop", lambda log: log.cancelled == 1)
    row = wait_for("the row", lambda: [r for r in rows(world) if r["code"] == "caller_gone" and r["asked"] == model and r["stream"] == stream])[-1]
    assert row["tokens"]["output"] == 3 and row["fault"] == "caller"


@pytest.mark.parametrize("room", [0, 2, 8])
def test_what_is_shown_for_mending_never_makes_it_too_long(world, room):
    """The caller's own request fits: what does not fit beside its max_tokens is left out again."""
    window, said = 4096, say(BAD)
    n = int(re.search(r"has (?:about )?(\d+) tokens", world.chat("own", said, response_format=wish(CITY), max_tokens=window).body.decode())[1])
    r = world.chat("own", said, response_format=wish(CITY), max_tokens=window - n - room)
    assert r.status == 502 and r.json()["error"]["code"] == "schema_unmet", r


# -- another hob


def test_another_hob_has_seen_to_it(world, hob):
    near = hob({"hosts": {"next": {"kind": "hob", "url": world.url}}, "models": {"own": {"host": "next"}, "spare": {"host": "next", "name": "other"}},
                "roles": {"chat": {"model": "own", "fallback": ["spare"]}}})
    world.own.default(say(GOOD))
    r = near.chat("own", say(BAD), response_format=wish(CITY))
    assert r.status == 200 and body_of(r) == json.loads(GOOD), r
    world.own.default(say(BAD))
    for _ in range(4):  # no fault of the place: its breaker stays closed
        r = near.chat("chat", "x", response_format=wish(CITY))
        assert r.status == 502 and r.json()["error"]["code"] == "schema_unmet" and r.json()["error"]["hob"]["fault"] == "model", r
    assert not world.other.log().chats
