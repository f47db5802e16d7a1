r"""What a place that answers may send instead of an answer, as data; and a server that plays it.

A Case is bytes (or a few writes) and a verdict: GOOD (the answer is tolerably whole, and the caller gets all of it), BAD (a typed error, blamed on the
place), or EITHER.
Framing is tried around a good body, bodies in a good frame; each for a stream and for an answer in one piece, and in the language of each kind of place."""

import gzip
import json
import re
import socket
import struct
import threading
from typing import NamedTuple

GOOD, BAD, EITHER = "good", "bad", "either"
KEEP, CLOSE, RESET, HANG = "keep", "close", "reset", "hang"  # what becomes of the connection when all is written
TEXT = "Grüße, 世界 😀!"


class Case(NamedTuple):
    name: str
    writes: tuple  # bytes; or a callable that yields them, for what has no end
    verdict: str = BAD
    codes: tuple = ("backend_failed",)  # of BAD
    end: str = CLOSE
    stream: bool = False
    reuse: bool = False  # the connection is in order and may serve another request
    task: str = "chat"


# -- good bodies, in the language of each kind


def chunk(**delta):
    finish = delta.pop("finish", None)
    return {"id": "c1", "object": "chat.completion.chunk", "created": 1, "model": "m", "choices": [{"index": 0, "delta": delta, "finish_reason": finish}]}


def sse(*events):
    return b"".join(b"data: " + (e if isinstance(e, bytes) else json.dumps(e, ensure_ascii=False).encode()) + b"\n\n" for e in events)


USAGE = {"prompt_tokens": 3, "completion_tokens": 4, "total_tokens": 7}
DONE = b"[DONE]"
PIECES = [chunk(role="assistant", content=""), chunk(content=TEXT[:6]), chunk(content=TEXT[6:11]), chunk(content=TEXT[11:])]
END = chunk(finish="stop")
WITH_USAGE = {"id": "c1", "object": "chat.completion.chunk", "created": 1, "model": "m", "choices": [], "usage": USAGE}
WHOLE = {"id": "c1", "object": "chat.completion", "created": 1, "model": "m", "usage": USAGE,
         "choices": [{"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": TEXT}}]}


def ndjson(*lines):
    return b"".join((e if isinstance(e, bytes) else json.dumps(e, ensure_ascii=False).encode()) + b"\n" for e in lines)


def said(text="", done=False, **more):
    return {"model": "m", "created_at": "2026-11-21T10:00:00Z", "message": {"role": "assistant", "content": text}, "done": done, **more}


LAST = said(done=True, done_reason="stop", prompt_eval_count=3, eval_count=4)
LINES = [said(TEXT[:6]), said(TEXT[6:11]), said(TEXT[11:]), LAST]


def named(type, **more):
    return b"event: " + type.encode() + b"\ndata: " + json.dumps({"type": type, **more}, ensure_ascii=False).encode() + b"\n\n"


START = named("message_start", message={"id": "msg_1", "type": "message", "role": "assistant", "content": [], "model": "m", "stop_reason": None,
                                        "stop_sequence": None,
                                        "usage": {"input_tokens": 3, "output_tokens": 1}})
OPEN = named("content_block_start", index=0, content_block={"type": "text", "text": ""})
DELTAS = [named("content_block_delta", index=0, delta={"type": "text_delta", "text": t}) for t in (TEXT[:6], TEXT[6:11], TEXT[11:])]
SHUT = named("content_block_stop", index=0)
STOP = named("message_delta", delta={"stop_reason": "end_turn", "stop_sequence": None}, usage={"output_tokens": 4})
OVER = named("message_stop")
MESSAGE = [START, OPEN, *DELTAS, SHUT, STOP, OVER]


class Language(NamedTuple):
    """How a kind speaks: the type and the body of a good answer, of a stream and in one piece (None: it always streams to hob)."""
    stream_type: bytes
    stream: bytes
    whole_type: bytes
    whole: bytes


OPENAI = Language(b"text/event-stream", sse(*PIECES, END, WITH_USAGE, DONE), b"application/json", json.dumps(WHOLE, ensure_ascii=False).encode())
OLLAMA = Language(b"application/x-ndjson", ndjson(*LINES), b"application/x-ndjson", ndjson(*LINES))
ANTHROPIC = Language(b"text/event-stream; charset=utf-8", b"".join(MESSAGE), b"text/event-stream; charset=utf-8", b"".join(MESSAGE))
LANGUAGES = {"openai": OPENAI, "hob": OPENAI, "ollama": OLLAMA, "anthropic": ANTHROPIC}


# -- frames


def head(*fields, status=b"HTTP/1.1 200 OK"):
    return b"\r\n".join([status, *fields]) + b"\r\n\r\n"


def in_chunks(body, size=50):
    return b"".join(b"%x\r\n%s\r\n" % (len(body[i:i + size]), body[i:i + size]) for i in range(0, len(body), size)) + b"0\r\n\r\n"


