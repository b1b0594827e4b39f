"""tuf-js, the TUF of JavaScript, as a client of what komainu-maker publishes."""

import json
import os
import subprocess

from maker import Workshop
from place import PATIENCE, ROOT, Skip, need, test, tests
from simulated import ROLES
from web import Web

HERE = ROOT / "tests/peers/tools/tuf-js"
MODULES = ROOT / "work/tuf-js/node_modules"
MANIFEST = "boards/gate-1/stable.json"


class TufJs:
    """One folder with metadata and targets, and the client that keeps it."""

    def __init__(self, place, root, name="tuf-js"):
        self.node, self.folder = need("node", "nodejs"), place.path(name)
        if not (MODULES / "tuf-js").is_dir():
            raise Skip("needs tuf-js: mkdir -p work/tuf-js && cp tests/peers/tools/tuf-js/package*.json work/tuf-js && "
                       "cd work/tuf-js && npm ci --ignore-scripts --no-audit --no-fund")
        (self.folder / "metadata").mkdir(parents=True)
        (self.folder / "targets").mkdir()
        (self.folder / "metadata/root.json").write_bytes(root)

    def run(self, url, *names):
        """Exit code and what it said."""
        done = subprocess.run([self.node, HERE / "client.js", self.folder, url, *names], capture_output=True, text=True,
                              timeout=PATIENCE, check=False, env=os.environ | {"NODE_PATH": str(MODULES)})
        return done.returncode, done.stderr

    def downloads(self, url, *names):
        """The targets of these names."""
        assert self.run(url, *names) == (0, "")
        return [(self.folder / "targets" / name.replace("/", "%2F")).read_bytes() for name in names]

    def follows(self, url):
        """The release that the manifest names, its images by part, and the versions of all roles."""
        [manifest] = self.downloads(url, MANIFEST)
        manifest = json.loads(manifest)
        listed = {image["part"]: image["target"] for image in manifest["images"]}
        images = dict(zip(listed, self.downloads(url, *listed.values())))
        versions = [json.loads((self.folder / f"metadata/{role}.json").read_bytes())["signed"]["version"]
                    for role in ROLES]
        return manifest["release"], images, versions


def maker_to_tufjs(place, key_type, other_type):
    workshop = Workshop(place, key_type)
    shipped = workshop.root
    url = Web(place, workshop.repository).url
    client = TufJs(place, shipped)
    images = workshop.publish(2)
    assert client.follows(url) == (2, images, [1, 2, 2, 2])
    workshop.run("publish", "--renew")
    assert client.follows(url) == (2, images, [1, 3, 3, 2])
    for role in ("root", "targets", "snapshot", "timestamp"):
        workshop.rotate(role, other_type)
    images = workshop.publish(3)
    release, found, versions = client.follows(url)
    assert (release, found, versions[0]) == (3, images, 5), f"release {release}, versions {versions}"
    # And all at once, from the root that the first devices have.
    assert TufJs(place, shipped, "late").follows(url) == (3, images, versions)
    return f"versions {versions}"


tests(maker_to_tufjs, "tuf_js_reads_what_komainu_maker_publishes_with_{}_keys", [
    ("ed25519", "ed25519", "ecdsa"), ("ecdsa", "ecdsa", "ed25519")])


def refuses(place, file, old, new, word):
    workshop = Workshop(place)
    workshop.publish(2)
    [path] = workshop.repository.glob(file)
    data = path.read_bytes()
    path.write_bytes(data.replace(old, new))
    assert path.read_bytes() != data
    client = TufJs(place, workshop.root)
    code, said = client.run(Web(place, workshop.repository).url, MANIFEST)
    assert code == 1 and word in said, (code, said)
    assert not list((client.folder / "targets").iterdir())


tests(refuses, "tuf_js_refuses_a_changed_{}", [
    ("timestamp", "metadata/timestamp.json", b'"version": 2', b'"version": 9', "timestamp was signed by 0/1 keys"),
    ("targets_file", "metadata/2.targets.json", b'"expires": "2', b'"expires": "3', "Unable to load targets"),
    ("manifest", "targets/boards/gate-1/*.stable.json", b"2.0.0", b"9.0.0", "Expected hash"),
])


@test
def tuf_js_refuses_the_repository_of_another_maker(place):
    workshop, stranger = Workshop(place), Workshop(place, name="stranger")
    workshop.publish(2)
    stranger.publish(2)
    code, said = TufJs(place, workshop.root).run(Web(place, stranger.repository).url, MANIFEST)
    assert code == 1 and "timestamp was signed by 0/1 keys" in said, (code, said)
