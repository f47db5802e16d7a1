"""Runs told to others and held against each other, and what `hob eval` does without asking any model."""

import json
import xml.etree.ElementTree as ET

import pytest
import raw
from helpers import FORGIVING, cli

@pytest.fixture
def h(nursery):
    f = nursery.fake()
    return nursery.hob({"hosts": {"f": {"url": f.url}}, "models": {"a": {"host": "f"}, "b": {"host": "f"}, "c": {"host": "f"}}, **FORGIVING})


def hob(h, *args, code=0):
    r = cli(*args, "-c", h.config_path, env=h.env, timeout=60)
    assert r.returncode == code, r
    return r


def run(h, suite, models, *args):
    path = h.dir / f"{suite['suite']}.yaml"
    path.write_text(json.dumps(suite))
    return json.loads(hob(h, "eval", "run", path, "--models", models, "--json", "-q", *args).stdout)["run"]


def many(passes, n=30, name="many"):
    return {"suite": name, "cases": [{"id": f"c{i}", "input": f'[[text "{i}"]]', "expect": [{"equals": str(i) if i < passes else "else"}]} for i in range(n)]}


def keep(h, models, results, suite="small"):
    """A run as `hob eval run` would have kept it."""
    def ask(path, body):
        got = raw.call(str(h.state / "hob.sock"), "POST", "/hob/v1/" + path, json.dumps(body).encode(), timeout=20)
        assert got.status == 200, got
        return got.json()
    about = {"models": models, "margin": 0.05, "places": [{"name": m, "host": "f", "runtime": "openai"} for m in models]}
    n = ask("evals", {"suite": suite, "about": about})["run"]
    rows = [{"place": p, "item": i, "turn": t, "passed": ok, "score": int(ok is True), "fault": fault, "about": {"text": text, "why": why, "print": "00", "total_ms": 5}}
            for p, i, t, ok, fault, text, why in results]
    ask("evals/results", {"run": n, "state": "done", "about": about, "results": rows})
    return str(n)


def small(h, turns=1):
    one = [("right", True, "", "yes", ""), ("odd.<&>", False, "model", "a]]> \x1b[31m & <b>", "expected 'six'"), ("none", None, "backend", "", "it is gone"),
           ("tight", None, "harness", "", "one token is no room")]
    return keep(h, ["a", "b"], [(m, i, t, *rest) for m in "ab" for t in range(1, turns + 1) for i, *rest in one])


def test_a_run_as_xml_that_tools_read(h):
    n = small(h, 2)
    root = ET.fromstring(hob(h, "eval", "export", n, "--form", "junit").stdout)
    assert root.tag == "testsuites" and [s.get("name") for s in root] == ["small: a", "small: b"]
    for suite, model in zip(root, "ab"):
        assert {k: suite.get(k) for k in ("tests", "failures", "errors", "skipped")} == {"tests": "8", "failures": "2", "errors": "2", "skipped": "2"}
        cases = {c.get("name"): c for c in suite.findall("testcase")}
        assert set(cases) == {i + t for i in ("right", "odd.<&>", "none", "tight") for t in ("", " (turn 2)")}
        assert all(c.get("classname") == f"small.{model}" for c in cases.values())
        assert [e.tag for e in cases["right"]] == ["system-out"] and cases["right"].find("system-out").text == "yes"
        assert cases["odd.<&>"].find("failure").get("type") == "model" and cases["odd.<&>"].find("system-out").text == "a]]> \\x1b[31m & <b>"
        assert cases["none"].find("error").get("type") == "backend" and cases["none"].find("error").get("message") == "it is gone"
        assert cases["tight"].find("skipped").get("message") == "one token is no room"
        assert suite.find("properties/property[@name='run']").get("value") == n