STATUS_LINES = [
    (b"HTTP/1.1 200", GOOD), (b"HTTP/1.1 200 ", GOOD), (b"HTTP/1.1 200 Tr\xe8s bien", GOOD), (b"HTTP/1.1 200 " + b"x" * 1000, GOOD),
    (b"HTTP/1.0 200 OK", GOOD),
    (b"HTTP/1.1 2OO OK", BAD), (b"HTTP/1.1 20 OK", BAD), (b"HTTP/1.1 2000 OK", BAD), (b"HTTP/1.1 200OK", BAD), (b"HTTP/1.1  200 OK", EITHER),
    (b"HTTP/1.1\t200 OK", BAD), (b" HTTP/1.1 200 OK", BAD),
    (b"http/1.1 200 OK", BAD), (b"HTTP/2 200", BAD), (b"HTTP/2.0 200 OK", BAD), (b"HTTP/0.9 200 OK", BAD), (b"HTTP/1.2 200 OK", BAD),
    (b"HTTP/1.10 200 OK", BAD), (b"HTTP/1 200 OK", BAD), (b"HTTP/3.1 200 OK", BAD),
    (b"HTTP/1.1 -200 OK", BAD), (b"HTTP/1.1 +200 OK", BAD), (b"HTTP/1.1 0x200 OK", BAD), (b"HTTP/1.1 000 X", BAD), (b"HTTP/1.1 099 X", BAD),
    (b"HTTP/1.1 600 X", BAD), (b"HTTP/1.1 999 X", BAD), (b"HTTP/1.1 2.0 X", BAD),
    (b"HTTP/1.1 4294967496 OK", BAD), (b"ICY 200 OK", BAD), (b"RTSP/1.0 200 OK", BAD), (b"HTTPS/1.1 200 OK", BAD), (b"XHTTP/1.1 200 OK", BAD),
    (b"200 OK", BAD), (b"HTTP/1.1", BAD), (b"HTTP/1.1 ", BAD), (b"HTTP/1.1 OK", BAD),
    (b"HTTP/1.1 200\0OK", BAD), (b"HTTP/1.1 200 O\0K", EITHER), (b"HTTP/1.1 200 O\rK", BAD), (b"HTTP/1.1 200 O\nK", BAD), (b"GET / HTTP/1.1", BAD),
    (b"POST /v1/chat/completions HTTP/1.1", BAD), (b"SSH-2.0-OpenSSH_9.9", BAD),
    (b"\x16\x03\x03\x00\x02\x02\x28", BAD), (b"{\"choices\":[]}", BAD), (b"data: {}", BAD), (b"<!DOCTYPE html>", BAD), (b"220 smtp ESMTP", BAD),
    (b"-ERR unknown command", BAD), (b"\0\0\0\0", BAD), (b"\xff\xff\xff\xff", BAD),
    (b"\r\nHTTP/1.1 200 OK", EITHER), (b"\nHTTP/1.1 200 OK", EITHER), (b"HTTP/1.1 200 " + b"x" * 300000, BAD), (b"HTTP/1.1 " + b"2" * 100000, BAD),
    (b"H" * 200000, BAD), (b"HTTP/1.1 200 OK\rX: y", BAD), (b"HTTP /1.1 200 OK", BAD), (b"HTTP/ 1.1 200 OK", BAD),
]
FIELDS = [
    # more fields beside those of a good answer
    (b"X: y", GOOD), (b"X:", GOOD), (b"X: \xff\xfe", GOOD), (b"x-request-id: a\r\nx-request-id: b", GOOD), (b"Content-Encoding: identity", GOOD),
    (b"Connection: keep-alive", GOOD), (b"Connection: close", GOOD), (b"Keep-Alive: timeout=-1, max=x", GOOD),
    (b"Set-Cookie: a=b\r\nSet-Cookie: c=d", GOOD), (b"Location: http://127.0.0.1:1/", GOOD), (b"Upgrade: h2c", GOOD), (b"Trailer: X", GOOD),
    (b"Retry-After: 99999", GOOD), (b"Alt-Svc: h3=\":443\"", GOOD), (b"Date: yesterday", GOOD),
    (b"X : y", BAD), (b" X: y", BAD), (b"\tX: y", BAD), (b"X", BAD), (b": y", BAD), (b"X y: z", BAD), (b"X\0: y", BAD), (b"X: \0", BAD), (b"X: a\0b", BAD),
    (b"X: a\rb", BAD), (b"X: a\nb", EITHER), (b"X: a\r\n b", BAD), (b"X: a\r\n\tb", BAD), (b"X(: y", BAD), (b"X\xff: y", BAD),
    (b"X: a\x01b", BAD), (b"X: a\x7fb", BAD), (b"X: a\n", BAD), (b"X: a\r", BAD), (b"X: " + b"y" * 70000, BAD), (b"X" * 70000 + b": y", BAD),
    (b"\r\n".join(b"X%d: y" % i for i in range(120)), GOOD), (b"\r\n".join(b"X%d: y" % i for i in range(130)), BAD),
    (b"\r\n".join(b"X%d: y" % i for i in range(100000)), BAD), (b"X: y\n", BAD), (b"Content-Encoding: gzip", EITHER), (b"Content-Encoding: br", EITHER),
     # a lie: nobody asked for it, and it is not so
]
LENGTHS = [
    # Content-Length in place of %d
    (b"%d", GOOD), (b"0%d", EITHER), (b" %d ", EITHER), (b"+%d", BAD), (b"-%d", BAD), (b"%dx", BAD), (b"0x%x", BAD), (b"%d,%d", BAD), (b"%d, %d", BAD),
    (b"%d %d", BAD), (b"", BAD), (b" ", BAD), (b"x", BAD), (b"%d.0", BAD), (b"%de0", BAD), (b"99999999999999999999999%d", BAD), (b"\"%d\"", BAD),
    (b"%d\0", BAD), (b"\0%d", BAD), (b"%d\x0b", BAD), (b"-1", BAD), (b"-0", BAD), (b"NaN", BAD), (b"%d;", BAD), (b"%d\r\nContent-Length: %d", BAD),
    (b"%d\r\ncontent-length: 0", BAD), (b"0\r\nContent-Length: %d", BAD), (b"18446744073709551616", BAD), (b"%d\r\n ", BAD),
    (b"%d\r\nTransfer-Encoding: chunked", BAD),
    (b"0", BAD), (b"1", BAD), (b"9223372036854775807", BAD), (b"18446744073709551615", BAD),
]
TOO_LONG = (b"9223372036854775807", b"18446744073709551615")
CODINGS = [(b"chunked", GOOD), (b"Chunked", GOOD), (b"xchunked", BAD), (b"gzip", BAD), (b"gzip, chunked", BAD), (b"chunked, gzip", BAD),
           (b"chunked, chunked", BAD), (b"identity", BAD), (b"chunked\r\nTransfer-Encoding: chunked", BAD),
           (b"chunked\r\nTransfer-Encoding: identity", BAD), (b"", BAD), (b"chunked;x=y", BAD),
           (b"\x0bchunked", BAD), (b"chunked\0", BAD), (b"\"chunked\"", BAD), (b"chunked,", BAD), (b", chunked", BAD), (b"chunked\r\nContent-Length: 5", BAD)]
SIZES = [
    # the size line of a chunk that holds the whole body, %x in it
    (b"%x\r\n", GOOD), (b"%X\r\n", GOOD), (b"0000%x\r\n", GOOD), (b"%x;a\r\n", EITHER), (b"%x;a=b\r\n", EITHER), (b"%x; a=\"b\"\r\n", EITHER),
    (b"%x;" + b"a" * 200000 + b"\r\n", BAD), (b"%x \r\n", EITHER), (b" %x\r\n", BAD), (b"0x%x\r\n", BAD), (b"-%x\r\n", BAD), (b"+%x\r\n", BAD),
    (b"%xg\r\n", BAD), (b"\r\n", BAD), (b"zz\r\n", BAD),
    (b"%x\n", BAD), (b"%x\r", BAD), (b"%x\r\r\n", BAD), (b"%x\0\r\n", BAD), (b"fffffffffffffffff\r\n", BAD), (b"ffffffffffffffff\r\n", BAD),
    (b"7fffffffffffffff\r\n", BAD), (b"1%x\r\n", BAD), (b"1\r\n", BAD), (b"%x,\r\n", BAD), (b"{}\r\n", BAD), (b"\xff\r\n", BAD),
]
LARGER = (b"ffffffffffffffff\r\n", b"7fffffffffffffff\r\n", b"1%x\r\n")
LASTS = [
    # what follows a good chunk
    (b"\r\n0\r\n\r\n", GOOD), (b"\r\n000\r\n\r\n", GOOD), (b"\r\n0\r\nX: y\r\n\r\n", EITHER), (b"\r\n0\r\nContent-Length: 5\r\n\r\n", EITHER),
    (b"\r\n0\r\n" + b"X: y\r\n" * 1000 + b"\r\n", EITHER), (b"\r\n0\r\nX: " + b"y" * 200000 + b"\r\n\r\n", BAD), (b"\r\n0;a\r\n\r\n", EITHER),
    (b"\r\n0\r\n\r\nmore", EITHER),
    (b"\r\n0\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", EITHER), (b"0\r\n\r\n", BAD), (b"\n0\r\n\r\n", BAD), (b"x\r\n0\r\n\r\n", BAD),
    (b"\r\r\n0\r\n\r\n", BAD), (b"\r\n-0\r\n\r\n", BAD), (b"\r\nzz\r\n\r\n", BAD), (b"\r\n0\n\n", BAD), (b"\r\n0\r\nX y\r\n\r\n", BAD),
    (b"\r\n0\r\n: y\r\n\r\n", BAD),
    (b"\r\n5\r\nab", BAD), (b"\r\n", BAD), (b"", BAD), (b"\r\n0", BAD), (b"\r\n0\r\n", BAD), (b"\r\n0\r\n\r", BAD), (b"\r\n0\r\nX: \0\r\n\r\n", BAD),
]


