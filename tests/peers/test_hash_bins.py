"""A repository of many boards, which komainu-maker divides among hash bins by itself: python-tuf, tuf-js, tuftool and the
agent find their board in it, and fetch little more than that.

    KOMAINU_BOARDS   how many boards     (280)
"""

import hashlib
import json
import os

from device import Device, image
from maker import Workshop
from place import test
from test_tuf import read_all
from test_tufjs import TufJs
from test_tuftool import SERVE_TOUGH, tuftool
from web import Web

BOARDS = int(os.environ.get("KOMAINU_BOARDS", "280"))


def many(place):
    """A workshop with so many boards; one image is everybody's."""
    workshop, file = Workshop(place), place.path("firmware/any.img")
    file.parent.mkdir(exist_ok=True)
    file.write_bytes(image("any", 5000))
    for number in range(BOARDS):
        workshop.run("release", "add", "--board", f"camera-{number}", "--channel", "stable", "--version", "1.0.0",
                     "--image", f"rootfs={file}")
    workshop.run("publish")
    return workshop


def fetched(web, repository):
    """Names and bytes of the metadata that a client asked for, and got."""
    asked = [request["path"].removeprefix("/") for request in web.requests()]
    return {name: (repository / name).stat().st_size for name in asked
            if name.startswith("metadata/") and (repository / name).is_file()}


@test
def every_client_finds_its_board_in_hash_bins(place):
    workshop = many(place)
    shipped = workshop.root
    images = workshop.publish(2)
    newest = max((workshop.repository / "metadata").glob("*.targets.json"), key=lambda path: int(path.name.split(".")[0]))
    top = json.loads(newest.read_bytes())["signed"]
    assert top["targets"] == {} and len(top["delegations"]["roles"]) == 64, "it is not divided"
    release, found, _ = read_all(place, workshop, shipped, "tuf")
    assert (release, found) == (2, images)
    assert TufJs(place, shipped).follows(Web(place, workshop.repository, name="web-js").url)[:2] == (2, images)
    tough_finds(place, workshop, shipped, images)
    web = Web(place, workshop.repository)
    device = Device(place, shipped, web.url)
    device.update(2, images)
    first = fetched(web, workshop.repository)
    web.start()
    assert 2 <= sum(".bin-" in name for name in first) <= 4, first
    # Other keys, and another release: everybody follows.
    workshop.rotate("targets", "ecdsa")
    images = workshop.publish(3)
    device.update(3, images)
    assert read_all(place, workshop, shipped, "rotated")[:2] == (3, images)
    return f"{BOARDS} boards: {sum(first.values())} bytes of metadata at the first refresh, {len(first)} files"


def tough_finds(place, workshop, root, images):
    """tough checks of every key that its identifier is the hash of it."""
    file, folder = place.path("tough/root.json"), place.path("tough/targets")
    file.parent.mkdir(exist_ok=True)
    file.write_bytes(root)
    url = Web(place, workshop.repository, extra=SERVE_TOUGH, name="web-tough").url
    manifest = "boards/gate-1/stable.json"
    tuftool("download", "--root", file, "--metadata-url", f"{url}metadata/", "--targets-url", f"{url}targets/",
            "--target-name", manifest, folder)
    listed = {one["part"]: one for one in json.loads((folder / manifest).read_bytes())["images"]}
    for part, content in images.items():
        assert listed[part]["sha256"] == hashlib.sha256(content).hexdigest(), part
