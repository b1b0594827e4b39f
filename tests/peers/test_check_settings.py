"""Settings, policies and boot profiles that are wrong are found on the desk (`komainu-maker check-settings`) in the words
that the device has for them (`komainu check-settings`); and what stands in the place of a file is refused at once.
"""

import os
import subprocess

from firmware_tree import Audit, Firmware
from place import KOMAINU, KOMAINU_MAKER, PATIENCE, ROOT, command, test

SETTINGS = (ROOT / "agent/dist/komainu.toml").read_text()
POLICY = (ROOT / "agent/dist/policies/router.toml").read_text()
PROFILE = (ROOT / "agent/dist/boot/rauc.toml").read_text()


def run(*words, **more):
    """Exit status, output and sentence, which is without the name of the program in front."""
    done = subprocess.run([str(word) for word in words], capture_output=True, text=True, check=False, timeout=PATIENCE, **more)
    return done.returncode, done.stdout, done.stderr.strip().split(": ", 1)[-1]


def device(*words):
    return run(KOMAINU, "check-settings", *words)


def desk(*words):
    return run(KOMAINU_MAKER, "check-settings", "--komainu", KOMAINU, *words)


def swap(text, old, new):
    assert old in text, old
    return text.replace(old, new, 1)


#: A name of a file, its text, and a word of the refusal.
WRONG = [
    ("komainu.toml", swap(SETTINGS, 'board = "gate-1"', "bored = 1"), "board"),
    ("komainu.toml", swap(SETTINGS, "# interval_seconds = 25_200", "interval_seconds = 1"), "interval_seconds"),
    ("komainu.toml", swap(SETTINGS, '# profile = ""', 'profile = "/nowhere/rauc.toml"'), "/nowhere/rauc.toml"),
    ("komainu.toml", swap(SETTINGS, 'lan = ["br-lan"]', 'lan = "br-lan"'), "lan"),
    ("router.toml", swap(POLICY, "ssh = false", 'ssh = "no"'), "ssh"),
    ("router.toml", POLICY + "[wal]\nx = 1\n", "wal"),
    ("rauc.toml", swap(PROFILE, 'medium = "environment"', 'medium = "tea"'), "medium"),
    ("rauc.toml", PROFILE + "tea = 1\n", "tea"),
    ("empty.toml", "", "nothing in it"),
    ("blank.toml", "\n \n", "nothing in it"),
    ("large.toml", "# more\n" * 10_000, "65536 bytes, its largest size"),
    ("latin.toml", 'a = "é"\n'.encode("latin-1"), "UTF-8"),
]


@test
def what_is_wrong_is_told_on_the_desk_in_the_words_of_the_device(place):
    for number, (name, text, says) in enumerate(WRONG):
        file = place.path(f"{number}/{name}")
        file.parent.mkdir(exist_ok=True)
        file.write_bytes(text if isinstance(text, bytes) else text.encode())
        code, out, sentence = device(file)
        assert (code, out) == (2, "") and sentence.startswith(f"settings {file}: ") and says in sentence, (name, code, sentence)
        assert desk(file) == (1, "", sentence), (name, desk(file), sentence)


@test
def what_is_good_is_told_on_the_desk_in_the_words_of_the_device(place):
    del place
    for file in [ROOT / "agent/dist/komainu.toml", *sorted((ROOT / "agent/dist/policies").iterdir()),
                 *sorted((ROOT / "agent/dist/boot").iterdir())]:
        code, out, sentence = device(file)
        assert (code, sentence) == (0, "") and "can be read" in out, (file, out, sentence)
        assert desk(file) == (0, out, ""), (file, desk(file))


@test
def of_several_files_each_refusal_is_told(place):
    good, bad, worse = ROOT / "agent/dist/policies/nas.toml", place.path("bad.toml"), place.path("worse.toml")
    bad.write_text("[wall]\ntea = 1\n")
    worse.write_text("[wall\n")
    done = subprocess.run([KOMAINU_MAKER, "check-settings", "--komainu", KOMAINU, bad, good, worse],
                          capture_output=True, text=True, check=False, timeout=PATIENCE)
    assert done.returncode == 1 and f"{good}: can be read" in done.stdout, done
    lines = done.stderr.splitlines()
    assert [line.split(": ", 1)[-1] for line in lines[:2]] == [device(bad)[2], device(worse)[2]], lines
    assert lines[2:] == ["komainu-maker: 2 of 3 files are refused"], lines


