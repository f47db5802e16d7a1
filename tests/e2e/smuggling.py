r"""The smuggling corpus: requests that two programs on one connection might read differently, and how hob must read each.

A Case is bytes and a verdict: the requests that are to be read from them, in order, and then either a refusal (one answer with `refused` as its status, the
connection closed, not a byte behind it taken as a request), or that the connection ends, or that it goes on: TAIL, which is sent behind every case, is
answered then and arrives at the host.

Three words tell what arrived: `first` is what a case means to send, `hidden` what it tries to get past, `tail` what follows. Every body carries a number in
the place of MARK, so that a thousand cases can share one host. All data are built from tables below; a family is a function that yields Cases."""

import re
from typing import NamedTuple

MARK = b"#######"
CHAT = b"/v1/chat/completions"
HOST = b"Host: localhost\r\n"
LINE = b"POST " + CHAT + b" HTTP/1.1\r\n"


def chat(word):
    return b'{"model":"far","messages":[{"role":"user","content":"%s case %s"}]}' % (word, MARK)


def length(body):
    return b"Content-Length: %d\r\n" % len(body)


def chunks(body, size=None):
    runs = re.split(b"(%s)" % MARK, body) if size else [body]  # a number is put in later, and so stays whole
    parts = [run if run == MARK or not size else run[i:i + size] for run in runs for i in range(0, len(run), len(run) if run == MARK else size or len(run))]
    return b"".join(b"%x\r\n%s\r\n" % (len(p), p) for p in parts) + b"0\r\n\r\n"


def plain(body, fields=b""):
    return LINE + HOST + length(body) + fields + b"\r\n" + body


TE = b"Transfer-Encoding: chunked\r\n"
FIRST, TAIL, HIDDEN = chat(b"first"), plain(chat(b"tail")), plain(chat(b"hidden"))
N = len(FIRST)


class Read(NamedTuple):
    """One request as it must be read. A 200 for CHAT means that `body` has arrived at the host, byte for byte."""
    method: bytes
    target: bytes
    body: bytes
    status: int


class Case(NamedTuple):
    name: str
    data: bytes
    reads: tuple = ()
    refused: int = 0  # the status, or 0
    ends: bool = False  # after `reads` the connection ends, politely
    tail: bool = True  # TAIL is sent behind it

    def arrives(self, tail):
        """The bodies that the host must see."""
        got = [r.body for r in self.reads if r.status == 200 and r.target.partition(b"?")[0] == CHAT]
        return got + ([tail] if self.goes_on() else [])

    def goes_on(self):
        return self.tail and not self.refused and not self.ends

    def answers(self):
        """(method, status) of every answer on the connection."""
        method = b"HEAD" if self.data.startswith(b"HEAD ") and not self.reads else b"POST"
        more = [(method, self.refused)] if self.refused else [(b"POST", 200)] if self.goes_on() else []
        return [(r.method, r.status) for r in self.reads] + more


CHATTED = Read(b"POST", CHAT, FIRST, 200)
EMPTY = Read(b"POST", CHAT, b"", 400)  # no body, so no JSON; as HTTP it is fine
ALIVE = Read(b"GET", b"/livez", b"", 200)


def refused(name, data, status=400, *reads):
    return Case(name, data, reads, status)


def taken(name, data, *reads, ends=False, tail=True):
    return Case(name, data, reads or (CHATTED,), 0, ends, tail)


def text(data, most=100):
    return data[:most].decode("latin-1").encode("unicode_escape").decode() + ("…" if len(data) > most else "")


# -- one framing field, in all the ways it has been written to be seen by one side only
#
# BAD: refused as it stands. SAME: it is the field. OTHER: a field of another name or of no meaning, and nothing more.

BAD, SAME, OTHER = "bad", "same", "other"

