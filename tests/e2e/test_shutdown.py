"""Stopping and being killed: streams end well, and nothing of ours is left."""

import json
import os
import signal

import pytest
import raw
from helpers import SLOW, wait_for


@pytest.fixture
def world(managed):
    h = managed("m")
    h.tree()
    return h


def all_gone(h, seconds=2.0):
    wait_for("nothing of ours is left", lambda: not h.survivors(), seconds)


@pytest.mark.parametrize("sig", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_cleanly(world, sig):
    assert world.chat("m", "hello").status == 200
    world.tree()
    world.signal(sig)
    assert world.wait_exit(5) == 0
    all_gone(world)


def test_a_running_stream_is_drained(world):
    with world.open_chat("m", "[[words 30]] [[gap_ms 20]]", stream=True) as c:
        s = c.stream(c.start())
        next(s), next(s)
        world.signal(signal.SIGTERM)
        events = [d for k, d in s if k == "data"]
        assert events[-1] == "[DONE]" and json.loads(events[-2])["choices"][0]["finish_reason"] == "stop"
    assert world.wait_exit(8) == 0
    all_gone(world)


def test_a_body_that_is_being_read_is_waited_for(nursery):
    h = nursery.hob({"hosts": {"far": {"kind": "openai", "url": "http://192.0.2.1:9/v1"}}, "models": {"m": {"host": "far"}}, "drain": "10ms"})
    body = {"model": "m", "messages": [{"role": "user", "content": "4111 1111 1111 1112 +49 30 1234567 a.b@c " * 100_000}]}
    with h.connect() as c:
        c.send(raw.request_bytes("POST", "/v1/chat/completions", body))
        wait_for("it is read", lambda: raw.call(str(h.state / "hob.sock"), "GET", "/hob/v1/ps").json()["gateway"]["requests"]["running"])
        h.signal(signal.SIGTERM)
        assert h.wait_exit() == 0, h.stderr()[-2000:]


def test_while_it_drains_nothing_new_is_taken(world):
    with world.open_chat("m", "[[words 40]] [[gap_ms 20]]", stream=True) as c, world.connect() as kept:
        assert kept.request("GET", "/livez").status == 200
        s = c.stream(c.start())
        next(s)
        world.signal(signal.SIGTERM)

        def refused():
            try:
                with raw.Connection(world.at, 1) as new:
                    return new.request("POST", "/v1/chat/completions", {"model": "m", "messages": []}).status == 503
            except (OSError, raw.Gone, TimeoutError):
                return True
        wait_for("new ones are refused", refused)
        assert [d for k, d in s if k == "data"][-1] == "[DONE]"
    assert world.wait_exit(8) == 0


def test_draining_has_an_end(managed):
    h = managed("m", config={"drain": "300ms"})
    h.tree()
    with h.open_chat("m", "[[stall_after 3]]", stream=True) as c:
        s = c.stream(c.start())
        next(s)
        h.signal(signal.SIGTERM)
        h.wait_exit(10)
    all_gone(h)


def test_a_second_signal_stops_at_once(world):
    with world.open_chat("m", "[[stall_after 3]]", stream=True) as c:
        s = c.stream(c.start())
        next(s)
        world.signal(signal.SIGTERM)
        wait_for("the first is heeded", lambda: refuses(world))
        assert world.process.poll() is None
        world.signal(signal.SIGTERM)
        world.wait_exit(3)
    all_gone(world)


def refuses(h):
    try:
        return h.get("/livez", timeout=1).status == 503 or h.get("/readyz", timeout=1).status == 503
    except (OSError, raw.Gone, TimeoutError):
        return True


def test_a_child_that_ignores_sigterm_is_killed(managed):
    h = managed("m", script="ignore_term")
    h.tree()
    h.signal(signal.SIGTERM)
    h.wait_exit(20)
    all_gone(h)


def test_a_child_that_hangs_in_its_own_stop_is_stopped(managed):
    """llama-server does not stop while more than one request is in flight: TERM, wait, TERM, KILL."""
    h = managed("m", slots=2, config={"drain": "200ms"})
    h.tree()
    with h.open_chat("m", "[[stall_after 3]]", stream=True) as a, h.open_chat("m", "[[stall_after 3]]", stream=True) as b:
        for c in (a, b):
            next(c.stream(c.start()))
        h.signal(signal.SIGTERM)
        h.wait_exit(20)
    all_gone(h)


def test_stopping_while_a_model_loads(managed):
    h = managed("m", script="load_hang", wait="listening")
    h.child("m")
    h.tree()
    h.signal(signal.SIGTERM)
    h.wait_exit(10)
    all_gone(h)


@pytest.mark.parametrize("script", ["", "ignore_term", "load_hang"])
def test_killing_the_keeper_leaves_nothing(managed, script):
    h = managed("m", script=script, wait=None if script == "load_hang" else "ready")
    h.child("m")
    assert len(h.tree()) >= 2, "a keeper with a gateway and a child"
    h.signal(signal.SIGKILL)
    h.wait_exit(5)
    all_gone(h, 2.0)


def test_killing_the_keeper_in_the_middle_of_a_stream(world):
    with world.open_chat("m", "[[words 1000]] [[gap_ms 10]]", stream=True) as c:
        s = c.stream(c.start())
        next(s)
        world.signal(signal.SIGKILL)
        world.wait_exit(5)
        all_gone(world, 2.0)
        with pytest.raises(raw.FramingError):
            list(s)


def test_killing_the_gateway_brings_another(world):
    first = world.gateway()
    os.kill(first.pid, signal.SIGKILL)

    def answers():
        try:
            return world.get("/livez", timeout=1).status == 200
        except (OSError, raw.Gone, raw.FramingError, TimeoutError):
            return None
    wait_for("another gateway answers at the same address", answers)
    world.wait_ready()
    assert world.gateway().pid != first.pid
    assert world.chat("m", "hello").status == 200
    assert len(world.children()) == 1, "exactly one child, taken over or started anew"


def test_the_socket_of_a_killed_run_is_no_obstacle(nursery):
    import helpers
    h = nursery.managed("m")
    h.tree()
    h.signal(signal.SIGKILL)
    h.wait_exit(5)
    all_gone(h)
    again = nursery.hob(h.config_path.read_text(), dir=None, env={"XDG_RUNTIME_DIR": h.env["XDG_RUNTIME_DIR"]}, wait="ready")
    assert again.chat("m", "hello").status == 200


def test_no_folder_is_left_in_which_nothing_lies(world):
    """Of its sockets' folders and of its engines' own: what holds nothing goes with it."""
    run = world.dir / "r" / "hob"
    assert list(run.iterdir()) and list((world.state / "children").iterdir())
    world.tree()
    world.signal(signal.SIGTERM)
    assert world.wait_exit(5) == 0
    all_gone(world)
    assert not list(run.iterdir()) and not (world.state / "children").exists()
