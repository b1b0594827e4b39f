"""A device in a temporary folder: slots, boot environment, settings, and the real agent beside them.

What it does at a restart is what a board does: the boot loader counts and chooses, /run is empty again.
"""

import contextlib
import hashlib
import json
import os
import random
import re
import shutil
import subprocess
from dataclasses import dataclass

import uboot
from place import KOMAINU, PATIENCE, end, wait_until

KIB = 1024
PARTS = {"kernel": 512 * KIB, "rootfs": 4096 * KIB}
DONE, FAILED, USAGE, RESTART, BUSY = range(5)


@dataclass
class Agent:
    """A built agent, what runs it, and for which byte order it is."""

    binary: str = KOMAINU
    runner: tuple = ()
    big_endian: bool = False
    seconds: int = 2 * PATIENCE

    def words(self):
        # Not a reason to skip: then nothing at all would have been tested.
        assert os.access(self.binary, os.X_OK), f"there is no agent {self.binary}: cargo build, or set KOMAINU"
        return [*self.runner, self.binary]


@dataclass
class Run:
    """How a run of the agent ended, and what it said."""

    code: int
    out: str
    log: str

    def must(self, code, *words):
        """It ended so, and its log has a line with each of these words."""
        assert self.code == code, f"exit {self.code}, not {code}; log:\n{self.log}{self.out}"
        for word in words:
            assert word in self.log, f"the log does not say {word!r}:\n{self.log}"
        return self


def image(seed, length):
    """An image: bytes that do not repeat, and always the same for the same seed."""
    source, mib = random.Random(seed), 1 << 20
    return b"".join(source.randbytes(min(mib, length - at)) for at in range(0, length, mib))


