"""A small real firmware for a whole machine: Debian's kernel, busybox, dropbear, dnsmasq, lighttpd and nftables, and the
agent as a maker would put it there.

A firmware is a start image beside the kernel (which the board's own way puts into one part of a slot), and a read-only
squashfs. What differs between releases is in `Firmware`: the version, and for a bad one what is bad about it.
"""

import json
import os
import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from image import Image
from machine import FOLDER, HERE
from place import DEVICE_BUILDS, ROOT, Skip, command, need

GUEST = HERE / "guest/whole"
SERVER = "updates.example"
#: Programs of Debian's packages; their libraries come along.
NFT_PROGRAM = "usr/sbin/nft"
PROGRAMS = ("usr/sbin/dropbear", "usr/sbin/dnsmasq", "usr/sbin/lighttpd", NFT_PROGRAM, "usr/bin/fw_printenv",
            "usr/lib/lighttpd/mod_access.so", "usr/lib/lighttpd/mod_indexfile.so", "usr/lib/lighttpd/mod_staticfile.so")
#: The modules of the firewall's rules; what a kernel has built in is left out.
NFT = """nf_tables nf_conntrack nf_nat nft_chain_nat nft_ct nft_fib_inet nft_hash nft_limit nft_log nft_masq nft_nat nft_redir
nft_reject_inet nf_log_syslog nfnetlink_log nft_quota nft_connlimit nft_numgen""".split()
MODULES = ["crc32c_generic", "ext4", "overlay", "bridge", "softdog", *NFT]
PARAMETERS = {"softdog": "soft_margin=60"}
#: The release is good; fails its health check for good; panics before there is a root; has no agent, to be measured beside.
GOOD, SICK, PANICS, BARE = "good", "sick", "panics", "bare"
#: The password that such devices were shipped with, by SHA-256 crypt.
SHIPPED_HASH = "$5$shipped$vz3Npg7FOROl3RRoO4yfF5KXDwC9P.CukrfiIwD2E96"

FILES = {
    "etc/passwd": "root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534::/:/bin/false\n",
    "etc/group": "root:x:0:\nnogroup:x:65534:\n",
    "etc/shadow": (f"root:{SHIPPED_HASH}:19000:0:99999:7:::\nnobody:*:19000::::::\n", 0o600),
    "etc/shells": "/bin/sh\n",
    "etc/nsswitch.conf": "passwd: files\ngroup: files\nshadow: files\nhosts: files dns\n",
    "etc/hosts": "127.0.0.1 localhost\n",
    "etc/dnsmasq.conf": "interface=br-lan\nbind-interfaces\nexcept-interface=lo\nuser=nobody\ngroup=nogroup\n"
                        "dhcp-range=192.168.1.100,192.168.1.200,12h\ndhcp-leasefile=/var/run/leases\n"
                        "pid-file=/var/run/dnsmasq.pid\nresolv-file=/etc/resolv.conf\n",
    "etc/resolv.conf": "",
    "etc/lighttpd.conf": 'server.port = 80\nserver.bind = "192.168.1.1"\nserver.document-root = "/www"\n'
                         'server.username = "nobody"\nserver.groupname = "nogroup"\n'
                         'server.pid-file = "/var/run/lighttpd.pid"\nindex-file.names = ("index.html")\n'
                         'mimetype.assign = (".html" => "text/html")\n',
    "etc/nftables.conf": "table ip vendor {\n chain out {\n  type nat hook postrouting priority 100;\n"
                         '  oifname "eth1" masquerade\n }\n}\n',
}


