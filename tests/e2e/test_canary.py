"""No key is ever seen again: whatever a secret came in by, nothing that hob writes, answers or shows holds it, as it is or in base64."""

import base64
import json
import os
import pathlib
import re
import resource
import signal
import subprocess
import sys

import gates
import pytest
import raw
from canary import spellings
from helpers import BIN, FAKE, HOB, ROOT, SANITIZED, chat_body, cli, environment, processes, tree, wait_for
from test_keys import bearer, new_key

SECRETS = {  # where it comes in: the value
    "a host's key": "sk-canary-host-8d1f0a6be3574c2f",
    "of the environment": "sk-canary-env-5e77b02a91cc4d08",
    "of a file": "sk-canary-file-c04b6619a3f24e7d",
    "a proxy's login": "canaryproxy3fb8e1d2",
    "a wrong key": "hob_" + "CanaryWrong" * 3 + "CanaryWron",
    "in the address": "hob_" + "CanaryQuery" * 3 + "CanaryQuer",
    "in a header of its own": "canary-header-71f0d9",
    "a login": "canarybasic:9b2e4d",
    "who is told of swaps": "canaryhook4f0c8b77",
}


@pytest.fixture
def scene(nursery):
    state = nursery.dir / "st"
    keys = {"ann": new_key(nursery.dir, state, "ann"), "boss": new_key(nursery.dir, state, "boss")}
    up = nursery.fake()
    file = nursery.dir / "cloud.key"
    file.write_text(SECRETS["of a file"] + "\n")
    file.chmod(0o600)
    config = {"state": str(state), "engines": {"llama": {"path": str(FAKE)}}, "keys": [{"name": "ann"}, {"name": "boss", "admin": True}],
              "hosts": {"plain": {"url": up.url, "key": SECRETS["a host's key"]}, "env": {"url": up.url, "key": "${env:CANARY}"},
                        "file": {"url": up.url, "key": f"${{file:{file}}}"}, "dead": {"url": "http://127.0.0.1:9", "key": SECRETS["a host's key"]},
                        "behind": {"url": "http://192.0.2.1:9", "proxy": f"socks5h://u:{SECRETS['a proxy' + chr(39) + 's login']}@127.0.0.1:9", "local": False,
                                   "timeouts": {"connect": "1s"}}},
              "models": {**nursery.model("m"), **{h: {"host": h} for h in ("plain", "env", "file", "dead", "behind")}},
              "roles": {"chat": {"model": "m", "capture": {"share": "100%"}}}, "notify": {"url": f"{up.url}/{SECRETS['who is told of swaps']}"}}
    hob = nursery.hob(config, args=["--log", "trace"], env={"CANARY": SECRETS["of the environment"]})
    return hob, up, keys, state, file


def play(hob, keys):
    """Everything that is answered, errors too."""
    good, wrong = bearer(keys["ann"]), bearer(SECRETS["a wrong key"])
    query = SECRETS["in the address"]
    basic = [("Authorization", "Basic " + base64.b64encode(SECRETS["a login"].encode()).decode())]
    odd = [("X-Secret", SECRETS["in a header of its own"]), ("Cookie", "k=" + SECRETS["in a header of its own"]), ("Proxy-Authorization", "Bearer " + SECRETS["in a header of its own"])]
    for headers in (good, wrong, basic, good + odd, bearer(keys["boss"]), [("x-api-key", keys["ann"])]):
        for path in ("/v1/models", "/metrics", "/readyz", "/v1/none", "/hob/v1/ps", "/hob/v1/logs", "/hob/v1/state", f"/v1/models?api_key={query}", f"/hob/v1/ps?key={query}"):
            yield raw.call(hob.at, "GET", path, headers=headers)
    for model in ("m", "plain", "env", "file", "dead", "behind", "nobody"):
        for stream in (False, True):
            yield hob.chat(model, "hello", headers=good + odd, stream=stream, timeout=60)
    yield hob.chat("chat", "to be kept", headers=good + odd)
    yield hob.chat("plain", "[[status 401]]", headers=good)
    yield raw.call(hob.at, "POST", "/v1/chat/completions", b"{", headers=good)
    yield raw.call(hob.at, "POST", "/hob/v1/route/explain?show_body=all", chat_body("env", "hello"), headers=bearer(keys["boss"]))


def commands(hob, keys):
    env = {**hob.env, "HOB_KEY": keys["boss"]}
    for command in (["config", "show"], ["config", "show", "--json"], ["config", "check"], ["config", "schema"], ["config", "reload"], ["ps"], ["ps", "--json"], ["models", "--json"],
                    ["doctor"], ["doctor", "--json"], ["keys"], ["keys", "list", "--json"], ["logs", "--json"], ["logs", "-n", "all"], ["logs", "--faults"], ["logs", "--engine", "m"],
                    ["route", "explain", "env", "hello", "--show-body"], ["route", "explain", "plain", "hello", "--json"], ["gain"], ["version", "--json"], ["show", "m"], ["run", "env", "hello"]):
        r = cli(*command, "-c", hob.config_path, env=env, dir=hob.dir, timeout=60)
        yield " ".join(command), (r.stdout + r.stderr).encode()


