"""All suites as a search for secrets: with HOB_TEST_CANARY=FOLDER each hob that a test starts has a key for every host and writes its log at trace level,
and whatever it answers, prints, writes to a file or shows of itself in /proc is looked through for that key and for every key of hob's own that was made.
What was found is a line of JSON in FOLDER for each hob; test_canary.py reads them."""

import base64
import json
import os
import pathlib

import helpers

HOSTS_KEY = "sk-canary-suites-3d90b1c87e5f4a26"
MOST = 2**26  # bytes of one file that are looked at


def spellings(secret):
    """As it is, and in base64 at each of the three places it may have in a longer text."""
    raw_bytes = secret.encode()
    yield raw_bytes
    for shift in range(3):
        text = base64.b64encode(b"\0" * shift + raw_bytes)
        yield text[4 if shift else 0:-4]  # what does not depend on its neighbours


class Search:
    """What one process of the tests has looked through since its last line."""

    def __init__(self, folder):
        self.path = pathlib.Path(folder) / f"{os.getpid()}.jsonl"
        self.needles = {"a host's key": list(spellings(HOSTS_KEY))}
        self.looked, self.bytes, self.hits = {}, 0, []

    def key(self, secret):
        self.needles[f"hob's key {secret[:8]}"] = list(spellings(secret))

    def look(self, kind, where, data):
        self.looked[kind] = self.looked.get(kind, 0) + 1
        self.bytes += len(data)
        self.hits += [[name, kind, str(where)] for name, needles in self.needles.items() if any(n in data for n in needles)]

    def look_at_file(self, kind, path):
        try:
            with open(path, "rb") as f:
                self.look(kind, path, f.read(MOST))
        except OSError:
            pass  # gone meanwhile, or nobody's to read

    def look_at_processes(self, h):
        """Arguments of all, and the environments of those that hob starts: its own is the operator's."""
        own = (h.pid, *(p.pid for p in h.tree() if "--model" not in p.args))
        for p in h.tree():
            self.look_at_file("arguments", f"/proc/{p.pid}/cmdline")
            if p.pid not in own:
                self.look_at_file("environments", f"/proc/{p.pid}/environ")

    def look_at_files(self, h):
        for path in [h.stderr_path, h.dir / "stdout", *h.state.rglob("*"), *(h.dir / "r").rglob("*")]:
            if path.is_file():
                self.look_at_file("files", path)

    def tell(self):
        with open(self.path, "a", encoding="utf-8") as f:
            f.write(json.dumps({"test": os.environ.get("PYTEST_CURRENT_TEST", ""), "looked": self.looked, "bytes": self.bytes, "hits": self.hits}) + "\n")
        self.looked, self.bytes, self.hits = {}, 0, []


def with_keys(config):
    """The configuration, with a key for every host that has none and may have one."""
    hosts = {name: {"key": HOSTS_KEY, **h} if isinstance(h, dict) and h.get("url") else h for name, h in (config.get("hosts") or {}).items()}
    return {**config, **({"hosts": hosts} if hosts else {})}


def install(folder):
    """Before the tests' modules take what they need out of helpers."""
    search = Search(folder)
    start, stop, get, post, cli = helpers.Hob.__init__, helpers.Hob.stop, helpers.Hob.get, helpers.Hob.post, helpers.cli

    def started(h, config, *, args=(), **kw):
        args = [*args, *([] if "--log" in args else ["--log", "trace"])]
        start(h, with_keys(config) if isinstance(config, dict) else config, args=args, **kw)

    def stopped(h, *args, **kw):
        if h.process.poll() is None:
            search.look_at_processes(h)
            if h.at:
                try:
                    search.look("metrics", "/metrics", get(h, "/metrics").body)
                except OSError:
                    pass  # its door is what the test was about
        try:
            return stop(h, *args, **kw)
        finally:
            search.look_at_files(h)
            search.tell()

    def answered(how):
        def ask(h, path, *args, **kw):
            r = how(h, path, *args, **kw)
            search.look("answers", path, r.body + str(r.headers).encode())
            return r
        return ask

    def ran(*args, **kw):
        r = cli(*args, **kw)
        if args[:2] in (("keys", "new"), ("keys", "rotate")) and r.stdout.startswith("hob_"):
            search.key(r.stdout.split()[0])  # shown this once
            search.look("outputs", "keys", r.stderr.encode())
        else:
            search.look("outputs", " ".join(map(str, args[:2])), (r.stdout + r.stderr).encode())
        return r

    helpers.Hob.__init__, helpers.Hob.stop, helpers.cli = started, stopped, ran
    helpers.Hob.get, helpers.Hob.post = answered(get), answered(post)
