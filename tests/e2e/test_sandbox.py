"""What a program that hob starts may reach: a probe as a `command:` model tries to get out, and says what it got."""

import json
import os
import pathlib
import shutil
import signal
import socket
import sys

import pytest
from helpers import FAKE, SANITIZED, cli, gguf, wait_for


def landlock():
    """The kernel's version of it; 0: none."""
    import ctypes
    return max(0, ctypes.CDLL(None, use_errno=True).syscall(444, None, 0, 1))


ABI = landlock() if sys.platform == "linux" else 0
pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="Linux only")
fenced = pytest.mark.skipif(ABI < 1, reason="this kernel has no Landlock")

PROBE = r"""
import json, os, signal, socket, subprocess, sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer as HTTPServer

def tried(fn):
    try:
        return ["ok", fn()]
    except Exception as e:
        return [type(e).__name__, str(e)]

def read(path):
    with open(path) as f:
        return f.read()

def write(path, text="x"):
    with open(path, "w") as f:
        f.write(text)
    return read(path)

def tcp(port):
    with socket.create_connection(("127.0.0.1", port), 2):
        return "connected"

def listen_tcp(port):
    with socket.socket() as s:
        s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        s.bind(("127.0.0.1", port)); s.listen()
    return "listening"

ACTS = {
    "read": read, "write": write, "list": os.listdir, "tcp": tcp, "listen": listen_tcp, "mkdir": os.mkdir, "unlink": os.unlink,
    "link": lambda a, b: os.link(a, b), "symlink": lambda a, b: read((os.symlink(a, b), b)[1]),
    "run": lambda *a: subprocess.run(a, capture_output=True, text=True, timeout=20).stdout,
    "env": lambda: dict(os.environ), "args": lambda: sys.argv,
    "fds": lambda: {n: os.readlink(f"/proc/self/fd/{n}") for n in os.listdir("/proc/self/fd") if os.path.lexists(f"/proc/self/fd/{n}")},
    "kill": lambda pid: os.kill(pid, 0), "status": lambda: read("/proc/self/status"),
    "core": lambda: __import__("resource").getrlimit(__import__("resource").RLIMIT_CORE),
    "tmp": lambda: write(os.path.join(__import__("tempfile").mkdtemp(), "t"), "temporary"),
    "pool": lambda: __import__("multiprocessing").Semaphore(1).acquire(),
    "abstract": lambda name: socket.socket(socket.AF_UNIX).connect("\0" + name),
}

class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def log_message(self, *a): pass
    def answer(self, body):
        data = json.dumps(body).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)
    def do_GET(self):
        self.answer({"status": "ok"})
    def do_POST(self):
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        acts = asked["messages"][-1]["content"]
        acts = json.loads(acts) if acts.startswith("[") else []  # hob's own question, whether it works
        told = json.dumps([tried(lambda: ACTS[name](*args)) for name, *args in acts])
        self.answer({"id": "x", "object": "chat.completion", "created": 1, "model": "probe", "choices": [{"index": 0, "finish_reason": "stop",
                     "message": {"role": "assistant", "content": told}}], "usage": {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2}})

class Unix(HTTPServer):
    address_family = socket.AF_UNIX
    def server_bind(self):
        self.socket.bind(self.server_address)
        self.server_name, self.server_port = "local", 0
    def get_request(self):
        return self.socket.accept()[0], ("local", 0)

where = sys.argv[1]
(HTTPServer(("127.0.0.1", int(where)), Handler) if where.isdigit() else Unix(where, Handler)).serve_forever()
"""


class Probe:
    def __init__(self, hob):
        self.hob = hob

    def __call__(self, *acts):
        """The result of each act: ["ok", what it gave] or [the error's name, its text]."""
        r = self.hob.chat("probe", json.dumps([list(a) for a in acts]))
        assert r.status == 200, r
        return json.loads(r.json()["choices"][0]["message"]["content"])

    def denied(self, *acts):
        got = self(*acts)
        return [(a, g) for a, g in zip(acts, got) if g[0] != "PermissionError"]

    def process(self):
        return next(p for p in self.hob.tree() if any(a.endswith("probe.py") for a in p.args))


