"""Bundles: a release in one file, installed with no server in reach, and believed as little as a server."""

import json
import signal
import subprocess
import tarfile

from device import DONE, FAILED, RESTART, USAGE, Device
from maker import Workshop
from place import KOMAINU_MAKER, PATIENCE, command, test, tests, wait_until
from publisher import Publisher

# Nobody listens there, and the answer comes at once.
NO_SERVER = "http://127.0.0.1:9/"


def bundled(place, repository, name, *words, board="gate-1"):
    """A bundle of what a repository has for a board."""
    file = place.path(f"bundles/{name}.tar")
    command(KOMAINU_MAKER, "bundle", repository, "--board", board, "--output", file, *words)
    return file


def installs(device, bundle, release, images):
    """The bundle is staged, started and confirmed, and the slots are as they should be."""
    old, new = device.slot, "b" if device.slot == "a" else "a"
    before = device.fingerprint_of_slots(old)
    device.komainu("install", bundle).must(RESTART, f"staging release={release}", f"activating release={release}")
    assert device.fingerprint_of_slots(old) == before, "the running slot changed"
    device.holds(images, new)
    assert device.restart() == new
    # The server is not there, and the release is good all the same.
    device.once().must(FAILED, f"confirming release={release}", "step-failed step=poll")
    assert device.status()["confirmed_release"] == release


@test
def a_bundle_installs_without_a_server(place):
    workshop = Workshop(place)
    first = workshop.root
    images = workshop.publish(2)
    device = Device(place, first, NO_SERVER)
    installs(device, bundled(place, workshop.repository, "2"), 2, images)
    # And on, over new keys of every role, with a bundle alone.
    for role in ("root", "targets", "snapshot", "timestamp"):
        workshop.rotate(role, "ecdsa")
    images = workshop.publish(3)
    installs(device, bundled(place, workshop.folder, "3"), 3, images)
    assert device.status()["root"]["version"] == 5


@test
def an_installation_that_was_cut_before_the_boot_choice_goes_on(place):
    workshop = Workshop(place)
    images = workshop.publish(2)
    device, bundle = Device(place, workshop.root, NO_SERVER), bundled(place, workshop.repository, "2")
    device.komainu("install", bundle).must(RESTART)
    device.komainu("install", bundle).must(FAILED, "release 2 waits for its trial: restart the device first")
    # The power goes after the record and before the boot choice: a restart alone would start the old slot for ever.
    device.environment.change(boot_slot="a", upgrade_available="0", komainu_release="1")
    device.komainu("install", bundle).must(RESTART, "restart-into-trial release=2")
    assert device.environment.read()["boot_slot"] == "b"
    device.holds(images, "b")


@test
def a_bundle_is_made_of_any_repository(place):
    publisher = Publisher(place, consistent=True, lengths_and_hashes=True)
    images = publisher.publish(2)
    device = Device(place, publisher.root, NO_SERVER)
    installs(device, bundled(place, publisher.folder, "2"), 2, images)
    # A tar archive of the repository by anybody's tar is one, too; its long names are written in another way.
    publisher.rotate_root()
    images = publisher.publish(3)
    whole = place.path("bundles/whole.tar")
    command("tar", "--format=gnu", "--sort=name", "-C", publisher.folder, "-cf", whole, "metadata", "targets")
    installs(device, whole, 3, images)


@test
def the_same_repository_makes_the_same_bundle(place):
    workshop = Workshop(place)
    workshop.publish(2)
    one, two = (bundled(place, workshop.repository, name).read_bytes() for name in ("one", "two"))
    assert one == two


@test
def komainu_that_is_at_work_installs_what_is_brought(place):
    workshop = Workshop(place)
    images = workshop.publish(2)
    bundle = bundled(place, workshop.repository, "2")
    device = Device(place, workshop.root, NO_SERVER)
    running = device.start("run")
    wait_until(lambda: "step-failed step=poll" in device.log.read_text(), "it finds no server")
    log = device.log
    device.log = device.folder / "log-of-install"
    run = device.komainu("install", bundle).must(DONE)
    assert "asked the komainu that is at work" in run.out, run.out
    # It ends because the device must be restarted.
    assert running.wait(PATIENCE) == RESTART, log.read_text()
    assert "activating release=2" in log.read_text()
    assert device.restart() == "b"
    device.holds(images, "b")


