"""Memory that is not there: each unit suite runs again and again, each time with one place's allocation failing, for once or from then on. What must not happen:
a crash, an abort without a word, a hang. An assertion of the suite that fails is no finding (what it asked for could not be had), a die() with its line neither. A suite
that passes all the same runs once more under the leak sanitizer, where there is one.

The long form notes each run in .hob/torture.jsonl with what the program was, and begins with the suites that take least: one that is broken off (or that
HOB_TEST_SECONDS ends) goes on where it was, and after a change does again what the change reaches. HOB_TEST_SUITES=RE takes some of the suites."""

import functools
import hashlib
import os
import re
import time

import faults
import gates
import no_memory
import pytest
from helpers import BIN, SANITIZED

pytestmark = [pytest.mark.torture, pytest.mark.skipif(SANITIZED or not faults.SHIM.exists(), reason="the shim is not for sanitizers, and for Linux alone")]

UNIT = BIN / "tests" / "unit"
# A disk of its own that needs memory, and hundreds of lives of one store.
UNFIT = {"test_store_power"}
BRIEF = {"HOB_TEST_BRIEF": "1"}  # test_http_client without its TLS peer, whose memory is not ours; test_store_log with fewer rows
SUITES = sorted(p.name for p in UNIT.glob("test_*") if p.is_file() and os.access(p, os.X_OK) and p.name not in UNFIT)
BOOK = gates.ROOT / ".hob" / "torture.jsonl"


def run(suite, leaks, **rule):
    return no_memory.run([UNIT / suite], suite, {**os.environ, **BRIEF}, leaks, **rule)


@functools.cache
def program(suite):
    """What it is, in short; "" where it is no more."""
    at = UNIT / suite
    return hashlib.sha256(at.read_bytes()).hexdigest()[:16] if at.exists() else ""


def test_an_allocation_that_fails_crashes_nothing():
    draw, end = gates.rng("malloc"), time.monotonic() + gates.SECONDS
    chosen = [s for s in SUITES if re.search(os.environ.get("HOB_TEST_SUITES", ""), s)]
    if gates.FORM == "long":
        seen = no_memory.Book(run, program, BOOK).look_at(chosen, end=end)
    else:
        seen = no_memory.Book(run, program).look_at(draw.sample(chosen, min(len(chosen), 8)), lambda every: draw.sample(every, min(len(every), 24)))
    bad = no_memory.judge(*seen, "unit suites", len(SUITES), gates.sized(10, 10000))
    assert not bad, "\n\n".join(bad[:20])
