"""Asks that are kept for a suite of one's own: only where a role says so, without personal data, bounded, and gone when their time is over."""

import json

import pytest
import raw
import yaml
from helpers import cli, content_of, wait_for

MAIL, SECRET = "jane.canary@example.com", "canary!Tr0ub4dor"
PLAIN = "the heron stands on one leg"
KEEPS = {"share": "100%"}


@pytest.fixture
def start(nursery):
    """start(capture, **config) -> (hob, its fake); the role `chat` keeps asks as `capture` says."""
    def go(capture, role=None, **config):
        fake = nursery.fake()
        chat = {"model": "m", **({"capture": capture} if capture else {}), **(role or {})}
        h = nursery.hob({"hosts": {"f": {"url": fake.url}}, "models": {"m": {"host": "f", "input": ["text", "image"]}},
                         "roles": {"chat": chat, "quiet": "m"}, **config})
        return h, fake
    return go


def door(h, path, body=None):
    r = raw.call(str(h.state / "hob.sock"), "POST" if body else "GET", "/hob/v1/" + path, json.dumps(body) if body else b"", timeout=20)
    assert r.status == 200, r.body
    return r.json()


def asks(h, role="chat"):
    return door(h, f"captured?role={role}")["asks"]


def texts(h, role="chat"):
    at = ",".join(str(a["at"]) for a in asks(h, role))
    return [a["ask"] for a in door(h, f"captured?role={role}&at={at}")["asks"]] if at else []


def wait_kept(h, n, role="chat"):
    return wait_for(f"{n} asks are kept", lambda: len(a := asks(h, role)) == n and (a,))[0]


def written(h, *needles):
    """Which of these stand in a file of the state folder."""
    files = {f: f.read_bytes() for f in h.state.rglob("*") if f.is_file()}
    return {n for n in needles for data in files.values() if n.encode() in data}


def ends(h):
    """hob_captured_total by how it ended."""
    lines = [line for line in h.get("/metrics").body.decode().splitlines() if line.startswith("hob_captured_total{")]
    return {line.split('end="')[1].split('"')[0]: int(float(line.rsplit(" ", 1)[1])) for line in lines}


def test_nothing_is_kept_unless_a_role_says_so(start):
    h, _ = start(None)
    for model in ("chat", "quiet", "m"):
        assert h.chat(model, f"{PLAIN} {MAIL}").status == 200
    assert door(h, "captured") == {"schema": 1, "roles": []} and asks(h) == []
    h.stop()  # all that waits is written
    assert written(h, PLAIN, MAIL, "canary", "heron") == set()


def test_what_is_kept_has_no_personal_data_and_what_is_private_is_not_kept(start):
    h, _ = start(KEEPS)
    tool = {"type": "function", "function": {"name": "mail", "description": f"Write to {MAIL}", "parameters": {"type": "object", "properties": {"to": {"type": "string"}}}}}
    assert h.chat("chat", f"{PLAIN} for {MAIL}, password={SECRET} [[tool mail {{\"to\":\"{MAIL}\"}}]]", tools=[tool], temperature=0.5, user=MAIL,
                  metadata={"who": MAIL}).status == 200
    wait_kept(h, 1)
    with h.open_chat("chat", f'what is my address? [[text "it is {MAIL}"]]', stream=True, max_tokens=9) as c:
        assert content_of(c.stream(c.start())) == f"it is {MAIL}"
    wait_kept(h, 2)
    with h.open_chat("chat", "[[words 40]]", stream=True) as c:
        long = content_of(c.stream(c.start()))
    wait_kept(h, 3)
    assert h.chat("chat", f"{PLAIN} in private", headers=[("x-hob-private", "true")]).status == 200
    assert h.chat("chat", f"{PLAIN} to measure", headers=[("x-client-request-id", "bench-1")]).status == 200
    assert h.chat("quiet", f"{PLAIN} elsewhere").status == 200
    assert h.chat("m", f"{PLAIN} by its name").status == 200
    assert h.chat("chat", "[[status 500]]").status != 200
    picture = [{"type": "text", "text": PLAIN}, {"type": "image_url", "image_url": {"url": "data:image/png;base64,iVBORw0KGgo="}}]
    assert h.post("/v1/chat/completions", {"model": "chat", "messages": [{"role": "user", "content": picture}]}).status == 200
    assert h.chat("chat", "x" * 70000).status == 200
    assert h.chat("chat", "the last").status == 200
    first, second, _, last = wait_kept(h, 4)
    assert (first["tools"], first["stream"], first["model"], first["host"], second["stream"]) == (True, False, "m", "f", True)
    assert wait_for("all are counted", lambda: (e := ends(h)) == {"kept": 4, "media": 1, "large": 1} and e)
    a, b, c, _ = texts(h)
    assert c["answer"]["text"] == long and len(long.split()) == 40
    assert a["messages"][0]["content"].startswith(f"{PLAIN} for [EMAIL_1], password=[SECRET_1]") and a["temperature"] == 0.5
    assert a["tools"][0]["function"]["description"] == "Write to [EMAIL_1]" and a["answer"]["calls"] == [{"name": "mail", "arguments": '{"to":"[EMAIL_1]"}'}]
    assert (b["answer"], b["max_tokens"]) == ({"text": "it is [EMAIL_1]"}, 9) and "user" not in a and "metadata" not in a
    h.stop()
    assert written(h, MAIL, SECRET, "in private", "to measure", "elsewhere", "by its name", "iVBORw0") == set() and written(h, PLAIN) == {PLAIN}


