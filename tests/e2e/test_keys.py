"""Keys: who comes in, where, as whom; and that no key is ever seen again."""

import json
import os
import pathlib
import re
import signal

import pytest
import raw
import remote
from helpers import FAKE, chat_body, cli, environment, wait_for

NOT_THERE = "hob_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"


def bearer(key):
    return [("Authorization", f"Bearer {key}")]


def new_key(hob_dir, state, name, *args):
    """The key, as a person sees it once."""
    r = cli("keys", "new", name, "--state", state, *args, env=environment(hob_dir), dir=hob_dir)
    assert r.returncode == 0, r.stderr
    assert re.fullmatch(r"hob_[A-Za-z0-9_-]{43}\n", r.stdout), r.stdout
    assert r.stdout.strip() not in r.stderr
    return r.stdout.strip()


class Place:
    """A state folder with keys in it, and hobs that use them."""

    def __init__(self, nursery):
        self.nursery, self.dir = nursery, nursery.dir
        self.state = nursery.dir / "st"
        self.keys, self.entries = {}, []

    def key(self, name, **settings):
        self.keys[name] = new_key(self.dir, self.state, name)
        self.entries.append({"name": name, **settings})
        return self.keys[name]

    def hob(self, config=None, **kw):
        kw.setdefault("wait", "ready" if self.entries == [] else "listening")
        return self.nursery.hob({"state": str(self.state), "engines": {"llama": {"path": str(FAKE)}}, "keys": self.entries,
                                 "models": {**self.nursery.model("m"), **self.nursery.model("other")},
                                 "roles": {"chat": {"model": "m"}}, **(config or {})}, **kw)


@pytest.fixture
def place(nursery):
    return Place(nursery)


@pytest.fixture(scope="module")
def shared(module_nursery):
    p = Place(module_nursery)
    p.key("ann")
    p.key("bob", roles=["chat"], **{"class": "background"})
    p.key("boss", admin=True)
    p.key("lost")
    (p.state / "keys" / "lost").unlink()
    p.at = p.hob()
    wait_for("it is ready", lambda: p.at.get("/readyz").status == 200)
    return p


# -- the table of routes, whole, and who may go where

BODIES = {"/v1/chat/completions": chat_body("other", "hello"), "/v1/completions": {"model": "other", "prompt": "hello"},
          "/v1/embeddings": {"model": "other", "input": "hello"}, "/v1/rerank": {"model": "other", "query": "q", "documents": ["d"]}}
OPEN = {"/livez", "/readyz", "/health", "/openapi.json"}
ADMIN = [("GET", "/hob/v1/ps"), ("GET", "/hob/v1/models"), ("GET", "/hob/v1/version"), ("POST", "/hob/v1/models/load"), ("POST", "/hob/v1/models/unload"),
         ("GET", "/hob/v1/none")]
CREDENTIALS = [
    # headers by the keys, comes in where a key is wanted, its name
    ("none", lambda k: [], False),
    ("wrong", lambda k: bearer(NOT_THERE), False),
    ("empty", lambda k: [("Authorization", "Bearer ")], False),
    ("basic", lambda k: [("Authorization", f"Basic {k['ann']}")], False),
    ("cut", lambda k: bearer(k["ann"][:-1]), False),
    ("longer", lambda k: bearer(k["ann"] + "A"), False),
    ("lost", lambda k: bearer(k["lost"]), False),
    ("two", lambda k: [("Authorization", f"Bearer {k['ann']}"), ("x-api-key", k["bob"])], False),
    ("huge", lambda k: bearer("x" * 20000), False),
    ("ann", lambda k: bearer(k["ann"]), True),
    ("ann-x", lambda k: [("x-api-key", k["ann"])], True),
    ("ann-both", lambda k: [("Authorization", f"bearer {k['ann']}"), ("X-Api-Key", k["ann"])], True),
    ("boss", lambda k: bearer(k["boss"]), True),
]


