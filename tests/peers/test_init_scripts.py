"""The scripts of agent/dist at a real start: BusyBox's init and its inittab, start-stop-daemon of Debian and of BusyBox,
systemd's own judge of units, and a root of squashfs that the recipe makes writable."""

import json
import re
import subprocess

from place import PATIENCE, command, need, test, tests, wait_until
from small_firmware import DIST, Firmware

INITTAB = """::sysinit:/usr/sbin/read-only-root
%s
::sysinit:/etc/init.d/network
"""
BY_INIT = [line for line in (DIST / "komainu.inittab").read_text().splitlines() if not line.startswith("#")]
SCRIPTS = ("komainu-start", "read-only-root", "komainu.init", "komainu.procd", "start.conf")
PASSWORD = "Kaki-no-ki 7 Tsuru"


@test
def the_scripts_for_devices_are_clean_for_shellcheck_and_for_busyboxs_shell(place):
    need("shellcheck", "shellcheck")
    for name in SCRIPTS:
        command(need("busybox", "busybox-static"), "ash", "-n", DIST / name)
    command("shellcheck", *(DIST / name for name in ("komainu-start", "read-only-root", "komainu.init")))
    # The first line of procd's scripts names a program that is no shell.
    command("shellcheck", "--shell=sh", "--exclude=SC2034,SC1008", DIST / "komainu.procd", "--exclude=SC2239")
    command("shellcheck", "--shell=sh", DIST / "start.conf")


@test
def systemd_finds_nothing_wrong_with_the_unit_and_orders_it_before_the_network(place):
    need("systemd-analyze", "systemd")
    root = place.path("root")
    (root / "etc/systemd/system").mkdir(parents=True)
    (root / "usr/sbin").mkdir(parents=True)
    for name in ("komainu", "komainu-start"):
        (root / "usr/sbin" / name).write_text("#!/bin/sh\n")
        (root / "usr/sbin" / name).chmod(0o755)
    unit = root / "etc/systemd/system/komainu.service"
    unit.write_text((DIST / "komainu.service").read_text())
    (root / "usr/lib/systemd").mkdir(parents=True)
    command("cp", "-a", "/usr/lib/systemd/system", root / "usr/lib/systemd/")
    done = subprocess.run(["systemd-analyze", "verify", "--man=no", f"--root={root}", "komainu.service"],
                          capture_output=True, text=True, timeout=PATIENCE, check=False)
    said = [line for line in (done.stdout + done.stderr).splitlines() if "komainu.service" in line or "komainu-start" in line]
    assert not said and done.returncode == 0, (done.returncode, done.stdout, done.stderr)
    # It does say so where something is wrong.
    unit.write_text(unit.read_text().replace("Restart=always", "Restart=perhaps").replace("/usr/sbin/komainu run", "/no run"))
    done = subprocess.run(["systemd-analyze", "verify", "--man=no", f"--root={root}", "komainu.service"],
                          capture_output=True, text=True, timeout=PATIENCE, check=False)
    assert "perhaps" in done.stderr and "/no is not executable" in done.stderr, done.stderr


def first_of(device):
    return wait_until(lambda: next(iter(device.agents()), None), "the agent", PATIENCE)


def started_again(device, before):
    def another():
        return next((agent for agent in device.agents() if agent != before), None)

    return wait_until(another, "the agent, started again", PATIENCE)


def life(place, lines, files=(), more=None):
    device = Firmware(place, INITTAB % "\n".join(lines), files, more).start()
    tables, mounts = device.network_begins()
    assert re.search(r"table \S+ komainu$", tables, re.MULTILINE), f"no rules when the network starts: {tables!r}, {device.said()}"
    state = next(line for line in mounts.splitlines() if " /var/lib/komainu " in line)
    assert state.split()[2] == "ext4" and "nosuid,nodev,noexec" in state, state
    agent = first_of(device)
    device.run("/bin/kill", "-9", str(agent))
    started_again(device, agent)
    return device


def answers(device):
    """Whether an agent is at work, by its own command."""
    said = device.run("/usr/sbin/komainu", "status", "--json").stdout
    return bool(said) and json.loads(said).get("at_work") is True


def by_init(place):
    life(place, BY_INIT)


