"""Names that go: callers are told in every answer, the operator by `hob models`."""

import datetime
import json
import re

import pytest
from helpers import cli, environment, wait_for

UNTIL = "2999-01-31"  # a Thursday
PAST = "2020-02-29"


@pytest.fixture(scope="module")
def shared(module_nursery):
    up = module_nursery.fake()
    return module_nursery.hob({
        "hosts": {"up": {"kind": "openai", "url": up.url}},
        "models": {"new": {"host": "up"}, "going": {"host": "up", "deprecated": UNTIL, "successor": "new"}, "alone": {"host": "up", "deprecated": UNTIL}},
        "roles": {"chat": {"model": "new"}},
        "aliases": {"old": {"to": "new", "deprecated": UNTIL}, "gone": {"to": "chat", "deprecated": PAST}, "plain": {"to": "new"},
                    "refused": {"to": "new", "deprecated": PAST, "after": "refuse"}}}, wait="ready")


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("name, until, successor", [("old", UNTIL, "new"), ("going", UNTIL, "new"), ("alone", UNTIL, None), ("gone", PAST, "chat")])
def test_an_answer_says_that_the_name_goes(shared, name, until, successor, stream):
    r = shared.chat(name, "hello", stream=stream)
    assert r.status == 200, r
    day = datetime.date.fromisoformat(until)
    assert r.get("sunset") == day.strftime("%a, %d %b %Y 00:00:00 GMT")
    since = int(re.fullmatch(r"@(\d+)", r.get("deprecation"))[1])
    assert since % 86400 == 0 and since <= datetime.datetime.combine(day, datetime.time(), datetime.timezone.utc).timestamp()
    assert r.get("link") == (f'</v1/models/{successor}>; rel="successor-version"' if successor else None)
    text = r.body.decode()
    assert json.dumps({"name": name, "until": until, "successor": successor}, separators=(",", ":")) in text


@pytest.mark.parametrize("name", ["new", "chat", "plain"])
def test_an_answer_says_nothing_of_a_name_that_stays(shared, name):
    r = shared.chat(name, "hello")
    assert r.status == 200 and "deprecated" not in r.json()["_routing"]
    assert [r.get(h) for h in ("deprecation", "sunset", "link")] == [None] * 3


def test_a_name_whose_day_has_come_may_be_refused(shared):
    r = shared.chat("refused", "hello")
    assert r.status == 410 and "new" in r.error()["message"]


def test_the_list_of_models_says_until_when(shared):
    models = {m["id"]: m for m in shared.get("/v1/models").json()["data"]}
    assert (models["old"]["kind"], models["old"]["deprecated_until"], models["old"]["successor"]) == ("alias", UNTIL, "new")
    assert (models["alone"]["deprecated_until"], models["alone"]["successor"]) == (UNTIL, None)
    assert "deprecated_until" not in models["new"] and "deprecated_until" not in models["plain"]
    assert shared.get("/v1/models/going").json()["deprecated_until"] == UNTIL


def test_hob_models_shows_it(shared):
    r = cli("models", "-c", shared.config_path, env=shared.env, dir=shared.dir)
    assert f"    goes on {UNTIL}: ask for new instead" in r.stdout.splitlines()
    row = next(line for line in r.stdout.splitlines() if line.startswith("old "))
    assert row.split() == ["old", "new", UNTIL, "serve"]
    o = json.loads(cli("models", "--json", "-c", shared.config_path, env=shared.env, dir=shared.dir).stdout)
    assert o["aliases"]["refused"] == {"to": "new", "deprecated_until": PAST, "after": "refuse"}


def callers(hob, *args, env=None):
    r = cli("models", "--callers", "--json", *args, "-c", hob.config_path, env=env or hob.env, dir=hob.dir)
    assert r.returncode == 0, r.stderr
    return {(n["name"], n["caller"]): n for n in json.loads(r.stdout)["names"]}


def test_who_still_asks_by_which_name(nursery):
    up, state = nursery.fake(), nursery.dir / "st"
    keys = {k: cli("keys", "new", k, "--state", state, env=environment(nursery.dir), dir="/").stdout.strip() for k in ("ann", "bob")}
    hob = nursery.hob({
        "state": str(state), "keys": [{"name": k} for k in keys], "hosts": {"up": {"kind": "openai", "url": up.url}},
        "models": {"new": {"host": "up"}, "going": {"host": "up", "deprecated": UNTIL, "successor": "new"}}, "roles": {"chat": {"model": "new"}},
        "tiers": {"fast": "new"}, "aliases": {"old": {"to": "new", "deprecated": UNTIL}}})
    assert callers(hob) == {}
    for who, name, times in (("ann", "old", 3), ("bob", "old", 1), ("ann", "chat", 2), ("bob", "going", 1), ("bob", "fast", 1), ("bob", "new", 1),
                             ("bob", "auto", 1), ("ann", "none-such", 1)):
        for _ in range(times):
            status = hob.chat(name, "hello", headers=[("Authorization", f"Bearer {keys[who]}")]).status
            assert status == (404 if name == "none-such" else 200)
    seen = wait_for("all are in the book", lambda: (c := callers(hob)) and sum(n["requests"] for n in c.values()) == 11 and c)
    first = list(seen)
    assert first[:3] == [("going", "bob"), ("old", "ann"), ("old", "bob")], first
    old = seen["old", "ann"]
    assert (old["kind"], old["requests"], old["faults"], old["deprecated_until"], old["successor"]) == ("alias", 3, 0, UNTIL, "new")
    assert abs(datetime.datetime.fromisoformat(old["last"]) - datetime.datetime.now(datetime.timezone.utc)) < datetime.timedelta(minutes=10)
    kinds = {name: n["kind"] for (name, _), n in seen.items()}
    assert kinds == {"going": "model", "old": "alias", "chat": "role", "fast": "tier", "new": "model", "auto": "auto", None: None}
    assert seen[None, "ann"]["faults"] == 1  # a name that was never one of ours is nobody's
    r = cli("models", "--callers", "-c", hob.config_path, env=hob.env, dir=hob.dir)
    row = next(line for line in r.stdout.splitlines() if line.startswith("old ") and " ann " in line).split()
    assert row[:5] == ["old", "alias", "ann", "3", "0"] and row[-1] == UNTIL
    assert list(callers(hob, "--since", "1h")) == first
    assert cli("models", "--callers", "--since", "soon", env=hob.env, dir=hob.dir).returncode == 2
