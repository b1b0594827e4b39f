"""A stand-in for a fleet server, made of Python's http.server: it gives the answers that a real server gives rarely, or never.

What a real server does is shown with `fleet_server.py`.
"""

import http.server
import json
import threading
import time


class StandIn:
    """Answers every request for the device by what the test has put in place, and remembers what it was told."""

    def __init__(self, place):
        self.links, self.sleep = {}, "00:00:01"
        #: Answers by the end of a path: (status, headers, body). `None`: what a good server answers.
        self.answers = {}
        #: All requests: (time, method, path, body as JSON or None, headers).
        self.requests = []
        stand_in = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self):
                stand_in.answer(self)

            do_POST = do_PUT = do_GET

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        # A client that hangs up has heard enough.
        self.server.handle_error = lambda *_: None
        self.server.daemon_threads = True
        place.undo.callback(self.server.server_close)
        place.undo.callback(self.server.shutdown)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    @property
    def url(self):
        return f"http://127.0.0.1:{self.server.server_port}/"

    def answer(self, handler):
        body = handler.rfile.read(int(handler.headers.get("Content-Length") or 0))
        path = handler.path.split("?")[0].removeprefix("/DEFAULT/controller/v1/peer")
        self.requests.append((time.monotonic(), handler.command, path, json.loads(body) if body else None, handler.headers))
        code, headers, answer = self.answers.get(path) or (200, {}, self.good(handler.command, path))
        handler.send_response(code)
        true = {"Content-Type": "application/json", "Content-Length": str(len(answer))}
        for name, value in {**true, **headers}.items():
            handler.send_header(name, value)
        handler.end_headers()
        handler.wfile.write(answer)

    def good(self, method, path):
        if method != "GET":
            return b"{}"
        if path == "":
            # A server behind a proxy does not know its own address.
            links = {name: {"href": f"http://inside.example/DEFAULT/controller/v1/peer/{rest}"}
                     for name, rest in self.links.items()}
            return json.dumps({"config": {"polling": {"sleep": self.sleep}}, "_links": links}).encode()
        return b"{}"

    def assign(self, action, version, **words):
        """Shows an action; `words` are further ones of its description."""
        self.links["deploymentBase"] = f"deploymentBase/{action}?c=1"
        deployment = {"download": "forced", "update": "forced", **words,
                      "chunks": [{"part": "os", "version": version, "name": "firmware", "artifacts": []}]}
        body = json.dumps({"id": str(action), "deployment": deployment}).encode()
        self.answers[f"/deploymentBase/{action}"] = (200, {}, body)

    def withdraw(self, action):
        """Wants an action back."""
        self.links = {"cancelAction": f"cancelAction/{action}"}
        body = json.dumps({"id": str(action), "cancelAction": {"stopId": str(action)}}).encode()
        self.answers[f"/cancelAction/{action}"] = (200, {}, body)

    def polls(self):
        """The times of all polls."""
        return [at for at, method, path, *_ in list(self.requests) if (method, path) == ("GET", "")]

    def told(self, about, action):
        """The words about an action, in order."""
        return [body for _, method, path, body, _ in list(self.requests)
                if method == "POST" and path == f"/{about}/{action}/feedback"]

    def executions(self, action):
        """How far the action was said to be, and how it ended: `closed/success`."""
        said = [body["status"] for body in self.told("deploymentBase", action)]
        return [f"{status['execution']}/{status['result']['finished']}" for status in said]
