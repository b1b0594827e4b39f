"""Patches inside squashfs: images that Debian's mksquashfs makes of Debian's programs, the real maker, nginx, and an agent that
rebuilds the new image from the slot that runs."""

import os
import re
import subprocess
from pathlib import Path

from device import Device
from maker import Workshop
from place import KOMAINU_MAKER, PATIENCE, ROOT, Skip, command, need, test, tests
from web import Web

PACKAGES = ROOT / "work/debian-packages"
KIB, MIB = 1024, 1 << 20
#: Of the image's bytes, most that a patch for a small change of one program may have, in per cent.
GOAL = 2


class Pair:
    """An old and a new image. The new one has a program with a few other instructions, a longer setting and one more file."""

    def __init__(self, place, *words):
        tree = place.path("tree")
        packages = sorted(PACKAGES.glob("*.deb"))
        if not packages:
            raise Skip("needs work/debian-packages: tests/setup")
        for package in packages:
            command(need("dpkg-deb", "dpkg"), "-x", package, tree)
        self.place, self.tree, self.words = place, tree, words
        self.old = self.pack("old")
        program = tree / "usr/sbin/dnsmasq"
        content = bytearray(program.read_bytes())
        for at in range(100_000, 101_000, 100):
            content[at:at + 4] = b"\x90\x90\x90\x90"
        program.write_bytes(content)
        (tree / "etc/passwd").write_text("root:*:0:0:root:/root:/bin/sh\n" * 3)
        (tree / "etc/new").write_text("a file that was not there\n")
        for path in (program, tree / "etc/passwd", tree / "etc/new", tree / "etc", tree / "usr/sbin"):
            os.utime(path, (1_700_000_000, 1_700_000_000))
        self.new = self.pack("new")

    def pack(self, name):
        image = self.place.path(f"{name}.squashfs")
        command(need("mksquashfs", "squashfs-tools"), self.tree, image, "-all-root", "-noappend", "-quiet", "-no-progress",
                "-no-xattrs", "-mkfs-time", "1700000000", *(self.words or ("-comp", "xz")), seconds=4 * PATIENCE)
        return image


class Fleet:
    """A workshop with a release and its patch, a server, and a device that runs the old image."""

    def __init__(self, place, pair, *, extra="", delta_from=None):
        self.pair = pair
        self.workshop = Workshop(place)
        self.said = self.workshop.run(
            "release", "add", "--board", "gate-1", "--channel", "stable", "--version", "2.0.0", "--release", "2", "--image",
            f"rootfs={pair.new}", "--delta-from", f"rootfs={delta_from or pair.old}")
        self.workshop.run("publish")
        self.images = {"rootfs": pair.new.read_bytes()}
        self.web = Web(place, self.workshop.repository, extra=extra)
        size = max(pair.old.stat().st_size, pair.new.stat().st_size) + 64 * KIB
        self.device = Device(place, self.workshop.root, self.web.url, parts={"rootfs": size})
        # Bytes are only counted where the settings bound them.
        self.device.settings["poll"]["month_bytes_max"] = 1 << 30
        slot = self.device.parts["rootfs"]["a"]
        with open(slot, "r+b") as file:
            file.write(pair.old.read_bytes())

    @property
    def patch(self):
        [path] = (self.workshop.repository / "targets/images/gate-1/stable/2").glob("*.patch")
        return path

    def counted(self):
        """Bytes of images that the device has counted for this month."""
        records = [copy.read_text() for copy in self.device.state.glob("record.[01]")]
        return max(int(re.search(r"^fetched since=\d+ bytes=(\d+)$", text, re.M)[1]) for text in records)

    def fetched(self):
        """Bytes that the server sent of the patch, and of the image."""
        requests = self.web.requests()
        sent = {ending: sum(request["sent_bytes"] for request in requests if request["path"].endswith(ending))
                for ending in (".patch", ".img")}
        return sent[".patch"], sent[".img"]


