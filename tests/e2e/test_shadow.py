"""A shadow: copies of real asks go to the model that may take over, when nobody else wants the machine. Nobody hears its answers, nobody waits for it, and of what is said nothing stays."""

import json
import os
import signal

import pytest
from helpers import FAKE, FORGIVING, cli, wait_for
from test_privacy import TEXT, leaks
from test_swap import Door

CANARY = "marzipan-elephant"


class Shadow(Door):
    """`chat` is served by old; new is on a host of its own, as `new` says."""

    def __init__(self, nursery, new=None, **config):
        self.fakes = {name: nursery.fake() for name in ("old", "new")}
        hosts = {"old": {"url": self.fakes["old"].url}, "new": {"url": self.fakes["new"].url, **(new or {})}}
        self.h = nursery.hob({"hosts": hosts, "models": {"old": {"host": "old"}, "new": {"host": "new"}, "words": {"host": "old", "serves": ["embed"]},
                                                         "words2": {"host": "new", "serves": ["embed"]}},
                              "roles": {"chat": {"model": "old"}, "embed": {"model": "words"}}, **FORGIVING, **config})

    def begin(self, share=1, idle_ms=20):
        swap = self.plan()
        got = self.step(swap, "shadow", share=share, idle_ms=idle_ms)
        assert got["state"] == "shadow" and f"start {swap}" in got["next"], got
        return swap

    def shadow(self, swap):
        return self.show(swap)["shadow"]

    def pairs(self, swap, n):
        return wait_for(f"{n} pairs", lambda: (s := self.shadow(swap))["pairs"] >= n and s)

    def measure(self, swap, name):
        return next(m for m in self.shadow(swap)["measures"] if m["name"] == name)


@pytest.fixture
def door(nursery):
    return Shadow(nursery)


def test_pairs_gather_and_callers_see_nothing_of_it(door):
    swap = door.begin(idle_ms=3600000)  # not yet: a copy under way would end when the next request comes
    for i in range(6):
        got = door.h.chat("chat", f"{CANARY} {i} [[words 3]]", stream=i % 2 == 0)
        assert got.status == 200 and got.get("x-hob-model") == "old", got
    waits = door.shadow(swap)
    assert (waits["waiting"], waits["pairs"], waits["waits"]) == (6, 0, "the machine has other things to do"), waits
    door.step(swap, "shadow", idle_ms=20)
    seen = door.pairs(swap, 6)
    assert (seen["on"], seen["share"], seen["pairs"], seen["dropped"], seen["cancelled"], seen["unfit"], seen["waiting"]) == (True, 1, 6, 0, 0, 0, 0), seen
    by_name = {m["name"]: m for m in seen["measures"]}
    assert by_name["answered"]["old"] == by_name["answered"]["new"] == 1 and by_name["answered"]["pairs"] == 6 and by_name["answered"]["verdict"] == "cannot tell"
    assert by_name["alike"]["new"] == 1 and by_name["total"]["pairs"] == 6 and by_name["ttft"]["pairs"] == 3  # an answer that came as a whole has none
    assert by_name["says_something"]["new"] == by_name["not_cut"]["new"] == 1 and by_name["output_tokens"]["difference"] == 0
    # what was sent is what was asked, and its own name
    sent = [json.loads(r.body) for r in door.fakes["new"].log().chats]
    assert len(sent) == 6 and all(CANARY in b["messages"][0]["content"] and b["model"] == "new" for b in sent), sent
    # in nobody's count
    rows = door.ask("GET", "logs?n=all").json()["rows"]
    assert len(rows) == 6 and {r["model"] for r in rows} == {"old"}
    metrics = door.h.get("/metrics").body.decode()
    assert 'hob_shadow_asks_total{model="new",end="pair"} 6' in metrics, metrics
    assert not [line for line in metrics.splitlines() if line.startswith("hob_requests_total") and '"new"' in line]
    # no word of it stays
    for file in door.h.dir.rglob("*"):
        if file.is_file():
            assert CANARY.encode() not in file.read_bytes(), file
    # it ends
    assert door.step(swap, "rollback")["state"] == "rolled_back"
    assert door.h.chat("chat", "hello").status == 200
    assert not door.shadow(swap)["on"] and door.shadow(swap)["pairs"] == 6


