"""Another build of an engine under the models that run in it: planned, compared, moved one child at a time, and back. Fakes stand for builds; files beside each say what it
is like."""

import json
import os
import pathlib
import shutil
import signal
import threading

import pytest
import raw
from helpers import FAKE, FORGIVING, chat_body, cli, wait_for

MODELS = ("one", "two", "idle")


class Builds:
    """Two builds, two models that are kept hot, one that nobody asks for."""

    def __init__(self, nursery, models=MODELS, words=(), **config):
        self.nursery = nursery
        self.old, self.new = self.build("old", version="old build"), self.build("new", version="new build")
        all = {}
        for name in models:
            all.update(nursery.model(name, keep="demand" if name == "idle" else "hot"))
        for name in words:
            all.update(nursery.model(name, serves=[name]))
        self.h = nursery.hob({"engines": {"llama": {"path": str(self.old)}}, "models": all, "roles": {"chat": {"model": "one", "fallback": [m for m in models if m == "two"]}}, **config}, wait="ready")

    def build(self, name, **files):
        folder = self.nursery.dir / name
        folder.mkdir()
        shutil.copy2(FAKE, folder / "llama-server")
        for what, text in files.items():
            (folder / f"llama-server.{what}").write_text(text + "\n")
        return folder / "llama-server"

    def be(self, build, **files):
        for what, text in files.items():
            pathlib.Path(f"{build}.{what}").write_text(text + "\n")

    def ask(self, how, path, body=None):
        return raw.call(str(self.h.state / "hob.sock"), how, "/hob/v1/" + path, json.dumps(body).encode() if body else b"", timeout=20)

    def plan(self, status=200, **more):
        got = self.ask("POST", "swaps/plan", {"engine": {"name": "llama", "to": str(self.new), **more}})
        assert got.status == status, got
        return got.json()["id"] if status == 200 else got.error()

    def step(self, swap, step, status=200, **more):
        got = self.ask("POST", "swaps/step", {"id": swap, "step": step, **more})
        assert got.status == status, got
        return got.json()

    def start(self, swap, **more):
        return self.step(swap, "start", force=True, why="a test", **more)

    def prove(self, swap, model, verdict="not worse"):
        return self.step(swap, "evidence", role=model, proof={"suite": "s", "run": "1", "pairs": 100, "both": 100, "difference": 0, "ci": [-0.03, 0.03], "verdict": verdict})

    def show(self, swap):
        return self.ask("GET", f"swaps?id={swap}").json()

    def models(self, swap):
        return {m["model"]: m for m in self.show(swap)["engine"]["models"]}

    def cli(self, *args, code=0):
        r = cli("swap", *args, "-c", self.h.config_path, env=self.h.env, dir=self.nursery.dir, timeout=120)
        assert r.returncode == code, r
        return r

    def pids(self):
        return {b["model"]: b["pid"] for b in self.ask("GET", "ps").json()["backends"] if b["pid"]}

    def runs_in(self, model):
        """Which of the two builds its child is."""
        pid = self.pids().get(model)
        try:
            return pathlib.Path(os.readlink(f"/proc/{pid}/exe")).parent.name if pid else None
        except OSError:
            return None

    def all_in(self, build, models=("one", "two")):
        return [m for m in models if self.runs_in(m) != build] == []

    def who(self, model="chat"):
        got = self.h.chat(model, "hello")
        assert got.status == 200, got
        return got.get("x-hob-model")


@pytest.fixture
def builds(nursery):
    return Builds(nursery)


