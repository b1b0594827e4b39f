"""How large the device's binary is, for each target that cross/build has built."""

import lzma

from place import DEVICE_BUILDS

BUDGET = 1_000_000


def run():
    built = sorted(DEVICE_BUILDS.glob("*/komainu"))
    if not built:
        print("nothing is built: cross/setup && cross/build")
    for path in built:
        binary = path.read_bytes()
        packed = len(lzma.compress(binary, preset=9 | lzma.PRESET_EXTREME))
        print(f"{path.parent.name:8} {len(binary):9} bytes, {packed:7} as xz, {len(binary) / BUDGET:6.1%} of the budget")
