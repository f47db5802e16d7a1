"""Another program takes over while hob serves: nobody is refused, nothing is cut, the models stay where they are, and each answer has its row, once."""

import contextlib
import json
import os
import pathlib
import shutil
import signal
import socket
import sqlite3
import subprocess
import threading

import gates
import helpers
import pytest
import raw
from helpers import BIN, HOB, SLOW, chat_body, cli, content_of, wait_for


class Old:
    """A hob that is to be upgraded, and its new programs: copies of the same one at other paths."""

    def __init__(self, nursery, models=None, args=(), **config):
        from helpers import FAKE
        self.dir = nursery.dir
        config = {"engines": {"llama": {"path": str(FAKE)}}, "models": models or nursery.model("m", slots=4), **config}
        self.hob = nursery.hob(config, wait="ready", args=args)
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

    def backends(self):
        return raw.call(str(self.hob.state / "hob.sock"), "GET", "/hob/v1/ps").json()["backends"]

    def pids(self):
        return {b["model"]: b["pid"] for b in self.backends() if b["pid"]}

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


@pytest.mark.parametrize("where", ["--port ${port}", "--host ${socket}"])
def test_a_program_of_the_operators_goes_on(nursery, where):
    o = Old(nursery, {"own": {"command": f"{helpers.FAKE} {where}", "paths": [f"{nursery.dir}:rw"], "slots": 2, "keep": "hot"}})
    before = o.pids()
    o.upgrade()
    wait_for("it answers", lambda: o.hob.chat("own", "hello", timeout=10).status == 200)
    assert o.pids() == before
    o.wait_alone()


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


# -- under load


@pytest.mark.torture
def test_nothing_is_lost_under_load(old):
    """Upgrade after upgrade while callers never stop: no failure, each answer in a row, the same engine, the same number of descriptors."""
    times = gates.sized(5, 40)
    o = old(drain="20s")
    h = o.hob
    before = o.pids()
    program, files = o.copy(), []
    load = Load(h)
    gaps = []
    try:
        load.more()
        for _ in range(times):
            got = o.upgrade(program)
            gaps.append(got["gap_ms"])
            load.more()
            assert not load.failed, load.failed[:3]
            files.append(len(os.listdir(f"/proc/{got['to']['pid']}/fd")))
    finally:
        ids = load.stop()
    gateway = o.wait_alone(30)
    assert not load.failed, load.failed[:3]
    assert o.pids() == before and len(h.children()) == 1
    lost, doubled = lost_and_doubled(o, ids)
    wait_for("the callers' connections are gone", lambda: len(os.listdir(f"/proc/{gateway.pid}/fd")) < files[0] + 4)
    gates.record("upgrade", "upgrades under load", times, "")
    gates.record("upgrade", "answers", len(ids), "")
    gates.record("upgrade", "failed requests", len(load.failed), "= 0")
    gates.record("upgrade", "rows lost", len(lost), "= 0")
    gates.record("upgrade", "rows doubled", doubled, "= 0")
    gates.record("upgrade", "ms nobody accepted, the longest", max(gaps), "")
    assert not lost and not doubled


def test_the_next_one_waits_for_who_still_streams(old):
    o = old()
    h = o.hob
    with h.open_chat("m", "[[words 60]] [[gap_ms 25]]", stream=True) as c:
        events = c.stream(c.start())
        next(events)
        o.upgrade()
        second = {}
        asking = threading.Thread(target=lambda: second.update(r=o.ask(o.copy())))
        asking.start()
        assert h.chat("m", "hello").status == 200
        assert len(list(events)) > 50
    asking.join(30 * SLOW)
    assert second["r"].status == 200, second["r"].body
    o.wait_alone()
    assert h.chat("m", "hello").status == 200


def test_what_a_stream_holds_is_not_unloaded_by_the_new_one(old, nursery):
    """Room for one of two models: the new gateway may not take the memory of the one that the old one streams from."""
    o = old(models={**nursery.model("a", keep="demand", memory="1GiB"), **nursery.model("b", keep="demand", memory="1GiB")}, budget={"memory": "1200MiB"},
            residency="1ms", queue={"age": "100s"})
    h = o.hob
    assert h.chat("a", "hello").status == 200
    child = o.pids()["a"]
    with h.open_chat("a", "[[words 40]] [[gap_ms 20]]", stream=True) as c:
        events = c.stream(c.start())
        next(events)
        o.upgrade()
        assert o.pids() == {"a": child}
        asked = {}
        asking = threading.Thread(target=lambda: asked.update(r=h.chat("b", "hello")))
        asking.start()
        assert len(content_of(list(events)).split()) >= 39
    asking.join(20 * SLOW)
    assert asked["r"].status == 200
    assert set(o.pids()) == {"b"}


