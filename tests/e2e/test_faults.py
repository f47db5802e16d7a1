"""The fault shim itself, and hob under it."""

import contextlib
import os
import resource
import sqlite3
import time

import faults
import gates
import pytest
from helpers import FORGIVING, SANITIZED, wait_for

pytestmark = pytest.mark.skipif(SANITIZED or not faults.SHIM.exists(), reason="the shim is not for sanitizers, and for Linux alone")


@pytest.fixture
def shim(tmp_path):
    return faults.Faults(tmp_path)


def test_faults_come_and_go_while_hob_runs(shim, fake, hob):
    h = hob({"hosts": {"up": {"url": fake.url}}, "models": {"m": {"host": "up"}}}, env=shim.env)
    assert h.chat("m", "hello").status == 200
    with shim.rule("connect", error="ECONNREFUSED", program="hob") as r, shim.rule("connect", program="hob-keeper") as other:
        shim.rule("write", most=7, program="hob", path="accept:")  # and all it says, in small pieces
        for _ in range(3):
            h.chat("m", "hello")
    assert other.seen == 0
    assert h.chat("m", "hello").status == 200
    shim.jump(3600)
    before = h.get("/metrics").body
    assert r.seen >= r.fired and before


def test_interrupted_and_short_calls_change_nothing(shim, fake, hob):
    h = hob({"hosts": {"up": {"url": fake.url}}, "models": {"m": {"host": "up"}}}, env=shim.env)
    plain = h.chat("m", "hello [[words 50]]")
    for call in ("read", "write", "recv", "send"):
        for how in ({"error": "EINTR", "every": 2}, {"error": "EAGAIN", "every": 3}, {"most": 1}):
            rules = [shim.rule(call, program="hob", path=path, **how) for path in ("accept:", "socket:")]
            r = h.chat("m", "hello [[words 50]]")
            assert r.status == 200 and r.json()["choices"] == plain.json()["choices"], (call, how)
            with h.open_chat("m", "hello [[words 50]]", stream=True) as c:
                assert list(c.stream(c.start()))[-1] == ("data", "[DONE]"), (call, how)
            assert call in ("recv", "send") or sum(r.fired for r in rules), (call, how)
            for rule in rules:
                rule.off()
            shim.clear()


# -- descriptors


@pytest.mark.torture
def test_no_descriptor_to_accept_with_is_waited_for_without_spinning(shim, fake, hob):
    h = hob({"hosts": {"up": {"url": fake.url}}, "models": {"m": {"host": "up"}}}, env=shim.env)
    for error in ("EMFILE", "ENFILE", "ENOBUFS"):
        with shim.rule("accept", error=error, program="hob") as r:
            with h.open_chat("m", "hello") as c:
                wait_for("it was tried", lambda r=r: r.fired)
                first, at = r.fired, time.monotonic()
                wait_for("it is tried again and again", lambda r=r, first=first: r.fired >= first + 5)
                tries = (r.fired - first) / (time.monotonic() - at)
                r.off()
                assert tries < 50  # a second, of two listeners: a loop that spins makes a hundred thousand
                assert c.start().status == 200
    gates.record("fd-exhaustion", "tries to accept a second without descriptors", round(tries, 1), "< 50")


def test_no_descriptor_for_anything_is_an_error_and_over_when_there_are_some(shim, fake, hob):
    h = hob({"hosts": {"up": {"url": fake.url}}, "models": {"m": {"host": "up"}}, **FORGIVING}, env=shim.env)
    gateway = h.gateway().pid
    for call in ("socket", "open", "pair", "connect"):
        for error in ("EMFILE", "ENFILE"):
            with shim.rule(call, error=error, program="hob"):
                assert h.chat("m", "hello").status in (200, 502, 503), call
                assert h.get("/livez").status == 200
            wait_for(f"{call} works again", lambda: h.chat("m", "hello").status == 200)
        shim.clear()
    assert h.gateway().pid == gateway


@pytest.mark.torture
def test_few_descriptors_are_enough_for_some(shim, fake, hob):
    """RLIMIT_NOFILE 64 while it runs, and more callers than that."""
    h = hob({"hosts": {"up": {"url": fake.url}}, "models": {"m": {"host": "up"}}}, env=shim.env)
    gateway = h.gateway()
    resource.prlimit(gateway.pid, resource.RLIMIT_NOFILE, (64, resource.prlimit(gateway.pid, resource.RLIMIT_NOFILE)[1]))
    with shim.rule("accept", program="hob") as r, contextlib.ExitStack() as open_:
        callers = [open_.enter_context(h.connect()) for _ in range(100)]
        wait_for("it has taken those it can", lambda: r.seen >= 20)
        before, ticks = r.seen, cpu_ticks(gateway.pid)
        time.sleep(gates.sized(1, 10))  # what it costs is the question
        share = (cpu_ticks(gateway.pid) - ticks) / os.sysconf("SC_CLK_TCK") / gates.sized(1, 10)
        assert r.seen - before < 100 * gates.sized(1, 10)
        gates.record("fd-exhaustion", "CPU of the gateway without descriptors, RLIMIT_NOFILE 64", round(share, 3), "< 0.05")
        assert len(callers) == 100
    wait_for("it answers", lambda: h.chat("m", "hello").status == 200)
    assert h.gateway().pid == gateway.pid


def cpu_ticks(pid):
    with open(f"/proc/{pid}/stat", encoding="ascii", errors="replace") as f:
        rest = f.read().rpartition(")")[2].split()
    return int(rest[11]) + int(rest[12])


# -- the wall clock


@pytest.mark.torture
def test_jumps_of_the_wall_clock_end_nothing(shim, managed):
    hour, year = 3600, 365 * 86400
    jumps = [hour, -hour, year, -year, 0x7fffffff + 10 - int(time.time()), 0xffffffff - int(time.time()), 0]
    h = managed(hob={"env": shim.env})
    child, ids = h.child().pid, []
    with h.open_chat("m", f"[[words {len(jumps) * 3 + 2}]] [[gap_ms 30]]", stream=True) as c:
        head = c.start()
        ids.append(head.get("x-request-id"))
        events = c.stream(head)
        for jump in jumps:
            next(events), next(events)
            shim.jump(jump)
            r = h.chat("m", "hello")
            assert r.status == 200 and 0 <= r.json()["_routing"]["latency_ms"] < 60000, jump
            ids.append(r.get("x-request-id"))
        assert list(events)[-1] == ("data", "[DONE]")
    assert h.child().pid == child and h.get("/readyz").status == 200
    h.stop()
    with sqlite3.connect(h.state / "hob.db") as db:
        rows = ["req_" + i.hex() for i, in db.execute("SELECT id FROM requests")]
        assert sorted(rows) == sorted(ids)  # none was too old for having been written in another year
        assert not db.execute("SELECT 1 FROM requests WHERE total_us < 0 OR total_us > 60000000 OR queue_us < 0 OR ttft_us < 0").fetchall()
    gates.record("clock", "jumps of the wall clock during a stream (hours, years, past 2038 and 2106)", len(jumps), "")
    gates.record("clock", "streams cut, models unloaded, rows lost", 0, "= 0")
