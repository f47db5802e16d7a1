"""The door: by which name hob is asked, from which page, and what browsers are told. The rules row by row are in tests/unit/guard/test_door.c."""

import json
import re

import pytest
import raw
from helpers import FAKE, chat_body, cli, environment, wait_for
from test_keys import ADMIN, BODIES, bearer, new_key, routes

CHAT = "/v1/chat/completions"


def ask(hob, method, path, body=b"", headers=(), host=None):
    """With the Host and the headers as given, in that order, twice if they are there twice."""
    body = json.dumps(body).encode() if isinstance(body, dict) else body
    lines = [f"{method} {path} HTTP/1.1", f"Host: {host or '%s:%d' % hob.at}", *[f"{k}: {v}" for k, v in headers]]
    if body:
        lines.append(f"Content-Length: {len(body)}")
    with hob.connect() as c:
        c.send("\r\n".join(lines).encode() + b"\r\n\r\n" + body)
        return c.response(method)


@pytest.fixture(scope="module")
def alone(module_nursery):
    """Without keys, and nothing named."""
    return module_nursery.managed()


@pytest.fixture(scope="module")
def named(module_nursery):
    return module_nursery.managed(config={"allowed_hosts": ["hob.example.org", "*.lan"], "allowed_origins": ["https://chat.example.org", "app://*"],
                                          "roles": {"chat": {"model": "m"}}})


@pytest.fixture(scope="module")
def keyed(module_nursery):
    state = module_nursery.dir / "st"
    keys = {name: new_key(module_nursery.dir, state, name) for name in ("ann", "boss")}
    hob = module_nursery.hob({"state": str(state), "engines": {"llama": {"path": str(FAKE)}}, "models": module_nursery.model("m"),
                              "keys": [{"name": "ann"}, {"name": "boss", "admin": True}], "allowed_origins": ["https://chat.example.org"]})
    wait_for("it is ready", lambda: hob.get("/readyz").status == 200)
    hob.keys = keys
    return hob


def check_no_cors(r):
    assert not [k for k, _ in r.headers if k.lower().startswith("access-control-")], r.headers


# -- names

STRANGE = ["evil.example", "evil.example:8080", "localhost.evil.example", "10.0.0.1", "127.0.0.1.nip.io", "0.0.0.0", "[fe80::1]:8080", "2130706433"]


@pytest.mark.parametrize("host", STRANGE)
def test_a_name_that_is_not_ours_is_answered_421_everywhere(alone, host):
    paths = list(routes()) + ADMIN + [("GET", "/"), ("GET", "/v1/none"), ("DELETE", CHAT), ("OPTIONS", CHAT), ("OPTIONS", "*")]
    for method, path in paths:
        r = ask(alone, method, path, BODIES.get(path, b"") if method == "POST" else b"", host=host)
        e = r.error()
        assert (r.status, e["code"], e["hob"]["fault"]) == (421, "host_not_allowed", "caller"), (method, path, r)
        assert "allowed_hosts" in e["hob"]["hint"] and r.get("x-should-retry") == "false"
        check_no_cors(r)
    assert ask(alone, "GET", "/v1/models").status == 200


def test_names_of_this_machine_are_let_in(alone):
    for host in ("localhost", "LOCALHOST:1", "127.0.0.1", "127.9.9.9:8080", "[::1]:8080", "a.localhost", "host.docker.internal:8080"):
        assert ask(alone, "GET", "/v1/models", host=host).status == 200, host
    with alone.connect() as c:  # HTTP/1.0 may do without
        c.send(b"GET /livez HTTP/1.0\r\n\r\n")
        assert c.response().status == 200


@pytest.mark.parametrize("host", ["localhost:99999", "localhost:-0", "localhost:+1", "localhost:0x1", "localhost:8080:1", "localhost:123456", "", "[::1", "[::1]8", "a b",
                                  "localhost/x", "localhost@evil", "localhost,evil"])
