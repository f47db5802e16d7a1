"""Who does not speak HTTP/1.1 to the port, or may not come in: each gets one answer or a quiet end at once, one line in the log, and is counted; and the log stays short."""

import re
import socket
import struct

import pytest
from helpers import wait_for

LIVE = b"GET /livez HTTP/1.1\r\nHost: localhost\r\n\r\n"
HELLO = b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\x00" * 200

# What is sent; status (None: it is ended without a word); reason (None: none is counted); words of the answer.
TONGUES = {
    "TLS": (HELLO, 400, "tls", "you spoke TLS"),
    "TLS, a byte of it": (b"\x16", 400, "tls", "you spoke TLS"),
    "HTTP/2, as known before": (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + b"\x00\x00\x00\x04\x00\x00\x00\x00\x00", 400, "http2", "HTTP/2 is not spoken here"),
    "HTTP/0.9": (b"GET /\r\n", 400, "http09", "HTTP/0.9 is not spoken here"),
    "a PROXY header": (b"PROXY TCP4 192.0.2.1 192.0.2.2 56324 443\r\n" + LIVE, 400, "proxy", "PROXY header"),
    "a PROXY header of version 2": (b"\r\n\r\n\x00\r\nQUIT\n\x21\x11\x00\x0c" + b"\x7f\x00\x00\x01" * 3 + LIVE, 400, "proxy", "PROXY header"),
    "SSH": (b"SSH-2.0-OpenSSH_9.9\r\n", 400, "ssh", "you spoke SSH"),
    "SOCKS5": (b"\x05\x01\x00", 400, "not_http", "this is not HTTP"),
    "Redis": (b"*1\r\n$4\r\nPING\r\n", 400, "not_http", "not HTTP"),
    "SMTP": (b"EHLO localhost\r\n", 405, "not_http", "unknown method"),
    "framing": (b"GET /livez HTTP/1.1\r\nHost: localhost\r\nHost: localhost\r\n\r\n", 400, "framing", "more than one Host"),
    "a head that is too large": (b"GET /livez HTTP/1.1\r\nHost: localhost\r\nX: " + b"x" * 40000 + b"\r\n\r\n", 431, "headers", "longer than"),
    "another name": (b"GET /livez HTTP/1.1\r\nHost: evil.example\r\n\r\n", 421, "host", "does not go by the name"),
    "another page": (b"POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nOrigin: https://evil.example\r\nContent-Length: 0\r\n\r\n", 403, "origin", "may not use this gateway"),
    "an upgrade to TLS": (b"OPTIONS * HTTP/1.1\r\nHost: localhost\r\nUpgrade: TLS/1.0\r\nConnection: Upgrade\r\n\r\n", 404, None, ""),
    "nothing": (b"", None, None, ""),
    "half a head": (b"GET /livez HTT", None, None, ""),
}


@pytest.fixture
def hob(nursery):
    return nursery.managed()


def turned(hob):
    text = hob.get("/metrics").body.decode()
    return {reason: int(float(n)) for reason, n in re.findall(r'^hob_turned_away_total\{reason="([a-z0-9_]+)"\} (\S+)$', text, re.M)}


def lines(hob, reason=""):
    return [line for line in hob.stderr().splitlines() if f"turned away ({reason}" in line]


def test_each_tongue_gets_one_answer_and_one_line(hob):
    count = {}
    for name, (sent, status, reason, words) in TONGUES.items():
        for piece in (len(sent) or 1, 3):  # at once, and as it may come
            with hob.connect() as c:
                if status is None:
                    if sent:
                        c.send(sent)
                    continue  # the browser that only wanted to be quick, or has thought better of it
                if len(sent) < 1000 or piece > 3:
                    for i in range(0, len(sent), piece):
                        try:
                            c.send(sent[i:i + piece])
                        except OSError:
                            break  # it has been answered before it was done
                    r = c.response()
                    assert r.status == status and words in r.body.decode(), (name, r)
                    count[reason] = count.get(reason, 0) + (reason is not None)
    count.pop(None)
    assert turned(hob) == count
    for reason in count:
        assert len(lines(hob, reason)) == 1, (reason, hob.stderr())
        assert "from 127.0.0.1: " in lines(hob, reason)[0]
    assert hob.get("/livez").status == 200


def test_the_log_stays_short_and_is_no_ones_to_write(hob):
    """A thousand strangers are one line; nothing of theirs is in it raw, and no key at all."""
    key = "sk-canary-0123456789"
    for i in range(300):
        with hob.connect() as c:
            c.send(b"GET /livez?key=%s HTTP/1.1\r\nHost: evil%d.example\r\nAuthorization: Bearer %s\r\n\r\n" % (key.encode(), i, key.encode()))
            assert c.response().status == 421
    with hob.connect() as c:  # what a terminal would take for a command
        c.send(b"POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nOrigin: https://x\xc2\x9b31m\xe2\x80\xae.example\r\nContent-Length: 0\r\n\r\n")
        assert c.response().status in (400, 403)
    assert turned(hob)["host"] == 300 and len(lines(hob)) <= 2 + len(lines(hob, "host")) and 1 <= len(lines(hob, "host")) <= 2 + 300 // 60
    assert key not in hob.stderr() and all(" " <= ch <= "~" for line in lines(hob) for ch in line)


def test_whoever_has_a_row_has_no_line(hob):
    with hob.connect() as c:
        c.send(b"POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nHost: localhost\r\nContent-Length: 2\r\n\r\n{}")
        assert c.response().status == 400
    wait_for("it is counted", lambda: turned(hob).get("framing") == 1)
    assert lines(hob) == []


def test_a_reset_instead_of_a_request_is_nothing(hob):
    for _ in range(20):
        s = socket.create_connection(hob.at, 5)
        s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        s.close()
    assert hob.get("/livez").status == 200
    assert turned(hob) == {} and lines(hob) == []
