"""hob doctor: what would not work is found before it is tried, with and without a running daemon."""

import json
import os
import pathlib
import socket
import sqlite3
import subprocess
import tempfile

import pytest
from helpers import FAKE, HOB, cli, environment, free_port, gguf

ALWAYS = {"config", "state", "store", "run_dir", "daemon", "port", "engine", "memory", "limits", "libraries", "web", "clock", "sandbox"}


@pytest.fixture
def place():
    with tempfile.TemporaryDirectory(prefix="hobd", dir="/tmp") as d:
        yield pathlib.Path(d)


@pytest.fixture
def doctor(place):
    """Writes the configuration, asks the doctor; returns (exit code, findings by name)."""
    def go(config=None, *args, env=None, **more):
        if config is not None or more:
            config = {"listen": f"127.0.0.1:{free_port()}", "state": str(place / "st"), "engines": {"llama": {"path": str(FAKE)}}, **(config or {}), **more}
            (place / "hob.yaml").write_text(json.dumps(config))
        r = cli("doctor", "--json", *args, env=environment(place, {"TMPDIR": str(place), **(env or {})}), dir=place)
        o = json.loads(r.stdout)
        assert o["schema"] == 1 and r.stderr == "", r
        assert o["ok"] == (r.returncode == 0) == all(c["status"] != "fail" for c in o["checks"])
        for c in o["checks"]:
            assert c.keys() == {"name", "status", "detail", "fix"} and c["status"] in ("ok", "warn", "fail") and c["detail"]
            assert c["status"] == "ok" or c["fix"], c
        names = [c["name"] for c in o["checks"]]
        assert len(names) == len(set(names))
        return r.returncode, {c["name"]: c for c in o["checks"]}
    return go


def model(place, name="m", **kw):
    return {name: {"file": gguf(place / f"{name}.gguf", **kw)}}


def test_all_is_well(doctor, place):
    code, found = doctor(models=model(place))
    assert code == 0 and found.keys() == ALWAYS | {"architecture:llama", "weights:m"}
    assert {n for n, c in found.items() if c["status"] != "ok"} <= {"limits"}
    assert "fake-engine" in found["engine"]["detail"] and "version" in found["engine"]["detail"]
    assert list(place.glob("hob-probe-*")) == []


def test_no_configuration_is_a_warning(doctor):
    code, found = doctor()
    assert code == 0 and found["config"]["status"] == "warn" and ".gguf" in found["config"]["fix"]


def test_a_broken_configuration(doctor, place):
    (place / "hob.yaml").write_text("modles: {}\n")
    code, found = doctor()
    assert code == 1 and found["config"]["status"] == "fail" and "hob.yaml:1:1" in found["config"]["detail"]
    assert {"clock", "libraries"} <= found.keys() and "port" not in found


def test_what_is_remembered(doctor, place):
    assert doctor()[1]["store"]["status"] == "ok"
    (place / "st").mkdir(mode=0o700)
    (place / "st" / "hob.db").write_bytes(b"words " * 1000)
    code, found = doctor({})
    assert code == 0 and found["store"]["status"] == "warn" and "no database" in found["store"]["detail"]
    assert (place / "st" / "hob.db").read_bytes() == b"words " * 1000


def database(path, version, rows=0):
    path.parent.mkdir(mode=0o700, exist_ok=True)
    with sqlite3.connect(path) as db:
        db.execute("CREATE TABLE t (x)")
        db.executemany("INSERT INTO t VALUES (?)", [(b"x" * 1000,)] * rows)
        db.execute(f"PRAGMA user_version = {version}")


@pytest.mark.parametrize("version, code, status, says", [(9999, 1, "fail", "newer hob's"), (1, 0, "ok", "older hob's")])
def test_a_store_of_another_version(doctor, place, version, code, status, says):
    database(place / "st" / "hob.db", version)
    got, found = doctor({})
    assert (got, found["store"]["status"]) == (code, status) and says in found["store"]["detail"]
    assert version != 9999 or "--state" in found["store"]["fix"]


def test_a_store_with_a_broken_page(doctor, place):
    file = place / "st" / "hob.db"
    database(file, 1, rows=50)
    with open(file, "r+b") as f:
        f.seek(5 * 4096)
        f.write(b"\xff" * 4096)
    code, found = doctor({})
    assert code == 0 and found["store"]["status"] == "warn" and "broken" in found["store"]["detail"] and "set aside" in found["store"]["fix"]


