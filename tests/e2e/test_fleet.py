"""Models that come and go: admission by bytes, eviction, the line for memory, and children that die, hang or will not go.

HOB_SOAK=1: the soak is as long as a minute."""

import concurrent.futures
import json
import os
import pathlib
import threading
import time

import pytest
import raw
from helpers import FAKE, gguf, wait_for

SOAK = 60 if os.environ.get("HOB_SOAK") else 12
MIB = 1024 * 1024


def ps(hob):
    return raw.call(str(hob.state / "hob.sock"), "GET", "/hob/v1/ps").json()


def of(hob, name):
    return next(b for b in ps(hob)["backends"] if b["model"] == name)


def start(nursery, models, scripts=None, **config):
    """hob with fake models: name -> settings, on demand unless they say otherwise."""
    made = {}
    for name, settings in models.items():
        made.update(nursery.model(name, (scripts or {}).get(name, ""), **{"keep": "demand", "memory": "1GiB", **settings}))
    return nursery.hob({"engines": {"llama": {"path": str(FAKE)}}, "models": made, **config})


def load(hob, name):
    return raw.call(str(hob.state / "hob.sock"), "POST", "/hob/v1/models/load", {"model": name})


def loads(hob, *names):
    """When which of the models began to load, by the log: a list of (seconds, name)."""
    found = []
    for line in hob.stderr().splitlines():
        when, _, what = line.partition(" hob: ")
        if what.startswith("loading ") and (not names or what.split()[1] in names):
            clock = when.rstrip("Z").partition("T")[2].split(":")
            found.append((int(clock[0]) * 3600 + int(clock[1]) * 60 + float(clock[2]), what.split()[1]))
    return found


# -- room


def test_callers_of_three_models_share_the_room_of_two(nursery):
    residency = 2
    hob = start(nursery, {n: {"slots": 2} for n in "abc"}, scripts={n: "load_ms 100" for n in "abc"}, budget={"memory": "2500MiB"},
                residency=f"{residency}s", queue={"age": "2s", "deadline": "60s"})
    end, over, bad = time.monotonic() + SOAK, [], []

    def caller(i):
        done = 0
        while time.monotonic() < end:
            name = "abc"[(i + done) % 3]
            r = hob.chat(name, f"[[words 3]] caller {i} turn {done}", timeout=60)
            if r.status != 200 or r.json()["_routing"]["model"] != name:
                bad.append((name, r.status, r.body[:300]))
            done += 1
        return done

    def watch():
        while time.monotonic() < end:
            b = ps(hob)["budget"]
            if b["used_bytes"] > b["total_bytes"]:
                over.append(b)

    with concurrent.futures.ThreadPoolExecutor(21) as pool:
        watcher = pool.submit(watch)
        answered = sum(pool.map(caller, range(20)))
        watcher.result()
    assert not bad and not over, (bad[:3], over[:3])
    began = loads(hob)
    assert answered > 60 and {n for _, n in began} == set("abc")
    # the first two fill the room; after them one comes for each that goes, and one goes in a window at most
    gaps = [b[0] - a[0] for a, b in zip(began[2:], began[3:])]
    assert len(began) >= SOAK / 12 and all(g > residency * 0.95 for g in gaps), began
    assert "makes room for" in hob.stderr()


def test_what_cannot_fit_is_told_at_once_and_nothing_goes(nursery):
    hob = start(nursery, {"small": {}, "kept": {"keep": "hot", "memory": "3GiB"}, "huge": {"memory": "9GiB"}, "large": {"memory": "6GiB"}},
                budget={"memory": "8GiB"})
    hob.wait_ready()
    assert hob.chat("small", "hello").status == 200
    hot = {b["model"]: b["pid"] for b in ps(hob)["backends"] if b["pid"]}
    for name, needs in (("huge", "9.0 GiB"), ("large", "6.0 GiB")):  # alone, and beside what is kept
        took = []
        for _ in range(5):
            began = time.monotonic()
            r = hob.chat(name, "hello")
            took.append(time.monotonic() - began)
            e = r.json()["error"]
            assert r.status == 503 and e["code"] == "does_not_fit" and e["hob"]["fault"] == "backend", e
            assert f"needs {needs}" in e["message"] and "8.0 GiB" in e["message"] and e["hob"]["hint"]
        assert min(took) < 0.1, took
    assert "3.0 GiB of it" in e["message"]
    assert {b["model"]: b["pid"] for b in ps(hob)["backends"] if b["pid"]} == hot
    assert of(hob, "huge")["state"] == "failed" and "does not fit" in of(hob, "huge")["last_error"]
    assert hob.stderr().count("'huge' does not fit") == 1  # however often it is asked for


