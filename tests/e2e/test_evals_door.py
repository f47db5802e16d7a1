"""Runs of suites at the admin door: what is put there is there, also after a kill -9, and what is no result is refused."""

import json
import os
import signal

import pytest
import raw
from helpers import wait_for


@pytest.fixture
def h(nursery):
    return nursery.hob({"models": nursery.model()})


def ask(h, how, path, body=None):
    return raw.call(str(h.state / "hob.sock"), how, "/hob/v1/" + path, json.dumps(body).encode() if body is not None else b"", timeout=20)


def begin(h, suite="s"):
    got = ask(h, "POST", "evals", {"suite": suite, "about": {"models": ["m"]}})
    assert got.status == 200, got
    return got.json()["run"]


def result(item, turn=1, **more):
    return {"place": "m", "item": item, "turn": turn, "passed": True, "score": 1, "fault": "", "about": {"text": "it says \"a\"\n"}, **more}


def test_what_is_put_is_there(h):
    first, second = begin(h), begin(h, "other")
    assert ask(h, "POST", "evals/results", {"run": first, "results": [result("c1"), result("c2", passed=None, score=0, fault="gateway")]}).status == 200
    assert ask(h, "POST", "evals/results", {"run": first, "results": [result("c2", passed=False, score=0.25, fault="model")]}).status == 200
    old = h.gateway()
    os.kill(old.pid, signal.SIGKILL)
    wait_for("another gateway", lambda: not old.alive() and h.gateway().pid != old.pid)
    assert ask(h, "POST", "evals/results", {"run": first, "state": "done", "about": {"models": ["m"], "pass": 1}, "results": []}).status == 200
    got = ask(h, "GET", f"evals/show?run={first}").json()
    assert (got["schema"], got["run"], got["suite"], got["state"]) == (1, first, "s", "done") and got["ended"] and got["about"]["pass"] == 1, got
    assert [(r["item"], r["passed"], r["score"], r["fault"]) for r in got["results"]] == [("c1", True, 1, None), ("c2", False, 0.25, "model")]
    assert got["results"][0]["about"] == {"text": "it says \"a\"\n"}
    assert [(r["run"], r["state"]) for r in ask(h, "GET", "evals").json()["runs"]] == [(second, "running"), (first, "done")]


def test_what_is_none_is_refused(h):
    run = begin(h)
    cases = [("evals", {"about": {}}, 400), ("evals", {"suite": "", "about": {}}, 400), ("evals", {"suite": "s"}, 400), ("evals/results", {"run": 99, "results": [result("c")]}, 404),
             ("evals/results", {"run": "1", "results": []}, 400), ("evals/results", {"run": run}, 400), ("evals/results", {"run": run, "results": [result("")]}, 400),
             ("evals/results", {"run": run, "results": [result("c", turn=0)]}, 400), ("evals/results", {"run": run, "results": [result("c", about=1)]}, 400),
             ("evals/results", {"run": run, "state": "done"}, 400), ("evals/results", {"run": run, "results": [result(f"c{i}") for i in range(1001)]}, 400), ("evals", [], 400)]
    for path, body, status in cases:
        got = ask(h, "POST", path, body)
        assert got.status == status and got.error()["message"], (path, body, got)
    assert ask(h, "GET", "evals/show?run=99").status == 404 and ask(h, "GET", "evals/show").status == 400 and ask(h, "GET", "evals?n=x").status == 400
    assert ask(h, "GET", f"evals/show?run={run}").json()["results"] == []