def test_the_form_follows_the_files_name(h):
    n = small(h)
    for name, begins in (("x.md", "# small, run"), ("x.xml", "<?xml"), ("x.json", '{"schema":1'), ("x", '{"schema":1')):
        for _ in range(2):  # it is written anew
            assert hob(h, "eval", "export", n, "-o", h.dir / name).stdout == ""
            assert (h.dir / name).read_text().startswith(begins)
    text = (h.dir / "x.md").read_text()
    assert "| a | f | 1 | 2 | 50.0 % |" in text and "## Compared" in text and "| none | a | backend |" in text and "**cannot tell**" in text
    got = json.loads((h.dir / "x.json").read_text())
    assert [(m["model"], m["pass"], m["total"], m["runtime"]) for m in got["models"]] == [("a", 1, 2, "openai"), ("b", 1, 2, "openai")]
    assert len(got["results"]) == 8 and got["comparisons"][0]["verdict"] == "cannot tell"
    assert "json, markdown or junit" in hob(h, "eval", "export", n, "--form", "pdf", code=2).stderr
    assert "no run 99" in hob(h, "eval", "export", "99", code=1).stderr
    assert hob(h, "eval", "export", n, "-o", h.dir / "nowhere" / "x", code=1).stderr


def test_two_models_of_a_run(h):
    n = str(run(h, many(20), "a,b", "--interleave"))
    got = json.loads(hob(h, "eval", "compare", n, "--json").stdout)
    assert (got["schema"], got["pairs"], got["both"], got["neither"], got["difference"], got["verdict"]) == (1, 30, 20, 10, 0, "cannot tell"), got
    assert (got["a"]["pass"], got["a"]["total"], got["old"]["model"], got["new"]["model"], got["discriminates"]) == (20, 30, "a", "b", False)
    assert got["needed"] > 30 and got["warnings"] == [] and got["total_ms"]["pairs"] == 30
    assert {c["id"]: c["tells"] for c in got["cases"]}["c25"] == "all fail"
    r = hob(h, "eval", "compare", n)
    assert "does not discriminate" in r.stdout and "to tell you need about" in r.stdout and r.stderr == ""


def test_two_runs_of_a_suite(h):
    first, second = run(h, many(12, 12), "a"), run(h, many(12, 12), "a")
    r = hob(h, "eval", "compare", str(first), str(second))
    assert f"a = a (run {first}), b = a (run {second})" in r.stdout and "12 cases: both pass 12" in r.stdout and "not taken in turn" in r.stderr
    changed = run(h, many(8, 12), "b,c")  # four of its cases expect something else by now
    assert "which models" in hob(h, "eval", "compare", str(first), str(changed), code=2).stderr
    got = json.loads(hob(h, "eval", "compare", str(first), str(changed), "--models", "a,c", "--json").stdout)
    assert (got["pairs"], got["changed"], got["missing"]) == (8, 4, 0) and any("left out: 4" in w for w in got["warnings"]), got
    other = {"suite": "many", "cases": [{"id": "c1", "input": "[[text \"x\"]]", "expect": [{"equals": "y"}]}]}
    n = run(h, other, "a")
    assert "no case in common: the suite has changed" in hob(h, "eval", "compare", str(first), str(n), code=1).stderr


def test_several_suites_at_once(h):
    runs = [str(run(h, many(8, 10, name), "a,b")) for name in ("one", "two")]
    got = json.loads(hob(h, "eval", "compare", *runs, "--json").stdout)
    assert [s["suite"] for s in got["suites"]] == ["one", "two"]
    assert "corrected for 2 suites" in hob(h, "eval", "compare", *runs).stdout


def test_wrong_use_is_told(h):
    small(h)
    for args, words in (
        ([], "RUN"), (["x"], "no number"), (["1", "--models", "a,nobody"], "has not asked 'nobody'"), (["1", "--models", "a"], "nothing to be held against"),
        (["1", "--margin", "x"], "--margin"), (["1", "--pairs", "f"], "RUN"),
    ):
        assert words in hob(h, "eval", "compare", *args, code=2).stderr, args


def test_texts_of_chosen_lengths(nursery):
    f = nursery.fake()
    f.default('[[text "0"]]')
    h = nursery.hob({"hosts": {"f": {"url": f.url}}, "models": {"a": {"host": "f", "context": 1024}, "b": {"host": "f", "context": 65536}}, **FORGIVING})
    r = hob(h, "eval", "run", "long-context", "--lengths", "500,2k", "--models", "a,b", "--json", "--concurrency", "4")
    assert "a has a window of 1024 tokens, and is not asked about texts of 2048\n" in r.stderr
    a, b = json.loads(r.stdout)["models"]
    assert (a["total"], a["faults"]["harness"], b["total"], b["faults"]["harness"]) == (5, 5, 10, 0)
    assert "500-at-100" in r.stdout and "2048-at-0" in r.stdout
    for args in (("long-context", "--lengths", "1x"), ("long-context", "--lengths", "2000k"), ("t-suite", "--lengths", "1k")):
        assert "--lengths" in hob(h, "eval", "run", *args, "--models", "a", code=2).stderr


