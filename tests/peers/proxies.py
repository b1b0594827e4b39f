"""Proxies of Debian, each on a free port, with its own folder for everything it writes."""

import os
import shutil
import socket
import subprocess

from place import end, need, wait_until

TINYPROXY = """
Port {port}
Listen 127.0.0.1
Timeout 60
LogFile "{folder}/log"
LogLevel Connect
PidFile "{folder}/pid"
MaxClients 20
Allow 127.0.0.1
{extra}
"""
SQUID = """
http_port 127.0.0.1:{port}
http_access allow all
cache deny all
access_log stdio:{folder}/log
cache_log {folder}/cache.log
pid_filename none
coredump_dir {folder}
{user}
shutdown_lifetime 0 seconds
{extra}
"""
# In front of a server: it says 103 before every answer.
HAPROXY = """
defaults
    mode http
    timeout connect 60s
    timeout client 60s
    timeout server 60s
frontend in
    bind 127.0.0.1:{port}
    http-request early-hint Link "</style.css>; rel=preload"
    default_backend out
backend out
    server one {extra}
"""


class Proxy:
    """One that listens. What it has seen is in its log."""

    def __init__(self, place, name, words, config, extra=""):
        self.folder = place.path(name)
        self.folder.mkdir()
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        file, user = self.folder / "config", ""
        if os.geteuid() == 0 and config is SQUID:
            # It does not run as root.
            user = "cache_effective_user nobody"
            place.folder.chmod(0o755)
            shutil.chown(self.folder, "nobody")
        file.write_text(config.format(folder=self.folder, port=self.port, extra=extra, user=user))
        with open(self.folder / "said", "w", encoding="utf-8") as said:
            self.process = subprocess.Popen([*words, str(file)], stdout=said, stderr=said)
        place.undo.callback(end, self.process)
        wait_until(lambda: self.process.poll() is not None or self._listens(), f"{name} listens")
        assert self.process.poll() is None, f"{name} does not start: {(self.folder / 'said').read_text()}"

    def _listens(self):
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0

    def url(self, login=""):
        return f"http://{login}127.0.0.1:{self.port}"

    def log(self):
        file = self.folder / "log"
        return file.read_text() if file.exists() else ""


def tinyproxy(place, extra=""):
    return Proxy(place, "tinyproxy", [need("tinyproxy", "tinyproxy-bin"), "-d", "-c"], TINYPROXY, extra)


def squid(place):
    return Proxy(place, "squid", [need("squid", "squid"), "-n", f"komainu{os.getpid()}", "-N", "-f"], SQUID)


def haproxy(place, port):
    return Proxy(place, "haproxy", [need("haproxy", "haproxy"), "-db", "-f"], HAPROXY, f"127.0.0.1:{port}")
