"""HTTP/1.1 by hand: sends exact bytes, reads answers strictly, and says what is wrong with their framing.

Every request of the suite that does not go through the official SDK goes through here, so that a framing error of hob's
cannot hide behind a forgiving client. Deadlines are absolute: no read waits longer than its connection's timeout."""

import json
import re
import socket
import time

TOKEN = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+\Z")
STATUS_LINE = re.compile(rb"HTTP/1\.1 ([1-5][0-9]{2}) ([\x20-\x7e]*)\Z")


class FramingError(Exception):
    """The bytes are no valid HTTP/1.1 answer (or no valid event stream)."""


class Gone(Exception):
    """The connection ended before anything of an answer came."""


class Response:
    def __init__(self, status, reason, headers):
        self.status, self.reason, self.headers = status, reason, headers
        self.body = b""
        self.framing = None  # "length", "chunked", "close" or "none"
        self.interim = []  # status codes of 1xx answers before this one
        self.chunks = []

    def all(self, name):
        return [v for k, v in self.headers if k.lower() == name.lower()]

    def get(self, name, default=None):
        values = self.all(name)
        assert len(values) < 2, f"header {name} came {len(values)} times: {values}"
        return values[0] if values else default

    def json(self):
        return json.loads(self.body, object_pairs_hook=no_duplicates)

    def error(self):
        """The error object, having checked that it has OpenAI's shape and hob's additions."""
        assert "json" in self.get("content-type", ""), f"{self.status} is no JSON: {self.body[:200]!r}"
        e = self.json()["error"]
        assert {"message", "type", "param", "code", "hob"} <= e.keys(), e
        assert isinstance(e["message"], str) and e["message"], e
        assert e["hob"]["fault"] in ("caller", "gateway", "backend", "model", "harness"), e
        assert e["hob"]["request_id"] == self.get("x-request-id"), (e, self.headers)
        return e

    def events(self):
        return parse_events(self.body)

    def __repr__(self):
        return f"<{self.status} {self.reason} {self.headers} {self.body[:300]!r}>"


def no_duplicates(pairs):
    keys = [k for k, _ in pairs]
    if len(keys) != len(set(keys)):
        raise FramingError(f"duplicate keys in JSON: {keys}")
    return dict(pairs)


def parse_event(block):
    """One event without its blank line: ('data', text) or ('comment', text)."""
    lines = block.split(b"\n")
    if all(line.startswith(b":") for line in lines):
        return "comment", block.decode()
    data = []
    for line in lines:
        if line.startswith(b"data: "):
            data.append(line[6:].decode())
        elif not line.startswith(b":"):
            raise FramingError(f"neither data nor comment in an event: {line[:200]!r}")
    return "data", "\n".join(data)


def parse_events(body):
    if b"\r" in body:
        raise FramingError("CR in an event stream")
    if body and not body.endswith(b"\n\n"):
        raise FramingError(f"the event stream ends inside an event: {body[-200:]!r}")
    return [parse_event(b) for b in body.split(b"\n\n") if b]


