"""The long form of tests/unit/store/test_power.c: 500 losses of power, and 500 disks that fail first. Its quick form is among the unit tests."""

import os
import re
import subprocess

import gates
import pytest
from helpers import BIN

pytestmark = [pytest.mark.torture, pytest.mark.skipif(gates.FORM != "long", reason="the quick form is a unit test")]

SAYS = re.compile(r"^(power-loss|disk-failure): points (\d+), in the middle (\d+), disk failed in (\d+), told done (\d+), lost (\d+), doubled (\d+), unsound (\d+)", re.M)


def test_nothing_told_done_goes_with_the_power():
    p = subprocess.run([BIN / "tests" / "unit" / "test_store_power"], env=dict(os.environ), stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    print(p.stdout, p.stderr)
    found = SAYS.findall(p.stdout)
    for name, points, middle, failed, done, lost, doubled, unsound in found:
        gates.record(name, "losses of power", int(points), ">= 500")
        gates.record(name, "in the middle of the work", int(middle), "")
        if name == "disk-failure":
            gates.record(name, "in which the disk failed rows before", int(failed), "")
        gates.record(name, "rows told done", int(done), "")
        gates.record(name, "of which lost (durability: power)", int(lost), "= 0")
        gates.record(name, "rows doubled", int(doubled), "= 0")
        gates.record(name, "files that were not sound", int(unsound), "= 0")
    assert [f[0] for f in found] == ["power-loss", "disk-failure"] and p.returncode == 0
