"""Gates: tests that hold a figure, in a quick form (make test) and a long one (make torture, make soak).

    N = gates.sized(20, 1000)                                 # how much of it this run does
    gates.record("rows-survive", "rows lost", lost, "= 0")    # what it saw, beside what must hold

What a run recorded is appended to the file HOB_GATES as JSON lines, where that is set; scripts/doc-gates prints a page from it.
The random ones draw from gates.rng(name): its seed is printed, and HOB_TEST_SEED gives it again."""

import datetime
import json
import os
import pathlib
import random
import subprocess

FORM = os.environ.get("HOB_TEST_FORM", "quick")
assert FORM in ("quick", "long"), f"HOB_TEST_FORM is quick or long, not {FORM!r}"
SECONDS = float(os.environ.get("HOB_TEST_SECONDS", "inf"))  # where a long form says so: after these it ends, and tells how far it came
ROOT = pathlib.Path(__file__).resolve().parents[2]


def sized(quick, long):
    """How many, how long: by the form of this run."""
    return long if FORM == "long" else quick


def rng(name):
    """A source of random choices for one test. Its seed stands in the test's output, which pytest shows when it fails."""
    seed = os.environ.get("HOB_TEST_SEED") or str(random.SystemRandom().getrandbits(32))
    print(f"{name}: HOB_TEST_SEED={seed}")
    return random.Random(f"{name}/{seed}")


def commit():
    got = subprocess.run(["git", "-C", ROOT, "describe", "--always", "--dirty", "--abbrev=7"], capture_output=True, text=True, check=False)
    return got.stdout.strip() or "unknown"


def record(gate, what, value, holds, **more):
    """`what` was `value`, and must be as `holds` says ("= 0", ">= 100000"; "" = told only). It does not judge: the test asserts."""
    path = os.environ.get("HOB_GATES")
    line = {"gate": gate, "what": what, "value": value, "holds": holds, "form": FORM, **more}
    print("gate:", json.dumps(line))
    if not path:
        return
    line |= {"date": datetime.datetime.now(datetime.timezone.utc).date().isoformat(), "commit": commit()}
    with open(path, "a", encoding="utf-8") as file:  # one write a line: several runs may share the file
        file.write(json.dumps(line) + "\n")
