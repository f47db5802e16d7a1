"""A row for each request, written before its last bytes leave; hob logs, hob gain; a store that fails."""

import json
import os
import pathlib
import resource
import signal
import sqlite3
import subprocess

import pytest
import raw
from helpers import HOB, SLOW, cli, free_port, wait_for

SECRET = "my grandmother's maiden name is Quetzalcoatlus"


@pytest.fixture
def up(nursery):
    return nursery.fake()


@pytest.fixture
def served(up, hob):
    def go(config=None, **hosts):
        down = f"http://127.0.0.1:{free_port()}"
        return hob({"hosts": {"up": {"url": up.url, **hosts}, "down": {"url": down}},
                    "models": {"m": {"host": "up", "aliases": ["old"], "serves": ["chat", "embed", "rerank"]}, "lost": {"host": "down"}},
                    "roles": {"chat": {"model": "lost", "fallback": ["m"]}}, **(config or {})})
    return go


def logs(h, *args, code=0):
    r = cli("logs", "-c", h.config_path, "--json", *args, env=h.env)
    assert r.returncode == code, r
    return [json.loads(line) for line in r.stdout.splitlines()]


def words(h, *args, code=0):
    r = cli(*args, "-c", h.config_path, env=h.env)
    assert r.returncode == code, r
    return r.stdout


def admin(h, path):
    c = raw.call(str(h.state / "hob.sock"), "GET", path)
    return c.status, c.json()


def test_what_is_in_a_row(served):
    h = served()
    answer = h.chat("chat", SECRET, headers=[("x-client-request-id", "mine-7"), ("x-hob-class", "chat")])
    assert answer.status == 200
    row, = logs(h)
    routing = answer.json()["_routing"]
    want = {"schema": 1, "id": answer.get("x-request-id"), "client_id": "mine-7", "caller": None, "class": "chat", "endpoint": "chat", "role": "chat",
            "tier": None, "asked": "chat", "model": "m", "host": "up", "remote": False, "reason": routing["reason"], "status": 200, "fault": None,
            "code": "ok", "tokens": routing["tokens"] | {"reasoning": row["tokens"]["reasoning"]}, "load_ms": 0,
            "chain": [{"model": "lost", "host": "down", "error": "backend_failed", "away": True}], "fell_back": True, "finish": "stop", "others": 0, "stream": False, "private": False, "cost": None}
    assert {k: row[k] for k in want} == want
    assert "Connection refused" in row["evidence"]  # why it fell back
    assert 0 < row["ttft_ms"] <= row["total_ms"] and row["bytes_in"] > 0 and row["bytes_out"] == len(answer.body)
    assert row["time"].endswith("Z")


def test_every_kind_of_request_has_one(served):
    h = served()
    assert h.chat("m", "hello").status == 200
    with h.open_chat("m", "hello", stream=True) as c:
        sent = sum(len(e) for e in c.stream(c.start()))
    assert h.post("/v1/completions", json.dumps({"model": "m", "prompt": "hello"})).status == 200
    assert h.post("/v1/embeddings", json.dumps({"model": "m", "input": ["a", "b"]})).status == 200
    assert h.post("/v1/rerank", json.dumps({"model": "m", "query": "a", "documents": ["b"]})).status == 200
    assert h.get("/v1/models").status == 200
    rows = logs(h)
    assert [(r["endpoint"], r["stream"], r["status"]) for r in rows] == [
        ("chat", False, 200), ("chat", True, 200), ("completions", False, 200), ("embeddings", False, 200), ("rerank", False, 200)]
    assert sent and rows[1]["bytes_out"] > 0
    assert rows[3]["tokens"]["output"] in (0, None) and rows[3]["tokens"]["input"] > 0


