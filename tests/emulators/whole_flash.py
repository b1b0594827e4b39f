"""QEMU's board `malta` with its slots on raw flash, as NOR and as UBI volumes. Both are files of the host, so that a power cut
leaves what was written. The board has no NAND, and what Debian's kernel simulates (`nandsim`) forgets all with the power:
test_flash.py has that.
"""

from place import command, need
from whole_disk import empty, environment_on_fat, partition
from whole_disk import environment as made_environment
from whole_malta import Malta, words

MIB = 1 << 20
#: The chip begins behind the memory that U-Boot gives to the kernel, and is in blocks of 64 KiB.
CHIP_AT, BLOCK = 64 * MIB, 64 << 10
MEMORY, FLASH = 128, 40
#: Of each slot the kernel is read by U-Boot.
KERNELS = {"kernel_a": (0, 8), "kernel_b": (8, 8)}
#: U-Boot looks for its environment on the sixth partition of the disk, which has nothing else.
PARTITIONS = (*((f"none{number}", 1) for number in range(1, 6)), ("ubootenv", 8))


class Nor(Malta):
    """Both parts of each slot, and the state as JFFS2, in partitions of a chip, which is memory that the kernel leaves alone
    (`phram`): name → first MiB, MiB. U-Boot starts a kernel where it lies."""

    name = "malta-nor"
    chip = {**KERNELS, "rootfs_a": (16, 12), "rootfs_b": (28, 12), "state": (40, 8)}
    early = ("ata_piix", "phram", "mtdblock")
    modules = (*Malta.modules, "jffs2")
    parts = {part: tuple(f"mtd:{part}_{slot}" for slot in "ab") for part in ("kernel", "rootfs")}
    #: The kernel does not count what is written to the chip: only the environment's disk.
    disk = "sda"
    #: The partition that is there as soon as the module is.
    first = "kernel_a"

    @property
    def parameters(self):
        """Of the modules of the start image."""
        return {"phram": f"phram={self._told(self.first)}"}

    def _told(self, name):
        first, length = self.chip[name]
        return f"{name},{CHIP_AT // MIB + first}Mi,{length}Mi,{BLOCK >> 10}ki"

    @property
    def find_root(self):
        others = "".join(f"echo {self._told(name)} >/sys/module/phram/parameters/phram\n"
                         for name in self.chip if name != self.first)
        return others + """root=/dev/mtdblock$($b sed -n "s/^mtd\\([0-9]*\\):.*\\"rootfs_$slot\\"$/\\1/p" /proc/mtd)\n"""

    def files(self):
        return {
            **super().files(),
            "etc/board": "mount -t jffs2 mtd:state /data || echo 'board: no state'\n" + self.mounts,
        }

    def factory(self, images, folder):
        disk = folder / "disk"
        places = partition(disk, PARTITIONS)
        loader = self.loader.read_bytes()
        (folder / "chip").write_bytes(loader + b"\xff" * (4 * MIB - len(loader)))
        self.boot(disk, places, folder)
        with open(empty(folder / "memory", (0, MEMORY * MIB)), "r+b") as memory:
            memory.seek(CHIP_AT)
            memory.write(b"\xff" * sum(length for _, length in self.chip.values()) * MIB)
            for part, file in images.items():
                (first, length), content, name = self.chip[f"{part}_a"], file.read_bytes(), f"{part}_a"
                assert len(content) <= length * MIB, f"{name} has no room for {len(content)} bytes"
                memory.seek(CHIP_AT + first * MIB)
                memory.write(content)

    def boot(self, disk, places, folder):
        start = (f"if test ${{slot}} = a; then setenv k_from {0x80000000 + CHIP_AT:#x}; else setenv k_from "
                 f"{0x80000000 + CHIP_AT + KERNELS['kernel_b'][0] * MIB:#x}; fi; "
                 "setenv bootargs panic=10 komainu.slot=${slot} ${k_args}; bootm ${k_from}#c")
        content = made_environment(folder, "-r", size=0x4000, text=words(more=f"k_start={start}\n"))
        environment_on_fat(disk, places["ubootenv"], folder, content)

    def qemu(self, folder, control):
        said = super().qemu(folder, control)
        said[said.index("malta")] = "malta,memory-backend=memory"
        said[said.index(self.megabytes)] = MEMORY
        return [*said, "-object", f"memory-backend-file,id=memory,size={MEMORY}M,mem-path={folder}/memory,share=on"]


class Ubi(Malta):
    """The root file systems are UBI volumes, on a disk that the kernel takes for flash (`block2mtd`); kernels and state are
    on the other disk, as U-Boot reads it."""

    name, disk = "malta-ubi", "sdb"
    early = (*Malta.early, "block2mtd")
    later = ("ubi",)
    parts = {**Malta.parts, "rootfs": ("ubi0:rootfs_a", "ubi0:rootfs_b")}
    partitions = (("kernel_a", 7), ("kernel_b", 7), ("none1", 1), ("none2", 1), ("state", 32), ("ubootenv", 8))
    #: What is written goes to the disk at once, in its order, as it does with flash.
    find_root = f"""for _ in $($b seq 50); do [ -b /dev/sdb ] && break; $b usleep 200000; done
echo 8192 >/proc/sys/vm/dirty_bytes
echo /dev/sdb,{BLOCK},ubi >/sys/module/block2mtd/parameters/block2mtd
$b insmod /lib/modules/ubi.ko mtd=ubi block=0,rootfs_a block=0,rootfs_b
for volume in /sys/class/ubi/ubi0_*; do
    [ "$($b cat "$volume/name")" != "rootfs_$slot" ] || root=/dev/ubiblock${{volume##*/ubi}}
done
"""

    def factory(self, images, folder):
        super().factory({"kernel": images["kernel"]}, folder)
        plan, flash = folder / "ubi.ini", folder / "flash"
        plan.write_text("".join(
            f"[rootfs_{slot}]\nmode=ubi\nvol_id={number}\nvol_type=dynamic\nvol_name=rootfs_{slot}\nvol_size=12MiB\n"
            + (f"image={images['rootfs']}\n" if slot == "a" else "") for number, slot in enumerate("ab")))
        command(need("ubinize", "mtd-utils"), "-o", flash, "-p", BLOCK, "-m", "1", plan)
        with open(flash, "r+b") as file:
            file.seek(0, 2)
            file.write(b"\xff" * (FLASH * MIB - file.tell()))

    def qemu(self, folder, control):
        return [*super().qemu(folder, control), "-drive", f"if=ide,index=1,format=raw,file={folder}/flash,cache=unsafe"]
