"""The kill matrix: each process, by each signal, at each moment of a request's life; after it the invariants.

A cell is (victim, signal, moment). Its callers were under way when the victim was hit; each of them must have been told its end, rows that were
acknowledged are there once, and hob serves again: by itself, or, when the keeper was the victim, when it is started again.

What the callers may be told depends on who was hit:
    gateway   the end of their connection (a crash), or an answer when it was only stopped
    keeper    likewise, for it takes all with it; by TERM it ends what runs first
    child     an answer or an error, never the bare end of a connection

Three moments are a swap's: on trial, its suites being put to both models, an engine's models moving to another build. Whoever dies, the swap is
what it was, its steps stand in the log once, and who answers is who it says."""

import contextlib
import json
import os
import pathlib
import shutil
import signal
import sqlite3
import subprocess
import threading
import time

import gates
import pytest
import raw
from crowd import Crowd
from helpers import FAKE, FORGIVING, HOB, SANITIZED, SLOW, Process, wait_for
from invariants import Asked, Invariants

from test_admin import act, ps

CANARY = "sk-canary-1b2f0e5d7c9a4e68b3d1"
HOLD = gates.sized(1.5, 30.0)  # seconds that a stopped process stays stopped
REPEATS = gates.sized(1, 3)

VICTIMS = ("gateway", "keeper", "child")
SIGNALS = ("KILL", "SEGV", "ABRT", "TERM", "STOP")
MOMENTS = ("idle", "loading", "prefill", "stream", "end", "reload", "commit", "trial", "evidence", "move")

