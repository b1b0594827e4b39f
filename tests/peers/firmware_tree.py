"""The root file system of a good firmware, as a folder: programs of Debian's busybox, dnsmasq and lighttpd, the agent, and
a workshop's root of trust. `komainu-maker audit` finds nothing in it; each test puts one thing wrong.
"""

import json
import subprocess

from maker import Workshop
from place import KOMAINU, KOMAINU_MAKER, ROOT, command, need

INITTAB = """::sysinit:/bin/mount -t proc proc /proc
::sysinit:/bin/mount -t tmpfs tmpfs /tmp
::sysinit:/bin/mount -t ubifs ubi0:data /data
::sysinit:/usr/sbin/komainu firewall
::sysinit:/etc/init.d/rcS
::respawn:/usr/sbin/komainu run
ttyS0::respawn:/sbin/getty -L ttyS0 115200 vt100
"""

RCS = """#!/bin/sh
/usr/sbin/dnsmasq -C /etc/dnsmasq.conf
/usr/sbin/lighttpd -f /etc/lighttpd/lighttpd.conf
"""

SBOM = {
    "bomFormat": "CycloneDX",
    "specVersion": "1.4",
    "components": [
        {"type": "application", "name": "busybox", "version": "1.36.1-r2", "cpe": "cpe:/a:busybox:busybox:1.36.1"},
        {"type": "application", "name": "dnsmasq", "version": "2.90", "purl": "pkg:generic/dnsmasq@2.90"},
    ],
}


class Firmware:
    """A folder with a firmware, and what it is audited with."""

    def __init__(self, place, name="firmware", root=None):
        self.place, self.folder = place, place.path(name)
        self.folder.mkdir()
        for folder in ("bin", "sbin", "dev", "proc", "sys", "data", "root", "etc/init.d", "etc/lighttpd", "usr/sbin",
                       "usr/share/komainu/policies", "usr/bin", "usr/lib", "var", "run"):
            self.path(folder).mkdir(parents=True, exist_ok=True)
        self.path("tmp").mkdir()
        self.path("tmp").chmod(0o1777)
        for folder in self.folder.rglob("*"):
            if folder.name != "tmp":
                folder.chmod(0o755)
        self.program("bin/busybox", need("busybox", "busybox-static"))
        self.program("usr/sbin/dnsmasq", need("dnsmasq", "dnsmasq-base"))
        self.program("usr/sbin/lighttpd", need("lighttpd", "lighttpd"))
        self.program("usr/sbin/komainu", KOMAINU, strip=True)
        for applet in ("bin/sh", "bin/mount", "sbin/getty", "sbin/init"):
            self.path(applet).symlink_to("/bin/busybox")
        self.write("etc/passwd", "root:x:0:0:root:/root:/bin/sh\nnobody:*:65534:65534:nobody:/:/bin/false\n")
        self.write("etc/shadow", "root:*:19000:0:99999:7:::\nnobody:*:19000:0:99999:7:::\n", 0o600)
        self.write("etc/inittab", INITTAB)
        self.write("etc/init.d/rcS", RCS, 0o755)
        self.write("etc/dnsmasq.conf", "interface=br-lan\n")
        self.write("etc/lighttpd/lighttpd.conf", "server.port = 80\n")
        settings = (ROOT / "agent/dist/komainu.toml").read_text()
        self.write("etc/komainu.toml", settings.replace('# directory = "/var/lib/komainu" ', 'directory = "/data/komainu" '))
        policy = (ROOT / "agent/dist/policies/router.toml").read_text()
        self.write("usr/share/komainu/policies/router.toml", policy)
        self.write("usr/share/komainu/root.json", root or Workshop(place, name=f"{name}-workshop").root)
        self.write("usr/share/komainu/sbom.json", json.dumps(SBOM))

    def path(self, name):
        return self.folder / name

    def program(self, name, source, strip=False):
        """A copy of a program; of a debug build without what only a debugger reads."""
        command(*(["strip", "-o", self.path(name), source] if strip else ["cp", source, self.path(name)]))
        self.path(name).chmod(0o755)

    def write(self, name, text, mode=0o644):
        path = self.path(name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        path.chmod(mode)
        return path

    def add(self, name, text):
        """Writes a line more into a file."""
        path = self.path(name)
        with open(path, "a", encoding="utf-8") as file:
            file.write(text + "\n")

    def replace(self, name, old, new):
        path = self.path(name)
        text = path.read_text()
        assert old in text, f"{name} has no {old!r}"
        path.write_text(text.replace(old, new))

    def copy(self, name):
        """The same once more, for one mistake."""
        other = object.__new__(Firmware)
        other.place, other.folder = self.place, self.place.path(name)
        command("cp", "-a", self.folder, other.folder)
        return other

    def squashfs(self, compression="xz", *words):
        """Packed by the real mksquashfs, all for root."""
        packed = self.place.path(f"{self.folder.name}-{compression}.squashfs")
        command(need("mksquashfs", "squashfs-tools"), self.folder, packed, "-comp", compression, "-all-root", "-noappend",
                "-quiet", "-no-progress", *words)
        return packed

    def ext4(self, mib=64, *words):
        packed = self.place.path(f"{self.folder.name}.ext4")
        with open(packed, "wb") as file:
            file.truncate(mib << 20)
        command(need("mkfs.ext4", "e2fsprogs"), "-q", "-d", self.folder, *words, packed)
        return packed


class Audit:
    """What `komainu-maker audit` said."""

    def __init__(self, image, *words, form="--json"):
        words = [KOMAINU_MAKER, "audit", *([form] if form else []), "--komainu", KOMAINU, *words, image]
        done = subprocess.run([str(word) for word in words], capture_output=True, text=True, check=False, timeout=480)
        self.code, self.out, self.err = done.returncode, done.stdout, done.stderr
        self.report = json.loads(self.out) if form == "--json" and self.out else None

    def found(self, allowed=False):
        """The rules that found something, and where."""
        assert self.report is not None, self.err
        return [(one["rule"], one["path"], one["what"]) for one in self.report["findings"]
                if allowed or one["allowed"] is None]

    def rules(self):
        return sorted({rule for rule, _, _ in self.found()})