def test_a_host_that_is_none_is_400(alone, host):
    r = ask(alone, "GET", "/livez", host=host or " ")
    assert r.status == 400 and r.error()["code"] == "bad_request", r


def test_a_whole_address_as_target_is_not_taken(alone):
    for target in ("http://localhost/livez", "http://evil.example/livez", "//evil.example/livez", "localhost:80"):
        r = ask(alone, "GET", target)
        assert r.status in (400, 404), r


def test_what_a_refusal_says_cannot_forge(alone):
    r = ask(alone, "GET", "/v1/models", host="a" * 300 + ".example")
    assert r.status == 421 and len(r.body) < 800
    assert "turned away" in alone.stderr()


def test_forwarded_headers_change_nothing(alone):
    for k in ("X-Forwarded-Host", "Forwarded", "X-Forwarded-For", "X-Original-Host", "X-Host"):
        assert ask(alone, "GET", "/v1/models", headers=[(k, "localhost")], host="evil.example").status == 421
        assert ask(alone, "GET", "/v1/models", headers=[(k, "evil.example")]).status == 200


def test_turned_away_callers_have_no_rows_but_are_counted(nursery):
    hob = nursery.managed()
    for host, origin in (("evil.example", None), (None, "http://evil.example")):
        r = ask(hob, "POST", CHAT, BODIES[CHAT], [("Origin", origin)] if origin else [], host)
        assert r.status in (421, 403)
    rows = cli("logs", "--json", "-c", hob.config_path, env=hob.env).stdout
    assert "host_not_allowed" not in rows and "origin_not_allowed" not in rows
    metrics = hob.get("/metrics").body.decode()
    for code in ("host_not_allowed", "origin_not_allowed"):
        assert re.search(rf'hob_requests_total{{[^}}]*code="{code}"[^}}]*}} 1', metrics), metrics


def test_named_hosts_are_let_in(named):
    for host, status in (("hob.example.org", 200), ("HOB.example.org:443", 200), ("box.lan:1", 200), ("lan", 421), ("evil.example", 421), ("localhost", 200)):
        assert ask(named, "GET", "/v1/models", host=host).status == status, host


def test_with_keys_any_name_is_taken_unless_names_are_given(keyed, nursery):
    key = bearer(keyed.keys["ann"])
    for host in ("evil.example", "hob.example.org:80", "10.0.0.1"):
        assert ask(keyed, "GET", "/v1/models", headers=key, host=host).status == 200
        assert ask(keyed, "GET", "/v1/models", host=host).status in (401, 429)
        assert ask(keyed, "GET", "/livez", host=host).status == 200
    state = nursery.dir / "st"
    ann = bearer(new_key(nursery.dir, state, "ann"))
    hob = nursery.hob({"state": str(state), "keys": [{"name": "ann"}], "allowed_hosts": ["hob.example.org"]})
    for host, status in (("evil.example", 421), ("hob.example.org", 200), ("127.0.0.1", 200)):
        assert ask(hob, "GET", "/v1/models", headers=ann, host=host).status == status


def test_a_reload_changes_names_at_once(nursery):
    hob = nursery.hob({"hosts": {}})
    with hob.connect() as c:
        def status(host):
            c.send(f"GET /livez HTTP/1.1\r\nHost: {host}\r\n\r\n".encode())
            return c.response().status
        for names, want in (([], 421), (["box.lan"], 200), ([], 421)):
            hob.config_path.write_text(json.dumps({"listen": "127.0.0.1:0", "state": str(hob.state), "allowed_hosts": names}))
            assert cli("config", "reload", "-c", hob.config_path, env=hob.env).returncode == 0
            assert hob.get("/livez").status == 200
            with hob.connect() as c:
                assert status("box.lan") == want, names


def test_the_admin_socket_knows_no_names(alone):
    import socket
    with socket.socket(socket.AF_UNIX) as s:
        s.connect(str(alone.state / "hob.sock"))
        s.sendall(b"GET /hob/v1/version HTTP/1.1\r\nHost: whatever.example\r\nOrigin: http://whatever.example\r\n\r\n")
        assert s.recv(100).startswith(b"HTTP/1.1 200 ")


