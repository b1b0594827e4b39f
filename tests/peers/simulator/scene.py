"""Where attacks are played: a device and a test client that trust a repository and know it well, and the network
between. Here also stands what every attack is asked: what it changed, what was said of it, whether all goes on after.
"""

import hashlib
import re

from device import DONE, FAILED, Agent, Device
from test_client import Client

from simulator.network import Network
from simulator.repository import Repository

PARTS = {"kernel": 128 * 1024, "rootfs": 256 * 1024}
HEAD = 4096
# How the words of a refusal end, by what it looks like.
LOOKS = {"stale": "; looks like a stale mirror", "attack": "; looks like an attack",
         "damaged": "; looks damaged, or like another file"}


def refused(output, file, step, looks):
    """The words with which a file was refused, at this step of TUF 1.0.34's section 5."""
    form = rf"(?<![\w.]){re.escape(file)}( version \d+)? refused \(TUF {re.escape(step)}\).*"
    found = next((line for line in output.splitlines() if re.search(form, line)), None)
    assert found, f"not a word of {file} refused (TUF {step}):\n{output}"
    assert looks in LOOKS, looks
    assert LOOKS[looks] in found, f"does not say {LOOKS[looks]!r}: {found}"
    return words_of(found)


def failed(output, *words):
    """The words with which something failed for which TUF has no step."""
    found = next((line for line in output.splitlines() if all(word in line for word in words)), None)
    assert found, f"no line says {' and '.join(words)}:\n{output}"
    return words_of(found)


def words_of(line):
    """A log line without what every line has."""
    why = re.search(r'why="(.*)"', line)
    return why[1] if why else re.sub(r"^.*?(error|info|debug): ?|^tuf-client: ", "", line)


class Scene:
    """The device runs release 1, and has accepted version 2 of all metadata; of version 1 the attacker has a copy."""

    def __init__(self, place, *, hashes=True, delegated=False, client=True, runner=(), tls=None):
        self.repository = Repository(hashes=hashes, delegated=delegated)
        self.repository.publish(1)
        self.first = dict(self.repository.files)
        self.repository.publish(1)
        self.network = Network(place, self.repository.files, tls)
        self.device = Device(place, self.repository.root, self.network.url, parts=PARTS, agent=Agent(runner=runner))
        if tls:
            self.device.settings["server"]["ca_files"] = [tls.root]
        self.client = Client(place, self.repository, self.network.url) if client else None
        self.polls()

    def polls(self, code=DONE):
        """Device and client look for news, and all is well."""
        run = self.device.once().must(code)
        if self.client:
            assert self.client.run("refresh") == (0, "")
        return run

    def files(self):
        """Everything that device and client keep, by name; and what the device would start."""
        folders = {"device": self.device.state} | ({"client": self.client.metadata} if self.client else {})
        kept = {}
        for whose, folder in folders.items():
            for path in folder.rglob("*"):
                if path.is_file():
                    kept[whose, path.name] = hashlib.sha256(path.read_bytes()).hexdigest()
        return kept

    def refuses(self, file, step, looks, *, accepts=(), stolen=False):
        """Both refuse the file and keep nothing of it. They may accept the files named, which must be the
        repository's own, unless the keys for them were stolen. Gives back the device's own words."""
        return self.fails(lambda output: refused(output, file, step, looks), accepts, stolen)

    def fails(self, words, accepts=(), stolen=False):
        before, unchanged = self.files(), self.device.fingerprint("ab")
        run = self.device.once().must(FAILED, "step-failed step=poll")
        note = words(run.log)
        if self.client:
            code, said = self.client.run("refresh")
            assert code == 1, said
            words(said)
        after = self.files()
        changed = {key for key in before.keys() | after.keys() if before.get(key) != after.get(key)}
        surprises = [key for key in changed if key[1] not in accepts]
        assert not surprises, f"changed: {surprises}; {note}"
        foreign = [key for key in changed if key in after and after[key] not in self.repository.ever]
        assert stolen or not foreign, f"of the attacker's and kept: {foreign}; {note}"
        assert self.device.fingerprint("ab") == unchanged, f"slots or boot environment changed; {note}"
        return note

    def does_not_install(self, *words, code=FAILED):
        """The attacker may be allowed to fill the slot that does not run, but nothing can start it. Gives back the
        words of the line that has all of these."""
        with self.device.untouched():
            run = self.device.once().must(code)
        self.is_safe()
        return failed(run.log, *words)

    def is_safe(self, release=1):
        """What runs is what ran; the other slot was not touched, or has no header."""
        status = self.device.status()
        found = status["confirmed_release"], status["floor"], status["booted_slot"]
        assert found == (release, release, self.device.slot), status
        assert status["update"] in ("idle", "staging") and status["boot_slot"] == self.device.slot, status
        other = "b" if self.device.slot == "a" else "a"
        heads = []
        for slots in self.device.parts.values():
            with open(slots[other], "rb") as file:
                heads.append(file.read(HEAD))
        began = status["update"] == "staging"
        assert not began or not any(any(head) for head in heads), "a half-written slot has a header"

    def honest_again(self):
        """The attacker is gone from the network."""
        self.network.files, self.network.rules = self.repository.files, {}

    def keeps_only_honest_files(self):
        honest = self.repository.ever
        foreign = [key for key, found in self.files().items() if found not in honest and "record." not in key[1]]
        assert not foreign, f"of the attacker's and kept: {foreign}"

    def recovers(self, release=2, *, images=None):
        """With the honest repository back, the device updates as if nothing had been: to a release that is published
        now, unless its images are given."""
        self.honest_again()
        images = images or self.repository.publish(release)
        self.device.update(release, images)
        if self.client:
            assert self.client.run("refresh") == (0, "")

    def after_service(self, place, root):
        """The same device with a firmware that brings this root, and nothing left of what it knew."""
        self.device = Device(place, root, self.network.url, parts=PARTS, name="serviced")
        return self.device