def test_slots_are_counted_across_both(old, nursery):
    """Two slots, both with a stream of the old one: the new one has none to give until they end."""
    o = old(models=nursery.model("m", slots=2))
    h = o.hob
    with h.open_chat("m", "[[words 40]] [[gap_ms 20]]", stream=True) as a, h.open_chat("m", "[[words 40]] [[gap_ms 20]]", stream=True) as b:
        streams = [c.stream(c.start()) for c in (a, b)]
        for events in streams:
            next(events)
        o.upgrade()
        got = {}
        asking = threading.Thread(target=lambda: got.update(r=h.chat("m", "hello")))
        asking.start()
        ps = wait_for("it waits", lambda: next((b for b in raw.call(str(h.state / "hob.sock"), "GET", "/hob/v1/ps").json()["backends"]
                                                if b["queue"]["depth"] == 1), None))
        assert ps["slots"] == {"total": 2, "used": 2}
        for events in streams:
            assert list(events)[-1] == ("data", "[DONE]")
    asking.join(20 * SLOW)
    assert got["r"].status == 200


def test_who_waits_for_a_model_waits_on(old, nursery):
    starts = nursery.dir / "starts"
    o = old(models={**nursery.model("m"), **nursery.model("slow", f"starts {starts}\nload_ms 3000", keep="demand")})
    h = o.hob
    got = []
    bodies = [json.dumps(chat_body("slow", "hello", stream=stream)).encode() for stream in (False, True, False)]
    bodies.append(b" " * 400_000 + bodies[0])  # is read on the pool
    threads = [threading.Thread(target=lambda b=b: got.append(h.post("/v1/chat/completions", b))) for b in bodies]
    for t in threads:
        t.start()
    wait_for("all wait", lambda: "slow" in o.pids() and next(b["queue"]["depth"] for b in o.backends() if b["model"] == "slow") == len(bodies))
    child = o.pids()["slow"]
    answer = o.upgrade()
    assert answer["connections"] >= len(bodies)
    o.wait_alone()
    for t in threads:
        t.join(20 * SLOW)
    assert [r.status for r in got] == [200] * len(bodies)
    assert o.pids()["slow"] == child and len(starts.read_text().split()) == 1
    assert len(o.rows()) == len(bodies)


def test_a_load_that_was_asked_for_by_hand_waits_on(old, nursery):
    o = old(models={**nursery.model("m"), **nursery.model("slow", "load_ms 1000", keep="demand")})
    got = {}
    asking = threading.Thread(target=lambda: got.update(r=o.cli("load", "slow", "--json")))
    asking.start()
    wait_for("it loads", lambda: "slow" in o.pids())
    o.upgrade()
    asking.join(20 * SLOW)
    assert got["r"].returncode == 0, got["r"]
    assert json.loads(got["r"].stdout)["state"] == "hot"


def halves():
    body = json.dumps(chat_body("m", "hello")).encode()
    head = b"POST /v1/chat/completions HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
    whole = head + b"Content-Length: %d\r\n\r\n" % len(body) + body
    chunked = head + b"Transfer-Encoding: chunked\r\n\r\n%x\r\n" % 20 + body[:20] + b"\r\n%x\r\n" % len(body[20:]) + body[20:] + b"\r\n0\r\n\r\n"
    large = json.dumps(chat_body("m", "x" * 1_500_000)).encode()
    return {
        "the first byte": (whole, 1), "in the head": (whole, 60), "before the body": (whole, len(whole) - len(body)), "in the body": (whole, len(whole) - 5),
        "in chunks": (chunked, len(head) + 40), "at the last chunk": (chunked, len(chunked) - 2),
        "much of it": (head + b"Content-Length: %d\r\n\r\n" % len(large) + large, 1_300_000),
    }


