"""The circuit breaker and its kin, with requests: what opens it, what does not, and that nothing goes where nothing should."""

import json
import threading
import time

import gates
import pytest
from helpers import SLOW, cli, wait_for


def of(h, model="far"):
    r = cli("ps", "--json", "--state", str(h.dir / "state"))
    assert r.returncode == 0, r
    return next(b for b in json.loads(r.stdout)["backends"] if b["model"] == model)


def settings(**host):
    """Three failures in ten seconds open it for 300 ms; nothing is asked but what a test asks."""
    return {"breaker": {"failures": 3, "window": "10s", "open": "300ms"}, "retry": {"attempts": 1},
            "hosts": {"up": {"probe": "never", **host}}, "models": {"far": {"host": "up"}}}


@pytest.fixture
def far(hob, fake):
    c = settings(url=fake.url)
    return hob(c), fake


def code(r):
    return r.json()["error"]["code"]


FAILURES = ["[[error 500]]", "[[close_before]]", "[[http \"garbage\\r\\n\\r\\n\"]]", "[[truncate_json]]"]


@pytest.mark.parametrize("how", FAILURES)
def test_the_third_failure_opens_it_and_nothing_goes_there(hob, fake, how):
    c = settings(url=fake.url)
    c["breaker"]["open"] = "1h"
    h = hob(c)
    for _ in range(3):
        assert of(h)["breaker"] == "closed"
        assert h.chat("far", how).status == 502
    for _ in range(10):
        r = h.chat("far", "hi")
        assert r.status == 503 and code(r) == "breaker_open" and int(r.get("retry-after")) > 3000, r
    error = r.json()["error"]
    assert "has failed" in error["message"] and error["hob"]["fault"] == "backend" and error["hob"]["hint"]
    assert len(fake.log().chats) == 3 and of(h)["breaker"] == "open" and of(h)["last_error"]


@pytest.mark.parametrize("how", FAILURES)
def test_when_its_time_is_over_one_request_tries_it_and_closes_it(far, how):
    h, up = far
    for _ in range(3):
        h.chat("far", how)
    wait_for("its time", lambda: of(h)["breaker"] == "half-open")
    assert len(up.log().chats) == 3
    assert h.chat("far", "hi").status == 200
    assert len(up.log().chats) == 4 and of(h)["breaker"] == "closed"


def test_of_many_that_ask_at_once_one_is_the_trial(far):
    h, up = far
    for _ in range(3):
        h.chat("far", "[[error 500]]")
    wait_for("its time", lambda: of(h)["breaker"] == "half-open")
    trial = h.open_chat("far", "[[first_ms 1500]]", stream=True)
    up.wait("the trial", lambda log: len(log.chats) == 4)
    for _ in range(20):
        assert code(h.chat("far", "hi")) == "breaker_open"
    assert len(up.log().chats) == 4
    trial.close()  # its caller leaves: it proved nothing, and the next one tries
    up.wait("its end", lambda log: log.in_flight == 0)
    wait_for("a second trial", lambda: h.chat("far", "hi").status == 200)
    assert len(up.log().chats) == 5 and of(h)["breaker"] == "closed"


def test_a_trial_that_fails_opens_it_again(far):
    h, up = far
    for _ in range(3):
        h.chat("far", "[[error 500]]")
    for n in range(3):
        wait_for("its time", lambda: of(h)["breaker"] == "half-open")
        assert h.chat("far", "[[error 500]]").status == 502
    assert len(up.log().chats) == 6


@pytest.mark.parametrize("how", ["[[error 400]]", "[[error 422]]", "[[error 413]]"])
def test_what_the_caller_did_never_opens_it(far, how):
    h, _ = far
    for _ in range(10):
        assert h.chat("far", how).status in (400, 413, 422)
    assert of(h)["breaker"] == "closed" and of(h)["last_error"] is None