# ---- without a daemon ----


def bare(tmp_path, *args, code=0, **kw):
    r = cli("eval", *args, dir=tmp_path, timeout=60, **kw)
    assert r.returncode == code, r
    return r


def test_the_suites_that_are_built_in(tmp_path):
    got = json.loads(bare(tmp_path, "suites", "--json").stdout)["suites"]
    names = [s["name"] for s in got]
    assert names == ["t-suite", "chat-bench", "json-bench", "long-context", "pipeline", "vlm-bench"] and all(s["cases"] > 0 for s in got)
    table = bare(tmp_path, "suites").stdout
    assert all(n in table for n in names)
    bare(tmp_path, "show-suite", "json-bench", "-o", "j.yaml")
    assert (tmp_path / "j.yaml").read_text().startswith("suite: json-bench")
    assert "there already" in bare(tmp_path, "show-suite", "json-bench", "-o", "j.yaml", code=1).stderr
    assert json.loads(bare(tmp_path, "check", "j.yaml", "--json").stdout)["ok"] is True
    assert bare(tmp_path, "show-suite", "json-bench").stdout != bare(tmp_path, "show-suite", "json-bench", "--seed", "2").stdout
    assert "as YAML" in bare(tmp_path, "show-suite", "json-bench", "--json", code=2).stderr
    assert "did you mean 'json-bench'" in bare(tmp_path, "show-suite", "json-bnch", code=2).stderr


def test_a_suite_is_checked(tmp_path):
    (tmp_path / "s.yaml").write_text("suite: s\ncases:\n  - {id: one, input: hello, max_tokens: 1, expect: [{equals: a long answer that no one token has room for}]}\n"
                                     "  - {id: two, input: x, expect: [{number: 12}], ideal: 13}\n")
    r = bare(tmp_path, "check", "s.yaml", code=4)
    assert "s.yaml:3: one: " in r.stdout and "s.yaml:4: two: " in r.stdout
    got = json.loads(bare(tmp_path, "check", "s.yaml", "--json", code=4).stdout)
    assert got["ok"] is False and [(f["case"], f["line"], f["fault"]) for f in got["findings"]] == [("one", 3, "harness"), ("two", 4, "harness")]
    (tmp_path / "bad.yaml").write_text("suite: s\ncases:\n  - {id: one, inptu: x}\n")
    assert "bad.yaml:3:" in bare(tmp_path, "check", "bad.yaml", code=2).stderr
    assert bare(tmp_path, "check", "nowhere.yaml", code=2).stderr


def test_samples_and_promptfoo_are_taken_over(tmp_path):
    (tmp_path / "s.jsonl").write_text('{"input": "2+2?", "expected": "4"}\n{"input": "as JSON", "expected": {"a": 1}}\n')
    bare(tmp_path, "import", "s.jsonl", "-o", "s.yaml")
    assert json.loads(bare(tmp_path, "check", "s.yaml", "--json").stdout)["cases"] == 2
    (tmp_path / "promptfooconfig.yaml").write_text(
        "prompts: ['Say {{word}}']\nproviders: [openai:gpt]\ntests:\n  - vars: {word: hi}\n    assert: [{type: icontains, value: hi}, {type: javascript, value: 'output.length > 1'}]\n")
    r = bare(tmp_path, "import", "promptfooconfig.yaml", "-o", "p.yaml")
    assert "promptfooconfig.yaml:5: " in r.stderr and "javascript" in r.stderr
    text = (tmp_path / "p.yaml").read_text()
    assert "Say hi" in text and "contains" in text and json.loads(bare(tmp_path, "check", "p.yaml", "--json").stdout)["cases"] == 1
    assert "is there already" in bare(tmp_path, "import", "s.jsonl", "-o", "s.yaml", code=1).stderr  # what is there stays
    assert "No such file" in bare(tmp_path, "import", "s.jsonl", "-o", "nowhere/s.yaml", code=1).stderr
    assert "promptfoo or jsonl" in bare(tmp_path, "import", "s.jsonl", "--from", "csv", code=2).stderr
