"""Delegated roles as python-tuf publishes them: the agent follows them, and only for what they may say."""

import hashlib

from device import DONE, FAILED, Device
from place import test, tests
from publisher import EXPIRES, Publisher
from securesystemslib.signer import CryptoSigner
from tuf.api.metadata import DelegatedRole, Delegations, Metadata, MetaFile, SuccinctRoles, Targets
from web import Web

ODD = "gate 1? #%41"


class Delegating(Publisher):
    """Everything is listed by a delegated role; the top-level one only says for which paths it may speak."""

    def __init__(self, place, paths=None, prefixes=None, signer=None):
        super().__init__(place, consistent=True, lengths_and_hashes=True)
        self.signer = signer or CryptoSigner.generate_ecdsa()
        key = self.signer.public_key
        role = DelegatedRole(ODD, [key.keyid], 1, terminating=True, paths=paths, path_hash_prefixes=prefixes)
        self.roles["targets"].delegations = Delegations({key.keyid: key}, {ODD: role})
        self.delegated = Targets(version=1, expires=EXPIRES)

    def _publish_metadata(self):
        top = self.roles["targets"]
        self.delegated.version += 1
        self.delegated.targets.update(top.targets)
        top.targets.clear()
        metadata = Metadata(self.delegated)
        metadata.sign(self.signer)
        data = metadata.to_bytes()
        self._write(f"{self.delegated.version}.{ODD}.json", data)
        self.roles["snapshot"].meta[f"{ODD}.json"] = MetaFile.from_data(self.delegated.version, data, ["sha256"])
        super()._publish_metadata()


def follows(place, **delegation):
    publisher = Delegating(place, **delegation)
    images = publisher.publish(2)
    device = Device(place, publisher.root, Web(place, publisher.folder).url)
    device.komainu("check").must(DONE)
    device.update(2, images)
    device.update(3, publisher.publish(3))
    device.restart()
    device.once().must(DONE)


tests(lambda place, delegation: follows(place, **delegation), "komainu_follows_a_role_delegated_by_{}", [
    ("paths", {"paths": ["boards/gate-1/*.json", "firmware/*/*"]}),
    ("hash_prefixes", {"prefixes": [f"{digit:x}" for digit in range(16)]}),
])


@test
def a_role_delegated_for_other_paths_is_not_asked(place):
    publisher = Delegating(place, paths=["boards/gate-2/*.json", "firmware/*/*"])
    publisher.publish(2)
    device = Device(place, publisher.root, Web(place, publisher.folder).url)
    with device.untouched("ab"):
        device.once().must(DONE, "offer-nothing")


tests(lambda place, make: follows(place, paths=["boards/gate-1/*.json", "firmware/*/*"], signer=make()),
      "komainu_follows_a_role_delegated_to_an_{}_key", [
    ("ed25519", CryptoSigner.generate_ed25519), ("ecdsa", CryptoSigner.generate_ecdsa),
    ("rsa", lambda: CryptoSigner.generate_rsa(size=2048))])


class Bins(Publisher):
    """Sixteen roles, one for each first digit of the hash of a path: manifest and images lie in several of them."""

    def __init__(self, place, kinds):
        super().__init__(place, consistent=True, lengths_and_hashes=True)
        bins = [f"bin-{digit:x}" for digit in range(16)]
        self.bin_signers = {name: kinds[number % len(kinds)]() for number, name in enumerate(bins)}
        self.bins = {name: Targets(expires=EXPIRES) for name in bins}
        self.roles["targets"].delegations = Delegations({}, {
            name: DelegatedRole(name, [], 1, terminating=True, path_hash_prefixes=[name[-1]]) for name in bins})
        for name, signer in self.bin_signers.items():
            self.roles["targets"].add_key(signer.public_key, name)

    def _publish_metadata(self):
        top, known = self.roles["targets"], self.roles["snapshot"].meta
        changed = {name for name in self.bins if f"{name}.json" not in known}
        for path, target in top.targets.items():
            name = f"bin-{hashlib.sha256(path.encode()).hexdigest()[0]}"
            self.bins[name].targets[path] = target
            changed.add(name)
        top.targets.clear()
        for name in sorted(changed):
            self.bins[name].version += f"{name}.json" in known
            metadata = Metadata(self.bins[name])
            metadata.sign(self.bin_signers[name])
            data = metadata.to_bytes()
            self._write(f"{self.bins[name].version}.{name}.json", data)
            known[f"{name}.json"] = MetaFile.from_data(self.bins[name].version, data, ["sha256"])
        super()._publish_metadata()


def follows_bins(place, kinds):
    publisher = Bins(place, kinds)
    images = publisher.publish(2)
    device = Device(place, publisher.root, Web(place, publisher.folder).url)
    device.update(2, images)
    device.update(3, publisher.publish(3))
    return f"{sum(bool(role.targets) for role in publisher.bins.values())} bins in use"


tests(follows_bins, "komainu_follows_sixteen_hash_bins_with_{}_keys", [
    ("ed25519_and_ecdsa", [CryptoSigner.generate_ed25519, CryptoSigner.generate_ecdsa]),
    ("rsa", [lambda: CryptoSigner.generate_rsa(size=2048)])])


@test
def succinct_hash_bins_are_refused_with_the_field_that_is_missing(place):
    """TAP 15: roles without names and prefixes of their own, which this client does not know."""
    publisher = Publisher(place, consistent=True, lengths_and_hashes=True)
    signer = CryptoSigner.generate_ed25519()
    succinct = SuccinctRoles([], 1, 4, "bin")
    publisher.roles["targets"].delegations = Delegations({}, None, succinct)
    publisher.roles["targets"].add_key(signer.public_key)
    publisher.publish(2)
    device = Device(place, publisher.root, Web(place, publisher.folder).url)
    with device.untouched("ab"):
        device.once().must(FAILED, "delegations.roles must be a list")
