"""The boot loader's side: an environment as mkenvimage makes it, and a boot loader that counts as U-Boot does.

Reads and writes environments with code of its own, so that the agent's is held against something else, and in either
byte order. The rules of counting are those of U-Boot's doc/api/bootcount.rst.
"""

import struct
import zlib
from dataclasses import dataclass
from pathlib import Path

from place import command, need

SIZE = 0x4000
FIRST = {
    "boot_slot": "a",
    "bootcount": "0",
    "bootlimit": "3",
    "upgrade_available": "0",
    "altbootcmd": "run start_the_other",
    "bootcmd": "run start",
}


@dataclass
class Environment:
    """One copy or two, in a file or a block device, and the fw_env.config that says where."""

    config: Path
    places: list  # (path, offset)
    big_endian: bool

    @staticmethod
    def make(folder, *, copies=2, big_endian=False, variables=None, device=lambda path: path):
        """Makes one with mkenvimage. `device` may put a block device on top of the file."""
        mkenvimage = need("mkenvimage", "u-boot-tools")
        text, image, file = folder / "env.txt", folder / "env.one", folder / "env"
        text.write_text("".join(f"{name}={value}\n" for name, value in (variables or FIRST).items()))
        options = ["-r"] * (copies == 2) + ["-b"] * big_endian
        command(mkenvimage, *options, "-s", hex(SIZE), "-o", image, text)
        file.write_bytes(image.read_bytes() * copies)
        path = device(file)
        places = [(path, copy * SIZE) for copy in range(copies)]
        config = folder / "fw_env.config"
        config.write_text("".join(f"{path} {offset:#x} {SIZE:#x}\n" for path, offset in places))
        return Environment(config, places, big_endian)

    def bytes(self):
        """Every copy as it is."""
        return b"".join(self._copy(index) for index in range(len(self.places)))

    def _copy(self, index):
        path, offset = self.places[index]
        with open(path, "rb") as file:
            file.seek(offset)
            return file.read(SIZE)

    def _put(self, index, image):
        path, offset = self.places[index]
        with open(path, "r+b") as file:
            file.seek(offset)
            file.write(image)

    def spoil(self, index):
        """Turns one bit of a copy."""
        image = bytearray(self._copy(index))
        image[100] ^= 1
        self._put(index, bytes(image))

    def read(self):
        """The variables that U-Boot would see."""
        return self._valid()[2]

    def change(self, **variables):
        """Sets variables as U-Boot's saveenv does: the older copy is replaced."""
        index, flags, now = self._valid()
        now.update(variables)
        redundant = len(self.places) == 2
        data = b"".join(f"{name}={value}\0".encode() for name, value in now.items()) + b"\0"
        data = data.ljust(SIZE - (5 if redundant else 4), b"\xff")
        head = struct.pack(self._order() + "I", zlib.crc32(data)) + (bytes([(flags + 1) % 256]) if redundant else b"")
        self._put(1 - index if redundant else 0, head + data)

    def _order(self):
        return ">" if self.big_endian else "<"

    def _valid(self):
        """Index, flags and variables of the copy that counts (env/common.c, env_check_redund)."""
        found = []
        for index in range(len(self.places)):
            image = self._copy(index)
            head = 5 if len(self.places) == 2 else 4
            if struct.unpack(self._order() + "I", image[:4])[0] == zlib.crc32(image[head:]):
                words = image[head:].split(b"\0\0")[0].decode().split("\0")
                found.append((index, image[4] if head == 5 else 0, dict(word.split("=", 1) for word in words)))
        assert found, "no copy of the environment is valid"
        if len(found) == 1:
            return found[0]
        (_, one, _), (_, two, _) = found
        second = (one, two) == (255, 0) or (two > one and (one, two) != (0, 255))
        return found[second]


def start(environment):
    """Starts the device once, as U-Boot with CONFIG_BOOTCOUNT_ENV does; says which slot runs then."""
    variables = environment.read()
    number = lambda name: int(variables.get(name) or 0)  # noqa: E731
    count = number("bootcount") + 1
    if number("upgrade_available"):
        environment.change(bootcount=str(count))
    slot = variables["boot_slot"]
    if number("bootlimit") and count > number("bootlimit"):
        assert variables["altbootcmd"] == FIRST["altbootcmd"]
        return "b" if slot == "a" else "a"
    return slot
