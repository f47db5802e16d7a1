"""Places that do not speak as OpenAI does, written from their documentation: a Messages API and an Ollama. Each checks what it is sent as strictly as the real
one (its words for what is wrong are the real one's), keeps it, and answers as `next` says, else with a few words of its own."""

import base64
import contextlib
import http.server
import json
import select
import threading


class Refusal(Exception):
    """An answer that is none."""

    def __init__(self, status, message, type=None, headers=None):
        super().__init__(message)
        self.status, self.message, self.type, self.headers = status, message, type, headers or {}


BREAK = object()  # the connection ends here
HANG = object()   # nothing more comes, until the other side goes


class Place:
    """A server on loopback. .requests: (method, path, headers, body). .next: what the following requests get, first to last: a Refusal, or a list of a
    stream's parts (texts, BREAK, HANG). .gone: set when a caller left before his answer was whole."""

    content_type = None

    def __init__(self, key=None):
        self.key, self.requests, self.next, self.gone = key, [], [], threading.Event()
        place = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *args):
                pass

            def do_GET(self):
                place.handle(self, b"")

            def do_POST(self):
                place.handle(self, self.rfile.read(int(self.headers["Content-Length"])))

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.02,), daemon=True)
        self.thread.start()

    def stop(self):
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()

    @property
    def chats(self):
        """The bodies of the chats it was sent, but for what hob asks by itself."""
        return [body for method, path, headers, body in self.requests if path == self.chat_path and not headers.get("X-Hob-Probe")]

    def handle(self, h, raw):
        body = json.loads(raw) if raw else None
        self.requests.append((h.command, h.path, dict(h.headers), body))
        try:
            if h.path.partition("?")[0] in ("/v1/models", "/api/tags"):
                return self.send(h, 200, {"data": [{"id": m} for m in self.models]})
            answer = self.next.pop(0) if self.next and not h.headers.get("X-Hob-Probe") else None
            if isinstance(answer, Refusal):
                raise answer
            self.check_headers(h.headers)
            if h.path != self.chat_path:
                return self.other(h, body)
            self.check(body)
            self.stream(h, answer if answer is not None else self.words(body))
        except Refusal as refusal:
            self.send(h, refusal.status, self.refusal(refusal), refusal.headers)
        except (BrokenPipeError, ConnectionResetError):
            self.gone.set()

    def check_headers(self, headers):
        pass

    def other(self, h, body):
        raise Refusal(404, "Not found", "not_found_error")

    def send(self, h, status, answer, headers=None):
        text = json.dumps(answer).encode()
        h.send_response(status)
        for name, value in {"Content-Type": "application/json", "Content-Length": str(len(text)), **(headers or {})}.items():
            h.send_header(name, value)
        h.end_headers()
        h.wfile.write(text)

    def stream(self, h, parts):
        h.send_response(200)
        h.send_header("Content-Type", self.content_type)
        h.send_header("Transfer-Encoding", "chunked")
        h.end_headers()
        for part in parts:
            if part is BREAK or part is HANG:
                if part is HANG:
                    select.select([h.connection], [], [], 30)
                    self.gone.set()
                h.close_connection = True
                with contextlib.suppress(OSError):
                    h.connection.shutdown(2)
                return
            text = part.encode()
            h.wfile.write(b"%x\r\n%s\r\n" % (len(text), text))
            h.wfile.flush()
        h.wfile.write(b"0\r\n\r\n")


def need(condition, message, type="invalid_request_error", status=400):
    if not condition:
        raise Refusal(status, message, type)


# -- the Messages API


def event(type, **more):
    return f"event: {type}\ndata: {json.dumps({'type': type, **more})}\n\n"


def block(index, start, *deltas):
    """A block's events, from its beginning to its end."""
    return [event("content_block_start", index=index, content_block=start),
            *(event("content_block_delta", index=index, delta=d) for d in deltas), event("content_block_stop", index=index)]


def text_block(index, *words):
    return block(index, {"type": "text", "text": ""}, *({"type": "text_delta", "text": w} for w in words))


def thinking_block(index, *words):
    return block(index, {"type": "thinking", "thinking": "", "signature": ""}, *({"type": "thinking_delta", "thinking": w} for w in words),
                 {"type": "signature_delta", "signature": "EqQBCgIYAhIM"})


def tool_block(index, id, name, *pieces):
    return block(index, {"type": "tool_use", "id": id, "name": name, "input": {}},
                 *({"type": "input_json_delta", "partial_json": p} for p in ("", *pieces)))


def message(*blocks, stop="end_turn", usage=None, output=9):
    usage = {"input_tokens": 12, "cache_creation_input_tokens": 3, "cache_read_input_tokens": 5, "output_tokens": 1, **(usage or {})}
    start = {"id": "msg_01XFDUDYJgAACzvnptvVoYEL", "type": "message", "role": "assistant", "content": [], "model": "claude-sonnet-4-5", "stop_reason": None,
             "stop_sequence": None, "usage": usage}
    return [event("message_start", message=start), event("ping"), *(e for b in blocks for e in b),
            event("message_delta", delta={"stop_reason": stop, "stop_sequence": None}, usage={"output_tokens": output}), event("message_stop")]


