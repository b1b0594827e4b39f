"""A device in a machine whose slots are on raw flash. Debian's mtd-utils lay the flash out, fill it and read it, and
fw_printenv reads the boot environment: what they find is what counts.
"""

import hashlib
import re
from dataclasses import dataclass, field

import machine
import uboot
from device import RESTART
from machine import Machine
from maker import Workshop
from place import KOMAINU_MAKER, command

KIB = 1024
SIZES = {"kernel": 150_001, "rootfs": 700_001}
KOMAINU = "komainu --settings /etc/komainu.toml"
LOG = "/tmp/log"
#: Blocks of a part, and the first block of each on the medium.
BLOCKS = {"kernel_a": 4, "kernel_b": 4, "rootfs_a": 14, "rootfs_b": 14, "env": 6}
FIRST = {"kernel_a": 0, "kernel_b": 4, "rootfs_a": 8, "rootfs_b": 22, "env": 36}
#: 64 MiB of 512 blocks with pages of 2 KiB. The simulator keeps only what is written.
SIMULATED_NAND = "id_bytes=0x20,0xa2,0x00,0x15"
#: In the words of the machine's shell: the device of a part by its name.
OF_MTD = """of() { echo /dev/$(sed -n "s/^\\(mtd[0-9]*\\):.*\\"$1\\"$/\\1/p" /proc/mtd); }\n"""
OF_UBI = """of() { for v in /sys/class/ubi/ubi0_*; do
    if [ "$(cat $v/name)" = "$1" ]; then echo /dev/${v##*/}; fi; done; }\n"""


@dataclass
class Medium:
    """A kind of flash: what makes it, and how the judges use it. `{}` stands for the device of a part."""

    name: str
    block: int
    modules: dict
    lay_out: str
    part: str
    of: str
    read: str
    fill: str
    #: fw_env.config, and what writes the copies of an environment, /tmp/1 and /tmp/2.
    environment: str
    write_environment: str
    #: What a power cut does to it, short of its content.
    cut: str = ""
    chip: bool = False
    #: Whether a staging goes on where it was, and equal blocks are left alone.
    goes_on: bool = True
    #: Names of parts, where they cannot be chosen.
    names: dict = field(default_factory=dict)

    def named(self, part):
        """The name of a part in the settings."""
        return self.part.format(self.names.get(part, part))


def copies(device, block, blocks=1):
    """fw_env.config of two copies on a device, in so many blocks each."""
    return "".join(f"{device} {copy * blocks * block:#x} {uboot.SIZE:#x} {block:#x} {blocks}\n" for copy in range(2))


def nor():
    block = 64 * KIB
    partitions = {"state": (64, 32), **{name: (FIRST[name], BLOCKS[name]) for name in BLOCKS}}
    lay_out = "".join(f"mtdpart add /dev/mtd0 {name} {first * block} {blocks * block} >/dev/null\n"
                      for name, (first, blocks) in partitions.items())
    return Medium("NOR", block, {"phram": machine.CHIP}, lay_out, "mtd:{}", OF_MTD, "cat {}",
                  "flash_erase -q {} 0 0 && cat /tmp/fill >{}", copies("/dev/mtd6", block),
                  "flash_erase -q /dev/mtd6 0 0; cat /tmp/1 >/dev/mtd6\n"
                  f"dd if=/tmp/2 of=/dev/mtd6 bs={uboot.SIZE} seek={block // uboot.SIZE} 2>/dev/null\n", chip=True)


def nand(parameters=""):
    """The first block of a part is bad, as are some others, one of them below the first copy of the environment."""
    block = 128 * KIB
    parts = ",".join(map(str, BLOCKS.values()))
    bad = f"{SIMULATED_NAND} parts={parts} badblocks={FIRST['rootfs_b']},{FIRST['rootfs_b'] + 3}," \
          f"{FIRST['kernel_b'] + 1},{FIRST['env']}"
    return Medium("NAND", block, {"nandsim": f"{bad} {parameters}"}, "", "mtd:{}", OF_MTD,
                  "nanddump -q --bb=skipbad {}", "flash_erase -q {} 0 0 && nandwrite -q -p {} /tmp/fill",
                  copies("/dev/mtd4", block, 3), "flash_erase -q /dev/mtd4 0 0; nandwrite -q /dev/mtd4 /tmp/1\n"
                  f"nandwrite -q -s {3 * block} /dev/mtd4 /tmp/2\n",
                  names={name: f"NAND simulator partition {number}" for number, name in enumerate(BLOCKS)})


