"""Where a maker publishes to: s3s-fs, an S3-compatible store, and Debian's sshd, each on a free port of this machine with
its own folder for everything it writes; and what stands between them and the maker.
"""

import datetime
import getpass
import hashlib
import hmac
import http.client
import http.server
import os
import socket
import subprocess
import threading
from pathlib import Path
from urllib.parse import quote

from place import ROOT, Skip, command, end, need, wait_until

S3S_FS = ROOT / "work/cargo-tools/bin/s3s-fs"
KEY_ID, SECRET, REGION, BUCKET = "AKIDPEERS", "a secret of the peers", "eu-peers-1", "updates"


def free_port():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


def listens(port):
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


class Store:
    """s3s-fs with one bucket. It keeps objects as files, so that a web server can show its folder."""

    def __init__(self, place, name="store"):
        if not S3S_FS.is_file():
            raise Skip("needs s3s-fs: tests/setup installs it")
        self.folder, self.port = place.path(name), free_port()
        (self.folder / BUCKET).mkdir(parents=True)
        words = [S3S_FS, "--host", "127.0.0.1", "--port", self.port, "--access-key", KEY_ID, "--secret-key", SECRET,
                 self.folder]
        with open(place.path(f"{name}-said"), "w", encoding="utf-8") as said:
            process = subprocess.Popen([str(word) for word in words], stdout=said, stderr=said)
        place.undo.callback(end, process)
        wait_until(lambda: process.poll() is not None or listens(self.port), "s3s-fs listens")
        assert process.poll() is None, "s3s-fs does not start"

    def file(self, key):
        return self.folder / BUCKET / key

    def get(self, key):
        """Status, headers and bytes, as another client of S3 reads them."""
        path = quote(f"/{BUCKET}/{key}")
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        connection.request("GET", path, headers=signed("GET", path, f"127.0.0.1:{self.port}"))
        answer = connection.getresponse()
        return answer.status, {name.lower(): value for name, value in answer.getheaders()}, answer.read()


def signed(method, path, host):
    """The headers of a request without a body, signed as AWS describes it (Signature Version 4)."""
    now = datetime.datetime.now(datetime.timezone.utc)
    date, moment = now.strftime("%Y%m%d"), now.strftime("%Y%m%dT%H%M%SZ")
    body = hashlib.sha256(b"").hexdigest()
    headers = {"host": host, "x-amz-content-sha256": body, "x-amz-date": moment}
    names = ";".join(headers)
    request = "\n".join([method, path, "", *(f"{name}:{value}" for name, value in headers.items()), "", names, body])
    scope = f"{date}/{REGION}/s3/aws4_request"
    text = "\n".join(["AWS4-HMAC-SHA256", moment, scope, hashlib.sha256(request.encode()).hexdigest()])
    key = f"AWS4{SECRET}".encode()
    for word in (date, REGION, "s3", "aws4_request"):
        key = hmac.new(key, word.encode(), hashlib.sha256).digest()
    signature = hmac.new(key, text.encode(), hashlib.sha256).hexdigest()
    return {**headers, "authorization": f"AWS4-HMAC-SHA256 Credential={KEY_ID}/{scope}, SignedHeaders={names}, "
                                        f"Signature={signature}"}


def environment(port, secret=SECRET):
    """What a maker sets to reach a store."""
    home = {"AWS_SHARED_CREDENTIALS_FILE": "/nonexistent", "AWS_CONFIG_FILE": "/nonexistent", "AWS_SESSION_TOKEN": ""}
    return {**os.environ, **home, "AWS_ENDPOINT_URL": f"http://127.0.0.1:{port}", "AWS_REGION": REGION,
            "AWS_ACCESS_KEY_ID": KEY_ID, "AWS_SECRET_ACCESS_KEY": secret}


