"""What places send instead of answers (broken_upstreams.py): nobody crashes, a caller never gets broken framing, each request ends once, with a good answer
or a typed error that blames the place; its row says the same; a connection that misbehaved is not used again; memory stays bounded."""

import collections
import concurrent.futures
import itertools
import json
import pathlib
import ssl

import broken_upstreams as broken
import gates
import pytest
import raw
import remote
from broken_upstreams import BAD, EITHER, GOOD
from helpers import FORGIVING, SLOW, wait_for

numbers = itertools.count(1)
TIMEOUTS = {"connect": "10s", "first_byte": f"{int(4 * SLOW)}s", "idle": f"{int(4 * SLOW)}s", "total": f"{int(20 * SLOW)}s"}


TASKS = {
    "chat": lambda text: ("/v1/chat/completions", {"messages": [{"role": "user", "content": text}]}),
    "complete": lambda text: ("/v1/completions", {"prompt": text}),
    "embed": lambda text: ("/v1/embeddings", {"input": text}),
    "rerank": lambda text: ("/v1/rerank", {"query": text, "documents": ["a"]}),
}


class World:
    """A player, and hob with a model on it in the language of each kind."""

    def __init__(self, nursery, kinds=None, wrap=None, **host):
        kinds = kinds or {k: k for k in broken.LANGUAGES}  # by the names of their hosts and models
        self.player = broken.Player(wrap)
        self.hob = nursery.hob({
            "hosts": {k: {"kind": kind, "url": self.player.url, "key": "k", "probe": "never", **host} for k, kind in kinds.items()},
            "models": {k: {"host": k, "serves": ["chat", "embed", "rerank"] if k == "openai" else ["chat"]} for k in kinds},
            "timeouts": TIMEOUTS, "retry": {"attempts": 1}, **FORGIVING})

    def play(self, kind, case):
        number = next(numbers)
        self.player.cases[number] = case
        path, fields = TASKS[case.task](f"case {number:07d}")
        body = {"model": kind, **fields, **({"stream": True} if case.stream else {})}
        try:
            r = raw.call(self.hob.at, "POST", path, body, timeout=60 * SLOW)
            told = judge(case, r)
            return told, r
        except (raw.FramingError, raw.Gone, TimeoutError, AssertionError, ValueError) as e:
            return f"{type(e).__name__}: {e}", None


@pytest.fixture(scope="module")
def world(module_nursery):
    w = World(module_nursery)
    yield w
    w.player.stop()




def read(r):
    """(error or None, text) of an answer; strict about everything."""
    if r.status != 200:
        return r.error(), None
    if "event-stream" not in r.get("content-type", ""):
        try:
            return None, r.json()["choices"][0]["message"]["content"]
        except (KeyError, IndexError, TypeError):
            return None, None  # passed on as it came
    events = [data for what, data in r.events() if what == "data"]
    assert events, "a stream of nothing"
    if events[-1] == "[DONE]":
        assert "[DONE]" not in events[:-1], "done twice"
        chunks = [json.loads(e) for e in events[:-1]]
        assert not any("error" in c for c in chunks), "an error, and an end after it"
        texts = [(choice.get("delta") or {}).get("content") or "" for c in chunks for choice in c.get("choices") or []]
        return None, "".join(texts) if all(isinstance(t, str) for t in texts) else None
    last = json.loads(events[-1])
    assert "error" in last, f"it ends without an end: {events[-1][:200]}"
    assert "[DONE]" not in events and not any("error" in json.loads(e) for e in events[:-1])
    return last["error"], None


def judge(case, r):
    e, text = read(r)
    if len(r.body) > 8000 and r.status != 200:
        return f"an error of {len(r.body)} bytes"
    if r.get("x-evil"):
        return "a header of its own"
    if not e:
        if case.verdict == BAD:
            return f"taken for good: {r.body[:200]!r}"
        return None if case.verdict == EITHER or case.task != "chat" or text == broken.TEXT else f"not what was sent: {text!r}"
    if case.verdict == GOOD:
        return f"refused: {e['code']}: {e['message']}"
    if not case.codes or case.verdict == EITHER:
        return None if e["hob"]["fault"] in ("backend", "model", "caller") and e["code"] != "internal_error" else f"blamed on {e['hob']['fault']}"
    if e["hob"]["fault"] != "backend" or e["code"] not in case.codes:
        return f"{e['hob']['fault']}, {e['code']} instead of {case.codes}: {e['message']}"
    return None


def rows_of(h):
    return {row["id"]: row for row in raw.call(str(h.state / "hob.sock"), "GET", "/hob/v1/logs?n=all", timeout=60 * SLOW).json()["rows"]}


def check_row(row, r):
    """The row says what the caller was told."""
    e, _ = read(r)
    if e is None:
        return None if row["code"] == "ok" and row["status"] == 200 else f"a good answer, and its row has {row['code']} {row['status']}"
    if row["code"] != e["code"] or row["fault"] != e["hob"]["fault"]:
        return f"{e['code']}, {e['hob']['fault']}; and its row has {row['code']}, {row['fault']}"
    if any(isinstance(v, int) and v < 0 for v in row["tokens"].values()):
        return f"tokens below 0: {row['tokens']}"
    return None


def peak(pid):
    return int(next(line for line in pathlib.Path(f"/proc/{pid}/status").read_text().splitlines() if line.startswith("VmHWM")).split()[1]) << 10


