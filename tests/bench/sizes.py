"""How large the device's binary is: for each target that cross/build has built; and on mipsel, how many bytes each feature
is that a maker can leave out."""

import lzma
import re
import subprocess

from place import DEVICE_BUILDS, ROOT

BUDGET = 1_000_000
TARGET = "mipsel"
#: The most that storage and profiles are to cost in all.
GOAL = 60 * 1024


def run():
    built = sorted(DEVICE_BUILDS.glob("*/komainu"))
    if not built:
        print("nothing is built: cross/setup && cross/build")
    for path in built:
        size, packed = sizes(path)
        print(f"{path.parent.name:8} {size:9} bytes, {packed:7} as xz, {size / BUDGET:6.1%} of the budget")


def growth():
    """Builds the agent with all features, without each, and without all of them."""
    default = re.search(r"^default = \[(.*)\]", (ROOT / "agent/Cargo.toml").read_text(), re.M)[1]
    features = re.findall(r'"([^"]+)"', default)
    whole = sizes(built())
    print(f"{f'on {TARGET}':36} {'bytes':>9} {'feature':>9} {'as xz':>8} {'feature':>8}")
    row("all features", whole, whole)
    for left_out in [[feature] for feature in features] + [features]:
        row(f"without {', '.join(left_out)}", sizes(built(*left_out)), whole)
    none = sizes(built(*features))
    print(f"all of them are {whole[0] - none[0]} bytes; the goal is {GOAL} at most")


def row(name, found, whole):
    print(f"{name:36} {found[0]:9} {whole[0] - found[0]:9} {found[1]:8} {whole[1] - found[1]:8}")


def built(*without):
    """The binary without some features."""
    words = [word for feature in without for word in ("--without", feature)]
    subprocess.run([ROOT / "cross/build", "--no-table", *words, TARGET], check=True)
    variant = "".join(f"-without-{feature}" for feature in sorted(without, reverse=True))
    return ROOT / f"target/device{variant}/{TARGET}/komainu"


def sizes(path):
    """Bytes, and bytes as xz."""
    binary = path.read_bytes()
    return len(binary), len(lzma.compress(binary, preset=9 | lzma.PRESET_EXTREME))
