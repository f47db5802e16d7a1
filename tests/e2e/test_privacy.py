"""What is private stays here, or leaves in disguise; and nothing of it is written down."""

import json

import pytest
from helpers import chat_body, chunks_of, content_of, wait_for

MAIL, PHONE, CARD, IBAN = "jane.canary@example.com", "+49 151 77788899", "4111 1111 1111 1111", "DE89 3704 0044 0532 0130 00"
PASSWORD = "canary!Tr0ub4dor"
CANARIES = [MAIL, PHONE, CARD, IBAN, PASSWORD]
TEXT = f"Write to {MAIL} or {PHONE}, card {CARD}, account {IBAN}, password={PASSWORD}, again {MAIL}."
HIDDEN = "Write to [EMAIL_1] or [PHONE_1], card [CARD_1], account [IBAN_1], password=[SECRET_1], again [EMAIL_1]."


@pytest.fixture
def two(nursery):
    """hob with a place here and one that counts as far away; start(**config) -> (hob, near, far)"""
    def start(role=("away", "here"), **config):
        near, far = nursery.fake(), nursery.fake()
        h = nursery.hob({"hosts": {"near": {"url": near.url}, "far": {"url": far.url, "local": "off"}},
                         "models": {"here": {"host": "near"}, "away": {"host": "far"}},
                         "roles": {"chat": {"model": role[0], "fallback": list(role[1:])}, "only": "away"}, **config})
        return h, near, far
    return start


def sent_to(fake):
    """All bodies that a fake has seen."""
    return [r.body.decode() for r in fake.log().requests if r.body]


def leaks(text):
    return [c for c in CANARIES if c in text or json.dumps(c)[1:-1] in text]


def check_nothing_is_written_down(h):
    assert not leaks(h.stderr())
    assert h.process.poll() is not None or not leaks(h.get("/metrics").body.decode())
    for file in h.dir.rglob("*"):
        if file.is_file() and file.stat().st_size < 64 << 20:
            assert not leaks(file.read_bytes().decode(errors="replace")), file


def test_personal_data_stays_here_where_it_can(two):
    h, near, far = two()
    assert h.chat("chat", "nothing to hide").get("x-hob-model") == "away"
    r = h.chat("chat", TEXT)
    assert r.status == 200 and r.get("x-hob-model") == "here"
    assert not any(leaks(body) for body in sent_to(far)) and leaks(sent_to(near)[-1]) == CANARIES
    assert h.chat("only", TEXT).get("x-hob-model") == "away" # nobody else can answer: soft
    check_nothing_is_written_down(h)


@pytest.mark.parametrize("detect", ["mark", "off"])
def test_looking_for_it_is_a_setting(two, detect):
    h, near, far = two(privacy={"detect": detect})
    assert h.chat("chat", TEXT).get("x-hob-model") == "away"
    assert leaks(sent_to(far)[-1]) == CANARIES


def test_what_is_said_to_be_private_is_hard(two):
    h, near, far = two(privacy={"redact": True})
    assert h.chat("chat", "plain", headers={"x-hob-private": "true"}).get("x-hob-model") == "here"
    r = h.chat("only", "plain", headers={"x-hob-private": "true"})
    assert r.status == 503 and r.error()["code"] == "private_no_place" and not sent_to(far)


def test_a_rule_can_say_so(two):
    h, near, far = two(routes=[{"when": {"header": ["x-team: legal*"]}, "private": True}, {"when": {"private": True, "role": ["only"]}, "to": "here"}])
    assert h.chat("chat", "plain", headers={"x-team": "Legal-EMEA"}).get("x-hob-model") == "here"
    assert h.chat("chat", "plain", headers={"x-team": "sales"}).get("x-hob-model") == "away"
    assert h.chat("only", "plain").get("x-hob-model") == "away"
    assert h.chat("only", TEXT).get("x-hob-model") == "here" # personal data makes the second rule hold
    assert not any(leaks(body) for body in sent_to(far))


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("split", ["", "[[split_bytes 1]]"])
def test_placeholders_leave_and_values_come_back(two, stream, split):
    h, near, far = two(privacy={"redact": True})
    far.default(f"[[json {json.dumps(HIDDEN)}]]{split}")
    r = h.post("/v1/chat/completions", chat_body("chat", TEXT, stream=stream))
    assert r.status == 200 and r.get("x-hob-model") == "away", r
    said = content_of(r.events()) if stream else r.json()["choices"][0]["message"]["content"]
    assert said.strip('"') == TEXT
    body = sent_to(far)[-1]
    assert not leaks(body) and json.loads(body)["messages"][0]["content"] == HIDDEN
    check_nothing_is_written_down(h)


