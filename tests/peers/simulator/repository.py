"""A repository made with python-tuf and held in memory; and the same in the hands of somebody with stolen keys."""

import copy
import hashlib
import json
from datetime import timedelta

from chains import NOW
from device import image
from securesystemslib.signer import CryptoSigner
from tuf.api.metadata import (DelegatedRole, Delegations, Metadata, MetaFile, Root, Snapshot, TargetFile, Targets,
                              Timestamp)

BOARD, MANIFEST = "gate-1", "boards/gate-1/stable.json"
SIZES = {"kernel": 70_000, "rootfs": 200_001}
# What komainu-maker has when it is not told otherwise.
DAYS = {"root": 730, "targets": 365, "snapshot": 30, "timestamp": 7}
BELOW = ["targets", "snapshot", "timestamp"]
ONLINE = {"snapshot", "timestamp"}


def new_key(role):
    return CryptoSigner.generate_ed25519() if role in ONLINE else CryptoSigner.generate_ecdsa()


class Repository:
    """Two of three keys sign root, one key each the other roles. `files` is what a web server has, by path."""

    def __init__(self, *, hashes=True, delegated=False):
        self.hashes, self.now, self.files = hashes, NOW.replace(microsecond=0), {}
        # The hashes of everything that was ever published here, what was replaced since included.
        self.ever = set()
        self.signers = {role: [new_key(role) for _ in range(3 if role == "root" else 1)] for role in DAYS}
        root = Root(consistent_snapshot=True)
        for role, signers in self.signers.items():
            for signer in signers:
                root.add_key(signer.public_key, role)
        root.roles["root"].threshold = 2
        # Which key of root an index of `signers` stands for: a thief has other signers, and root the same keys.
        self.key_ids = {role: [signer.public_key.keyid for signer in signers] for role, signers in self.signers.items()}
        # Nothing was published yet: the first publication is version 1.
        self.roles = {"root": root, "timestamp": Timestamp(version=1), "snapshot": Snapshot(version=1),
                      "targets": Targets(version=1)}
        self.lists, self.below = "targets", BELOW
        if delegated:
            self.delegate("vendor")
        self.put("root")

    @property
    def root(self):
        return self.files["metadata/1.root.json"]

    def delegate(self, name, paths=("boards/gate-1/*", "firmware/*/*")):
        """From now on this role lists the targets, with a new key."""
        self.signers[name] = [new_key(name)]
        key = self.signers[name][0].public_key
        role = DelegatedRole(name, [key.keyid], 1, terminating=True, paths=list(paths))
        self.roles["targets"].delegations = Delegations({key.keyid: key}, {name: role})
        self.roles.setdefault(name, Targets(version=1))
        self.lists, self.below = name, [name, *BELOW]

    def fork(self, *stolen):
        """The repository of an attacker who stole the keys of some roles. For the others he has only his own."""
        thief = copy.copy(self)
        thief.roles, thief.files = copy.deepcopy(self.roles), dict(self.files)
        thief.ever = set(self.ever)
        thief.key_ids = copy.deepcopy(self.key_ids)
        thief.signers = {role: list(signers) if role in stolen else [new_key(role) for _ in signers]
                         for role, signers in self.signers.items()}
        return thief

    def publish(self, release, **more):
        """A release, and metadata that says so; gives back its images."""
        images = self.add(release, **more)
        self.renew()
        return images

    def add(self, release, *, path=MANIFEST, whose="maker", board=BOARD, channel="stable", also=(), lists=None):
        """A release: every image a target, and the manifest that names them. `also` are images that the manifest
        names and nobody signs."""
        images = {part: image(f"{whose} {board} {release} {part}", size) for part, size in SIZES.items()}
        listed = []
        for part, data in images.items():
            target = f"firmware/{release}/{part} of {board}.img"
            self.add_target(target, data, lists)
            listed.append({"part": part, "target": target, "length": len(data),
                           "sha256": hashlib.sha256(data).hexdigest()})
        listed += also
        self.add_target(path, manifest(release, listed, board, channel), lists)
        return images

    def add_target(self, path, data, lists=None):
        file = TargetFile.from_data(path, data, ["sha256"])
        self.roles[lists or self.lists].targets[path] = file
        self._publish(target_path(path, data), data)

    def renew(self, *roles):
        """New versions of these roles, of all of them where none is named; each names the one below it."""
        for role in roles or self.below:
            signed = self.roles[role]
            signed.version += f"metadata/{self.name(role)}" in self.files
            self.put(role)

    def put(self, role, *, by=None):
        """Signs a role's metadata and puts it where clients look for it."""
        signed = self.roles[role]
        signed.expires = self.now + timedelta(days=DAYS.get(role, DAYS["targets"]))
        data = self.sign(role, by)
        self._publish(f"metadata/{self.name(role)}", data)
        self.name_in_above(role, data)

    def _publish(self, path, data):
        self.files[path] = data
        self.ever.add(hashlib.sha256(data).hexdigest())

    def name_in_above(self, role, data):
        """Whoever lists this role lists it with this version, and with length and hash where that is the custom."""
        version = self.roles[role].version
        meta = MetaFile.from_data(version, data, ["sha256"]) if self.hashes else MetaFile(version)
        if role == "snapshot":
            self.roles["timestamp"].snapshot_meta = meta
        elif role not in ("root", "timestamp"):
            self.roles["snapshot"].meta[f"{role}.json"] = meta

    def sign(self, role, by=None):
        """A role's metadata as it is published, signed by its own keys or by those of others."""
        metadata = Metadata(self.roles[role])
        for signer in self.signers[role] if by is None else by:
            metadata.sign(signer, append=True)
        return metadata.to_bytes()

    def name(self, role):
        return "timestamp.json" if role == "timestamp" else f"{self.roles[role].version}.{role}.json"

    def replace_keys(self, *roles, only=None):
        """What a maker does who lost keys: a new root that names other ones, signed by old and new root keys. `only`
        replaces one key of each role and leaves the others."""
        root, before = self.roles["root"], list(self.signers["root"])
        for role in roles:
            for index, key_id in enumerate(self.key_ids[role]):
                if only in (None, index):
                    root.revoke_key(key_id, role)
                    key = new_key(role)
                    self.signers[role][index], self.key_ids[role][index] = key, key.public_key.keyid
                    root.add_key(key.public_key, role)
        root.version += 1
        gone = [signer for signer in before if signer not in self.signers["root"]]
        self.put("root", by=[*self.signers["root"], *gone])


    def path_of(self, word):
        """The path on the server of the one newest target whose path has this word in it."""
        listed = {path: file for role in self.roles.values() if isinstance(role, Targets)
                  for path, file in role.targets.items()}
        [found] = [path for path in listed if word in path]
        folder, _, name = found.rpartition("/")
        return f"targets/{folder}/{listed[found].hashes['sha256']}.{name}"


def manifest(release, listed, board=BOARD, channel="stable"):
    said = {"format": 1, "board": board, "channel": channel, "release": release, "version": f"{release}.0.0",
            "images": listed}
    return json.dumps(said, indent=2).encode()


def target_path(path, data):
    """Where a target lies on the server: its hash stands before its name."""
    folder, _, name = path.rpartition("/")
    return f"targets/{folder}/{hashlib.sha256(data).hexdigest()}.{name}"
