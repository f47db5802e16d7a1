"""Children that hang, die, or do not die; and the heartbeat that finds out."""

import json
import os
import signal
import time

import pytest
from helpers import FAKE, SLOW, content_of, wait_for

from test_admin import act, ps


def two(nursery, script="", **settings):
    """`bad`, with the script, and `good`, which must not notice."""
    return nursery.hob({"engines": {"llama": {"path": str(FAKE)}}, "models": {**nursery.model("bad", script, **settings), **nursery.model("good")}}, wait="ready")


def error_at_end(connection):
    r = connection.response()
    kind, data = r.events()[-1]
    assert kind == "data", r.events()
    return json.loads(data)["error"], r


def assert_blamed(error):
    assert error["hob"]["fault"] == "backend", error


def test_a_child_killed_in_a_stream_is_told_at_once_and_soon_back(nursery):
    load_ms = 300
    h = two(nursery, f"load_ms {load_ms}")
    child = h.child("bad")
    c = h.open_chat("bad", "[[words 5]] [[stall_after 2]]", stream=True)
    child.control.wait("two words have come", lambda l: l.chats and l.chats[-1].pieces == 2)
    killed = time.monotonic()
    os.kill(child.pid, signal.SIGKILL)
    error, r = error_at_end(c)
    assert time.monotonic() - killed < 1 * SLOW
    assert_blamed(error)
    assert content_of(r.events()[:-1])
    # One that comes before its end is known is refused by a dead socket, and told so.
    wait_for("it answers again", lambda: h.chat("bad", "hello").status == 200)
    assert time.monotonic() - killed < (load_ms / 1000 + 1) * SLOW
    assert h.child("bad").pid != child.pid


def test_a_stopped_child_is_found_and_replaced(nursery):
    """SIGSTOP: it holds its connections and says nothing."""
    h = two(nursery, silence="1s")
    child = h.child("bad")
    c = h.open_chat("bad", "[[words 5]] [[stall_after 2]]", stream=True)
    child.control.wait("two words have come", lambda l: l.chats and l.chats[-1].pieces == 2)
    os.kill(child.pid, signal.SIGSTOP)
    assert h.chat("good", "hello").status == 200
    error, _ = error_at_end(c)
    assert_blamed(error)
    wait_for("it is back", lambda: ps(h, "bad")["state"] == "hot" and h.child("bad").pid != child.pid)
    assert h.chat("bad", "hello").status == 200
    assert "does not answer" in h.stderr()


def test_a_child_that_hears_no_signal_is_killed(nursery):
    """It hangs, and SIGTERM means nothing to it: 5 s, 3 s, KILL."""
    h = two(nursery, "ignore_term", silence="1s")
    child = h.child("bad")
    c = h.open_chat("bad", "[[words 5]] [[stall_after 2]]", stream=True)
    child.control.wait("two words have come", lambda l: l.chats and l.chats[-1].pieces == 2)
    child.control.script("health_hang")
    wait_for("it is being stopped", lambda: ps(h, "bad")["state"] == "draining")
    assert h.chat("good", "hello").status == 200
    error, _ = error_at_end(c)
    assert_blamed(error)
    wait_for("it is back", lambda: ps(h, "bad")["state"] == "hot", 15)
    assert not child.alive()


def test_a_long_prompt_is_not_taken_for_a_hang(nursery):
    """No byte for several times `silence`, but its health answers: it is let work."""
    h = two(nursery, silence="300ms")
    child = h.child("bad")
    assert h.chat("bad", "[[first_ms 1500]]").status == 200
    assert h.child("bad").pid == child.pid
    assert len([p for p in child.control.log().probes if p.path == "/health" and p.t_start > child.control.log().chats[0].t_start]) >= 2


def test_what_does_not_die_is_wedged_until_it_does(nursery):
    """The keeper stands still, so nothing that it should kill dies."""
    h = two(nursery, keep="demand")
    assert h.chat("bad", "hello").status == 200
    booked = ps(h, "bad")["memory"]["booked_bytes"]
    os.kill(h.pid, signal.SIGSTOP)
    try:
        with pytest.raises(TimeoutError):
            act(h, "unload", "bad", timeout=1)
        b = wait_for("it is wedged", lambda: (b := ps(h, "bad"))["state"] == "wedged" and b, 25)
        assert "does not end" in json.dumps(b["last_error"])
        assert h.chat("good", "hello").status == 200
        r = h.chat("bad", "hello")
        assert r.status >= 500 and r.error()["hob"]["fault"] == "backend", r
        assert b["memory"]["booked_bytes"] >= booked > 0, "its memory counts as taken"
        assert b'hob_backend_wedged{model="bad"} 1' in h.get("/metrics").body
        assert b'hob_backend_wedged{model="good"} 0' in h.get("/metrics").body
    finally:
        os.kill(h.pid, signal.SIGCONT)
    wait_for("it has ended", lambda: ps(h, "bad")["state"] != "wedged")
    assert b'hob_backend_wedged{model="bad"} 0' in h.get("/metrics").body
    assert h.chat("bad", "hello").status == 200


def test_an_idle_child_is_kept_warm(nursery):
    h = two(nursery, warm="1s")
    fake = h.child("bad").control
    fake.wait("two heartbeats", lambda l: len([p for p in l.probes if p.path.endswith("/chat/completions")]) >= 3)  # the first was the proof
    assert not fake.log().chats


def test_a_heartbeat_is_no_use(nursery):
    """`idle:` counts from the last request, whatever beats meanwhile."""
    h = two(nursery, keep="demand", idle="2500ms", warm="1s")
    assert h.chat("bad", "hello").status == 200
    fake = h.child("bad").control
    fake.wait("a heartbeat", lambda l: any(p.path.endswith("/chat/completions") for p in l.probes))
    wait_for("it is unloaded all the same", lambda: ps(h, "bad")["state"] == "cold", 4)


def test_a_heartbeat_finds_a_dead_one(nursery):
    h = two(nursery, warm="1s", silence="400ms")
    child = h.child("bad")
    os.kill(child.pid, signal.SIGSTOP)
    wait_for("it is replaced, and nobody had to ask", lambda: ps(h, "bad")["state"] == "hot" and h.child("bad").pid != child.pid, 15)


def test_a_waiting_request_is_the_proof(nursery):
    h = two(nursery, "load_ms 200", keep="demand")
    assert h.chat("bad", "hello").status == 200
    log = h.child("bad").control.log()
    assert len(log.chats) == 1 and not [p for p in log.probes if p.path.endswith("/chat/completions")]


def test_a_model_that_nobody_waits_for_is_asked_for_a_token(nursery):
    h = two(nursery)
    log = h.child("bad").control.log()
    proofs = [p for p in log.probes if p.path.endswith("/chat/completions")]
    assert [p.json()["max_tokens"] for p in proofs] == [1] and proofs[0].get("authorization").startswith("Bearer ")


def test_an_engine_that_only_says_it_is_ready_is_not(nursery):
    h = nursery.managed("m", "probe [[status 500]]", wait="listening")
    why = wait_for("the load has failed", lambda: (b := ps(h))["state"] == "failed" and b["last_error"])
    assert "answers a first request with 500" in json.dumps(why)
