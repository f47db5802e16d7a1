"""A swap at the admin door: planned, proven, on trial, promoted, back. Who answers a role changes with it at once, drops nobody, and is the same after a restart."""

import json
import os
import signal
import sqlite3
import threading
import time

import faults
import pytest
import raw
from helpers import FORGIVING, SANITIZED, chat_body, cli, wait_for

DAY_MS = 86400000


class Door:
    def __init__(self, nursery, env=None, new_host=None, **config):
        self.fakes = {name: nursery.fake() for name in ("old", "new")}
        hosts = {name: {"url": f.url} for name, f in self.fakes.items()}
        hosts["new"].update(new_host or {})
        models = {name: {"host": name} for name in self.fakes}
        self.h = nursery.hob({"hosts": hosts, "models": {**models, "third": {"host": "old", "name": "third"}, "words": {"host": "old", "serves": ["embed"]}},
                              "roles": {"chat": {"model": "old"}, "code": {"model": "fast", "fallback": ["third"]}}, "tiers": {"fast": "old"}, **FORGIVING, **config}, env=env)

    def ask(self, how, path, body=None):
        return raw.call(str(self.h.state / "hob.sock"), how, "/hob/v1/" + path, json.dumps(body).encode() if body else b"", timeout=20)

    def plan(self, roles=(("chat", "new"),), **more):
        got = self.ask("POST", "swaps/plan", {"roles": [{"role": r, "to": t} for r, t in roles], **more})
        assert got.status == 200, got
        return got.json()["id"]

    def step(self, swap, step, status=200, **more):
        got = self.ask("POST", "swaps/step", {"id": swap, "step": step, **more})
        assert got.status == status, got
        return got.json()

    def prove(self, swap, role="chat", verdict="not worse"):
        self.step(swap, "evidence", role=role, proof={"suite": "s", "run": "1", "pairs": 100, "both": 100, "difference": 0, "ci": [-0.03, 0.03], "verdict": verdict})
        self.step(swap, "smoke", role=role)

    def trial(self, roles=(("chat", "new"),), **more):
        swap = self.plan(roles, **more)
        self.step(swap, "start", force=True, why="a test")
        return swap

    def show(self, swap):
        return self.ask("GET", f"swaps?id={swap}").json()

    def who(self, name="chat", **fields):
        got = self.h.chat(name, "hello", **fields)
        assert got.status == 200, got
        return got.get("x-hob-model")

    def log(self, swap=None):
        return self.ask("GET", f"swaps/log{f'?id={swap}' if swap else ''}").json()["steps"]


@pytest.fixture
def door(nursery):
    return Door(nursery)


def test_a_swap_goes_its_way(door):
    swap = door.plan([("chat", "new"), ("fast", "new")], window_ms=7 * DAY_MS)
    seen = door.show(swap)
    assert (seen["state"], seen["schema"], seen["roles"][1]["from"]) == ("planned", 1, "old") and f"evidence {swap}" in seen["next"], seen
    assert door.who() == "old"
    e = door.step(swap, "start", status=409)["error"]
    assert e["code"] == "gate_refused" and "nothing is known" in e["message"], e
    door.prove(swap)
    assert door.step(swap, "start", status=409)["error"]["code"] == "gate_refused"  # the tier has no evidence yet
    door.prove(swap, "fast", "cannot tell")
    assert door.who() == "old"
    got = door.step(swap, "start")
    assert got["state"] == "trial" and got["window"]["days"] == 7, got
    assert [door.who(n) for n in ("chat", "fast", "code", "old", "new")] == ["new", "new", "new", "old", "new"]
    assert door.h.chat("old", "hello").get("sunset")  # it is to be left until the window's end
    assert not door.h.chat("new", "hello").get("sunset")
    assert door.step(swap, "promote", status=409)["error"]["code"] == "gate_refused"  # its window is not over
    # one goes back, the other stays
    assert door.step(swap, "rollback", role="fast", why="slower than it was")["state"] == "trial"
    assert [door.who(n) for n in ("chat", "fast", "code")] == ["new", "old", "old"]
    assert door.step(swap, "promote", early=True)["state"] == "promoted"
    assert [door.who(n) for n in ("chat", "fast")] == ["new", "old"]
    assert door.step(swap, "rollback")["state"] == "rolled_back"
    assert door.who() == "old" and not door.h.chat("old", "hello").get("sunset")
    steps = door.log(swap)
    assert [s["step"] for s in steps] == ["plan", "evidence", "smoke", "evidence", "smoke", "start", "rollback", "promote", "rollback"]
    assert all(s["time"] and s["actor"] == "cli" for s in steps)
    assert steps[6]["reason"] == "slower than it was" and steps[6]["roles"] == [{"role": "fast", "state": "rolled_back", "from": "new", "to": "old"}]


