"""What a row for each request costs its caller: at a steady rate, how long the end of an answer waits for the commit of its row.

The wait itself is hob's own histogram (hob_row_wait_seconds), read before and after: a difference of two latencies would say more about the machine. The part of
it that is the store's is another (hob_row_commit_seconds); the rest is until the loop, which shares the core with all else, hears of it."""
import os
import time
import urllib.request

from procs import CannotMeasure

RATE = 5000           # requests per s
CONNS = 64
BODY_BYTES = 1024


def buckets(port):
    """{histogram: {upper bound in s: how many waited no longer}} so far; none before the first row."""
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=10) as answer:
        lines = answer.read().decode().splitlines()
    found = {"wait": {}, "commit": {}}
    for line in lines:
        for name, bounds in found.items():
            if line.startswith(f"hob_row_{name}_seconds_bucket"):
                bound = line.split('le="', 1)[1].split('"', 1)[0]
                bounds[float("inf") if bound == "+Inf" else float(bound)] = float(line.rsplit(" ", 1)[1])
    return found


def quantile(before, after, q):
    """In ms; within a bucket as if evenly spread."""
    if not after:
        raise CannotMeasure("hob tells nothing of rows")
    counts = [(bound, n - before.get(bound, 0)) for bound, n in sorted(after.items())]
    want, low, below = q * counts[-1][1], 0.0, 0.0
    for bound, n in counts:
        if n >= want and n > below:
            high = low * 2 if bound == float("inf") else bound
            return (low + (high - low) * (want - below) / (n - below)) * 1e3
        low, below = bound, n
    return 0.0


def stolen_ticks():
    """What a hypervisor gave to others so far; 0 where nobody says."""
    try:
        with open("/proc/stat") as f:
            return int(f.readline().split()[8])
    except (OSError, IndexError, ValueError):
        return 0


def stolen_percent(before_ticks, since):
    """Of one core, since then."""
    return (stolen_ticks() - before_ticks) / os.sysconf("SC_CLK_TCK") / (time.monotonic() - since) * 100


def calmer_half(rounds):
    """Of (stolen percent, …), those in which the hypervisor took least: a machine that stands still for milliseconds says nothing of a p99."""
    return sorted(rounds)[:(len(rounds) + 1) // 2]


def measure_rows(bench):
    figures, waits = {}, []

    def note(figure, name, value):
        figures.setdefault(figure, {}).setdefault(name, []).append(value)

    def measure(subject):
        options = dict(conns=CONNS, rate=RATE, requests=bench.size["paced_requests"], body_bytes=BODY_BYTES)
        if subject.name != "hob":
            result = bench.load("plain", subject, bench.other_core, **options)
        else:
            stolen, since = stolen_ticks(), time.monotonic()
            before = buckets(subject.port)
            result = bench.load("plain", subject, bench.other_core, **options)
            after = buckets(subject.port)
            waits.append((stolen_percent(stolen, since), *(quantile(before["wait"], after["wait"], q) for q in (0.5, 0.99))))
            note("row_commit_p99_ms", "hob", quantile(before["commit"], after["commit"], 0.99))
        note("paced_p50_us", subject.name, result["p50_us"])
        note("paced_p99_us", subject.name, result["p99_us"])

    bench.rounds(bench.size["rounds"], f"rows at {RATE} requests per s", measure, [s for s in bench.subjects if not s.peer])
    for percent, p50, p99 in waits:
        note("row_wait_all_p99_ms", "hob", p99)
    for percent, p50, p99 in calmer_half(waits):
        note("row_wait_p50_ms", "hob", p50)
        note("row_wait_p99_ms", "hob", p99)
        note("stolen_percent", "hob", percent)
    return figures
