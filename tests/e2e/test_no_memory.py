"""Memory that is not there, in the running program: an allocation of the gateway fails under a small mixed load, at each of its places once, and all of
them for a while. A gateway may die of it with a word of its own (die()): the keeper starts another. What must not be: a death without a word, a hang, a request that ends
twice or not at all, a row that is written twice."""

import collections
import contextlib
import os
import re
import signal
import threading
import time

import faults
import gates
import pytest
import raw
from helpers import FAKE, FORGIVING, SANITIZED, wait_for
from invariants import Asked, Invariants, Rows

pytestmark = [pytest.mark.torture, pytest.mark.skipif(SANITIZED or not faults.SHIM.exists(), reason="the shim is not for sanitizers, and for Linux alone")]

STACKS = 3  # frames that make a place
DRAWN = gates.sized(12, 0)  # 0: all
LASTING = gates.sized(3, 40)
WORD = "hob: bug or exhausted machine: "
DIED = re.compile(r"the gateway died of signal (\d+)")
CRASH = re.compile(r"Segmentation fault|\*\*\*: terminated|malloc\(\)|free\(\)|corrupted|Fatal glibc")

SCHEMA = {"type": "object", "properties": {"a": {"type": "integer"}}, "required": ["a"], "additionalProperties": False}
TOOLS = [{"type": "function", "function": {"name": "look", "parameters": SCHEMA}}]
CHATS = [  # model, text, fields
    ("m", "hello [[words 5]]", {}),
    ("m", "hello [[words 5]]", {"stream": True}),
    ("f", "hello [[words 5]]", {"stream": True, "stream_options": {"include_usage": True}}),
    ("m", '[[text "{\\"a\\":1}"]]', {"response_format": {"type": "json_schema", "json_schema": {"name": "s", "schema": SCHEMA, "strict": True}}}),
    ("f", '[[tool look {"a":1}]]', {"tools": TOOLS}),
]
OTHERS = [
    ("GET", "/v1/models", None), ("GET", "/hob/v1/ps", None), ("GET", "/metrics", None), ("GET", "/hob/v1/logs", None), ("POST", "/v1/embeddings", {"model": "e", "input": ["a", "b"]}),
]


