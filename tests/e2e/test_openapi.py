"""What /openapi.json says is so: schemathesis sends what it allows and what it does not, and holds every answer to it."""

import json
import os
import subprocess
import sys

import pytest
from helpers import FAKE, SLOW, cli, environment

EXAMPLES = int(os.environ.get("HOB_SCHEMATHESIS_EXAMPLES", "25"))  # per operation, besides those for each bound and type; more to search
SEED = int(os.environ.get("HOB_SCHEMATHESIS_SEED", "1"))
TASKS = {"ChatRequest": "chat", "CompletionRequest": "chat", "EmbeddingRequest": "embed", "RerankRequest": "rerank"}


@pytest.fixture(scope="module")
def shared(module_nursery):
    """A model of each kind on an engine of ours, and the same on a host."""
    up = module_nursery.fake()
    models = {}
    for serves in ("chat", "embed", "rerank"):
        models.update(module_nursery.model(f"own-{serves}", serves=[serves]))
        models[f"far-{serves}"] = {"host": "up", "name": "far-away", "serves": [serves]}
    return module_nursery.hob({"engines": {"llama": {"path": str(FAKE)}}, "hosts": {"up": {"kind": "openai", "url": up.url}}, "models": models,
                               "roles": {"chat": {"model": "own-chat"}}, "tiers": {"fast": "own-chat"}}, wait="ready")


def document(hob, where, mode):
    """The server's; with `where` every request names a model there, and not just any word."""
    d = hob.get("/openapi.json").json()
    fields = {name: d["components"]["schemas"][name]["properties"] for name in TASKS}
    if where:
        for name, serves in TASKS.items():
            fields[name]["model"] = {"enum": [f"{where}-{serves}"]}
        d["paths"]["/v1/models/{id}"]["get"]["parameters"][0]["schema"] = {"enum": ["own-chat", "far-embed", "chat", "fast"]}
    if mode == "positive":  # what this very host cannot do, however it is asked
        for name in TASKS:  # without a model a role stands in: here there is but one
            d["components"]["schemas"][name].setdefault("required", []).append("model")
        fields["ChatRequest"]["format"] = {"enum": ["", None]}  # a schema, or "json": its places say words and nothing else
        function = {"type": "object", "required": ["name"], "properties": {"name": {"type": "string", "minLength": 1}}}
        fields["ChatRequest"]["tools"]["items"] = {  # a tool without a name, or a choice of one that is not offered, is nobody's
            "type": "object", "required": ["type", "function"], "properties": {"type": {"const": "function"}, "function": function}}
        fields["ChatRequest"]["tool_choice"] = {"enum": ["auto", "none"]}
        fields["ChatRequest"]["n"] = fields["CompletionRequest"]["n"] = {"enum": [1]}
        fields["EmbeddingRequest"]["dimensions"]["maximum"] = 8
    return d


def schemathesis(url, path, *options):
    dir = os.path.dirname(path)
    return subprocess.run([
        sys.executable, "-m", "schemathesis.cli", "run", path, "--url", url, "--checks", "all", "--no-color", "--seed", str(SEED),
        "--max-examples", str(EXAMPLES), "--generation-database", "none", "--continue-on-failure", "--phases", "examples,coverage,fuzzing",
        "--suppress-health-check", "all", "--request-timeout", str(20 * SLOW), "--warnings", "off", *options,
    ], cwd=dir, env=environment(dir), stdin=subprocess.DEVNULL, capture_output=True, text=True)


def test_the_server_and_the_program_say_the_same(shared):
    r = shared.get("/openapi.json")
    assert r.status == 200 and r.get("content-type") == "application/json"
    assert r.json() == json.loads(cli("api", "--json").stdout)


@pytest.mark.timeout(300 * SLOW)
@pytest.mark.parametrize("where, mode", [
    ("far", "positive"),  # a host gets whatever the form allows, so all of it must be answered well
    ("far", "negative"),
    ("own", "all"),       # an engine of ours may say no to some of it
    (None, "all"),        # any name: mostly of no model, or of one that serves something else
])
def test_schemathesis_finds_nothing(shared, tmp_path, where, mode):
    path = tmp_path / "openapi.json"
    path.write_text(json.dumps(document(shared, where, mode)))
    less = ("--exclude-checks", "positive_data_acceptance") if mode != "positive" else ()
    done = schemathesis(shared.url, str(path), "--mode", mode, *less)
    assert done.returncode == 0, f"{done.stdout[-20000:]}\n{done.stderr[-2000:]}"
    assert "No test cases" not in done.stdout
    assert shared.get("/livez").status == 200
