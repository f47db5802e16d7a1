"""scripts/analyze, without a compiler: what it takes for a finding, in which function that lies, and that what is explained is of functions that are."""
import importlib.machinery
import importlib.util
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module", name="script")
def load():
    loader = importlib.machinery.SourceFileLoader("analyze", str(ROOT / "scripts" / "analyze"))
    module = importlib.util.module_from_spec(importlib.util.spec_from_loader("analyze", loader))
    loader.exec_module(module)
    return module


@pytest.mark.parametrize("line, found", [
    ("../src/a.c:7:12: warning: leak of 'p' [CWE-401] [-Wanalyzer-malloc-leak]", ("../src/a.c", "7", "leak of 'p'", "analyzer-malloc-leak")),
    ("../src/base/list.h:45:24: warning: Use of memory after it is freed [unix.Malloc]",
     ("../src/base/list.h", "45", "Use of memory after it is freed", "unix.Malloc")),
    ("../src/a.c:7:12: note: (1) allocated here", None),
    ("../src/a.c: In function 'f':", None),
])
def test_a_finding_is_a_warning_with_its_check(script, line, found):
    match = script.FINDING.match(line)
    assert (match and match.group("file", "line", "text", "check")) == found


def line_of(file, text):
    lines = (ROOT / file).read_text(encoding="utf-8").splitlines()
    return next(number for number, line in enumerate(lines, 1) if text in line)


@pytest.mark.parametrize("file, text, function", [
    ("src/base/str.h", "memcmp(s.p, prefix.p, prefix.n)", "str_starts"),
    ("src/base/err.c", "e->sys = e->retry_after_s = 0;", "err_set"),  # its name stands in brackets
    ("src/base/err.h", "ERR_OK,", "-"),
])
def test_a_place_is_in_the_function_whose_brace_stands_before_it(script, file, text, function):
    assert script.function_at(file, line_of(file, text)) == function


def test_what_is_explained_is_in_a_function_that_is_there(script):
    for known in script.read_known():
        file, function, _ = known.place
        assert re.search(rf"^\w.*\b\(?{function}\)?\(.*\n{{", (ROOT / file).read_text(encoding="utf-8"), re.MULTILINE), known.place