class World:
    """hob with a far host and a model of its own."""

    CHATS, OTHERS, ASKED, READERS = CHATS, OTHERS, ("m", "f"), 2

    def __init__(self, nursery):
        self.shim = faults.Faults(nursery.dir)
        self.nursery, self.ends, self.drains, self.h = nursery, collections.Counter(), 4, None
        self.config = {**FORGIVING, "drain": "3s", **self.configured()}
        self.begin()

    def configured(self):
        up = self.nursery.fake()
        return {"engines": {"llama": {"path": str(FAKE)}}, "hosts": {"far": {"url": up.url}},
                "models": {**self.nursery.model("m", slots=4), "f": {"host": "far"}, "e": {"host": "far", "serves": ["embed"]}}}

    def begin(self):
        self.h = self.nursery.hob(self.config, env=self.shim.env, wait="ready")
        self.world = Invariants(self.h, readers=self.READERS)
        self.rows, self.told, self.read = Rows(self.h.state), set(), 0
        self.load()

    def other(self, how, path, body):
        try:
            at = str(self.h.state / "hob.sock") if path.startswith("/hob/") else self.h.at
            self.ends[raw.call(at, how, path, *([body] if body else []), timeout=20).status // 100] += 1
        except (raw.Gone, raw.FramingError, OSError):
            self.ends["cut"] += 1

    def load(self):
        """All of it once, all at the same time, and a reload in the midst; each has its end when this returns."""
        asked = [self.world.ask(model, text, **fields) for model, text, fields in self.CHATS]
        threads = [threading.Thread(target=self.other, args=o) for o in self.OTHERS]
        for t in threads:
            t.start()
        self.drains = 7 - self.drains  # 3, 4, 3, …
        text = self.h.config_path.read_text()
        self.h.config_path.write_text(re.sub(r'"drain": "\ds"', f'"drain": "{self.drains}s"', text))
        with contextlib.suppress(ProcessLookupError):
            self.h.signal(signal.SIGHUP)
        for t in threads:
            t.join(40)
            assert not t.is_alive(), "a call that hangs"
        for a in asked:
            self.ends[a.wait().end] += 1
            if a.end in Asked.WHOLE and a.id:
                self.told.add(a.id)
            assert a.end not in ("late", "odd"), a

    def fresh_gateway(self, call="malloc", error="ENOMEM", **rule):
        """Another gateway, whose places are counted from the first on: what the old one takes does not count."""
        old = self.h.gateway()
        os.kill(old.pid, signal.SIGSTOP)
        self.shim.clear()
        r = self.shim.rule(call, error=error, program="hob", **rule)
        os.kill(old.pid, signal.SIGKILL)
        wait_for("the old one is gone", lambda: not old.alive())
        return r

    def serves(self):
        assert self.h.process.poll() is None, f"hob ended with {self.h.process.returncode}"
        try:
            return all(self.h.chat(name, "hello", timeout=5).status == 200 for name in self.ASKED)
        except (OSError, raw.Gone, raw.FramingError):
            return False

    def deaths(self):
        """Of the gateway, since this was asked last: (the signals, but for our kills; those that had a word; the text)"""
        said = self.h.stderr()[self.read:]
        self.read += len(said)
        signals = [int(s) for s in DIED.findall(said) if int(s) != signal.SIGKILL]
        return signals, said.count(WORD), said

    def try_one(self, **rule):
        """One fault. (places or calls seen, what came of it: "nothing", "word" for a gateway that died of it and said so, else what must not be)"""
        r, for_good = self.fresh_gateway(**rule), not rule["to"]
        try:
            if for_good:
                over = threading.Thread(target=self.gone_for_a_while, args=(r,))
                over.start()
            self.load()
            if for_good:
                over.join()
        except AssertionError as e:
            return r, f"{e}: {self.deaths()[2][-1500:]}"
        finally:
            r.off()
        if self.h.process.poll() is not None:
            return r, f"hob ended with {self.h.process.returncode}: {self.deaths()[2][-1500:]}"
        wait_for("it serves again", self.serves, 30)
        signals, words, said = self.deaths()
        if any(s != signal.SIGABRT for s in signals) or len(signals) > words or CRASH.search(said):
            return r, f"signals {signals}, {words} words: {said[-1500:]}"
        return r, self.rows_lost(signals, said) or ("word" if signals else "nothing")

    def rows_lost(self, signals, said):
        """Each answer has its row. Only those are gone that waited for a store that failed (as it said) in a gateway that died."""
        def written():
            self.told -= self.rows.look()
            return not self.told
        fair = signals and "hob.db" in said
        try:
            wait_for("rows are written", written, 0.1 if fair else 10)
        except AssertionError:
            if fair:
                self.told.clear()
                return None
            return f"{len(self.told)} rows are lost: {said[-1500:]}"
        return None

    @staticmethod
    def gone_for_a_while(r):
        end = time.monotonic() + 3
        while not r.fired and time.monotonic() < end:
            time.sleep(0.005)
        time.sleep(0.2)  # how long there is none
        r.off()

    def again(self):
        """After a hob that has ended, another."""
        if self.h.process.poll() is not None:
            self.shim.clear()
            self.nursery.hobs.remove(self.h)
            self.h.kill()
            self.begin()


def torture(w, draw, of="", drawn=DRAWN, lasting=LASTING):
    """Each place once, or some, and so many times all for a while; `of` stands behind the figures' names."""
    w.world.settle()
    r, _ = w.try_one(stacks=STACKS, first=1, to=1 << 40, every=1 << 40)  # the first of all; and how many there are
    places = r.seen
    once = draw.sample(range(2, places + 1), min(drawn, places - 1)) if drawn else range(2, places + 1)
    r = w.fresh_gateway(first=1 << 40, to=0)
    wait_for("it serves", w.serves, 30)
    w.load()
    calls = r.seen
    rules = [{"stacks": STACKS, "first": k, "to": k} for k in once] + [{"first": draw.randrange(1, calls), "to": 0} for _ in range(lasting)]
    draw.shuffle(rules)
    outcomes, bad, fired, end = collections.Counter(), [], 0, time.monotonic() + gates.SECONDS
    done = []
    for rule in rules:
        if time.monotonic() > end:
            break
        done.append(rule)
        r, outcome = w.try_one(**rule)
        fired += bool(r.fired)
        outcomes[outcome if outcome in ("nothing", "word") else "bad"] += 1
        if outcome not in ("nothing", "word"):
            bad.append(f"{rule}: {outcome}")
            print(bad[-1], flush=True)
            w.again()
    w.shim.clear()
    print(dict(outcomes), dict(w.ends), f"{fired} of {len(done)} came to pass")
    gates.record("malloc-failure", f"places of the running gateway{of}", places, "")
    gates.record("malloc-failure", f"places of the running gateway that failed once, under load{of}", sum("stacks" in rule for rule in done), f">= {drawn or places - 1}")
    gates.record("malloc-failure", f"times that the running gateway had no memory for a while{of}", sum("stacks" not in rule for rule in done), f">= {lasting}")
    gates.record("malloc-failure", f"gateways that died with a word and were followed by another{of}", outcomes["word"], "")
    gates.record("malloc-failure", f"crashes, aborts without a word, hangs, requests without an end, rows lost{of}", len(bad), "= 0")
    gates.record("malloc-failure", f"rows doubled{of}", len(w.rows.doubled), "= 0")
    assert not bad, "\n\n".join(bad[:20])
    assert fired >= len(done) // 2 - 1 and not w.rows.doubled and w.rows.integrity() == ["ok"]
    wait_for("it serves", w.serves, 30)
    w.world.i4_memory()
    w.world.i6_no_secret()
    w.world.i7_as_before()


def test_a_gateway_without_memory_says_so_or_goes_on(nursery):
    torture(World(nursery), gates.rng("no-memory"))