def test_the_new_one_fails_and_the_old_one_answers(door):
    door.trial()
    door.fakes["new"].default("[[status 503]]")
    got = door.h.chat("chat", "hello")
    assert (got.status, got.get("x-hob-model"), got.get("x-hob-fallback")) == (200, "old", "new->old"), got


def test_plans_that_cannot_be(door):
    cases = [
        ([("nobody", "new")], 404, "no role or tier 'nobody'"),
        ([("chat", "nobody")], 404, "no model 'nobody'"),
        ([("chat", "old")], 400, "already"),
        ([("chat", "words")], 400, "another kind of request"),
        ([("chat", "new"), ("chat", "third")], 400, "twice"),
        ([], 400, "roles"),
    ]
    for roles, status, words in cases:
        got = door.ask("POST", "swaps/plan", {"roles": [{"role": r, "to": t} for r, t in roles]})
        assert got.status == status and words in got.error()["message"], (roles, got)
    for body, field in [({"roles": [{"role": "chat", "to": "new"}], "window_ms": 5}, "window_ms"), ({"roles": [{"role": "chat", "to": "new"}], "share": 2}, "share"),
                        ({"roles": [{"role": 1, "to": "new"}]}, "role"), ({"roles": "chat"}, "roles")]:
        got = door.ask("POST", "swaps/plan", body)
        assert got.status == 400 and got.error()["param"] == field, (body, got)
    for body, status in [({"id": 9, "step": "start"}, 404), ({"id": "9", "step": "start"}, 400), ({"id": 9, "step": "breach"}, 400), ({"id": 9, "step": "smoke"}, 400)]:
        assert door.ask("POST", "swaps/step", body).status == status, body
    assert door.ask("GET", "swaps?id=9").status == 404 and door.ask("GET", "swaps?id=x").status == 400
    assert door.ask("GET", "swaps").json() == {"schema": 1, "swaps": []}
    refused = door.plan(refused=True, why="the header is none", preflight={"ok": False})
    assert door.show(refused)["state"] == "refused"
    assert "the header is none" in door.step(refused, "start", status=409, force=True, why="x")["error"]["message"]


def test_a_plan_that_nobody_wants_is_put_away(door):
    plan, proven, back = door.plan(), door.plan(), door.trial()
    door.prove(proven)
    door.step(back, "rollback")
    for swap in (plan, proven, back):
        assert door.step(swap, "retire")["state"] == "retired"
        assert "retired" in door.step(swap, "start", status=409, force=True, why="x")["error"]["message"]
    assert door.who() == "old"


def test_one_role_is_in_one_trial(door):
    second = door.plan([("chat", "third")])
    first = door.trial()
    assert f"swap {first}" in door.step(second, "start", status=409, force=True, why="x")["error"]["message"]
    door.step(first, "promote", early=True)
    e = door.step(second, "start", status=409, force=True, why="x")["error"]
    assert "served by new by now" in e["message"], e
    third = door.trial([("chat", "third")])  # over the one that is promoted
    assert door.show(third)["roles"][0]["from"] == "new" and door.who() == "third"
    door.step(third, "rollback")
    assert door.who() == "new"
    door.step(first, "rollback")
    assert door.who() == "old"


def test_a_share_stays_with_its_conversations(door):
    swap = door.trial(share=0.3)
    def draw():
        return [door.h.chat("chat", "hello", headers=[("x-hob-session", f"s{i}")]).get("x-hob-model") for i in range(60)]
    first = draw()
    assert {"old", "new"} == set(first) and draw() == first
    assert door.step(swap, "promote", early=True)["state"] == "promoted"
    assert set(draw()) == {"new"}


