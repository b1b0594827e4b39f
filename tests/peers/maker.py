"""The maker: a workshop that the real `komainu-maker` makes and publishes from, by its command line alone."""

import json
import os

from place import KOMAINU_MAKER, command
from device import image

KERNEL_BYTES, ROOTFS_BYTES = 200_000, 1_500_000


class Workshop:
    """A workshop with keys of one type. Signatures are good for long, so that a wrong clock breaks no test.

    `keys` are words for `init` that name keys which exist; `env` is what komainu-maker needs to know besides.
    """

    def __init__(self, place, key_type="ed25519", name="workshop", keys=(), env=None):
        assert os.access(KOMAINU_MAKER, os.X_OK), f"there is no {KOMAINU_MAKER}: cargo build, or set KOMAINU_MAKER"
        self.place, self.folder, self.key_type = place, place.path(name), key_type
        self.env = env and {**os.environ, **env}
        expiry = [word for role in ("root", "targets", "snapshot", "timestamp")
                  for word in ("--expiry", f"{role}=3650")]
        self.run("init", "--key-type", key_type, *expiry, *keys, self.folder, at_home=False)

    def run(self, *words, at_home=True):
        """Runs komainu-maker, which must succeed."""
        options = ["--workshop", self.folder] if at_home else []
        return command(KOMAINU_MAKER, *words, *options, env=self.env).stdout

    @property
    def repository(self):
        return self.folder / "repository"

    @property
    def root(self):
        """The first root: what a device is shipped with."""
        return (self.repository / "metadata/1.root.json").read_bytes()

    def publish(self, release, *, board="gate-1", sizes=None, marks=None):
        """Publishes a release; gives back its images by part. `marks` may put bytes at the start of an image."""
        sizes = sizes or {"kernel": KERNEL_BYTES, "rootfs": ROOTFS_BYTES}
        images, words = {}, []
        for part, size in sizes.items():
            mark = (marks or {}).get(part, b"")
            images[part] = mark + image(f"{board} {release} {part}", size)[len(mark):]
            file = self.place.path(f"firmware/{board}-{release}-{part}.img")
            file.write_bytes(images[part])
            words += ["--image", f"{part}={file}"]
        self.run("release", "add", "--board", board, "--channel", "stable", "--version", f"{release}.0.0",
                 "--release", str(release), *words)
        self.run("publish")
        return images

    def rotate(self, role, key_type):
        """Puts a new key in the place of a role's first one."""
        signed = json.loads((self.folder / "root.json").read_bytes())["signed"]
        old = signed["roles"][role]["keyids"][0]
        online = role in ("snapshot", "timestamp")
        file = self.folder / "keys" / ("online" if online else "offline") / f"{role}-new-{signed['version']}.pem"
        self.run("key", "new", "--type", key_type, file, at_home=False)
        self.run("key", "rotate", role, "--add", file, "--remove", old)

    def image_path(self, release, part, board="gate-1"):
        """Where an image lies in the repository."""
        [path] = (self.repository / f"targets/images/{board}/stable/{release}").glob(f"*.{part}.img")
        return path
