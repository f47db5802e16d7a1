"""The admin door and the commands that ask it: ps, models, load, unload."""

import concurrent.futures
import json
import os
import pathlib
import signal
import socket
import stat
import subprocess
import tempfile

import pytest
from helpers import FAKE, HOB, cli, environment, free_port, gguf, wait_for

import raw

BACKEND = {"model", "host", "state", "keep", "pid", "engine", "memory", "context", "slots", "queue", "leases", "idle_ms", "breaker",
           "deprecated_until", "flags", "last_error", "pinned", "draft"}
MODEL = {"name", "aliases", "host", "file", "state", "context", "input", "capabilities", "deprecated_until"}


def ask(hob, method, path, body=b"", **kw):
    return raw.call(str(hob.state / "hob.sock"), method, path, body, **kw)


def ps(hob, model="m"):
    r = ask(hob, "GET", "/hob/v1/ps")
    assert r.status == 200, r
    return next(b for b in r.json()["backends"] if b["model"] == model)


def act(hob, what, model="m", **kw):
    return ask(hob, "POST", f"/hob/v1/models/{what}", {"model": model}, **kw)


@pytest.fixture
def place():
    with tempfile.TemporaryDirectory(prefix="hobc", dir="/tmp") as d:
        yield pathlib.Path(d)


@pytest.fixture
def run(place):
    def go(*args, env=None, **kw):
        return cli(*args, env=environment(place, env), dir=place, **kw)
    return go


@pytest.fixture(scope="module")
def shared(module_nursery):
    n = module_nursery
    broken = n.dir / "broken.gguf"
    broken.write_bytes(b"no model")
    return n.hob({
        "engines": {"llama": {"path": str(FAKE)}}, "hosts": {"anvil": {"url": f"http://127.0.0.1:{free_port()}", "probe": "never"}},
        "models": {**n.model("small", aliases=["tiny"]), **n.model("lazy", keep="demand"), "broken": {"file": str(broken)}, "far": {"host": "anvil"}},
        "roles": {"chat": {"model": "small", "fallback": ["far"]}}, "tiers": {"fast": "small"},
    }, wait="ready")


# -- the door


def test_the_socket_is_for_its_owner_only(shared):
    mode = os.stat(shared.state / "hob.sock")
    assert stat.S_ISSOCK(mode.st_mode) and stat.S_IMODE(mode.st_mode) == 0o600 and mode.st_uid == os.geteuid()


def test_ps_over_the_socket(shared):
    o = ask(shared, "GET", "/hob/v1/ps").json()
    assert o["schema"] == 1 and o["budget"].keys() == {"total_bytes", "used_bytes", "others_bytes"}
    for b in o["backends"]:
        assert b.keys() >= BACKEND, BACKEND - b.keys()
        assert b["memory"].keys() == {"estimated_bytes", "measured_bytes", "booked_bytes"} and b["slots"].keys() == {"total", "used"}
        assert b["queue"].keys() == {"depth", "oldest_ms", "eta_ms"} and b["breaker"] == "closed" and b["flags"] == []
    small = ps(shared, "small")
    child = shared.child("small")
    assert small["pid"] == child.pid and small["state"] == "hot" and small["keep"] == "hot"
    assert small["context"] == 4096 and small["slots"] == {"total": 2, "used": 0}
    assert 0.3 * child.pss() < small["memory"]["measured_bytes"] < 3 * child.rss()  # its share, or as if it were alone
    far = ps(shared, "far")
    assert far["host"] == "anvil" and far["pid"] is far["engine"] is far["keep"] is None


def test_models_over_the_socket(shared):
    o = ask(shared, "GET", "/hob/v1/models").json()
    assert o["schema"] == 1 and all(m.keys() >= MODEL for m in o["models"])
    small = o["models"][0]
    assert small["name"] == "small" and small["aliases"] == ["tiny"] and small["file"].endswith("small.gguf")
    assert small["input"] == ["text"] and small["capabilities"] == ["chat", "tools", "schema"]
    assert o["roles"]["chat"]["model"] == "small" and o["roles"]["chat"]["fallback"] == ["far"] and o["tiers"] == {"fast": "small"}


