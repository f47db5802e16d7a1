"""POST /v1/rerank: a managed fake and a fake host."""

import pytest
from helpers import FAKE, FORGIVING, check_routing

QUERY, DOCUMENTS = "red apples", ["green pears", "red apples and red cherries", "apples of any kind"]
SCORES = [-10.0, 10.0, 0.0]


@pytest.fixture(scope="module")
def world(module_nursery):
    """(hob, the reranker's fake, the host's)"""
    host = module_nursery.fake()
    h = module_nursery.hob({
        "engines": {"llama": {"path": str(FAKE)}},
        "hosts": {"up": {"kind": "openai", "url": host.url}},
        **FORGIVING,
        "models": {**module_nursery.model("own", serves=["rerank"]), "far": {"host": "up", "name": "far-away", "serves": ["rerank"]}},
        "roles": {"rerank": {"model": "far", "fallback": ["own"]}},
    }, wait="ready")
    return h, h.child("own").control, host


def rerank(h, model, **fields):
    return h.post("/v1/rerank", {"model": model, "query": QUERY, "documents": DOCUMENTS, **fields})


@pytest.mark.parametrize("model", ["own", "far", "rerank"])
def test_documents_get_scores(world, model):
    h, _, _ = world
    r = rerank(h, model)
    answered = "own" if model == "own" else "far"
    assert r.status == 200 and r.json()["model"] == answered and r.get("x-hob-model") == answered
    assert [(x["index"], x["relevance_score"]) for x in r.json()["results"]] == list(enumerate(SCORES))
    routing = check_routing(r.json()["_routing"])
    assert routing["model"] == answered and routing["tokens"]["input"] == r.json()["usage"]["prompt_tokens"] > 0


def test_what_a_child_is_asked(world):
    h, own, _ = world
    own.reset()
    r = rerank(h, "own", documents=[DOCUMENTS[0], {"text": DOCUMENTS[1], "id": 7}], top_n=2, return_documents=True, user="me", odd=1)
    assert r.status == 200 and [x["relevance_score"] for x in r.json()["results"]] == SCORES[:2]
    assert sorted(r.get("x-hob-dropped").split(",")) == ["odd", "return_documents", "user"]
    assert own.log().requests[-1].json() == {"model": "own", "query": QUERY, "documents": DOCUMENTS[:2], "top_n": 2}


def test_what_a_host_is_asked(world):
    h, _, host = world
    body = '{"model":"far", "documents":[{"text":"a","x":1},"b"], "query":"q", "return_documents":true}'
    assert h.post("/v1/rerank", body).status == 200
    sent = host.log().requests[-1]
    assert sent.path == "/v1/rerank" and sent.body.decode() == body.replace('"far"', '"far-away"')


@pytest.mark.parametrize("wrong", ["[[status 500]]", "[[json {}]]", '[[json {"results": []}]]', "[[truncate_json]]", "[[close_before]]"])
def test_the_next_candidate_is_asked(world, wrong):
    h, _, host = world
    host.default(wrong)
    try:
        r = rerank(h, "rerank")
    finally:
        host.default("")
    assert r.status == 200 and r.get("x-hob-fallback") == "far->own" and len(r.json()["results"]) == 3
    assert rerank(h, "own", query=wrong).status == 502


@pytest.mark.parametrize("fields, param", [
    ({"query": None}, "query"), ({"query": ""}, "query"), ({"query": 7}, "query"), ({"documents": []}, "documents"), ({"documents": "x"}, "documents"),
    ({"documents": ["a", 7]}, "documents[1]"), ({"documents": [{"txt": "a"}]}, "documents[0]"), ({"top_n": 0}, "top_n"), ({"top_n": "3"}, "top_n"),
])
def test_bad_requests_name_the_field(world, fields, param):
    r = rerank(world[0], "own", **fields)
    assert r.status == 400 and r.error()["param"] == param and r.error()["hob"]["fault"] == "caller", r


def test_the_wrong_kind_of_model(world):
    h, _, _ = world
    r = h.post("/v1/embeddings", {"model": "own", "input": "x"})
    assert r.status == 400 and "does not serve embeddings" in r.error()["message"]
