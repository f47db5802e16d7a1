"""Hosts over https and behind proxies: who is trusted, what is told when it fails, and that streams, cancels and connections are as over plain HTTP."""

import json
import pathlib
import shutil
import ssl

import helpers
import hub as hubs
import pytest
import remote
from helpers import content_of

LOGIN = "caller:s3cret-login"


@pytest.fixture(scope="module")
def authority(tmp_path_factory):
    return remote.Authority(tmp_path_factory.mktemp("tls") / "ca")


@pytest.fixture(scope="module")
def leaf(authority):
    """A certificate that holds for where the fakes are, and for a name that only proxies know."""
    return authority.leaf("DNS:far.test,DNS:localhost,IP:127.0.0.1")


@pytest.fixture
def keep():
    """Stops what it is given when the test is over."""
    kept = []
    yield lambda one: kept.append(one) or one
    for one in reversed(kept):
        one.stop()


@pytest.fixture
def front(fake, leaf, keep):
    return keep(remote.Front(fake, *leaf))


def config(url, **host):
    return {"hosts": {"up": {"kind": "openai", "url": url, "key": "host-key", **host}}, "models": {"far": {"host": "up"}}}


def refusal(h):
    """What a caller is told, and that no login and no key are in it or in any log."""
    r = h.chat("far", "hi")
    text = r.body.decode()
    assert r.status == 502, text
    for secret in ("s3cret", "caller:", "host-key"):
        assert secret not in text + h.stderr()
    e = json.loads(text)["error"]
    return f"{e['message']} {e['hob'].get('hint')}"


def maps(pid):
    return pathlib.Path(f"/proc/{pid}/maps").read_text()


def test_an_answer_a_stream_and_one_connection_for_all(hob, fake, front, authority):
    h = hob(config(front.url + "/v1", ca=str(authority.file)))
    assert h.chat("far", "[[words 3]]").status == 200
    stream = h.chat("far", "[[words 200]]", stream=True)
    assert len(content_of(stream.events()).split()) == 200
    assert h.chat("far", "[[words 100]] [[word_bytes 10000]]").status == 200
    assert front.accepted <= 2  # the second is of who looks after its health
    sent = fake.chat(3)
    assert sent.get("authorization") == "Bearer host-key" and sent.get("host") == f"127.0.0.1:{front.port}"
    assert "hob-web.so" in maps(h.gateway().pid) and "hob-web.so" not in maps(h.pid)


def test_a_large_request_is_sent_whole(hob, fake, front, authority):
    h = hob(config(front.url, ca=str(authority.file)))
    text = "0123456789" * 300_000
    assert h.chat("far", text).status == 200
    assert fake.chat().json()["messages"][0]["content"] == text


@pytest.mark.parametrize("names, days, trusted, words", [
    ("DNS:other.test", 2, True, "its certificate is for another name"),
    ("IP:127.0.0.1", -1, True, "its certificate has expired"),
    ("IP:127.0.0.1", 2, False, "its certificate is by an authority that is not trusted here"),
])
def test_a_certificate_that_does_not_hold(hob, fake, authority, keep, names, days, trusted, words):
    front = keep(remote.Front(fake, *authority.leaf(names, days)))
    h = hob(config(front.url, **({"ca": str(authority.file)} if trusted else {})))
    said = refusal(h)
    assert words in said and (trusted or "`ca:`" in said)
    assert fake.log().requests == []


def test_one_that_is_signed_by_itself_holds_when_it_is_named(hob, fake, authority, keep):
    certificate, key = authority.alone("IP:127.0.0.1")
    front = keep(remote.Front(fake, certificate, key))
    assert "its certificate is signed by itself" in refusal(hob(config(front.url)))
    assert hob(config(front.url, ca=str(certificate))).chat("far", "hi").status == 200


def test_old_tls_is_refused(hob, fake, authority, leaf, keep):
    front = keep(remote.Front(fake, *leaf, newest=ssl.TLSVersion.TLSv1_1))
    assert "no TLS comes about" in refusal(hob(config(front.url, ca=str(authority.file))))


