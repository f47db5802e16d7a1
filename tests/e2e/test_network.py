"""The network between hob and a place breaks at any byte, in any way: each request ends once, with a status or a stream's error event, blamed on the
place, told the same in its row; what has begun is not asked again; nothing with broken framing is passed on; no descriptor stays."""

import collections
import concurrent.futures
import json

import breaks
import gates
import helpers
import pytest
import raw
import remote
from breaks import mark
from helpers import FORGIVING, SANITIZED, SLOW, chat_body, chunks_of, content_of, wait_for
from invariants import Invariants

pytestmark = pytest.mark.torture
BATCH = 1500
AT_ONCE = 24
WORDS = {True: 40, False: 1500}  # of an answer, streamed and whole: more than is broken
HEAD_AND_4K = 4096 + 160  # the fake's head is shorter than that
Case = collections.namedtuple("Case", "name model stream way at how")


def logs(h):
    r = helpers.cli("logs", "-n", "all", "-c", h.config_path, "--json", env=h.env)
    assert r.returncode == 0, r
    return [json.loads(line) for line in r.stdout.splitlines()]


def in_threads(do, cases):
    with concurrent.futures.ThreadPoolExecutor(AT_ONCE) as pool:
        return list(pool.map(do, cases))


class Far:
    """hob, a fake behind a door of the fault proxy, and a second fake that is reached directly."""

    def __init__(self, nursery, **config):
        self.proxy = breaks.FaultProxy()
        self.up, self.spare = nursery.fake(), nursery.fake()
        self.door = self.proxy.door("far", self.up.at, marks=True)
        self.h = nursery.hob({
            "hosts": {"up": {"url": self.door.url, "probe": "never"}, "spare": {"url": self.spare.url, "probe": "never"}},
            "models": {"m": {"host": "up"}, "b": {"host": "spare"}}, "roles": {"chat": {"model": "m", "fallback": ["b"]}}, **FORGIVING, **config})
        for model in ("m", "b"):
            for stream in (True, False):
                assert self.h.chat(model, "warm " + mark("far"), stream=stream).status == 200
        self.says = learn(self.up)
        self.invariants = Invariants(self.h).settle()
        self.forget()

    def forget(self):
        self.proxy.reset()
        self.up.reset()
        self.spare.reset()

    def body(self, c, rule=None):
        rules = [rule or f"{c.way} {c.at} {c.how}"]
        return chat_body(c.model, f"{mark('far', *rules, case=c.name)} [[words {WORDS[c.stream]}]]", stream=c.stream)


@pytest.fixture(scope="module")
def far(module_nursery):
    w = Far(module_nursery)
    yield w
    w.proxy.stop()


class Seen:
    """How one request ended for its caller."""

    def __init__(self, r, c, want):
        self.id, self.status = r.get("x-request-id"), r.status
        self.model = r.get("x-hob-model")
        self.error, self.text = None, ""
        if r.status != 200:
            self.error = r.error()
        elif c.stream:
            events = [e for e in r.events() if e[0] == "data"]
            self.done = events[-1] == ("data", "[DONE]")
            last = {} if self.done else json.loads(events[-1][1])
            self.error = last.get("error")
            assert self.done != bool(self.error), (c, events[-2:])
            chunks_of(events)
            self.text = content_of(events if self.done else events[:-1])
        else:
            self.text = r.json()["choices"][0]["message"]["content"]
        self.ok = self.error is None
        if self.ok:
            assert self.text == want, f"{c}: called whole, {len(self.text)} of {len(want)} bytes"
        else:
            assert want.startswith(self.text), f"{c}: not what was said"
            assert self.error["hob"]["fault"] == "backend", (c, self.error)
            assert self.error["code"] in ("backend_failed", "backend_timeout"), (c, self.error)
            assert self.error["hob"]["request_id"] == self.id and self.error["message"]