def routes():
    document = json.loads(cli("api", "--json").stdout)
    for path, operations in document["paths"].items():
        for method in operations:
            yield method.upper(), path.replace("{id}", "m")


def test_every_route_wants_a_key_or_is_known_to_be_open(shared):
    """All of the table with all credentials; failed attempts are limited by address, so a refusal is one or the other."""
    seen = 0
    for method, path in routes():
        for name, headers, good in CREDENTIALS:
            r = raw.call(shared.at.at, method, path, json.dumps(BODIES[path]) if path in BODIES else b"", headers=headers(shared.keys))
            if path in OPEN or good:
                assert r.status not in (401, 403, 429), (method, path, name, r)
            else:
                assert r.status in (401, 429), (method, path, name, r)
                check_refusal(r)
            seen += 1
    assert seen == len(list(routes())) * len(CREDENTIALS) >= 11 * 13


def check_refusal(r):
    e = r.error()
    assert e["code"] == ("invalid_api_key" if r.status == 401 else "too_many_attempts") and e["hob"]["fault"] == "caller"
    assert (r.get("www-authenticate") == "Bearer") == (r.status == 401)
    assert r.status == 401 or int(r.get("retry-after")) >= 1


def test_the_admin_door_opens_for_an_admin_key_alone(shared):
    for method, path in ADMIN:
        for name, headers, good in CREDENTIALS:
            body = json.dumps({"model": "other"}) if method == "POST" else b""
            r = raw.call(shared.at.at, method, path, body, headers=headers(shared.keys))
            if name == "boss":
                assert r.status == (404 if path.endswith("none") else 200), (path, r)
            elif good:
                assert r.status == 403 and r.error()["code"] == "not_allowed", (path, name, r)
            else:
                assert r.status in (401, 429), (path, name, r)


def test_a_wrong_method_under_the_admin_door(shared):
    r = shared.at.post("/hob/v1/ps", b"{}", headers=bearer(shared.keys["boss"]))
    assert r.status == 405 and "GET" in r.get("allow")


def test_no_key_names_a_program(shared):
    """Who is to be run on this machine is said on the admin socket, by who could run it himself: neither as the next hob nor as a build of an engine."""
    boss = bearer(shared.keys["boss"])
    for path, body in (("upgrade", {"program": "/bin/sh"}), ("swaps/plan", {"engine": {"name": "llama", "to": "/bin/sh"}}), ("swaps/plan", {"engine": {}})):
        r = shared.at.post("/hob/v1/" + path, body, headers=boss)
        assert r.status == 400 and "on the admin socket only" in r.error()["message"], (path, r)
    assert shared.at.get("/hob/v1/swaps", headers=boss).json()["swaps"] == []


def test_a_key_with_roles_may_ask_for_those_alone(shared):
    key = bearer(shared.keys["bob"])
    assert shared.at.chat("chat", "hello", headers=key).status == 200
    r = shared.at.chat("other", "hello", headers=key)
    assert r.status == 403 and r.error()["code"] == "not_allowed" and "other" in r.error()["message"]
    assert [m["id"] for m in shared.at.get("/v1/models", headers=key).json()["data"]] == ["chat"]
    assert shared.at.get("/v1/models/chat", headers=key).status == 200
    assert shared.at.get("/v1/models/other", headers=key).status == 404
    everything = {m["id"] for m in shared.at.get("/v1/models", headers=bearer(shared.keys["ann"])).json()["data"]}
    assert {"m", "other", "chat", "auto"} <= everything


def test_the_row_of_what_cannot_be_read_names_whose_key_it_came_with(shared):
    r = shared.at.post("/v1/chat/completions", {"model": "chat", "messages": []}, headers=bearer(shared.keys["bob"]))
    assert r.status == 400
    story = json.loads(cli("logs", r.get("x-request-id"), "--json", "-c", shared.at.config_path, env=shared.at.env).stdout)
    assert (story["caller"], story["code"]) == ("bob", "invalid_request")