def test_no_tls_at_all(hob, keep):
    plain = keep(hubs.Hub())
    said = refusal(hob(config(f"https://127.0.0.1:{plain.port}")))
    assert "no TLS comes about" in said and "Is https spoken at this port?" in said


def test_nobody_there_and_no_such_name(hob):
    assert "Connection refused" in refusal(hob(config(f"https://127.0.0.1:{helpers.free_port()}")))
    assert "its name does not resolve" in refusal(hob(config("https://gone.invalid")))


def test_a_file_of_certificates_that_is_none(hob, front, fake, tmp_path):
    for name, text in (("missing.pem", None), ("empty.pem", "")):
        if text is not None:
            (tmp_path / name).write_text(text)
        assert "the file of its `ca:` cannot be used" in refusal(hob(config(front.url, ca=str(tmp_path / name))))
    assert fake.log().requests == []


def test_who_takes_the_connection_and_says_nothing(hob, keep):
    mute = keep(remote.Mute())
    h = hob({**config(f"https://127.0.0.1:{mute.port}"), "timeouts": {"connect": "300ms"}})
    r = h.chat("far", "hi")
    assert r.status == 504 and b"not connected within its time" in r.body


def test_a_caller_that_leaves_ends_it_upstream(hob, fake, front, authority):
    h = hob(config(front.url, ca=str(authority.file)))
    with h.open_chat("far", "[[words 100000]] [[gap_ms 20]]", stream=True) as c:
        s = c.stream(c.start())
        next(s)
    fake.wait("the work is cancelled", lambda log: log.cancelled == 1 and log.in_flight == 0)
    assert h.chat("far", "hi").status == 200


def test_a_slow_caller_holds_it_back(hob, fake, front, authority):
    h = hob(config(front.url, ca=str(authority.file)))
    with h.open_chat("far", "[[words 3000]] [[word_bytes 4000]]", rcvbuf=4096, stream=True) as c:
        s = c.stream(c.start())
        next(s)
        assert h.chat("far", "hi").status == 200
        assert sum(len(content_of([e])) for e in s) > 3000 * 3900


@pytest.mark.parametrize("directive, words", [("close_after 2", "ended"), ("reset_after 2", "connection"), ("bad_chunk_after 1", "chunk")])
def test_what_breaks_behind_tls_is_told_as_without(hob, fake, front, authority, directive, words):
    h = hob(config(front.url, ca=str(authority.file)))
    r = h.chat("far", f"[[{directive}]]")
    assert r.status == 502 and words.encode() in r.body, r.body


# -- proxies


def test_a_socks_proxy_that_others_have_written(hob, fake, front, authority, keep):
    if not shutil.which("microsocks"):
        pytest.skip("no microsocks")
    proxy = keep(remote.Microsocks("-u", "caller", "-P", "s3cret-login")).wait()
    at = f"127.0.0.1:{proxy.port}"
    h = hob(config(front.url, ca=str(authority.file), proxy=f"socks5h://{LOGIN}@{at}"))  # no name: the proxy's machine may know none
    assert h.chat("far", "hi").status == 200
    assert len(content_of(h.chat("far", "[[words 50]]", stream=True).events()).split()) == 50
    assert "s3cret" not in h.stderr()
    assert "its proxy wants a login" in refusal(hob(config(front.url, ca=str(authority.file), proxy=f"socks5h://{at}")))
    assert "its proxy does not accept the login" in refusal(hob(config(front.url, ca=str(authority.file), proxy=f"socks5h://caller:s3cret-no@{at}")))
    plain = hob(config(fake.url, proxy=f"socks5://{LOGIN}@{at}"))
    assert plain.chat("far", "hi").status == 200