def takes_the_patch(place, *words):
    fleet = Fleet(place, Pair(place, *words))
    whole, patch = len(fleet.images["rootfs"]), fleet.patch.stat().st_size
    fleet.device.update(2, fleet.images)
    of_patch, of_image = fleet.fetched()
    assert of_image == 0 and of_patch < patch + 4 * KIB, (of_patch, of_image)
    assert fleet.counted() == 0, fleet.counted()
    return f"{patch} of {whole} bytes, {100 * patch / whole:.2f} %", 100 * patch / whole


def within_the_goal(place, *words):
    said, percent = takes_the_patch(place, *words)
    assert percent <= GOAL, said
    return said


tests(within_the_goal, "a_small_change_in_{}_costs_two_per_cent_at_most", [
    ("squashfs_as_mksquashfs_packs_it", "-comp", "xz"),
    ("squashfs_with_blocks_of_256_KiB", "-comp", "xz", "-b", "256K"),
    ("squashfs_with_the_x86_filter", "-comp", "xz", "-Xbcj", "x86"),
])


@test
def an_image_that_is_packed_otherwise_is_patched_as_it_is(place):
    said, percent = takes_the_patch(place, "-comp", "gzip")
    assert percent < 60, said
    return said


def falls_back(place, change, says, extra=""):
    """The patch does not serve: the image is fetched whole, and the log says why."""
    pair = Pair(place)
    fleet = Fleet(place, pair, extra=extra)
    change(fleet)
    device = fleet.device
    run = device.once().must(3, "staging release=2", "activating release=2", "patch-not-used", says)
    assert run.log.count("patch-not-used") == 1, run.log
    device.holds(fleet.images, "b")
    assert device.restart() == "b"
    device.once().must(0, "confirming release=2")
    _, of_image = fleet.fetched()
    assert of_image >= len(fleet.images["rootfs"]) - 4 * KIB, of_image
    assert fleet.counted() >= len(fleet.images["rootfs"]) - 4 * KIB, fleet.counted()


def spoil(change):
    def act(fleet):
        content = bytearray(fleet.patch.read_bytes())
        fleet.patch.write_bytes(change(content))
    return act


def flip(content):
    content[len(content) // 2] ^= 1
    return content


def other_base(fleet):
    with open(fleet.device.parts["rootfs"]["a"], "r+b") as slot:
        slot.seek(MIB)
        slot.write(b"another")


tests(falls_back, "the_whole_image_is_taken_where_{}", [
    ("the_running_slot_holds_another_image", other_base, "no patch is for the image in the running slot"),
    ("the_patch_was_changed_on_the_server", spoil(flip), "has not the signed sha256"),
    ("the_patch_is_not_on_the_server", lambda fleet: fleet.patch.unlink(), "the patch cannot be fetched"),
])


@test
def a_killed_agent_goes_on_with_the_patch(place):
    fleet = Fleet(place, Pair(place))
    device = fleet.device
    with device.untouched():
        offset = device.kill_while_staging(0, 1 * MIB)
        assert device.restart() == "a"
    left = subprocess.run(["pgrep", "-f", f"rebuild --settings {device.folder}"], capture_output=True, check=False)
    assert left.returncode == 1, f"a process is left: {left.stdout}"
    device.update(2, fleet.images)
    of_patch, of_image = fleet.fetched()
    assert of_image == 0 and of_patch < 3 * fleet.patch.stat().st_size + 8 * KIB, (of_patch, of_image)
    return f"killed at {offset}"


@test
def a_patch_that_saves_nothing_is_refused_by_the_maker(place):
    noise = [place.path(name) for name in ("one.img", "two.img")]
    for file in noise:
        file.write_bytes(os.urandom(200_000))
    workshop = Workshop(place)
    words = ["release", "add", "--board", "gate-1", "--channel", "stable", "--version", "1", "--image", f"rootfs={noise[1]}",
             "--workshop", workshop.folder]
    for old, says in ((noise[0], "leave this one out"), (noise[1], "the new image itself"),
                      (Path("/nowhere"), "there is no file")):
        done = subprocess.run([KOMAINU_MAKER, *map(str, words), "--delta-from", f"rootfs={old}"], capture_output=True,
                              text=True, check=False)
        assert done.returncode != 0 and says in done.stderr, done.stderr
    assert "release" not in workshop.run("release", "list")
