"""libubootenv's fw_printenv and fw_setenv, and the agent, on the same boot environment: in a file and on a block
device, single and redundant.
"""

from device import DONE, FAILED, RESTART, Device
from maker import Workshop
from place import command, need, test, tests
from uboot import Environment
from web import Web


def plain(path):
    return path


def fw_printenv(environment):
    """What libubootenv reads: a second opinion beside uboot.py."""
    program = need("fw_printenv", "libubootenv-tool")
    lines = command(program, "--config", environment.config).stdout.splitlines()
    return dict(line.split("=", 1) for line in lines)


def fw_setenv(environment, **variables):
    program = need("fw_setenv", "libubootenv-tool")
    for name, value in variables.items():
        command(program, "--config", environment.config, name, value)


def made(place, copies, on_block_device):
    workshop = Workshop(place)
    images = workshop.publish(2)
    folder = place.path("board")
    folder.mkdir()
    environment = Environment.make(folder, copies=copies, device=place.loop if on_block_device else plain)
    device = Device(place, workshop.root, Web(place, workshop.repository).url, environment=environment)
    device.workshop = workshop
    return device, images


def printenv_reads(place, copies, on_block_device):
    device, images = made(place, copies, on_block_device)
    untouched = fw_printenv(device.environment)
    device.stage(2, images)
    found = fw_printenv(device.environment)
    changes = {"boot_slot": "b", "upgrade_available": "1", "bootcount": "0", "bootlimit": "3", "komainu_release": "2"}
    assert found == untouched | changes, found
    assert found == device.environment.read(), "libubootenv and this test disagree"
    assert device.restart() == "b"
    device.once().must(DONE, "confirming release=2")
    assert fw_printenv(device.environment) == found | {"upgrade_available": "0"}


def agent_reads(place, copies, on_block_device):
    device, images = made(place, copies, on_block_device)
    # Many writes, so that the counters of a redundant pair go round.
    for number in range(260 if copies == 2 and not on_block_device else 3):
        fw_setenv(device.environment, serial_number=str(number))
    assert device.status()["boot_slot"] == "a"
    device.stage(2, images)
    assert device.status()["boot_tries_left"] == 3
    fw_setenv(device.environment, bootcount="2")
    assert device.status()["boot_tries_left"] == 1
    fw_setenv(device.environment, bootcount="0")
    assert device.restart() == "b"
    device.once().must(DONE, "confirming release=2")
    assert "serial_number" in fw_printenv(device.environment), "a variable of somebody else got lost"
    # Somebody takes away the way back: then nothing is activated any more, and it is said.
    fw_setenv(device.environment, altbootcmd="")
    with device.untouched("ab"):
        device.once().must(FAILED, "boot-choice-unknown", "altbootcmd")


PLACES = [
    ("in_a_file", 1, False), ("twice_in_a_file", 2, False),
    ("on_a_block_device", 1, True), ("twice_on_a_block_device", 2, True),
]
tests(printenv_reads, "fw_printenv_reads_what_the_agent_wrote_{}", PLACES)
tests(agent_reads, "the_agent_reads_what_fw_setenv_wrote_{}", PLACES)


@test
def a_spoilt_copy_of_the_environment_is_survived_and_renewed(place):
    device, images = made(place, 2, False)
    for release, copy in ((2, 0), (3, 1), (4, 1), (5, 0)):
        # Whichever copy counts, the other one is worth nothing now.
        variables = device.environment.read()
        device.environment.spoil(copy)
        if device.environment.read() != variables:
            device.environment.change(**variables)
        device.update(release, images)
        assert fw_printenv(device.environment)["komainu_release"] == str(release)
        images = device.workshop.publish(release + 1)


@test
def slots_on_block_devices_are_updated(place):
    workshop = Workshop(place)
    images = workshop.publish(2)
    device = Device(place, workshop.root, Web(place, workshop.repository).url, slots=place.loop)
    device.update(2, images)
    device.update(3, workshop.publish(3))


@test
def a_slot_that_is_mounted_is_not_written(place):
    workshop = Workshop(place)
    workshop.publish(2)
    device = Device(place, workshop.root, Web(place, workshop.repository).url, slots=place.loop)
    # The settings say that slot b does not run; the kernel knows that it is in use.
    command("mkfs.ext4", "-q", device.parts["rootfs"]["b"])
    folder = place.path("mounted")
    folder.mkdir()
    command("mount", "-o", "ro", device.parts["rootfs"]["b"], folder)
    place.undo.callback(command, "umount", folder)
    with device.untouched():
        device.once().must(1, "step-failed step=stage", f"cannot open {device.parts['rootfs']['b']}: ")
    assert device.environment.read()["boot_slot"] == "a"


@test
def a_release_that_never_starts_is_given_up_by_the_boot_loader(place):
    device, images = made(place, 2, False)
    device.stage(2, images)
    for times in range(1, 4):
        # It hangs each time before the agent starts; a watchdog restarts the device.
        slots = [device.restart() for _ in range(4)]
        assert slots == ["b", "b", "b", "a"], slots
        # Back in the old slot the agent gives it up. It tries it again after some polls, until it has failed three times.
        run = device.once().must(DONE, "rolling-back release=2", "did not start within the boot loader's tries",
                                 "why=failed-lately" if times < 3 else "why=failed-before times=3")
        assert device.status()["failed"] == [{"release": 2, "times": times}]
        # The poll after its restart was one of them.
        for polls in range(1, times + 1):
            run = device.once().must(RESTART if polls == times and times < 3 else DONE)
    run.must(DONE, "refused release=2 why=failed-before times=3")
    assert device.restart() == "a"
    # The next release is taken.
    device.update(3, device.workshop.publish(3))


@test
def a_boot_loader_that_does_not_count_is_noticed_at_the_first_trial(place):
    device, images = made(place, 2, False)
    device.stage(2, images)
    # It starts the slot that it should, and leaves bootcount as it was.
    device._starts("b")
    device.once().must(RESTART, "rolling-back release=2", "the boot loader does not count starts")
    assert device.restart() == "a"
    device.once().must(FAILED, "starts-not-counted release=2", "run komainu confirm")
    assert device.status()["failed"] == [] and device.environment.read()["upgrade_available"] == "0"
    assert "does not count starts" in device.komainu("check").must(FAILED).out
    assert "does not count starts" in device.komainu("plan").must(DONE).out
    with device.untouched("ab"):
        device.once().must(FAILED, "starts-not-counted release=2")
    # It was mended, and a person says so.
    device.komainu("confirm").must(RESTART, "count-vouched-for release=2", "activating release=2")
    assert device.restart() == "b"
    device.once().must(DONE, "confirming release=2")