@pytest.mark.parametrize("state", ["planned", "evidenced", "trial", "promoted", "rolled_back"])
def test_a_killed_gateway_finds_it_as_it_was(door, state):
    swap = door.plan()
    steps = {"planned": [], "evidenced": ["prove"], "trial": ["prove", "start"], "promoted": ["prove", "start", "promote"], "rolled_back": ["prove", "start", "rollback"]}[state]
    for step in steps:
        if step == "prove":
            door.prove(swap)
        else:
            door.step(swap, step, early=step == "promote")
    before, who = door.show(swap), door.who()
    assert before["state"] == state and who == ("new" if state in ("trial", "promoted") else "old")
    old = door.h.gateway()
    os.kill(old.pid, signal.SIGKILL)
    wait_for("another gateway", lambda: not old.alive() and door.h.gateway().pid != old.pid)
    assert wait_for("it answers", lambda: door.h.chat("chat", "hello")).get("x-hob-model") == who  # from the first answer on
    assert door.show(swap) == before
    door.h.stop()
    h = door.h
    h.__init__(h.config_path.read_text(), dir=h.dir)
    assert door.who() == who and door.show(swap) == before
    follow = {"planned": "retire", "evidenced": "start", "trial": "promote", "promoted": "rollback", "rolled_back": "start"}[state]
    if state != "planned":
        door.step(swap, follow, early=True)


def test_what_a_person_writes_goes_before(door):
    """Its own model: the swap is done. Another: the swap is overtaken."""
    config = json.loads(door.h.config_path.read_text())
    for said, why in (("new", "itself"), ("third", "another model")):
        swap = door.trial()
        assert door.who() == "new"
        door.h.config_path.write_text(json.dumps({**config, "roles": {**config["roles"], "chat": {"model": said}}}))
        assert door.ask("POST", "config/reload").status == 200
        assert door.who() == said
        wait_for("it is retired", lambda: door.show(swap)["state"] == "retired")
        assert why in door.show(swap)["roles"][0]["why"] and door.log(swap)[-1]["actor"] == "hob"
        door.h.config_path.write_text(json.dumps(config))
        assert door.ask("POST", "config/reload").status == 200
        assert door.who() == "old"  # a retired one does not come back


def test_another_file_keeps_what_is_on_trial(door):
    swap = door.trial()
    config = json.loads(door.h.config_path.read_text())
    door.h.config_path.write_text(json.dumps({**config, "drain": "7s"}))
    assert door.ask("POST", "config/reload").status == 200
    assert door.who() == "new" and door.show(swap)["state"] == "trial"


def test_two_hundred_a_second_go_through_swaps(door):
    """Back and forth under load: none is refused, none is cut, and who has been answered by whom follows the steps."""
    stop, ends, wrong = threading.Event(), [], []
    def load():
        c = door.h.connect()
        while not stop.is_set():
            got = c.request("POST", "/v1/chat/completions", chat_body("chat", "hello [[words 3]]"))
            ends.append(got.get("x-hob-model"))
            if got.status != 200 or got.get("x-hob-fallback"):
                wrong.append(got)
            time.sleep(0.02)
    threads = [threading.Thread(target=load) for _ in range(4)]
    for t in threads:
        t.start()
    swap = door.trial()
    for turn in range(15):
        wait_for("the load goes on", lambda: len(ends) > 5 * turn, 30)
        for step, at in (("rollback", "old"), ("start", "new")):
            door.step(swap, step, force=True, why="again")
            assert door.who() == at  # it is in force when it is answered
    wait_for("many have been asked", lambda: len(ends) >= 150 and len(set(ends)) == 2, 60)
    stop.set()
    for t in threads:
        t.join(20)
    assert not wrong, wrong[:3]
    assert {"old", "new"} == set(ends)


@pytest.mark.skipif(SANITIZED or not faults.SHIM.exists(), reason="the shim is not for sanitizers, and for Linux alone")
def test_a_disk_that_fails_keeps_nobody_from_going_back(nursery, tmp_path):
    """What leads on waits for the disk; what leads back does not, and is written when it can be."""
    f = faults.Faults(tmp_path)
    door = Door(nursery, env=f.env)
    swap, later = door.trial(), door.plan([("fast", "new")])
    with f.rule("pwrite", error="ENOSPC", program="hob"):
        assert door.h.chat("chat", "hello").get("x-hob-model") == "new"
        assert door.step(later, "start", status=503, force=True, why="x")["error"]["code"]
        assert door.who("fast") == "old" and door.show(later)["state"] == "planned"
        assert door.step(swap, "rollback")["state"] == "rolled_back"
        assert door.who() == "old"
        assert "not written down" in door.h.stderr()
    def written():
        with sqlite3.connect(f"file:{door.h.state}/hob.db?mode=ro", uri=True) as db:
            return json.loads(db.execute("SELECT text FROM swaps WHERE swap = ?", (swap,)).fetchone()[0])["state"]
    wait_for("it is written", lambda: written() == "rolled_back", 20)


