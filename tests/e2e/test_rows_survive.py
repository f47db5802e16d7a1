"""The gateway is killed at random under load, again and again: every answer that came whole has its row, once, and the file is whole each time."""

import json
import os
import signal
import statistics
import time

import gates
import pytest
from crowd import Crowd
from helpers import FORGIVING, cli, wait_for
from invariants import Rows

KILLS = gates.sized(8, 1000)
ANSWERS = gates.sized(1500, 100_000)
MIX = "plain=5,stream=4,slow=1,fails=1,cut=1,nobody=1,broken=1"


def serves(h):
    try:
        return h.chat("m", "hello", timeout=5).status == 200
    except (OSError, ValueError):
        return False


class Book:
    """What callers were told, beside what is written."""

    def __init__(self, h, crowd):
        self.crowd, self.rows, self.acknowledged, self.missing, self.broken = crowd, Rows(h.state), 0, set(), []

    def compare(self):
        ids = self.crowd.new_ids()
        self.acknowledged += len(ids)
        self.missing.update(ids)
        self.missing -= self.rows.look()  # after the ids: a row is there before its answer
        said = self.rows.integrity()
        if said != ["ok"]:
            self.broken.append(said)

    def assert_right(self):
        assert not self.missing, f"{len(self.missing)} acknowledged rows are lost: {list(self.missing)[:5]}"
        assert not self.rows.doubled, f"rows that are there twice: {self.rows.doubled[:5]}"
        assert not self.broken, self.broken[:3]


@pytest.mark.torture
def test_what_was_acknowledged_is_written_once(nursery):
    rng = gates.rng("rows-survive")
    up = nursery.fake(script="forgets")
    h = nursery.hob({"hosts": {"up": {"url": up.url}}, "models": {"m": {"host": "up"}}, **FORGIVING})
    crowd = Crowd(h, nursery.dir, models=["m"], mix=MIX, conns=24, think_ms=gates.sized(10, 30), seed=rng.getrandbits(31), report_ms=20)
    book, back_ms, kills, began = Book(h, crowd), [], 0, time.monotonic()
    try:
        crowd.wait_whole(100)
        while kills < KILLS or book.acknowledged < ANSWERS:
            time.sleep(rng.uniform(0.02, 2.0 if rng.random() < 0.1 else 0.3))  # the random point; some live longer, so that all kinds of its work are met
            gateway = h.gateway()
            os.kill(gateway.pid, signal.SIGKILL)
            killed = time.monotonic()
            wait_for("it serves again", lambda: serves(h))
            back_ms.append((time.monotonic() - killed) * 1000)
            kills += 1
            book.compare()
            book.assert_right()
            if kills % 50 == 0:
                print(f"{kills} kills, {book.acknowledged} acknowledged, {time.monotonic() - began:.0f} s", flush=True)
        told = crowd.stop()
    finally:
        crowd.kill()
    book.compare()
    book.assert_right()
    assert book.acknowledged == told["ok"] + told["refused"] + told["told"]
    assert told["no_door"] == 0, "the keeper holds the door"
    # And as hob itself tells it: each row, and the sums of them.
    r = cli("logs", "-n", "all", "-c", h.config_path, "--json", env=h.env, timeout=600)
    assert {json.loads(line)["id"] for line in r.stdout.splitlines()} == book.rows.look()
    gain = json.loads(cli("gain", "-c", h.config_path, "--json", env=h.env).stdout)
    assert gain["requests"] == len(book.rows.ids)
    back_ms.sort()
    for what, value, holds in [
        ("kills", kills, f">= {KILLS}"), ("acknowledged answers", book.acknowledged, f">= {ANSWERS}"), ("rows lost", len(book.missing), "= 0"),
        ("rows doubled", len(book.rows.doubled), "= 0"), ("integrity checks failed", len(book.broken), "= 0"), ("rows in all", len(book.rows.ids), ""),
        ("answers cut by a kill", told["cut"], ""), ("kill to serving, p50 ms", round(statistics.median(back_ms)), ""),
        ("kill to serving, p99 ms", round(back_ms[int(len(back_ms) * 0.99)]), "< 1000"), ("kill to serving, most ms", round(back_ms[-1]), ""),
    ]:
        gates.record("rows survive", what, value, holds)
