"""What `check` knows beforehand of mistakes that were made in the field, on real mounts, links and loop devices; and that
`once` writes nothing where what runs, or what a part is, is in doubt.
"""

import json
import os
import subprocess

from device import DONE, FAILED, Device
from maker import Workshop
from place import Skip, command, test, tests
from uboot import Environment
from web import Web


def made(place, **more):
    workshop = Workshop(place)
    images = workshop.publish(2)
    return Device(place, workshop.root, Web(place, workshop.repository).url, **more), images


def looks(device, *before):
    """The lines of `check --json` by verdict, as texts; started behind these words, say in another namespace."""
    file = device.folder / "komainu.toml"
    file.write_text(device.settings_text())
    words = [*before, *device.agent.words(), "--settings", str(file), "check", "--json"]
    ended = subprocess.run(words, capture_output=True, text=True, check=False)
    said = json.loads(ended.stdout)
    assert said["not_looked_at"], "it promises to have looked at everything"
    lines = {verdict: [] for verdict in ("ok", "warn", "fail")}
    for line in said["checks"]:
        lines[line["verdict"]].append(f"{line['name']}: {line['sentence']}")
    assert (ended.returncode == FAILED) == bool(lines["fail"]), f"{ended.returncode} {lines}"
    return lines


def must(lines, *words):
    found = [line for line in lines if all(word in line for word in words)]
    assert len(found) == 1, f"{words} in {lines}"


@test
def a_device_that_is_in_order_has_no_fault(place):
    device, images = made(place)
    lines = looks(device)
    assert lines["fail"] == [], lines
    must(lines["ok"], "running slot: a")
    must(lines["ok"], "server: reached")
    device.komainu("check").must(DONE)
    device.update(2, images)


@test
def a_label_that_leads_to_the_running_kernel_is_refused(place):
    device, _ = made(place, slots=place.loop)
    part = next(iter(device.parts))
    label = place.path("kernel_b")
    label.symlink_to(device.parts[part]["a"])
    device.parts[part]["b"] = label
    must(looks(device)["fail"], "slots: part", part, "are one place")


@test
def a_state_in_memory_is_lost_and_check_says_so(place):
    if os.geteuid() != 0:
        raise Skip("needs root, to mount")
    device, _ = made(place)
    device.state.mkdir(exist_ok=True)
    mounts = f"mount -t tmpfs -o mode=0700 none {device.state} && exec \"$@\""
    lines = looks(device, "unshare", "--mount", "sh", "-c", mounts, "sh")
    must(lines["fail"], "state folder: ", "is in memory (tmpfs), and forgets record and floor at every start")
    mounts = f"mount --bind -o ro {device.state} {device.state} && exec \"$@\""
    lines = looks(device, "unshare", "--mount", "sh", "-c", mounts, "sh")
    must(lines["fail"], "state folder: ", "is read-only")
    assert looks(device)["fail"] == []


@test
def a_device_that_forgets_its_state_is_not_given_its_release_again(place):
    device, images = made(place)
    # The firmware does not say which release it is.
    del device.settings["device"]["release"], device.settings["device"]["version"]
    device.update(2, images)
    for _ in range(3):
        command("rm", "-rf", device.state)
        device.restart()
        with device.untouched("ab"):
            device.once().must(DONE, "first-start")
    status = device.status()
    assert (status["confirmed_release"], status["floor"]) == (2, 2), status


@test
def a_health_check_with_the_line_ends_of_windows_is_named(place):
    device, _ = made(place)
    device.health.mkdir()
    script = device.health / "10-answers"
    script.write_bytes(b"#!/bin/sh\r\nexit 0\r\n")
    script.chmod(0o755)
    must(looks(device)["fail"], "health checks: ", "10-answers: its interpreter /bin/sh\\r is not there")
    script.write_bytes(b"#!/bin/sh\nexit 0\n")
    lines = looks(device)
    assert lines["fail"] == []
    must(lines["ok"], "health checks: 1 in ")


@test
def a_reboot_command_that_is_not_there_is_named(place):
    device, _ = made(place)
    device.settings["boot"]["reboot_command"] = ["/sbin/reboot-of-another-system"]
    must(looks(device)["fail"], "restart: reboot_command /sbin/reboot-of-another-system: there is no such program")


@test
def an_environment_of_one_copy_is_warned_of_and_fails_nothing(place):
    folder = place.path("board")
    folder.mkdir()
    device, _ = made(place, environment=Environment.make(folder, copies=1))
    lines = looks(device)
    assert lines["fail"] == []
    must(lines["warn"], "boot environment: ", "holds the only copy of the environment")


@test
def a_part_that_holds_the_boot_environment_is_refused(place):
    device, _ = made(place)
    part = next(iter(device.parts))
    device.parts[part]["b"] = device.environment.places[0][0]
    must(looks(device)["fail"], "slots: part", part, "of slot b and the boot environment are one place")


def contradicts(place, line, *words):
    device, _ = made(place)
    (device.folder / "cmdline").write_text(line)
    with device.untouched("ab"):
        run = device.once()
    assert "booted-unknown" in run.log and all(word in run.log for word in words), run.log
    must(looks(device)["fail"], "running slot: ", *words)


tests(contradicts, "a_command_line_{}_leaves_what_runs_unknown_and_nothing_is_written", [
    ("with_two_slots", "komainu.slot=a root=x komainu.slot=b\n", "komainu.slot=a", "komainu.slot=b"),
    ("that_names_a_slot_in_quotes_only", 'foo="x komainu.slot=b y"\n', "has no komainu.slot"),
    ("against_the_boot_choice", "komainu.slot=b\n", "komainu.slot=b", "boot choice names slot a as good"),
])


@test
def a_slot_in_quotes_is_not_the_one_that_runs(place):
    device, images = made(place)
    (device.folder / "cmdline").write_text('foo="x komainu.slot=b y" komainu.slot=a\n')
    device.stage(2, images)
