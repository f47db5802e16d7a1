"""What a model was seen to need is kept, and the next estimate is that."""

import contextlib
import json
import os
import signal
import sqlite3

import pytest
from helpers import FAKE, FORGIVING, cli, gguf, wait_for


def rows(h):
    """What the store has, newest last; the daemon may be writing."""
    with contextlib.closing(sqlite3.connect(f"file:{h.state / 'hob.db'}?mode=ro", uri=True)) as db:
        db.row_factory = sqlite3.Row
        try:
            return [dict(r) for r in db.execute("SELECT * FROM calibrations ORDER BY at_s")]
        except sqlite3.OperationalError:  # not made yet
            return []


def backend(h):
    r = cli("ps", "--json", "-c", h.config_path, env=h.env, dir=h.dir)
    return json.loads(r.stdout)["backends"][0]


@pytest.fixture
def config(nursery):
    return {"engines": {"llama": {"path": str(FAKE)}}, "models": {"m": {"file": None, "cache": "0"}}}


def test_a_child_is_measured_and_the_next_estimate_is_that(hob, config, tmp_path):
    config["models"]["m"]["file"] = str(gguf(tmp_path / "m.gguf"))
    h = hob(config)
    assert h.chat("m", "ping").status == 200
    row = wait_for("it is measured idle and busy", lambda: next((r for r in rows(h) if r["idle_bytes"] and r["busy_bytes"]), None))
    assert 0 < row["idle_bytes"] < 64 << 20 and row["short_bytes"] == 0
    cli("unload", "m", "-c", h.config_path, env=h.env, dir=h.dir)
    assert h.chat("m", "ping").status == 200
    seen = backend(h)
    most = max(row["idle_bytes"], row["busy_bytes"])
    assert abs(seen["memory"]["estimated_bytes"] - most) < 8 << 20, (seen, row)
    r = cli("fit", "m", "--measured", "--json", "-c", h.config_path, env=h.env, dir=h.dir)
    assert any(x["source"] == "measured" for x in json.loads(r.stdout)["rows"]), r.stdout


def test_one_that_is_killed_again_and_again_needs_no_more_than_before(hob, config, tmp_path):
    """Signal 9 is taken for want of memory; but it had far less than was booked for it."""
    config["models"]["m"]["file"] = str(gguf(tmp_path / "m.gguf"))
    h = hob(config | FORGIVING)
    booked = []
    for _ in range(4):
        assert h.chat("m", "ping").status == 200
        seen = wait_for("it is measured", lambda: (b := backend(h))["memory"]["measured_bytes"] and b)
        booked.append(seen["memory"]["booked_bytes"])
        os.kill(seen["pid"], signal.SIGKILL)
        wait_for("it is known to be dead", lambda: backend(h)["pid"] != seen["pid"])
    assert max(booked) == booked[0], booked
    assert [r["short_bytes"] for r in rows(h)] == [0]


def test_the_real_model_is_within_a_tenth(real, hob):
    engine, path = real
    h = hob({"engines": {"llama": {"path": engine}}, "models": {"m": {"file": path, "context": 2048, "cache": "0", "max_tokens": 4, "threads": 1}}})
    assert h.chat("m", "word " * 700, timeout=60).status == 200
    row = wait_for("it is measured busy", lambda: next((r for r in rows(h) if r["busy_bytes"]), None))
    assert abs(row["estimated_bytes"] - row["busy_bytes"]) < row["busy_bytes"] / 4  # before anything was seen
    r = cli("fit", "m", "--json", "-c", h.config_path, env=h.env, dir=h.dir)
    fits = [x for x in json.loads(r.stdout)["rows"] if x["context"] == 2048]
    assert fits and fits[0]["source"] == "measured" and abs(fits[0]["total_bytes"] - row["busy_bytes"]) <= row["busy_bytes"] / 10, (fits, row)