class Load:
    """Asks without an end, of several at a time; what is not answered is kept."""

    def __init__(self, h, *models):
        self.h, self.stop, self.answers, self.wrong = h, threading.Event(), {m: 0 for m in models}, []
        self.threads = [threading.Thread(target=self.run, args=(m,)) for m in models for _ in range(2)]
        for t in self.threads:
            t.start()

    def run(self, model):
        c = self.h.connect()
        while not self.stop.is_set():
            got = c.request("POST", "/v1/chat/completions", chat_body(model, "hello [[words 2]]"))
            self.answers[model] += 1
            if got.status != 200:
                self.wrong.append(got)

    def more(self):
        before = dict(self.answers)
        wait_for("all are answered", lambda: all(self.answers[m] > n for m, n in before.items()), 60)

    def end(self):
        self.stop.set()
        for t in self.threads:
            t.join(60)
        assert not self.wrong, self.wrong[:2]


def test_a_build_goes_its_way(builds):
    """Under load: one child at a time, nobody is refused, and back in one step."""
    swap = builds.plan(version_from="a", version_to="b")
    seen = builds.show(swap)
    assert seen["roles"] == [] and seen["state"] == "planned", seen
    assert (seen["engine"]["from"], seen["engine"]["to"], seen["engine"]["name"]) == (str(builds.old), str(builds.new), "llama")
    assert [(m["model"], m["resident"]) for m in seen["engine"]["models"]] == [("one", True), ("two", True), ("idle", False)]
    assert "nothing is known" in builds.step(swap, "start", status=409)["error"]["message"]
    builds.prove(swap, "one")
    assert "'two'" in builds.step(swap, "start", status=409)["error"]["message"]
    builds.prove(swap, "two", "worse")
    assert "worse in the new build" in builds.step(swap, "start", status=409)["error"]["message"]
    builds.prove(swap, "two")
    before, load = builds.pids(), Load(builds.h, "chat", "one", "two")
    assert builds.step(swap, "start")["state"] == "trial"
    wait_for("both are up in the new build", lambda: all(builds.models(swap)[m]["up"] for m in ("one", "two")), 60)
    said = [line for line in builds.h.stderr().splitlines() if "its turn" in line or "is ready" in line][-4:]
    assert ["one: its turn" in said[0], "one is ready" in said[1], "two: its turn" in said[2], "two is ready" in said[3]] == [True] * 4, said
    assert builds.all_in("new") and set(before.values()).isdisjoint(builds.pids().values())
    load.more()
    assert "has not answered" in builds.step(swap, "promote", status=409, early=True)["error"]["message"]
    for m in ("one", "two"):
        builds.step(swap, "smoke", role=m)
    assert builds.who("idle") == "idle" and builds.runs_in("idle") == "new"  # who was not in memory comes up there, too
    assert builds.step(swap, "rollback", why="enough")["state"] == "rolled_back"
    wait_for("both are back", lambda: builds.all_in("old"), 60)
    load.more()
    load.end()
    steps = builds.ask("GET", f"swaps/log?id={swap}").json()["steps"]
    assert [s["step"] for s in steps] == ["plan", "evidence", "evidence", "evidence", "start", "smoke", "smoke", "rollback"]
    assert steps[-1]["engine"] == {"name": "llama", "models": ["one", "two", "idle"], "from": str(builds.new), "to": str(builds.old)} and steps[-1]["roles"] == []


def test_a_build_that_dies_sends_all_back_by_itself(builds):
    """No request is lost by it: who waits for the one that does not come up is answered by the old build."""
    builds.be(builds.new, script="load_crash SEGV")
    before, swap = builds.pids(), builds.plan()
    load = Load(builds.h, "chat", "one", "two")
    builds.start(swap)
    wait_for("it is rolled back", lambda: builds.show(swap)["state"] == "rolled_back", 30)
    wait_for("one is back", lambda: builds.runs_in("one") == "old", 30)
    load.more()
    load.end()
    assert builds.pids()["two"] == before["two"], "the next one had not to go"
    why = builds.models(swap)["one"]["why"]
    assert "does not come up" in why and "segmentation fault" in why, why
    assert builds.ask("GET", f"swaps/log?id={swap}").json()["steps"][-1]["actor"] == "hob"