SUITE = {"suite": "canary", "cases": [{"id": f"c{i}", "input": f"hello {i} [[words 3]]", "expect": [{"min_words": 2}]} for i in range(3)]}


def swaps(hob, keys):
    """Suites, swaps, what was kept, what it all comes to: as an operator does it, with the admin key."""
    env = {**hob.env, "HOB_KEY": keys["boss"]}
    suite = hob.dir / "suite.json"
    suite.write_text(json.dumps(SUITE))
    for code, command in [
            (0, ["eval", "run", suite, "--models", "m,plain", "-q"]), (0, ["eval", "show", "1"]), (0, ["eval", "export", "1"]),
            (0, ["swap", "plan", "--role", "chat=plain"]), (0, ["swap", "evidence", "1", "--suite", suite, "-q"]), (0, ["swap", "start", "1", "--force", "--why", "to see it"]),
            (0, ["swap", "status", "1", "--json"]), (0, ["swap", "rollback", "1"]), (0, ["swap", "log", "1"]), (0, ["swap", "report", "1"]), (0, ["swap", "history"]), (0, ["stats"]),
            (0, ["stats", "--json"]), (0, ["bench", "plain", "--contexts", "64", "--concurrency", "1", "--tokens", "8", "--runs", "1", "-q"])]:
        r = cli(*command, "-c", hob.config_path, env=env, dir=hob.dir, timeout=60)
        assert r.returncode == code, r
        yield " ".join(map(str, command)), (r.stdout + r.stderr).encode()
    for path in ("evals", "evals/show?run=1", "swaps", "swaps/log", "captured", "captured?role=chat", "stats"):
        r = raw.call(hob.at, "GET", f"/hob/v1/{path}", headers=bearer(keys["boss"]))
        assert r.status == 200, r
        yield path, r.body


def proc(hob):
    """Arguments and environments. A hob has the environment it was given (the operator put the secret there); its children have not."""
    gateway = hob.gateway()
    for p in hob.tree():
        yield f"{p.pid}/cmdline", pathlib.Path(f"/proc/{p.pid}/cmdline").read_bytes()
        if p.pid not in (hob.pid, gateway.pid):
            yield f"{p.pid}/environ", pathlib.Path(f"/proc/{p.pid}/environ").read_bytes()


def files(hob, state, known):
    for root in (state, hob.dir, hob.dir.parent if hob.dir.parent.name.startswith("hobt") else hob.dir):
        for path in pathlib.Path(root).rglob("*"):
            if path.is_file() and path not in known:
                yield str(path), path.read_bytes()


def test_no_secret_is_seen_again(scene):
    hob, up, keys, state, key_file = scene
    secrets = {**SECRETS, "hob's key": keys["ann"], "hob's admin key": keys["boss"]}
    seen = [(f"answer {i}: {r.status}", r.body + str(r.headers).encode()) for i, r in enumerate(play(hob, keys))]
    seen += commands(hob, keys)
    seen += swaps(hob, keys)
    seen += proc(hob)
    got = {v for r in up.log().requests for k, v in raw_headers(r) if k.lower() == "authorization"}
    assert {f"Bearer {SECRETS[n]}" for n in ("a host's key", "of the environment", "of a file")} <= got  # they were used
    wait_for("steps were told, and that it did not work was said", lambda: "could not be told" in hob.stderr())
    assert any(SECRETS["who is told of swaps"] in r.target for r in up.log().requests)
    theirs = [r.head + r.body for r in [*up.log().requests, *hob.child("m").control.log().requests]]
    for name in ("a wrong key", "in the address", "in a header of its own", "a login", "hob's key", "hob's admin key"):  # what a caller sent goes to no place
        assert not any(s in text for s in spellings(secrets[name]) for text in theirs), name
    hob.stop()
    seen += files(hob, state, {hob.config_path, key_file})  # the configuration that is kept for a restart has no name
    assert len(seen) > 115 and any("hob.db" in where for where, _ in seen)
    hits = [(name, where) for name, secret in secrets.items() for where, text in seen if any(s in text for s in spellings(secret))]
    gates.record("canary", "answers, outputs, files and arguments looked through", len(seen), "")
    gates.record("canary", "secrets seen", len(hits), "= 0")
    assert not hits, hits


def raw_headers(request):
    for line in request.head.decode("latin-1").split("\r\n")[1:]:
        name, _, value = line.partition(": ")
        yield name, value


def test_what_a_service_manager_reads_has_none(nursery):
    """`hob service install --dry-run` prints a unit: no key of the configuration is in it."""
    path = nursery.dir / "c.yaml"
    path.write_text(json.dumps({"hosts": {"up": {"url": "http://127.0.0.1:9", "key": SECRETS["a host's key"]}}}))
    for kind in ("systemd", "launchd"):
        r = cli("service", "install", "--dry-run", "--for", kind, "-c", path, env=environment(nursery.dir), dir=nursery.dir)
        assert not any(s in (r.stdout + r.stderr).encode() for s in spellings(SECRETS["a host's key"]))


