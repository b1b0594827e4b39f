"""The most memory that the agent has resident while it stages images of three sizes, and at rest."""

import time

from device import Device, RESTART
from maker import Workshop
from place import Place, end
from web import Web

MIB = 1024 * 1024
SIZES = (16, 64, 256)


def run():
    with Place() as place:
        at_rest = rest(place)
        print(f"at rest      {at_rest:6} KiB")
        peaks = {}
        for size in SIZES:
            peaks[size] = staging(place, size)
            print(f"{size:4} MiB     {peaks[size]:6} KiB, {peaks[size] - at_rest:5} above rest")
        print(f"largest against smallest: {peaks[SIZES[-1]] - peaks[SIZES[0]]:+} KiB")


def rest(place):
    workshop = Workshop(place, name="workshop-rest")
    device = Device(place, workshop.root, "http://127.0.0.1:9/", parts={"rootfs": MIB}, name="device-rest")
    device.settings["poll"]["first_within_seconds"] = 86_400
    process = device.start("run")
    deadline, peak = time.monotonic() + 2, 0
    while time.monotonic() < deadline:
        peak = max(peak, high_water(process))
        time.sleep(0.05)
    end(process)
    return peak


def staging(place, size):
    workshop = Workshop(place, name=f"workshop-{size}")
    workshop.publish(2, sizes={"rootfs": size * MIB})
    web = Web(place, workshop.repository, name=f"web-{size}")
    device = Device(place, workshop.root, web.url, parts={"rootfs": size * MIB}, name=f"device-{size}")
    device.settings["state"].pop("checkpoint_bytes")
    process = device.start("once")
    peak = 0
    while process.poll() is None:
        peak = max(peak, high_water(process))
        time.sleep(0.002)
    assert process.returncode == RESTART, process.communicate()[1]
    web.stop()
    return peak


def high_water(process):
    """VmHWM never falls, so that the last look before the end is enough."""
    try:
        with open(f"/proc/{process.pid}/status", encoding="ascii") as lines:
            return next((int(line.split()[1]) for line in lines if line.startswith("VmHWM:")), 0)
    except OSError:
        return 0