def learn(fake):
    """What a fake says follows from what it is asked (`tests/fake/answer.c`): a turning list of words, which begins where the hash of the text points."""
    def fnv(text):
        h = 2166136261
        for byte in text.encode():
            h = (h ^ byte) * 16777619 % 2**32
        return h
    text = "[[words 200]]"
    said = raw.call(fake.at, "POST", "/v1/chat/completions", chat_body("x", text)).json()["choices"][0]["message"]["content"].split(" ")
    n = next(n for n in range(1, 100) if said[n:] == said[:-n])
    table = {(fnv(text) + 7 * i) % 2**32 % n: word for i, word in enumerate(said)}
    return lambda text, words: " ".join(table[(fnv(text) + 7 * i) % 2**32 % n] for i in range(words))


def run_cases(far, cases, rule=None):
    """Runs them, many at once, and checks all that must hold of each. Returns [(case, how it ended, what passed at the door)]."""
    found = []
    for at in range(0, len(cases), BATCH):
        batch = cases[at:at + BATCH]
        far.forget()

        def one(c):
            body = far.body(c, rule and rule(c))
            with far.h.connect(timeout=120 * SLOW) as conn:
                r = conn.request("POST", "/v1/chat/completions", body)
            return Seen(r, c, far.says(body["messages"][0]["content"], WORDS[c.stream]))
        seen = in_threads(one, batch)
        wait_for("all is over", lambda: far.up.log().in_flight == 0 and far.spare.log().in_flight == 0, 20)
        entries, spare = far.proxy.cases(), collections.Counter()
        for r in far.spare.log().chats:
            spare[r.body.split(b"case ")[1].split(b";")[0].decode()] += 1
        rows = {}
        for row in logs(far.h):
            assert row["id"] not in rows, f"{row['id']} has two rows"
            rows[row["id"]] = row
        for c, s in zip(batch, seen):
            check_tries(c, s, entries[c.name], spare[c.name])
            check_row(c, s, rows)
            found.append((c, s, entries[c.name]))
    return found


def check_tries(c, s, entries, spare):
    """The next place, or the same one again, is asked only while no byte of an answer has left."""
    began = bool(s.text) and not s.ok
    assert len(entries) + spare <= 6, (c, entries, spare)  # a connection that was kept, a second try, and each of them once stale
    assert not began or spare == 0, (c, "half an answer left, and another place was asked")
    assert not began or len([e for e in entries if e.down]) == 1, (c, entries)
    assert s.ok or c.model == "m" or began, (c, s.error, "nothing had left, and nobody else was asked")
    assert not s.ok or c.model == "m" or spare == (s.model == "b"), (c, s.model, spare)


def check_row(c, s, rows):
    row = rows.get(s.id)
    assert row, f"{c}: no row for {s.id}"
    assert row["stream"] == c.stream and row["asked"] == c.model, (c, row)
    if s.ok:
        assert (row["status"], row["code"], row["fault"]) == (200, "ok", None), (c, row)
    else:
        assert (row["code"], row["fault"]) == (s.error["code"], "backend"), (c, row, s.error)
        assert s.status == 200 or row["status"] == s.status, (c, row)


def record(gate, found):
    n, told, at_once = len(found), sum(not s.ok for _, s, _ in found), sum(s.ok and s.model == "b" for _, s, _ in found)
    gates.record("network-faults", f"{gate}: cases, each ended once and as its row says", n, "")
    gates.record("network-faults", f"{gate}: of them told as the place's failure / answered by the next place", f"{told} / {at_once}", "")


def every_byte(name, way, most, hows=("rst", "fin", "half")):
    """All bytes with all ends in the long form, a few hundred of them in the quick one."""
    rng = gates.rng(name)
    cases = [(rng.random() < 0.5, at, how) for at in range(most) for how in hows]
    cases = rng.sample(cases, gates.sized(110, len(cases)))
    return [Case(f"{name}{i}", rng.choice(["m", "chat"]), stream, way, at, how) for i, (stream, at, how) in enumerate(cases)]