def test_what_is_measured_aside_has_none(nursery):
    """A hob of its own is made out of the configuration: what of it no model there needs is not in it, nor in what its processes show."""
    run = nursery.dir / "r"
    run.mkdir(mode=0o700)
    config = nursery.dir / "hob.yaml"
    model = nursery.model("m", 'default [[text "yes yes"]] [[gap_ms 100000]]', keep="demand", threads=2)
    config.write_text(json.dumps({"state": str(nursery.dir / "state"), "budget": {"reserve": "1MiB"}, "engines": {"llama": {"path": str(FAKE)}}, "models": {**model, "far": {"host": "up"}},
                                  "hosts": {"up": {"url": "http://127.0.0.1:9", "key": SECRETS["a host's key"]}}, "notify": {"url": f"http://127.0.0.1:9/{SECRETS['who is told of swaps']}"}}))
    p = subprocess.Popen([HOB, "tune", "m", "--quiet", "-c", config], env=environment(nursery.dir), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        def engine():
            return [q for q in tree(p.pid) if "--model" in q.args]
        wait_for("its engine runs", engine, 30)
        seen = [(str(path), path.read_bytes()) for path in run.rglob("*") if path.is_file()]
        seen += [(f"{q.pid}/{what}", pathlib.Path(f"/proc/{q.pid}/{what}").read_bytes()) for q in tree(p.pid) for what in ("cmdline", "environ")]
        assert any(where.endswith("hob.yaml") for where, _ in seen)
    finally:
        p.send_signal(signal.SIGKILL)
        p.wait()
    wait_for("nothing of it is left", lambda: not [q for q in processes() if any(str(nursery.dir) in a for a in q.args)], 30)
    hits = [(name, where) for name in SECRETS for where, text in seen if any(x in text for x in spellings(SECRETS[name]))]
    assert not hits, hits


@pytest.mark.skipif(SANITIZED, reason="a sanitizer looks at itself from outside: hob lets it")
def test_none_of_us_leaves_a_core(scene):
    """Where whoever started it lets programs leave their memory behind."""
    hob, _, keys, _, _ = scene
    assert hob.chat("env", "hello", headers=bearer(keys["ann"])).status == 200
    for p in (hob.child("m"), hob.gateway()):
        assert resource.prlimit(p.pid, resource.RLIMIT_CORE) == (0, 0), p
    gateway = hob.gateway()
    assert os.stat(f"/proc/{gateway.pid}/mem").st_uid == 0  # of a process that may not be dumped


# What has no hob, or has another program's life as its subject; and this file.
NOT_FOR_SECRETS = ("test_canary", "test_torture", "test_soak", "test_power", "test_statistics", "test_fake", "test_fault_proxy", "test_no_memory", "test_keeper_no_memory", "test_lint")


@pytest.mark.torture
@pytest.mark.skipif(gates.FORM != "long" or SANITIZED, reason="the whole suite again")
def test_all_suites_at_trace_level(tmp_path):
    """canary.py is in each of them. A test that fails because there is more in a log than it looks for is told; what is asked here is that nothing holds a key."""
    suites = sorted(str(p) for p in pathlib.Path(__file__).parent.glob("test_*.py") if p.stem not in NOT_FOR_SECRETS)
    env = {k: v for k, v in os.environ.items() if k not in ("HOB_GATES", "PYTEST_CURRENT_TEST")} | {"HOB_TEST_CANARY": str(tmp_path), "HOB_TEST_FORM": "quick", "HOB_BIN_DIR": str(BIN)}
    r = subprocess.run([sys.executable, "-m", "pytest", "-q", "--timeout", "300", "-p", "no:cacheprovider", "-p", "no:schemathesis", "-n", os.environ.get("HOB_TEST_JOBS", "4"),
                        "--dist", "loadfile", *suites], cwd=ROOT, env=env, capture_output=True, text=True, check=False)
    print(r.stdout[-20000:], r.stderr[-2000:])
    lines = [json.loads(line) for path in tmp_path.glob("*.jsonl") for line in path.read_text().splitlines()]
    looked = {kind: sum(line["looked"].get(kind, 0) for line in lines) for kind in ("answers", "outputs", "files", "arguments", "environments", "metrics")}
    hits = [(line["test"], *hit) for line in lines for hit in line["hits"]]
    ended = {what: int(n) for n, what in re.findall(r"(\d+) (passed|failed|errors?)\b", r.stdout.splitlines()[-1])}
    for what, value, holds in [
            ("all suites at trace level: secrets seen", len(hits), "= 0"), ("all suites at trace level: tests", ended.get("passed", 0), ">= 2000"),
            ("all suites at trace level: tests that failed with it", sum(n for what, n in ended.items() if what != "passed"), ""),
            ("all suites at trace level: hobs looked through", len(lines), ""), ("all suites at trace level: looked through", looked, ""),
            ("all suites at trace level: MiB", sum(line["bytes"] for line in lines) >> 20, "")]:
        gates.record("canary", what, value, holds)
    assert not hits, hits[:20]
    assert ended.get("passed", 0) >= 2000 and all(looked.values()), (ended, looked)
