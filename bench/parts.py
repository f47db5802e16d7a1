"""The measurements. Each part takes a Bench and returns {figure: {subject: [one sample a round]}}.

Rounds are interleaved (direct, nginx, hob, direct, nginx, hob, ...), so that what else the machine does falls on all alike.
"""
import json
import subprocess
import time

from procs import CannotMeasure, cpu_ns, move, pinned, pss_mib, wait_until_up

CONNS = 32            # connections of the CPU part
BODY_BYTES = 1024     # of a chat request
STREAMS = 500
EVENTS, GAP_MS = 50, 20


class Bench:
    """What a part needs: the mock, the subjects that are up, cores, and how much to do."""

    def __init__(self, build, mock, starter, subjects, cores, size, progress):
        self.build, self.mock, self.starter, self.subjects = build, mock, starter, subjects
        self.core, self.other_core = cores
        self.size, self.progress = size, progress

    def load(self, mode, port, core, seconds, during=None, **options):
        """Runs the load client to its end; during() is called a few times a second meanwhile."""
        argv = [str(self.build / "bench" / "load"), mode, "--port", str(port), "--seconds", str(seconds)]
        for key, value in options.items():
            argv += ["--" + key.replace("_", "-"), str(value)]
        with pinned(core):
            client = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True)
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

    def loaded(self, subject, mode, port, **options):
        """(result, CPU ns of the subject while it ran)."""
        pids = subject.pids()
        before = cpu_ns(pids)
        result = self.load(mode, port, self.other_core, **options)
        after = cpu_ns(pids)
        if subject.pids() != pids:
            raise CannotMeasure(f"{subject.name} started or lost a process under load")
        return result, after - before

    def rounds(self, n, what, measure):
        """Calls measure(subject) for each subject, n times over; an error names the subject it came from."""
        for i in range(n):
            for subject in self.subjects:
                self.progress(f"{what}: round {i + 1} of {n}, {subject.name}")
                try:
                    measure(subject)
                except CannotMeasure as e:
                    raise CannotMeasure(f"{subject.name}: {e}") from e


def note(figures, figure, subject, value):
    figures.setdefault(figure, {}).setdefault(subject.name, []).append(value)


def measure_requests(bench):
    """CPU per request, and the rate, with 32 connections that ask again at once."""
    figures = {}

    def warm_up(subject):
        bench.load("plain", subject.port, bench.other_core, 30, conns=CONNS, requests=4000, body_bytes=BODY_BYTES)

    def measure(subject):
        result, cpu = bench.loaded(subject, "plain", subject.port, seconds=60, conns=CONNS,
                                   requests=bench.size["requests"], body_bytes=BODY_BYTES)
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
    not the waking of idle cores. What a subject adds is its time less the direct one of the same round."""
    figures, direct = {}, {}

    def measure(subject):
        result = bench.load("plain", subject.port, bench.core, 60, conns=1,
                            requests=bench.size["single_requests"], body_bytes=BODY_BYTES)
        for q in ("p50", "p99"):
            note(figures, f"one_core_{q}_us", subject, result[f"{q}_us"])
            if not subject.server:
                direct[q] = result[f"{q}_us"]
            else:
                note(figures, f"added_{q}_us", subject, result[f"{q}_us"] - direct[q])

    move(bench.mock.pid, bench.core)
    try:
        bench.rounds(bench.size["rounds"], "latency", measure)
    finally:
        move(bench.mock.pid, bench.other_core)
    return figures


def measure_streams(bench):
    """500 streams at once, each event delivered as it comes: CPU per event, memory meanwhile, delay of an event."""
    figures, direct = {}, {}

    def warm_up(subject):
        bench.load("stream", subject.stream_port, bench.other_core, 30, conns=20, events=EVENTS, gap_ms=GAP_MS)

    def measure(subject):
        pids, memory = subject.pids(), []
        result, cpu = bench.loaded(subject, "stream", subject.stream_port, seconds=60, conns=STREAMS,
                                   waves=bench.size["waves"], events=EVENTS, gap_ms=GAP_MS, body_bytes=BODY_BYTES,
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


def measure_idle(bench):
    """Memory after the start, before the first request: three fresh ones each."""
    figures = {}

    def measure(subject):
        if subject.server:
            fresh = bench.starter.start(subject.name, bench.core)
            with fresh.server:
                note(figures, "idle_pss_mib", subject, fresh.pss_mib())

    bench.rounds(3, "idle memory", measure)
    return figures


def measure_start(bench):
    """From exec to the first 200, connecting again and again without a pause; hob without hosts and models."""
    figures = {}

    def measure(subject):
        if not subject.server or subject.name in bench.starter.also:
            return
        with pinned(bench.other_core):
            server, port, _ = bench.starter.spawn(subject.name, bench.core, bare=True)
            with server:
                wait_until_up(server, port)
                note(figures, "start_ms", subject, (time.monotonic_ns() - server.began_ns) / 1e6)

    bench.rounds(bench.size["starts"], "start", measure)
    return figures
