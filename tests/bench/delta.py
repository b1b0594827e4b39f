"""The bytes of an update by a patch: pairs of firmware images that Debian's mksquashfs makes of two versions of Debian's packages,
and for each the whole image, our patch, and what patch tools make of the same two files; then the cost of our rebuilding.

The packages with a second version are fetched from Debian's archive, as long as it has both; a pair that it no longer has is left out.
"""

import re
import shutil
import subprocess

from cost import MEASURED, machine, read
from device import RESTART, Agent, Device
from maker import Workshop
from place import ROOT, Place, Skip, command, need
from web import Web

PACKAGES, VERSIONS = ROOT / "work/debian-packages", ROOT / "work/debian-versions"
#: What two versions of a package are wanted of, as `apt-cache madison` lists them: the oldest and the newest.
ONE = ["perl-base"]
MONTH = [*ONE, "python3.11-minimal", "libpython3.11-stdlib", "libpython3.11-minimal", "libssl3", "openssl", "libc6",
         "libcurl4"]
GOAL_PERCENT, GOAL_MIB, MIB = 2, 16, 1 << 20
KINDS = {"-comp xz -b 128K": (), "-comp xz -b 256K": ("-b", "256K"), "-comp xz -b 1M": ("-b", "1M"),
         "-comp xz -Xbcj x86": ("-Xbcj", "x86")}


def run():
    print(machine())
    with Place() as place:
        trees = Trees(place)
        for name, changed in (("one program", ONE), ("security month", MONTH)):
            for kind, words in KINDS.items():
                if changed is MONTH and kind != "-comp xz -b 256K":
                    continue
                pair(place, name, kind, trees.image("old", [], words), trees.image("new", changed, words))


class Trees:
    """File systems of the packages, with some in their newest version and all others in the oldest."""

    def __init__(self, place):
        self.place = place
        VERSIONS.mkdir(parents=True, exist_ok=True)
        self.versions = {package: self.both(package) for package in MONTH}

    def both(self, package):
        """The files of the oldest and the newest version."""
        listed = command("apt-cache", "madison", package).stdout.splitlines()
        versions = list(dict.fromkeys(line.split("|")[1].strip() for line in listed))
        order = sorted(versions, key=lambda version: [int(part) for part in re.findall(r"\d+", version)])
        files = []
        for version in (order[0], order[-1]) if order else ():
            file = VERSIONS / f"{package}_{version.replace(':', '%3a')}.deb"
            if not file.exists():
                command("apt-get", "download", "-qq", "-o", "APT::Sandbox::User=root", f"{package}={version}", cwd=VERSIONS)
                [found] = VERSIONS.glob(f"{package}_{version.replace(':', '%3a')}_*.deb")
                found.rename(file)
            files.append(file)
        if not files:
            raise Skip(f"apt-cache knows no {package}")
        return files

    def image(self, name, changed, words):
        tree = self.place.path(f"tree-{name}")
        shutil.rmtree(tree, ignore_errors=True)
        for file in [*sorted(PACKAGES.glob("*.deb")),
                     *(files[package in changed] for package, files in self.versions.items())]:
            command(need("dpkg-deb", "dpkg"), "-x", file, tree)
        image = self.place.path(f"{name}.squashfs")
        command(need("mksquashfs", "squashfs-tools"), tree, image, "-comp", "xz", *words, "-all-root", "-noappend", "-quiet",
                "-no-progress", "-no-xattrs", seconds=600)
        return image


def pair(place, name, kind, old, new):
    """A table of one pair."""
    whole = new.stat().st_size
    print(f"\n{name}, mksquashfs {kind}: {whole} bytes", flush=True)
    workshop = Workshop(place, name=f"workshop-{abs(hash((name, kind)))}")
    workshop.run("release", "add", "--board", "gate-1", "--channel", "stable", "--version", "2", "--release", "2", "--image",
                 f"rootfs={new}", "--delta-from", f"rootfs={old}")
    said = workshop.run("release", "list")
    workshop.run("publish")
    memory = int(re.search(r"memory (\d+) KiB", said)[1]) / 1024
    [patch] = (workshop.repository / "targets/images/gate-1/stable/2").glob("*.patch")
    sizes = {"the whole image": whole, "komainu": patch.stat().st_size, **others(place, old, new)}
    for tool, size in sizes.items():
        print(f"  {tool:24} {size:10} bytes {100 * size / whole:7.2f} %")
    rebuilt(place, workshop, old, new, memory)
    percent = 100 * patch.stat().st_size / whole
    print(f"  goal for one program: {GOAL_PERCENT} % in {GOAL_MIB} MiB; here {percent:.2f} % in {memory:.1f} MiB")


def others(place, old, new):
    """What other tools make of the same two files, as far as they are installed."""
    tools = {
        "bsdiff": lambda out: ["bsdiff", old, new, out],
        "xdelta3 -9": lambda out: ["xdelta3", "-e", "-f", "-9", "-B", 2 * 10**8, "-s", old, new, out],
        "zstd -19 --patch-from": lambda out: ["zstd", "-q", "-f", "-19", "--long=27", f"--patch-from={old}", new, "-o", out],
    }
    found = {}
    for tool, words in tools.items():
        if not shutil.which(tool.split()[0]):
            print(f"  {tool}: not installed")
            continue
        out = place.path("other.patch")
        command(*words(out), seconds=900)
        found[tool] = out.stat().st_size
    return found


def rebuilt(place, workshop, old, new, memory):
    """An agent takes the patch; its processor's time, beside that of the whole image."""
    for name in ("by the patch", "whole"):
        web = Web(place, workshop.repository, name=f"web-{workshop.folder.name}-{name.split()[0]}")
        device = Device(place, workshop.root, web.url, parts={"rootfs": new.stat().st_size + MIB}, agent=Agent(),
                        name=f"device-{workshop.folder.name}-{name.split()[0]}")
        device.settings["state"].pop("checkpoint_bytes")
        if name == "by the patch":
            with open(device.parts["rootfs"]["a"], "r+b") as slot:
                slot.write(old.read_bytes())
        file = place.path("komainu.json")
        device.agent.runner = (MEASURED, file)
        ended = device.komainu("once")
        assert ended.code == RESTART, ended.log
        device.holds({"rootfs": new.read_bytes()}, "b")
        cost = read(file)
        print(f"  the agent, {name:14} {cost.processor:6.2f} s of the processor, {cost.wall:6.2f} s by the clock, "
              f"{cost.rss_kib} KiB")
