"""The kill matrix: each process, by each signal, at each moment of a request's life; after it the invariants.

A cell is (victim, signal, moment). Its callers were under way when the victim was hit; each of them must have been told its end, rows that were
acknowledged are there once, and hob serves again: by itself, or, when the keeper was the victim, when it is started again.

What the callers may be told depends on who was hit:
    gateway   the end of their connection (a crash), or an answer when it was only stopped
    keeper    likewise, for it takes all with it; by TERM it ends what runs first
    child     an answer or an error, never the bare end of a connection"""

import contextlib
import os
import signal
import sqlite3
import threading
import time

import gates
import pytest
from crowd import Crowd
from helpers import FAKE, FORGIVING, SANITIZED, SLOW, Process, wait_for
from invariants import Asked, Invariants

from test_admin import act

CANARY = "sk-canary-1b2f0e5d7c9a4e68b3d1"
HOLD = gates.sized(1.5, 30.0)  # seconds that a stopped process stays stopped
REPEATS = gates.sized(1, 3)

VICTIMS = ("gateway", "keeper", "child")
SIGNALS = ("KILL", "SEGV", "ABRT", "TERM", "STOP")
MOMENTS = ("idle", "loading", "prefill", "stream", "end", "reload", "commit")

# Those that the quick form has: every victim with every signal, and every moment for each victim.
QUICK = {
    ("gateway", "KILL"): ("loading", "stream", "end", "reload", "commit"), ("gateway", "SEGV"): ("prefill",), ("gateway", "ABRT"): ("idle",),
    ("gateway", "TERM"): ("stream",), ("gateway", "STOP"): ("stream",),
    ("keeper", "KILL"): ("stream", "commit"), ("keeper", "SEGV"): ("loading",), ("keeper", "ABRT"): ("end",), ("keeper", "TERM"): ("prefill",),
    ("keeper", "STOP"): ("reload",),
    ("child", "KILL"): ("loading", "stream", "commit"), ("child", "SEGV"): ("end",), ("child", "ABRT"): ("prefill",), ("child", "TERM"): ("reload",),
    ("child", "STOP"): ("stream",),
}
CELLS = [(v, s, m) for v in VICTIMS for s in SIGNALS for m in MOMENTS if gates.FORM == "long" or m in QUICK[v, s]]


def impossible(victim, sig):
    """Cells that cannot be, and why."""
    if SANITIZED and sig == "SEGV" and victim != "child":
        return "a sanitizer reports the SEGV that was sent as one of the program's own"
    return None


# -- the world, and the moments


