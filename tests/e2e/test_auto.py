"""`auto`: the tier for what is asked, the next one when it fails, and the truth about both."""

import pytest
from helpers import chat_body, chunks_of

EASY = "Hello, how are you today?"
PLAIN = "Explain how a sewing machine works."
HARD = "Compare three queueing strategies in depth, weigh the trade-offs and recommend one, step by step."


@pytest.fixture
def tiers(nursery):
    """hob with two fake hosts as the tiers fast and heavy; (hob, fast, heavy)"""
    small, large = nursery.fake(), nursery.fake()
    h = nursery.hob({"hosts": {"near": {"url": small.url}, "far": {"url": large.url}},
                     "models": {"small": {"host": "near"}, "large": {"host": "far"}},
                     "tiers": {"fast": "small", "heavy": "large"}})
    return h, small, large


@pytest.mark.parametrize("text, tier, model", [(EASY, "fast", "small"), (PLAIN, "heavy", "large"), (HARD, "heavy", "large")])
def test_what_is_asked_decides_the_tier(tiers, text, tier, model):
    h, *_ = tiers
    r = h.post("/v1/chat/completions", chat_body("auto", text))
    assert r.status == 200, r
    routing = r.json()["_routing"]
    assert (routing["tier"], routing["model"], routing["role"], routing["fallback_chain"]) == (tier, model, None, [])
    assert r.get("x-hob-tier") == tier and r.get("x-hob-model") == model
    assert routing["reason"].startswith("complexity 0.") or routing["reason"].startswith("complexity 1.00")
    assert routing["reason"].endswith(f" -> {tier}")


def test_a_stream_tells_the_same(tiers):
    h, *_ = tiers
    r = h.post("/v1/chat/completions", chat_body("auto", EASY, stream=True))
    routing = [c["_routing"] for c in chunks_of(r.events()) if "_routing" in c]
    assert len(routing) == 1 and routing[0]["tier"] == "fast" and "greeting" in routing[0]["reason"]
    assert r.get("x-hob-tier") == "fast"


def test_the_other_tier_answers_when_the_first_fails(tiers):
    h, small, large = tiers
    large.default("[[status 500]]")
    r = h.post("/v1/chat/completions", chat_body("auto", HARD))
    assert r.status == 200, r
    routing = r.json()["_routing"]
    assert routing["tier"] == "fast" and routing["fallback"] == "heavy->fast"
    assert [t["model"] for t in routing["fallback_chain"]] == ["large"]
    assert r.get("x-hob-fallback") == "heavy->fast"
    large.default("")
    small.default("[[status 500]]")
    r = h.post("/v1/chat/completions", chat_body("auto", EASY))
    assert r.json()["_routing"]["fallback"] == "fast->heavy"


def test_the_conversation_counts(tiers):
    h, *_ = tiers
    talk = [{"role": "user", "content": HARD}, {"role": "assistant", "content": "First ..."}]
    body = {"model": "auto", "messages": [*talk, {"role": "user", "content": "go on"}]}
    assert h.post("/v1/chat/completions", body).json()["_routing"]["tier"] == "heavy"
    body["messages"][-1]["content"] = [{"type": "text", "text": "thanks!"}]
    assert h.post("/v1/chat/completions", body).json()["_routing"]["tier"] == "fast"


def test_a_plain_prompt_is_judged_too(tiers):
    h, *_ = tiers
    r = h.post("/v1/completions", {"model": "auto", "prompt": HARD})
    assert r.json()["_routing"]["tier"] == "heavy"


def test_it_is_listed_where_it_can_be_used(tiers, nursery):
    h, small, _ = tiers
    names = [m["id"] for m in h.get("/v1/models").json()["data"]]
    assert names.count("auto") == 1
    assert h.get("/v1/models/auto").json()["kind"] == "auto"
    bare = nursery.hob({"hosts": {"near": {"url": small.url}}, "models": {"small": {"host": "near"}}})
    assert "auto" not in [m["id"] for m in bare.get("/v1/models").json()["data"]]
    assert bare.get("/v1/models/auto").status == 404
    r = bare.post("/v1/chat/completions", chat_body("auto", EASY))
    assert r.status == 404 and r.json()["error"]["code"] == "model_not_found"
    assert "tiers" in r.json()["error"]["hob"]["hint"]


def test_without_tiers_it_is_role_chat(nursery):
    up = nursery.fake()
    h = nursery.hob({"hosts": {"near": {"url": up.url}}, "models": {"m": {"host": "near"}}, "roles": {"chat": "m"}})
    r = h.post("/v1/chat/completions", chat_body("auto", HARD)).json()["_routing"]
    assert r["role"] == "chat" and r["tier"] is None and r["reason"].endswith(" -> chat")


def test_the_bounds_are_settings(nursery):
    up = nursery.fake()
    h = nursery.hob({"hosts": {"near": {"url": up.url}}, "models": {"m": {"host": "near"}, "n": {"host": "near"}},
                     "tiers": {"fast": "m", "heavy": "n"}, "auto": {"primary": 0, "heavy": 0}})
    assert h.post("/v1/chat/completions", chat_body("auto", EASY)).json()["_routing"]["tier"] == "heavy"
