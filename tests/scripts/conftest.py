"""What the tests of scripts/ share: running one of them, and a copy of the folder in a project of its own."""
import os
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent.parent
SCRIPTS = ROOT / "scripts"


@pytest.fixture
def run():
    """run(script, args..., env={...}) -> CompletedProcess with text; a script's name is looked up in scripts/."""
    def call(script, *arguments, env=None, **more):
        path = script if Path(script).is_absolute() else SCRIPTS / script
        return subprocess.run([str(path), *map(str, arguments)], capture_output=True, text=True, stdin=subprocess.DEVNULL,
                              env={**os.environ, **(env or {})}, timeout=60, check=False, **more)
    return call


@pytest.fixture
def project(tmp_path):
    """An empty project that holds scripts/ and nothing else: what they make under .hob/ lies there."""
    shutil.copytree(SCRIPTS, tmp_path / "project/scripts")
    return tmp_path / "project"
