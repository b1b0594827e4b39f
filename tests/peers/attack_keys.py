"""Stolen keys, of each role in turn and together: what a thief who also holds the network can do with them, said
honestly, what he cannot, and that new keys end it.
"""

import json
from datetime import timedelta

import chains
from attack_metadata import ABOVE, NEXT
from device import DONE
from place import test, tests
from simulator.scene import Scene
from tuf.api.metadata import MetaFile

FAR = 2**62


def recovers_with_new_keys(scene, *stolen, release=3):
    """The maker has noticed: other keys for these roles, and all is as before."""
    scene.repository.replace_keys(*stolen)
    scene.recovers(release)
    assert scene.device.status()["root"]["version"] == 2


def a_stolen_key_installs_nothing(place, stolen, refused_role, step):
    """The thief signs what he can, and with his own keys what he cannot."""
    scene = Scene(place)
    evil = scene.repository.fork(*stolen)
    evil.publish(2, whose="attacker")
    scene.network.files = evil.files
    role = refused_role
    note = scene.refuses(NEXT[role][1], step, "attack", accepts=ABOVE[role], stolen=True)
    recovers_with_new_keys(scene, *stolen)
    return note


tests(a_stolen_key_installs_nothing, "a_thief_with_{}_installs_nothing", [
    ("the_timestamp_key", ["timestamp"], "snapshot", "5.5.3"),
    ("the_snapshot_key", ["snapshot"], "timestamp", "5.4.2"),
    ("the_timestamp_and_snapshot_keys", ["timestamp", "snapshot"], "targets", "5.6.3"),
    ("the_targets_key", ["targets"], "timestamp", "5.4.2"),
    ("the_targets_and_timestamp_keys", ["targets", "timestamp"], "snapshot", "5.5.3"),
    ("the_targets_and_snapshot_keys", ["targets", "snapshot"], "timestamp", "5.4.2"),
])


def fast_forwarded(scene, role):
    """The repository of a thief who has run up the version of this role, rightly signed from there on up."""
    stolen = {"timestamp": ["timestamp"], "snapshot": ["snapshot", "timestamp"],
              "targets": ["targets", "snapshot", "timestamp"]}[role]
    evil = scene.repository.fork(*stolen)
    evil.roles[role].version = FAR
    for above in stolen:
        if above != role:
            evil.roles[above].version += 1
    for each in stolen:
        evil.put(each)
    return evil, stolen


def a_fast_forward_is_undone_by_new_keys(place, role, file, step, looks):
    scene = Scene(place)
    evil, stolen = fast_forwarded(scene, role)
    scene.network.files = evil.files
    # This much a thief can do: what he has signed is accepted, and nothing older any more.
    scene.polls()
    scene.honest_again()
    # The maker's versions, counted on from where he was.
    scene.repository.publish(2)
    scene.repository.renew()
    note = scene.refuses(file, step, looks, accepts=("timestamp.json",) if role == "targets" else ())
    recovers_with_new_keys(scene, *stolen)
    return note


tests(a_fast_forward_is_undone_by_new_keys, "a_fast_forward_of_{}_is_undone_by_new_keys", [
    ("timestamp", "timestamp", "timestamp.json", "5.4.3", "stale"),
    ("snapshot", "snapshot", "timestamp.json", "5.4.3", "attack"),
    ("targets", "targets", "snapshot.json", "5.5.5", "attack"),
])


@test
def a_timestamp_that_promises_a_snapshot_that_never_comes_is_undone_by_new_keys(place):
    scene = Scene(place)
    evil = scene.repository.fork("timestamp")
    evil.roles["timestamp"].snapshot_meta = MetaFile(FAR)
    evil.renew("timestamp")
    scene.network.files = evil.files
    note = scene.refuses("snapshot.json", "5.5.1", "stale", accepts=("timestamp.json",), stolen=True)
    recovers_with_new_keys(scene, "timestamp")
    return note


@test
def a_snapshot_that_promises_targets_that_never_come_is_undone_by_new_keys(place):
    scene = Scene(place)
    evil = scene.repository.fork("timestamp", "snapshot")
    evil.roles["snapshot"].meta["targets.json"] = MetaFile(FAR)
    evil.renew("snapshot", "timestamp")
    scene.network.files = evil.files
    note = scene.refuses("targets.json", "5.6.1", "stale", accepts=ABOVE["targets"], stolen=True)
    recovers_with_new_keys(scene, "timestamp", "snapshot")
    return note