def run(world, name, cases, threads=8):
    """cases: [(kind, Case)]. Returns what went wrong."""
    gateway = world.hob.gateway()
    before = gateway.rss()
    pathlib.Path(f"/proc/{gateway.pid}/clear_refs").write_text("5")
    with concurrent.futures.ThreadPoolExecutor(threads) as pool:
        told = list(pool.map(lambda kc: world.play(*kc), cases))
    assert gateway.alive(), world.hob.stderr()[-5000:]
    assert world.play(cases[-1][0], next(broken.framings(broken.OPENAI, False)))[0] is None if cases[-1][0] == "openai" else True
    wrong = [f"{kind}, {'stream' if case.stream else 'whole'}: {case.name}: {why}" for (kind, case), (why, _) in zip(cases, told) if why]
    ids = [r.get("x-request-id") for _, r in told if r]
    assert len(ids) == len(set(ids)) and None not in ids
    rows = wait_for("a row for each", lambda: (rows := rows_of(world.hob)) and all(i in rows for i in ids[-9000:]) and rows)
    for (kind, case), (why, r) in zip(cases, told):
        if r and not why and r.get("x-request-id") in rows and (said := check_row(rows[r.get("x-request-id")], r)):
            wrong.append(f"{kind}, {'stream' if case.stream else 'whole'}: {case.name}: {said}")
    for uses in world.player.uses.values():
        for number in uses[:-1]:
            if not world.player.cases[number].reuse:
                wrong.append(f"{world.player.cases[number].name}: its connection was used again")
    world.player.uses.clear()
    outcome = collections.Counter("good" if r and read(r)[0] is None else "refused" for why, r in told if not why)
    gates.record("malformed-upstreams", f"{name}: cases", len(cases), "")
    gates.record("malformed-upstreams", f"{name}: handled wrongly", len(wrong), "= 0")
    gates.record("malformed-upstreams", f"{name}: refused, good", f"{outcome['refused']}, {outcome['good']}", "")
    gates.record("malformed-upstreams", f"{name}: RSS grew by KiB, at its peak", f"{(gateway.rss() - before) >> 10}, {(peak(gateway.pid) - before) >> 10}",
                 "")
    assert not wrong, f"{len(wrong)} of {len(cases)}:\n" + "\n".join(w[:400] for w in wrong[:60])
    assert gateway.rss() - before < 96 << 20


def some(rng, cases, quick):
    """All of them in the long form."""
    return cases if gates.FORM == "long" else rng.sample(cases, min(quick, len(cases)))


def both(make, kinds):
    """For a stream and for an answer in one piece."""
    return [(k, case) for k in kinds for stream in (False, True) for case in make(broken.LANGUAGES[k], stream)]


@pytest.mark.torture
def test_frames(world):
    rng = gates.rng("frames")
    run(world, "frames", both(broken.framings, ["openai"]) if gates.FORM == "quick" else both(broken.framings, broken.LANGUAGES))
    if gates.FORM == "quick":
        run(world, "frames of other kinds", rng.sample(both(broken.framings, ["ollama", "anthropic", "hob"]), 120))


@pytest.mark.torture
def test_what_never_ends(world):
    run(world, "never ending", some(gates.rng("slow"), both(broken.slow, broken.LANGUAGES), 16), threads=16)


BUSY = [("ollama", "503"), ("anthropic", "529")]  # by which these say what others say by 429


@pytest.mark.torture
def test_refusals(world):
    cases = [(kind, case) for kind, case in both(broken.errors, broken.LANGUAGES) if (kind, case.name[:3]) not in BUSY]
    run(world, "refusals", some(gates.rng("errors"), cases, 150))


@pytest.mark.torture
def test_places_that_are_busy(module_nursery):
    cases = [(f"busy{i}", case) for i, case in enumerate(broken.busy())]
    w = World(module_nursery, {name: "openai" for name, _ in cases})
    try:
        run(w, "busy", cases)
    finally:
        w.player.stop()


@pytest.mark.torture
def test_ends_at_every_byte(world):
    cases = [(k, case) for k in broken.LANGUAGES if k != "hob" for stream in (False, True) for frame in ("length", "chunks", "end")
             for case in broken.ends(broken.LANGUAGES[k], stream, frame)]
    run(world, "ends", some(gates.rng("ends"), cases, 200))


@pytest.mark.torture
@pytest.mark.parametrize("kind, make", [("openai", broken.wholes), ("openai", broken.others), ("openai", broken.events), ("ollama", broken.ollama),
                                        ("anthropic", broken.anthropic)])
def test_bodies(world, kind, make):
    cases = [(kind, case) for case in make()]
    if gates.FORM == "quick":
        cases = [c for c in cases if callable(c[1].writes) or sum(map(len, c[1].writes)) < 2 << 20]
    run(world, f"bodies: {make.__name__}", some(gates.rng(make.__name__), cases, 120), threads=4)


@pytest.mark.torture
def test_frames_over_tls(module_nursery, tmp_path):
    authority = remote.Authority(tmp_path / "ca")
    certificate, key = authority.leaf("IP:127.0.0.1")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    w = World(module_nursery, {"openai": "openai"}, lambda sock: context.wrap_socket(sock, server_side=True), ca=str(authority.file))
    try:
        run(w, "frames over TLS", some(gates.rng("tls"), both(broken.framings, ["openai"]), 40))
    finally:
        w.player.stop()
