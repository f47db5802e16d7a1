"""System calls that fail, on cue: the control file of tests/fake/faults (doc/internals/faults.md).

    f = faults.Faults(dir)
    h = hob({...}, env=f.env)
    with f.rule("sync", error="EIO", path=h.state, program="hob") as r:      # from now on, each
        ...
    assert r.fired
    f.jump(3600)                                                             # the wall clock, an hour ahead

Also a command: faults.py --rule "write error=ENOSPC path=*hob.db from=3" -- PROGRAM ARG..."""

import contextlib
import errno as numbers
import mmap
import os
import pathlib
import struct
import subprocess
import sys
import tempfile

BIN = pathlib.Path(os.environ.get("HOB_BIN_DIR", pathlib.Path(__file__).resolve().parents[2] / "build")).resolve()
SHIM = BIN / "tests" / "fake" / "faults" / "hob-faults.so"
# The same before the leak sanitizer, which looks at programs that were built without it too. It reports at their end, with code 23.
LEAKS = SHIM.with_name("hob-faults-leaks.so")
LSAN = next(iter(sorted(pathlib.Path("/usr/lib/gcc").glob("*/*/liblsan.so"))), None)
LEAKED = 23
NO_LEAK = "leak:__add_to_environ\n"  # of setenv(), which keeps what it cannot note down: the C library's own
# enum fault_call of tests/fake/faults/faults.h
CALLS = ("malloc read write pwrite send recv accept socket connect open sync truncate mmap epoll fork pair thread unlink rename "
         "resolve wall").split()
RULES = 32
HEAD = struct.Struct("=IIII q32s")
RULE = struct.Struct("=IIiI QQQQQ 32s160s QQ")
SIZE = HEAD.size + RULES * RULE.size
MAGIC = 0x31544c46


class Rule:
    """One that is in force, until .off()."""

    def __init__(self, faults, at):
        self.faults, self.at = faults, at

    def _read(self):
        return RULE.unpack_from(self.faults.map, HEAD.size + self.at * RULE.size)

    @property
    def seen(self):
        return self._read()[-2]

    @property
    def fired(self):
        return self._read()[-1]

    def off(self):
        struct.pack_into("=I", self.faults.map, HEAD.size + self.at * RULE.size, 0)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.off()


class Faults:
    def __init__(self, dir=None):
        self.path = pathlib.Path(dir or tempfile.mkdtemp(prefix="hobf", dir="/tmp")) / "faults"
        self.path.write_bytes(b"\0" * SIZE)
        with open(self.path, "r+b") as f:
            self.map = mmap.mmap(f.fileno(), SIZE)
        self.used = 0
        self.jump(0)

    @property
    def words(self):
        """Lines of die(), wherever they went."""
        return HEAD.unpack_from(self.map)[3]

    @property
    def env(self):
        return {"LD_PRELOAD": str(SHIM), "HOB_FAULTS": str(self.path)}

    @property
    def env_leaks(self):
        keep = self.path.with_name("no-leak")
        keep.write_text(NO_LEAK)
        return {**self.env, "LD_PRELOAD": f"{LEAKS}:{LSAN}", "LSAN_OPTIONS": f"exitcode={LEAKED}:fast_unwind_on_malloc=0:suppressions={keep}"}

    def jump(self, seconds, program="hob"):
        """The wall clock of these programs is so far ahead of the machine's from now on."""
        HEAD.pack_into(self.map, 0, MAGIC, SIZE, 1 if self.used else 0, self.words, int(seconds * 1e9), program.encode())

    def rule(self, call, *, error=0, most=0, first=1, to=0, once=None, every=1, delay=0.0, stacks=0, program="", path=""):
        """Calls number first..to (0: for good; once=n: number n alone) fail, or do at most `most` bytes, or wait. None of these: they are counted.
        stacks=n: only the first call from each place counts, and a place is n frames of the stack."""
        if once:
            first = to = once
        code = getattr(numbers, error) if isinstance(error, str) else error
        at = self.used
        assert at < RULES, "no more room for rules"
        self.used += 1
        RULE.pack_into(self.map, HEAD.size + at * RULE.size, 0, CALLS.index(call), code, most, first, to, every, int(delay * 1e6), stacks,
                       program.encode(), str(path).encode(), 0, 0)
        struct.pack_into("=I", self.map, 8, 1)
        struct.pack_into("=I", self.map, HEAD.size + at * RULE.size, 1)
        return Rule(self, at)

    def clear(self):
        """None is in force."""
        for at in range(self.used):
            Rule(self, at).off()
        struct.pack_into("=I", self.map, 8, 0)
        self.used = 0


def main(args):
    cut = args.index("--")
    with tempfile.TemporaryDirectory() as d:
        f, rules = Faults(d), []
        for word, text in zip(args[:cut:2], args[1:cut:2]):
            if word == "--jump":
                f.jump(float(text), program="")
                continue
            assert word == "--rule", f"--rule or --jump, not {word}"
            call, *more = text.split()
            fields = dict(m.split("=", 1) for m in more)
            for name in ("most", "first", "to", "once", "every", "stacks"):
                if name in fields:
                    fields[name] = int(fields[name])
            if "delay" in fields:
                fields["delay"] = float(fields["delay"])
            rules.append((text, f.rule(call, **fields)))
        code = -1
        with contextlib.suppress(KeyboardInterrupt):
            code = subprocess.run(args[cut + 1:], env={**os.environ, **f.env}, check=False).returncode
        for text, r in rules:
            print(f"faults: {text}: {r.seen} seen, {r.fired} fired", file=sys.stderr)
    return code if code >= 0 else 128 - code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
