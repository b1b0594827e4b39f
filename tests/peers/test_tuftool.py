"""tuftool, the command line of tough, the other TUF in Rust: it publishes what komainu updates from, and downloads
what komainu-maker publishes.

Two habits of it are held fixed here. It names a target by its file's name alone, so that the manifest, whose path has
folders in it, comes as a delegated role that the maker's own script signs. And it puts the hash of a consistent name
before the whole path, not before the last part of it: to serve it, a web server needs the line SERVE_TOUGH.
"""

import hashlib
import json
import shutil
from urllib.parse import quote

from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from device import FAILED, Device, image
from maker import Workshop
from place import ROOT, Skip, command, date, test, tests
from securesystemslib.signer import CryptoSigner
from simulated import Repository
from test_client import Client
from web import Web

TUFTOOL = ROOT / "work/cargo-tools/bin/tuftool"
EXPIRES = "2126-11-22T00:00:00Z"
SERVE_TOUGH = r'rewrite "^/targets/([0-9a-f]{64})\.(.+)/([^/]+)$" /targets/$2/$1.$3 break;'
PRIVATE = {
    "ed25519": ed25519.Ed25519PrivateKey.generate,
    "ecdsa": lambda: ec.generate_private_key(ec.SECP256R1()),
    "rsa": lambda: rsa.generate_private_key(65537, 2048),
}


def tuftool(*words):
    if not TUFTOOL.is_file():
        raise Skip("needs tuftool: cargo install tuftool --version 0.17.0 --no-default-features --locked --debug "
                   "--root work/cargo-tools")
    return command(TUFTOOL, *words)