def test_a_key_in_the_address_is_refused_whatever_else_is_right(shared):
    for query in (f"?key={shared.keys['ann']}", "?api_key=x", f"?a=1&b={shared.keys['ann']}"):
        r = shared.at.get("/v1/models" + query, headers=bearer(shared.keys["ann"]))
        assert r.status == 400 and shared.keys["ann"] not in r.body.decode(), r


def test_a_body_without_a_key_is_not_read(shared):
    with shared.at.connect() as c:
        c.send(b"POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000000\r\n\r\n")
        r = c.response()
        assert r.status in (401, 429)


def test_readyz_says_why_only_to_who_has_a_key(place):
    place.key("ann")
    hob = place.hob({"models": place.nursery.model("m", script="load_ms 60000"), "tiers": {"fast": "m"}})
    assert hob.get("/readyz").json() == {"status": "not ready"} and hob.get("/readyz").status == 503
    told = hob.get("/readyz", headers=bearer(place.keys["ann"])).json()
    assert told["reason"] and told["tiers"]


def test_failures_are_limited_by_address_and_a_right_key_is_let_in(place):
    place.key("ann")
    hob = place.hob()
    statuses = [hob.get("/v1/models", headers=bearer(NOT_THERE)).status for _ in range(40)]
    assert statuses[:20] == [401] * 20 and 429 in statuses, statuses
    r = hob.get("/v1/models")
    assert hob.get("/v1/models", headers=bearer(place.keys["ann"])).status == 200
    r = next(r for _ in range(10) if (r := hob.get("/v1/models")).status == 429)
    assert r.error()["code"] == "too_many_attempts" and int(r.get("retry-after")) >= 1


def test_the_class_of_a_key_is_the_requests(place):
    """Background requests load nothing: by that a class is seen from outside."""
    place.key("bg", **{"class": "background"})
    hob = place.hob({"models": place.nursery.model("m", keep="demand")})
    key = bearer(place.keys["bg"])
    assert hob.chat("m", "hello", headers=key).error()["code"] == "not_resident"
    assert hob.chat("m", "hello", headers=key + [("x-hob-class", "program")]).status == 200


def test_sdks_speak_to_it(shared):
    import openai
    client = openai.OpenAI(base_url=shared.at.url + "/v1", api_key=shared.keys["ann"], max_retries=0)
    assert client.chat.completions.create(model="m", messages=[{"role": "user", "content": "hello"}]).choices[0].message.content
    wrong = openai.OpenAI(base_url=shared.at.url + "/v1", api_key=NOT_THERE, max_retries=0)
    with pytest.raises((openai.AuthenticationError, openai.RateLimitError)):
        wrong.models.list()


# -- reload


def reload(hob, keys):
    config = json.loads(hob.config_path.read_text())
    config["keys"] = keys
    hob.config_path.write_text(json.dumps(config))
    return cli("config", "reload", "-c", hob.config_path, env=hob.env, dir=hob.dir)


def test_a_reload_takes_keys_away_and_brings_others(place):
    ann = place.key("ann")
    hob = place.hob()
    assert hob.get("/v1/models", headers=bearer(ann)).status == 200
    bob = new_key(place.dir, place.state, "bob")
    assert hob.get("/v1/models", headers=bearer(bob)).status == 401
    assert reload(hob, [{"name": "bob"}]).returncode == 0
    assert hob.get("/v1/models", headers=bearer(ann)).status == 401
    assert hob.get("/v1/models", headers=bearer(bob)).status == 200
    with hob.connect() as c:  # a connection that is there already, too
        for key, status in ((bob, 200), (ann, 401), (bob, 200)):
            c.send(raw.request_bytes("GET", "/v1/models", headers=bearer(key)))
            assert c.response().status == status
    assert reload(hob, []).returncode == 0
    assert hob.get("/v1/models").status == 200


