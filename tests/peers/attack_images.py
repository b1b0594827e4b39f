"""Attacks on what is installed: images and manifests swapped, mixed, withheld; releases that are old, for other
devices, or that ask for what nobody signed. What the slot that does not run was filled with, nothing can start.
"""

import hashlib

from device import DONE, image
from place import test, tests
from simulator.network import poisoned_until, says, sends
from simulator.repository import MANIFEST, SIZES
from simulator.scene import Scene

PROOF = "does not have the signed sha256"
ROOTFS = "firmware/2/rootfs of gate-1.img"
ACCEPTED = ("timestamp.json", "snapshot.json", "targets.json")
EVIL = image("evil", SIZES["rootfs"])


def an_image_swapped_starts_nowhere(place, data, *words):
    scene = Scene(place, client=False)
    images = scene.repository.publish(2)
    path = scene.repository.path_of(ROOTFS)
    data = data(scene) if callable(data) else data
    scene.network.files = scene.repository.files | {path: data}
    note = scene.does_not_install("step-failed step=stage", ROOTFS, *words)
    # However often.
    assert scene.does_not_install("step-failed step=stage", ROOTFS, *words) == note
    scene.recovers(images=images)
    return note


def image_of_release_1(scene):
    return scene.repository.files[scene.repository.path_of("firmware/1/rootfs of gate-1.img")]


tests(an_image_swapped_starts_nowhere, "an_image_swapped_for_{}_starts_nowhere", [
    ("one_of_the_attacker", EVIL, PROOF),
    ("one_with_another_header", b"\x7fELF" + image("tuf", 9) + EVIL[13:], PROOF),
    ("the_one_of_the_release_before", image_of_release_1, PROOF),
    ("a_longer_one", EVIL + b"x", "larger than its limit of 200001 bytes"),
    ("a_shorter_one", EVIL[:-1], "ended after 200000 of 200001 bytes"),
    ("nothing", b"", "unreachable: asked for bytes 4096-"),
])


@test
def an_image_with_only_its_header_swapped_starts_nowhere(place):
    scene = Scene(place, client=False)
    images = scene.repository.publish(2)
    path = scene.repository.path_of(ROOTFS)
    scene.network.files = scene.repository.files | {path: EVIL[:4096] + images["rootfs"][4096:]}
    note = scene.does_not_install(ROOTFS, PROOF)
    scene.recovers(images=images)
    return note


@test
def two_images_swapped_for_each_other_start_nowhere(place):
    scene = Scene(place, client=False)
    scene.repository.add_target("firmware/2/spare.img", EVIL)
    images = scene.repository.publish(2)
    spare = scene.repository.path_of("firmware/2/spare.img")
    # Rightly signed, as long as the other, and not what the manifest names.
    scene.network.files = scene.repository.files | {
        scene.repository.path_of(ROOTFS): scene.repository.files[spare]}
    note = scene.does_not_install(ROOTFS, PROOF)
    scene.recovers(images=images)
    return note


@test
def an_image_poisoned_halfway_costs_one_more_download(place):
    scene = Scene(place, client=False)
    images = scene.repository.publish(2)
    scene.network.rules = {".rootfs of": poisoned_until(150_000, EVIL)}
    note = scene.does_not_install(f"{ROOTFS}: ended after ")
    # The device goes on where it was, and finds out before anything can start.
    scene.honest_again()
    note += "; " + scene.does_not_install(ROOTFS, PROOF)
    scene.recovers(images=images)
    return note


def half_a_bundle_starts_nowhere(place, part):
    scene = Scene(place, client=False)
    images = scene.repository.publish(2)
    scene.network.rules = {f".{part} of": says(404)}
    for _ in range(3):
        note = scene.does_not_install(f'step-failed step=stage why="firmware/2/{part} of gate-1.img: not found')
        assert scene.device.restart() == "a"
    scene.recovers(images=images)
    return note


tests(half_a_bundle_starts_nowhere, "a_bundle_without_its_{}_starts_nowhere", [("kernel", "kernel"),
                                                                               ("rootfs", "rootfs")])


def a_manifest_swapped_is_refused(place, data, step, looks):
    scene = Scene(place, client=False)
    images = scene.repository.publish(2)
    data = data(scene.repository.files[scene.repository.path_of(MANIFEST)])
    scene.network.files = scene.repository.files | {scene.repository.path_of(MANIFEST): data}
    note = scene.refuses(MANIFEST, step, looks, accepts=ACCEPTED)
    scene.is_safe()
    scene.recovers(images=images)
    return note


