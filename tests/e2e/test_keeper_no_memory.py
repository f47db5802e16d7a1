"""Memory that is not there, in the keeper and the minder: the keeper holds the models and the door, and dies of none that is there again soon. One that has none for longer ends
with a word, and nothing of ours outlives it; who looks after that, the minder, takes no memory."""

import collections
import os
import pathlib
import re
import signal
import threading
import time

import faults
import gates
import pytest
import raw
from helpers import FAKE, FORGIVING, SANITIZED, wait_for
from invariants import Invariants
from test_orphans import KIN, marked

pytestmark = [pytest.mark.torture, pytest.mark.skipif(SANITIZED or not faults.SHIM.exists(), reason="the shim is not for sanitizers, and for Linux alone")]

ONCE = gates.sized(4, 0)     # calls that fail, of a life; 0: all
LASTING = gates.sized(3, 40)
STARTS = gates.sized(2, 0)
WORD = "hob: bug or exhausted machine: "
NEVER = 1 << 40


class Life:
    """hob with a child that has kin of its own."""

    def __init__(self, nursery, name="life"):
        self.nursery = nursery
        self.shim = faults.Faults(nursery.dir)
        script = nursery.dir / f"{name}.sh"
        script.write_text(f"#!/bin/sh\n{KIN['setsid']}\n")
        self.config = {**FORGIVING, "models": {"own": {"command": f"/bin/sh {script} {FAKE} --port ${{port}}", "paths": [f"{nursery.dir}:rw"], "slots": 2, "keep": "hot"}}}
        self.h = self.mark = None

    def rule(self, **rule):
        self.shim.clear()
        return self.shim.rule("malloc", error="ENOMEM", program="hob-keeper", **rule)

    def begin(self):
        self.h = self.nursery.hob(self.config, env=self.shim.env, wait="ready")
        self.find_mark()
        return self

    def find_mark(self):
        child = next(p for p in self.h.tree() if "--port" in p.args)
        self.mark = next(v for v in pathlib.Path(f"/proc/{child.pid}/environ").read_bytes().split(b"\0") if v.startswith(b"HOB_CHILD_OF="))

    def serves(self):
        assert self.h.process.poll() is None, f"hob ended with {self.h.process.returncode}: {self.h.stderr()[-3000:]}"
        try:
            return self.h.chat("own", "hello", timeout=5).status == 200
        except (OSError, raw.Gone, raw.FramingError):
            return False

    def work(self):
        """All that the keeper takes memory for: a child that ends and comes back, its words, an upgrade, a gateway that dies."""
        for kill in (lambda p: "--port" in p.args, lambda p: "gateway" in p.args):
            for p in self.h.tree():
                if kill(p):
                    os.kill(p.pid, signal.SIGKILL)
            wait_for("it serves again", self.serves, 30)
        sock = str(self.h.state / "hob.sock")
        assert raw.call(sock, "GET", "/hob/v1/ps", timeout=20).status == 200
        self.upgraded = raw.call(sock, "POST", "/hob/v1/upgrade", b"", timeout=60).status
        wait_for("one gateway", lambda: len([p for p in self.h.tree() if "gateway" in p.args]) == 1, 20)
        wait_for("it serves again", self.serves, 30)


def off_soon(r):
    """There is none for 0.2 s, from the first that is refused."""
    def wait():
        end = time.monotonic() + 5
        while not r.fired and time.monotonic() < end:
            time.sleep(0.005)
        time.sleep(0.2)
        r.off()
    t = threading.Thread(target=wait)
    t.start()
    return t


def test_the_keeper_outlives_a_moment_without_memory(nursery):
    draw, life = gates.rng("keeper-no-memory"), Life(nursery).begin()
    life.work()
    world = Invariants(life.h).settle()
    r = life.rule(first=NEVER)
    life.work()
    calls, fired, upgrades = r.seen, 0, collections.Counter()
    rules = [(n, n) for n in (draw.sample(range(1, calls + 1), ONCE) if ONCE else range(1, calls + 1))] + [(draw.randrange(1, calls), 0) for _ in range(LASTING)]
    keeper = life.h.pid
    for first, to in rules:
        r = life.rule(first=first, to=to)
        over = None if to else off_soon(r)
        life.work()
        if over:
            over.join()
        r.off()
        fired += bool(r.fired)
        upgrades[life.upgraded] += 1
        assert life.h.pid == keeper and WORD not in life.h.stderr(), f"call {first}{'' if to else ' and on'}: {life.h.stderr()[-3000:]}"
    print(dict(upgrades))
    gates.record("malloc-failure", "allocations of the keeper in a life", calls, "")
    gates.record("malloc-failure", "lives of the keeper in which one failed, or all for a while", fired, f">= {len(rules) // 2}")
    assert fired >= len(rules) // 2
    assert not set(upgrades) - {200, 500, 503}
    world.i7_as_before()


@pytest.mark.skipif(gates.FORM == "quick", reason="ten seconds without memory")
def test_a_keeper_that_has_none_for_long_ends_all(nursery):
    life = Life(nursery).begin()
    life.rule(first=1)
    child = next(p for p in life.h.tree() if "--port" in p.args)
    os.kill(child.pid, signal.SIGKILL)
    assert life.h.wait_exit(30) == -signal.SIGABRT
    assert WORD in life.h.stderr()
    wait_for("nothing is left", lambda: not marked(life.mark) and not life.h.survivors(), 3)


def test_the_minder_needs_no_memory(nursery):
    life = Life(nursery).begin()
    wait_for("kin", lambda: len(marked(life.mark)) >= 2)
    life.rule(first=1)
    life.h.signal(signal.SIGKILL)
    life.h.wait_exit(5)
    wait_for("no kin is left", lambda: not marked(life.mark), 3)
    wait_for("nothing else is", lambda: not life.h.survivors(), 2)


def test_a_keeper_that_begins_without_memory(nursery):
    draw, seen, cases = gates.rng("keeper-starts"), collections.Counter(), []
    life = Life(nursery)
    r = life.rule(first=NEVER)
    life.begin()
    calls = r.seen
    life.h.stop()
    for n in draw.sample(range(1, calls + 1), min(STARTS, calls)) if STARTS else range(1, calls + 1):
        cases += [(n, n), (n, 0)]
    for first, to in cases:
        r = life.rule(first=first, to=to)
        over = None if to else off_soon(r)
        h = life.h = nursery.hob(life.config, env=life.shim.env, wait=None)
        wait_for("it listens or has ended", lambda h=h: h.process.poll() is not None or re.search(r"listening on", h.stderr()), 30)
        if over:
            over.join()
        r.off()
        code = h.process.poll()
        assert code is None or code > 0 or (code == -signal.SIGABRT and WORD in h.stderr()), f"{first}..{to}: {code} {h.stderr()[-2000:]}"
        if code is None:
            h.wait_listening()
            wait_for("it serves", life.serves, 30)
            assert h.stop() == 0
        wait_for("nothing is left", lambda h=h: not h.survivors(), 3)
        seen["ended" if code else "served"] += 1
        nursery.hobs.remove(h)
        h.clean()
    print(dict(seen))
    gates.record("malloc-failure", "starts of a keeper in which an allocation failed", len(cases), f">= {2 * STARTS or 2 * calls}")
