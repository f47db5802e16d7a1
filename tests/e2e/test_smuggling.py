"""Nothing is smuggled: of every request of the corpus (smuggling.py) the host sees exactly what hob has decided to read, and hob reads it as others do."""

import collections
import concurrent.futures
import itertools

import gates
import other_parsers
import pytest
import raw
import smuggling
from helpers import SLOW, wait_for

numbers = itertools.count(1)


@pytest.fixture(scope="module")
def far(module_nursery):
    up = module_nursery.fake()
    return module_nursery.hob({"hosts": {"up": {"url": up.url, "probe": "never"}}, "models": {"far": {"host": "up"}}}), up


class Play:
    """One case, sent on a connection of its own; what hob answered, and what the host must have seen."""

    def __init__(self, family, case):
        self.family, self.case = family, case
        self.number = b"%07d" % next(numbers)
        self.tail = smuggling.chat(b"tail").replace(smuggling.MARK, self.number)
        self.data = (case.data + (smuggling.TAIL if case.tail else b"")).replace(smuggling.MARK, self.number)
        self.expected = [body.replace(smuggling.MARK, self.number) for body in case.arrives(self.tail)]
        self.wrong, self.smuggled = None, False

    def run(self, at, pieces):
        try:
            with raw.Connection(at, timeout=20 * SLOW) as c:
                for piece in pieces(self.data):
                    try:
                        c.send(piece)
                    except (BrokenPipeError, ConnectionResetError):
                        break  # it has heard enough
                self.wrong = self.read(c)
        except (raw.FramingError, raw.Gone, TimeoutError, AssertionError) as e:
            self.wrong = f"{type(e).__name__}: {e}"
        return self

    def read(self, c):
        for i, (method, status) in enumerate(self.case.answers()):
            r = c.response(method.decode())
            if r.status != status:
                return f"answer {i} is {r.status} instead of {status}: {r.body[:200]!r}"
            if self.case.refused and i == len(self.case.reads):
                if method != b"HEAD" and r.body and r.error()["hob"]["fault"] != "caller":
                    return f"blamed on {r.error()['hob']['fault']}"
                if r.get("connection", "").lower() != "close":
                    return "a refusal that does not say that it closes"
        if not self.case.goes_on():
            c.ended()
        return None

    def __repr__(self):
        return f"{self.family}: {self.case.name}\n    {self.wrong}\n    {self.data[:400]!r}"


def whole(data):
    yield data


def bytewise(data):
    for i in range(len(data)):
        yield data[i:i + 1]


def halves(rng):
    def cut(data):
        at = rng.randrange(1, len(data))
        yield data[:at]
        yield data[at:]
    return cut


def tell(name, plays, smuggled):
    gates.record("smuggling", f"{name}: requests sent", len(plays), "")
    gates.record("smuggling", f"{name}: smuggled", smuggled, "= 0")
    if name != "corpus":
        return
    for family, of in itertools.groupby(plays, key=lambda p: p.family):
        of = list(of)
        refused = sum(1 for p in of if p.case.refused)
        gates.record("smuggling", f"{name}: {family}: refused, taken", f"{refused}, {len(of) - refused}", "")


def play(far, name, corpus, pieces):
    """All of it, a few at a time; what the host has seen is compared when all is said."""
    h, up = far
    gateway = h.gateway()
    up.reset()
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        plays = list(pool.map(lambda fc: Play(*fc).run(h.at, pieces), corpus))
    assert gateway.alive(), h.stderr()
    r = h.chat("far", "still there")
    assert r.status == 200
    log = wait_for("every request at the host has ended", lambda: (log := up.log()) and all(r.outcome != "open" for r in log.chats) and log)
    seen = collections.defaultdict(list)
    for record in log.requests:
        if b"still there" not in record.body:
            seen[record.json()["messages"][0]["content"].split()[-1].encode()].append(record)
    for p in plays:
        got = [record.body for record in seen.pop(p.number, [])]
        if got != p.expected:
            p.wrong = f"{p.wrong or ''}; the host saw {got} instead of {p.expected}"
            p.smuggled = len(got) > len(p.expected)
    tell(name, plays, len(seen) + sum(p.smuggled for p in plays))
    assert not seen, f"the host saw what no case sends: {seen}"
    assert log.bad == 0
    check_heads(log.requests)
    wrong = [p for p in plays if p.wrong]
    assert not wrong, f"{len(wrong)} of {len(plays)} cases:\n" + "\n".join(map(repr, wrong[:40]))


