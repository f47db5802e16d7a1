"""What lies beside a model: adapters, a draft, a projector."""

import array
import json
import random

import pytest
from helpers import gguf, wait_for

import gguf_files
from test_admin import act, ps


@pytest.fixture
def adapters(nursery):
    return [{"file": gguf(nursery.dir / f"{n}.gguf"), "name": n, **({"scale": s} if s is not None else {})} for n, s in (("poet", 0.5), ("clerk", 0), ("plain", None))]


def loras_sent(h):
    return h.child("m").control.log().chats[-1].json().get("lora")


def test_adapters_are_given_at_the_start_and_always_told(managed, adapters):
    h = managed(lora=adapters)
    args = h.child("m").args
    given = args[args.index("--lora-scaled") + 1]
    assert given == ",".join(f"{a['file']}:{s}" for a, s in zip(adapters, ("0.5", "0", "1")))
    assert h.chat("m", "hello").status == 200
    assert loras_sent(h) == [{"id": 0, "scale": 0.5}, {"id": 1, "scale": 0}, {"id": 2, "scale": 1}]


@pytest.mark.parametrize("asked,scales", [
    (["clerk"], [0.5, 1, 1]), ("clerk", [0.5, 1, 1]), ([], [0.5, 0, 1]), (None, [0.5, 0, 1]),
    (["poet", "clerk"], [0.5, 1, 1]), ([{"name": "poet", "scale": 0}], [0, 0, 1]), ([{"name": "poet"}], [0.5, 0, 1]),
    ([{"name": "clerk", "scale": -1.25}, "poet", {"name": "plain", "scale": 0.75}], [0.5, -1.25, 0.75]),
])
def test_a_request_names_its_adapters(managed, adapters, asked, scales):
    h = managed(lora=adapters)
    assert h.chat("m", "hello", lora=asked).status == 200
    assert [l["scale"] for l in loras_sent(h)] == scales
    r = h.post("/v1/completions", {"model": "m", "prompt": "hello", "lora": asked})
    assert r.status == 200, r


@pytest.mark.parametrize("asked,says", [
    (["nobody"], "it has 'poet', 'clerk', 'plain'"), ([{"name": "nobody"}], "'nobody'"), ([7], "names of adapters"), ([{"scale": 1}], "names of adapters"),
    ([{"name": "poet", "scale": "much"}], "between -100 and 100"), ([{"id": 0, "scale": 1}], "names of adapters"), ({"name": "poet"}, "must be"), (7, "must be"),
])
def test_an_adapter_that_is_not_there_is_refused(managed, adapters, asked, says):
    h = managed(lora=adapters, keep="demand", wait="listening")
    r = h.chat("m", "hello", lora=asked)
    assert r.status == 400 and r.error()["param"] == "lora" and says in r.error()["message"], r
    assert ps(h)["state"] == "cold", "nothing is loaded for a request that cannot be"


def test_a_model_without_adapters_says_so(managed):
    r = managed().chat("m", "hello", lora=["poet"])
    assert r.status == 400 and "has no adapters" in r.error()["message"]


def test_elsewhere_the_field_goes_as_it_came(hob, fake):
    h = hob({"hosts": {"anvil": {"url": fake.url}}, "models": {"far": {"host": "anvil"}}})
    assert h.chat("far", "hello", lora=[{"id": 3, "scale": 0.25}]).status == 200
    assert fake.log().chats[-1].json()["lora"] == [{"id": 3, "scale": 0.25}]


def test_an_engine_that_lost_its_adapters_is_not_used(managed, adapters):
    h = managed(script="loras_lost", lora=adapters, wait="listening")
    why = wait_for("the load has failed", lambda: (b := ps(h))["state"] == "failed" and b["last_error"])
    assert "given 3 adapters and has 0" in json.dumps(why)


def test_a_path_the_engine_cannot_be_told_is_refused(managed, nursery):
    h = managed(lora=[{"name": "ab", "file": gguf(nursery.dir / "a,b.gguf")}], wait="listening")
    why = wait_for("the load has failed", lambda: (b := ps(h))["state"] == "failed" and b["last_error"])
    assert "comma" in json.dumps(why)