def test_a_swap_by_hand(nursery, tmp_path):
    """As a person does it: plan, evidence, start, back; a gate's no is exit 4, and each step says what is next."""
    suite = tmp_path / "own.yaml"
    suite.write_text(json.dumps({"suite": "own", "cases": [{"id": f"c{i}", "input": f'[[text "{i}"]]', "expect": [{"equals": str(i)}]} for i in range(30)]}))
    door = Door(nursery, roles={"chat": {"model": "old", "suites": [str(suite)]}})

    def swap(*args, code=0):
        r = cli("swap", *args, "-c", door.h.config_path, env=door.h.env, timeout=120)
        assert r.returncode == code, r
        return r

    assert "nothing is swapped" in swap("status").stderr
    assert "hob swap evidence 1" in swap("plan", "--role", "chat=new", "--window", "2d").stdout
    assert "nothing is known" in swap("start", "1", code=4).stderr
    got = json.loads(swap("evidence", "1", "--json", "-q").stdout)
    proof = got["roles"][0]["evidence"][0]
    assert (got["state"], proof["suite"], proof["pairs"], proof["both"], proof["verdict"]) == ("evidenced", "own", 30, 30, "cannot tell") and proof["needed"] > 30, got
    assert "30 pairs" in swap("status", "1").stdout
    assert door.who() == "old"
    assert "trial" in swap("start", "1").stdout and door.who() == "new"
    assert "48 h more" in swap("promote", "1", code=4).stderr and "is on trial" in swap("start", "1", code=1).stderr
    assert "rolled back" in swap("rollback", "1", "--why", "just so").stdout and door.who() == "old"
    assert "just so" in swap("log", "1").stdout and " rolled back " in swap("log", "1").stdout and "is rolled back" in swap("promote", "1", code=1).stderr
    assert swap("log", "1", "--role", "chat").stdout == swap("log", "1").stdout
    assert "no step of swap 1 has moved 'fast'" in swap("log", "1", "--role", "fast", code=1).stderr and "has moved 'fast'" in swap("log", "--role", "fast", code=1).stderr
    assert "takes no --early" in swap("log", "1", "--early", code=2).stderr
    assert "no swap 99" in swap("log", "99", code=1).stderr
    # a candidate that is worse: found by evidence, and kept out
    door.fakes["new"].default('[[text "no"]]')
    assert "better, they say" in swap("plan", "--role", "chat=new", "--why", "better, they say").stdout
    assert "better, they say" in swap("log", "2").stdout
    got = json.loads(swap("evidence", "2", "--json", "-q", "--suite", str(strict_suite(tmp_path)), code=4).stdout)
    assert got["roles"][0]["verdict"] == "worse", got
    assert "worse than old" in swap("start", "2", code=4).stderr and door.who() == "old"
    assert all("says why" in swap("start", "2", "--force", *why, code=2).stderr for why in ((), ("--why", " ")))
    assert "by force" in swap("start", "2", "--force", "--why", "to see it").stdout and door.who() == "new"
    # who does not answer at all is not begun with
    door.fakes["new"].default("[[status 500]]")
    swap("rollback", "2")
    swap("evidence", "2", code=1)
    for args, words in [(["plan"], "--role chat=NEW"), (["plan", "--role", "chat"], "ROLE=MODEL"), (["plan", "--role", "chat=new", "--window", "7"], "duration"), (["start", "x"], "no number")]:
        assert words in swap(*args, code=2).stderr
    assert "no swap 99" in swap("status", "99", code=1).stderr


def strict_suite(tmp_path):
    """Passed by who says five words or more."""
    path = tmp_path / "strict.yaml"
    path.write_text(json.dumps({"suite": "strict", "cases": [{"id": f"c{i}", "input": f"hello {i}", "expect": [{"min_words": 5}]} for i in range(20)]}))
    return path