def test_the_connection_ends_at_a_byte_of_the_answer(far):
    found = run_cases(far, every_byte("d", "down", HEAD_AND_4K))
    fired = [e for _, _, entries in found for e in entries if e.fired]
    assert len(fired) > len(found) / 2
    for c, s, entries in found:
        if not s.ok and not c.stream:
            assert s.status == 502, (c, s.error)
        if s.ok and not c.stream and c.model == "m":  # whole because it was whole: the end came behind it
            assert not any(e.fired for e in entries), (c, entries)
    record("an end at a byte of the answer", found)
    far.invariants.check()


def test_the_connection_ends_at_a_byte_of_the_request(far):
    found = run_cases(far, every_byte("u", "up", 450))
    for c, s, entries in found:
        if any(e.fired for e in entries) and c.model == "m":
            assert s.status == 502 and not s.ok, (c, s.status, entries)
    record("an end at a byte of the request", found)
    far.invariants.check()


SLOWLY = ["down 0 pieces 1", "up 0 pieces 1", "down 0 pieces 7; up 3 pieces 2", "down 0 drip 200 1", "up 10 drip 50 1", "down 0 delay 30", "up 0 delay 30",
          "down 100 stall 50; down 300 stall 50", "down 20 drip 13 1; up 1 stall 20"]


def test_what_is_only_slow_or_in_pieces_is_whole(far):
    rng = gates.rng("slowly")
    cases = [Case(f"s{i}", "m", rng.random() < 0.5, "", rng.randrange(2000), rng.choice(SLOWLY)) for i in range(gates.sized(30, 2000))]
    found = run_cases(far, cases, rule=lambda c: c.how)
    assert all(s.ok for _, s, _ in found)
    record("slow, or in pieces", found)
    far.invariants.check()


def test_foreign_and_lost_bytes(far):
    """What comes is another answer, or none: it ends once, and what leaves is well-formed whatever came."""
    rng = gates.rng("garbage")
    n, bad = gates.sized(80, 3000), collections.Counter()

    def one(i):
        stream, at = rng.random() < 0.5, rng.randrange(HEAD_AND_4K)
        what = rng.choice(["insert", "replace", "drop"])
        arg = str(1 + int(rng.expovariate(0.1))) if what == "drop" else rng.randbytes(1 + int(rng.expovariate(0.1))).hex()
        # An answer that lacks bytes of its length is waited for: it is to end soon after.
        return Case(f"g{i}", "m", stream, "down", at, f"{what} {arg}; down 60000 fin; down {at + 3000} stall 100; down {at + 3001} fin")
    cases = [one(i) for i in range(n)]
    far.forget()

    def ask(c):
        with far.h.connect(timeout=30 * SLOW) as conn:
            r = conn.request("POST", "/v1/chat/completions", far.body(c))
        if r.status != 200:
            assert r.error()["hob"]["fault"] == "backend", (c, r)
            return r.get("x-request-id"), r.error()["code"]
        if not c.stream:
            r.json()
            return r.get("x-request-id"), "ok"
        events = [e for e in r.events() if e[0] == "data"]
        chunks_of(events)
        if events[-1][1] == "[DONE]":
            return r.get("x-request-id"), "ok"
        error = json.loads(events[-1][1])["error"]
        assert error["hob"]["fault"] == "backend", (c, error)
        return r.get("x-request-id"), error["code"]
    rows = {}
    for c, (id, code) in zip(cases, in_threads(ask, cases)):
        bad[code] += 1
        rows = rows or {row["id"]: row for row in logs(far.h)}
        assert rows[id]["code"] == code, (c, rows[id], code)
    assert bad["ok"] < n, "nothing was broken"
    gates.record("network-faults", "foreign and lost bytes: cases, each ended once and as its row says", n, "")
    far.invariants.check()


# -- limits of time


