"""Starting, asking and stopping the programs under test."""

import contextlib
import json
import os
import pathlib
import re
import shutil
import signal
import subprocess
import tempfile
import time

import gguf_files
import raw

ROOT = pathlib.Path(__file__).resolve().parents[2]
BIN = pathlib.Path(os.environ.get("HOB_BIN_DIR", ROOT / "build")).resolve()
HOB = BIN / "hob"
FAKE = BIN / "tests" / "fake" / "fake-engine"
SLOW = float(os.environ.get("HOB_TEST_SLOW", "1"))  # sanitizers and loaded machines: every deadline times this
SANITIZER = re.compile(r"(ERROR|WARNING): (Address|Leak|Thread|Memory|UndefinedBehavior)Sanitizer|runtime error: ")
# In a config: no place is left alone because it failed. For tests that break one on purpose, again and again.
FORGIVING = {"breaker": {"failures": 100, "window": "10ms"}}
SANITIZED = "asan" in BIN.name or "tsan" in BIN.name or bool(os.environ.get("HOB_TEST_SANITIZED"))


def wait_for(what, check, seconds=10.0):
    """Polls until check() is true and returns what it returned. A deadline, not a pause: it goes on at once."""
    deadline = time.monotonic() + seconds * SLOW
    while True:
        got = check()
        if got:
            return got
        assert time.monotonic() < deadline, f"not within {seconds * SLOW:g} s: {what}"
        time.sleep(0.005)


# -- processes, by /proc


class Process:
    """A process as it was when it was seen: pid and start time, so that a reused pid is somebody else."""

    def __init__(self, pid):
        text = pathlib.Path(f"/proc/{pid}/stat").read_text()
        rest = text[text.rindex(")") + 2:].split()
        self.pid, self.name = pid, text[text.index("(") + 1:text.rindex(")")]
        self.state, self.parent, self.started = rest[0], int(rest[1]), rest[19]
        self.args = pathlib.Path(f"/proc/{pid}/cmdline").read_bytes().decode(errors="replace").split("\0")[:-1]

    def alive(self):
        try:
            now = Process(self.pid)
        except (OSError, ValueError):
            return False
        return now.started == self.started and now.state not in "ZX"

    def pss(self):
        text = pathlib.Path(f"/proc/{self.pid}/smaps_rollup").read_text()
        return int(re.search(r"^Pss:\s+(\d+) kB", text, re.M)[1]) * 1024

    def rss(self):
        text = pathlib.Path(f"/proc/{self.pid}/status").read_text()
        return int(re.search(r"^VmRSS:\s+(\d+) kB", text, re.M)[1]) * 1024

    def __repr__(self):
        return f"<{self.pid} {' '.join(self.args) or self.name} ({self.state})>"


def processes():
    found = []
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            with contextlib.suppress(OSError, ValueError):
                found.append(Process(int(entry)))
    return found


def tree(pid):
    """All living descendants of pid."""
    everyone, found = processes(), []
    parents = {pid}
    while True:
        new = [p for p in everyone if p.parent in parents and p not in found]
        if not new:
            return [p for p in found if p.state not in "ZX"]
        found += new
        parents = {p.pid for p in new}


# -- a model file


def gguf(path, arch="llama", context=8192, keys=True, template=None):
    """A small but well-formed GGUF file: a few keys and one tensor."""
    more = {} if not keys else {
        "general.name": "test", f"{arch}.context_length": context, f"{arch}.block_count": 2, f"{arch}.embedding_length": 32,
        f"{arch}.attention.head_count": 4, f"{arch}.attention.head_count_kv": 2, "tokenizer.ggml.model": "gpt2"}
    if template:
        more["tokenizer.chat_template"] = template
    return gguf_files.write_gguf(path, {"general.architecture": arch, **more}, {"token_embd.weight": ("f32", [32, 8])})


# -- the fake, as seen from a test


class Record:
    """One request as the fake received it. Times are time.monotonic() in ms."""

    def __init__(self, o):
        self.__dict__.update({k: v for k, v in o.items() if not k.endswith("_hex")})
        self.head = bytes.fromhex(o["head_hex"])
        self.body = bytes.fromhex(o["body_hex"])
        lines = self.head.decode("latin-1").split("\r\n")[1:-2]
        self.headers = [(k.lower(), v.strip()) for k, _, v in (line.partition(":") for line in lines)]
        self.path = self.target.partition("?")[0]

    def get(self, name):
        return next((v for k, v in self.headers if k == name.lower()), None)

    def json(self):
        return json.loads(self.body, object_pairs_hook=raw.no_duplicates)

    def __repr__(self):
        return f"<{self.method} {self.target} {self.outcome} {self.body[:200]!r}>"


class FakeLog:
    def __init__(self, o):
        self.__dict__.update({k: v for k, v in o.items() if k != "requests"})
        all = [Record(r) for r in o["requests"]]
        self.probes = [r for r in all if r.get("x-hob-probe")]  # what hob asked for itself
        self.requests = [r for r in all if not r.get("x-hob-probe")]
        self.chats = [r for r in self.requests if r.path.endswith("/chat/completions")]