def test_who_looks_names_up(hob, front, authority, keep):
    proxy = keep(hubs.Socks({"far.test": front.port, "127.0.0.1": front.port, "::1": front.port}))
    here = proxy.url.replace("socks5h", "socks5")
    assert hob(config("https://far.test", ca=str(authority.file), proxy=proxy.url)).chat("far", "hi").status == 200
    assert set(proxy.asked) == {"far.test"}
    assert hob(config(f"https://localhost:{front.port}", ca=str(authority.file), proxy=here)).chat("far", "hi").status == 200
    assert "localhost" not in proxy.asked
    assert "its proxy cannot reach it" in refusal(hob(config("https://other.test", proxy=proxy.url)))


def test_an_http_proxy(hob, fake, front, authority, keep):
    proxy = keep(remote.Tunnels({"far.test:443": front.port, "plain.test:80": fake.port}, LOGIN))
    at = f"127.0.0.1:{proxy.port}"
    assert hob(config("https://far.test", ca=str(authority.file), proxy=f"http://{LOGIN}@{at}")).chat("far", "hi").status == 200
    assert hob(config("http://plain.test/v1", proxy=f"http://{LOGIN}@{at}")).chat("far", "hi").status == 200
    assert set(proxy.asked) == {("CONNECT", "far.test:443"), ("CONNECT", "plain.test:80")}
    assert fake.chat(2).get("host") == "plain.test" and fake.chat(2).get("proxy-authorization") is None
    assert "its proxy wants a login" in refusal(hob(config("https://far.test", proxy=f"http://caller:s3cret-no@{at}")))


@pytest.mark.parametrize("scheme", ["http", "socks5h"])
def test_a_proxy_that_is_not_there(hob, scheme):
    assert "its proxy cannot be reached" in refusal(hob(config("https://far.test", proxy=f"{scheme}://{LOGIN}@127.0.0.1:{helpers.free_port()}")))


def test_the_environment_names_no_proxy(hob, fake, front, authority):
    dead = "http://127.0.0.1:9"
    env = {"https_proxy": dead, "http_proxy": dead, "ALL_PROXY": dead, "all_proxy": dead, "HTTPS_PROXY": dead}
    assert hob(config(front.url, ca=str(authority.file)), env=env).chat("far", "hi").status == 200


def test_the_environment_does_not_go_past_the_proxy(hob, front, authority, keep):
    proxy = keep(remote.Tunnels())
    h = hob(config(front.url, ca=str(authority.file), proxy=f"http://127.0.0.1:{proxy.port}"), env={"no_proxy": "*", "NO_PROXY": "*"})
    assert h.chat("far", "hi").status == 200 and set(proxy.asked) == {("CONNECT", f"127.0.0.1:{front.port}")}


# -- what is near stays as it was


def test_local_answers_do_not_wait_for_what_is_gone(hob, fake, keep):
    mute = keep(remote.Mute())
    h = hob({"hosts": {"near": {"url": fake.url}, "mute": {"url": f"https://127.0.0.1:{mute.port}"}, "lost": {"url": "https://gone.invalid"}},
             "models": {"m": {"host": "near"}, "mute": {"host": "mute"}, "lost": {"host": "lost"}}})
    waiting = [h.open_chat(name, "hi") for name in ("mute", "lost") * 8]
    helpers.wait_for("they are on their way", lambda: mute.accepted >= 8)
    for _ in range(20):
        r = h.chat("m", "hi")
        assert r.status == 200 and r.json()["_routing"]["host"] == "near" and r.json()["_routing"]["fallback_chain"] == []
    for c in waiting:
        c.close()


def test_without_the_module_it_says_what_to_install(tmp_path, hob, fake, monkeypatch):
    for name in ("hob", "hob-keeper"):
        shutil.copy(helpers.HOB.with_name(name), tmp_path / name)
    monkeypatch.setattr(helpers, "HOB", tmp_path / "hob")
    h = hob({"hosts": {"near": {"url": fake.url}, "away": {"url": "https://far.test"}}, "models": {"m": {"host": "near"}, "far": {"host": "away"}}})
    assert h.chat("m", "hi").status == 200
    r = h.chat("far", "hi")
    assert r.status == 503 and b"hob-web.so" in r.body and b"make install" in r.body, r.body
    assert "hob-web.so" not in maps(h.gateway().pid)