@pytest.fixture
def probe(nursery):
    def start(where="${socket}", **settings):
        (nursery.dir / "prog").mkdir(exist_ok=True)
        program = nursery.dir / "prog" / "probe.py"
        program.write_text(PROBE)
        model = {"command": f"{sys.executable} {program} {where}", "keep": "hot", "health": "/", **settings}
        return Probe(nursery.hob({"models": {"probe": model}}, wait="ready", env={"HOB_CANARY": "canary", "AWS_SECRET_ACCESS_KEY": "canary"}))
    return start


@pytest.fixture
def home(nursery):
    """Files of somebody's that no model has any business with."""
    files = {}
    for name in (".ssh/id_ed25519", ".aws/credentials", "plain.txt"):
        path = nursery.dir / "home" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("canary")
        files[name] = str(path)
    return files


@pytest.fixture
def listener():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        s.listen()
        yield s.getsockname()[1]


@fenced
def test_it_reads_no_file_that_nobody_named(probe, home, nursery):
    p = probe()
    state = p.hob.state
    secrets = [*home.values(), state / "hob.db", state / "lock", "/etc/shadow", pathlib.Path.home() / ".bashrc", nursery.dir / "prog" / "other.py"]
    (nursery.dir / "prog" / "other.py").write_text("canary")
    assert p.denied(*[("read", str(f)) for f in secrets if os.path.lexists(f)]) == []
    assert p.denied(*[("list", str(f)) for f in (nursery.dir, nursery.dir / "home", state, "/tmp", "/", "/root", "/etc")]) == []
    own = os.path.dirname(p.process().args[-1])
    assert p(("symlink", home["plain.txt"], f"{own}/link"))[0][0] == "PermissionError", "not from its own folder either"


@fenced
def test_it_reads_nothing_of_other_processes(probe):
    p = probe()
    assert p.denied(*[("read", f"/proc/{pid}/{what}") for pid in (p.hob.pid, p.hob.gateway().pid) for what in ("environ", "maps", "mem")]) == []
    assert "canary" not in json.dumps(p(("read", f"/proc/{os.getpid()}/environ")))


@fenced
def test_it_writes_nowhere_but_in_its_own_folders(probe, home, nursery):
    p = probe()
    own = os.path.dirname(p.process().args[-1])
    others = [nursery.dir / "x", nursery.dir / "prog" / "x", p.hob.state / "x", "/tmp/hob-probe-x", "/var/tmp/x", "/root/x", "/etc/x", "/usr/x", f"{own}/../x"]
    assert p.denied(*[("write", str(f)) for f in others], *[("mkdir", f"{f}") for f in others], ("unlink", home["plain.txt"])) == []
    assert not any(os.path.exists(f) for f in others) and os.path.exists(home["plain.txt"])
    assert p(("link", home["plain.txt"], f"{own}/link"))[0][0] in ("PermissionError", "OSError")
    assert p(("write", f"{own}/mine", "yes"), ("tmp",), ("pool",)) == [["ok", "yes"], ["ok", "temporary"], ["ok", True]]


@fenced
def test_it_runs_no_program_that_it_brings(probe, nursery):
    p = probe()
    own = os.path.dirname(p.process().args[-1])
    assert p(("run", "/bin/echo", "fine"))[0] == ["ok", "fine\n"]
    p(("run", "/bin/cp", "/bin/echo", f"{own}/echo"))
    assert os.access(f"{own}/echo", os.X_OK)
    assert p.denied(("run", f"{own}/echo", "x")) == []
    (nursery.dir / "foreign").write_text("#!/bin/sh\necho x\n")
    (nursery.dir / "foreign").chmod(0o755)
    assert p.denied(("run", str(nursery.dir / "foreign"))) == []
    assert "canary" not in p(("run", "/bin/sh", "-c", f"cat {nursery.dir}/home/plain.txt; echo done"))[0][1], "what it starts is inside, too"


