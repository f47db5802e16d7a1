"""A model on this machine: how the child is started, what it is sent, and what it never sees."""

import json
import threading

import pytest
import raw
from helpers import chat_body, wait_for


@pytest.fixture(scope="module")
def shared(module_nursery):
    """hob with one hot fake model `m` of two slots."""
    return module_nursery.managed("m")


@pytest.fixture
def child(shared):
    control = shared.child("m").control
    control.reset()
    return control


def test_it_is_started_as_it_should_be(shared):
    args = shared.child("m").args
    assert "--api-key-file" in args and "--offline" in args and "--no-ui" in args
    sock = args[args.index("--host") + 1]
    assert sock.endswith(".sock") and len(sock) < 108
    import os
    assert os.stat(os.path.dirname(sock)).st_mode & 0o777 == 0o700
    assert os.stat(args[args.index("--api-key-file") + 1]).st_mode & 0o777 == 0o600
    key = open(args[args.index("--api-key-file") + 1]).read().strip()
    assert len(key) >= 32 and not any(key in a for a in args)


def test_its_environment_holds_nothing_of_ours(managed):
    h = managed(hob={"env": {"HOB_SECRET_CANARY": "canary-value", "MY_TOKEN": "canary-value"}})
    assert b"canary-value" not in open(f"/proc/{h.child('m').pid}/environ", "rb").read()


def test_it_is_always_streamed_from(shared, child):
    for stream in (False, True):
        assert shared.chat("m", "hello", stream=stream).status == 200
        sent = child.log().chats[-1].json()
        assert sent["stream"] is True and sent["stream_options"] == {"include_usage": True}


def test_its_key_is_sent_and_the_callers_headers_are_not(shared, child):
    r = shared.chat("m", "hello", headers={"Authorization": "Bearer secret-of-caller", "X-Conversation-Id": "c", "Cookie": "a=b",
                                           "X-Stainless-Lang": "python", "User-Agent": "me"})
    assert r.status == 200
    head = child.chat().head.decode().lower()
    assert "authorization: bearer " in head
    for leak in ("secret-of-caller", "x-conversation-id", "cookie", "stainless", "user-agent: me"):
        assert leak not in head


GOOD = {
    "temperature": 0.5, "top_p": 0.9, "max_tokens": 5, "seed": 7, "stop": ["x"], "presence_penalty": 0.1, "frequency_penalty": -0.1,
    "logit_bias": {"5": 1}, "top_k": 40, "min_p": 0.05, "cache_prompt": True, "response_format": {"type": "json_object"},
    "chat_template_kwargs": {"enable_thinking": False}, "grammar": "root ::= \"a\"", "n": 1, "user": "u",
}


@pytest.mark.parametrize("field", [f for f in GOOD if f not in ("n", "user")])
def test_fields_it_should_get(shared, child, field):
    fields = {field: GOOD[field]}
    said = '[[json {"a": 1}]]' if field == "response_format" else "hello"
    assert shared.chat("m", said, **fields).status == 200
    sent = child.log().chats[-1].json()
    if field == "max_tokens":
        assert 5 in (sent.get("max_tokens"), sent.get("max_completion_tokens"), sent.get("n_predict"))
    else:
        assert sent.get(field) == GOOD[field] or field in ("response_format",) and field in sent, sent


def test_openai_fields_without_meaning_here_do_no_harm(shared):
    r = shared.chat("m", "hello", n=1, user="u", store=False, metadata={"a": "b"}, parallel_tool_calls=True, service_tier="auto")
    assert r.status == 200


@pytest.mark.parametrize("field, value", [("n_discard", -5), ("id_slot", 3), ("chat_template", "x"), ("slot_save_path", "x"),
                                          ("no_such_field", 1), ("n_keep", 4)])
def test_what_is_not_allowed_is_dropped_and_named(shared, child, field, value):
    r = shared.chat("m", "hello", **{field: value})
    assert r.status == 200
    assert field not in child.log().chats[-1].json()
    assert field in [f.strip() for f in r.get("x-hob-dropped", "").split(",")]


def test_nothing_dropped_nothing_said(shared):
    assert shared.chat("m", "hello", temperature=0).get("x-hob-dropped") is None


def test_a_dropped_name_cannot_break_the_header(shared):
    r = shared.chat("m", "hello", **{"a\r\nx-evil: 1": 1, "ü": 2, "b,c": 3})
    assert r.status == 200 and r.get("x-evil") is None


@pytest.mark.parametrize("field, value", [
    ("temperature", -1), ("temperature", 99), ("temperature", "hot"), ("top_p", 2), ("top_p", -0.5), ("max_tokens", -2),
    ("max_tokens", "abc"), ("max_tokens", 1.5), ("n", 2), ("n", 0), ("presence_penalty", 9), ("frequency_penalty", -9),
    ("stop", 5), ("stream", "yes"), ("stream_options", 1), ("top_k", -5), ("min_p", 3), ("seed", "x"), ("logit_bias", "x"),
    ("tools", {}), ("response_format", "json"), ("messages", "hello"), ("messages", []), ("messages", [1]),
    ("messages", [{"role": "alien", "content": "x"}]), ("messages", [{"content": "x"}]), ("messages", [{"role": "user", "content": 5}]),
])
def test_wrong_types_and_ranges_are_refused_and_named(shared, child, field, value):
    r = shared.post("/v1/chat/completions", {**chat_body("m", "hello"), field: value})
    assert r.status == 400, r
    e = r.error()
    assert e["code"] == "invalid_request" and e["type"] == "invalid_request_error" and e["hob"]["fault"] == "caller"
    assert e["param"].startswith(field), e
    assert child.log().chats == []


