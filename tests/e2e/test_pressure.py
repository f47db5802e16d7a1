"""Back-pressure and memory: a slow reader slows the place that answers; hob keeps no more than a little of the answer."""

import threading

import pytest
from helpers import SANITIZED, content_of, wait_for

MIB = 1 << 20


@pytest.fixture(params=["managed", "host"])
def world(request, nursery):
    if request.param == "managed":
        h = nursery.managed("m")
        return h, h.child("m").control
    up = nursery.fake()
    return nursery.hob({"hosts": {"up": {"url": up.url}}, "models": {"m": {"host": "up"}}}), up


def test_a_slow_reader_blocks_the_place_that_answers(world):
    h, up = world
    gateway = h.gateway()
    h.chat("m", "warm up", stream=True)
    before = gateway.pss()
    words, size = 4000, 20480  # 80 MB, far beyond all socket buffers; fewer words than the window has tokens
    with h.open_chat("m", f"[[words {words}]] [[word_bytes {size}]]", stream=True, rcvbuf=65536, timeout=60) as c:
        r = c.start()
        last = {"n": -1, "same": 0}

        def stands_still():
            record = up.log().chats[-1]
            last["same"] = last["same"] + 1 if record.blocked and record.bytes_out == last["n"] else 0
            last["n"] = record.bytes_out
            return last["same"] > 20
        wait_for("the fake can send no more", stands_still, 20)
        grown = gateway.pss() - before
        assert last["n"] < words * size / 2, "it was all taken"
        assert SANITIZED or grown < 4 * MIB, f"hob grew by {grown / MIB:.1f} MiB for one stalled stream"
        text = content_of(c.stream(r))
        assert len(text) == words * size + words - 1
    log = up.wait("it was sent to its end", lambda l: l.in_flight == 0)
    assert log.chats[-1].outcome == "completed"


def test_one_slow_reader_does_not_hold_up_another(world):
    h, up = world
    with h.open_chat("m", "[[words 4000]] [[word_bytes 20480]]", stream=True, rcvbuf=65536) as c:
        c.start()
        up.wait("it is blocked", lambda l: any(r.blocked for r in l.chats), 20)
        for _ in range(5):
            assert h.chat("m", "hello", stream=True).status == 200


def test_memory_comes_back(world):
    """Many requests of every kind leave no trace in the gateway's memory."""
    h, up = world
    gateway = h.gateway()

    def round():
        threads = [threading.Thread(target=h.chat, args=("m", f"{i} [[words 20]]"), kwargs={"stream": i % 2 == 0}) for i in range(16)]
        for t in threads:
            t.start()
        for t in threads:
            t.join()
    for _ in range(6):
        round()
    before = gateway.pss()
    for _ in range(20):
        round()
    grown = gateway.pss() - before
    assert SANITIZED or grown < MIB, f"grew by {grown} bytes over 320 requests"


@pytest.mark.parametrize("world", ["host"], indirect=True)
def test_large_prompts_pass(world):
    h, up = world
    text = "x" * (4 * MIB)
    assert h.chat("m", text).status == 200
    assert up.log().chats[-1].json()["messages"][0]["content"] == text
