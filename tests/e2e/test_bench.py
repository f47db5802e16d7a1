"""Speed, measured at the public door: what is told, what counts for nothing, and what is compared with what. No time is asserted."""

import json
import re
import subprocess
import threading

import pytest
from helpers import FAKE, FORGIVING, HOB, cli, wait_for

WORDS = "[[words 16]] [[gap_ms 2]]"  # what comes in one piece has no rate
SMALL = ("--contexts", "64", "--concurrency", "1", "--tokens", "16", "--runs", "2")


def bench(h, model, *args, timeout=60.0):
    return cli("bench", model, "-c", h.config_path, "--json", "-q", *args, env=h.env, timeout=timeout)


def measured(h, model, *args):
    r = bench(h, model, *args)
    assert r.returncode == 0, r
    return json.loads(r.stdout)


@pytest.fixture(scope="module")
def fake(module_nursery):
    f = module_nursery.fake()
    f.default(WORDS)
    return f


@pytest.fixture(scope="module")
def h(module_nursery, fake):
    """A managed model, and two on a host."""
    models = {"there": {"host": "far", "context": 4096}, "other": {"host": "far"}, **module_nursery.model("m", "default " + WORDS, keep="demand")}
    return module_nursery.hob({"engines": {"llama": {"path": str(FAKE)}}, "hosts": {"far": {"url": fake.url}}, "models": models, **FORGIVING})


@pytest.fixture
def child(h):
    """The model's engine; what a test has told it is forgotten."""
    assert cli("load", "m", "-c", h.config_path, env=h.env).returncode == 0
    control = h.child("m").control
    control.reset()
    yield control
    if control.at in {c.args[c.args.index("--host") + 1] for c in h.children()}:
        control.default(WORDS)


def test_what_is_told(h):
    """The first time it is not loaded: its one cold start is there to be measured. The object is promised."""
    got = measured(h, "m", "--contexts", "64,128,8k", "--concurrency", "1,2,4", "--tokens", "16", "--runs", "2")
    assert (got["schema"], got["model"], got["host"], got["context"], got["concurrency"]) == (1, "m", "local", 64, 1)
    assert got["prompt_tps"] > 0 and got["generation_tps"] > 0 and got["prompt_source"] == "engine"
    for name in ("ttft_ms", "per_token_ms"):
        assert 0 <= got[name]["p50"] <= got[name]["p99"], got[name]
    cold = got["cold_start_ms"]
    assert cold["n"] == 1 and cold["why"] is None and 0 <= cold["spawn"] and 0 <= cold["load"] and 0 < cold["first_token"] <= cold["total"], cold
    assert got["memory_bytes"] > 0
    assert [(c["context"], c["concurrency"], c["counted"], c["left_out"]) for c in got["cells"]] == [(64, 1, 2, 0), (64, 2, 2, 0), (128, 1, 2, 0), (128, 2, 2, 0)]
    assert [c["prompt_tokens"] for c in got["cells"]] == [48, 48, 112, 112]  # prompt and answer together are the context
    assert {(x["context"], x["concurrency"]): x["why"] for x in got["left_out"]} == {
        **{(c, 4): "it has 2 slots: the others would wait in line" for c in (64, 128)}, **{(8192, n): "its context is 4096 tokens" for n in (1, 2, 4)}}
    assert len(got["runs"]) == 2 + 4 + 2 + 4
    for r in got["runs"]:
        assert r["counts"] and r["flags"] == [] and r["output_tokens"] == 16 and r["cached_tokens"] == 0 and (r["model"], r["host"]) == ("m", "local"), r
    s = got["settings"]
    assert (s["runtime"], s["kv"], s["slots"], s["context_window"], s["tokens"], s["ignore_eos"]) == ("llama", "f16", 2, 4096, 16, True), s
    assert s["engine_build"] == "b1-fa4e000" and s["machine"] and s["weights"].endswith("m.gguf")
    assert got["energy"].keys() == {"source", "watts", "joules_per_run", "tokens_per_joule", "why"}


