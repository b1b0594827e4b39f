"""securesystemslib, which signs for every Python tool of TUF: it verifies each signature of komainu-maker on its own,
and signs elsewhere what komainu-maker then goes on from.
"""

import hashlib
import json
import shutil

from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.serialization import (Encoding, NoEncryption, PrivateFormat, load_pem_private_key,
                                                          load_pem_public_key)
from device import FAILED, Device
from maker import Workshop
from place import test, tests
from securesystemslib.exceptions import UnverifiedSignatureError
from securesystemslib.formats import encode_canonical
from securesystemslib.signer import CryptoSigner, Signature, SSlibKey
from simulated import Repository
from web import Web


def metadata(workshop):
    """Every metadata file that was ever published, by name."""
    return {path.name: json.loads(path.read_bytes()) for path in (workshop.repository / "metadata").glob("*.json")}


def keys_of(root, role):
    listed = root["signed"]["roles"][role]["keyids"]
    return {key_id: SSlibKey.from_dict(key_id, dict(root["signed"]["keys"][key_id])) for key_id in listed}


def signers(name, whole, keys):
    """How many of these keys signed a file rightly. A signature of one of them that is wrong is an error."""
    payload, found = encode_canonical(whole["signed"]).encode(), set()
    for said in whole["signatures"]:
        if said["keyid"] not in keys:
            continue
        key = keys[said["keyid"]]
        key.verify_signature(Signature(said["keyid"], said["sig"]), payload)
        wrong = said["sig"][:-2] + f"{int(said['sig'][-2:], 16) ^ 1:02x}"
        try:
            key.verify_signature(Signature(said["keyid"], wrong), payload)
        except UnverifiedSignatureError:
            found.add(said["keyid"])
            continue
        raise AssertionError(f"{name}: a wrong signature is as good as a right one")
    return len(found)


def verifies(place, key_type, other_type):
    workshop = Workshop(place, key_type)
    workshop.publish(2)
    counted = judge(workshop)
    for role in ("root", "targets", "snapshot", "timestamp"):
        workshop.rotate(role, other_type)
        counted += judge(workshop)
    workshop.publish(3)
    workshop.run("publish", "--renew")
    return f"{counted + judge(workshop)} signatures"


def judge(workshop):
    """Every root by its own keys and by those before it, everything that is current by the newest root."""
    files = metadata(workshop)
    roots = [files[f"{version}.root.json"] for version in range(1, 1 + sum("root" in name for name in files))]
    counted = 0
    for old, new in zip([roots[0], *roots], roots):
        for root in (old, new):
            have, need = signers("root", new, keys_of(root, "root")), root["signed"]["roles"]["root"]["threshold"]
            assert have >= need, f"root {new['signed']['version']}: {have} of {need}"
            counted += have
    timestamp = files["timestamp.json"]
    snapshot = files[f"{timestamp['signed']['meta']['snapshot.json']['version']}.snapshot.json"]
    targets = files[f"{snapshot['signed']['meta']['targets.json']['version']}.targets.json"]
    for role, whole in (("timestamp", timestamp), ("snapshot", snapshot), ("targets", targets)):
        assert signers(role, whole, keys_of(roots[-1], role)) == 1, role
        counted += 1
    return counted


tests(verifies, "securesystemslib_verifies_every_signature_with_{}_keys", [
    ("ed25519", "ed25519", "ecdsa"), ("ecdsa", "ecdsa", "ed25519")])


def same_name(place, key_type):
    """A key has the name that every tool gives it: the hash of its canonical form."""
    root = metadata(Workshop(place, key_type))["1.root.json"]
    for key_id, key in root["signed"]["keys"].items():
        assert hashlib.sha256(encode_canonical(key).encode()).hexdigest() == key_id
        public = key["keyval"]["public"]
        read = ed25519.Ed25519PublicKey.from_public_bytes(bytes.fromhex(public)) if key_type == "ed25519" \
            else load_pem_public_key(public.encode())
        assert SSlibKey.from_crypto(read).keyid == key_id


tests(same_name, "{}_keys_have_the_names_that_securesystemslib_gives_them", [
    ("ed25519", "ed25519"), ("ecdsa", "ecdsa")])


class Elsewhere:
    """Where the timestamp is signed: another machine, which has the published files and one key."""

    def __init__(self, workshop, file):
        self.signer = CryptoSigner(load_pem_private_key(file.read_bytes(), None))
        self.workshop = workshop

    def sign(self, **other):
        """Signs the next timestamp, for the snapshot that is published."""
        path = self.workshop.repository / "metadata/timestamp.json"
        signed = json.loads(path.read_bytes())["signed"] | other
        signed["version"] += 1
        path.write_bytes(Repository.envelope(signed, [self.signer]))
        return signed["version"]


def signed_elsewhere(place, make):
    workshop = Workshop(place)
    images = workshop.publish(2)
    # The key was made elsewhere too, by another tool.
    file = place.path("elsewhere/timestamp.pem")
    file.write_bytes(make().private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    file.chmod(0o600)
    root = json.loads((workshop.folder / "root.json").read_bytes())["signed"]
    workshop.run("key", "rotate", "timestamp", "--add", file, "--remove", root["roles"]["timestamp"]["keyids"][0])
    elsewhere = Elsewhere(workshop, file)
    version = elsewhere.sign(expires="2126-11-22T00:00:00Z")
    workshop.run("verify", workshop.folder, at_home=False)
    web = Web(place, workshop.repository)
    device = Device(place, workshop.root, web.url)
    device.update(2, images)
    assert device.status()["timestamp"]["version"] == version
    # And komainu-maker goes on from there, once it has the key.
    shutil.copy(file, workshop.folder / "keys/online/timestamp-elsewhere.pem")
    images = workshop.publish(3)
    assert metadata(workshop)["timestamp.json"]["signed"]["version"] == version + 1
    device.update(3, images)


tests(signed_elsewhere, "a_timestamp_signed_elsewhere_is_taken_and_gone_on_from_with_an_{}_key", [
    ("ed25519", ed25519.Ed25519PrivateKey.generate), ("ecdsa", lambda: ec.generate_private_key(ec.SECP256R1()))])


@test
def a_timestamp_signed_elsewhere_by_another_key_is_refused(place):
    workshop = Workshop(place)
    workshop.publish(2)
    file = place.path("elsewhere/timestamp.pem")
    workshop.run("key", "new", "--type", "ed25519", file, at_home=False)
    Elsewhere(workshop, file).sign()
    device = Device(place, workshop.root, Web(place, workshop.repository).url)
    with device.untouched("ab"):
        device.once().must(FAILED, "step-failed step=poll", "timestamp.json")
