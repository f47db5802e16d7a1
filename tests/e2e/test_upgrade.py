"""Another program takes over while hob serves: nobody is refused, nothing is cut, the models stay where they are, and each answer has its row, once."""

import json
import os
import pathlib
import shutil
import signal
import sqlite3
import threading
import time

import gates
import pytest
import raw
from helpers import HOB, SLOW, chat_body, cli, content_of, wait_for


class Old:
    """A hob that is to be upgraded, and its new programs: copies of the same one at other paths."""

    def __init__(self, nursery, models=None, **config):
        from helpers import FAKE
        self.dir = nursery.dir
        config = {"engines": {"llama": {"path": str(FAKE)}}, "models": models or nursery.model("m", slots=4), **config}
        self.hob = nursery.hob(config, wait="ready")
        self.copies = 0

    def copy(self):
        """A new hob at another path."""
        self.copies += 1
        to = self.dir / f"hob-{self.copies}"
        shutil.copy2(HOB, to)
        return to

    def ask(self, program=None, timeout=60.0, **fields):
        body = {**({"program": str(program)} if program else {}), **fields}
        return raw.call(str(self.hob.state / "hob.sock"), "POST", "/hob/v1/upgrade", json.dumps(body) if body else b"", timeout=timeout * SLOW)

    def upgrade(self, program=None, **fields):
        got = self.ask(program or self.copy(), **fields)
        assert got.status == 200, (got.body, self.hob.stderr()[-3000:])
        return got.json()

    def cli(self, *args):
        return cli(*args, "-c", self.hob.config_path, env=self.hob.env, dir=self.hob.dir)

    def pids(self):
        ps = raw.call(str(self.hob.state / "hob.sock"), "GET", "/hob/v1/ps").json()
        return {b["model"]: b["pid"] for b in ps["backends"] if b["pid"]}

    def gateways(self):
        return [p for p in self.hob.tree() if "gateway" in p.args]

    def wait_alone(self, seconds=15.0):
        """One gateway is left: the old one has ended what it had begun."""
        wait_for("one gateway", lambda: len(self.gateways()) == 1, seconds)
        return self.gateways()[0]

    def rows(self):
        """Ids in the store, each as often as it is there."""
        with sqlite3.connect(f"file:{self.hob.state}/hob.db?mode=ro", uri=True, timeout=10) as db:
            return ["req_" + bytes(i).hex() for i, in db.execute("SELECT id FROM requests")]


@pytest.fixture
def old(nursery):
    return lambda *a, **kw: Old(nursery, *a, **kw)


class Load:
    """Callers that never stop, on connections that they keep, and on new ones: an answer that is not whole is a failure."""

    def __init__(self, h, model="m", callers=6):
        self.h, self.model, self.failed, self.ids = h, model, [], []
        self.stopping = threading.Event()
        kinds = [self.keeping, self.streaming, self.coming]
        self.threads = [threading.Thread(target=kinds[n % 3], args=(n,)) for n in range(callers)]
        for t in self.threads:
            t.start()

    def note(self, r, whole):
        (self.ids if r.status == 200 and whole else self.failed).append(r.get("x-request-id") if r.status == 200 and whole else (r.status, r.body[-300:]))

    def loop(self, once):
        while not self.stopping.is_set():
            try:
                once()
            except Exception as e:  # whatever it is: it is the caller's trouble
                self.failed.append(repr(e))
                return

    def keeping(self, n):
        """One connection for all requests; when hob closes it between two, it is made again, as any client does."""
        with self.h.connect(timeout=60 * SLOW) as c:
            def once():
                r = c.request("POST", "/v1/chat/completions", chat_body(self.model, f"[[words {n % 4 + 2}]] [[gap_ms 1]]"))
                self.note(r, r.json()["choices"][0]["finish_reason"] == "stop")
                assert r.get("connection") != "close", "a kept connection is to be closed"
            self.loop(once)

    def streaming(self, n):
        def once():
            with self.h.open_chat(self.model, "[[words 20]] [[gap_ms 5]]", stream=True, timeout=60 * SLOW) as c:
                r = c.start()
                r.body = b""
                events = list(c.stream(r)) if r.status == 200 else []
                self.note(r, events and events[-1] == ("data", "[DONE]") and len(content_of(events).split()) == 20)
        self.loop(once)

    def coming(self, n):
        def once():
            r = self.h.chat(self.model, "[[words 3]]", timeout=60 * SLOW)
            self.note(r, True)
        self.loop(once)

    def more(self, n=6):
        seen = len(self.ids)
        wait_for("more answers", lambda: len(self.ids) >= seen + n or self.failed, 30)

    def stop(self):
        self.stopping.set()
        for t in self.threads:
            t.join(60 * SLOW)
        return self.ids


def lost_and_doubled(old, ids):
    rows = old.rows()
    known = set(rows)
    return [i for i in ids if i not in known], len(rows) - len(known)


# -- what it does


def test_a_stream_a_kept_connection_and_a_model_go_on(old):
    o = old()
    h = o.hob
    before, keeper = o.pids(), h.pid
    with h.connect() as kept, h.open_chat("m", "[[words 60]] [[gap_ms 20]]", stream=True) as c:
        assert kept.request("POST", "/v1/chat/completions", chat_body("m", "hello")).status == 200
        stream = c.stream(c.start())
        next(stream)
        got = o.upgrade()
        assert got["schema"] == 1 and got["connections"] >= 1 and got["requests"] == 1 and got["gap_ms"] > 0
        assert got["from"]["pid"] != got["to"]["pid"] and got["program"].endswith("hob-1")
        assert len(o.gateways()) == 2
        assert h.chat("m", "hello").status == 200
        answer = kept.request("POST", "/v1/chat/completions", chat_body("m", "hello"))
        assert answer.status == 200 and answer.get("connection") is None
        assert len(o.gateways()) == 2, "it was answered by the new one while the old one streams"
        assert len(list(stream)) > 50
    now = o.wait_alone()
    assert now.pid == got["to"]["pid"] and now.args[0].endswith("hob-1")
    assert o.pids() == before and h.pid == keeper
    assert len(o.rows()) == 4 == len(set(o.rows()))


def test_the_command_says_what_was_done(old):
    o = old()
    new = o.copy()
    r = o.cli("upgrade", str(new))
    assert r.returncode == 0 and not r.stderr, r
    assert "has taken over from" in r.stdout and "nobody accepted for" in r.stdout
    o.wait_alone()
    r = o.cli("upgrade", "--json")  # what is now at the path of the one that runs
    assert r.returncode == 0 and json.loads(r.stdout)["program"] == str(new)
    o.wait_alone()
    assert o.hob.chat("m", "hello").status == 200