def test_who_stands_still_is_left_within_its_time(module_nursery):
    """Stalled at a byte of the head, of the body, before any: 504, blamed on the place; where nothing has left, the next one answers."""
    far = Far(module_nursery, timeouts={"connect": "2s", "first_byte": "1500ms", "idle": "1500ms"}, retry={"attempts": 1})
    rng = gates.rng("stalls")
    cases = [Case(f"t{i}", rng.choice(["m", "chat"]), rng.random() < 0.5, rng.choice(["down", "down", "up"]), rng.randrange(900), "stall")
             for i in range(gates.sized(32, 1000))]
    try:
        found = run_cases(far, cases)
        for c, s, entries in found:
            if any(e.fired for e in entries) and not s.ok:
                assert s.error["code"] == "backend_timeout" and s.status in (504, 200), (c, s.error)
        record("silence at a byte", found)
        far.invariants.check()
    finally:
        far.proxy.stop()


def test_a_drip_without_end_is_cut_by_the_total(module_nursery):
    """A byte now and then keeps it within `idle`, not within `total`."""
    far = Far(module_nursery, timeouts={"first_byte": "20s", "idle": "20s", "total": "2s"}, retry={"attempts": 1})
    try:
        cases = [Case(f"p{i}", "m", i % 2 == 0, "down", 3 * i, "drip 1 40") for i in range(12)]
        for c, s, entries in run_cases(far, cases):
            assert not s.ok and s.error["code"] == "backend_timeout" and "total" in s.error["message"], (c, s.error)
        far.invariants.check()
    finally:
        far.proxy.stop()


# -- connections that do not come about


@pytest.fixture(scope="module")
def closed(module_nursery):
    """hob with a host for each way not to be there; the fake behind them is never asked, the next place answers."""
    proxy, up, spare = breaks.FaultProxy(), module_nursery.fake(), module_nursery.fake()
    doors = {name: proxy.door(name, up.at) for name in ("refuse", "hole", "shut", "jam", "reset")}
    doors["refuse"].rule("all", "connect refuse")
    doors["hole"].rule("all", "connect hole")
    doors["reset"].rule("all", "up 0 rst")
    doors["shut"].shut()
    doors["jam"].jam()
    h = module_nursery.hob({
        "hosts": {"spare": {"url": spare.url}, **{n: {"url": d.url, "probe": "never"} for n, d in doors.items()}},
        "models": {"b": {"host": "spare"}, **{n: {"host": n} for n in doors}},
        **FORGIVING,
        "timeouts": {"connect": "700ms", "first_byte": "700ms"}})
    assert h.chat("b", "hi").status == 200
    yield h, proxy, up
    proxy.stop()


NOT_THERE = [("refuse", 502, "backend_failed"), ("reset", 502, "backend_failed"), ("shut", 502, "backend_failed"), ("hole", 504, "backend_timeout"),
             ("jam", 504, "backend_timeout")]


@pytest.mark.parametrize("name, status, code", NOT_THERE)
def test_who_is_not_there(closed, name, status, code):
    h, proxy, up = closed
    invariants = Invariants(h).settle()

    def one(i):
        return h.chat(name, "hi", stream=i % 2 == 0, timeout=30 * SLOW)
    for r in in_threads(one, range(gates.sized(12, 100))):
        assert (r.status, r.error()["code"], r.error()["hob"]["fault"]) == (status, code, "backend"), r
    assert h.chat("b", "hi").status == 200 and up.log().chats == []
    row = logs(h)[-2]
    assert (row["status"], row["code"], row["fault"]) == (status, code, "backend"), row
    invariants.check()


# -- names that are looked up


