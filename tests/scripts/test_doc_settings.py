"""The guide's tables are the program's: settings as `hob config schema` names them, error codes as src/base/err.c has them."""
import os
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent.parent
HOB = Path(os.environ.get("HOB_BIN_DIR", ROOT / "build")).resolve() / "hob"
SETTINGS = ROOT / "doc/guide/configuration.md"
ERRORS = ROOT / "doc/guide/errors.md"


@pytest.mark.skipif(not HOB.exists(), reason="hob is not built")
def test_the_page_of_settings_is_the_programs(run):
    printed = run("doc-settings", HOB)
    assert printed.returncode == 0, printed.stderr
    page = SETTINGS.read_text(encoding="utf-8")
    said = re.search(r"<!-- settings:[^>]*-->\n(.*?)\n<!-- end of settings -->", page, re.DOTALL)
    assert said, "the page has lost its marks"
    assert said.group(1) == printed.stdout.rstrip("\n"), "out of date: run scripts/doc-settings --write"


@pytest.mark.skipif(not HOB.exists(), reason="hob is not built")
def test_every_setting_has_a_meaning_and_a_shape(run):
    rows = run("doc-settings", HOB).stdout.splitlines()[2:]
    assert len(rows) > 30
    for row in rows:
        name, _default, values, meaning = (cell.strip() for cell in row.strip("|").split(" | "))
        assert name.startswith("`") and values and meaning.endswith("."), row


def error_rows():
    """(code, status, fault, retry) of every row of err.c but ok and what only an operator sees in a log."""
    text = (ROOT / "src/base/err.c").read_text(encoding="utf-8")
    found = re.findall(r'\[ERR_\w+\]\s*=\s*\{\s*"(\w+)",\s*(\d+),\s*FAULT_(\w+),\s*\w+,\s*(\w+)', text)
    assert len(found) > 30
    return {(code, status, fault.lower(), "yes" if retry == "true" else "no") for code, status, fault, retry in found if code != "ok"}


def page_rows():
    found = set()
    for line in ERRORS.read_text(encoding="utf-8").splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if line.startswith("| `") and len(cells) >= 6:
            found.add((cells[0].strip("`"), cells[1], cells[2], cells[3]))
    return found


def test_the_page_of_errors_is_the_table_of_errors():
    assert page_rows() == error_rows()


def test_each_error_is_explained_once():
    text = ERRORS.read_text(encoding="utf-8")
    for code, *_ in error_rows():
        assert len(re.findall(rf"^\| `{code}` \|", text, re.MULTILINE)) == 1, code