def test_callers_that_leave_never_open_it(far):
    h, up = far
    for n in range(30):
        h.open_chat("far", "[[stall_after 0]]", stream=True).close()
    up.wait("all of them gone", lambda log: log.in_flight == 0)
    assert of(h)["breaker"] == "closed" and h.chat("far", "hi").status == 200


def test_a_busy_place_is_left_alone_as_long_as_it_asks(far):
    h, up = far
    r = h.chat("far", "[[error 429 retry_after 60]]")
    assert r.status == 429 and code(r) == "rate_limited" and r.get("retry-after") == "60", r
    asked = len(up.log().chats)
    r = h.chat("far", "hi")
    assert r.status == 429 and code(r) == "rate_limited" and 50 <= int(r.get("retry-after")) <= 60, r
    assert len(up.log().chats) == asked
    b = of(h)
    assert b["breaker"] == "closed" and b["cooling_ms"] > 50000 and "cooling_down" in b["flags"]


def test_503_with_retry_after_is_no_failure(far):
    h, up = far
    h.chat("far", "[[error 503 retry_after 60]]")
    asked = len(up.log().chats)
    assert h.chat("far", "hi").status in (429, 503) and len(up.log().chats) == asked
    assert of(h)["breaker"] == "closed"


@pytest.mark.parametrize("status,name,flag", [(401, "backend_auth", "key_refused"), (404, "backend_model_missing", "model_refused")])
def test_refusals_in_a_row_are_no_outage_and_stop_it_too(hob, fake, status, name, flag):
    c = settings(url=fake.url)
    c["breaker"]["open"] = "1h"
    h = hob(c)
    for _ in range(2):
        assert code(h.chat("far", f"[[error {status}]]")) == name
    assert h.chat("far", "hi").status == 200
    for _ in range(3):
        assert code(h.chat("far", f"[[error {status}]]")) == name
    asked = len(fake.log().chats)
    r = h.chat("far", "hi")
    assert r.status == 502 and code(r) == name and len(fake.log().chats) == asked
    b = of(h)
    assert b["breaker"] == "closed" and flag in b["flags"]


def test_the_next_one_answers_and_is_told_why(hob, fake, nursery):
    second = nursery.fake()
    c = settings(url=fake.url)
    c["breaker"]["open"] = "1h"
    c["hosts"]["other"] = {"url": second.url, "probe": "never"}
    c["models"]["spare"] = {"host": "other"}
    c["roles"] = {"chat": {"model": "far", "fallback": ["spare"]}}
    h = hob(c)
    fake.default("[[error 500]]")
    for _ in range(5):
        r = h.chat("chat", "hi")
        assert r.status == 200 and r.json()["_routing"]["model"] == "spare"
    assert r.json()["_routing"]["fallback_chain"] == [{"model": "far", "host": "up", "error": "breaker_open"}]
    assert len(fake.log().chats) == 3 and len(second.log().chats) == 5


def test_a_cap_closes_the_host_and_a_restart_does_not_open_it(hob, fake):
    c = settings(url=fake.url, cap={"tokens_day": 10}, price={"input": 1, "output": 2})
    h = hob(c)
    while (r := h.chat("far", "hi")).status == 200:
        pass
    asked = len(fake.log().chats)
    assert r.status == 503 and code(r) == "cap_reached" and "tokens_day" in r.json()["error"]["message"]
    b = of(h)
    assert "cap_reached" in b["flags"] and b["today"]["tokens"] >= 10 and b["today"]["cost"] > 0
    h.stop()
    again = hob(c, dir=h.dir)
    wait_for("what was spent", lambda: of(again)["today"]["tokens"] >= 10)
    assert code(again.chat("far", "hi")) == "cap_reached"
    assert len(fake.log().chats) == asked