def framings(language, stream):
    """A good body in all kinds of frames."""
    type, body = (language.stream_type, language.stream) if stream else (language.whole_type, language.whole)
    ct, cl, te = b"Content-Type: " + type, b"Content-Length: %d" % len(body), b"Transfer-Encoding: chunked"
    n = len(body)
    streams = stream or language is not OPENAI
    late = EITHER if streams else BAD  # what breaks when a stream's own end has come may be forgiven

    def case(name, data, verdict=BAD, **more):
        return Case(name, data if isinstance(data, tuple) else (data,), verdict, stream=stream, **more)

    yield case("a good one, by its length", head(ct, cl) + body, GOOD, end=KEEP, reuse=True)
    yield case("a good one, in chunks", head(ct, te) + in_chunks(body), GOOD, end=KEEP, reuse=True)
    yield case("a good one, to its end", head(ct) + body, GOOD)
    yield case("a good one, by 1.0", head(ct, status=b"HTTP/1.0 200 OK") + body, GOOD)
    yield case("a good one, byte by byte", tuple(bytes([b]) for b in head(ct, te) + in_chunks(body, 20)), GOOD, end=KEEP, reuse=True)
    for line, verdict in STATUS_LINES:
        yield case(f"status line {line[:50]!r} of {len(line)}", head(ct, cl, status=line) + body, verdict)
    for field, verdict in FIELDS:
        yield case(f"field {field[:40]!r} of {len(field)}", head(ct, field, cl) + body, verdict)
    for length, verdict in LENGTHS:
        filled = re.sub(rb"%([dx])", lambda m: b"%d" % n if m[1] == b"d" else b"%x" % n, length)
        yield case(f"Content-Length {length!r}", head(ct, b"Content-Length: " + filled) + body, late if length in TOO_LONG else verdict)
    yield case("a length one too long", head(ct, b"Content-Length: %d" % (n + 1)) + body, late)
    yield case("a length one too short", head(ct, b"Content-Length: %d" % (n - 1)) + body, late, end=KEEP)
    yield case("a length far too short", head(ct, b"Content-Length: %d" % (n // 2)) + body, end=KEEP)
    yield case("bytes behind the length", head(ct, cl) + body + b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", GOOD, end=KEEP)
    for coding, verdict in CODINGS:
        yield case(f"Transfer-Encoding {coding!r}", head(ct, b"Transfer-Encoding: " + coding) + in_chunks(body), verdict)
    yield case("chunks from 1.0", head(ct, te, status=b"HTTP/1.0 200 OK") + in_chunks(body), EITHER, end=KEEP)
    for size, verdict in SIZES:
        filled = size.replace(b"%x", b"%x" % n).replace(b"%X", b"%X" % n)
        yield case(f"chunk size {size[:30]!r}", head(ct, te) + filled + body + b"\r\n0\r\n\r\n",
                   late if size in LARGER else verdict)
    for last, verdict in LASTS:
        yield case(f"behind the chunk {last[:30]!r} of {len(last)}", head(ct, te) + b"%x\r\n" % n + body + last, late if verdict == BAD else verdict)
    for eol in (b"\n", b"\r", b"\r\r\n", b"\n\r"):
        yield case(f"lines ended by {eol!r}", (head(ct, cl).replace(b"\r\n", eol)) + body)
        yield case(f"the head ended by {eol!r}", head(ct, cl)[:-2] + eol + body)
    for many, verdict in ((1, GOOD), (8, GOOD), (9, BAD), (1000, BAD)):
        for status in (b"HTTP/1.1 100 Continue", b"HTTP/1.1 103 Early Hints", b"HTTP/1.1 102 Processing", b"HTTP/1.1 199 X"):
            yield case(f"{many} times {status.decode()}", head(status=status) * many + head(ct, cl) + body, verdict)
    yield case("100 with a length", head(b"Content-Length: 5", status=b"HTTP/1.1 100 Continue") + head(ct, cl) + body, EITHER)
    yield case("103 with fields", head(b"Link: x\r\nX: " + b"y" * 1000, status=b"HTTP/1.1 103 Early Hints") * 3 + head(ct, cl) + body, GOOD)
    yield case("nothing but 100", head(status=b"HTTP/1.1 100 Continue"))
    yield case("101", head(b"Upgrade: x", b"Connection: Upgrade", status=b"HTTP/1.1 101 Switching Protocols") + body)
    for status in (b"204 No Content", b"205 Reset Content", b"304 Not Modified", b"206 Partial Content", b"203 X", b"201 Created", b"202 Accepted",
                   b"207 X", b"226 X", b"299 X"):
        none = status[:3] in (b"204", b"205", b"304")
        yield case(f"{status.decode()} with a body", head(ct, cl, status=b"HTTP/1.1 " + status) + body, BAD if none else EITHER, end=KEEP,
                   reuse=status[:3] not in (b"204", b"304"))
        yield case(f"{status.decode()} without", head(b"Content-Length: 0", status=b"HTTP/1.1 " + status), BAD, end=KEEP, reuse=True)
    for status in (b"300 X", b"301 X", b"302 X", b"303 X", b"307 X", b"308 X"):
        for where in (b"http://127.0.0.1:1/", b"/elsewhere", b"//evil/", b"", b"file:///etc/passwd"):
            yield case(f"{status.decode()} to {where.decode()!r}", head(b"Location: " + where, b"Content-Length: 0", status=b"HTTP/1.1 " + status), BAD,
                       end=KEEP, reuse=True)
    for t in (b"text/html", b"text/plain", b"", b"application/octet-stream", b"multipart/x-mixed-replace", b"application/xml", b"x", b"\xff", b"image/png",
              b"application/x-www-form-urlencoded"):
        yield case(f"Content-Type {t!r}", head(b"Content-Type: " + t, cl) + body, EITHER)
    yield case("no Content-Type", head(cl) + body, EITHER)
    yield case("two Content-Types", head(ct, b"Content-Type: text/html", cl) + body, EITHER)
    other = language.whole if stream else language.stream
    other_type = language.whole_type if stream else language.stream_type
    same = language.whole == language.stream
    yield case("the other form under its own type", head(b"Content-Type: " + other_type, b"Content-Length: %d" % len(other)) + other,
               EITHER if same or stream else BAD)
    yield case("the other form under this type", head(ct, b"Content-Length: %d" % len(other)) + other, EITHER if same else BAD)
    packed = gzip.compress(body)
    yield case("gzip without asking", head(ct, b"Content-Encoding: gzip", b"Content-Length: %d" % len(packed)) + packed, BAD, end=KEEP, reuse=True)
    yield case("gzip unsaid", head(ct, b"Content-Length: %d" % len(packed)) + packed, BAD, end=KEEP, reuse=True)
    yield case("not a byte", b"")
    yield case("not a byte, and a reset", b"", end=RESET)
    yield case("half a head, and a reset", head(ct, cl)[:20], end=RESET)
    yield case("half a body, and a reset", head(ct, cl) + body[:n // 2], end=RESET)
    yield case("an empty body", head(ct, b"Content-Length: 0"), BAD, end=KEEP, reuse=True)
    yield case("an empty body in chunks", head(ct, te) + b"0\r\n\r\n", BAD, end=KEEP, reuse=True)
    yield case("nothing behind the head", head(ct))


def slow(language, stream):
    """What never ends, or ends by a timeout."""
    type, body = (language.stream_type, language.stream) if stream else (language.whole_type, language.whole)
    ct, te, streams = b"Content-Type: " + type, b"Transfer-Encoding: chunked", stream or language is not OPENAI

    def case(name, writes, verdict=BAD, codes=("backend_timeout",), **more):
        return Case(name, writes, verdict, codes, HANG, stream, **more)

    def forever(first, again):
        def writes():
            yield first
            while True:
                yield again
        return writes

    yield case("silence", (b"",))
    yield case("half a status line, then silence", (b"HTTP/1.1 2",))
    yield case("half a head, then silence", (head(ct, te)[:-2],))
    yield case("a head, then silence", (head(ct, te),))
    yield case("half a body, then silence", (head(ct, b"Content-Length: %d" % len(body)) + body[:len(body) // 2],))
    yield case("a length too long, then silence", (head(ct, b"Content-Length: %d" % (len(body) + 1)) + body,), EITHER if streams else BAD)
    yield case("all but the last chunk, then silence", (head(ct, te) + in_chunks(body)[:-5],), EITHER if streams else BAD)
    yield case("a chunk's size, then silence", (head(ct, te) + b"ffff\r\n",))
    yield case("100 for ever", forever(b"", head(status=b"HTTP/1.1 100 Continue") * 100), codes=("backend_failed",))
    yield case("a head for ever", forever(b"HTTP/1.1 200 OK\r\n", b"X: " + b"y" * 10000 + b"\r\n"), codes=("backend_failed",))
    yield case("a name for ever", forever(b"HTTP/1.1 200 OK\r\n", b"X" * 10000), codes=("backend_failed",))
    yield case("a reason for ever", forever(b"HTTP/1.1 200 ", b"x" * 10000), codes=("backend_failed",))
    yield case("zeros of a chunk's size for ever", forever(head(ct, te), b"0" * 10000), codes=("backend_failed",))
    yield case("a chunk extension for ever", forever(head(ct, te) + b"5;", b"x" * 10000), codes=("backend_failed",))
    yield case("trailers for ever", forever(head(ct, te) + in_chunks(body)[:-2], b"X: y\r\n" * 1000), EITHER if streams else BAD, codes=("backend_failed",))
    yield case("one line for ever", forever(head(ct), b"data: " + b"x" * 100000), codes=("backend_failed",))
    yield case("blanks for ever", forever(head(ct), b" " * 100000), codes=("backend_failed",))
    yield case("NULs for ever", forever(head(ct), b"\0" * 100000), codes=("backend_failed",))
    if language in (OPENAI, ANTHROPIC) and stream:
        yield case("a good stream, then silence", (head(ct, te) + in_chunks(body)[:-5],), EITHER)
        yield case("an event's name for ever", forever(head(ct), b"event: " + b"x" * 100000), codes=("backend_failed",))


def ends(language, stream, frame):
    """Its end at every byte. Only when all is there that counts may it be taken for whole."""
    type, body = (language.stream_type, language.stream) if stream else (language.whole_type, language.whole)
    ct = b"Content-Type: " + type
    # From here on a finish_reason has come: an end that breaks the frame may be forgiven, and need not be.
    told = min((at for m in (b'"finish_reason": "stop"', b'"done": true', b'"stop_reason": "end_turn"') if (at := body.find(m)) > 0))
    data = {"length": head(ct, b"Content-Length: %d" % len(body)) + body, "chunks": head(ct, b"Transfer-Encoding: chunked") + in_chunks(body, told),
            "end": head(ct) + body}[frame]
    told = data.index(body[told:told + 20])
    for n in range(len(data)):
        whole = n >= told and (stream or language is not OPENAI)
        for end in (CLOSE, RESET) if n % 16 == 0 else (CLOSE,):
            yield Case(f"{frame}: {end} after {n} of {len(data)}", (data[:n],), EITHER if whole else BAD, ("backend_failed",), end, stream)


# -- bodies in a good frame


def errors(language, stream):
    """Refusals: what they say must be shown with care, whatever they say it with."""
    long = "é" * 2000
    bodies = [b"", b"{}", b"null", b"[]", b"<html>oops</html>", b'{"error":null}', b'{"error":{}}', b'{"error":[]}', b'{"error":1}', b'{"error":"short"}',
              b'{"error":{"message":1}}', b'{"error":{"message":null}}', b'{"error":{"message":""}}',
              b'{"message":"m"}', b'{"detail":"d"}', b'{"detail":[{"msg":"x"}]}', json.dumps({"error": {"message": long}}, ensure_ascii=False).encode(),
              *(json.dumps({"error": {"message": "x" * k + long}}, ensure_ascii=False).encode() for k in range(1, 4)),
              json.dumps({"error": "x" + long}).encode(), json.dumps({"error": {"message": "a\0b\r\nx-evil: 1\x1b[31m"}}).encode(),
              b'{"error":{"message":"\xff\xfe"}}', b'{"error":{"message":"\\ud800"}}', b'{"error":{"message":"a', b"\0" * 100, b"\xff" * 300,
              ("é" * 300).encode(),
              ("x" + "é" * 300).encode(), ("日" * 300).encode(), ("x日" * 300).encode(), b"x" * (2 << 20), b'{"error":' * 5000, b"\x1f\x8b\x08\x00abc",
              b'{"error":{"message":"a","message":"b"}}', b"data: {\"error\":\"x\"}\n\n", b'{"error":{"message":"m","code":{},"type":[],"param":1}}']
    codes = {400: None, 401: "backend_auth", 403: "backend_auth", 404: "backend_model_missing", 407: "backend_auth", 413: None, 422: None, 402: None,
             418: None, 408: None, 409: None, 500: "backend_failed", 501: "backend_failed", 502: "backend_failed", 503: "backend_failed",
             504: None, 599: "backend_failed"}
    for status, code in codes.items():
        for i, body in enumerate(bodies if status in (400, 500) else bodies[:6]):
            data = head(b"Content-Type: application/json", b"Content-Length: %d" % len(body), status=b"HTTP/1.1 %d X" % status) + body
            yield Case(f"{status} with {body[:30]!r} of {len(body)} ({i})", (data,), BAD, (code,) if code else (), KEEP, stream, reuse=True)


def busy():
    """429s: after each its place is left alone for a while, so each wants one of its own."""
    yield Case("529", (head(b"Content-Length: 0", status=b"HTTP/1.1 529 X"),), BAD, ("rate_limited",), KEEP, reuse=True)
    for body in (b"", b"{}", b"<html></html>", b"\xff" * 300, ("x" + "\u00e9" * 300).encode()):
        yield Case(f"429 with {body[:20]!r}", (head(b"Content-Length: %d" % len(body), status=b"HTTP/1.1 429 X") + body,), BAD, ("rate_limited",), KEEP,
                   reuse=True)
    for value in (b"0", b"7", b"-1", b"99999999999999999999", b"1e9", b"x", b"", b"Wed, 21 Oct 2099 07:28:00 GMT", b"Thu, 01 Jan 1970 00:00:00 GMT",
                  b"7, 8", b"\xff", b"1.5", b"7\r\nRetry-After: 9"):
        yield Case(f"429 with Retry-After {value!r}", (head(b"Retry-After: " + value, b"Content-Length: 0", status=b"HTTP/1.1 429 X"),), BAD,
                   ("rate_limited",), KEEP, reuse=True)


def framed(language, stream, body):
    type = language.stream_type if stream or language is not OPENAI else language.whole_type
    return head(b"Content-Type: " + type, b"Content-Length: %d" % len(body)) + body


def changed(path, value):
    """WHOLE with another value somewhere, as bytes; value: JSON as text."""
    doc = json.loads(json.dumps(WHOLE))
    at = doc
    for key in path[:-1]:
        at = at[key]
    at[path[-1]] = "@@@"
    return json.dumps(doc, ensure_ascii=False).encode().replace(b'"@@@"', value if isinstance(value, bytes) else value.encode())


ODD = ["null", "true", "1", "-1", "1.5", "1e308", '""', '"x"', "[]", "[1]", "{}", '{"a":1}', "[[]]", "[{}]", "[null]", "9223372036854775808",
       "-9223372036854775809", '"\\u0000"', '"\\u202e"']
BAD_TEXT = [b'"\xff"', b'"\\ud800"', b'"a\0b"', b'"a\nb"', b'"\\x"', b"NaN", b"1e999", b"'x'", b"", b"@", b'"']


def wholes():
    """Answers in one piece: what is no answer, and what is odd in one."""
    def case(name, body, verdict=BAD):
        return Case(name, (framed(OPENAI, False, body),), verdict, end=KEEP, reuse=True)

    good = OPENAI.whole
    for body in (b"null", b"[]", b"{}", b"1", b'"x"', b"true", b"{", b"<html></html>", b"\0", b"\xff", b"[DONE]", b"data: {}\n\n", b'{"choices":[]}',
                 b'{"choices":null}', b'{"choices":{}}', b'{"choices":1}', b'{"choices":[1]}', b'{"choices":[null]}', b'{"choices":[[]]}',
                 b'{"choices":[{}]}',
                 b'{"object":"error","message":"x"}', b'{"error":"x"}', b'{"error":{"message":"x"}}', b'{"error":{"message":"x"},"choices":[]}',
                 b'{"detail":"x"}', b"[" * 1000, b"[" * 200000, b'{"a":' * 50000, b'{"choices":' + b"[" * 100 + b"]" * 100 + b"}"):
        yield case(f"the body {body[:30]!r} of {len(body)}", body)
    for cut in range(0, len(good), 7):
        yield case(f"cut at {cut}", good[:cut])
    for more, verdict in ((b"x", BAD), (b"{}", BAD), (good, BAD), (b"\0", BAD), (b"\n", GOOD), (b" \r\n\t", GOOD), (b"]", BAD), (b"data: [DONE]\n\n", BAD),
                          (b",", BAD)):
        yield case(f"and then {more[:10]!r}", good + more, verdict)
    for before, verdict in ((b" ", GOOD), (b"\r\n", GOOD), (b"\xef\xbb\xbf", BAD), (b"\0", BAD), (b")]}',\n", BAD), (b"data: ", BAD), (b"while(1);", BAD)):
        yield case(f"{before!r} and then", before + good, verdict)
    places = [("id",), ("object",), ("created",), ("model",), ("usage",), ("choices",), ("choices", 0), ("choices", 0, "index"),
              ("choices", 0, "finish_reason"), ("choices", 0, "message"), ("choices", 0, "message", "role"), ("choices", 0, "message", "content"),
              ("usage", "prompt_tokens"), ("usage", "completion_tokens"), ("usage", "total_tokens")]
    for path in places:
        for value in ODD:
            yield case(f"{'.'.join(map(str, path))} is {value}", changed(path, value), EITHER)
        for value in BAD_TEXT:
            yield case(f"{'.'.join(map(str, path))} is {value!r}", changed(path, value), BAD)
    for key, value in (("error", '{"message":"x"}'), ("error", "null"), ("system_fingerprint", "{}"), ("timings", '{"prompt_n":"x"}'),
                       ("_routing", '{"model":"evil"}'), ("__proto__", "{}"), ("hob", "1")):
        yield case(f"with {key}: {value}", good[:-1] + f',"{key}":{value}}}'.encode(), EITHER)
    for key, value in (("choices", "[]"), ("id", '"other"'), ("model", '"other"'), ("usage", "{}")):
        yield case(f"with a second {key}", good[:-1] + f',"{key}":{value}}}'.encode())
    yield case("a key twice inside", changed(("usage",), '{"prompt_tokens":1,"prompt_tokens":2}'))
    for calls in ('[{}]', '[1]', 'null', '{}', '[{"id":1,"type":"function","function":{"name":1,"arguments":2}}]',
                  '[{"id":"a","type":"function","function":{"name":"f","arguments":"{"}}]', '[{"function":null}]', '[{"type":"x"}]', '"x"'):
        yield case(f"with calls {calls}", changed(("choices", 0, "message"), f'{{"role":"assistant","content":null,"tool_calls":{calls}}}'), EITHER)
    yield case("10 MiB of text", changed(("choices", 0, "message", "content"), '"' + "x" * (10 << 20) + '"'), EITHER)
    yield case("17 MiB of text", changed(("choices", 0, "message", "content"), '"' + "x" * (17 << 20) + '"'))
    yield case("17 MiB of blanks", good + b" " * (17 << 20))
    yield case("10,000 choices",
               changed(("choices",),
                       "[" + ",".join('{"index":0,"finish_reason":"stop","message":{"role":"assistant","content":"x"}}' for _ in range(10000)) + "]"), EITHER)


def others():
    """Embeddings, rankings, plain completions: in one piece, from a place of the OpenAI kind."""
    def case(task, body, verdict=BAD):
        body = body if isinstance(body, bytes) else body.encode()
        return Case(f"{task}: {body[:60]!r} of {len(body)}", (framed(OPENAI, False, body),), verdict, end=KEEP, reuse=True, task=task)

    vector, usage = '{"object":"embedding","index":0,"embedding":[0.5,-1,1e-3]}', '"usage":{"prompt_tokens":1,"total_tokens":1}'
    for task, holds, item in (("embed", "data", vector), ("rerank", "results", '{"index":0,"relevance_score":0.5}'),
                              ("complete", "choices", '{"index":0,"text":"x","finish_reason":"stop"}')):
        good = f'{{"object":"list","model":"m","{holds}":[{item}],{usage}}}'
        yield case(task, good, GOOD)
        for cut in range(0, len(good), 5):
            yield case(task, good[:cut])
        for odd in ("[]", "null", "1", '"x"', "{}", "[1]", "[null]", "[[]]", "[{}]", "true"):
            yield case(task, f'{{"{holds}":{odd}}}', EITHER if task == "rerank" else BAD)
        for odd in ("[]", "null", "1", '"x"', "{}", '{"error":{"message":"x"}}', '{"error":"x"}', "<html>", "data: {}\n\n", good + good,
                    good[:-1] + f',"{holds}":[]}}'):
            yield case(task, odd)
        for odd in ("null", '"x"', "-1", "[1]", '{"prompt_tokens":"x"}', '{"prompt_tokens":-1}', '{"prompt_tokens":1e300}'):
            yield case(task, good.replace(usage, f'"usage":{odd}'), EITHER)
    for odd in ('"!!!"', '"AAA="', '"AAAA"', '""', '"\\u0000"', "null", "1", "{}", "[]", '["x"]', "[null]", "[[1]]", "[true]", "[1e39]", "[NaN]", "[1e999]"):
        yield case("embed", f'{{"data":[{{"index":0,"embedding":{odd}}}]}}', EITHER if odd == "[1e39]" else BAD)
    for items in (f"{vector},{vector}", vector.replace('"index":0', '"index":1'), vector.replace('"index":0', '"index":-1'),
                  vector.replace('"index":0', '"index":"0"'), vector.replace('"index":0', '"index":1e9')):
        yield case("embed", f'{{"data":[{items}]}}', BAD if "},{" in items else EITHER)


def events():
    """Streams of the OpenAI kind: what their events may be."""
    def case(name, body, verdict=BAD, codes=("backend_failed",)):
        return Case(name, (framed(OPENAI, True, body),), verdict, codes, KEEP, True, reuse=True)

    good = OPENAI.stream
    raw = good.index("üß".encode())
    for i in range(max(0, good.index(b"data")), len(good), 1):
        if raw - 3 <= i <= raw + 60 or i % 40 == 0:  # every cut inside of the characters, and some elsewhere
            yield Case(f"in two writes, cut at {i}", (head(b"Content-Type: text/event-stream") + good[:i], good[i:]), GOOD, stream=True)
    for name, body, verdict in (
            ("CR LF", good.replace(b"\n", b"\r\n"), GOOD), ("CR", good.replace(b"\n", b"\r"), EITHER), ("a byte order mark", b"\xef\xbb\xbf" + good, GOOD),
            ("comments between", good.replace(b"\n\n", b"\n\n: ping\n\n"), GOOD), ("no blank behind the colon", good.replace(b"data: ", b"data:"), GOOD),
            ("other fields", good.replace(b"data: ", b"event: message\nid: 7\nretry: 1\nx: y\ndata: "), GOOD),
            ("names without a colon", good.replace(b"data: ", b"event\nid\ndata: "), GOOD),
            ("empty lines between", good.replace(b"\n\n", b"\n\n\n\n"), GOOD), ("empty events", b"data\n\ndata:\n\n" + good, EITHER),
            ("an event in two lines", good.replace(b'"model": "m", ', b'"model": "m",\ndata: ', 1), GOOD),
            ("two events in one", good.replace(b"\n\ndata: ", b"\ndata: ", 1), BAD), ("NULs between", good.replace(b"\n\n", b"\n\n\0\n\n", 1), EITHER),
            ("no line end at the end", good.rstrip(b"\n"), EITHER),
            ("one line end at the end", good[:-1], EITHER), ("DATA", good.replace(b"data:", b"DATA:"), BAD),
            ("a blank before the name", good.replace(b"data:", b" data:"), BAD),
            ("NDJSON", b"".join(json.dumps(c).encode() + b"\n" for c in [*PIECES, END]), BAD)):
        yield case(name, body, verdict)
    begin, rest = sse(*PIECES[:2]), sse(*PIECES[2:], END, WITH_USAGE, DONE)
    for odd in (b"{", b"}", b"x", b"null", b"1", b"[]", b'"x"', b"[[DONE]]", b"<html>", b"{}}", b'{"a":1}{"b":2}', b"\xff", b'{"a":"\xff"}',
                b'{"a":"\\ud800"}', b'{"a":"\0"}', b"\0", b"{'a':1}", b"[" * 100, b'{"a":' * 100 + b"1" + b"}" * 100, b'{"a":NaN}', b'{"a":1e999}',
                b"data: {}", b"[done]", b"[DONE]x",
                b'{"choices":[{"delta":{"content":"a"}}],"choices":[{"delta":{"content":"b"}}]}', b'{"choices":[{"delta":{"content":"a","content":"b"}}]}',
                b'{"choices":[{"delta":{"content":"a"},"delta":{"tool_calls":[{}]}}]}', b'{"choices":[],"_routing":1,"_routing":2}', b'{"model":"a","model":"b"}',
                b'{"usage":{"prompt_tokens":1,"prompt_tokens":2}}',
                b'{"choices":[null]}', b'{"choices":[1]}', b'{"choices":[[]]}', b'{"choices":[{"delta":1}]}', b'{"choices":[{"delta":[]}]}',
                json.dumps(PIECES[1]).encode()[:-1], json.dumps(PIECES[1]).encode()[:40]):
        yield case(f"an event amid is {odd[:20]!r} of {len(odd)}", begin + sse(odd) + rest)
        yield case(f"the first event is {odd[:20]!r} of {len(odd)}", sse(odd) + good)
    for odd in (b"{}", b'{"choices":[]}', b'{"choices":null}', b'{"choices":{}}', b'{"choices":1}', b'{"choices":[{}]}', b'{"choices":[{"delta":null}]}',
                b'{"choices":[{"delta":{}}]}', b'{"choices":[{"delta":{"content":null}}]}',
                b'{"choices":[{"delta":{"content":1}}]}', b'{"choices":[{"delta":{"content":[]}}]}', b'{"choices":[{"delta":{"content":{}}}]}',
                b'{"choices":[{"index":"0","delta":{}}]}', b'{"choices":[{"index":-1,"delta":{}}]}', b'{"choices":[{"index":5,"delta":{}}]}',
                b'{"choices":[{"index":9223372036854775808,"delta":{}}]}',
                b'{"usage":1}', b'{"usage":{"prompt_tokens":-5}}', b'{"usage":{"prompt_tokens":"x"}}',
                b'{"usage":{"completion_tokens":9223372036854775808}}', b'{"usage":{"prompt_tokens":1e300}}', b'{"id":1,"choices":[]}',
                b'{"id":"a\\u0000b","choices":[]}', b'{"id":"' + b"x" * 100000 + b'"}', b'{"created":"x","choices":[]}', b'{"model":5,"choices":[]}',
                b'{"error":null}', b'{"object":"x"}', b'{"choices":[{"delta":{"tool_calls":1}}]}', b'{"choices":[{"delta":{"tool_calls":[]}}]}',
                b'{"choices":[{"delta":{"tool_calls":null}}]}', b'{"choices":[{"delta":{"role":"user"}}]}', b'{"choices":[{"delta":{"role":1}}]}',
                b'{"choices":[{"delta":{"reasoning_content":1}}]}', b'{"choices":[{"delta":{"content":"\\u0000"}}]}',
                b'{"choices":[{"delta":{}}],"choices":[{"delta":{"content":"x"}}]}', b'{"model":"a","model":"b","choices":[]}', b'{"timings":1}',
                b'{"timings":{"draft_n":"x"}}', b'{"choices":[{"delta":{},"logprobs":1}]}', b'{"choices":[{"message":{"content":"x"}}]}',
                b'{"choices":[{"text":"x"}]}'):
        yield case(f"odd amid: {odd[:60]!r} of {len(odd)}", begin + sse(odd) + rest, EITHER)
        yield case(f"odd at first: {odd[:60]!r} of {len(odd)}", sse(odd) + good, EITHER)
    for calls in (b"[{}]", b"[1]", b"[null]", b'[{"index":"x"}]', b'[{"index":-1,"function":{"name":"f","arguments":"{}"}}]',
                  b'[{"index":1000000,"function":{"name":"f","arguments":"{}"}}]', b'[{"index":0,"id":1,"function":{"name":1,"arguments":1}}]',
                  b'[{"index":0,"function":{"arguments":"x"}}]', b'[{"index":0,"function":{"name":"f","arguments":"{"}}]'):
        yield case(f"calls amid: {calls!r}", begin + sse(b'{"choices":[{"index":0,"delta":{"tool_calls":' + calls + b"}}]}") + rest, EITHER, ())
    for name, body, verdict in (
            ("done at once", sse(DONE), BAD), ("done before the end", sse(*PIECES, DONE), BAD),
            ("done twice", sse(*PIECES, END, WITH_USAGE, DONE, DONE), GOOD), ("data behind done", sse(*PIECES, END, WITH_USAGE, DONE, PIECES[1]), GOOD),
            ("garbage behind done", good + b"data: {{{\n\n", GOOD), ("noise behind done", good + b"\0\xff" * 50, GOOD),
            ("an error behind done", good + sse({"error": {"message": "late"}}), GOOD), ("no done", sse(*PIECES, END, WITH_USAGE), GOOD),
            ("no usage", sse(*PIECES, END, DONE), GOOD), ("no end", sse(*PIECES), BAD), ("no end, usage", sse(*PIECES, WITH_USAGE, DONE), BAD),
            ("only an end", sse(END, DONE), EITHER), ("two ends", sse(*PIECES, END, END, WITH_USAGE, DONE), GOOD),
            ("text behind the end", sse(*PIECES, END, PIECES[1], WITH_USAGE, DONE), EITHER),
            ("usage twice", sse(*PIECES, END, WITH_USAGE, WITH_USAGE, DONE), GOOD), ("nothing", b"", BAD), ("only comments", b": ping\n\n" * 10, BAD),
            ("only an empty line", b"\n", BAD), ("an error at once", sse({"error": {"message": "no"}}), BAD),
            ("an error amid", begin + sse({"error": {"message": "no"}}), BAD),
            ("an error as a text", begin + sse({"error": "no"}), BAD), ("an error, then more", begin + sse({"error": {"message": "no"}}) + rest, BAD),
            ("an error of two bytes a letter", begin + sse({"error": {"message": "é" * 500}}), BAD),
            ("the same, odd", begin + sse({"error": {"message": "x" + "é" * 500}}), BAD),
            ("an error of three", begin + sse({"error": {"message": "日" * 500}}), BAD),
            ("the same, one off", begin + sse({"error": {"message": "x" + "日" * 500}}), BAD),
            ("the same, two off", begin + sse({"error": {"message": "xx" + "日" * 500}}), BAD),
            ("an error with lines in it", begin + sse({"error": {"message": "a\r\n\r\ndata: [DONE]\n\n"}}), BAD),
            ("event: error", begin + b"event: error\ndata: {\"message\":\"no\"}\n\n", BAD),
            ("finish 1", sse(*PIECES, chunk(finish=1), DONE), BAD), ("finish empty", sse(*PIECES, chunk(finish=""), DONE), BAD),
            ("finish unheard of", sse(*PIECES, chunk(finish="x" * 500), DONE), EITHER),
            ("finish with a NUL", sse(*PIECES, chunk(finish="a\0b"), DONE), EITHER),
            ("ids that differ", sse(*({**p, "id": str(i)} for i, p in enumerate(PIECES)), END, DONE), GOOD),
            ("an event of 900 KiB", sse(*PIECES, {**END, "x": "y" * 900000}, DONE), GOOD),
            ("an event of 1.1 MiB", begin + sse(chunk(content="x" * 1150000)) + rest, BAD),
            ("an event of 10 MiB", begin + sse(chunk(content="x" * (10 << 20))) + rest, BAD),
            ("a comment of 10 MiB", b": " + b"x" * (10 << 20) + b"\n\n" + good, EITHER),
            ("a line of 10 MiB", b"x" * (10 << 20) + b"\n\n" + good, BAD), ("10,000 lines of one event", b"data: \n" * 10000 + b"\n" + good, EITHER),
            ("100,000 comments", b":\n" * 100000 + good, GOOD), ("200,000 empty lines", b"\n" * 200000 + good, GOOD),
            ("5,000 empty deltas", sse(PIECES[0], *[chunk(content="")] * 5000, *PIECES[1:], END, DONE), GOOD),
            ("20,000 empty deltas", sse(PIECES[0], *[chunk(content="")] * 20000, *PIECES[1:], END, DONE), BAD),
            ("200 choices", begin + b"".join(sse({"choices": [{"index": i, "delta": {"content": "x"}}]}) for i in range(200)) + rest, BAD),
            ("text with the marks of events", sse(PIECES[0], chunk(content="\n\ndata: [DONE]\n\n"), END, DONE), EITHER)):
        yield case(name, body, verdict)


def ollama():
    def case(name, body, verdict=BAD, stream=True):
        return Case(name, (framed(OLLAMA, True, body),), verdict, end=KEEP, stream=stream, reuse=True)

    good = OLLAMA.stream
    for stream in (True, False):
        for name, body, verdict in (
                ("CR LF", good.replace(b"\n", b"\r\n"), GOOD), ("no line end at the end", good[:-1], EITHER),
                ("empty lines", good.replace(b"\n", b"\n\n"), EITHER), ("no end", ndjson(*LINES[:-1]), BAD), ("two ends", good + ndjson(LAST), EITHER),
                ("text behind the end", good + ndjson(LINES[0]), EITHER), ("garbage behind the end", good + b"{{{\n", EITHER),
                ("only an end", ndjson(LAST), EITHER), ("nothing", b"", BAD), ("an error at once", ndjson({"error": "no"}), BAD),
                ("an error amid", ndjson(LINES[0], {"error": "no"}), BAD),
                ("an error of 2 bytes a letter", ndjson(LINES[0], {"error": "x" + "é" * 500}), BAD),
                ("an error of 3", ndjson(LINES[0], {"error": "日" * 500}), BAD), ("an error that is none", ndjson(LINES[0], {"error": 1}), BAD),
                ("an array", b"[" + b",".join(json.dumps(x).encode() for x in LINES) + b"]", BAD),
                ("events", b"".join(b"data: " + json.dumps(x).encode() + b"\n\n" for x in LINES), BAD),
                ("a line of 10 MiB", ndjson(said("x" * (10 << 20)), LAST), BAD), ("done: 1", ndjson(*LINES[:-1], {**LAST, "done": 1}), BAD),
                ('done: "true"', ndjson(*LINES[:-1], {**LAST, "done": "true"}), BAD),
                ("no reason", ndjson(*LINES[:-1], said(done=True)), EITHER),
                ("a reason unheard of", ndjson(*LINES[:-1], {**LAST, "done_reason": "x" * 500}), EITHER),
                ("counts below 0", ndjson(*LINES[:-1], {**LAST, "eval_count": -5, "prompt_eval_count": -9}), EITHER),
                ("counts that are none", ndjson(*LINES[:-1], {**LAST, "eval_count": "x", "prompt_eval_count": []}), EITHER),
                ("counts past all", ndjson(*LINES[:-1], {**LAST, "eval_count": 2 ** 63, "prompt_eval_count": 10 ** 300}), EITHER)):
            yield case(name, body, verdict, stream)
        for odd in (b"{", b"x", b"null", b"1", b"[]", b'"x"', b"\xff", b"\0", b'{"a":"\xff"}', b'{"message":"\\ud800"}', json.dumps(LINES[1]).encode()[:-2],
                    b"{}{}", b"[" * 100, b"<html>"):
            yield case(f"a line amid is {odd[:20]!r}", ndjson(LINES[0], odd, *LINES[1:]), BAD, stream)
            yield case(f"the first line is {odd[:20]!r}", ndjson(odd, *LINES), BAD, stream)
        for odd in (b"{}", b'{"message":null}', b'{"message":1}', b'{"message":[]}', b'{"message":{}}', b'{"message":{"content":1}}',
                    b'{"message":{"content":null}}', b'{"message":{"content":[]}}', b'{"message":{"tool_calls":1}}', b'{"message":{"tool_calls":[1]}}',
                    b'{"message":{"tool_calls":[{}]}}', b'{"message":{"tool_calls":[{"function":{"name":1}}]}}',
                    b'{"message":{"thinking":1}}', b'{"done":null}', b'{"model":1}'):
            yield case(f"odd amid: {odd!r}", ndjson(LINES[0], odd, *LINES[1:]), EITHER, stream)


def anthropic():
    def case(name, parts, verdict=BAD, stream=True):
        return Case(name, (framed(ANTHROPIC, True, b"".join(parts)),), verdict, end=KEEP, stream=stream, reuse=True)

    odd = named
    for stream in (True, False):
        for name, parts, verdict in (
                ("pings", [START, named("ping"), OPEN, named("ping"), *DELTAS, SHUT, STOP, OVER], GOOD),
                ("an event unheard of", [START, odd("surprise", x=1), OPEN, *DELTAS, SHUT, STOP, OVER], GOOD),
                ("no start", [OPEN, *DELTAS, SHUT, STOP, OVER], EITHER), ("no block's start", [START, *DELTAS, SHUT, STOP, OVER], EITHER),
                ("no block's end", [START, OPEN, *DELTAS, STOP, OVER], EITHER),
                ("no reason", [START, OPEN, *DELTAS, SHUT, OVER], BAD), ("no stop", [START, OPEN, *DELTAS, SHUT, STOP], EITHER),
                ("two stops", MESSAGE + [OVER], EITHER), ("text behind the stop", MESSAGE + [DELTAS[0]], EITHER),
                ("garbage behind the stop", MESSAGE + [b"data: {{{\n\n"], EITHER), ("nothing", [], BAD), ("only a start", [START], BAD),
                ("only a stop", [OVER], BAD),
                ("an error at once", [odd("error", error={"type": "api_error", "message": "no"})], BAD),
                ("an error amid", [START, OPEN, DELTAS[0], odd("error", error={"type": "api_error", "message": "x" + "é" * 500})], BAD),
                ("an error that is none", [START, odd("error", error=1)], BAD), ("an error without a word", [START, odd("error")], BAD),
                ("a block of another index", [START, OPEN, odd("content_block_delta", index=7, delta={"type": "text_delta", "text": "x"}), SHUT, STOP,
                                              OVER], EITHER),
                                              ("an index that is none",
                                               [START, odd("content_block_start", index="x", content_block={"type": "text", "text": ""}), *DELTAS, SHUT,
                                                STOP, OVER], EITHER),
                ("an index far off", [START, odd("content_block_start", index=10 ** 9, content_block={"type": "text", "text": ""}), SHUT, OPEN, *DELTAS,
                                      SHUT, STOP, OVER], EITHER),
                                      ("a delta unheard of", [START, OPEN, odd("content_block_delta", index=0, delta={"type": "x"}), *DELTAS, SHUT, STOP,
                                          OVER], EITHER), ("a delta that is none",
                                                           [START, OPEN, odd("content_block_delta", index=0, delta=1), *DELTAS, SHUT, STOP, OVER], EITHER),
                ("a text that is none", [START, OPEN, odd("content_block_delta", index=0, delta={"type": "text_delta", "text": 1}), *DELTAS, SHUT, STOP,
                                         OVER], EITHER), ("a reason unheard of",
                                                          [START, OPEN, *DELTAS, SHUT,
                                                           odd("message_delta", delta={"stop_reason": "x" * 500}, usage={"output_tokens": 4}), OVER],
                                                           EITHER),
                                                           ("a reason that is none",
                                                            [START, OPEN, *DELTAS, SHUT, odd("message_delta", delta={"stop_reason": 1}), OVER], BAD),
                ("usage below 0", [START, OPEN, *DELTAS, SHUT, odd("message_delta", delta={"stop_reason": "end_turn"}, usage={"output_tokens": -4}), OVER],
                 EITHER), ("usage that is none", [START, OPEN, *DELTAS, SHUT, odd("message_delta", delta={"stop_reason": "end_turn"}, usage=[1]), OVER],
                           EITHER), ("a message that is none", [odd("message_start", message=1), OPEN, *DELTAS, SHUT, STOP, OVER], EITHER),
                ("two messages", MESSAGE + MESSAGE, EITHER), ("a call of no name",
                    [START, odd("content_block_start", index=0, content_block={"type": "tool_use", "id": "a"}), SHUT, STOP, OVER], EITHER),
                    ("a call's arguments that are none", [START,
                                                          odd("content_block_start", index=0,
                                                              content_block={"type": "tool_use", "id": "a", "name": "f", "input": {}}),
                odd("content_block_delta", index=0, delta={"type": "input_json_delta", "partial_json": "{"}), SHUT, STOP, OVER], EITHER),
                ("another name than type", [START.replace(b"event: message_start", b"event: ping"), OPEN, *DELTAS, SHUT, STOP, OVER], EITHER),
                ("no names", [p.split(b"\n", 1)[1] for p in MESSAGE], EITHER),
                ("no type", [p.replace(b'"type": "content_block_delta"', b'"x": 1') for p in MESSAGE], EITHER),
                ("OpenAI's events", [OPENAI.stream], BAD), ("one object", [OPENAI.whole], BAD),
                ("an event of 10 MiB", [START, OPEN, odd("content_block_delta", index=0, delta={"type": "text_delta", "text": "x" * (10 << 20)}), SHUT,
                                        STOP, OVER], BAD)):
            yield case(name, parts, verdict, stream)
        for text in (b"{", b"x", b"null", b"1", b"[]", b"\xff", b"\0", b'{"type":"\xff"}', b'{"type":"\\ud800"}', b"[" * 100, DELTAS[1][40:-9]):
            yield case(f"an event amid is {text[:20]!r}", [START, OPEN, DELTAS[0], b"data: " + text + b"\n\n", *DELTAS[1:], SHUT, STOP, OVER], BAD, stream)
        for text in (b"{}", b'{"type":1}', b'{"type":null}', b'{"type":"content_block_delta"}', b'{"type":"content_block_stop","index":[]}',
                     b'{"type":"message_delta"}'):
            yield case(f"odd amid: {text!r}", [START, OPEN, DELTAS[0], b"data: " + text + b"\n\n", *DELTAS[1:], SHUT, STOP, OVER], EITHER, stream)


# -- the server


class Player:
    """Answers each request with the case whose number its body names. .uses: the numbers each connection has served, in order; .strangers: requests that
    name none."""

    NUMBER = re.compile(rb"case ([0-9]{7})")

    def __init__(self, wrap=None):
        self.cases, self.uses, self.strangers, self.wrap = {}, {}, [], wrap
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=512)
        self.port = self.listener.getsockname()[1]
        self.url = f"http{'s' if wrap else ''}://127.0.0.1:{self.port}"
        self.open = set()
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        number = 0
        while True:
            try:
                sock, _ = self.listener.accept()
            except OSError:
                return
            number += 1
            threading.Thread(target=self.serve, args=(sock, number), daemon=True).start()

    def serve(self, sock, number):
        try:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            sock.settimeout(60)
            if self.wrap:
                sock = self.wrap(sock)
            self.open.add(sock)
            while request := self.read(sock):
                if not self.play(sock, number, request):
                    break
        except (OSError, ValueError):
            pass
        finally:
            self.open.discard(sock)
            sock.close()

    def read(self, sock):
        data = b""
        while b"\r\n\r\n" not in data:
            more = sock.recv(65536)
            if not more:
                return None
            data += more
        head, _, body = data.partition(b"\r\n\r\n")
        length = int((re.search(rb"(?i)\r\ncontent-length: *([0-9]+)", head) or [0, 0])[1])
        while len(body) < length:
            body += sock.recv(65536)
        return head, body

    def play(self, sock, number, request):
        m = self.NUMBER.search(request[1])
        if not m:
            self.strangers.append(request)
            sock.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}")
            return True
        case = self.cases[int(m[1])]
        self.uses.setdefault(number, []).append(int(m[1]))
        writes = case.writes() if callable(case.writes) else case.writes
        for data in writes:
            if data:
                sock.sendall(data)
        if case.end == RESET:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        if case.end == HANG:
            while sock.recv(65536):
                pass
        return case.end == KEEP

    def stop(self):
        self.listener.close()
        for sock in list(self.open):
            sock.close()
