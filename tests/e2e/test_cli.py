"""The command line: data on stdout, words on stderr, exit status by kind."""

import json
import os
import pathlib
import tempfile

import pytest
from helpers import FAKE, cli, environment, free_port, gguf


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
def daemon(module_nursery):
    """hob on a fixed port, so that its config leads to it."""
    return module_nursery.hob({
        "listen": f"127.0.0.1:{free_port()}", "engines": {"llama": {"path": str(FAKE)}},
        "models": module_nursery.model("small"), "roles": {"chat": {"model": "small"}},
    }, wait="ready")


@pytest.mark.parametrize("how", ["config", "environment", "url"])
def test_run_finds_the_daemon(daemon, run, how):
    args = ["-c", daemon.config_path] if how == "config" else []
    env = {"environment": {"HOB_CONFIG": str(daemon.config_path)}, "url": {"HOB_URL": daemon.url}}.get(how)
    r = run("run", *args, "small", "hello there", env=env)
    assert r.returncode == 0, r
    assert len(r.stdout.split()) == 8
    assert "small" in r.stderr and "tok/s" in r.stderr, "the routing line"


def ask(daemon, run, *args, **kw):
    return run("run", *args, env={"HOB_URL": daemon.url}, **kw)


def test_run_takes_a_role_or_nothing(daemon, run):
    assert ask(daemon, run, "chat", "hello").returncode == 0
    r = ask(daemon, run, "hello")
    assert r.returncode in (0, 2)  # one word alone may be a model's name


def test_run_reads_stdin_when_piped(daemon, run):
    child = daemon.child("small").control
    child.reset()
    r = ask(daemon, run, "small", input="from the pipe\n")
    assert r.returncode == 0 and r.stdout
    assert "from the pipe" in child.log().chats[-1].json()["messages"][-1]["content"]
    r = ask(daemon, run, "small", "summarise", input="the text\n")
    text = json.dumps(child.log().chats[-1].json()["messages"])
    assert r.returncode == 0 and "summarise" in text and "the text" in text


def test_run_json(daemon, run):
    r = ask(daemon, run, "--json", "small", "hello")
    assert r.returncode == 0
    o = json.loads(r.stdout)
    assert o["schema"] == 1
    assert "small" in json.dumps(o)


def test_run_with_an_unknown_model(daemon, run):
    r = ask(daemon, run, "smal", "hello")
    assert r.returncode == 1 and "small" in r.stderr and r.stdout == ""


def test_run_with_a_failing_model(daemon, run):
    r = ask(daemon, run, "small", "[[error_after 3]]")
    assert r.returncode == 1 and r.stderr
    r = ask(daemon, run, "small", "[[status 500]]")
    assert r.returncode == 1 and r.stderr


def test_run_without_a_daemon(run):
    r = run("run", "m", "hello", env={"HOB_URL": f"http://127.0.0.1:{free_port()}"})
    assert r.returncode == 3 and "hob serve" in r.stderr and r.stdout == ""


def test_run_ends_when_nobody_reads(daemon, place):
    """`hob run … | head -1` must end it, and the work behind it."""
    import subprocess
    from helpers import HOB
    child = daemon.child("small").control
    child.reset()
    p = subprocess.Popen([HOB, "run", "small", "[[words 100000]] [[gap_ms 5]]"], env=environment(place, {"HOB_URL": daemon.url}),
                         stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, stdin=subprocess.DEVNULL)
    try:
        assert p.stdout.read(1)
        p.stdout.close()
        p.wait(5)
    finally:
        p.kill()
        p.wait()
    child.wait("the child's work is cancelled", lambda l: l.cancelled == 1)


def test_version(run):
    r = run("version")
    assert r.returncode == 0 and r.stdout.startswith("hob ") and r.stderr == ""
    assert json.loads(run("version", "--json").stdout)["schema"] == 1
    assert run("--version").stdout == r.stdout


