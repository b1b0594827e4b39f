"""Packages of the firmware are upgraded on the running device: the owner brings one over SSH and installs it, and one is
installed with nobody logged in, as a job of the device's own does. What upgrades them is the device's package manager
(busybox's dpkg); the packages are made by Debian's own tools. The wall must take none of it for an intruder."""

import hashlib
import json
import re

import login
from firmware import SERVER, packages_of
from place import command, need, wait_until
from whole_machine import BOOT_LOADER, SECONDS
from whole_networks import DEVICE_LAN, WAN

CONTROL = """Package: {name}
Version: {version}
Architecture: all
Maintainer: Maker <maker@example.net>
Description: another build of the firmware's own
"""
#: As Debian's do it: the new program takes the place of the one that runs.
STARTS_ANEW = """#!/bin/sh
# Starts {program} anew.
old=$(cat {pid})
start-stop-daemon -K -q -p {pid}
while kill -0 "$old" 2>/dev/null; do usleep 100000; done
{program} {words} </dev/null >/dev/null 2>&1
"""
#: Package, version, program, the file with its number, and how it is started.
BY_OWNER = ("dropbear-bin", "2022.83-1+deb12u9", "/usr/sbin/dropbear", "/var/run/dropbear.pid",
            "-R -p 192.168.1.1:22 -P /var/run/dropbear.pid")
BY_DEVICE = ("dnsmasq-base", "2.90-4~deb12u9", "/usr/sbin/dnsmasq", "/var/run/dnsmasq.pid", "--conf-file=/etc/dnsmasq.conf")
#: The note with the build's identity in an ELF file, in both orders of bytes; twenty bytes follow.
IDENTITY = re.compile(rb"(?:\x04\0\0\0\x14\0\0\0\x03\0\0\0|\0\0\0\x04\0\0\0\x14\0\0\0\x03)GNU\0")
#: What the wall says of a finding that is more than told, and of what it did about one.
LOUD = re.compile(rb"(?:found|infected|not-mended|undone|incident|restarting|evidence|mended) (?:\w|-)+=.*")
#: Files of the device that the wall could edit.
FILES = "find /etc/init.d /etc/inittab /etc/passwd /etc/shadow /etc/dnsmasq.conf /data/packages/upper -type f"


def upgrade(life, password):
    """Both upgrades; after each the wall has looked twice, found nothing above told, ended nothing, edited nothing."""
    for by, row in (("the owner by SSH", BY_OWNER), ("the device by itself", BY_DEVICE)):
        name, version, program, pid, _ = row
        package, digest = build(life, *row)
        life.machine.must("mkdir -p /data/owner")
        there = f"/data/owner/{name}.deb"
        install = f"dpkg -i {there} && rm {there}"
        bring = f"cat >{there} && " + (install if row is BY_OWNER else "sync")
        before, mark = life.machine.must(f"cat {pid}").strip(), life.machine.mark()
        done = login.over_ssh(life.cables, "lan", DEVICE_LAN, password, bring, SECONDS, package.read_bytes())
        assert done.returncode == 0, f"{name} by SSH: {done.returncode} {done.stdout + done.stderr}"
        if row is BY_DEVICE:
            life.machine.must(install)
        assert version in life.machine.must(f"sed -n '/^Package: {name}$/,/^$/p' /var/lib/dpkg/status"), "dpkg knows it not"
        number = life.machine.must(f"cat {pid}").strip()
        assert number != before, f"{program} was not started anew"
        files = life.machine.must(f"{FILES} | xargs sha256sum")
        told = looked_at(life, mark)
        assert life.machine.must(f"{FILES} | xargs sha256sum") == files, "the wall edited a file"
        assert life.machine.must(f"sha256sum {program} /proc/{number}/exe").split()[::2] == [digest] * 2, f"{program} is another"
        state = life.machine.must(f"sed -n 's/^State:[^A-Z]*//p' /proc/{number}/status")
        assert state[:1] in "RSD", f"{program} is {state}"
        serves(life, password)
        life.timeline.mark(f"{name} is upgraded, by {by}", life.uptime(), program=program, told="; ".join(told) or "nothing")


def build(life, name, version, program, pid, words):
    """The package, with another build of the firmware's program; and that program's hash."""
    content = bytearray((packages_of(life.board) / "firmware" / program[1:]).read_bytes())
    found = IDENTITY.search(content)
    assert found, f"{program} has no build's identity"
    for at in range(found.end(), found.end() + 20):
        content[at] ^= 0xff
    folder = life.place.path(f"packages/{name}/x").parent
    for path, text, mode in (
        ("DEBIAN/control", CONTROL.format(name=name, version=version).encode(), 0o644),
        ("DEBIAN/postinst", STARTS_ANEW.format(program=program, pid=pid, words=words).encode(), 0o755),
        (program[1:], content, 0o755),
        (f"usr/share/doc/{name}/changelog", f"{name} ({version})\n".encode(), 0o644),
    ):
        file = folder / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(text)
        file.chmod(mode)
    archive = folder.parent / f"{name}.deb"
    command(need("dpkg-deb", "dpkg"), "--root-owner-group", "-Zgzip", "--build", folder, archive)
    return archive, hashlib.sha256(content).hexdigest()


def looked_at(life, mark):
    """Returns once the wall has looked at everything twice since now: a request is taken before a turn, so that the next
    one is taken after it. An incident that does not exist is ended, which changes nothing. The findings: all are told."""
    for _ in range(3):
        life.machine.must("komainu incident release && while [ -e /run/komainu/request ]; do usleep 200000; done")
    report = json.loads(life.machine.run("komainu harden --json").out)
    findings = [one for row in report["measures"] for one in row["findings"]]
    heavy = [one for one in findings if one["evidence"] != "told"]
    assert not heavy, f"findings above told after an upgrade: {heavy}"
    said = [words[0].decode() for words in LOUD.finditer(life.machine.said(mark))]
    assert not said, f"the wall said after an upgrade: {said}"
    assert BOOT_LOADER not in life.machine.said(mark), "the machine started anew"
    return [one["what"] for one in findings]


def serves(life, password):
    """The owner logs in, names are answered."""
    assert login.by_ssh(life.cables, "lan", DEVICE_LAN, password, 60), "dropbear does not let the owner in"

    def answered():
        said = command(*life.cables.client(), "sh", "-c", f"busybox nslookup {SERVER} {DEVICE_LAN} || true").stdout
        return WAN in said

    need("busybox", "busybox-static")
    wait_until(answered, "dnsmasq answers", 60)


def gone(life):
    """After a factory reset the firmware's own programs are there again."""
    for _, _, program, pid, _ in (BY_OWNER, BY_DEVICE):
        own = packages_of(life.board) / "firmware" / program[1:]
        digest = hashlib.sha256(own.read_bytes()).hexdigest()
        said = life.machine.must(f"sha256sum {program} /proc/$(cat {pid})/exe").split()[::2]
        assert said == [digest] * 2, f"{program} is still the former owner's"
