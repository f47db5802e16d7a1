"""hob stats, hob advise: figures of a window are those of the requests that were sent; two windows that are not alike are said to be so."""

import json
import os
import signal
import sqlite3

import pytest
import raw
from helpers import FAKE, cli, wait_for

HOUR_MS = 3600 * 1000


def stats(h, *args, code=0, word="stats"):
    r = cli(word, "-c", h.config_path, "--json", *args, env=h.env)
    assert r.returncode == code, r
    return json.loads(r.stdout) if not code else r.stderr


def words(h, *args, code=0, word="stats"):
    r = cli(word, "-c", h.config_path, *args, env=h.env)
    assert r.returncode == code, r
    return r.stdout


def rows(h):
    r = cli("logs", "-c", h.config_path, "--json", "-n", "all", env=h.env)
    return [json.loads(line) for line in r.stdout.splitlines()]


def quantile(values, q):
    """The smallest that has the share q of all at or below it."""
    values = sorted(values)
    return values[max(1, -(-int(q * 1000) * len(values) // 1000)) - 1]


def near(have, values, q):
    want = quantile(values, q)
    assert abs(have - want) <= 0.11 + 0.005 * want, (have, want)    # both are rounded to a tenth


def move(h, ids, hours):
    """These rows came so long ago. The daemon has been stopped."""
    db = sqlite3.connect(h.state / "hob.db")
    for n, (at,) in enumerate(db.execute("SELECT at FROM requests ORDER BY at").fetchall()):
        if n in ids:
            db.execute("UPDATE requests SET at = at - ? * 1024, came_ms = came_ms - ? WHERE at = ?", (hours * HOUR_MS, hours * HOUR_MS, at))
    db.commit()
    db.close()


@pytest.fixture
def served(nursery):
    fakes = [nursery.fake() for _ in range(2)]
    return fakes, nursery.hob({"hosts": {n: {"url": f.url} for n, f in zip(("one", "two"), fakes)},
                               "models": {"a": {"host": "one"}, "b": {"host": "two"}},
                               "roles": {"chat": {"model": "a", "fallback": ["b"]}, "code": {"model": "b"}}, "retry": {"attempts": 1}})


def test_the_figures_are_those_of_the_requests(served):
    (one, two), h = served
    for n in range(12):
        assert h.chat("chat", f"say [[words {4 + n}]]").status == 200
    for _ in range(6):
        assert h.chat("code", "say [[words 20]]", stream=True).status == 200
    one.default("[[status 500]]")
    assert h.chat("chat", "say [[words 9]]").status == 200     # b answers for a
    two.default("[[status 500]]")
    assert h.chat("code", "hello").status == 502
    assert h.post("/v1/chat/completions", b'{"model": "chat", "messages": [{"role": "user", "content": "x"}], "temperature": "hot"}').status == 400
    seen, s = rows(h), stats(h, "--window", "2h", "--by", "model")
    t = s["total"]
    assert s["kind"] == "long-run averages" and s["window"]["hours"] == 2 and s["window"]["rows_since"] is None and s["before_rows"] is None
    assert t["requests"] == len(seen) == 21 and t["per_hour"] == 10.5
    assert t["errors"] == {"all": 2, "share": 0.0952, "caller": 1, "gateway": 0, "backend": 1, "model": 0, "harness": 0}
    assert t["fallbacks"] == {"requests": 1, "share": 0.0476} and t["status_429"] == 0
    told = [r for r in seen if r["tokens"]["output"] is not None]
    assert t["tokens"]["requests"] == len(told)
    for kind in ("input", "output", "cached"):
        assert t["tokens"][kind] == sum(r["tokens"][kind] or 0 for r in told)
    first = [r["ttft_ms"] for r in seen if r["ttft_ms"] is not None]
    whole = [r["total_ms"] for r in seen if r["fault"] is None]
    assert (t["ttft_ms"]["requests"], t["total_ms"]["requests"]) == (len(first), len(whole))
    for q, name in ((0.5, "p50"), (0.95, "p95")):
        near(t["ttft_ms"][name], first, q)
        near(t["total_ms"][name], whole, q)
    assert {g["name"]: g["requests"] for g in s["groups"]} == {"a": 12, "b": 8, None: 1}
    assert {g["name"]: g["requests"] for g in stats(h, "--by", "role")["groups"]}["code"] == 7
    assert stats(h, "--role", "code")["total"]["requests"] == 7
    assert stats(h, "--model", "a", "--since", "1h")["total"]["requests"] == 12
    assert stats(h, "--window", "2d..1d")["total"]["requests"] == 0
    # what hob measures itself is no average
    for mark in ("eval-1-2", "bench-a"):
        assert h.chat("chat", "hello", headers=[("x-client-request-id", mark)]).status in (200, 502)
    now = stats(h, "--window", "2h", "--by", "model")
    assert (now["total"]["requests"], now["left_out"], s["left_out"]) == (21, 2, 0)
    assert "2 requests of `hob eval` and `hob bench` are left out" in words(h)
    s = now
    # as the daemon says it
    c = raw.call(str(h.state / "hob.sock"), "GET", "/hob/v1/stats?window=2h&by=model")
    assert c.status == 200 and {k: v for k, v in c.json().items() if k != "window"} == {k: v for k, v in s.items() if k != "window"}
    said = words(h, "--by", "caller")
    assert "2 of 21 (9.5 %): caller 1, backend 1" in said and "not to be held against figures of `hob bench`" in said and "24 h, " in said


def test_two_windows(served):
    _, h = served
    for _ in range(31):
        assert h.chat("chat", "say [[words 5]]").status == 200
    for _ in range(40):
        assert h.chat("chat", "say [[words 5]]").status == 200
    h.stop()
    move(h, range(31), 26)
    s = stats(h, "--window", "24h", "--before")
    assert (s["total"]["requests"], s["against"]["total"]["requests"]) == (40, 31)
    assert s["alike"] is True and s["unlike"] == []
    assert "alike in length" in words(h, "--before")
    s = stats(h, "--window", "24h", "--against", "25h..28h")
    assert {u["what"] for u in s["unlike"]} == {"length", "load"} and s["alike"] is False
    assert "WARNING: these windows are not alike" in words(h, "--against", "25h..28h")
    s = stats(h, "--window", "24h", "--against", "10d..9d")
    assert {"few", "age", "load"} <= {u["what"] for u in s["unlike"]}


def test_rows_that_have_gone(served):
    """What outlives them is said, and that there are no rows."""
    _, h = served
    for _ in range(5):
        assert h.chat("chat", "say [[words 5]]").status == 200
    h.stop()
    move(h, range(3), 26)
    db = sqlite3.connect(h.state / "hob.db")
    way, came = db.execute("SELECT way, came_ms FROM requests ORDER BY at LIMIT 1").fetchone()
    db.execute("INSERT INTO request_sums VALUES (?, ?, 7, 1, 70, 700, 0, 0, 0, 0, 0, 2, ?)", (came // HOUR_MS * 3600 - 5 * 3600, way, came - 5 * HOUR_MS))
    db.commit()
    db.close()
    s = stats(h, "--window", "3d", "--role", "chat")
    assert s["total"]["requests"] == 5 and s["window"]["rows_since"]
    old = s["before_rows"]
    assert (old["requests"], old["errors"], old["input_tokens"], old["output_tokens"], old["fallbacks"]) == (7, 1, 70, 700, 2)
    assert "7 requests, 1 of them failed" in words(h, "--window", "3d")
    assert stats(h, "--window", "24h")["window"]["rows_since"] is None


def test_what_cannot_be_wished_for(served):
    _, h = served
    for args in (["--window", "soon"], ["--window", "3h..3h"], ["--by", "weather"], ["--before", "--against", "2d..1d"], ["--role", "cat"], ["--model", "dog"], ["--since", "2h", "--window", "3h"]):
        assert stats(h, *args, code=2).startswith("hob: ")
    assert raw.call(str(h.state / "hob.sock"), "GET", "/hob/v1/stats?colour=red").status == 400


# ---- what models in memory were good for ----

def of(s, model):
    return next(m for m in s["models"] if m["model"] == model)


@pytest.fixture
def kept(nursery):
    """Two models of ours: one that is kept, unused after a millisecond already; one on demand."""
    models = {**nursery.model("pinned", idle="1ms"), **nursery.model("seldom", keep="demand")}
    return nursery.hob({"engines": {"llama": {"path": str(FAKE)}}, "models": models, "roles": {"chat": {"model": "pinned"}, "task": {"model": "seldom"}}}, wait="ready")


def test_what_memory_was_good_for(kept):
    h = kept
    for n in range(4):
        assert h.chat("chat" if n else "pinned", "say [[words 4]]").status == 200
    assert h.chat("task", "say [[words 4]]").status == 200
    for model in ("seldom", "pinned"):  # unloaded: counted to the end
        assert raw.call(str(h.state / "hob.sock"), "POST", "/hob/v1/models/unload", json.dumps({"model": model}).encode()).status == 200
    wait_for("both are counted", lambda: all(m["hot_s"] > 0 for m in stats(h, "--residency")["models"]))
    s = stats(h, "--residency")
    m = of(s, "pinned")
    assert (m["keep"], m["loads"], m["requests"], m["waited_for_load"]) == ("hot", 1, 4, 0)
    assert 0 <= m["loads_saved"] <= 3                           # by how much of a millisecond was between them; the first is the first that is known
    assert {r["role"]: r["requests"] for r in m["roles"]} == {"chat": 3, None: 1}
    assert m["gib_hours"] == pytest.approx(m["byte_seconds"] / 2**30 / 3600, abs=1e-4) and m["byte_seconds"] > 0
    assert m["requests_per_hot_hour"] == pytest.approx(4 * 3600 / m["hot_s"], rel=0.01)
    assert m["advice"]["keep"] is None and "after 24" in m["advice"]["why"]
    m = of(s, "seldom")
    assert (m["keep"], m["loads"], m["requests"], m["waited_for_load"], m["loads_saved"]) == ("demand", 1, 1, 1, 0)
    assert m["waited_ms"] > 0 and m["roles"][0]["waited_ms"] == m["waited_ms"]
    assert [x["model"] for x in stats(h, "--residency", "--role", "task")["models"]] == ["seldom"]
    assert "PER HOT HOUR" in words(h, "--residency") and "cannot tell" in words(h, "--residency", "--model", "seldom")
    told = raw.call(str(h.state / "hob.sock"), "GET", "/hob/v1/stats/residency?window=2d").json()["models"]
    assert [{**x, "advice": None} for x in told] == [{**x, "advice": None} for x in s["models"]]    # hours pass meanwhile
    assert stats(h, "--model", "seldom")["model_loads"]["loads"] == 1
    h.stop()
    # ten days later: the one is asked for each ten minutes of eight hours a day, the other was never again
    db = sqlite3.connect(h.state / "hob.db")
    day = 86400
    now = db.execute("SELECT max(hour_s) FROM model_hours").fetchone()[0]
    at, way = db.execute("SELECT at, way FROM requests ORDER BY at DESC LIMIT 1").fetchone()
    way = db.execute("SELECT way FROM ways WHERE model = 'pinned' AND role = 'chat'").fetchone()[0]
    db.execute("DELETE FROM requests")
    db.execute("DELETE FROM model_hours")
    for n in range(10 * 24):
        db.execute("INSERT INTO model_hours VALUES ('pinned', ?, 3600000, ?, 0, 0)", (now - 10 * day + n * 3600, 2**28 * 3600))
    db.execute("INSERT INTO model_hours VALUES ('pinned', ?, 0, 0, 1, 4000) ON CONFLICT DO UPDATE SET loads = 1, load_ms = 4000", (now - 10 * day,))
    for d in range(10):
        for n in range(8 * 6):
            came = (now - 10 * day + d * day + n * 600) * 1000
            db.execute("INSERT INTO requests (at, came_ms, way, id, status, fault, flags, total_us, load_us) VALUES (?, ?, ?, x'00', 200, 0, 0, 1000, 0)", (came * 1024, came, way))
    db.commit()
    db.close()
    s = stats(h, "--residency", "--window", "11d")
    m = of(s, "pinned")
    assert (m["requests"], m["loads_saved"], m["loads"]) == (480, 479, 1) and m["gib_hours"] == pytest.approx(60, rel=0.01)
    assert m["advice"]["keep"] == "hot" and "loads of 4.0 s a day" in m["advice"]["why"]
    assert of(s, "seldom")["advice"]["keep"] == "never"
    assert stats(h, "--residency", "--before", code=2)


def test_hours_go_on_over_a_kill(kept):
    """Another gateway finds its models loaded: that is no load, and what it counts is added."""
    h = kept
    wait_for("its load is on record", lambda: of(stats(h, "--residency"), "pinned")["loads"] == 1)  # what is told nobody is not on the disk at once
    old = h.gateway()
    os.kill(old.pid, signal.SIGKILL)
    wait_for("another gateway", lambda: not old.alive() and h.gateway().pid != old.pid)
    wait_for("it has taken the model over", lambda: raw.call(str(h.state / "hob.sock"), "GET", "/hob/v1/ps").json()["backends"][0]["state"] == "hot")
    wait_for("and knows what it takes", lambda: raw.call(str(h.state / "hob.sock"), "GET", "/hob/v1/ps").json()["backends"][0]["memory"]["measured_bytes"])
    h.stop()
    m = of(stats(h, "--residency"), "pinned")
    assert m["loads"] == 1 and m["hot_s"] > 0 and m["byte_seconds"] > 0


# ---- local, cloud, hybrid ----

PRIVATE = 2


@pytest.fixture
def role(nursery):
    near, far = nursery.fake(), nursery.fake()
    h = nursery.hob({"hosts": {"here": {"url": near.url}, "cloud": {"url": far.url, "local": False, "price": {"input": 2, "output": 10}}},
                     "models": {"small": {"host": "here"}, "big": {"host": "cloud"}, "alone": {"host": "here"}},
                     "roles": {"chat": {"model": "small", "fallback": ["big"]}, "task": {"model": "alone"}}})
    for r in ("chat", "task"):
        assert h.chat(r, "say [[words 4]]").status == 200
    return h


def fill(h, role, a_day, days=3, private=0, fault=0, tokens=(100, 50)):
    """Rows of so many days: so many requests a day, each of so many tokens. The daemon may serve meanwhile."""
    db = sqlite3.connect(h.state / "hob.db", timeout=20)
    db.execute("DELETE FROM requests")
    way, = db.execute("SELECT way FROM ways WHERE role = ?", (role,)).fetchone()
    now = db.execute("SELECT cast(strftime('%s', 'now') AS INTEGER) * 1000").fetchone()[0]
    step, n = 86400_000 // a_day, int(a_day * days)
    for i in range(n):
        came = now - (n - i) * step
        db.execute("INSERT INTO requests (at, came_ms, way, id, status, fault, flags, input, output, queue_us, load_us, ttft_us, total_us) VALUES "
                   "(?, ?, ?, x'00', 200, ?, ?, ?, ?, 0, 0, 1000, 2000)",
                   (came * 1024, came, way, 3 if i < n * fault else 0, PRIVATE if i < n * private else 0, *tokens))
    db.commit()
    db.close()


def judge(h, small, big, cases=60, suite="s"):
    """A run of a suite in which the one passed so many cases and the other so many."""
    def ask(path, body):
        got = raw.call(str(h.state / "hob.sock"), "POST", "/hob/v1/" + path, json.dumps(body).encode())
        assert got.status == 200, got
        return got.json()
    about = {"models": ["small", "big"], "margin": 0.05}
    run = ask("evals", {"suite": suite, "about": about})["run"]
    results = [{"place": p, "item": f"c{i}", "turn": 1, "passed": i < right, "score": int(i < right), "fault": "" if i < right else "model", "about": {"print": "00000000000000ff"}}
               for p, right in (("small", small), ("big", big)) for i in range(cases)]
    ask("evals/results", {"run": run, "state": "done", "about": about, "results": results})
    return run


def advise(h, role="chat"):
    return stats(h, role, word="advise")


def test_where_a_role_is_better_answered(role):
    h = role
    a = advise(h)                                               # nothing is known yet
    assert a["volume"]["requests_per_day"] is None and a["price"]["month"] is None and a["price"]["input"] == 2
    assert (a["advice"]["place"], a["advice"]["rule"]) == (None, "too_few_rows") and a["suite"] is None
    assert "a day and 30 requests of it" in [m["what"] for m in a["missing"]]
    fill(h, "chat", 50)                                         # little of it
    a = advise(h)
    assert (a["advice"]["place"], a["advice"]["rule"]) == ("local", "low_volume") and "stay simple" in a["advice"]["why"]
    assert (a["local"]["models"], a["cloud"]["models"], a["volume"]["requests"]) == (["small"], ["big"], 150)
    fill(h, "chat", 800, private=0.1)                           # much of it: nobody knows which is better
    a = advise(h)
    assert (a["advice"]["place"], a["advice"]["rule"]) == (None, "not_judged")
    assert "`hob eval run SUITE --models big,small`" in [m["how"] for m in a["missing"]]
    assert a["volume"]["requests_per_day"] == pytest.approx(800, rel=0.01) and a["volume"]["tokens_per_day"] == pytest.approx(800 * 150, rel=0.01)
    assert a["volume"]["peak_hour_requests"] in (33, 34) and a["volume"]["private_share"] == 0.1
    assert a["price"]["month"] == pytest.approx(800 * 30 * (100 * 2 + 50 * 10) / 1e6, rel=0.01) and a["price"]["electricity"] is None
    run = judge(h, 30, 55)                                      # the local one is worse, and some are private
    a = advise(h)
    assert (a["advice"]["place"], a["advice"]["rule"], a["suite"]["run"], a["suite"]["verdict"]) == ("hybrid", "worse_and_private", run, "worse")
    fill(h, "chat", 800)
    assert advise(h)["advice"]["place"] == "cloud"
    judge(h, 60, 60, cases=200)
    judge(h, 55, 55)                                            # the newest counts
    a = advise(h)
    assert (a["advice"]["rule"], a["suite"]["local_rate"]) == ("good_enough" if a["suite"]["verdict"] == "not worse" else "cannot_tell", pytest.approx(55 / 60, abs=1e-3))
    fill(h, "chat", 800, private=0.6)
    assert advise(h)["advice"]["rule"] == "private"
    fill(h, "task", 800, fault=0.05)                            # a place of its own alone, that fails
    a = advise(h, "task")
    assert (a["advice"]["place"], a["advice"]["rule"], a["cloud"]["models"]) == ("hybrid", "strained_alone", []) and a["local"]["errors_share"] == 0.05
    said = words(h, "task", word="advise")
    assert said.startswith("task: hybrid\n") and "would change it" in said and "electricity       unknown" in said and "not known:" in said
    c = raw.call(str(h.state / "hob.sock"), "GET", "/hob/v1/advise?role=task")
    assert c.status == 200 and c.json()["advice"] == a["advice"]


def test_what_cannot_be_advised_on(role):
    h = role
    assert "did you mean 'chat'" in stats(h, "chatt", word="advise", code=2)
    assert "which role" in stats(h, word="advise", code=2)
    assert raw.call(str(h.state / "hob.sock"), "GET", "/hob/v1/advise").status == 400
