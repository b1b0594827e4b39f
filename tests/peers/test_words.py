"""What komainu says where nothing is wrong yet, and where something plain is missing."""

import subprocess

from device import DONE, FAILED, Device
from maker import Workshop
from place import KOMAINU, PATIENCE, test, tests
from web import Web


def fresh(place):
    workshop = Workshop(place)
    workshop.publish(2)
    return Device(place, workshop.root, Web(place, workshop.repository).url)


@test
def status_of_a_fresh_device_alarms_nobody(place):
    device = fresh(place)
    run = device.komainu("status").must(DONE)
    assert "not known yet: no poll was completed so far" in run.out, run.out
    alarming = [word for word in ("refused", "error", "failed because", "attack", "fail until") if word in run.out + run.log]
    assert not alarming, (alarming, run.out, run.log)
    assert device.status()["timestamp"] is None


def spoilt(place, spoil, says):
    device = fresh(place)
    spoil(device.root)
    device.once().must(FAILED)
    run = device.komainu("status")
    assert f"no root to trust: {device.root}" in run.out and says in run.out, run.out


def folder_in_its_place(root):
    root.unlink()
    root.mkdir()


tests(spoilt, "a_root_that_is_{}_is_said_to_be_so", [
    ("missing", lambda root: root.unlink(), "is not there, or empty: put the root.json of komainu-maker there"),
    ("empty", lambda root: root.write_bytes(b""), "is not there, or empty"),
    ("a_folder", folder_in_its_place, "is not there, or empty"),
    ("cut", lambda root: root.write_bytes(root.read_bytes()[:100]), "root.json refused (TUF 5.2): not acceptable JSON"),
])


@test
def help_is_help_in_every_spelling(place):
    said = [subprocess.run([KOMAINU, *words], capture_output=True, text=True, timeout=PATIENCE, check=True).stdout
            for words in (["--help"], ["-h"], ["help"], ["help", "install"], ["status", "--help"])]
    assert "install" in said[0] and len(set(said)) == 1, said
