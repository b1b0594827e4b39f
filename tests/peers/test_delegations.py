"""Delegated roles as python-tuf publishes them: the agent follows them, and only for what they may say."""

from device import DONE, Device
from place import test, tests
from publisher import EXPIRES, Publisher
from securesystemslib.signer import CryptoSigner
from tuf.api.metadata import DelegatedRole, Delegations, Metadata, MetaFile, Targets
from web import Web

ODD = "gate 1? #%41"


class Delegating(Publisher):
    """Everything is listed by a delegated role; the top-level one only says for which paths it may speak."""

    def __init__(self, place, paths=None, prefixes=None):
        super().__init__(place, consistent=True, lengths_and_hashes=True)
        self.signer = CryptoSigner.generate_ecdsa()
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
