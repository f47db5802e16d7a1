"""`hob run MODEL` on a terminal: a small chat that remembers."""

import os
import pty
import subprocess

import pytest
from helpers import HOB, wait_for


class Terminal:
    def __init__(self, h, *words):
        self.master, slave = pty.openpty()
        self.process = subprocess.Popen([str(HOB), "run", "-c", str(h.config_path), *words], stdin=slave, stdout=slave, stderr=slave, env=h.env,
                                        cwd=h.dir, start_new_session=True)
        os.close(slave)
        os.set_blocking(self.master, False)
        self.text = ""

    def see(self, what, seconds=10.0):
        def seen():
            try:
                self.text += os.read(self.master, 65536).decode(errors="replace")
            except (BlockingIOError, OSError):
                pass
            return what in self.text
        try:
            wait_for(f"{what!r} on the screen", seen, seconds)
        except AssertionError:
            raise AssertionError(f"{what!r} is not in {self.text!r}") from None
        before, _, self.text = self.text.partition(what)
        return before

    def say(self, line):
        os.write(self.master, line.encode())


@pytest.fixture
def screen(managed):
    h = managed("m")
    made = []

    def make(*words):
        made.append(Terminal(h, *words))
        return made[-1]
    make.hob = h
    yield make
    for t in made:
        t.process.kill()
        t.process.wait()
        os.close(t.master)


def test_a_chat_remembers_and_forgets(screen):
    t = screen("m")
    fake = screen.hob.child().control
    t.see("> ")
    t.say("first question\n")
    t.see("tok/s")
    t.say("second question\n")
    t.see("tok/s")
    messages = fake.log().chats[-1].json()["messages"]
    assert [m["role"] for m in messages] == ["user", "assistant", "user"]
    assert messages[0]["content"] == "first question" and messages[1]["content"] and messages[2]["content"] == "second question"
    t.say("/clear\n")
    t.say("third\n")
    t.see("tok/s")
    assert len(fake.log().chats[-1].json()["messages"]) == 1
    t.say("/bye\n")
    assert t.process.wait(5) == 0


def test_an_answer_can_be_ended_without_the_chat(screen):
    t = screen("m")
    fake = screen.hob.child().control
    t.see("> ")
    t.say("[[words 10000]] [[gap_ms 5]]\n")
    fake.wait("it answers", lambda log: log.in_flight == 1)
    t.see(" ")
    os.killpg(t.process.pid, 2)
    fake.wait("it is cancelled", lambda log: log.in_flight == 0)
    t.say("again\n")
    t.see("tok/s")
    t.say("\x04")
    assert t.process.wait(5) == 0