def test_prompts_are_no_caches(h, child):
    """Each begins in its own way, and the engine is told not to look for it."""
    measured(h, "m", *SMALL)
    sent = [r.json() for r in child.log().chats]
    texts = [s["messages"][-1]["content"] for s in sent]
    assert len(set(texts)) == len(texts) >= 4
    assert all(s["ignore_eos"] is True and s["cache_prompt"] is False and s["max_tokens"] in (8, 16) for s in sent)


def test_what_a_cache_answered_counts_for_nothing(h, child):
    child.default(WORDS + " [[cached 40]]")
    r = bench(h, "m", *SMALL)
    got = json.loads(r.stdout)
    assert r.returncode == 1 and "counts" in r.stderr, r
    assert got["prompt_tps"] is None and got["ttft_ms"]["n"] == 0
    assert [x["flags"] for x in got["runs"]] == [["cached"]] * 4  # two were wanted: twice as many are tried
    assert any("out of a cache" in w for w in got["warnings"])


def test_answers_that_are_short_are_told(h, child):
    child.default("[[words 5]] [[gap_ms 2]]")
    got = measured(h, "m", *SMALL)
    assert all(x["flags"] == ["short"] and x["counts"] and x["output_tokens"] == 5 for x in got["runs"])
    assert any("shorter than 16 tokens" in w for w in got["warnings"])