class Connection:
    def __init__(self, at, timeout=20.0, rcvbuf=None):
        """at: ("127.0.0.1", port) or the path of a unix socket."""
        family = socket.AF_UNIX if isinstance(at, str) else socket.AF_INET
        self.sock = socket.socket(family, socket.SOCK_STREAM)
        if rcvbuf:
            self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, rcvbuf)
        self.timeout = timeout
        self.sock.settimeout(timeout)
        self.sock.connect(at)
        if family == socket.AF_INET:
            self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.buf = bytearray()
        self.deadline = time.monotonic() + timeout

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self.sock.close()

    def send(self, data):
        self.deadline = time.monotonic() + self.timeout
        self.sock.sendall(data)

    def request(self, method, path, body=b"", headers=(), **kw):
        """Sends one request and reads its answer."""
        self.send(request_bytes(method, path, body, headers))
        return self.response(method, **kw)

    def more(self):
        """Reads what there is; False at the end of the connection."""
        left = self.deadline - time.monotonic()
        if left <= 0:
            raise TimeoutError(f"nothing more within {self.timeout} s; so far {bytes(self.buf[:300])!r}")
        self.sock.settimeout(left)
        try:
            data = self.sock.recv(262144)
        except ConnectionResetError:
            data = b""
        self.buf += data
        return bool(data)

    def ended(self):
        """Waits for the end of the connection; what came instead is a failure."""
        while self.more():
            pass
        if self.buf:
            raise FramingError(f"bytes after the answer: {bytes(self.buf[:200])!r}")
        return True

    def until(self, mark, what):
        start = 0
        while (at := self.buf.find(mark, start)) < 0:
            start = max(0, len(self.buf) - len(mark) + 1)
            if not self.more():
                if not self.buf and what == "the head":
                    raise Gone(f"the connection ended before {what}")
                raise FramingError(f"the connection ended inside {what}: {bytes(self.buf[:200])!r}")
        taken = bytes(self.buf[:at])
        del self.buf[:at + len(mark)]
        return taken

    def exactly(self, n, what):
        while len(self.buf) < n:
            if not self.more():
                raise FramingError(f"the connection ended inside {what}, {len(self.buf)} of {n} bytes")
        taken = bytes(self.buf[:n])
        del self.buf[:n]
        return taken

    def head(self):
        lines = self.until(b"\r\n\r\n", "the head").split(b"\r\n")
        m = STATUS_LINE.match(lines[0])
        if not m:
            raise FramingError(f"status line {lines[0]!r}")
        headers = []
        for line in lines[1:]:
            name, colon, value = line.partition(b":")
            if not colon or not TOKEN.match(name) or b"\r" in value or b"\n" in value or b"\0" in value:
                raise FramingError(f"header line {line!r}")
            headers.append((name.decode(), value.strip(b" \t").decode("latin-1")))
        return Response(int(m[1]), m[2].decode(), headers)

    def framing(self, r, method):
        lengths, encodings = r.all("content-length"), r.all("transfer-encoding")
        if len(lengths) > 1 or len(encodings) > 1 or (lengths and encodings):
            raise FramingError(f"ambiguous length: {r.headers}")
        if encodings and encodings[0] != "chunked":
            raise FramingError(f"Transfer-Encoding {encodings[0]!r}")
        if lengths and not lengths[0].isdigit():
            raise FramingError(f"Content-Length {lengths[0]!r}")
        if method == "HEAD" or r.status in (204, 304):
            return "none"
        return "chunked" if encodings else "length" if lengths else "close"

    def start(self, method="POST"):
        """The head of the answer, 1xx ones set aside; the body is read by body() or stream()."""
        interim = []
        while True:
            r = self.head()
            if r.status >= 200:
                break
            interim.append(r.status)
        r.interim = interim
        r.framing = self.framing(r, method)
        return r

    def chunk(self):
        """The next chunk; b"" is the last one."""
        line = self.until(b"\r\n", "a chunk's size")
        if not re.fullmatch(rb"[0-9A-Fa-f]{1,8}", line):
            raise FramingError(f"chunk size {line!r}")
        data = self.exactly(int(line, 16), "a chunk")
        if self.exactly(2, "a chunk's end") != b"\r\n":
            raise FramingError("a chunk does not end with CR LF")
        return data

    def body(self, r):
        if r.framing == "length":
            r.body = self.exactly(int(r.get("content-length")), "the body")
        elif r.framing == "chunked":
            parts = []
            while c := self.chunk():
                parts.append(c)
            r.chunks, r.body = parts, b"".join(parts)
        elif r.framing == "close":
            while self.more():
                pass
            r.body = bytes(self.buf)
            self.buf.clear()
        return r

    def response(self, method="POST"):
        return self.body(self.start(method))

    def stream(self, r):
        """Yields ('data'|'comment', text) as they come, after start()."""
        assert r.framing == "chunked", f"a stream that is {r.framing}: {r.headers}"
        text = b""
        while c := self.chunk():
            text += c
            while b"\n\n" in text:
                block, text = text.split(b"\n\n", 1)
                yield parse_event(block)
        if text:
            raise FramingError(f"the event stream ends inside an event: {text[-200:]!r}")


def request_bytes(method, path, body=b"", headers=()):
    if isinstance(body, (dict, list)):
        body = json.dumps(body, ensure_ascii=False).encode()
    elif isinstance(body, str):
        body = body.encode()
    lines = [f"{method} {path} HTTP/1.1", "Host: 127.0.0.1"]
    if body or method in ("POST", "PUT"):
        lines += ["Content-Type: application/json", f"Content-Length: {len(body)}"]
    lines += [f"{k}: {v}" for k, v in dict(headers).items()]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


def call(at, method, path, body=b"", headers=(), timeout=20.0):
    """One request on a connection of its own."""
    with Connection(at, timeout) as c:
        return c.request(method, path, body, headers)
