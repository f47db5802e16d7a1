"""The fault proxy (tests/fake/fault_proxy.c) as tests use it: doors, rules, marks in requests, and what passed."""

import json
import subprocess
import threading

import helpers

PROXY = helpers.BIN / "tests" / "fake" / "fault-proxy"


def mark(door, *rules, case=None):
    """What a request says in its text so that the door of that name does this to it: mark("far", "down 100 rst")."""
    words = [*([f"case {case}"] if case is not None else []), *rules]
    return f"(({door}: {'; '.join(words)}))"


def hexed(data):
    return data.hex() if isinstance(data, bytes) else data.encode().hex()


class Entry:
    """What passed of one request with a mark, or of one connection before the first: bytes up and down, what was done, how it ended."""

    def __init__(self, o):
        self.__dict__.update({k: v for k, v in o.items() if not k.endswith("_hex")})
        self.fired = self.fired.split()
        self.up_bytes, self.down_bytes = bytes.fromhex(o["up_hex"]), bytes.fromhex(o["down_hex"])

    def __repr__(self):
        return f"<{self.door} {self.pair} case {self.case!r} up {self.up} down {self.down} {self.fired} {self.end}>"


class Door:
    def __init__(self, proxy, name, port):
        self.proxy, self.name, self.port = proxy, name, port
        self.at = ("127.0.0.1", port)
        self.url = f"http://127.0.0.1:{port}"

    def rule(self, who, rule):
        """who: "all", "next", or the number of a connection; for connections that come from now on."""
        self.proxy.tell(f"rule {self.name} {who} {rule}")

    def clear(self):
        self.proxy.tell(f"clear {self.name}")

    def cut(self, how="rst"):
        self.proxy.tell(f"cut {self.name} {how}")

    def shut(self):
        self.proxy.tell(f"shut {self.name}")

    def open(self):
        self.proxy.tell(f"open {self.name}")

    def jam(self):
        self.proxy.tell(f"jam {self.name}")


class FaultProxy:
    """One process with any number of doors; ends with us."""

    def __init__(self):
        self.lock = threading.Lock()
        self.process = subprocess.Popen([PROXY], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1)

    def ask(self, line):
        with self.lock:
            self.process.stdin.write(line + "\n")
            self.process.stdin.flush()
            return self.process.stdout.readline().rstrip("\n")

    def tell(self, line):
        said = self.ask(line)
        assert said.split(" ")[0] == "ok", f"{line!r}: {said!r}"
        return said

    def door(self, name, to, here="127.0.0.1:0", keep=0, marks=False):
        """to: ("127.0.0.1", port) or a unix socket's path, and so is `here`. marks: every POST through it carries one."""
        place = to if isinstance(to, str) else f"{to[0]}:{to[1]}"
        return Door(self, name, int(self.tell(f"door {name} {here} {place} {keep} {'marks' if marks else ''}").split()[1]))

    def log(self):
        """(connections that are open, entries)"""
        o = json.loads(self.ask("log"))
        return o["open"], [Entry(e) for e in o["entries"]]

    def cases(self):
        """Entries of requests with a mark, by the name of their case; several where a request came more than once."""
        by = {}
        for e in self.log()[1]:
            if e.case:
                by.setdefault(e.case, []).append(e)
        return by

    def reset(self):
        self.tell("reset")

    def stop(self):
        self.process.stdin.close()
        self.process.wait(10 * helpers.SLOW)
        self.process.stdout.close()
