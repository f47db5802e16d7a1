"""scripts/checks: each check runs whatever the ones before it did; the lines and the figures are what the runs left behind."""

import json
import shutil
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
MAKEFILE = """
analyze:
	@echo nothing found
valgrind:
	@mkdir -p build/meson-logs
	@printf '{"name":"a","result":"OK"}\\n{"name":"b","result":"FAIL"}\\n{"name":"c","result":"SKIP"}\\n{"name":"d","result":"TIMEOUT"}\\n' >build/meson-logs/testlog-valgrind.json
	@false
asan:
	@mkdir -p build-asan/meson-logs
	@printf '{"name":"a","result":"OK"}\\n' >build-asan/meson-logs/testlog.json
	@echo '<testsuites><testsuite errors="1" failures="2" skipped="3" tests="10"/></testsuites>' >build-asan/e2e.xml
	@echo 'ERROR' >build-asan/sanitizer.7
	@: >build-asan/sanitizer.8
	@false
"""


@pytest.fixture
def checks(project, run):
    (project / "Makefile").write_text(MAKEFILE)
    (project / "tests/e2e").mkdir(parents=True)
    shutil.copy(ROOT / "tests/e2e/gates.py", project / "tests/e2e")

    def call(*names):
        got = run(project / "scripts/checks", *names, env={"HOB_GATES": str(project / "gates.jsonl")})
        kept = project / "gates.jsonl"
        lines = [json.loads(x) for x in kept.read_text().splitlines()] if kept.exists() else []
        return got, {(x["what"]): (x["value"], x["holds"], x["form"]) for x in lines}
    return call


def test_all_that_are_named_run_and_one_that_fails_is_told(checks, project):
    got, figures = checks("valgrind", "asan", "analyze")
    lines = [line for line in got.stdout.splitlines() if not line.startswith("gate:")]
    assert got.returncode == 1
    assert [line.split()[:2] for line in lines] == [["valgrind", "FAILED"], ["asan", "FAILED"], ["analyze", "holds"]]
    assert lines[0].endswith("units 1 passed, 1 skipped, 2 failed")
    assert lines[1].endswith("units 1 passed; end to end 4 passed, 3 skipped, 3 failed; 1 reports")
    asan = "AddressSanitizer, UndefinedBehaviorSanitizer, LeakSanitizer: "
    assert figures == {
        "valgrind: tests failed, units": (2, "= 0", "checks"), "valgrind: tests passed, units": (1, "", "checks"),
        asan + "tests failed, units": (0, "= 0", "checks"), asan + "tests passed, units": (1, "", "checks"),
        asan + "tests failed, end to end": (3, "= 0", "checks"), asan + "tests passed, end to end": (4, "", "checks"),
        asan + "processes with a report": (1, "= 0", "checks"),
    }
    assert (project / ".hob/check-analyze.log").read_text() == "nothing found\n"


def test_one_that_holds_is_enough(checks):
    got, figures = checks("analyze")
    assert got.returncode == 0 and not figures


def test_what_an_earlier_run_left_is_not_told_again(checks, project):
    checks("valgrind")
    (project / "Makefile").write_text("valgrind:\n\t@false\n")
    got, _ = checks("valgrind")
    assert "units" not in got.stdout


def test_a_name_that_is_none_is_refused(checks):
    assert checks("everything")[0].returncode == 1