DISKS = {"full": ("size=1m", "dd if=/dev/zero of={st}/rest bs=4k", "is full", "make room"), "read-only": ("size=1m", "mount -o remount,ro {st}", "read-only", "system's log"),
         "nearly full": ("size=20m", "true", "nearly full", "make room")}


@pytest.mark.parametrize("disk", DISKS)
def test_a_disk_that_takes_nothing(place, disk):
    """On a tmpfs in a mount namespace of its own."""
    options, then, says, fix = DISKS[disk]
    st = place / "st"
    st.mkdir(mode=0o700)
    if subprocess.run(["unshare", "-rm", "mount", "-t", "tmpfs", "tmpfs", st], capture_output=True, check=False).returncode:
        pytest.skip("no tmpfs can be mounted here")
    (place / "hob.yaml").write_text(json.dumps({"listen": f"127.0.0.1:{free_port()}", "state": str(st), "models": {}}))
    script = f"mount -t tmpfs -o {options},mode=0700 tmpfs {st} && {{ {then.format(st=st)} 2>&-; exec {HOB} doctor --json; }}"
    r = subprocess.run(["unshare", "-rm", "sh", "-c", script], env=environment(place), cwd=place, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    store = next(c for c in json.loads(r.stdout)["checks"] if c["name"] == "store")
    assert says in store["detail"] and fix in store["fix"]
    assert (r.returncode, store["status"]) == ((0, "warn") if disk == "nearly full" else (1, "fail"))


def test_folders(doctor, place):
    (place / "file").write_text("")
    assert doctor(state=str(place / "file"))[1]["state"]["status"] == "fail"
    assert doctor(state=str(place / "file" / "below"))[1]["state"]["status"] == "fail"
    (place / "open").mkdir()
    (place / "open").chmod(0o755)
    code, found = doctor(state=str(place / "open"))
    assert code == 0 and found["state"]["status"] == "warn" and "chmod" in found["state"]["fix"]
    assert doctor(None, "--state", place / "new")[1]["state"]["status"] == "ok"
    assert not (place / "new").exists()


def test_a_run_folder_that_is_not_ours(doctor, place):
    (place / "r").mkdir(mode=0o700, exist_ok=True)
    (place / "r" / "hob").mkdir()
    (place / "r" / "hob").chmod(0o777)
    code, found = doctor(models={})
    assert code == 1 and found["run_dir"]["status"] == "fail"


def test_the_port_is_taken(doctor):
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        s.listen()
        code, found = doctor(listen=f"127.0.0.1:{s.getsockname()[1]}")
    assert code == 1 and found["port"]["status"] == "fail" and "--next-free-port" in found["port"]["fix"]


def test_no_engine(doctor, place):
    code, found = doctor(engines={"llama": {"path": "/none/llama-server"}}, models=model(place))
    assert code == 1 and found["engine"]["status"] == "fail" and "engines" in found["engine"]["fix"]
    assert "architecture:llama" not in found and found["weights:m"]["status"] == "ok"
    code, found = doctor(engines={"llama": {"path": "/none/llama-server"}}, models={})
    assert found["engine"]["status"] == "ok"


@pytest.mark.parametrize("script, says", [("exit 3", "3"), ("kill -ILL $$", "signal"), ("echo no >&2; exit 1", "no")])
def test_an_engine_that_does_not_run(doctor, place, script, says):
    (place / "engine").write_text(f"#!/bin/sh\n{script}\n")
    (place / "engine").chmod(0o755)
    code, found = doctor(engines={"llama": {"path": str(place / "engine")}}, models=model(place))
    assert code == 1 and found["engine"]["status"] == "fail" and says in found["engine"]["detail"]


def test_architectures_are_asked_once_each(doctor, place):
    models = {**model(place, "a"), **model(place, "b"), **model(place, "c", arch="nonesuch")}
    code, found = doctor(models=models)
    assert code == 1 and found["architecture:llama"]["status"] == "ok"
    assert found["architecture:nonesuch"]["status"] == "fail" and "newer" in found["architecture:nonesuch"]["fix"]


def test_an_engine_that_does_not_answer_the_question(doctor, place):
    (place / "engine").write_text("#!/bin/sh\necho version: 1\n")
    (place / "engine").chmod(0o755)
    code, found = doctor(engines={"llama": {"path": str(place / "engine")}}, models=model(place))
    assert code == 0 and found["architecture:llama"]["status"] == "warn"


def test_model_files(doctor, place):
    models = {**model(place, "whole"), **model(place, "short"), "lost": {"file": str(place / "lost.gguf")}, "page": {"file": str(place / "page.gguf")}}
    with open(place / "short.gguf", "r+b") as f:
        f.truncate(os.path.getsize(f.name) - 100)
    (place / "page.gguf").write_text("<!DOCTYPE html>")
    models["long"] = {"file": models["whole"]["file"], "context": 100000}
    code, found = doctor(models=models)
    assert code == 1
    status = {n[8:]: c["status"] for n, c in found.items() if n.startswith("weights:")}
    assert status == {"whole": "ok", "short": "fail", "lost": "fail", "page": "fail", "long": "warn"}
    assert "web page" in found["weights:page"]["detail"]


def test_with_a_daemon(doctor, managed, nursery):
    broken = nursery.dir / "broken.gguf"
    broken.write_bytes(b"no model")
    port = free_port()
    hob = managed("m", config={"listen": f"127.0.0.1:{port}"})
    code, found = doctor(None, "-c", hob.config_path)
    assert code == 0 and "runs" in found["daemon"]["detail"] and found["port"]["status"] == "ok" and "daemon" in found["port"]["detail"]


def test_models_that_failed_in_the_daemon(doctor, nursery):
    path = gguf(nursery.dir / "m.gguf")
    hob = nursery.managed("m", script="load_fail missing_key", wait="listening", keep="demand")
    assert hob.chat("m", "hello").status == 503
    code, found = doctor(None, "-c", hob.config_path)
    assert path and code == 1 and found["daemon:m"]["status"] == "fail" and "hob load m" in found["daemon:m"]["fix"]


def test_words(place):
    (place / "hob.yaml").write_text(json.dumps({"state": str(place / "st"), "engines": {"llama": {"path": str(FAKE)}}, "models": model(place)}))
    r = cli("doctor", env=environment(place), dir=place)
    lines = r.stdout.splitlines()
    assert r.stderr == "" and "\033" not in r.stdout
    assert all(line.split()[0] in ("ok", "warn", "fail", "fix:") for line in lines)
    assert any(line.split()[:2] == ["ok", "weights:m"] for line in lines)


@pytest.mark.parametrize("env, coloured", [({"TERM": "xterm"}, True), ({"TERM": "xterm", "NO_COLOR": "1"}, False), ({"TERM": "dumb"}, False), ({}, False)])
def test_colour_on_a_terminal_only(place, env, coloured):
    import pty
    pid, fd = pty.fork()
    if pid == 0:
        os.chdir(place)
        os.execve(HOB, [str(HOB), "doctor"], {"HOME": str(place), "XDG_RUNTIME_DIR": environment(place)["XDG_RUNTIME_DIR"], "PATH": "/usr/bin:/bin", **env})
    text = b""
    while True:
        try:
            part = os.read(fd, 4096)
        except OSError:  # the other end is closed
            break
        if not part:
            break
        text += part
    os.close(fd)
    os.waitpid(pid, 0)
    assert (b"\033[32mok" in text) == coloured and b"clock" in text


def test_with_the_real_engine(real, doctor):
    engine, path = real
    code, found = doctor(engines={"llama": {"path": engine}}, models={"small": {"file": path}})
    assert code == 0, found
    assert found["architecture:llama"]["status"] == "ok" and found["weights:small"]["status"] == "ok"


def test_the_real_engine_does_not_know_everything(real, doctor, place):
    code, found = doctor(engines={"llama": {"path": real[0]}}, models=model(place, arch="nonesuch"))
    assert code == 1 and found["architecture:nonesuch"]["status"] == "fail"


KINDS = [
    ({"kind": "anthropic", "url": "https://api.anthropic.invalid", "key": "k"}, None, None),
    ({"url": "https://api.anthropic.com/v1", "key": "k"}, "thoughts", "kind: anthropic"),
    ({"kind": "anthropic", "url": "https://api.example.invalid"}, "without a key", "key:"),
    ({"url": "http://127.0.0.1:11434"}, "window", "kind: ollama"),
    ({"kind": "ollama", "url": "http://127.0.0.1:11434", "keep_alive": "10m"}, None, None),
    ({"url": "http://127.0.0.1:9001", "keep_alive": "10m"}, "keep_alive", "kind: ollama"),
]


@pytest.mark.parametrize("host, detail, fix", KINDS)
def test_a_host_is_asked_as_it_wants_to_be(doctor, place, host, detail, fix):
    found = doctor(models=model(place), hosts={"there": host})[1].get("kind:there")
    if detail:
        assert found["status"] == "warn" and detail in found["detail"] and fix in found["fix"]
    else:
        assert not found