def test_names_and_numbers_of_arguments_are_looked_through(start):
    """What tells the kind of a value stands beside it in JSON, the value may be a name itself, and it may have no quotes."""
    h, _ = start(KEEPS)
    arguments = {MAIL: {"password": SECRET, "card": 4111111111111111, "phone": 5551234}}
    call = {"id": "c1", "type": "function", "function": {"name": "f", "arguments": json.dumps(arguments)}}
    tool = {"type": "function", "function": {"name": "f", "parameters": {"type": "object", "properties": {MAIL: {"const": 4111111111111111}}}}}
    messages = [{"role": "user", "content": PLAIN}, {"role": "assistant", "content": None, "tool_calls": [call]}, {"role": "tool", "tool_call_id": "c1", "content": "done"}]
    assert h.post("/v1/chat/completions", {"model": "chat", "messages": messages, "tools": [tool]}).status == 200
    wait_kept(h, 1)
    kept, = texts(h)
    assert json.loads(kept["messages"][1]["tool_calls"][0]["function"]["arguments"]) == {"[EMAIL_1]": {"password": "[SECRET_1]", "card": "[CARD_1]", "phone": "[PHONE_1]"}}
    assert kept["tools"][0]["function"]["parameters"]["properties"] == {"[EMAIL_1]": {"const": "[CARD_1]"}}
    h.stop()
    assert written(h, MAIL, SECRET, "4111111111111111", "5551234") == set()


@pytest.mark.parametrize("privacy,kept", [({}, []), ({"redact": "on"}, ["to [EMAIL_1]"]), ({"detect": "mark"}, ["to [EMAIL_1]"])])
def test_what_the_policy_keeps_here_is_not_kept_on_disk(start, nursery, privacy, kept):
    far = nursery.fake()
    h, fake = start(KEEPS, privacy=privacy, role={"fallback": ["away"]}, hosts={"f": {"url": far.url}, "far": {"url": far.url, "local": "off"}},
                    models={"m": {"host": "f"}, "away": {"host": "far"}})
    assert h.chat("chat", f"to {MAIL}").status == 200
    assert h.chat("chat", "nothing to hide").status == 200
    wait_kept(h, len(kept) + 1)
    assert [t["messages"][0]["content"] for t in texts(h)] == [*kept, "nothing to hide"]


def test_a_role_keeps_so_many_for_so_long(start):
    """The oldest go first, then all when their time is over; what was kept longer is shortened by a reload; and all of a role can be forgotten."""
    h, _ = start({"share": 1, "most": 3, "keep": "1h"}, role={"system": "Be brief.", "sampling": {"temperature": 0.25}})
    for i in range(5):
        assert h.chat("chat", f"number-{i}").status == 200
        wait_for("it is kept", lambda: (t := texts(h)) and t[-1]["messages"][-1]["content"] == f"number-{i}")
    got = texts(h)
    assert [t["messages"][1]["content"] for t in got] == ["number-2", "number-3", "number-4"]
    assert got[0]["messages"][0] == {"role": "system", "content": "Be brief."} and got[0]["temperature"] == 0.25  # what the model was asked
    (role,) = door(h, "captured")["roles"]
    assert (role["role"], role["capturing"], role["kept"], role["most"], role["keep_ms"]) == ("chat", True, 3, 3, 3600000)
    config = json.loads(h.config_path.read_text())
    config["roles"]["chat"]["capture"]["most"] = 2
    h.config_path.write_text(json.dumps(config))
    assert cli("config", "reload", "-c", h.config_path, env=h.env).returncode == 0
    wait_kept(h, 2)
    assert door(h, "captured/forget", {"role": "chat"}) == {"schema": 1, "role": "chat", "forgotten": 2}
    assert asks(h) == []
    wait_for("nothing of them is in a file, not in the log either", lambda: not written(h, *(f"number-{i}" for i in range(6))))
    assert h.chat("chat", "number-5").status == 200
    wait_kept(h, 1)
    config["roles"]["chat"]["capture"]["keep"] = "1s"
    h.config_path.write_text(json.dumps(config))
    assert cli("config", "reload", "-c", h.config_path, env=h.env).returncode == 0
    wait_kept(h, 0)
    assert h.chat("chat", "the end").status == 200  # it may be on its way yet
    h.stop()
    assert written(h, *(f"number-{i}" for i in range(6))) == set()  # not in what the file has free, either