@test
def after_a_bundle_the_server_is_asked_again(place):
    workshop = Workshop(place)
    workshop.publish(2)
    bundle = bundled(place, workshop.repository, "2")
    device = Device(place, workshop.root, NO_SERVER)
    device.settings["device"]["release"] = 2
    running = device.start("run")
    wait_until(lambda: "step-failed step=poll" in device.log.read_text(), "it finds no server")
    log = device.log
    device.log = device.folder / "log-of-install"
    device.komainu("install", bundle).must(DONE)
    wait_until(lambda: "refused release=2 why=up-to-date" in log.read_text(), "it is done with the bundle")
    before = log.read_text().count("step-failed step=poll")
    device.komainu("install", place.path("bundles/none.tar")).must(FAILED)
    (device.folder / "run/request").write_text("poll")
    running.send_signal(signal.SIGUSR1)
    wait_until(lambda: log.read_text().count("step-failed step=poll") > before, "it asks the server")
    running.send_signal(signal.SIGTERM)
    assert running.wait(PATIENCE) == DONE


def members(bundle):
    """What is in a bundle: name and bytes, in order."""
    with tarfile.open(bundle) as archive:
        return [(member.name, archive.extractfile(member).read()) for member in archive]


def pack(bundle, files):
    with tarfile.open(bundle, "w", format=tarfile.USTAR_FORMAT) as archive:
        for name, content in files:
            member = tarfile.TarInfo(name)
            member.size = len(content)
            with open(bundle.with_suffix(".part"), "wb+") as file:
                file.write(content)
                file.seek(0)
                archive.addfile(member, file)


def flip(content, at):
    return content[:at] + bytes([content[at] ^ 1]) + content[at + 1:]


def spoiled(word, at):
    """Changes one bit of the file whose name has this word in it."""
    return lambda files: [(name, flip(content, at) if word in name else content) for name, content in files]


def without(word):
    return lambda files: [(name, content) for name, content in files if word not in name]


def resigned(files):
    """Signed again by nobody: a number is another one."""
    def change(name, content):
        if "targets.json" not in name:
            return name, content
        whole = json.loads(content)
        whole["signed"]["version"] += 7
        return name, json.dumps(whole).encode()
    return [change(*file) for file in files]


def refused(place, change, code, words):
    workshop = Workshop(place)
    images = workshop.publish(2)
    good = bundled(place, workshop.repository, "good")
    bad = place.path("bundles/bad.tar")
    bad.parent.mkdir(exist_ok=True)
    pack(bad, change(members(good)))
    device = Device(place, workshop.root, NO_SERVER)
    with device.untouched():
        run = device.komainu("install", bad).must(code)
    assert words in run.log + run.out, f"it does not say {words!r}:\n{run.log}{run.out}"
    installs(device, good, 2, images)


tests(refused, "a_bundle_with_{}_is_refused", [
    ("a_changed_image", spoiled("rootfs", 70_000), FAILED, "does not have the signed sha256"),
    ("a_changed_manifest", spoiled("stable.json", 9), FAILED, "stable.json refused (TUF 5.7)"),
    ("a_changed_timestamp", spoiled("timestamp.json", 40), FAILED, "timestamp.json"),
    ("targets_that_nobody_signed", resigned, FAILED, "refused (TUF 5.6.2): its hash is not the signed one"),
    ("no_snapshot", without("snapshot"), FAILED, "refused (TUF 5.5.1): the server does not have it"),
    ("no_image", without("rootfs"), FAILED, "not found"),
])


