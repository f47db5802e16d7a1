"""POST /v1/completions, and GET /v1/models/ID: the official SDK against a managed fake, a fake host and the real engine."""

import json

import openai
import pytest
import raw
from helpers import FAKE, FORGIVING, ROUTING_KEYS, check_routing, chunks_of


@pytest.fixture(scope="module")
def fakes(module_nursery):
    """(hob, the child's control, the host)"""
    host = module_nursery.fake()
    h = module_nursery.hob({
        "engines": {"llama": {"path": str(FAKE)}},
        "hosts": {"up": {"kind": "openai", "url": host.url}},
        **FORGIVING,
        "models": {**module_nursery.model("small", aliases=["gpt-small"]), "far": {"host": "up", "name": "far-away"},
                   "org/Name-1.5:latest": {"host": "up"}},
        "roles": {"chat": {"model": "far", "fallback": ["small"]}},
        "tiers": {"fast": "small"},
    }, wait="ready")
    return h, h.child("small").control, host


@pytest.fixture(params=["small", "far", "real"])
def world(request):
    """(hob, the name to ask for)"""
    if request.param == "real":
        return request.getfixturevalue("real_hob"), "small"
    return request.getfixturevalue("fakes")[0], request.param


def complete(h, model, prompt, **fields):
    return h.post("/v1/completions", {"model": model, "prompt": prompt, **fields})


def text_of(events):
    return "".join(c["choices"][0]["text"] for c in chunks_of(events) if c["choices"])


# -- the SDK


def test_a_text(world):
    h, model = world
    r = h.client.completions.create(model=model, prompt="Once upon a time", max_tokens=12, temperature=0)
    assert r.object == "text_completion" and r.id and r.created and r.model == model
    assert len(r.choices) == 1 and r.choices[0].text and r.choices[0].index == 0
    assert r.choices[0].finish_reason in ("stop", "length")
    assert r.usage.prompt_tokens > 0 and 0 < r.usage.completion_tokens <= 12
    assert not hasattr(r.choices[0], "message")
    routing = check_routing(r.model_extra["_routing"])
    assert ROUTING_KEYS <= routing.keys() and routing["tokens"]["output"] == r.usage.completion_tokens


def test_a_stream(world):
    h, model = world
    chunks = list(h.client.completions.create(model=model, prompt="Once upon a time", max_tokens=12, temperature=0, stream=True))
    assert len({c.id for c in chunks}) == 1 and len({c.created for c in chunks}) == 1 and {c.model for c in chunks} == {model}
    assert all(c.object == "text_completion" and len(c.choices) == 1 and c.usage is None for c in chunks)
    assert [c.choices[0].finish_reason is not None for c in chunks] == [False] * (len(chunks) - 1) + [True]
    check_routing(chunks[-1].model_extra["_routing"])
    whole = h.client.completions.create(model=model, prompt="Once upon a time", max_tokens=12, temperature=0)
    assert "".join(c.choices[0].text for c in chunks) == whole.choices[0].text


def test_a_stream_with_usage(world):
    h, model = world
    chunks = list(h.client.completions.create(model=model, prompt="Once", max_tokens=5, stream=True, stream_options={"include_usage": True}))
    assert chunks[-1].choices == [] and chunks[-1].object == "text_completion"
    assert chunks[-1].usage.completion_tokens > 0


def test_what_the_caller_may_ask_of_the_real_engine(real_hob):
    ask = {"model": "small", "max_tokens": 4}
    assert complete(real_hob, prompt=["Once"], **ask).json()["choices"][0]["text"]
    assert complete(real_hob, prompt=[1, 2, 3], **ask).status == 200
    assert complete(real_hob, prompt="Once", stop=["\n", "."], seed=1, top_p=0.9, top_k=5, logit_bias={"5": -1}, **ask).status == 200
    r = complete(real_hob, prompt="Once", logprobs=2, **ask).json()
    assert r["choices"][0]["logprobs"]
    assert complete(real_hob, prompt="Once", echo=False, suffix="", **ask).status == 200
    r = complete(real_hob, prompt=[999999999], **ask)
    assert r.status == 400 and r.error()["hob"]["fault"] == "caller"


def test_a_prompt_that_does_not_fit(real_hob):
    r = complete(real_hob, "small", "word " * 4000)
    assert r.status == 400 and r.error()["code"] == "context_length_exceeded" and r.error()["param"] == "prompt", r


# -- what goes to a child, and to a host


def test_a_childs_body_is_made_anew(fakes):
    h, child, _ = fakes
    child.reset()
    r = complete(h, "small", "hi [[words 3]]", temperature=0.5, user="me", best_of=2, id_slot=7, chat_template="x", messages=[])
    assert r.status == 200 and sorted(r.get("x-hob-dropped").split(",")) == ["best_of", "chat_template", "id_slot", "messages", "user"]
    sent = child.log().requests[-1]
    assert sent.path == "/v1/completions"
    body = sent.json()
    assert body.pop("max_tokens") > 0
    assert body == {"model": "small", "prompt": "hi [[words 3]]", "temperature": 0.5, "stream": True, "stream_options": {"include_usage": True}}


