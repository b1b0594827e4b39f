"""QEMU's ARM board `virt` as a whole machine: 128 MB, a disk with two slots, and a real U-Boot in its flash; Debian's own,
which counts nothing, with the boot script of agent/dist/uboot; and one rebuilt with bootcount and two copies of its
environment. The files of agent/dist/uboot are used as they are.
"""

from machine import FOLDER
from place import Skip, command, need
from whole_disk import DIST, environment, environment_on_fat, factory_disk, write_at
from whole_machine import Board

FLASH_BYTES = 64 << 20
#: Partitions in their order: name and MiB. The numbers are those of agent/dist/uboot and of the rebuilt U-Boot.
PARTITIONS = (("env", 1), ("kernel_a", 8), ("kernel_b", 8), ("rootfs_a", 16), ("rootfs_b", 16), ("state", 32),
              ("ubootenv", 8), ("boot", 1))
FIT = """/dts-v1/;
/ {{ description = "gate-1"; #address-cells = <1>;
 images {{
  kernel {{ description = "Debian's armmp"; data = /incbin/("{kernel}"); type = "kernel_noload"; arch = "arm"; os = "linux";
   compression = "none"; load = <0>; entry = <0>; hash {{ algo = "crc32"; }}; }};
  ramdisk {{ description = "start image"; data = /incbin/("{start}"); type = "ramdisk"; arch = "arm"; os = "linux";
   compression = "none"; hash {{ algo = "crc32"; }}; }};
 }};
 configurations {{ default = "c"; c {{ kernel = "kernel"; ramdisk = "ramdisk"; }}; }};
}};
"""


class Virt(Board):
    """What both have in common."""

    kind, nic, console, control = "virt", "virtio-net-device", "ttyAMA0", "hvc0"
    early = ("virtio_mmio", "virtio_blk")
    modules = ("virtio_net", "virtio_rng", "virtio_console", "vfat", "nls_cp437", "nls_ascii", "nls_iso8859_1", "nls_utf8")
    parts = {part: tuple(f"PARTLABEL={part}_{slot}" for slot in "ab") for part in ("kernel", "rootfs")}
    #: In the start image: sets `root` to the partition of `slot`.
    find_root = """for _ in 1 2 3 4 5 6 7 8 9 10; do [ -b /dev/vda5 ] && break; $b usleep 200000; done
for partition in /sys/block/vda/vda*/uevent; do
    [ "$($b sed -n 's/^PARTNAME=//p' "$partition")" = "rootfs_$slot" ] || continue
    root=/dev/$($b sed -n 's/^DEVNAME=//p' "$partition")
done
"""
    fw_env = "fw_env.config"
    mounts = ""
    disk = "vda"

    def files(self):
        return {
            "etc/fw_env.config": (DIST / self.fw_env).read_text(),
            "etc/board": "mount -t ext4 -o noatime,errors=remount-ro /dev/vda6 /data || echo 'board: no state'\n" + self.mounts,
        }

    def images(self, kernel, initramfs, rootfs, folder):
        source, fit = folder / "kernel.its", folder / "kernel.fit"
        source.write_text(FIT.format(kernel=kernel, start=initramfs))
        command(need("mkimage", "u-boot-tools"), "-f", source, fit)
        return {"kernel": fit, "rootfs": rootfs}

    def factory(self, images, folder):
        disk = folder / "disk"
        places = factory_disk(disk, PARTITIONS, images, folder)
        self.boot(disk, places, folder)
        with open(folder / "flash", "r+b" if (folder / "flash").exists() else "wb") as flash:
            flash.truncate(FLASH_BYTES)

    def boot(self, disk, places, folder):
        """Puts the boot environment where this U-Boot has it."""
        raise NotImplementedError

    @property
    def uboot(self):
        """The U-Boot."""
        raise NotImplementedError

    def qemu(self, folder, control):
        return ["-M", "virt", "-cpu", "cortex-a7", "-smp", "1", "-m", self.megabytes, "-bios", self.uboot,
                "-drive", f"if=pflash,unit=1,format=raw,file={folder}/flash",
                "-drive", f"if=none,id=disk,format=raw,file={folder}/disk,cache=unsafe", "-device", "virtio-blk-device,drive=disk",
                "-device", "virtio-rng-device", "-device", "virtio-serial-device",
                "-chardev", f"socket,id=control,path={control},server=on,wait=off", "-device", "virtconsole,chardev=control"]


class Stock(Virt):
    """Debian's U-Boot, which counts nothing and keeps one copy of its environment: boot.cmd counts by itself."""

    name = "virt-stock"

    @property
    def uboot(self):
        return FOLDER / "virt/uboot/usr/lib/u-boot/qemu_arm/u-boot.bin"

    def boot(self, disk, places, folder):
        copy = environment(folder, "-r", size=0x4000, files=["komainu.env"])
        for number in range(2):
            write_at(disk, places["env"][0] + number * len(copy), len(copy), copy)
        script = folder / "boot.scr"
        command(need("mkimage", "u-boot-tools"), "-A", "arm", "-T", "script", "-C", "none", "-d", DIST / "boot.cmd", script)
        write_at(disk, *places["boot"], script.read_bytes())
        (folder / "flash").write_bytes(environment(folder, size=0x40000, files=["stock.env"]))


class Counted(Virt):
    """U-Boot rebuilt from Debian's source with komainu.config: it counts, and keeps two copies as files on FAT."""

    name = "virt-counted"
    fw_env = "fw_env.files.config"
    mounts = "mkdir -p /run/env\nmount -t vfat -o sync /dev/vda7 /run/env || echo 'board: no boot environment'\n"

    @property
    def uboot(self):
        built = FOLDER / "uboot/qemu_arm/u-boot.bin"
        if not built.is_file():
            raise Skip("needs tests/emulators/uboot/build qemu_arm")
        return built

    def boot(self, disk, places, folder):
        content = environment(folder, "-r", size=0x4000, files=["komainu.env", "counted.env"])
        environment_on_fat(disk, places["ubootenv"], folder, content)
