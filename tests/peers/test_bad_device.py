"""Devices on which something is wrong: the environment, the disk, the slots, the settings, the keys. Nothing is
staged that could not be started, nothing is repaired behind anybody's back, and it is said what to do.
"""

import contextlib
import errno
import fcntl

import rough
from device import DONE, FAILED, RESTART, USAGE, Device
from maker import ROOTFS_BYTES, Workshop
from place import ROOT, Skip, alone, command, test, tests
from uboot import Environment
from web import Web


def made(place, **more):
    workshop = Workshop(place)
    images = workshop.publish(2)
    device = Device(place, workshop.root, Web(place, workshop.repository).url, **more)
    device.workshop = workshop
    return device, images


@test
def a_read_only_environment_is_noticed_before_anything_is_staged(place):
    folder = place.path("board")
    folder.mkdir()
    device, images = made(place, environment=Environment.make(folder, device=place.loop))
    block_device = device.environment.places[0][0]
    command("blockdev", "--setro", block_device)
    with device.untouched("ab"):
        device.once_until("step-failed")
        log = device.log.read_text()
    assert "boot-choice-unknown" in log and f"cannot write {block_device}: " in log, log
    assert device.status()["update"] == "idle"
    command("blockdev", "--setrw", block_device)
    device.update(2, images)


@test
def an_environment_on_a_read_only_loop_device_is_noticed_too(place):
    folder = place.path("board")
    folder.mkdir()
    read_only = Environment.make(folder, device=lambda file: place.loop(file, "--read-only"))
    device, _ = made(place, environment=read_only)
    with device.untouched("ab"):
        device.once_until("step-failed")
    assert "boot-choice-unknown" in device.log.read_text(), device.log.read_text()


@contextlib.contextmanager
def somebody_holds_the_lock():
    """As a fw_setenv that hangs: the environment looks fine, and cannot be written."""
    try:
        lock = open("/var/lock/fw_printenv.lock", "a", encoding="utf-8")
    except PermissionError as error:
        raise Skip("may not write the lock of fw_setenv") from error
    with lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


@alone
@test
def once_ends_where_the_boot_environment_cannot_be_written(place):
    device, images = made(place)
    with somebody_holds_the_lock(), device.untouched():
        device.once().must(FAILED, "step-failed step=activate", "fw_printenv.lock is held by another program")
    device.once().must(RESTART, "restart-into-trial release=2")
    assert device.restart() == "b"
    device.once().must(DONE, "confirming release=2")
    device.holds(images, "b")


@alone
@test
def a_release_is_not_given_up_because_the_environment_could_not_be_written(place):
    device, images = made(place)
    # More often than a boot loader may fail to start a release.
    with somebody_holds_the_lock():
        for _ in range(5):
            with device.untouched():
                device.once_until("step-failed step=activate")
            assert device.restart() == "a"
    failed = device.status()["failed"]
    assert failed == [], f"counted as failed: {failed}"
    device.once().must(RESTART, "restart-into-trial release=2")
    assert device.restart() == "b"
    device.once().must(DONE, "confirming release=2")
    device.holds(images, "b")


def spoilt(place, copies):
    folder = place.path("board")
    folder.mkdir()
    environment = Environment.make(folder, copies=copies)
    device, images = made(place, environment=environment)
    whole = environment.places[0][0].read_bytes()
    for copy in range(copies):
        environment.spoil(copy)
    with device.untouched("ab"):
        device.once().must(FAILED, "boot-choice-unknown", "no valid copy of the environment", "CRC")
        assert "no valid copy" in device.status()["boot_choice"]
        device.komainu("check").must(FAILED)
    environment.places[0][0].write_bytes(whole)
    device.update(2, images)


tests(spoilt, "an_environment_with_{}_is_not_repaired_and_nothing_is_staged", [
    ("one_bad_copy", 1), ("two_bad_copies", 2),
])


@test
def a_missing_environment_stages_nothing(place):
    device, images = made(place)
    file = device.environment.places[0][0]
    away = file.rename(file.with_suffix(".away"))
    before = device.fingerprint_of_slots("ab")
    device.once().must(FAILED, "boot-choice-unknown", f"{file} does not exist")
    assert device.fingerprint_of_slots("ab") == before and not file.exists()
    away.rename(file)
    device.update(2, images)


def on_disk(device, disk):
    device.state = disk / "state"
    device.settings["state"]["directory"] = str(device.state)


def fill(disk):
    """Writes until nothing more fits."""
    with open(disk / "filler", "wb", buffering=0) as file:
        try:
            while True:
                file.write(bytes(1024))
        except OSError as error:
            assert error.errno == errno.ENOSPC, error


