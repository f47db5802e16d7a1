"""The reference in the tree is the one that the program prints, and its two forms speak of the same things."""
import json
import os
import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent.parent
HOB = Path(os.environ.get("HOB_BIN_DIR", ROOT / "build")).resolve() / "hob"
PAGE = ROOT / "doc/api.md"

pytestmark = pytest.mark.skipif(not HOB.exists(), reason="hob is not built")


@pytest.fixture(scope="module")
def document():
    return json.loads(subprocess.run([HOB, "api", "--json"], stdout=subprocess.PIPE, check=True).stdout)


def test_the_page_is_the_programs(run):
    printed = run("doc-api", HOB)
    assert printed.returncode == 0, printed.stderr
    assert PAGE.read_text(encoding="utf-8") == printed.stdout, "out of date: run scripts/doc-api --write"


def test_every_link_of_the_page_leads_somewhere():
    text = PAGE.read_text(encoding="utf-8")
    headings = {h.lower() for h in re.findall(r"^#+ (.+)$", text, re.MULTILINE)}
    for to in re.findall(r"\]\(([^)]+)\)", text):
        if to.startswith("#"):
            assert to[1:] in headings, to
        else:
            assert (PAGE.parent / to).exists(), to


def test_every_reference_of_the_document_leads_somewhere(document):
    def walk(node):
        if isinstance(node, dict):
            if isinstance(node.get("$ref"), str):
                yield node["$ref"]
            node = list(node.values())
        for one in node if isinstance(node, list) else []:
            yield from walk(one)
    found = set(walk(document))
    assert len(found) > 30
    for ref in found:
        at = document
        for key in ref.removeprefix("#/").split("/"):
            at = at[key]
    named = {f"#/components/{kind}/{name}" for kind, them in document["components"].items() for name in them}
    assert named - found <= {"#/components/headers/Allow", "#/components/schemas/ChatChunk"}, "said of nothing"


def test_every_field_says_what_it_is(document):
    for name, schema in document["components"]["schemas"].items():
        if name.endswith("Request"):
            assert set(schema["required"]) <= schema["properties"].keys()
            for field, row in schema["properties"].items():
                assert row["description"].endswith(".") or row["description"].endswith("?"), field
                assert row["x-hob-engine"] in ("passed", "written", "dropped")


def test_both_forms_have_the_same_routes(document):
    told = set(re.findall(r"^\| `(\w+) (/\S+)` \|", PAGE.read_text(encoding="utf-8"), re.MULTILINE))
    assert told == {(method.upper(), path.replace("{id}", "ID")) for path, methods in document["paths"].items() for method in methods}