def test_half_a_request_is_answered_whole(old):
    o = old()
    rest, program = [], o.copy()
    with contextlib.ExitStack() as stack:
        for name, (text, at) in halves().items():
            c = stack.enter_context(o.hob.connect())
            c.send(text[:at])
            rest.append((name, c, text[at:]))
        assert o.hob.get("/livez").status == 200  # what was sent before it has been read by now
        got = o.upgrade(program)
        assert got["connections"] >= len(rest) - 2  # who is in the middle of a chunked body stays until that is whole
        for name, c, text in rest:
            c.send(text)
            assert c.response().status == 200, name
            assert c.request("POST", "/v1/chat/completions", chat_body("m", "and once more")).status == 200, name
    assert len(o.rows()) == 2 * len(rest)
    o.wait_alone()


def test_what_was_sent_ahead_is_answered_in_order(old):
    o = old()
    with o.hob.connect() as c:
        for n in (30, 2, 3):
            c.send(raw.request_bytes("POST", "/v1/chat/completions", chat_body("m", f"[[words {n}]] [[gap_ms 20]]")))
        wait_for("the first is under way", lambda: o.hob.child().control.log().chats)
        o.upgrade()
        assert [len(c.response().json()["choices"][0]["message"]["content"].split()) for _ in range(3)] == [30, 2, 3]
    o.wait_alone()


def test_a_reload_meanwhile_is_served(old):
    o = old()
    h = o.hob
    stop, got = threading.Event(), []

    def reload():
        while not stop.is_set():
            got.append(raw.call(str(h.state / "hob.sock"), "POST", "/hob/v1/config/reload", b"", timeout=30 * SLOW).status)
            h.signal(signal.SIGHUP)
    thread = threading.Thread(target=reload)
    thread.start()
    try:
        for _ in range(3):
            o.upgrade()
            assert h.chat("m", "hello").status == 200
    finally:
        stop.set()
        thread.join(30)
    assert got and set(got) == {200}


# -- new programs that are none


def broken(dir):
    import heirs
    gone, plain = dir / "gone", dir / "plain"
    plain.write_text("no program")
    return {
        "missing": (gone, "There is no program at"),
        "not to be run": (plain, "is no program that can be run"),
        "a folder": (dir, "is no program that can be run"),
        "another program": (pathlib.Path("/bin/true"), "ended with exit code 0"),
        "ends at once": (heirs.script(dir / "ends", "exit 3\n"), "ended with exit code 3"),
        "no format of ours": (dir / "noexec", "exit code 1"),
        "crashes at once": (heirs.script(dir / "crashes", "kill -SEGV $$\n"), "died of signal 11"),
        "hangs": (heirs.script(dir / "hangs", "exec sleep 1000\n"), "It was not ready within 0.5 s"),
        "another wire": (heirs.write(dir / "greeting", "greeting ends"), "different versions: restart hob"),
        "another protocol": (heirs.write(dir / "protocol", "protocol hangs"), "Restart hob"),
        "an older store": (heirs.write(dir / "schema", "schema hangs"), "older than the store"),
        "nonsense": (heirs.write(dir / "nonsense", "nonsense hangs"), "It was not ready within"),
        "dies when it is ready": (heirs.write(dir / "ready-dies", "ready dies"), "died of signal 9"),
        "ends when it is ready": (heirs.write(dir / "ready-ends", "ready ends"), "ended with exit code 23"),
        "dies when it is to go": (heirs.write(dir / "go-dies", "go dies"), "died of signal 9"),
        "ends when it is to go": (heirs.write(dir / "go-ends", "go ends"), "ended with exit code 23"),
        "dies when it has taken over": (heirs.write(dir / "taken-dies", "taken dies"), "died of signal 9"),
        "ends when it has taken over": (heirs.write(dir / "taken-ends", "taken ends"), "ended with exit code 23"),
    }


