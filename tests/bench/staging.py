"""How fast a release is staged, against the least work there is: writing it with one sync while hashing it, and
hashing what was written once more. Both on the same file system in the same run, one after the other."""

import os
import statistics
import subprocess
import time

from device import Agent, Device, RESTART
from maker import Workshop
from place import Place, command
from web import Web

MIB = 1024 * 1024
ROUNDS = 7
IMAGE = 64 * MIB


def run():
    rows = []
    with Place() as place:
        workshop = Workshop(place)
        workshop.publish(2, sizes={"rootfs": IMAGE})
        image = workshop.image_path(2, "rootfs")
        web = Web(place, workshop.repository)
        rows.append(measure(place, workshop, web, image, "file", lambda path: path))
        if os.geteuid() == 0:
            rows.append(measure(place, workshop, web, image, "loop device", place.loop))
        else:
            print("loop device: not measured, that needs root")
    print(f"{'64 MiB into a':16} {'bound':>9} {'komainu':>9} {'best':>6} {'median':>7}   (bound / komainu)")
    for name, bounds, ours in rows:
        best, median = min(bounds) / min(ours), statistics.median(bounds) / statistics.median(ours)
        print(f"{name:16} {min(bounds):8.3f}s {min(ours):8.3f}s {best:6.2f} {median:7.2f}")


def measure(place, workshop, web, image, name, slots):
    device = Device(place, workshop.root, web.url, agent=Agent(), parts={"rootfs": IMAGE}, slots=slots,
                    name=f"device-{name.replace(' ', '-')}")
    # As it is shipped: the default checkpoint.
    device.settings["state"].pop("checkpoint_bytes")
    slot = device.parts["rootfs"]["b"]
    bounds, ours = [], []
    for _ in range(ROUNDS):
        bounds.append(bound(image, slot))
        ours.append(stage(device))
    return name, bounds, ours


def bound(image, slot):
    script = (
        "set -e; tee <\"$0\" >(openssl dgst -sha256 >/dev/null) | dd of=\"$1\" bs=1M iflag=fullblock "
        "conv=fsync,notrunc status=none; dd if=\"$1\" iflag=nocache count=0 status=none; "
        "head -c \"$2\" \"$1\" | openssl dgst -sha256 >/dev/null"
    )
    settle()
    began = time.monotonic()
    subprocess.run(["bash", "-c", script, str(image), str(slot), str(IMAGE)], check=True)
    return time.monotonic() - began


def stage(device):
    for name in ("state", "run"):
        command("rm", "-rf", device.folder / name)
    device.environment.change(boot_slot="a", upgrade_available="0", bootcount="0")
    settle()
    began = time.monotonic()
    done = device.once()
    seconds = time.monotonic() - began
    done.must(RESTART, "activating release=2")
    return seconds


def settle():
    """What the round before left to be written is not this round's."""
    os.sync()
