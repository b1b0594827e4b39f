"""Updates of slots on raw flash, on Debian's kernels: NOR, NAND with bad blocks, UBI volumes of both kinds."""

from device import FAILED
from flash import FIRST, SIZES, Device, Release, begun, nand, nor, ubi, written
from place import test, tests

MEDIA = {"NOR": nor, "NAND": nand, "dynamic UBI volumes": lambda: ubi("dynamic"),
         "static UBI volumes": lambda: ubi("static")}
#: Debian's kernel for ARM has no NOR of memory.
ROWS = [(f"{name.replace(chr(32), chr(95))}_of_{kind}", medium, kind) for kind in ("malta", "virt") for name, medium in MEDIA.items()
        if (name, kind) != ("NOR", "virt")]


def almost(image, block, at):
    """A command that says an image of the bundle with one byte changed, in the block of this number."""
    begin = block * at + 5
    changed = bytes([image[begin] ^ 1])
    file = "tar -xOf /bundles/2.tar $(tar -tf /bundles/2.tar | grep rootfs.img)"
    return f"{{ {file} | head -c {begin}; printf '\\{changed[0]:03o}'; {file} | tail -c +{begin + 2}; }}"


def updates(place, make, kind):
    medium, release = make(), Release(place)
    device = Device(place, medium, kind, release, {2: release.bundle(2)})
    images = release.images[2]
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


def killed(place, make, kind):
    medium, release = make(), Release(place)
    device = Device(place, medium, kind, release, {2: release.bundle(2)})
    images = release.images[2]
    total = sum(map(len, images.values()))
    for staged in (100_000, total // 2):
        device.killed_at(2, staged)
        device.boots("a")
    log = device.install(2)
    went_on = begun(log)
    assert total // 2 <= went_on < total, f"it went on at {went_on} of {total}:\n{log}"
    device.holds(images, "b")
    device.boots("b")
    return f"went on at {went_on} of {total} bytes"


tests(updates, "a_release_is_installed_on_{}", ROWS)
tests(killed, "an_agent_that_is_killed_goes_on_at_{}", ROWS)


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
    release = Release(place)
    refused = [
        # The name of a part of slot b, what is done before, and a word of the sentence.
        (nand, "/dev/mtd3ro", "", "read-only twin"),
        (nand, "/dev/mtdblock3", "", "name /dev/mtd3 instead"),
        (nand, "/dev/mtd3", "ubiformat -q -y /dev/mtd3; ubiattach -b 1 -p /dev/mtd3", "attached as ubi0"),
    ]
    bundle = release.bundle(2)
    for make, name, before, sentence in refused:
        medium = make()
        with_slot = {part: [medium.named(f"{part}_a"), medium.named(f"{part}_b")] for part in SIZES}
        with_slot["rootfs"][1] = name
        device = Device(place, medium, "malta", release, {2: bundle}, parts=with_slot)
        device.must(before or "true")
        hashes = [device.hash(part, slot) for part in SIZES for slot in "ab"]
        log = device.install(2, FAILED)
        assert sentence in log, log
        assert [device.hash(part, slot) for part in SIZES for slot in "ab"] == hashes, "a slot changed"
        device.boots("a")
        device.machine.end()