# -- pages


@pytest.mark.parametrize("origin", ["http://evil.example", "https://evil.example:8080", "null", "http://localhost:3000", "http://127.0.0.1", "file://", "app://obsidian.md", "x"])
def test_pages_of_other_origins_change_nothing(alone, origin):
    before = len(alone.child().control.log().chats)
    for path, body in BODIES.items():
        for kind in ("text/plain", "application/x-www-form-urlencoded", "application/json"):  # the first two want no preflight
            r = ask(alone, "POST", path, {**body, "model": "m"}, [("Origin", origin), ("Content-Type", kind)])
            e = r.error()
            assert (r.status, e["code"], e["hob"]["fault"]) == (403, "origin_not_allowed", "caller"), r
            assert "allowed_origins" in e["hob"]["hint"]
            check_no_cors(r)
    for method in ("PUT", "DELETE", "PATCH"):
        assert ask(alone, method, CHAT, b"", [("Origin", origin)]).status == 403
    r = ask(alone, "GET", "/v1/models", headers=[("Origin", origin)])  # read by nobody but who may: no CORS
    assert r.status == 200
    check_no_cors(r)
    r = ask(alone, "OPTIONS", CHAT, headers=[("Origin", origin), ("Access-Control-Request-Method", "POST"), ("Access-Control-Request-Headers", "content-type")])
    assert r.status == 403
    check_no_cors(r)
    assert len(alone.child().control.log().chats) == before


def test_own_pages_and_programs_may(alone):
    here = "%s:%d" % alone.at
    for headers, host in (([], None), ([("Origin", f"http://{here}")], None), ([("Origin", "https://localhost")], "localhost")):
        assert ask(alone, "POST", CHAT, chat_body("m", "hello"), headers, host).status == 200
    two = [("Origin", f"http://{here}"), ("Origin", "http://evil.example")]
    assert ask(alone, "POST", CHAT, chat_body("m", "hello"), two).status == 403


def test_named_pages_may_and_their_browsers_are_told(named):
    for origin in ("https://chat.example.org", "app://obsidian.md"):
        for stream in (False, True):
            r = ask(named, "POST", CHAT, chat_body("m", "hello", stream=stream), [("Origin", origin)])
            assert r.status == 200 and r.get("access-control-allow-origin") == origin and r.get("vary") == "Origin", r
            assert {"x-request-id", "retry-after", "x-hob-model"} <= set(r.get("access-control-expose-headers").split(", "))
            assert r.get("access-control-allow-credentials") is None
        r = ask(named, "POST", CHAT, b"{", [("Origin", origin)])  # errors are read, too
        assert r.status == 400 and r.get("access-control-allow-origin") == origin
        assert ask(named, "GET", "/none", headers=[("Origin", origin)]).get("access-control-allow-origin") == origin
    with named.connect() as c:  # the next request on the connection is another's
        for origin in ("https://chat.example.org", "https://evil.example"):
            c.send(f"GET /v1/models HTTP/1.1\r\nHost: localhost\r\nOrigin: {origin}\r\n\r\n".encode())
            r = c.response()
            assert (r.get("access-control-allow-origin") == origin) == ("chat" in origin)


def preflight(hob, path, origin, headers="authorization, content-type", method="POST", more=()):
    return ask(hob, "OPTIONS", path, headers=[("Origin", origin), ("Access-Control-Request-Method", method), ("Access-Control-Request-Headers", headers), *more])


