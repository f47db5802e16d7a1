"""What is measured: the mock asked directly, nginx as the anchor, hob, and such peers as one has at hand.

nginx parses no JSON, keeps no account and decides nothing: it is the least that a careful HTTP proxy costs, and so the
measure for the rest. All subjects forward to the same mock in the same run.
"""
import dataclasses
import os
import shlex
import subprocess

from procs import CannotMeasure, Server, free_port, pss_mib, tree, wait_until_up

NGINX_CONF = """\
worker_processes 1;
daemon off;
pid {dir}/nginx.pid;
error_log {dir}/error.log warn;
events {{ worker_connections 4096; }}
http {{
    access_log off;
    keepalive_requests 100000000;
    keepalive_timeout 3600s;
    client_max_body_size 64m;
    client_body_temp_path {dir}/body;
    proxy_temp_path {dir}/proxy;
    fastcgi_temp_path {dir}/fastcgi;
    uwsgi_temp_path {dir}/uwsgi;
    scgi_temp_path {dir}/scgi;
    proxy_http_version 1.1;
    proxy_set_header Connection "";
    upstream plain {{ server 127.0.0.1:{upstream}; keepalive 64; keepalive_requests 100000000; keepalive_timeout 3600s; }}
    upstream events {{ server 127.0.0.1:{upstream}; keepalive 600; keepalive_requests 100000000; keepalive_timeout 3600s; }}
    server {{
        listen 127.0.0.1:{port} backlog=1024;
        location = /livez {{ return 200; }}
        location = /refused {{ return 429; }}
        location / {{ proxy_pass http://plain; }}
    }}
    server {{
        listen 127.0.0.1:{stream_port} backlog=1024;
        location / {{ proxy_pass http://events; proxy_buffering off; }}
    }}
}}
"""

HOB_CONF = """\
listen: 127.0.0.1:{port}
durability: {durability}
hosts:
  up: {{kind: openai, url: "http://127.0.0.1:{upstream}"}}
models:
  bench: {{host: up, name: upstream-model}}
roles:
  chat: {{model: bench}}
"""


@dataclasses.dataclass(frozen=True)
class Peer:
    """Another gateway. {binary} {folder} {port} {upstream} (a port) are filled in, in command and file alike; leading A=B words
    of the command go to the environment. No file of settings: conf is empty. No ready path: any answer means up."""

    command: str
    conf: str = ""          # written to {folder}/conf_name
    conf_name: str = "config.yaml"
    ready: str = ""
    model: str = "bench"    # what to ask for
    share: float = 1.0      # of the requests the fast ones get: a slow one would take all day
    binary: str = ""


# Run when --peer NAME=BINARY says where one is. Written after each one's own documentation; each is told to pass requests on
# and to keep no account. Their upstream is named as an OpenAI host, with a key that the mock ignores.
KNOWN_PEERS = {
    "llama-swap": Peer(
        command="{binary} -config {folder}/config.yaml -listen 127.0.0.1:{port}",
        conf="logLevel: error\n"
             "models:\n"
             "  bench: {{cmd: sleep 1000000, proxy: 'http://127.0.0.1:{upstream}', checkEndpoint: none,\n"
             "          concurrencyLimit: 1000}}\n",  # by default 429 beyond 10
        ready="/health", share=0.3),
    "litellm": Peer(
        command="{binary} --config {folder}/config.yaml --host 127.0.0.1 --port {port} --num_workers 1 --telemetry False",
        conf="model_list:\n"
             "  - model_name: bench\n"
             "    litellm_params: {{model: openai/upstream-model, api_base: 'http://127.0.0.1:{upstream}/v1', api_key: none}}\n"
             "general_settings: {{dangerously_permit_weak_or_unset_master_key: true}}\n",  # it listens on loopback only
        ready="/health/liveliness", share=0.02),
    "bifrost": Peer(
        command="{binary} -app-dir {folder} -host 127.0.0.1 -port {port} -log-level error",
        conf='{{"client": {{"enable_logging": false}}, "config_store": {{"enabled": false}}, "providers": {{"openai": {{"keys":\n'
             '[{{"name": "mock", "value": "none", "models": ["*"], "weight": 1}}],\n'
             '"network_config": {{"base_url": "http://127.0.0.1:{upstream}"}}}}}}}}\n',
        conf_name="config.json", ready="/health", model="openai/upstream-model", share=0.3),
    "gomodel": Peer(
        command="PORT={port} OPENAI_API_KEY=none OPENAI_BASE_URL=http://127.0.0.1:{upstream}/v1 LOGGING_ENABLED=false "
                "USAGE_ENABLED=false {binary}",
        ready="/health", model="upstream-model", share=0.3),
}


