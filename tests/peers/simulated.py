"""A repository in memory, made of plain dictionaries that securesystemslib signs, so that anything can be published,
also what no tool would write; a server that remembers what it was asked for; and the test client in front of it.
"""

import contextlib
import hashlib
import json
import os
import subprocess
import threading
from datetime import datetime, timedelta, timezone
from http.server import BaseHTTPRequestHandler
from urllib.parse import quote

from place import PATIENCE, need
from rough import Server
from securesystemslib.formats import encode_canonical
from securesystemslib.signer import CryptoSigner
from test_client import CLIENT, Client

ROLES = ("root", "timestamp", "snapshot", "targets")
NOW = datetime.now(timezone.utc).replace(microsecond=0)


def in_days(days):
    return (NOW + timedelta(days=days)).strftime("%Y-%m-%dT%H:%M:%SZ")


def new_key():
    return CryptoSigner.generate_ed25519()


class Repository:
    """All four roles, published once. `hashes`: what is listed has lengths and hashes too."""

    def __init__(self, *, consistent=True, hashes=False):
        self.hashes, self.files, self.signers = hashes, {}, {}
        common = {"spec_version": "1.0.31", "version": 1, "expires": in_days(30)}
        self.signed = {
            "root": {"_type": "root", "consistent_snapshot": consistent, "keys": {}, "roles": {}} | common,
            "timestamp": {"_type": "timestamp", "meta": {}} | common,
            "snapshot": {"_type": "snapshot", "meta": {}} | common,
            "targets": {"_type": "targets", "targets": {}} | common,
        }
        for role in ROLES:
            self.keys(role, [new_key()])
        for role in ("root", "targets", "snapshot", "timestamp"):
            self.put(role)
        self.root = self.files["metadata/1.root.json"]

    def keys(self, role, signers, threshold=1, signed_by=None):
        """Gives a top-level role other keys; `signed_by` says who really signs, where that is somebody else."""
        root = self.signed["root"]
        root["keys"] |= {key.public_key.keyid: key.public_key.to_dict() for key in signers}
        root["roles"][role] = {"keyids": [key.public_key.keyid for key in signers], "threshold": threshold}
        self.signers[role] = signers if signed_by is None else signed_by

    def publish(self, *roles):
        """The next version of these roles, in this order; of all but root where none is named."""
        for role in roles or ("targets", "snapshot", "timestamp"):
            self.signed[role]["version"] += 1
            self.put(role)

    def put(self, role, *, served_as=None, listed=True):
        """Signs a role as it is, serves it, and lists it in the role above."""
        signed = self.signed[role]
        data = self.envelope(signed, self.signers[role])
        self.files[served_as or self.name(role)] = data
        above = {"root": None, "timestamp": None, "snapshot": "timestamp"}.get(role, "snapshot")
        if above and listed:
            entry = {"version": signed["version"]}
            if self.hashes:
                entry |= {"length": len(data), "hashes": {"sha256": hashlib.sha256(data).hexdigest()}}
            self.signed[above]["meta"][f"{role}.json"] = entry
        return data

    @staticmethod
    def envelope(signed, signers):
        payload = encode_canonical(signed).encode()
        signatures = [signer.sign(payload).to_dict() for signer in signers]
        return json.dumps({"signatures": signatures, "signed": signed}, indent=1).encode()

    def name(self, role):
        """Where a role's current version is served."""
        signed = self.signed[role]
        prefixed = role == "root" or (self.signed["root"]["consistent_snapshot"] and role != "timestamp")
        return f"metadata/{str(signed['version']) + '.' if prefixed else ''}{quote(role, safe='')}.json"

    def edit(self, role, change):
        """Changes what is served of a role, behind the back of its signers."""
        whole = json.loads(self.files[self.name(role)])
        change(whole)
        self.files[self.name(role)] = json.dumps(whole).encode()

    def add(self, path, data, role="targets", algorithms=("sha256",)):
        """Lists a target in a role, and serves it under every name that a client may choose."""
        hashes = {name: hashlib.new(name, data).hexdigest() for name in algorithms}
        self.signed[role]["targets"][path] = {"length": len(data), "hashes": hashes}
        folder, slash, name = path.rpartition("/")
        for served in [f"{digest}.{name}" for digest in hashes.values()] + [name]:
            self.files[f"targets/{quote(folder)}{slash}{quote(served)}"] = data

    def delegate(self, role, by="targets", *, signer=None, terminating=False, expires=30, **covers):
        """Adds a delegation, last in its list, and the role itself where it is new."""
        above = self.signed[by].setdefault("delegations", {"keys": {}, "roles": []})
        self.signers.setdefault(role, [signer or new_key()])
        [signer] = self.signers[role]
        above["keys"][signer.public_key.keyid] = signer.public_key.to_dict()
        above["roles"].append({"name": role, "keyids": [signer.public_key.keyid], "threshold": 1,
                               "terminating": terminating} | (covers or {"paths": ["*"]}))
        self.signed.setdefault(role, {"_type": "targets", "spec_version": "1.0.31", "version": 1,
                                      "expires": in_days(expires), "targets": {}})

    def publish_delegations(self):
        """Publishes all delegated roles as they are, and the next version of everything above them."""
        for role in self.signed.keys() - set(ROLES):
            self.put(role)
        self.publish()