def test_refusals_and_failures_have_one(served, up):
    h = served({"limits": {"body": "64KiB"}})
    cases = [
        (lambda: h.post("/v1/chat/completions", '{"model": "m", "messages": [{"role": "' + SECRET), 400, "caller", "invalid_json", None),
        (lambda: h.chat("nobody-knows-this", SECRET), 404, "caller", "model_not_found", "nobody-knows-this"),
        (lambda: h.post("/v1/chat/completions", "x" * 100000), 413, "caller", "body_too_large", None),
        (lambda: h.chat("lost", SECRET), 502, "backend", "backend_failed", "lost"),
        (lambda: h.chat("m", SECRET + " [[error 400]]"), 400, "caller", None, "m"),
        (lambda: h.chat("m", SECRET + " [[garbage_after 1]]"), 502, "backend", "backend_failed", "m"),
    ]
    for ask, status, fault, code, asked in cases:
        answer = ask()
        assert answer.status == status
        row = logs(h, "-n", "1")[0]
        assert row["bytes_out"] == len(answer.body) > 0
        assert (row["status"], row["fault"], row["asked"]) == (status, fault, asked), row
        assert (code is None or row["code"] == code) and row["evidence"], row
    h.chat("m", "well")
    assert len(logs(h)) == len(cases) + 1
    assert [r["status"] for r in logs(h, "--faults")] == [c[1] for c in cases]
    assert [r["status"] for r in logs(h, "--faults", "-n", "2")] == [400, 502]


def test_a_caller_who_left_has_one_with_what_was_seen(served, up):
    h = served()
    with h.open_chat("m", "[[words 100000]] [[gap_ms 20]]", stream=True) as c:
        s = c.stream(c.start())
        for _ in range(3):
            next(s)
    up.wait("it is cancelled", lambda log: log.cancelled == 1)
    row = wait_for("its row", lambda: logs(h))[0]
    assert (row["status"], row["fault"], row["code"], row["model"], row["stream"]) == (499, "caller", "caller_gone", "m", True)
    assert row["ttft_ms"] > 0 and row["bytes_out"] > 0


def test_no_word_of_a_prompt_is_kept(served):
    h = served()
    for text in (SECRET, SECRET + " [[echo]]", SECRET + " [[error 400]]", SECRET + " [[error 500]]", SECRET + " [[garbage_after 1]]"):
        h.chat("m", text)
        h.chat("chat", text, stream=True)
    h.post("/v1/chat/completions", '{"model": "m", "messages": "' + SECRET + '" nonsense')
    h.post("/v1/chat/completions", '{"model": "m", "messages": ' + SECRET)
    metrics = h.get("/metrics").body
    assert len(logs(h)) == 12
    h.stop()
    for path in h.state.glob("hob.db*"):
        assert b"Quetzal" not in path.read_bytes(), path
    assert "Quetzal" not in h.stderr() and b"Quetzal" not in metrics


@pytest.mark.parametrize("stream", [False, True])
def test_whoever_has_the_answer_finds_the_row(served, stream):
    """The gateway is killed at the moment the last bytes have come."""
    h = served()
    ids = []
    for _ in range(20):
        gateway = h.gateway()
        with h.open_chat("m", "hello", stream=stream) as c:
            head = c.start()
            ids.append(head.get("x-request-id"))
            last = list(c.stream(head))[-1] if stream else c.body(head)
            os.kill(gateway.pid, signal.SIGKILL)
        assert last
        wait_for("the next gateway", lambda: gateway.pid != (g := h.gateway()).pid and g)
        wait_for("it answers", lambda: answers(h))
    assert [r["id"] for r in logs(h, "-n", "all")] == ids


def answers(h):
    try:
        return h.get("/livez").status == 200
    except OSError:
        return False


def test_lazy_rows_come_too(served):
    h = served({"durability": "lazy"})
    for _ in range(5):
        assert h.chat("m", "hello").status == 200
    wait_for("all rows", lambda: len(logs(h)) == 5)
    h.chat("m", "one more")
    h.stop()  # what was handed in is written
    assert len(logs(h)) == 6


def test_a_store_that_fails_stops_no_answer(served):
    h = served()
    assert h.chat("m", "hello").status == 200
    pid = h.gateway().pid
    size = (h.state / "hob.db-wal").stat().st_size
    soft, hard = resource.prlimit(pid, resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))
    try:
        for _ in range(3):
            assert h.chat("m", "hello").status == 200
        with h.open_chat("m", "hello", stream=True) as c:
            assert list(c.stream(c.start()))
        assert b"hob_rows_held 4" in h.get("/metrics").body
    finally:
        resource.prlimit(pid, resource.RLIMIT_FSIZE, (soft, hard))
    assert "hob.db is written to again" not in h.stderr()
    assert h.chat("m", "hello").status == 200
    wait_for("it says that it is over", lambda: "hob.db is written to again" in h.stderr())
    assert len(logs(h)) == 6


