"""Callers that take their time, on purpose: they cost little, hold up nobody, and are cut at the stated limits (whose short forms are in
tests/unit/http/test_server.c). Idle connections by the thousand."""

import contextlib
import json
import random
import resource
import select
import socket
import threading
import time

import gates
import pytest
import raw
from helpers import SANITIZED, SLOW, chat_body, cli, wait_for
from invariants import Invariants, fds

pytestmark = pytest.mark.torture
IDLE_MOST = 8 * 1024  # bytes of the gateway for each


@pytest.fixture(autouse=True)
def many_files():
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    yield hard
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@pytest.fixture
def world(nursery):
    up = nursery.fake()
    h = nursery.hob({"hosts": {"up": {"url": up.url, "probe": "never"}}, "models": {"m": {"host": "up"}}})
    for _ in range(50):
        assert h.chat("m", "warm", stream=True).status == 200 == h.chat("m", "warm").status
    return h, up


def p99(times):
    return sorted(times)[len(times) * 99 // 100] * 1000


class Honest(threading.Thread):
    """Asks one thing after the other, each on its own connection, until told to stop. Every one must be answered."""

    def __init__(self, h):
        super().__init__(daemon=True)
        self.h, self.times, self.wrong, self.enough = h, [], [], threading.Event()
        self.start()

    def run(self):
        while not self.enough.is_set():
            began = time.monotonic()
            try:
                r = self.h.chat("m", "hi", timeout=30 * SLOW)
                if r.status != 200:
                    self.wrong.append(r)
            except Exception as e:  # whatever it is, it is no answer
                self.wrong.append(e)
            self.times.append(time.monotonic() - began)

    def done(self, at_least=10):
        wait_for("honest requests were answered", lambda: len(self.times) >= at_least or self.wrong, 60)
        self.enough.set()
        self.join()
        assert not self.wrong, self.wrong[:3]
        return self.times


def alone(h, n):
    times = []
    for _ in range(n):
        began = time.monotonic()
        assert h.chat("m", "hi").status == 200
        times.append(time.monotonic() - began)
    return times


# -- idle ones


def used(h, body):
    def go():
        c = h.connect(timeout=30 * SLOW)
        c.send(body)
        assert c.response().status == 200
        return c
    return go


def idle_kinds(h):
    chat = raw.request_bytes("POST", "/v1/chat/completions", chat_body("m", "hi " * 5000))
    stream = raw.request_bytes("POST", "/v1/chat/completions", chat_body("m", "hi [[words 50]]", stream=True))
    long_head = raw.request_bytes("GET", "/livez", headers={"x-long": "a" * 20000})
    return {"nothing said": lambda: h.connect(), "after a long prompt": used(h, chat), "after a stream": used(h, stream), "after a long head": used(h, long_head)}


@pytest.mark.parametrize("kind", ["nothing said", "after a long prompt", "after a stream", "after a long head"])
def test_idle_connections_cost_little(world, kind, many_files):
    h, _ = world
    n = gates.sized(200, min(10_000, many_files // 2))
    gateway, go = h.gateway(), idle_kinds(h)[kind]
    invariants = Invariants(h).settle()
    before, open_before, connections = gateway.pss(), sum(fds(gateway.pid).values()), []
    calm = alone(h, gates.sized(5, 300))
    try:
        for _ in range(n):
            connections.append(go())
        more = wait_for("they are all taken", lambda: (m := sum(fds(gateway.pid).values()) - open_before) >= n and m)
        each = (gateway.pss() - before) / more
        gates.record("idle-connections", f"{kind}: connections open", more, "")
        gates.record("idle-connections", f"{kind}: bytes of the gateway each", round(each), f"<= {IDLE_MOST}")
        assert SANITIZED or each <= IDLE_MOST, f"{each:.0f} bytes for each of {more}"
        busy = Honest(h).done(gates.sized(5, 300))
        if gates.FORM == "long":
            gates.record("idle-connections", f"{kind}: p99 of a chat beside them / without, ms", f"{p99(busy):.1f} / {p99(calm):.1f}", "<= 2x")
        assert h.get("/livez").status == 200
    finally:
        for c in connections:
            c.close()
    invariants.check()


def is_closed(c):
    return bool(select.select([c.sock], [], [], 0)[0]) and c.sock.recv(1, socket.MSG_PEEK) == b""


def test_one_more_than_there_may_be(nursery):
    """The one that has been idle longest goes for it; while none is idle, new requests are refused and say when to come back."""
    up = nursery.fake()
    h = nursery.hob({"hosts": {"up": {"url": up.url, "probe": "never"}}, "models": {"m": {"host": "up"}}, "limits": {"connections": 30}})
    assert h.chat("m", "hi").status == 200
    idle = []
    for _ in range(30):
        idle.append(h.connect())
        assert idle[-1].request("GET", "/livez").status == 200
    wait_for("they are idle for long enough", lambda: h.chat("m", "hi").status == 200)
    for _ in range(4):
        assert h.chat("m", "hi").status == 200
    wait_for("the oldest went", lambda: is_closed(idle[0]))
    assert not any(is_closed(c) for c in idle[20:])
    streams = []
    for _ in range(30):
        streams.append(h.open_chat("m", "[[stall_after 1]]", stream=True))
        assert streams[-1].start().status == 200
    wait_for("all idle ones went", lambda: all(is_closed(c) for c in idle))
    r = h.chat("m", "hi")
    assert r.status == 503 and r.error()["code"] == "overloaded" and int(r.get("retry-after")) >= 1, r
    streams.pop().close()
    wait_for("there is room again", lambda: h.chat("m", "hi").status == 200)
    for c in [*streams, *idle]:
        c.close()


# -- attacks


class Slow(threading.Thread):
    """Sockets that each bring a byte now and then, and when hob ended each."""

    BEGIN = {"head": b"POST /v1/chat/completions HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Slow: ",
             "body": b"POST /v1/chat/completions HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 20000\r\n\r\n{"}

    def __init__(self, h, kind, n):
        super().__init__(daemon=True)
        self.kind, self.enough, self.ended, self.said = kind, threading.Event(), {}, {}
        self.socks, self.began = {}, {}
        for _ in range(n):
            s = socket.create_connection(h.at)
            s.sendall(self.BEGIN[kind])
            s.setblocking(False)
            self.socks[s.fileno()], self.began[s.fileno()] = s, time.monotonic()
        self.start()

    def run(self):
        poll = select.poll()
        for fd in self.socks:
            poll.register(fd, select.POLLIN)
        while not self.enough.is_set() and len(self.ended) < len(self.socks):
            for fd, _ in poll.poll(300):
                try:
                    data = self.socks[fd].recv(4096)
                except OSError:
                    data = b""
                self.said[fd] = self.said.get(fd, b"") + data
                if not data:
                    self.ended[fd] = time.monotonic() - self.began[fd]
                    poll.unregister(fd)
            for fd, s in self.socks.items():
                if fd not in self.ended and random.random() < 0.3:
                    with contextlib.suppress(OSError):
                        s.send(b"a")

    def stop(self):
        self.enough.set()
        self.join()
        for s in self.socks.values():
            s.close()


@pytest.mark.parametrize("kind, longest", [("head", 10), ("body", 20)])
def test_slow_heads_and_bodies(world, kind, longest):
    h, up = world
    gateway = h.gateway()
    invariants = Invariants(h).settle()
    before, calm = gateway.pss(), alone(h, gates.sized(5, 500))
    up.reset()
    slow = Slow(h, kind, gates.sized(200, 5000))
    try:
        grown = gateway.pss() - before
        busy = Honest(h).done(gates.sized(20, 500))
        if gates.FORM == "long":
            wait_for("all are cut", lambda: len(slow.ended) == len(slow.socks), longest + 60)
            assert {s[:12] for s in slow.said.values()} == {b"HTTP/1.1 408"}
            gates.record("slow-attacks", f"slow {kind}: sockets, all cut with 408 after at most s", f"{len(slow.ended)}: {max(slow.ended.values()):.1f}", f"<= {longest} + 1")
            gates.record("slow-attacks", f"slow {kind}: p99 of honest chats beside them / without, ms", f"{p99(busy):.1f} / {p99(calm):.1f}", "<= 2x")
            gates.record("slow-attacks", f"slow {kind}: bytes of the gateway each", round(grown / len(slow.socks)), "")
        assert {s[:12] for s in slow.said.values()} <= {b"HTTP/1.1 408"}
    finally:
        slow.stop()
    assert len(up.log().chats) == len(busy), "a request that never came whole was asked for"
    invariants.check()


def test_bodies_that_are_announced_and_do_not_come_keep_nobody_out_for_long(nursery):
    """What is announced is promised memory. While that is short, who brings next to nothing is cut after a second."""
    up = nursery.fake()
    h = nursery.hob({"hosts": {"up": {"url": up.url, "probe": "never"}}, "models": {"m": {"host": "up"}}, "limits": {"memory": "64MiB"}})
    assert h.chat("m", "hi").status == 200
    slow, refused = [], []
    for size in (1_000_000, 100_000, 10_000, 1_000, 100):  # until no more than a hundred bytes are left to promise
        while True:
            c = h.connect(timeout=30 * SLOW)
            c.send(b"POST /v1/chat/completions HTTP/1.1\r\nHost: 127.0.0.1\r\nExpect: 100-continue\r\nContent-Length: %d\r\n\r\n" % size)
            r = c.head()
            if r.status != 100:
                assert r.status == 503
                c.close()
                break
            c.send(b"{")
            slow.append(c)
            assert len(slow) < 2000
    wait_for("others are answered again", lambda: (r := h.chat("m", "hi")).status == 200 or refused.append(r), 8)
    assert {r.error()["code"] for r in refused} <= {"overloaded"}
    cut = wait_for("some are cut", lambda: [c for c in slow if select.select([c.sock], [], [], 0)[0]])
    for c in cut:
        r = c.response()
        assert r.status == 503 and r.error()["code"] == "overloaded" and r.get("retry-after"), r
    for c in slow:
        c.close()
    assert h.chat("m", "hi").status == 200


def test_slow_readers(world):
    """They ask for much and take nothing: the place is not read any more, others are answered; in 30 s they are cut and the place is told."""
    h, up = world
    gateway, n = h.gateway(), gates.sized(8, 60)  # of each, megabytes lie in the buffers of sockets
    invariants = Invariants(h).settle()
    before, calm, readers = gateway.pss(), alone(h, gates.sized(5, 500)), []
    up.reset()
    began = time.monotonic()
    try:
        for _ in range(n):
            readers.append(h.open_chat("m", "[[words 4000]] [[word_bytes 20480]]", stream=True, rcvbuf=4096))
        up.wait("none can send more", lambda log: sum(r.blocked for r in log.chats) >= n, 60)
        grown = gateway.pss() - before
        busy = Honest(h).done(gates.sized(20, 500))
        assert SANITIZED or grown / n < 512 * 1024, f"{grown / n:.0f} bytes for each slow reader"
        if gates.FORM == "long":
            log = up.wait("all are cut", lambda log: log.in_flight == 0 and log.cancelled == n, 120)
            took = max(r.t_end / 1000 for r in log.chats if r.outcome == "cancelled") - began
            gates.record("slow-attacks", "slow readers: all cut, the last so many s after the first came", f"{n}: {took:.1f}", "30 after its last byte")
            gates.record("slow-attacks", "slow readers: p99 of honest chats beside them / without, ms", f"{p99(busy):.1f} / {p99(calm):.1f}", "<= 2x")
            gates.record("slow-attacks", "slow readers: bytes of the gateway each", round(grown / n), "")
    finally:
        for c in readers:
            c.close()
    up.wait("nothing is left at work", lambda log: log.in_flight == 0, 60)

    def gone():
        r = cli("logs", "-n", "all", "-c", h.config_path, "--json", env=h.env)
        return [row["status"] for row in map(json.loads, r.stdout.splitlines()) if row["code"] == "caller_gone"]

    wait_for("each has its row", lambda: len(gone()) >= n, 60)
    assert gone() == [499] * n
    invariants.check()
