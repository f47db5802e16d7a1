"""Memory, or descriptors, that are not there while models are held against each other: a trial under way, a shadow, asks that are kept, a suite, a measurement, and those who look at
it all. The gateway as in test_no_memory.py; the commands too, each of whose places fails: they end with a word or do what they should."""

import json
import time

import faults
import gates
import no_memory
import pytest
import raw
from helpers import HOB, SANITIZED, wait_for
from test_no_memory import SCHEMA, TOOLS, World, torture
from test_report import Hook

pytestmark = [pytest.mark.torture, pytest.mark.skipif(SANITIZED or not faults.SHIM.exists(), reason="the shim is not for sanitizers, and for Linux alone")]

SOME = gates.sized((3, 1), (0, 40))  # places of the gateway (0: all), times without any memory
COMMAND_RUNS = gates.sized(8, 0)
DRAWN = gates.sized(1, 0)  # calls that have no descriptor, of a kind; 0: all
DAY_MS = 86400000
SUITE = {"suite": "small", "cases": [{"id": "right", "input": '[[text "{\\"a\\":1}"]]', "expect": [{"json": "$.a", "equals": 1}]}, {"id": "wrong", "input": '[[text "five"]]', "expect": [{"equals": "six"}]}]}
BENCH = "--contexts 64 --concurrency 1,2 --tokens 8 --runs 1 -q"


class Swaps(World):
    """`chat` is on trial and kept, `code` has a shadow; who looks at it looks."""

    ASKED, READERS = ("chat", "code"), 8  # it stays at 6, however often it is looked at
    CHATS = [
        ("chat", "hello [[words 5]]", {}),
        ("chat", "hello jane@example.com [[words 5]]", {"stream": True, "stream_options": {"include_usage": True}}),
        ("chat", '[[tool look {"a":1}]]', {"tools": TOOLS}),
        ("code", '[[text "{\\"a\\":1}"]]', {"response_format": {"type": "json_schema", "json_schema": {"name": "s", "schema": SCHEMA, "strict": True}}}),
        ("code", "hello [[words 5]]", {"stream": True}),
    ]
    LOOKS = ["swaps", "swaps?id=1", "swaps?id=2", "swaps/log", "swaps/series?id=1", "swaps/baselines", "models/history", "stats", "stats?by=caller&against=24h", "stats/residency", "advise?role=chat",
             "captured", "captured?role=chat", "evals", "evals/show?run=1"]
    RESULT = {"place": "m", "item": "c", "turn": 1, "passed": True, "score": 1, "fault": "", "about": {"text": "a"}}
    OTHERS = [("GET", "/hob/v1/" + look, None) for look in LOOKS] + [
        ("GET", "/metrics", None), ("POST", "/hob/v1/swaps/baseline", {"do": "save", "role": "chat"}), ("POST", "/hob/v1/evals", {"suite": "s", "about": {"models": ["m"]}}),
        ("POST", "/hob/v1/evals/results", {"run": 1, "results": [RESULT]}), ("POST", "/hob/v1/swaps/step", {"id": 1, "step": "smoke", "role": "chat"}),
    ]

    def configured(self):
        self.hook = Hook()
        urls = [self.nursery.fake().url for _ in range(2)]
        return {"hosts": {"one": {"url": urls[0]}, "two": {"url": urls[1]}}, "models": {"old": {"host": "one"}, "new": {"host": "two"}},
                "roles": {"chat": {"model": "old", "capture": {"share": "100%"}}, "code": {"model": "old"}}, "notify": {"url": f"http://127.0.0.1:{self.hook.port}/"}}

    def door(self, path, body=None):
        return raw.call(str(self.h.state / "hob.sock"), "POST" if body else "GET", "/hob/v1/" + path, *([body] if body else []), timeout=20)

    def ask(self, path, body=None):
        got = self.door(path, body)
        assert got.status == 200, got
        return got.json()

    def begin(self):
        super().begin()
        for role, step in (("chat", {"step": "start", "force": True, "why": "a test"}), ("code", {"step": "shadow", "share": 1, "idle_ms": 1})):
            swap = self.ask("swaps/plan", {"roles": [{"role": role, "to": "new"}], "alert_only": True, "window_ms": 7 * DAY_MS})["id"]
            self.ask("swaps/step", {"id": swap, **step})
        self.ask("evals", {"suite": "s", "about": {"models": ["m"]}})
        self.load()

    def under_way(self):
        """What was begun goes on."""
        swaps = {s["id"]: s["state"] for s in self.ask("swaps")["swaps"]}
        shadow = self.ask("swaps?id=2")["shadow"]
        assert (swaps[1], swaps[2], shadow["on"]) == ("trial", "shadow", True), (swaps, shadow)
        return shadow


@pytest.fixture
def swaps(nursery):
    w = Swaps(nursery)
    yield w
    w.hook.stop()


def test_a_gateway_with_swaps_says_so_or_goes_on(swaps):
    torture(swaps, gates.rng("no-memory-swaps"), ", with a trial, a shadow and asks that are kept", *SOME)
    before = swaps.under_way()["pairs"]
    assert swaps.h.chat("chat", "hello").get("x-hob-model") == "new" and swaps.h.chat("code", "hello").get("x-hob-model") == "old"
    wait_for("copies are still sent", lambda: swaps.under_way()["pairs"] > before)


