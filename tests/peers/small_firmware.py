"""A firmware on a root of squashfs, started by BusyBox's init as the first process of a machine of its own: its init
scripts, /etc and the agent are the ones of agent/dist. The state is ext4 on a loop device.

A restart is another machine of the same firmware and the same state; all that was in RAM is gone then.
"""

import os
import re
import shutil
import subprocess
from pathlib import Path

from place import KOMAINU, PATIENCE, ROOT, command, need, need_root, wait_until

DIST = ROOT / "agent/dist"

#: Words: the squashfs's mount, the state's device, the file that says that all is mounted.
BOOT = """set -e
root=$1 state=$2
mount -t proc proc "$root/proc"
mount -t sysfs -o ro sysfs "$root/sys"
mount -t tmpfs -o mode=755 dev "$root/dev"
mknod "$root/dev/null" c 1 3
mknod "$root/dev/zero" c 1 5
mknod "$root/dev/random" c 1 8
mknod "$root/dev/urandom" c 1 9
chmod 666 "$root"/dev/*
: > "$root/dev/console"
: > "$root/dev/state"
mount --bind "$state" "$root/dev/state"
cd "$root"
pivot_root . old
umount -l /old
cd /
exec /bin/busybox init </dev/null >/dev/console 2>&1
"""

SETTINGS = """[device]
board = "gate-1"
id = "small-firmware"
[server]
metadata_url = "http://192.0.2.1/metadata/"
targets_url = "http://192.0.2.1/targets/"
[gate]
lan = ["br-lan"]
[wall]
keep = false
[boot]
reboot_command = []
[[part]]
name = "rootfs"
a = "/nowhere/a"
b = "/nowhere/b"
"""

#: Starts the network, and notes whether the rules were there before.
NETWORK = """#!/bin/sh
cat /proc/mounts >/run/mounts-at-network
: >/run/network-waits
while [ -e /run/network-waits ]; do sleep 0.1; done
ip link add br-lan type bridge
ip address add 192.168.1.1/24 dev br-lan
ip link set br-lan up
: >/run/network-is-up
"""

APPLETS = """ash basename brctl cat chmod cp date echo grep hostname id ip kill ls mkdir mount ps rm sed sh sleep
start-stop-daemon sync touch umount""".split()


class Firmware:
    """The image, and the device that it runs on."""

    def __init__(self, place, inittab, files=(), more=None):
        need_root("mounts and loop devices")
        self.place = place
        self.tree = place.path("tree")
        for folder in """bin sbin lib lib64 usr/sbin usr/share/komainu etc/init.d etc/komainu dev proc sys run tmp var/lib/komainu
            root old""".split():
            (self.tree / folder).mkdir(parents=True, exist_ok=True)
        shutil.copy(need("busybox", "busybox-static"), self.tree / "bin/busybox")
        for applet in APPLETS:
            (self.tree / "bin" / applet).symlink_to("busybox")
        self.program(KOMAINU, "usr/sbin/komainu")
        for name in ("komainu-start", "read-only-root"):
            self.file(f"usr/sbin/{name}", (DIST / name).read_text(), 0o755)
        self.file("etc/komainu.toml", SETTINGS)
        self.file("etc/komainu/start.conf", "DEVICE=/dev/state\n")
        self.file("etc/passwd", "root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534::/:/bin/false\n")
        self.file("etc/group", "root:x:0:\nnogroup:x:65534:\n")
        self.file("etc/shadow", "root:*:19000:0:99999:7:::\nnobody:*:19000::::::\n", 0o600)
        self.file("etc/init.d/network", NETWORK, 0o755)
        self.file("etc/inittab", inittab)
        for name, text, mode in files:
            self.file(name, text, mode)
        if more:
            more(self)
        self.image = place.path("root.squashfs")
        command("mksquashfs", self.tree, self.image, "-comp", "xz", "-all-root", "-no-progress", "-quiet")
        storage = place.path("state.img")
        storage.write_bytes(b"")
        os.truncate(storage, 16 << 20)
        command("mkfs.ext4", "-q", "-F", storage)
        self.state = place.loop(storage)
        self.starts = 0

    def file(self, name, text, mode=0o644):
        path = self.tree / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        path.chmod(mode)

    def program(self, program, name):
        """A program of this machine, with the libraries that it needs."""
        shutil.copy(program, self.tree / name)
        command("strip", self.tree / name)
        listed = subprocess.run(["ldd", program], capture_output=True, text=True, check=False).stdout
        for library in re.findall(r"(/\S+) \(0x", listed):
            target = self.tree / library.lstrip("/")
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(library, target)

    def start(self):
        """Power on."""
        self.starts += 1
        return Started(self)