def test_help(run):
    r = run("help")
    assert r.returncode == 0 and all(c in r.stdout for c in ("serve", "run", "config", "version", "help"))
    assert run("--help").stdout == r.stdout
    for command in ("serve", "run", "config"):
        one = run("help", command)
        assert one.returncode == 0 and f"hob {command}" in one.stdout
        assert run(command, "--help").stdout == one.stdout
    for command, words in [("eval", ("capture", "label", "check", "import", "suites")), ("swap", ("evidence", "baseline", "simulate")), ("config", ("reload",))]:
        lines = run("help", command).stdout.split("\nwords:\n")[1].split("\noptions:\n")[0].splitlines()
        assert set(words) <= {line.split()[0] for line in lines if line}


def test_nothing_is_help_on_stderr_or_stdout(run):
    r = run()
    assert r.returncode in (0, 2) and "serve" in r.stdout + r.stderr


@pytest.mark.parametrize("args, says", [(["serv"], "serve"), (["confg"], "config"), (["config", "chek"], "check"), (["eval", "cmopare"], "did you mean 'compare'?"), (["swap", "nonsense", "1"], "no `hob swap nonsense`")])
def test_unknown_commands_are_suggested(run, args, says):
    r = run(*args)
    assert r.returncode == 2 and says in r.stderr and r.stdout == ""


@pytest.mark.parametrize("args", [["serve", "--no-such-flag"], ["serve", "-c"], ["run", "--jsn", "m", "x"], ["version", "extra", "words"]])
def test_usage_errors_exit_2(run, args):
    r = run(*args)
    assert r.returncode == 2 and r.stderr and r.stdout == ""


# -- config

CONFIG = """\
# a comment
hosts:
  up: {url: "http://127.0.0.1:9001", key: canary-secret}
models:
  far: {host: up, name: far-away}
roles:
  chat: far
"""


def test_config_check(run, place):
    (place / "hob.yaml").write_text(CONFIG)
    for args in (["config", "check"], ["config", "check", "hob.yaml"], ["config", "check", "-c", "hob.yaml"]):
        r = run(*args)
        assert r.returncode == 0, r
    r = run("config", "check", "--json")
    assert r.returncode == 0 and json.loads(r.stdout)["schema"] == 1


def test_config_check_warns_of_files_that_are_not_there(run, place):
    (place / "hob.yaml").write_text("state: st\nmodels: {m: {file: gone.gguf}}\nkeys:\n- {name: shop, file: shop.key}\n- {name: lab}\n")
    r = run("config", "check")
    assert r.returncode == 0, r
    for words in ("there is no file", "gone.gguf", "the key of shop opens nothing", "shop.key is not there", "the key of lab opens nothing"):
        assert words in r.stderr, r.stderr


def test_config_show(run, place):
    (place / "hob.yaml").write_text(CONFIG)
    r = run("config", "show")
    assert r.returncode == 0 and "far-away" in r.stdout and "127.0.0.1:8080" in r.stdout
    assert "canary-secret" not in r.stdout + r.stderr
    o = json.loads(run("config", "show", "--json").stdout)
    assert o["schema"] == 1 and "canary-secret" not in json.dumps(o)


def test_what_config_shows_is_a_config(run, place):
    (place / "hob.yaml").write_text(CONFIG.replace(", key: canary-secret", ""))
    (place / "shown.yaml").write_text(run("config", "show", "--plain").stdout)
    r = run("config", "check", "shown.yaml")
    assert r.returncode == 0, r
    assert run("config", "show", "--plain", "shown.yaml").stdout == (place / "shown.yaml").read_text()


def test_config_schema(run):
    r = run("config", "schema")
    schema = json.loads(r.stdout)
    assert r.returncode == 0 and "$schema" in schema
    assert {"listen", "state", "models", "hosts", "roles", "tiers", "timeouts"} <= schema["properties"].keys()


def test_config_without_a_file(run):
    assert run("config", "check").returncode == 0
    assert run("config", "show").returncode == 0
    assert run("config", "check", "none.yaml").returncode == 2


# -- the real engine


def test_run_with_the_real_model(real_hob, run):
    r = run("run", "small", "Say hello.", env={"HOB_URL": real_hob.url}, timeout=60)
    assert r.returncode == 0 and r.stdout.strip() and "tok/s" in r.stderr
