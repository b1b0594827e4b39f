"""QEMU's board `malta` as a whole machine: 64 MB, an IDE disk with two slots, and U-Boot in a NOR chip, built from
Debian's source with agent/dist/uboot/komainu.config. The environment is two files on FAT, as Debian's kernel for this
board does not reach the chip.
"""

import gzip
import struct

from machine import FOLDER
from place import Skip, command, need
from whole_disk import DIST, environment, environment_on_fat, factory_disk
from whole_machine import Board

#: The board's own words in U-Boot's environment.
WORDS = DIST.parents[2] / "tests/emulators/uboot/malta.env"
CHIP_BYTES = 4 << 20
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
    nic, console, control, disk = "pcnet,romfile=", "ttyS0", "ttyS1", "sda"
    early = ("ata_piix",)
    modules = ("pcnet32", "vfat", "nls_cp437", "nls_ascii", "nls_iso8859_1", "nls_utf8")
    parts = {part: tuple(f"PARTLABEL={part}_{slot}" for slot in "ab") for part in ("kernel", "rootfs")}
    #: Partitions of the disk in their order: name and MiB. The loader reads a whole kernel, two bytes at a time.
    partitions = (("kernel_a", 7), ("kernel_b", 7), ("rootfs_a", 16), ("rootfs_b", 16), ("state", 32), ("ubootenv", 8))
    fw_env = (DIST / "fw_env.files.config").read_text()
    mounts = "mkdir -p /run/env\nmount -t vfat -o sync /dev/sda6 /run/env || echo 'board: no boot environment'\n"
    #: In the start image: sets `root` to the partition of `slot`, once the partition behind it is there.
    find_root = """for _ in $($b seq 50); do [ -b /dev/sda5 ] && break; $b usleep 200000; done
for partition in /sys/block/sda/sda*/uevent; do
    [ "$($b sed -n 's/^PARTNAME=//p' "$partition")" = "rootfs_$slot" ] || continue
    root=/dev/$($b sed -n 's/^DEVNAME=//p' "$partition")
done
"""

    def files(self):
        state = [name for name, _ in self.partitions].index("state") + 1
        return {
            "etc/fw_env.config": self.fw_env,
            "etc/board": f"mount -t ext4 -o noatime,errors=remount-ro /dev/sda{state} /data || echo 'board: no state'\n"
                         + self.mounts,
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
        places = factory_disk(disk, self.partitions, images, folder)
        loader = self.loader.read_bytes()
        (folder / "chip").write_bytes(loader + b"\xff" * (CHIP_BYTES - len(loader)))
        self.boot(disk, places, folder)

    def boot(self, disk, places, folder):
        """Puts the boot environment where this U-Boot has it."""
        content = environment(folder, "-r", size=0x4000, text=words())
        environment_on_fat(disk, places["ubootenv"], folder, content)

    @property
    def loader(self):
        """U-Boot, as it was built."""
        built = FOLDER / "uboot" / self.uboot / "u-boot.bin"
        if not built.is_file():
            raise Skip(f"needs tests/emulators/uboot/build {self.uboot}")
        return built

    def qemu(self, folder, control):
        return ["-M", "malta", "-m", self.megabytes, "-drive", f"if=pflash,format=raw,file={folder}/chip",
                "-drive", f"if=ide,format=raw,file={folder}/disk,cache=unsafe",
                "-chardev", f"socket,id=control,path={control},server=on,wait=off", "-serial", "chardev:control"]


def words(files=("komainu.env", "counted.env"), more=""):
    """The environment of the board: files of agent/dist/uboot, with the board's own words in the place of the example's."""
    texts = [*((DIST / name).read_text() for name in files), WORDS.read_text(), more]
    last = {}
    for line in "\n".join(texts).splitlines():
        if "=" in line and not line.startswith("#"):
            last[line.partition("=")[0]] = line
    return "".join(f"{line}\n" for line in last.values())


def memory_of(kernel):
    """The load address, the entry and the content of a kernel that is an ELF file of 32 bits."""
    elf = kernel.read_bytes()
    order = "<" if elf[5] == 1 else ">"
    entry, headers = struct.unpack_from(f"{order}II", elf, 24)
    size, count = struct.unpack_from(f"{order}HH", elf, 42)
    heads = [struct.unpack_from(f"{order}8I", elf, headers + number * size) for number in range(count)]
    loads = [head for head in heads if head[0] == 1 and head[4]]
    begin = min(head[2] for head in loads)
    content = bytearray(max(head[2] + head[4] for head in loads) - begin)
    for _, offset, address, _, length, *_ in loads:
        content[address - begin:address - begin + length] = elf[offset:offset + length]
    return begin, entry, bytes(content)
