"""What must hold after every test that breaks something (HARDENING section 4):

    I1  no acknowledged row lost or doubled, the database whole      I5  each request ended once, inside its deadline
    I3  no process of ours lives 2 s after hob's end                 I6  no secret in any output
    I4  memory within its cap                                        I7  descriptors and processes back to where they were

    world = Invariants(h, secrets=[CANARY])
    world.settle()                  # what is normal: taken when everything has been used once
    ask = world.ask("m", "hello")   # a caller in a thread of its own; what it got whole must have its row
    …
    world.check()                   # hob lives;  world.check_dead() when it does not

I2 (quotas) has its own test (test_keys.py). `Rows` reads rows as they grow: for runs whose answers are counted by the hundred thousand."""

import collections
import json
import os
import pathlib
import sqlite3
import threading
import time

import helpers
import raw
from helpers import SANITIZED, SLOW, Process, cli, wait_for

MEMORY_CAP = 150 * 2**20  # of the gateway, resident: that of the load test in HARDENING section 4
KEEPER_CAP = 16 * 2**20


def fds(pid):
    """What a process has open, by kind: sockets are all one kind, files are told by their names."""
    found = collections.Counter()
    for fd in pathlib.Path(f"/proc/{pid}/fd").iterdir():
        try:
            name = os.readlink(fd)
        except OSError:
            continue
        found[name.partition(":")[0] if name.startswith(("socket:", "pipe:", "anon_inode:")) else name] += 1
    return found


def zombies(pid):
    """The dead among the descendants of pid that nobody has reaped."""
    everyone, found, parents = helpers.processes(), [], {pid}
    while parents:
        new = [p for p in everyone if p.parent in parents]
        found += [p for p in new if p.state == "Z"]
        parents = {p.pid for p in new}
    return found


class Rows:
    """The rows of a state folder, read on from where the last look ended. A look is one statement beside the writer."""

    def __init__(self, state):
        self.path, self.at, self.ids, self.doubled = state / "hob.db", 0, set(), []

    def connect(self):
        return sqlite3.connect(f"file:{self.path}?mode=ro", uri=True, timeout=30)

    def look(self):
        db = self.connect()
        try:
            for at, id in db.execute("SELECT at, id FROM requests WHERE at > ? ORDER BY at", (self.at,)):
                self.at = at
                text = "req_" + id.hex()
                if text in self.ids:
                    self.doubled.append(text)
                self.ids.add(text)
        finally:
            db.close()
        return self.ids

    def integrity(self):
        db = self.connect()
        try:
            return [row[0] for row in db.execute("PRAGMA integrity_check")]
        finally:
            db.close()


class Asked(threading.Thread):
    """One request of one caller, to its end. `end`: ok, refused (a status), told (a stream's error event), cut (the connection ended first),
    no_door, late, odd. An answer that came whole has `.id`."""

    WHOLE = ("ok", "refused", "told")

    def __init__(self, h, body, deadline):
        super().__init__(daemon=True)
        self.h, self.body, self.deadline = h, body, deadline * SLOW
        self.end = self.status = self.id = self.why = self.error = None
        self.events, self.began, self.ended = 0, time.monotonic(), None
        self.some = threading.Event()  # the first event has come
        self.start()

    def run(self):
        try:
            with raw.Connection(self.h.at, self.deadline) as c:
                c.send(raw.request_bytes("POST", "/v1/chat/completions", self.body))
                self.read(c)
        except ConnectionRefusedError as e:
            self.end, self.why = "no_door", e
        except (raw.Gone, ConnectionResetError, BrokenPipeError) as e:
            self.end, self.why = "cut", e
        except raw.FramingError as e:
            self.end, self.why = "cut" if "ended inside" in str(e) else "odd", e
        except TimeoutError as e:
            self.end, self.why = "late", e
        finally:
            self.ended = time.monotonic()
            self.some.set()

    def read(self, c):
        r = c.start()
        self.status = r.status
        if r.status == 200 and self.body.get("stream"):
            last = None
            for kind, data in c.stream(r):
                if kind == "data":
                    self.events, last = self.events + 1, data
                    self.some.set()
            self.error = None if last == "[DONE]" else json.loads(last or "{}").get("error")
            self.end = "ok" if last == "[DONE]" else "told" if self.error else "odd"
        else:
            c.body(r)
            self.error = None if r.status == 200 else r.json().get("error")
            self.end = "ok" if r.status == 200 else "refused"
        self.id = r.get("x-request-id")

    def wait(self):
        self.join(self.deadline + 10)
        assert self.end, f"a caller that hangs: {self!r}"
        return self

    def __repr__(self):
        took = f"{self.ended - self.began:.2f} s" if self.ended else "still waiting"
        return f"<{self.end} {self.status} {self.id} after {took}, {self.events} events: {self.error or self.why or ''}>"