def by_script(place, more):
    script = ("etc/init.d/S10komainu", (DIST / "komainu.init").read_text(), 0o755)
    device = life(place, ["::sysinit:/etc/init.d/S10komainu start"], [script], more)
    said = device.run("/etc/init.d/S10komainu", "status")
    assert (said.returncode, said.stdout) == (0, "komainu is running\n"), said
    # A second start changes nothing. The page of the agent that was ended may outlive it for a moment, and is none.
    agents = wait_until(lambda: answers(device) and device.agents(), "an agent that answers", PATIENCE)
    device.run("/etc/init.d/S10komainu", "start")
    assert len(agents) == 1 and device.agents() == agents, (agents, device.agents())
    device.run("/etc/init.d/S10komainu", "stop")
    wait_until(lambda: not device.agents(), "the end of the agent", PATIENCE)
    said = device.run("/etc/init.d/S10komainu", "status")
    assert (said.returncode, said.stdout) == (3, "komainu is not running\n"), said
    device.run("/etc/init.d/S10komainu", "restart")
    assert first_of(device)


def of_debian(firmware):
    """Debian's start-stop-daemon comes before BusyBox's."""
    firmware.program(need("start-stop-daemon", "dpkg"), "sbin/start-stop-daemon")


tests(by_init, "{}_has_the_state_and_the_rules_before_the_network_and_starts_the_agent_again", [("busyboxs_init",)])
tests(by_script, "the_sysv_script_{}_has_the_rules_before_the_network_and_starts_the_agent_again",
      [("with_busyboxs_start_stop_daemon", None), ("with_debians_start_stop_daemon", of_debian)])


@test
def a_storage_that_is_not_there_leaves_the_gate_closed_and_the_rules_in_place(place):
    config = ("etc/komainu/start.conf", "DEVICE=/dev/nothing\nSECONDS_MAX=0\n", 0o644)
    device = Firmware(place, INITTAB % "\n".join(BY_INIT), [config]).start()
    tables, mounts = device.network_begins()
    assert re.search(r"table \S+ komainu$", tables, re.MULTILINE), tables
    assert "ext4" not in mounts
    assert "the state is not mounted: /dev/nothing" in device.path("dev/console").read_text()
    first_of(device)


@test
def a_root_of_squashfs_is_writable_in_ram_and_the_owners_password_outlives_a_restart(place):
    firmware = Firmware(place, INITTAB % "\n".join(BY_INIT), [("etc/motd", "the firmware's\n", 0o644)])
    device = firmware.start()
    device.network_begins()
    first_of(device)
    mounts = {line.split()[1]: line.split()[2:4] for line in device.mounts()}
    assert mounts["/"][0] == "squashfs" and mounts["/"][1].startswith("ro"), mounts["/"]
    for place_of, kind, has, has_not in (("/etc", "overlay", "nosuid", "noexec"), ("/var", "overlay", "noexec", ""),
                                         ("/run", "tmpfs", "noexec", ""), ("/tmp", "tmpfs", "noexec", "")):
        options = mounts[place_of][1].split(",")
        assert mounts[place_of][0] == kind and has in options and has_not not in options, (place_of, mounts[place_of])
    assert device.path("etc/motd").read_text() == "the firmware's\n"
    wait_until(lambda: device.run("/usr/sbin/komainu", "setup", input=PASSWORD + "\n").returncode == 0, "a password")
    crypt = re.search(r"^root:(\$5\$[^:]+):", device.path("etc/shadow").read_text(), re.MULTILINE)
    assert crypt, device.path("etc/shadow").read_text()
    device.path("etc/motd").write_text("changed\n")
    device.power_off()
    again = firmware.start()
    # The firmware's own account has no password; before the network, the rules are the ones of an owner.
    again.network_begins()
    wait_until(lambda: crypt[1] in again.path("etc/shadow").read_text(), "the owner's password, after a restart")
    assert again.path("etc/motd").read_text() == "the firmware's\n", "what was in RAM is gone"


@test
def without_overlay_the_recipe_copies_etc(place):
    # A kernel without overlay: the mount fails, and nothing else is lost.
    recipe = (DIST / "read-only-root").read_text()
    without = ("usr/sbin/read-only-root", recipe.replace("mount -t overlay", "mount -t overlay-is-not-there"), 0o755)
    device = Firmware(place, INITTAB % "\n".join(BY_INIT), [without]).start()
    device.network_begins()
    kinds = {line.split()[1]: line.split()[2] for line in device.mounts()}
    assert kinds["/etc"] == "tmpfs" and kinds["/var"] == "tmpfs", kinds
    device.path("etc/hostname").write_text("gate\n")
    assert device.path("etc/init.d/network").stat().st_mode & 0o111 == 0o111
    first_of(device)
