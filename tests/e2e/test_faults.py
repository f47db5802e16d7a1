"""The fault shim itself, and hob under it."""

import pytest

import faults
from helpers import SANITIZED

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
