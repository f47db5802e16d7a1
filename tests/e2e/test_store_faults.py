"""The disk fails under the store while hob runs: answers go on, their rows wait in memory, and are written once, all of them, when the disk is back; nothing is
restarted. Or, with `rows.on_error: refuse`, nothing is answered that cannot be written down."""

import collections
import json
import os
import re
import shutil
import signal
import sqlite3
import subprocess

import pytest

import faults
import gates
import helpers
from helpers import SANITIZED, cli, wait_for

pytestmark = pytest.mark.skipif(SANITIZED or not faults.SHIM.exists(), reason="the shim is not for sanitizers, and for Linux alone")

ANSWERS = gates.sized(6, 200)
# What fails, how often, and how the rows are to be kept meanwhile.
DISKS = {
    "full": [("pwrite", {"error": "ENOSPC"})],
    "failing": [("pwrite", {"error": "EIO"})],
    "over its quota": [("pwrite", {"error": "EDQUOT"})],
    "short, then full": [("pwrite", {"most": 100, "every": 2}), ("pwrite", {"error": "ENOSPC", "every": 3})],
    "short": [("pwrite", {"most": 100})],
    "failing at times": [("pwrite", {"error": "EIO", "every": 7})],
    "not syncing": [("sync", {"error": "EIO"})],
    "not syncing at times": [("sync", {"error": "EIO", "every": 3})],
    "not syncing once": [("sync", {"error": "ENOSPC", "once": 1})],
    "not read": [("read", {"error": "EIO"}), ("sync", {"error": "EIO", "every": 2})],
    "not opened again": [("pwrite", {"error": "EIO", "every": 5}), ("open", {"error": "EMFILE"})],
    "not cut short": [("truncate", {"error": "EIO"}), ("sync", {"error": "EIO", "every": 4})],
}


def metric(h, name):
    m = re.search(rf"^{name}(?:{{[^}}]*}})? ([0-9.e+-]+)$", h.get("/metrics").body.decode(), re.M)
    return m and float(m[1])


def ask(h, n):
    """n answers, every second one a stream; their ids."""
    ids = []
    for i in range(n):
        with h.open_chat("m", "hello", stream=bool(i % 2)) as c:
            head = c.start()
            assert head.status == 200
            ids.append(head.get("x-request-id"))
            assert list(c.stream(head)) if i % 2 else c.body(head)
    return ids


def ids_in(h):
    r = cli("logs", "-c", h.config_path, "--json", "-n", "all", env=h.env)
    assert r.returncode == 0, r
    return [json.loads(line)["id"] for line in r.stdout.splitlines()]


def well_again(h):
    wait_for("the store is written again", lambda: metric(h, "hob_store_failing") == 0 and metric(h, "hob_rows_held") == 0, 30)


@pytest.fixture
def shim(tmp_path):
    return faults.Faults(tmp_path)


@pytest.fixture
def served(shim, fake, hob):
    def go(**config):
        return hob({"hosts": {"up": {"url": fake.url}}, "models": {"m": {"host": "up"}}, **config}, env=shim.env)
    return go