def test_several_small_ones_go_for_a_large_one_and_the_log_says_why(nursery):
    hob = start(nursery, {"a": {}, "b": {}, "large": {"memory": "3GiB"}}, budget={"memory": "4GiB"}, residency="0s")
    for name in "ab":
        assert hob.chat(name, "hello").status == 200
    assert hob.chat("large", "hello").status == 200
    states = {b["model"]: b["state"] for b in ps(hob)["backends"]}
    assert states["large"] == "hot" and sorted((states["a"], states["b"])) == ["cold", "hot"]  # as many as are needed
    gone = [line for line in hob.stderr().splitlines() if "makes room for large, which needs 3.0 GiB of 4.0 GiB" in line]
    assert len(gone) == 1
    text = raw.call(hob.at, "GET", "/metrics").body.decode()
    assert 'hob_evictions_total{model="%s",reason="room"} 1' % gone[0].split("hob: ")[1].split(":")[0] in text
    assert 'hob_budget_bytes{part="total"} 4294967296' in text and 'hob_model_memory_bytes{model="large"}' in text


def test_what_is_kept_or_pinned_is_never_a_victim(nursery):
    hob = start(nursery, {"kept": {"keep": "hot"}, "pinned": {}, "a": {}, "b": {}}, budget={"memory": "3GiB"}, residency="0s")
    hob.wait_ready()
    r = raw.call(str(hob.state / "hob.sock"), "POST", "/hob/v1/models/load", {"model": "pinned", "pin": True})
    assert r.status == 200
    pids = [of(hob, n)["pid"] for n in ("kept", "pinned")]
    for name in "abab":
        assert hob.chat(name, "hello").status == 200
    assert [of(hob, n)["pid"] for n in ("kept", "pinned")] == pids and of(hob, "pinned")["pinned"]


def test_a_background_request_loads_nothing_but_uses_what_is_there(nursery):
    hob = start(nursery, {"m": {}})
    r = hob.chat("m", "hello", headers={"x-hob-class": "background"})
    assert r.status == 503 and r.json()["error"]["code"] == "not_resident" and not hob.children()
    assert hob.chat("m", "hello").status == 200
    assert hob.chat("m", "hello", headers={"x-hob-class": "background"}).status == 200


# -- the line


def test_all_who_come_during_a_load_are_answered_once(nursery):
    hob = start(nursery, {"m": {"slots": 4}}, scripts={"m": "load_ms 1500"}, queue={"limit": 300})
    with concurrent.futures.ThreadPoolExecutor(50) as pool:
        answers = list(pool.map(lambda i: hob.chat("m", f"request number {i} of many", timeout=60), range(200)))
    assert all(r.status == 200 for r in answers)
    log = hob.child("m").control.log()
    texts = [json.loads(c.body)["messages"][-1]["content"] for c in log.chats]
    assert sorted(texts) == sorted(f"request number {i} of many" for i in range(200))
    assert log.max_in_flight <= 4 and len(loads(hob)) == 1


def test_a_full_line_says_when_to_come_back(nursery):
    hob = start(nursery, {"m": {"slots": 1}}, queue={"limit": 2})
    assert hob.chat("m", "[[first_ms 1200]] how long it takes").status == 200
    held = [hob.open_chat("m", "[[first_ms 3000]] hold") for _ in range(3)]
    wait_for("one works and two wait", lambda: (b := of(hob, "m")) and b["queue"]["depth"] == 2 and b["slots"]["used"] == 1)
    r = hob.chat("m", "one more")
    assert r.status == 429 and r.json()["error"]["code"] == "queue_full" and 2 <= int(r.get("retry-after")) <= 4
    assert of(hob, "m")["queue"]["eta_ms"] >= 2000
    for c in held:
        c.close()


# -- children that do not do as they should


def test_one_that_ignores_being_told_to_go_does_not_stop_the_others(nursery):
    hob = start(nursery, {"deaf": {}, "other": {}, "third": {}}, scripts={"deaf": "ignore_term"}, budget={"memory": "2GiB"}, residency="0s")
    assert hob.chat("deaf", "hello").status == 200 and hob.chat("other", "hello").status == 200
    went = threading.Thread(target=lambda: raw.call(str(hob.state / "hob.sock"), "POST", "/hob/v1/models/unload", {"model": "deaf"}, timeout=30))
    went.start()
    wait_for("it is on its way", lambda: of(hob, "deaf")["state"] == "draining")
    assert all(hob.chat("other", f"hello {i}").status == 200 for i in range(20))
    booked = ps(hob)["budget"]["used_bytes"]
    assert booked == 2048 * MIB or of(hob, "deaf")["state"] == "cold"  # what has not gone has its memory
    went.join()
    assert hob.chat("third", "hello").status == 200