class Anthropic(Place):
    content_type, chat_path, models = "text/event-stream; charset=utf-8", "/v1/messages", ["claude-sonnet-4-5"]
    KNOWN = {"model", "max_tokens", "messages", "system", "stream", "tools", "tool_choice", "stop_sequences", "temperature", "top_p", "top_k", "thinking",
             "output_config", "metadata"}

    def refusal(self, r):
        return {"type": "error", "error": {"type": r.type or "api_error", "message": r.message}, "request_id": "req_011C"}

    def check_headers(self, headers):
        need(headers.get("anthropic-version") == "2023-06-01", "anthropic-version: header is required")
        need(headers.get("x-api-key") == self.key, "invalid x-api-key", "authentication_error", 401)

    def check(self, b):
        for name in b:
            need(name in self.KNOWN, f"{name}: Extra inputs are not permitted")
        need(isinstance(b.get("max_tokens"), int) and b["max_tokens"] > 0, "max_tokens: Field required")
        need(b["model"] in self.models, f"model: {b['model']}", "not_found_error", 404)
        need(b["messages"], "messages: at least one message is required")
        roles = [m["role"] for m in b["messages"]]
        need(roles[0] == "user", "messages: first message must use the \"user\" role")
        need(all(a != b for a, b in zip(roles, roles[1:])), "messages: roles must alternate")
        need(0 <= b.get("temperature", 1) <= 1, "temperature: range: 0..1")
        for m in [*b["messages"], {"content": b.get("system", [])}]:
            for part in m["content"]:
                self.check_block(part)
        self.check_calls(b["messages"])
        thinking = b.get("thinking", {})
        if thinking.get("type") == "enabled":
            need(1024 <= thinking["budget_tokens"] < b["max_tokens"], "`max_tokens` must be greater than `thinking.budget_tokens`")
            need("temperature" not in b, "`temperature` may only be set to 1 when thinking is enabled")
        for tool in b.get("tools", []):
            need(tool["input_schema"]["type"] == "object", "tools.0.input_schema.type: Field required")

    def check_block(self, part):
        if part["type"] == "text":
            need(part["text"], "messages: text content blocks must be non-empty")
        elif part["type"] == "tool_use":
            need(isinstance(part["input"], dict), "messages: tool_use.input: Input should be a valid dictionary")
        elif part["type"] in ("image", "document"):
            if part["source"]["type"] == "base64":
                base64.b64decode(part["source"]["data"], validate=True)
        else:
            need(part["type"] == "tool_result", f"messages: Input tag '{part['type']}' found")

    def check_calls(self, messages):
        """What tools were asked must be answered, by the next message."""
        for m, then in zip(messages, [*messages[1:], {"content": []}]):
            asked = [p["id"] for p in m["content"] if p["type"] == "tool_use"]
            answered = [p["tool_use_id"] for p in then["content"] if p["type"] == "tool_result"]
            need(asked == answered, "`tool_use` ids were found without `tool_result` blocks immediately after")

    def words(self, b):
        return message(text_block(0, "Hello", " from", " far."))


# -- Ollama


def line(done=False, **more):
    text, thinking, calls = more.pop("content", ""), more.pop("thinking", None), more.pop("calls", None)
    m = {"role": "assistant", "content": text, **({"thinking": thinking} if thinking else {}),
         **({"tool_calls": [{"function": {"name": n, "arguments": a}} for n, a in calls]} if calls else {})}
    return json.dumps({"model": "qwen3:8b", "created_at": "2026-11-21T10:00:00.123456789Z", "message": m, "done": done, **more}) + "\n"


def last(reason="stop", **more):
    return line(True, **{"done_reason": reason, "total_duration": 4883583458, "load_duration": 1334875, "prompt_eval_count": 26, "prompt_eval_duration": 342546000,
                         "eval_count": 7, "eval_duration": 4535599000, **more})


class Ollama(Place):
    content_type, chat_path, models = "application/x-ndjson", "/api/chat", ["qwen3:8b"]
    thinks = True

    def refusal(self, r):
        return {"error": r.message}

    def check(self, b):
        need(b["model"] in self.models, f"model '{b['model']}' not found", status=404)
        need(self.thinks or not b.get("think"), f"\"{b['model']}\" does not support thinking")
        need(b.get("think") in (None, True, False, "low", "medium", "high"), "invalid think value")
        for name, value in b["options"].items():
            need(name in ("stop",) or isinstance(value, (int, float)), f"option \"{name}\" must be of type float32")
        for m in b["messages"]:
            need(isinstance(m["content"], str), "json: cannot unmarshal array into Go struct field ChatRequest.messages.content of type string")
            need(m["role"] in ("system", "user", "assistant", "tool"), "invalid role")
            for image in m.get("images", []):
                base64.b64decode(image, validate=True)
            for call in m.get("tool_calls", []):
                need(isinstance(call["function"]["arguments"], dict), "json: cannot unmarshal string into Go struct field .arguments")

    def words(self, b):
        return [line(content="Hello"), line(content=" from"), line(content=" the box."), last()]

    def other(self, h, body):
        if h.path == "/v1/embeddings":
            many = body["input"] if isinstance(body["input"], list) else [body["input"]]
            data = [{"object": "embedding", "index": i, "embedding": [0.5, 0.25]} for i in range(len(many))]
            self.send(h, 200, {"object": "list", "data": data, "model": body["model"], "usage": {"prompt_tokens": 3, "total_tokens": 3}})
        elif h.path == "/v1/completions":
            self.send(h, 200, {"id": "c", "object": "text_completion", "created": 1, "model": body["model"], "choices": [
                {"index": 0, "text": " there", "finish_reason": "stop"}], "usage": {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2}})
        else:
            raise Refusal(404, "404 page not found")
