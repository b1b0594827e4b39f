"""Updates of slots on raw flash, on Debian's kernels: NOR, NAND with bad blocks, UBI volumes of both kinds."""

import os
import random

from device import FAILED
from flash import FIRST, SIZES, Device, Release, begun, nand, nor, settings, ubi, written
from place import test, tests

MEDIA = {"NOR": nor, "NAND": nand, "dynamic_UBI_volumes": lambda: ubi("dynamic"),
         "static_UBI_volumes": lambda: ubi("static")}
#: Debian's kernel for ARM has no NOR of memory.
ROWS = [(f"{name}_of_{kind}", medium, kind) for kind in ("malta", "virt") for name, medium in MEDIA.items()
        if (name, kind) != ("NOR", "virt")]


def almost(image, block, at):
    """A command that says an image of the bundle with one byte changed, in the block of this number."""
    begin = block * at + 5
    changed = bytes([image[begin] ^ 1])
    file = "tar -xOf /bundles/2.tar $(tar -tf /bundles/2.tar | grep rootfs.img)"
    return f"{{ {file} | head -c {begin}; printf '\\{changed[0]:03o}'; {file} | tail -c +{begin + 2}; }}"


def updates(place, make, kind):
    medium, release = make(), Release(place)
    device = Device(place, medium, kind, release, {number: release.bundle(number) for number in (2, 3)})
    said = installs(device, release.images[2])
    device.as_shipped()
    return f"{said}; {goes_on(device, release.images[3])}"


def installs(device, images):
    """Installs release 2 into a slot that holds all of it but one byte."""
    medium = device.medium
    device.fill("rootfs", "b", almost(images["rootfs"], medium.block, 2))
    before = [device.hash(part, "a") for part in SIZES]
    log = device.install(2)
    device.holds(images, "b")
    device.boots("b")
    assert [device.hash(part, "a") for part in SIZES] == before, "the running slot changed"
    new, equal, _ = written(log, "rootfs")
    length = len(images["rootfs"])
    # The first block is always written, as the last of all.
    wanted = (2 * medium.block, length - 2 * medium.block) if medium.goes_on else (length, 0)
    assert (new, equal) == wanted, f"{new} bytes written, {equal} equal, not {wanted}"
    return f"{new} of {length} bytes written, {equal} were right"