@pytest.mark.parametrize("method, path, body, status, code", [
    ("GET", "/hob/v1/nothing", b"", 404, "not_found"),
    ("GET", "/v1/models", b"", 404, "not_found"),
    ("DELETE", "/hob/v1/ps", b"", 405, "method_not_allowed"),
    ("GET", "/hob/v1/models/load", b"", 405, "method_not_allowed"),
    ("POST", "/hob/v1/models/load", b"", 400, "invalid_json"),
    ("POST", "/hob/v1/models/load", b"[]", 400, "invalid_request"),
    ("POST", "/hob/v1/models/load", {"model": 5}, 400, "invalid_request"),
    ("POST", "/hob/v1/models/load", {"model": "smal"}, 404, "model_not_found"),
    ("POST", "/hob/v1/models/unload", {"model": "far"}, 400, "invalid_request"),
    ("POST", "/hob/v1/models/load", b"{" + b" " * 70000, 413, "body_too_large"),
])
def test_what_it_refuses(shared, method, path, body, status, code):
    r = ask(shared, method, path, body)
    assert (r.status, r.error()["code"]) == (status, code)
    if status == 405:
        assert r.get("allow") in ("GET, HEAD", "POST")


def test_the_public_door_has_none_of_it(shared):
    for path in ("/hob/v1/ps", "/hob/v1/models"):
        assert shared.get(path).status == 404
    assert shared.post("/hob/v1/models/unload", {"model": "small"}).status == 404
    assert ps(shared, "small")["state"] == "hot"


# -- load and unload


def test_load_answers_when_it_is_hot(managed):
    hob = managed(script="load_ms 300", keep="demand", wait="listening")
    r = act(hob, "load")
    assert r.status == 200 and r.json()["state"] == "hot" and r.json()["took_ms"] >= 250
    assert ps(hob)["state"] == "hot" and len(hob.children()) == 1
    assert act(hob, "load").json()["took_ms"] < 250


@pytest.mark.parametrize("name", ["chat", "fast", "tiny"])
def test_load_takes_any_name(shared, name):
    assert act(shared, "load", name).json()["model"] == "small"


def test_load_tells_why_not(shared):
    r = act(shared, "load", "broken")
    assert r.status == 503 and r.error()["code"] == "weights_broken"
    b = ps(shared, "broken")
    assert b["state"] == "failed" and "broken.gguf" in b["last_error"]


def test_unload_waits_for_what_runs(managed):
    hob = managed(keep="demand", wait="listening")
    assert act(hob, "load").status == 200
    child = hob.child()
    with hob.open_chat("m", "[[words 400]] [[gap_ms 5]]", stream=True) as c, concurrent.futures.ThreadPoolExecutor() as pool:
        c.until(b"\r\n\r\n", "the head")
        assert ps(hob)["slots"]["used"] == 1 and ps(hob)["idle_ms"] == 0 and ps(hob)["leases"] == 1
        unload = pool.submit(act, hob, "unload")
        c.until(b"[DONE]", "the end of the answer")
        r = unload.result()
    assert r.status == 200 and r.json()["state"] == "cold" and not child.alive()
    assert ps(hob)["pid"] is None and ps(hob)["idle_ms"] is None


def test_unload_cuts_at_the_drain_limit(managed):
    hob = managed(config={"drain": "300ms"}, keep="demand", wait="listening")
    act(hob, "load")
    with hob.open_chat("m", "[[words 100000]] [[gap_ms 10]]", stream=True) as c:
        c.until(b"\r\n\r\n", "the head")
        r = act(hob, "unload", timeout=30)
    assert r.status == 200 and not hob.children()


