"""A caller that leaves: the work is cancelled where it is done, at once, whatever stage it is in."""

import concurrent.futures
import json
import socket
import time

import gates
import pytest
from helpers import SANITIZED, SLOW, cli, wait_for
from invariants import Invariants

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


# -- again and again


def ask_and_leave(h, up, model, i, stage, how, stream):
    """One request that is left in this stage. Returns (its name, how many words the caller had, when they left in ms)."""
    name, had = f"case{i:05}", 0
    text = {"prefill": "[[first_ms 60000]]", "stream": "[[words 100000]] [[gap_ms 5]]", "queue": "never asked"}[stage]
    with h.open_chat(model, f"{name} {text}", stream=stream, timeout=60 * SLOW) as c:
        if stage == "stream" and stream:
            s = c.stream(c.start())
            had = sum(kind == "data" for kind, _ in (next(s) for _ in range(4))) - 1  # the first says the role
        elif stage != "queue":
            up.wait("it is at work", lambda log: any(name.encode() in r.body for r in log.chats), 30)
        return name, had, leave(c, how)


def test_its_row_has_the_tokens_that_were_seen(world):
    """A stream that is left, or that breaks, never comes to its usage: then it is what has come."""
    h, up, model = world
    with h.open_chat(model, "[[words 100000]] [[gap_ms 20]]", stream=True) as c:
        s = c.stream(c.start())
        had = sum(kind == "data" for kind, _ in (next(s) for _ in range(6))) - 1
        leave(c, "close")
    sent = cancelled_soon(up, time.monotonic() * 1000).chats[0].pieces
    row = rows_of(h)[-1]
    assert row["code"] == "caller_gone" and had <= row["tokens"]["output"] <= sent, (row, had, sent)
    assert h.chat(model, "[[words 50]] [[reset_after 20]]", stream=True).status == 200
    row = wait_for("its row", lambda: (r := rows_of(h)[-1])["code"] == "backend_failed" and r)
    assert 10 <= row["tokens"]["output"] <= 20, row


def rows_of(h):
    r = cli("logs", "-n", "all", "-c", h.config_path, "--json", env=h.env)
    return [json.loads(line) for line in r.stdout.splitlines()]


@pytest.mark.torture
def test_a_thousand_callers_that_leave(world):
    """In prefill, in a stream, in the queue: each is cancelled where it is done, has one row with the tokens that were seen, and nothing grows."""
    h, up, model = world
    rng, gateway, n = gates.rng("gone"), h.gateway(), gates.sized(30, 1000)
    one_slot = h.children() != []
    greeted = [h.chat(model, "hi", stream=True), h.chat(model, "hi")]
    assert [r.status for r in greeted] == [200, 200]
    whole = {r.get("x-request-id") for r in greeted}
    invariants, before, took, total = Invariants(h).settle(), gateway.pss(), [], 0
    while total < n:
        at_once = 1 if one_slot else 8
        batch = [(total + k, rng.choice(["prefill", "stream"]), rng.choice(["close", "reset", "half-close"]), rng.random() < 0.5) for k in range(at_once)]
        up.reset()
        rows_before = len(rows_of(h)) if total % 200 == 0 else None
        with concurrent.futures.ThreadPoolExecutor(at_once) as pool:
            futures = [pool.submit(ask_and_leave, h, up, model, *b) for b in batch]
            if one_slot:  # while the slot is taken: some who wait for it, and leave
                left_queue = [ask_and_leave(h, up, model, f"{total}{k}", "queue", "close", True) for k in range(2)] if batch[0][1] == "prefill" else []
            else:
                left_queue = []
            left = [f.result() for f in futures]
        log = up.wait("all is cancelled", lambda log: log.in_flight == 0 and all(r.outcome != "open" for r in log.chats), 30)
        by = {r.body.split(b"case")[1][:5].decode(): r for r in log.chats}
        for name, _, when in left:
            r = by[name[4:]]
            assert r.outcome == "cancelled", (name, r)
            took.append(r.t_end - when)
        if rows_before is not None:
            rows = [r for r in rows_of(h)[rows_before:] if r["id"] not in whole]  # these two may have come late
            assert len(rows) >= len(left) and {(r["status"], r["code"], r["fault"]) for r in rows} == {(499, "caller_gone", "caller")}, rows
            most = max(r.pieces for r in log.chats)
            assert all((r["tokens"]["output"] or 0) <= most for r in rows), (rows, most)
            assert sum((r["tokens"]["output"] or 0) for r in rows) >= sum(had for _, had, _ in left)
        total += len(left) + len(left_queue)
    assert h.chat(model, "hi").status == 200
    grown = gateway.pss() - before
    took.sort()
    place = "a child" if one_slot else "a host"
    gates.record("disconnect", f"{place}: callers that left, each cancelled; the rows of some were read", total, "")
    gates.record("disconnect", f"{place}: ms until the place was told, median / 99th of a hundred", f"{took[len(took) // 2]:.0f} / {took[len(took) * 99 // 100]:.0f}", "<= 100")
    gates.record("disconnect", f"{place}: growth of the gateway, KiB", grown // 1024, "")
    assert SANITIZED or grown < 2 << 20, f"grew by {grown} bytes"
    invariants.check()
