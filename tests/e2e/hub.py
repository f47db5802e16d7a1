"""A hub, a mirror or any other place with files, over http on loopback or https with a certificate of its own; and a SOCKS proxy that knows names nobody
else does. What a file does when it is asked for is said by its settings; what was asked is kept."""

import contextlib
import hashlib
import http.server
import json
import random
import re
import select
import socket
import ssl
import struct
import subprocess
import threading
import urllib.parse

import helpers


def model(path, size=3_000_000, seed=7):
    """The bytes of a small model file, made long."""
    with open(helpers.gguf(path), "rb") as file:
        head = file.read()
    return head + random.Random(seed).randbytes(size - len(head))


def parts(n, size=200_000):
    """The bytes of the n parts of a split model, a tensor in each."""
    def text(s):
        return struct.pack("<Q", len(s)) + s.encode()

    def part(i):
        keys = [text("general.architecture") + struct.pack("<I", 8) + text("llama"), text("split.no") + struct.pack("<IH", 2, i),
                text("split.count") + struct.pack("<IH", 2, n), text("split.tensors.count") + struct.pack("<Ii", 5, n)]
        head = b"GGUF" + struct.pack("<IQQ", 3, 1, len(keys)) + b"".join(keys) + text(f"blk.{i}.weight") + struct.pack("<IQQIQ", 2, 32, 8, 0, 0)
        head += bytes(-len(head) % 32)
        return head + random.Random(i).randbytes(size - len(head))
    return [part(i) for i in range(n)]


def sha256(data):
    return hashlib.sha256(data).hexdigest()


class File:
    """cut: after so many bytes of the body the connection ends, once for each number. stall: likewise, it stays silent until the server ends.
    drip: one byte at a time, so many seconds apart. ranges: heeded. length: what is claimed instead of the truth. status, fields: answered instead. trailers: lines behind a
    chunked body."""

    def __init__(self, data=b"", *, etag="", cut=(), stall=None, drip=None, ranges=True, length=None, status=None, fields=(), chunked=False,
                 trailers=b""):
        self.data, self.etag, self.cut, self.stall, self.drip = data, etag or f'"{sha256(data)[:16]}"', list(cut), stall, drip
        self.ranges, self.length, self.status, self.fields, self.chunked = ranges, length, status, list(fields), chunked
        self.trailers = trailers


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *args):
        pass

    def do_GET(self):
        hub = self.server.hub
        path = urllib.parse.unquote(self.path.split("?")[0])
        hub.asked.append((path, dict(self.headers)))
        hub.asked_event.set()
        file = hub.files.get(path)
        if file is None:
            self.answer(404, [], b"no such thing")
        elif file.status:
            self.answer(file.status, file.fields, b"as it was told")
        else:
            self.give(file)

    def answer(self, status, fields, body):
        self.send_response(status)
        for name, value in fields:
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def span(self, file):
        """First byte that is wanted, or None for all."""
        asked = re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("Range", ""))
        still = self.headers.get("If-Range") in (None, file.etag)
        if not asked or not file.ranges or not still:
            return None
        return int(asked[1]), int(asked[2]) + 1 if asked[2] else len(file.data)

    def give(self, file):
        span = self.span(file)
        at, end = span or (0, len(file.data))
        if span and at >= len(file.data):
            return self.answer(416, [("Content-Range", f"bytes */{len(file.data)}")], b"")
        end = min(end, len(file.data))
        self.send_response(206 if span else 200)
        if span:
            self.send_header("Content-Range", f"bytes {at}-{end - 1}/{len(file.data)}")
        if file.etag:
            self.send_header("ETag", file.etag)
        for name, value in file.fields:
            self.send_header(name, value)
        if file.chunked:
            self.send_header("Transfer-Encoding", "chunked")
        else:
            self.send_header("Content-Length", str(file.length if file.length is not None else end - at))
        self.end_headers()
        with contextlib.suppress(OSError):
            self.body(file, file.data[at:end])

    def body(self, file, data):
        limit = file.cut.pop(0) if file.cut else file.stall
        part = data if limit is None else data[:limit]
        if file.drip:
            for i in range(len(part)):
                self.wfile.write(part[i:i + 1])
                if self.server.hub.over.wait(file.drip):
                    return
        elif file.chunked:
            self.wfile.write(b"%x\r\n%s\r\n0\r\n%s\r\n" % (len(part), part, file.trailers))
        else:
            self.wfile.write(part)
        if limit is not None:
            self.wfile.flush()
            if limit == file.stall:
                self.server.hub.over.wait()
            self.connection.close()
            self.close_connection = True
        elif file.length is not None:
            self.close_connection = True


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request, address):
        pass  # the other side left