@pytest.mark.skipif(ABI < 4, reason="this kernel's Landlock knows no TCP")
@pytest.mark.parametrize("where", ["${socket}", "${port}"])
def test_it_connects_nowhere_and_listens_on_its_port_alone(probe, listener, where):
    p = probe(where)
    assert p.denied(("tcp", listener), ("tcp", p.hob.at[1]), ("listen", 0), ("listen", 45454)) == []
    assert probe_answers(p)


@pytest.mark.skipif(ABI < 6, reason="this kernel's Landlock knows no scopes")
def test_it_signals_nobody_and_finds_no_abstract_socket(probe):
    p = probe()
    with socket.socket(socket.AF_UNIX) as s:
        s.bind("\0hob-probe-%d" % os.getpid())
        s.listen()
        assert p.denied(("kill", p.hob.pid), ("kill", p.hob.gateway().pid), ("kill", os.getpid()), ("abstract", "hob-probe-%d" % os.getpid())) == []
    assert p(("kill", p.process().pid))[0][0] == "ok"


def probe_answers(p):
    return p(("env",))[0][0] == "ok"


def open_files(pid):
    return {os.readlink(f) for f in pathlib.Path(f"/proc/{pid}/fd").iterdir() if os.path.lexists(f)}


def sockets_of(pid):
    return {f for f in open_files(pid) if f.startswith("socket")}


def test_it_has_no_secret_no_descriptor_and_gains_no_privilege(probe):
    p = probe()
    env, args, fds, status, core = [v for _, v in p(("env",), ("args",), ("fds",), ("status",), ("core",))]
    assert "canary" not in json.dumps([env, args])
    assert set(env) <= {"HOB_CHILD_OF", "PATH", "HOME", "USER", "LANG", "TMPDIR", "LC_CTYPE"}, env
    kinds = [v.split(":")[0] for v in fds.values() if not v.startswith("/proc/")]
    assert set(kinds) == {"/dev/null", "pipe", "socket"} and kinds.count("pipe") == 2, fds  # its words; its listener and our connections
    assert not set(fds.values()) & (open_files(p.hob.gateway().pid) - {"/dev/null"}) and not set(fds.values()) & sockets_of(p.hob.pid)
    assert "NoNewPrivs:\t1" in status and core == [0, 0]
    pid = p.process().pid
    for what in ("environ", "cmdline"):
        assert b"canary" not in pathlib.Path(f"/proc/{pid}/{what}").read_bytes()


@fenced
def test_paths_open_what_they_name_and_no_more(probe, home, nursery):
    read_only, writable = nursery.dir / "ro", nursery.dir / "rw"
    for d in (read_only, writable):
        d.mkdir()
        (d / "a").write_text("there")
    p = probe(paths=[str(read_only), f"{writable}:rw", home["plain.txt"]])
    assert p(("read", f"{read_only}/a"), ("read", home["plain.txt"]), ("write", f"{writable}/b", "new")) == [["ok", "there"], ["ok", "canary"], ["ok", "new"]]
    assert p.denied(("write", f"{read_only}/b"), ("write", home["plain.txt"]), ("read", home[".ssh/id_ed25519"])) == []


@fenced
def test_paths_may_be_links_and_open_where_they_lead_and_no_more(probe, home, nursery):
    """A link, a chain of them, one among the parents, one to a file: what they lead to is open by either name, and what lies beside it is not; nor what a link inside leads out to."""
    real, beside = nursery.dir / "real" / "inner", nursery.dir / "real"
    real.mkdir(parents=True)
    (real / "a").write_text("there")
    (beside / "b").write_text("canary")
    (real / "out").symlink_to(home[".ssh/id_ed25519"])
    (nursery.dir / "one").symlink_to("real/inner")                # relative
    (nursery.dir / "two").symlink_to(nursery.dir / "one")          # a chain
    (nursery.dir / "parent").symlink_to(beside)
    (nursery.dir / "file").symlink_to(home["plain.txt"])
    for path in ("one", "two", "parent/inner"):
        p = probe(paths=[str(nursery.dir / path), str(nursery.dir / "file"), str(nursery.dir / "not-there")])
        assert p(("read", f"{nursery.dir}/{path}/a"), ("read", f"{real}/a"), ("read", f"{nursery.dir}/file")) == [["ok", "there"], ["ok", "there"], ["ok", "canary"]]
        assert p.denied(("read", f"{beside}/b"), ("read", f"{nursery.dir}/parent/b"), ("list", f"{nursery.dir}/parent"), ("read", f"{real}/out"), ("write", f"{real}/c"),
                        ("read", home[".ssh/id_ed25519"])) == []


