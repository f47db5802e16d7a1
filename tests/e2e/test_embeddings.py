"""POST /v1/embeddings: numbers and base64, parts of 32, dimensions, places that answer wrongly; with the official SDK and a real model."""

import base64
import json
import math
import os
import pathlib
import signal
import struct

import openai
import pytest
import raw
from helpers import FAKE, FORGIVING, check_routing, wait_for

DIMS = 8
SENTENCES = ["A man is eating food.", "A man is eating a piece of bread.", "The stock market fell sharply today."]


def vector(text, dims=DIMS):
    """What the fake makes of a text (tests/fake/README.md)."""
    x = 2166136261
    for byte in text.encode():
        x = (x ^ byte) * 16777619 % 2**32
    v = []
    for _ in range(dims):
        x = (x * 1664525 + 1013904223) % 2**32
        v.append((x >> 8) / 2**23 - 1)
    return unit(v)


def unit(v):
    length = math.sqrt(sum(a * a for a in v))
    return [a / length for a in v]


def cosine(a, b):
    return sum(x * y for x, y in zip(unit(a), unit(b)))


def near(a, b):
    assert len(a) == len(b) and all(abs(x - y) < 1e-6 for x, y in zip(a, b)), (a, b)


def floats(text):
    data = base64.b64decode(text, validate=True)
    return list(struct.unpack(f"<{len(data) // 4}f", data))


def embed(h, model, input, **fields):
    return h.post("/v1/embeddings", {"model": model, "input": input, **fields})


def asked(control):
    return [r for r in control.log().requests if r.path.endswith("/embeddings")]


@pytest.fixture(scope="module")
def world(module_nursery):
    """hob with an embedder and a chat model of its own, and a host; (hob, the embedder's fake, the host's)"""
    host = module_nursery.fake()
    h = module_nursery.hob({
        "engines": {"llama": {"path": str(FAKE)}},
        "hosts": {"up": {"kind": "openai", "url": host.url}},
        **FORGIVING,
        "models": {**module_nursery.model("own", serves=["embed"], aliases=["alias"]), **module_nursery.model("talker"),
                   "far": {"host": "up", "name": "org/far-away", "serves": ["embed"]}},
        "roles": {"embed": {"model": "own", "fallback": ["far"]}, "embed-far": {"model": "far", "fallback": ["own"]}},
    }, wait="ready")
    return h, h.child("own").control, host


@pytest.fixture(autouse=True)
def _fresh(request):
    if "world" in request.fixturenames:
        _, own, host = request.getfixturevalue("world")
        own.reset()
        host.reset()


# -- the SDK


@pytest.mark.parametrize("model", ["own", "far", "embed", "alias"])
@pytest.mark.parametrize("form", [{}, {"encoding_format": "float"}, {"encoding_format": "base64"}], ids=["default", "float", "base64"])
def test_the_sdk_gets_vectors(world, model, form):
    h, _, _ = world
    texts = ["one text", "another", "a third, with ünïcode"]
    r = h.client.embeddings.create(model=model, input=texts, **form)
    assert r.object == "list" and r.model == ("far" if model == "far" else "own")
    assert [d.index for d in r.data] == [0, 1, 2] and all(d.object == "embedding" for d in r.data)
    for text, d in zip(texts, r.data):
        near(floats(d.embedding) if isinstance(d.embedding, str) else d.embedding, vector(text))
    assert r.usage.prompt_tokens == r.usage.total_tokens == 7
    routing = check_routing(r.model_extra["_routing"])
    assert routing["model"] == r.model and routing["tokens"]["input"] == 7
    assert routing["role"] == ("embed" if model == "embed" else None)


@pytest.mark.parametrize("model", ["own", "far"])
def test_headers_say_who_answered(world, model):
    h, _, _ = world
    r = embed(h, model, "x")
    assert r.get("x-hob-model") == model and r.get("x-hob-host") == ("up" if model == "far" else "local")
    assert r.get("x-request-id") and r.json()["_routing"]["host"] == r.get("x-hob-host")


# -- what places are asked