@pytest.mark.torture
@pytest.mark.parametrize("durability", ["process", "power"])
def test_no_row_is_lost_or_doubled_when_the_disk_comes_back(served, shim, durability):
    h = served(durability=durability)
    want, gateway, held = ask(h, 2), h.gateway(), 0
    disks = DISKS if gates.FORM == "long" else dict(gates.rng("disks").sample(sorted(DISKS.items()), 5))
    for name, what in disks.items():
        rules = [shim.rule(call, program="hob", path="*hob.db", **how) for call, how in what]
        want += ask(h, ANSWERS)
        held = max(held, metric(h, "hob_rows_held"))
        for rule in rules:
            rule.off()
        shim.clear()
        want += ask(h, 1)
        well_again(h)
        got = collections.Counter(ids_in(h))
        lost, doubled = [i for i in want if not got[i]], [i for i, n in got.items() if n > 1]
        assert not lost and not doubled, (name, len(lost), len(doubled), h.stderr()[-3000:])
    assert h.gateway().pid == gateway.pid and metric(h, "hob_rows_lost_total") in (0, None)
    gates.record("store-faults", f"kinds of a failing disk, durability {durability}", len(disks), "")
    gates.record("store-faults", f"answers given meanwhile, durability {durability}", len(want), "")
    gates.record("store-faults", f"rows lost or doubled, durability {durability}", 0, "= 0")
    h.stop()
    with sqlite3.connect(h.state / "hob.db") as db:
        assert db.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        assert db.execute("SELECT count(*) FROM requests").fetchone() == (len(want),)
        summed, = db.execute("SELECT ifnull(sum(requests), 0) FROM request_sums").fetchone()
        assert summed + db.execute("SELECT count(*) FROM requests, request_books WHERE at > summed_at").fetchone()[0] == len(want)


def test_what_the_daemon_cannot_write_is_told(served, shim):
    h = served()
    ask(h, 1)
    rule = shim.rule("pwrite", program="hob", path="*hob.db", error="ENOSPC")
    ask(h, 2)
    r = cli("doctor", "-c", h.config_path, "--json", env=h.env)
    store = next(c for c in json.loads(r.stdout)["checks"] if c["name"] == "store")
    assert r.returncode == 1 and store["status"] == "fail" and "2 rows wait" in store["detail"] and "full" in store["detail"], store
    assert "cannot be written, 2 wait" in cli("ps", "-c", h.config_path, env=h.env).stdout
    rule.off()
    shim.clear()
    well_again(h)
    r = cli("doctor", "-c", h.config_path, "--json", env=h.env)
    assert next(c for c in json.loads(r.stdout)["checks"] if c["name"] == "store")["status"] == "ok"
    assert "cannot be written" not in cli("ps", "-c", h.config_path, env=h.env).stdout


def test_refuse_takes_nothing_that_cannot_be_written_down(served, shim):
    h = served(rows={"on_error": "refuse"})
    ids = ask(h, 2)
    with shim.rule("pwrite", error="ENOSPC", program="hob", path="*hob.db"):
        ids += ask(h, 1)  # nobody knows yet
        for _ in range(3):
            r = h.chat("m", "hello")
            assert (r.status, r.error()["code"], r.get("retry-after") is not None) == (503, "store_failing", True)
            assert "the disk is full" in r.error()["message"]
        ready = h.get("/readyz")
        assert ready.status == 503 and ready.json()["store"]["held_rows"] == 1 and "the disk is full" in ready.json()["reason"]
        assert h.get("/livez").status == 200
    wait_for("it is ready again", lambda: h.get("/readyz").status == 200, 30)
    ids += ask(h, 1)
    assert sorted(ids_in(h)) == sorted(ids)


def test_what_is_held_is_bounded_and_what_is_lost_is_said(served, shim):
    h = served(rows={"spool": "4KiB"})
    ids = ask(h, 1)
    with shim.rule("pwrite", error="ENOSPC", program="hob", path="*hob.db"):
        ids += ask(h, 20)
        held, lost = metric(h, "hob_rows_held"), metric(h, "hob_rows_lost_total")
        assert held >= 2 and held + lost == 20 and h.get("/readyz").json()["store"]["failing"] is True
    well_again(h)
    assert h.stderr().count("answered, but not written down") == 1
    assert len(ids_in(h)) == 21 - lost and set(ids_in(h)) <= set(ids)
    assert metric(h, "hob_rows_written_total") == 21 - lost and "store" not in h.get("/readyz").json()