class FakeControl:
    """The /fake/ endpoints of a running fake; .at is where it listens."""

    def __init__(self, at):
        self.at = at

    def log(self):
        return FakeLog(raw.call(self.at, "GET", "/fake/log").json())

    def reset(self):
        assert raw.call(self.at, "POST", "/fake/reset").status == 200

    def default(self, directives):
        """Every request from now on starts from these directives."""
        assert raw.call(self.at, "POST", "/fake/default", directives).status == 200

    def script(self, line):
        """A line of the script, from now on."""
        assert raw.call(self.at, "POST", "/fake/script", line).status == 200

    def chat(self, at_least=1):
        """The last chat request, once so many have come."""
        return wait_for(f"{at_least} chats at the fake", lambda: len(c := self.log().chats) >= at_least and c)[-1]

    def wait(self, what, check, seconds=10.0):
        """Polls the log until check(log) is true."""
        return wait_for(what, lambda: (log := self.log()) and check(log) and log, seconds)


class FakeHost(FakeControl):
    """A fake as an OpenAI-compatible host on a loopback port of its own."""

    def __init__(self, dir, *args, script=""):
        self.dir = pathlib.Path(dir)
        self.dir.mkdir(parents=True, exist_ok=True)
        (self.dir / "script").write_text(script)
        self.stderr_path = self.dir / "stderr"
        with open(self.stderr_path, "wb") as err:
            self.process = subprocess.Popen([FAKE, "--port", "0", "--script", self.dir / "script", *args],
                                            stdin=subprocess.DEVNULL, stdout=err, stderr=err)
        try:
            self.port = int(wait_for("the fake listens", self._port))
        except BaseException:
            self.stop()
            raise
        self.url = f"http://127.0.0.1:{self.port}"
        super().__init__(("127.0.0.1", self.port))

    def _port(self):
        assert self.process.poll() is None, self.stderr_path.read_text()
        m = re.search(r"listening on http://127\.0\.0\.1:(\d+)", self.stderr_path.read_text())
        return m and m[1]

    def stop(self):
        self.process.kill()
        self.process.wait()


# -- hob


class Hob:
    """One `hob serve` in a directory of its own. The pid is the keeper's: `hob serve` execs it."""

    def __init__(self, config, *, dir=None, args=(), env=None, wait="listening", seconds=10.0, check=True):
        self.own_dir = dir is None
        self.dir = pathlib.Path(dir or tempfile.mkdtemp(prefix="hob", dir="/tmp"))  # short: socket paths end at 107 bytes
        self.config_path = self.dir / "hob.yaml"
        self.state = self.dir / "state"
        self.check = check
        self.seen = []
        if isinstance(config, dict):
            config = json.dumps({"listen": "127.0.0.1:0", "state": str(self.state), **config}, indent=1)
        self.config_path.write_text(config)
        self.env = environment(self.dir, env)
        self.stderr_path = self.dir / "stderr"
        with open(self.stderr_path, "wb") as err, open(self.dir / "stdout", "wb") as out:
            self.process = subprocess.Popen([HOB, "serve", "-c", self.config_path, *args], cwd=self.dir, env=self.env,
                                            stdin=subprocess.DEVNULL, stdout=out, stderr=err)
        self.pid = self.process.pid
        self.url = self.at = None
        try:
            if wait:
                self.wait_listening(seconds)
            if wait == "ready":
                self.wait_ready(seconds)
        except BaseException:
            self.kill()
            raise

    def stderr(self):
        return self.stderr_path.read_text(errors="replace")

    def _address(self):
        m = re.search(r"listening on (?:http://)?(127\.0\.0\.1):(\d+)", self.stderr())
        assert m or self.process.poll() is None, f"hob serve exited {self.process.returncode}:\n{self.stderr()}"
        return m

    def wait_listening(self, seconds=10.0):
        m = wait_for("hob says where it listens", self._address, seconds)
        self.at = (m[1], int(m[2]))
        self.url = f"http://{m[1]}:{m[2]}"

    def wait_ready(self, seconds=10.0):
        last = {}

        def ready():
            assert self.process.poll() is None, f"hob serve exited {self.process.returncode}:\n{self.stderr()}"
            last["r"] = self.get("/readyz")
            return last["r"].status == 200
        try:
            wait_for("/readyz is 200", ready, seconds)
        except AssertionError as e:
            raise AssertionError(f"{e}; last {last.get('r')}\n{self.stderr()}") from None

    # asking

    def connect(self, **kw):
        return raw.Connection(self.at, **kw)

    def get(self, path, **kw):
        return raw.call(self.at, "GET", path, **kw)

    def post(self, path, body=b"", **kw):
        return raw.call(self.at, "POST", path, body, **kw)

    def chat(self, model, text, headers=(), timeout=20.0, **fields):
        return self.post("/v1/chat/completions", chat_body(model, text, **fields), headers=headers, timeout=timeout)

    def open_chat(self, model, text, rcvbuf=None, timeout=20.0, **fields):
        """A connection on which a chat has been sent; the caller reads (or does not)."""
        c = raw.Connection(self.at, timeout, rcvbuf)
        c.send(raw.request_bytes("POST", "/v1/chat/completions", chat_body(model, text, **fields)))
        return c

    @property
    def client(self):
        import openai
        return openai.OpenAI(base_url=self.url + "/v1", api_key="none", max_retries=0)

    @property
    def async_client(self):
        import openai
        return openai.AsyncOpenAI(base_url=self.url + "/v1", api_key="none", max_retries=0)

    # its processes

    def tree(self):
        found = tree(self.pid)
        self.seen += [p for p in found if all(p.pid != s.pid for s in self.seen)]
        return found

    def gateway(self):
        return wait_for("a gateway process", lambda: next((p for p in self.tree() if "fake-engine" not in " ".join(p.args)
                        and "llama-server" not in " ".join(p.args)), None))

    def children(self):
        """The engines that serve a model; one that is only asked what it knows has its file by -m."""
        return [p for p in self.tree() if "--model" in p.args]

    def child(self, alias=None):
        """The engine's process and, when it is a fake, its controls."""
        def find():
            for p in self.children():
                if "--host" in p.args and (alias is None or alias in p.args):
                    p.control = FakeControl(p.args[p.args.index("--host") + 1])
                    return p
            return None
        return wait_for(f"an engine {alias or ''}", find)

    def survivors(self):
        """Whatever of us still lives: what was seen in our tree, or names our directory in its arguments."""
        known = {(p.pid, p.started) for p in self.seen}
        return [p for p in processes() if p.state not in "ZX" and p.pid != os.getpid()
                and ((p.pid, p.started) in known or any(str(self.dir) in a for a in p.args))]

    # stopping

    def signal(self, sig):
        os.kill(self.pid, sig)

    def wait_exit(self, seconds=10.0):
        try:
            return self.process.wait(seconds * SLOW)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"hob serve still runs after {seconds * SLOW:g} s: {self.tree()}\n{self.stderr()}") from None

    def stop(self, seconds=15.0):
        """SIGTERM, and nothing may be left; returns the exit status."""
        if self.process.poll() is None:
            self.tree()
            self.signal(signal.SIGTERM)
        try:
            code = self.wait_exit(seconds)
            wait_for("nothing of ours is left", lambda: not self.survivors(), 2.0)
        finally:
            self.kill()
        if self.check:
            assert not SANITIZER.search(self.stderr()), self.stderr()
        return code

    def kill(self):
        for p in [*self.tree(), *self.survivors()]:
            with contextlib.suppress(ProcessLookupError):
                os.kill(p.pid, signal.SIGKILL)
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()

    def clean(self):
        if self.own_dir:
            shutil.rmtree(self.dir, ignore_errors=True)


