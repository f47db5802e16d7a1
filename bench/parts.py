"""The measurements. Each part takes a Bench and returns {figure: {subject: [one sample a round]}}.

Rounds are interleaved (direct, nginx, hob, direct, nginx, hob, ...), so that what else the machine does falls on all alike.
"""
import json
import subprocess
import time

from procs import CannotMeasure, cpu_ns, end_with_us, move, pinned, pss_mib

CONNS = 32            # connections of the CPU part
BODY_BYTES = 1024     # of a chat request
STREAMS = 500
EVENTS, GAP_MS = 50, 20
BODIES = {"1m": 1_000_000, "8m": 8_000_000}  # the larger one just below hob's default limit of 8 MiB
TEXTS = ("plain", "escapes")
SLOW_PEER_STARTS = 3


class Bench:
    """What a part needs: the mock, the gateways' names and (later) those that are up, cores, and how much to do."""

    def __init__(self, build, mock, starter, names, cores, size, progress):
        self.build, self.mock, self.starter, self.names = build, mock, starter, names
        self.core, self.other_core = cores
        self.size, self.progress = size, progress
        self.subjects = []
        self.notes = []

    def load(self, mode, subject, core, during=None, **options):
        """Runs the load client to its end; during() is called a few times a second meanwhile."""
        port = subject.stream_port if mode == "stream" else subject.port
        seconds = 300 if subject.peer else 60  # the longest it may take
        argv = [str(self.build / "bench" / "load"), mode, "--port", str(port), "--seconds", str(seconds),
                "--model", subject.model]
        for key, value in options.items():
            argv += ["--" + key.replace("_", "-"), *([] if value is True else [str(value)])]
        with pinned(core):
            client = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True,
                                      preexec_fn=end_with_us)
        try:
            deadline = time.monotonic() + seconds + 10
            while True:
                try:
                    out, _ = client.communicate(timeout=0.25)
                    break
                except subprocess.TimeoutExpired:
                    if time.monotonic() > deadline:
                        raise CannotMeasure(f"the load client hangs: {' '.join(argv)}") from None
                    if during:
                        during()
        finally:
            if client.poll() is None:
                client.kill()
                client.wait()
        if client.returncode:
            raise CannotMeasure(f"the load client ended with {client.returncode}: {' '.join(argv)}")
        result = json.loads(out)
        if result["errors"]:
            raise CannotMeasure(f"{result['errors']} errors, the first: {result['first_error']}")
        return result

    def loaded(self, subject, mode, **options):
        """(result, CPU ns of the subject while it ran)."""
        pids = subject.pids()
        before = cpu_ns(pids)
        result = self.load(mode, subject, self.other_core, **options)
        after = cpu_ns(pids)
        if subject.pids() != pids:
            raise CannotMeasure(f"{subject.name} started or lost a process under load")
        return result, after - before

    def rounds(self, n, what, measure, over=None):
        """Calls measure(subject) for each subject, n times over; an error names the subject it came from. A peer that fails
        is left out of the rest of the part, and a note says so; without nginx or hob there is nothing to say."""
        taking_part = list(self.subjects if over is None else over)
        for i in range(n):
            for subject in list(taking_part):
                name = getattr(subject, "name", subject)
                self.progress(f"{what}: round {i + 1} of {n}, {name}")
                try:
                    measure(subject)
                except CannotMeasure as e:
                    if name not in self.starter.peers:
                        raise CannotMeasure(f"{name}: {e}") from e
                    self.notes.append(f"{what}: {name} was left out in round {i + 1}: {e}")
                    taking_part.remove(subject)


def note(figures, figure, subject, value):
    figures.setdefault(figure, {}).setdefault(getattr(subject, "name", subject), []).append(value)


def measure_requests(bench):
    """CPU per request, and the rate, with 32 connections that ask again at once."""
    figures = {}

    def warm_up(subject):
        bench.load("plain", subject, bench.other_core, conns=CONNS, requests=subject.share_of(4000), body_bytes=BODY_BYTES)

    def measure(subject):
        result, cpu = bench.loaded(subject, "plain", conns=CONNS, requests=subject.share_of(bench.size["requests"]),
                                   body_bytes=BODY_BYTES)
        if subject.server:
            note(figures, "request_cpu_us", subject, cpu / 1e3 / result["done"])
        note(figures, "requests_per_s", subject, result["rate"])
        note(figures, "busy_p50_us", subject, result["p50_us"])
        note(figures, "busy_p99_us", subject, result["p99_us"])

    bench.rounds(1, "requests, warming up", warm_up)
    bench.rounds(bench.size["rounds"], "requests", measure)
    return figures