class Cell:
    def __init__(self, nursery, name, victim, sig, moment, rng):
        # What nobody will hear the end of may be long; who has heard nothing from a child that died is asked for once more, and hears the end.
        cut = sig not in ("TERM", "STOP")
        self.first_ms, self.words = 10000 if cut and victim != "child" else 1000, 1000 if cut else 40
        self.words_of_whole = self.words if victim != "child" else 40
        self.rng, self.moment, self.name, self.callers = rng, moment, name, []
        self.undo, self.let_go = contextlib.ExitStack(), contextlib.ExitStack()
        self.undo.push(self.let_go)
        loading = moment == "loading"
        up = nursery.fake(script="keepalive_ms 250")
        model = nursery.model(name, f"keepalive_ms 250\nload_ms {700 if loading else 50}", keep="demand" if loading else "hot", slots=4, silence="1s")
        self.h = nursery.hob({"engines": {"llama": {"path": str(FAKE)}}, "hosts": {"far": {"url": up.url, "key": CANARY}}, **FORGIVING, "drain": "5s",
                              "queue": {"deadline": "20s"}, "models": {**model, "f": {"host": "far"}}}, wait="ready")
        self.world = Invariants(self.h, secrets=[CANARY])
        for model in (name, "f"):
            assert self.h.chat(model, "hello").status == 200
        self.world.settle()
        if loading:
            assert act(self.h, "unload", name).status == 200
            wait_for("it is unloaded", lambda: not self.h.children())

    def ask(self, text, **fields):
        return self.world.ask(self.name, text, **{"deadline": 20 + HOLD} | fields)

    def bring_about(self):
        getattr(self, "at_" + self.moment)()

    # each of these returns at the moment that it is named for

    def at_idle(self):
        pass

    def at_loading(self):
        self.callers = [self.ask("hello"), self.ask("hello [[words 3]]", stream=True)]
        self.h.child(self.name)

    def at_prefill(self):
        fake = self.h.child(self.name).control
        self.callers = [self.ask(f"[[first_ms {self.first_ms}]]"), self.ask(f"[[first_ms {self.first_ms}]]", stream=True)]
        fake.wait("both are being read", lambda l: l.in_flight == 2)

    def at_stream(self):
        fake = self.h.child(self.name).control
        fake.reset()
        self.callers = [self.ask(f"[[words {self.words}]] [[gap_ms 30]]", stream=True), self.ask(f"[[words {self.words_of_whole}]] [[gap_ms 30]]")]
        fake.wait("both are under way", lambda l: len(l.chats) == 2)
        assert self.callers[0].some.wait(10 * SLOW)

    def at_end(self):
        """All is said, but for the last chunk, which waits for its row, which waits for us."""
        fake = self.h.child(self.name).control
        fake.reset()
        db = sqlite3.connect(self.h.state / "hob.db", isolation_level=None, timeout=20)
        self.let_go.callback(db.close)
        db.execute("BEGIN IMMEDIATE")
        self.callers = [self.ask("hello", stream=True), self.ask("hello")]
        fake.wait("both are said", lambda l: l.completed == 2)
        assert self.callers[0].some.wait(10 * SLOW) and self.callers[0].end is None

    def at_reload(self):
        self.at_stream()
        text = self.h.config_path.read_text()
        new = text.replace('"slots": 4', '"slots": 3', 1).replace('"drain": "5s"', '"drain": "6s"')
        assert new != text
        self.h.config_path.write_text(new)
        self.h.signal(signal.SIGHUP)
        time.sleep(self.rng.random() * 0.02)  # anywhere in it

    def at_commit(self):
        """Rows by the hundred: whenever it is, one of them is being written."""
        self.crowd = Crowd(self.h, self.h.dir, models=[self.name, "f"], mix="plain=2,stream=1", seed=self.rng.getrandbits(31), report_ms=50)
        self.undo.callback(self.end_crowd)
        self.crowd.wait_whole(50)
        time.sleep(self.rng.random() * 0.1)

    def end_crowd(self):
        try:
            self.crowd.stop()
        finally:
            self.crowd.kill()
        self.world.note(self.crowd.new_ids())


def victim_of(cell, victim):
    h = cell.h
    return Process(h.pid) if victim == "keeper" else h.gateway() if victim == "gateway" else h.child(cell.name)


# -- hitting


def stopped_for_a_while(cell, victim, p):
    os.kill(p.pid, signal.SIGSTOP)
    cell.let_go.close()
    cell.undo.callback(lambda: p.alive() and os.kill(p.pid, signal.SIGCONT))
    if victim == "gateway":  # who comes meanwhile waits, and is served then
        cell.callers.append(cell.ask("hello"))
    if victim == "keeper":  # nobody needs it for an answer from a model that is there
        if cell.moment not in ("loading", "reload"):
            assert cell.h.chat(cell.name, "hello").status == 200
    end = time.monotonic() + HOLD
    if victim == "child":
        wait_for("it is found out and gone, or nobody asked it anything", lambda: not p.alive() or time.monotonic() > end, HOLD + 5)
    else:
        time.sleep(max(0, end - time.monotonic()))
    if p.alive():
        os.kill(p.pid, signal.SIGCONT)


def hit(cell, victim, sig):
    p = victim_of(cell, victim)
    began = time.monotonic()
    cell.under_way = [a for a in cell.callers if not a.end]
    if sig == "STOP":
        stopped_for_a_while(cell, victim, p)
    else:
        os.kill(p.pid, getattr(signal, "SIG" + sig))
    if cell.moment == "end" and sig != "STOP":
        wait_for("it is dead", lambda: not p.alive() or sig == "TERM", 10)
    cell.undo.close()  # whoever held the row lets go; the crowd ends
    return p, began