def test_who_comes_while_it_leaves_is_served_after(managed):
    hob = managed(keep="demand", wait="listening")
    act(hob, "load")
    first = hob.child()
    with hob.open_chat("m", "[[words 200]] [[gap_ms 5]]", stream=True) as c, concurrent.futures.ThreadPoolExecutor() as pool:
        c.until(b"\r\n\r\n", "the head")
        unload = pool.submit(act, hob, "unload")
        late = pool.submit(hob.chat, "m", "late")
        c.until(b"[DONE]", "the end of the answer")
        assert unload.result().status == 200 and late.result().status == 200
    assert not first.alive()


def test_a_hot_model_stays_unloaded_until_it_is_asked(managed):
    hob = managed()
    assert act(hob, "unload").status == 200
    assert ps(hob)["state"] == "cold" and hob.get("/readyz").status == 503
    assert hob.chat("m", "hello").status == 200
    assert ps(hob)["state"] == "hot" and hob.get("/readyz").status == 200


def test_who_leaves_does_not_stop_the_load(managed):
    hob = managed(script="load_ms 500", keep="demand", wait="listening")
    c = raw.Connection(str(hob.state / "hob.sock"))
    c.send(raw.request_bytes("POST", "/hob/v1/models/load", {"model": "m"}))
    wait_for("it loads", lambda: ps(hob)["state"] == "loading")
    c.close()
    wait_for("it is hot", lambda: ps(hob)["state"] == "hot")


def test_unload_ends_a_load(managed):
    hob = managed(script="load_ms 60000", keep="demand", wait="listening")
    with concurrent.futures.ThreadPoolExecutor() as pool:
        load = pool.submit(act, hob, "load")
        wait_for("it loads", lambda: ps(hob)["state"] == "loading" and ps(hob)["pid"])
        assert act(hob, "unload", timeout=30).status == 200
        assert load.result().error()["code"] == "no_backend"
    assert not hob.children()


def test_stopping_answers_who_waits(managed):
    hob = managed(script="load_ms 60000", keep="demand", wait="listening")
    with concurrent.futures.ThreadPoolExecutor() as pool:
        load = pool.submit(act, hob, "load")
        wait_for("it loads", lambda: ps(hob)["state"] == "loading")
        hob.signal(signal.SIGTERM)
        assert load.result().error()["code"] == "shutting_down"
    assert hob.wait_exit() == 0 and not (hob.state / "hob.sock").exists()


def test_the_queue_is_shown(managed):
    hob = managed(slots=1)
    with hob.open_chat("m", "[[words 100000]] [[gap_ms 5]]", stream=True) as a:
        a.until(b"\r\n\r\n", "the head")
        with hob.open_chat("m", "next", stream=True):
            b = wait_for("one waits", lambda: (b := ps(hob))["queue"]["depth"] == 1 and b)
            assert b["queue"]["oldest_ms"] >= 0 and b["leases"] == 2 and b["slots"] == {"total": 1, "used": 1}


def test_the_door_outlives_a_gateway(managed):
    hob = managed()
    pid = ps(hob)["pid"]
    os.kill(hob.gateway().pid, signal.SIGKILL)
    wait_for("it is hot again", lambda: ps(hob)["state"] == "hot")
    assert ps(hob)["pid"] == pid


def test_a_state_folder_too_deep_for_a_socket(nursery, run):
    deep = nursery.dir / ("d" * 100)
    hob = nursery.hob({"state": str(deep), "engines": {"llama": {"path": str(FAKE)}}, "models": nursery.model()}, wait="ready")
    assert hob.stderr().count("too long for a socket") == 1
    assert hob.chat("m", "hello").status == 200
    r = run("ps", "-c", hob.config_path)
    assert r.returncode == 3 and "too long" in r.stderr and r.stdout == ""


def test_a_socket_left_behind_is_no_hindrance(managed, nursery):
    state = nursery.dir / "st"
    state.mkdir(mode=0o700)
    s = socket.socket(socket.AF_UNIX)
    s.bind(str(state / "hob.sock"))
    s.close()
    hob = managed(config={"state": str(state)})
    assert raw.call(str(state / "hob.sock"), "GET", "/hob/v1/ps").status == 200
    assert hob.stop() == 0