def test_a_signal_takes_them_over_too(place):
    ann = place.key("ann")
    hob = place.hob()
    (place.state / "keys" / "ann").unlink()
    hob.signal(signal.SIGHUP)
    wait_for("the key opens no more", lambda: hob.get("/v1/models", headers=bearer(ann)).status != 200)
    assert "ann opens nothing" in hob.stderr()


def test_a_request_under_way_ends_as_it_began(place):
    ann = place.key("ann")
    hob = place.hob(wait="listening")
    with hob.connect() as c:
        c.send(raw.request_bytes("POST", "/v1/chat/completions", chat_body("m", "[[words 200]] [[gap_ms 5]]", stream=True), headers=bearer(ann)))
        c.until(b"data: ", "the answer begins")
        assert reload(hob, [{"name": "nobody"}]).returncode == 0
        assert hob.get("/v1/models", headers=bearer(ann)).status == 401
        c.until(b"[DONE]", "the answer ends")


def test_a_gateway_that_died_wants_keys_again(place):
    ann = place.key("ann")
    hob = place.hob()
    os.kill(hob.gateway().pid, signal.SIGKILL)

    def answers():
        try:
            return hob.get("/livez").status == 200
        except (OSError, raw.Gone):
            return False
    wait_for("it is back", answers)
    assert hob.get("/v1/models").status == 401
    assert hob.get("/v1/models", headers=bearer(ann)).status == 200


def test_revoke_is_at_once(place):
    ann = place.key("ann")
    hob = place.hob()
    assert hob.get("/v1/models", headers=bearer(ann)).status == 200
    r = cli("keys", "revoke", "ann", "-c", hob.config_path, env=hob.env, dir=hob.dir)
    assert r.returncode == 0 and "lets it in no more" in r.stderr and r.stdout == ""
    assert hob.get("/v1/models", headers=bearer(ann)).status == 401
    r = cli("keys", "revoke", "ann", "-c", hob.config_path, env=hob.env, dir=hob.dir)
    assert r.returncode == 1 and "there is no key 'ann'" in r.stderr and "hob keys list" in r.stderr
    again = cli("keys", "new", "ann", "-c", hob.config_path, env=hob.env, dir=hob.dir).stdout.strip()
    assert cli("config", "reload", "-c", hob.config_path, env=hob.env, dir=hob.dir).returncode == 0
    assert hob.get("/v1/models", headers=bearer(again)).status == 200
    assert hob.get("/v1/models", headers=bearer(ann)).status == 401


# -- files and commands


def test_a_key_file_that_others_may_read_opens_nothing(place):
    ann = place.key("ann")
    os.chmod(place.state / "keys" / "ann", 0o644)
    hob = place.hob()
    assert hob.get("/v1/models", headers=bearer(ann)).status == 401
    assert "chmod 600" in hob.stderr()


def test_list_says_who_and_whether_it_opens(place):
    place.key("ann", roles=["chat"], admin=True)
    place.key("bob")
    (place.state / "keys" / "bob").unlink()
    new_key(place.dir, place.state, "stray")
    config = place.dir / "c.yaml"
    config.write_text(json.dumps({"state": str(place.state), "keys": place.entries, "hosts": {"up": {"url": "http://127.0.0.1:1"}},
                                  "models": {"m": {"host": "up"}}, "roles": {"chat": {"model": "m"}}}))
    r = cli("keys", "list", "--json", "-c", config, env=environment(place.dir), dir=place.dir)
    keys = {k["name"]: k for k in json.loads(r.stdout)["keys"]}
    assert keys["ann"] == {"name": "ann", "class": None, "roles": ["chat"], "admin": True, "file": str(place.state / "keys" / "ann"),
                           "configured": True, "opens": True, "why_not": None}
    assert not keys["bob"]["opens"] and "not there" in keys["bob"]["why_not"]
    assert not keys["stray"]["configured"] and not keys["stray"]["opens"]
    table = cli("keys", "-c", config, env=environment(place.dir), dir=place.dir)
    assert table.returncode == 0 and "opens nothing" in table.stdout and "not configured" in table.stdout
    for key in place.keys.values():
        assert key not in r.stdout + table.stdout + table.stderr and key[4:] not in (place.state / "keys" / "ann").read_text()


