"""The machine itself: it starts, and the agent that was built for it runs there."""

from machine import Machine
from place import test


@test
def the_machine_boots_and_the_agent_says_its_version(place):
    machine = Machine(place)
    kernel = machine.must("uname -rm").strip()
    version = machine.must("komainu version")
    assert version.startswith("komainu ") and "mips" in kernel, (version, kernel)
    free = machine.must("free -k").split()[9]
    boot = machine.boot_seconds
    machine.end()
    assert machine.qemu.returncode == 0, f"it did not end by itself: {machine.qemu.returncode}"
    return f"{kernel}, ready after {boot:.1f} s, {int(free) // 1024} MB free"