# -- the commands


def test_json_is_what_the_door_answers(shared, run):
    def still(o):  # what changes by itself
        for b in o.get("backends", []):
            b["idle_ms"] = b["memory"] = None
        o.get("gateway", {}).pop("memory", None)
        return o
    for command in ("ps", "models"):
        r = run(command, "--json", "-c", shared.config_path)
        assert r.returncode == 0 and r.stderr == ""
        assert still(json.loads(r.stdout)) == still(ask(shared, "GET", f"/hob/v1/{command}").json())


def test_ps_is_a_table(shared, run):
    act(shared, "load", "broken")
    r = run("ps", "-c", shared.config_path)
    lines = r.stdout.splitlines()
    assert r.returncode == 0 and lines[0].split() == ["MODEL", "HOST", "STATE", "MEMORY", "CONTEXT", "SLOTS", "QUEUE", "IDLE"]
    small = next(line for line in lines if line.startswith("small ")).split()
    assert small[1:3] == ["local", "hot"] and "0/2" in small
    at = next(i for i, line in enumerate(lines) if line.startswith("broken "))
    assert "failed" in lines[at] and lines[at + 1].startswith("    ") and "GGUF" in lines[at + 1]


def test_ps_is_readable_at_100_columns(shared, run):
    lines = run("ps", "-c", shared.config_path).stdout.splitlines()
    assert max(len(line) for line in lines if not line.startswith("    ")) <= 100


def test_ps_watches(shared, place):
    with open(place / "out", "wb") as out:
        p = subprocess.Popen([HOB, "ps", "--watch", "-c", shared.config_path], env=environment(place), stdin=subprocess.DEVNULL, stdout=out)
    try:
        wait_for("it asks again", lambda: (place / "out").read_text().count("MODEL ") >= 2)
    finally:
        p.kill()
        p.wait()


def test_a_line_says_when_its_last_is_served(managed, run):
    hob = managed(slots=1)
    for _ in range(3):
        assert hob.chat("m", "quick").status == 200
    with hob.open_chat("m", "[[words 100000]] [[gap_ms 5]]", stream=True) as a:
        a.until(b"\r\n\r\n", "the head")
        with hob.open_chat("m", "next", stream=True):
            wait_for("one waits", lambda: ps(hob)["queue"]["depth"] == 1)
            r = run("ps", "-c", hob.config_path)
            assert "the first in line waits for" in r.stdout


def test_what_waits_for_memory_says_so(managed, nursery, run):
    models = {**nursery.model("m", keep="demand", memory="3GiB"), **nursery.model("n", keep="demand", memory="3GiB")}
    hob = managed(keep="demand", wait="listening", config={"budget": {"memory": "4GiB"}, "models": models})
    with hob.open_chat("m", "[[words 100000]] [[gap_ms 5]]", stream=True) as a:
        a.until(b"\r\n\r\n", "the head")
        with hob.open_chat("n", "next", stream=True):
            b = wait_for("it waits for memory", lambda: (b := ps(hob, "n"))["flags"] == ["waits_for_memory"] and b)
            assert b["state"] == "cold" and b["queue"]["depth"] == 1 and b["memory"]["estimated_bytes"] == 3 << 30 and b["memory"]["booked_bytes"] == 0
            m = ps(hob)
            assert m["memory"]["booked_bytes"] > 0 and m["leases"] == 1 and m["state"] == "hot"
            r = run("ps", "-c", hob.config_path)
            assert "    waits for memory" in r.stdout and "~3.0 GiB" in r.stdout
            assert "memory for models: " in r.stdout.splitlines()[-1] and " of 4.0 GiB" in r.stdout.splitlines()[-1]
            assert max(len(line) for line in r.stdout.splitlines()) <= 100


