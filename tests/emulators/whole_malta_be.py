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
#: This U-Boot does not read the names of partitions where bytes are in this order: to it they are empty.
STARTS = """k_start=ide reset; if test ${slot} = a; then setenv k_part 1; else setenv k_part 2; fi; \
part start ide 0 ${k_part} k_block; part size ide 0 ${k_part} k_length; ide read 0x82000000 ${k_block} ${k_length}; \
setenv bootargs panic=10 komainu.slot=${slot} ${k_args}; bootm 0x82000000#c
"""


class MaltaBe(Malta):
    """The big-endian one."""

    name, kind, uboot = "malta-be", "malta-be", "malta"
    made_by = "tests/emulators/programs/build malta-be"
    row = replace(KINDS["malta"], agent="mips", program="qemu-system-mips")
    #: There is no nftables for it: the LAN is routed and not masqueraded.
    masquerades = False
    partitions = (("kernel_a", 6), ("kernel_b", 6), *Malta.partitions[2:-1])
    fw_env = "".join(f"/dev/mtd1 {copy - USER_FS:#x} {COPY_BYTES:#x} {COPY_BYTES:#x} 1\n" for copy in COPIES)
    mounts = ""

    def boot(self, disk, places, folder):
        content = environment(folder, "-r", "-b", size=COPY_BYTES, text=words(more=STARTS))
        for copy in COPIES:
            write_at(folder / "chip", copy, COPY_BYTES, content)