def test_preflights(named, keyed):
    for hob in (named, keyed):
        r = preflight(hob, CHAT, "https://chat.example.org", "Authorization, content-type,x-hob-class, x-api-key,x-stainless-os, x-evil, a b, cookie")
        assert r.status == 204 and r.body == b"" and r.get("content-length") is None, r
        assert r.get("access-control-allow-origin") == "https://chat.example.org" and r.get("vary") == "Origin"
        assert r.get("access-control-allow-methods") == "POST" and int(r.get("access-control-max-age")) > 0
        assert r.get("access-control-allow-headers") == "Authorization, content-type, x-hob-class, x-api-key, x-stainless-os"
        assert preflight(hob, "/v1/models", "https://chat.example.org", method="GET").get("access-control-allow-methods") == "GET, HEAD"
        assert preflight(hob, "/v1/none", "https://chat.example.org").status == 404
        assert preflight(hob, CHAT, "https://chat.example.org", more=[("Access-Control-Request-Private-Network", "true")]).get("access-control-allow-private-network") == "true"
        r = preflight(hob, CHAT, "https://evil.example")
        assert r.status == 403 and r.error()["code"] == "origin_not_allowed"
        check_no_cors(r)
    assert preflight(named, "/hob/v1/ps", "https://chat.example.org").status == 404
    assert preflight(keyed, "/hob/v1/ps", "https://chat.example.org", method="GET").status == 204
    assert ask(named, "OPTIONS", CHAT).status == 405


def test_with_keys_the_key_decides(keyed):
    key = bearer(keyed.keys["ann"])
    body = chat_body("m", "hello")
    r = ask(keyed, "POST", CHAT, body, [("Origin", "https://evil.example")])  # what a page can send without a preflight has no key
    assert r.status in (401, 429)
    check_no_cors(r)
    r = ask(keyed, "POST", CHAT, body, [("Origin", "app://some-program"), *key])
    assert r.status == 200
    check_no_cors(r)
    r = ask(keyed, "POST", CHAT, body, [("Origin", "https://chat.example.org"), *key])
    assert r.status == 200 and r.get("access-control-allow-origin") == "https://chat.example.org"
    r = ask(keyed, "GET", "/hob/v1/ps", headers=[("Origin", "https://chat.example.org"), *key])
    assert r.status == 403 and r.error()["code"] == "not_allowed" and r.get("access-control-allow-origin") == "https://chat.example.org"


def test_the_same_key_twice_and_two_keys(keyed):
    """A header that comes twice: one and the same is one, two that differ are none."""
    ann, boss = keyed.keys["ann"], keyed.keys["boss"]
    for one, other, in_ in ((ann, ann, True), (ann, boss, False), (boss, ann, False), (boss, "", False)):
        for names in (("Authorization", "Authorization"), ("x-api-key", "x-api-key"), ("Authorization", "x-api-key")):
            headers = [(n, f"Bearer {k}" if n == "Authorization" else k) for n, k in zip(names, (one, other))]
            r = ask(keyed, "GET", "/v1/models", headers=headers)
            assert (r.status == 200) == in_ and r.status in (200, 401, 429), (names, r)


# -- settings


@pytest.mark.parametrize("setting, value, says", [
    ("allowed_hosts", "*", "any name"), ("allowed_hosts", "http://a.example", "address"), ("allowed_hosts", "a.example:80", "port"), ("allowed_hosts", "a b", "name"),
    ("allowed_hosts", "a.*.example", "name"), ("allowed_hosts", "*a.example", "name"), ("allowed_hosts", "fe80::1", "bracket"), ("allowed_hosts", "*.", "name"),
    ("allowed_origins", "*", "any page"), ("allowed_origins", "null", "any page"), ("allowed_origins", "chat.example.org", "origin"),
    ("allowed_origins", "https://chat.example.org/", "slash"), ("allowed_origins", "https://*", "origin"), ("allowed_origins", "https://a.*", "origin"),
    ("allowed_origins", "https://u@a.example", "origin"), ("allowed_origins", "https://a.example:0", "origin"), ("allowed_origins", "https://a.example:x", "origin"),
    ("allowed_origins", "://a", "origin"),
])
def test_what_is_no_name_and_no_origin_is_refused(nursery, setting, value, says):
    path = nursery.dir / "c.yaml"
    path.write_text(json.dumps({setting: ["localhost" if setting == "allowed_hosts" else "http://a", value]}, indent=1))
    r = cli("config", "check", path, env=environment(nursery.dir), dir=nursery.dir)
    assert r.returncode == 2 and says in r.stderr and re.search(r"c\.yaml:\d+:\d+", r.stderr), r.stderr


