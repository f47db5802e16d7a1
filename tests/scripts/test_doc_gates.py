"""The page of reliability: its figures are the data's, its limits the sources', and what it cites is there."""

import importlib.machinery
import importlib.util
import json
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
loader = importlib.machinery.SourceFileLoader("doc_gates", str(ROOT / "scripts/doc-gates"))
doc_gates = importlib.util.module_from_spec(importlib.util.spec_from_loader("doc_gates", loader))
loader.exec_module(doc_gates)
PAGE = (ROOT / "doc/guide/reliability.md").read_text(encoding="utf-8")


def line(what="w", value=0, holds="= 0", form="long", date="2026-01-01", gate="g", **more):
    return {"gate": gate, "what": what, "value": value, "holds": holds, "form": form, "date": date, "commit": "abc", **more}


def test_the_page_is_what_the_data_says():
    lines = doc_gates.newest(doc_gates.read(doc_gates.DATA))
    assert [json.dumps(x, ensure_ascii=False) for x in lines] == doc_gates.DATA.read_text(encoding="utf-8").splitlines(), "run scripts/doc-gates --write"
    assert doc_gates.with_tables(PAGE, doc_gates.tables(lines)) == PAGE, "run scripts/doc-gates --write"


def test_the_newest_of_each_figure_stays():
    lines = [line(value=1), line(value=2, date="2026-01-03"), line(value=3, date="2026-01-02"), line(value=4, form="quick"), line("v", 5), line("v", 6)]
    assert [(x["what"], x["form"], x["value"]) for x in doc_gates.newest(lines)] == [("v", "long", 6), ("w", "long", 2), ("w", "quick", 4)]


@pytest.mark.parametrize("value, holds, met", [(0, "= 0", True), (1, "= 0", False), (10, ">= 10", True), (9.9, ">= 10", False), (1, "< 2", True), (2, "<= 1", False),
                                               (5, "", None), ({"200": 1}, "= 0", None), ("3, 4", "= 0", None), (1, "as before", None)])
def test_what_must_hold_is_looked_at(value, holds, met):
    one = line(value=value, holds=holds)
    assert doc_gates.met(one) is met
    assert ("**missed**" in doc_gates.row(one)) == (met is False)


def test_many_figures_that_are_only_told_are_shortened():
    text = doc_gates.tables([line(f"t{i:02}", i, "") for i in range(30)] + [line("held")])
    assert text.count("\n| t") == doc_gates.TOLD_MOST and "And 18 more" in text and "| held |" in text


def test_a_line_that_lacks_something_is_refused(tmp_path):
    (tmp_path / "g").write_text('{"gate":"g"}\n')
    with pytest.raises(SystemExit):
        list(doc_gates.read(tmp_path / "g"))


# -- limits

SETTINGS = (ROOT / "src/conf/settings.c").read_text(encoding="utf-8")
UNITS = {"s": 1000, "KiB": 1024, "MiB": 1 << 20, "": 1}


def limits():
    part = PAGE[PAGE.index("## Limits"):PAGE.index("## When something fails")]
    return [[c.strip() for c in row.strip("|").split("|")] for row in part.splitlines() if row.startswith("|")][2:]


def said(text):
    number, unit = re.fullmatch(r"([0-9]+) ?(\w*)", text).groups()
    return int(number) * UNITS[unit]


@pytest.mark.parametrize("what, limit, where", [row[:3] for row in limits()])
def test_each_limit_is_the_sources(what, limit, where):
    names = re.findall(r"`([^`]+)`", where)
    if len(names) == 1:
        assert re.search(rf'{{ "{re.escape(names[0])}", SET_[^"]*\.def = "{re.escape(limit)}"', SETTINGS), (names, limit)
        return
    source = (ROOT / names[0]).read_text(encoding="utf-8")
    found = re.search(rf"\b{names[1]} = ([^,;/}}]+)", source)
    assert found, names
    value = eval(found[1].strip(), {"KIB": 1024, "MIB": 1 << 20})  # our own sources: 8 * KIB
    assert value == said(limit), (names, found[1], limit)


def test_no_limit_of_the_settings_is_missing():
    named = {name for row in limits() for name in re.findall(r"`([^`]+)`", row[2])}
    assert {m for m in re.findall(r'{ "((?:limits|timeouts|queue)\.\w+)", SET_(?:BYTES|MS|COUNT)', SETTINGS)} <= named


def test_what_the_page_cites_is_there():
    for path in set(re.findall(r"`(tests/[^`]+)`", PAGE)):
        assert (ROOT / path).exists(), path
    codes = set(re.findall(r'= \{ "(\w+)", +\d', (ROOT / "src/base/err.c").read_text(encoding="utf-8")))
    for code in re.findall(r"\b[45]\d\d `(\w+)`", PAGE):
        assert code in codes, code
