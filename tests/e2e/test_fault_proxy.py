"""The tool itself: the fault proxy breaks what it was told to, at the byte it was told."""

import contextlib
import socket
import threading

import breaks
import pytest
from helpers import wait_for

ANSWER = bytes(range(65, 91)) * 4


class Echo:
    """Takes connections; answers the first bytes of each with ANSWER, keeps what it got, and closes when the other side has ended."""

    def __init__(self, path=None):
        self.sock = socket.socket(socket.AF_UNIX if path else socket.AF_INET)
        self.sock.bind(path or ("127.0.0.1", 0))
        self.sock.listen(16)
        self.at = path or self.sock.getsockname()
        self.got, self.ends = [], []
        threading.Thread(target=self.run, daemon=True).start()

    def run(self):
        with contextlib.suppress(OSError):
            while True:
                c, _ = self.sock.accept()
                self.got.append(b"")
                threading.Thread(target=self.serve, args=(c, len(self.got) - 1), daemon=True).start()

    def serve(self, c, i):
        with c:
            try:
                while data := c.recv(4096):
                    first = not self.got[i]
                    self.got[i] += data
                    if first:
                        c.sendall(ANSWER)
                self.ends.append("fin")
            except OSError:
                self.ends.append("rst")


@pytest.fixture
def proxy():
    p = breaks.FaultProxy()
    yield p
    p.stop()


@pytest.fixture
def echo():
    e = Echo()
    yield e
    e.sock.close()


def ask(door, text=b"hello", timeout=10.0):
    """What comes back for it, and how it ended: fin, rst, or open when nothing more comes for a while."""
    got = b""
    try:
        with socket.create_connection(door.at, timeout) as s:
            s.sendall(text)
            while data := s.recv(4096):
                got += data
                if got.endswith(ANSWER[-26:]) and len(got) >= len(ANSWER):
                    s.shutdown(socket.SHUT_WR)
    except ConnectionResetError:
        return got, "rst"
    return got, "fin"


def test_it_carries_what_it_was_not_told_to_break(proxy, echo, tmp_path):
    door = proxy.door("far", echo.at, keep=200)
    assert ask(door) == (ANSWER, "fin")
    wait_for("its end", lambda: proxy.log()[0] == 0)
    e = proxy.log()[1][0]
    assert (e.up, e.down, e.end, e.fired) == (5, len(ANSWER), "ended", []) and e.up_bytes == b"hello" and e.down_bytes == ANSWER
    proxy.reset()
    assert proxy.log() == (0, [])


def test_unix_sockets_on_both_sides(proxy, tmp_path):
    e = Echo(str(tmp_path / "e"))
    proxy.door("far", e.at, here=str(tmp_path / "d"))
    with socket.socket(socket.AF_UNIX) as s:
        s.settimeout(10)
        s.connect(str(tmp_path / "d"))
        s.sendall(b"hello")
        assert s.recv(4096)
    e.sock.close()


@pytest.mark.parametrize("at", [0, 1, 50, len(ANSWER) - 1])
@pytest.mark.parametrize("how", ["rst", "fin", "half"])
def test_an_end_at_a_byte_of_the_answer(proxy, echo, at, how):
    door = proxy.door("far", echo.at)
    door.rule("all", f"down {at} {how}")
    assert ask(door) == (ANSWER[:at], "rst" if how == "rst" else "fin")
    wait_for("its end", lambda: proxy.log()[0] == 0 and echo.ends)
    e = proxy.log()[1][0]
    assert e.down == at and e.fired == [how] and echo.ends == ["rst" if how == "rst" else "fin"]


@pytest.mark.parametrize("at", [0, 1, 4])
@pytest.mark.parametrize("how", ["rst", "fin", "half"])
def test_an_end_at_a_byte_of_the_request(proxy, echo, at, how):
    door = proxy.door("far", echo.at)
    door.rule("all", f"up {at} {how}")
    got, end = ask(door)
    assert got == (ANSWER if at and how == "half" else got) and end == ("rst" if how == "rst" else "fin")
    wait_for("the place has seen it", lambda: echo.ends)
    assert echo.got == [b"hello"[:at]] and echo.ends[0] == ("rst" if how == "rst" else "fin")