def goes_on(device, images):
    """Installs release 3 with an agent that is killed on the way, twice."""
    total = sum(map(len, images.values()))
    for staged in (100_000, total // 2):
        device.killed_at(3, staged)
        device.boots("a")
    log = device.install(3)
    went_on = begun(log)
    assert total // 2 <= went_on < total, f"it went on at {went_on} of {total}:\n{log}"
    device.holds(images, "b")
    device.boots("b")
    return f"after kills it went on at {went_on} of {total}"


tests(updates, "a_release_is_installed_and_a_killed_agent_goes_on_at_{}", ROWS)


@test
def a_power_cut_on_nor_goes_on_after_the_restart(place):
    medium, release = nor(), Release(place)
    bundle = release.bundle(2)
    images = release.images[2]
    device = Device(place, medium, "malta", release, {2: bundle})
    device.killed_at(2, 400_000)
    device.machine.cut()
    device = Device(place, medium, "malta", release, {2: bundle}, chip=device.chip)
    device.boots("a")
    log = device.install(2)
    assert begun(log) >= 400_000, log
    device.holds(images, "b")
    device.boots("b")
    device.machine.cut()
    device = Device(place, medium, "malta", release, {2: bundle}, chip=device.chip)
    device.holds(images, "b")
    device.boots("b")


@test
def a_nand_block_that_fails_is_marked_bad_and_the_image_goes_on_behind_it(place):
    # The fourth good block of the part, of which the first and the fourth are bad; it can be erased once.
    medium, release = nand(f"weakblocks={FIRST['rootfs_b'] + 5}:1"), Release(place)
    device = Device(place, medium, "malta", release, {2: release.bundle(2)})
    images = release.images[2]
    device.fill("rootfs", "b", almost(images["rootfs"], medium.block, 3))
    log = device.install(2)
    new, equal, bad = written(log, "rootfs")
    assert (bad, equal) == (1, 2 * medium.block), f"{bad} blocks marked, {equal} bytes equal:\n{log}"
    device.holds(images, "b")
    device.boots("b")
    said = device.must("for m in /sys/class/mtd/mtd*[0-9]; do cat $m/name $m/bad_blocks; done").split("\n")
    assert said[said.index(medium.names["rootfs_b"]) + 1] == "3", said
    return f"{new} bytes written"


@test
def flash_that_is_in_use_or_read_only_is_refused_and_left_alone(place):
    release, medium = Release(place), nand()
    device = Device(place, medium, "malta", release, {2: release.bundle(2)})
    hashes = [device.hash(part, slot) for part in SIZES for slot in "ab"]
    for name, before, sentence in [
        # The root file system of slot b, as the settings name it; what is done before; words of the refusal.
        ("/dev/mtd3ro", "true", "the read-only twin of /dev/mtd3"),
        ("/dev/mtdblock3", "true", "name /dev/mtd3 instead"),
        ("mtd:rootfs_c", "true", "no device has this name"),
        ("/dev/mtd5", "ubiformat -q -y /dev/mtd5 && ubiattach -p /dev/mtd5", "attached as ubi0"),
    ]:
        parts = {**device.parts, "rootfs": [device.parts["rootfs"][0], name]}
        device.must(f"cat >/etc/komainu.toml <<'end'\n{settings(parts)}end\n{before}")
        log = device.install(2, FAILED)
        assert sentence in log, log
        assert [device.hash(part, slot) for part in SIZES for slot in "ab"] == hashes, "a slot changed"
        device.boots("a")


@test
def a_ubi_volume_that_another_reads_is_refused_until_it_is_let_go(place):
    release, medium = Release(place), ubi("dynamic")
    device = Device(place, medium, "malta", release, {2: release.bundle(2)})
    images = release.images[2]
    volume = device.must("grep -lx rootfs_b /sys/class/ubi/ubi0_*/name").split("/")[4]
    reader = device.machine.start(f"sh -c 'exec sleep 100000 </dev/{volume}'")
    before = device.hash("kernel", "b")
    log = device.install(2, FAILED)
    assert "cannot open ubi0:rootfs_b: " in log and "busy" in log, log
    assert device.hash("kernel", "b") == before, "another part of the slot changed"
    device.must(f"kill {reader}")
    device.install(2)
    device.holds(images, "b")
    device.boots("b")


def random_kills(place, make, kind):
    """Installs two releases by turns, and kills the agent at random moments. After each kill the slot that the boot
    loader starts must be whole: otherwise the device is a brick."""
    kills, seed = int(os.environ.get("KOMAINU_KILLS", "3")), os.environ.get("KOMAINU_SEED", "1")
    chance, medium, release = random.Random(seed), make(), Release(place)
    device = Device(place, medium, kind, release, {number: release.bundle(number) for number in (2, 3)})
    running = [device.hash(part, "a") for part in SIZES]
    # A kill may come at any moment of an installation, and a little later.
    began = device.machine.uptime()
    device.install(2)
    longest = 1.1 * (device.machine.uptime() - began)
    device.holds(release.images[2], "b")
    device.as_shipped()
    killed, installed, number = 0, 1, 3
    while killed < kills:
        seconds = chance.uniform(0, longest)
        pid = device.start(number)
        ended = device.run(f"usleep {int(seconds * 1e6)}; kill -9 {pid}").code != 0
        device.after_kill(pid)
        killed += not ended
        done = device.boot_slot() == "b"
        now = [device.hash(part, "a") for part in SIZES]
        assert now == running, f"kill {killed}, seed {seed}: the running slot changed"
        if done:
            device.holds(release.images[number], "b")
            device.as_shipped()
            installed, number = installed + 1, 5 - number
    device.must("rm -rf /run/komainu")
    if device.boot_slot() == "a":
        device.install(number)
    device.holds(release.images[number], "b")
    return f"{killed} kills, {installed + 1} installations, 0 bricks (seed {seed})"


tests(random_kills, "no_kill_at_a_random_moment_makes_a_brick_on_{}", ROWS)
