"""What is told of a swap: a page with its days and hours, a report, the history of who answered which role, and a POST to whom the operator names."""

import contextlib
import http.server
import json
import os
import re
import signal
import socket
import threading

import pytest
from helpers import FORGIVING, cli, wait_for
from test_swap import Door
from test_trial import ask


class Hook:
    """Listens for what is told; answers with the statuses that it is given, then 200."""

    def __init__(self):
        self.told, self.paths, self.statuses = [], [], []
        hook = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["content-length"]))
                hook.paths.append(self.path)
                status = hook.statuses.pop(0) if hook.statuses else 200
                if status == 200:
                    hook.told.append(json.loads(body))
                self.send_response(status)
                self.send_header("content-length", "0")
                self.end_headers()

            def log_message(self, *args):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.port = self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def stop(self):
        self.server.shutdown()
        self.server.server_close()


@pytest.fixture
def hook():
    h = Hook()
    yield h
    h.stop()


def hob(d, *args, code=0, **env):
    r = cli(*args, "-c", d.h.config_path, env={**d.h.env, **env}, timeout=60)
    assert r.returncode == code, r
    return r


def test_a_page_a_report_and_a_history(nursery):
    d = Door(nursery)
    ask(d, 32)
    swap = d.plan((("chat", "new"), ("fast", "new")), why="because")
    d.prove(swap)
    d.step(swap, "start", role="chat", window_ms=3 * 86400000)
    ask(d, 16)
    # the page
    page = hob(d, "swap", "status", swap, LC_ALL="C.UTF-8").stdout
    assert "day 1 of 3; " in page and "chat by new, the last " in page and "█" in page and "  16\n" in page and "ms of late" in page and "next: " in page, page
    plain = hob(d, "swap", "status", swap, LC_ALL="C").stdout
    again = hob(d, "swap", "status", swap, "--plain", LC_ALL="C.UTF-8").stdout
    assert plain.isascii() and "#" in plain and re.sub(r"\d+ d left", "", again) == re.sub(r"\d+ d left", "", plain)
    got = json.loads(hob(d, "swap", "status", swap, "--json").stdout)
    assert got["id"] == swap and got["next"]
    of = {(s["role"], s["model"]): s for s in got["series"]}
    assert sum(of["chat", "new"]["requests"]) == 16 and sum(of["chat", "old"]["requests"]) in (0, 32) and sum(of["chat", "new"]["faults"]) == 0
    assert len(of["chat", "new"]["ttft_ms"]) == of["chat", "new"]["hours"] and any(v is not None for v in of["chat", "new"]["ttft_ms"])
    assert d.ask("GET", "swaps/series?id=99").status == 404
    # the report
    d.step(swap, "rollback", role="chat", why="too | slow")
    text = hob(d, "swap", "report", swap).stdout
    for part in (f"# Swap {swap}: ", "## chat: old -> new moved back\n", "- why: too \\| slow\n", "| s | **not worse** | 100 |", "`hob eval show 1`", "## fast: old -> new is planned", "there is no evidence",
                 "## Who did what when", "| rollback | planned | chat | cli | too \\| slow |", "| guard | verdict |", "| errors | holds | 0.00 % |"):
        assert part in text, (part, text)
    hob(d, "swap", "report", swap, "-o", d.h.dir / "r.md")
    assert (d.h.dir / "r.md").read_text() == text
    got = json.loads(hob(d, "swap", "report", swap, "--json").stdout)
    assert got["swap"]["id"] == swap and [s["step"] for s in got["steps"]] == ["plan", "evidence", "smoke", "start", "rollback"] and got["memory"][0]["role"] == "chat"
    assert "no swap 99" in hob(d, "swap", "report", 99, code=1).stderr
    # the history
    history = json.loads(hob(d, "swap", "history", "chat", "--json").stdout)["history"]
    assert [(p["model"], p["swap"]) for p in history] == [("old", None), ("new", swap), ("old", swap)]
    assert history[0]["until"] == history[1]["from"] and history[2]["until"] is None and history[2]["why"] == "rollback: too | slow"
    table = hob(d, "swap", "history").stdout
    assert f"swap {swap}" in table and "hob.yaml" in table and "code" in table and "fast" in table
    assert "nobody has served 'x'" in hob(d, "swap", "history", "x").stderr