class Served:
    """Serves a repository, and keeps what was asked for, letter by letter."""

    def __init__(self, place, repository):
        self.requests, self.absent = [], 404
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self):
                outer.requests.append(self.path)
                body = repository.files.get(self.path.lstrip("/"))
                with contextlib.suppress(ConnectionError):
                    self.send_response(outer.absent if body is None else 200)
                    self.send_header("Content-Length", str(len(body or b"")))
                    self.end_headers()
                    self.wfile.write(body or b"")

            def log_message(self, *_):
                pass

        self.server = Server(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/"
        threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        place.undo.callback(self.server.server_close)
        place.undo.callback(self.server.shutdown)


class Watched(Client):
    """The test client, and what it asks for."""

    def __init__(self, place, repository, name="client"):
        self.served = Served(place, repository)
        super().__init__(place, repository, self.served.url, name=name)

    def refreshes(self, *, in_days=0):
        """Whether `refresh` went well."""
        return self._went_well(["refresh"], in_days)

    def downloads(self, *names, in_days=0):
        """Whether `download` went well."""
        words = [word for name in names for word in ("--target-name", name)]
        where = ["--target-dir", self.targets, "--target-base-url", f"{self.url}targets/"]
        return self._went_well([*words, *where, "download"], in_days)

    def _went_well(self, words, days):
        options = ["--metadata-url", f"{self.url}metadata/", "--metadata-dir", self.metadata]
        words = [CLIENT, *map(str, [*options, *words])]
        if days:
            words = [need("faketime", "faketime"), f"{NOW + timedelta(days=days):%F %T}", *words]
        self.served.requests.clear()
        done = subprocess.run(words, capture_output=True, text=True, timeout=PATIENCE, check=False,
                              env=os.environ | {"TZ": "UTC"})
        self.said = done.stderr
        assert done.returncode in (0, 1), f"exit {done.returncode}: {self.said}"
        return done.returncode == 0

    def asked(self, folder="metadata"):
        """What it asked for in a folder since its last start, in order."""
        return [path.removeprefix(f"/{folder}/") for path in self.served.requests if path.startswith(f"/{folder}/")]

    def trusts(self):
        """The versions in its folder, by role, as far as the names of files say."""
        found = {path.stem: json.loads(path.read_bytes())["signed"]["version"] for path in self.metadata.iterdir()}
        return [found.pop(role, 0) for role in ROLES] + list(found.values())

    def has(self):
        """What it has downloaded."""
        return sorted(path.read_bytes() for path in self.targets.rglob("*") if path.is_file())


def start(place, **options):
    """A repository, and a client that was given its first root."""
    repo = Repository(**options)
    return repo, Watched(place, repo)


def refreshed(place, **options):
    """The same, with a client that has what is published."""
    repo, client = start(place, **options)
    assert client.refreshes(), client.said
    return repo, client


def refused(client, word=""):
    assert not client.refreshes(), "it did not refuse"
    assert word in client.said, f"it does not say {word!r}: {client.said}"