@test
def what_stands_in_the_place_of_a_file_is_refused_at_once(place):
    pipe, empty = place.path("pipe"), place.path("empty")
    os.mkfifo(pipe)
    empty.write_text("")
    for file, says in ((pipe, "is a FIFO"), ("/dev/zero", "is a device"), ("/dev/full", "is a device"), (place.path("."), "is a folder"),
                       (empty, "there is nothing in it"), (place.path("none"), "No such file")):
        # A reader of what never ends would be ended by the time, and not by its size.
        for program in (device, desk):
            code, out, sentence = program(file)
            assert code != 0 and not out and says in sentence, (program, file, code, sentence)
        for words in (["once"], ["plan"], ["harden"]):
            code, out, sentence = run(KOMAINU, "-s", file, *words)
            assert code == 2 and not out and sentence.startswith(f"settings {file}: ") and says in sentence, (words, sentence)


@test
def the_files_that_settings_name_are_read_in_the_root_of_a_device(place):
    firmware = Firmware(place)
    profile = "/usr/share/komainu/boot/rauc.toml"
    firmware.write(profile[1:], PROFILE)
    firmware.replace("etc/komainu.toml", '# profile = ""', f'profile = "{profile}"')
    image = firmware.squashfs("xz")
    for root in (firmware.folder, image):
        code, out, sentence = desk("--root", root)
        assert (code, sentence) == (0, "") and out.startswith("/etc/komainu.toml: can be read, a policy of the kind router"), (out, sentence)
        assert out == device("--root", firmware.folder, "/etc/komainu.toml")[1]
        assert desk("--root", root, profile)[0] == 0
    assert Audit(firmware.folder).found() == [], "the audit reads the profile in the image, and not on the desk"
    for spoil, says in (
        (lambda bad: bad.replace(profile[1:], 'medium = "environment"', 'medium = "tea"'), f"names {profile}, which is wrong: line "),
        (lambda bad: bad.path(profile[1:]).unlink(), f"names {profile}, which cannot be used: cannot read: No such file"),
        (lambda bad: bad.replace("usr/share/komainu/policies/router.toml", "ssh = false", "ssh = 1"), "has a file that is wrong: /usr/share/"),
        (lambda bad: bad.replace("etc/komainu.toml", 'board = "gate-1"', 'board = ""'), "line "),
    ):
        bad = firmware.copy("bad")
        spoil(bad)
        code, out, sentence = device("--root", bad.folder, "/etc/komainu.toml")
        assert (code, out) == (2, "") and sentence.startswith("settings /etc/komainu.toml: line ") and says in sentence, sentence
        for root in (bad.folder, bad.squashfs("gzip")):
            assert desk("--root", root) == (1, "", sentence), desk("--root", root)
        assert {one[0] for one in Audit(bad.folder).found()} <= {"settings-invalid", "service-not-in-policy"}
        command("rm", "-rf", bad.folder)
    # No path of an image leads to a file of the desk.
    secret = place.path("secret.toml")
    secret.write_text("[wall]\n")
    up = "/../" * 20
    code, _, sentence = desk("--root", image, f"{up}{secret}")
    assert code == 1 and "No such file" in sentence, sentence
    assert desk("--root", image, "etc/komainu.toml")[0] == 2


@test
def an_option_that_is_given_twice_is_refused_with_its_name(place):
    file = place.path("komainu.toml")
    file.write_text(SETTINGS)
    for words, name in (
        (["-s", file, "--settings", file, "status"], "--settings"),
        (["status", "--json", "--json"], "--json"),
        (["--testing", "-s", file, "once", "--testing"], "--testing"),
        (["check-settings", "--root", "/", "--root", "/", file], "--root"),
    ):
        code, out, sentence = run(KOMAINU, *words)
        assert (code, out) == (2, "") and f"{name} is given twice" in sentence, (words, sentence)
    for words, name in (
        (["check-settings", "--root", "/", "--root", "/", file], "--root"),
        (["audit", "--json", "--json", place.path(".")], "--json"),
        (["audit", "--settings", "/a", "--settings", "/b", place.path(".")], "--settings"),
        (["publish", "--workshop", "a", "-w", "b"], "--workshop"),
        (["kernel-check", "--firewall", "nft", "--firewall", "iptables", file], "--firewall"),
    ):
        code, out, sentence = run(KOMAINU_MAKER, *words)
        assert (code, out) == (2, "") and f"'{name}" in sentence and "cannot be used multiple times" in sentence, (words, sentence)


@test
def an_agent_that_is_missing_or_is_none_is_said(place):
    alone = place.path("alone/komainu-maker")
    command("cp", KOMAINU_MAKER, alone)
    file = ROOT / "agent/dist/komainu.toml"
    code, out, sentence = run(alone, "check-settings", file)
    assert (code, out) == (1, "") and "there is no komainu beside this program" in sentence, sentence
    code, out, sentence = run(KOMAINU_MAKER, "check-settings", "--komainu", "/bin/true", file)
    assert (code, out) == (2, "") and "it is not komainu" in sentence, sentence
