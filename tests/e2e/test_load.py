"""Many callers at once: streams with whole answers beside them, and whole answers alone, at a steady rate. Nobody is refused, nothing is cut, memory stays.

The tools are the bench's (bench/load.c, bench/mock.c): they cost next to nothing. How late an event is beside one that comes from the place itself is
recorded and not asserted: on a machine that has other work it says what that does."""

import contextlib
import json
import resource
import subprocess

import gates
import pytest
from helpers import BIN, SANITIZED, SLOW
from invariants import MEMORY_CAP, Rows

LOAD, MOCK = BIN / "bench/load", BIN / "bench/mock"
MIB = 2**20
pytestmark = [pytest.mark.torture, pytest.mark.skipif(not LOAD.exists(), reason="the bench's tools are Linux's")]

STREAMS, GAP_MS = gates.sized(50, 500), 25  # 40 events a second each
EVENTS, WAVES = gates.sized((40, 2), (400, 60))  # of a stream, of streams one after the other: 2 s, 10 min
BESIDE = gates.sized(50, 200)  # whole answers a second beside them
RATE, SECONDS = gates.sized((500, 2), (5000, 60))


@pytest.fixture
def many_files():
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@pytest.fixture
def place(many_files):
    """The port of a host that answers as an engine would."""
    p = subprocess.Popen([MOCK, "--events", str(EVENTS), "--gap-ms", str(GAP_MS)], stdout=subprocess.PIPE, stdin=subprocess.DEVNULL, text=True)
    with contextlib.closing(p.stdout):
        yield int(p.stdout.readline().split()[1])
        p.kill()
        p.wait()


@pytest.fixture
def h(nursery, place):
    hob = nursery.hob({"hosts": {"up": {"url": f"http://127.0.0.1:{place}"}}, "models": {"bench": {"host": "up"}}, "limits": {"memory": MEMORY_CAP}})
    assert hob.chat("bench", "hello").status == 200
    return hob


class Caller:
    """One load client, and what it said at its end."""

    def __init__(self, mode, port, **options):
        given = [part for name, value in options.items() for part in (f"--{name.replace('_', '-')}", str(value))]
        self.process = subprocess.Popen([LOAD, mode, "--port", str(port), *given], stdout=subprocess.PIPE, stdin=subprocess.DEVNULL, text=True)

    def told(self, seconds):
        try:
            out, _ = self.process.communicate(timeout=seconds * SLOW)
        finally:
            self.process.kill()
            self.process.wait()
        return json.loads(out)


def streams(port, waves):
    return Caller("stream", port, conns=STREAMS, waves=waves, events=EVENTS, gap_ms=GAP_MS, seconds=3600, body_bytes=1024)


def lasts(waves):
    return waves * EVENTS * GAP_MS / 1000


def test_streams_and_whole_answers_beside_each_other(h, place):
    gateway = h.gateway()
    direct = streams(place, 1).told(60 + 4 * lasts(1))
    beside = Caller("plain", h.at[1], conns=16, rate=BESIDE, requests=int(BESIDE * lasts(WAVES)), seconds=3600)
    got = streams(h.at[1], WAVES).told(60 + 4 * lasts(WAVES))
    whole = beside.told(60 + 4 * lasts(WAVES))
    assert not direct["errors"] and not got["errors"] and not whole["errors"], (direct, got, whole)
    most = int(next(line for line in open(f"/proc/{gateway.pid}/status", encoding="ascii") if line.startswith("VmHWM")).split()[1]) * 1024
    assert gateway.alive() and (SANITIZED or most <= MEMORY_CAP), most
    rows = Rows(h.state)
    assert len(rows.look()) == STREAMS * WAVES + whole["done"] + 1 and not rows.doubled and rows.integrity() == ["ok"]
    for what, value, holds in [
            (f"{STREAMS} streams of {1000 // GAP_MS} events a second, {BESIDE} whole answers a second beside them: errors", got["errors"] + whole["errors"], "= 0"),
            ("events a second", round(got["events"] / got["seconds"]), ""), ("seconds", round(got["seconds"]), ""), ("streams", got["done"], ""), ("whole answers", whole["done"], ""),
            ("an event is later than without hob, p50 ms", round((got["p50_us"] - direct["p50_us"]) / 1000, 2), ""),
            ("an event is later than without hob, p99 ms", round((got["p99_us"] - direct["p99_us"]) / 1000, 2), "<= 5"), ("an event of the place itself, p99 ms", round(direct["p99_us"] / 1000, 2), ""),
            ("the gateway's memory, at most MiB", round(most / MIB, 1), "<= 150"), ("rows lost or doubled", 0, "= 0")]:
        gates.record("load", what, value, holds)


def test_whole_answers_at_a_rate(h):
    got = Caller("plain", h.at[1], conns=64, rate=RATE, requests=RATE * SECONDS, seconds=3600).told(60 + 8 * SECONDS)
    assert got["done"] == RATE * SECONDS and not got["errors"], got
    rows = Rows(h.state)
    assert len(rows.look()) == got["done"] + 1 and not rows.doubled
    gates.record("load", f"whole answers, {RATE} asked for a second: a second", round(got["rate"]), f">= {RATE * 98 // 100}")
    gates.record("load", f"whole answers, {RATE} asked for a second: errors", got["errors"], "= 0")
    gates.record("load", f"whole answers, {RATE} asked for a second: p50, p99 ms", f"{got['p50_us'] / 1000:.2f}, {got['p99_us'] / 1000:.2f}", "")
