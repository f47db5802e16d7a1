"""A day of load in small: a million requests of all kinds, models loaded and unloaded, children that die, reloads; and nothing grows.

What is done beside the requests is spread evenly over them. HOB_SOAK_SCALE=0.1 does a tenth of everything; the slope of memory is judged only in a
run that lasts, for a few minutes say nothing about an hour."""

import json
import os
import signal
import time

import gates
import pytest
from crowd import Crowd
from helpers import FAKE, FORGIVING, SANITIZED, Process, cli, wait_for
from invariants import Invariants, Rows, fds, zombies

from test_admin import act, ask, ps

SCALE = float(os.environ.get("HOB_SOAK_SCALE", "1")) if gates.FORM == "long" else 1.0
REQUESTS = int(gates.sized(3000, 1_000_000) * SCALE)
LOADS = int(gates.sized(10, 2000) * SCALE)
DEATHS = int(gates.sized(5, 500) * SCALE)
RELOADS = int(gates.sized(3, 200) * SCALE)
MODELS = [f"m{i}" for i in range(gates.sized(5, 10))]
MIX = "plain=40,stream=30,slow=3,gone=5,left=2,fails=3,cut=3,nobody=4,broken=4"
CANARY = "sk-canary-5e0c7d21b94f4a6f8802"
MIB = 2**20
WAL_CAP, LOG_CAP = 64 * MIB, 8 * MIB + 65536  # a log turns over when it is full
JUDGED_FROM = 1800  # seconds: a slope over less is no slope
SAMPLE = gates.sized(0.5, 5.0)


def slope(points):
    """Least squares: what y grows by for each unit of x."""
    n = len(points)
    mx, my = sum(x for x, _ in points) / n, sum(y for _, y in points) / n
    below = sum((x - mx) ** 2 for x, _ in points)
    return sum((x - mx) * (y - my) for x, y in points) / below if below else 0.0


class Soak:
    def __init__(self, nursery, rng):
        self.rng, self.nursery = rng, nursery
        up = nursery.fake(script="forgets\nkeepalive_ms 200")
        self.config = {"engines": {"llama": {"path": str(FAKE)}}, "hosts": {"up": {"url": up.url, "key": CANARY}}, "models": {"far": {"host": "up"}},
                       "budget": {"memory": "64GiB"}, "queue": {"deadline": "20s"}, "drain": "5s", **FORGIVING}
        for m in MODELS:
            self.config["models"].update(nursery.model(m, "forgets\nkeepalive_ms 200", slots=4))
        self.h = nursery.hob(self.config, wait="ready")
        self.world = Invariants(self.h, secrets=[CANARY])
        for m in [*MODELS, "far"]:
            assert self.h.chat(m, "hello").status == 200
        self.world.settle()
        self.gateway, self.keeper = self.h.gateway(), Process(self.h.pid)
        self.done = {"load": 0, "death": 0, "reload": 0}
        self.samples, self.began = [], time.monotonic()

    # -- what happens beside the requests

    def load(self, i):
        name = MODELS[i % len(MODELS)]
        assert act(self.h, "unload", name, timeout=60).status == 200
        r = act(self.h, "load", name, timeout=60)
        assert r.status == 200, r

    def death(self, i):
        """Each model in turn: five deaths of one in a minute would be taken for a model that cannot live."""
        pid = ps(self.h, MODELS[i % len(MODELS)])["pid"]
        if pid:
            os.kill(pid, self.rng.choice((signal.SIGKILL, signal.SIGSEGV, signal.SIGABRT)))

    def reload(self, i):
        models = self.config["models"]
        text = None
        match i % 5:
            case 0:
                models["far"]["aliases"] = [f"afar{i}"]
            case 1:
                models.update(self.nursery.model("spare", "forgets", keep="demand"))
            case 2:
                models[MODELS[-1]]["slots"] = 3 + i // 5 % 2
            case 3:
                text = "models: {m0: {file: x, contxt: 4}}\n"
            case 4:
                models.pop("spare", None)
        self.h.config_path.write_text(text or json.dumps({"listen": "127.0.0.1:0", "state": str(self.h.state), **self.config}))
        r = ask(self.h, "POST", "/hob/v1/config/reload", b"", timeout=60)
        assert (r.status == 200) == (text is None), r

    def catch_up(self, share):
        for what, of, how in (("load", LOADS, self.load), ("death", DEATHS, self.death), ("reload", RELOADS, self.reload)):
            while self.done[what] < min(of, int(of * share) + 1):
                how(self.done[what])
                self.done[what] += 1

    # -- what is looked at

    def sample(self):
        logs = [p.stat().st_size for p in (self.h.state / "logs").iterdir()]
        wal = self.h.state / "hob.db-wal"
        s = {"t": time.monotonic() - self.began, "rss": self.gateway.rss(), "keeper_rss": self.keeper.rss(), "fds": sum(fds(self.gateway.pid).values()),
             "keeper_fds": sum(fds(self.keeper.pid).values()), "processes": len(self.h.tree()), "zombies": len(zombies(self.h.pid)),
             "wal": wal.stat().st_size if wal.exists() else 0, "log": max(logs, default=0)}
        self.samples.append(s)
        return s