def test_what_differs_is_seen(door):
    swap = door.begin()
    door.fakes["old"].default('[[json {"a": 1, "b": [2]}]]')
    door.fakes["new"].default('[[json {"b":[2.0],"a":1}]]')
    door.h.chat("chat", "one")
    door.pairs(swap, 1)
    assert door.measure(swap, "alike")["new"] == 1
    door.fakes["new"].default('[[json {"b":[3],"a":1}]]')
    door.h.chat("chat", "two")
    door.pairs(swap, 2)
    assert door.measure(swap, "alike")["new"] == 0.5
    door.fakes["new"].default("[[status 500]]")
    door.h.chat("chat", "three")
    door.pairs(swap, 3)
    assert (door.measure(swap, "answered")["old"], round(door.measure(swap, "answered")["new"], 2)) == (1, 0.67)
    door.fakes["old"].default("[[status 500]]")  # who fails first counts, too
    door.fakes["new"].default("")
    assert door.h.chat("chat", "four").status == 502
    door.pairs(swap, 4)
    assert (door.measure(swap, "answered")["old"], door.measure(swap, "answered")["new"]) == (0.75, 0.75)
    schema = {"type": "json_schema", "json_schema": {"name": "x", "schema": {"type": "object", "required": ["a"]}}}
    door.fakes["old"].default('[[json {"a": 1}]]')
    door.fakes["new"].default('[[json {"b": 1}]]')
    assert door.h.chat("chat", "five", response_format=schema).status == 200
    door.pairs(swap, 5)
    assert (door.measure(swap, "fits")["old"], door.measure(swap, "fits")["new"], door.measure(swap, "fits")["pairs"]) == (1, 0, 1)


def test_an_answer_without_an_end_is_cut(door):
    """A real ask without `max_tokens`: its copy's answer may be some times as long as the real one, no longer."""
    swap = door.begin()
    for i, (words, said, most) in enumerate([(3, {}, 2048), (1000, {}, 4000), (3, {"max_tokens": 50}, 50), (3, {"max_completion_tokens": 60}, None)]):
        door.fakes["old"].default(f"[[words {words}]]")
        assert door.h.chat("chat", "go on", **said).status == 200
        door.pairs(swap, i + 1)
        sent = json.loads(door.fakes["new"].log().chats[-1].body)
        assert sent.get("max_tokens") == most and sent.get("max_completion_tokens") == said.get("max_completion_tokens"), sent


def test_a_request_goes_before_it(nursery):
    """One slot, and a copy has it: who comes gets it at once, and the copy is tried again."""
    door = Shadow(nursery, new={"slots": 1})
    new = door.fakes["new"]
    swap = door.begin()
    for name in ("new", "chat"):  # the place itself; another that shares the machine
        new.default("[[first_ms 600000]]")
        before = len(new.log().chats)
        assert door.h.chat("chat", "hello").status == 200
        new.wait("the copy is under way", lambda log: len(log.chats) > before and log.in_flight)
        new.default("")
        done = door.shadow(swap)["pairs"]
        assert door.h.chat(name, "at once").status == 200
        new.wait("the copy is cancelled", lambda log: "cancelled" in [r.outcome for r in log.chats[before:]])
        door.pairs(swap, done + (1 if name == "new" else 2))
    seen = door.shadow(swap)
    assert seen["cancelled"] == 2 and seen["dropped"] == 0, seen


def test_what_is_private_stays(nursery):
    door = Shadow(nursery, new={"local": "off"})
    swap = door.begin()
    assert door.h.chat("chat", "do not tell", headers=[("x-hob-private", "true")]).status == 200
    assert door.h.chat("chat", TEXT).status == 200
    assert door.h.chat("chat", "nothing to hide").status == 200
    assert door.pairs(swap, 1)["unfit"] == 2
    sent = [r.body.decode() for r in door.fakes["new"].log().chats]
    assert len(sent) == 1 and "nothing to hide" in sent[0]
    assert not any(leaks(file.read_bytes().decode(errors="replace")) for file in door.h.dir.rglob("*") if file.is_file())


def test_what_a_rule_disguises_stays(nursery):
    """The rule goes by what a copy has no more: a header, the caller, the hour."""
    door = Shadow(nursery, new={"local": "off"}, privacy={"detect": "off"}, routes=[{"when": {"header": "x-team: legal*"}, "redact": True}])
    swap = door.begin()
    assert door.h.chat("chat", TEXT, headers=[("x-team", "legal-3")]).status == 200
    assert door.h.chat("chat", "nothing to hide", headers=[("x-team", "legal-3")]).status == 200
    assert door.pairs(swap, 1)["unfit"] == 1
    sent, = door.fakes["new"].log().chats
    assert "nothing to hide" in sent.body.decode(), sent