tests(a_manifest_swapped_is_refused, "a_manifest_{}_is_refused", [
    ("with_another_release_number", lambda data: data.replace(b'"release": 2', b'"release": 9'), "5.7", "damaged"),
    ("with_another_image", lambda data: data.replace(b"rootfs of", b"rootfs-of"), "5.7", "damaged"),
    ("cut_short", lambda data: data[:-2], "5.7", "damaged"),
])


@test
def another_boards_manifest_in_this_boards_place_is_refused(place):
    scene = Scene(place, client=False)
    other = "boards/gate-9/stable.json"
    scene.repository.add(2, path=other, board="gate-9")
    images = scene.repository.publish(2)
    data = scene.repository.files[scene.repository.path_of(other)]
    scene.network.rules = {"gate-1/": sends(data)}
    # As long as ours, so that its hash decides.
    note = scene.refuses(MANIFEST, "5.7", "damaged", accepts=ACCEPTED)
    scene.recovers(images=images)
    return note


def a_release_rightly_signed_is_not_for_this_device(place, release, more, words):
    """Not the network's attack: somebody signed the wrong thing, or a thief of the targets keys did. A decision, not
    a failure, so that the agent ends well."""
    scene = Scene(place, client=False)
    scene.device.update(5, scene.repository.publish(5))
    scene.repository.publish(release, **more)
    note = scene_refuses_release(scene, words)
    scene.recovers(6)
    return note


def scene_refuses_release(scene, words):
    with scene.device.untouched("ab"):
        run = scene.device.once().must(DONE, words)
    scene.is_safe(release=5)
    return next(line.split(maxsplit=1)[1] for line in run.log.splitlines() if words in line)


tests(a_release_rightly_signed_is_not_for_this_device, "a_release_{}_is_refused_though_rightly_signed", [
    ("below_the_floor", 4, {}, "refused release=4 why=below-floor floor=5"),
    ("of_the_same_number_and_other_content", 5, {"whose": "attacker"}, "refused release=5 why=up-to-date"),
    ("for_another_board", 6, {"board": "gate-9"}, "refused release=6 why=other-board manifest=gate-9"),
    ("for_another_channel", 6, {"channel": "beta"}, "refused release=6 why=other-channel manifest=beta"),
])


def unsigned(part, data=EVIL):
    return {"part": part, "target": "firmware/extra.img", "length": len(data),
            "sha256": hashlib.sha256(data).hexdigest()}


def an_extraneous_dependency_is_refused(place, prepare, words):
    scene = Scene(place, client=False)
    prepare(scene)
    with scene.device.untouched("ab"):
        run = scene.device.once()
    found = [line for line in run.log.splitlines() if words in line]
    assert found, f"no line says {words}:\n{run.log}"
    scene.is_safe()
    assert not [path for path in scene.network.requests if path.endswith("extra.img")], "it was fetched"
    scene.recovers(3)
    return f"exit {run.code}: {found[-1].split(maxsplit=1)[1]}"


def names_what_nobody_signed(scene):
    scene.repository.publish(2, also=[unsigned("extra")])
    scene.repository.files["targets/firmware/extra.img"] = EVIL


def names_a_part_that_is_not_there(scene):
    scene.repository.add_target("firmware/extra.img", EVIL)
    scene.repository.publish(2, also=[unsigned("extra")])


tests(an_extraneous_dependency_is_refused, "a_manifest_that_asks_for_{}_is_refused", [
    ("an_image_that_nobody_signed", names_what_nobody_signed, "firmware/extra.img is not among the signed targets"),
    ("a_part_that_the_device_has_not", names_a_part_that_is_not_there, "why=image-without-part part=extra"),
])


@test
def a_delegated_role_cannot_ask_for_images_outside_its_paths(place):
    scene = Scene(place, client=False, delegated=True)
    # The thief of its key lists an image for which it may not speak, and a manifest that asks for it.
    thief = scene.repository.fork("vendor", "snapshot", "timestamp")
    thief.below = ["vendor", "snapshot", "timestamp"]
    thief.add_target("elsewhere/extra.img", EVIL)
    thief.add(2, whose="attacker", also=[unsigned("extra") | {"target": "elsewhere/extra.img"}])
    thief.renew()
    scene.network.files = thief.files
    with scene.device.untouched("ab"):
        run = scene.device.once()
    words = "elsewhere/extra.img is not among the signed targets"
    assert words in run.log, run.log
    scene.is_safe()
    scene.repository.replace_keys("snapshot", "timestamp")
    scene.repository.delegate("vendor")
    scene.recovers(3)
    return words
