"""The disk of a whole machine as it leaves the factory: partitions with their names, an empty state, and a boot environment
as U-Boot's own tools make it."""

import os

from place import ROOT, command, need

DIST = ROOT / "agent/dist/uboot"


def environment(folder, *words, size, files=(), text=""):
    """An environment as mkenvimage makes it of these files of agent/dist/uboot, and of text."""
    said, made = folder / "environment", folder / "environment.bin"
    said.write_text("".join((DIST / name).read_text() for name in files) + text)
    command(need("mkenvimage", "u-boot-tools"), *words, "-s", hex(size), "-o", made, said)
    return made.read_bytes()


def partition(disk, partitions):
    """An empty disk with the partitions, by sfdisk: name → (first byte, bytes)."""
    size, places, lines = 1 << 20, {}, ["label: gpt"]
    for name, megabytes in partitions:
        places[name] = (size, megabytes << 20)
        lines.append(f"start={size // 512}, size={(megabytes << 20) // 512}, name={name}")
        size += megabytes << 20
    with open(disk, "wb") as file:
        file.truncate(size + (1 << 20))
    command(need("sfdisk", "fdisk"), "-q", disk, input="\n".join(lines) + "\n")
    return places


def write_at(file, at, room, content):
    """Writes into a partition, in which it must have room."""
    assert len(content) <= room, f"{len(content)} bytes have no room in {room}"
    descriptor = os.open(file, os.O_WRONLY)
    try:
        os.pwrite(descriptor, content, at)
    finally:
        os.close(descriptor)


def factory_disk(disk, partitions, images, folder):
    """A disk whose slot a has the images, and whose state is empty; the places of its partitions."""
    places = partition(disk, partitions)
    for part, file in images.items():
        write_at(disk, *places[f"{part}_a"], file.read_bytes())
    state = empty(folder / "state", places["state"])
    command(need("mke2fs", "e2fsprogs"), "-q", "-t", "ext4", "-F", state)
    write_at(disk, *places["state"], state.read_bytes())
    state.unlink()
    return places


def environment_on_fat(disk, place, folder, content):
    """Puts both copies of a boot environment as files into a partition with FAT."""
    copy = folder / "copy"
    copy.write_bytes(content)
    fat = empty(folder / "fat", place)
    command(need("mkfs.vfat", "dosfstools"), "-n", "ENV", fat)
    for name in ("uboot.env", "uboot-r.env"):
        command(need("mcopy", "mtools"), "-i", fat, copy, f"::{name}")
    write_at(disk, *place, fat.read_bytes())


def empty(file, place):
    """A file of zeros as large as a partition."""
    with open(file, "wb") as made:
        made.truncate(place[1])
    return file
