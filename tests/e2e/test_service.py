"""hob service: the texts, read back by systemd itself and by plistlib, and what is done to the one file, with a stand-in for systemctl."""

import json
import os
import pathlib
import plistlib
import shutil
import stat
import subprocess
import tempfile

import pytest
from helpers import BIN, HOB, cli, environment, gguf

MARK = "written by `hob service install`"
ODD = "a b%d$HOME&<x>;é"  # what a shell, systemd or XML would read something into
ODDER = ODD + """"q'\\"""   # which systemd does not take for a program, but in its arguments

SYSTEMCTL = """#!/bin/sh
# stands in for systemctl: keeps its words in $FAKE/calls, and what it knows in $FAKE
echo "$*" >>"$FAKE/calls"
[ "$1" != --user ] || shift
case $1 in
is-system-running) cat "$FAKE/up"; [ "$(cat "$FAKE/up")" = running ] ;;
show) printf 'ActiveState=%s\\nUnitFileState=%s\\nMainPID=%s\\nStatusText=%s\\n' "$(cat "$FAKE/active")" enabled 42 'ready: 1 of 2 models in memory' ;;
start | restart) [ ! -e "$FAKE/broken" ] || { echo "Job for hob.service failed" >&2; exit 1; }; echo active >"$FAKE/active" ;;
disable) echo inactive >"$FAKE/active" ;;
esac
"""


@pytest.fixture
def place():
    with tempfile.TemporaryDirectory(prefix="hobs", dir="/tmp") as d:
        d = pathlib.Path(d)
        gguf(d / "a.gguf")
        (d / "hob.yaml").write_text("models: {a: {file: a.gguf}}\n")
        yield d


@pytest.fixture
def fake(place):
    """systemd as it would answer; .calls() are the words it was given."""
    class Fake:
        dir = place / "fake"
        unit = place / ".config/systemd/user/hob.service"

        def set(self, name, text):
            (self.dir / name).write_text(text + "\n")

        def calls(self):
            path = self.dir / "calls"
            said = path.read_text().splitlines() if path.exists() else []
            path.write_text("")
            return [c for c in said if "is-system-running" not in c and "show" not in c]

        def run(self, *args, **env):
            e = environment(place, {"PATH": f"{place}/bin:/usr/bin:/bin", "FAKE": str(self.dir), **env})
            return cli("service", *args, env=e, dir=place)
    f = Fake()
    f.dir.mkdir()
    (place / "bin").mkdir()
    (place / "bin/systemctl").write_text(SYSTEMCTL)
    (place / "bin/systemctl").chmod(0o755)
    f.set("up", "running")
    f.set("active", "inactive")
    return f


def odd_copy(place):
    """A hob and a configuration whose paths mean something to everybody."""
    at, odder = place / ODD, place / ODDER
    at.mkdir()
    odder.mkdir()
    shutil.copy2(HOB, at / "hob")
    shutil.copy2(place / "hob.yaml", odder / "hob.yaml")
    (odder / "a.gguf").symlink_to(place / "a.gguf")
    return at / "hob", odder / "hob.yaml"


def printed(program, *args, dir, **env):
    r = subprocess.run([program, "service", "install", "--dry-run", *map(str, args)], env=environment(dir, env), cwd=dir, capture_output=True, text=True,
                       timeout=30, stdin=subprocess.DEVNULL)
    assert r.returncode == 0, r
    return r.stdout


def lines_of(unit):
    """(key, value) of a unit, comments left out."""
    return [tuple(line.split("=", 1)) for line in unit.splitlines() if "=" in line and not line.startswith("#")]


def unquote(word, dollar):
    """What systemd makes of a quoted word."""
    assert word[0] == word[-1] == '"'
    out, i, word = "", 0, word[1:-1]
    while i < len(word):
        c = word[i]
        if c == "\\" or c == "%" or (c == "$" and dollar):
            assert word[i + 1] in ('\\"' if c == "\\" else c), word
            i += 1
        out += word[i]
        i += 1
    return out