# -- afterwards


CUT_IS_FAIR = {"gateway": ("KILL", "SEGV", "ABRT"), "keeper": ("KILL", "SEGV", "ABRT"), "child": ()}


def assert_told(cell, victim, sig):
    for a in cell.callers:
        a.wait()
        if sig in CUT_IS_FAIR[victim]:
            assert a.end in (*Asked.WHOLE, "cut"), a
        else:
            assert a.end in Asked.WHOLE, a
        if a.end in ("refused", "told"):
            assert a.error["hob"]["fault"] in ("backend", "gateway"), a


def start_again(nursery, cell):
    """What a dead hob left is no obstacle."""
    h = cell.h
    again = nursery.hob(h.config_path.read_text(), dir=h.dir, wait="ready")
    try:
        assert again.chat(cell.name, "hello").status == 200
        again.stop()
    finally:
        nursery.hobs.remove(again)
        again.kill()


def run_cell(nursery, victim, sig, moment, name="m"):
    cell = Cell(nursery, name, victim, sig, moment, gates.rng(f"{victim}-{sig}-{moment}-{name}"))
    with cell.undo:
        cell.bring_about()
        p, began = hit(cell, victim, sig)
        assert cell.under_way or moment not in ("prefill", "stream", "end") or sig in ("TERM", "STOP"), f"too late for this moment: {cell.callers}"
        told = [a.wait().ended - began for a in cell.under_way]
        ends = victim == "keeper" and sig != "STOP" or victim == "gateway" and sig == "TERM"
        if ends:
            cell.h.wait_exit(20)
            assert_told(cell, victim, sig)
            cell.world.check_dead()
            start_again(nursery, cell)
            return told, None
        wait_for("it serves again", lambda: serves(cell), 25)
        back = time.monotonic() - began
        if victim == "child" and sig != "STOP":
            wait_for("the old one is gone", lambda: not p.alive() or sig == "TERM")
        assert_told(cell, victim, sig)
        cell.world.check()
        return told, back


def serves(cell):
    try:
        return cell.h.chat(cell.name, "hello").status == 200
    except (OSError, ValueError):
        return False


@pytest.fixture(scope="module")
def ledger():
    """One line for each cell that held; what they come to is recorded at the end."""
    lines = []
    yield lines
    for victim in VICTIMS:
        mine = [c for c in lines if c[0] == victim]
        dead = [c for c in mine if c[1] not in ("STOP", "TERM")]
        gates.record("kill matrix", f"{victim}: cells that hold", len(mine), f"= {len([c for c in CELLS if c[0] == victim])}", times=REPEATS)
        if dead:
            gates.record("kill matrix", f"{victim} dead: callers told within, ms", round(1000 * max(c[3] for c in dead)), "")
            gates.record("kill matrix", f"{victim} dead: served again within, ms", round(1000 * max(c[4] for c in dead)), "")


@pytest.mark.torture
@pytest.mark.parametrize("victim, sig, moment", CELLS, ids=["-".join(c) for c in CELLS])
def test_killed(nursery, ledger, victim, sig, moment):
    why = impossible(victim, sig)
    if why:
        pytest.skip(why)
    if sig == "STOP" and REPEATS > 1:  # they only wait: side by side
        results, threads = [], []

        def one(i):
            results.append(run_cell(nursery, victim, sig, moment, f"m{i}"))
        for i in range(REPEATS):
            threads.append(threading.Thread(target=one, args=(i,)))
            threads[-1].start()
        for t in threads:
            t.join()
        assert len(results) == REPEATS
    else:
        results = [run_cell(nursery, victim, sig, moment, f"m{i}") for i in range(REPEATS)]
    told = max((t for r in results for t in r[0]), default=0.0)
    back = max((r[1] for r in results if r[1] is not None), default=0.0)
    print(f"callers were told within {told:.2f} s, it served again after {back:.2f} s")
    ledger.append((victim, sig, moment, told, back))