def test_a_store_that_hangs_stops_an_answer_for_a_while_only(served):
    h = served()
    assert h.chat("m", "hello").status == 200
    with sqlite3.connect(h.state / "hob.db", isolation_level=None) as db:
        db.execute("BEGIN IMMEDIATE")
        assert h.chat("m", "hello", timeout=20 * SLOW).status == 200
        assert b"hob_rows_late_total 1" in h.get("/metrics").body
        db.execute("ROLLBACK")
    wait_for("the row comes behind it", lambda: len(logs(h)) == 2)


# -- the commands


def test_the_table_and_the_story(served):
    h = served()
    r = cli("logs", "-c", h.config_path, env=h.env)
    assert (r.returncode, r.stdout, r.stderr) == (0, "", "hob: no request is written down yet\n")
    h.chat("m", "hello", headers=[("traceparent", "00-aa-bb-01")])
    h.chat("lost", "hello")
    lines = words(h, "logs").splitlines()
    assert lines[0].split() == ["TIME", "ID", "CALLER", "ASKED", "MODEL", "HOST", "STATUS", "TOKENS", "FIRST", "TOTAL", "FAULT"]
    assert len(lines) == 3 and "backend: backend_failed" in lines[2]
    good, bad = logs(h)
    story = words(h, "logs", good["id"])
    assert story.startswith(good["id"]) and "'m' by class program" in story and "m on up" in story and "00-aa-bb-01" in story and "tokens" in story
    assert words(h, "logs", "00-aa-bb-01") == story
    story = words(h, "logs", bad["id"])
    assert "lost on down: backend_failed" in story and "blame" in story and bad["evidence"] in story and "hob ps" in story
    assert logs(h, bad["id"]) == [bad]
    assert words(h, "logs", "req_00", code=1) == ""
    assert [r["asked"] for r in logs(h, "--requests", "--model", "m")] == ["m"]
    assert [r["asked"] for r in logs(h, "--model", "lost", "--faults")] == ["lost"]
    assert words(h, "logs", "--since", "yesterday", code=2) == ""
    assert len(logs(h, "--since", "1h")) == 2 and logs(h, "--since", "2099-01-01") == []
    h.stop()
    assert logs(h) == [good, bad]


def test_the_admin_door_says_the_same(served):
    h = served()
    for model in ("m", "old", "lost"):
        h.chat(model, "hello")
    assert admin(h, "/hob/v1/logs") == (200, {"schema": 1, "rows": logs(h)})
    assert admin(h, "/hob/v1/logs?n=1&faults=1")[1]["rows"] == logs(h, "--faults")
    assert len(admin(h, "/hob/v1/logs?model=old&since=1h")[1]["rows"]) == 1
    for query in ("n=0", "n=x", "since=now", "colour=red"):
        assert admin(h, "/hob/v1/logs?" + query)[0] == 400
    gain = admin(h, "/hob/v1/gain?since=1h")[1]
    told = json.loads(words(h, "gain", "--since", "1h", "--json"))
    assert {**gain, "until": None} == {**told, "until": None}


def test_following(served):
    h = served()
    h.chat("m", "before")
    out = h.dir / "followed"
    p = subprocess.Popen([HOB, "logs", "-c", h.config_path, "--json", "-f"], env=h.env, stdin=subprocess.DEVNULL, stdout=open(out, "wb"))
    try:
        wait_for("what was before", lambda: len(out.read_text().splitlines()) == 1)
        h.chat("m", "after")
        h.chat("nobody", "after")
        wait_for("what came after", lambda: len(out.read_text().splitlines()) == 3)
    finally:
        p.kill()
        p.wait()
    assert [json.loads(line)["status"] for line in out.read_text().splitlines()] == [200, 200, 404]


