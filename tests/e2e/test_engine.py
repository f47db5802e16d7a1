"""hob engine: builds, what each knows, how they differ; asked once and remembered. Fakes stand for builds: a file beside each says what it knows."""

import json
import os
import pathlib
import pty
import shutil
import subprocess
import tempfile

import pytest
from helpers import FAKE, HOB, cli, environment, gguf


@pytest.fixture
def place():
    with tempfile.TemporaryDirectory(prefix="hobe", dir="/tmp") as d:
        (pathlib.Path(d) / "state").mkdir(mode=0o700)
        yield pathlib.Path(d)


def build(place, name, *knows):
    """A build of its own, which knows these."""
    (place / name).mkdir()
    path = place / name / "llama-server"
    shutil.copy2(FAKE, path)
    (place / name / "llama-server.knows").write_text("".join(f"{k}\n" for k in knows))
    return {name: {"path": str(path)}}


@pytest.fixture
def engine(place):
    """hob engine WORDS --json; returns (exit code, object or None, stderr)."""
    def go(*words, engines=None, models=None, json_out=True):
        if engines is not None:
            config = {"listen": "127.0.0.1:0", "state": str(place / "state"), "engines": engines, "models": models or {}}
            (place / "hob.yaml").write_text(json.dumps(config))
        r = cli("engine", *words, *(["--json"] if json_out else []), env=environment(place, {"TMPDIR": str(place)}), dir=place)
        assert list(place.glob("hob-probe-*")) == []
        if not json_out:
            return r.returncode, r.stdout, r.stderr
        o = json.loads(r.stdout) if r.stdout else None
        assert o is None or o["schema"] == 1
        return r.returncode, o, r.stderr
    return go


def test_builds_are_listed_with_what_is_wrong(engine, place):
    (place / "not-one").write_text("words")
    deaf = place / "deaf"
    deaf.write_text("#!/bin/sh\nexit 3\n")
    deaf.chmod(0o700)
    engines = {**build(place, "a", "llama"), "llama": {"path": str(FAKE)}, "gone": {"path": str(place / "gone")},
               "text": {"path": str(place / "not-one")}, "deaf": {"path": str(deaf)}}
    models = {"m": {"file": gguf(place / "m.gguf"), "engine": "a"}, "n": {"file": gguf(place / "n.gguf")}}
    code, o, err = engine("list", engines=engines, models=models)
    assert code == 0 and err == ""
    rows = {e["name"]: e for e in o["engines"]}
    assert rows.keys() == engines.keys() and o["engines"][0]["name"] == "llama"
    for row in rows.values():
        assert row.keys() == {"name", "path", "build", "version", "models", "ok", "why"}
        assert row["ok"] == (row["why"] is None)
    assert rows["llama"]["ok"] and rows["a"]["ok"] and rows["llama"]["build"] != rows["a"]["build"]
    assert "version" in rows["a"]["version"] and rows["a"]["models"] == 1 and rows["deaf"]["models"] == 0
    assert rows["gone"]["path"] is None and rows["text"]["path"] is None
    assert rows["deaf"]["path"] == str(deaf) and "3" in rows["deaf"]["why"]
    code, out, err = engine(json_out=False)
    assert code == 0 and "does not run" in out and "missing" in out


def test_known_and_unknown(engine, place):
    engines = build(place, "llama", "llama", "gemma3")
    code, o, err = engine("probe", "llama", "gemma3", "qwen9", engines=engines)
    assert code == 0 and err == "" and o["engine"] == "llama"
    assert o["architectures"] == [{"name": "gemma3", "known": True}, {"name": "qwen9", "known": False}]
    code, o, err = engine("probe", "llama")
    names = {a["name"]: a["known"] for a in o["architectures"]}
    assert len(names) > 100 and [n for n, known in names.items() if known] == ["gemma3", "llama"]
    code, out, err = engine("probe", "llama", json_out=False)
    assert "knows (2):\n  gemma3 llama\n" in out and "does not know" in out and "does not say" not in out