@pytest.mark.skipif(SANITIZED, reason="a sanitizer's runtime wants to be the first that is loaded")
def test_a_resolver_that_hangs_holds_up_nobody_else(module_nursery):
    """getaddrinfo() blocks; hob does not: others are answered meanwhile, also those whose name is looked up, and large bodies, which the pool reads."""
    import faults
    f, near = faults.Faults(), module_nursery.fake()
    slow = [f"n{i}.slow.test" for i in range(6)]
    f.rule("resolve", error=-3, delay=8.0, path="*.slow.test")  # EAI_AGAIN after that
    h = module_nursery.hob({
        "hosts": {"near": {"url": near.url, "probe": "never"}, "named": {"url": f"http://localhost:{near.port}", "probe": "never"},
                  **{f"s{i}": {"url": f"http://{n}:9", "probe": "never"} for i, n in enumerate(slow)}},
        "models": {"near": {"host": "near"}, "named": {"host": "named"}, **{f"s{i}": {"host": f"s{i}"} for i in range(len(slow))}},
        "timeouts": {"connect": "3s"}, "retry": {"attempts": 1}, **FORGIVING}, env=f.env)
    invariants = Invariants(h)
    assert h.chat("near", "hi").status == 200
    invariants.settle()
    waiting = [h.open_chat(f"s{i % len(slow)}", "hi", timeout=30 * SLOW) for i in range(24)]
    for i in range(10):
        assert h.get("/livez").status == 200
        assert h.chat("near", "hi").status == 200
        assert h.chat("near", "x" * 1_500_000).status == 200
        assert h.chat("named", "hi", headers={"connection": "close"}).status == 200
    for c in waiting:
        with c:
            r = c.response()
            assert (r.status, r.error()["code"], r.error()["hob"]["fault"]) == (504, "backend_timeout", "backend"), r
    invariants.check()


def test_a_name_that_is_none(module_nursery):
    h = module_nursery.hob({"hosts": {"gone": {"url": "http://gone.invalid", "probe": "never"}}, "models": {"m": {"host": "gone"}}, **FORGIVING})
    r = h.chat("m", "hi")
    assert (r.status, r.error()["code"]) == (502, "backend_failed") and "resolve" in r.error()["message"], r


# -- TLS


def test_tls_that_is_broken_at_any_byte(module_nursery, tmp_path_factory):
    """In the middle of the handshake, of the answer: an end, a reset, silence, foreign bytes."""
    authority = remote.Authority(tmp_path_factory.mktemp("tls") / "ca")
    up = module_nursery.fake()
    front, proxy = remote.Front(up, *authority.leaf("IP:127.0.0.1")), breaks.FaultProxy()
    rng = gates.rng("tls")
    try:
        door = proxy.door("tls", ("127.0.0.1", front.port))
        h = module_nursery.hob({"hosts": {"up": {"url": f"https://127.0.0.1:{door.port}", "ca": str(authority.file), "probe": "never"}},
                                "models": {"m": {"host": "up"}}, "retry": {"attempts": 1}, **FORGIVING,
                                "timeouts": {"connect": "700ms", "first_byte": "700ms", "idle": "700ms"}})
        assert h.chat("m", "[[words 100]]").status == 200
        invariants = Invariants(h).settle()
        ends = collections.Counter()
        for n in range(gates.sized(24, 1500)):
            how = rng.choice(["rst", "fin", "half", "stall", f"insert {rng.randbytes(5).hex()}", f"replace {rng.randbytes(3).hex()}", "drop 2"])
            door.clear()
            door.cut()
            wait_for("the door is free", lambda: proxy.log()[0] == 0)
            drawn = f"{rng.choice(['down', 'down', 'up'])} {rng.randrange(3500)} {how}"
            door.rule("next", {0: "down 100 stall", 1: "down 100 rst"}.get(n, drawn))  # of both ends one for certain, in the first flight
            stream = rng.random() < 0.5
            r = h.chat("m", "[[words 100]]", stream=stream, timeout=30 * SLOW)
            error = None
            if r.status != 200:
                error = r.error()
            elif stream:
                last = r.events()[-1][1]
                error = None if last == "[DONE]" else json.loads(last)["error"]
            assert error is None or (error["hob"]["fault"], error["code"] in ("backend_failed", "backend_timeout")) == ("backend", True), error
            assert error or not stream or len(content_of(r.events()).split()) == 100
            ends[error["code"] if error else "ok"] += 1
        assert ends["backend_failed"] and ends["backend_timeout"], ends
        gates.record("network-faults", "TLS broken at a byte: cases", sum(ends.values()), "")
        door.clear()
        assert h.chat("m", "hi").status == 200
        invariants.check()
    finally:
        proxy.stop()
        front.stop()


