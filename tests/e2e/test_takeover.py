"""The gateway dies; the models stay warm, the listener stays open, nobody is told lies."""

import contextlib
import json
import os
import signal
import subprocess
import threading

import pytest
import raw
from helpers import FAKE, SANITIZED, SLOW, cli, environment, wait_for

from test_command import command


@pytest.fixture
def world(managed):
    return managed("m", slots=4)


def kill_gateway(h, sig):
    """Kills it and waits until another has taken its place."""
    old = h.gateway()
    os.kill(old.pid, sig)
    wait_for("it is dead", lambda: not old.alive())


def pids(h):
    ps = raw.call(str(h.state / "hob.sock"), "GET", "/hob/v1/ps").json()
    return {b["model"]: b["pid"] for b in ps["backends"] if b["pid"]}


class Load:
    """Callers that never stop asking; each request must be answered, or end in an error, or in the end of its connection."""

    def __init__(self, h, stream):
        self.h, self.stream, self.ok, self.cut, self.wrong = h, stream, 0, 0, []
        self.stopping = threading.Event()
        self.threads = [threading.Thread(target=self.ask) for _ in range(4)]
        for t in self.threads:
            t.start()

    def ask(self):
        while not self.stopping.is_set():
            try:
                r = self.h.chat("m", "[[words 5]] [[gap_ms 2]]", stream=self.stream, timeout=20 * SLOW)
                if r.status != 200:
                    self.cut += 1
                elif self.stream and r.events()[-1][1] != "[DONE]":
                    self.cut += 1
                else:
                    self.ok += 1
            except (raw.Gone, raw.FramingError, ConnectionResetError, BrokenPipeError):
                self.cut += 1
            except ConnectionRefusedError as e:
                self.wrong.append(e)
            except TimeoutError as e:
                self.wrong.append(e)

    def stop(self):
        self.stopping.set()
        for t in self.threads:
            t.join()


CRASH = signal.SIGABRT if SANITIZED else signal.SIGSEGV  # a sanitizer would report the SEGV that we send as one of its own


@pytest.mark.parametrize("sig, stream", [(signal.SIGKILL, True), (CRASH, False)])
def test_a_crash_under_load_does_not_cool_the_models(world, sig, stream):
    child = world.child().pid
    load = Load(world, stream)
    try:
        for _ in range(10):
            before = load.ok
            kill_gateway(world, sig)
            assert world.chat("m", "hello", timeout=20 * SLOW).status == 200
            assert world.child().pid == child, "the model was loaded again"
            wait_for("the others go on", lambda: load.ok > before or load.wrong)
    finally:
        load.stop()
    assert not load.wrong, load.wrong[:3]
    assert load.ok > 20
    assert world.stderr().count("goes on in process") == 10


def test_a_stream_that_is_cut_is_seen_to_be_cut(world):
    with world.open_chat("m", "[[words 1000]] [[gap_ms 5]]", stream=True) as c:
        s = c.stream(c.start())
        next(s), next(s)
        kill_gateway(world, signal.SIGKILL)
        with pytest.raises((raw.Gone, raw.FramingError, ConnectionResetError)):
            for _ in s:
                pass
    assert world.chat("m", "hello").status == 200


def test_a_connection_made_meanwhile_is_served(world):
    gateway = world.gateway()
    os.kill(gateway.pid, signal.SIGSTOP)
    with world.connect() as c:
        c.send(b"GET /livez HTTP/1.1\r\nHost: localhost\r\n\r\n")
        os.kill(gateway.pid, signal.SIGKILL)
        assert c.response().status == 200


def test_a_model_that_was_loading_is_taken_over_too(managed):
    h = managed("m", script="load_ms 1500", wait="listening")
    child = h.child().pid
    kill_gateway(h, signal.SIGKILL)
    assert h.chat("m", "hello").status == 200
    assert h.child().pid == child


def test_a_model_that_is_set_up_differently_is_loaded_again(managed):
    h = managed("m", slots=1)
    child = h.child().pid
    text = (h.dir / "hob.yaml").read_text()
    assert "slots: 1" in text or '"slots": 1' in text
    (h.dir / "hob.yaml").write_text(text.replace("slots: 1", "slots: 3").replace('"slots": 1', '"slots": 3'))
    kill_gateway(h, signal.SIGKILL)
    assert h.chat("m", "hello", timeout=20 * SLOW).status == 200
    assert h.child().pid != child and "set up differently" in h.stderr()


def test_a_model_that_left_the_configuration_is_stopped(managed):
    h = managed("m")
    child = h.child()
    (h.dir / "hob.yaml").write_text(f"listen: 127.0.0.1:0\nstate: {h.dir}/state\n")
    kill_gateway(h, signal.SIGKILL)
    wait_for("it is stopped", lambda: not child.alive())
    assert "in the configuration no more" in h.stderr()