def full_disk(place, has_record):
    disk = place.small_disk("disk", "160k")
    workshop = Workshop(place)
    device = Device(place, workshop.root, Web(place, workshop.repository).url)
    on_disk(device, disk)
    if has_record:
        device.once().must(DONE, "first-start")
    images = workshop.publish(2)
    fill(disk)
    with device.untouched("ab"):
        device.once().must(FAILED, "step-failed", "No space left on device", str(disk))
    (disk / "filler").unlink()
    device.update(2, images)


tests(full_disk, "a_full_disk_below_the_state_{}_is_said_and_survived", [
    ("before_the_first_start", False), ("after_it", True),
])


@test
def a_disk_that_fills_while_staging_is_said_and_survived(place):
    disk = place.small_disk("disk", "160k")
    workshop = Workshop(place)
    images = workshop.publish(2)
    server = rough.Rough(place, workshop.repository, {".rootfs.img": rough.held_at(100_000)})
    device = Device(place, workshop.root, server.url)
    on_disk(device, disk)
    with device.untouched():
        device.kill_while_staging(1, 65536)
        fill(disk)
        server.rules.clear()
        device.once().must(FAILED, "step-failed step=stage", "No space left on device", str(disk))
    (disk / "filler").unlink()
    device.update(2, images)


@test
def a_slot_that_is_too_small_is_not_written(place):
    sizes = {"kernel": 512 * 1024, "rootfs": (4096 * 1024, ROOTFS_BYTES - 1)}
    device, _ = made(place, parts=sizes)
    with device.untouched("ab"):
        device.once().must(DONE, "refused release=2 why=slot-too-small part=rootfs "
                                 f"image_bytes={ROOTFS_BYTES} part_bytes={ROOTFS_BYTES - 1}")
    # A release that just fits is taken.
    sizes = {"kernel": 512 * 1024, "rootfs": ROOTFS_BYTES - 1}
    device.update(3, device.workshop.publish(3, sizes=sizes))


@test
def a_release_without_an_image_for_a_part_is_not_written(place):
    device, _ = made(place)
    device.workshop.publish(3, sizes={"rootfs": 1000})
    with device.untouched("ab"):
        device.once().must(DONE, "refused release=3 why=part-without-image part=kernel")


@test
def a_repository_for_other_boards_offers_nothing(place):
    workshop = Workshop(place)
    workshop.publish(2, board="gate-9")
    device = Device(place, workshop.root, Web(place, workshop.repository).url)
    with device.untouched("ab"):
        device.once().must(DONE)
    assert device.status()["offer"] == "nothing for this board and channel"


def wrong_settings(place, table, key, value):
    device, _ = made(place)
    device.settings[table][key] = value
    line = next(number for number, line in enumerate(device.settings_text().splitlines(), 1)
                if line.startswith(f"{key} ="))
    with device.untouched("ab"):
        device.once().must(USAGE, f"line {line}: ", key)
        device.komainu("status").must(USAGE, f"line {line}: ")


tests(wrong_settings, "settings_with_{}_are_refused_with_their_line", [
    ("an_unknown_key", "server", "metadata_urll", "https://updates.example/"),
    ("a_number_out_of_bounds", "poll", "interval_seconds", 5),
    ("an_address_of_another_kind", "server", "targets_url", "ftp://updates.example/"),
])


def with_example_keys(place):
    folder = ROOT / "keys-example"
    if not (folder / "repository").is_dir():
        raise Skip("needs keys-example/")
    root = (folder / "root.json").read_bytes()
    device = Device(place, root, Web(place, folder / "repository").url, board="example", parts={"rootfs": 65536})
    # The example is release 1.
    del device.settings["device"]["release"], device.settings["device"]["version"]
    return device


@test
def example_keys_are_refused(place):
    device = with_example_keys(place)
    with device.untouched("ab"):
        device.komainu("once").must(FAILED, "example key", "everybody has")
        # The gate and the wall go on without updates: `with_nothing_to_trust_there_are_no_updates_and_the_gate_is_kept`.
        checked = device.komainu("check").must(FAILED)
        assert "example key" in checked.out + checked.log and "everybody has" in checked.out + checked.log, checked


@test
def example_keys_are_taken_for_testing(place):
    device = with_example_keys(place)
    device.once("--testing").must(RESTART, "testing: ", "staging release=1", "activating release=1")
    assert device.restart() == "b"
    device.once("--testing").must(DONE, "testing: ", "confirming release=1")
