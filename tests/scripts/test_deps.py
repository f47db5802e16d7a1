"""scripts/deps where apt is: what it would install, and that it installs only that. The commands it calls are stand-ins."""
import os
import shutil
from pathlib import Path

import pytest

DEPS = Path(__file__).resolve().parent.parent.parent / "scripts/deps"
TOOLS = ["sh", "awk", "sort", "comm", "cat", "mktemp", "rm", "tr", "grep", "sed", "tail", "env"]


@pytest.fixture
def machine(run, tmp_path):
    """machine(part, have=[...], uid=0): runs deps with these packages installed. Records what apt-get is asked for."""
    bin_dir = tmp_path / "bin"
    bin_dir.mkdir()
    for tool in TOOLS:
        os.symlink(shutil.which(tool), bin_dir / tool)

    def stand_in(name, body):
        (bin_dir / name).write_text("#!/bin/sh\n" + body)
        (bin_dir / name).chmod(0o755)

    def call(part, have=(), uid=0):
        installed = "".join(f"{name} installed\\n" for name in have)
        stand_in("dpkg-query", f"printf '{installed}'\nexit 1\n")
        stand_in("apt-get", f'echo "$*" >>{tmp_path}/asked\n')
        stand_in("id", f"echo {uid}\n")
        return run("deps", part, env={"PATH": str(bin_dir)})
    return call


def named(part):
    """The packages of the table that `part` needs, by the rule in the script's own words."""
    rows = DEPS.read_text().split("table='")[1].split("'")[0].split("\n")
    parts = {"run": ["run"], "engine": ["run", "engine"], "test": ["run", "test"], "checks": ["run", "test", "checks"], "fuzz": ["run", "test", "fuzz"], "bench": ["run", "test", "bench"]}[part]
    return sorted(row.split()[1] for row in rows if row and row.split()[0] in parts)


@pytest.mark.parametrize("part", ["run", "engine", "test", "checks", "fuzz", "bench"])
def test_nothing_missing_asks_nobody(machine, tmp_path, part):
    done = machine(part, have=named(part), uid=1000)
    assert (done.returncode, done.stderr) == (0, "")
    assert not (tmp_path / "asked").exists()


def test_who_may_not_install_is_told_what_to_run(machine, tmp_path):
    done = machine("bench", have=[p for p in named("bench") if p != "nginx"], uid=1000)
    assert done.returncode == 1
    assert "as root, run: apt-get install --no-install-recommends nginx" in done.stderr
    assert not (tmp_path / "asked").exists()


def test_only_bench_wants_nginx():
    assert "nginx" in named("bench")
    assert not {"nginx"} & set(named("run") + named("test") + named("fuzz"))


def test_only_engine_wants_a_cxx_compiler():
    assert {"cmake", "g++", "ninja-build"} <= set(named("engine"))
    assert not {"cmake", "g++"} & set(named("bench") + named("fuzz"))


def test_unknown_part_is_a_usage_error(machine):
    assert machine("everything").returncode == 2