def test_of_many_those_that_are_as_they_were_go_on(nursery):
    """Engines and programs; meanwhile one of each was set up differently, one became the other, one is gone, one died with the gateway."""
    fakes = ("same", "other", "turned", "gone", "dead")
    config = {"engines": {"llama": {"path": str(FAKE)}}, "budget": {"memory": "64GiB"},
              "models": {**command(nursery, name="own"), **command(nursery, name="ours", where="--host ${socket}")}}
    for name in fakes:
        config["models"].update(nursery.model(name, slots=2))
    h = nursery.hob(config, wait="ready")
    before = pids(h)
    assert len(before) == 7
    config["models"]["other"]["slots"] = 3
    config["models"].update(command(nursery, name="ours", where="--host ${socket}", words="--unused 1"))
    config["models"].update(command(nursery, name="turned"))
    del config["models"]["gone"]
    h.config_path.write_text(json.dumps({"listen": "127.0.0.1:0", "state": str(h.state), **config}, indent=1))
    gateway = h.gateway()
    os.kill(gateway.pid, signal.SIGSTOP)
    os.kill(before["dead"], signal.SIGKILL)
    os.kill(gateway.pid, signal.SIGKILL)
    wait_for("it is dead", lambda: not gateway.alive())
    for name in config["models"]:
        assert h.chat(name, "hello", timeout=20 * SLOW).status == 200, name
    after = pids(h)
    assert {name for name in after if after[name] == before[name]} == {"same", "own"}
    wait_for("the others are gone", lambda: not {p.pid for p in h.tree()} & (set(before.values()) - set(after.values())))


def test_a_second_serve_is_kept_out(world):
    r = cli("serve", "-c", world.dir / "hob.yaml", "--listen", "127.0.0.1:0", env=environment(world.dir), dir=world.dir)
    assert r.returncode == 1 and "another hob" in r.stderr and "--state" in r.stderr
    assert world.chat("m", "hello").status == 200


@pytest.fixture
def left_over(nursery):
    """What a killed keeper and its killed minder leave behind: a grandchild that had called setsid. Made by an engine that starts one."""
    def make(h):
        run_dir = [e.split(b"=", 1)[1] for e in open(f"/proc/{h.child().pid}/environ", "rb").read().split(b"\0") if e.startswith(b"HOB_CHILD_OF=")]
        assert len(run_dir) == 1
        p = subprocess.Popen(["sleep", "1000"], env={"HOB_CHILD_OF": run_dir[0].decode()}, start_new_session=True)
        stranger = subprocess.Popen(["sleep", "1000"], env={"HOB_CHILD_OF": run_dir[0].decode() + "0"}, start_new_session=True)
        made.extend([p, stranger])
        return p, stranger
    made = []
    yield make
    for p in made:
        p.kill()
        p.wait()


def test_strays_are_swept_at_the_next_start_and_strangers_are_left_alone(managed, left_over, nursery):
    h = managed("m")
    stray, stranger = left_over(h)
    gateway, child = h.gateway(), h.child()
    minder = next(p for p in h.survivors() if p.name == "hob-minder")
    os.kill(minder.pid, signal.SIGKILL)  # so that nobody is left to tidy up
    os.kill(gateway.pid, signal.SIGSTOP)
    os.kill(h.pid, signal.SIGKILL)
    with contextlib.suppress(ProcessLookupError):  # it may have gone with its keeper
        os.kill(gateway.pid, signal.SIGKILL)
    wait_for("its children are gone", lambda: not child.alive() and not gateway.alive(), 2)
    h.wait_exit()
    assert stray.poll() is None
    again = cli("serve", "-c", h.dir / "none.yaml", env=environment(h.dir), dir=h.dir)
    assert again.returncode == 2 and stray.poll() is None, "a start that fails touches nothing"
    p = subprocess.Popen([str(FAKE.parent.parent.parent / "hob"), "serve", "-c", str(h.dir / "hob.yaml")], env=environment(h.dir), cwd=h.dir,
                         stderr=subprocess.DEVNULL)
    try:
        assert stray.wait(10) == -signal.SIGKILL
        assert stranger.poll() is None
    finally:
        p.terminate()
        p.wait(10)


@pytest.mark.parametrize("wrong", ["models: {m: {file: x, contxt: 4}}\n", "[", None])
def test_a_wrong_file_does_not_end_what_runs(world, wrong):
    h, before = world, pids(world)
    good = h.config_path.read_text()
    if wrong is None:
        h.config_path.unlink()
    else:
        h.config_path.write_text(wrong)
    for _ in range(2):  # the next gateway keeps it, too
        kill_gateway(h, signal.SIGKILL)
        wait_for("the same child answers", lambda: pids(h) == before)
        assert h.chat("m", "hello").status == 200
    assert "accepted before" in h.stderr()
    h.config_path.write_text(good)
    assert cli("config", "reload", "-c", str(h.config_path), "--state", str(h.state)).returncode == 0
