"""No key is ever seen again: whatever a secret came in by, nothing that hob writes, answers or shows holds it, as it is or in base64."""

import base64
import json
import pathlib

import gates
import pytest
import raw
from helpers import FAKE, chat_body, cli, environment
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
}


def spellings(secret):
    """As it is, and in base64 at each of the three places it may have in a longer text."""
    yield secret.encode()
    raw_bytes = secret.encode()
    for shift in range(3):
        text = base64.b64encode(b"\0" * shift + raw_bytes)
        yield text[4 if shift else 0:-4]  # what does not depend on its neighbours


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
              "roles": {"chat": {"model": "m"}}}
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
    seen += proc(hob)
    got = {v for r in up.log().requests for k, v in raw_headers(r) if k.lower() == "authorization"}
    assert {f"Bearer {SECRETS[n]}" for n in ("a host's key", "of the environment", "of a file")} <= got  # they were used
    theirs = [r.head + r.body for r in [*up.log().requests, *hob.child("m").control.log().requests]]
    for name in ("a wrong key", "in the address", "in a header of its own", "a login", "hob's key", "hob's admin key"):  # what a caller sent goes to no place
        assert not any(s in text for s in spellings(secrets[name]) for text in theirs), name
    hob.stop()
    seen += files(hob, state, {hob.config_path, key_file})  # the configuration that is kept for a restart has no name
    assert len(seen) > 90 and any("hob.db" in where for where, _ in seen)
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