def ubi(kind):
    """Volumes of a kind, on NAND with bad blocks."""
    block = 126 * KIB
    volumes = "".join(f"ubimkvol /dev/ubi0 -t {kind} -N {name} -s {blocks * block} >/dev/null\n"
                      for name, blocks in BLOCKS.items() if name != "env")
    volumes += "".join(f"ubimkvol /dev/ubi0 -N env_{copy} -s {block} >/dev/null\n" for copy in (1, 2))
    attach = "ubiattach -p /dev/mtd0 -d 0 >/dev/null\n"
    lay_out = f"ubiformat -q -y /dev/mtd0\n{attach}{volumes}"
    return Medium(f"UBI {kind}", block, {"nandsim": f"{SIMULATED_NAND} parts=64 badblocks=3,17"},
                  lay_out, "ubi0:{}", OF_UBI, "cat {}", "ubiupdatevol {} /tmp/fill",
                  f"/dev/ubi0:env_1 0x0 {uboot.SIZE:#x}\n/dev/ubi0:env_2 0x0 {uboot.SIZE:#x}\n",
                  "ubiupdatevol /dev/ubi0_4 /tmp/1; ubiupdatevol /dev/ubi0_5 /tmp/2\n",
                  cut=f"ubidetach -d 0 >/dev/null\n{attach}", goes_on=kind == "dynamic")


class Release:
    """Releases in bundles, and the root that a device trusts."""

    def __init__(self, place):
        self.workshop, self.place = Workshop(place), place
        self.root, self.images = self.workshop.root, {}

    def bundle(self, number):
        """Publishes a release; its bundle."""
        self.images[number] = self.workshop.publish(number, sizes=SIZES)
        file = self.place.path(f"bundles/{number}.tar")
        command(KOMAINU_MAKER, "bundle", self.workshop.repository, "--board", "gate-1", "--output", file)
        return file.read_bytes()


