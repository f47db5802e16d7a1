"""Programs that are to take over and do not: what a new hob may turn out to be. A script that speaks to the keeper (descriptor 3, src/keeper/wire.h) and to the
gateway before it (descriptor 5, src/proc/heir.h), and goes wrong at a given step."""

import sys

HEIR = r'''#!%(python)s
import os, signal, socket, struct, sys, time
how = %(how)r
if os.environ.get("HOB_HEIR") == "again" and %(after)r:  # what comes after it is a good one
    os.execv(%(after)r, [%(after)r] + sys.argv[1:])
wire, other = socket.socket(fileno=3), socket.socket(fileno=5)


def send(to, word, id, body):
    to.sendall(struct.pack("<IHHI", len(body), word, 0, id) + body)


def exactly(frm, n):
    got = b""
    while len(got) < n:
        more, fds, _, _ = socket.recv_fds(frm, n - len(got), 4)
        if not more:
            sys.exit(21)
        got += more
    return got


def hear(frm):
    n, word, fds, id = struct.unpack("<IHHI", exactly(frm, 12))
    return word, exactly(frm, n)


def text(s):
    return struct.pack("<I", len(s)) + s.encode()


def end(how):
    if how == "dies":
        os.kill(os.getpid(), signal.SIGKILL)
    elif how == "ends":
        sys.exit(23)
    time.sleep(1000)


def say(word, id=0, number=0, words=""):
    send(other, word, id, struct.pack("<Q", number) + text(words))


step, how = how.split()
if step == "greeting":
    send(wire, 1, 1, struct.pack("<I", 1))  # another version of the wire
    word, body = hear(wire)
    say(2, words=body[8:].decode())
    sys.exit(1)
send(wire, 1, 1, struct.pack("<I", %(wire)d))
hear(wire)
if step == "start":
    end(how)
if step == "protocol":
    say(1, 999, 1000, "9.9.9")
    end("hangs")
if step == "schema":
    say(1, 1, 1, "0.0.1")
    end("hangs")
if step == "nonsense":
    other.sendall(b"nonsense, and much of it" * 10)
    end("hangs")
say(1, 1, 1000, "9.9.9")
if step == "ready":
    end(how)
while hear(other)[0] != 5:  # HEIR_GO
    pass
if step == "go":
    end(how)
send(wire, 11, 2, b"")
hear(wire)
if step == "taken":
    end(how)
if step == "stalled":  # the one before it stands still meanwhile, for longer than it waits
    os.kill(%(old)d, signal.SIGSTOP)
    say(3, number=time.monotonic_ns())  # HEIR_SERVING
send(wire, 8, 0, b"")  # WIRE_READY
send(wire, 6, 3, b"")  # when this is answered it has been read
hear(wire)
if step == "stalled":
    time.sleep(8.5)
    os.kill(%(old)d, signal.SIGCONT)
    while hear(other)[0] != 6:  # HEIR_HELD: for the next one as for this one
        pass
    end(how)
assert step == "served"
end(how)
'''


def write(path, how, wire=3, after="", old=0):
    """after: the program that it is when the keeper starts it again; old: the process of the gateway before it."""
    path.write_text(HEIR % {"python": sys.executable, "how": how, "wire": wire, "after": str(after), "old": old})
    path.chmod(0o755)
    return path


def script(path, text):
    path.write_text("#!/bin/sh\n" + text)
    path.chmod(0o755)
    return path