def test_a_run_that_somebody_else_disturbed_counts_for_nothing(h, child):
    """Who asks is served longer than a round is waited for: he meets one, whenever he comes."""
    child.default(WORDS + " [[first_ms 100]]")
    p = subprocess.Popen([HOB, "bench", "m", "-c", h.config_path, "--json", "-q", *SMALL[:-1], "4"], env=h.env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    child.chat(4)  # three to warm up, and the first of those that are measured
    assert h.chat("m", "me too [[first_ms 5000]]").status == 200
    out, err = p.communicate(timeout=120)
    got = json.loads(out)
    assert p.returncode == 0, err
    flags = [x["flags"] for x in got["runs"]]
    assert ["shared"] in flags and flags.count([]) == 4 == got["cells"][0]["counted"], flags
    assert any("somebody else" in w for w in got["warnings"])


def test_cold_starts_are_measured_when_asked_for(h, child):
    first = h.child("m").pid
    assert "--cold" in measured(h, "m", *SMALL)["cold_start_ms"]["why"] and h.child("m").pid == first
    got = measured(h, "m", *SMALL, "--cold")
    assert got["cold_start_ms"]["n"] == 2 and h.child("m").pid != first
    assert "elsewhere" not in str(got["warnings"])


def test_energy_as_somebody_says(h):
    e = measured(h, "m", *SMALL, "--watts", "100")["energy"]
    # It is read before and after, which is longer than the answer takes: on a busy machine by much.
    assert e["source"] == "configured" and e["watts"] >= 99 and e["tokens_per_joule"] > 0 and e["joules_per_run"] > 0, e


def test_a_host(h):
    """Its engine, its memory and its loads are its own."""
    got = measured(h, "there", *SMALL)
    assert got["host"] == "far" and got["generation_tps"] > 0
    assert got["cold_start_ms"]["n"] == 0 and "host" in got["cold_start_ms"]["why"] and got["memory_bytes"] is None
    assert got["energy"]["source"] is None and "--watts" in got["energy"]["why"]
    s = got["settings"]
    assert (s["runtime"], s["kv"], s["threads"], s["weights"]) == ("host", None, None, None)


def test_a_host_that_knows_no_such_field(nursery):
    """It says 400 to what it does not know: it is asked without that."""
    import http.server
    import socketserver

    class Strict(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *a):
            pass

        def answer(self, status, kind, body):
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def do_GET(self):
            self.answer(200, "application/json", b'{"object":"list","data":[{"id":"m","object":"model"}]}')

        def do_POST(self):
            asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            if "ignore_eos" in asked:
                self.answer(400, "application/json", b'{"error":{"message":"Unrecognized request argument: ignore_eos","type":"invalid_request_error"}}')
                return
            n = len(asked["messages"][-1]["content"].split())
            base = {"id": "x", "object": "chat.completion.chunk", "created": 1, "model": "m"}
            events = [{**base, "choices": [{"index": 0, "delta": {"content": "a "}, "finish_reason": None}]} for _ in range(asked["max_tokens"])]
            events += [{**base, "choices": [{"index": 0, "delta": {}, "finish_reason": "length"}]},
                       {**base, "choices": [], "usage": {"prompt_tokens": n, "completion_tokens": asked["max_tokens"], "total_tokens": n + asked["max_tokens"]}}]
            self.answer(200, "text/event-stream", "".join(f"data: {json.dumps(e)}\n\n" for e in events).encode() + b"data: [DONE]\n\n")

    class Server(socketserver.ThreadingMixIn, http.server.HTTPServer):
        daemon_threads = True

    server = Server(("127.0.0.1", 0), Strict)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        h = nursery.hob({"hosts": {"strict": {"url": f"http://127.0.0.1:{server.server_port}"}}, "models": {"m": {"host": "strict"}}, **FORGIVING})
        got = measured(h, "m", *SMALL)
    finally:
        server.shutdown()
        server.server_close()
    assert got["settings"]["ignore_eos"] is False and got["prompt_source"] == "ttft" and got["cells"][0]["counted"] == 2
    assert all(r["output_tokens"] == 16 and r["engine"] is None for r in got["runs"])


def test_another_places_answer_never_counts(h, fake):
    """A rule may lead a model's own name elsewhere: at once, or while it is measured."""
    config = json.loads(h.config_path.read_text())

    def rules(routes):
        h.config_path.write_text(json.dumps({**config, "routes": routes}))
        assert cli("config", "reload", "-c", h.config_path, env=h.env).returncode == 0

    away = [{"when": {"tokens": ">0"}, "to": "other"}]
    try:
        rules(away)
        r = bench(h, "there", *SMALL)
        assert r.returncode == 1 and r.stdout == "" and "other on far answers in the place of 'there'" in r.stderr and "hob route explain" in r.stderr, r
        rules([])
        fake.reset()
        fake.default(WORDS + " [[first_ms 100]]")
        p = subprocess.Popen([HOB, "bench", "there", "-c", h.config_path, "--json", "-q", *SMALL[:-1], "100"], env=h.env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        fake.chat(5)
        rules(away)
        out, err = p.communicate(timeout=120)
    finally:
        rules([])
        fake.default(WORDS)
    got = json.loads(out)
    last = got["runs"][-3:]  # three in a row: it is given up
    assert all(x["flags"] == ["elsewhere"] and not x["counts"] and x["why"] == "other on far answered in its place" for x in last), last
    assert 0 < got["cells"][0]["counted"] == len(got["runs"]) - got["cells"][0]["left_out"] < 100, err


def test_a_place_that_fails(h, child):
    child.default("[[status 500]]")
    r = bench(h, "m", *SMALL)
    assert r.returncode == 1 and r.stdout == "" and "Warming up 'm' went wrong" in r.stderr, r


def test_against_what_was_kept(h, child):
    """Another engine, another set-up: told, whatever the figures."""
    five = (*SMALL[:-1], "4")
    r = bench(h, "m", *five, "--save", "before")
    assert r.returncode == 0 and "--against before" in r.stderr
    path = h.state / "bench" / "before.json"
    kept = json.loads(path.read_text())
    assert kept == json.loads(r.stdout) and path.stat().st_mode & 0o777 == 0o600
    same = measured(h, "m", *five, "--against", "before")["comparison"]
    assert same["warnings"] == [] and same["since"] == kept["time"]
    figures = {d["figure"]: d for d in same["differences"]}
    assert {"prompt_tps", "generation_tps", "ttft_ms", "per_token_ms"} <= figures.keys()
    for d in same["differences"]:
        assert d["before"] > 0 and d["now"] > 0 and d["ci"][0] <= d["change"] <= d["ci"][1] and d["verdict"] in ("better", "worse", "cannot tell"), d
    kept["settings"].update(engine_build="b1-other", quantisation="Q8_0", kv="q8_0", machine="a calculator", runtime="abacus")
    path.write_text(json.dumps(kept))
    told = measured(h, "m", *five, "--against", "before")["comparison"]["warnings"]
    for words in ("the engine's build differs: b1-other, now b1-fa4e000", "the quantisation differs: Q8_0", "the KV format differs: q8_0, now f16", "the machine differs: a calculator",
                  "the runtime differs: abacus, now llama"):
        assert any(w.startswith(words) for w in told), (words, told)
    other = measured(h, "there", *five, "--against", str(path))["comparison"]["warnings"]
    assert "the host differs: local, now far" in other and "the model differs: m, now there" in other
    few = measured(h, "m", *SMALL, "--against", "before")["comparison"]
    assert all(d["verdict"] == "cannot tell" and d["ci"] == [None, None] for d in few["differences"]) and any("but 2 runs" in w for w in few["warnings"])
    for line in cli("bench", "m", "-c", h.config_path, *SMALL, "--against", "before", env=h.env, timeout=60).stdout.split("VERDICT\n")[1].splitlines()[:4]:
        assert re.search(r" %  +-  +cannot tell$", line), line


def test_several_models_are_lines(h):
    r = bench(h, "m,there", *SMALL, "--save", "both")
    assert r.returncode == 0 and [json.loads(line)["model"] for line in r.stdout.splitlines()] == ["m", "there"]
    assert (h.state / "bench" / "both@m.json").exists() and (h.state / "bench" / "both@there.json").exists()


def test_people_read_a_table(h):
    r = cli("bench", "m", "-c", h.config_path, *SMALL, env=h.env, timeout=60)
    assert r.returncode == 0, r
    assert r.stdout.startswith("m on local, 16 tokens an answer\n") and "ANSWER tok/s" in r.stdout and "memory" in r.stdout
    assert "hob: m: warming up" in r.stderr


@pytest.mark.parametrize("args, code, words", [
    ((), 2, "which model"),
    (("nobody",), 2, "There is no model 'nobody'"),
    (("m@far",), 2, "not on 'far'"),
    (("m", "--contexts", "many"), 2, "--contexts wants"),
    (("m", "--concurrency", "0"), 2, "--concurrency wants"),
    (("m", "--runs", "0"), 2, "--runs wants"),
    (("m", "--watts", "-1"), 2, "--watts wants"),
    (("m", "--save", "a b"), 2, "--save wants a name"),
    (("m", "--against", "nothing"), 2, "no measurement 'nothing'"),
    (("m", "--against", "nothing"), 2, "there are: "),
])
def test_what_is_wrong_is_said_first(h, args, code, words):
    r = cli("bench", *args, "-c", h.config_path, env=h.env)
    assert r.returncode == code and words in r.stderr and r.stdout == "", r


def test_nobody_is_there(tmp_path):
    (tmp_path / "hob.yaml").write_text(json.dumps({"listen": "127.0.0.1:1", "state": str(tmp_path / "state")}))
    r = cli("bench", "m", "-c", tmp_path / "hob.yaml")
    assert r.returncode == 3 and "hob serve" in r.stderr, r


def test_an_interrupt_leaves_what_there_is(h, child):
    import signal
    child.default(WORDS + " [[first_ms 50]]")
    p = subprocess.Popen([HOB, "bench", "m", "-c", h.config_path, "--json", "-q", *SMALL[:-1], "200"], env=h.env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    child.chat(6)
    p.send_signal(signal.SIGINT)
    out, err = p.communicate(timeout=60)
    got = json.loads(out)
    assert p.returncode == 1 and got["stopped"] is True and 0 < got["cells"][0]["counted"] < 200, err
    wait_for("its request is cancelled", lambda: child.log().in_flight == 0)


def test_the_real_engine(nursery, real):
    engine, model = real
    h = nursery.hob({"engines": {"llama": {"path": engine}}, "models": {"smollm2": {"file": model, "context": 512, "slots": 1}}})
    got = measured(h, "smollm2", "--contexts", "96", "--concurrency", "1", "--tokens", "16", "--runs", "1")
    run, = got["runs"]
    assert (run["prompt_tokens"], run["output_tokens"], run["cached_tokens"], run["flags"]) == (80, 16, 0, []), run
    assert run["engine"]["prompt_tokens"] == 80 and got["cold_start_ms"]["n"] == 1 and got["settings"]["quantisation"] == "Q4_1"