def words_of(command):
    """The words of an ExecStart line of ours."""
    words, i = [], 0
    while i < len(command):
        assert command[i] == '"', command
        end = i + 1
        while command[end] != '"':
            end += 2 if command[end] == "\\" else 1
        words.append(unquote(command[i:end + 1], dollar=len(words) > 0))
        i = end + 2
    return words


def test_the_user_unit(place):
    unit = dict(lines_of(printed(HOB, "-c", "hob.yaml", dir=place)))
    assert words_of(unit["ExecStart"]) == [str(HOB), "serve", "-c", str(place / "hob.yaml")]
    want = {"Type": "notify", "NotifyAccess": "all", "ExecReload": "/bin/kill -HUP $MAINPID", "WatchdogSec": "30", "Restart": "on-failure",
            "KillMode": "mixed", "TimeoutStopSec": "90", "LimitMEMLOCK": "infinity", "NoNewPrivileges": "yes", "WantedBy": "default.target"}
    assert want.items() <= unit.items()
    assert unquote(unit["Environment"], dollar=False) == "PATH=" + os.environ["PATH"]
    assert not {"DynamicUser", "SupplementaryGroups", "StateDirectory", "ProtectSystem"} & unit.keys()


def test_the_system_unit(place):
    text = printed(HOB, "--system", "-c", "hob.yaml", dir=place)
    unit = dict(lines_of(text))
    assert unit["ExecStart"] == f'"{HOB}" "serve" "-c" "{place}/hob.yaml" --state %S/hob'
    want = {"DynamicUser": "yes", "StateDirectory": "hob", "CacheDirectory": "hob", "RuntimeDirectory": "hob", "ProtectSystem": "strict",
            "NoNewPrivileges": "yes", "LimitMEMLOCK": "infinity", "WantedBy": "multi-user.target"}
    assert want.items() <= unit.items()
    have = {line.split(":")[0] for line in pathlib.Path("/etc/group").read_text().splitlines()}
    assert unit.get("SupplementaryGroups", "").split() == [g for g in ("render", "video") if g in have]
    for shuts_gpus_out in ("PrivateDevices", "DeviceAllow", "DevicePolicy", "ProtectClock", "MemoryDenyWriteExecute", "ProtectKernelModules"):
        assert shuts_gpus_out not in unit


@pytest.mark.parametrize("scope", ["user", "system"])
@pytest.mark.parametrize("odd", [False, True])
def test_systemd_takes_it(place, scope, odd):
    analyze = shutil.which("systemd-analyze")
    if not analyze:
        pytest.skip("systemd-analyze is not installed (scripts/deps test installs it)")
    program, config = odd_copy(place) if odd else (HOB, place / "hob.yaml")
    text = printed(program, "-c", config, *(["--system"] if scope == "system" else []), dir=place)
    unit = place / "hob.service"
    unit.write_text(text)
    r = subprocess.run([analyze, f"--{scope}", "--man=no", "verify", unit], env=environment(place), capture_output=True, text=True, timeout=60,
                       stdin=subprocess.DEVNULL)
    said = [line for line in r.stderr.splitlines() if "hob.service" in line or str(place) in line]
    assert said == [] and r.returncode == 0, r.stderr
    unit.write_text(text.replace('hob" "serve"', 'hobbb" "serve"'))  # that it looks at the path at all
    r = subprocess.run([analyze, f"--{scope}", "--man=no", "verify", unit], env=environment(place), capture_output=True, text=True, timeout=60,
                       stdin=subprocess.DEVNULL)
    assert "hobbb" in r.stderr and r.returncode != 0


def test_odd_paths_come_back_as_they_were(place):
    program, config = odd_copy(place)
    state, path = place / ODDER / "st ate", f"{place / ODDER}:/usr/bin"
    unit = dict(lines_of(printed(program, "-c", config, "--state", state, dir=place, PATH=path)))
    assert words_of(unit["ExecStart"]) == [str(program), "serve", "-c", str(config), "--state", str(state)]
    assert unquote(unit["Environment"], dollar=False) == f"PATH={path}"
    plist = plistlib.loads(printed(program, "-c", config, "--state", state, "--for", "launchd", dir=place, PATH=path).encode())
    assert plist["ProgramArguments"] == [str(program), "serve", "-c", str(config), "--state", str(state)]
    assert plist["EnvironmentVariables"] == {"PATH": path} and plist["StandardErrorPath"] == f"{state}/hob.log"