HOMES = {"HOME": "home", "XDG_RUNTIME_DIR": "run", "XDG_STATE_HOME": "state", "XDG_CONFIG_HOME": "settings"}


class Subject:
    """A gateway that is up: where to ask, and which processes it is made of. server is None for the mock itself."""

    def __init__(self, name, server, port, stream_port=None, peer=None):
        self.name, self.server, self.port, self.stream_port = name, server, port, stream_port or port
        self.peer = peer
        self.model = peer.model if peer else "bench"

    def share_of(self, count, least=1):
        """How many of so many requests this one is given."""
        return max(least, int(count * (self.peer.share if self.peer else 1)))

    def pids(self):
        if not self.server:
            return []
        self.server.check()
        return tree(self.server.pid)

    def pss_mib(self):
        return pss_mib(self.pids())


class Mock:
    """The upstream. Its stdin is our pipe: it ends when we do, even if we are killed."""

    def __init__(self, build, scratch, core, events, gap_ms):
        argv = [str(build / "bench" / "mock"), "--until-eof", "--events", str(events), "--gap-ms", str(gap_ms)]
        self.server = Server(argv, scratch / "mock.log", core, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        line = self.server.process.stdout.readline().split()
        if len(line) != 2:
            raise CannotMeasure(f"the mock did not start: {self.server.last_words()}")
        self.pid, self.port = self.server.pid, int(line[1])

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.server.stop()


class Starter:
    """Starts subjects. Each start gets its own folder below scratch, its own ports, and the core it is told."""

    def __init__(self, build, scratch, upstream=0, nginx=None, peers=None):
        self.build, self.scratch, self.upstream, self.nginx = build, scratch, upstream, nginx
        self.peers = peers or {}
        self.count = 0

    def hob_path(self):
        path = self.build / "hob"
        if not path.exists():
            raise CannotMeasure(f"{path} is missing: build hob first (make)")
        return path

    def start(self, name, core, bare=False, durability="process"):
        server, port, stream_port = self.spawn(name, core, bare, durability)
        try:
            self.wait(name, server, port, pause_s=0.01)
        except BaseException:
            server.stop()
            raise
        return Subject(name, server, port, stream_port, self.peers.get(name))

    def wait(self, name, server, port, pause_s=0.0):
        """Up means that /livez says 200; a peer has its own path for that, or answers anything at all."""
        peer = self.peers.get(name)
        if not peer:
            wait_until_up(server, port, pause_s=pause_s)
        elif peer.ready:
            wait_until_up(server, port, peer.ready, seconds=120, pause_s=pause_s)
        else:
            wait_until_up(server, port, seconds=120, pause_s=pause_s, accept=lambda status: status > 0)

    def spawn(self, name, core, bare=False, durability="process"):
        """(server, port, stream port); bare: as for the start time, hob without hosts and models."""
        self.count += 1
        folder = self.scratch / f"{name}-{self.count}"
        folder.mkdir()
        folder.chmod(0o711)  # started by root, nginx's worker is another user and must get through
        if name == "nginx":
            return self.spawn_nginx(folder, core)
        if name == "hob":
            port = free_port()
            text = f"listen: 127.0.0.1:{port}\n" if bare else HOB_CONF.format(port=port, upstream=self.upstream, durability=durability)
            return self.spawn_hob(folder, core, text), port, None
        return self.spawn_peer(name, folder, core)

    def spawn_nginx(self, folder, core):
        port, stream_port = free_port(), free_port()
        conf = folder / "nginx.conf"
        conf.write_text(NGINX_CONF.format(dir=folder, port=port, stream_port=stream_port, upstream=self.upstream))
        argv = [self.nginx, "-p", str(folder), "-e", str(folder / "error.log"), "-c", str(conf)]
        return Server(argv, folder / "error.log", core), port, stream_port

    def spawn_hob(self, folder, core, config):
        conf = folder / "hob.yaml"
        conf.write_text(config)
        return Server([str(self.hob_path()), "serve", "-c", str(conf)], folder / "hob.log", core, own_homes(folder))

    def spawn_peer(self, name, folder, core):
        peer, port = self.peers[name], free_port()
        fill = {"binary": peer.binary, "folder": folder, "port": port, "upstream": self.upstream}
        if peer.conf:
            (folder / peer.conf_name).write_text(peer.conf.format(**fill))
        words = [word.format(**fill) for word in shlex.split(peer.command)]
        env = own_homes(folder)
        while words and "=" in words[0]:
            key, _, env[key] = words.pop(0).partition("=")
        return Server(words, folder / "log", core, env), port, None


def own_homes(folder):
    """An environment with homes below the folder: neither the user's state nor a gateway that already runs is touched."""
    env = dict(os.environ)
    for key, name in HOMES.items():
        (folder / name).mkdir(mode=0o700)
        env[key] = str(folder / name)
    return env
