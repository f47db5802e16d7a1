"""tests/fake/crowd.c, driven: many callers at once, the ids of what they got whole, and what became of the rest."""

import json
import subprocess

from helpers import BIN, SLOW, wait_for

PROGRAM = BIN / "tests" / "fake" / "crowd"


class Crowd:
    """Asks from the start until stop(). `told()` is what it said last: {asked, ok, refused, told, left, cut, no_door, late, odd, status…}."""

    def __init__(self, h, dir, *, models, mix, conns=8, think_ms=0, deadline=60.0, seed=1, report_ms=100):
        self.ids_path, self.out_path = dir / "crowd.ids", dir / "crowd.json"
        self.ids_path.write_bytes(b"")
        self.read_to, self.out = 0, open(self.out_path, "wb")
        self.deadline = deadline * SLOW
        self.process = subprocess.Popen([PROGRAM, "--port", str(h.at[1]), "--conns", str(conns), "--models", ",".join(models), "--mix", mix, "--think-ms",
                                         str(think_ms), "--deadline-ms", str(int(self.deadline * 1000)), "--ids", self.ids_path, "--seed", str(seed),
                                         "--report-ms", str(report_ms)], stdin=subprocess.PIPE, stdout=self.out)

    def new_ids(self):
        """Of the answers that came whole since the last look."""
        with open(self.ids_path, "rb") as f:
            f.seek(self.read_to)
            data = f.read()
        data = data[:data.rfind(b"\n") + 1]  # the last line may be half written
        self.read_to += len(data)
        return [line.split()[0].decode() for line in data.splitlines()]

    def told(self):
        lines = self.out_path.read_text().rpartition("\n")[0].splitlines()
        return json.loads(lines[-1]) if lines else None

    def wait_whole(self, n, seconds=20.0):
        wait_for(f"{n} whole answers", lambda: (t := self.told()) and t["ok"] + t["refused"] + t["told"] >= n, seconds)

    def stop(self):
        """No new questions; what is under way ends. Nobody may have waited for ever, and nothing may have ended as nothing may end."""
        self.process.stdin.close()
        try:
            self.process.wait(self.deadline + 10)
        finally:
            self.kill()
        told = self.told()
        assert told["final"] and not told["late"] and not told["odd"], told
        return told

    def kill(self):
        self.process.kill()
        self.process.wait()
        self.out.close()
