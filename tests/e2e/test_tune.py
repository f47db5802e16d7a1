"""hob tune: each trial in a hob of its own that leaves nothing; what is fastest is found, unless the suite says no."""

import json
import os
import signal
import subprocess

import pytest
from helpers import FAKE, HOB, cli, wait_for

# Slow but for one thread; the smaller KV type is faster still, and answers otherwise.
SPEEDS = """default [[text "yes yes yes yes yes yes yes yes yes yes yes yes"]] [[gap_ms 25]]
when --threads=1 default [[text "yes yes yes yes yes yes yes yes yes yes yes yes"]] [[gap_ms 9]]
when --cache-type-k=q8_0 default [[text "WORD WORD WORD WORD WORD WORD WORD WORD WORD WORD WORD WORD"]] [[gap_ms 2]]
"""
SUITE = {"suite": "yes", "cases": [{"id": f"c{i}", "input": f"Is it so, {i}?", "expect": [{"contains": "yes"}]} for i in range(8)]}


def runs_in(folder):
    """Processes whose command line names the folder."""
    found = []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{pid}/cmdline", "rb") as f:
                if folder.encode() in f.read():
                    found.append(int(pid))
        except OSError:
            pass
    return found


@pytest.fixture
def place(nursery, tmp_path):
    """A configuration with a fake engine, and a folder of its own for what labs make: nothing may be in it afterwards."""
    run = nursery.dir / "run"
    run.mkdir(mode=0o700)

    class Place:
        env = {**os.environ, "XDG_RUNTIME_DIR": str(run), "HOB_CONFIG": "", "HOB_STATE": "", "HOB_URL": ""}
        suite = str(nursery.dir / "suite.json")

        def config(self, script, **settings):
            model = nursery.model("m", script, keep="demand", threads=2, args=["--batch-size", "2048"], **settings)
            path = nursery.dir / "hob.yaml"
            path.write_text(json.dumps({"state": str(nursery.dir / "state"), "budget": {"reserve": "1MiB"}, "engines": {"llama": {"path": str(FAKE)}}, "models": model}))
            self.path = str(path)

        def command(self, *args):
            return [str(HOB), "tune", *args, "-c", self.path]

        def tune(self, *args):
            r = cli("tune", *args, "-c", self.path, "--json", env=self.env, timeout=110)
            assert r.returncode == 0, r
            return {**json.loads(r.stdout), "said": r.stderr}

        def labs(self):
            return [p.name for p in run.glob("hob/*")]

        def runs(self):
            return runs_in(str(run))

        def assert_nothing_left(self):
            wait_for("nothing is left", lambda: not self.labs() and not self.runs(), 30)

    with open(Place.suite, "w", encoding="utf-8") as f:
        json.dump(SUITE, f)
    return Place()


@pytest.mark.parametrize("word, kv, changed", [("no", "f16", "refused"), ("yes", "q8_0", "taken")])
def test_the_fastest_that_the_suite_lets_pass_is_found(place, word, kv, changed):
    place.config(SPEEDS.replace("WORD", word))
    only = "kv" if changed == "taken" else "threads,kv"
    got = place.tune("m", "--suite", place.suite, "--only", only, "--rounds", "5", "--context", "128", "--tokens", "8")
    assert got["changed"] is True and got["best"]["kv"] == kv, got["said"]
    assert got["gain"]["over_present"]["sure"] and got["gain"]["over_present"]["lo"] > 1, got["gain"]
    if changed == "refused":
        assert got["best"]["threads"] == "1" and "threads: 1" in got["lines"] and "kv" not in got["lines"], got
        assert got["refused"] == [{"setting": "kv", "value": "q8_0"}] and got["checks"][0]["verdict"] == "worse", got
    else:
        assert got["refused"] == [] and got["checks"][0]["passes"] is True and "kv: q8_0" in got["lines"], got
    place.assert_nothing_left()
    shown = place.tune("--show")["tuned"]
    assert [(t["model"], t["best"]) for t in shown] == [("m", got["best"])]
    r = cli("tune", "--show", "m", "-c", place.path, env=place.env)
    assert r.returncode == 0 and ("another" not in r.stdout) and got["lines"].split()[0] in r.stdout, r


def test_what_would_be_tried(place):
    place.config("")
    plan = {s["setting"]: s for s in place.tune("m", "--dry-run")["settings"]}
    assert plan["threads"]["present"] == "2" and "1" in plan["threads"]["tried"] and not plan["threads"]["answers"], plan
    assert plan["batch"]["present"] == "2048" == plan["batch"]["standard"] and plan["kv"]["answers"], plan
    assert "poll" not in plan, plan  # the engine's --help does not know it
    assert not place.labs()
    for args, says in ((("none",), "no model"), (("m", "--only", "thread"), "did you mean 'threads'"), (("m", "--suite", "/nowhere"), "nowhere")):
        r = cli("tune", *args, "-c", place.path, env=place.env)
        assert r.returncode in (1, 2) and says in r.stderr, r


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGKILL])
def test_nothing_stays_when_it_is_broken_off(place, how):
    place.config('default [[text "yes yes"]] [[gap_ms 100000]]')
    p = subprocess.Popen(place.command("m", "--quiet"), env=place.env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        wait_for("its engine runs", lambda: any("m.sock" in open(f"/proc/{pid}/cmdline", encoding="utf-8").read() for pid in place.runs()), 30)
        p.send_signal(how)
        assert p.wait(60) != 0
    finally:
        if p.poll() is None:
            p.kill()
            p.wait()
    place.assert_nothing_left()


def test_a_model_that_does_not_start_is_told_and_leaves_nothing(place):
    place.config("load_fail out_of_memory")
    r = cli("tune", "m", "-c", place.path, env=place.env, timeout=60)
    assert r.returncode == 1 and "m was not loaded" in r.stderr, r
    place.assert_nothing_left()