# -- the commands

COMMANDS = [
    "eval run small.yaml --models old,new -q", "eval run small.yaml --models old --json -q", "eval list", "eval show 2", "eval compare 2 --models old,new --json", "eval compare --pairs pairs.jsonl", "eval export 2 --form junit",
    "eval export 2 --form markdown", "eval suites", "eval check small.yaml", "eval show-suite chat-bench", "eval capture chat --status", "eval capture chat -n 3", "eval import rows.jsonl",
    "bench old " + BENCH, "bench old,new --json " + BENCH, "swap status", "swap status 1", "swap status --json", "swap report 1", "swap report 2 --json", "swap log", "swap history", "swap baseline",
    "swap simulate --baseline 0.02 --candidate 0.06 --trials 20", "stats", "stats --by caller --json", "stats --before", "stats --residency", "advise chat", "tune old --show", "logs", "ps", "models --callers", "gain",
]


def test_commands_without_memory_say_so_or_go_on(swaps):
    draw, h = gates.rng("commands-no-memory"), swaps.h
    swaps.shim.clear()
    (h.dir / "small.yaml").write_text(json.dumps(SUITE))
    (h.dir / "pairs.jsonl").write_text('{"a":true,"b":false}\n' * 30)
    (h.dir / "rows.jsonl").write_text('{"input": "a", "ideal": "b"}\n')
    files = {p.name: str(p) for p in h.dir.iterdir()}

    def run(name, leaks, **rule):
        words = [files.get(w, w) for w in name.split()]
        return no_memory.run([HOB, *words, "-c", h.config_path], "hob", h.env, leaks, **rule)
    assert run("eval run small.yaml --models old,new -q", False)[2] == "passed"
    book = no_memory.Book(run, lambda name: "hob")
    if COMMAND_RUNS:
        seen = book.look_at(draw.sample(COMMANDS, 2), lambda every: draw.sample(every, COMMAND_RUNS))
    else:
        seen = book.look_at(COMMANDS, end=time.monotonic() + gates.SECONDS)
    bad = no_memory.judge(*seen, "commands", len(COMMANDS), gates.sized(4, 3000))
    swaps.under_way()
    assert not bad, "\n\n".join(bad[:20])


# -- descriptors

KINDS = ["socket", "accept", "open", "pair", "connect"]  # of calls that make one, or that fail for want of one


def test_no_descriptor_at_any_call_is_said_or_got_over(swaps):
    """Of a gateway's life, from its start on: of each kind of call the n-th has none."""
    draw, outcomes, bad, fired, calls = gates.rng("no-descriptors"), {"nothing": 0, "word": 0}, [], 0, {}
    kinds = draw.sample(KINDS, 1) if DRAWN else KINDS
    for call in kinds:
        r, _ = swaps.try_one(call=call, error=0, first=1, to=1)
        calls[call] = r.seen
        for n in range(1, r.seen + 1) if not DRAWN else draw.sample(range(1, r.seen + 1), min(DRAWN, r.seen)):
            r, outcome = swaps.try_one(call=call, error="EMFILE", first=n, to=n)
            fired += bool(r.fired)
            if outcome not in outcomes:
                bad.append(f"{call} {n} of {calls[call]}: {outcome}")
                print(bad[-1], flush=True)
                swaps.again()
            else:
                outcomes[outcome] += 1
    print(outcomes, calls)
    gates.record("fd-exhaustion", "calls of a gateway with a trial and a shadow that can want for a descriptor", sum(calls.values()), "")
    gates.record("fd-exhaustion", "of these, those that did, each in a life of its own", fired, f">= {sum(calls.values()) // 2 if not DRAWN else DRAWN}")
    gates.record("fd-exhaustion", "crashes, aborts without a word, hangs, requests without an end, rows lost or doubled", len(bad) + len(swaps.rows.doubled), "= 0")
    assert not bad, "\n\n".join(bad[:20])
    assert not swaps.rows.doubled and fired >= len(kinds)
    swaps.under_way()


def test_no_descriptors_for_a_while_end_no_gateway(swaps):
    """Callers are told, copies wait, and the administration answers."""
    h = swaps.h
    gateway, before = h.gateway(), swaps.under_way()["pairs"]
    for call in [k for k in KINDS if k != "accept"]:  # nobody would come in: test_faults.py
        swaps.shim.clear()
        with swaps.shim.rule(call, error="EMFILE", program="hob"):
            swaps.load()
            assert swaps.ask("ps") and swaps.ask("swaps"), call
            told = swaps.door("stats")
            assert told.status == 200 or "Too many open files" in told.error()["message"], (call, told)
    swaps.shim.clear()
    wait_for("it serves", swaps.serves, 30)
    assert h.chat("code", "hello").status == 200
    wait_for("copies are sent", lambda: swaps.under_way()["pairs"] > before)
    assert h.gateway().pid == gateway.pid, h.stderr()[-3000:]
    wait_for("rows are written", lambda: not swaps.told - swaps.rows.look())
    assert not swaps.rows.doubled