def test_gain(up, hob):
    h = hob({"hosts": {"here": {"url": up.url}, "there": {"url": up.url, "local": False, "price": {"input": 1.0, "output": 2.0}},
                       "far": {"url": up.url, "local": False}},
             "models": {"small": {"host": "here"}, "big": {"host": "there"}, "huge": {"host": "far"}}, "reference": {"input": 10, "output": 20}})
    used = {"small": [], "big": []}
    for model in ("small", "small", "small", "big"):
        used[model].append(h.chat(model, "hello").json()["usage"])
    gain = json.loads(words(h, "gain", "--json"))
    here_in, here_out = (sum(u[k] for u in used["small"]) for k in ("prompt_tokens", "completion_tokens"))
    there_in, there_out = (used["big"][0][k] for k in ("prompt_tokens", "completion_tokens"))
    assert (gain["local"]["input_tokens"], gain["local"]["output_tokens"]) == (here_in, here_out)
    assert (gain["remote"]["input_tokens"], gain["remote"]["output_tokens"]) == (there_in, there_out)
    assert gain["local_share"]["requests"] == 0.75
    paid = (there_in * 1 + there_out * 2) / 1e6
    assert gain["paid"] == {"cost": pytest.approx(paid, abs=1e-6), "unpriced_requests": 0}
    assert gain["saved"]["at_reference"] == pytest.approx((here_in * 10 + here_out * 20) / 1e6, abs=1e-6)
    assert gain["saved"]["at_paid_price"] == pytest.approx(paid / (there_in + there_out) * (here_in + here_out), abs=1e-6)
    h.chat("huge", "hello")
    gain = json.loads(words(h, "gain", "--json"))
    assert gain["paid"]["unpriced_requests"] == 1 and gain["saved"]["at_paid_price"] is None  # unknown is not nothing
    text = words(h, "gain")
    assert "75.0 %" not in text and "60.0 % of requests" in text and "whose price is unknown" in text and "reference price" in text


def test_sums_outlive_rows(served):
    h = served({"rows": {"keep": "1h"}})
    h.chat("m", "hello")
    h.stop()
    with sqlite3.connect(h.state / "hob.db") as db:  # as if it had been two days ago
        db.execute("UPDATE requests SET came_ms = came_ms - 172800000")
    again = served({"state": str(h.state), "rows": {"keep": "1h"}})
    again.chat("m", "hello")
    wait_for("the old row goes", lambda: len(logs(again)) == 1)
    gain = json.loads(words(again, "gain", "--since", "3d", "--json"))
    assert gain["requests"] == 2


@pytest.mark.parametrize("stream", [False, True])
def test_a_place_that_counts_madly_spoils_no_sum(served, up, stream):
    """Sums are whole numbers of 64 bits: two answers of the largest would be more than that, and no sum could be made any more, nor a row forgotten."""
    h = served()
    for n in (2**63 - 1, 2**63 - 1, 2**64 - 1, -5, 1e300, 2**62):
        usage = {"prompt_tokens": n, "completion_tokens": n, "total_tokens": n, "prompt_tokens_details": {"cached_tokens": n}, "completion_tokens_details": {"reasoning_tokens": n}}
        choice = {"index": 0, "message" if not stream else "delta": {"role": "assistant", "content": "x"}, "finish_reason": "stop"}
        body = json.dumps({"object": "chat.completion.chunk" if stream else "chat.completion", "choices": [choice], "usage": usage})
        body = f"data: {body}\n\ndata: [DONE]\n\n" if stream else body
        head = f"HTTP/1.1 200 OK\r\nContent-Type: {'text/event-stream' if stream else 'application/json'}\r\nContent-Length: {len(body)}\r\n\r\n"
        up.default(f"[[http {json.dumps(head + body)}]]")
        h.chat("m", "x", stream=stream)
    rows = wait_for("all are written", lambda: len(r := logs(h)) == 6 and r)
    assert all(row["tokens"][kind] is None or 0 <= row["tokens"][kind] <= 2**32 for row in rows for kind in ("input", "output", "cached")), rows
    gain = json.loads(words(h, "gain", "--json"))
    assert gain["requests"] == 6 and 2**30 <= gain["local"]["input_tokens"] < 2**40, gain
    assert json.loads(words(h, "stats", "--json"))["total"]["requests"] == 6
    if stream:
        return
    h.stop()
    with sqlite3.connect(h.state / "hob.db") as db:  # as an older hob has written it
        db.execute("UPDATE requests SET input = 9223372036854775807, output = 9223372036854775807, cached = 9223372036854775807, came_ms = came_ms - 172800000")
    again = served({"state": str(h.state), "rows": {"keep": "1h"}})
    again.chat("m", "hello")
    wait_for("the old rows go", lambda: len(logs(again)) == 1)
    assert json.loads(words(again, "gain", "--since", "3d", "--json"))["requests"] == 7


def test_it_is_fast_to_ask_beside_a_writer(served):
    """Reading holds up nobody: rows come in while all of them are looked through."""
    h = served()
    h.chat("m", "hello")
    with sqlite3.connect(f"file:{pathlib.Path(h.state / 'hob.db')}?mode=ro", uri=True) as db:
        cursor = db.execute("SELECT * FROM requests")
        cursor.fetchone()
        for _ in range(5):
            assert h.chat("m", "hello").status == 200
    assert len(logs(h)) == 6