class Started:
    """The firmware at work."""

    def __init__(self, firmware):
        place = firmware.place
        mount = place.path(f"root-{firmware.starts}")
        mount.mkdir()
        command("mount", "-t", "squashfs", "-o", "ro,loop", firmware.image, mount)
        place.undo.callback(command, "umount", "--lazy", mount)
        self.process = subprocess.Popen(
            ["unshare", "--mount", "--net", "--uts", "--ipc", "--pid", "--fork", "--kill-child", "sh", "-c", BOOT, "boot",
             str(mount), str(firmware.state)], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
            env={"PATH": "/sbin:/usr/sbin:/bin:/usr/bin"})
        place.undo.callback(self.power_off)
        wait_until(lambda: self.first() is not None or self.process.poll() is not None, "the first process", PATIENCE)
        self.pid = self.first()
        assert self.pid, self.process.stderr.read().decode()

    def first(self):
        """The number of init among this machine's processes."""
        try:
            children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text().split()
            names = [Path(f"/proc/{child}/comm").read_text().strip() for child in children]
        except OSError:
            return None
        return int(children[0]) if names and names[0] in ("busybox", "init") else None

    def power_off(self):
        """All of it ends at once, as when the plug is pulled."""
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait(PATIENCE)
        if getattr(self, "pid", None):
            wait_until(lambda: not Path(f"/proc/{self.pid}").exists(), "the end of the machine", PATIENCE)

    def path(self, name):
        """A file of the device, from outside."""
        return Path(f"/proc/{self.pid}/root") / name.lstrip("/")

    def said(self):
        """All that was written to its console."""
        return self.path("dev/console").read_text(errors="replace")

    def run(self, *words, **more):
        """Runs a program of the device, in it."""
        inside = ["nsenter", f"--target={self.pid}", "--mount", "--net", "--pid", "--uts", "--root", "--wd=/", *words]
        return subprocess.run(inside, capture_output=True, text=True, timeout=PATIENCE, check=False, **more)

    def mounts(self):
        """The lines of its table of mounts."""
        return Path(f"/proc/{self.pid}/mounts").read_text().splitlines()

    def tables(self):
        """The tables of the device's kernel, as the nft program of this machine sees them."""
        inside = ["nsenter", f"--target={self.pid}", "--net", need("nft", "nftables"), "list", "tables"]
        return command(*inside).stdout

    def agents(self):
        """The numbers of the agent's own process: `komainu run`."""
        found = []
        for number in self.path("proc").iterdir():
            try:
                words = (number / "cmdline").read_bytes().split(b"\0")
            except OSError:
                continue
            if number.name.isdigit() and words[:2] == [b"/usr/sbin/komainu", b"run"]:
                found.append(int(number.name))
        return found

    def network_begins(self):
        """Waits until the network would start, and lets it."""
        wait_until(lambda: self.path("run/network-waits").exists(), "the start of the network", PATIENCE)
        seen = self.tables(), self.path("run/mounts-at-network").read_text()
        self.path("run/network-waits").unlink()
        wait_until(lambda: self.path("run/network-is-up").exists(), "the network", PATIENCE)
        return seen
