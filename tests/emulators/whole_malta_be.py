"""QEMU's board `malta` with its bytes in the other order: kernel, U-Boot and programs are built from Debian's source, as
Debian 12 has none for it (kernel/build, uboot/build, programs/build). U-Boot runs the boot script of agent/dist/uboot, which
counts by itself, in an environment of two copies on the disk; U-Boot's own environment is in the NOR chip.
"""

from dataclasses import replace

from machine import KINDS
from place import command, need
from whole_disk import DIST, environment, write_at
from whole_malta import Malta, words

#: Where U-Boot has the copies of its own environment in the chip (uboot/malta.config).
COPIES, COPY_BYTES = (0x3C0000, 0x3D0000), 0x10000
#: The board's words in the place of those in agent/dist/uboot/stock.env. This U-Boot does not read names of partitions where
#: bytes are in this order: to it they are empty.
STOCK = """bootcmd=ide reset; part start ide 0 7 k_block; ide read 0x82000000 ${k_block} 20; source 0x82000000; reset
k_start=if test ${slot} = a; then setenv k_part 2; else setenv k_part 3; fi; part start ide 0 ${k_part} k_block; \
part size ide 0 ${k_part} k_length; ide read 0x82000000 ${k_block} ${k_length}; \
setenv bootargs panic=10 komainu.slot=${slot} ${k_args}; bootm 0x82000000#c
k_ram=0x81f00000
k_read=ide read
k_write=ide write
"""


class MaltaBe(Malta):
    """The big-endian one."""

    name, kind, uboot = "malta-be", "malta-be", "malta"
    made_by = "tests/emulators/programs/build malta-be"
    row = replace(KINDS["malta"], agent="mips", program="qemu-system-mips")
    #: There is no nftables for it: the LAN is routed and not masqueraded.
    masquerades = False
    partitions = (("env", 1), ("kernel_a", 6), ("kernel_b", 6), ("rootfs_a", 16), ("rootfs_b", 16), ("state", 32), ("boot", 1))
    fw_env = (DIST / "fw_env.config").read_text().replace("/dev/vda1", "/dev/sda1")
    mounts = ""

    def boot(self, disk, places, folder):
        copy = environment(folder, "-r", "-b", size=0x4000, files=["komainu.env"])
        for number in range(2):
            write_at(disk, places["env"][0] + number * len(copy), len(copy), copy)
        script = folder / "boot.scr"
        command(need("mkimage", "u-boot-tools"), "-A", "mips", "-T", "script", "-C", "none", "-d", DIST / "boot.cmd", script)
        write_at(disk, *places["boot"], script.read_bytes())
        content = environment(folder, "-r", "-b", size=COPY_BYTES, text=words(["stock.env"], STOCK))
        for own in COPIES:
            write_at(folder / "chip", own, COPY_BYTES, content)
