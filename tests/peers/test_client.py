"""The test client's contract, as public suites use it: the agent's trust and fetch code from the command line."""

import os
import subprocess

from place import PATIENCE, ROOT, command, test
from publisher import Publisher
from test_delegations import ODD, Delegating
from web import Web

CLIENT = os.environ.get("TUF_CLIENT") or str(ROOT / "target/debug/tuf-client")


class Client:
    """One metadata folder, and the client that keeps it."""

    def __init__(self, place, publisher, url, name="client"):
        self.metadata, self.targets, self.url = place.path(f"{name}/metadata"), place.path(f"{name}/targets"), url
        self.targets.mkdir(parents=True)
        root = place.path(f"{name}/1.root.json")
        root.write_bytes(publisher.root)
        command(CLIENT, "--metadata-dir", self.metadata, "init", root)

    def run(self, *words):
        """Exit code and what it said."""
        options = ["--metadata-url", f"{self.url}metadata/", "--metadata-dir", self.metadata]
        done = subprocess.run([CLIENT, *map(str, [*options, *words])], capture_output=True, text=True, timeout=PATIENCE,
                              check=False)
        return done.returncode, done.stderr

    def download(self, *names):
        words = [word for name in names for word in ("--target-name", name)]
        return self.run(*words, "--target-dir", self.targets, "--target-base-url", f"{self.url}targets/", "download")

    def kept(self, name):
        return (self.metadata / name).read_bytes()


@test
def the_test_client_keeps_what_it_was_given_byte_for_byte(place):
    publisher = Publisher(place, consistent=True, lengths_and_hashes=True)
    publisher.publish(2)
    web = Web(place, publisher.folder)
    client = Client(place, publisher, web.url)
    assert web.requests() == [], "init makes no request"
    web.start()
    assert client.run("refresh") == (0, "")
    for name in ("timestamp", "snapshot", "targets"):
        published = publisher.folder / "metadata" / (f"{name}.json" if name == "timestamp" else f"1.{name}.json")
        assert client.kept(f"{name}.json") == published.read_bytes(), name
    publisher.rotate_root()
    assert client.run("refresh") == (0, "")
    assert client.kept("root.json") == (publisher.folder / "metadata/2.root.json").read_bytes()


@test
def the_test_client_downloads_what_delegated_roles_list(place):
    publisher = Delegating(place, paths=["boards/gate-1/*.json", "firmware/*/*"])
    images = publisher.publish(2)
    client = Client(place, publisher, Web(place, publisher.folder).url)
    names = [f"firmware/2/{part} of gate-1.bin" for part in images]
    assert client.download(*names) == (0, "")
    found = sorted(path.read_bytes() for path in client.targets.iterdir())
    assert found == sorted(images.values())
    kept = {path.name for path in client.metadata.iterdir()} - {f"{role}.json" for role in publisher.roles}
    assert len(kept) == 1 and "/" not in ODD, kept
    code, said = client.download("firmware/2/none of these.bin")
    assert code == 1 and "lists it" in said, (code, said)


@test
def the_test_client_fails_and_keeps_its_state_where_metadata_is_forged(place):
    publisher = Publisher(place, consistent=True, lengths_and_hashes=True)
    stranger = Publisher(place, consistent=True, lengths_and_hashes=True, name="stranger")
    publisher.publish(2)
    stranger.publish(2)
    web = Web(place, publisher.folder)
    client = Client(place, publisher, web.url)
    assert client.run("refresh")[0] == 0
    before = client.kept("timestamp.json")
    (publisher.folder / "metadata/timestamp.json").write_bytes(
        (stranger.folder / "metadata/timestamp.json").read_bytes())
    code, said = client.run("refresh")
    assert code == 1 and "5.4.2" in said, (code, said)
    assert client.kept("timestamp.json") == before
