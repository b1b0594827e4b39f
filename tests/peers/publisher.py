"""A publisher who has never heard of Komainu: a repository made with python-tuf alone."""

import hashlib
import json
from datetime import datetime, timedelta, timezone

from device import image
from place import date
from securesystemslib.signer import CryptoSigner
from tuf.api.metadata import MetaFile, Metadata, Root, Snapshot, TargetFile, Targets, Timestamp

EXPIRES = datetime(2026, 11, 22, tzinfo=timezone.utc) + timedelta(days=36500)


class Publisher:
    """ECDSA keys for root (two must sign) and targets, Ed25519 keys for what is signed every day.

    Beside them an RSA key, which a build of the agent may not know: then it must be passed over, not stumbled over.
    """

    def __init__(self, place, *, consistent, lengths_and_hashes, name="publisher"):
        self.folder, self.lengths_and_hashes = place.path(name), lengths_and_hashes
        (self.folder / "metadata").mkdir(parents=True)
        self.signers = {
            "root": [CryptoSigner.generate_ecdsa() for _ in range(2)] + [CryptoSigner.generate_rsa(size=2048)],
            "targets": [CryptoSigner.generate_ecdsa()],
            "snapshot": [CryptoSigner.generate_ed25519()],
            "timestamp": [CryptoSigner.generate_ed25519()],
        }
        root = Root(expires=EXPIRES, consistent_snapshot=consistent)
        for role, signers in self.signers.items():
            for signer in signers:
                root.add_key(signer.public_key, role)
        root.roles["root"].threshold = 2
        self.roles = {"root": root, "targets": Targets(expires=EXPIRES), "snapshot": Snapshot(expires=EXPIRES),
                      "timestamp": Timestamp(expires=EXPIRES)}
        self.root = self._sign("root")
        self._write("1.root.json", self.root)

    @property
    def consistent(self):
        return self.roles["root"].consistent_snapshot

    def publish(self, release, *, path="boards/gate-1/stable.json", board="gate-1", sizes=None):
        """Publishes a release: every image a target, and the manifest that names them."""
        images, listed = {}, []
        for part, size in (sizes or {"kernel": 70_000, "rootfs": 300_001}).items():
            images[part] = image(f"tuf {release} {part}", size)
            target = f"firmware/{release}/{part} of {board}.bin"
            self._add(target, images[part])
            listed.append({"part": part, "target": target, "length": size,
                           "sha256": hashlib.sha256(images[part]).hexdigest()})
        manifest = {"format": 1, "board": board, "channel": "stable", "release": release,
                    "version": f"{release}.0.0", "images": listed, "x-of-a-later-time": {"is": ["ignored"]}}
        self._add(path, json.dumps(manifest, indent=2, ensure_ascii=False).encode())
        self._publish_metadata()
        date(self.folder / "metadata/timestamp.json", release)
        return images

    def rotate_root(self):
        """A new root: one root key goes, another comes."""
        root = self.roles["root"]
        old, self.signers["root"][0] = self.signers["root"][0], CryptoSigner.generate_ecdsa()
        root.revoke_key(old.public_key.keyid, "root")
        root.add_key(self.signers["root"][0].public_key, "root")
        root.version += 1
        self._write(f"{root.version}.root.json", self._sign("root", [*self.signers["root"], old]))

    def _add(self, path, data):
        self.roles["targets"].targets[path] = TargetFile.from_data(path, data, ["sha256"])
        folder, _, name = path.rpartition("/")
        if self.consistent:
            name = f"{hashlib.sha256(data).hexdigest()}.{name}"
        file = self.folder / "targets" / folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(data)

    def _publish_metadata(self):
        above = {"targets": self.roles["snapshot"].meta, "snapshot": self.roles["timestamp"]}
        for role in ("targets", "snapshot", "timestamp"):
            signed = self.roles[role]
            signed.version += role in self._published()
            data = self._sign(role)
            prefix = f"{signed.version}." if self.consistent and role != "timestamp" else ""
            self._write(f"{prefix}{role}.json", data)
            meta = MetaFile.from_data(signed.version, data, ["sha256"]) if self.lengths_and_hashes \
                else MetaFile(signed.version)
            if role == "targets":
                above[role]["targets.json"] = meta
            elif role == "snapshot":
                above[role].snapshot_meta = meta

    def _published(self):
        return {file.name.split(".")[-2] for file in (self.folder / "metadata").iterdir()}

    def _sign(self, role, signers=None):
        metadata = Metadata(self.roles[role])
        for signer in signers or self.signers[role]:
            metadata.sign(signer, append=True)
        return metadata.to_bytes()

    def _write(self, name, data):
        (self.folder / "metadata" / name).write_bytes(data)
