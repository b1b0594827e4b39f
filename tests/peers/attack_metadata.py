"""Attacks on metadata by whoever holds the network and no key that counts: forged, replayed, mixed.

The agent and the test client are asked the same. Whatever is sent: nothing of it is kept, nothing of it is started,
and once the honest repository answers again, the device updates.
"""

from place import test, tests
from simulator.network import sends
from simulator.repository import MANIFEST
from simulator.scene import Scene

# The next file of each role, as the server names it and as the device does, and the step that counts signatures.
NEXT = {
    "root": ("metadata/2.root.json", "2.root.json", "5.3.4"),
    "timestamp": ("metadata/timestamp.json", "timestamp.json", "5.4.2"),
    "snapshot": ("metadata/3.snapshot.json", "snapshot.json", "5.5.3"),
    "targets": ("metadata/3.targets.json", "targets.json", "5.6.3"),
    "vendor": ("metadata/3.vendor.json", "vendor.json", "5.6.3"),
}
# What is rightly signed and comes first is accepted before.
ABOVE = {"root": (), "timestamp": (), "snapshot": ("timestamp.json",), "targets": ("timestamp.json", "snapshot.json"),
         "vendor": ("timestamp.json", "snapshot.json", "targets.json")}
SIGNERS = {
    "nobody": lambda honest, evil, role: [],
    "a_stranger": lambda honest, evil, role: evil.signers[role],
    "another_role": lambda honest, evil, role: honest.signers["targets" if role == "timestamp" else "timestamp"],
}


def forged_metadata_is_refused(place, role, by):
    # Without hashes in the lists above it, the signatures of a file alone decide.
    scene = Scene(place, hashes=False, delegated=role == "vendor", client=role != "vendor")
    evil = scene.repository.fork()
    evil.publish(2, whose="attacker")
    if role == "root":
        evil.replace_keys("root", "targets")
    scene.repository.publish(2)
    path, file, step = NEXT[role]
    data = evil.sign(role, SIGNERS[by](scene.repository, evil, role))
    scene.network.files = scene.repository.files | {path: data}
    note = scene.refuses(file, step, "attack", accepts=ABOVE[role])
    scene.recovers(3)
    return note


tests(forged_metadata_is_refused, "arbitrary_software_with_{}_is_refused", [
    (f"a_{role}_signed_by_{by}", role, by) for role in NEXT for by in SIGNERS
])


@test
def a_whole_repository_of_the_attacker_is_refused(place):
    scene = Scene(place)
    evil = scene.repository.fork()
    evil.publish(2, whose="attacker")
    evil.replace_keys("root", "targets", "snapshot", "timestamp")
    scene.network.files = evil.files
    note = scene.refuses("2.root.json", "5.3.4", "attack")
    # And without its root.
    del evil.files["metadata/2.root.json"]
    note += "; " + scene.refuses("timestamp.json", "5.4.2", "attack")
    scene.recovers()
    return note


def another_file_in_its_place_is_refused(place, role, other, step, looks):
    scene = Scene(place, hashes=False)
    scene.repository.publish(2)
    path, file, _ = NEXT[role]
    scene.network.files = scene.repository.files | {path: scene.repository.files[other]}
    note = scene.refuses(file, step, looks, accepts=ABOVE[role])
    scene.recovers(3)
    return note


tests(another_file_in_its_place_is_refused, "mix_and_match_with_{}_is_refused", [
    ("the_snapshot_in_the_place_of_the_timestamp", "timestamp", "metadata/3.snapshot.json", "5.4.2", "attack"),
    ("the_targets_in_the_place_of_the_snapshot", "snapshot", "metadata/3.targets.json", "5.5.3", "attack"),
    ("the_root_in_the_place_of_the_targets", "targets", "metadata/1.root.json", "5.6.3", "attack"),
    ("an_old_snapshot_below_a_new_timestamp", "snapshot", "metadata/2.snapshot.json", "5.5.4", "stale"),
    ("old_targets_below_a_new_snapshot", "targets", "metadata/2.targets.json", "5.6.4", "stale"),
])


def an_old_file_with_another_hash_is_refused(place, role, step):
    scene = Scene(place, delegated=role == "vendor", client=role != "vendor")
    scene.repository.publish(2)
    path, file, _ = NEXT[role]
    scene.network.files = scene.repository.files | {path: scene.repository.files[path.replace("3.", "2.")]}
    note = scene.refuses(file, step, "damaged", accepts=ABOVE[role])
    scene.recovers(3)
    return note


tests(an_old_file_with_another_hash_is_refused, "mix_and_match_with_an_old_{}_of_another_hash_is_refused", [
    ("snapshot", "snapshot", "5.5.2"), ("targets", "targets", "5.6.2"), ("delegated_role", "vendor", "5.6.2"),
])


@test
def an_old_delegated_role_below_a_new_snapshot_is_refused(place):
    scene = Scene(place, hashes=False, delegated=True, client=False)
    scene.repository.publish(2)
    old = scene.repository.files["metadata/2.vendor.json"]
    scene.network.rules = {"3.vendor.json": sends(old)}
    note = scene.refuses("vendor.json", "5.6.4", "stale", accepts=ABOVE["vendor"])
    scene.recovers(3)
    return note


@test
def a_replayed_timestamp_is_refused(place):
    scene = Scene(place)
    scene.network.rules = {"timestamp.json": sends(scene.first["metadata/timestamp.json"])}
    note = scene.refuses("timestamp.json", "5.4.3", "stale")
    scene.recovers()
    return note


@test
def a_replay_of_the_whole_repository_is_refused(place):
    scene = Scene(place)
    images = scene.repository.publish(2)
    scene.device.update(2, images)
    scene.network.files = scene.first
    run = scene.device.once()
    assert run.code == 1, run.log
    note = scene.refuses("timestamp.json", "5.4.3", "stale")
    scene.is_safe(release=2)
    scene.recovers(3)
    return note


def a_replayed_root_is_refused(place, which, step):
    scene = Scene(place)
    for _ in range(2):
        scene.repository.replace_keys("root", only=0)
    scene.repository.publish(2)
    old = scene.repository.files[f"metadata/{which}.root.json"]
    scene.network.files = scene.repository.files | {"metadata/2.root.json": old}
    note = scene.refuses("2.root.json", step, "damaged")
    scene.recovers(3)
    assert scene.device.status()["root"]["version"] == 3
    return note


tests(a_replayed_root_is_refused, "rollback_with_{}_in_the_place_of_the_next_root_is_refused", [
    ("the_root_in_force", 1, "5.3.5"), ("a_root_that_skips_a_version", 3, "5.3.5"),
])


@test
def a_manifest_of_another_time_is_refused(place):
    scene = Scene(place, client=False)
    scene.repository.publish(2)
    old = next(data for path, data in scene.first.items() if path.endswith("stable.json"))
    # As long as the new one, so that its hash decides.
    scene.network.rules = {"stable.json": sends(old)}
    note = scene.refuses(MANIFEST, "5.7", "damaged", accepts=("timestamp.json", "snapshot.json", "targets.json"))
    scene.recovers(3)
    return note