def test_what_cannot_take_over_changes_nothing(old):
    """All of them one after the other, while callers go on: not one notices."""
    o = old()
    h = o.hob
    (o.dir / "noexec").write_bytes(b"\x7fELF nonsense")
    (o.dir / "noexec").chmod(0o755)
    before, gateway = o.pids(), h.gateway().pid
    load = Load(h)
    try:
        load.more()
        for name, (program, says) in broken(o.dir).items():
            got = o.ask(program, **({"wait_ms": 500} if "not ready" in says else {}))
            assert got.status == 500 and got.error()["code"] == "upgrade_failed" and says in got.error()["message"] + (got.error()["hob"]["hint"] or ""), (name, got.body)
            assert h.gateway().pid == gateway and len(o.gateways()) == 1, name
            load.more()
            assert not load.failed, (name, load.failed[:3])
    finally:
        ids = load.stop()
    assert o.pids() == before
    lost, doubled = lost_and_doubled(o, ids)
    assert not lost and not doubled
    o.upgrade()  # and a good one still can
    assert h.chat("m", "hello").status == 200


def schema(o):
    with sqlite3.connect(f"file:{o.hob.state}/hob.db?mode=ro", uri=True, timeout=10) as db:
        return db.execute("PRAGMA user_version").fetchone()[0]


def test_a_store_that_the_new_one_cannot_bring_to_its_version_stays_the_old_ones(old):
    """hob-next has one step of the schema more. Where that fails the old one goes on with the file as it was; where it does not, there is no way back to a
    program that does not know it."""
    o = old()
    next_one, known, gateway = BIN / "tests" / "fake" / "hob-next", schema(o), o.hob.gateway().pid
    ids = [o.hob.chat("m", "hello").get("x-request-id")]
    with sqlite3.connect(o.hob.state / "hob.db", timeout=10) as db:
        db.execute("CREATE TABLE next (n INTEGER)")
    got = o.ask(next_one)
    assert got.status == 500 and "already exists" in got.error()["message"]
    assert schema(o) == known and o.hob.gateway().pid == gateway
    ids.append(o.hob.chat("m", "hello").get("x-request-id"))
    assert set(ids) <= set(o.rows())
    with sqlite3.connect(o.hob.state / "hob.db", timeout=10) as db:
        db.execute("DROP TABLE next")
    o.upgrade(next_one)
    wait_for("the schema of the new one", lambda: schema(o) == known + 1)
    copy = o.hob.state / f"hob.db.version-{known}"
    wait_for("the file as it was", copy.exists)
    with sqlite3.connect(f"file:{copy}?mode=ro", uri=True) as db:
        assert db.execute("PRAGMA user_version").fetchone() == (known,) and db.execute("SELECT count(*) FROM requests").fetchone() == (2,)
    ids.append(o.hob.chat("m", "hello").get("x-request-id"))
    assert set(ids) <= set(o.rows())
    got = o.ask(o.copy())
    assert got.status == 500 and "older than the store" in got.error()["message"]


@pytest.mark.parametrize("how", ["go hangs", "taken hangs"])
@pytest.mark.torture
@pytest.mark.skipif(gates.FORM == "quick", reason="it takes as long as hob waits; the long form has it")
def test_one_that_hangs_after_it_was_let_in_is_given_up(old, how):
    import heirs
    o = old()
    got = o.ask(heirs.write(o.dir / "new", how))
    assert got.status == 500 and "It did not listen within" in got.error()["message"]
    assert o.hob.chat("m", "hello").status == 200


def test_the_command_says_why_not(old):
    o = old()
    r = o.cli("upgrade", "/bin/false")
    assert r.returncode == 1 and "exit code 1" in r.stderr and not r.stdout
    r = o.cli("upgrade", str(o.dir / "none"))
    assert r.returncode == 2 and "no program at" in r.stderr
    r = o.cli("upgrade", "--wait", "x")
    assert r.returncode == 2 and "--wait" in r.stderr
    assert o.hob.chat("m", "hello").status == 200


def test_a_file_that_is_wrong_by_now_does_not_matter(old):
    o = old()
    text = o.hob.config_path.read_text()
    o.hob.config_path.write_text("models: [\n")
    o.upgrade()
    o.hob.config_path.write_text(text)
    assert o.hob.chat("m", "hello").status == 200


# -- killed in the middle


