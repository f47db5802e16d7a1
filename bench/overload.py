"""Four times too much. Of a model's slots: what is refused, how soon, and what is done meanwhile. Of the CPU: what is done when callers are more than it can serve.

How soon is taken on the wire: from the moment a request was sent to its answer. What the load client adds itself is seen in two ways: how much later than
due it sent (what it waits for a core), and nginx, which refuses everything without reading it, under the same load in the same rounds."""
import time

from procs import CannotMeasure, free_port
from rows import stolen_ticks, stolen_percent
from subjects import Mock, Subject

SLOTS, EVENTS, GAP_MS = 4, 4, 17            # some 51 ms a request
CAN = SLOTS * 1000 / ((EVENTS - 1) * GAP_MS)
TIMES = 4
CONNS = 64
CROWDS = (32, 128, 512)                     # connections that ask without a pause: at the first the core is full

HOB_CONF = """\
listen: 127.0.0.1:{port}
hosts:
  up: {{kind: openai, url: "http://127.0.0.1:{upstream}", slots: {slots}}}
models:
  bench: {{host: up, name: upstream-model, queue: {{limit: 12, deadline: 2s}}}}
"""


def start_limited(bench, mock):
    folder, port = bench.starter.scratch / f"limited-{mock.port}", free_port()
    folder.mkdir()
    server = bench.starter.spawn_hob(folder, bench.core, HOB_CONF.format(port=port, upstream=mock.port, slots=SLOTS))
    bench.starter.wait("hob", server, port, pause_s=0.01)
    return Subject("hob", server, port)


def note(figures, figure, name, value):
    figures.setdefault(figure, {}).setdefault(name, []).append(value)


def measure_refusals(bench, figures):
    rate, seconds = TIMES * CAN, 5 * bench.size["rounds"] / 7
    options = dict(conns=CONNS, body_bytes=1024, refusals=True, streamed=True)
    with Mock(bench.build, bench.starter.scratch, bench.other_core, EVENTS, GAP_MS) as mock:
        limited = start_limited(bench, mock)
        nginx = next((s for s in bench.subjects if s.name == "nginx"), None)

        def measure(subject):
            stolen, since = stolen_ticks(), time.monotonic()
            if subject is limited:
                peak = bench.load("plain", subject, bench.other_core, **options | {"conns": 2 * SLOTS}, requests=int(CAN * seconds))
            path = {} if subject is limited else {"path": "/refused"}
            result = bench.load("plain", subject, bench.other_core, rate=int(rate), requests=int(rate * seconds), **options, **path)
            if not result["refused"]:
                raise CannotMeasure("nothing was refused")
            for q in ("p50", "p99", "max"):
                note(figures, f"refused_{q}_ms", subject.name, result[f"refused_{q}_us"] / 1e3)
            note(figures, "refused_late_p99_ms", subject.name, result["late_p99_us"] / 1e3)
            note(figures, "refused_stolen_percent", subject.name, stolen_percent(stolen, since))
            if subject is limited:
                note(figures, "slots_goodput", "hob", result["rate"] / peak["rate"])

        with limited.server:
            bench.rounds(bench.size["rounds"], "four times the slots", measure, [*([nginx] if nginx else []), limited])


def measure_crowds(bench, figures):
    """Closed loops of ever more callers, on a core that the first of them fills already."""
    def measure(subject):
        peak = None
        for conns in CROWDS:
            result = bench.load("plain", subject, bench.other_core, conns=conns, requests=bench.size["requests"] // 2, body_bytes=1024, refusals=True)
            peak = peak or result["rate"]
            if conns != CROWDS[0]:
                note(figures, f"crowd_{conns // CROWDS[0]}x_goodput", subject.name, result["rate"] / peak)
                note(figures, f"crowd_{conns // CROWDS[0]}x_p99_ms", subject.name, result["p99_us"] / 1e3)
                note(figures, f"crowd_{conns // CROWDS[0]}x_refused", subject.name, result["refused"])

    bench.rounds(bench.size["rounds"], "more callers than the core can serve", measure, [s for s in bench.subjects if s.server and not s.peer])


def measure_overload(bench):
    figures = {}
    measure_refusals(bench, figures)
    measure_crowds(bench, figures)
    return figures
