"""What komainu says where nothing is wrong yet, and where something plain is missing."""

import subprocess

from device import DONE, FAILED, USAGE, Device
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
    assert run.out.startswith("gate-1 (stable): all is well\n"), run.out
    assert "not known yet: no poll was completed so far" in run.out, run.out
    # It is read at a glance: a few short lines, of which none says that something is missing.
    lines = run.out.splitlines()
    assert len(lines) <= 14 and max(map(len, lines)) <= 100 and "Please look" not in run.out, run.out
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


def said(*words):
    return subprocess.run([KOMAINU, *words], capture_output=True, text=True, timeout=PATIENCE, check=False)


@test
def help_is_help_in_every_spelling(place):
    all_of_it = [said(*words) for words in (["--help"], ["-h"], ["help"])]
    assert all(run.returncode == DONE for run in all_of_it)
    assert "install" in all_of_it[0].stdout and len({run.stdout for run in all_of_it}) == 1, all_of_it
    names = [line.split()[0] for line in all_of_it[0].stdout.splitlines() if line.startswith("  ") and line[2].isalpha()]
    assert len(names) > 20 and "help" in names, names
    for name in names:
        of_name = [said(*words) for words in (["help", name], [name, "--help"], [name, "-h"])]
        assert all(run.returncode == DONE for run in of_name), of_name
        assert len({run.stdout for run in of_name}) == 1 and of_name[0].stdout.startswith("komainu [--settings FILE] "), of_name
        assert name in of_name[0].stdout.splitlines()[0], of_name[0].stdout
    assert "FILE" in said("help", "install").stdout.splitlines()[0]
    for words in (["help", "instal"], ["instal", "--help"]):
        run = said(*words)
        assert run.returncode == USAGE and "there is no subcommand instal" in run.stderr, run