def test_a_wish_without_a_share_is_no_wish(start, tmp_path):
    path = tmp_path / "hob.yaml"
    path.write_text("hosts: {f: {url: 'http://127.0.0.1:9'}}\nmodels: {m: {host: f}}\nroles:\n  chat: {model: m, capture: {keep: 1d}}\n")
    r = cli("config", "check", path)
    assert r.returncode == 2 and ":4:" in r.stderr and "without `share` nothing is kept" in r.stderr, r.stderr


def capture(h, *args):
    return cli("eval", "capture", *args, "-c", h.config_path, env=h.env, dir=h.dir)


def test_a_suite_is_drawn(start):
    """Of each kind one at least, the same ones for the same seed, and only what a case needs."""
    h, _ = start(KEEPS)
    r = capture(h, "chat")
    assert r.returncode == 1 and "there are none yet" in r.stderr
    r = capture(h, "quiet")
    assert r.returncode == 2 and "quiet:\n      capture: {share: 100%" in r.stderr
    assert capture(h, "nonesuch").returncode == 2 and "no role" in capture(h, "nonesuch").stderr
    for i in range(12):
        assert h.chat("chat", f'question {i} [[text "answer {i}"]]').status == 200
    assert h.chat("chat", 'question 3 [[text "answer 3"]]').status == 200  # alike
    schema = {"type": "json_schema", "json_schema": {"name": "x", "schema": {"type": "object", "required": ["a"]}}}
    assert h.chat("chat", '[[json {"a":1}]]', response_format=schema, temperature=0, max_tokens=60).status == 200
    tool = {"type": "function", "function": {"name": "find", "parameters": {"type": "object"}}}
    assert h.post("/v1/chat/completions", {"model": "chat", "tools": [tool], "messages": [
        {"role": "system", "content": "Be brief."}, {"role": "user", "content": "hi"}, {"role": "assistant", "content": "yes?"},
        {"role": "user", "content": '[[tool find {"q":"heron"}]]'}]}).status == 200
    wait_kept(h, 15)
    r = capture(h, "chat", "--n", "5", "-o", "mine.yaml", "--json")
    assert r.returncode == 0, r
    got = json.loads(r.stdout)
    assert (got["kept"], got["alike"], got["drawn"], got["left_out"], got["file"]) == (15, 1, 5, 0, "mine.yaml")
    assert sorted((s["name"], s["there"], s["drawn"]) for s in got["strata"]) == [
        ("model m, schema, short", 1, 1), ("model m, short", 12, 3), ("model m, tools, short", 1, 1)]
    first = (h.dir / "mine.yaml").read_text()
    assert (h.dir / "mine.yaml").stat().st_mode & 0o777 == 0o600
    assert capture(h, "chat", "--n", "5", "-o", "mine.yaml").returncode == 1  # what is there stays
    again = capture(h, "chat", "--n", "5")
    assert again.stdout == first and "4 of 15" not in again.stderr and "5 of 15 asks" in again.stderr, again
    assert capture(h, "chat", "--n", "5", "--seed", "2").stdout != first
    suite = {c["id"]: c for c in yaml.safe_load(first)["cases"]}
    called = next(c for c in suite.values() if "tools" in c)
    assert called["answered"] == {"tool": "find", "arguments": {"q": "heron"}} and len(called["messages"]) == 4 and called["answered_by"] == "m"
    formed = next(c for c in suite.values() if "schema" in c)
    assert (formed["temperature"], formed["max_tokens"], formed["answered"]) == (0, 60, '{"a":1}') and formed["schema"]["required"] == ["a"]
    check = cli("eval", "check", h.dir / "mine.yaml", "--json")
    assert check.returncode == 4 and {f["fault"] for f in json.loads(check.stdout)["findings"]} == {"harness"}
    status = capture(h, "--status", "--json")
    assert json.loads(status.stdout)["roles"][0]["kept"] == 15 and "chat" in capture(h, "--status").stdout
    assert capture(h, "chat", "--forget").returncode == 0 and asks(h) == []


