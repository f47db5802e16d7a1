"""Memory that is not there: each unit suite runs again and again, each time with one place's allocation failing, for once or from then on. What must not happen:
a crash, an abort without a word, a hang. An assertion of the suite that fails is no finding (what it asked for could not be had), a die() with its line neither. A suite
that passes all the same runs once more under the leak sanitizer, where there is one.

HOB_TEST_PART=2/5 does the second fifth of it. The places of the suites that take least time come first."""

import collections
import concurrent.futures
import contextlib
import os
import re
import signal
import subprocess
import tempfile
import time

import faults
import gates
import pytest
from helpers import BIN, SANITIZED, SLOW

pytestmark = [pytest.mark.torture, pytest.mark.skipif(SANITIZED or not faults.SHIM.exists(), reason="the shim is not for sanitizers, and for Linux alone")]

STACKS = 3  # frames that make a place
HANG_S = 60
CRASH = re.compile(r"failed with exception: |Segmentation fault|Bus error|\*\*\* |malloc\(\)|free\(\)|corrupted|Fatal glibc|pthread_mutex")
# A disk of its own that needs memory, and hundreds of lives of one store.
UNFIT = {"test_store_power"}
BRIEF = {"HOB_TEST_BRIEF": "1"}  # test_http_client without its TLS peer, whose memory is not ours; test_store_log with fewer rows
PART, PARTS = map(int, os.environ.get("HOB_TEST_PART", "1/1").split("/"))
SUITES = sorted(p.name for p in (BIN / "tests" / "unit").glob("test_*") if p.is_file() and os.access(p, os.X_OK) and p.name not in UNFIT)


def run(suite, leaks=False, **rule):
    with tempfile.TemporaryDirectory(prefix="hobt") as d:
        f = faults.Faults(d)
        r = f.rule("malloc", stacks=STACKS, program=suite[:31], **rule)
        p = subprocess.Popen([BIN / "tests" / "unit" / suite], env={**os.environ, **BRIEF, **(f.env_leaks if leaks else f.env)}, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                             stderr=subprocess.STDOUT, cwd=d, start_new_session=True)
        try:
            said, hung = p.communicate(timeout=HANG_S * SLOW)[0], False
        except subprocess.TimeoutExpired:
            hung = True
        with contextlib.suppress(ProcessLookupError):
            os.killpg(p.pid, signal.SIGKILL)  # what a suite that died has left
        if hung:
            return r.seen, r.fired, "hang", p.communicate()[0].decode(errors="replace")
        said = said.decode(errors="replace")
        if leaks:
            if "[  FAILED  ]" in said:  # what a case had when its assertion failed is not given back
                return r.seen, r.fired, "failed", said
            return r.seen, r.fired, "leak" if p.returncode == faults.LEAKED and "detected memory leaks" in said else "passed" if not p.returncode else "failed", said
        if CRASH.search(said):
            return r.seen, r.fired, "crash", said
        if p.returncode < 0 and not f.words:
            return r.seen, r.fired, f"signal {-p.returncode}", said
        return r.seen, r.fired, "word" if f.words else "failed" if p.returncode else "passed", said


def measured(suite):
    began = time.monotonic()
    return run(suite)[0], time.monotonic() - began


def cases():
    """(suite, n, for good): in the quick form some, drawn by chance; in the long form each place of each suite."""
    draw = gates.rng("malloc")
    suites = SUITES if gates.FORM == "long" else draw.sample(SUITES, 8)
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        places = dict(zip(suites, pool.map(measured, suites)))
    every = [(s, n, good) for s in sorted(places, key=lambda s: places[s][1]) for n in range(1, places[s][0] + 1) for good in (False, True)]
    return sum(n for n, _ in places.values()), every[PART - 1::PARTS] if gates.FORM == "long" else draw.sample(every, min(len(every), 24))


def each(pool, chosen, leaks=False):
    """(suite, n, for good), what came of it."""
    return pool.map(lambda c: (c, run(c[0], leaks, first=c[1], to=0 if c[2] else c[1], error="ENOMEM")), chosen)


def test_an_allocation_that_fails_crashes_nothing():
    places, chosen = cases()
    seen, bad, fired, passed = collections.Counter(), [], 0, []
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        for (suite, n, good), (_, hits, outcome, said) in each(pool, chosen):
            seen[outcome] += 1
            fired += bool(hits)
            if outcome == "passed" and hits:
                passed.append((suite, n, good))
            if outcome not in ("word", "failed", "passed"):
                bad.append(f"{suite} allocation {n}{' and on' if good else ''}: {outcome}\n{said[-600:]}")
        looked = 0
        for (suite, n, good), (_, _, outcome, said) in each(pool, passed if faults.LSAN else [], True):
            looked += outcome in ("passed", "leak")
            if outcome == "leak":
                bad.append(f"{suite} allocation {n}{' and on' if good else ''}: a leak\n{said[-3000:]}")
    print(dict(seen))
    gates.record("malloc-failure", "places in the unit suites", places, "")
    gates.record("malloc-failure", "runs in which an allocation failed", fired, f">= {gates.sized(10, 10000 // PARTS)}")
    gates.record("malloc-failure", "of these, runs that passed all the same and were looked at for leaks", looked, "")
    gates.record("malloc-failure", "crashes, aborts without a word, hangs, leaks", len(bad), "= 0")
    assert not bad, "\n\n".join(bad[:20])
