"""Power cuts in a device's life: the emulator is killed at random moments of an update, and started again; the device
must settle by itself, every time."""

import os
import random
import re
import time
from dataclasses import dataclass

from place import wait_until
from whole_machine import UP_SECONDS

#: A moment: what the console says when it begins, and within how many seconds from there the cut comes.
MOMENTS = (
    ("staging", rb"staging release={}\b", 6.0),
    ("the end of staging", rb"staging release={}\b[\s\S]*bytes=(?!0\b)", 6.0),
    ("activating", rb"activating release={}\b", 0.5),
    ("halting", rb"activating release={}\b", 4.0),
    ("boot loader", rb"activating release={}\b[\s\S]*?U-Boot 20", 3.0),
    ("kernel", rb"activating release={}\b[\s\S]*?start image: slot", 8.0),
    ("trial", rb"activating release={}\b[\s\S]*?board up ", 6.0),
    ("keeping", rb"confirming release={}\b", 0.5),
)
#: What a console must never say of a medium after a cut.
DAMAGE = re.compile(rb"EXT4-fs (error|warning)|copy.bad|no copy of the environment|SQUASHFS error|FAT-fs .*error|Lost")
SETTLE_SECONDS = 1800
#: How long a machine that is up is let alone before it is asked whether all is over.
ASKS_SECONDS = 10


@dataclass
class Cut:
    """A release with the cuts in it, and how it ended."""

    number: int
    moments: list
    settled: str
    seconds: float


class Cuts:
    """Cuts in the life of a machine that is up. The seed makes the same moments again."""

    def __init__(self, life, seed=None):
        self.life, self.machine = life, life.machine
        self.seed = int(seed or os.environ.get("KOMAINU_SEED") or 1)
        self.random, self.done, self.number = random.Random(self.seed), [], 0
        life.timeline.figure("seed of the power cuts", self.seed)

    def images(self, number):
        """Good images that the slot which is written has not: else nothing would be fetched."""
        return self.life.images((1, 1, 2, 2)[(number - 5) % 4])

    def one(self):
        """One release with a cut, or with two."""
        life, machine = self.life, self.machine
        number, mark = life.published + 1, machine.mark()
        life.publish(number, self.images(number))
        life.ask_for_update()
        said, began = [], time.monotonic()
        for _ in range(self.random.choice((1, 1, 1, 2))):
            name, pattern, spread = self.random.choice(MOMENTS)
            if not self._comes(pattern.replace(b"{}", b"%d" % number), mark, number):
                said.append(f"{name}: never came")
                break
            delay = self.random.uniform(0, spread)
            # This is the cut's random moment, not a wait for something.
            time.sleep(delay)
            machine.power_cut()
            self.number += 1
            said.append(f"{name} +{delay:.2f} s")
            began, mark = time.monotonic(), machine.power_on()
        machine.up(mark, UP_SECONDS)
        settled = wait_until(lambda: self._settled(number, mark), f"release {number} is settled after {said}",
                             SETTLE_SECONDS)
        assert not DAMAGE.search(machine.said(mark)), f"after {said}: {DAMAGE.search(machine.said(mark))[0]}"
        cut = Cut(number, said, settled, round(time.monotonic() - began, 1))
        self.done.append(cut)
        life.timeline.mark(f"power cut in release {number}: {' and '.join(said)}", life.uptime(), settled=settled)
        return cut

    def _comes(self, pattern, mark, number):
        """Whether the moment comes; it never does where the release is kept or given up before, also by what came before a
        cut: the machine that is up again does not say so once more."""
        wanted, over = re.compile(pattern), re.compile(rb"(confirming|rolling-back) release=%d\b" % number)
        deadline, asks = time.monotonic() + SETTLE_SECONDS, 0
        while time.monotonic() < deadline:
            said = self.machine.said(mark)
            if wanted.search(said):
                return True
            if over.search(said):
                return False
            if self.machine.runs(mark) and time.monotonic() > asks:
                self.machine.up(mark)
                if self._settled(number, mark):
                    return False
                asks = time.monotonic() + ASKS_SECONDS
            time.sleep(0.01)
        raise AssertionError(f"neither {pattern} nor its end\n{self.machine.last_words(mark)}")

    def _settled(self, number, mark):
        """How the release is settled: kept or given up, with the gate as it was; None while it is under way."""
        status = self.life.status_if_up(mark)
        if not status or status["gate"] != "open" or status["firewall"] != "holds" or status["update"] != "idle":
            return None
        if status["confirmed_release"] == number and status["booted_slot"] == status["confirmed_slot"]:
            return "kept"
        return "given up" if any(one["release"] == number for one in status["failed"]) else None