# Those that the quick form has: every victim with every signal, and every moment for each victim.
QUICK = {
    ("gateway", "KILL"): ("loading", "stream", "end", "reload", "commit", "trial"), ("gateway", "SEGV"): ("prefill", "evidence"), ("gateway", "ABRT"): ("idle", "move"),
    ("gateway", "TERM"): ("stream",), ("gateway", "STOP"): ("stream",),
    ("keeper", "KILL"): ("stream", "commit", "move"), ("keeper", "SEGV"): ("loading",), ("keeper", "ABRT"): ("end", "trial"), ("keeper", "TERM"): ("prefill", "evidence"),
    ("keeper", "STOP"): ("reload",),
    ("child", "KILL"): ("loading", "stream", "commit", "move"), ("child", "SEGV"): ("end", "trial"), ("child", "ABRT"): ("prefill", "evidence"), ("child", "TERM"): ("reload",),
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
        self.engine = build(nursery, name + "-old", "load_ms 50") if moment == "move" else FAKE
        model = nursery.model(name, "keepalive_ms 250" + ("" if moment == "move" else f"\nload_ms {700 if loading else 50}"),
                              keep="demand" if loading else "hot", slots=4, silence="1s")
        self.nursery, self.swap = nursery, None
        self.h = nursery.hob({"engines": {"llama": {"path": str(self.engine)}}, "hosts": {"far": {"url": up.url, "key": CANARY}}, **FORGIVING, "drain": "5s",
                              "queue": {"deadline": "20s"}, "models": {**model, "f": {"host": "far"}}, "roles": {"chat": {"model": "f"}}}, wait="ready")
        self.world = Invariants(self.h, secrets=[CANARY])
        for model in (name, "f"):
            assert self.h.chat(model, "hello").status == 200
        self.world.settle()
        if loading:
            assert act(self.h, "unload", name).status == 200
            wait_for("it is unloaded", lambda: not self.h.children())

    def ask(self, text, model=None, **fields):
        return self.world.ask(model or self.name, text, **{"deadline": 20 + HOLD} | fields)

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

    def at_trial(self):
        """The model answers a role on trial, in place of another; callers of the role are with it."""
        self.swap = Swap(self, roles=[{"role": "chat", "to": self.name}])
        self.swap.step("start", force=True, why="a test")
        fake = self.h.child(self.name).control
        fake.reset()
        self.callers = [self.ask(f"[[words {self.words}]] [[gap_ms 30]]", model="chat", stream=True), self.ask("hello [[words 40]] [[gap_ms 30]]", model="chat")]
        fake.wait("both are under way at the new one", lambda l: len(l.chats) == 2)
        assert self.callers[0].some.wait(10 * SLOW)

    def at_evidence(self):
        """The same cases are put to the old model and the new one, by a command that reads the answers at the door as any caller does."""
        self.swap = Swap(self, roles=[{"role": "chat", "to": self.name}])
        fake = self.h.child(self.name).control
        fake.reset()
        evidence = self.swap.gather(self.h)
        self.undo.callback(lambda: assert_evidence(evidence, either=True))
        fake.wait("it has begun", lambda l: len(l.chats) > 1)
        self.callers = [self.ask("hello [[words 40]] [[gap_ms 30]]", stream=True)]
        assert self.callers[0].some.wait(10 * SLOW)

    def at_move(self):
        """The old build's child is gone, the new build's one loads, and callers wait for it."""
        new = build(self.nursery, self.name + "-new", "load_ms 1500")
        self.swap = Swap(self, engine={"name": "llama", "to": str(new)})
        self.swap.step("start", force=True, why="a test")
        wait_for("the new build's child", lambda: self.build_of(self.h) == self.name + "-new", 20)
        self.callers = [self.ask("hello"), self.ask("hello [[words 3]]", stream=True)]
        wait_for("they wait for it, or have been answered", lambda: ps(self.h, self.name)["queue"]["depth"] == 2 or any(a.end for a in self.callers))

    def build_of(self, h):
        try:
            return pathlib.Path(os.readlink(f"/proc/{h.child(self.name).pid}/exe")).parent.name
        except OSError:
            return None


def build(nursery, name, script):
    """A build of the engine: a copy of the fake in a folder of its own."""
    folder = nursery.dir / name
    folder.mkdir()
    shutil.copy2(FAKE, folder / "llama-server")
    (folder / "llama-server.script").write_text(script + "\n")
    return folder / "llama-server"


class Swap:
    """A swap that somebody dies in. After it `check()`: it is what it was, and so is who answers."""

    CASES = [{"id": f"c{i}", "input": f"hello {i} [[first_ms 40]] [[words 4]]", "expect": [{"min_words": 2}]} for i in range(8)]

    def __init__(self, cell, **plan):
        self.cell, self.h = cell, cell.h
        self.id = self.admin("POST", "swaps/plan", plan)["id"]

    def admin(self, how, path, body=None):
        got = raw.call(str(self.h.state / "hob.sock"), how, "/hob/v1/" + path, json.dumps(body).encode() if body else b"", timeout=20)
        assert got.status == 200, got
        return got.json()

    def step(self, step, **more):
        return self.admin("POST", "swaps/step", {"id": self.id, "step": step, **more})

    def show(self):
        return self.admin("GET", f"swaps?id={self.id}")

    def gather(self, h):
        suite = h.dir.parent / f"{h.dir.name}-suite.yaml"  # outside of its folder: what names that is taken for one of its processes
        suite.write_text(json.dumps({"suite": "kills", "cases": self.CASES}))
        self.cell.undo.callback(lambda: suite.unlink(missing_ok=True))
        return subprocess.Popen([HOB, "swap", "evidence", str(self.id), "--suite", suite, "--quiet", "-c", h.config_path], env=h.env, stdin=subprocess.DEVNULL,
                                stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    def check(self, h, victim):
        """h: who serves now, the same hob or one that was started after it."""
        self.h, moment = h, self.cell.moment
        seen = getattr(self, "check_" + moment)(victim)
        steps = [s["step"] for s in self.admin("GET", f"swaps/log?id={self.id}")["steps"]]
        assert steps in seen, steps

    def check_trial(self, victim):
        assert self.show()["state"] == "trial"
        wait_for("the new one answers", lambda: self.who("chat") == self.cell.name, 20)  # while it loads again the old one does
        return [["plan", "start"]]

    def check_evidence(self, victim):
        """What was gathered counts, or nothing does; asked for again it is there."""
        assert self.show()["state"] in ("planned", "evidenced")
        assert_evidence(self.gather(self.h), either=False)
        assert self.show()["state"] == "evidenced"
        return [["plan", "evidence"], ["plan", "evidence", "evidence"]]

    def check_move(self, victim):
        """Where the swap says: a build whose child died before it came up may be taken for one that does not come up."""
        wait_for("it answers", lambda: self.who(self.cell.name), 20)
        state = self.show()["state"]
        assert state == "trial" or victim == "child" and state == "rolled_back", state
        wait_for("it runs in the build that it should", lambda: self.cell.build_of(self.h) == self.cell.name + ("-new" if state == "trial" else "-old"), 20)
        wait_for("it answers there", lambda: self.who(self.cell.name), 20)
        return [["plan", "start"]] if state == "trial" else [["plan", "start", "breach"]]

    def who(self, model):
        got = self.h.chat(model, "hello")
        return got.status == 200 and got.get("x-hob-model")


def assert_evidence(p, either):
    """either: it may have failed, with a word, when whom it asked died."""
    out, err = p.communicate(timeout=(60 + HOLD) * SLOW)
    assert p.returncode == 0 or either and p.returncode in (1, 3) and "hob:" in err, (p.returncode, out, err)


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


def start_again(nursery, cell, victim):
    """What a dead hob left is no obstacle."""
    h = cell.h
    again = nursery.hob(h.config_path.read_text(), dir=h.dir, wait="ready")
    try:
        assert again.chat(cell.name, "hello").status == 200
        if cell.swap:
            cell.swap.check(again, victim)
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
            start_again(nursery, cell, victim)
            return told, None
        wait_for("it serves again", lambda: serves(cell), 25)
        back = time.monotonic() - began
        if victim == "child" and sig != "STOP":
            wait_for("the old one is gone", lambda: not p.alive() or sig == "TERM")
        assert_told(cell, victim, sig)
        if cell.swap:
            cell.swap.check(cell.h, victim)
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
        if not mine:  # a run may be about one of them alone
            continue
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