def test_the_old_one_is_killed_while_it_waits_for_the_new_one(old):
    import heirs
    o = old()
    h = o.hob
    before, gateway = o.pids(), h.gateway()
    new = heirs.write(o.dir / "new", "start hangs")
    asking = threading.Thread(target=swallow, args=(o.ask, new))
    asking.start()
    wait_for("both run", lambda: any(str(new) in " ".join(p.args) for p in h.tree()))
    os.kill(gateway.pid, signal.SIGKILL)
    asking.join(30)
    wait_for("another one", lambda: [p.pid != gateway.pid for p in o.gateways()] == [True])
    assert h.chat("m", "hello").status == 200
    assert o.pids() == before
    o.upgrade()
    assert h.chat("m", "hello").status == 200


def swallow(f, *args):
    try:
        f(*args)
    except (OSError, raw.Gone, raw.FramingError):
        pass


def test_the_old_one_is_killed_while_it_streams(old):
    o = old()
    h = o.hob
    before = o.pids()
    with h.open_chat("m", "[[words 500]] [[gap_ms 20]]", stream=True) as c:
        events = c.stream(c.start())
        next(events)
        got = o.upgrade()
        os.kill(got["from"]["pid"], signal.SIGKILL)
        with pytest.raises((raw.Gone, raw.FramingError, ConnectionResetError)):
            list(events)
    assert o.wait_alone().pid == got["to"]["pid"]
    assert h.chat("m", "hello").status == 200 and o.pids() == before


def test_the_new_one_is_killed_while_the_old_one_streams(old):
    """The stream ends well, its row is written by who comes after the killed one, and what crashes comes back as the new program."""
    o = old()
    h = o.hob
    before = o.pids()
    with h.open_chat("m", "[[words 300]] [[gap_ms 25]]", stream=True) as c:
        r = c.start()
        events = c.stream(r)
        next(events)
        got = o.upgrade()
        for _ in range(2):
            now = [p for p in o.gateways() if p.pid != got["from"]["pid"]][0]
            os.kill(now.pid, signal.SIGKILL)
            wait_for("another one", lambda: not now.alive() and len(o.gateways()) == 2)
            assert h.chat("m", "hello", timeout=20 * SLOW).status == 200
        assert ("data", "[DONE]") == list(events)[-1]
    now = o.wait_alone()
    assert now.args[0] == got["program"] and o.pids() == before
    lost, doubled = lost_and_doubled(o, [r.get("x-request-id")])
    assert not lost and not doubled and len(o.rows()) >= 3


@pytest.mark.torture
@pytest.mark.parametrize("how", ["served dies", "stalled dies"])
def test_the_new_one_dies_when_it_serves_and_nobody_has_heard_of_it(old, how):
    """It is too late to go back: the old one hands over to who comes after it, and ends what it had begun."""
    import heirs
    if how.startswith("stalled") and gates.FORM == "quick":
        pytest.skip("it takes as long as hob waits; the long form has it")
    o = old()
    h = o.hob
    before, first = o.pids(), h.gateway().pid
    with h.open_chat("m", "[[words 60]] [[gap_ms 20]]", stream=True) as c:
        r = c.start()
        events = c.stream(r)
        next(events)
        got = o.ask(heirs.write(o.dir / "new", how, after=HOB, old=first))
        assert got.status == 200, got.body
        assert ("data", "[DONE]") == list(events)[-1]
    assert o.wait_alone().pid != first
    assert h.chat("m", "hello", timeout=20 * SLOW).status == 200 and o.pids() == before
    assert lost_and_doubled(o, [r.get("x-request-id")]) == ([], 0) and len(o.rows()) == 2
    o.upgrade()


def test_stopping_lets_both_finish(old):
    o = old()
    h = o.hob
    with h.open_chat("m", "[[words 40]] [[gap_ms 25]]", stream=True) as a:
        first = a.stream(a.start())
        next(first)
        o.upgrade()
        with h.open_chat("m", "[[words 40]] [[gap_ms 25]]", stream=True) as b:
            second = b.stream(b.start())
            next(second)
            h.signal(signal.SIGTERM)
            assert list(first)[-1] == ("data", "[DONE]") and list(second)[-1] == ("data", "[DONE]")
    assert h.wait_exit() == 0


def test_a_stream_past_the_drain_limit_is_cut_and_seen_to_be(old):
    o = old(drain="500ms")
    h = o.hob
    with h.open_chat("m", "[[words 500]] [[gap_ms 20]]", stream=True) as c:
        r = c.start()
        events = c.stream(r)
        next(events)
        o.upgrade()
        with pytest.raises((raw.Gone, raw.FramingError, ConnectionResetError)):
            list(events)
    o.wait_alone()
    assert "did not finish within the drain limit" in h.stderr()
    assert o.rows() == [r.get("x-request-id")]  # what it has used is written down