def find(tree, key):
    """The first value of that key, at any depth."""
    if isinstance(tree, dict):
        return tree[key] if key in tree else next((v for v in (find(x, key) for x in tree.values()) if v is not None), None)
    return next((v for v in (find(x, key) for x in tree) if v is not None), None) if isinstance(tree, list) else None


def test_paths_are_relative_to_the_configuration_and_know_home(nursery):
    place = nursery.dir
    (place / "hob.yaml").write_text('models: {m: {command: "x ${port}", paths: [sub/dir, "~/a:rw", /abs]}}\n')
    r = cli("config", "show", "-c", place / "hob.yaml", "--json")
    assert find(json.loads(r.stdout), "paths") == [f"{place}/sub/dir", f"{os.environ['HOME']}/a:rw", "/abs"], r
    (place / "sub" / "dir").mkdir(parents=True)
    (place / "nowhere").symlink_to("not-there")
    (place / "hob.yaml").write_text('models: {m: {command: "x ${port}", paths: [sub/dir, nowhere, "gone:rw"]}}\n')
    r = cli("config", "check", place / "hob.yaml")
    assert r.returncode == 0 and "sub/dir" not in r.stderr, r
    for name in ("nowhere", "gone"):
        assert f"`paths`: {place}/{name} is not there, or leads nowhere" in r.stderr, r


@fenced
def test_off_opens_everything_and_network_only_tcp(probe, home, listener):
    p = probe(sandbox="network")
    assert p(("tcp", listener))[0] == ["ok", "connected"]
    assert p.denied(("read", home["plain.txt"])) == []
    p = probe(sandbox="off")
    assert p(("tcp", listener), ("read", home["plain.txt"])) == [["ok", "connected"], ["ok", "canary"]]
    assert "NoNewPrivs:\t1" in p(("status",))[0][1], "that stays"


@fenced
def test_a_program_that_fails_for_it_says_what_to_do(nursery):
    program = nursery.dir / "needs.py"
    (nursery.dir / "needed.bin").write_text("x")
    program.write_text(f"import sys\nopen('{nursery.dir}/needed.bin')\n")
    h = nursery.hob({"models": {"own": {"command": f"{sys.executable} {program} ${{port}}"}}})
    r = h.chat("own", "hello")
    assert r.status == 503 and "needed.bin" in r.error()["message"] and "`paths:`" in r.error()["hob"]["hint"], r


def test_the_admin_socket_is_its_owners_alone(nursery):
    h = nursery.managed()
    assert os.stat(h.state / "hob.sock").st_mode & 0o777 == 0o600
    assert os.stat(h.state).st_mode & 0o777 == 0o700


