"""The path of a request under bad luck: hosts that never stop, callers that barely read, loads that fail, stops that come twice."""

import json
import shutil
import signal
import socket
import threading
import time

import pytest
from helpers import FAKE, chunks_of, wait_for

HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n"


def chunk(**delta):
    finish = delta.pop("finish", None)
    return b"data: " + json.dumps({"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "x", "choices": [
        {"index": 0, "delta": delta, "finish_reason": finish}]}).encode() + b"\n\n"


class Wild:
    """A host that reads each request and then does what a function says, until the other side leaves."""

    def __init__(self, act):
        self.listener = socket.socket()
        self.listener.bind(("127.0.0.1", 0))
        self.listener.listen(64)
        self.url = f"http://127.0.0.1:{self.listener.getsockname()[1]}"
        self.act, self.requests, self.left = act, 0, threading.Event()
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            try:
                s, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self.serve, args=(s,), daemon=True).start()

    def serve(self, s):
        with s:
            try:
                got = b""
                while b"\r\n\r\n" not in got:
                    got += s.recv(65536)
                head, _, body = got.partition(b"\r\n\r\n")
                length = next((int(line.split(b":")[1]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-length")), 0)
                while len(body) < length:
                    body += s.recv(65536)
                self.requests += 1
                self.act(s)
            except OSError:
                self.left.set()

    def close(self):
        self.listener.close()


@pytest.fixture
def wild():
    made = []

    def make(act):
        made.append(Wild(act))
        return made[-1]
    yield make
    for w in made:
        w.close()


def for_ever(first, again, gap_s=0.0):
    """Sends one thing, then another again and again."""
    def act(s):
        s.sendall(first)
        while True:
            s.sendall(again)
            if gap_s:
                time.sleep(gap_s)
    return act


def pair(nursery, first, second, **config):
    """hob with a role `chat`: `a` at one address, then `b` at another."""
    return nursery.hob({"hosts": {"one": {"url": first.url}, "other": {"url": second.url}},
                        "models": {"a": {"host": "one"}, "b": {"host": "other"}},
                        "roles": {"chat": {"model": "a", "fallback": ["b"]}}, **config})


def alone(nursery, host, **config):
    return nursery.hob({"hosts": {"up": {"url": host.url}}, "models": {"far": {"host": "up"}}, **config})


# -- hosts that never stop


def test_what_comes_behind_done_does_not_keep_the_caller_waiting(nursery, wild):
    up = wild(for_ever(HEAD + chunk(role="assistant", content="hi") + chunk(finish="stop") + b"data: [DONE]\n\n", b": still here\n\n", 0.01))
    r = alone(nursery, up).chat("far", "hello", stream=True, timeout=5)
    assert r.events()[-1] == ("data", "[DONE]")
    assert up.left.wait(5)


@pytest.mark.parametrize("stream", [False, True])
def test_an_endless_refusal_is_a_refusal(nursery, fake, wild, stream):
    one = wild(for_ever(b"HTTP/1.1 500 Oops\r\nContent-Type: text/plain\r\n\r\n", b"x" * 4096))
    r = pair(nursery, one, fake).chat("chat", "hello", stream=stream, timeout=5)
    assert r.status == 200 and r.get("x-hob-fallback") == "a->b"
    assert one.left.wait(5)


def test_a_stream_that_says_nothing_is_not_kept_for_ever(nursery, fake, wild):
    one = wild(for_ever(HEAD, chunk(role="assistant") * 100))
    h = pair(nursery, one, fake)
    r = h.chat("chat", "hello", stream=True, timeout=10)
    assert r.get("x-hob-fallback") == "a->b" and one.left.wait(5)


def test_bytes_that_are_no_utf8_are_cited_as_text(nursery, wild):
    def act(s):
        s.sendall(b"HTTP/1.1 400 No\r\nContent-Length: 300\r\n\r\n" + b"\xff\xc3\xa9\x00\x01" * 60)
    r = alone(nursery, wild(act)).chat("far", "hello")
    assert r.status == 400 and r.error()["message"]


def test_a_key_that_a_host_repeats_goes_no_further(nursery, wild):
    for status in (401, 400, 500):
        def act(s, status=status):
            body = b'{"error":{"message":"who is Bearer s3cret-key-0123456789?"}}'
            s.sendall(b"HTTP/1.1 %d No\r\nContent-Length: %d\r\n\r\n%s" % (status, len(body), body))
        h = nursery.hob({"hosts": {"up": {"url": wild(act).url, "key": "s3cret-key-0123456789"}}, "models": {"far": {"host": "up"}},
                         "log": "trace"})
        r = h.chat("far", "hello")
        assert r.status in (400, 502) and b"s3cret" not in r.body, r
        assert "s3cret" not in h.stderr()


# -- who is named


def test_headers_that_go_early_name_nobody_who_may_still_fail(nursery, fake, wild):
    let_go = threading.Event()
    h = pair(nursery, wild(lambda s: let_go.wait(20)), fake, keepalive="50ms")
    with h.open_chat("chat", "hello", stream=True) as c:
        r = c.start()
        s = c.stream(r)
        assert next(s)[0] == "comment"
        let_go.set()
        assert chunks_of(list(s))[-1]["_routing"]["model"] == "b"
        assert r.get("x-hob-model") in (None, "b")


def test_an_early_head_names_the_only_one_there_is(nursery, fake):
    r = alone(nursery, fake, keepalive="50ms").chat("far", "hello [[first_ms 300]]", stream=True)
    assert r.events()[0][0] == "comment" and r.get("x-hob-model") == "far"


# -- answers that are collected


@pytest.mark.parametrize("how", ["die_after 3", "close_after 3", "garbage_after 3"])
def test_of_a_collected_answer_nothing_has_left_so_the_next_may_give_it(nursery, fake, how):
    h = nursery.hob({"engines": {"llama": {"path": str(FAKE)}}, "hosts": {"other": {"url": fake.url}},
                     "models": {**nursery.model("a", script=f"default [[{how}]]"), "b": {"host": "other"}},
                     "roles": {"chat": {"model": "a", "fallback": ["b"]}}}, wait="ready")
    r = h.chat("chat", "hello")
    assert r.status == 200 and r.get("x-hob-fallback") == "a->b", r


# -- loads that fail


def test_a_child_that_cannot_be_started_is_passed_over(nursery, fake):
    h = nursery.hob({"engines": {"llama": {"path": str(FAKE)}}, "hosts": {"other": {"url": fake.url}},
                     "models": {**nursery.model("a", keep="demand"), "b": {"host": "other"}},
                     "roles": {"chat": {"model": "a", "fallback": ["b"]}}})
    shutil.rmtree(h.dir / "r" / "hob")
    r = h.chat("chat", "hello")
    assert r.status == 200 and r.get("x-hob-fallback") == "a->b", r
    e = h.chat("a", "hello").error()
    assert e["code"] == "load_failed" and e["hob"]["fault"] == "backend"


@pytest.mark.parametrize("stream", [False, True])
def test_all_who_wait_are_told_that_the_load_failed(nursery, stream):
    h = nursery.managed("m", keep="demand", script="load_ms 300\nload_fail out_of_memory", wait="listening")
    cs = [h.open_chat("m", "hello", stream=stream) for _ in range(50)]
    cs[7].close()
    for i, c in enumerate(cs):
        if i != 7:
            with c:
                r = c.response()
                assert r.status == 503 and r.error()["code"] == "out_of_memory", r


def test_many_bad_ones_in_line_are_refused_in_turn(nursery):
    h = nursery.managed("m", keep="demand", slots=1, script="load_ms 400", wait="listening")
    cs = [h.open_chat("m", "hello", n=2) for _ in range(250)]
    for c in cs:
        with c:
            assert c.response().status == 400
    assert h.chat("m", "hello").status == 200


# -- the end


def test_a_drain_gives_a_slow_caller_all_of_its_answer(nursery, fake):
    h = alone(nursery, fake)
    with h.open_chat("far", "hello [[words 60000]] [[word_bytes 100]]", rcvbuf=4096) as c:
        fake.wait("the place is through", lambda l: l.completed == 1)
        wait_for("hob has answered", lambda: b'code="ok"' in h.get("/metrics").body)
        h.signal(signal.SIGTERM)
        assert len(c.response().json()["choices"][0]["message"]["content"]) > 1 << 20
    assert h.wait_exit(5) == 0


def test_a_drain_does_not_wait_for_who_has_not_asked_yet(nursery, fake):
    h = alone(nursery, fake)
    with h.connect() as c:
        c.send(b"POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\n")
        assert h.chat("far", "hello").status == 200
        h.signal(signal.SIGTERM)
        assert h.wait_exit(3) == 0


def test_a_second_signal_while_children_go_is_no_crash(nursery):
    h = nursery.managed("m", script="ignore_term", config={"log": "debug"})
    h.tree()
    h.signal(signal.SIGTERM)
    wait_for("its child is being stopped", lambda: "hot -> draining" in h.stderr())
    h.signal(signal.SIGTERM)
    h.wait_exit(5)
    assert "bug or exhausted machine" not in h.stderr()


def test_a_drain_ends_with_callers_in_every_state(nursery):
    h = nursery.managed("m", slots=1, config={"drain": "300ms"})
    with h.open_chat("m", "hello [[stall_after 2]]", stream=True) as c:
        next(c.stream(c.start()))
        waiting = [h.open_chat("m", "wait", stream=i % 2 == 0) for i in range(20)]
        h.tree()
        h.signal(signal.SIGTERM)
        h.wait_exit(15)
        for w in waiting:
            w.close()


def test_a_second_daemon_leaves_the_first_one_alone(nursery, fake):
    h = alone(nursery, fake)
    said = (h.state / "listen").read_text()
    again = nursery.hob(h.config_path.read_text().replace('"127.0.0.1:0"', f'"127.0.0.1:{h.at[1]}"'), wait=None,
                        env={"XDG_RUNTIME_DIR": h.env["XDG_RUNTIME_DIR"]})
    assert again.wait_exit(5) == 1
    assert (h.state / "listen").read_text() == said


def test_a_second_daemon_on_the_same_state_takes_no_socket_from_the_first(nursery):
    h = nursery.managed("m")
    again = nursery.hob(h.config_path.read_text(), wait=None, env={"XDG_RUNTIME_DIR": h.env["XDG_RUNTIME_DIR"]})
    assert again.wait_exit(5) == 1 and "another hob" in again.stderr()
    assert h.chat("m", "hello").status == 200
    h.child("m").control.log()  # its socket is there
