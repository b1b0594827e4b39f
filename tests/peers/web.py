"""A web server: Debian's nginx on a free port of this machine, with its own folder for everything it writes."""

import json
import os
import pwd
import signal
import socket
import subprocess

from place import PATIENCE, end, need, wait_until

CONFIG = """
daemon off;
{user}
worker_processes 1;
pid {folder}/nginx.pid;
error_log {folder}/error.log warn;
events {{ worker_connections 64; }}
http {{
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    default_type application/octet-stream;
    log_format facts escape=json '{{"status": $status, "path": "$uri", "range": "$http_range", '
        '"tag": "$http_if_none_match", "since": "$http_if_modified_since", '
        '"asked_bytes": $request_length, "sent_bytes": $bytes_sent, "tls": "$ssl_protocol"}}';
    access_log {folder}/access.log facts;
    server {{
        listen 127.0.0.1:{port}{ssl};
        root {root};
        {tls}
        {extra}
    }}
}}
"""


def tls_lines(chain, protocols="TLSv1.3"):
    return f"ssl_certificate {chain.certificates}; ssl_certificate_key {chain.key}; ssl_protocols {protocols};"


class Web:
    """nginx in front of a folder. `tls` and `extra` are lines for its `server` block."""

    def __init__(self, place, root, *, tls="", extra="", host="127.0.0.1", name="web"):
        self.nginx = need("nginx", "nginx-light")
        self.place, self.root, self.tls, self.host = place, root, tls, host
        self.folder = place.path(name)
        self.folder.mkdir()
        self.process, self.port = None, 0
        self.place.undo.callback(self.stop)
        self.start(extra)

    @property
    def url(self):
        return f"{'https' if self.tls else 'http'}://{self.host}:{self.port}/"

    def start(self, extra="", tls=None):
        """Starts it, or starts it anew with other lines, on the same port; the access log begins empty."""
        self.stop()
        self.tls = self.tls if tls is None else tls
        (self.folder / "access.log").unlink(missing_ok=True)
        for _ in range(5):
            self._start(extra)
            wait_until(lambda: self.process.poll() is not None or self._listens(), "nginx listens")
            if self.process.poll() is None:
                return
            # Somebody else was quicker to take the port.
            self.port = 0
        raise AssertionError(f"nginx does not start: {(self.folder / 'error.log').read_text()}")

    def _start(self, extra):
        with socket.socket() as free:
            free.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            free.bind(("127.0.0.1", self.port))
            self.port = free.getsockname()[1]
        user = f"user {pwd.getpwuid(os.getuid()).pw_name};" if os.geteuid() == 0 else ""
        config = CONFIG.format(folder=self.folder, port=self.port, root=self.root, user=user, tls=self.tls,
                               ssl=" ssl" if self.tls else "", extra=extra)
        file = self.folder / "nginx.conf"
        file.write_text(config)
        words = [self.nginx, "-e", self.folder / "error.log", "-p", self.folder, "-c", file]
        self.process = subprocess.Popen([str(word) for word in words], stdout=subprocess.DEVNULL,
                                        stderr=subprocess.DEVNULL)

    def _listens(self):
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0

    def stop(self, seconds=3):
        """Ends it after what it is doing, if that takes no longer; after that its access log is complete."""
        if self.process and self.process.poll() is None:
            self.process.send_signal(signal.SIGQUIT)
            try:
                self.process.wait(seconds)
            except subprocess.TimeoutExpired:
                # A slow answer that nobody reads any more.
                end(self.process)

    def requests(self):
        """Every request since the start, in order. Ends the server: only then the log is complete."""
        self.stop(PATIENCE)
        lines = (self.folder / "access.log").read_text().splitlines()
        return [json.loads(line) for line in lines]