@pytest.mark.parametrize("rule, want", [
    (f"insert {breaks.hexed('--')}", ANSWER[:7] + b"--" + ANSWER[7:]), (f"replace {breaks.hexed('--')}", ANSWER[:7] + b"--" + ANSWER[9:]),
    ("drop 3", ANSWER[:7] + ANSWER[10:]), ("stall 50", ANSWER), ("drip 10 5", ANSWER), ("pieces 1", ANSWER), ("delay 50", ANSWER)])
def test_what_else_it_does(proxy, echo, rule, want):
    door = proxy.door("far", echo.at)
    door.rule("all", f"down 7 {rule}")
    door.rule("all", f"down {len(ANSWER)} fin")
    assert ask(door) == (want, "fin")


def test_what_stands_still_ends_when_who_waits_leaves(proxy, echo):
    door = proxy.door("far", echo.at)
    door.rule("next", "down 10 stall")
    with socket.create_connection(door.at, 10) as s:
        s.sendall(b"hello")
        got = b""
        while len(got) < 10:
            got += s.recv(100)
        wait_for("it stands still", lambda: proxy.log()[1][0].fired == ["stall"])
        assert got == ANSWER[:10] and proxy.log()[0] == 1
    wait_for("its end", lambda: proxy.log()[0] == 0 and echo.ends)
    assert ask(door)[0] == ANSWER  # the rule was for the one before


def test_refusing_swallowing_and_saying_nothing_at_all(proxy, echo):
    door = proxy.door("far", echo.at)
    door.rule(1, "connect refuse")
    door.rule(2, "connect hole")
    assert ask(door) == (b"", "rst")
    with pytest.raises(TimeoutError):
        ask(door, timeout=0.2)
    assert ask(door)[0] == ANSWER
    door.shut()
    with pytest.raises(ConnectionRefusedError):
        ask(door)
    door.jam()
    with pytest.raises(TimeoutError):
        ask(door, timeout=0.2)
    door.open()
    assert ask(door)[0] == ANSWER


def test_a_place_that_is_not_there(proxy):
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        door = proxy.door("far", s.getsockname())
        assert ask(door) == (b"", "rst")


def test_all_that_live_are_cut(proxy, echo):
    door = proxy.door("far", echo.at)
    many = [socket.create_connection(door.at, 10) for _ in range(5)]
    for s in many:
        s.sendall(b"hello")
    wait_for("they are open", lambda: len(echo.got) == 5 and all(echo.got))
    door.cut()
    wait_for("their end", lambda: proxy.log()[0] == 0 and len(echo.ends) == 5)
    for s in many:
        s.close()


def test_a_mark_holds_for_its_request_alone(proxy, echo):
    door = proxy.door("far", echo.at, marks=True)
    with socket.create_connection(door.at, 10) as s:
        for i, (rule, want) in enumerate([("down 300 rst", len(ANSWER)), ("down 5 fin", 5)]):
            if i:
                s.sendall(b"x")  # half a request: the mark is still to come, and nothing of it goes on
            s.sendall(f"POST hello {breaks.mark('far', rule, case=i)}".encode())
            got = b""
            while len(got) < want:
                got += s.recv(4096)
            if not i:
                break
    wait_for("its entry", lambda: "0" in proxy.cases())
    assert proxy.cases()["0"][0].down == len(ANSWER)
    assert ask(door, f"hello {breaks.mark('far', 'down 5 fin', case='b')}".encode()) == (ANSWER[:5], "fin")
    assert proxy.cases()["b"][0].fired == ["fin"]
    assert ask(door, f"hello {breaks.mark('near', 'down 5 fin')} {breaks.mark('far', 'up 3 rst')}".encode()) == (b"", "rst")
