"""Suites put to models at the public door: what is the model's fault and what is not, and a run that is broken off goes on."""

import json
import os
import signal
import subprocess
import threading

import pytest
import raw
from helpers import FORGIVING, HOB, cli, wait_for

SUITE = {
    "suite": "small",
    "cases": [
        {"id": "right", "input": '[[text "{\\"a\\":1}"]]', "expect": [{"json": "$.a", "equals": 1}]},
        {"id": "wrong", "input": '[[text "five"]]', "expect": [{"equals": "six"}]},
        {"id": "none", "input": "[[status 500]]", "expect": [{"equals": "x"}]},
    ],
}


@pytest.fixture
def fakes(nursery):
    return {name: nursery.fake() for name in ("a", "b")}


@pytest.fixture
def h(nursery, fakes):
    hosts = {name: {"url": f.url} for name, f in fakes.items()}
    return nursery.hob({"hosts": hosts, "models": {"a": {"host": "a", "replicas": ["a2"]}, "a2": {"host": "b"}, "b": {"host": "b"}},
                        "roles": {"chat": {"model": "a", "fallback": ["b"]}}, "retry": {"attempts": 1}, **FORGIVING})


def run(h, suite, *args, **kw):
    path = h.dir / "suite.yaml"
    path.write_text(json.dumps(suite) if isinstance(suite, dict) else suite)
    return cli("eval", "run", path, "-c", h.config_path, *args, env=h.env, timeout=kw.pop("timeout", 60), **kw)


def report(h, *args, suite=SUITE):
    r = run(h, suite, "--json", *args)
    assert r.returncode == 0, r
    return json.loads(r.stdout)


def door(h, path):
    return raw.call(str(h.state / "hob.sock"), "GET", "/hob/v1/" + path, timeout=20).json()


def results(h, n):
    r = cli("eval", "show", str(n), "--json", "-c", h.config_path, env=h.env)
    assert r.returncode == 0, r
    return {(x["item"], x["place"], x["turn"]): x for x in json.loads(r.stdout)["results"]}


def test_whose_fault_it_is(h, fakes):
    got = report(h, "--models", "a@a,b")
    assert (got["schema"], got["suite"], got["state"]) == (1, "small", "done")
    for m in got["models"]:
        assert (m["pass"], m["total"], m["rate"]) == (1, 2, 0.5), m  # what a place fails of counts for nobody
        assert m["faults"] == {"gateway": 0, "backend": 1, "model": 1, "harness": 0}, m
    kept = results(h, got["run"])
    assert kept["right", "a@a", 1]["passed"] is True and kept["right", "a@a", 1]["about"]["model"] == "a"
    assert kept["wrong", "b", 1]["about"]["why"] == "expected 'six', got 'five'" and kept["wrong", "b", 1]["fault"] == "model"
    assert kept["none", "a@a", 1]["passed"] is None and kept["none", "a@a", 1]["fault"] == "backend" and kept["none", "a@a", 1]["about"]["tries"] > 1
    rows = [json.loads(line) for line in cli("logs", "--json", "-n", "all", "-c", h.config_path, env=h.env).stdout.splitlines()]
    assert all(r["asked"] in ("a", "b") for r in rows)


def test_an_answer_of_another_place_counts_for_nobody(h, fakes):
    """The host that was asked about is gone. A replica would answer, and it is the same model, but it is not the place that was asked about."""
    small = {**SUITE, "cases": SUITE["cases"][:2]}
    fakes["a"].stop()
    m = report(h, "--models", "a", suite=small)["models"][0]
    assert (m["pass"], m["total"]) == (1, 2), m
    got = report(h, "--models", "a@a,a@b", suite=small)
    gone, there = got["models"]
    assert (gone["total"], gone["faults"]["backend"]) == (0, 2), gone
    assert (there["model"], there["pass"], there["total"]) == ("a@b", 1, 2), there
    assert results(h, got["run"])["right", "a@b", 1]["about"]["model"] == "a2"


def test_a_fallback_counts_for_nobody(h, fakes):
    """Rules may lead a model's own name elsewhere."""
    config = json.loads(h.config_path.read_text())
    h.config_path.write_text(json.dumps({**config, "routes": [{"when": {"caller": "*"}, "to": "b"}, {"when": {"tokens": ">0"}, "to": "b"}]}))
    assert cli("config", "reload", "-c", h.config_path, env=h.env).returncode == 0
    got = report(h, "--models", "a", suite={**SUITE, "cases": SUITE["cases"][:1]})
    assert (got["models"][0]["total"], got["models"][0]["faults"]["gateway"]) == (0, 1), got
    assert results(h, got["run"])["right", "a", 1]["about"]["why"] == "b on b answered in its place"


def test_who_is_busy_is_asked_again(h, fakes):
    fakes["a"].default("[[status 429]]")
    def later():
        fakes["a"].chat(2)  # the warm-up, and the case once
        fakes["a"].default("")
    t = threading.Thread(target=later)
    t.start()
    got = report(h, "--models", "a@a", suite={**SUITE, "cases": SUITE["cases"][:1]})
    t.join()
    assert got["models"][0]["pass"] == 1, got


