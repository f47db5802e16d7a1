"""A bad set-up: one clear error each; config errors stop it (exit 2), a broken model does not stop the rest."""

import json
import os
import pathlib
import socket
import subprocess
import tempfile

import pytest
from helpers import FAKE, HOB, SLOW, Hob, cli, environment, free_port, gguf, wait_for


@pytest.fixture
def place():
    with tempfile.TemporaryDirectory(prefix="hobs", dir="/tmp") as d:
        yield pathlib.Path(d)


def serve(place, config, *args, env=None):
    """`hob serve` to its end."""
    path = place / "hob.yaml"
    if isinstance(config, dict):
        config = json.dumps({"listen": "127.0.0.1:0", "state": str(place / "state"), **config}, indent=1)
    path.write_text(config)
    return cli("serve", "-c", path, *args, env=environment(place, env), dir=place, timeout=20)


CONFIGS = [
    # text, line, column (None: any), what the error says
    ("listn: 127.0.0.1:0\n", 1, 1, ["listn", "listen"]),
    ("listen: 127.0.0.1:0\nmodels:\n  m:\n    fil: x.gguf\n", 4, 5, ["fil", "file"]),
    ("models:\n  m: {file: x.gguf, keep: hott}\n", 2, None, ["hott", "hot"]),
    ("models:\n  m: {file: x.gguf, slots: many}\n", 2, None, ["slots"]),
    ("models:\n  m: {file: x.gguf, slots: 0}\n", 2, None, ["slots"]),
    ("timeouts: {idle: 5}\n", 1, None, ["idle"]),
    ("timeouts: {idle: 5 parsecs}\n", 1, None, ["idle"]),
    ("listen: [\n", None, None, []),
    ("listen: 127.0.0.1:0\n\tstate: x\n", 2, None, []),
    ("listen: 0.0.0.0:8080\n", 1, None, ["loopback"]),
    ("listen: 127.0.0.1:99999\n", 1, None, ["99999"]),
    ("models:\n  m: {host: nowhere}\n", 2, None, ["nowhere"]),
    ("hosts:\n  up: {url: 'ftp://x'}\n", 2, None, ["ftp"]),
    ("hosts:\n  up: {url: 'http://127.0.0.1:1'}\nmodels:\n  m: {host: upp}\n", 4, None, ["upp", "up"]),
    ("roles:\n  chat: {model: nothing}\n", 2, None, ["nothing"]),
    ("hosts:\n  up: {url: 'http://127.0.0.1:1'}\nmodels:\n  m: {host: up}\n  m: {host: up}\n", 5, None, ["m"]),
    ("hosts:\n  up: {url: 'http://127.0.0.1:1', key: '${env:NOT_THERE}'}\n", 2, None, ["NOT_THERE"]),
    ("models:\n  m: {}\n", 2, None, ["file", "host"]),
]


@pytest.mark.parametrize("text, line, column, says", CONFIGS)
def test_config_errors_exit_2_and_say_where(place, text, line, column, says):
    for r in (serve(place, text), cli("config", "check", place / "hob.yaml", env=environment(place), dir=place)):
        assert r.returncode == 2, r
        first = r.stderr.strip()
        assert "hob.yaml" in first, first
        if line:
            assert f":{line}:" in first, first
        if column:
            assert f":{line}:{column}" in first, first
        for word in says:
            assert word in first, first
        assert len(first.splitlines()) <= 3 and r.stdout == ""


def test_a_suggestion_is_made(place):
    assert "did you mean" in serve(place, "listn: 127.0.0.1:0\n").stderr.lower()


def test_a_missing_config_file_is_said(place):
    r = cli("serve", "-c", place / "none.yaml", env=environment(place), dir=place)
    assert r.returncode == 2 and "none.yaml" in r.stderr


def test_secrets_never_show(place):
    text = "hosts:\n  up: {url: 'http://127.0.0.1:1', key: canary-secret}\nmodels:\n  m: {host: upp}\n"
    assert "canary-secret" not in serve(place, text).stderr


def test_a_taken_port_is_said(place):
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        s.listen()
        port = s.getsockname()[1]
        r = serve(place, {"listen": f"127.0.0.1:{port}"})
    assert r.returncode == 1 and str(port) in r.stderr and "in use" in r.stderr.lower()
    assert "Sanitizer" not in r.stderr


# -- a broken model: serve goes on, /readyz says why, requests get the reason; --strict exits 1


def missing(place):
    return {"m": {"file": str(place / "none.gguf"), "keep": "hot"}}


def html(place):
    (place / "m.gguf").write_text("<!DOCTYPE html><html><body>404 Not Found</body></html>" * 20)
    return {"m": {"file": str(place / "m.gguf"), "keep": "hot"}}


def empty(place):
    (place / "m.gguf").write_bytes(b"")
    return {"m": {"file": str(place / "m.gguf"), "keep": "hot"}}


def folder(place):
    (place / "m.gguf").mkdir()
    return {"m": {"file": str(place / "m.gguf"), "keep": "hot"}}


def scripted(script):
    def make(place):
        gguf(place / "m.gguf")
        (place / "m.gguf.script").write_text(script)
        return {"m": {"file": str(place / "m.gguf"), "keep": "hot", "paths": [f"{place}:rw"]}}
    make.__name__ = script.replace(" ", "-")
    return make