class Device:
    """A device that runs slot a, release 1."""

    def __init__(self, place, root, server, *, agent=None, board="gate-1", environment=None, slots=lambda path: path,
                 parts=None, name="device"):
        self.place, self.agent = place, agent or Agent()
        self.folder = place.path(name)
        (self.folder / "slots").mkdir(parents=True)
        self.environment = environment or uboot.Environment.make(self.folder, big_endian=self.agent.big_endian)
        self.parts = {}
        for part, size in (parts or PARTS).items():
            sizes = size if isinstance(size, tuple) else (size, size)
            self.parts[part] = {}
            for slot, size in zip("ab", sizes):
                path = self.folder / "slots" / f"{part}-{slot}"
                path.write_bytes(image(f"factory {part} {slot}", size))
                self.parts[part][slot] = slots(path)
        self.root = self.folder / "root.json"
        self.root.write_bytes(root)
        self.health = self.folder / "health"
        self.state, self.log = self.folder / "state", self.folder / "log"
        self.settings = {
            "device": {"board": board, "id": "peer", "release": 1, "version": "1.0.0"},
            "server": {"metadata_url": f"{server}metadata/", "targets_url": f"{server}targets/"},
            "trust": {"root": str(self.root)},
            "state": {"directory": str(self.state), "run_directory": str(self.folder / "run"),
                      "checkpoint_bytes": 64 * KIB},
            "poll": {"first_within_seconds": 0},
            "boot": {"environment": str(self.environment.config), "booted_file": str(self.folder / "cmdline"),
                     "reboot_command": []},
            "trial": {"health_directory": str(self.health), "soak_seconds": 0},
            "log": {"to": "stderr"},
            "gate": {"keep": False},
            # What it would find and end are the programs of whoever runs the tests.
            "wall": {"keep": False},
        }
        self._starts("a")

    def _starts(self, slot):
        self.slot = slot
        (self.folder / "cmdline").write_text(f"console=ttyS0 komainu.slot={slot}\n")
        shutil.rmtree(self.folder / "run", ignore_errors=True)

    def restart(self):
        """Starts the device anew; says which slot runs then."""
        self._starts(uboot.start(self.environment))
        return self.slot

    def settings_text(self):
        def value(v):
            return json.dumps([str(item) for item in v] if isinstance(v, list) else v)

        lines = []
        for table, keys in self.settings.items():
            lines += [f"[{table}]"] + [f"{key} = {value(v)}" for key, v in keys.items()]
        for part, slots in self.parts.items():
            lines += ["[[part]]", f'name = "{part}"', *(f'{slot} = "{path}"' for slot, path in slots.items())]
        return "\n".join(lines) + "\n"

    def start(self, *words):
        """Starts the agent and does not wait; it is ended with the test. What it logs is in `self.log`."""
        file = self.folder / "komainu.toml"
        file.write_text(self.settings_text())
        words = [*self.agent.words(), "--settings", str(file), *words]
        with open(self.log, "w", encoding="utf-8") as log:
            process = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=log, text=True)
        self.place.undo.callback(end, process)
        return process

    def komainu(self, *words):
        process = self.start(*words)
        try:
            out, _ = process.communicate(timeout=self.agent.seconds)
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()
            said = f"komainu {' '.join(words)} does not end within {self.agent.seconds} s; its log:"
            raise AssertionError(f"{said}\n{self.log.read_text()}") from None
        return Run(process.returncode, out, self.log.read_text())

    def once_until(self, word):
        """Runs `once` until it ends or has logged the word; then it is killed."""
        process = self.start("once")
        wait_until(lambda: process.poll() is not None or word in self.log.read_text(), f"it ends or logs {word!r}",
                   self.agent.seconds)
        process.kill()
        process.communicate()

    def once(self, *words):
        return self.komainu(*words, "once")

    def status(self):
        run = self.komainu("status", "--json").must(DONE)
        return json.loads(run.out)

    def holds(self, images, slot):
        """The slot begins with these images."""
        for part, wanted in images.items():
            with open(self.parts[part][slot], "rb") as file:
                found = file.read(len(wanted))
            assert found == wanted, f"slot {slot} part {part} is not what was published"

    def fingerprint_of_slots(self, slots):
        prints = {}
        for part, paths in self.parts.items():
            for slot in slots:
                with open(paths[slot], "rb") as file:
                    prints[f"slot {slot} part {part}"] = hashlib.file_digest(file, "sha256").hexdigest()
        return prints

    def fingerprint(self, slots):
        """What must not change: these slots, and the boot environment."""
        environment = hashlib.sha256(self.environment.bytes()).hexdigest()
        return {"boot environment": environment, **self.fingerprint_of_slots(slots)}

    @contextlib.contextmanager
    def untouched(self, slots=None):
        """The running slot and the boot environment stay as they are, and where asked for, the other slot too."""
        slots = slots or self.slot
        before = self.fingerprint(slots)
        yield
        after = self.fingerprint(slots)
        changed = [name for name in before if before[name] != after[name]]
        assert not changed, f"changed: {', '.join(changed)}"

    def stage(self, release, images):
        """Polls and stages: the release is on trial then, and the running slot is as it was."""
        old, new = self.slot, "b" if self.slot == "a" else "a"
        before = self.fingerprint_of_slots(old)
        self.once().must(RESTART, f"staging release={release}", f"activating release={release}")
        assert self.fingerprint_of_slots(old) == before, "the running slot changed"
        self.holds(images, new)
        said = self.environment.read()
        wanted = {"boot_slot": new, "upgrade_available": "1", "bootcount": "0", "komainu_release": str(release)}
        assert wanted.items() <= said.items(), f"the boot environment says {said}"

    def update(self, release, images):
        """A whole update: staged, restarted into, confirmed."""
        self.stage(release, images)
        new = self.status()["update_slot"]
        assert self.restart() == new
        self.once().must(DONE, f"confirming release={release}")
        status = self.status()
        found = {name: status[name] for name in ("update", "confirmed_release", "confirmed_slot", "floor")}
        wanted = {"update": "idle", "confirmed_release": release, "confirmed_slot": new, "floor": release}
        assert found == wanted, f"status says {found}"
        said = self.environment.read()
        assert (said["boot_slot"], said["upgrade_available"]) == (new, "0"), f"the boot environment says {said}"
        assert self.restart() == new, "the boot loader does not stay with it"
        self.holds(images, new)

    def on_record(self):
        """How far staging has come, by the newest record: index of the image under way, and its offset."""
        newest, found = -1, (0, 0)
        for copy in self.state.glob("record.[01]"):
            text = copy.read_text()
            generation = int(re.search(r"^generation (\d+)$", text, re.M)[1])
            staging = re.search(r"^update staging .*part=(\d+) offset=(\d+)$", text, re.M)
            if generation > newest:
                newest, found = generation, (int(staging[1]), int(staging[2])) if staging else (0, 0)
        return found

    def kill_while_staging(self, image_index, offset_least):
        """Starts an update and kills the agent once so much is on record; says which offset is on record then."""
        process = self.start("once")
        wait_until(lambda: self.on_record() >= (image_index, offset_least) or process.poll() is not None,
                   f"image {image_index} staged up to {offset_least}", self.agent.seconds)
        assert process.poll() is None, f"it ended by itself:\n{self.log.read_text()}"
        process.kill()
        process.communicate()
        index, offset = self.on_record()
        assert index == image_index, f"image {index} is under way"
        return offset