class Device:
    """Runs slot a, release 1, on a medium. `chip` is a chip that was laid out before, with what is on it."""

    def __init__(self, place, medium, kind, release, bundles, *, chip=None):
        self.medium = medium
        self.parts = {part: [medium.named(f"{part}_{slot}") for slot in "ab"] for part in SIZES}
        environment = uboot.Environment.make(place.path("environment/env").parent)
        new_chip = medium.chip and chip is None
        self.chip = chip or (place.path("chip") if medium.chip else None)
        self.machine = Machine(place, kind, flash=medium.modules, chip=self.chip, files={
            "etc/komainu.toml": settings(self.parts),
            "usr/share/komainu/root.json": release.root,
            "etc/fw_env.config": medium.environment,
            "etc/env": environment.bytes(),
            **{f"bundles/{number}.tar": bundle for number, bundle in bundles.items()},
        })
        self.must, self.run = self.machine.must, self.machine.run
        state = "mount -t jffs2 /dev/mtdblock1 /state\n" if medium.chip else ""
        erase = "flash_erase -q /dev/mtd1 0 0\n" if new_chip else ""
        self.must(f"set -e\n{medium.lay_out}{erase}mkdir -p /state\n{state}")
        if new_chip or not medium.chip:
            self.as_shipped()

    def as_shipped(self):
        """The state and the boot environment of a device that never had an update; the slots stay."""
        size = uboot.SIZE
        self.must(f"""set -e
            rm -rf /state/komainu /run/komainu
            head -c {size} /etc/env >/tmp/1; tail -c {size} /etc/env >/tmp/2
            {self.medium.write_environment}rm /tmp/1 /tmp/2""")

    def install(self, number, code=RESTART):
        """Installs a bundle; the log."""
        said = self.run(f"{KOMAINU} install /bundles/{number}.tar >{LOG} 2>&1; echo $?; cat {LOG}").out
        assert int(said.split()[0]) == code, said
        return said

    def start(self, number):
        """Starts an installation, and does not wait; its process number."""
        self.must(f"rm -rf /run/komainu {LOG}")
        return self.machine.start(f"{KOMAINU} install /bundles/{number}.tar", LOG)

    def fill(self, part, slot, image):
        """A judge writes an image into a part."""
        self.must(f"{image} >/tmp/fill\n" + self._with(part, slot, self.medium.fill) + "\nrm /tmp/fill")

    def hash(self, part, slot, length=None):
        """The hash of the beginning of a part, as a judge reads it."""
        head = f" | head -c {length}" if length else ""
        return self.must(self._with(part, slot, self.medium.read) + f" 2>/dev/null{head} | sha256sum").split()[0]

    def _with(self, part, slot, words):
        name = self.medium.names.get(f"{part}_{slot}", f"{part}_{slot}")
        return f"{self.medium.of}d=$(of '{name}')\n" + words.replace("{}", "$d")

    def holds(self, images, slot):
        """Every part of a slot begins with its image; a static volume has nothing else."""
        for part, image in images.items():
            length = len(image) if self.medium.name != "UBI static" else None
            assert self.hash(part, slot, length) == hashlib.sha256(image).hexdigest(), f"{part}_{slot}"

    def boots(self, slot):
        """The boot loader starts this slot."""
        said = self.boot_slot()
        assert said == slot, said

    def boot_slot(self):
        """The slot that the boot loader starts, as Debian's fw_printenv reads it. It does not know NOR of memory, so
        there it reads a copy."""
        copy = "cat /dev/mtd6 >/tmp/env; sed 's|/dev/mtd6|/tmp/env|' /etc/fw_env.config >/tmp/fw_env.config\n"
        config = "/tmp/fw_env.config" if self.medium.chip else "/etc/fw_env.config"
        return self.must(f"{copy if self.medium.chip else ''}fw_printenv -c {config} -n boot_slot").split()[-1]

    def killed_at(self, number, staged):
        """Starts an installation and kills it once the log says that so many bytes are on the medium."""
        pid = self.start(number)
        said = self.must(f"""while kill -0 {pid} 2>/dev/null; do
            bytes=$(sed -n 's/.*staging .*bytes=\\([0-9]*\\) .*/\\1/p' {LOG} | tail -n 1)
            if [ "${{bytes:-0}}" -ge {staged} ]; then kill -9 {pid} && echo killed; break; fi; done; cat {LOG}""")
        assert said.startswith("killed"), f"it ended before it was killed:\n{said}"
        self.after_kill(pid)

    def after_kill(self, pid):
        """Waits for the end of an agent; a cut may need a little more of the medium."""
        self.machine.wait(f"! kill -0 {pid}", "it is gone")
        if self.medium.cut:
            self.must(self.medium.cut)


def settings(parts):
    """The settings of the device."""
    lines = ["""[device]
board = "gate-1"
id = "emulated"
release = 1
version = "1.0.0"
[server]
metadata_url = "http://127.0.0.1:9/metadata/"
targets_url = "http://127.0.0.1:9/targets/"
[state]
directory = "/state/komainu"
checkpoint_bytes = 65536
[boot]
reboot_command = []
[log]
to = "stderr"
[gate]
keep = false
[wall]
keep = false"""]
    for name, slots in parts.items():
        lines += ["[[part]]", f'name = "{name}"', *(f'{slot} = "{path}"' for slot, path in zip("ab", slots))]
    return "\n".join(lines) + "\n"


def written(log, part):
    """What an installation counted of a part: bytes written, bytes equal, new bad blocks."""
    found = re.search(rf"slot-written slot=\w part={part} written_bytes=(\d+) equal_bytes=(\d+) corrected_bits=\d+ "
                      r"new_bad_blocks=(\d+)", log)
    assert found, log
    return tuple(map(int, found.groups()))


def begun(log):
    """At how many bytes an installation began, or went on."""
    found = re.search(r"staging release=\d+ .*bytes=(\d+) of", log)
    assert found, log
    return int(found[1])
