"""What hob's statistics promise, by simulation: guards that may be looked at after every request, and a gate on 20 pairs; and the two commands that anybody may hold
them with. The quick form has fewer trials, and limits that a right program misses once in a million."""

import json
import math
import os
import pathlib
import subprocess

import gates
import pytest
from helpers import SLOW

BUILD = pathlib.Path(os.environ["HOB_BIN_DIR"])
TRIALS = gates.sized(200, 10000)
pytestmark = pytest.mark.timeout(gates.sized(120, 1800))


def at_most(rate):
    """So often, of TRIALS, is no proof that it happens more often than `rate`: six standard deviations in the quick form, none in the long one."""
    return rate if gates.FORM == "long" else rate + 6 * math.sqrt(rate * (1 - rate) / TRIALS)


def hob(*words, text=None):
    return subprocess.run([BUILD / "hob", *words], input=text, capture_output=True, text=True, timeout=100, check=False)


@pytest.fixture(scope="module")
def figures():
    got = subprocess.run([BUILD / "bench" / "evidence", str(TRIALS)], capture_output=True, text=True, timeout=gates.sized(110, 1700) * min(SLOW, 4), check=True)
    return [json.loads(line) for line in got.stdout.splitlines()]


@pytest.mark.torture
def test_guards_raise_no_more_false_alarms_than_five_percent(figures):
    alike = [f for f in figures if f["figure"].startswith("alike")]
    for f in alike:
        gates.record("guards-false-alarms", f"{f['figure']}: of {f['trials']} windows of {f['window']} requests, {f['guards']} guards, rolled back",
                     f["rollback_rate"], "<= 0.05")
    assert len(alike) == 8 and all(f["rollback_rate"] <= at_most(0.05) for f in alike)


@pytest.mark.torture
def test_errors_of_six_percent_instead_of_two_are_found_in_time(figures):
    found = [f for f in figures if f["figure"].startswith("errors 2 % to 6 %")]
    gates.record("guards-find", "requests until errors of 6 % instead of 2 % are found, median", found[0]["median_requests"], "<= 400", p90=found[0]["p90_requests"])
    assert len(found) == 5 and all(0 < f["median_requests"] <= 400 and f["rollback_rate"] > 0.9 for f in found)


@pytest.mark.torture
def test_runs_that_count_once_are_worth_their_trouble(figures):
    """Were each failure of an outage counted, a good model would be rolled back more often than not."""
    once, each = (next(f for f in figures if f["figure"].startswith(name)) for name in ("alike, its host is down", "the same, were each"))
    gates.record("guards-bursts", "its host down for up to a minute after each 500 requests: rolled back", once["rollback_rate"], "<= 0.05", each_counted=each["rollback_rate"])
    assert each["rollback_rate"] > 4 * once["rollback_rate"]


@pytest.mark.torture
def test_who_is_down_for_long_goes_by_its_own_rule(figures):
    """An hour of nobody there is too long, and no word of statistics'."""
    long = next(f for f in figures if f["figure"].startswith("its host is down for up to an hour"))
    guards = sum(n for name, n in long["by"].items() if name != "place") / long["trials"]
    gates.record("guards-outages", "its host down for up to an hour after each 5000 requests: rolled back by a guard of the statistics", guards, "<= 0.05", place=long["by"]["place"])
    assert guards <= at_most(0.05) and long["by"]["place"] > 0.3 * long["trials"]


@pytest.mark.torture
def test_twenty_pairs_let_no_model_pass_that_is_25_points_worse(figures):
    for f in [f for f in figures if f["figure"] == "gate"]:
        gates.record("gate-20-pairs", f"25 points worse, {f['discordance']:.0%} of the pairs differ: passed, of {f['trials']}", f["passed"], "<= 0.05")
        assert f["passed"] <= at_most(0.05)


PAIRS = {
    "20 equal pairs": ([(True, True)] * 20, "cannot tell"),
    "none": ([], "cannot tell"),
    "a tenth of a hundred lost": ([(True, True)] * 90 + [(True, False)] * 10, "worse"),
    "and won": ([(True, True)] * 90 + [(False, True)] * 10, "better"),
    "a hundred equal pairs": ([(False, False)] * 100, "not worse"),
}


@pytest.mark.parametrize("case", PAIRS)
def test_compare_reads_pairs_and_gives_a_verdict(case, tmp_path):
    pairs, verdict = PAIRS[case]
    file = tmp_path / "pairs.jsonl"
    file.write_text("".join(json.dumps({"a": a, "b": b}) + "\n" for a, b in pairs))
    got = hob("eval", "compare", "--pairs", file, "--json")
    assert got.returncode == 0, got.stderr
    told = json.loads(got.stdout)
    assert (told["schema"], told["pairs"], told["verdict"]) == (1, len(pairs), verdict)
    assert told["a"]["pass"] == sum(a for a, _ in pairs) and told["b"]["pass"] == sum(b for _, b in pairs)
    assert told["ci"][0] <= told["difference"] <= told["ci"][1]
    assert (told["needed"] or 0) > len(pairs) if verdict == "cannot tell" else told["needed"] is None
    assert verdict in hob("eval", "compare", "--pairs", "-", text=file.read_text()).stdout


@pytest.mark.parametrize("text, words", [('{"a":true}\n', "line 1"), ('{"a":true,"b":false}\n\n{"a":1,"b":2}\n', "line 3"), ("pass,fail\n", "line 1")])
def test_compare_says_which_line_is_none(text, words):
    got = hob("eval", "compare", "--pairs", "-", "--json", text=text)
    assert got.returncode == 1 and words in got.stderr and not got.stdout


def test_simulate_says_how_long_a_window_must_be():
    alike, worse = (json.loads(hob("swap", "simulate", "--baseline", "0.02", "--candidate", p, "--requests", "2000", "--trials", "500", "--json").stdout)
                    for p in ("0.02", "0.06"))
    assert alike["rollback_rate"] <= 0.05 and alike["median_requests"] is None
    assert worse["rollback_rate"] > 0.9 and 0 < worse["median_requests"] <= 400 and worse["median_requests"] <= worse["p90_requests"]


@pytest.mark.parametrize("words", [[], ["--baseline", "0.1"], ["--baseline", "2", "--candidate", "0.1"], ["--baseline", "nan", "--candidate", "0.1"],
                                   ["--baseline", "0.1", "--candidate", "0.1", "--trials", "0"]])
def test_simulate_refuses_what_is_no_question(words):
    got = hob("swap", "simulate", *words)
    assert got.returncode == 2 and got.stderr.startswith("hob: ") and not got.stdout