def label(h, lines, *args):
    return cli("eval", "label", "mine.yaml", "-c", h.config_path, *args, env=h.env, dir=h.dir, input="".join(line + "\n" for line in lines))


def test_from_asks_to_a_run(start):
    """Captured, labelled (broken off, gone on with, gone back to), checked, and put to the model: the whole way."""
    h, fake = start(KEEPS)
    for i in range(4):
        assert h.chat("chat", f'question {i} [[text "answer {i}"]]').status == 200
        wait_kept(h, i + 1)
    assert capture(h, "chat", "-o", "mine.yaml").returncode == 0
    path = h.dir / "mine.yaml"
    path.write_text("# ours\n" + path.read_text())
    path.chmod(0o640)
    r = label(h, ["nonsense", "?", "w", "y", "c nothing of it", "q"], "--json")
    assert r.returncode == 0 and json.loads(r.stdout) == {"schema": 1, "file": "mine.yaml", "cases": 4, "labelled": 2, "met": 1, "skipped": 0, "left": 2}, r
    assert "question 0" in r.stderr and "answer 0" in r.stderr and "no such word" in r.stderr and "does not meet it" in r.stderr
    r = label(h, ["+c answer", "!c question", "b", "k", "k", "skip"], "--json")  # the third; the fourth is left; back to the third, which stays as it is
    assert json.loads(r.stdout) | {"file": 0} == {"schema": 1, "file": 0, "cases": 4, "labelled": 1, "met": 1, "skipped": 2, "left": 1}, r
    text = path.read_text()
    assert text.startswith("# ours\nsuite: chat-captured") and path.stat().st_mode & 0o777 == 0o640 and not list(h.dir.glob("mine.yaml.*"))
    cases = yaml.safe_load(text)["cases"]
    assert [c.get("expect") for c in cases] == [[{"equals": "answer 0"}], [{"contains": "nothing of it"}], [{"contains": "answer"}, {"not": {"contains": "question"}}], None]
    assert cases[0]["ideal"] == "answer 0"
    check = json.loads(cli("eval", "check", path, "--json").stdout)
    assert [f["case"] for f in check["findings"] if f["fault"]] == [cases[3]["id"]]
    r = cli("eval", "run", path, "--models", "m", "--json", "-c", h.config_path, env=h.env, timeout=60)
    (m,) = json.loads(r.stdout)["models"]
    assert (m["pass"], m["total"], m["faults"]["model"], m["faults"]["harness"]) == (2, 3, 1, 1), m  # who is not labelled yet counts for nobody
    assert label(h, ["n 3"], "--json").returncode == 0
    assert cli("eval", "check", path).returncode == 0
    r = label(h, [])
    assert r.returncode == 0 and "all 4 cases say what they expect" in r.stderr
    r = label(h, ["k", "c answer 1", "q"], "--all", "--json")
    assert json.loads(r.stdout)["met"] == 1 and yaml.safe_load(path.read_text())["cases"][1]["expect"] == [{"contains": "answer 1"}]
    r = cli("eval", "run", path, "--models", "m", "--at-least", "100", "-c", h.config_path, env=h.env, timeout=60)
    assert r.returncode == 0, r
    assert len(asks(h)) == 4  # a run asks models by their names: it is no ask of the role


def test_what_a_terminal_would_obey_is_not_shown(start):
    h, _ = start(None)
    (h.dir / "mine.yaml").write_text('cases:\n  - id: a\n    input: "x\\e[2Jy"\n    answered: "\\e]0;z\\a"\n')
    r = label(h, ["y"])
    assert r.returncode == 0 and "\x1b" not in r.stderr and "x?[2Jy" in r.stderr and "\a" not in r.stderr
    assert label(h, [], "--json").returncode == 0
    assert cli("eval", "label", "x.jsonl", dir=h.dir).returncode == 2 and cli("eval", "label", "nowhere.yaml", dir=h.dir).returncode == 1
