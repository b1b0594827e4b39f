"""Devices that were laid out for RAUC and for Mender, taken over without a change of their boot scripts: the boot choice is
made and judged by RAUC itself, and counted by the rules of their scripts.
"""

import json
import subprocess

from device import DONE, RESTART, Device
from maker import Workshop
from place import ROOT, command, need, test
from uboot import Environment
from web import Web

PROFILES = ROOT / "agent/dist/boot"
RAUC = {"bootcmd": "run rauc", "BOOT_ORDER": "A B", "BOOT_A_LEFT": "3", "BOOT_B_LEFT": "3", "serial_number": "K 17"}
MENDER = {
    "mender_boot_part": "2", "mender_boot_part_hex": "2", "upgrade_available": "0", "bootcount": "0", "bootlimit": "1",
    "altbootcmd": "run mender_altbootcmd; run bootcmd", "bootcmd": "run mender_setup", "mender_saveenv_canary": "1",
}


class TakenOver(Device):
    """A device whose boot loader is told by a profile, and that starts by the rule `script`."""

    def __init__(self, place, profile, variables, script, words):
        workshop = Workshop(place)
        self.images = workshop.publish(2)
        self.words, self.script = words, script
        folder = place.path("board")
        folder.mkdir()
        environment = Environment.make(folder, variables=variables)
        super().__init__(place, workshop.root, Web(place, workshop.repository).url, environment=environment)
        self.workshop = workshop
        self.settings["boot"]["profile"] = str(PROFILES / f"{profile}.toml")

    def _starts(self, slot):
        super()._starts(slot)
        (self.folder / "cmdline").write_text(f"console=ttyS0 {self.words[slot]} rw\n")

    def restart(self):
        self._starts(self.script(self.environment))
        return self.slot

    def stage(self, release, images):
        new = "b" if self.slot == "a" else "a"
        self.once().must(RESTART, f"staging release={release}", f"activating release={release}")
        self.holds(images, new)
        assert (self.status()["boot_slot"], self.environment.read()["komainu_release"]) == (new, str(release))


def start_by_rauc(environment):
    """RAUC's contrib/uboot.sh: the first slot of BOOT_ORDER with tries left, less one."""
    variables = environment.read()
    for name in variables["BOOT_ORDER"].split():
        left = int(variables[f"BOOT_{name}_LEFT"], 16)
        if left > 0:
            environment.change(**{f"BOOT_{name}_LEFT": f"{left - 1:x}"})
            return name.lower()
    environment.change(BOOT_A_LEFT="3", BOOT_B_LEFT="3")
    return start_by_rauc(environment)


def start_by_mender(environment):
    """Mender's patch of U-Boot: bootcount while upgrade_available, and mender_altbootcmd beyond bootlimit."""
    variables = environment.read()
    if variables["upgrade_available"] != "0":
        count = int(variables["bootcount"]) + 1
        environment.change(bootcount=str(count))
        if count > int(variables["bootlimit"]):
            other = {"2": "3", "3": "2"}[variables["mender_boot_part"]]
            environment.change(mender_boot_part=other, mender_boot_part_hex=other, upgrade_available="0")
    variables = environment.read()
    assert variables["mender_boot_part"] == variables["mender_boot_part_hex"]
    return {"2": "a", "3": "b"}[variables["mender_boot_part"]]


class Rauc:
    """The program `rauc` on this environment, with a bus of its own."""

    def __init__(self, place, environment):
        need("dbus-run-session", "dbus-daemon")
        need("rauc", "rauc")
        self.folder = place.path("rauc")
        self.folder.mkdir()
        slots = ""
        for index, name in enumerate("AB"):
            (self.folder / name).touch()
            slots += f"\n[slot.rootfs.{index}]\ndevice={self.folder / name}\ntype=raw\nbootname={name}\n"
        (self.folder / "system.conf").write_text(f"[system]\ncompatible=gate-1\nbootloader=uboot\n{slots}")
        # RAUC calls the tools without a word about their configuration.
        for tool in ("fw_printenv", "fw_setenv"):
            real = need(tool, "libubootenv-tool")
            (self.folder / tool).write_text(f'#!/bin/sh\nexec {real} -c {environment.config} "$@"\n')
            (self.folder / tool).chmod(0o755)

    def __call__(self, booted, *words):
        service = f"rauc --conf={self.folder}/system.conf --override-boot-slot={booted} service >&2 & service=$!"
        asked = f"until rauc status >/dev/null 2>&1; do sleep 0.1; done; rauc status {' '.join(words)}; code=$?"
        script = f"export PATH={self.folder}:$PATH DBUS_STARTER_BUS_TYPE=session; {service}; {asked}; kill $service; exit $code"
        ran = subprocess.run(["dbus-run-session", "sh", "-c", script], capture_output=True, text=True, timeout=120)
        assert ran.returncode == 0, ran.stderr
        return ran.stdout

    def primary(self, booted):
        """The slot that it takes for the one that is started next, and the states of both."""
        status = json.loads(self(booted, "--output-format=json"))
        slots = {name: slot["boot_status"] for entry in status["slots"] for name, slot in entry.items()}
        return {"rootfs.0": "a", "rootfs.1": "b"}[status["boot_primary"]], slots


@test
def a_device_laid_out_for_rauc_is_taken_over(place):
    device = TakenOver(place, "rauc", RAUC, start_by_rauc, {"a": "rauc.slot=A", "b": "rauc.slot=B"})
    rauc = Rauc(place, device.environment)
    # The environment as RAUC itself leaves it after an installation and a good start.
    rauc("A", "mark-active", "rootfs.1")
    rauc("A", "mark-active", "rootfs.0")
    rauc("A", "mark-good")
    assert device.restart() == "a"
    device.stage(2, device.images)
    assert device.environment.read()["BOOT_A_LEFT"] == "3", "a good start gets its tries back"
    assert rauc.primary("A") == ("b", {"rootfs.0": "good", "rootfs.1": "good"})
    assert device.restart() == "b"
    device.once().must(DONE, "confirming release=2")
    assert rauc.primary("B")[0] == "b"
    # RAUC gives the other slot up; nothing is wrong with the one that runs.
    rauc("B", "mark-bad", "other")
    assert device.restart() == "b"
    device.once()
    assert device.status()["boot_slot"] == "b" and device.environment.read()["serial_number"] == "K 17"
    # A release that never comes up: the script goes back, and the agent sees it.
    device.stage(3, device.workshop.publish(3))
    assert [device.restart() for _ in range(4)] == ["a", "a", "a", "b"]
    device.once().must(DONE, "rolling-back release=3", "did not start within the boot loader's tries")


@test
def a_device_laid_out_for_mender_is_taken_over(place):
    words = {"a": "root=/dev/mmcblk0p2", "b": "root=/dev/mmcblk0p3"}
    device = TakenOver(place, "mender", MENDER, start_by_mender, words)
    printed = command(need("fw_printenv", "libubootenv-tool"), "--config", device.environment.config).stdout
    assert "mender_boot_part=2" in printed
    device.stage(2, device.images)
    assert device.restart() == "b"
    device.once().must(DONE, "confirming release=2")
    assert device.restart() == "b"
    # One try is all that its boot loader has.
    device.stage(3, device.workshop.publish(3))
    assert [device.restart() for _ in range(2)] == ["a", "b"]
    device.once().must(DONE, "rolling-back release=3", "did not start within the boot loader's tries")
    assert device.environment.read()["mender_saveenv_canary"] == "1"
