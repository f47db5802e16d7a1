"""What TLS on the way to a host costs: nginx and hob in front of one https upstream (a second nginx before the mock), both verifying it, both keeping
their connections."""
import contextlib
import subprocess

from parts import BODY_BYTES, CONNS, note
from procs import Server, free_port, wait_until_up
from subjects import Subject

HEAD = """\
worker_processes 1;
daemon off;
pid {dir}/nginx.pid;
error_log {dir}/error.log warn;
events {{ worker_connections 4096; }}
http {{
    access_log off;
    keepalive_requests 100000000;
    keepalive_timeout 3600s;
    client_body_temp_path {dir}/body;
    proxy_temp_path {dir}/proxy;
    fastcgi_temp_path {dir}/fastcgi;
    uwsgi_temp_path {dir}/uwsgi;
    scgi_temp_path {dir}/scgi;
    proxy_http_version 1.1;
    proxy_set_header Connection "";
    upstream there {{ server 127.0.0.1:{upstream}; keepalive 64; keepalive_requests 100000000; keepalive_timeout 3600s; }}
"""
FRONT_CONF = HEAD + """\
    server {{
        listen 127.0.0.1:{port} ssl backlog=1024;
        ssl_certificate {certificate};
        ssl_certificate_key {key};
        location / {{ proxy_pass http://there; }}
    }}
}}
"""
NGINX_CONF = HEAD + """\
    server {{
        listen 127.0.0.1:{port} backlog=1024;
        location = /livez {{ return 200; }}
        location / {{
            proxy_pass https://there;
            proxy_ssl_verify on;
            proxy_ssl_trusted_certificate {certificate};
            proxy_ssl_name localhost;
        }}
    }}
}}
"""
HOB_CONF = """\
listen: 127.0.0.1:{port}
hosts:
  up: {{kind: openai, url: "https://localhost:{upstream}", ca: "{certificate}"}}
models:
  bench: {{host: up, name: upstream-model}}
"""


def make_certificate(folder):
    certificate, key = folder / "certificate.pem", folder / "key.pem"
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2", "-subj", "/CN=localhost",
                    "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1", "-keyout", key, "-out", certificate], check=True, capture_output=True)
    return {"certificate": certificate, "key": key}


def spawn(bench, name, core, text, fill):
    folder = bench.starter.scratch / name
    folder.mkdir()
    folder.chmod(0o711)
    text = text.format(dir=folder, **fill)
    if name == "https-hob":
        return bench.starter.spawn_hob(folder, core, text)
    (folder / "nginx.conf").write_text(text)
    return Server([bench.starter.nginx, "-p", str(folder), "-e", str(folder / "error.log"), "-c", str(folder / "nginx.conf")], folder / "error.log", core)


def measure_https(bench):
    figures, subjects = {}, []
    keys = make_certificate(bench.starter.scratch)
    with contextlib.ExitStack() as stack:
        front = free_port()
        stack.enter_context(spawn(bench, "https-front", bench.other_core, FRONT_CONF, {"port": front, "upstream": bench.mock.port, **keys}))
        for name, conf in (("nginx", NGINX_CONF), ("hob", HOB_CONF)):
            if name not in bench.names:
                continue
            port = free_port()
            server = stack.enter_context(spawn(bench, f"https-{name}", bench.core, conf, {"port": port, "upstream": front, **keys}))
            wait_until_up(server, port, pause_s=0.01)
            subjects.append(Subject(name, server, port))

        def measure(subject):
            result, cpu = bench.loaded(subject, "plain", conns=CONNS, requests=bench.size["requests"] // 4, body_bytes=BODY_BYTES)
            note(figures, "https_cpu_us", subject, cpu / 1e3 / result["done"])
            note(figures, "https_pss_mib", subject, subject.pss_mib())

        bench.rounds(1, "https, warming up", lambda s: bench.load("plain", s, bench.other_core, conns=CONNS, requests=2000, body_bytes=BODY_BYTES), subjects)
        bench.rounds(bench.size["rounds"], "https", measure, subjects)
    return figures