def test_some_models_may_stay_behind(builds):
    swap = builds.plan()
    builds.start(swap)
    wait_for("both are up", lambda: all(builds.models(swap)[m]["up"] for m in ("one", "two")), 30)
    builds.step(swap, "rollback", role="two", why="slower there")
    wait_for("two is back", lambda: builds.runs_in("two") == "old", 30)
    assert builds.runs_in("one") == "new"
    assert {m: s["state"] for m, s in builds.models(swap).items()} == {"one": "trial", "two": "rolled_back", "idle": "trial"}
    builds.step(swap, "smoke", role="one")
    assert builds.step(swap, "promote", early=True)["state"] == "promoted"
    # the file goes before
    config = json.loads(builds.h.config_path.read_text())
    builds.h.config_path.write_text(json.dumps({**config, "engines": {"llama": {"path": str(builds.new)}}}))
    assert builds.ask("POST", "config/reload").status == 200
    wait_for("it is retired", lambda: builds.show(swap)["state"] == "retired")
    wait_for("two is there, too", lambda: builds.all_in("new"), 30)


def test_a_guard_sends_one_model_back(nursery):
    """Whoever asks for it: a model that fails in the new build goes back, and the other stays."""
    builds = Builds(nursery, models=("one", "two"), **FORGIVING)
    for _ in range(120):
        assert builds.h.chat("two", "hello [[words 1]]").status == 200
    (nursery.dir / "two.gguf.script").write_text("default [[status 500]]\nprobe [[words 1]]\n")
    swap = builds.plan()
    builds.start(swap)
    wait_for("both are up", lambda: all(builds.models(swap)[m]["up"] for m in ("one", "two")), 30)
    (nursery.dir / "two.gguf.script").write_text("")
    guards = {g["role"] for g in builds.show(swap)["guards"] if g["name"] != "memory"}  # which is there from the first look at the process on
    assert guards == {"two"}, guards  # nothing is known of the other

    def gone():
        builds.h.chat("two", "hello [[words 1]]")
        return builds.models(swap)["two"]["state"] == "rolled_back"
    wait_for("it goes back", gone, 60)
    assert "error" in builds.models(swap)["two"]["why"] and builds.models(swap)["one"]["state"] == "trial"
    wait_for("it answers in the old build", lambda: builds.runs_in("two") == "old" and builds.h.chat("two", "hello").status == 200, 30)
    assert builds.runs_in("one") == "new"
    # another build over the one that stays
    builds.step(swap, "smoke", role="one")
    builds.step(swap, "promote", early=True)
    third = builds.build("third", version="third")
    got = builds.ask("POST", "swaps/plan", {"engine": {"name": "llama", "to": str(third), "build_from": "0" * 64}}).json()
    assert got["engine"]["from"] == str(builds.new) and got["engine"]["build_from"] is None, got
    builds.start(got["id"])
    wait_for("it is there", lambda: builds.all_in("third"), 30)
    builds.step(got["id"], "rollback")
    wait_for("each is where it was", lambda: (builds.runs_in("one"), builds.runs_in("two")) == ("new", "old"), 30)


def test_plans_that_cannot_be(builds):
    cases = [
        ({"name": "nobody", "to": "/x"}, 404, "No engine"),
        ({"name": "llama", "to": "x"}, 400, "whole path"),
        ({"name": "llama", "to": str(builds.old)}, 400, "already"),
        ({"to": "/x"}, 400, "engine"),
        ({"name": 1, "to": "/x"}, 400, "name"),
    ]
    for engine, status, words in cases:
        got = builds.ask("POST", "swaps/plan", {"engine": engine})
        assert got.status == status and words in got.error()["message"], (engine, got)
    both = builds.ask("POST", "swaps/plan", {"engine": {"name": "llama", "to": "/x"}, "roles": [{"role": "chat", "to": "two"}]})
    assert both.status == 400 and "not of both" in both.error()["message"]
    # both builds must be there, as they were, when it begins
    first = builds.plan(build_to="0" * 64)
    assert "another one than when" in builds.step(first, "start", status=409, force=True, why="x")["error"]["message"]
    second = builds.plan()
    builds.new.unlink()
    assert "new build" in builds.step(second, "start", status=409, force=True, why="x")["error"]["message"]
    assert builds.all_in("old")