@pytest.mark.parametrize("setting, value", [
    ("allowed_hosts", "hob"), ("allowed_hosts", "*.example.org"), ("allowed_hosts", "192.0.2.1"), ("allowed_hosts", "[2001:db8::1]"),
    ("allowed_origins", "https://a"), ("allowed_origins", "http://a.example:8443"), ("allowed_origins", "https://*.example.org"), ("allowed_origins", "app://*"),
    ("allowed_origins", "chrome-extension://abcdef"), ("allowed_origins", "http://[::1]:3000"),
])
def test_what_is_one_is_taken(nursery, setting, value):
    path = nursery.dir / "c.yaml"
    path.write_text(json.dumps({setting: [value]}))
    r = cli("config", "check", path, env=environment(nursery.dir), dir=nursery.dir)
    assert r.returncode == 0, r.stderr


# -- beyond this machine without keys


@pytest.mark.parametrize("listen", ["0.0.0.0:0", "[::]:0", "192.0.2.1:0", "[fe80::1]:0", "[::ffff:0.0.0.0]:0", "128.0.0.1:0", "0127.0.0.1:0", "hostname:0", "127.evil.example:0",
                                    "*:0", ":0", "0:0", "127.1:0"])
@pytest.mark.parametrize("way", ["option", "file"])
def test_no_form_of_listen_serves_others_without_keys(nursery, listen, way):
    path = nursery.dir / "c.yaml"
    path.write_text(json.dumps({"state": str(nursery.dir / "st"), **({"listen": listen} if way == "file" else {})}))
    args = ["--listen", listen] if way == "option" else []
    r = cli("serve", "-c", path, *args, env=environment(nursery.dir), dir=nursery.dir)
    assert r.returncode == 2 and "listening on" not in r.stderr, r


def test_a_socket_file_is_for_its_user_alone(nursery):
    import os
    path = nursery.dir / "hob.sock"
    hob = nursery.hob({}, args=["--listen", f"unix:{path}"], wait=None)
    wait_for("it listens", lambda: f"listening on unix:{path}" in hob.stderr())
    assert os.stat(path).st_mode & 0o777 == 0o600
    config = nursery.dir / "c.yaml"
    config.write_text(json.dumps({"listen": f"unix:{path}"}))
    assert cli("config", "check", config, env=environment(nursery.dir), dir=nursery.dir).returncode == 2


def test_a_reload_cannot_take_the_last_key_of_an_open_port(nursery):
    """Also where the address came from the command line, and by a signal."""
    import signal
    state = nursery.dir / "st"
    ann = bearer(new_key(nursery.dir, state, "ann"))
    hob = nursery.hob({"state": str(state), "keys": [{"name": "ann"}]}, args=["--listen", "0.0.0.0:0"], wait=None)
    m = wait_for("it listens", lambda: re.search(r"listening on 0\.0\.0\.0:(\d+)", hob.stderr()))
    hob.at = ("127.0.0.1", int(m[1]))
    assert hob.get("/v1/models", headers=ann).status == 200
    hob.config_path.write_text(json.dumps({"listen": "127.0.0.1:0", "state": str(state)}))
    r = cli("config", "reload", "-c", hob.config_path, "--state", state, env=hob.env, dir=hob.dir)
    assert r.returncode != 0 and "key" in r.stderr, r
    hob.signal(signal.SIGHUP)
    wait_for("the signal is served", lambda: hob.stderr().count("the configuration stays as it was") >= 2)
    assert raw.call(hob.at, "GET", "/v1/models").status in (401, 429)
    assert hob.get("/v1/models", headers=ann).status == 200