@pytest.mark.soak
def test_a_day_in_small(nursery):
    soak = Soak(nursery, gates.rng("soak"))
    h, rows, missing, acknowledged = soak.h, Rows(soak.h.state), set(), 0
    crowd = Crowd(h, nursery.dir, models=[*MODELS, "far"], mix=MIX, conns=gates.sized(12, 16), think_ms=gates.sized(2, 10), seed=soak.rng.getrandbits(31))
    told, next_sample, next_line = {"asked": 0}, 0.0, 0.0
    try:
        while told["asked"] < REQUESTS:
            soak.catch_up(told["asked"] / REQUESTS)
            now = time.monotonic() - soak.began
            if now >= next_sample:
                s, next_sample = soak.sample(), now + SAMPLE
                ids = crowd.new_ids()
                acknowledged += len(ids)
                missing.update(ids)
                missing -= rows.look()
                assert not missing, f"{len(missing)} acknowledged rows are lost: {list(missing)[:5]}"
            if now >= next_line:
                print(f"soak: {now:.0f} s, {told['asked']} asked, {soak.done}, {s}", flush=True)
                next_line = now + 30
            assert crowd.process.poll() is None and not told.get("late") and not told.get("odd"), told
            time.sleep(0.05)
            told = crowd.told() or told
        soak.catch_up(1)
        told = crowd.stop()
    finally:
        crowd.kill()
    assert soak.done == {"load": LOADS, "death": DEATHS, "reload": RELOADS}
    assert soak.gateway.alive(), "the gateway is another one"
    assert told["cut"] == told["no_door"] == 0, told
    # As at the start: everything loaded, nobody asks.
    h.config_path.write_text(json.dumps({"listen": "127.0.0.1:0", "state": str(h.state), **soak.config}))
    for m in MODELS:
        wait_for(f"{m} is there", lambda: act(h, "load", m, timeout=60).status == 200)
    last = crowd.new_ids()
    acknowledged += len(last)
    soak.world.note(last)
    soak.world.check()
    rows.look()
    assert not rows.doubled and acknowledged == told["ok"] + told["refused"] + told["told"]
    gain = json.loads(cli("gain", "-c", h.config_path, "--json", env=h.env, timeout=120).stdout)
    assert gain["requests"] == len(rows.ids) >= acknowledged
    judge(soak, told, acknowledged)


def judge(soak, told, acknowledged):
    s = soak.samples
    lasted = s[-1]["t"]
    warm = [x for x in s if x["t"] > lasted * 0.3] or s[-1:]
    per_hour = slope([(x["t"] / 3600, x["rss"] / MIB) for x in warm])
    most = {k: max(x[k] for x in s) for k in ("rss", "wal", "log", "zombies", "fds", "processes")}
    end = soak.world.figures()
    judged = lasted >= JUDGED_FROM and not SANITIZED
    for what, value, holds in [
        ("scale", SCALE, ""), ("seconds", round(lasted), ""), ("requests", told["asked"], f">= {REQUESTS}"), ("loads", soak.done["load"], f">= {LOADS}"),
        ("child deaths", soak.done["death"], f">= {DEATHS}"), ("reloads", soak.done["reload"], f">= {RELOADS}"), ("acknowledged answers", acknowledged, ""),
        ("rows lost", 0, "= 0"), ("rows doubled", 0, "= 0"), ("connections cut", told["cut"], "= 0"),
        ("RSS after warm-up MiB", round(warm[0]["rss"] / MIB, 2), ""), ("RSS at the end MiB", round(s[-1]["rss"] / MIB, 2), ""),
        ("RSS slope MiB/h", round(per_hour, 2), "<= 1" if judged else ""), ("RSS most MiB", round(most["rss"] / MIB, 1), "<= 150"),
        ("descriptors at the end, more than at the start", end["gateway"] - soak.world.normal["gateway"], "<= 0"),
        ("zombies at the end", len(zombies(soak.h.pid)), "= 0"), ("WAL most MiB", round(most["wal"] / MIB, 1), "<= 64"),
        ("log most MiB", round(most["log"] / MIB, 1), "<= 8.1"), ("slowest whole answer ms", told["slowest_ms"], ""),
    ]:
        gates.record("soak", what, value, holds)
    gates.record("soak", "answers by status", told["status"], "")
    assert most["wal"] <= WAL_CAP and most["log"] <= LOG_CAP
    if judged:
        assert per_hour <= 1.0, f"memory grows by {per_hour:.2f} MiB an hour"