def test_new_says_what_to_write_and_it_works(place):
    r = cli("keys", "new", "alice", "--class", "chat", "--roles", "chat, m", "--admin", "--state", place.state, env=environment(place.dir), dir=place.dir)
    assert r.returncode == 0 and "hob config reload" in r.stderr
    key, entry = r.stdout.strip(), r.stderr[r.stderr.index("keys:\n"):]
    assert "- name: alice\n  class: chat\n  roles: [chat, m]\n  admin: on\n" in entry
    path = place.nursery.model("m")["m"]["file"]
    hob = place.nursery.hob(f"listen: 127.0.0.1:0\nstate: {place.state}\nengines: {{llama: {{path: {FAKE}}}}}\n"
                            f"models: {{m: {{file: {path}, context: 4096}}}}\nroles: {{chat: {{model: m}}}}\n{entry}")
    assert hob.chat("chat", "hello", headers=bearer(key)).status == 200
    assert hob.get("/hob/v1/version", headers=bearer(key)).status == 200
    assert os.stat(place.state / "keys" / "alice").st_mode & 0o777 == 0o600
    assert os.stat(place.state / "keys").st_mode & 0o777 == 0o700


def test_new_as_json_and_what_it_refuses(place):
    def run(*args):
        return cli("keys", *args, "--state", place.state, env=environment(place.dir), dir=place.dir)
    o = json.loads(run("new", "a", "--json").stdout)
    assert o["schema"] == 1 and o["key"].startswith("hob_") and o["name"] == "a" and o["configured"] is False and o["file"].endswith("/keys/a")
    r = run("new", "a")
    assert r.returncode == 1 and "there already" in r.stderr and "revoke" in r.stderr and r.stdout == ""
    for name in ("../x", "a/b", ".a", "", "a b", "x" * 65, "a\nb", "ä"):
        r = run("new", name)
        assert r.returncode == 2 and r.stdout == "" and r.stderr, name
    assert run("new").returncode == 2 and run("nonsense").returncode == 2
    assert run("new", "c", "--class", "king").returncode == 2
    r = run("revoke", "nobody")
    assert r.returncode == 1 and r.stderr
    assert sorted(p.name for p in (place.state / "keys").iterdir()) == ["a"]


@pytest.mark.parametrize("keys, says", [
    ([{"name": "a/b"}], "a/b"), ([{"name": "a"}, {"name": "a"}], "two keys"), ([{}], "name"), ([{"name": "a", "class": "king"}], "king"),
    ([{"name": "a", "roles": ["caht"]}], "caht"), ([{"name": ".x"}], ".x"),
])
def test_bad_entries_are_refused(place, keys, says):
    path = place.dir / "c.yaml"
    path.write_text(json.dumps({"hosts": {"up": {"url": "http://127.0.0.1:1"}}, "models": {"m": {"host": "up"}}, "roles": {"chat": {"model": "m"}},
                                "keys": keys}, indent=1))
    r = cli("config", "check", path, env=environment(place.dir), dir=place.dir)
    assert r.returncode == 2 and says in r.stderr and re.search(r"c\.yaml:\d+:\d+", r.stderr), r.stderr


# -- beyond this machine


@pytest.mark.parametrize("listen", ["0.0.0.0:0", "[::]:0", "192.0.2.1:80"])
def test_without_keys_others_are_not_listened_for(place, listen):
    r = cli("serve", "--listen", listen, "--state", place.state, env=environment(place.dir), dir=place.dir)
    assert r.returncode == 2 and "keys" in r.stderr and "loopback" in r.stderr
    path = place.dir / "c.yaml"
    path.write_text(f'listen: "{listen}"\n')
    r = cli("serve", "-c", path, env=environment(place.dir), dir=place.dir)
    assert r.returncode == 2 and "c.yaml:1:" in r.stderr and "hob keys new" in r.stderr