def test_the_history_knows_of_the_file(nursery):
    d = Door(nursery)
    def history():
        return [(p["role"], p["model"], p["until"] is None) for p in d.ask("GET", "models/history").json()["history"]]
    begin = [("chat", "old", True), ("code", "old", True), ("fast", "old", True)]
    assert wait_for("it is written", lambda: sorted(history()) == begin)
    config = json.loads(d.h.config_path.read_text())
    del config["roles"]["code"]
    config["roles"]["chat"]["model"] = "new"
    d.h.config_path.write_text(json.dumps(config))
    assert hob(d, "config", "reload")
    after = [("chat", "new", True), ("chat", "old", False), ("code", "old", False), ("fast", "old", True)]
    assert wait_for("it is written", lambda: sorted(history()) == after)
    old = d.h.gateway()
    os.kill(old.pid, signal.SIGKILL)
    wait_for("another gateway", lambda: not old.alive() and d.h.gateway().pid != old.pid)
    d.who()
    assert sorted(history()) == after  # nothing has changed


def test_steps_are_told(nursery, hook):
    d = Door(nursery, notify={"url": f"http://127.0.0.1:{hook.port}/hook/s3cret?t=tok3n"})
    swap = d.trial()
    wait_for("it is told", lambda: len(hook.told) == 2, 20)
    plan, start = hook.told
    assert (plan["id"], plan["step"], plan["state"], plan["role"]) == (swap, "plan", "planned", None)
    assert (start["step"], start["state"], start["reason"], start["roles"]) == ("start", "trial", "a test", [{"role": "chat", "from": "old", "to": "new", "state": "trial"}]) and start["at"]
    assert set(hook.paths) == {"/hook/s3cret?t=tok3n"}
    hook.statuses = [500, 503]  # it is tried again
    d.step(swap, "rollback", why="enough")
    wait_for("it is told", lambda: len(hook.told) == 3, 30)
    assert hook.told[2]["step"] == "rollback" and len(hook.paths) == 5 and "could not be told" not in d.h.stderr()
    hook.statuses = [404]  # it is not
    again = d.plan()
    wait_for("it is said", lambda: "could not be told: it answers 404" in d.h.stderr(), 20)
    d.step(again, "start", force=True, why="x")
    wait_for("it is told", lambda: len(hook.told) == 4, 20)
    wait_for("it is said", lambda: "it can be told again" in d.h.stderr(), 20)
    for secret in ("s3cret", "tok3n"):
        assert secret not in d.h.stderr() and secret not in hob(d, "config", "show").stdout


class Flood:
    """Takes what it is told, says 200, and has never said all of its answer."""

    def __init__(self):
        self.socket = socket.create_server(("127.0.0.1", 0))
        self.port, self.heard, self.cut = self.socket.getsockname()[1], 0, 0
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.thread.start()

    def run(self):
        with contextlib.suppress(OSError):
            while True:
                c, _ = self.socket.accept()
                with c, contextlib.suppress(OSError):
                    c.recv(65536)
                    self.heard += 1
                    c.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nTransfer-Encoding: chunked\r\n\r\n")
                    while True:
                        c.sendall(b"1000\r\n" + 4096 * b"x" + b"\r\n")
                self.cut += 1

    def stop(self):
        self.socket.shutdown(socket.SHUT_RDWR)
        self.socket.close()
        self.thread.join(10)


def test_who_is_told_is_not_heard_for_ever(nursery):
    flood = Flood()
    d = Door(nursery, notify={"url": f"http://127.0.0.1:{flood.port}/"})
    d.step(d.trial(), "rollback")
    wait_for("each step is told once, and each answer cut", lambda: flood.cut == 3, 30)
    assert flood.heard == 3 and "could not be told" not in d.h.stderr()
    flood.stop()


def test_nobody_waits_for_who_is_told(nursery):
    d = Door(nursery, notify={"url": "http://127.0.0.1:1/"})  # nobody listens there
    swap = d.trial()
    d.step(swap, "rollback")
    assert d.show(swap)["state"] == "rolled_back" and d.who() == "old"


def test_an_address_that_is_none(nursery, tmp_path):
    (tmp_path / "hob.yaml").write_text(json.dumps({"notify": {"url": "ftp://s3cret"}, **{k: v for k, v in FORGIVING.items()}}))
    r = cli("config", "check", tmp_path / "hob.yaml")
    assert r.returncode == 2 and "notify.url" in r.stderr + r.stdout and "s3cret" not in r.stderr + r.stdout, r