def test_times_and_repeats(h):
    got = report(h, "--models", "a,b", "--repeat", "3", "--interleave", "--concurrency", "2", suite={**SUITE, "cases": SUITE["cases"][:2]})
    assert [(m["pass"], m["total"]) for m in got["models"]] == [(3, 6), (3, 6)]
    assert set(results(h, got["run"])) == {(c, m, t) for c in ("right", "wrong") for m in "ab" for t in (1, 2, 3)}
    assert got["discriminates"] is False and [c["tells"] for c in got["cases"]] == ["all pass", "all fail"]


def test_a_gate_for_scripts(h):
    small = {**SUITE, "cases": SUITE["cases"][:2]}
    assert run(h, small, "--models", "a", "--at-least", "50").returncode == 0
    assert run(h, small, "--models", "a", "--at-least", "51").returncode == 4


def test_a_run_that_was_broken_off_goes_on(h):
    """Interrupted, it says how to go on; killed, too. What was answered is not asked again."""
    suite = {"suite": "slow", "cases": [{"id": f"c{i}", "input": "[[first_ms 100]] [[words 2]]", "expect": [{"max_words": 3}]} for i in range(100)]}
    path = h.dir / "suite.yaml"
    path.write_text(json.dumps(suite))
    for sig in (signal.SIGINT, signal.SIGKILL):
        path.write_text(json.dumps(suite))
        p = subprocess.Popen([HOB, "eval", "run", path, "--models", "b", "-c", h.config_path], env=h.env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        def kept():
            runs = door(h, "evals")["runs"]
            return runs and runs[0]["state"] == "running" and len(door(h, f"evals/show?run={runs[0]['run']}")["results"]) > 2 and runs[0]["run"]
        number = wait_for("some are answered", kept, 30)
        p.send_signal(sig)
        out, err = p.communicate(timeout=60)
        if sig == signal.SIGINT:
            assert p.returncode == 1 and f"--resume {number}" in err, err
        before = results(h, number)
        assert 2 < len(before) < 100
        got = report(h, "--models", "b", "--resume", str(number), "--concurrency", "8", suite=suite)
        assert (got["run"], got["models"][0]["pass"], got["models"][0]["total"]) == (number, 100, 100)
        after = results(h, number)
        assert len(after) == 100 and all(after[k] == v for k, v in before.items() if v["passed"] is not None)
        assert run(h, suite, "--models", "a", "--resume", str(number)).returncode == 2
        assert run(h, SUITE, "--models", "b", "--resume", str(number)).returncode == 2


def test_the_daemon_may_die_meanwhile(h):
    suite = {"suite": "slow", "cases": [{"id": f"c{i}", "input": "[[first_ms 100]] [[words 2]]", "expect": [{"max_words": 3}]} for i in range(30)]}
    path = h.dir / "suite.yaml"
    path.write_text(json.dumps(suite))
    p = subprocess.Popen([HOB, "eval", "run", path, "--models", "b", "--json", "-c", h.config_path], env=h.env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    wait_for("it has begun", lambda: len(door(h, "evals")["runs"]) == 1, 30)
    os.kill(h.gateway().pid, signal.SIGKILL)
    out, err = p.communicate(timeout=60)
    if p.returncode:  # its book could not be written at that moment: it says so, and goes on when told to
        assert "hob:" in err
        got = report(h, "--models", "b", "--resume", "1", suite=suite)
    else:
        got = json.loads(out)
    assert got["models"][0]["faults"]["model"] == 0 and got["models"][0]["pass"] == 30, got


@pytest.mark.parametrize("args,words", [
    (["--models", "nobody"], "no model 'nobody'"), (["--models", "b@a"], "not on 'a'"), ([], "--models"), (["--models", "a", "--repeat", "0"], "--repeat"), (["--models", "a,a"], "twice"),
    (["--models", "a", "--concurrency", "x"], "--concurrency"), (["--models", "a", "--resume", "x"], "--resume"), (["--models", "a", "--at-least", "101"], "--at-least"),
])
def test_wrong_use_is_told(h, args, words):
    r = run(h, SUITE, *args)
    assert r.returncode == 2 and words in r.stderr and r.stdout == "", r


@pytest.mark.parametrize("name, near", [("t-suit", "t-suite"), ("json-bench.yaml", "json-bench"), ("suites/chat_bench.yml", "chat-bench"), ("zzz", None), ("./nowhere.json", None)])
def test_neither_a_file_nor_built_in(h, name, near):
    for command in (("check", name), ("run", name, "--models", "one")):
        r = cli("eval", *command, "-c", h.config_path, env=h.env)
        assert r.returncode == 2 and f"no file '{name}', and no built-in suite of that name" in r.stderr and "built in are t-suite, " in r.stderr and "vlm-bench" in r.stderr, r
        assert (f"did you mean '{near}'?" if near else "") in r.stderr and ("did you mean" in r.stderr) == bool(near), r


def test_a_suite_that_is_none(h):
    r = run(h, '{"suite": "s", "cases": [{"id": "a", "inptu": "x"}]}', "--models", "a")
    assert r.returncode == 2 and "suite.yaml:1:" in r.stderr and "input" in r.stderr, r
    assert cli("eval", "run", h.dir / "nowhere.yaml", "--models", "a", "-c", h.config_path, env=h.env).returncode != 0
    assert "no number" in cli("eval", "show", "x", "-c", h.config_path, env=h.env).stderr
    assert "no run 99" in cli("eval", "show", "99", "-c", h.config_path, env=h.env).stderr
