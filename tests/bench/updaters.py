"""RAUC and SWUpdate of Debian, each with an image in the package that it wants, written into a device or file.

RAUC's bundle is of the format `plain`: the other needs the kernel's device mapper, which containers and small machines
lack. Debian's SWUpdate takes signed packages only.
"""

import hashlib
import shutil
import subprocess

from cost import MEASURED, measured, read
from place import command, need

BOARD = "bench"


class Signer:
    """A key and its certificate, in a folder."""

    def __init__(self, folder):
        folder.mkdir()
        self.key, self.certificate = folder / "key.pem", folder / "certificate.pem"
        command("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", self.key, "-out", self.certificate,
                "-days", "2", "-subj", f"/CN={BOARD}")


class Rauc:
    """`rauc install` of a bundle, by RAUC's service on a bus of its own, in a mount namespace of its own."""

    name = "RAUC"

    def __init__(self, place, image, target):
        need("dbus-run-session", "dbus-daemon")
        self.folder = place.path(f"rauc-{target.name}")
        signer = Signer(self.folder)
        content = self.folder / "content"
        content.mkdir()
        shutil.copy(image, content / "rootfs.img")
        (content / "manifest.raucm").write_text(
            f"[update]\ncompatible={BOARD}\nversion=2\n[bundle]\nformat=plain\n[image.rootfs]\nfilename=rootfs.img\n")
        self.bundle = self.folder / "2.raucb"
        command(need("rauc", "rauc"), f"--cert={signer.certificate}", f"--key={signer.key}", "bundle", content, self.bundle)
        shutil.rmtree(content)
        (self.folder / "mounts").mkdir()
        (self.folder / "a").touch()
        slots = "".join(f"[slot.rootfs.{index}]\ndevice={device}\ntype=raw\nbootname={name}\n"
                        for index, (name, device) in enumerate((("A", self.folder / "a"), ("B", target))))
        (self.folder / "system.conf").write_text(
            f"[system]\ncompatible={BOARD}\nbootloader=noop\nmountprefix={self.folder}/mounts\n"
            f"[keyring]\npath={signer.certificate}\n{slots}")

    def install(self, place):
        """The seconds are those of `rauc install`, the rest is of the service as well."""
        client, service = place.path("client.json"), place.path("service.json")
        number = self.folder / "number"
        script = f"""
            export DBUS_STARTER_BUS_TYPE=session
            {MEASURED} {service} sh -c 'echo $$ >{number}
                exec rauc --conf={self.folder}/system.conf --override-boot-slot=A service' &
            measured=$!
            until rauc status >/dev/null 2>&1 || ! kill -0 $measured; do sleep 0.1; done
            {MEASURED} {client} rauc install {self.bundle}; code=$?
            kill $(cat {number}); wait $measured
            exit $code"""
        done = subprocess.run(["unshare", "-m", "dbus-run-session", "sh", "-c", script], capture_output=True, text=True,
                              check=False, timeout=300)
        assert done.returncode == 0, f"rauc: exit {done.returncode}: {done.stdout}{done.stderr}"
        return read(client) + read(service)


class Swupdate:
    """`swupdate -i` of a package whose image goes straight into its place."""

    name = "SWUpdate"

    def __init__(self, place, image, target):
        self.program = need("swupdate", "swupdate")
        cpio = need("cpio", "cpio")
        self.folder = place.path(f"swupdate-{target.name}")
        self.signer = Signer(self.folder)
        self.package = self.folder / "2.swu"
        with open(image, "rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        description, signature, copy = (self.folder / name for name in ("sw-description", "sw-description.sig", "rootfs.img"))
        description.write_text(
            f'software = {{ version = "2.0.0"; hardware-compatibility = [ "1.0" ]; images: ( {{ filename = "rootfs.img"; '
            f'device = "{target}"; type = "raw"; sha256 = "{digest}"; installed-directly = true; }} ); }}\n')
        command("openssl", "cms", "-sign", "-in", description, "-out", signature, "-signer", self.signer.certificate,
                "-inkey", self.signer.key, "-outform", "DER", "-nosmimecap", "-binary")
        shutil.copy(image, copy)
        with open(self.package, "wb") as package:
            names = "\n".join(file.name for file in (description, signature, copy))
            subprocess.run([cpio, "--quiet", "-o", "-H", "crc"], input=names.encode(), stdout=package, cwd=self.folder,
                           check=True)
        copy.unlink()

    def install(self, place):
        # Its sockets are in TMPDIR.
        return measured(place, "env", f"TMPDIR={self.folder}", self.program, "-l", "1", "-H", f"{BOARD}:1.0",
                        "-k", self.signer.certificate, "-i", self.package)