@pytest.mark.parametrize("n", [1, 32, 33, 100])
def test_a_child_is_asked_in_parts(world, n):
    h, own, _ = world
    texts = [f"text number {i}" for i in range(n)]
    r = embed(h, "own", texts, user="somebody")
    assert r.get("x-hob-dropped") == "user"
    r = r.json()
    parts = [p.json() for p in asked(own)]
    assert [len(p["input"]) for p in parts] == [32] * (n // 32) + ([n % 32] if n % 32 else [])
    assert sum((p["input"] for p in parts), []) == texts
    assert all(p.keys() == {"model", "input", "encoding_format"} and p["encoding_format"] == "float" for p in parts)
    assert own.log().max_in_flight == 1
    assert [d["index"] for d in r["data"]] == list(range(n))
    for text, d in zip(texts, r["data"]):
        near(d["embedding"], vector(text))
    assert r["usage"] == {"prompt_tokens": 3 * n, "total_tokens": 3 * n}
    assert r["_routing"]["tokens"]["input"] == 3 * n


def test_parts_of_one_request_are_not_parted_by_another(managed):
    h = managed("own", serves=["embed"], slots=1)
    own = h.child("own").control
    with h.connect() as first, h.connect() as second:
        first.send(raw.request_bytes("POST", "/v1/embeddings", {"model": "own", "input": ["[[first_ms 300]]"] + ["x"] * 99}))
        own.wait("the first part", lambda log: log.in_flight == 1)
        second.send(raw.request_bytes("POST", "/v1/embeddings", {"model": "own", "input": "y"}))
        for c in (first, second):
            r = c.start()
            c.body(r)
            assert r.status == 200
    assert [len(r.json()["input"]) for r in asked(own)] == [32, 32, 32, 4, 1]


def test_times_of_a_request_in_parts(world):
    """The queue ends where the first part begins."""
    h, own, _ = world
    r = embed(h, "own", ["[[first_ms 60]]"] + ["x"] * 64).json()["_routing"]
    assert len(asked(own)) == 3
    assert r["queue_ms"] < 50 <= r["ttft_ms"] <= r["latency_ms"]


def test_a_host_gets_the_request_as_it_came(world):
    h, _, host = world
    body = '{"model": "far", "input": ["a", "b"], "encoding_format":"base64", "odd": [1.0], "dimensions": 4}'
    r = h.post("/v1/embeddings", body)
    assert asked(host)[-1].body.decode() == body.replace('"far"', '"org/far-away"')
    assert r.status == 200 and [len(floats(d["embedding"])) for d in r.json()["data"]] == [4, 4]


@pytest.mark.parametrize("ids, n", [([1, 2, 3], 1), ([[1, 2], [3]], 2)])
def test_token_ids(world, ids, n):
    h, own, host = world
    assert len(embed(h, "far", ids).json()["data"]) == n
    assert asked(host)[-1].json()["input"] == ids
    e = embed(h, "own", ids)
    assert e.status == 400 and e.error()["param"] == "input" and "check_embedding_ctx_length" in json.dumps(e.error())
    assert not asked(own)


# -- the form of the answer


@pytest.mark.parametrize("sent", ["float", "base64"])
@pytest.mark.parametrize("wanted", ["float", "base64", None])
def test_a_hosts_vectors_come_in_the_form_asked_for(world, sent, wanted):
    h, _, _ = world
    r = embed(h, "far", ["a", f"[[vectors {sent}]]"], **({"encoding_format": wanted} if wanted else {}))
    assert r.status == 200, r
    for text, d in zip(["a", f"[[vectors {sent}]]"], r.json()["data"]):
        assert isinstance(d["embedding"], str) == (wanted == "base64")
        near(floats(d["embedding"]) if wanted == "base64" else d["embedding"], vector(text))
    assert r.json()["model"] == "far" and check_routing(r.json()["_routing"])["host"] == "up"


@pytest.mark.parametrize("model, extra", [("own", ""), ("far", ""), ("far", "[[dims 8]]")], ids=["child", "heeding host", "host that ignores them"])
@pytest.mark.parametrize("form", ["float", "base64"])
def test_fewer_dimensions(world, model, extra, form):
    h, _, _ = world
    text = "cut me " + extra
    d = embed(h, model, [text], dimensions=4, encoding_format=form).json()["data"][0]["embedding"]
    d = floats(d) if form == "base64" else d
    near(d, unit(vector(text)[:4]))
    assert abs(sum(a * a for a in d) - 1) < 1e-6


@pytest.mark.parametrize("model, text", [("own", "x"), ("far", "[[dims 8]]")])
def test_more_dimensions_than_there_are(world, model, text):
    h, _, _ = world
    r = embed(h, model, text, dimensions=9)
    assert r.status == 400 and r.error()["param"] == "dimensions" and "8" in r.error()["message"]
    assert embed(h, model, text, dimensions=8).status == 200


# -- the caller's mistakes


@pytest.mark.parametrize("fields, param", [
    ({"input": ""}, "input"), ({"input": []}, "input"), ({"input": ["a", ""]}, "input[1]"), ({"input": {"a": 1}}, "input"),
    ({"input": None}, "input"), ({"input": ["a", None]}, "input[1]"), ({"input": ["a", {}]}, "input[1]"),
    ({"input": "x", "encoding_format": "int8"}, "encoding_format"), ({"input": "x", "dimensions": 0}, "dimensions"),
    ({"input": "x", "dimensions": "4"}, "dimensions"), ({"input": ["x"] * 2049}, "input"),
])
def test_bad_requests_name_the_field(world, fields, param):
    h, own, _ = world
    r = h.post("/v1/embeddings", {"model": "own", **fields})
    assert r.status == 400 and r.error()["param"] == param and r.error()["hob"]["fault"] == "caller", r
    assert not asked(own)


def test_the_wrong_kind_of_model(world):
    h, own, _ = world
    r = embed(h, "talker", "x")
    assert r.status == 400 and "does not serve embeddings" in r.error()["message"] and r.error()["param"] == "model"
    for path, body in [("chat/completions", {"messages": [{"role": "user", "content": "x"}]}), ("completions", {"prompt": "x"})]:
        r = h.post(f"/v1/{path}", {"model": "own", **body})
        assert r.status == 400 and "does not serve chat" in r.error()["message"] and r.error()["param"] == "model"
    assert own.log().completed == 0


def test_too_long_an_input(world):
    h, _, _ = world
    r = embed(h, "own", "[[too_large]]")
    assert r.status == 400 and r.error()["code"] == "context_length_exceeded" and r.error()["param"] == "input" and "1201 tokens" in r.error()["message"]


# -- places that answer wrongly


WRONG = ["[[drop_vector]]", "[[short_vector]]", "[[swap_vectors]]", '[[json {"data": [{"embedding": [1, "2"]}, {"embedding": [1, 2]}]}]]',
         '[[json {"data": []}]]', '[[json {"data": 7}]]', '[[json []]]', "[[truncate_json]]", "[[garbage_after 0]]", "[[content_type text/event-stream]]",
         '[[json {"error": {"message": "boom"}}]]', "[[close_before]]", "[[status 500]]", "[[vectors base64]] [[short_vector]]"]


@pytest.mark.parametrize("wrong", WRONG)
@pytest.mark.parametrize("model", ["own", "far"])
def test_a_wrong_answer_is_the_places_fault(world, model, wrong):
    h, _, _ = world
    r = embed(h, model, ["a", wrong])
    assert r.status == 502 and r.error()["code"] == "backend_failed" and r.error()["hob"]["fault"] == "backend", r


@pytest.mark.parametrize("wrong", ["[[drop_vector]]", "[[short_vector]]", "[[swap_vectors]]", "[[status 500]]"])
@pytest.mark.parametrize("form", ["float", "base64"])
def test_the_next_candidate_is_asked(world, wrong, form):
    """The host is set to go wrong, as the text goes to both."""
    h, own, host = world
    host.default(wrong)
    try:
        r = embed(h, "embed-far", ["a", "b"], encoding_format=form)
    finally:
        host.default("")
    assert r.status == 200 and r.get("x-hob-model") == "own" and len(asked(own)) == 1
    routing = r.json()["_routing"]
    assert routing["fallback_chain"] == [{"model": "far", "host": "up", "error": "backend_failed"}]
    vectors = [d["embedding"] for d in r.json()["data"]]
    near(floats(vectors[1]) if form == "base64" else vectors[1], vector("b"))


def test_a_failure_in_a_later_part_asks_the_next_for_all(world):
    h, own, host = world
    texts = [f"t{i}" for i in range(40)]
    texts[35] = "[[status 500]]"
    host.default("[[status 200]]")
    try:
        r = embed(h, "embed", texts)
    finally:
        host.default("")
    # The text goes to the host too: it refuses likewise, and both are named.
    assert r.status == 502 and [t["model"] for t in r.error()["hob"]["tried"]] == ["own", "far"]
    assert len(asked(own)) == 2 and len(asked(host)) == 1 and len(asked(host)[0].json()["input"]) == 40


def test_a_child_that_dies_between_parts_is_replaced_whole(nursery, hob, fake):
    h = hob({"engines": {"llama": {"path": str(FAKE)}}, "hosts": {"up": {"kind": "openai", "url": fake.url}},
             "models": {**nursery.model("own", serves=["embed"]), "far": {"host": "up", "serves": ["embed"]}},
             "roles": {"embed": {"model": "own", "fallback": ["far"]}}}, wait="ready")
    child = h.child("own")
    texts = [f"t{i}" for i in range(40)]
    texts[35] = "[[first_ms 400]]"
    with h.connect() as c:
        c.send(raw.request_bytes("POST", "/v1/embeddings", {"model": "embed", "input": texts}))
        child.control.wait("the second part", lambda log: log.completed == 1 and log.in_flight == 1)
        os.kill(child.pid, signal.SIGKILL)
        r = c.response()
    assert r.status == 200 and r.get("x-hob-fallback") == "own->far", r
    assert [d["index"] for d in r.json()["data"]] == list(range(40)) and r.json()["usage"]["prompt_tokens"] == 41
    for text, d in zip(texts, r.json()["data"]):
        near(d["embedding"], vector(text))
    assert len(asked(fake)) == 1


# -- a caller that leaves


def test_a_caller_that_leaves_frees_the_slot(managed):
    h = managed("own", serves=["embed"], slots=1)
    own = h.child("own").control
    texts = ["[[first_ms 60000]] wait"] + ["x"] * 70
    with h.connect() as c:
        c.send(raw.request_bytes("POST", "/v1/embeddings", {"model": "own", "input": texts}))
        own.wait("the first part", lambda log: log.in_flight == 1)
    own.wait("it is cancelled", lambda log: log.in_flight == 0 and log.cancelled == 1, 2.0)
    assert embed(h, "own", "next").status == 200  # the only slot is free
    assert [len(r.json()["input"]) for r in asked(own)] == [32, 1]  # no further part was sent


# -- the real thing


@pytest.fixture(scope="module")
def real_embedder(real, embedder, module_nursery):
    engine, _ = real
    return module_nursery.hob({
        "engines": {"llama": {"path": engine}},
        "models": {"mini": {"file": embedder, "serves": ["embed"], "slots": 2, "keep": "hot"}},
        "roles": {"embed": {"model": "mini"}},
    }, wait="ready", seconds=60)


def ask_child(h, texts):
    """The same of the child itself, at its socket and with its key."""
    p = h.child("mini")
    key = pathlib.Path(p.args[p.args.index("--api-key-file") + 1]).read_text().strip()
    r = raw.call(p.args[p.args.index("--host") + 1], "POST", "/v1/embeddings", {"input": texts}, headers=[("Authorization", "Bearer " + key)])
    assert r.status == 200, r
    return [d["embedding"] for d in r.json()["data"]]


@pytest.mark.parametrize("form", [{}, {"encoding_format": "float"}], ids=["default", "float"])
def test_real_vectors_mean_what_the_engine_means(real_embedder, form):
    r = real_embedder.client.embeddings.create(model="embed", input=SENTENCES, **form)
    food, bread, market = (d.embedding for d in r.data)
    assert {len(d.embedding) for d in r.data} == {384} and r.usage.prompt_tokens > 20
    direct = ask_child(real_embedder, SENTENCES)
    assert abs(cosine(food, bread) - cosine(direct[0], direct[1])) < 0.01
    assert abs(cosine(food, bread) - 0.755) < 0.01
    assert abs(cosine(food, market)) < 0.15
    for mine, theirs in zip((food, bread, market), direct):
        assert cosine(mine, theirs) > 0.9999


def test_real_vectors_in_parts_and_cut(real_embedder):
    texts = [SENTENCES[i % 3] + f" {i}" for i in range(40)]
    whole = real_embedder.client.embeddings.create(model="mini", input=texts)
    cut = real_embedder.client.embeddings.create(model="mini", input=texts, dimensions=64)
    assert len(whole.data) == len(cut.data) == 40 and whole.usage.prompt_tokens == cut.usage.prompt_tokens
    for a, b in zip(whole.data, cut.data):
        assert len(b.embedding) == 64 and cosine(a.embedding[:64], b.embedding) > 0.999
    direct = ask_child(real_embedder, texts[33:34])
    assert cosine(whole.data[33].embedding, direct[0]) > 0.999


def test_a_real_input_that_does_not_fit(real_embedder):
    with pytest.raises(openai.BadRequestError) as caught:
        real_embedder.client.embeddings.create(model="mini", input="word " * 700)
    assert caught.value.code == "context_length_exceeded" and "702" in str(caught.value)
    assert real_embedder.client.embeddings.create(model="mini", input="word " * 500).data
    wait_for("the child is still there", lambda: real_embedder.get("/readyz").status == 200)