@pytest.mark.parametrize("stream", [True, False])
def test_a_draft_is_given_with_all_that_it_needs(managed, nursery, stream):
    draft = gguf(nursery.dir / "draft.gguf")
    h = managed(draft=draft)
    args = h.child("m").args
    assert args[args.index("--model-draft") + 1] == draft and args[args.index("--spec-type") + 1] == "draft-simple"
    assert h.chat("m", "hello [[words 6]]", stream=stream).status == 200


def test_a_projector_is_given_and_what_it_does_is_read_back(managed, nursery):
    projector = gguf(nursery.dir / "p.gguf")
    h = managed(script="modalities vision", mmproj=projector, input=["text", "image", "audio"])
    args = h.child("m").args
    assert args[args.index("--mmproj") + 1] == projector
    assert "`input:` names audio, which its engine does not take" in h.stderr() and "names image" not in h.stderr()


def test_an_engine_that_keeps_no_prompts_is_found_out(managed):
    """The fake knows no slots: said once, and remembered."""
    h = managed(keep_prompts=True, keep="demand", wait="listening")
    for _ in range(2):
        assert h.chat("m", "hello").status == 200
        assert act(h, "unload").status == 200
    assert h.stderr().count("prompts are not kept") == 1
    assert h.chat("m", "hello").status == 200
    assert "prompts_not_kept" in ps(h)["flags"] and not list((h.state / "prompts").glob("*.bin"))


# -- the real engine


def test_real_prompts_outlive_an_unload(real, nursery):
    engine, model = real
    h = nursery.hob({"engines": {"llama": {"path": engine}},
                     "models": {"small": {"file": model, "context": 512, "threads": 1, "keep_prompts": True}}})
    text = " ".join(f"stone {i}" for i in range(60))

    def cached():
        r = h.chat("small", text, temperature=0, max_tokens=1, timeout=60)
        assert r.status == 200, r
        return r.json()["timings"]["cache_n"]
    assert cached() == 0
    assert act(h, "unload", "small", timeout=60).status == 200
    assert "prompts are not kept" not in h.stderr(), h.stderr()
    assert cached() > 100

LAYERS, WIDE, RANK = 30, 576, 4  # SmolLM2-135M


def random_adapter(path):
    tensors = {}
    for layer in range(LAYERS):
        tensors[f"blk.{layer}.attn_q.weight.lora_a"] = ("f32", [WIDE, RANK])
        tensors[f"blk.{layer}.attn_q.weight.lora_b"] = ("f32", [RANK, WIDE])
    gguf_files.write_gguf(path, {"general.type": "adapter", "general.architecture": "llama", "adapter.type": "lora", "adapter.lora.alpha": 8.0}, tensors)
    numbers, dice = LAYERS * 2 * WIDE * RANK, random.Random(1)
    with open(path, "r+b") as f:  # the data is the end of the file, all of it numbers
        f.seek(-4 * numbers, 2)
        f.write(array.array("f", (dice.gauss(0, 0.5) for _ in range(numbers))).tobytes())
    return str(path)


def test_a_real_adapter_changes_the_answer(real, nursery):
    engine, model = real
    h = nursery.hob({"engines": {"llama": {"path": engine}}, "models": {"small": {
        "file": model, "context": 512, "keep": "hot", "threads": 1, "lora": [{"file": random_adapter(nursery.dir / "noise.gguf"), "scale": 0}]}}}, wait="ready", seconds=60)

    def say(**fields):
        r = h.chat("small", "Name three colours.", temperature=0, max_tokens=16, seed=1, cache_prompt=False, timeout=60, **fields)
        assert r.status == 200, r
        return r.json()["choices"][0]["message"]["content"]
    plain = say()
    assert say(lora=["noise"]) != plain
    assert say(lora=[{"name": "noise", "scale": 0}]) == plain
    assert say() == plain


def test_a_real_draft_is_counted(real, nursery):
    """The model as its own draft: nearly all that it guesses stands."""
    engine, model = real
    h = nursery.hob({"engines": {"llama": {"path": engine}}, "models": {"small": {"file": model, "context": 512, "keep": "hot", "threads": 1, "draft": model}}},
                    wait="ready", seconds=60)
    r = h.chat("small", "Count to twenty.", temperature=0, max_tokens=24, timeout=60)
    assert r.status == 200 and r.json()["timings"]["draft_n"] > 0, r
    assert 0 < r.json()["timings"]["draft_n_accepted"] <= r.json()["timings"]["draft_n"]
