"""Programs that run again and again, each time with one of their places without memory, for once or from then on; and a book of what came of it."""

import concurrent.futures
import contextlib
import json
import os
import re
import signal
import subprocess
import tempfile
import threading
import time

import faults
import gates
from helpers import SLOW

STACKS = 3  # frames that make a place
HANG_S = 60
CRASH = re.compile(r"failed with exception: |Segmentation fault|Bus error|\*\*\*: terminated|malloc\(\)|free\(\)|corrupted|Fatal glibc|pthread_mutex")
GOOD = ("word", "failed", "passed")


def run(argv, program, env=None, leaks=False, **rule):
    """(places, hits, outcome, what it said). An end by die(), after its line, is "word", with another status than 0 "failed"."""
    with tempfile.TemporaryDirectory(prefix="hobt") as d:
        f = faults.Faults(d)
        r = f.rule("malloc", stacks=STACKS, program=program[:31], **rule)
        p = subprocess.Popen(argv, env={**(env or os.environ), **(f.env_leaks if leaks else f.env)}, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, cwd=d,
                             start_new_session=True)
        try:
            said, hung = p.communicate(timeout=HANG_S * SLOW)[0], False
        except subprocess.TimeoutExpired:
            hung = True
        with contextlib.suppress(ProcessLookupError):
            os.killpg(p.pid, signal.SIGKILL)  # what one that died has left
        if hung:
            return r.seen, r.fired, "hang", p.communicate()[0].decode(errors="replace")
        said = said.decode(errors="replace")
        if leaks:
            if "[  FAILED  ]" in said:  # what a case had when its assertion failed is not given back
                return r.seen, r.fired, "failed", said
            return r.seen, r.fired, "leak" if p.returncode == faults.LEAKED and "detected memory leaks" in said else "passed" if not p.returncode else "failed", said
        if CRASH.search(said):
            return r.seen, r.fired, "crash", said
        if p.returncode < 0 and not f.words:
            return r.seen, r.fired, f"signal {-p.returncode}", said
        return r.seen, r.fired, "word" if f.words else "failed" if p.returncode else "passed", said


class Book:
    """What was seen, by name, place and how. With a path it is a file that grows: what stands there of the same program holds.
    run(name, leaks, **rule) runs it, program(name) says which one it is."""

    def __init__(self, run, program, path=None):
        self.run, self.program, self.seen, self.lock, self.file = run, program, {}, threading.Lock(), None
        if path:
            path.parent.mkdir(exist_ok=True)
            self.file = open(path, "a+", encoding="utf-8", buffering=1)
            self.file.seek(0)
            self.seen = {(r["name"], r["n"], r["good"]): r for r in map(json.loads, self.file) if r["program"] == program(r["name"])}

    def look(self, name, n=0, good=False):
        """One run; n = 0: all goes well, and its places are counted."""
        if (name, n, good) not in self.seen:
            began = time.monotonic()
            rule = {"first": n, "to": 0 if good else n, "error": "ENOMEM"} if n else {}
            places, hit, outcome, said = self.run(name, False, **rule)
            r = {"name": name, "program": self.program(name), "n": n, "good": good, "places": places, "hit": bool(hit), "outcome": outcome, "seconds": round(time.monotonic() - began, 2)}
            if n and hit and outcome == "passed" and faults.LSAN:
                _, _, outcome, said = self.run(name, True, **rule)
                r |= {"looked": outcome in ("passed", "leak"), "outcome": outcome if outcome in ("leak", "hang") else "passed"}
            if r["outcome"] not in GOOD:
                r["said"] = said[-3000:]
            with self.lock:
                self.seen[name, n, good] = r
                if self.file:
                    self.file.write(json.dumps(r) + "\n")
        return self.seen[name, n, good]

    def look_at(self, names, draw=None, end=float("inf")):
        """All of each, those that take least first, until `end`; draw(every): some of them. ({name: its run with all its memory}, what was seen, the names of what was not done)"""
        with concurrent.futures.ThreadPoolExecutor(2) as pool:
            whole = {r["name"]: r for r in pool.map(self.look, names)}
            every = [(s, n, good) for s in sorted(names, key=lambda s: whole[s]["seconds"] * whole[s]["places"]) for n in range(1, whole[s]["places"] + 1) for good in (False, True)]
            chosen = draw(every) if draw else every
            list(pool.map(lambda c: self.look(*c) if time.monotonic() < end else None, chosen))
        return whole, [self.seen[c] for c in chosen if c in self.seen], sorted({c[0] for c in chosen if c not in self.seen})


def judge(whole, done, left, of, every, least):
    """Records the figures, of so many that there are; what must not be."""
    bad = [f"{name} with all its memory: {r['outcome']}" for name, r in whole.items() if r["outcome"] not in GOOD]
    bad += [f"{r['name']} allocation {r['n']}{' and on' if r['good'] else ''}: {r['outcome']}\n{r['said']}" for r in done if r["outcome"] not in GOOD]
    print("\n\n".join(bad), {o: sum(r["outcome"] == o for r in done) for o in {r["outcome"] for r in done}}, "not done:", left)
    if gates.FORM == "long":
        gates.record("malloc-failure", f"{of} each of whose places failed, once and from then on", len(whole) - len(left), f">= {every}")
    gates.record("malloc-failure", f"places in {of}", sum(r["places"] for r in whole.values()), "")
    gates.record("malloc-failure", f"runs of {of} in which an allocation failed", sum(r["hit"] for r in done), f">= {least}")
    gates.record("malloc-failure", f"of the runs of {of} those that passed all the same and were looked at for leaks", sum(r.get("looked", False) for r in done), "")
    gates.record("malloc-failure", f"crashes, aborts without a word, hangs, leaks of {of}", len(bad), "= 0")
    return bad
