"""hob stats: figures of a window are those of the requests that were sent; two windows that are not alike are said to be so."""

import json
import sqlite3

import pytest
import raw
from helpers import cli

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
    assert values and have == pytest.approx(quantile(values, q), rel=0.006, abs=0.06)


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
    for args in (["--window", "soon"], ["--window", "3h..3h"], ["--by", "weather"], ["--before", "--against", "2d..1d"], ["--since", "2h", "--window", "3h"]):
        assert stats(h, *args, code=2).startswith("hob: ")
    assert raw.call(str(h.state / "hob.sock"), "GET", "/hob/v1/stats?colour=red").status == 400
