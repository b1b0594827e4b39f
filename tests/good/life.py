"""A year in short: events by name, and after each what the wall made of it. A device that is good hears nothing."""

import re
import time

import table
from good_device import MAY

#: What the wall says of a finding that is more than told, and of what it did about one.
LOUD = re.compile(r"\b(found|infected|not-mended|undone|incident|restarting|evidence) |\bmended by=([a-z-]+)")
#: What is so until the agent has just started: nobody holds the watchdog.
AT_START = re.compile(r" found measure=watchdog ")


class Life:
    """Of one device under one set of settings."""

    def __init__(self, device, settings):
        self.device, self.settings = device, settings

    def _row(self, event, found):
        table.add(self.device.personality.name, self.settings, event, "; ".join(found) or table.QUIET)

    def live(self, events):
        """Lives through all events; every fault of every event, not only of the first."""
        faults = []
        self.device.vendor()
        for name, event in events:
            began = time.monotonic()
            try:
                found = self._after(event)
            except (AssertionError, OSError) as why:
                found = [f"the event itself: {type(why).__name__} {why}"]
            self._row(name, found)
            print(f"      {self.device.personality.name} {self.settings} {name}: {time.monotonic() - began:.1f} s")
            faults += [f"{name}: {one}" for one in found]
            if device_is_gone(self.device):
                return faults
        rest = self._at_rest()
        self._row("rest", rest)
        faults += [f"rest: {one}" for one in rest]
        return faults

    def _after(self, event):
        device = self.device
        before = device.tree() if device.machine else {}
        changes = event(device) or ()
        done = device.tree()
        if device.running is None:
            return []
        device.take_turns()
        after = device.tree()
        found = [f"changed afterwards: {name}" for name in differing(done, after)]
        owns = tuple(changes)
        found += [f"changed: {name}" for name in differing(before, after) if not name.startswith(owns or "\0")]
        found += self._heard()
        found += [f"suspended: {line[:60]}" for line in device.stopped()]
        found += [f"gone: {' '.join(words)}" for words in device.personality.runs if not device.machine.runs(*words)]
        found += device.heavy()
        return found

    def _heard(self):
        """What the log says that a good device must not hear."""
        found = []
        is_start = self.device.seen == 0
        for line in self.device.news():
            match = LOUD.search(line)
            if match and match[2] not in MAY and not (is_start and AT_START.search(line)):
                found.append(line)
        if self.device.restarts.exists():
            found.append("it was restarted")
        return found

    def _at_rest(self, turns=4):
        """The flash is not written while nothing happens."""
        device = self.device
        device.take_turns()
        before = device.state_files()
        device.take_turns(turns)
        found = [f"written at rest: {name}" for name in differing(before, device.state_files())]
        return found + self._heard()


def device_is_gone(device):
    """No event can follow: the agent does not run."""
    return device.running is None or device.running.poll() is not None


def differing(one, other):
    return sorted(name for name in one.keys() | other.keys() if one.get(name) != other.get(name))
