"""Too much at once: memory, connections, requests, queues. What is over the limits is refused at once with a typed error and a time to come back; what is
under way goes on; the health of the gateway can always be asked."""

import json
import pathlib
import re
import select
import socket
import threading
import time

import gates
import pytest
import raw
from helpers import SANITIZED, chat_body, cli, content_of, wait_for

MIB = 1 << 20


def metric(h, name, **labels):
    want = ",".join(f'{k}="{v}"' for k, v in labels.items())
    m = re.search(rf"^{name}{re.escape('{' + want + '}') if want else ''} ([0-9.e+-]+)$", h.get("/metrics").body.decode(), re.M)
    return float(m[1]) if m else None


class Watch:
    """The most that a process has had of memory of its own, looked at all the time."""

    def __init__(self, pid):
        self.path, self.most, self.over = pathlib.Path(f"/proc/{pid}/statm"), 0, threading.Event()
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.thread.start()

    def now(self):
        _, resident, shared, *_ = map(int, self.path.read_text().split())
        return (resident - shared) * 4096

    def run(self):
        while not self.over.wait(0.005):
            self.most = max(self.most, self.now())

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.over.set()
        self.thread.join()


def check_overloaded(r):
    assert r.status == 503, r
    e = r.error()
    assert e["code"] == "overloaded" and e["hob"]["fault"] == "gateway", e
    assert 1 <= int(r.get("retry-after")) <= 60 and r.get("x-should-retry") == "true", r


def all_at_once(n, fn):
    """fn(i) in n threads that start together; their results."""
    got, barrier = [None] * n, threading.Barrier(n)

    def run(i):
        barrier.wait()
        try:
            got[i] = fn(i)
        except Exception as e:
            got[i] = e
    threads = [threading.Thread(target=run, args=(i,), daemon=True) for i in range(n)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    return got


# -- memory


def host_hob(nursery, up, **config):
    return nursery.hob({"hosts": {"up": {"url": up.url}}, "models": {"m": {"host": "up"}}, **config})


def send_large(h, body, timeout=60.0):
    """Its answer, which may come before all of it was sent: then the rest is not."""
    with raw.Connection(h.at, timeout) as c:
        c.send(f"POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n".encode())
        for at in range(0, len(body), 256 * 1024):
            if select.select([c.sock], [], [], 0)[0]:
                break
            c.send(body[at:at + 256 * 1024])
        return c.response("POST")


SHAPES = {"text": lambda n: {"messages": [{"role": "user", "content": "[[words 1]] " + "x" * n}]}, "tree": lambda n: {"x_tree": [1] * (n // 2)}}


@pytest.mark.torture
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.skipif(SANITIZED, reason="a sanitizer's memory is not ours")
def test_large_bodies_at_once_stay_under_the_cap(nursery, shape):
    """Announced bodies are reserved before they are read: whatever is sent at once, the process has no more than it may."""
    cap, callers, size = gates.sized(96, 160) * MIB, gates.sized(20, 1000), gates.sized(4, 8) * MIB - 4096
    body = json.dumps({**chat_body("m", "[[words 1]]"), **SHAPES[shape](size)}, separators=(",", ":")).encode()
    limits = {"limits": {"memory": cap}}
    h = host_hob(nursery, nursery.fake(), **limits) if shape == "text" else nursery.managed(config=limits)  # whose engine never sees the tree
    assert h.chat("m", "hello").status == 200
    with Watch(h.gateway().pid) as watch:
        got = all_at_once(callers, lambda i: send_large(h, body))
        assert h.get("/livez").status == 200
    statuses = [r.status if isinstance(r, raw.Response) else repr(r) for r in got]
    counts = {s: statuses.count(s) for s in sorted(set(statuses), key=str)}
    for r in got:
        if isinstance(r, raw.Response) and r.status != 200:
            check_overloaded(r)
    gates.record("overload", f"peak memory, {callers} bodies of {size / MIB:.0f} MiB ({shape}) at once, cap {cap // MIB} MiB, MiB", round(watch.most / MIB, 1), f"<= {cap // MIB}",
                 statuses={str(k): v for k, v in counts.items()})
    assert watch.most <= cap, (watch.most / MIB, counts)
    assert counts.get(200, 0) >= 1 and set(counts) <= {200, 503}, counts
    assert metric(h, "hob_overload_refused_total", reason="memory") == counts.get(503, 0)
    wait_for("it takes requests again", lambda: h.chat("m", "hello").status == 200)
    wait_for("nothing is promised any more", lambda: metric(h, "hob_memory_bytes", part="promised") == 0)


@pytest.mark.torture
@pytest.mark.skipif(SANITIZED, reason="a sanitizer's memory is not ours")
def test_collected_answers_and_slow_readers_stay_under_the_cap(nursery):
    """Answers that are collected count as they grow; a stream that nobody reads is not read from its place, so it goes on whatever else happens."""
    cap, callers = gates.sized(32, 96) * MIB, gates.sized(24, 400)
    words, size = gates.sized(160, 320), 20480  # 3 or 6 MB each
    up = nursery.fake()
    h = host_hob(nursery, up, limits={"memory": cap})
    prompt = f"[[words {words}]] [[word_bytes {size}]]"
    h.chat("m", "hello")
    with Watch(h.gateway().pid) as watch, h.open_chat("m", prompt, stream=True, rcvbuf=65536, timeout=120) as slow:
        head = slow.start()

        def collected(i):
            with h.open_chat("m", prompt, rcvbuf=65536, timeout=120) as c:
                return c.response("POST")
        got = all_at_once(callers, collected)
        kinds = [r.status if isinstance(r, raw.Response) else repr(r) for r in got]
        for r in got:
            if isinstance(r, raw.Response) and r.status != 200:
                check_overloaded(r)
        text = content_of(slow.stream(head))
    counts = {str(k): kinds.count(k) for k in sorted(set(kinds), key=str)}
    gates.record("overload", f"peak memory, {callers} answers of {words * size / 1e6:.1f} MB collected at once, cap {cap // MIB} MiB, MiB", round(watch.most / MIB, 1), f"<= {cap // MIB}",
                 statuses=counts)
    assert watch.most <= cap, (watch.most / MIB, counts)
    assert set(counts) <= {"200", "503"} and counts.get("200", 0) >= 1, counts
    assert len(text) == words * size + words - 1  # the stream was not touched
    wait_for("it takes requests again", lambda: h.chat("m", "hello").status == 200)
