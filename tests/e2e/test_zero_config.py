"""No configuration file: the models folder is served, and what is assumed can be seen, saved and served again."""

import json
import os
import pathlib
import subprocess
import tempfile

import gguf_files
import pytest
from helpers import FAKE, HOB, Hob, cli, environment, wait_for


def gguf(path, arch="llama", kind=None, template=False, pooling=None, cut=0, **more):
    """A small but well-formed GGUF file, of which the last `cut` bytes are missing."""
    keys = {"general.architecture": arch, f"{arch}.context_length": 8192, f"{arch}.block_count": 2, **more}
    keys |= {"general.type": kind} if kind else {}
    keys |= {"tokenizer.chat_template": "{{ messages }}"} if template else {}
    keys |= {f"{arch}.pooling_type": pooling} if pooling else {}
    path.parent.mkdir(parents=True, exist_ok=True)
    gguf_files.write_gguf(path, keys, {"token_embd.weight": ("f32", [32, 8])})
    os.truncate(path, path.stat().st_size - cut)


class Home:
    """A home directory without any configuration; llama-server is the fake."""

    def __init__(self, dir, nursery):
        self.dir, self.nursery = dir, nursery
        self.models = dir / ".local/share/hob/models"
        (dir / "bin").mkdir()
        (dir / "bin/llama-server").symlink_to(FAKE)
        self.env = environment(dir)
        self.env["PATH"] = f"{dir / 'bin'}:{self.env['PATH']}"

    def cli(self, *args):
        return cli(*args, env=self.env, dir=self.dir)

    def serve(self, *args, wait=True):
        h = Bare(self, *args)
        self.nursery.hobs.append(h)
        if wait:
            h.wait_listening()
        return h


class Bare(Hob):
    """`hob serve` in a home, on a free port, with no file named."""

    def __init__(self, home, *args):
        self.own_dir, self.dir, self.state = False, home.dir, home.dir / ".local/state/hob"
        self.check, self.seen, self.env, self.url, self.at = True, [], home.env, None, None
        self.stderr_path = home.dir / f"stderr{len(home.nursery.hobs)}"
        with open(self.stderr_path, "wb") as err:
            self.process = subprocess.Popen([HOB, "serve", "--listen", "127.0.0.1:0", *args], cwd=home.dir, env=home.env,
                                            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=err)
        self.pid = self.process.pid

    def names(self):
        """The models; callers see roles and `auto` beside them."""
        return sorted(m["id"] for m in self.get("/v1/models").json()["data"] if m["kind"] == "model")


@pytest.fixture
def home(nursery):
    with tempfile.TemporaryDirectory(prefix="hobz", dir="/tmp") as d:
        yield Home(pathlib.Path(d), nursery)
        nursery.end(False)  # before the directory goes
        nursery.hobs.clear()


@pytest.fixture
def full(home):
    gguf(home.models / "Base-7B.Q4_K_M.gguf")
    gguf(home.models / "SmolLM2-135M-Instruct.Q4_1.gguf", template=True)
    gguf(home.models / "SmolLM2-135M-Instruct.Q8_0.gguf", template=True)
    gguf(home.models / "mmproj-model-f16.gguf", "clip")
    gguf(home.models / "minilm/all-MiniLM-L6-v2-f16.gguf", "bert", pooling=1)
    gguf(home.models / "minilm/adapter.gguf", kind="adapter")
    gguf(home.models / "Broken-UD-Q4_K_XL.gguf", template=True, cut=1)
    for i in (1, 2):
        gguf(home.models / f"Big-IQ2_XS-{i:05}-of-00002.gguf", **{"split.no": i - 1, "split.count": 2})
    return home


NAMES = ["all-minilm-l6-v2", "base-7b", "big", "smollm2-135m-instruct", "smollm2-135m-instruct.q8_0"]


def test_the_models_folder_is_served(full):
    h = full.serve()
    assert h.names() == NAMES
    assert h.get("/readyz").status == 200
    r = h.chat("chat", "hello")
    assert r.status == 200, r
    routing = r.json()["_routing"]
    assert (routing["role"], routing["model"], routing["host"]) == ("chat", "smollm2-135m-instruct", "local")
    assert h.chat("big", "hello").status == 200
    child = h.child("big")
    assert child.args[child.args.index("--model") + 1].endswith("Big-IQ2_XS-00001-of-00002.gguf")
    assert h.chat("all-minilm-l6-v2", "hello").status == 400, "it serves embeddings only"
    lines = [line for line in h.stderr().splitlines() if "left out" in line]
    assert len(lines) == 1 and "Broken-UD-Q4_K_XL.gguf" in lines[0] and "cut short" in lines[0], lines
    assert "serving 5 models" in h.stderr() and str(full.models) in h.stderr()


