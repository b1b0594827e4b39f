"""python-tuf, the reference implementation: it reads what komainu-maker publishes, and publishes what komainu reads."""

import hashlib
import json

from device import FAILED, DONE, Device
from maker import Workshop
from place import test, tests
from publisher import Publisher
from tuf.ngclient import Updater
from web import Web


def read_all(place, workshop, root, name):
    """Follows the repository from a root with python-tuf's client; gives back the versions it came to."""
    web = Web(place, workshop.repository, name=f"web-{name}")
    store, targets = place.path(f"{name}/metadata"), place.path(f"{name}/targets")
    store.mkdir()
    targets.mkdir()
    client = Updater(str(store), f"{web.url}metadata/", str(targets), f"{web.url}targets/", bootstrap=root)
    client.refresh()
    info = client.get_targetinfo("boards/gate-1/stable.json")
    with open(client.download_target(info), encoding="utf-8") as file:
        manifest = json.load(file)
    images = {}
    for listed in manifest["images"]:
        info = client.get_targetinfo(listed["target"])
        assert info.length == listed["length"] and info.hashes["sha256"] == listed["sha256"]
        with open(client.download_target(info), "rb") as file:
            images[listed["part"]] = file.read()
    versions = [json.loads((store / f"{role}.json").read_bytes())["signed"]["version"]
                for role in ("root", "timestamp", "snapshot", "targets")]
    return manifest["release"], images, versions


def maker_to_tuf(place, key_type, other_type):
    workshop = Workshop(place, key_type)
    shipped = workshop.root
    images = workshop.publish(2)
    assert read_all(place, workshop, shipped, "first") == (2, images, [1, 2, 2, 2])
    for role in ("root", "targets", "snapshot", "timestamp"):
        workshop.rotate(role, other_type)
    images = workshop.publish(3)
    release, found, versions = read_all(place, workshop, shipped, "rotated")
    assert (release, found, versions[0]) == (3, images, 5), f"release {release}, versions {versions}"
    # The agent comes to the same from the same root.
    web = Web(place, workshop.repository)
    device = Device(place, shipped, web.url)
    device.update(3, images)
    assert device.status()["root"]["version"] == 5
    return f"versions {versions}"


tests(maker_to_tuf, "python_tuf_reads_what_komainu_maker_publishes_with_{}_keys", [
    ("ed25519", "ed25519", "ecdsa"),
    ("ecdsa", "ecdsa", "ed25519"),
])


def rotations(place, key_type, other_type):
    """A client that kept up with every step, and at every step one that has no more than the first root."""
    workshop = Workshop(place, key_type)
    shipped, images = workshop.root, workshop.publish(2)
    url = Web(place, workshop.repository).url
    steady = follow(place, shipped, url, "steady")
    for step, role in enumerate(("root", "targets", "snapshot", "timestamp", "root", "timestamp")):
        before = steady.trusted_versions()
        workshop.rotate(role, other_type if step < 4 else key_type)
        steady = follow(place, None, url, "steady")
        after = steady.trusted_versions()
        assert after[0] == before[0] + 1, f"{role}: {before} {after}"
        assert follow(place, shipped, url, f"from-the-first-{step}").trusted_versions() == after
        assert all(new >= old for old, new in zip(before, after)), f"{role}: {before} {after}"
    for image in images.values():
        assert hashlib.sha256(image).hexdigest() in steady.hashes()
    return f"versions {after}"


class Follower(Updater):
    """python-tuf's client, and what it came to trust."""

    def trusted_versions(self):
        trusted = self._trusted_set
        return [role.version for role in (trusted.root, trusted.timestamp, trusted.snapshot, trusted.targets)]

    def hashes(self):
        return [target.hashes["sha256"] for target in self._trusted_set.targets.targets.values()]


def follow(place, root, url, name):
    """A client that begins with a root, or goes on with what it has."""
    store = place.path(f"{name}/metadata")
    store.mkdir(exist_ok=True)
    client = Follower(str(store), f"{url}metadata/", bootstrap=root)
    client.refresh()
    return client


tests(rotations, "python_tuf_follows_every_rotation_from_the_first_root_with_{}_keys", [
    ("ed25519", "ed25519", "ecdsa"), ("ecdsa", "ecdsa", "ed25519")])


def tuf_to_agent(place, consistent, lengths_and_hashes):
    publisher = Publisher(place, consistent=consistent, lengths_and_hashes=lengths_and_hashes)
    web = Web(place, publisher.folder)
    images = publisher.publish(2)
    device = Device(place, publisher.root, web.url)
    device.update(2, images)
    # And on, over a new root.
    publisher.rotate_root()
    images = publisher.publish(3)
    device.update(3, images)
    assert device.status()["root"]["version"] == 2


tests(tuf_to_agent, "komainu_updates_from_what_python_tuf_publishes_{}", [
    ("with_consistent_snapshots", True, True),
    ("with_consistent_snapshots_without_lengths_and_hashes", True, False),
    ("without_consistent_snapshots", False, True),
    ("without_consistent_snapshots_lengths_and_hashes", False, False),
])


@test
def a_root_of_another_python_tuf_publisher_is_refused(place):
    publisher = Publisher(place, consistent=True, lengths_and_hashes=True)
    stranger = Publisher(place, consistent=True, lengths_and_hashes=True, name="stranger")
    publisher.publish(2)
    stranger.publish(2)
    device = Device(place, publisher.root, Web(place, stranger.folder).url)
    with device.untouched("ab"):
        device.once().must(FAILED, "step-failed step=poll", "timestamp.json")
    assert device.status()["update"] == "idle"


@test
def a_manifest_for_another_board_is_refused(place):
    publisher = Publisher(place, consistent=True, lengths_and_hashes=True)
    # Rightly signed, and put where this board looks: somebody copied the wrong file.
    publisher.publish(2, board="gate-9")
    device = Device(place, publisher.root, Web(place, publisher.folder).url)
    with device.untouched("ab"):
        device.once().must(DONE, "refused release=2 why=other-board manifest=gate-9")
    assert device.status()["update"] == "idle"
