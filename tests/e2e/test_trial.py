"""A trial under guard: a candidate that is worse goes back by itself, with the reason and the rows that prove it; one that is as good stays, and nobody else's fault is its own."""

import json
import os
import signal
import sqlite3
import threading

import pytest
from helpers import FAKE, cli, wait_for
from test_swap import Door

BASELINE = 300


def ask(door, n, role="chat", at_once=8):
    """n requests; what they came to."""
    ends = []
    def some(count):
        for _ in range(count):
            ends.append(door.h.chat(role, "hello [[words 3]]").status)
    threads = [threading.Thread(target=some, args=(n // at_once,)) for _ in range(at_once)]
    for t in threads:
        t.start()
    for t in threads:
        t.join(60)
    assert len(ends) == n // at_once * at_once
    return ends


@pytest.fixture
def door(nursery):
    d = Door(nursery)
    ask(d, BASELINE)
    return d


def fail_now_and_then(door, n):
    """Every second request: no outage, which would be one event."""
    for _ in range(n):
        door.fakes["new"].default("[[status 500]]")
        ask(door, 1, at_once=1)
        door.fakes["new"].default("")
        ask(door, 1, at_once=1)


def guard(door, swap, name):
    """As it is shown; of a gateway that has just begun nothing."""
    return next((g for g in door.show(swap).get("guards", []) if g["name"] == name), {"evidence": ""})


def test_one_that_is_as_good_stays(door):
    swap = door.trial()
    ask(door, 160)
    seen = door.show(swap)
    assert seen["state"] == "trial" and seen["guards"], seen
    assert {g["verdict"] for g in seen["guards"]} <= {"holds", "watched"}
    assert "of 160 requests" in guard(door, swap, "errors")["evidence"] and guard(door, swap, "errors")["role"] == "chat"


def test_one_that_breaks_down_goes_back(door):
    """Its answers fail, and the old one answers for it: callers see nothing, the guard does."""
    swap = door.trial()
    door.fakes["new"].default("[[status 500]]")
    assert set(ask(door, 80)) == {200}
    wait_for("it is rolled back", lambda: door.show(swap)["state"] == "rolled_back")
    seen = door.show(swap)
    assert "errors" in seen["roles"][0]["why"] and "req_" in seen["roles"][0]["why"], seen
    last = door.log(swap)[-1]
    assert (last["step"], last["actor"], last["state"]) == ("breach", "guard", "rolled_back")
    proof = last["reason"].rpartition("the first is ")[2].partition(",")[0]
    assert any(r["id"] == proof for r in door.ask("GET", "logs?n=all").json()["rows"])  # the row that proves it
    assert guard(door, swap, "errors")["verdict"] == "breached" and door.who() == "old"
    assert "it is rolled back" in door.h.stderr()


def test_one_that_is_alerted_of_stays(door):
    swap = door.trial(alert_only=True)
    door.fakes["new"].default("[[status 500]]")
    ask(door, 80)
    wait_for("it is told", lambda: "is worse than" in door.h.stderr())
    assert door.show(swap)["state"] == "trial" and guard(door, swap, "errors")["verdict"] == "breached"


def test_what_is_not_the_models_does_not_move_it(door):
    """Wrong requests are the caller's."""
    swap = door.trial()
    for _ in range(100):
        assert door.h.post("/v1/chat/completions", b'{"model": "chat", "messages": [{"role": "user", "content": "x"}], "temperature": "hot"}').status == 400
    assert guard(door, swap, "errors")["evidence"].startswith("errors: 0 of 0 requests")
    assert door.show(swap)["state"] == "trial"


def test_a_killed_gateway_goes_on_watching(door):
    """What was seen before the kill counts, and nothing twice."""
    swap = door.trial()
    ask(door, 80)
    for n in (80, 160):
        old = door.h.gateway()
        os.kill(old.pid, signal.SIGKILL)
        wait_for("another gateway", lambda: not old.alive() and door.h.gateway().pid != old.pid)
        wait_for("it has caught up", lambda: f"of {n} requests" in guard(door, swap, "errors")["evidence"])
        if n == 80:
            ask(door, 80)
    fail_now_and_then(door, 40)
    wait_for("it is rolled back", lambda: door.show(swap)["state"] == "rolled_back")


def test_one_that_is_cut_off_goes_back(door):
    """Where the old one's answers came to an end of their own. The rows say how each ended, and nobody else's do."""
    swap = door.trial()
    door.fakes["new"].default("[[finish length]]")
    ask(door, 80)
    wait_for("it is rolled back", lambda: door.show(swap)["state"] == "rolled_back")
    assert door.show(swap)["roles"][0]["why"].startswith("cut: "), door.show(swap)
    rows = door.ask("GET", "logs?n=all").json()["rows"]
    assert {(r["model"], r["finish"]) for r in rows} == {("old", "stop"), ("new", "length")}
    assert {r["others"] for r in rows} > {0} and all(0 <= r["others"] < 16 for r in rows)


def test_one_that_others_have_to_stand_in_for_goes_back(nursery):
    """It fails once and is left alone then: one error, and yet none of its callers gets it."""
    door = Door(nursery, breaker={"failures": 1, "window": "10s", "open": "1h"})
    ask(door, BASELINE)
    swap = door.trial()
    door.fakes["new"].default("[[status 500]]")
    assert ask(door, 1, at_once=1) + ask(door, 80) == [200] * 81  # several at once would all fail, before it is left alone
    wait_for("it is rolled back", lambda: door.show(swap)["state"] == "rolled_back")
    assert door.show(swap)["roles"][0]["why"].startswith("fallback: "), door.show(swap)


def test_a_minute_of_failing_is_one_event(door):
    """A place that is down fails all that come: that is one event, and the trial goes on."""
    swap = door.trial()
    ask(door, 80)
    door.fakes["new"].default("[[status 500]]")
    assert set(ask(door, 80)) == {200}
    door.fakes["new"].default("")
    ask(door, 80)
    wait_for("all are seen", lambda: "of 1" in guard(door, swap, "errors")["evidence"])
    seen = guard(door, swap, "errors")["evidence"]
    assert int(seen.split()[1]) <= 9 and door.show(swap)["state"] == "trial", seen  # those that were under way together may each end a run


@pytest.mark.parametrize("breaker", [{"failures": 100}, {"failures": 1, "window": "10s", "open": "1h"}])
def test_a_host_that_is_down_is_one_event_however_long(nursery, breaker):
    """Nobody can be reached there, and others answer: no word about the model, whether its breaker is open or not."""
    door = Door(nursery, breaker=breaker)
    ask(door, BASELINE)
    swap = door.trial()
    ask(door, 40)
    door.fakes["new"].stop()
    assert set(ask(door, 160)) == {200}
    wait_for("it is seen", lambda: guard(door, swap, "place")["evidence"].startswith("place: nobody can be reached there since "))
    seen = door.show(swap)
    assert seen["state"] == "trial" and guard(door, swap, "place")["verdict"] == "watched", seen
    for name in ("errors", "fallback"):
        told = guard(door, swap, name)["evidence"].split()
        assert int(told[1]) <= 1 and int(told[3]) <= 41, told  # what is left out is no good evidence either
    row = json.loads(cli("logs", "-n", "1", "--json", "--state", door.h.state).stdout)
    assert row["chain"][0]["away"] is True, row


def test_what_the_gateway_does_wrong_is_no_breach(nursery):
    """It has no room in its line for the new one, and the old one answers: no word about the new one."""
    door = Door(nursery, new_host={"slots": 1}, queue={"limit": 1})
    ask(door, BASELINE)
    swap = door.trial()
    door.fakes["new"].default("[[first_ms 30]]")
    ask(door, 80)
    chains = [r["chain"] for r in door.ask("GET", "logs?n=80").json()["rows"]]
    full = sum(c[0]["error"] == "queue_full" for c in chains if c)
    assert full > 20
    wait_for("all are seen", lambda: f"of {80 - full} requests" in guard(door, swap, "errors")["evidence"])
    for name in ("errors", "fallback", "saturation"):
        assert guard(door, swap, name)["evidence"].startswith(f"{name}: 0 of {80 - full} requests"), door.show(swap)["guards"]
    assert door.show(swap)["state"] == "trial"


class Children(Door):
    """The same with models of this machine."""
    def __init__(self, nursery):
        models = {k: v for name in ("old", "new") for k, v in nursery.model(name).items()}
        self.h = nursery.hob({"engines": {"llama": {"path": str(FAKE)}}, "models": models, "roles": {"chat": {"model": "old"}}})


def test_its_memory_is_looked_at(nursery):
    """What its process has, and what was expected, from the first request on; a breach takes ten minutes (unit/evidence/guards)."""
    door = Children(nursery)
    assert door.who() == "old"
    swap = door.trial()
    assert door.who() == "new"
    seen = wait_for("it is looked at", lambda: (g := guard(door, swap, "memory")).get("verdict") and g, 90)
    assert seen["verdict"] == "holds" and seen["value"] > 0 and seen["baseline"] > 0 and "MiB were expected" in seen["evidence"], seen


# -- saved baselines

def baseline(door, *args, code=0):
    r = cli("swap", "baseline", "-c", door.h.config_path, *args, env=door.h.env)
    assert r.returncode == code, r
    return r


def test_a_saved_baseline_is_what_a_trial_is_held_against(door):
    assert "no baseline is saved" in baseline(door).stderr and "no role or tier 'chta'" in baseline(door, "chta", "--save", code=1).stderr
    assert "No request of 'code'" in baseline(door, "code", "--save", code=1).stderr
    swap = door.plan()
    e = door.step(swap, "start", 404, force=True, why="x", baseline="saved")["error"]
    assert "No baseline of 'chat' is saved" in e["message"], e
    assert f"{BASELINE // 8 * 8} requests of old" in baseline(door, "chat", "--save").stdout
    kept, = json.loads(baseline(door, "chat", "--json").stdout)["baselines"]
    assert (kept["role"], kept["model"], kept["requests"], kept["note"]) == ("chat", "old", BASELINE // 8 * 8, None) and kept["saved"] and kept["from"] <= kept["until"], kept
    assert {"errors", "cut", "fallback", "total"} <= {g["name"] for g in kept["guards"]}
    ask(door, 80)  # which are not in it
    door.step(swap, "start", force=True, why="x", baseline="saved")
    base, = door.show(swap)["baselines"]
    assert (base["source"], base["requests"], base["saved"]) == ("saved", kept["requests"], kept["saved"]), base
    assert "on trial in swap" in baseline(door, "chat", "--save", code=1).stderr
    text = cli("swap", "status", str(swap), "-c", door.h.config_path, env=door.h.env).stdout
    assert f"chat: held against {kept['requests']} requests of old" in text and ", saved 20" in text, text
    door.fakes["new"].default("[[status 500]]")
    ask(door, 80)
    wait_for("it is rolled back", lambda: door.show(swap)["state"] == "rolled_back")
    assert f"of {kept['requests']} (" in door.show(swap)["roles"][0]["why"]
    # the same after a restart, and of another model it says so
    old = door.h.gateway()
    os.kill(old.pid, signal.SIGKILL)
    wait_for("another gateway", lambda: not old.alive() and door.h.gateway().pid != old.pid)
    wait_for("it knows its swaps", lambda: door.ask("GET", "swaps").status == 200)
    again = door.plan([("chat", "third")])
    door.step(again, "start", force=True, why="x")
    assert door.show(again)["baselines"][0]["source"] == "rows"
    door.step(again, "promote", early=True)
    assert "it is of old, and not of third" in baseline(door, "chat").stdout
    assert baseline(door, "chat", "--forget").stdout == "chat: forgotten\n" and baseline(door, "chat", "--forget").stdout == "chat: nothing was saved\n"


def test_a_baseline_outlives_its_rows(door):
    baseline(door, "chat", "--save")
    with sqlite3.connect(door.h.state / "hob.db") as db:
        db.execute("DELETE FROM requests")
    swap = door.trial()
    base, = door.show(swap)["baselines"]
    assert (base["source"], base["requests"]) == ("saved", BASELINE // 8 * 8), base


def test_a_trial_without_guards_is_one_that_somebody_wants(door):
    """What the old model did cannot be read: nothing is begun, and it says how it would be."""
    swap = door.plan()
    with sqlite3.connect(door.h.state / "hob.db") as db:
        db.execute("ALTER TABLE ways RENAME TO hidden")
    e = door.step(swap, "start", 503, force=True, why="x")["error"]
    assert "The trial is not begun" in e["message"] and "--baseline none" in e["message"], e
    assert door.step(swap, "start", force=True, why="x", baseline="none")["state"] == "trial"
    with sqlite3.connect(door.h.state / "hob.db") as db:
        db.execute("ALTER TABLE hidden RENAME TO ways")
    seen = door.show(swap)
    assert seen["guards"] == [] and seen["baselines"][0]["source"] == "none"
    assert "nothing is watched" in cli("swap", "status", str(swap), "-c", door.h.config_path, env=door.h.env).stdout
    door.fakes["new"].default("[[status 500]]")
    ask(door, 80)
    assert door.show(swap)["state"] == "trial"
    assert door.step(door.plan([("code", "new")]), "start", 400, force=True, why="x", baseline="yesterday")["error"]["param"] == "baseline"