def test_a_host_gets_the_bytes_as_they_came(fakes):
    h, _, host = fakes
    host.reset()
    body = '{ "prompt":"hi [[words 3]]", "model" : "far","best_of":1,"odd":[1.0] }'
    r = h.post("/v1/completions", body)
    assert r.status == 200 and r.json()["model"] == "far" and len(r.json()["choices"][0]["text"].split()) == 3
    assert host.log().requests[-1].body.decode() == body.replace('"far"', '"far-away"')


@pytest.mark.parametrize("stream", [False, True])
def test_the_next_candidate_is_asked(fakes, stream):
    h, _, host = fakes
    host.default("[[status 500]]")
    try:
        r = complete(h, "chat", "hi [[words 4]]", stream=stream)
    finally:
        host.default("")
    assert r.status == 200 and r.get("x-hob-model") == "small" and r.get("x-hob-fallback") == "far->small" and r.get("x-hob-role") == "chat"
    routing = (chunks_of(r.events())[-1] if stream else r.json())["_routing"]
    assert routing["fallback_chain"] == [{"model": "far", "host": "up", "error": "backend_failed"}] and routing["role"] == "chat"
    assert len((text_of(r.events()) if stream else r.json()["choices"][0]["text"]).split()) == 4


@pytest.mark.parametrize("how", ["close_after 2", "reset_after 2", "garbage_after 2", "error_after 2", "bad_chunk_after 2", "no_finish"])
def test_a_text_that_breaks_off_is_an_error(fakes, how):
    h, _, _ = fakes
    for model in ("small", "far"):
        events = complete(h, model, f"hi [[{how}]]", stream=True).events()
        last = json.loads(events[-1][1])
        assert last["error"]["code"] == "backend_failed" and last["error"]["hob"]["fault"] == "backend"
        assert text_of(events[:-1])
    assert complete(h, "small", f"hi [[{how}]]").status == 502


@pytest.mark.parametrize("fields, param", [
    ({}, "prompt"), ({"prompt": None}, "prompt"), ({"prompt": 7}, "prompt"), ({"prompt": []}, "prompt"), ({"prompt": ["a", {}]}, "prompt[1]"),
    ({"prompt": ["a", "b"]}, "prompt"), ({"prompt": "a", "n": 2}, "n"), ({"prompt": "a", "max_tokens": 0}, "max_tokens"),
    ({"prompt": "a", "echo": True}, "echo"), ({"prompt": "a", "suffix": "b"}, "suffix"),
    ({"prompt": "a", "logprobs": True}, "logprobs"), ({"prompt": "a", "temperature": 3}, "temperature"),
])
def test_bad_requests_name_the_field(fakes, fields, param):
    r = fakes[0].post("/v1/completions", {"model": "small", **fields})
    assert r.status == 400 and r.error()["param"] == param, r


def test_a_caller_that_leaves_is_noticed(fakes):
    h, child, host = fakes
    for model, fake in (("small", child), ("far", host)):
        fake.reset()
        with h.connect() as c:
            c.send(raw.request_bytes("POST", "/v1/completions", {"model": model, "prompt": "x [[words 1000]] [[gap_ms 20]]"}))
            fake.wait("it begins", lambda log: log.in_flight == 1)
        fake.wait("it is cancelled", lambda log: log.cancelled == 1, 2.0)


# -- one model


@pytest.mark.parametrize("name", ["small", "gpt-small", "far", "org/Name-1.5:latest", "chat", "fast"])
def test_one_model(fakes, name):
    h, _, _ = fakes
    m = h.client.models.retrieve(name)
    assert m.id == name and m.object == "model" and m.owned_by
    listed = [x for x in h.client.models.list() if x.id == name]
    assert listed == [m]


def test_one_model_with_its_slash_unescaped(fakes):
    h, _, _ = fakes
    for path in ("org/Name-1.5:latest", "org%2fName-1.5%3alatest", "%73mall", "small?x=1"):
        assert h.get("/v1/models/" + path).status == 200, path
    assert h.get("/v1/models/org/Name-1.5:latest").json()["id"] == "org/Name-1.5:latest"


@pytest.mark.parametrize("name, near", [("smal", "small"), ("org/name-1.5:latest", "org/Name-1.5:latest"), ("nothing-like-it", None)])
def test_an_unknown_model(fakes, name, near):
    h, _, _ = fakes
    with pytest.raises(openai.NotFoundError) as caught:
        h.client.models.retrieve(name)
    assert caught.value.code == "model_not_found"
    assert (f"did you mean '{near}'" in str(caught.value)) == (near is not None)


@pytest.mark.parametrize("path", ["%ff%fe", "%00", "%", "%zz", "a%0d%0aX-Evil:1", "%22", "x" * 3000, "//", "%2e%2e"])
def test_odd_names_are_unknown_and_nothing_worse(fakes, path):
    r = fakes[0].get("/v1/models/" + path)
    assert r.status == 404 and r.error()["code"] == "model_not_found", r
    assert not r.get("x-evil")


def test_methods_of_one_model(fakes):
    h, _, _ = fakes
    r = h.post("/v1/models/small", {})
    assert r.status == 405 and r.get("allow") == "GET, HEAD"
    assert h.get("/v1/models/").status == 404