class Invariants:
    def __init__(self, h, *, secrets=(), memory=MEMORY_CAP, readers=2):
        self.h, self.secrets, self.memory, self.readers = h, [s.encode() for s in secrets], memory, readers
        self.asked, self.acknowledged, self.normal = [], set(), None

    # -- asking

    def ask(self, model, text, *, deadline=20.0, **fields):
        a = Asked(self.h, helpers.chat_body(model, text, **fields), deadline)
        self.asked.append(a)
        return a

    def note(self, ids):
        """Ids of answers that somebody else got whole."""
        self.acknowledged.update(ids)

    # -- what is normal

    def figures(self):
        """Processes by what they are, the descriptors of keeper and gateway. SQLite keeps a closed descriptor of its file for the next connection as
        long as another one holds a lock: the file counts as open twice, or as often as there may be `readers` at a time, so that one more would be seen."""
        tree = self.h.tree()
        engines = len([p for p in tree if "--model" in p.args])
        self.open = fds(self.h.gateway().pid)
        file = str(self.h.state / "hob.db")
        self.open[file] = max(self.readers, self.open[file])
        return {"others": len(tree) - engines, "engines": engines, "keeper": sum(fds(self.h.pid).values()), "gateway": sum(self.open.values())}

    def settle(self):
        """Everything has been used; what is kept open for a while (connections to places that answer) has been let go: the same for 0.3 s."""
        seen = []

        def quiet():
            if not seen or seen[0][0] != (now := self.figures()):
                seen[:] = [(self.figures(), time.monotonic())]
                return False
            self.normal, self.normally_open = now, self.open
            return time.monotonic() - seen[0][1] > 0.3
        wait_for("it is quiet", quiet)
        return self

    # -- what must hold

    def i1_rows(self):
        self.acknowledged.update(a.id for a in self.asked if a.end in Asked.WHOLE and a.id)
        rows = Rows(self.h.state)
        rows.look()
        if len(rows.ids) < 20_000:  # as hob tells it; more would be hundreds of MiB of JSON
            r = cli("logs", "-n", "all", "-c", self.h.config_path, "--json", env=self.h.env)
            assert r.returncode == 0, r
            told = [json.loads(line)["id"] for line in r.stdout.splitlines()]
            assert len(told) == len(set(told)) and rows.ids <= set(told)
        lost = self.acknowledged - rows.ids
        assert not lost and not rows.doubled, f"{len(lost)} acknowledged rows are lost, {len(rows.doubled)} are there twice: {[*lost, *rows.doubled][:5]}"
        assert rows.integrity() == ["ok"]

    def i3_nobody(self):
        wait_for("nothing of ours lives", lambda: not self.h.survivors(), 2.0)

    def i4_memory(self):
        if SANITIZED:
            return
        rss = self.h.gateway().rss()
        assert rss <= self.memory, f"the gateway has {rss >> 20} MiB"
        assert Process(self.h.pid).rss() <= KEEPER_CAP

    def i5_ended_once(self):
        for a in self.asked:
            a.wait()
            assert a.end not in ("late", "odd"), a

    def i6_no_secret(self):
        def look(where, data):
            for s in self.secrets:
                assert s not in data, f"the secret is in {where}"
        h = self.h
        for path in [h.stderr_path, h.dir / "stdout", *h.state.rglob("*")]:
            if path.is_file():
                look(path, path.read_bytes())
        for p in h.tree() if h.process.poll() is None else ():
            for what in ("cmdline", "environ"):
                try:
                    look(f"/proc/{p.pid}/{what} of {p}", pathlib.Path(f"/proc/{p.pid}/{what}").read_bytes())
                except OSError:
                    pass  # it ended meanwhile
        for command in ("logs", "ps") if h.process.poll() is None else ("logs",):  # the last 100 rows: all of them are in the file
            r = cli(command, "-c", h.config_path, "--json", env=h.env)
            look(command, (r.stdout + r.stderr).encode())
        if h.process.poll() is None:
            look("/metrics", h.get("/metrics").body)

    def i7_as_before(self):
        last = {}

        def same():
            last.update(self.figures())
            return all(last[k] <= self.normal[k] for k in last) and not zombies(self.h.pid)
        try:
            wait_for("as before", same, 15)
        except AssertionError:
            raise AssertionError(f"{last} where {self.normal} was normal, zombies {zombies(self.h.pid)}; "
                                 f"the gateway has {dict(self.open - self.normally_open)} more, {dict(self.normally_open - self.open)} less") from None

    def check(self):
        self.i5_ended_once()
        self.i1_rows()
        self.i4_memory()
        self.i6_no_secret()
        self.i7_as_before()

    def check_dead(self):
        self.i3_nobody()
        self.i5_ended_once()
        self.i1_rows()
        self.i6_no_secret()
