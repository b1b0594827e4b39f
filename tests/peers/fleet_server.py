"""A real fleet server: goosebit, started on a free port, with a user, devices, software and roll-outs made by its own interface."""

import importlib.util
import json
import os
import socket
import subprocess
import sys
import urllib.parse
import urllib.request
from pathlib import Path

from place import Skip, end, wait_until

HERE = Path(__file__).resolve().parent


def package(version, board="gate-1"):
    """A software package as goosebit reads it: the head of a cpio archive, and a description. It holds no image: those come
    from the repository."""
    description = f'software = {{ version = "{version}"; {board} = {{ hardware-compatibility: ["default"]; }}; }}\n'.encode()
    name = b"sw-description\0"
    fields = [0, 0o100644, 0, 0, 1, 0, len(description), 0, 0, 0, 0, len(name), 0]
    head = b"070701" + b"".join(b"%08X" % field for field in fields)
    return head + name + bytes(-(len(head) + len(name)) % 4) + description


class Goosebit:
    """The server. Devices must show the token that was given to them."""

    def __init__(self, place, poll_time="00:00:02"):
        if importlib.util.find_spec("goosebit") is None:
            raise Skip("needs goosebit: tests/peers/requirements.txt")
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        folder = place.path("goosebit")
        folder.mkdir()
        environment = {**os.environ, "GOOSEBIT_DB_URI": f"sqlite:///{folder}/db.sqlite3",
                       "GOOSEBIT_ARTIFACTS_DIR": str(folder / "artifacts"), "GOOSEBIT_POLL_TIME": poll_time,
                       "GOOSEBIT_DEVICE_AUTH__ENABLE": "true", "GOOSEBIT_DEVICE_AUTH__MODE": "strict"}
        self.said = folder / "said"
        with open(self.said, "w", encoding="utf-8") as said:
            process = subprocess.Popen([sys.executable, HERE / "tools/goosebit_server.py", str(self.port)], cwd=folder,
                                       env=environment, stdout=said, stderr=said)
        place.undo.callback(end, process)
        wait_until(lambda: process.poll() is not None or self._listens(), "goosebit listens")
        assert process.poll() is None, self.said.read_text()
        self.key = None
        form = urllib.parse.urlencode({"username": "maker@example.org", "password": "a long password"}).encode()
        self.key = self._ask("POST", "/setup", form, "application/x-www-form-urlencoded")["access_token"]

    @property
    def url(self):
        return f"http://127.0.0.1:{self.port}/"

    def _listens(self):
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0

    def _ask(self, method, path, body=None, kind="application/json"):
        headers = {"Content-Type": kind}
        if self.key:
            headers["Authorization"] = f"Bearer {self.key}"
        request = urllib.request.Request(self.url + path.lstrip("/"), data=body, headers=headers, method=method)
        with urllib.request.urlopen(request, timeout=60) as answer:
            return json.load(answer)

    def add_device(self, name, token):
        self._ask("PUT", "/api/v1/devices", json.dumps({"devices": [name], "auth_token": token}).encode())

    def force(self, name):
        """A device that failed is given its software once more."""
        self._ask("PATCH", "/api/v1/devices", json.dumps({"devices": [name], "force_update": True}).encode())

    def roll_out(self, version):
        """Makes a version known, and rolls it out to all devices."""
        border = "komainu-border"
        head = f'--{border}\r\nContent-Disposition: form-data; name="file"; filename="{version}.swu"\r\n' \
            "Content-Type: application/octet-stream\r\n\r\n"
        body = head.encode() + package(version) + f"\r\n--{border}--\r\n".encode()
        software = self._ask("PUT", "/api/v1/software", body, f"multipart/form-data; boundary={border}")["id"]
        rollout = {"name": version, "feed": "default", "software_id": software}
        self._ask("PUT", "/api/v1/rollouts", json.dumps(rollout).encode())

    def device(self, name):
        return self._ask("GET", f"/api/v1/devices/{name}")

    def heard(self, name):
        """What the device has told about its action."""
        return self._ask("GET", f"/api/v1/devices/{name}/log")["log"] or ""

    def counts(self):
        """Successes and failures of the last roll-out."""
        rollout = self._ask("GET", "/api/v1/rollouts")["rollouts"][-1]
        return rollout["success_count"], rollout["failure_count"]
