"""The network between a device and a repository, in the hands of an attacker: it may answer anything to anyone.

An honest network serves `files`. A rule says what happens to a path that has a given word in it.
"""

import contextlib
import itertools
import ssl
import threading
from http.server import BaseHTTPRequestHandler
from urllib.parse import unquote

from rough import Server, whole

PORTAL = b"<!DOCTYPE html><html><head><title>Welcome</title></head><body>Please log in to go on.</body></html>\n"


class Network:
    """A web server on a free port of this machine, for files that are held in memory; with TLS if given a chain."""

    def __init__(self, place, files, tls=None):
        self.scheme = "https" if tls else "http"
        self.files, self.rules, self.over = files, {}, threading.Event()
        self.requests = []
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self):
                path = unquote(self.path).lstrip("/")
                outer.requests.append(path)
                rule = next((rule for word, rule in outer.rules.items() if word in path), whole)
                # Whoever has seen enough hangs up.
                with contextlib.suppress(ConnectionError):
                    rule(self, outer.files.get(path), outer.over)

            def log_message(self, *_):
                pass

        self.server = Server(("127.0.0.1", 0), Handler)
        if tls:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(tls.certificates, tls.key)
            self.server.socket = context.wrap_socket(self.server.socket, server_side=True,
                                                     do_handshake_on_connect=False)
        threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        place.undo.callback(self.stop)

    @property
    def url(self):
        return f"{self.scheme}://127.0.0.1:{self.server.server_port}/"

    def stop(self):
        self.over.set()
        self.server.shutdown()
        self.server.server_close()


def sends(data, **headers):
    """These bytes in the place of whatever was asked for."""
    def rule(handler, _body, _over):
        answer(handler, 200, data, headers)
    return rule


def says(status, **headers):
    """A status and a page that nobody asked for."""
    def rule(handler, _body, _over):
        answer(handler, status, PORTAL if status not in (204, 304) else b"", headers)
    return rule


def answer(handler, status, data, headers):
    handler.send_response(status)
    for name, value in ({"Content-Length": str(len(data))} | headers).items():
        handler.send_header(name.replace("_", "-"), value)
    handler.end_headers()
    handler.wfile.write(data)


def silent(handler, _body, over):
    """Takes the request, and nothing comes, with the connection open."""
    over.wait(60)
    handler.close_connection = True


def hangs_up(handler, _body, _over):
    """Takes the request and says nothing at all."""
    handler.close_connection = True


def leads_to(url):
    """A redirect to the same path elsewhere."""
    def rule(handler, _body, _over):
        answer(handler, 302, b"", {"Location": url + handler.path.lstrip("/")})
    return rule


def endless(head):
    """An answer that never ends. `head` is what it says of its length: nothing, a lie, or that it comes in chunks."""
    def rule(handler, body, over):
        handler.send_response(200)
        for name, value in head.items():
            handler.send_header(name, value)
        handler.end_headers()
        handler.close_connection = True
        chunked = "Transfer-Encoding" in head
        spaces = b" " * 65536
        handler.wfile.write(b"" if chunked else (body or b"{"))
        while not over.is_set():
            handler.wfile.write(b"10000\r\n" + spaces + b"\r\n" if chunked else spaces)
    return rule


def endless_after(first, more):
    """These bytes of HTTP, and then these others again and again."""
    def rule(handler, _body, over):
        handler.close_connection = True
        handler.wfile.write(first)
        while not over.is_set():
            handler.wfile.write(more * 1000)
    return rule


def head_in_drops(handler, _body, over):
    """The headers come a letter at a time, each in time, and never end."""
    handler.close_connection = True
    handler.send_response(200)
    handler.flush_headers()
    for letter in itertools.cycle(b"X-More: x\r\n"):
        if over.wait(0.05):
            break
        handler.wfile.write(bytes([letter]))


def poisoned_until(count, evil):
    """Bytes of the attacker's up to there; then it hangs up. Whoever goes on elsewhere has them in the file."""
    def rule(handler, body, over):
        if handler.headers.get("Range", "").startswith("bytes=4096-"):
            handler.send_response(206)
            handler.send_header("Content-Range", f"bytes 4096-{len(body) - 1}/{len(body)}")
            handler.send_header("Content-Length", str(len(body) - 4096))
            handler.end_headers()
            handler.wfile.write(evil[4096:count])
            handler.close_connection = True
        else:
            whole(handler, body, over)
    return rule


def another_range(handler, body, _over):
    """Whichever bytes are asked for, others come."""
    piece = body[:4096]
    headers = {"Content-Range": f"bytes 8192-{8191 + len(piece)}/{len(body)}"}
    answer(handler, 206, piece, headers)