class Hub:
    """tls: (certificate, key). Answers the API for repositories that were given to repo()."""

    def __init__(self, tls=None):
        self.files, self.asked = {}, []
        self.over, self.asked_event = threading.Event(), threading.Event()
        self.server = Server(("127.0.0.1", 0), Handler)
        self.server.hub = self
        if tls:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(*tls)
            self.server.socket = context.wrap_socket(self.server.socket, server_side=True)
        self.port = self.server.server_address[1]
        self.url = f"{'https' if tls else 'http'}://127.0.0.1:{self.port}"
        self.thread = threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        self.thread.start()

    def repo(self, name, files, *, hashes=True, commit="0123456789abcdef0123456789abcdef01234567", **more):
        """files: {path: File}. They lie at resolve/COMMIT/PATH, and the API tells of them."""
        siblings = [{"rfilename": "README.md", "size": 3}]
        for path, file in files.items():
            self.files[f"/{name}/resolve/{commit}/{path}"] = file
            siblings.append({"rfilename": path, "size": len(file.data),
                             "lfs": {"sha256": sha256(file.data), "size": len(file.data), "pointerSize": 133}} if hashes else {"rfilename": path})
        self.files[f"/api/models/{name}"] = File(json.dumps({"id": name, "sha": commit, "gated": False, "siblings": siblings, **more}).encode())

    def paths(self):
        return [path for path, _ in self.asked]

    def headers(self, end):
        """Of the requests for a path that ends so."""
        return [headers for path, headers in self.asked if path.endswith(end)]

    def stop(self):
        self.over.set()
        self.server.shutdown()
        self.server.server_close()


class Socks:
    """SOCKS 5 for names: {name: port here}. Keeps what it was asked for."""

    def __init__(self, names):
        self.names, self.asked = names, []
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"socks5h://127.0.0.1:{self.listener.getsockname()[1]}"
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        with contextlib.suppress(OSError):
            while True:
                threading.Thread(target=self.serve, args=self.listener.accept()[:1], daemon=True).start()

    def serve(self, caller):
        with contextlib.suppress(OSError, IndexError), caller:
            caller.sendall(b"\5\0" if caller.recv(256) else b"")
            ask = caller.recv(512)
            name = (ask[5:5 + ask[4]].decode() if ask[3] == 3 else
                    socket.inet_ntop(socket.AF_INET6, ask[4:20]) if ask[3] == 4 else socket.inet_ntoa(ask[4:8]))
            self.asked.append(name)
            if name not in self.names:
                caller.sendall(b"\5\4\0\1" + bytes(6))
                return
            with socket.create_connection(("127.0.0.1", self.names[name])) as there:
                caller.sendall(b"\5\0\0\1" + bytes(6))
                while True:
                    for ready in select.select([caller, there], [], [])[0]:
                        data = ready.recv(65536)
                        if not data:
                            return
                        (there if ready is caller else caller).sendall(data)

    def stop(self):
        self.listener.close()


def certificates(folder):
    """A certificate authority, and a certificate of it for hub.test, cdn.test and 127.0.0.1: (authority, certificate, key)."""
    def run(*args):
        subprocess.run(["openssl", *map(str, args)], check=True, capture_output=True)

    ca, ca_key, key, request, certificate, names = (folder / n for n in ("ca.pem", "ca.key", "key.pem", "request.pem", "certificate.pem", "names"))
    names.write_text("subjectAltName=DNS:hub.test,DNS:cdn.test,IP:127.0.0.1\n")
    ec = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    run("req", "-x509", *ec, "-keyout", ca_key, "-out", ca, "-days", 2, "-subj", "/CN=hob test authority")
    run("req", *ec, "-keyout", key, "-out", request, "-subj", "/CN=hub.test")
    run("x509", "-req", "-in", request, "-CA", ca, "-CAkey", ca_key, "-CAcreateserial", "-days", 2, "-extfile", names, "-out", certificate)
    return ca, certificate, key
