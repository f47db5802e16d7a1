"""Fixtures: a fake host, hob on a config, managed fake models, the real engine and model.

Each comes twice: for one test (`hob`, `fake`) and for a module (`module_hob`, `module_fake`), where starting again would
only cost time. Binaries are found in HOB_BIN_DIR (default: build/)."""

import os
import pathlib
import shutil
import signal
import subprocess
import tempfile

import pytest

import canary
import helpers

if os.environ.get("HOB_TEST_CANARY"):
    canary.install(os.environ["HOB_TEST_CANARY"])

# Whoever starts us in the background of a shell has it ignored, and so would every program that is started here.
signal.signal(signal.SIGINT, signal.default_int_handler)


class Nursery:
    """Starts programs, and ends them all: a hob that leaves anything behind fails the test."""

    def __init__(self):
        self.dir = pathlib.Path(tempfile.mkdtemp(prefix="hobt", dir="/tmp"))
        self.hobs, self.fakes = [], []

    def fake(self, *args, script=""):
        f = helpers.FakeHost(self.dir / f"fake{len(self.fakes)}", *args, script=script)
        self.fakes.append(f)
        return f

    def hob(self, config, **kw):
        h = helpers.Hob(config, **kw)
        self.hobs.append(h)
        return h

    def model(self, name="m", script="", **settings):
        """A managed fake model: `models:` entry for a config; its script lies beside its file, and what that tells it to write, too."""
        path = helpers.gguf(self.dir / f"{name}.gguf")
        pathlib.Path(path + ".script").write_text(script)
        return {name: {"file": path, "context": 4096, "slots": 2, "keep": "hot", "paths": [f"{self.dir}:rw"], **settings}}

    def managed(self, name="m", script="", *, wait="ready", config=None, hob=None, **settings):
        """hob with one managed fake model."""
        return self.hob({"engines": {"llama": {"path": str(helpers.FAKE)}}, "models": self.model(name, script, **settings),
                         **(config or {})}, wait=wait, **(hob or {}))

    def end(self, show):
        errors = []
        for h in reversed(self.hobs):  # a later one may have taken over what an earlier one left
            try:
                h.stop()
            except AssertionError as e:
                errors.append(str(e))
            if show or errors:
                print(f"--- stderr of hob {h.pid} ---\n{h.stderr()[-20000:]}")
            h.clean()
        for f in self.fakes:
            f.stop()
        shutil.rmtree(self.dir, ignore_errors=True)
        assert not errors, "\n".join(errors)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item, call):
    report = yield
    if report.when == "call":
        item.call_failed = report.failed
    return report


@pytest.fixture
def nursery(request):
    n = Nursery()
    yield n
    n.end(getattr(request.node, "call_failed", False))


@pytest.fixture(scope="module")
def module_nursery():
    n = Nursery()
    yield n
    n.end(False)


@pytest.fixture
def fake(nursery):
    return nursery.fake()


@pytest.fixture
def hob(nursery):
    return nursery.hob


@pytest.fixture
def managed(nursery):
    return nursery.managed


def real_path(what, variable):
    if os.environ.get(variable):
        return os.environ[variable]
    fetch = helpers.ROOT / "scripts" / "fetch"
    if not fetch.exists():
        pytest.skip(f"no {variable} and no scripts/fetch")
    got = subprocess.run([fetch, what], capture_output=True, text=True, timeout=600)
    assert got.returncode == 0, got.stderr
    return got.stdout.strip().splitlines()[-1]


@pytest.fixture(scope="session")
def real():
    """(path of a real llama-server, path of a real model)"""
    return real_path("engine", "HOB_LLAMA_SERVER"), real_path("model", "HOB_TEST_MODEL")


@pytest.fixture(scope="session")
def embedder():
    """path of a real embedding model"""
    return real_path("embedder", "HOB_TEST_EMBEDDER")


@pytest.fixture(scope="module")
def real_hob(real, module_nursery):
    """hob serving the real model as `small`."""
    engine, model = real
    return module_nursery.hob({
        "engines": {"llama": {"path": engine}},
        "models": {"small": {"file": model, "context": 2048, "slots": 2, "keep": "hot", "max_tokens": 64}},
        "roles": {"chat": {"model": "small"}},
    }, wait="ready", seconds=60)