BROKEN = [
    # the model, the code, what the reason says (any of)
    (missing, "weights_missing", ["none.gguf"]),
    (html, "weights_broken", ["HTML", "html", "GGUF"]),
    (empty, "weights_broken", ["empty", "GGUF"]),
    (folder, None, ["folder", "directory", "file"]),
    (scripted("load_fail truncated"), "weights_broken", ["incomplete", "truncated", "corrupted"]),
    (scripted("load_fail unknown_arch"), "unknown_architecture", ["gemma9"]),
    (scripted("load_fail out_of_memory"), "out_of_memory", ["memory"]),
    (scripted("load_fail mmap"), "out_of_memory", ["memory"]),
    (scripted("load_fail silent"), "load_failed", []),
    (scripted("load_crash SEGV"), "load_failed", ["crash"]),
]


def config_of(models, engine=FAKE):
    return {"engines": {"llama": {"path": str(engine)}}, "models": models}


@pytest.mark.parametrize("make, code, says", BROKEN)
def test_a_broken_model_does_not_stop_the_rest(hob, fake, place, make, code, says):
    c = config_of(make(place))
    h = hob({**c, "hosts": {"up": {"url": fake.url}}, "models": {**c["models"], "far": {"host": "up"}}})
    assert h.get("/livez").status == 200
    r = wait_for("/readyz tells the reason", lambda: (r := h.get("/readyz")) and r.status == 503
                 and (not says or any(s in r.body.decode() for s in says)) and r, 15)
    assert "m" in r.body.decode()
    assert h.chat("far", "hello").status == 200
    r = h.chat("m", "hello")
    assert r.status == 503, r
    e = r.error()
    assert e["hob"]["fault"] == "backend" and (not code or e["code"] == code), e
    assert not says or any(s in e["message"] + e["hob"].get("hint", "") for s in says), e
    wait_for("stderr says it", lambda: not says or any(s in h.stderr() for s in says))


@pytest.mark.parametrize("make, code, says", [BROKEN[0], BROKEN[4], BROKEN[9]])
def test_strict_exits_1_instead(place, make, code, says):
    r = serve(place, config_of(make(place)), "--strict")
    assert r.returncode == 1 and any(s in r.stderr for s in says), r


def test_a_missing_engine_is_said(hob, place):
    gguf(place / "m.gguf")
    h = hob(config_of({"m": {"file": str(place / "m.gguf"), "keep": "hot"}}, place / "no-engine"))
    r = wait_for("/readyz tells the reason", lambda: (r := h.get("/readyz")) and r.status == 503 and "no-engine" in r.body.decode() and r)
    r = h.chat("m", "hello")
    assert r.status == 503 and r.error()["code"] == "engine_missing"


def test_an_engine_that_cannot_be_run_is_said(hob, place):
    gguf(place / "m.gguf")
    for name, content, mode in (("plain", "hello", 0o644), ("garbage", "\x7fnot a program", 0o755)):
        engine = place / name
        engine.write_text(content)
        engine.chmod(mode)
        h = hob(config_of({"m": {"file": str(place / "m.gguf"), "keep": "hot"}}, engine))
        wait_for("/readyz is 503", lambda: h.get("/readyz").status == 503)
        r = h.chat("m", "hello")
        assert r.status == 503 and r.error()["hob"]["fault"] == "backend"


def test_a_lost_first_start_is_tried_again(hob, place):
    """Early-exit output of the engine is sometimes lost: a failure without a reason gets a second try."""
    models = scripted(f"starts {place}/starts\nfirst 1\nload_fail silent")(place)
    h = hob(config_of(models), wait="ready", seconds=20)
    assert h.chat("m", "hello").status == 200


def test_a_crash_loop_ends(hob, place):
    models = scripted(f"starts {place}/starts\nload_crash SEGV")(place)
    h = hob(config_of(models))

    def settled():
        r = h.chat("m", "hello")
        return r.status == 503 and r.error()["code"] == "load_failed"
    wait_for("requests are told", settled)
    starts = (place / "starts")
    assert len(starts.read_text().splitlines()) <= 12


def test_no_models_at_all_is_fine(hob):
    h = hob({})
    assert h.get("/readyz").status == 200 and h.get("/v1/models").json()["data"] == []
    assert h.chat("x", "hi").error()["code"] == "model_not_found"


def test_a_second_serve_on_the_same_state(hob, place):
    """Two gateways must not kill each other's children."""
    h = hob({"state": str(place / "state")})
    r = serve(place, {"listen": f"127.0.0.1:{h.at[1]}"})
    assert r.returncode == 1
    assert h.get("/livez").status == 200


def test_a_real_truncated_model_is_named(hob, real, place):
    engine, model = real
    with open(model, "rb") as f, open(place / "m.gguf", "wb") as out:
        out.write(f.read(20 << 20))
    h = hob(config_of({"m": {"file": str(place / "m.gguf"), "keep": "hot"}}, engine))
    wait_for("/readyz tells", lambda: h.get("/readyz").status == 503)
    r = h.chat("m", "hello", timeout=60)
    assert r.status == 503 and r.error()["code"] == "weights_broken", r