# -- between a caller and hob


class Near:
    """A caller behind a door: what breaks is between them and hob."""

    def __init__(self, nursery):
        self.proxy, self.up = breaks.FaultProxy(), nursery.fake()
        self.h = nursery.hob({"hosts": {"up": {"url": self.up.url, "probe": "never"}}, "models": {"m": {"host": "up"}}, **FORGIVING})
        self.door = self.proxy.door("near", self.h.at, marks=True)
        for stream in (True, False):
            assert self.h.chat("m", "warm", stream=stream).status == 200
        self.invariants = Invariants(self.h).settle()

    def request(self, c):
        text = f"{mark('near', f'{c.way} {c.at} {c.how}', case=c.name)} [[words 30]]"
        return raw.request_bytes("POST", "/v1/chat/completions", chat_body("m", text, stream=c.stream), {"x-client-request-id": c.name})

    def ask(self, c):
        with raw.Connection(self.door.at, 30 * SLOW) as conn:
            try:
                conn.send(self.request(c))
                conn.response()
                return "whole"
            except (raw.Gone, raw.FramingError, OSError) as e:
                assert not isinstance(e, TimeoutError), c
                return "cut"


@pytest.fixture(scope="module")
def near(module_nursery):
    w = Near(module_nursery)
    yield w
    w.proxy.stop()


def test_a_caller_is_cut_off_at_any_byte(near):
    """At a byte of the request: nobody is asked. At one of the answer: whoever works for it is told to stop, and the row says what came of it."""
    rng = gates.rng("near")
    cases = [(s, "up", at, how) for s in (True, False) for at in range(420) for how in ("rst", "fin", "half")]
    cases += [(s, "down", at, how) for s in (True, False) for at in range(HEAD_AND_4K) for how in ("rst", "fin", "half")]
    cases = [Case(f"n{i}", "m", *c) for i, c in enumerate(rng.sample(cases, gates.sized(120, 6000)))]
    cut = 0
    for at in range(0, len(cases), BATCH):
        batch = cases[at:at + BATCH]
        near.proxy.reset()
        near.up.reset()
        ends = in_threads(near.ask, batch)
        log = near.up.wait("all is over", lambda log: log.in_flight == 0 and near.proxy.log()[0] == 0, 20)
        entries, asked, rows = near.proxy.cases(), collections.Counter(), collections.defaultdict(list)
        for r in log.chats:
            asked[r.body.split(b"case ")[1].split(b";")[0].decode()] += 1
        for row in logs(near.h):
            rows[row["client_id"]].append(row)
        for c, end in zip(batch, ends):
            e, = entries[c.name]
            came = e.up == len(near.request(c))
            cut += end == "cut"
            assert asked[c.name] <= came, (c, e, "hob asked for a request it has not got")
            assert len(rows[c.name]) <= 1 and (rows[c.name] or not asked[c.name]), (c, rows[c.name])
            for row in rows[c.name]:
                assert (row["status"], row["code"]) in ((200, "ok"), (499, "caller_gone")) or row["fault"] == "caller", (c, row)
            if end == "whole":
                assert rows[c.name][0]["code"] == "ok", (c, rows[c.name])
    assert cut > len(cases) / 4
    gates.record("network-faults", "a caller cut off at a byte: cases", len(cases), "")
    near.invariants.check()


def test_a_caller_in_pieces_is_answered(near):
    rng = gates.rng("pieces")
    cases = [Case(f"q{i}", "m", rng.random() < 0.5, "up", rng.randrange(300), rng.choice(["pieces 1", "drip 20 1", "stall 20", "delay 10"]))
             for i in range(gates.sized(24, 600))]
    assert set(in_threads(near.ask, cases)) == {"whole"}
    near.invariants.check()