@pytest.mark.parametrize("listen", ["here:80", "1.2.3:80", "300.1.1.1:80", "example.com:80", "[127.0.0.1]:80", "::1:80", ":80", "[fe80::x]:1"])
def test_what_is_no_address_is_not_listened_on(place, listen):
    path = place.dir / "c.yaml"
    path.write_text(f'listen: "{listen}"\nkeys: [{{name: a}}]\n')
    r = cli("config", "check", path, env=environment(place.dir), dir=place.dir)
    assert r.returncode == 2 and "c.yaml:1:" in r.stderr, r.stderr


def test_with_keys_all_addresses_are_listened_on(place):
    ann = place.key("ann")
    hob = place.hob({"listen": "0.0.0.0:0"}, wait=None)
    m = wait_for("it listens", lambda: re.search(r"listening on 0\.0\.0\.0:(\d+)", hob.stderr()))
    hob.at, hob.url = ("127.0.0.1", int(m[1])), f"http://127.0.0.1:{m[1]}"
    assert "unencrypted" in hob.stderr() and "TLS" in hob.stderr()
    assert hob.get("/v1/models").status == 401
    assert hob.get("/v1/models", headers=bearer(ann)).status == 200
    r = cli("run", "m", "hello", "-c", hob.config_path, env={**hob.env, "HOB_KEY": ann}, dir=hob.dir)
    assert r.returncode == 0 and "unencrypted" not in r.stderr
    for config in ({"listen": "0.0.0.0:0"}, {"listen": "127.0.0.1:0"}):  # the last key stays as long as others are listened for
        hob.config_path.write_text(json.dumps({"state": str(place.state), **config}))
        r = cli("config", "reload", "--state", place.state, env=hob.env, dir=hob.dir)
        assert r.returncode == 2 and "key" in r.stderr, r
        assert hob.get("/v1/models").status == 401


def test_with_keys_all_of_ipv6_is_listened_on(place):
    boss = place.key("boss", admin=True)
    hob = place.hob({"listen": "[::]:0"}, wait=None)
    m = wait_for("it listens", lambda: re.search(r"listening on \[::\]:(\d+)", hob.stderr()))
    for key, code in ((boss, 0), (NOT_THERE, 1)):
        r = cli("models", env=environment(place.dir, {"HOB_URL": f"http://[::1]:{m[1]}", "HOB_KEY": key}), dir="/")
        assert r.returncode == code, r


# -- commands, from elsewhere


@pytest.mark.parametrize("command", [["ps"], ["ps", "--json"], ["models"], ["models", "--json"], ["load", "other"], ["unload", "other"], ["run", "m", "hello"],
                                     ["run", "m", "hello", "--json"], ["config", "reload"], ["__names"]])
def test_commands_by_url_and_key(shared, command):
    def run(key, url=shared.at.url):
        env = environment(shared.dir, {"HOB_URL": url, **({"HOB_KEY": key} if key else {})})
        return cli(*command, env=env, dir="/")
    boss = run(shared.keys["boss"])
    assert boss.returncode == 0 and boss.stdout, boss
    assert run(shared.keys["boss"], shared.at.url + "/v1").stdout
    if command[0] == "__names":  # for completions: quiet
        return
    for key in (None, NOT_THERE):
        r = run(key)
        assert r.returncode == 1 and (r.stdout == "" or "--json" in command) and ("HOB_KEY" in r.stderr or "Too many" in r.stderr), r
    ann = run(shared.keys["ann"])
    if command[0] == "run":
        assert ann.returncode == 0
    else:
        assert ann.returncode == 1 and "/hob/v1" in ann.stderr, ann