def test_nothing_is_loaded_for_it(nursery):
    models = {**nursery.model("old"), **nursery.model("new", keep="demand")}
    door = Shadow.__new__(Shadow)
    door.h = nursery.hob({"engines": {"llama": {"path": str(FAKE)}}, "models": models, "roles": {"chat": {"model": "old"}}, "drain": "50s"}, wait="ready")
    swap = door.begin()
    assert door.h.chat("chat", "hello").status == 200
    seen = wait_for("it is said why nothing is sent", lambda: "not in memory" in ((s := door.shadow(swap))["waits"] or "") and s)
    assert seen["waiting"] == 1 and len(door.h.children()) == 1
    assert door.ask("POST", "models/load", {"model": "new"}).status == 200
    door.pairs(swap, 1)
    backends = {b["model"]: b for b in door.ask("GET", "ps").json()["backends"]}
    assert backends["old"]["state"] == backends["new"]["state"] == "hot"
    # and it keeps nobody from unloading it
    new = door.h.child("new").control
    new.default("[[first_ms 600000]]")
    assert door.h.chat("chat", "once more").status == 200
    new.wait("the copy is under way", lambda log: log.in_flight)
    assert door.ask("POST", "models/unload", {"model": "new"}).status == 200
    seen = door.shadow(swap)
    assert (seen["pairs"], seen["cancelled"], seen["waiting"]) == (1, 1, 1), seen


def test_it_goes_on_after_a_kill(door):
    swap = door.begin()
    assert door.h.chat("chat", "hello").status == 200
    door.pairs(swap, 1)
    door.fakes["new"].default("[[first_ms 600000]]")
    assert door.h.chat("chat", "in the midst").status == 200
    door.fakes["new"].wait("the copy is under way", lambda log: log.in_flight)
    door.fakes["new"].default("")
    old = door.h.gateway()
    os.kill(old.pid, signal.SIGKILL)
    wait_for("another gateway", lambda: not old.alive() and door.h.gateway().pid != old.pid)
    wait_for("it answers", lambda: door.h.chat("chat", "again").status == 200)
    seen = door.pairs(swap, 2)
    assert seen["on"] and door.show(swap)["state"] == "shadow"
    # and it leads on
    door.prove(swap)
    assert door.show(swap)["state"] == "shadow" and door.show(swap)["roles"][0]["verdict"] == "not worse"
    assert door.step(swap, "start")["state"] == "trial" and door.who() == "new"
    assert not door.shadow(swap)["on"]


def test_where_it_cannot_be(door):
    swap = door.plan([("embed", "words2")])
    assert "serves no chats" in door.step(swap, "shadow", status=400)["error"]["message"]
    swap = door.begin(0.5)
    assert door.step(swap, "promote", status=409)["error"]["code"] == "wrong_state"
    assert door.step(swap, "shadow", share=0.25)["state"] == "shadow" and door.shadow(swap)["share"] == 0.25
    for wrong in ({"share": 2}, {"idle_ms": 0}, {"idle_ms": "1"}):
        assert door.step(swap, "shadow", status=400, **wrong)["error"]["code"] == "invalid_request"
    assert door.step(swap, "retire")["state"] == "retired"


def test_by_hand(door):
    swap = str(door.plan())

    def run(*args):
        r = cli("swap", *args, "-c", door.h.config_path, env=door.h.env)
        assert r.returncode == 0, r
        return r.stdout
    assert f"swap {swap}: shadow" in run("start", swap, "--shadow", "100%", "--idle", "20ms")
    assert door.h.chat("chat", "hello").status == 200
    door.pairs(int(swap), 1)
    told = run("status", swap)
    assert "shadow of 100 % of the asks" in told and "1 pair" in told and "chat answered" in told and "new 100.0 %" in told, told
    assert json.loads(run("status", swap, "--json"))["shadow"]["pairs"] == 1
    assert json.loads(run("status", "--json"))["swaps"][0]["shadow"]["pairs"] == 1
    assert [s["step"] for s in door.log(int(swap))] == ["plan", "shadow"]
    report = run("report", swap)
    assert "\nShadow: copies of 100 % of the asks, from 20" in report and "; 1 pair of answers. Nobody" in report, report
    assert "\n| answered, % | 1 | 100.0 | 100.0 | +0.0 (" in report and "| cannot tell: about " in report and "\n| total, ms | 1 | " in report, report
    run("retire", swap)
    assert "\nShadow, over: copies" in run("report", swap)
    assert f"swap {int(swap) + 1}: shadow" in run("plan", "--role", "chat=new", "--shadow", "10%")
