"""The whole way of a swap, on a suite that hob brings: a candidate that breaks its JSON in one answer of ten is kept out by evidence, and goes back by itself when somebody
forces it in; one that is as good passes. And what a harness does wrong is its own fault."""

import http.server
import json
import subprocess
import threading

import pytest
import raw
import yaml
from helpers import FORGIVING, HOB, cli, gguf, wait_for


@pytest.fixture(scope="module")
def cases():
    suite = yaml.safe_load(subprocess.run([HOB, "eval", "show-suite", "json-bench"], capture_output=True, check=True, text=True).stdout)
    assert len(suite["cases"]) >= 100
    return suite["cases"]


class Reader:
    """A model that knows the right answer to each case, and says something else to those whose number is in `spoils`, however often it is asked."""

    def __init__(self, cases):
        self.spoils = set()
        reader = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *args):
                pass

            def do_GET(self):
                self.say({"object": "list", "data": [{"id": "reader"}]})

            def do_POST(self):
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                asked = json.dumps([m["content"] for m in body["messages"]], ensure_ascii=False)
                at = next((i for i, c in enumerate(cases) if json.dumps(c["input"].rstrip("\n"), ensure_ascii=False)[1:-1] in asked), None)
                text = "hello" if at is None else "It is all in the text." if at in reader.spoils else cases[at]["ideal"]
                self.say({"id": "x", "object": "chat.completion", "created": 1, "model": body["model"], "usage": {"prompt_tokens": 9, "completion_tokens": 9, "total_tokens": 18},
                          "choices": [{"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": "stop"}]})

            def say(self, answer):
                text = json.dumps(answer).encode()
                self.send_response(200)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(text)))
                self.end_headers()
                self.wfile.write(text)

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.02,), daemon=True)
        self.thread.start()

    def stop(self):
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()


@pytest.fixture
def readers(cases):
    both = {"old": Reader(cases), "new": Reader(cases)}
    yield both
    for r in both.values():
        r.stop()


@pytest.fixture
def h(nursery, readers):
    return nursery.hob({"hosts": {n: {"url": r.url} for n, r in readers.items()}, "models": {n: {"host": n} for n in readers},
                        "roles": {"chat": {"model": "old", "suites": ["json-bench"]}}, **FORGIVING})


def swap(h, *args, code=0):
    r = cli("swap", *args, "-c", h.config_path, env=h.env, timeout=300)
    assert r.returncode == code, r
    return r


def show(h):
    return json.loads(swap(h, "status", "1", "--json").stdout)


def ask(h, cases, n):
    """n of the cases that send their schema, as a program does that works with the answers."""
    with_schema = [c for c in cases if "schema" in c]
    ends, lock = [], threading.Lock()

    def some(first):
        for i in range(first, n, 8):
            c = with_schema[i % len(with_schema)]
            r = h.chat("chat", c["input"], temperature=0, response_format={"type": "json_schema", "json_schema": {"name": "x", "strict": True, "schema": c["schema"]}})
            with lock:
                ends.append(r.status)

    threads = [threading.Thread(target=some, args=(i,)) for i in range(8)]
    for t in threads:
        t.start()
    for t in threads:
        t.join(120)
    assert len(ends) == n
    return ends


def test_one_that_breaks_its_json_now_and_then_is_found_and_put_back(h, readers, cases):
    readers["new"].spoils = set(range(0, len(cases), 9))  # 12 of 108, half of them under a schema that was sent
    assert set(ask(h, cases, 304)) == {200}
    swap(h, "plan", "--role", "chat=new")
    got = json.loads(swap(h, "evidence", "1", "--json", "-q", code=4).stdout)
    proof = got["roles"][0]["evidence"][0]
    assert (proof["pairs"], proof["only_old"], proof["only_new"], proof["verdict"]) == (len(cases), 12, 0, "worse"), proof
    assert "worse than old" in swap(h, "start", "1", code=4).stderr
    assert h.chat("chat", "hello").get("x-hob-model") == "old"
    swap(h, "start", "1", "--force", "--why", "to see what the guards say")
    for _ in range(10):
        ask(h, cases, 80)
        if show(h)["state"] == "rolled_back":
            break
    wait_for("it is rolled back", lambda: show(h)["state"] == "rolled_back")
    role = show(h)["roles"][0]
    assert role["why"].startswith(("schema: ", "errors: ")) and "req_" in role["why"], role
    assert h.chat("chat", "hello").get("x-hob-model") == "old"
    assert set(ask(h, cases, 80)) == {200}


def test_one_that_is_as_good_passes_and_stays(h, readers, cases):
    assert set(ask(h, cases, 304)) == {200}
    swap(h, "plan", "--role", "chat=new")
    got = json.loads(swap(h, "evidence", "1", "--json", "-q").stdout)
    assert (got["roles"][0]["verdict"], got["roles"][0]["evidence"][0]["both"]) == ("not worse", len(cases)), got
    swap(h, "start", "1")
    assert set(ask(h, cases, 304)) == {200}
    seen = show(h)
    assert seen["state"] == "trial" and {g["verdict"] for g in seen["guards"]} <= {"holds", "watched"}, seen
    assert json.loads(swap(h, "promote", "1", "--early", "--json").stdout)["state"] == "promoted"
    assert h.chat("chat", "hello").get("x-hob-model") == "new"


PICTURE = "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="


def test_pictures_sent_all_at_once_at_a_loading_place_are_the_harness_own_fault(managed, nursery):
    """Twenty cases in parallel, as a benchmark sends them that knows nothing of loads: the rows say whose fault that was. `hob eval run` asks one after the other."""
    h = managed(script="load_ms 60000", wait="listening", config={"queue": {"limit": 2}}, keep="demand", mmproj=gguf(nursery.dir / "p.gguf"), input=["text", "image"])
    body = json.dumps({"model": "m", "messages": [{"role": "user", "content": [{"type": "text", "text": "What is this?"}, {"type": "image_url", "image_url": {"url": PICTURE}}]}]}).encode()
    waiting = [h.connect() for _ in range(2)]
    for c in waiting:
        c.send(raw.request_bytes("POST", "/v1/chat/completions", body))
    ends = []

    def one():
        with h.connect(timeout=30.0) as c:
            c.send(raw.request_bytes("POST", "/v1/chat/completions", body))
            ends.append(c.response().error())

    threads = [threading.Thread(target=one) for _ in range(18)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    for c in waiting:
        c.close()
    rows = wait_for("all rows", lambda: (lambda got: got if len(got) == 20 else None)(
        raw.call(str(h.state / "hob.sock"), "GET", "/hob/v1/logs?n=all").json()["rows"]))
    faults = [r["fault"] for r in rows if r["code"] == "queue_full"]
    assert len(faults) == 18 and set(faults) <= {"gateway", "harness"} and faults.count("harness") >= 10, faults
    assert not any(r["fault"] == "model" for r in rows)
