"""The fake itself, asked directly: what the other tests stand on."""

import json
import os
import pathlib
import signal
import subprocess

import pytest
import raw
from helpers import FAKE, FakeControl, chat_body, chunks_of, content_of, gguf, wait_for


def ask(f, text, **fields):
    return raw.call(f.at, "POST", "/v1/chat/completions", chat_body("x", text, **fields))


def test_answers_whole_and_streamed_alike(fake):
    whole, stream = ask(fake, "hello"), ask(fake, "hello", stream=True)
    text = whole.json()["choices"][0]["message"]["content"]
    assert len(text.split()) == 8 and content_of(stream.events()) == text
    chunks = chunks_of(stream.events())
    assert chunks[0]["choices"][0]["delta"] == {"role": "assistant", "content": None}
    assert chunks[-1]["choices"][0]["finish_reason"] == "stop"
    assert not any("usage" in c for c in chunks)
    assert stream.events()[-1] == ("data", "[DONE]")


def test_counts_words_as_tokens(fake):
    usage = ask(fake, "one two three [[words 5]]").json()["usage"]
    assert (usage["prompt_tokens"], usage["completion_tokens"]) == (5, 5)
    chunks = chunks_of(ask(fake, "a b", stream=True, stream_options={"include_usage": True}).events())
    assert chunks[-1]["choices"] == [] and chunks[-1]["usage"]["total_tokens"] == 10
    assert ask(fake, "[[words 9]]", max_tokens=4).json()["choices"][0]["finish_reason"] == "length"


@pytest.mark.parametrize("directive, status", [("status 503", 503), ("error 429 retry_after 2", 429)])
def test_refuses_on_cue(fake, directive, status):
    r = ask(fake, f"[[{directive}]]", stream=True)
    assert r.status == status and r.json()["error"]["code"] == status
    assert r.get("retry-after") == ("2" if status == 429 else None)


def test_breaks_off_on_cue(fake):
    for directive in ("close_after 3", "reset_after 3"):
        with raw.Connection(fake.at) as c:
            c.send(raw.request_bytes("POST", "/v1/chat/completions", chat_body("x", f"[[{directive}]]", stream=True)))
            with pytest.raises(raw.FramingError):
                c.response()
    with pytest.raises(raw.Gone):
        ask(fake, "[[close_before]]")
    with pytest.raises(raw.FramingError):
        ask(fake, "[[bad_chunk_after 2]]", stream=True)
    log = fake.wait("all have ended", lambda l: l.in_flight == 0)
    assert [r.outcome for r in log.chats[:3]] == ["cut"] * 3


def test_garbles_on_cue(fake):
    for directive in ("garbage_after 2", "truncate_json"):
        with pytest.raises(json.JSONDecodeError):
            chunks_of(ask(fake, f"[[{directive}]]", stream=True).events())
        with pytest.raises(json.JSONDecodeError):
            ask(fake, f"[[{directive}]]").json()
    assert [d for _, d in ask(fake, "[[two_done]]", stream=True).events()].count("[DONE]") == 2
    assert ("data", "[DONE]") not in ask(fake, "[[no_done]]", stream=True).events()
    assert "finish_reason\":\"stop" not in ask(fake, "[[no_finish]]", stream=True).body.decode()
    assert len(ask(fake, "[[big_event 2000000]]", stream=True).body) > 2000000
    assert ask(fake, '[[http "HTTP/1.1 299 Odd\\r\\nX: \\x41\\r\\n\\r\\n"]]').get("x") == "A"


def test_says_what_it_is_told(fake):
    assert ask(fake, '[[json {"a": [[1]]}]]').json()["choices"][0]["message"]["content"] == '{"a": [[1]]}'
    assert content_of(ask(fake, '[[json {"a": "日本語日本語日本語"}]]', stream=True).events()) == '{"a": "日本語日本語日本語"}'
    call = ask(fake, '[[tool look {"q":[[1]]}]]').json()["choices"][0]["message"]["tool_calls"][0]
    assert call["function"] == {"name": "look", "arguments": '{"q":[[1]]}'}
    deltas = [c["choices"][0]["delta"] for c in chunks_of(ask(fake, '[[tool look {"q":1}]]', stream=True).events())]
    assert "".join(d["tool_calls"][0]["function"]["arguments"] for d in deltas if "tool_calls" in d) == '{"q":1}'
    body = raw.request_bytes("POST", "/v1/chat/completions", chat_body("x", "[[echo]]", odd=1)).split(b"\r\n\r\n", 1)[1]
    echoed = raw.call(fake.at, "POST", "/v1/chat/completions", body).json()["choices"][0]["message"]["content"]
    assert echoed.encode() == body
    assert "reasoning_content" in ask(fake, "[[reasoning 3]]", stream=True).body.decode()


def test_bytes_one_by_one_are_the_same_bytes(fake):
    assert content_of(ask(fake, "[[split_bytes 1]]", stream=True).events())


def test_records_who_left(fake):
    with raw.Connection(fake.at) as c:
        c.send(raw.request_bytes("POST", "/v1/chat/completions", chat_body("x", "[[stall_after 2]]", stream=True)))
        s = c.stream(c.start())
        assert [next(s)[0] for _ in range(3)] == ["data"] * 3
        assert fake.log().in_flight == 1
    log = fake.wait("it noticed", lambda l: l.cancelled == 1)
    assert log.in_flight == 0 and log.chats[0].pieces == 2 and log.open_connections == 0
    fake.reset()
    assert fake.log().requests == []