# What hob says to a host: these fields and no others, whatever the caller has sent.
HEAD_FIELDS = {"host", "content-type", "content-length"}


def check_heads(records):
    for record in records:
        names = [name for name, _ in record.headers]
        assert record.target == "/v1/chat/completions" and record.method == "POST", record
        assert len(names) == len(HEAD_FIELDS) and set(names) == HEAD_FIELDS, names
        assert int(record.get("content-length")) == len(record.body)


@pytest.mark.torture
def test_the_host_sees_what_hob_decided(far):
    corpus = smuggling.corpus()
    assert len(corpus) >= 600
    play(far, "corpus", corpus, whole)


@pytest.mark.torture
def test_every_byte_in_every_kind_of_place(far):
    play(far, "each byte", smuggling.corpus({"sweeps": smuggling.sweeps}), whole)


@pytest.mark.torture
def test_how_the_bytes_arrive_changes_nothing(far):
    rng = gates.rng("smuggling-halves")
    corpus = smuggling.corpus()
    short = [fc for fc in corpus if len(fc[1].data) < 3000]
    if gates.FORM == "quick":
        play(far, "some in two pieces", rng.sample(short, 150), halves(rng))
        return
    for _ in range(5):
        play(far, "in two pieces", corpus, halves(rng))
    play(far, "byte by byte", short, bytewise)


# -- the same bytes, read by others

# parser, part of the case's name, why it is read otherwise. In none of them do bytes of one request become another: somebody stops earlier, or writes a path
# that leads nowhere differently.
EXPLAINED = [
    ("h11", "an empty line", "it refuses the empty line that RFC 9112 section 2.2 lets a server pass over"),
    ("h11", "HTTP/1.0 kept", "it never keeps a connection of 1.0"),
    ("h11", "Proxy-Connection: close", "it passes over what closes here"),
    ("werkzeug", "an empty line", "it takes the empty line for a broken request"),
    ("werkzeug", "//", "http.server writes leading slashes as one; to hob they are part of a path where nothing is"),
    ("werkzeug", "Proxy-Connection: close", "it passes over what closes here"),
    ("werkzeug", "close, keep-alive", "it looks for `close` alone, not in a list"),
    ("werkzeug", "keep-alive, close'", "it looks for `close` alone, not in a list"),
    ("werkzeug", "x, close, y", "it looks for `close` alone, not in a list"),
    ("werkzeug", "close,'", "it looks for `close` alone, not in a list"),
    ("werkzeug", "Upgrade, close", "it looks for `close` alone, not in a list"),
]


def explanation(parser, case):
    return next((row for row in EXPLAINED if row[0] == parser and row[1] in case.name), None)


@pytest.mark.torture
@pytest.mark.parametrize("parser", other_parsers.PARSERS)
def test_what_hob_takes_others_read_the_same_way(parser):
    read, differ, told, n = other_parsers.PARSERS[parser], [], [], 0
    for family, case in smuggling.corpus({**smuggling.FAMILIES, "sweeps": smuggling.sweeps}):
        if not case.reads:
            continue
        n += 1
        expected = [(r.method, r.target, r.body) for r in case.reads]
        if case.goes_on():
            expected.append((b"POST", smuggling.CHAT, smuggling.chat(b"tail")))
        got = read(case.data + (smuggling.TAIL if case.tail else b""))
        if case.refused:
            got = got[:len(expected)]  # what comes then hob has refused
        if got != expected:
            row = explanation(parser, case)
            told.append(row) if row else differ.append(f"{family}: {case.name}\n    {parser}: {got}\n    hob: {expected}")
    gates.record("smuggling", f"taken by hob and read otherwise by {parser}, unexplained, of {n}", len(differ), "= 0", explained=len(told))
    assert set(told) == {row for row in EXPLAINED if row[0] == parser}, "an explanation for nothing"
    assert not differ, f"{len(differ)} of {n}:\n" + "\n".join(differ[:40])