# -- who may


def test_a_program_is_named_on_the_admin_socket_only(old):
    o = old()
    assert o.hob.post("/hob/v1/upgrade", b"").status == 404
    for body, says in [({"program": "hob"}, "absolute"), ({"program": 7}, "absolute"), ({"wait_ms": 0}, "wait_ms"), ({"wait_ms": "x"}, "wait_ms")]:
        got = raw.call(str(o.hob.state / "hob.sock"), "POST", "/hob/v1/upgrade", json.dumps(body))
        assert got.status == 400 and says in got.error()["message"], got.body
    assert raw.call(str(o.hob.state / "hob.sock"), "GET", "/hob/v1/upgrade").get("allow") == "POST"


# -- what a newer program may do beside an older hob, and after it

LOOKS = [("preflight", "m"), ("engine", "probe", "llama", "llama"), ("fit", "m"), ("doctor",), ("gain",)]


def test_a_newer_programs_commands_leave_the_store_to_who_serves(old, nursery):
    """Only who serves takes a file further: a look in passing by the next release must not shut an older hob out of its own store."""
    o = old()
    next_one, known = BIN / "tests" / "fake" / "hob-next", schema(o)

    def look(*words):
        subprocess.run([next_one, *words, "-c", o.hob.config_path], env=o.hob.env, cwd=o.hob.dir, stdin=subprocess.DEVNULL, capture_output=True, timeout=60 * SLOW, check=False)
        assert schema(o) == known, words

    for words in LOOKS:
        look(*words)
    ids = [o.hob.chat("m", "hello").get("x-request-id")]
    assert set(ids) <= set(o.rows())
    o.hob.stop()
    for words in LOOKS[:2]:
        look(*words)
    again = nursery.hob(o.hob.config_path.read_text(), dir=o.hob.dir, wait="ready")
    ids.append(again.chat("m", "hello").get("x-request-id"))
    assert set(ids) <= set(o.rows())
    again.stop()


def test_after_an_upgrade_readyz_knows_what_was_handed_over(old):
    """A model that the old gateway had in memory answers, whether or not the new one has asked it yet; one that is still on its way does not."""
    o = old()
    o.hob.child().control.script("health_hang")
    o.upgrade()
    state = o.backends()[0]["state"]
    got = o.hob.get("/readyz")
    assert got.status == 200, (state, got.body)


def test_after_an_upgrade_readyz_waits_for_what_loads(nursery, old):
    models = {**nursery.model("m"), **nursery.model("slow", script="load_ms 3000", keep="demand")}
    o = old(models=models)
    config = json.loads(o.hob.config_path.read_text())
    config["models"]["slow"]["keep"] = "hot"
    o.hob.config_path.write_text(json.dumps(config))
    assert o.cli("config", "reload").returncode == 0
    wait_for("it loads", lambda: "slow" in o.pids())
    o.upgrade()
    seen = []
    wait_for("it is ready", lambda: seen.append(o.hob.get("/readyz").status) or seen[-1] == 200, 20)
    assert {b["state"] for b in o.backends()} == {"hot"}


@pytest.mark.parametrize("how", ["killed", "upgraded"])
def test_a_port_that_was_chosen_is_kept(nursery, old, how):
    """--next-free-port: callers know the port that it found, whatever becomes of the one that was wanted."""
    with socket.socket() as first:
        first.bind(("127.0.0.1", 0))
        first.listen()
        wanted = first.getsockname()[1]
        o = old(listen=f"127.0.0.1:{wanted}", args=("--next-free-port",))
        assert o.hob.at[1] != wanted
    if how == "killed":
        dead = o.hob.gateway()
        os.kill(dead.pid, signal.SIGKILL)
        wait_for("it is dead", lambda: not dead.alive())
    else:
        o.upgrade()
    assert o.hob.chat("m", "hello").status == 200  # at the port of before: nobody else accepts there
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", wanted), 5).close()
    assert (o.hob.state / "listen").read_text() == f"127.0.0.1:{o.hob.at[1]}"