def test_five_deaths_are_enough_until_the_file_is_another(nursery):
    hob = start(nursery, {"m": {}}, scripts={"m": "load_fail truncated"})
    path = pathlib.Path(nursery.dir / "m.gguf")

    def dead():
        r = hob.chat("m", "hello")
        assert r.status == 503, r.body
        return len(loads(hob)) >= 5
    wait_for("five loads have failed", dead, 30)
    for _ in range(3):
        assert hob.chat("m", "hello").status == 503
    assert len(loads(hob)) == 5 and of(hob, "m")["state"] == "failed"
    pathlib.Path(str(path) + ".script").write_text("")
    assert load(hob, "m").status == 200  # a person's word is enough
    assert len(loads(hob)) == 6


def test_a_file_that_has_changed_is_tried_again(nursery):
    hob = start(nursery, {"m": {}}, scripts={"m": "load_fail truncated"})
    path = nursery.dir / "m.gguf"
    wait_for("five loads have failed", lambda: hob.chat("m", "hello").status == 503 and len(loads(hob)) >= 5, 30)
    pathlib.Path(str(path) + ".script").write_text("")
    assert hob.chat("m", "hello").status == 503 and len(loads(hob)) == 5
    os.utime(path, (1, 1))
    wait_for("it is tried again", lambda: hob.chat("m", "hello").status == 200)
    assert len(loads(hob)) == 6 and "its file is another now" in hob.stderr()


def test_out_of_memory_is_tried_once_more_with_more_room(nursery):
    count = nursery.dir / "starts"
    hob = start(nursery, {"m": {}, "idle": {}}, scripts={"m": f"starts {count}\nfirst 1\nload_fail out_of_memory"},
                budget={"memory": "2GiB"}, residency="0s")
    assert hob.chat("idle", "hello").status == 200
    assert hob.chat("m", "hello").status == 200  # who waited sees nothing of it
    assert len(loads(hob, "m")) == 2 and of(hob, "idle")["state"] == "cold"
    assert of(hob, "m")["memory"]["booked_bytes"] == 1536 * MIB


def test_what_is_kept_hot_comes_back_by_itself(nursery):
    count = nursery.dir / "starts"
    hob = start(nursery, {"m": {"keep": "hot"}}, scripts={"m": f"starts {count}\nfirst 2\nload_fail missing"})
    hob.wait_ready()
    assert len(loads(hob)) == 3
    os.kill(hob.child("m").pid, 9)
    wait_for("it is back", lambda: len(loads(hob)) == 4 and of(hob, "m")["state"] == "hot")


def test_what_is_kept_hot_is_loaded_as_roles_name_it(nursery):
    hob = start(nursery, {n: {"keep": "hot"} for n in ("last", "second", "first")}, scripts={n: "load_ms 200" for n in ("last", "second", "first")},
                roles={"chat": {"model": "first", "fallback": ["second"]}})
    hob.wait_ready()
    assert [n for _, n in loads(hob)] == ["first", "second", "last"]


NVIDIA = """#!/bin/sh
[ ! -e {dir}/hangs ] || exec sleep 60
case "$1" in --query-gpu*) echo "GPU, 4096, 4096" ;; esac
"""


def test_a_driver_that_does_not_answer_takes_no_gpu_away(nursery):
    tool = nursery.dir / "nvidia-smi"
    tool.write_text(NVIDIA.format(dir=nursery.dir))
    tool.chmod(0o755)
    models = nursery.model("a", keep="demand", memory="1GiB")
    models.update(nursery.model("b", keep="demand", memory="1GiB"))
    models.update(nursery.model("large", keep="demand", memory="5GiB"))
    hob = nursery.hob({"engines": {"llama": {"path": str(FAKE)}}, "models": models, "budget": {"reserve": "0B"}},
                      env={"PATH": f"{nursery.dir}:{os.environ['PATH']}"})
    for name in "ab":
        assert hob.chat(name, "hello").status == 200
    assert ps(hob)["budget"]["total_bytes"] == 4 << 30
    assert hob.chat("large", "hello").status == 503
    (nursery.dir / "hangs").touch()
    assert hob.chat("large", "hello").status == 503 and ps(hob)["budget"]["total_bytes"] == 4 << 30
    assert hob.stderr().count("does not tell") == 1