def test_a_kept_connection_goes_stale(fake):
    with raw.Connection(fake.at) as c:
        assert c.request("POST", "/v1/chat/completions", chat_body("x", "[[stale_next]]")).status == 200
        with pytest.raises(raw.Gone):
            c.request("POST", "/v1/chat/completions", chat_body("x", "again"))
    with raw.Connection(fake.at) as c:
        assert c.request("POST", "/v1/chat/completions", chat_body("x", "[[early_close_keepalive]]")).status == 200
        assert c.ended()


def test_refuses_what_is_ambiguous(fake):
    for head in ("Content-Length: 2\r\nContent-Length: 2", "Content-Length: 2\r\nTransfer-Encoding: chunked", "Content-Length: +2"):
        with raw.Connection(fake.at) as c:
            c.send(f"POST /v1/chat/completions HTTP/1.1\r\nHost: a\r\n{head}\r\n\r\n{{}}".encode())
            assert c.response().status == 400
    assert fake.log().bad == 3


# -- as llama-server


@pytest.fixture
def managed_fake(tmp_path_factory):
    """Starts a fake by llama-server's command line on a unix socket; kills what is left of it."""
    started = []

    def start(script="", args=(), model=True):
        dir = pathlib.Path(os.path.realpath(tmp_path_factory.mktemp("f")))
        path = gguf(dir / "m.gguf") if model else str(dir / "none.gguf")
        pathlib.Path(path + ".script").write_text(script)
        sock = str(dir / "s.sock")
        p = subprocess.Popen([FAKE, "-m", path, "--host", sock, "--alias", "al", "-c", "512", "-np", "2", "--no-ui",
                              "-fa", "auto", *args], stderr=subprocess.PIPE, stdin=subprocess.DEVNULL, text=True)
        p.control = FakeControl(sock)
        started.append(p)
        return p
    yield start
    for p in started:
        p.kill()
        p.wait()
        p.stderr.close()


def up(p):
    def answers():
        try:
            return get(p, "/health")
        except OSError:
            return None
    wait_for("it answers on its socket", answers)
    return p


def get(p, path, **kw):
    return raw.call(p.control.at, "GET", path, **kw)


def test_loads_then_serves(managed_fake):
    p = up(managed_fake("load_ms 200"))
    assert get(p, "/health").json() == {"error": {"message": "Loading model", "type": "unavailable_error", "code": 503}}
    wait_for("loaded", lambda: get(p, "/health").status == 200)
    props = get(p, "/props").json()
    assert props["total_slots"] == 2 and props["default_generation_settings"]["n_ctx"] == 256
    assert get(p, "/v1/models").json()["data"][0]["id"] == "al"


def test_wants_its_key(managed_fake, tmp_path):
    key = tmp_path / "key"
    key.write_text("sesame\n")
    p = up(managed_fake(args=["--api-key-file", key]))
    wait_for("loaded", lambda: get(p, "/health").status == 200)
    assert get(p, "/props").json()["error"]["message"] == "Invalid API Key"
    assert get(p, "/props", headers={"Authorization": "Bearer sesame"}).status == 200
    assert get(p, "/props", headers={"X-Api-Key": "sesame"}).status == 200


@pytest.mark.parametrize("script, code, says", [
    ("load_fail unknown_arch", 1, "unknown model architecture: 'gemma9'"),
    ("load_fail truncated", 1, "model is corrupted or incomplete"),
    ("load_fail silent", 1, ""),
    ("load_crash SEGV", -signal.SIGSEGV, ""),
    ("load_ms 5\nload_crash ILL", -signal.SIGILL, ""),
])
def test_fails_to_load_on_cue(managed_fake, script, code, says):
    p = managed_fake(script)
    assert p.wait(10) == code
    assert says in p.stderr.read()


def test_a_missing_file_is_said_as_the_engine_says_it(managed_fake):
    p = managed_fake(model=False)
    assert p.wait(10) == 1 and "failed to open GGUF file" in p.stderr.read()


def test_a_stale_socket_stops_it(managed_fake):
    p = up(managed_fake())
    p.kill()
    p.wait()
    again = subprocess.run([FAKE, "--host", p.control.at], stderr=subprocess.PIPE, text=True, timeout=10)
    assert again.returncode == 1 and "couldn't bind HTTP server socket" in again.stderr


def test_sigterm_as_the_engine_takes_it(managed_fake):
    idle = up(managed_fake())
    wait_for("loaded", lambda: get(idle, "/health").status == 200)
    idle.terminate()
    assert idle.wait(10) == 0
    loading = up(managed_fake("load_hang"))
    loading.terminate()
    assert loading.wait(10) == -signal.SIGTERM
    busy = up(managed_fake())
    wait_for("loaded", lambda: get(busy, "/health").status == 200)
    with raw.Connection(busy.control.at) as c:
        c.send(raw.request_bytes("POST", "/v1/chat/completions", chat_body("x", "[[first_ms 60000]]")))
        busy.control.wait("it is in flight", lambda l: l.in_flight == 1)
        busy.terminate()
        with pytest.raises(subprocess.TimeoutExpired):
            busy.wait(0.3)
        busy.terminate()
        assert busy.wait(10) == 1 and "terminating immediately" in busy.stderr.read()


def test_dies_on_cue(managed_fake):
    p = up(managed_fake())
    wait_for("loaded", lambda: get(p, "/health").status == 200)
    with pytest.raises((raw.FramingError, raw.Gone)):
        raw.call(p.control.at, "POST", "/v1/chat/completions", chat_body("x", "[[die_after 2]]", stream=True))
    assert p.wait(10) == -signal.SIGSEGV