def test_without_keys_the_admin_door_is_not_at_the_port(place):
    hob = place.hob({"keys": []})
    for method, path in ADMIN:
        assert raw.call(hob.at, method, path, b"{}" if method == "POST" else b"").status == 404
    r = cli("ps", env=environment(place.dir, {"HOB_URL": hob.url, "HOB_KEY": NOT_THERE}), dir="/")
    assert r.returncode == 1 and "HOB_URL" in r.stderr
    maps = pathlib.Path(f"/proc/{hob.gateway().pid}/maps").read_text()
    assert "hob-web.so" not in maps


# -- never seen again


def everything_written(hob, place):
    """What a key must not be in: files of the state folder, logs, what /proc tells."""
    for root in (place.state, hob.dir):
        for path in pathlib.Path(root).rglob("*"):
            if path.is_file():
                yield str(path), path.read_bytes()
    for p in [*hob.tree(), *[q for q in [hob.gateway()] if q]]:
        for name in ("cmdline", "environ"):
            yield f"{p.pid}/{name}", pathlib.Path(f"/proc/{p.pid}/{name}").read_bytes()


def test_no_key_is_in_anything_that_is_written(place):
    good = place.key("canary", admin=True)
    wrong = "hob_" + "WrongCanary" * 3 + "WrongCanar"
    hob = place.hob(args=["--log", "trace"])
    answers = []
    for key in (good, wrong):
        for path in ("/v1/models", "/metrics", "/hob/v1/ps", "/v1/none", "/readyz", f"/v1/models?key={key}"):
            answers.append(hob.get(path, headers=bearer(key)))
        answers.append(hob.chat("m", "hello", headers=bearer(key)))
        answers.append(hob.chat("nothing", "hello", headers=bearer(key)))
        answers.append(hob.chat("m", "hello", headers=[("x-api-key", key)], stream=True))
        answers.append(hob.post("/v1/chat/completions", b"{", headers=bearer(key)))
    child = hob.child("m").control.log()  # nor does a place that is asked get it
    assert child.chats and not any(key.encode() in r.head + r.body for r in child.requests for key in (good, wrong))
    said = [r.body for r in answers] + [str(r.headers).encode() for r in answers]
    for command in (["keys", "list"], ["keys", "list", "--json"], ["config", "show"], ["ps", "--json"], ["config", "reload"]):
        r = cli(*command, "-c", hob.config_path, env={**hob.env, "HOB_KEY": good}, dir=hob.dir)
        said += [r.stdout.encode(), r.stderr.encode()]
    hob.stop()
    fake = [p for p in place.dir.rglob("*") if p.is_file()]
    for where, text in [("answers", t) for t in said] + [(str(p), p.read_bytes()) for p in fake] + list(everything_kept(hob, place)):
        for key in (good, wrong):
            assert key.encode() not in text and key[4:].encode() not in text, where


def everything_kept(hob, place):
    for root in (place.state, hob.dir):
        for path in pathlib.Path(root).rglob("*"):
            if path.is_file():
                yield str(path), path.read_bytes()


def test_no_key_is_in_what_proc_tells(place):
    good = place.key("canary")
    hob = place.hob()
    assert hob.chat("m", "hello", headers=bearer(good)).status == 200
    for where, text in everything_written(hob, place):
        assert good[4:].encode() not in text, where


# -- commands over https


class AtPort:
    def __init__(self, port):
        self.port = port


def test_commands_over_https(shared, tmp_path_factory):
    authority = remote.Authority(tmp_path_factory.mktemp("tls") / "ca")
    front = remote.Front(AtPort(shared.at.at[1]), *authority.leaf("IP:127.0.0.1"))
    try:
        def run(*command, **env):
            return cli(*command, env=environment(shared.dir, {"HOB_URL": front.url, "HOB_KEY": shared.keys["boss"], **env}), dir="/")
        for command in (["ps", "--json"], ["load", "other"], ["run", "m", "hello"], ["models"]):
            r = run(*command, SSL_CERT_FILE=str(authority.file))
            assert r.returncode == 0 and r.stdout and "unencrypted" not in r.stderr, r
        r = run("ps")
        assert r.returncode != 0 and "certificate" in r.stderr, r
    finally:
        front.stop()