@pytest.mark.parametrize("state", ["planned", "evidenced", "moving", "trial", "promoted", "rolled_back"])
def test_a_killed_gateway_finds_it_as_it_was(nursery, state):
    builds = Builds(nursery, models=("one", "two"))
    builds.be(builds.new, script="load_ms 300" if state == "moving" else "")
    swap = builds.plan()
    if state != "planned":
        builds.prove(swap, "one")
        builds.prove(swap, "two")
    if state in ("moving", "trial", "promoted", "rolled_back"):
        builds.step(swap, "start")
    if state in ("trial", "promoted", "rolled_back"):
        wait_for("both are up", lambda: all(builds.models(swap)[m]["up"] for m in ("one", "two")), 30)
    if state == "promoted":
        for m in ("one", "two"):
            builds.step(swap, "smoke", role=m)
        builds.step(swap, "promote", early=True)
    if state == "rolled_back":
        builds.step(swap, "rollback")
        wait_for("both are back", lambda: builds.all_in("old"), 30)
    at, before = "new" if state in ("moving", "trial", "promoted") else "old", builds.pids()
    old = builds.h.gateway()
    os.kill(old.pid, signal.SIGKILL)
    wait_for("another gateway", lambda: not old.alive() and builds.h.gateway().pid != old.pid)
    wait_for("it answers", lambda: builds.h.chat("chat", "hello").status == 200, 30)
    wait_for("all run where they should", lambda: builds.all_in(at), 30)
    assert builds.show(swap)["state"] == {"moving": "trial"}.get(state, state)
    if state != "moving":
        assert builds.pids() == before, "nobody had to go for that"
    else:
        wait_for("it is known that both are up", lambda: all(builds.models(swap)[m]["up"] for m in ("one", "two")), 30)


def test_evidence_is_taken_aside(builds, tmp_path):
    """Each model in memory in both builds, in a hob of its own; what answers callers is left alone, and a build that answers otherwise is kept out."""
    suite = tmp_path / "own.yaml"
    suite.write_text(json.dumps({"suite": "own", "cases": [{"id": f"c{i}", "input": f"hello {i} [[words 6]]", "expect": [{"min_words": 5}]} for i in range(20)]}))
    before, swap = builds.pids(), builds.plan()
    got = json.loads(builds.cli("evidence", str(swap), "--suite", suite, "--json", "-q").stdout)
    models = {m["model"]: m for m in got["engine"]["models"]}
    assert got["state"] == "evidenced" and [models[m]["verdict"] for m in MODELS] == ["cannot tell", "cannot tell", None], got
    proof = models["two"]["evidence"][0]
    assert (proof["suite"], proof["pairs"], proof["both"]) == ("own", 20, 20), proof
    run = builds.ask("GET", f"evals/show?run={proof['run']}").json()  # the run is in our own book
    assert "two-old" in json.dumps(run) and "two-new" in json.dumps(run)
    assert builds.pids() == before and builds.all_in("old")
    r = builds.cli("start", str(swap))
    assert "two answers in the new build" in r.stderr and builds.all_in("new"), r
    builds.cli("rollback", str(swap))
    wait_for("both are back", lambda: builds.all_in("old"), 30)
    # one that says less is kept out
    worse = builds.build("worse", version="worse", script='default [[text "no"]]')
    suite.write_text(json.dumps({"suite": "own", "cases": [{"id": f"c{i}", "input": f"hello {i}", "expect": [{"min_words": 5}]} for i in range(20)]}))
    builds.cli("plan", "--engine", f"llama={worse}")
    r = builds.cli("evidence", "2", "--suite", suite, "--role", "one", "-q", code=4)
    assert "evidence: worse" in r.stdout, r
    assert "worse in the new build" in builds.cli("start", "2", code=4).stderr and builds.all_in("old")