def test_answers_are_remembered_until_the_build_changes(engine, place):
    engines = build(place, "llama", "llama")
    knows = place / "llama" / "llama-server.knows"
    assert engine("probe", "llama", "gemma3", engines=engines)[1]["architectures"][0]["known"] is False
    knows.write_text("gemma3\n")
    assert engine("probe", "llama", "gemma3")[1]["architectures"][0]["known"] is False
    assert engine("probe", "llama", "gemma3", "--fresh")[1]["architectures"][0]["known"] is True
    os.utime(place / "llama" / "llama-server", (1, 1))
    assert engine("probe", "llama", "gemma3")[1]["architectures"][0]["known"] is True
    (place / "llama" / "libllama.so").write_text("a library of this build")
    knows.write_text("")
    assert engine("probe", "llama", "gemma3")[1]["architectures"][0]["known"] is False


def test_two_builds_are_compared(engine, place):
    engines = {**build(place, "llama", "llama", "gemma3", "gptj"), **build(place, "new", "llama", "gemma4")}
    code, o, err = engine("diff", "llama", "new", engines=engines)
    assert code == 0 and (o["a"], o["b"]) == ("llama", "new")
    assert o["only_a"] == ["gemma3", "gptj"] and o["only_b"] == ["gemma4"] and o["both"] == ["llama"] and o["unclear"] == [] and not o["same_build"]
    code, out, err = engine("diff", "llama", "new", json_out=False)
    assert "only llama knows (2):\n  gemma3 gptj\nonly new knows (1):\n  gemma4\n" in out
    assert engine("diff", "llama", "llama")[1]["same_build"] is True


@pytest.mark.parametrize("words, code, said", [
    (["probe"], 2, "wants the name"),
    (["diff", "llama"], 2, "wants two"),
    (["prob"], 2, "list, probe and diff"),
    (["probe", "other"], 2, "No engine is called 'other'"),
    (["probe", "gone"], 1, "not there"),
    (["diff", "llama", "gone"], 1, "not there"),
])
def test_wrong_use(engine, place, words, code, said):
    got, o, err = engine(*words, engines={**build(place, "llama"), "gone": {"path": str(place / "gone")}})
    assert got == code and said in err and o is None


def test_without_a_state_folder_it_asks_each_time(engine, place):
    (place / "state").rmdir()
    assert engine("probe", "llama", "llama", engines=build(place, "llama", "llama"))[1]["architectures"][0]["known"] is True
    assert not (place / "state").exists()


def test_progress_on_a_terminal(place):
    config = {"state": str(place / "state"), "engines": build(place, "llama", "llama")}
    (place / "hob.yaml").write_text(json.dumps(config))
    ours, theirs = pty.openpty()
    r = subprocess.run([HOB, "engine", "probe", "llama", "-c", place / "hob.yaml"], env=environment(place), stdout=subprocess.PIPE, stderr=theirs, timeout=60)
    os.close(theirs)
    said = os.read(ours, 65536)
    os.close(ours)
    assert r.returncode == 0 and b"asking llama: 3 of" in said and said.endswith(b"\r\033[K") and b"asking" not in r.stdout


def test_a_running_daemon_is_no_hindrance(hob, place):
    h = hob({"engines": {"llama": {"path": str(FAKE)}}, "models": {"m": {"file": gguf(place / "m.gguf")}}})
    r = cli("engine", "probe", "llama", "llama", "nonesuch", "--json", "-c", h.config_path, env=h.env, dir=h.dir)
    assert [a["known"] for a in json.loads(r.stdout)["architectures"]] == [True, False]


def test_a_load_that_cannot_be_is_refused_with_who_could(hob, place):
    engines = {**build(place, "llama", "llama"), **build(place, "new", "llama", "newer")}
    h = hob({"engines": engines, "models": {
        "old": {"file": gguf(place / "old.gguf", arch="llama")},
        "bad": {"file": gguf(place / "bad.gguf", arch="newer")},
        "good": {"file": gguf(place / "bad.gguf", arch="newer"), "engine": "new"}}})
    assert h.chat("old", "ping").status == 200
    r = h.chat("bad", "ping")
    e = r.json()["error"]
    assert r.status == 503 and e["code"] == "unknown_architecture" and e["hob"]["fault"] == "backend"
    assert "'newer'" in e["message"] and "'llama'" in e["message"] and "build" in e["message"] and "new" in e["hob"]["hint"].split("known to: ")[1]
    assert h.chat("good", "ping").status == 200
    assert h.chat("old", "ping").status == 200


def test_the_real_engine(real, engine):
    code, o, err = engine("probe", "llama", "llama", "gemma3", "nonesuch", engines={"llama": {"path": real[0]}})
    assert code == 0 and [a["known"] for a in o["architectures"]] == [True, True, False]