@fenced
def test_a_model_of_several_files_and_all_beside_it_is_open(nursery):
    """The fake opens what a llama-server would; links lead where weights really are, as a hub's cache has them."""
    blobs, snap = nursery.dir / "blobs", nursery.dir / "snap"
    blobs.mkdir(), snap.mkdir()
    for i, name in enumerate(("m-00001-of-00002.gguf", "m-00002-of-00002.gguf", "p.gguf", "d.gguf", "l.gguf")):
        gguf(blobs / str(i))
        (snap / name).symlink_to(f"../blobs/{i}")
    named = [snap / n for n in ("m-00001-of-00002.gguf", "m-00002-of-00002.gguf", "p.gguf", "d.gguf", "l.gguf")]
    program = nursery.dir / "reads.py"
    program.write_text(f"import sys\nfor f in {[str(n) for n in named]!r}: open(f).read(1) if 0 else open(f, 'rb').read(1)\n"
                       f"import os\nos.execv({str(FAKE)!r}, [{str(FAKE)!r}] + sys.argv[1:])\n")
    engine = nursery.dir / "engine"
    engine.write_text(f"#!{sys.executable}\nexec(open({str(program)!r}).read())\n")
    engine.chmod(0o755)
    h = nursery.hob({"engines": {"llama": {"path": str(engine)}}, "models": {"m": {
        "file": str(snap / "p.gguf"), "mmproj": str(named[2]), "draft": str(named[3]), "lora": [{"file": str(named[4])}], "keep": "hot",
        "args": ["--extra", str(named[0])], "paths": [str(program), str(FAKE.parent)]}}}, wait="ready")
    assert h.chat("m", "hello").status == 200


@fenced
def test_an_engine_of_ours_connects_to_nothing_at_all(nursery, listener):
    """In the place of a llama-server: socket files, datagrams and io_uring are shut to it as well."""
    engine = nursery.dir / "engine"
    engine.write_text(f"#!{sys.executable}\n" + f"""
import ctypes, os, socket, sys
def tried(fn):
    try:
        fn()
        return "open"
    except OSError as e:
        return e.errno
unix = lambda: socket.socket(socket.AF_UNIX).connect({str(nursery.dir / 'door')!r})
got = [tried(unix), tried(lambda: socket.socket(socket.AF_INET, socket.SOCK_DGRAM)), tried(lambda: socket.socket(socket.AF_INET)),
       tried(lambda: socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)), tried(lambda: socket.socketpair()), tried(lambda: socket.socket(socket.AF_NETLINK, socket.SOCK_RAW)),
       ctypes.CDLL(None).syscall(425, 1, 0)]
print("E tried:", got, file=sys.stderr)
os.execv({str(FAKE)!r}, [{str(FAKE)!r}] + sys.argv[1:])
""")
    engine.chmod(0o755)
    with socket.socket(socket.AF_UNIX) as door:
        door.bind(str(nursery.dir / "door"))
        door.listen()
        model = nursery.model("m")
        model["m"]["paths"] += [str(FAKE.parent), sys.prefix, sys.base_prefix]  # it lies where the model may write: what runs it is not opened by its first line
        h = nursery.hob({"engines": {"llama": {"path": str(engine)}}, "models": model}, wait="ready")
        assert h.chat("m", "hello").status == 200
    assert "tried: [13, 13, 13, 13, 'open', 'open', -1]" in (h.state / "logs" / "m.log").read_text()


def test_doctor_says_what_is_shut(nursery):
    h = nursery.managed()
    got = json.loads(cli("doctor", "--json", "-c", h.config_path, "--state", h.state).stdout)["checks"]
    said = [(c["name"], c["status"], c["detail"]) for c in got if c["name"].startswith(("sandbox", "confined"))]
    assert [s[1] for s in said] == (["ok"] if ABI else ["warn"]) + ["warn" if SANITIZED else "ok", "ok"], said
    filtered = "runs without a filter" if SANITIZED else "is behind its filter"
    assert f"process {h.gateway().pid} {filtered}" in said[1][2] and "1 of 1 engines" in said[2][2]


@fenced
def test_a_real_engine_is_inside(real_hob):
    child = wait_for("it runs", lambda: next((p for p in real_hob.tree() if "--model" in p.args), None))
    status = pathlib.Path(f"/proc/{child.pid}/status").read_text()
    assert "NoNewPrivs:\t1" in status
    env = pathlib.Path(f"/proc/{child.pid}/environ").read_text()
    assert f"XDG_CACHE_HOME={real_hob.state}/children/" in env
    assert real_hob.chat("small", "Say hello.", max_tokens=4).status == 200


