"""QEMU's board `malta` with its bytes in the other order: kernel, U-Boot and programs are built from Debian's source, as
Debian 12 has none for it (kernel/build, uboot/build, programs/build). This kernel reaches the NOR chip, so that the boot
environment is there, twice, in a block each.
"""

from dataclasses import replace

from machine import KINDS
from whole_disk import environment, write_at
from whole_malta import Malta, words

#: Where U-Boot has the copies in the chip (uboot/malta.config), and where Linux has the partition with them, "User FS".
COPIES, USER_FS = (0x3C0000, 0x3D0000), 0x100000
COPY_BYTES = 0x10000


class MaltaBe(Malta):
    """The big-endian one."""

    name, kind, uboot = "malta-be", "malta-be", "malta"
    made_by = "tests/emulators/programs/build malta-be"
    #: There is no nftables for it: the LAN is routed and not masqueraded.
    masquerades = False
    row = replace(KINDS["malta"], agent="mips", program="qemu-system-mips")
    partitions = Malta.partitions[:-1]
    fw_env = "".join(f"/dev/mtd1 {copy - USER_FS:#x} {COPY_BYTES:#x} {COPY_BYTES:#x} 1\n" for copy in COPIES)
    mounts = ""

    def boot(self, disk, places, folder):
        content = environment(folder, "-r", "-b", size=COPY_BYTES, text=words())
        for copy in COPIES:
            write_at(folder / "chip", copy, COPY_BYTES, content)
