"""A server that does what nginx cannot be made to do: lies about lengths, never ends, falls silent, drips.

It serves a folder like any other server, ranges too, except where a rule says how a file is treated.
"""

import contextlib
import re
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import unquote


class Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request, client_address):
        """A device that hangs up between two requests is no error."""
        if not isinstance(sys.exc_info()[1], ConnectionError):
            super().handle_error(request, client_address)


class Rough:
    """Serves a folder on a free port. `rules` maps part of a path to one of the functions below."""

    def __init__(self, place, root, rules=None):
        self.rules, self.over = rules or {}, threading.Event()
        self.requests = []  # (path, Range header)
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self):
                path = unquote(self.path)
                outer.requests.append((path, self.headers.get("Range")))
                file = root / path.lstrip("/")
                rule = next((rule for part, rule in outer.rules.items() if part in path), whole)
                # The device may hang up whenever it has seen enough.
                with contextlib.suppress(ConnectionError):
                    rule(self, file.read_bytes() if file.is_file() else None, outer.over)

            def log_message(self, *_):
                pass

        self.server = Server(("127.0.0.1", 0), Handler)
        thread = threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        thread.start()
        place.undo.callback(self.stop)

    @property
    def url(self):
        return f"http://127.0.0.1:{self.server.server_port}/"

    def stop(self):
        self.over.set()
        self.server.shutdown()
        self.server.server_close()


def head(handler, body, **more):
    """Status and headers; gives back the bytes that were asked for."""
    asked = re.fullmatch(r"bytes=(\d+)-(\d*)", handler.headers.get("Range", ""))
    if asked:
        first, last = int(asked[1]), int(asked[2] or len(body) - 1)
        handler.send_response(206)
        handler.send_header("Content-Range", f"bytes {first}-{last}/{len(body)}")
        body = body[first:last + 1]
    else:
        handler.send_response(200)
    for name, value in ({"Content-Length": str(len(body))} | more).items():
        if value is not None:
            handler.send_header(name.replace("_", "-"), value)
    handler.end_headers()
    return body


def whole(handler, body, _):
    if body is None:
        handler.send_error(404)
    else:
        handler.wfile.write(head(handler, body))


def cut_at(count):
    """Says how long the body is, sends `count` bytes of it, and hangs up."""
    def rule(handler, body, _):
        handler.wfile.write(head(handler, body)[:count])
        handler.close_connection = True
    return rule


def held_at(count, held=None):
    """Sends `count` bytes and then nothing, with the connection open. `held` is set when it has come to that."""
    def rule(handler, body, over):
        handler.wfile.write(head(handler, body)[:count])
        handler.wfile.flush()
        if held:
            held.set()
        over.wait(120)
        handler.close_connection = True
    return rule


def dripping(handler, body, over):
    """Sends twenty bytes a second, one at a time."""
    for byte in head(handler, body):
        if over.wait(0.05):
            break
        handler.wfile.write(bytes([byte]))
    handler.close_connection = True


def endless(handler, body, over):
    """Begins like the file, does not say how long it is, and never ends."""
    handler.send_response(200)
    handler.send_header("Connection", "close")
    handler.end_headers()
    handler.wfile.write(body)
    while not over.is_set():
        handler.wfile.write(b" " * 65536)
    handler.close_connection = True


def oversized(count):
    """Says that it is `count` bytes long, and is."""
    def rule(handler, body, _):
        handler.wfile.write(head(handler, body.ljust(count)))
    return rule


def changed(handler, body, _):
    """The right length, and one wrong bit."""
    wrong = bytearray(body)
    wrong[len(wrong) // 2] ^= 1
    handler.wfile.write(head(handler, bytes(wrong)))


def packed(handler, body, _):
    """A coding that nobody asked for."""
    handler.wfile.write(head(handler, body, Content_Encoding="gzip"))


def endless_though_missing(handler, _, over):
    """A file that there should not be, and that never ends."""
    endless(handler, b"{", over)


def with_fields(**more):
    """The file, and each of these fields besides the right ones as often as it has values."""
    def rule(handler, body, over):
        if body is None:
            whole(handler, body, over)
            return
        handler.send_response(200)
        for name, values in ({"Content_Length": [str(len(body))]} | more).items():
            for value in values:
                handler.send_header(name.replace("_", "-"), value)
        handler.end_headers()
        handler.wfile.write(body)
    return rule


def odd_chunks(handler, *_):
    """A chunk whose length is a word."""
    handler.send_response(200)
    handler.send_header("Transfer-Encoding", "chunked")
    handler.end_headers()
    handler.wfile.write(b"five\r\nhello\r\n0\r\n\r\n")


def page(handler, *_):
    """A page, and status 200, for what is not there."""
    handler.wfile.write(head(handler, b"<!DOCTYPE html><html><body>Not found</body></html>"))
