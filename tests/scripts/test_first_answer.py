"""scripts/first-answer against a stand-in for hob: the order of things, what it says, and how it stops."""
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).resolve().parent


@pytest.fixture
def start(project):
    """start(env...) -> the running script, in a project whose engine and model are there."""
    (project / "build").mkdir()
    shutil.copy(HERE / "stand_in_hob", project / "build/hob")
    (project / ".hob/models").mkdir(parents=True)
    (project / ".hob/models/SmolLM2-135M-Instruct.Q4_1.gguf").write_bytes(b"GGUF")
    running = []

    def call(**env):
        process = subprocess.Popen([sys.executable, project / "scripts/first-answer"], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                   stderr=subprocess.PIPE, text=True, start_new_session=True,
                                   env={**os.environ, "HOB_LLAMA_SERVER": "/bin/true", "ONCE": "", **env})
        running.append(process)
        return process

    yield call
    for process in running:
        if process.poll() is None:
            process.kill()
            process.wait()


def test_once_prints_the_answer_and_stops(start):
    process = start(ONCE="1")
    out, err = process.communicate(timeout=30)
    assert process.returncode == 0, err
    assert out == "Paris.\n"
    assert "chat -> smollm2 on local" in err
    assert err.count("got SIGTERM") == 1
    assert "\x1b" not in err and "\r" not in err  # plain lines: this is no terminal


@pytest.mark.parametrize("number, heard", [(signal.SIGINT, "SIGINT"), (signal.SIGTERM, "SIGTERM"), (signal.SIGHUP, "SIGTERM")])
def test_stays_until_told_and_passes_the_word_on_once(start, number, heard):
    process = start()
    said = []
    for line in process.stderr:
        said.append(line)
        if "Ctrl-C here stops it" in line:
            break
    os.killpg(process.pid, number)  # as a terminal does: to everyone in the group
    err = "".join(said) + process.stderr.read()
    assert process.wait(timeout=30) == 0
    assert err.count("hob: got ") == 1 and f"got {heard}" in err
    assert "curl http://127.0.0.1:" in err


def test_server_that_dies_is_reported_with_its_own_words(start):
    process = start(MODE="dies")
    _, err = process.communicate(timeout=30)
    assert process.returncode == 1
    assert "asked for --strict" in err
    assert "hob: error: no such model file" in err and "ended with status 1 before it was ready" in err


def test_no_answer_stops_the_server_and_fails(start):
    process = start(MODE="mute")
    _, err = process.communicate(timeout=30)
    assert process.returncode == 1
    assert "got no answer" in err and "got SIGTERM" in err


def test_config_is_ours_until_somebody_changes_it(start, project):
    config = project / ".hob/hob.yaml"
    start(ONCE="1").communicate(timeout=30)
    assert 'path: "/bin/true"' in config.read_text()
    start(ONCE="1", HOB_LLAMA_SERVER="/bin/false").communicate(timeout=30)
    assert 'path: "/bin/false"' in config.read_text()
    config.write_text("# mine\n")
    start(ONCE="1").communicate(timeout=30)
    assert config.read_text() == "# mine\n"
