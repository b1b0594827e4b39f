"""The agent's table of ioctl requests against the kernel's headers, compiled for each architecture and run under its emulator."""

import os
import subprocess

from place import ROOT, ZIG_CACHES, Skip, need, test

TABLE = os.environ.get("KOMAINU_IOCTL_NUMBERS") or ROOT / "target/debug/ioctl-numbers"
#: The target of the C compiler, its emulator, and the column of the table.
ARCHITECTURES = (
    ("mips-linux-musleabi", "qemu-mips-static", 1),
    ("mipsel-linux-musleabi", "qemu-mipsel-static", 1),
    ("arm-linux-musleabihf", "qemu-arm-static", 0),
    ("x86_64-linux-musl", "env", 0),
)
HEADERS = ("linux/fs.h", "linux/watchdog.h", "linux/mmc/ioctl.h", "mtd/mtd-user.h", "mtd/ubi-user.h")
STRUCTS = {
    "struct mtd_info_user": 32, "struct erase_info_user": 8, "struct erase_info_user64": 16, "struct mtd_ecc_stats": 16,
    "struct ubi_leb_change_req": 16,
}


@test
def every_request_has_the_number_that_the_kernels_headers_give_it_on_each_architecture(place):
    zig = next((ROOT / "work/cross-venv").glob("lib/python3*/site-packages/ziglang/zig"), None)
    if zig is None:
        raise Skip("needs cross/setup: the C compiler of its folder")
    rows = [line.split() for line in subprocess.run([TABLE], check=True, capture_output=True, text=True).stdout.splitlines()]
    table = {name: numbers for name, *numbers in rows}
    names = [name.partition("/")[0] for name in table]
    assert len(names) > 30, names
    lines = [f'#include <{header}>' for header in ("stdio.h", "stdint.h", "sys/ioctl.h", *HEADERS)]
    lines += ["int main(void) {"]
    lines += [f'printf("{name} %08x\\n", (unsigned)({name}));' for name in names]
    lines += [f'printf("%d {size} {name}\\n", (int)sizeof({name}));' for name, size in STRUCTS.items()]
    lines += ["}"]
    source = place.path("numbers.c")
    source.write_text("\n".join(lines))
    compared = 0
    for target, emulator, column in ARCHITECTURES:
        program = place.path(f"numbers-{target}")
        # Of another folder (Debian's linux-libc-dev of that architecture), if one is wanted.
        others = [f"-I{os.environ['KOMAINU_HEADERS']}/{target.split('-')[0]}"] if "KOMAINU_HEADERS" in os.environ else []
        subprocess.run([zig, "cc", "-target", target, "-static", *others, "-o", program, source], check=True,
                       env={**os.environ, **ZIG_CACHES})
        said = subprocess.run([need(emulator, "qemu-user-static"), program], check=True, capture_output=True, text=True)
        for line in said.stdout.splitlines():
            name, _, value = line.partition(" ")
            if name.isdigit():
                assert value.startswith(f"{name} "), f"{target}: {line}"
                continue
            if name == "BLKGETSIZE64":
                # The table's own width, which is this machine's.
                if not target.startswith("x86_64"):
                    continue
                name += "/8"
            assert table[name][column] == value, f"{target}: {name} is {value}, and {table[name][column]} in the table"
            compared += 1
    return f"{compared} numbers and {len(ARCHITECTURES)} architectures"
