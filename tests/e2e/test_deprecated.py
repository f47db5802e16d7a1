"""Names that go: callers are told in every answer, the operator by `hob models`."""

import datetime
import json
import re

import pytest
from helpers import cli

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
