"""Completions and the man page: real shells take them, and complete in a real terminal what is there to complete."""

import os
import re
import shutil
import subprocess

import pytest
from helpers import BIN, FAKE, HOB, SLOW, cli, environment, wait_for

SHELLS = ["bash", "zsh", "fish"]


def need(program):
    if not shutil.which(program):
        pytest.skip(f"{program} is not installed (scripts/deps test installs it)")
    return program


def printed(*args):
    r = cli(*args)
    assert r.returncode == 0 and r.stderr == "" and r.stdout.endswith("\n")
    return r.stdout


@pytest.mark.parametrize("shell", SHELLS)
def test_a_shell_takes_its_script(shell, tmp_path):
    script = tmp_path / "script"
    script.write_text(printed("completion", shell))
    r = subprocess.run([need(shell), "-n", script], capture_output=True, text=True, timeout=30)
    assert (r.returncode, r.stdout, r.stderr) == (0, "", "")


def test_scripts_name_every_command_and_option():
    visible = re.findall(r"^  (\w+) ", printed("help").split("commands:\n")[1], re.M)
    assert {"serve", "run", "ps", "models", "load", "unload", "doctor", "config", "completion", "man", "version", "help"} <= set(visible)
    for shell in SHELLS:
        text = printed("completion", shell)
        assert all(re.search(rf"\b{c}\b", text) for c in visible) and "next-free-port" in text
        assert "gateway" not in re.sub(r"next-free-port.*|.*what the keeper.*", "", text) or shell != "bash"


def test_usage():
    for args in (["completion"], ["completion", "tcsh"], ["completion", "bash", "zsh"], ["man", "x"]):
        r = cli(*args)
        assert r.returncode == 2 and r.stderr and r.stdout == ""


def test_the_man_page_renders_without_a_warning(tmp_path):
    page = tmp_path / "hob.1"
    page.write_text(printed("man"))
    r = subprocess.run([need("groff"), "-man", "-ww", "-Tascii", "-P-c", page], capture_output=True, text=True, timeout=30)
    assert r.returncode == 0 and r.stderr == ""
    text = re.sub(r".\x08", "", r.stdout)
    for what in ("hob serve", "--next-free-port", "hob config", "check [FILE]", "EXIT STATUS", "HOB_STATE", "hob.sock"):
        assert what in text, what


def test_what_is_installed_is_what_is_printed():
    for args, file in ((["completion", "bash"], "hob"), (["completion", "zsh"], "_hob"), (["completion", "fish"], "hob.fish"), (["man"], "hob.1")):
        assert (BIN / "packaging" / file).read_text() == printed(*args)


# -- in a terminal

START = {
    "bash": (["bash", "--norc", "--noprofile", "-i"], 'eval "$(hob completion bash)"'),
    "zsh": (["zsh", "-f", "-i"], "autoload -U compinit && compinit -D && unsetopt beep && eval \"$(hob completion zsh)\""),
    "fish": (["fish", "-N", "-i"], "hob completion fish | source"),
}


class Terminal:
    def __init__(self, shell, dir, env):
        command, setup = START[shell]
        # a server for each: one ends with its last session, perhaps while the next is being begun
        self.tmux = [need("tmux"), "-L", f"hob{os.getpid()}-{shell}", "-f", "/dev/null"]
        self.env = {**env, "TERM": "screen", "LC_ALL": "C.UTF-8", "PS1": "$ ", "PATH": f"{HOB.parent}:{env['PATH']}"}
        need(shell)
        subprocess.run([*self.tmux, "new-session", "-d", "-s", shell, "-x", "150", "-y", "50", "-c", dir, *command], env=self.env, check=True,
                       timeout=20)
        self.session = shell
        self.run(setup)

    def keys(self, *keys):
        subprocess.run([*self.tmux, "send-keys", "-t", self.session, *keys], env=self.env, check=True, timeout=20)

    def screen(self):
        return subprocess.run([*self.tmux, "capture-pane", "-p", "-t", self.session], env=self.env, capture_output=True, text=True, timeout=20).stdout

    def wait(self, pattern):
        try:
            wait_for(pattern, lambda: re.search(pattern, self.screen(), re.M))
        except AssertionError as e:
            raise AssertionError(f"{e}\n{self.screen()}") from None

    def run(self, line):
        """Types a line, and waits until it is done: what it then prints is not what was typed."""
        self.keys("-l", line + "; echo do''ne")
        self.keys("Enter")
        self.wait(r"^done")

    def complete(self, typed, becomes):
        """Clears line and screen, types, TAB, and waits for what it becomes."""
        self.keys("C-u")
        self.keys("-l", "clear; echo cle''ar")
        self.keys("Enter")
        self.wait(r"^clear")
        self.keys("-l", typed)
        self.wait(re.escape(typed.rstrip()))
        self.keys("Tab")
        self.wait(becomes)

    def close(self):
        subprocess.run([*self.tmux, "kill-session", "-t", self.session], env=self.env, capture_output=True, timeout=20)


@pytest.fixture(scope="module")
def daemon(module_nursery):
    n = module_nursery
    return n.hob({"engines": {"llama": {"path": str(FAKE)}}, "models": {**n.model("small", aliases=["coder:7b"]), **n.model("large", keep="demand")},
                  "roles": {"summary": {"model": "small"}}}, wait="ready")


@pytest.fixture(scope="module", params=SHELLS)
def terminal(request, daemon):
    (daemon.dir / "unusual.yaml").write_text("")
    t = Terminal(request.param, daemon.dir, environment(daemon.dir, {"HOB_STATE": str(daemon.state)}))
    yield t
    t.close()


@pytest.mark.parametrize("typed, becomes", [
    ("hob unl", r"hob unload"),
    ("hob unload sm", r"hob unload small"),              # from the running daemon
    ("hob load cod", r"hob load coder\\?:7b"),           # bash cuts words at the colon
    ("hob run summ", r"hob run summary"),                # roles too
    ("hob config sch", r"hob config schema"),
    ("hob config check unus", r"hob config check unusual\.yaml"),
    ("hob serve --next", r"hob serve --next-free-port"),
    ("hob serve -c unus", r"hob serve -c unusual\.yaml"),
    ("hob serve --log de", r"hob serve --log debug"),
    ("hob load -c hob.yaml lar", r"hob load -c hob\.yaml large"),
    ("hob logs --model sm", r"hob logs --model small"),
    ("hob preflight --as summ", r"hob preflight --as summary"),
    ("hob service inst", r"hob service install"),
    ("hob help doc", r"hob help doctor"),
    ("hob completion ba", r"hob completion bash"),
])
def test_it_completes(terminal, typed, becomes):
    terminal.complete(typed, becomes)


def test_bash_without_a_daemon_is_quick_and_quiet(tmp_path):
    r = subprocess.run([HOB, "__names"], env=environment(tmp_path), cwd=tmp_path, capture_output=True, text=True, timeout=5 * SLOW)
    assert (r.returncode, r.stdout, r.stderr) == (0, "", "")