class Publisher:
    """A repository that tuftool makes: two root keys, both of which must sign; one key for every other role."""

    def __init__(self, place, key_type):
        self.place, self.folder, self.key_type = place, place.path("tuftool/repository"), key_type
        self.root_file, self.version = place.path("tuftool/root.json"), 0
        self.delegated = False
        self.keys = {role: self._new_key(role) for role in ("root", "second-root", "targets", "snapshot", "timestamp")}
        tuftool("root", "init", self.root_file)
        tuftool("root", "expire", self.root_file, EXPIRES)
        for role in ("root", "targets", "snapshot", "timestamp"):
            self._add_key(role, self.keys[role])
            tuftool("root", "set-threshold", self.root_file, role, "2" if role == "root" else "1")
        self._add_key("root", self.keys["second-root"])
        self._sign_root()
        self.root = self.root_file.read_bytes()
        # The role that the maker's own script signs.
        self.signer = CryptoSigner.generate_ed25519()
        self.releases = {"_type": "targets", "spec_version": "1.0.31", "version": 0, "expires": EXPIRES, "targets": {},
                         "delegations": {"keys": {}, "roles": []}}

    def _new_key(self, name):
        """A private key in the one form of its kind that tuftool reads."""
        pem = self.key_type == "rsa"
        file = self.place.path(f"tuftool/keys/{name}.{'pem' if pem else 'der'}")
        file.write_bytes(PRIVATE[self.key_type]().private_bytes(Encoding.PEM if pem else Encoding.DER,
                                                               PrivateFormat.PKCS8, NoEncryption()))
        return file

    def _add_key(self, role, file):
        said = tuftool("root", "add-key", self.root_file, "--key", file, "--role", role).stdout
        return said.split()[-1]

    def _sign_root(self):
        keys = [word for name in ("root", "second-root") for word in ("--key", self.keys[name])]
        tuftool("root", "sign", self.root_file, *keys)

    def options(self):
        """Who signs, until when, and under which version: for all roles alike."""
        self.version += 1
        roles = [word for role in ("targets", "snapshot", "timestamp")
                 for word in (f"--{role}-expires", EXPIRES, f"--{role}-version", self.version)]
        keys = [word for role in ("targets", "snapshot", "timestamp") for word in ("--key", self.keys[role])]
        return ["--root", self.root_file, *keys, *roles, "--outdir", self.folder]

    def here(self):
        return ["--metadata-url", f"file://{self.folder}/metadata"]

    def publish(self, release, beside=None):
        """Publishes a release; gives back its images by part. `beside` are other files that are listed with them."""
        images, listed = {}, []
        incoming = self.place.path(f"tuftool/images-{release}")
        incoming.mkdir()
        for part, size in {"kernel": 70_000, "rootfs": 300_001}.items():
            images[part] = image(f"tuftool {release} {part}", size)
            name = f"{part} {release}.bin"
            (incoming / name).write_bytes(images[part])
            listed.append({"part": part, "target": name, "length": size,
                           "sha256": hashlib.sha256(images[part]).hexdigest()})
        for name, data in (beside or {}).items():
            (incoming / name).write_bytes(data)
        if self.version == 0:
            tuftool("create", *self.options(), "--add-targets", incoming)
        else:
            tuftool("update", *self.options(), *self.here(), "--add-targets", incoming)
        if not self.delegated:
            self._delegate()
        self._release(release, listed)
        date(self.folder / "metadata/timestamp.json", release)
        return images

    def _delegate(self):
        """Lets another role speak for the manifests."""
        options = self.options()
        for name in ("expires", "version"):
            at = options.index(f"--targets-{name}")
            options[at] = f"--{name}"
        tuftool("delegation", "--signing-role", "targets", "add-role", "--delegated-role", "releases", *options,
                *self.here(), "--incoming-metadata", self._signed_releases(), "--threshold", "1", "--paths",
                "boards/*/*", "--sign-all")
        self.delegated = True

    def _release(self, release, images):
        manifest = json.dumps({"format": 1, "board": "gate-1", "channel": "stable", "release": release,
                               "version": f"{release}.0.0", "images": images}).encode()
        digest = hashlib.sha256(manifest).hexdigest()
        self.releases["targets"]["boards/gate-1/stable.json"] = {"length": len(manifest), "hashes": {"sha256": digest}}
        file = self.folder / f"targets/boards/gate-1/{digest}.stable.json"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(manifest)
        tuftool("update", *self.options(), *self.here(), "--incoming-metadata", self._signed_releases(), "--role",
                "releases")

    def _signed_releases(self):
        """The folder with the delegated role as it is now; tuftool takes the role's keys from the role itself."""
        self.releases["version"] += 1
        key = self.signer.public_key
        self.releases["delegations"]["keys"] = {} if self.delegated else {key.keyid: key.to_dict()}
        folder = self.place.path(f"tuftool/releases-{self.releases['version']}")
        folder.mkdir()
        (folder / "releases.json").write_bytes(Repository.envelope(self.releases, [self.signer]))
        return f"file://{folder}"

    def rotate(self, role):
        """A new root, in which another key stands in the place of a role's.

        For every other role than root all is signed anew, which in tuftool loses the delegations.
        """
        old_root = self.place.path(f"tuftool/root-before-{role}.json")
        shutil.copy(self.root_file, old_root)
        before = json.loads(old_root.read_bytes())["signed"]["roles"][role]["keyids"]
        old_key, self.keys[role] = self.keys[role], self._new_key(f"new-{role}")
        self._add_key(role, self.keys[role])
        tuftool("root", "remove-key", self.root_file, self._key_id(old_key, role, before), role)
        tuftool("root", "bump-version", self.root_file)
        # By the new keys, and by the old ones.
        self._sign_root()
        if role == "root":
            tuftool("root", "sign", self.root_file, "--key", old_key, "--cross-sign", old_root)
            # The next `update` would do it too, but every root must be there, also where two follow each other.
            version = json.loads(self.root_file.read_bytes())["signed"]["version"]
            shutil.copy(self.root_file, self.folder / f"metadata/{version}.root.json")
            return
        self.delegated = False
        options = self.options()
        at = options.index("--root")
        options[at:at + 2] = ["--current-root", old_root, "--new-root", self.root_file]
        tuftool("transfer-metadata", *options, *self.here(), "--targets-url", f"file://{self.folder}/targets")

    def _key_id(self, file, role, candidates):
        """Which of a role's keys lies in a file."""
        probe = self.place.path("tuftool/probe.json")
        shutil.copy(self.root_file, probe)
        said = tuftool("root", "add-key", probe, "--key", file, "--role", role).stdout
        [key_id] = [key_id for key_id in candidates if key_id in said]
        return key_id


def tuftool_to_agent(place, key_type):
    publisher = Publisher(place, key_type)
    images = publisher.publish(2)
    web = Web(place, publisher.folder)
    device = Device(place, publisher.root, web.url)
    device.update(2, images)
    client = Client(place, publisher, web.url)
    names = ["boards/gate-1/stable.json", "kernel 2.bin", "rootfs 2.bin"]
    assert client.download(*names) == (0, "")
    assert {path.name for path in client.targets.iterdir()} >= {quote(name, safe="") for name in names}
    for role in ("root", "timestamp"):
        publisher.rotate(role)
    images = publisher.publish(3)
    device.update(3, images)
    assert device.status()["root"]["version"] == 3
    assert client.download("kernel 3.bin") == (0, "")


tests(tuftool_to_agent, "komainu_updates_from_what_tuftool_publishes_with_{}_keys", [
    ("ed25519", "ed25519"), ("ecdsa", "ecdsa"), ("rsa", "rsa")])


