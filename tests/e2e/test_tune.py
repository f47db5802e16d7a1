"""hob tune: each trial in a hob of its own that leaves nothing; what is fastest is found, unless the suite says no."""

import json
import os
import signal
import subprocess

import pytest
from helpers import FAKE, HOB, cli, wait_for

# Slow but for one thread; the smaller KV type is faster still, and answers otherwise.
SPEEDS = """default [[text "yes yes yes yes yes yes yes yes yes yes yes yes"]] [[gap_ms 16]]
when --threads=1 default [[text "yes yes yes yes yes yes yes yes yes yes yes yes"]] [[gap_ms 5]]
when --cache-type-k=q8_0 default [[text "WORD WORD WORD WORD WORD WORD WORD WORD WORD WORD WORD WORD"]] [[gap_ms 1]]
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

        def ask(self, *args):
            r = cli(*args, "-c", self.path, "--json", env=self.env, timeout=110)
            assert r.returncode == 0, r
            return {**json.loads(r.stdout), "said": r.stderr}

        def tune(self, *args):
            return self.ask("tune", *args)

        def bench(self, *args):
            return self.ask("bench", *args)

        def labs(self):
            return [p.name for p in run.glob("hob/*")]

        def runs(self):
            return runs_in(str(run))

        def assert_nothing_left(self):
            wait_for("nothing is left", lambda: not self.labs() and not self.runs(), 30)

    with open(Place.suite, "w", encoding="utf-8") as f:
        json.dump(SUITE, f)
    return Place()


def test_the_fastest_that_the_suite_lets_pass_is_found(place):
    place.config(SPEEDS.replace("WORD", "no"))
    got = place.tune("m", "--suite", place.suite, "--only", "threads,kv", "--rounds", "5", "--context", "128", "--tokens", "8")
    assert got["changed"] is True and (got["best"]["threads"], got["best"]["kv"]) == ("1", "f16"), got["said"]
    assert got["gain"]["over_present"]["sure"] and got["gain"]["over_present"]["lo"] > 1, got["gain"]
    assert "threads: 1" in got["lines"] and "kv" not in got["lines"], got["lines"]
    assert got["refused"] == [{"setting": "kv", "value": "q8_0"}] and got["checks"][0]["verdict"] == "worse", got
    place.assert_nothing_left()
    shown = place.tune("--show")["tuned"]
    assert [(t["model"], t["best"]) for t in shown] == [("m", got["best"])]
    r = cli("tune", "--show", "m", "-c", place.path, env=place.env)
    assert r.returncode == 0 and "another" not in r.stdout and "threads: 1" in r.stdout, r


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


# Quick in both, so that a suite of 80 cases takes a second or two; the pace is what the text alone cannot change.
AB = {"suite": "many", "cases": [{"id": f"c{i}", "input": f"Is it so, {i}? [[gap_ms 0]]", "expect": [{"contains": "yes"}]} for i in range(80)]}
PACE = 'default [[text "WORD WORD WORD WORD WORD WORD WORD WORD"]] [[gap_ms PACE]]'


@pytest.mark.parametrize("word, cases, verdict, pick", [("yes", 80, "not worse", "q8_0"), ("no", 8, "worse", "f16")])
def test_variants_are_picked_by_the_suite(place, word, cases, verdict, pick):
    """The second type is faster each time; only where it answers as well is it picked."""
    slow, fast = PACE.replace("WORD", "yes").replace("PACE", "14"), PACE.replace("WORD", word).replace("PACE", "1")
    place.config(f"{slow}\nwhen --cache-type-k=q8_0 {fast}")
    with open(place.suite, "w", encoding="utf-8") as f:
        json.dump({**AB, "cases": AB["cases"][:cases]}, f)
    got = place.bench("m", "--kv", "f16,q8_0", "--suite", place.suite, "--contexts", "128", "--tokens", "8")
    first, second = got["variants"]
    assert (second["verdict"], got["pick"]) == (verdict, pick), got["said"]
    assert second["gain"]["rounds"] == 5 and second["gain"]["sure"] and second["gain"]["factor"] > 1.5, second
    assert (first["pass"], first["total"], second["pass"]) == (cases, cases, cases if word == "yes" else 0), got
    assert not got["warnings"], got["warnings"]  # what differs on purpose is none
    place.assert_nothing_left()


def test_variants_by_weights_and_too_few_cases(place, nursery):
    place.config(PACE.replace("WORD", "yes").replace("PACE", "3"))
    other = nursery.model("other", PACE.replace("WORD", "yes").replace("PACE", "3"))["other"]["file"]
    got = place.bench("m", "--quant", f"{nursery.dir}/m.gguf,{other}", "--suite", place.suite, "--contexts", "128", "--tokens", "8", "--runs", "1")
    first, second = got["variants"]
    assert (first["name"], second["name"], second["verdict"], got["pick"]) == ("m.gguf", "other.gguf", "cannot tell", "m.gguf"), got
    assert second["needed"] > 8 and not second["gain"]["sure"], second
    for args, says in ((("--kv", "f16"), "two variants"), (("--kv", "f16,q77"), "hob: kv: 'q77' is none of"), (("--quant", "/nowhere.gguf,x"), "no file"), (("--kv", "f16,q8_0", "--save", "x"), "does not go with")):
        r = cli("bench", "m", *args, "-c", place.path, env=place.env)
        assert r.returncode == 2 and says in r.stderr, r
    place.assert_nothing_left()


def test_with_the_real_engine(place, real, tmp_path):
    """The way through: a KV type beside another, as the engine and the model are. What comes out is the machine's affair."""
    engine, model = real
    place.config("")
    config = json.loads(open(place.path, encoding="utf-8").read())
    config |= {"engines": {"llama": {"path": engine}}, "models": {"m": {"file": model, "context": 512}}}
    with open(place.path, "w", encoding="utf-8") as f:
        json.dump(config, f)
    with open(place.suite, "w", encoding="utf-8") as f:
        json.dump({"suite": "one", "cases": [{"id": "any", "input": "Say hello.", "max_tokens": 4, "expect": [{"regex": "."}]}]}, f)
    got = place.bench("m", "--kv", "f16,q8_0", "--suite", place.suite, "--contexts", "128", "--tokens", "4", "--runs", "1")
    for v in got["variants"]:
        assert v["prompt_tps"] > 0 and v["generation_tps"] > 0 and v["cold_ms"] > 0 and v["memory_bytes"] > 2 ** 20 and v["total"] == 1, v
    assert got["pick"] == "f16" and got["variants"][1]["verdict"] == "cannot tell", got
    place.assert_nothing_left()
