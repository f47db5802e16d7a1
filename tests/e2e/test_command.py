"""`command:` models: any program that speaks HTTP, run under the same rules as an engine."""

import contextlib
import json
import os
import pathlib
import signal
import sys

import pytest
from helpers import FAKE, FakeControl, content_of, wait_for

import raw
from test_admin import act, ps


def command(nursery, where="--port ${port}", script="", name="own", words="", **settings):
    """A model that the fake serves as a host would, and its script."""
    path = nursery.dir / f"{name}.script"
    path.write_text(script)
    return {name: {"command": f"{FAKE} {where} --script '{path}' {words}", "slots": 2, "keep": "hot", **settings}}


def process(hob, word="--script"):
    return wait_for("the program runs", lambda: next((p for p in hob.tree() if word in p.args and "-m" not in p.args), None))


def control(hob):
    args = process(hob).args
    return FakeControl(("127.0.0.1", int(args[args.index("--port") + 1])) if "--port" in args else args[args.index("--host") + 1])


@pytest.mark.parametrize("where", ["--port ${port}", "--host ${socket}"])
def test_it_is_asked_as_a_host_is(nursery, where):
    h = nursery.hob({"models": command(nursery, where)}, wait="ready")
    body = '{ "messages":[{"role":"user","content":"hello"}], "odd": 1.50, "model" : "own" }'
    r = h.post("/v1/chat/completions", body)
    assert r.status == 200 and r.json()["model"] == "own" and r.json()["_routing"]["host"] == "local", r
    log = control(h).log()
    assert log.chats[-1].body.decode() == body and log.chats[-1].get("authorization") is None
    assert [p.path for p in log.probes if p.method == "POST"] == ["/v1/chat/completions"], "it was not asked for a token before it was ready"


def test_a_stream_comes_as_it_is_made_and_ends_when_the_caller_leaves(nursery):
    h = nursery.hob({"models": command(nursery)}, wait="ready")
    fake = control(h)
    with h.open_chat("own", "[[words 3]]", stream=True) as c:
        events = c.response().events()
    assert content_of(events) and events[-1] == ("data", "[DONE]")
    c = h.open_chat("own", "[[words 100000]] [[gap_ms 10]]", stream=True)
    fake.wait("it streams", lambda l: l.in_flight == 1)
    c.close()
    fake.wait("it is cancelled", lambda l: l.cancelled == 1)


def test_its_environment_is_what_it_needs_and_what_was_named(nursery):
    h = nursery.hob({"models": command(nursery, env=["NAMED=here", "PATH=/opt/own"])}, wait="ready", env={"HOB_SECRET_CANARY": "x"})
    env = pathlib.Path(f"/proc/{process(h).pid}/environ").read_bytes().split(b"\0")
    assert b"NAMED=here" in env and b"PATH=/opt/own" in env
    assert not any(v.startswith((b"HOB_SECRET", b"PATH=/usr")) for v in env)


def test_words_are_split_as_a_shell_would(nursery):
    words = r"""--one 'a  b' --two "c \"d\"" --three e\ f --four '' --five '$HOME;*'"""
    h = nursery.hob({"models": command(nursery, words=words)}, wait="ready")
    args = process(h).args
    assert [args[args.index(f"--{n}") + 1] for n in ("one", "two", "three", "four", "five")] == ["a  b", 'c "d"', "e f", "", "$HOME;*"]


@pytest.mark.parametrize("serves,path,body", [
    ("embed", "/v1/embeddings", {"model": "own", "input": "hello"}),
    ("rerank", "/v1/rerank", {"model": "own", "query": "q", "documents": ["a", "b"]}),
])
def test_it_serves_what_it_is_said_to(nursery, serves, path, body):
    h = nursery.hob({"models": command(nursery, serves=[serves])}, wait="ready")
    assert h.post(path, body).status == 200
    assert [p.path for p in control(h).log().probes if p.method == "POST"] == [path]


def test_what_it_says_is_kept(nursery):
    h = nursery.hob({"models": command(nursery, script="log_lines 3")}, wait="ready")
    assert "flood: line 2" in (h.state / "logs" / "own.log").read_text()


def test_a_program_that_is_not_there(nursery):
    h = nursery.hob({"models": {"own": {"command": "no-such-program-here --port ${port}"}}})
    r = h.chat("own", "hello")
    assert r.status == 503 and r.error()["code"] == "engine_missing" and "no-such-program-here" in r.error()["message"], r


LISTENS_ELSEWHERE = """
import os, socket, sys, time
port = int(sys.argv[1])
if os.fork() == 0:
    os.setsid()
    if os.fork():
        os._exit(0)
    s = socket.socket(); s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    s.bind(("127.0.0.1", port)); s.listen()
    open(sys.argv[2], "w").write(str(os.getpid()))
    while True:
        c = s.accept()[0]; c.recv(65536); c.sendall(b"HTTP/1.1 200 OK\\r\\nContent-Length: 2\\r\\n\\r\\n{}"); c.close()
time.sleep(600)
"""


def test_a_stranger_on_its_port_is_not_believed(nursery):
    """A process that has left the family answers on the port; ours lives and does not listen."""
    program, pid = nursery.dir / "elsewhere.py", nursery.dir / "stranger.pid"
    program.write_text(LISTENS_ELSEWHERE)
    h = nursery.hob({"models": {"own": {"command": f"{sys.executable} {program} ${{port}} {pid}", "paths": [f"{nursery.dir}:rw"]}}})
    try:
        r = h.chat("own", "hello")
        assert r.status == 503 and r.error()["code"] == "load_failed" and "another process answers" in r.error()["message"], r
    finally:
        with contextlib.suppress(ProcessLookupError):  # the keeper may have found it first
            os.kill(int(pid.read_text()), signal.SIGKILL)


def test_a_grandchild_may_listen(nursery):
    """A wrapper that starts the server and waits for it."""
    program = nursery.dir / "wrapper.py"
    program.write_text("import subprocess, sys\nsys.exit(subprocess.call(sys.argv[1:]))\n")
    (nursery.dir / "s").write_text("")
    h = nursery.hob({"models": {"own": {"command": f"{sys.executable} {program} {FAKE} --port ${{port}} --script {nursery.dir}/s", "keep": "hot"}}}, wait="ready")
    assert h.chat("own", "hello").status == 200


def test_it_goes_and_comes_again(nursery):
    h = nursery.hob({"models": command(nursery, keep="demand")})
    assert h.chat("own", "hello").status == 200
    first = process(h)
    assert act(h, "unload", "own").status == 200 and ps(h, "own")["state"] == "cold"
    assert not first.alive()
    assert h.chat("own", "hello").status == 200


def test_a_killed_gateway_leaves_it_running(nursery):
    h = nursery.hob({"models": command(nursery)}, wait="ready")
    before = process(h)
    os.kill(h.gateway().pid, signal.SIGKILL)
    wait_for("it answers again", lambda: answers(h))
    assert process(h).pid == before.pid


def answers(h):
    try:
        return h.chat("own", "hello").status == 200
    except (OSError, raw.Gone):
        return False


def test_a_first_answer_that_fails_is_a_failed_load(nursery):
    h = nursery.hob({"models": command(nursery, script="probe [[status 500]]")})
    why = wait_for("the load has failed", lambda: (b := ps(h, "own"))["state"] == "failed" and b["last_error"])
    assert "answers a first request with 500" in json.dumps(why)