CODINGS = [
    (b"Transfer-Encoding: chunked", SAME), (b"transfer-encoding: chunked", SAME), (b"TRANSFER-ENCODING: CHUNKED", SAME), (b"Transfer-Encoding:chunked", SAME),
    (b"Transfer-Encoding:\tchunked", SAME), (b"Transfer-Encoding:  \t chunked", SAME), (b"Transfer-Encoding: chunked ", SAME),
    (b"Transfer-Encoding: chunked\t \t", BAD), (b"tRaNsFeR-eNcOdInG: cHuNkEd", SAME), (b"Transfer-Encoding : chunked", BAD),
    (b"Transfer-Encoding\t: chunked", BAD), (b" Transfer-Encoding: chunked", BAD), (b"\tTransfer-Encoding: chunked", BAD),
    (b"Transfer-Encoding:\x0bchunked", BAD), (b"Transfer-Encoding:\x0cchunked", BAD), (b"Transfer-Encoding: chunked\x0b", BAD),
    (b"Transfer-Encoding: chunked\x0c", BAD), (b"Transfer-Encoding: \x00chunked", BAD), (b"Transfer-Encoding: chunked\x00", BAD),
    (b"Transfer-Encoding: chu\x00nked", BAD), (b"Transfer-Encoding: chunked\x7f", BAD), (b"Transfer-Encoding: chunked\xa0", BAD),
    (b"Transfer-Encoding: \xa0chunked", BAD), (b"Transfer-Encoding: \x85chunked", BAD), (b"Transfer-Encoding: \xffchunked", BAD),
    (b"Transfer-Encoding: chun\xe2\x84\xaaed", BAD), (b"Transfer-Encoding: xchunked", BAD), (b"Transfer-Encoding: chunkedx", BAD),
    (b"Transfer-Encoding: chunke", BAD), (b"Transfer-Encoding: x-chunked", BAD), (b"Transfer-Encoding: chunked-x", BAD),
    (b"Transfer-Encoding: c hunked", BAD), (b"Transfer-Encoding: chunked chunked", BAD), (b"Transfer-Encoding: chunked,chunked", BAD),
    (b"Transfer-Encoding: chunked, chunked", BAD), (b"Transfer-Encoding: ,chunked", BAD), (b"Transfer-Encoding: chunked,", BAD),
    (b"Transfer-Encoding: , , chunked", BAD), (b"Transfer-Encoding: identity, chunked", BAD), (b"Transfer-Encoding: chunked, identity", BAD),
    (b"Transfer-Encoding: identity", BAD), (b"Transfer-Encoding: gzip", BAD), (b"Transfer-Encoding: gzip, chunked", BAD),
    (b"Transfer-Encoding: chunked, gzip", BAD), (b"Transfer-Encoding: cow", BAD), (b"Transfer-Encoding: cow, chunked", BAD),
    (b"Transfer-Encoding: chunked, cow", BAD), (b"Transfer-Encoding: chunked;q=1", BAD), (b"Transfer-Encoding: chunked;", BAD),
    (b"Transfer-Encoding: chunked; x=\"y\"", BAD), (b"Transfer-Encoding: \"chunked\"", BAD), (b"Transfer-Encoding: 'chunked'", BAD),
    (b"Transfer-Encoding: (x)chunked", BAD), (b"Transfer-Encoding: chunked(x)", BAD), (b"Transfer-Encoding: =chunked", BAD),
    (b"Transfer-Encoding: [chunked]", BAD), (b"Transfer-Encoding: {chunked}", BAD), (b"Transfer-Encoding: chunked\\", BAD),
    (b"Transfer-Encoding: %63hunked", BAD), (b"Transfer-Encoding: chunked%00", BAD), (b"Transfer-Encoding:", BAD), (b"Transfer-Encoding: ", BAD),
    (b"Transfer-Encoding: 1", BAD), (b"Transfer-Encoding: deflate", BAD), (b"Transfer-Encoding: compress, chunked", BAD),
    (b"Transfer-Encoding: trailers", BAD), (b"Transfer-Encoding: :chunked", BAD), (b"Transfer-Encoding:: chunked", BAD), (b"Transfer-Encoding chunked", BAD),
    (b"Transfer-Encoding; chunked", BAD), (b"Transfer-Encoding", BAD), (b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked", BAD),
    (b"Transfer-Encoding: chunked\r\nTransfer-Encoding: identity", BAD), (b"Transfer-Encoding: identity\r\nTransfer-Encoding: chunked", BAD),
    (b"Transfer-Encoding: chunked\r\nTransfer-Encoding: x", BAD), (b"Transfer-Encoding: x\r\nTransfer-Encoding: chunked", BAD),
    (b"Transfer-Encoding: chunked\r\ntransfer-encoding: cow", BAD), (b"Transfer-Encoding:\r\nTransfer-Encoding: chunked", BAD),
    (b"Transfer-Encoding: chunked\r\nTransfer-Encoding:", BAD), (b"Transfer-Encoding:\r\n chunked", BAD), (b"Transfer-Encoding:\r\n\tchunked", BAD),
    (b"Transfer-Encoding: chunked\r\n , identity", BAD), (b"Transfer-Encoding: identity\r\n , chunked", BAD), (b"Transfer-Encoding\r\n : chunked", BAD),
    (b"Transfer-\r\n Encoding: chunked", BAD), (b"Transfer-Encoding\n: chunked", BAD), (b"X: x\nTransfer-Encoding: chunked", BAD),
    (b"X: x\rTransfer-Encoding: chunked", BAD), (b"X: x\x00\r\nTransfer-Encoding: chunked", BAD), (b"X: x\r\r\nTransfer-Encoding: chunked", BAD),
    (b"Transfer-Encoding: chunked\n", BAD), (b"Transfer-Encoding: chunked\r", BAD), (b"Transfer-Encoding: chunked\nX: x", BAD),
    (b"\x00Transfer-Encoding: chunked", BAD), (b"Transfer-Encoding\x00: chunked", BAD), (b"Transfer\x00-Encoding: chunked", BAD),
    (b"Tran\xc5\xbffer-Encoding: chunked", BAD), (b"Transfer Encoding: chunked", BAD), (b"Transfer-Encoding\x0b: chunked", BAD),
    (b"\xffTransfer-Encoding: chunked", BAD), (b"(Transfer-Encoding): chunked", BAD), (b"Transfer/Encoding: chunked", BAD),
    (b"\"Transfer-Encoding\": chunked", BAD), (b"Transfer-Encoding\\: chunked", BAD), (b"Transfer-Encoding@: chunked", BAD),
    (b"[Transfer-Encoding]: chunked", BAD), (b":Transfer-Encoding: chunked", BAD), (b": Transfer-Encoding: chunked", BAD),
    (b": x\r\nTransfer-Encoding: chunked", BAD), (b"X\r\nTransfer-Encoding: chunked", BAD), (b"GET / HTTP/1.1\r\nTransfer-Encoding: chunked", BAD),
    (b"Transfer_Encoding: chunked", OTHER), (b"TransferEncoding: chunked", OTHER), (b"Transfer-Encodings: chunked", OTHER),
    (b"X-Transfer-Encoding: chunked", OTHER), (b"Transfer--Encoding: chunked", OTHER), (b"Transfer-Encoding-: chunked", OTHER),
    (b"-Transfer-Encoding: chunked", OTHER), (b"Transfer.Encoding: chunked", OTHER), (b"Transfer-Encoding*: chunked", OTHER),
    (b"Transfer~Encoding: chunked", OTHER), (b"TE: chunked", OTHER), (b"TE: trailers, chunked", OTHER), (b"Trailer: Transfer-Encoding", OTHER),
    (b"X: Transfer-Encoding: chunked", OTHER), (b"X: x, Transfer-Encoding: chunked", OTHER), (b"Connection: Transfer-Encoding", OTHER),
    (b"HTTP_TRANSFER_ENCODING: chunked", OTHER), (b"Encoding: chunked", OTHER), (b"Transfer%2DEncoding: chunked", OTHER),
]

MORE = 10 ** 6
LENGTHS = [
    # the value of Content-Length in place of %d; N is the right one
    (b"%d" % N, SAME), (b" %d" % N, SAME), (b"\t%d" % N, SAME), (b"%d " % N, SAME), (b"%d\t" % N, BAD), (b" \t %d \t " % N, BAD), (b" \t %d  " % N, SAME),
    (b"0%d" % N, SAME), (b"0000%d" % N, SAME), (b"%018d" % N, SAME), (b"", BAD), (b" ", BAD), (b"\t", BAD), (b"+%d" % N, BAD), (b"-%d" % N, BAD),
    (b"--%d" % N, BAD), (b"+-%d" % N, BAD), (b"-0", BAD), (b"+0", BAD), (b"0x%x" % N, BAD), (b"0X%X" % N, BAD), (b"%xh" % N, BAD), (b"x%x" % N, BAD),
    (b"0b1000", BAD), (b"0o117", BAD), (b"%d.0" % N, BAD), (b"%d." % N, BAD), (b".%d" % N, BAD), (b"%de0" % N, BAD), (b"%dE0" % N, BAD), (b"1e2", BAD),
    (b"%d,%d" % (N, N), BAD), (b"%d, %d" % (N, N), BAD), (b"%d,0" % N, BAD), (b"0,%d" % N, BAD), (b"%d," % N, BAD), (b",%d" % N, BAD), (b", %d" % N, BAD),
    (b"%d %d" % (N, N), BAD), (b"%d 0" % N, BAD), (b"0 %d" % N, BAD), (b"%d\t%d" % (N, N), BAD), (b"7 9", BAD), (b"%d;" % N, BAD), (b"%d;q=1" % N, BAD),
    (b"%d#" % N, BAD), (b"%d/1" % N, BAD), (b"%d_0" % N, BAD), (b"%d'0" % N, BAD), (b"\"%d\"" % N, BAD), (b"'%d'" % N, BAD), (b"(%d)" % N, BAD),
    (b"[%d]" % N, BAD), (b"%d(x)" % N, BAD), (b"=%d" % N, BAD), (b":%d" % N, BAD), (b"~%d" % N, BAD), (b"!%d" % N, BAD), (b"%d-%d" % (N, N), BAD),
    (b"%d-0" % N, BAD), (b"%d%%" % N, BAD), (b"%%37%%39", BAD), (b"%dbytes" % N, BAD), (b"%d bytes" % N, BAD), (b"bytes=%d" % N, BAD), (b"a", BAD),
    (b"NaN", BAD), (b"inf", BAD), (b"Infinity", BAD), (b"null", BAD), (b"true", BAD), (b"none", BAD), (b"chunked", BAD), (b"\x0b%d" % N, BAD),
    (b"%d\x0b" % N, BAD), (b"\x0c%d" % N, BAD), (b"%d\x0c" % N, BAD), (b"\x00%d" % N, BAD), (b"%d\x00" % N, BAD), (b"7\x009", BAD), (b"%d\x7f" % N, BAD),
    (b"%d\x1f" % N, BAD), (b"%d\x85" % N, BAD), (b"\x85%d" % N, BAD), (b"%d\xa0" % N, BAD), (b"\xa0%d" % N, BAD), (b"\xc2\xa0%d" % N, BAD),
    (b"\xe2\x88\x92%d" % N, BAD), (b"\xd9\xa7\xd9\xa9", BAD), (b"\xef\xbc\x97\xef\xbc\x99", BAD), (b"\xc2\xb2", BAD), (b"\r\n %d" % N, BAD),
    (b"7\r\n 9", BAD), (b"%d\r\n " % N, BAD), (b"%d\r\n\t0" % N, BAD), (b"%d\n" % N, BAD), (b"%d\r" % N, BAD), (b"\n%d" % N, BAD), (b"\r%d" % N, BAD),
    (b"%d\nX: x" % N, BAD), (b"%d\r\r\nX: x" % N, BAD), (b"%d" % (2 ** 64 + N), BAD), (b"%d" % (2 ** 65 + N), BAD), (b"%d" % (2 ** 63), BAD),
    (b"%d" % (2 ** 63 - 1), BAD), (b"%d" % (2 ** 64 - 1), BAD), (b"%d" % (2 ** 128 + N), BAD), (b"9" * 19, BAD), (b"9" * 40, BAD), (b"9" * 1000, BAD),
    (b"0" * 1000 + b"%d" % N, BAD), (b"-%d" % (2 ** 64 - N), BAD), (b"%d" % (2 ** 32 + N), MORE), (b"%d" % (2 ** 31), MORE), (b"9" * 18, MORE),
    (b"%d" % (2 ** 53), MORE),
]
LENGTH_NAMES = [
    (b"Content-Length", SAME), (b"content-length", SAME), (b"CONTENT-LENGTH", SAME), (b"cOnTeNt-LeNgTh", SAME), (b"Content-Length ", BAD),
    (b"Content-Length\t", BAD), (b" Content-Length", BAD), (b"\tContent-Length", BAD), (b"Content-Length\x0b", BAD), (b"Content-Length\x00", BAD),
    (b"\x00Content-Length", BAD), (b"Content\x00-Length", BAD), (b"Content Length", BAD), (b"Content-Length:", BAD), (b":Content-Length", BAD),
    (b"(Content-Length)", BAD), (b"\"Content-Length\"", BAD), (b"Content-Length\xa0", BAD), (b"\xffContent-Length", BAD), (b"Content-L\xc3\xa9ngth", BAD),
    (b"Content-Length\r", BAD), (b"Content-Length\n", BAD), (b"X: x\nContent-Length", BAD), (b"X: x\rContent-Length", BAD), (b"Content/Length", BAD),
    (b"Content-Length\\", BAD), (b"{Content-Length}", BAD), (b"Content-Length;x", BAD), (b"Content-Length=", BAD), (b"Content-Length,", BAD),
    (b"Content_Length", OTHER), (b"ContentLength", OTHER), (b"Content-Lengths", OTHER), (b"Content-Lengt", OTHER), (b"X-Content-Length", OTHER),
    (b"Content--Length", OTHER), (b"Content.Length", OTHER), (b"HTTP_CONTENT_LENGTH", OTHER), (b"CONTENT_LENGTH", OTHER), (b"Length", OTHER),
    (b"Content-Length*", OTHER), (b"X: Content-Length", OTHER), (b"Keep-Alive: Content-Length", OTHER),
]

# A body that nothing announces is the next request, and as such it is none: the line before it ends has no method.
NOT_A_REQUEST = 400


def body_unannounced(name, fields):
    return refused(name, LINE + HOST + fields + b"\r\n" + FIRST + b"\r\n", NOT_A_REQUEST, EMPTY)


def te_te():
    for field, what in CODINGS:
        name, line, cl = text(field), field + b"\r\n", length(FIRST)
        if what is OTHER:
            yield taken(f"{name}, and a length", LINE + HOST + line + cl + b"\r\n" + FIRST)
            yield body_unannounced(f"{name}, alone", line)
        else:
            alone = LINE + HOST + line + b"\r\n" + chunks(FIRST)
            yield taken(f"{name}, alone", alone) if what is SAME else refused(f"{name}, alone", alone)
            yield refused(f"{name}, before a length", LINE + HOST + line + cl + b"\r\n" + FIRST)
            yield refused(f"{name}, first of all, and a length", LINE + line + HOST + cl + b"\r\n" + FIRST)


def cl_te():
    """The front counts bytes, the back counts chunks; and the other way round. The hidden request lies where they part."""
    empty = b"0\r\n\r\n"
    for name, coding in (("chunked", TE), ("CHUNKED", b"Transfer-Encoding: CHUNKED\r\n"), ("a tab", b"Transfer-Encoding:\tchunked\r\n"),
                         ("a space behind", b"Transfer-Encoding: chunked \r\n"),
                         ("identity", b"Transfer-Encoding: identity\r\n"), ("twice", TE + TE), ("a list", b"Transfer-Encoding: gzip, chunked\r\n")):
        for where, body in (("behind the last chunk", empty + HIDDEN), ("in a chunk", chunks(HIDDEN)), ("behind a chunk", chunks(FIRST) + HIDDEN),
                            ("nowhere", chunks(FIRST)), ("no chunk", empty)):
            for size in sorted({len(body), len(empty), 0, 4, len(body) + 10}):
                cl = b"Content-Length: %d\r\n" % size
                yield refused(f"CL.TE {name}: hidden {where}, CL {size}", LINE + HOST + cl + coding + b"\r\n" + body)
                yield refused(f"TE.CL {name}: hidden {where}, CL {size}", LINE + HOST + coding + cl + b"\r\n" + body)
    for method in (b"GET", b"HEAD", b"OPTIONS", b"DELETE", b"PUT"):
        yield refused(f"{text(method)} with both", method + b" /livez HTTP/1.1\r\n" + HOST + TE + length(FIRST) + b"\r\n" + chunks(FIRST))
    for between in (b"X: x\r\n", b"Connection: keep-alive\r\n", b"X: " + b"y" * 3000 + b"\r\n", b"X: y\r\n" * 60):
        yield refused(f"both, with {text(between, 12)} between", LINE + HOST + TE + between + length(FIRST) + b"\r\n" + chunks(FIRST))
        yield refused(f"both turned, with {text(between, 12)} between", LINE + HOST + length(FIRST) + between + TE + b"\r\n" + chunks(FIRST))
    for cl in (b"", b" ", b"+5", b"abc", b"5, 5", b"-1", b"0x5"):
        yield refused(f"TE and CL {text(cl)!r}", LINE + HOST + TE + b"Content-Length: " + cl + b"\r\n\r\n" + chunks(FIRST))


def content_length():
    for value, what in LENGTHS:
        data = LINE + HOST + b"Content-Length:%s\r\n\r\n" % (b" " + value if value.strip(b" \t\r\n") == value else value) + FIRST
        name = f"{text(value)!r}"
        yield taken(name, data) if what is SAME else refused(name, data, 413 if what is MORE else 400)
    for field, what in LENGTH_NAMES:
        data = LINE + HOST + field + b": %d\r\n\r\n" % N + FIRST
        yield taken(text(field), data) if what is SAME else refused(text(field), data) if what is BAD else body_unannounced(text(field),
            field + b": %d\r\n" % N)


def two_lengths():
    n, less, more, zero = b"%d" % N, b"%d" % (N - 5), b"%d" % (N + 5), b"0"
    for a, b in ((n, n), (n, zero), (zero, n), (n, less), (less, n), (n, more), (more, n), (zero, zero), (n, b""), (b"", n), (n, b"+" + n), (n, b"x"),
                 (n, b"0" + n), (n, b"-1")):
        for second in (b"Content-Length", b"content-length", b"CONTENT-LENGTH"):
            for between in (b"", b"X: x\r\n"):
                data = LINE + HOST + b"Content-Length: " + a + b"\r\n" + between + second + b": " + b + b"\r\n\r\n" + FIRST
                yield refused(f"{text(a)!r} and {text(second)} {text(b)!r}{', apart' if between else ''}", data)
    yield refused("three", LINE + HOST + 3 * length(FIRST) + b"\r\n" + FIRST)
    yield refused("before and behind Host", LINE + length(FIRST) + HOST + length(FIRST) + b"\r\n" + FIRST)
    for other in (b"Content-Length : %d" % N, b"Content-Length\t: 0", b" Content-Length: 0", b"Content-Length\x00: 0", b"Content-Length\n: 0",
                  b"X: x\nContent-Length: 0"):
        yield refused(f"one, and {text(other)}", LINE + HOST + length(FIRST) + other + b"\r\n\r\n" + FIRST)
        yield refused(f"{text(other)}, and one", LINE + HOST + other + b"\r\n" + length(FIRST) + b"\r\n" + FIRST)
    for other in (b"Content_Length: 0", b"X-Content-Length: 0", b"ContentLength: 0"):
        yield taken(f"one, and {text(other)}", LINE + HOST + length(FIRST) + other + b"\r\n\r\n" + FIRST)


def cl_0():
    """A side that thinks there is no body where there is one, or the reverse."""
    get = b"GET /livez HTTP/1.1\r\n" + HOST
    hid = Read(b"POST", CHAT, chat(b"hidden"), 200)  # where it is rightly the next request
    yield taken("no framing at all: what follows is the next request", LINE + HOST + b"\r\n" + HIDDEN, EMPTY, hid)
    yield taken("CL 0: what follows is the next request", LINE + HOST + b"Content-Length: 0\r\n\r\n" + HIDDEN, EMPTY, hid)
    yield taken("CL 00", LINE + HOST + b"Content-Length: 00\r\n\r\n" + HIDDEN, EMPTY, hid)
    yield taken("no chunk: what follows is the next request", LINE + HOST + TE + b"\r\n0\r\n\r\n" + HIDDEN, EMPTY, hid)
    inside = b"first\r\n\r\n" + HIDDEN
    notjson = Read(b"POST", CHAT, inside, 400)
    yield taken("a request in a body of a length", LINE + HOST + length(inside) + b"\r\n" + inside, notjson)
    yield taken("a request in a chunk", LINE + HOST + TE + b"\r\n" + chunks(inside), notjson)
    yield taken("a request in chunks of 7 bytes", LINE + HOST + TE + b"\r\n" + chunks(inside, 7), notjson)
    yield taken("a body that looks like chunks", LINE + HOST + length(chunks(FIRST)) + b"\r\n" + chunks(FIRST), Read(b"POST", CHAT, chunks(FIRST), 400))
    yield taken("a GET with a body of a length", get + length(HIDDEN) + b"\r\n" + HIDDEN, Read(b"GET", b"/livez", HIDDEN, 200))
    yield taken("a GET with a chunked body", get + TE + b"\r\n" + chunks(HIDDEN), Read(b"GET", b"/livez", HIDDEN, 200))
    yield taken("a HEAD with a body", b"HEAD /livez HTTP/1.1\r\n" + HOST + length(HIDDEN) + b"\r\n" + HIDDEN, Read(b"HEAD", b"/livez", HIDDEN, 200))
    yield taken("a GET with CL 0", get + b"Content-Length: 0\r\n\r\n", ALIVE)
    yield refused("a GET with half its body", get + b"Content-Length: 4\r\n\r\n", 400, Read(b"GET", b"/livez", b"POST", 200))
    for method in (b"DELETE", b"PUT", b"PATCH", b"OPTIONS"):
        yield refused(f"a {text(method)} that is not for it, with a body", method + b" /livez HTTP/1.1\r\n" + HOST + length(HIDDEN) + b"\r\n" + HIDDEN, 405)
        yield refused(f"a {text(method)} that is not for it, chunked", method + b" /livez HTTP/1.1\r\n" + HOST + TE + b"\r\n" + chunks(HIDDEN), 405)
        yield taken(f"a {text(method)} that is not for it, without", method + b" /livez HTTP/1.1\r\n" + HOST + b"\r\n", Read(method, b"/livez", b"", 405))
    for target in (b"/nowhere", b"/static/x.js", b"/v1", b"/"):
        yield refused(f"a POST to {text(target)}, with a body", b"POST " + target + b" HTTP/1.1\r\n" + HOST + length(HIDDEN) + b"\r\n" + HIDDEN, 404)
        yield refused(f"a POST to {text(target)}, chunked", b"POST " + target + b" HTTP/1.1\r\n" + HOST + TE + b"\r\n" + chunks(HIDDEN), 404)
        yield taken(f"a POST to {text(target)}, without", b"POST " + target + b" HTTP/1.1\r\n" + HOST + b"\r\n", Read(b"POST", target, b"", 404))
    for target in (b"/livez", b"/v1/models", b"/metrics", b"/openapi.json"):
        yield refused(f"a POST to {text(target)}, with a body", b"POST " + target + b" HTTP/1.1\r\n" + HOST + length(HIDDEN) + b"\r\n" + HIDDEN, 405)
    yield refused("one byte short: the next line loses its first", LINE + HOST + b"Content-Length: %d\r\n\r\n" % (N - 1) + FIRST, NOT_A_REQUEST,
                  Read(b"POST", CHAT, FIRST[:-1], 400))
    yield refused("one byte long: the next method loses its first", LINE + HOST + b"Content-Length: %d\r\n\r\n" % (N + 1) + FIRST, 405, Read(b"POST", CHAT,
        FIRST + b"P", 400))
    yield taken("an empty line behind the body", plain(FIRST) + b"\r\n")
    yield refused("two empty lines behind the body", plain(FIRST) + b"\r\n\r\n", 400, CHATTED)
    yield refused("a bare LF behind the body", plain(FIRST) + b"\n", 400, CHATTED)
    yield refused("a bare CR behind the body", plain(FIRST) + b"\r", 400, CHATTED)
    yield refused("a space behind the body", plain(FIRST) + b" ", 400, CHATTED)
    yield refused("a NUL behind the body", plain(FIRST) + b"\0", 400, CHATTED)


SIZE = b"%x" % N
CHUNK_SIZES = [
    # in place of the size of a chunk that holds FIRST
    (SIZE, SAME), (SIZE.upper(), SAME), (b"0" + SIZE, SAME), (b"0000" + SIZE, SAME), (b"0" * 14 + SIZE, SAME), (b" " + SIZE, BAD), (SIZE + b" ", BAD),
    (b"\t" + SIZE, BAD), (SIZE + b"\t", BAD), (SIZE[:1] + b" " + SIZE[1:], BAD), (b"+" + SIZE, BAD), (b"-" + SIZE, BAD), (b"0x" + SIZE, BAD),
    (b"0X" + SIZE, BAD), (b"x" + SIZE, BAD), (b"\\x" + SIZE, BAD), (b"#" + SIZE, BAD), (SIZE + b"h", BAD), (SIZE + b"g", BAD), (b"", BAD), (b" ", BAD),
    (b"\"" + SIZE + b"\"", BAD), (SIZE + b",", BAD), (SIZE + b"," + SIZE, BAD), (SIZE + b".0", BAD), (SIZE + b"_", BAD), (SIZE[:1] + b"_" + SIZE[1:], BAD),
    (SIZE + b"\x00", BAD), (b"\x00" + SIZE, BAD), (SIZE + b"\x0b", BAD), (SIZE + b"\x0c", BAD), (SIZE + b"\x7f", BAD), (SIZE + b"\xa0", BAD),
    (SIZE + b"\x85", BAD), (b"\xef\xbc\x94" + SIZE, BAD), (SIZE + b"\r", BAD), (SIZE + b"\n", BAD), (b"\n" + SIZE, BAD), (b"\r" + SIZE, BAD),
    (b"\r\n" + SIZE, BAD), (b"zz", BAD), (b"g", BAD), (b"/", BAD), (b":", BAD), (b"@", BAD), (b"`", BAD), (b"-1", BAD), (b"-0", BAD), (b"{", BAD),
    (SIZE + b";", BAD), (SIZE + b";a", BAD), (SIZE + b";a=b", BAD), (SIZE + b"; a=b", BAD), (SIZE + b" ;a=b", BAD), (SIZE + b";a=\"b\"", BAD),
    (SIZE + b";a=\"\r\n0\r\n\"", BAD), (SIZE + b";a=\"b", BAD), (SIZE + b";;", BAD), (SIZE + b";=", BAD), (SIZE + b";=b", BAD), (SIZE + b";a=", BAD),
    (SIZE + b";\x00", BAD), (SIZE + b";\n", BAD), (SIZE + b";a\nb", BAD), (SIZE + b";a\rb", BAD), (SIZE + b";" + b"a" * 5000, BAD),
    (SIZE + b";a=b;c=d;e", BAD), (b";" + SIZE, BAD), (b";a=b", BAD), (SIZE + b"&a=b", BAD), (SIZE + b":a", BAD), (SIZE + b"a=b", BAD), (SIZE + b" a", BAD),
    (SIZE + b"#a", BAD), (SIZE + b"//a", BAD), (SIZE + b"\xff", BAD), (SIZE + b";\xff", BAD), (SIZE + b";a=\"\\\"\"", BAD), (b"f" * 15, MORE),
    (b"7" + b"f" * 15, MORE), (b"f" * 16, MORE), (b"8" + b"0" * 15, MORE), (b"100000000", MORE), (b"1" + b"%08x" % N, MORE), (b"80000000", MORE),
    (b"ffffffff", MORE), (b"fffffff", MORE), (b"1" + b"0" * 16, BAD), (b"1" + b"%016x" % N, BAD), (b"f" * 17, BAD), (b"f" * 64, BAD),
    (b"1" + b"0" * 30 + SIZE, BAD),
]
LAST_CHUNKS = [
    (b"0\r\n\r\n", SAME), (b"00\r\n\r\n", SAME), (b"0000000000\r\n\r\n", SAME), (b"0\n\r\n", BAD), (b"0\r\n\n", BAD), (b"0\n\n", BAD), (b"0\r\r\n\r\n", BAD),
    (b"0\r\r", BAD), (b"0\r\n\r\r\n", BAD), (b"0 \r\n\r\n", BAD), (b" 0\r\n\r\n", BAD), (b"0\t\r\n\r\n", BAD), (b"0;\r\n\r\n", BAD), (b"0;a\r\n\r\n", BAD),
    (b"0;a=b\r\n\r\n", BAD), (b"0; a=\"b\"\r\n\r\n", BAD), (b"-0\r\n\r\n", BAD), (b"+0\r\n\r\n", BAD), (b"0x0\r\n\r\n", BAD), (b"0_0\r\n\r\n", BAD),
    (b"0.0\r\n\r\n", BAD), (b"\r\n\r\n", BAD), (b"\r\n0\r\n\r\n", BAD), (b"0\x00\r\n\r\n", BAD), (b"0\r\nX: y\r\n\r\n", BAD), (b"0\r\nX:\r\n\r\n", BAD),
    (b"0\r\nContent-Length: 5\r\n\r\n", BAD), (b"0\r\nTransfer-Encoding: chunked\r\n\r\n", BAD), (b"0\r\nHost: evil\r\n\r\n", BAD),
    (b"0\r\nAuthorization: Bearer x\r\n\r\n", BAD), (b"0\r\nConnection: close\r\n\r\n", BAD), (b"0\r\n: x\r\n\r\n", BAD), (b"0\r\nX : y\r\n\r\n", BAD),
    (b"0\r\n X: y\r\n\r\n", BAD), (b"0\r\nX: y\r\n z\r\n\r\n", BAD), (b"0\r\nX: y\n\r\n", BAD), (b"0\r\nX: y\r\n\n", BAD), (b"0\r\nX: \x00\r\n\r\n", BAD),
    (b"0\r\nX y\r\n\r\n", BAD), (b"0\r\n\x00\r\n\r\n", BAD), (b"0\r\nX: y\r\nX: y\r\n\r\n", BAD), (b"0\r\nX: " + b"y" * 40000 + b"\r\n\r\n", BAD),
    (b"0\r\n" + b"X: y\r\n" * 200 + b"\r\n", BAD), (b"0\r\nGET /livez HTTP/1.1\r\n\r\n", BAD),
    (b"0\r\nPOST /v1/chat/completions HTTP/1.1\r\nHost: a\r\n\r\n", BAD), (b"0\r\nExpect: 100-continue\r\n\r\n", BAD), (b"0\r\n\r\r\n\r\n", BAD),
    (b"0\r\n \r\n", BAD), (b"0\r\n\t\r\n", BAD),
]
CHUNK_ENDS = [
    b"", b"\n", b"\r", b"\r\r\n", b"\n\r", b"\n\n", b"x\r\n", b" \r\n", b"\t\r\n", b"\x00\r\n", b"\r \n", b"\r\x00\n", b"\r\n ", b"\r\n\r\n", b"0\r\n",
    b"\x0b\n", b"\xe2\x80\xa8",
]


def chunked():
    def with_chunks(body):
        return LINE + HOST + TE + b"\r\n" + body

    for size, what in CHUNK_SIZES:
        data = with_chunks(size + b"\r\n" + FIRST + b"\r\n0\r\n\r\n")
        yield taken(f"size {text(size)!r}", data) if what is SAME else refused(f"size {text(size)!r}", data, 413 if what is MORE else 400)
    for last, what in LAST_CHUNKS:
        for where, body in (("", SIZE + b"\r\n" + FIRST + b"\r\n"), (", alone", b"")):
            name = f"last chunk {text(last)!r}{where}"
            yield refused(name, with_chunks(body + last)) if what is BAD else taken(name, with_chunks(body + last), CHATTED if body else EMPTY)
    for end in CHUNK_ENDS:
        yield refused(f"a chunk ended by {text(end)!r}", with_chunks(SIZE + b"\r\n" + FIRST + end + b"0\r\n\r\n"))
        if end != b"0\r\n":
            yield refused(f"a size ended by {text(end)!r}", with_chunks(SIZE + end + FIRST + b"\r\n0\r\n\r\n"))
    for n in (1, 2, 7, N - 1, N, N + 1):
        yield taken(f"chunks of {n}", with_chunks(chunks(FIRST, n)))
    yield refused("a chunk one byte short", with_chunks(b"%x\r\n%s\r\n0\r\n\r\n" % (N - 1, FIRST)))
    yield refused("a chunk one byte long", with_chunks(b"%x\r\n%s\r\n0\r\n\r\n" % (N + 1, FIRST)))
    yield refused("a chunk two bytes long", with_chunks(b"%x\r\n%s\r\n0\r\n\r\n" % (N + 2, FIRST)))
    yield refused("a zero between, then more", with_chunks(b"5\r\n" + FIRST[:5] + b"\r\n0\r\n\r\n" + b"%x\r\n" % (N - 5) + FIRST[5:] + b"\r\n0\r\n\r\n"),
                  NOT_A_REQUEST, Read(b"POST", CHAT, FIRST[:5], 400))
    yield refused("a second end", with_chunks(chunks(FIRST) + b"0\r\n\r\n"), 400, CHATTED)
    yield refused("the hidden request as the next chunk's size", with_chunks(SIZE + b"\r\n" + FIRST + b"\r\n" + HIDDEN))
    yield refused("a bare body", with_chunks(FIRST))
    yield refused("an HTTP request for chunks", with_chunks(HIDDEN))


HEADS = {
    "length": (LINE + HOST + length(FIRST) + b"X: y\r\n\r\n", FIRST),
    "chunks": (LINE + HOST + TE + b"X: y\r\n\r\n", chunks(FIRST)),
}
BREAKS = [
    b"\n", b"\r", b"\r\r\n", b"\n\r", b"\r\n\r", b"\x00\r\n", b"\x0b\r\n", b"\x0c\r\n", b"\x85", b"\xe2\x80\xa8", b"\r\x00\n", b"\r \n", b"", b"\x1e",
    b"\r\n ",
]


def line_ends():
    """Each line end of a head in turn, in each of the ways that somebody takes for one."""
    for kind, (head, body) in HEADS.items():
        lines = head.split(b"\r\n")[:-1]
        for i in range(len(lines)):
            for b in BREAKS:
                if kind == "length" and i == len(lines) - 1 and b.startswith(b"\r\n"):
                    continue  # it is in the body by then
                data = b"".join(line + (b if i == k else b"\r\n") for k, line in enumerate(lines)) + body
                yield refused(f"{kind}: line {i} ended by {text(b)!r}", data)
        yield refused(f"{kind}: all by LF", head.replace(b"\r\n", b"\n") + body)
        yield refused(f"{kind}: all by CR", head.replace(b"\r\n", b"\r") + body)
        yield refused(f"{kind}: all by CR CR LF", head.replace(b"\r\n", b"\r\r\n") + body)
        yield taken(f"{kind}: an empty line before", b"\r\n" + head + body)
        for before in (b"\n", b"\r", b"\r\n\r\n", b"\r\n\n", b"\n\r\n", b" ", b"\t", b"\x00", b" \r\n", b"\xef\xbb\xbf", b"\x0b", b"x\r\n", b":\r\n"):
            yield refused(f"{kind}: {text(before)!r} before", before + head + body)


FOLDS = [
    b"X: a\r\n b\r\n", b"X: a\r\n\tb\r\n", b"X:\r\n b\r\n", b"X: a\r\n \r\n", b"X: a\r\n\t\r\n", b"X: a\r\n  b: c\r\n", b"X: a\r\n Content-Length: 0\r\n",
    b"X: a\r\n\tTransfer-Encoding: chunked\r\n", b"X: a\r\n Host: b\r\n", b"X: a\r\n b\r\n c\r\n", b"X: a \r\n b\r\n", b"X: a\n b\r\n", b"X: a\r b\r\n",
    b"X: a\r\n\x0bb\r\n", b"X: a\r\n\x0cb\r\n", b"X: a\r\n\xa0b\r\n", b" X: a\r\n", b"\tX: a\r\n",
]
NAMES = [
    b": a", b":", b" : a", b"\t: a", b":a:b", b"::", b"X", b"X ", b"X a", b"X : a", b"X\t: a", b"X \t : a", b"X;a", b"X=a", b"X, Y: a", b"X(c): a", b"X/Y: a",
    b"X\\Y: a", b"X@Y: a", b"X[0]: a", b"X{}: a", b"X<Y>: a", b"X\"Y\": a", b"X\x00: a", b"\x00X: a", b"X\x7f: a", b"X\x1f: a", b"X\x80: a", b"X\xc3\xa9: a",
    b"\xef\xbb\xbfX: a", b"X?: a", b"X Y: a", b"X\tY: a", b"HTTP/1.1 200 OK", b"GET / HTTP/1.1", b"GET http://a/ HTTP/1.1",
]
VALUES = [
    b"a\x00b", b"\x00", b"a\x00", b"a\x01b", b"a\x08b", b"a\x0bb", b"a\x0cb", b"a\x1bb", b"a\x1fb", b"a\x7fb", b"a\rb", b"a\r", b"\ra", b"a\nb", b"a\n",
    b"a\r\r", b"a\n\nb", b"a\rContent-Length: 0", b"a\nContent-Length: 0",
]


def fields():
    for position in ("first", "last"):
        def put(f):
            return LINE + (f + HOST + length(FIRST) if position == "first" else HOST + length(FIRST) + f) + b"\r\n" + FIRST
        for f in FOLDS:
            yield refused(f"{position}: fold {text(f)!r}", put(f))
        for n in NAMES:
            yield refused(f"{position}: name {text(n)!r}", put(n + b"\r\n"))
        for v in VALUES:
            yield refused(f"{position}: value {text(v)!r}", put(b"X: " + v + b"\r\n"))
        for f in (b"X:\r\n", b"X: \r\n", b"X:\t\r\n", b"X: :\r\n", b"X: \xff\r\n", b"X: \xc3\xa9\r\n", b"X: a\tb\r\n", b"!#$%&'*+-.^_`|~09azAZ: x\r\n",
                  b"X: a\r\nX: b\r\n", b"X: a, b\r\n", b"X: \"a\r\n", b"X: a;\r\n", b"_: x\r\n", b"x-http-method-override: DELETE\r\n"):
            yield taken(f"{position}: fine {text(f)!r}", put(f))


TARGETS = [
    # target, status of a GET, whether the connection closes with it
    (b"/livez", 200), (b"/livez?", 200), (b"/livez?x=y", 200), (b"/livez??", 200), (b"/livez?/../v1/models", 200), (b"/livez?http://a/", 200),
    (b"/livez?%00", 200), (b"/livez?a\\b", 200), (b"/livez/", 404), (b"//livez", 404), (b"/./livez", 404), (b"/x/../livez", 404), (b"/../livez", 404),
    (b"/%6civez", 404), (b"/livez%00", 404), (b"/livez%20", 404), (b"/livez;x", 404), (b"/livez%3f", 404), (b"/livez%2f", 404), (b"/LIVEZ", 404),
    (b"/livez\\", 404), (b"/\\livez", 404), (b"/v1/%6dodels", 404), (b"/%76%31/models", 404), (b"/v1//models", 404), (b"/v1/./models", 404),
    (b"/v1/../v1/models", 404), (b"/v1/models/../models", 404), (b"/v1/x/../models", 404), (b"/v1/%2e%2e/v1/models", 404), (b"/v1/models/%2e%2e", 404),
    (b"/v1/models/..", 404), (b"/v1/models/../../hob/v1/state", 404), (b"/v1/models/%2fhob", 404), (b"/v1/models/a%00b", 404), (b"/v1/models/%", 404),
    (b"/v1/models/%zz", 404), (b"/v1%2fmodels", 404), (b"/v1/models;a=b", 404), (b"/v1/models/;", 404), (b"/v1/models\\..\\..", 404),
    (b"/hob/v1/../../livez", 404), (b"/livez..", 404), (b"/.", 404), (b"/..", 404), (b"/", 404), (b"//", 404), (b"//evil/livez", 404), (b"///livez", 404),
    (b"/http://evil/", 404), (b"/%", 404), (b"/%0d%0aX:%20y", 404), (b"/livez%0d%0a", 404), (b"/livez%09", 404), (b"/@evil", 404), (b"/:80", 404),
    (b"/livez,", 404), (b"/|", 404), (b"/livez\"", 404), (b"/<x>", 404), (b"/{x}", 404), (b"/`", 404), (b"/^", 404), (b"/~root", 404), (b"*", -1), (b"", -1),
    (b"livez", -1), (b".livez", -1), (b"./livez", -1), (b"?livez", -1), (b"http://localhost/livez", -1), (b"HTTP://localhost/livez", -1),
    (b"https://localhost/livez", -1), (b"http://evil/livez", -1), (b"http:/livez", -1), (b"http:livez", -1), (b"http://localhost", -1),
    (b"http://localhost:80/livez", -1), (b"http://a@localhost/livez", -1), (b"file:///etc/passwd", -1), (b"localhost:80", -1), (b"localhost/livez", -1),
    (b"[::1]:80", -1), (b"\\livez", -1), (b"#/livez", -1), (b"/livez#x", -1), (b"/livez#", -1), (b"/#", -1), (b"/li vez", -1), (b"/livez ", -1),
    (b" /livez", -1), (b"/livez\t", -1), (b"\t/livez", -1), (b"/li\tvez", -1), (b"/livez\x00", -1), (b"\x00/livez", -1), (b"/livez\x7f", -1),
    (b"/livez\x80", -1), (b"/livez\xff", -1), (b"/liv\xc3\xa9z", -1), (b"/livez\x0b", -1), (b"/livez\x0c", -1), (b"/livez\x01", -1), (b"/livez\r", -1),
    (b"/livez\n", -1), (b"/livez\r\n", -1), (b"/livez HTTP/1.1\r\nX y:", -1), (b"/livez HTTP/1.1\r\n\r\nGET /v1/models", -1), (b"&", -1), (b"=", -1),
    (b"%2flivez", -1), (b"@/livez", -1), (b"javascript:1", -1),
]


def targets():
    for target, status in TARGETS:
        line = b"GET " + target + b" HTTP/1.1\r\n"
        name = text(target)
        if target == b"/livez HTTP/1.1\r\n\r\nGET /v1/models":
            yield refused(name, line + HOST + b"\r\n")  # a head without Host
        elif status < 0:
            yield refused(name, line + HOST + b"\r\n")
        else:
            yield taken(name, line + HOST + b"\r\n", Read(b"GET", target, b"", status))
    for target in (b"/v1/%63hat/completions", b"/v1/chat%2fcompletions", b"/v1/chat/../chat/completions", b"/v1//chat/completions",
                   b"/v1/chat/completions/", b"/V1/CHAT/COMPLETIONS", b"/v1/chat/completions;x", b"/v1/chat/completions%00", b"/./v1/chat/completions",
                   b"/v1/chat/completions/..", b"/v1/chat/completions%20", b"/v1/chat\\completions", b"/v1/chat/completions.", b"/v1/chat/completions//",
                   b"/%2e/v1/chat/completions"):
        yield refused(f"a chat at {text(target)}", b"POST " + target + b" HTTP/1.1\r\n" + HOST + length(FIRST) + b"\r\n" + FIRST, 404)
    for query in (b"?", b"?x", b"?a=b&c=d", b"?/../x", b"?%00", b"?model=other", b"?Content-Length=0"):
        yield taken(f"a chat with {text(query)}", b"POST " + CHAT + query + b" HTTP/1.1\r\n" + HOST + length(FIRST) + b"\r\n" + FIRST, Read(b"POST",
            CHAT + query, FIRST, 200))
    yield taken("OPTIONS *", b"OPTIONS * HTTP/1.1\r\n" + HOST + b"\r\n", Read(b"OPTIONS", b"*", b"", 404))


HOSTS = [
    b"Host: localhost\r\nHost: localhost\r\n", b"Host: localhost\r\nhost: evil\r\n", b"Host: evil\r\nX: y\r\nHost: localhost\r\n", b"", b"Host:\r\n",
    b"Host: \r\n", b"Host : localhost\r\n", b"Host\t: localhost\r\n", b" Host: localhost\r\n", b"Host localhost\r\n", b"Host: localhost, evil\r\n",
    b"Host: localhost evil\r\n", b"Host: localhost\tevil\r\n", b"Host: localhost/\r\n", b"Host: localhost/x\r\n", b"Host: a@localhost\r\n",
    b"Host: a:b@localhost\r\n", b"Host: http://localhost\r\n", b"Host: localhost?x\r\n", b"Host: localhost#x\r\n", b"Host: localhost\\evil\r\n",
    b"Host: localhost:x\r\n", b"Host: localhost:80x\r\n", b"Host: localhost:80:81\r\n", b"Host: localhost:-1\r\n", b"Host: localhost:+80\r\n",
    b"Host: localhost:65536\r\n", b"Host: localhost:99999999999\r\n", b"Host: localhost: 80\r\n", b"Host: :80\r\n", b"Host: ::1\r\n", b"Host: [::1\r\n",
    b"Host: ::1]\r\n", b"Host: []\r\n", b"Host: [::1]x\r\n", b"Host: [::1]:x\r\n", b"Host: [::1]80\r\n", b"Host: [[::1]]\r\n", b"Host: localhost\x00\r\n",
    b"Host: local\x00host\r\n", b"Host: localhost\x0b\r\n", b"Host: loc\xc3\xa4l\r\n", b"Host: localhost\xff\r\n", b"Host: \"localhost\"\r\n",
    b"Host: <localhost>\r\n", b"Host: local^host\r\n", b"Host: localhost|\r\n", b"Host: localhost\r\n evil\r\n", b"Host:\r\n localhost\r\n",
    b"Host: localhost\nX: y\r\n", b"Host: localhost\rX: y\r\n", b"Host: localhost\n", b"Host: {localhost}\r\n", b"Host: `id`\r\n", b"X-Host: localhost\r\n",
    b"HTTP_HOST: localhost\r\n", b"Hosts: localhost\r\n", b"Host_: localhost\r\n", b"Host: localhost\r\nHost:\r\n",
]


def hosts():
    for h in HOSTS:
        yield refused(f"{text(h)!r}", LINE + h + length(FIRST) + b"\r\n" + FIRST)
    for h in (b"Host:localhost\r\n", b"host: localhost\r\n", b"HOST: localhost\r\n", b"Host: localhost:80\r\n", b"Host: localhost:\r\n",
              b"Host: LOCALHOST\r\n", b"Host: 127.0.0.1\r\n", b"Host: [::1]\r\n", b"Host: [::1]:8080\r\n", b"Host:\tlocalhost\t\r\n"):
        yield taken(f"{text(h)!r}", LINE + h + length(FIRST) + b"\r\n" + FIRST)
    for f in (b"X-Forwarded-Host: evil\r\n", b"X-Host: evil\r\n", b"Forwarded: host=evil\r\n", b"X-Original-URL: /hob/v1/state\r\n",
              b"X-Rewrite-URL: /hob/v1/state\r\n", b"X-HTTP-Method: DELETE\r\n", b"X-Method-Override: GET\r\n", b"Via: 1.1 evil\r\n",
              b"X-Forwarded-For: 127.0.0.1\r\n", b"True-Client-IP: 127.0.0.1\r\n", b"Proxy: http://evil\r\n", b"Max-Forwards: 0\r\n",
              b"Cookie: a=b\r\n", b"Range: bytes=0-1\r\n", b"If-None-Match: *\r\n", b"Content-Range: bytes 0-1/2\r\n"):
        yield taken(f"means nothing here: {text(f)!r}", plain(FIRST, f))
    yield taken("Proxy-Connection: close, heeded as Connection is", plain(FIRST, b"Proxy-Connection: close\r\n"), ends=True)


VERSIONS = [
    b"HTTP/0.9", b"HTTP/1.2", b"HTTP/1.9", b"HTTP/2.0", b"HTTP/2", b"HTTP/3", b"HTTP/3.0", b"HTTP/9.9", b"HTTP/1", b"HTTP/1.", b"HTTP/.1", b"HTTP/11",
    b"HTTP/1.10", b"HTTP/1.11", b"HTTP/01.1", b"HTTP/1.01", b"HTTP/1.1.1", b"HTTP/1,1", b"HTTP/ 1.1", b"HTTP /1.1", b"HTTP/1 .1", b"HTTP/1. 1", b"HTTP/1.1 ",
    b"HTTP/1.1\t", b"HTTP/1.1x", b"HTTP/1.1\x00", b"HTTP/1.1\r", b"http/1.1", b"Http/1.1", b"HTTPS/1.1", b"HTP/1.1", b"HTTPX/1.1", b"ICE/1.0", b"RTSP/1.0",
    b"SIP/2.0", b"RTSP/1.1", b"HTTP", b"HTTP/", b"HTTP1.1", b"HTTP\\1.1", b"HTTP/-1.1", b"HTTP/+1.1", b"HTTP/1.-1", b"HTTP/a.b", b"HTTP/999999999999.1",
    b"HTTP/1.99999999999999", b"HTTP/1.1 HTTP/1.1", b"HTTP/1.0 HTTP/1.1", b"x HTTP/1.1", b"", b" ", b"\xef\xbc\xa8TTP/1.1", b"HTTP/\xef\xbc\x91.1",
    b"HTTP/1.1;x", b"HTTP/0x1.1",
]


def versions():
    for v in VERSIONS:
        yield refused(f"{text(v)!r}", b"POST " + CHAT + b" " + v + b"\r\n" + HOST + length(FIRST) + b"\r\n" + FIRST)
    yield refused("HTTP/0.9 without a version", b"GET /livez\r\n\r\n")
    yield refused("HTTP/0.9 with a bare LF", b"GET /livez\n")
    yield refused("HTTP/0.9 and fields", b"GET /livez\r\n" + HOST + b"\r\n")
    ten = b"POST " + CHAT + b" HTTP/1.0\r\n"
    yield taken("HTTP/1.0", ten + length(FIRST) + b"\r\n" + FIRST, ends=True)
    yield taken("HTTP/1.0 with Host", ten + HOST + length(FIRST) + b"\r\n" + FIRST, ends=True)
    yield taken("HTTP/1.0 kept", ten + HOST + b"Connection: keep-alive\r\n" + length(FIRST) + b"\r\n" + FIRST)
    yield taken("HTTP/1.0 kept and closed", ten + HOST + b"Connection: keep-alive, close\r\n" + length(FIRST) + b"\r\n" + FIRST, ends=True)
    yield refused("HTTP/1.0 with chunks", ten + HOST + TE + b"\r\n" + chunks(FIRST))
    yield refused("HTTP/1.0 with chunks, kept", ten + HOST + b"Connection: keep-alive\r\n" + TE + b"\r\n" + chunks(FIRST))
    yield refused("HTTP/1.0 with both", ten + HOST + TE + length(FIRST) + b"\r\n" + chunks(FIRST))
    yield refused("HTTP/1.0 with two Hosts", ten + HOST + HOST + length(FIRST) + b"\r\n" + FIRST)
    yield taken("HTTP/1.0 with a GET and what follows", b"GET /livez HTTP/1.0\r\n\r\n" + HIDDEN, ALIVE, ends=True)
    yield refused("the preface of HTTP/2", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")
    yield refused("the preface with a frame", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + b"\x00\x00\x00\x04\x00\x00\x00\x00\x00")
    yield refused("the preface as HTTP/1.1", b"PRI * HTTP/1.1\r\n" + HOST + b"\r\nSM\r\n\r\n")
    for name, data in (("TLS", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"), ("SSH", b"SSH-2.0-OpenSSH_9.9\r\n"), ("SOCKS5", b"\x05\x01\x00"),
                       ("a proxy's line", b"PROXY TCP4 127.0.0.1 127.0.0.1 1 2\r\n"), ("a proxy's signature", b"\r\n\r\n\x00\r\nQUIT\n"),
                       ("Redis", b"*1\r\n$4\r\nPING\r\n"), ("SMTP", b"EHLO localhost\r\n"), ("an answer", b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"),
                       ("JSON", FIRST + b"\r\n"), ("a chunk", chunks(FIRST))):
        yield refused(f"{name}, not HTTP", data, 405 if name == "SMTP" else 400)  # a word and a space: a method nobody knows


METHODS = [
    (b"post", 405), (b"Post", 405), (b"pOST", 405), (b"get", 405), (b"POSTS", 405), (b"POS", 405), (b"BREW", 405), (b"X", 405), (b"GETPOST", 405),
    (b"POST-", 405), (b"P0ST", 405), (b"_POST", 405), (b"$POST", 405), (b"TRACK", 405), (b"DEBUG", 405), (b"A" * 32, 405), (b"CONNECT", 405), (b"TRACE", 405),
    (b"PRI", 400), (b"DESCRIBE", 400), (b"SETUP", 400), (b"PLAY", 400), (b"OPTIONS\x00", 400), (b"PO ST", 405), (b"PO\tST", 400), (b"POST\t", 400),
    (b"\tPOST", 400), (b" POST", 400), (b"POST ", 400), (b"POST\x00", 400), (b"\x00POST", 400), (b"PO\x00ST", 400), (b"POST\x0b", 400), (b"P\xc3\x96ST", 400),
    (b"POST,GET", 400), (b"POST:", 400), (b"POST/", 400), (b"(POST)", 400), (b"\"POST\"", 400), (b"POST;", 400), (b"P@ST", 400), (b"", 400), (b"A" * 33, 400),
    (b"A" * 4000, 400), (b"POST\r\n", 400), (b"POST\n", 400), (b"POST\r", 400), (b"GET / HTTP/1.1\r\nX: ", 404), (b"\xef\xbb\xbfPOST", 400), (b"{POST}", 400),
]
KNOWN_METHODS = [
    b"GET", b"PUT", b"PATCH", b"DELETE", b"OPTIONS", b"HEAD", b"PROPFIND", b"MKCOL", b"COPY", b"MOVE", b"LOCK", b"UNLOCK", b"SEARCH", b"REPORT", b"PURGE",
    b"LINK", b"UNLINK", b"SOURCE", b"M-SEARCH", b"NOTIFY", b"SUBSCRIBE", b"BIND", b"ACL",
]


def methods():
    for m, status in METHODS:
        yield refused(f"{text(m)!r}", m + b" " + CHAT + b" HTTP/1.1\r\n" + HOST + length(FIRST) + b"\r\n" + FIRST, status)
    for m in KNOWN_METHODS:
        yield refused(f"{text(m)!r} on a POST's path", m + b" " + CHAT + b" HTTP/1.1\r\n" + HOST + length(FIRST) + b"\r\n" + FIRST, 405)
    for sep, name in ((b"\t", "a tab"), (b"  ", "two spaces"), (b"\x0b", "VT"), (b"\x0c", "FF"), (b"\xa0", "a hard space"), (b"\r", "CR"),
                      (b"\x00", "NUL"), (b"", "nothing"), (b" \t", "space and tab")):
        yield refused(f"{name} behind the method", b"POST" + sep + CHAT + b" HTTP/1.1\r\n" + HOST + length(FIRST) + b"\r\n" + FIRST)
        yield refused(f"{name} before the version", b"POST " + CHAT + sep + b"HTTP/1.1\r\n" + HOST + length(FIRST) + b"\r\n" + FIRST)


def upgrades():
    for f in (b"Connection: Upgrade\r\nUpgrade: h2c\r\n", b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n",
              b"Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: eA==\r\n", b"Upgrade: h2c\r\n",
              b"Connection: Upgrade\r\n", b"Connection: Upgrade\r\nUpgrade: \r\n", b"Connection: Upgrade\r\nUpgrade: TLS/1.2\r\n",
              b"Connection: keep-alive, Upgrade\r\nUpgrade: HTTP/3.0\r\n", b"Connection: Upgrade\r\nUpgrade: h2c, websocket\r\n",
              b"Upgrade-Insecure-Requests: 1\r\n",
              b"HTTP2-Settings: AAMAAABkAAQAAP__\r\n"):
        yield taken(f"a chat with {text(f)!r}", plain(FIRST, f))
        yield taken(f"a chunked chat with {text(f)!r}", LINE + HOST + TE + f + b"\r\n" + chunks(FIRST))
        yield taken(f"a GET with {text(f)!r}", b"GET /livez HTTP/1.1\r\n" + HOST + f + b"\r\n", ALIVE)
        yield refused(f"with {text(f)!r} and both framings", LINE + HOST + f + TE + length(FIRST) + b"\r\n" + chunks(FIRST))
    for f in (b"Connection: close", b"Connection: Close", b"connection: CLOSE", b"Connection: keep-alive, close", b"Connection: close, keep-alive",
              b"Connection: x, close, y", b"Connection: close,", b"Connection:close", b"Connection: Upgrade, close\r\nUpgrade: h2c"):
        yield taken(f"{text(f)!r}", plain(FIRST, f + b"\r\n"), ends=True)
    for f in (b"Connection: keep-alive", b"Connection: closed", b"Connection: x", b"Connection: Content-Length", b"Connection: Host",
              b"Connection: Transfer-Encoding", b"Connection: keep-alive, Content-Length", b"Connection:", b"Keep-Alive: timeout=0",
              b"Connection: Authorization, X"):
        yield taken(f"{text(f)!r}", plain(FIRST, f + b"\r\n"))
    for target in (b"localhost:80", b"localhost:443", b"/", CHAT, b"[::1]:22", b"*"):
        for more in (b"", length(HIDDEN), TE):
            body = HIDDEN if more == length(HIDDEN) else chunks(HIDDEN) if more else HIDDEN
            yield refused(f"CONNECT {text(target)} {text(more, 20)}", b"CONNECT " + target + b" HTTP/1.1\r\n" + HOST + more + b"\r\n" + body, 405)
    for more in (b"", length(HIDDEN)):
        yield refused(f"TRACE {text(more, 20)}", b"TRACE /livez HTTP/1.1\r\n" + HOST + more + b"\r\n" + HIDDEN, 405)


def expectations():
    for f in (b"Expect: 200-ok", b"Expect: x", b"Expect:", b"Expect: 100-continue, x", b"Expect: 100-continue;q=1", b"Expect: 100",
              b"Expect: 100 continue", b"Expect: y 100-continue", b"Expect: \"100-continue\""):
        yield refused(f"{text(f)!r}", plain(FIRST, f + b"\r\n"), 417)
    for f in (b"Expect: 100-continue", b"expect: 100-CONTINUE", b"Expect:100-continue "):
        yield taken(f"{text(f)!r}, with the body", plain(FIRST, f + b"\r\n"))
        yield taken(f"{text(f)!r}, chunked", LINE + HOST + TE + f + b"\r\n\r\n" + chunks(FIRST))
    yield refused("Expect : 100-continue", plain(FIRST, b"Expect : 100-continue\r\n"))
    yield refused("Expect twice", plain(FIRST, b"Expect: 100-continue\r\nExpect: 100-continue\r\n"))
    yield refused("Expect, refused by its path", b"POST /nowhere HTTP/1.1\r\n" + HOST + b"Expect: 100-continue\r\n" + length(HIDDEN) + b"\r\n" + HIDDEN, 404)
    yield refused("Expect, and both framings", LINE + HOST + b"Expect: 100-continue\r\n" + TE + length(FIRST) + b"\r\n" + chunks(FIRST))
    yield refused("Expect, and a broken length", LINE + HOST + b"Expect: x\r\nContent-Length: +1\r\n\r\n" + FIRST)
    for coding in (b"gzip", b"deflate", b"br", b"chunked", b"x", b"identity, gzip", b"", b"gzip, gzip", b"aws-chunked"):
        yield refused(f"Content-Encoding: {text(coding)}", plain(FIRST, b"Content-Encoding: " + coding + b"\r\n"), 415)
    yield taken("Content-Encoding: identity", plain(FIRST, b"Content-Encoding: identity\r\n"))
    yield refused("Content-Encoding twice", plain(FIRST, b"Content-Encoding: identity\r\nContent-Encoding: identity\r\n"))


FRAMINGS = {
    "length": lambda body: plain(body),
    "chunks": lambda body: LINE + HOST + TE + b"\r\n" + chunks(body),
    "small chunks": lambda body: LINE + HOST + TE + b"\r\n" + chunks(body, 9),
    "GET": lambda body: b"GET /livez HTTP/1.1\r\n" + HOST + b"\r\n",
    "HEAD": lambda body: b"HEAD /livez HTTP/1.1\r\n" + HOST + b"\r\n",
}
SPOILED = {
    "both": LINE + HOST + TE + length(FIRST) + b"\r\n" + chunks(FIRST),
    "two lengths": LINE + HOST + length(FIRST) + length(FIRST) + b"\r\n" + FIRST,
    "a bare LF": LINE.replace(b"\r\n", b"\n") + HOST + length(FIRST) + b"\r\n" + FIRST,
    "a chunk extension": LINE + HOST + TE + b"\r\n" + chunks(FIRST).replace(b"\r\n", b";a\r\n", 1),
    "a fold": LINE + HOST + b" x\r\n" + length(FIRST) + b"\r\n" + FIRST,
    "no Host": LINE + length(FIRST) + b"\r\n" + FIRST,
    "a trailer": LINE + HOST + TE + b"\r\n" + chunks(FIRST)[:-2] + b"X: y\r\n\r\n",
    "a NUL": plain(FIRST, b"X: \0\r\n"),
}


def pipelined():
    def reading(kind):
        return CHATTED if kind not in ("GET", "HEAD") else Read(kind.encode(), b"/livez", b"", 200)

    for a, first in FRAMINGS.items():
        for b, second in FRAMINGS.items():
            yield taken(f"{a}, then {b}", first(FIRST) + second(FIRST), reading(a), reading(b))
        for b, spoiled in SPOILED.items():
            yield refused(f"{a}, then {b}", first(FIRST) + spoiled, 400, reading(a))
        closing = first(FIRST).replace(HOST, HOST + b"Connection: close\r\n")
        yield taken(f"{a} that closes, then another", closing + HIDDEN, reading(a), ends=True)
    yield taken("five", plain(FIRST) * 5, *5 * (CHATTED,))
    yield taken("twenty", FRAMINGS["GET"](b"") * 20, *20 * (ALIVE,))
    yield taken("an empty line between", plain(FIRST) + b"\r\n" + plain(FIRST), CHATTED, CHATTED)
    yield taken("one that is no JSON between", plain(b"{") + plain(FIRST), Read(b"POST", CHAT, b"{", 400), CHATTED)


FAMILIES = {"TE.TE": te_te, "CL.TE and TE.CL": cl_te, "Content-Length": content_length, "two Content-Lengths": two_lengths, "CL.0 and 0.CL": cl_0,
            "chunks": chunked, "line ends": line_ends, "fields": fields, "targets": targets, "Host": hosts,
            "versions": versions, "methods": methods, "upgrades": upgrades, "Expect and codings": expectations, "pipelined": pipelined}

# -- every byte in every kind of place, by the grammar alone (RFC 9110 section 5.6.2, RFC 9112 section 3)

TOKEN = frozenset(b"!#$%&'*+-.^_`|~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz")


def sweeps():
    get, end = b"GET /livez HTTP/1.1\r\n" + HOST, b"\r\n\r\n"
    for i in range(256):
        b = bytes([i])
        inside = get + b"X" + b + b"Y: z" + end
        yield taken(f"in a name: {i:02x}", inside, ALIVE) if i in TOKEN or b == b":" else refused(f"in a name: {i:02x}", inside)
        inside = get + b"X: y" + b + b"z" + end
        yield taken(f"in a value: {i:02x}", inside, ALIVE) if b == b"\t" or 0x20 <= i != 0x7f else refused(f"in a value: {i:02x}", inside)
        inside = b"GET /livez" + b + b"x HTTP/1.1\r\n" + HOST + b"\r\n"
        fine = 0x20 < i < 0x7f and b != b"#"
        yield taken(f"in a target: {i:02x}", inside, Read(b"GET", b"/livez" + b + b"x", b"",
                                                          200 if b == b"?" else 404)) if fine else refused(f"in a target: {i:02x}", inside)
        inside = b"PO" + b + b"ST /livez HTTP/1.1\r\n" + HOST + b"\r\n"
        yield refused(f"in a method: {i:02x}", inside, 405 if i in TOKEN or b == b" " else 400)
        inside = LINE + HOST + b"Content-Length: %d" % N + b + b"\r\n\r\n" + FIRST
        digit = b.isdigit()
        yield taken(f"behind a length: {i:02x}", inside) if b == b" " else refused(f"behind a length: {i:02x}", inside) if not digit else None
        inside = LINE + HOST + b"Transfer-Encoding: chunked" + b + b"\r\n\r\n" + chunks(FIRST)
        yield taken(f"behind a coding: {i:02x}", inside) if b == b" " else refused(f"behind a coding: {i:02x}", inside)
        if b not in b"0123456789abcdefABCDEF":
            yield refused(f"behind a chunk's size: {i:02x}", LINE + HOST + TE + b"\r\n" + SIZE + b + b"\r\n" + FIRST + b"\r\n0\r\n\r\n")
        yield refused(f"behind a chunk: {i:02x}", LINE + HOST + TE + b"\r\n" + SIZE + b"\r\n" + FIRST + b + b"\n0\r\n\r\n") if b != b"\r" else None


def corpus(families=FAMILIES):
    """[(family, Case)]; names are unique in a family."""
    all = [(family, case) for family, make in families.items() for case in make() if case]
    names = [(family, case.name) for family, case in all]
    assert len(names) == len(set(names)), [n for n in names if names.count(n) > 1][:5]
    return all
