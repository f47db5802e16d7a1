"""What it is worth that a conversation stays with the replica that has read it: two replicas of one model, talks of several turns, one request at a time.

`hob` says which talk a request belongs to (x-hob-session); `scattered` says of every request that it is a talk of its own, so that
chance decides. The same talks, word for word but for a number at their beginning, so that neither finds what the other has left.
"""
import contextlib
import http.client
import itertools
import json
import statistics
import time

from procs import CannotMeasure, free_port, wait_until_up
from tokens import locate

HOB_CONF = """\
listen: 127.0.0.1:{port}
state: "{state}"
engines: {{llama: {{path: "{engine}"}}}}
models:
  one: {{file: "{model}", context: 2048, slots: 2, keep: hot, replicas: [two]}}
  two: {{file: "{model}", context: 2048, slots: 2, keep: hot}}
"""
TALKS, TURNS, PATIENCE_S = 4, 4, 60
BACKGROUND = ("The mill stands at the bend of the river where the road from the coast meets the one from the hills. Its wheel has "
              "been mended in three winters, and each time the carpenter has left a mark on the beam above the door. ") * 8
serial = itertools.count(1)


def ask(port, messages, session):
    """(ms to the first token, tokens that were in the cache, the answer)"""
    body = json.dumps({"model": "one", "messages": messages, "temperature": 0, "max_tokens": 8, "stream": True})
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE_S)
    with contextlib.closing(connection):
        began, first, said, cached = time.monotonic(), None, "", 0
        connection.request("POST", "/v1/chat/completions", body, {"Content-Type": "application/json", "x-hob-session": session})
        response = connection.getresponse()
        if response.status != 200:
            raise CannotMeasure(f"hob answered {response.status}: {response.read()[:200]!r}")
        for line in response:
            if not line.startswith(b"data: {"):
                continue
            event = json.loads(line[6:])
            piece = event["choices"][0]["delta"].get("content") or ""
            first = first if first or not piece else time.monotonic()
            said += piece
            cached = event.get("_routing", {}).get("tokens", {}).get("cached") or cached
    if first is None:
        raise CannotMeasure("hob did not answer with a token")
    return (first - began) * 1e3, cached, said


def converse(port, together):
    """Medians over all turns but the first of each talk; the talks take turns, as callers do."""
    number = next(serial)
    talks = [[{"role": "system", "content": f"Case {number}-{t}. {BACKGROUND}"}] for t in range(TALKS)]
    waits, cached = [], []
    for turn in range(TURNS):
        for t, messages in enumerate(talks):
            messages.append({"role": "user", "content": f"Question {turn}: what is above the door?"})
            session = f"talk-{number}-{t}" if together else f"talk-{number}-{t}-{turn}"
            ms, kept, said = ask(port, messages, session)
            messages.append({"role": "assistant", "content": said})
            if turn:
                waits.append(ms)
                cached.append(kept)
    return statistics.fmean(waits), statistics.fmean(cached)


def measure_affinity(starter, root, rounds, progress):
    """{"affinity_ttft_ms": {"scattered": […], "hob": […]}, "affinity_cached": …}"""
    engine, model = locate("engine", "HOB_LLAMA_SERVER", root), locate("model", "HOB_TEST_MODEL", root)
    folder = starter.scratch / "affinity"
    folder.mkdir()
    port = free_port()
    out = {"affinity_ttft_ms": {"scattered": [], "hob": []}, "affinity_cached": {"scattered": [], "hob": []}}
    conf = HOB_CONF.format(port=port, state=folder / "state", engine=engine, model=model)
    with starter.spawn_hob(folder, None, conf) as hob:
        wait_until_up(hob, port, path="/readyz", pause_s=0.05)
        rounds = max(3, rounds // 4)
        for i in range(rounds):
            progress(f"affinity: round {i + 1} of {rounds}")
            for name in ("scattered", "hob") if i % 2 else ("hob", "scattered"):
                ms, cached = converse(port, name == "hob")
                out["affinity_ttft_ms"][name].append(ms)
                out["affinity_cached"][name].append(cached)
    return out