def other_letters(place, name, good):
    publisher = Publisher(place, "ed25519")
    publisher.publish(2, beside={name: b"read me"})
    client = Client(place, publisher, Web(place, publisher.folder).url)
    code, said = client.download(name)
    assert (code == 0) == good, (code, said)
    assert good or "(TUF 5.6.3): 0 valid signatures of 1" in said, said


# tough signs a normal form (NFC) of every text, everybody else signs the text. What is in that form is the same to all.
tests(other_letters, "what_tuftool_signs_with_{}", [
    ("composed_letters_is_read", "\u304c\u00e9 \U0001f40d.txt", True),
    ("decomposed_letters_is_refused", "\u304b\u3099e\u0301.txt", False),
])


@test
def tuftool_reads_releases_with_notes_in_any_letters(place):
    workshop = Workshop(place)
    file = place.path("rootfs.img")
    file.write_bytes(image("notes", 5000))
    notes = ["--note", "ja=\u304b\u3099\u5b89\u5168 \U0001f436", "--note", "fr=de\u0301mon \"\\ \u00e9"]
    workshop.run("release", "add", "--board", "gate-1", "--channel", "stable", "--version", "2.0.0", "--release", "2",
                 "--image", f"rootfs={file}", *notes)
    workshop.run("publish")
    url = Web(place, workshop.repository, extra=SERVE_TOUGH).url
    found = download(place, workshop, workshop.root, url, "notes")
    assert "\u304b\u3099" in json.loads(found["boards/gate-1/stable.json"])["notes"]["ja"]


def download(place, workshop, root, url, name):
    """Everything that targets metadata lists, as tuftool downloads it."""
    file, folder = place.path(f"{name}/root.json"), place.path(f"{name}/targets")
    file.write_bytes(root)
    tuftool("download", "--root", file, "--metadata-url", f"{url}metadata/", "--targets-url", f"{url}targets/", folder)
    version = max(int(file.name.split(".")[0]) for file in (workshop.repository / "metadata").glob("*.targets.json"))
    metadata = json.loads((workshop.repository / f"metadata/{version}.targets.json").read_bytes())
    listed = metadata["signed"]["targets"]
    for path, target in listed.items():
        assert hashlib.sha256((folder / path).read_bytes()).hexdigest() == target["hashes"]["sha256"], path
    return {path: (folder / path).read_bytes() for path in listed}


def maker_to_tuftool(place, key_type, other_type):
    workshop = Workshop(place, key_type)
    shipped = workshop.root
    url = Web(place, workshop.repository, extra=SERVE_TOUGH).url
    images = workshop.publish(2)
    first = download(place, workshop, shipped, url, "first")
    assert set(images.values()) < set(first.values())
    workshop.run("publish", "--renew-targets", "--renew")
    assert download(place, workshop, shipped, url, "renewed") == first
    for role in ("root", "targets", "snapshot", "timestamp"):
        workshop.rotate(role, other_type)
    assert download(place, workshop, shipped, url, "rotated") == first
    images = workshop.publish(3)
    assert set(images.values()) < set(download(place, workshop, shipped, url, "third").values())
    return f"{len(first)} targets"


tests(maker_to_tuftool, "tuftool_downloads_what_komainu_maker_publishes_with_{}_keys", [
    ("ed25519", "ed25519", "ecdsa"), ("ecdsa", "ecdsa", "ed25519")])


def tuftool_refuses(place, file, change):
    workshop = Workshop(place)
    workshop.publish(2)
    [path] = workshop.repository.glob(file)
    path.write_bytes(change(path.read_bytes()))
    try:
        url = Web(place, workshop.repository, extra=SERVE_TOUGH).url
        download(place, workshop, workshop.root, url, "tampered")
    except AssertionError as refusal:
        assert "tuftool download" in str(refusal), refusal
        return
    raise AssertionError("it does not refuse")


tests(tuftool_refuses, "tuftool_refuses_a_changed_{}", [
    ("timestamp", "metadata/timestamp.json", lambda data: data.replace(b'"version": 2', b'"version": 3')),
    ("manifest", "targets/boards/gate-1/*.stable.json", lambda data: data.replace(b"2.0.0", b"9.0.0")),
])


@test
def moments_with_fractions_as_tuftool_writes_them_are_refused_with_the_field(place):
    publisher = Publisher(place, "ed25519")
    publisher.publish(2)
    options = publisher.options()
    options[options.index("--timestamp-expires") + 1] = "in 30 days"
    tuftool("update", *options, *publisher.here())
    device = Device(place, publisher.root, Web(place, publisher.folder).url)
    device.once().must(FAILED, "expires", "2030-01-31T00:00:00Z")
    assert device.status()["update"] == "idle"
