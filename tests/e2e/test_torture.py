"""Memory that is not there: each unit suite runs again and again, each time with one place's allocation failing, for once or from then on. What must not happen:
a crash, an abort without a word, a hang. An assertion of the suite that fails is no finding (what it asked for could not be had), a die() with its line neither."""

import collections
import concurrent.futures
import contextlib
import os
import re
import signal
import subprocess
import tempfile

import faults
import gates
import pytest
from helpers import BIN, SANITIZED, SLOW

pytestmark = [pytest.mark.torture, pytest.mark.skipif(SANITIZED or not faults.SHIM.exists(), reason="the shim is not for sanitizers, and for Linux alone")]

STACKS = 3  # frames that make a place
HANG_S = 60
CRASH = re.compile(r"failed with exception: |Segmentation fault|Bus error|\*\*\* |malloc\(\)|free\(\)|corrupted|Fatal glibc|pthread_mutex")
# Its own TLS peer, and its own hand on a call that has ended, are what crashes there; a disk of its own that needs memory, and hundreds of lives of one store.
UNFIT = {"test_http_client", "test_store_power"}
SUITES = sorted(p.name for p in (BIN / "tests" / "unit").glob("test_*") if p.is_file() and os.access(p, os.X_OK) and p.name not in UNFIT)


def run(suite, **rule):
    with tempfile.TemporaryDirectory(prefix="hobt") as d:
        f = faults.Faults(d)
        r = f.rule("malloc", stacks=STACKS, program=suite[:31], **rule)
        p = subprocess.Popen([BIN / "tests" / "unit" / suite], env={**os.environ, **f.env}, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
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
        if CRASH.search(said):
            return r.seen, r.fired, "crash", said
        if p.returncode < 0 and not f.words:
            return r.seen, r.fired, f"signal {-p.returncode}", said
        return r.seen, r.fired, "word" if f.words else "failed" if p.returncode else "passed", said


def cases():
    """(suite, n, for good): in the quick form some, drawn by chance; in the long form each place of each suite."""
    draw = gates.rng("malloc")
    suites = SUITES if gates.FORM == "long" else draw.sample(SUITES, 8)
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        places = dict(zip(suites, (got[0] for got in pool.map(run, suites))))
    every = [(s, n, good) for s, count in places.items() for n in range(1, count + 1) for good in (False, True)]
    return places, every if gates.FORM == "long" else draw.sample(every, min(len(every), 24))


def test_an_allocation_that_fails_crashes_nothing():
    places, chosen = cases()
    seen, bad, fired = collections.Counter(), [], 0
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        got = pool.map(lambda c: (c, run(c[0], first=c[1], to=0 if c[2] else c[1], error="ENOMEM")), chosen)
        for (suite, n, good), (_, hits, outcome, said) in got:
            seen[outcome] += 1
            fired += bool(hits)
            if outcome not in ("word", "failed", "passed"):
                bad.append(f"{suite} allocation {n}{' and on' if good else ''}: {outcome}\n{said[-600:]}")
    print(dict(seen))
    gates.record("malloc-failure", "places in the unit suites", sum(places.values()), "")
    gates.record("malloc-failure", "runs in which an allocation failed", fired, f">= {gates.sized(10, 10000)}")
    gates.record("malloc-failure", "crashes, aborts without a word, hangs", len(bad), "= 0")
    assert not bad, "\n\n".join(bad[:20])