def test_one_that_does_not_chat_is_held_against_its_numbers(nursery):
    builds = Builds(nursery, models=("one",), words=("embed", "rerank"))
    swap = builds.plan()
    for model, suite in (("embed", "vectors"), ("rerank", "scores")):
        got = json.loads(builds.cli("evidence", str(swap), "--role", model, "--json", "-q").stdout)
        proof = {m["model"]: m for m in got["engine"]["models"]}[model]["evidence"][0]
        assert (proof["suite"], proof["verdict"], proof["pairs"], proof["both"], proof["run"]) == (suite, "not worse", 24, 24, None), proof
    assert "cosine 1.0" in builds.cli("status", str(swap)).stdout and "not all models" in builds.show(swap)["next"]


def test_by_hand(builds):
    """plan, start with a smoke of each, status, rollback: as a person does it; a build that lacks something is refused with the first check that says no."""
    r = builds.cli("plan", "--engine", f"llama={builds.new}", "--role", "chat=two", code=2)
    assert "plan one, and when it is promoted the other" in r.stderr
    for args, words in [(["--engine", "llama"], "ENGINE"), (["--engine", f"llama={builds.new}", "--share", "10%"], "no --share")]:
        assert words.replace("ENGINE", "NAME=PATH") in builds.cli("plan", *args, code=2).stderr
    out = builds.cli("plan", "--engine", "llama=new/llama-server").stdout  # from where we are
    assert "old build" in out and "new build" in out and "evidence 1" in out, out
    assert "nothing is known" in builds.cli("start", "1", code=4).stderr
    r = builds.cli("start", "1", "--force", "--why", "to see it")
    assert "one answers in the new build" in r.stderr and "two answers in the new build" in r.stderr and "by force" in r.stdout, r
    assert builds.all_in("new") and all(builds.models(1)[m]["smoked"] for m in ("one", "two"))
    assert "not up in the new build yet" in builds.cli("status", "1").stdout  # idle
    assert "rolled back" in builds.cli("rollback", "1", "--why", "just so").stdout
    wait_for("both are back", lambda: builds.all_in("old"), 30)
    assert "(3 models)" in builds.cli("log", "1").stdout
    # one that comes up and answers nothing
    builds.be(builds.new, script="default [[status 500]]\nprobe [[words 1]]")
    r = builds.cli("start", "1", "--force", "--why", "again", code=4)
    assert "does not answer at the public door" in r.stderr and builds.show(1)["state"] == "rolled_back", r
    assert "did not answer at the public door" in builds.models(1)["one"]["why"]
    wait_for("both are back", lambda: builds.all_in("old"), 30)
    # builds that cannot be
    cases = [
        (dict(knows="gptj"), "architectures: it does not know 'llama', which 'one' needs"),
        (dict(refuses="--cache-ram"), "flags: what 'one' is started with: error: invalid argument: --cache-ram"),
    ]
    for i, (files, why) in enumerate(cases):
        path = builds.build(f"bad{i}", version=f"bad {i}", **files)
        got = json.loads(builds.cli("plan", "--engine", f"llama={path}", "--json", code=4).stdout)
        assert got["state"] == "refused" and why in got["why"], got
        assert "was refused" in builds.cli("start", str(got["id"]), "--force", "--why", "x", code=1).stderr
    assert got["engine"]["architectures"] == {"lost": [], "gained": []}
    got = json.loads(builds.cli("plan", "--engine", f"llama={builds.nursery.dir}/nowhere", "--json", code=4).stdout)
    assert "new build" in got["why"], got
    for program, words in [("/bin/true", "no llama-server"), ("/nowhere/llama-server", "is not there")]:
        r = builds.cli("plan", "--engine", f"llama={program}", code=4)
        assert "refused" in r.stdout and words in r.stdout and "()" not in r.stdout, r
    assert builds.all_in("old")
