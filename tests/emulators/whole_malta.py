"""QEMU's board `malta` as a whole machine, in either order of bytes: 64 MB, an IDE disk with two slots, and U-Boot in a
NOR chip, which keeps its environment there twice, a block each. Both U-Boots are built from Debian's source with
agent/dist/uboot/komainu.config; Linux reaches the environment by MTD, in the partition that it calls "User FS".
"""

import array
import gzip
import struct

from machine import FOLDER
from place import Skip, command, need
from whole_machine import Board
from whole_virt import DIST, environment, partition, write_at

HERE_WORDS = "uboot/malta.env"
CHIP_BYTES, BLOCK = 4 << 20, 64 << 10
#: Where Linux has the partition "User FS" of the chip, and U-Boot the copies of its environment.
USER_FS, COPIES = 0x100000, (0x3C0000, 0x3D0000)
#: Of the chip of a little-endian machine the emulator reverses this much at each start, word by word.
REVERSED = 0x3E0000
#: What the emulator writes into the file of the chip at once.
SECTOR = 512
#: Partitions of the disk in their order: name and MiB. The loader reads a whole kernel, byte by byte.
PARTITIONS = (("kernel_a", 8), ("kernel_b", 8), ("rootfs_a", 16), ("rootfs_b", 16), ("state", 32))
FIT = """/dts-v1/;
/ {{ description = "gate-1"; #address-cells = <1>;
 images {{
  kernel {{ description = "kernel"; data = /incbin/("{kernel}"); type = "kernel"; arch = "mips"; os = "linux";
   compression = "gzip"; load = <{load:#x}>; entry = <{entry:#x}>; hash {{ algo = "crc32"; }}; }};
  ramdisk {{ description = "start image"; data = /incbin/("{start}"); type = "ramdisk"; arch = "mips"; os = "linux";
   compression = "none"; hash {{ algo = "crc32"; }}; }};
 }};
 configurations {{ default = "c"; c {{ kernel = "kernel"; ramdisk = "ramdisk"; }}; }};
}};
"""


class Malta(Board):
    """The little-endian one, with Debian's kernel."""

    name, kind, uboot = "malta", "malta", "maltael"
    nic, console, control = "pcnet,romfile=", "ttyS0", "ttyS1"
    early = ("ata_piix", "sd_mod")
    modules = ("pcnet32", "cfi_probe", "cfi_cmdset_0001", "physmap")
    parts = {part: tuple(f"PARTLABEL={part}_{slot}" for slot in "ab") for part in ("kernel", "rootfs")}
    little = True
    #: In the start image: sets `root` to the partition of `slot`.
    find_root = """for _ in $($b seq 50); do [ -b /dev/sda5 ] && break; $b usleep 200000; done
for partition in /sys/block/sda/sda*/uevent; do
    [ "$($b sed -n 's/^PARTNAME=//p' "$partition")" = "rootfs_$slot" ] || continue
    root=/dev/$($b sed -n 's/^DEVNAME=//p' "$partition")
done
"""

    def files(self):
        copies = "".join(f"/dev/mtd1 {place - USER_FS:#x} {BLOCK:#x} {BLOCK:#x} 1\n" for place in COPIES)
        return {
            "etc/fw_env.config": copies,
            "etc/board": "mount -t ext4 -o noatime,errors=remount-ro /dev/sda5 /data || echo 'board: no state'\n",
        }

    def images(self, kernel, initramfs, rootfs, folder):
        flat, source, fit = folder / "kernel.gz", folder / "kernel.its", folder / "kernel.fit"
        load, entry, content = memory_of(kernel)
        flat.write_bytes(gzip.compress(content, 6, mtime=0))
        source.write_text(FIT.format(kernel=flat, load=load, entry=entry, start=initramfs))
        command(need("mkimage", "u-boot-tools"), "-f", source, fit)
        return {"kernel": fit, "rootfs": rootfs}

    def factory(self, images, folder):
        disk = folder / "disk"
        places = partition(disk, PARTITIONS)
        for part, file in images.items():
            write_at(disk, *places[f"{part}_a"], file.read_bytes())
        state = folder / "state"
        with open(state, "wb") as file:
            file.truncate(places["state"][1])
        command(need("mke2fs", "e2fsprogs"), "-q", "-t", "ext4", "-F", state)
        write_at(disk, *places["state"], state.read_bytes())
        state.unlink()
        chip = bytearray(b"\xff" * CHIP_BYTES)
        loader = self.loader.read_bytes()
        chip[:len(loader)] = loader
        copy = environment(folder, "-r", *([] if self.little else ["-b"]), size=BLOCK, text=words())
        for place in COPIES:
            chip[place:place + BLOCK] = copy
        (folder / "chip").write_bytes(chip)

    @property
    def loader(self):
        """U-Boot, as it was built."""
        built = FOLDER / "uboot" / self.uboot / "u-boot.bin"
        if not built.is_file():
            raise Skip(f"needs tests/emulators/uboot/build {self.uboot}")
        return built

    def qemu(self, folder, control):
        self.give(folder)
        return ["-M", "malta", "-m", self.megabytes,
                "-drive", f"if=pflash,format=raw,file={folder}/{'given' if self.little else 'chip'}",
                "-drive", f"if=ide,format=raw,file={folder}/disk,cache=unsafe",
                "-chardev", f"socket,id=control,path={control},server=on,wait=off", "-serial", "chardev:control"]

    def give(self, folder):
        """Gives the emulator the chip so that it has the chip's bytes after it reversed them: file `given`. What it
        wrote there since the last start it wrote as it is; `before` is what it was given then."""
        if not self.little:
            return
        chip, given, before = (folder / name for name in ("chip", "given", "before"))
        content = bytearray(chip.read_bytes())
        if given.exists():
            now, then = given.read_bytes(), before.read_bytes()
            for at in range(0, CHIP_BYTES, SECTOR):
                if now[at:at + SECTOR] != then[at:at + SECTOR]:
                    content[at:at + SECTOR] = now[at:at + SECTOR]
            chip.write_bytes(content)
        for file in (before, given):
            file.write_bytes(reverse(content[:REVERSED]) + content[REVERSED:])


def words():
    """The environment of the board: agent/dist/uboot, with the board's own words in the place of the example's."""
    own = (DIST.parents[2] / "tests/emulators" / HERE_WORDS).read_text()
    names = tuple(f"{line.partition('=')[0]}=" for line in own.splitlines() if not line.startswith("#"))
    lines = [line for name in ("komainu.env", "counted.env") for line in (DIST / name).read_text().splitlines()
             if not line.startswith(names)]
    return "\n".join(lines) + "\n" + own


def reverse(content):
    """Each word of four bytes in the other order."""
    got = array.array("I", bytes(content) + bytes(-len(content) % 4))
    got.byteswap()
    return got.tobytes()


def memory_of(kernel):
    """The load address, the entry and the content of a kernel that is an ELF file of 32 bits."""
    elf = kernel.read_bytes()
    order = "<" if elf[5] == 1 else ">"
    entry, headers = struct.unpack_from(f"{order}II", elf, 24)
    size, count = struct.unpack_from(f"{order}HH", elf, 42)
    loads = [head for head in (struct.unpack_from(f"{order}8I", elf, headers + number * size) for number in range(count))
             if head[0] == 1 and head[4]]
    begin = min(head[2] for head in loads)
    content = bytearray(max(head[2] + head[4] for head in loads) - begin)
    for _, offset, address, _, length, *_ in loads:
        content[address - begin:address - begin + length] = elf[offset:offset + length]
    return begin, entry, bytes(content)