@test
def a_timestamp_cannot_take_the_snapshot_back(place):
    scene = Scene(place)
    evil = scene.repository.fork("timestamp")
    evil.roles["timestamp"].snapshot_meta = MetaFile(1)
    evil.renew("timestamp")
    scene.network.files = evil.files
    note = scene.refuses("timestamp.json", "5.4.3", "attack")
    recovers_with_new_keys(scene, "timestamp")
    return note


def a_snapshot_cannot_take_targets_back(place, change, words):
    scene = Scene(place, delegated=True)
    evil = scene.repository.fork("timestamp", "snapshot")
    change(evil.roles["snapshot"].meta)
    evil.renew("snapshot", "timestamp")
    scene.network.files = evil.files
    note = scene.refuses("snapshot.json", "5.5.5", "attack", accepts=("timestamp.json",), stolen=True)
    assert words in note, note
    recovers_with_new_keys(scene, "timestamp", "snapshot")
    return note


tests(a_snapshot_cannot_take_targets_back, "a_thief_of_the_online_keys_cannot_{}", [
    ("roll_targets_back", lambda meta: meta.update({"targets.json": MetaFile(1)}), "version 1, 2 was seen before"),
    ("roll_a_delegated_role_back", lambda meta: meta.update({"vendor.json": MetaFile(1)}),
     "version 1, 2 was seen before"),
    ("drop_a_delegated_role", lambda meta: meta.pop("vendor.json"), "vendor.json is no longer listed"),
])


@test
def a_clock_run_ahead_with_the_timestamp_key_is_put_right_by_new_keys(place):
    scene = Scene(place, client=False)
    evil = scene.repository.fork("timestamp")
    run_the_clock_ahead(evil)
    scene.network.files = evil.files
    # By this clock everything else has expired: that much a thief can do.
    note = scene.refuses("snapshot.json", "5.5.6", "stale", accepts=("timestamp.json",), stolen=True)
    recovers_with_new_keys(scene, "timestamp")
    return note


@test
def a_clock_run_ahead_with_the_timestamp_key_does_not_lock_a_device_out_of_https(place):
    ordinary = chains.make(place, "ordinary", host="127.0.0.1", server_time=(timedelta(days=-1), timedelta(days=90)))
    scene = Scene(place, client=False, tls=ordinary)
    evil = scene.repository.fork("timestamp")
    run_the_clock_ahead(evil)
    scene.network.files = evil.files
    note = scene.refuses("snapshot.json", "5.5.6", "stale", accepts=("timestamp.json",), stolen=True)
    recovers_with_new_keys(scene, "timestamp")
    return note


def run_the_clock_ahead(evil, days=700):
    """A timestamp that says that it was made years from now, a little before root ends."""
    timestamp = evil.roles["timestamp"]
    now, evil.now = evil.now, evil.now + timedelta(days=days)
    timestamp.unrecognized_fields["issued"] = evil.now.strftime("%Y-%m-%dT%H:%M:%SZ")
    evil.renew("timestamp")
    evil.now = now


@test
def targets_changed_below_an_honest_snapshot_are_refused_where_it_lists_hashes(place):
    scene = Scene(place)
    evil = scene.repository.fork("targets")
    evil.publish(2, whose="attacker")
    scene.repository.publish(2)
    name = "metadata/3.targets.json"
    honest = scene.repository.files[name]
    # An ECDSA signature is a byte or two longer now and then: a longer file would be refused for that (5.6.1).
    forged = next(data for data in (evil.sign("targets") for _ in range(1000)) if len(data) <= len(honest))
    assert forged != honest
    scene.network.files = evil.files | scene.repository.files | {name: forged}
    note = scene.refuses("targets.json", "5.6.2", "damaged", accepts=ABOVE["targets"])
    recovers_with_new_keys(scene, "targets")
    return note


@test
def a_thief_of_the_targets_key_can_install_where_the_snapshot_lists_no_hashes(place):
    scene = Scene(place, hashes=False, client=False)
    evil = scene.repository.fork("targets")
    images = evil.publish(2, whose="attacker")
    scene.repository.publish(2)
    name = "metadata/3.targets.json"
    honest = scene.repository.files[name]
    # An ECDSA signature is a byte or two longer now and then: a longer file would be refused for that (5.6.1).
    forged = next(data for data in (evil.sign("targets") for _ in range(1000)) if len(data) <= len(honest))
    assert forged != honest
    scene.network.files = evil.files | scene.repository.files | {name: forged}
    # Said honestly: this one he wins, until his release is followed by one of the maker's.
    scene.device.update(2, images)
    recovers_with_new_keys(scene, "targets")
    return "installed, as stated; komainu-maker always lists hashes"