@dataclass
class Firmware:
    """One release of the firmware. `root` is the first root of its maker's repository, `authority` the PEM of the
    server's authority. `settings` replace keys of the agent's."""

    board: object
    number: int
    root: bytes
    authority: bytes
    kind: str = GOOD
    settings: tuple = ()

    @property
    def version(self):
        """As the maker names it."""
        return f"{self.number}.0.0"

    def build(self, folder):
        """Makes the images: {part: file}."""
        folder = Path(folder)
        folder.mkdir(parents=True, exist_ok=True)
        packages = packages_of(self.board)
        start = Image()
        start.file("init", (GUEST / "start-image").read_bytes(), 0o755)
        start.file("bin/busybox", (packages / "root/bin/busybox").read_bytes(), 0o755)
        start.link("bin/sh", "busybox")
        start.file("find-root", self.board.find_root)
        for path in ("dev", "new"):
            start.folder(path)
        start.modules(packages / "modules", [*self.board.early, "squashfs", *self.board.later],
                      {**PARAMETERS, **self.board.parameters})
        not_listed(start, self.board.later)
        if self.kind == PANICS:
            start.file("panic", "")
        start.write(folder / "start-image")
        # By another block size nearly every byte is another, as in a release in which much has changed.
        squashfs(self._root(packages), folder / "root", folder / "rootfs", "128K" if self.number % 2 else "256K")
        return self.board.images(packages / "kernel", folder / "start-image", folder / "rootfs", folder)

    def _root(self, packages):
        root = Image()
        for path in ("dev", "proc", "sys", "run", "tmp", "var", "data", "mnt", "rom", "lib/modules"):
            root.folder(path)
        root.folder("root", 0o700)
        busybox(root, packages)
        programs(root, packages / "firmware", [name for name in PROGRAMS if name != NFT_PROGRAM or self.board.masquerades])
        root.modules(packages / "modules", [*MODULES, *self.board.modules], {**PARAMETERS, **self.board.parameters})
        without(root, [*self.board.early, *self.board.later, "squashfs"], packages / "modules")
        agent = "" if self.kind == BARE else "::respawn:/usr/sbin/komainu run\n"
        root.file("etc/inittab", f"::sysinit:/etc/init.d/rcS\n{agent}::respawn:/sbin/control {self.board.control}\n"
                                 "::ctrlaltdel:/sbin/reboot\n::shutdown:/etc/init.d/stop\n")
        for name, place in (("rcS", "etc/init.d"), ("S40network", "etc/init.d"), ("S80services", "etc/init.d"),
                            ("stop", "etc/init.d"), ("udhcpc.script", "etc"), ("control", "sbin")):
            root.file(f"{place}/{name}", (GUEST / name).read_bytes(), 0o755)
        if agent:
            root.file("usr/sbin/komainu", agent_of(self.board).read_bytes(), 0o755)
        for policy in (ROOT / "agent/dist/policies").glob("*.toml"):
            root.file(f"usr/share/komainu/policies/{policy.name}", policy.read_bytes())
        root.file("usr/share/komainu/root.json", self.root)
        root.file("etc/ssl/authority.pem", self.authority)
        root.file("etc/komainu.toml", self.settings_text())
        root.file("etc/komainu/health/10-router", self._health(), 0o755)
        # dropbear makes its keys when it is first asked: they must last.
        root.link("etc/dropbear", "/data/dropbear")
        root.file("usr/share/packages", installed(packages))
        root.file("etc/version", f"{self.version}\n")
        root.file("www/index.html", f"<h1>Gate router {self.version}</h1>\n")
        for path, content in {**FILES, **self.board.files()}.items():
            root.file(path, *(content if isinstance(content, tuple) else (content,)))
        return root

    def _health(self):
        if self.kind == SICK:
            return "#!/bin/sh\necho 'the radio does not answer' >&2\nexit 2\n"
        return "#!/bin/sh\n[ \"$(cat /sys/class/net/br-lan/operstate)\" = up ] || { echo 'br-lan is down' >&2; exit 1; }\n"

    def settings_text(self):
        """The agent's settings: a maker's, with the times of a test."""
        settings = {
            "device": {"board": "gate-1", "id_file": "/sys/class/net/eth0/address", "release": self.number,
                       "version": self.version},
            "server": {"metadata_url": f"https://{SERVER}/metadata/", "targets_url": f"https://{SERVER}/targets/",
                       "ca_files": ["/etc/ssl/authority.pem"]},
            "state": {"directory": "/data/komainu"},
            "poll": {"interval_seconds": 60, "first_within_seconds": 10},
            "trial": {"soak_seconds": 10, "boot_tries": 2,
                      "checks": ["process:dnsmasq", "lan-port:80", "server"]},
            "gate": {"lan": ["br-lan"], "wipe": ["/data/owner", "/data/packages"]},
            "wall": {"kind": "router", "ssh": True},
        }
        for tables in (self.board.settings(), dict(self.settings)):
            for table, keys in tables.items():
                settings.setdefault(table, {}).update(keys)
        lines = []
        for table, keys in settings.items():
            lines += [f"[{table}]"] + [f"{key} = {json.dumps(value)}" for key, value in keys.items()]
        lines += ["[[service]]", 'program = "dropbear"', 'listens = ["tcp/22"]', 'reach = "lan"']
        for part, slots in self.board.parts.items():
            lines += ["[[part]]", f'name = "{part}"', *(f'{slot} = "{place}"' for slot, place in zip("ab", slots))]
        return "\n".join(lines) + "\n"