def test_a_pin_holds_until_it_is_unloaded(managed, nursery, run):
    hob = managed(keep="demand", wait="listening", idle="50ms")
    at = ["-c", hob.config_path]
    r = run("load", "m", "--pin", *at)
    assert r.returncode == 0 and "stays so" in r.stdout and ps(hob)["pinned"]
    pid = ps(hob)["pid"]
    wait_for("it is idle for longer than `idle:`", lambda: (ps(hob)["idle_ms"] or 0) > 150)
    assert ps(hob)["pid"] == pid and "hot, pinned" in run("ps", *at).stdout
    assert run("unload", "m", *at).returncode == 0
    b = ps(hob)
    assert b["state"] == "cold" and not b["pinned"]
    assert act(hob, "load").json()["pinned"] is False
    wait_for("it goes by itself again", lambda: ps(hob)["state"] == "cold")
    assert ask(hob, "POST", "/hob/v1/models/load", {"model": "m", "pin": "yes"}).error()["code"] == "invalid_request"


def test_models_is_tables(shared, run):
    r = run("models", "-c", shared.config_path)
    assert r.returncode == 0
    for head, row in (("MODEL", "small"), ("ROLE", "chat"), ("TIER", "fast")):
        lines = r.stdout.splitlines()
        at = next(i for i, line in enumerate(lines) if line.startswith(head))
        assert lines[at + 1].startswith(row)


def test_load_and_unload(shared, run):
    at = ["-c", shared.config_path]
    r = run("load", "lazy", *at)
    assert r.returncode == 0 and "lazy" in r.stdout and "hot" in r.stdout and " s" in r.stdout
    r = run("unload", "lazy", "--json", *at)
    assert r.returncode == 0 and json.loads(r.stdout)["state"] == "cold"
    assert ps(shared, "lazy")["state"] == "cold"


def test_load_of_what_is_not_there(shared, run):
    at = ["-c", shared.config_path]
    r = run("load", "smal", *at)
    assert r.returncode == 1 and "did you mean 'small'" in r.stderr and r.stdout == ""
    r = run("load", "broken", "--json", *at)
    assert r.returncode == 1 and json.loads(r.stdout)["error"]["code"] == "weights_broken" and r.stderr
    assert run("load", *at).returncode == 2
    assert run("load", "a", "b", *at).returncode == 2


@pytest.mark.parametrize("command", [["ps"], ["models"], ["load", "m"], ["unload", "m"]])
def test_without_a_daemon(run, place, command):
    r = run(*command, "--state", place / "none")
    assert r.returncode == 3 and "hob serve" in r.stderr and r.stdout == ""
    r = run(*command, env={"HOB_URL": f"http://127.0.0.1:{free_port()}"})
    assert r.returncode == 3 and r.stderr and r.stdout == ""


def test_what_names_the_daemon(shared, run):
    for args, env in (["--state", shared.state], {}), ([], {"HOB_STATE": str(shared.state)}), ([], {"HOB_CONFIG": str(shared.config_path)}), \
            (["-c", shared.config_path], {"HOB_URL": "http://127.0.0.1:1"}):
        assert run("ps", *args, env=env).returncode == 0, (args, env)


def test_a_daemon_elsewhere_says_what_it_serves(shared, run):
    r = run("ps", env={"HOB_URL": shared.url})
    assert r.returncode == 1 and "HOB_URL" in r.stderr and r.stdout == ""


def test_names_for_completions(shared, run):
    r = run("__names", env={"HOB_STATE": str(shared.state)})
    assert r.stdout.split() == ["small", "tiny", "lazy", "broken", "far", "chat", "fast", "auto"]
    assert run("__names", "models", env={"HOB_STATE": str(shared.state)}).stdout.split() == ["small", "tiny", "lazy", "broken", "far"]


def test_names_without_a_daemon_are_the_configurations(run, place):
    gguf(place / "a.gguf")
    (place / "hob.yaml").write_text("models: {a: {file: a.gguf}}\nroles: {chat: {model: a}}\nstate: st\n")
    assert run("__names").stdout.split() == ["a", "chat", "auto"]
    (place / "hob.yaml").write_text("models: [\n")
    r = run("__names")
    assert r.returncode == 0 and r.stdout == r.stderr == ""