def test_nothing_is_loaded_before_it_is_asked_for(full):
    h = full.serve()
    assert h.get("/readyz").status == 200 and h.children() == []


def test_what_is_assumed_is_a_config(full):
    r = full.cli("config", "show")
    assert r.returncode == 0 and "left out" in r.stderr
    assert "# found there: llama" in r.stdout and str(full.models) in r.stdout
    plain = full.cli("config", "show", "--plain").stdout
    assert "#" not in plain and "smollm2-135m-instruct:" in plain
    o = json.loads(full.cli("config", "show", "--json").stdout)
    assert o["schema"] == 1 and o["file"] is None and sorted(o["models"]) == NAMES
    assert o["roles"]["chat"]["model"] == "smollm2-135m-instruct" and o["roles"]["embed"]["model"] == "all-minilm-l6-v2"
    assert o["models"]["all-minilm-l6-v2"]["serves"] == ["embed"]
    assert o["models"]["big"]["keep"] == "demand" and o["models"]["big"]["context"] == "auto"
    assert o["origin"]["/models/big/file"] == "assumed"
    for text in (r.stdout, plain):
        (full.dir / "saved.yaml").write_text(text)
        again = json.loads(full.cli("config", "show", "--json", "saved.yaml").stdout)
        for key in o.keys() - {"file", "origin"}:
            assert again[key] == o[key], key


def test_saved_it_serves_the_same(full):
    (full.dir / "hob.yaml").write_text(full.cli("config", "show").stdout)
    gguf(full.models / "later.gguf")  # the file counts now, not the folder
    h = full.serve()
    assert h.names() == NAMES and "serving" not in h.stderr()
    assert h.chat("chat", "hello").json()["_routing"]["model"] == "smollm2-135m-instruct"


def test_config_check_says_what_it_counted(full):
    r = full.cli("config", "check")
    assert r.returncode == 0 and "no configuration file" in r.stdout and "models 5" in r.stdout and "roles 2" in r.stdout
    assert "Broken-UD-Q4_K_XL.gguf" in r.stderr
    o = json.loads(full.cli("config", "check", "--json").stdout)
    assert o["ok"] and o["file"] is None and o["models"] == 5


@pytest.mark.parametrize("folder", ["none", "empty", "broken"])
def test_without_any_model_it_says_where_it_looked(home, folder):
    if folder != "none":
        home.models.mkdir(parents=True)
    if folder == "broken":
        gguf(home.models / "half.gguf", cut=1)
    h = home.serve()
    assert h.get("/livez").status == 200 and h.get("/readyz").status == 200 and h.names() == []
    assert h.chat("chat", "hello").error()["code"] == "model_not_found"
    said = [line for line in h.stderr().splitlines() if "nothing to serve" in line]
    assert len(said) == 1 and str(home.models) in said[0] and "hob.yaml" in said[0] and ".gguf" in said[0]
    assert ("half.gguf" in h.stderr()) == (folder == "broken")
    r = home.cli("config", "show", "--plain")
    assert r.returncode == 0 and r.stdout == "models: {}\n"


def test_a_model_without_a_template_chats_when_there_is_no_other(home):
    gguf(home.models / "b.gguf")
    gguf(home.models / "a.gguf")
    h = home.serve()
    assert h.chat("chat", "hello").json()["_routing"]["model"] == "a"


def test_the_log_level_holds_for_the_scan_too(full):
    h = full.serve("--log", "error", wait=False)
    wait_for("it listens", lambda: (h.state / "listen").exists())
    assert h.stderr() == ""


def test_a_file_of_any_kind_ends_the_assuming(full):
    (full.dir / "hob.yaml").write_text("")
    assert full.cli("config", "show", "--json").stdout.count("models_dir") == 1
    assert json.loads(full.cli("config", "show", "--json").stdout)["models"] == {}


def test_no_engine_is_said_when_it_is_needed(full):
    (full.dir / "bin/llama-server").unlink()
    full.env["PATH"] = str(full.dir / "bin")
    h = full.serve()
    assert h.names() == NAMES
    assert h.chat("chat", "hello").error()["code"] == "engine_missing"


def test_a_reload_looks_through_the_folder_again(home):
    gguf(home.models / "one.gguf", template=True)
    gguf(home.models / "two.gguf", template=True)
    h = home.serve()
    assert h.chat("one", "hello").status == 200 and h.names() == ["one", "two"]
    gguf(home.models / "three.gguf", template=True)
    (home.models / "two.gguf").unlink()
    done = home.cli("config", "reload", "--json")
    assert done.returncode == 0, done.stderr
    got = json.loads(done.stdout)
    assert got["file"] is None and (got["kept"], got["added"], got["removed"]) == (["one"], ["three"], ["two"])
    assert h.names() == ["one", "three"]
    assert h.chat("three", "hello").status == 200 and h.chat("two", "hello").status == 404