def environment(dir, more=None):
    """A small environment: nothing of the user's own hob, a run directory in dir."""
    keep = ("PATH", "LANG", "ASAN_OPTIONS", "UBSAN_OPTIONS", "LSAN_OPTIONS", "TSAN_OPTIONS", "LD_LIBRARY_PATH")
    env = {k: os.environ[k] for k in keep if k in os.environ}
    run = pathlib.Path(dir) / "r"
    run.mkdir(mode=0o700, exist_ok=True)
    env.update(HOME=str(dir), XDG_RUNTIME_DIR=str(run))
    env.update(more or {})
    return env


def chat_body(model, text, **fields):
    return {"model": model, "messages": [{"role": "user", "content": text}], **fields}


def content_of(events):
    """The text of a stream's data events (without [DONE])."""
    out = []
    for kind, data in events:
        if kind == "data" and data != "[DONE]":
            for choice in json.loads(data).get("choices") or []:
                out.append((choice.get("delta") or {}).get("content") or "")
    return "".join(out)


def chunks_of(events):
    return [json.loads(data) for kind, data in events if kind == "data" and data != "[DONE]"]


def cli(*args, env=None, dir="/tmp", input=None, timeout=30.0):
    """Runs `hob ARGS` to its end."""
    return subprocess.run([HOB, *map(str, args)], env=env, cwd=dir, capture_output=True, text=True,
                          timeout=timeout * SLOW, **({"input": input} if input is not None else {"stdin": subprocess.DEVNULL}))


def free_port():
    import socket
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


ROUTING_KEYS = {"role", "tier", "model", "host", "reason", "latency_ms", "queue_ms", "load_ms", "ttft_ms", "tokens",
                "fallback_chain", "fallback", "policy"}


def check_routing(r):
    """The _routing object names who answered; what it has is of the right type. (That it has everything is one test's.)"""
    assert {"model", "host", "reason", "tokens"} <= r.keys(), r
    for key in ("latency_ms", "queue_ms", "load_ms", "ttft_ms"):
        assert r.get(key) is None or isinstance(r[key], (int, float)) and r[key] >= 0, (key, r)
    assert {"input", "output", "reasoning", "cached"} <= r["tokens"].keys(), r
    assert isinstance(r["fallback_chain"], list), r
    return r
