"""How others read the bytes of a connection: each function gives the requests it sees in them, [(method, target, body)], up to what it takes for broken or for
the end. None of them shares a line with hob or with each other."""

import contextlib
import io
import logging

import h11
from werkzeug.serving import WSGIRequestHandler


def by_h11(data):
    seen, request, body = [], None, b""
    c = h11.Connection(h11.SERVER, max_incomplete_event_size=1 << 20)
    c.receive_data(data)
    with contextlib.suppress(h11.RemoteProtocolError):
        while True:
            event = c.next_event()
            if event in (h11.NEED_DATA, h11.PAUSED) or isinstance(event, h11.ConnectionClosed):
                break
            if isinstance(event, h11.Request):
                request, body = event, b""
            elif isinstance(event, h11.Data):
                body += bytes(event.data)
            else:
                seen.append((request.method, request.target, body))
                c.send(h11.Response(status_code=200, headers=[("Content-Length", "0")]))
                c.send(h11.EndOfMessage())
                if c.our_state is not h11.DONE or c.their_state is not h11.DONE:
                    break
                c.start_next_cycle()
    return seen


class Wire:
    """A socket that has it all already."""

    def __init__(self, data):
        self.data = data

    def makefile(self, mode, *_):
        return io.BytesIO(self.data) if "r" in mode else io.BytesIO()

    def __getattr__(self, name):
        return lambda *args, **kw: None


class Server:
    """What the handler wants of its server."""
    server_address, ssl_context, multithread, multiprocess, shutdown_signal, passthrough_errors = ("127.0.0.1", 80), None, True, False, False, True


class Handler(WSGIRequestHandler):
    """Python's http.server reads the head, Werkzeug makes a body of what follows."""
    protocol_version = "HTTP/1.1"

    def run_wsgi(self):
        body = b""
        environ = self.make_environ()
        if environ.get("wsgi.input_terminated"):
            body = environ["wsgi.input"].read()
        elif environ.get("CONTENT_LENGTH"):
            body = environ["wsgi.input"].read(int(environ["CONTENT_LENGTH"]))
        self.server.seen.append((self.command.encode("latin-1"), self.path.encode("latin-1"), body))

    def send_error(self, *args, **kw):
        self.close_connection = True

    def handle_expect_100(self):
        return True

    def log(self, *args):
        pass


def by_werkzeug(data):
    server = Server()
    server.seen = []
    logging.getLogger("werkzeug").disabled = True
    with contextlib.suppress(OSError, ValueError):  # its words for chunks that are none
        Handler(Wire(data), ("127.0.0.1", 1), server)
    return server.seen


PARSERS = {"h11": by_h11, "werkzeug": by_werkzeug}