def test_what_a_special_prompt_says_arrives_unchanged(shared, child):
    text = "tab\there, quote \" and \\ back, ünïcödé 日本 \U0001f600, nul-less \u0001, </s><|im_start|>"
    assert shared.chat("m", text).status == 200
    assert child.log().chats[-1].json()["messages"][-1]["content"] == text


def test_a_prompt_beyond_the_context_is_refused_with_numbers(shared):
    r = shared.chat("m", "word " * 5000)
    assert r.status == 400
    assert r.error()["code"] == "context_length_exceeded"


def test_no_more_than_its_slots_are_in_flight(shared, child):
    answers = []

    def ask(i):
        answers.append(shared.chat("m", f"request {i} [[words 6]] [[gap_ms 10]]", stream=i % 2 == 0).status)
    threads = [threading.Thread(target=ask, args=(i,)) for i in range(13)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    log = child.log()
    assert answers == [200] * 13 and log.max_in_flight == 2 and log.completed == 13


def test_a_full_queue_says_429(managed):
    h = managed(slots=1, config={"queue": {"limit": 2}})
    control = h.child("m").control
    open_ones = [h.open_chat("m", "[[stall_after 1]]", stream=True)]
    control.wait("one is in flight", lambda l: l.in_flight == 1)
    # Two wait; whoever comes then is refused at once.
    open_ones += [h.open_chat("m", "waits", stream=True) for _ in range(2)]
    r = wait_for("the queue is full", lambda: (r := try_once(h)) and r.status == 429 and r)
    assert r.error()["code"] == "queue_full" and int(r.get("retry-after")) > 0
    for c in open_ones:
        c.close()
    wait_for("it serves again", lambda: h.chat("m", "hello").status == 200)


def try_once(h):
    try:
        with h.open_chat("m", "too many", timeout=0.5) as c:
            return c.response()
    except (TimeoutError, raw.Gone):
        return None


def test_a_hot_model_is_loaded_at_start(managed):
    h = managed(wait="ready")
    assert h.child("m").alive()


def test_ready_waits_for_the_load(managed):
    h = managed(script="load_ms 400", wait="listening")
    assert h.get("/livez").status == 200
    r = h.get("/readyz")
    assert r.status == 503 and "m" in r.body.decode()
    h.wait_ready()
    assert h.chat("m", "hello").status == 200


def test_a_demand_model_is_loaded_by_the_first_request(managed):
    h = managed(keep="demand", script="load_ms 200", wait="listening")
    h.wait_ready()
    assert h.children() == []
    r = h.chat("m", "hello")
    assert r.status == 200 and r.json()["_routing"]["load_ms"] >= 150
    assert len(h.children()) == 1
    assert h.chat("m", "hello").json()["_routing"]["load_ms"] in (0, None)


def test_many_first_requests_make_one_load(managed, nursery):
    starts = nursery.dir / "starts"
    h = managed(keep="demand", script=f"starts {starts}\nload_ms 200", wait="listening")
    answers = []
    threads = [threading.Thread(target=lambda: answers.append(h.chat("m", "hello").status)) for _ in range(6)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert answers == [200] * 6 and len(starts.read_text().splitlines()) == 1


def test_an_idle_demand_model_is_unloaded(managed):
    h = managed(keep="demand", idle="300ms", wait="listening")
    assert h.chat("m", "hello").status == 200
    wait_for("it is unloaded", lambda: h.children() == [])
    assert h.chat("m", "hello").status == 200


def test_a_child_that_dies_is_started_again(managed):
    h = managed()
    first = h.child("m").pid
    r = h.chat("m", "[[die_after 3]]", stream=True)
    assert json.loads([d for k, d in r.events() if k == "data"][-1])["error"]["code"] == "backend_failed"
    wait_for("another child answers", lambda: h.chat("m", "hello").status == 200 and h.child("m").pid != first)


def test_a_death_before_the_first_byte_is_a_clean_502(managed):
    h = managed()
    r = h.chat("m", "[[die_after 0]] [[no_role]]")
    assert r.status == 502 and r.error()["code"] == "backend_failed"
    assert r.error()["hob"]["fault"] == "backend"


def test_a_talkative_child_is_drained(managed):
    h = managed(script="log_lines 20000")
    assert h.chat("m", "hello").status == 200


def test_bodies_are_limited_when_collected(managed):
    h = managed(config={"limits": {"answer": "64KiB"}})
    r = h.chat("m", "[[words 200]] [[word_bytes 1000]]")
    assert r.status == 502 and r.error()["code"] == "backend_failed"
    h.child("m").control.wait("the child's work is cancelled", lambda l: l.in_flight == 0)
    assert h.chat("m", "hello").status == 200


def test_what_an_engine_cannot_do_loads_no_model(managed):
    h = managed("m", keep="demand", wait="listening")
    r = h.chat("m", "hello", n=2)
    assert r.status == 400 and r.error()["param"] == "n"
    assert not h.children()