def measure_latency(bench):
    """One connection, one request at a time; subject, mock and client share one core, so that what is seen is work and
    not the waking of idle cores. What a subject adds is its time less the direct one of the same round. A caller of hob waits for
    the commit of its row; what hob adds without that is measured with `durability: lazy`."""
    figures, direct = {}, {}
    lazy = bench.starter.start("hob", bench.core, durability="lazy") if "hob" in bench.names else None

    def note_added(subject, q, value):
        if subject is lazy or subject.name != "hob":
            note(figures, f"added_{q}_us", subject, value)
        if subject is not lazy and not subject.peer:
            note(figures, f"waited_{q}_us", subject, value)

    def measure(subject):
        result = bench.load("plain", subject, bench.core, conns=1,
                            requests=subject.share_of(bench.size["single_requests"]), body_bytes=BODY_BYTES)
        for q in ("p50", "p99"):
            if subject is not lazy:
                note(figures, f"one_core_{q}_us", subject, result[f"{q}_us"])
            if not subject.server:
                direct[q] = result[f"{q}_us"]
            else:
                note_added(subject, q, result[f"{q}_us"] - direct[q])

    move(bench.mock.pid, bench.core)
    try:
        bench.rounds(bench.size["rounds"], "latency", measure, [*bench.subjects, *([lazy] if lazy else [])])
    finally:
        move(bench.mock.pid, bench.other_core)
        if lazy:
            lazy.server.stop()
    return figures


def measure_streams(bench):
    """500 streams at once, each event delivered as it comes: CPU per event, memory meanwhile, delay of an event."""
    figures, direct = {}, {}

    def warm_up(subject):
        bench.load("stream", subject, bench.other_core, conns=20, events=EVENTS, gap_ms=GAP_MS)

    def measure(subject):
        pids, memory = subject.pids(), []
        result, cpu = bench.loaded(subject, "stream", conns=STREAMS, waves=subject.share_of(bench.size["waves"]),
                                   events=EVENTS, gap_ms=GAP_MS, body_bytes=BODY_BYTES,
                                   during=lambda: memory.append(pss_mib(pids)))
        if subject.server:
            note(figures, "event_cpu_us", subject, cpu / 1e3 / result["events"])
            note(figures, "streams_pss_mib", subject, max(memory))
        for q in ("p50", "p99"):
            note(figures, f"event_{q}_us", subject, result[f"{q}_us"])
            if not subject.server:
                direct[q] = result[f"{q}_us"]
            else:
                note(figures, f"event_added_{q}_us", subject, result[f"{q}_us"] - direct[q])

    bench.rounds(1, "streams, warming up", warm_up)
    bench.rounds(bench.size["rounds"], "streams", measure)
    return figures


def measure_bodies(bench):
    """Large bodies, one after the other over one connection: what a gateway spends on looking through them (hob checks all of
    it as JSON) or, in nginx's case, on writing them to a file before the first byte goes on: that is what nginx does with any
    body above 16 KiB by default, and it is its own affair. Both ways every byte is read and written once more."""
    figures, direct = {}, {}

    def ask(subject, label, text, requests):
        return bench.loaded(subject, "plain", conns=1, requests=subject.share_of(requests, least=2),
                            body_bytes=BODIES[label], text=text)

    def measure(subject):
        for label in BODIES:
            for text in TEXTS:
                result, cpu = ask(subject, label, text, bench.size["bodies"][label])
                if subject.server:
                    note(figures, f"body_{label}_{text}_cpu_ms", subject, cpu / 1e6 / result["done"])
                    note(figures, f"body_{label}_{text}_added_ms", subject, (result["p50_us"] - direct[label, text]) / 1e3)
                else:
                    direct[label, text] = result["p50_us"]
        if subject.server:
            note(figures, "bodies_pss_mib", subject, subject.pss_mib())

    bench.rounds(1, "bodies, warming up", lambda subject: ask(subject, "8m", "plain", 2))
    bench.rounds(bench.size["rounds"], "bodies", measure)
    return figures


def measure_idle(bench):
    """Memory after the start, before the first request: three fresh ones each, and never two of a kind at once, for they
    would share what is counted here."""
    figures = {}

    def measure(name):
        fresh = bench.starter.start(name, bench.core)
        with fresh.server:
            note(figures, "idle_pss_mib", name, fresh.pss_mib())

    bench.rounds(3, "idle memory", measure, bench.names)
    return figures


def measure_start(bench):
    """From exec to the first 200, connecting again and again without a pause; hob without hosts and models."""
    figures = {}

    def measure(name):
        if name in bench.starter.peers and len(figures.get("start_ms", {}).get(name, [])) >= SLOW_PEER_STARTS:
            return
        with pinned(bench.other_core):
            server, port, _ = bench.starter.spawn(name, bench.core, bare=True)
            with server:
                bench.starter.wait(name, server, port)
                note(figures, "start_ms", name, (time.monotonic_ns() - server.began_ns) / 1e6)

    bench.rounds(bench.size["starts"], "start", measure, bench.names)
    return figures