@test
def a_thief_of_all_but_root_can_install_until_the_keys_are_replaced(place):
    scene = Scene(place, client=False)
    stolen = "targets", "snapshot", "timestamp"
    evil = scene.repository.fork(*stolen)
    images = evil.publish(2, whose="attacker")
    scene.network.files = evil.files
    scene.device.update(2, images)
    # The floor holds against him as well.
    evil.publish(1, whose="attacker")
    run = scene.device.once().must(DONE, "refused release=1 why=below-floor floor=2")
    recovers_with_new_keys(scene, *stolen)
    # With new keys he is out.
    evil.publish(4, whose="attacker")
    scene.network.files = evil.files | {"metadata/2.root.json": scene.repository.files["metadata/2.root.json"]}
    scene.refuses("timestamp.json", "5.4.2", "attack")
    return next(line for line in run.log.splitlines() if "why=below-floor" in line)


@test
def a_release_number_run_up_with_stolen_keys_is_undone_by_new_keys(place):
    scene = Scene(place, client=False)
    stolen = "targets", "snapshot", "timestamp"
    evil = scene.repository.fork(*stolen)
    # The maker's own firmware of long ago would do: nothing of the thief's need run for this.
    images = evil.publish(2**63 - 1)
    scene.network.files = evil.files
    scene.device.update(2**63 - 1, images)
    recovers_with_new_keys(scene, *stolen)


def one_root_key_is_not_enough(place, signatures, looks):
    scene = Scene(place)
    evil = scene.repository.fork()
    one = scene.repository.signers["root"][0]
    evil.replace_keys("root", "targets", "snapshot", "timestamp")
    evil.publish(2, whose="attacker")
    data = evil.sign("root", [*evil.signers["root"], one])
    if signatures == 2:
        said = json.loads(data)
        said["signatures"].append(said["signatures"][-1])
        data = json.dumps(said).encode()
    scene.network.files = evil.files | {"metadata/2.root.json": data}
    note = scene.refuses("2.root.json", "5.3.4", looks)
    # The maker replaces that one key with the two that are left.
    scene.repository.replace_keys("root", only=0)
    scene.recovers(2)
    return note


tests(one_root_key_is_not_enough, "a_thief_of_one_root_key_of_two_that_must_sign_installs_nothing_{}", [
    ("with_one_signature", 1, "attack"), ("with_the_same_signature_twice", 2, "damaged"),
])


@test
def a_thief_of_a_threshold_of_root_owns_what_has_not_seen_the_makers_next_root(place):
    scene = Scene(place, client=False)
    evil = scene.repository.fork()
    evil.signers["root"][:2] = scene.repository.signers["root"][:2]
    evil.replace_keys("root", "targets", "snapshot", "timestamp")
    # Root's two stolen keys sign the root that replaces them.
    evil.put("root", by=[*evil.signers["root"], *scene.repository.signers["root"][:2]])
    images = evil.publish(2, whose="attacker")
    scene.network.files = evil.files
    scene.device.update(2, images)
    # Nothing from afar brings it back: the maker's root is not signed by the keys that are in force now.
    scene.repository.replace_keys("root", "targets", "snapshot", "timestamp")
    scene.honest_again()
    scene.repository.publish(3)
    note = scene.refuses("timestamp.json", "5.4.2", "attack")
    # Service does: firmware with the maker's newest root, and an empty state.
    newest = scene.repository.files["metadata/2.root.json"]
    again = scene.after_service(place, newest)
    again.update(4, scene.repository.publish(4))
    return note


@test
def a_device_that_has_seen_the_makers_next_root_is_safe_from_a_threshold_of_the_old_one(place):
    scene = Scene(place)
    evil = scene.repository.fork()
    evil.signers["root"] = list(scene.repository.signers["root"])
    scene.repository.replace_keys("root", "targets", "snapshot", "timestamp")
    scene.repository.publish(1)
    scene.polls()
    for _ in range(2):
        evil.replace_keys("root", "targets", "snapshot", "timestamp")
    evil.publish(2, whose="attacker")
    scene.network.files = evil.files
    note = scene.refuses("3.root.json", "5.3.4", "attack")
    scene.recovers(2)
    return note
