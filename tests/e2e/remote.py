"""What stands between hob and a host elsewhere: TLS in front of a fake, with certificates made for the test, and proxies."""

import asyncio
import base64
import contextlib
import ssl
import subprocess
import threading
import time
import warnings

import helpers


def openssl(*args):
    subprocess.run(["openssl", *map(str, args)], check=True, capture_output=True)


EC = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes")


class Authority:
    """A certificate authority in a folder. .file is its certificate; leaf() makes (certificate, key) files."""

    def __init__(self, folder):
        self.folder = folder
        folder.mkdir()
        self.file, self.key = folder / "ca.pem", folder / "ca.key"
        openssl("req", "-x509", *EC, "-keyout", self.key, "-out", self.file, "-days", 2, "-subj", "/CN=hob test authority")

    def leaf(self, names, days=2):
        """names: as in subjectAltName; days: may be negative, then it has expired."""
        at = self.folder / f"{abs(hash((names, days)))}"
        request, key, names_file, certificate = (at.with_suffix(s) for s in (".csr", ".key", ".names", ".pem"))
        names_file.write_text(f"subjectAltName={names}\n")
        openssl("req", *EC, "-keyout", key, "-out", request, "-subj", "/CN=host")
        self.sign(request, names_file, certificate, days)
        return certificate, key

    def sign(self, request, extensions, certificate, days):
        """By `openssl ca`, the one command that takes dates of the past in every release."""
        books = self.folder / "books"
        books.mkdir(exist_ok=True)
        (books / "index.txt").touch()
        (books / "ca.cnf").write_text(f"[ca]\ndefault_ca=it\n[it]\ndatabase={books}/index.txt\nrand_serial=yes\nnew_certs_dir={books}\n"
                                      "default_md=sha256\npolicy=any\nunique_subject=no\n[any]\ncommonName=supplied\n")
        end = time.strftime("%Y%m%d%H%M%SZ", time.gmtime(time.time() + days * 86400))
        openssl("ca", "-batch", "-config", books / "ca.cnf", "-in", request, "-cert", self.file, "-keyfile", self.key, "-extfile", extensions,
                "-startdate", "20200101000000Z", "-enddate", end, "-notext", "-out", certificate)

    def alone(self, names):
        """One that is signed by itself."""
        certificate, key = self.folder / "alone.pem", self.folder / "alone.key"
        openssl("req", "-x509", *EC, "-keyout", key, "-out", certificate, "-days", 2, "-subj", "/CN=host", "-addext", f"subjectAltName={names}",
                "-addext", "basicConstraints=critical,CA:FALSE")
        return certificate, key


class Relay:
    """A listener on loopback whose connections are carried to elsewhere, in a thread with a loop of its own. greet() says where to, or None."""

    def __init__(self, context=None):
        self.accepted = self.ended = 0
        self.loop = asyncio.new_event_loop()
        self.thread = threading.Thread(target=self.loop.run_forever, daemon=True)
        self.thread.start()
        self.server = self.run(asyncio.start_server(self.serve, "127.0.0.1", 0, ssl=context))
        self.port = self.server.sockets[0].getsockname()[1]

    def run(self, coroutine):
        return asyncio.run_coroutine_threadsafe(coroutine, self.loop).result(10 * helpers.SLOW)

    async def greet(self, reader, writer):
        raise NotImplementedError

    async def serve(self, reader, writer):
        self.accepted += 1
        with contextlib.suppress(OSError, asyncio.IncompleteReadError):
            to = await self.greet(reader, writer)
            if to:
                await self.carry(reader, writer, *await asyncio.open_connection(*to))
        self.ended += 1
        writer.close()

    async def carry(self, reader, writer, far_reader, far_writer):
        ways = [asyncio.ensure_future(self.copy(reader, far_writer)), asyncio.ensure_future(self.copy(far_reader, writer))]
        await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        for way in ways:
            way.cancel()
        far_writer.close()

    async def copy(self, reader, writer):
        with contextlib.suppress(OSError):
            while data := await reader.read(65536):
                writer.write(data)
                await writer.drain()

    async def end(self):
        self.server.close()
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)

    def stop(self):
        self.run(self.end())
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join(10 * helpers.SLOW)
        self.loop.close()


class Front(Relay):
    """TLS in front of a fake."""

    def __init__(self, fake, certificate, key, *, newest=None):
        self.to = ("127.0.0.1", fake.port)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate, key)
        if newest:
            context.set_ciphers("ALL:@SECLEVEL=0")
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", DeprecationWarning)
                context.minimum_version = ssl.TLSVersion.TLSv1
                context.maximum_version = newest
        super().__init__(context)
        self.url = f"https://127.0.0.1:{self.port}"

    async def greet(self, reader, writer):
        return self.to


class Tunnels(Relay):
    """An HTTP proxy that makes tunnels. names: {"host:port": port here}; login: "user:password" or None. Keeps what was asked for."""

    def __init__(self, names=(), login=None):
        self.names, self.login, self.asked = dict(names), login, []
        super().__init__()

    async def greet(self, reader, writer):
        head = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
        method, where, _ = head[0].split(" ")
        self.asked.append((method, where))
        wanted = f"Proxy-Authorization: Basic {base64.b64encode((self.login or '').encode()).decode()}"
        if self.login and wanted not in head:
            writer.write(b"HTTP/1.1 407 No\r\nProxy-Authenticate: Basic realm=x\r\nContent-Length: 0\r\n\r\n")
            return None
        writer.write(b"HTTP/1.1 200 Yes\r\n\r\n")
        host, port = where.rsplit(":", 1)
        return ("127.0.0.1", self.names.get(where, int(port)))


class Mute(Relay):
    """Takes connections and never says a word."""

    async def greet(self, reader, writer):
        await reader.read()


class Microsocks:
    """A SOCKS 5 proxy that others have written."""

    def __init__(self, *args):
        self.port = helpers.free_port()
        self.process = subprocess.Popen(["microsocks", "-i", "127.0.0.1", "-p", str(self.port), *args], stdin=subprocess.DEVNULL,
                                        stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)

    def wait(self):
        import socket

        def listens():
            assert self.process.poll() is None, self.process.stderr.read()
            with socket.socket() as s:
                return s.connect_ex(("127.0.0.1", self.port)) == 0
        helpers.wait_for("microsocks listens", listens)
        return self

    def stop(self):
        self.process.kill()
        self.process.communicate()