def test_a_host_that_sleeps_is_woken_while_the_next_one_answers(hob, fake, nursery):
    cold = nursery.fake()
    cold.stop()
    c = settings(url=fake.url)
    c["hosts"]["cloud"] = {"url": cold.url, "cold_start": "60s"}
    c["models"]["big"] = {"host": "cloud"}
    c["tiers"] = {"heavy": "big", "primary": "far"}
    h = hob(c)
    r = h.chat("heavy", "hi")
    assert r.status == 200 and r.json()["_routing"]["model"] == "far", r
    wait_for("that it is being woken", lambda: of(h, "big")["sleep"] == "waking")
    nursery.fake("--port", str(cold.port))
    wait_for("that it is awake", lambda: of(h, "big")["sleep"] == "warm", 20)
    assert h.chat("heavy", "hi").json()["_routing"]["model"] == "big"


def test_who_insists_waits_until_it_is_awake(hob, fake, nursery):
    cold = nursery.fake()
    c = settings(url=fake.url)
    c["hosts"]["cloud"] = {"url": cold.url, "cold_start": "60s"}
    c["models"]["big"] = {"host": "cloud"}
    c["tiers"] = {"heavy": "big", "primary": "far"}
    h = hob(c)
    r = h.chat("heavy", "hi", headers=[("x-hob-wait", "heavy")])
    assert r.status == 200 and r.json()["_routing"]["model"] == "big", r


# -- flapping


class Askers:
    """Many who ask one thing after the other, each with a name of its own, and what each was told."""

    def __init__(self, h, n):
        self.h, self.n, self.told, self.enough = h, n, {}, threading.Event()
        self.threads = [threading.Thread(target=self.run, args=(i,), daemon=True) for i in range(n)]
        for t in self.threads:
            t.start()

    def run(self, i):
        k = 0
        while not self.enough.is_set():
            k += 1
            name = f"case{i:03}x{k:06}"
            r = self.h.chat("far", name, timeout=30 * SLOW)
            self.told[name] = "ok" if r.status == 200 else code(r)
            if self.told[name] == "breaker_open":
                time.sleep(0.005)  # who is told to wait and does not: two hundred times a second, each

    def stop(self):
        self.enough.set()
        for t in self.threads:
            t.join()


@pytest.mark.torture
def test_a_place_that_flaps_meets_no_stampede(hob, fake):
    """Up and down at random under load: while its breaker is open nothing goes there, and of many that ask one tries it in each window."""
    open_ms, rng = 300, gates.rng("flapping")
    h, phases, n = hob(settings(url=fake.url)), [], 12
    askers = Askers(h, n)
    until = time.monotonic() + gates.sized(6, 300)
    while time.monotonic() < until:
        fake.default("[[error 500]]")
        down = time.monotonic() * 1000
        time.sleep(rng.uniform(0.7, 2))
        up = time.monotonic() * 1000
        fake.default("")
        phases.append((down, up))
        time.sleep(rng.uniform(0.1, 1))
    askers.stop()
    chats = sorted(fake.log().chats, key=lambda r: r.t_start)
    asked = {json.loads(r.body)["messages"][0]["content"] for r in chats}
    refused = [name for name, told in askers.told.items() if told == "breaker_open"]
    assert len(refused) > 20 and not asked & set(refused), "an open place was asked"
    probes = 0
    for down, up in phases:
        times = [r.t_start for r in chats if down + 5 < r.t_start < up - 5]
        gaps = [b - a for a, b in zip(times, times[1:])]
        burst = next((i for i, gap in enumerate(gaps) if gap >= open_ms - 5), len(gaps))
        assert burst < n + 3, f"{burst} went to a place that had failed three times: {times}"
        assert all(gap >= open_ms - 5 for gap in gaps[burst:]), f"more than one probe in a window: {times}"
        probes += len(gaps) - burst
    windows = sum(up - down for down, up in phases) / open_ms
    assert probes <= windows
    gates.record("circuit-breaker", "flaps; requests refused while it was open, of them at the place", f"{len(phases)}; {len(refused)}, 0", "0")
    gates.record("circuit-breaker", "probes / windows", f"{probes} / {windows:.0f}", "<= 1 a window")
    wait_for("it is back", lambda: h.chat("far", "hi").status == 200)
    assert of(h)["breaker"] == "closed"
