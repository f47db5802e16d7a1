"""A caller that leaves: the work is cancelled where it is done, at once, whatever stage it is in."""

import socket
import time

import pytest
import raw
from helpers import SLOW, chat_body, free_port

SOON_MS = 1000 * SLOW  # the aim is 100 ms; the bound leaves room for a busy machine


@pytest.fixture(params=["managed", "host"])
def world(request, nursery):
    """(hob, the fake's controls, model name), one slot"""
    if request.param == "managed":
        h = nursery.managed("m", slots=1)
        return h, h.child("m").control, "m"
    up = nursery.fake()
    return nursery.hob({"hosts": {"up": {"url": up.url}}, "models": {"m": {"host": "up"}}}), up, "m"


def leave(c, how):
    if how == "reset":
        c.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    if how == "half-close":
        c.sock.shutdown(socket.SHUT_WR)
    else:
        c.close()
    return time.monotonic() * 1000


def cancelled_soon(up, left_at):
    log = up.wait("the work is cancelled", lambda l: l.cancelled == 1 and l.in_flight == 0)
    took = log.chats[0].t_end - left_at
    assert took < SOON_MS, f"cancelled only {took:.0f} ms after the caller left"
    return log


@pytest.mark.parametrize("how", ["close", "reset", "half-close"])
def test_in_the_middle_of_a_stream(world, how):
    h, up, model = world
    with h.open_chat(model, "[[words 100000]] [[gap_ms 20]]", stream=True) as c:
        s = c.stream(c.start())
        for _ in range(3):
            next(s)
        cancelled_soon(up, leave(c, how))
    assert h.chat(model, "hello").status == 200


def test_in_a_pause_of_a_stream(world):
    h, up, model = world
    with h.open_chat(model, "[[stall_after 2]]", stream=True) as c:
        s = c.stream(c.start())
        next(s)
        cancelled_soon(up, leave(c, "close"))


@pytest.mark.parametrize("stream", [False, True])
def test_before_the_first_byte(world, stream):
    h, up, model = world
    with h.open_chat(model, "[[first_ms 60000]]", stream=stream) as c:
        up.wait("it is at work", lambda l: l.in_flight == 1)
        cancelled_soon(up, leave(c, "close"))
    assert h.chat(model, "hello").status == 200


def test_while_an_answer_is_collected(world):
    h, up, model = world
    with h.open_chat(model, "[[words 100000]] [[gap_ms 20]]", stream=False) as c:
        up.wait("it is at work", lambda l: l.in_flight == 1)
        cancelled_soon(up, leave(c, "close"))


def test_in_the_queue(nursery):
    h = nursery.managed("m", slots=1)
    up = h.child("m").control
    with h.open_chat("m", "[[stall_after 1]]", stream=True) as first:
        s = first.stream(first.start())
        next(s)
        waiting = h.open_chat("m", "the one that leaves", stream=True)
        # A third request behind it on the same connection order: once it is answered, the second has been dealt with.
        waiting.close()
    assert h.chat("m", "the third").status == 200
    assert [b"the one that leaves" in r.body for r in up.log().chats] == [False, False]


def test_while_the_model_loads(nursery):
    h = nursery.managed("m", keep="demand", script="load_ms 500", wait="listening")
    with h.open_chat("m", "the one that leaves"):
        h.child("m")
    assert h.chat("m", "the second").status == 200
    assert [b"leaves" in r.body for r in h.child("m").control.log().chats] == [False]


def test_nobody_is_blamed_for_it(nursery):
    up = nursery.fake()
    h = nursery.hob({"hosts": {"up": {"url": up.url}}, "models": {"m": {"host": "up"}}})
    for i in range(8):
        with h.open_chat("m", "[[stall_after 1]]", stream=True) as c:
            s = c.stream(c.start())
            next(s)
        up.wait("cancelled", lambda l: l.cancelled == i + 1)
    assert h.chat("m", "hello").status == 200


def test_many_at_once(nursery):
    h = nursery.managed("m", slots=2)
    up = h.child("m").control
    for c in [h.open_chat("m", f"{i} [[words 1000]] [[gap_ms 5]]", stream=True) for i in range(40)]:
        c.close()
    assert h.chat("m", "hello").status == 200
    up.wait("nothing is left at work", lambda l: l.in_flight == 0)
    assert up.log().max_in_flight <= 2