def packages_of(board):
    """The folder of what was fetched or built for a board."""
    folder = FOLDER / board.kind
    if not (folder / "firmware").is_dir():
        raise Skip(f"needs {board.made_by}, or KOMAINU_EMULATORS is not its folder ({FOLDER})")
    return folder


def installed(packages):
    """What a package manager on the device knows of the firmware's packages: the words of dpkg's status."""
    rows = []
    for line in (packages / "versions").read_text().splitlines():
        found = re.fullmatch(r"(dropbear-bin|dnsmasq-base)_([^_]+)_(\w+)\.deb", line)
        if found:
            name, version, architecture = found.groups()
            rows.append(f"Package: {name}\nStatus: install ok installed\nMaintainer: Debian\n"
                        f"Architecture: {architecture}\nVersion: {version.replace('%3a', ':')}\nDescription: of the firmware\n")
    return "\n".join(rows) + "\n"


def agent_of(board):
    """The agent that was built for a board."""
    agent = DEVICE_BUILDS / board.agent / "komainu"
    if not agent.is_file():
        raise Skip(f"cross/build {board.agent} has not been run, or KOMAINU_DEVICE is not its folder")
    return agent


def busybox(root, packages):
    """Busybox, and a link for each of its programs: by its own list, as the same version for this machine gives it."""
    root.file("bin/busybox", (packages / "root/bin/busybox").read_bytes(), 0o755)
    for path in command(need("busybox", "busybox-static"), "--list-full").stdout.split():
        if path not in ("linuxrc", "bin/busybox"):
            root.link(path, "/bin/busybox")


def programs(root, packages, names):
    """Programs with the libraries that they need, and the loader."""
    waiting, taken = list(names), set()
    while waiting:
        name = waiting.pop()
        path = packages / name
        if name in taken or not path.exists():
            assert name in taken or "mod_" in name, f"{name} is not among Debian's packages in {packages}"
            continue
        taken.add(name)
        root.file(name, path.read_bytes(), 0o755)
        said = command(need("readelf", "binutils"), "-d", "-l", path).stdout
        for library in re.findall(r"\(NEEDED\)\s+Shared library: \[([^]]+)]", said):
            waiting.append(_library(packages, library))
        for loader in re.findall(r"program interpreter: /([^]]+)]", said):
            root.file(loader, (packages / loader).read_bytes(), 0o755)


def _library(packages, name):
    for folder in ("lib", "usr/lib"):
        for path in sorted([*(packages / folder).glob(name), *(packages / folder).glob(f"*/{name}")]):
            return str(path.relative_to(packages))
    raise AssertionError(f"no package in {packages} has the library {name}: add it to what makes this folder")


def not_listed(image, names):
    """Takes modules from the list of those that are loaded one after the other."""
    mode, order = image.entries["lib/modules/order"]
    kept = [line for line in order.decode().splitlines() if line.split()[0] not in names]
    image.entries["lib/modules/order"] = (mode, "".join(f"{line}\n" for line in kept).encode())


def without(root, early, modules):
    """What the start image has loaded is not loaded again."""
    start = Image()
    start.modules(modules, early)
    loaded = start.entries["lib/modules/order"][1].decode().split()
    not_listed(root, loaded)
    for name in loaded:
        root.entries.pop(f"lib/modules/{name}.ko", None)


def squashfs(image, folder, file, block):
    """Lays an image out in a folder, and makes a squashfs of it, all root's."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    for path, (mode, content) in sorted(image.entries.items()):
        place = folder / path
        if mode >> 12 == 0o04:
            place.mkdir(exist_ok=True)
        elif mode >> 12 == 0o12:
            os.symlink(content, place)
            continue
        else:
            place.write_bytes(content)
        place.chmod(mode & 0o7777)
    file.unlink(missing_ok=True)
    subprocess.run([need("mksquashfs", "squashfs-tools"), folder, file, "-comp", "xz", "-b", block, "-all-root", "-noappend",
                    "-no-xattrs", "-quiet", "-no-progress"], check=True, stdout=subprocess.DEVNULL)
    shutil.rmtree(folder)