def test_a_program_that_systemd_would_not_start_is_refused(place):
    shutil.copy2(odd_copy(place)[0], place / ODDER / "hob")
    r = subprocess.run([place / ODDER / "hob", "service", "install", "--dry-run", "-c", place / "hob.yaml"], env=environment(place), capture_output=True,
                       text=True, timeout=30)
    assert r.returncode == 1 and "quote or a backslash" in r.stderr and r.stdout == ""


def test_a_path_with_a_line_break_is_refused(place):
    at = place / "a\nExecStartPre=x"
    at.mkdir()
    shutil.copy2(place / "hob.yaml", at / "hob.yaml")
    r = cli("service", "install", "--dry-run", "-c", at / "hob.yaml", env=environment(place), dir=place)
    assert r.returncode == 1 and "control character" in r.stderr and r.stdout == ""


def test_the_agent(place):
    text = printed(HOB, "-c", "hob.yaml", "--for", "launchd", dir=place)
    assert plistlib.loads(text.encode()) == {
        "Label": "local.hob", "ProgramArguments": [str(HOB), "serve", "-c", str(place / "hob.yaml")], "RunAtLoad": True,
        "KeepAlive": {"SuccessfulExit": False}, "ThrottleInterval": 10, "ProcessType": "Interactive", "ExitTimeOut": 90, "Umask": 0o077,
        "StandardErrorPath": f"{place}/.local/state/hob/hob.log", "EnvironmentVariables": {"PATH": os.environ["PATH"]},
        "SoftResourceLimits": {"NumberOfFiles": 65536}}


def test_nothing_in_packaging_says_otherwise():
    for path in (BIN.parent / "packaging").rglob("*"):
        assert path.suffix not in (".service", ".plist"), path


# -- what is done


def test_install_is_done_once(fake, place):
    r = fake.run("install", "-c", "hob.yaml")
    assert r.returncode == 0 and "created" in r.stdout and "active" in r.stdout and "enable-linger" in r.stderr
    assert fake.calls() == ["--user daemon-reload", "--user enable hob.service", "--user start hob.service"]
    text = fake.unit.read_text()
    assert MARK in text and stat.S_IMODE(fake.unit.stat().st_mode) == 0o644
    assert [p.name for p in fake.unit.parent.iterdir()] == ["hob.service"]
    at = fake.unit.stat().st_ino
    r = fake.run("install", "-c", "hob.yaml", "--json")
    assert r.returncode == 0 and fake.unit.stat().st_ino == at
    o = json.loads(r.stdout)
    assert o["change"] == "unchanged" and o["file"] == str(fake.unit) and o["active"] == "active" and o["pid"] == 42
    assert fake.calls() == ["--user enable hob.service", "--user start hob.service"]
    r = fake.run("install", "-c", "hob.yaml", "--state", "elsewhere")
    assert r.returncode == 0 and "changed" in r.stdout and f"{place}/elsewhere" in fake.unit.read_text()
    assert fake.calls() == ["--user daemon-reload", "--user enable hob.service", "--user restart hob.service"]


def test_uninstall_removes_what_install_wrote(fake, place):
    before = {str(p) for p in [*place.rglob("*"), place / "r"]}
    fake.run("install", "-c", "hob.yaml")
    wants = fake.unit.parent / "default.target.wants"
    wants.mkdir()
    (wants / "hob.service").symlink_to(fake.unit)
    (wants / "other.service").symlink_to("/usr/lib/systemd/user/other.service")
    fake.calls()
    r = fake.run("uninstall")
    assert r.returncode == 0 and "removed" in r.stdout
    assert fake.calls() == ["--user disable --now hob.service", "--user daemon-reload"]
    left = {str(p) for p in place.rglob("*")} - before
    assert left == {str(place / ".config"), str(place / ".config/systemd"), str(fake.unit.parent), str(wants), str(wants / "other.service"),
                    str(fake.dir / "calls")}
    r = fake.run("uninstall", "--json")
    assert r.returncode == 0 and json.loads(r.stdout)["change"] == "not there"