def test_arguments_of_tools_come_back_as_json(two):
    h, near, far = two(privacy={"redact": True})
    far.default('[[tool send {"to":"[EMAIL_1]","with":"[SECRET_1]"}]]')
    text = f'{MAIL} password="a\\b,c1d"'
    want = {"to": MAIL, "with": "a\\b,c1d"}
    call = h.post("/v1/chat/completions", chat_body("chat", text)).json()["choices"][0]["message"]["tool_calls"][0]
    assert json.loads(call["function"]["arguments"]) == want
    arguments = ""
    for chunk in chunks_of(h.post("/v1/chat/completions", chat_body("chat", text, stream=True)).events()):
        for c in chunk["choices"][0]["delta"].get("tool_calls") or []:
            arguments += c["function"].get("arguments") or ""
    assert json.loads(arguments) == want
    # and the conversation goes on: what the tool got and said leaves in the same disguise
    messages = [{"role": "user", "content": text}, {"role": "assistant", "content": None, "tool_calls": [{**call, "function": {"name": "send", "arguments": json.dumps(want)}}]},
                {"role": "tool", "tool_call_id": call["id"], "content": f"sent to {MAIL}"}]
    assert h.post("/v1/chat/completions", {"model": "chat", "messages": messages}).status == 200
    sent = json.loads(sent_to(far)[-1])["messages"]
    assert json.loads(sent[1]["tool_calls"][0]["function"]["arguments"]) == {"to": "[EMAIL_1]", "with": "[SECRET_1]"}
    assert sent[2]["content"] == "sent to [EMAIL_1]"


def test_what_looks_like_a_placeholder_is_left_alone(two):
    h, near, far = two(privacy={"redact": True})
    far.default('[[json "[EMAIL_1] [EMAIL_2] [PHONE_1] [EMAIL_"]]')
    for stream in (False, True):
        r = h.post("/v1/chat/completions", chat_body("chat", f"explain [EMAIL_1] to {MAIL}", stream=stream))
        said = content_of(r.events()) if stream else r.json()["choices"][0]["message"]["content"]
        assert said.strip('"') == f"[EMAIL_1] {MAIL} [PHONE_1] [EMAIL_"
    assert json.loads(sent_to(far)[-1])["messages"][0]["content"] == "explain [EMAIL_1] to [EMAIL_2]"


def test_the_next_place_gets_what_it_may_see(two):
    h, near, far = two(privacy={"redact": True})
    far.default("[[status 500]]")
    assert h.chat("chat", TEXT).get("x-hob-fallback") == "away->here"
    assert leaks(sent_to(near)[-1]) == CANARIES and not any(leaks(b) for b in sent_to(far))
    h, near, far = two(role=("here", "away"), routes=[{"when": {"role": ["chat"]}, "redact": True}])
    near.default("[[status 500]]")
    far.default(f'[[json "{MAIL[:4]} [EMAIL_1]"]]')
    r = h.chat("chat", TEXT)
    assert r.get("x-hob-fallback") == "here->away" and MAIL in r.json()["choices"][0]["message"]["content"]
    assert not any(leaks(b) for b in sent_to(far))


def test_prompts_documents_and_long_texts_are_looked_at_too(two):
    h, near, far = two(privacy={"redact": True})
    far.default("[[json \"to [EMAIL_1]\"]]")
    r = h.post("/v1/completions", {"model": "only", "prompt": f"mail {MAIL}"})
    assert MAIL in r.json()["choices"][0]["text"] and not leaks(sent_to(far)[-1])
    long = "words and words\n" * 20000 + MAIL
    r = h.post("/v1/chat/completions", chat_body("only", long))
    assert MAIL in r.json()["choices"][0]["message"]["content"] and not leaks(sent_to(far)[-1])


@pytest.mark.parametrize("status, stream", [(400, False), (422, True), (500, False), (429, False), (200, True)])
def test_an_error_of_a_place_that_repeats_it_is_not_written_down(two, status, stream):
    h, near, far = two(privacy={"detect": "mark"})
    body = json.dumps({"error": {"message": f"cannot mail to {MAIL}, {PASSWORD} at {PHONE}", "code": MAIL}})
    if status == 200:
        body = f"data: {body}\n\n"
    head = f"HTTP/1.1 {status} Oops\r\nContent-Type: {'text/event-stream' if status == 200 else 'application/json'}\r\nContent-Length: {len(body)}\r\n\r\n"
    far.default(f"[[http {json.dumps(head + body)}]]")
    h.post("/v1/chat/completions", chat_body("only", TEXT, stream=stream))
    h.post("/v1/chat/completions", chat_body("chat", TEXT, stream=stream))
    h.stop()
    check_nothing_is_written_down(h)


def test_what_pages_ask_by_themselves_goes_to_the_role_task(nursery):
    near, far = nursery.fake(), nursery.fake()
    config = {"hosts": {"near": {"url": near.url}, "far": {"url": far.url}}, "models": {"small": {"host": "near"}, "large": {"host": "far"}}}
    title = "### Task:\nGenerate a concise, 3-5 word title with an emoji summarizing the chat history."
    h = nursery.hob({**config, "roles": {"task": "small"}})
    for text, class_, model in ((title, "chat", "small"), ("hi", "program", "small"), ("hi", "chat", "large"), ("What is a title?", "chat", "large")):
        assert h.chat("large", text, headers={"x-hob-class": class_}).get("x-hob-model") == model, text
    assert nursery.hob(config).chat("large", title).get("x-hob-model") == "large" # no such role


def test_the_line_for_anthropic_reaches_nobody_else(two):
    h, near, far = two()
    line = "x-anthropic-billing-header: cc_version=2.1.77.c4f; cc_entrypoint=cli; cch=a1b2c;"
    for system in ([{"type": "text", "text": line}, {"type": "text", "text": "Be brief."}], line + "\nBe brief."):
        assert h.post("/v1/chat/completions", {"model": "chat", "messages": [{"role": "system", "content": system}, {"role": "user", "content": "x"}]}).status == 200
        body = sent_to(far)[-1]
        assert "billing" not in body and "Be brief." in body