def test_nobody_takes_over_while_rows_wait(served, shim):
    h = served()
    gateway = h.gateway().pid
    with shim.rule("pwrite", error="ENOSPC", program="hob", path="*hob.db"):
        ids = ask(h, 2)
        done = cli("upgrade", "--state", h.state, env=h.env, dir="/")
        assert done.returncode == 1 and "2 rows wait in memory" in done.stderr and "the disk is full" in done.stderr
    well_again(h)
    assert h.gateway().pid == gateway
    done = cli("upgrade", "--state", h.state, env=h.env, dir="/")
    assert done.returncode == 0, done.stderr
    assert sorted(ids_in(h)) == sorted(ids)


def test_what_is_held_at_the_end_is_written_or_said(served, shim):
    h = served()
    with shim.rule("pwrite", error="ENOSPC", program="hob", path="*hob.db"):
        ids = ask(h, 3)
    h.stop()  # the disk is back a moment before
    assert sorted(ids_in(h)) == sorted(ids)
    h = served()
    shim.rule("pwrite", error="ENOSPC", program="hob", path="*hob.db")
    ask(h, 3)
    h.stop()
    assert "3 rows about requests are lost" in h.stderr()


def test_a_state_folder_that_is_full_while_serving(fake, hob, tmp_path, monkeypatch):
    """A tmpfs of 4 MiB, in a mount namespace of its own."""
    if subprocess.run(["unshare", "-rm", "mount", "-t", "tmpfs", "tmpfs", tmp_path], capture_output=True, check=False).returncode:
        pytest.skip("no tmpfs can be mounted here")
    state = tmp_path / "state"
    state.mkdir()
    script = tmp_path / "hob"
    script.write_text(f"#!/bin/sh\nexec unshare -rm sh -c 'mount -t tmpfs -o size=4m,mode=0700 tmpfs {state} && exec {helpers.HOB} \"$@\"' hob \"$@\"\n")
    script.chmod(0o755)
    with monkeypatch.context() as m:
        m.setattr(helpers, "HOB", script)
        h = hob({"state": str(state), "hosts": {"up": {"url": fake.url}}, "models": {"m": {"host": "up"}}, "rows": {"size": "1MiB"}})
    inside = f"/proc/{h.pid}/root{state}"
    ids, gateway = ask(h, 5), h.gateway().pid
    with open(f"{inside}/filler", "wb", buffering=0) as f:
        for size in (4096, 512, 1):
            while True:
                try:
                    f.write(b"x" * size)
                except OSError:
                    break
    ids += ask(h, 40)
    assert metric(h, "hob_store_failing") == 1 and "the disk is full" in h.stderr()
    os.unlink(f"{inside}/filler")
    well_again(h)
    ids += ask(h, 2)
    for name in ("hob.db", "hob.db-wal"):  # SQLite would look for it outside
        shutil.copy(f"{inside}/{name}", tmp_path / name)
    with sqlite3.connect(tmp_path / "hob.db") as db:
        got = ["req_" + i.hex() for i, in db.execute("SELECT id FROM requests")]
    assert sorted(got) == sorted(ids) and h.gateway().pid == gateway and metric(h, "hob_rows_lost_total") in (0, None)


def test_a_start_without_a_descriptor_for_the_store_is_got_over(shim, fake, hob):
    """SQLite then opens for reading alone, and would never write."""
    h = hob({"hosts": {"up": {"url": fake.url}}, "models": {"m": {"host": "up"}}}, env=shim.env)
    ids = ask(h, 1)
    for n in (1, 2, 3):  # the file, its log, what is shared of it
        old = h.gateway()
        with shim.rule("open", error="EMFILE", program="hob", path="*hob.db", once=n) as r:
            os.kill(old.pid, signal.SIGKILL)
            wait_for("another gateway", lambda old=old: not old.alive() and h.gateway().pid != old.pid)
            ids += ask(h, 1)
            wait_for("it came to pass", lambda r=r: r.fired)
            wait_for("its row is written", lambda: set(ids) <= set(ids_in(h)), 30)
        shim.clear()