def status_of(pid, key):
    return next(line.split()[1] for line in pathlib.Path(f"/proc/{pid}/status").read_text().splitlines() if line.startswith(key + ":"))


@pytest.mark.skipif(SANITIZED, reason="a sanitizer looks at itself from outside: hob lets it")
def test_the_gateway_is_behind_its_filter_and_all_its_threads(nursery):
    h = nursery.managed()
    assert h.chat("m", "hello").status == 200
    gateway = h.gateway().pid
    threads = os.listdir(f"/proc/{gateway}/task")
    assert len(threads) > 1 and {status_of(f"{gateway}/task/{t}", "Seccomp") for t in threads} == {"2"}
    assert status_of(gateway, "NoNewPrivs") == "1" and os.stat(f"/proc/{gateway}/environ").st_uid == 0
    assert status_of(h.pid, "Seccomp") == "0", "the keeper starts programs"


@pytest.mark.skipif(SANITIZED, reason="a sanitizer looks at itself from outside: hob lets it")
def test_a_gateway_that_comes_again_is_behind_it_too(nursery):
    h = nursery.managed()
    before = h.gateway().pid
    os.kill(before, signal.SIGKILL)
    after = wait_for("another comes", lambda: next((g.pid for g in [h.gateway()] if g and g.pid != before), None))
    wait_for("it is behind its filter", lambda: status_of(after, "Seccomp") == "2")


def test_off_means_no_filter(nursery):
    h = nursery.managed(config={"sandbox": False})
    assert h.chat("m", "hello").status == 200
    assert status_of(h.gateway().pid, "Seccomp") == "0" and status_of(h.child("m").pid, "NoNewPrivs") == "1"


def test_programs_that_the_gateway_asks_are_run_by_the_keeper_with_a_clean_environment(nursery):
    bin = nursery.dir / "tools"
    bin.mkdir()
    (bin / "nvidia-smi").write_text("#!/bin/sh\necho \"NVIDIA Fake, 8192, 4096\"\nenv | grep canary && exit 1\n"
                                    f"(echo x > {nursery.dir}/escaped) 2>/dev/null\nexit 0\n")
    (bin / "nvidia-smi").chmod(0o755)
    h = nursery.managed(hob={"env": {"PATH": f"{bin}:{os.environ['PATH']}", "HOB_CANARY": "canary"}})
    r = cli("ps", "--json", "-c", h.config_path, "--state", h.state)
    assert 7 * 2**30 > json.loads(r.stdout)["budget"]["total_bytes"] > 2**30, r  # the card's 8 GiB without the reserve
    assert not (nursery.dir / "escaped").exists() or not ABI
    wait_for("none of them stays", lambda: not [p for p in h.tree() if "nvidia-smi" in " ".join(p.args)])  # one may be asked anew at this moment


def test_an_engine_that_is_asked_may_listen_where_the_kernel_says(nursery):
    """It makes its socket before it looks at the model: without that it would never say what it knows."""
    (nursery.dir / "build").mkdir()
    engine = nursery.dir / "build" / "llama-server"
    shutil.copy2(FAKE, engine)
    (nursery.dir / "build" / "llama-server.knows").write_text("llama\n")
    h = nursery.hob({"engines": {"llama": {"path": str(engine)}}, "models": {"m": {"file": gguf(nursery.dir / "m.gguf", arch="newer")}}})
    r = h.chat("m", "hello")
    assert r.status == 503 and r.error()["code"] == "unknown_architecture", r


def test_a_program_that_is_never_done_is_ended(nursery):
    bin = nursery.dir / "tools"
    bin.mkdir()
    (bin / "nvidia-smi").write_text("#!/bin/sh\nexec sleep 1000\n")
    (bin / "nvidia-smi").chmod(0o755)
    h = nursery.managed(hob={"env": {"PATH": f"{bin}:{os.environ['PATH']}"}})
    assert h.chat("m", "hello").status == 200
    wait_for("the program is ended", lambda: not [p for p in h.tree() if "1000" in p.args])
