"""What a dead first choice adds to a request once its breaker is open: two of hob, the one with a place that answers, the other with one before it that
refuses every connection. One connection, one request at a time, on one core."""
import contextlib

from parts import BODY_BYTES, move, note
from procs import free_port, wait_until_up
from subjects import Subject

HOB_CONF = """\
listen: 127.0.0.1:{port}
breaker: {{open: 1h}}
hosts:
  gone: {{kind: openai, url: "http://127.0.0.1:{gone}", probe: never}}
  up: {{kind: openai, url: "http://127.0.0.1:{upstream}", probe: never}}
models:
  dead: {{host: gone}}
  well: {{host: up, name: upstream-model}}
roles:
  bench: {{model: {first}, fallback: [well]}}
"""


def spawn(bench, name, first):
    folder = bench.starter.scratch / f"fallback-{name}"
    folder.mkdir()
    port = free_port()
    text = HOB_CONF.format(port=port, gone=free_port(), upstream=bench.mock.port, first=first)
    return Subject(name, bench.starter.spawn_hob(folder, bench.core, text), port)


def measure_fallback(bench):
    """{"dead_first_p50_us": {"well": […], "hob": […]}, …, "dead_first_added_ms": {"hob": […]}}"""
    figures, well = {}, {}
    with contextlib.ExitStack() as stack:
        subjects = [spawn(bench, "well", "well"), spawn(bench, "hob", "dead")]
        for subject in subjects:
            stack.enter_context(subject.server)
            wait_until_up(subject.server, subject.port, pause_s=0.01)

        def ask(subject, requests):
            return bench.load("plain", subject, bench.core, conns=1, requests=requests, body_bytes=BODY_BYTES)

        def measure(subject):
            result = ask(subject, bench.size["single_requests"] // 2)
            for q in ("p50", "p99"):
                note(figures, f"dead_first_{q}_us", subject, result[f"{q}_us"])
            if subject.name == "well":
                well["p50"] = result["p50_us"]
            else:
                note(figures, "dead_first_added_ms", subject, (result["p50_us"] - well["p50"]) / 1e3)

        move(bench.mock.pid, bench.core)
        try:
            bench.rounds(1, "fallback, warming up", lambda s: ask(s, 100), subjects)  # three failures open the breaker
            bench.rounds(bench.size["rounds"], "fallback", measure, subjects)
        finally:
            move(bench.mock.pid, bench.other_core)
    return figures