def not_a_bundle(place, make, words):
    workshop = Workshop(place)
    images = workshop.publish(2)
    good = bundled(place, workshop.repository, "good")
    bad = place.path("bundles/bad.tar")
    bad.write_bytes(make(good.read_bytes()))
    device = Device(place, workshop.root, NO_SERVER)
    with device.untouched("ab"):
        device.komainu("install", bad).must(FAILED, str(bad), words)
    installs(device, good, 2, images)


tests(not_a_bundle, "a_file_that_is_{}_is_no_bundle", [
    ("cut_off", lambda whole: whole[:-70_000], "is cut off at byte"),
    ("cut_off_between_two_files", lambda whole: whole[:whole.index(b"targets/")], "is cut off at byte"),
    ("empty", lambda _: b"", "is cut off at byte 0"),
    ("not_a_tar", lambda _: b"\x1f\x8b" + bytes(range(256)) * 8, "no tar header at byte 0"),
    ("damaged_in_a_header", lambda whole: flip(whole, 130), "no tar header at byte 0"),
])


@test
def an_older_bundle_is_refused(place):
    workshop = Workshop(place)
    workshop.publish(2)
    old = bundled(place, workshop.repository, "2")
    images = workshop.publish(3)
    device = Device(place, workshop.root, NO_SERVER)
    installs(device, bundled(place, workshop.repository, "3"), 3, images)
    with device.untouched("ab"):
        device.komainu("install", old).must(FAILED, "refused (TUF 5.4.3)", "looks like a stale mirror")


@test
def a_bundle_for_another_board_brings_nothing(place):
    workshop = Workshop(place)
    workshop.publish(2, board="camera-7")
    other = bundled(place, workshop.repository, "other", board="camera-7")
    device = Device(place, workshop.root, NO_SERVER)
    with device.untouched("ab"):
        device.komainu("install", other).must(FAILED, "has nothing for board gate-1 and channel stable")
    # The maker has something for this board, and the bundle does not.
    workshop.publish(3)
    other = bundled(place, workshop.repository, "other-again", board="camera-7")
    with device.untouched("ab"):
        device.komainu("install", other).must(FAILED, "boards/gate-1/stable.json")


@test
def install_says_what_is_wrong_with_the_bundle(place):
    workshop = Workshop(place)
    images = workshop.publish(2)
    good = bundled(place, workshop.repository, "2")
    device = Device(place, workshop.root, NO_SERVER)
    bad = place.path("bundles/bad.tar")
    pack(bad, spoiled("rootfs", 70_000)(members(good)))
    assert "does not have the signed sha256" in device.komainu("install", bad).must(FAILED).out
    # A release that is rightly signed and not for this device is no success either.
    workshop.publish(3, sizes={"kernel": 1000})
    run = device.komainu("install", bundled(place, workshop.repository, "3")).must(FAILED)
    assert "refused release=3 why=part-without-image part=rootfs" in run.out, run.out
    images = workshop.publish(4)
    device.komainu("install", bundled(place, workshop.repository, "4")).must(RESTART)
    # Asking again before the restart counts nothing.
    for words in (["install", str(good)], ["confirm"]) * 3:
        run = device.komainu(*words).must(FAILED, "release 4 waits for its trial: restart the device first")
    assert device.restart() == "b"
    device.once().must(FAILED, "confirming release=4")
    device.holds(images, "b")


@test
def a_bundle_is_not_written_where_no_medium_is(place):
    workshop = Workshop(place)
    workshop.publish(2)
    nowhere = place.path("not") / "there/u.tar"
    words = [KOMAINU_MAKER, "bundle", str(workshop.repository), "--board", "gate-1", "--output", str(nowhere)]
    run = subprocess.run(words, capture_output=True, text=True, check=False)
    assert run.returncode == 1 and "there is no folder" in run.stderr, run.stderr
    assert not nowhere.parent.exists()


@test
def install_wants_one_file(place):
    device = Device(place, Workshop(place).root, NO_SERVER)
    device.komainu("install").must(USAGE, "install is followed by FILE")
    device.komainu("status", "x").must(USAGE, "status is followed by nothing")
