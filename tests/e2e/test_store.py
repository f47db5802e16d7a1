"""What hob remembers: the file is private, a broken one does not hinder it, a newer one is left alone."""

import pathlib
import shutil
import sqlite3
import stat
import tempfile

import pytest
from helpers import wait_for


@pytest.fixture
def place():
    d = pathlib.Path(tempfile.mkdtemp(prefix="hobs", dir="/tmp"))
    (d / "state").mkdir(mode=0o700)
    yield d
    shutil.rmtree(d, ignore_errors=True)


def test_it_is_private_and_sound(hob):
    h = hob({})
    wait_for("the store is there", lambda: (h.state / "hob.db-wal").exists())
    for name in ["hob.db", "hob.db-wal"]:
        assert stat.S_IMODE((h.state / name).stat().st_mode) == 0o600
    h.stop()
    with sqlite3.connect(h.state / "hob.db") as db:
        assert db.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        assert db.execute("PRAGMA user_version").fetchone()[0] >= 1


def test_what_is_no_database_is_set_aside(place, hob):
    (place / "state" / "hob.db").write_bytes(b"<!DOCTYPE html>" * 1000)
    h = hob({}, dir=place)
    wait_for("it says so", lambda: "set aside" in h.stderr())
    wait_for("a new one is begun", lambda: (place / "state" / "hob.db").exists())
    assert h.get("/livez").status == 200
    aside, = [p for p in (place / "state").glob("hob.db.broken-*")]
    assert aside.read_bytes().startswith(b"<!DOCTYPE")
    h.stop()
    assert (place / "state" / "hob.db").read_bytes().startswith(b"SQLite format 3")


def test_a_newer_one_is_left_alone(place, hob):
    with sqlite3.connect(place / "state" / "hob.db") as db:
        db.execute("PRAGMA user_version = 9999")
        db.execute("CREATE TABLE later (x)")
    before = (place / "state" / "hob.db").read_bytes()
    h = hob({}, dir=place)
    wait_for("it says so", lambda: "newer hob" in h.stderr())
    assert h.get("/livez").status == 200
    h.stop()
    assert (place / "state" / "hob.db").read_bytes()[100:] == before[100:]  # SQLite's own head apart