class Between:
    """A stand-in for a store with faults: it passes requests on to s3s-fs, but where a rule says otherwise.

    `rules` are pairs of a word in a path and a function of (handler, body), for writes alone. It notes all writes.
    """

    def __init__(self, place, store):
        self.store, self.rules, self.writes = store, {}, []
        between = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            store = between.store

            def answer(self, status, headers, body):
                self.send_response(status)
                for name, value in headers:
                    if name.lower() not in ("content-length", "transfer-encoding", "connection", "date", "server"):
                        self.send_header(name, value)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def pass_on(self, body=b""):
                connection = http.client.HTTPConnection("127.0.0.1", between.store.port, timeout=60)
                connection.putrequest(self.command, self.path, skip_host=True, skip_accept_encoding=True)
                for name, value in self.headers.items():
                    connection.putheader(name, value)
                connection.endheaders(body)
                answer = connection.getresponse()
                self.answer(answer.status, answer.getheaders(), answer.read())

            def do_GET(self):
                self.pass_on()

            def do_PUT(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                self.key = self.path.split("?")[0].removeprefix(f"/{BUCKET}/")
                between.writes.append((self.key, dict(self.headers)))
                for word, rule in between.rules.items():
                    if word in self.key:
                        rule(self, body)
                        return
                self.pass_on(body)

            def log_message(self, *_):
                pass

        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        server.daemon_threads = True
        self.port = server.server_address[1]
        threading.Thread(target=server.serve_forever, daemon=True).start()
        place.undo.callback(server.server_close)
        place.undo.callback(server.shutdown)


def loses(handler, _body):
    """Says that it has taken it, and has not."""
    handler.answer(200, [("ETag", '"lost"')], b"")


def truncates(handler, body):
    """Keeps the first half, and says that all is well."""
    file = handler.store.file(handler.key)
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(body[:len(body) // 2])
    handler.answer(200, [("ETag", '"half"')], b"")


def answers(status, code):
    """Refuses with a code, as a store does."""
    body = f"<Error><Code>{code}</Code><Message>So it is</Message></Error>".encode()
    return lambda handler, _body: handler.answer(status, [], body)


class Line:
    """A slow line: it carries what one side sends up to so many bytes, and no more until it is opened."""

    def __init__(self, place, port, bytes_most):
        self.to, self.left, self.open = port, bytes_most, threading.Event()
        self.full, self.cut = threading.Event(), threading.Event()
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        place.undo.callback(self.listener.close)
        place.undo.callback(self.open.set)
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            try:
                one, _ = self.listener.accept()
            except OSError:
                return
            other = socket.create_connection(("127.0.0.1", self.to))
            threading.Thread(target=self._carry, args=(one, other, True), daemon=True).start()
            threading.Thread(target=self._carry, args=(other, one, False), daemon=True).start()

    def _carry(self, one, other, counted):
        try:
            while piece := one.recv(16384):
                if counted:
                    self.left -= len(piece)
                    if self.left < 0:
                        self.full.set()
                        self._wait()
                other.sendall(piece)
        except OSError:
            pass
        for side in (one, other):
            try:
                side.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass

    def _wait(self):
        """Until it is opened, or cut: that the sender is gone does not show while there is something left to read."""
        while not self.open.wait(0.05):
            if self.cut.is_set():
                raise OSError("the line is cut")


class SshServer:
    """sshd with a temporary key, to which only the key of the test opens."""

    def __init__(self, place):
        sshd = need("sshd", "openssh-server")
        for program, package in (("rsync", "rsync"), ("ssh", "openssh-client")):
            need(program, package)
        folder = place.path("sshd")
        folder.mkdir()
        for name in ("host", "maker"):
            command("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", folder / name)
        if os.geteuid() == 0:
            Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)
        self.port, self.folder = free_port(), folder
        config = folder / "config"
        config.write_text(f"Port {self.port}\nListenAddress 127.0.0.1\nHostKey {folder}/host\nPidFile none\nUsePAM no\n"
                          f"AuthorizedKeysFile {folder}/maker.pub\nStrictModes no\nPasswordAuthentication no\n"
                          "PermitRootLogin prohibit-password\n")
        with open(folder / "said", "w", encoding="utf-8") as said:
            process = subprocess.Popen([sshd, "-D", "-e", "-f", str(config)], stdout=said, stderr=said)
        place.undo.callback(end, process)
        wait_until(lambda: process.poll() is not None or listens(self.port), "sshd listens")
        assert process.poll() is None, f"sshd does not start: {(folder / 'said').read_text()}"

    def environment(self):
        """What a maker sets, or has in the settings of ssh."""
        words = ["ssh", "-F", "none", "-i", self.folder / "maker", "-o", "BatchMode=yes", "-o", "StrictHostKeyChecking=accept-new",
                 "-o", f"UserKnownHostsFile={self.folder}/known", "-o", "ControlMaster=no"]
        return {**os.environ, "RSYNC_RSH": " ".join(str(word) for word in words)}

    def destination(self, folder, port=None):
        return f"ssh://{getpass.getuser()}@127.0.0.1:{port or self.port}{folder}"
