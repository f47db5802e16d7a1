"""What a child has started itself goes with it, whoever is killed: nobody is left holding memory, and nobody else is hit.

The child is a program (`command:`) that starts kin before, or instead of, becoming the engine."""

import contextlib
import os
import pathlib
import signal
import subprocess
import time

import gates
import pytest
from helpers import FAKE, SLOW, wait_for

from test_admin import act

pytestmark = pytest.mark.torture
TURNS = range(gates.sized(1, 10))

KIN = {
    "grandchild": "sleep 1000 & exec \"$@\"",
    "deaf": "sh -c \"trap '' TERM HUP INT; while :; do sleep 1000; done\" & exec \"$@\"",
    "setsid": "setsid sleep 1000 & exec \"$@\"",
    "daemon": "(setsid sh -c 'sleep 1000 & exec sleep 1000' &) ; exec \"$@\"",
    "wrapped": "\"$@\" & wait",
}


def marked(mark):
    """The living that have it in their environment."""
    found = []
    for entry in pathlib.Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                if mark in (entry / "environ").read_bytes().split(b"\0") and (entry / "stat").read_text().rpartition(")")[2].split()[0] not in "ZX":
                    found.append(int(entry.name))
            except OSError:
                pass
    return found


class Family:
    def __init__(self, nursery, kin):
        script = nursery.dir / "family.sh"
        script.write_text(f"#!/bin/sh\n{KIN[kin]}\n")
        self.h = nursery.hob({"models": {"own": {"command": f"/bin/sh {script} {FAKE} --port ${{port}}", "paths": [f"{nursery.dir}:rw"], "slots": 2, "keep": "hot"}}}, wait="ready")
        assert self.h.chat("own", "hello").status == 200
        child = next(p for p in self.h.tree() if "--port" in p.args)
        self.mark = next(v for v in pathlib.Path(f"/proc/{child.pid}/environ").read_bytes().split(b"\0") if v.startswith(b"HOB_CHILD_OF="))
        self.kin = wait_for("child and kin", lambda: len(m := marked(self.mark)) >= 2 and m)
        self.h.tree()

    def gone(self, seconds=2.0):
        began = time.monotonic()
        wait_for("no kin is left", lambda: not marked(self.mark), seconds)
        self.took = time.monotonic() - began


@pytest.fixture(scope="module")
def ledger():
    """Families that ended, and how long it took until nobody of them lived; what they come to is recorded at the end."""
    took, strangers = [], []
    yield took, strangers
    if took:
        gates.record("orphans", "families (grandchildren, deaf, in sessions of their own, daemons) whose hob, keeper or engine ended", len(took), f">= {16 * len(TURNS)}")
        gates.record("orphans", "of them with somebody alive 2 s later", sum(t > 2 for t in took), "= 0" if SLOW == 1 else "")  # where all deadlines are longer, so is this
        gates.record("orphans", "until nobody of them lived, at most ms", round(1000 * max(took)), "")
        gates.record("orphans", "strangers with nearly the same mark, and children of the next hob: hit", 0, "= 0", of=len(strangers))


@pytest.fixture(params=TURNS)
def family(request, nursery, ledger):
    made = []

    def make(kin):
        made.append(Family(nursery, kin))
        return made[-1]
    yield make
    ledger[0].extend(f.took for f in made if hasattr(f, "took"))
    for f in made:
        for pid in marked(f.mark):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)


@pytest.mark.parametrize("kin", KIN)
def test_the_keeper_is_killed(family, kin):
    f = family(kin)
    f.h.signal(signal.SIGKILL)
    f.h.wait_exit(5)
    f.gone()
    wait_for("nothing else is", lambda: not f.h.survivors(), 2)


@pytest.mark.parametrize("kin", ["setsid", "wrapped"])
def test_keeper_and_gateway_are_killed_together(family, kin):
    f = family(kin)
    gateway = f.h.gateway()
    os.kill(gateway.pid, signal.SIGSTOP)
    os.kill(f.h.pid, signal.SIGKILL)
    with contextlib.suppress(ProcessLookupError):  # it dies with the keeper
        os.kill(gateway.pid, signal.SIGKILL)
    f.h.wait_exit(5)
    f.gone()
    wait_for("nothing else is", lambda: not f.h.survivors(), 2)


@pytest.mark.parametrize("kin", KIN)
def test_it_is_unloaded(family, kin):
    f = family(kin)
    assert act(f.h, "unload", "own").status == 200
    f.gone()


@pytest.mark.parametrize("kin", ["deaf", "daemon"])
def test_hob_is_stopped(family, kin):
    f = family(kin)
    assert f.h.stop() == 0
    f.gone()


def test_the_child_is_killed(family):
    f = family("setsid")
    child = next(p for p in f.h.tree() if "--port" in p.args)
    os.kill(child.pid, signal.SIGKILL)
    began = time.monotonic()
    wait_for("its kin are gone", lambda: not set(f.kin) & set(marked(f.mark)))
    f.took = time.monotonic() - began


def test_strangers_are_left_alone(family, ledger):
    """Nearly the same mark."""
    f = family("setsid")
    strangers = [subprocess.Popen(["sleep", "1000"], env={"HOB_CHILD_OF": f.mark.decode().partition("=")[2] + end}, start_new_session=True) for end in ("0", "/r")]
    try:
        f.h.signal(signal.SIGKILL)
        f.h.wait_exit(5)
        f.gone()
        wait_for("who looks after them has ended", lambda: not f.h.survivors(), 2)
        assert [s.poll() for s in strangers] == [None, None]
        ledger[1].extend(strangers)
    finally:
        for s in strangers:
            s.kill()
            s.wait()


def test_the_children_of_the_next_hob_are_left_alone(family, nursery, ledger):
    """They have the very mark of the dead; and the minder of the dead comes late."""
    f = family("setsid")
    minder = next(p for p in f.h.survivors() if p.name == "hob-minder")
    os.kill(minder.pid, signal.SIGSTOP)
    f.h.signal(signal.SIGKILL)
    f.h.wait_exit(5)
    again = nursery.hob(f.h.config_path.read_text(), dir=f.h.dir, wait="ready")
    wait_for("the old are gone, the new are there", lambda: (now := set(marked(f.mark))) and not now & set(f.kin))
    new = set(marked(f.mark))
    os.kill(minder.pid, signal.SIGCONT)
    wait_for("it has looked", lambda: not minder.alive(), 5)
    assert new <= set(marked(f.mark)) and again.chat("own", "hello").status == 200
    ledger[1].extend(new)