@pytest.mark.parametrize("how", ["file", "mask", "folder"])
def test_what_is_not_ours_is_left_alone(fake, how):
    fake.unit.parent.mkdir(parents=True)
    if how == "file":
        fake.unit.write_text("[Service]\nExecStart=/bin/true\n")
    elif how == "mask":
        fake.unit.symlink_to("/dev/null")
    else:
        fake.unit.mkdir()
    for what in ("install", "uninstall"):
        r = fake.run(what)
        assert r.returncode == 1 and "not of hob's making" in r.stderr and r.stdout == ""
    assert fake.calls() == []
    if how == "file":
        assert fake.unit.read_text() == "[Service]\nExecStart=/bin/true\n"
    r = fake.run("status")
    assert "not of hob's making" in r.stdout


def test_without_systemd_it_says_so_and_changes_nothing(fake, place):
    fake.set("up", "offline")
    r = fake.run("install", "-c", "hob.yaml")
    assert r.returncode == 1 and "systemd does not run" in r.stderr and "--dry-run" in r.stderr and r.stdout == ""
    assert not fake.unit.exists() and fake.calls() == []
    r = fake.run("install", "-c", "hob.yaml", PATH=f"{place}/nothing")
    assert r.returncode == 1 and not fake.unit.exists()
    assert MARK in fake.run("install", "--dry-run", "-c", "hob.yaml").stdout and not fake.unit.exists()
    r = fake.run("status", "--json")
    assert r.returncode == 3 and json.loads(r.stdout)["manager_running"] is False


def test_a_start_that_fails_says_where_to_look(fake):
    fake.set("broken", "")
    r = fake.run("install", "-c", "hob.yaml")
    assert r.returncode == 1 and "Job for hob.service failed" in r.stderr and "journalctl --user -u hob" in r.stderr


def test_status(fake):
    r = fake.run("status")
    assert r.returncode == 3 and "not installed" in r.stdout
    fake.run("install", "-c", "hob.yaml")
    r = fake.run("status")
    assert r.returncode == 0 and "active, enabled: ready: 1 of 2 models in memory" in r.stdout
    o = json.loads(fake.run("status", "--json").stdout)
    assert o == {"schema": 1, "manager": "systemd", "scope": "user", "file": str(fake.unit), "change": None, "installed": True, "manager_running": True,
                 "active": "active", "enabled": "enabled", "pid": 42, "status": "ready: 1 of 2 models in memory", "hints": []}


def test_one_that_was_started_by_hand_is_in_the_way(fake, managed):
    hob = managed()
    r = fake.run("install", "-c", str(hob.config_path))
    assert r.returncode == 1 and "stop it first" in r.stderr and not fake.unit.exists()


def test_wrong_use(fake, place):
    for args, words in (([], "install"), (["start"], "install"), (["install", "--for", "upstart"], "--for"), (["install", "--for", "launchd"], "--dry-run"),
                        (["install", "--dry-run", "--system"], "-c FILE"), (["install", "--dry-run", "--system", "--state", "x"], "leave --state"),
                        (["install", "--dry-run", "--system", "--for", "launchd"], "--system")):
        r = fake.run(*args, **({"HOME": str(place / "bin")} if "-c FILE" in words else {}))
        if "-c FILE" in words:
            (place / "hob.yaml").rename(place / "other.yaml")
            r = fake.run(*args)
            (place / "other.yaml").rename(place / "hob.yaml")
        assert r.returncode == 2 and words in r.stderr and r.stdout == "", (args, r)
    (place / "hob.yaml").write_text("models: [\n")
    assert fake.run("install").returncode == 2 and not fake.unit.exists()


def test_dry_run_as_json(fake):
    o = json.loads(fake.run("install", "--dry-run", "--json", "-c", "hob.yaml").stdout)
    assert o["change"] == "created" and MARK in o["text"] and o["file"] == str(fake.unit) and len(o["hints"]) <= 1
    assert fake.calls() == [] and not fake.unit.exists()
