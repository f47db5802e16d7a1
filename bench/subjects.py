"""What is measured: the mock asked directly, nginx as the anchor, hob, and any other gateway named with --also.

nginx parses no JSON, keeps no account and decides nothing: it is the least that a careful HTTP proxy costs, and so the
measure for the rest. All subjects forward to the same mock in the same run.
"""
import os
import pathlib
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
hosts:
  up: {{kind: openai, url: "http://127.0.0.1:{upstream}"}}
models:
  bench: {{host: up, name: upstream-model}}
roles:
  chat: {{model: bench}}
"""


class Subject:
    """A gateway that is up: where to ask, and which processes it is made of. server is None for the mock itself."""

    def __init__(self, name, server, port, stream_port=None):
        self.name, self.server, self.port, self.stream_port = name, server, port, stream_port or port

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

    def __init__(self, build, scratch, upstream, nginx, also):
        self.build, self.scratch, self.upstream, self.nginx = build, scratch, upstream, nginx
        self.also = also
        self.count = 0

    def hob_path(self):
        path = self.build / "hob"
        if not path.exists():
            raise CannotMeasure(f"{path} is missing: build hob first (make)")
        return path

    def start(self, name, core, bare=False):
        """Up means that /livez says 200; of a gateway named with --also, that it answers anything at all."""
        server, port, stream_port = self.spawn(name, core, bare)
        try:
            accept = (lambda status: status > 0) if name in self.also else (lambda status: status == 200)
            wait_until_up(server, port, pause_s=0.01, accept=accept)
        except BaseException:
            server.stop()
            raise
        return Subject(name, server, port, stream_port)

    def spawn(self, name, core, bare=False):
        """(server, port, stream port); bare: as for the start time, hob without hosts and models."""
        self.count += 1
        folder = self.scratch / f"{name}-{self.count}"
        folder.mkdir()
        folder.chmod(0o711)  # started by root, nginx's worker is another user and must get through
        if name == "nginx":
            return self.spawn_nginx(folder, core)
        if name == "hob":
            port = free_port()
            text = f"listen: 127.0.0.1:{port}\n" if bare else HOB_CONF.format(port=port, upstream=self.upstream)
            return self.spawn_hob(folder, core, text), port, None
        return self.spawn_other(name, folder, core)

    def spawn_nginx(self, folder, core):
        port, stream_port = free_port(), free_port()
        conf = folder / "nginx.conf"
        conf.write_text(NGINX_CONF.format(dir=folder, port=port, stream_port=stream_port, upstream=self.upstream))
        argv = [self.nginx, "-p", str(folder), "-e", str(folder / "error.log"), "-c", str(conf)]
        return Server(argv, folder / "error.log", core), port, stream_port

    def spawn_hob(self, folder, core, config):
        """With a home of its own: neither the user's state nor a hob that already runs is touched."""
        conf = folder / "hob.yaml"
        conf.write_text(config)
        homes = {"HOME": "home", "XDG_RUNTIME_DIR": "run", "XDG_STATE_HOME": "state", "XDG_CONFIG_HOME": "config"}
        env = dict(os.environ)
        for key, name in homes.items():
            (folder / name).mkdir(mode=0o700)
            env[key] = str(folder / name)
        return Server([str(self.hob_path()), "serve", "-c", str(conf)], folder / "hob.log", core, env)

    def spawn_other(self, name, folder, core):
        """NAME=COMMAND of --also: {port} and {upstream} are filled in, leading A=B words go to the environment."""
        port = free_port()
        words = shlex.split(self.also[name].format(port=port, upstream=self.upstream))
        env = dict(os.environ)
        while words and "=" in words[0]:
            key, _, env[key] = words.pop(0).partition("=")
        return Server(words, pathlib.Path(folder) / "log", core, env), port, None
