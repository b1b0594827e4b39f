"""A device with a wall: gate.py's, on a machine of its own (machine.py) with a vendor's firmware on it (firmware.py).

What the tests know of the agent's wall is here: its settings, its commands, what they answer.
"""

import json
import os
import shutil
import signal
import subprocess
import time
from functools import cache
from pathlib import Path

from device import Agent
from firmware import Firmware
from gate import DEFAULT, Gate
from machine import Machine
from place import KOMAINU, Skip, wait_until

#: What a device of these tests may run; all else must go.
SERVICES = (("dnsmasq", "udp", 53), ("dnsmasq", "tcp", 53), ("dnsmasq", "udp", 67), ("lighttpd", "tcp", 80))
#: How long a telnet service may be there, in seconds. On an idle machine it is gone after two or three, which is
#: printed; beside other work all takes longer.
SECONDS = 90
#: What a shell says when a file cannot be run.
CANNOT_START = 126


def state_of(process):
    """The letter of a process's state, as the kernel tells it; empty where it is gone."""
    try:
        # Its name may be any bytes.
        return Path(f"/proc/{process}/stat").read_bytes().rpartition(b")")[2].split()[0].decode()
    except OSError:
        return ""


def children_of(process):
    """The numbers of a process's children."""
    try:
        return Path(f"/proc/{process}/task/{process}/children").read_text().split()
    except OSError:
        return []


@cache
def has_wall():
    """Whether this agent knows the commands of the wall."""
    done = subprocess.run([KOMAINU, "--help"], capture_output=True, text=True, check=False)
    return "selfcheck" in done.stdout + done.stderr


def need_wall():
    if not has_wall():
        raise Skip("this agent has no wall: komainu selfcheck is not known")


class OnMachine(Agent):
    """The agent among the firmware's programs."""

    def __init__(self, machine):
        super().__init__(binary="/usr/sbin/komainu", runner=machine.words())

    def words(self):
        return [*self.runner, self.binary]


class Walled(Gate):
    """A device whose services run and whose agent does not yet. `wall` are more keys of [wall], `services` more rows
    of what may run: program, transport, port."""

    def __init__(self, place, kind="nft", *, firmware=None, wall=None, services=(), **more):
        assert os.access(KOMAINU, os.X_OK), f"there is no agent {KOMAINU}: cargo build, or set KOMAINU"
        self.firmware = firmware or Firmware()
        self.machine = None
        self.allowed = (*SERVICES, *services)
        super().__init__(place, kind, **more)
        self.agent = OnMachine(self.machine)
        if has_wall():
            # A maker that has watched this device and enforces all of it; as shipped most is only told. What it does by
            # itself when it was taken, one test is about; the others would be cut off by it.
            self.settings["wall"] = {"kind": "router", "enforce": ["all"], "incident_response": [],
                                     "web_passwords": ["/etc/web.users"], **(wall or {})}

    def _make_etc(self):
        self.etc.mkdir()
        self.firmware.write_etc(self.etc, DEFAULT)

    def _own_mounts(self, name, script):
        if name != "device":
            return super()._own_mounts(name, script)
        self.machine = Machine(self.place, self.net, name, self.firmware.build(self.folder, KOMAINU), self.etc)
        return self.machine.words()

    def settings_text(self):
        rows = [f'[[service]]\nprogram = "{program}"\nlistens = ["{transport}/{port}"]\n'
                for program, transport, port in self.allowed]
        return super().settings_text() + ("\n".join(rows) if has_wall() else "")

    def vendor(self):
        """Waits until what the vendor has running is there: init has started it."""
        ports = {"web": 80, "ssh": 22, "names": 53, "telnet": 23, "odd telnet": 50023, "inetd": 2323, "upnp": 5000,
                 "unknown": 30303}
        wanted = {ports[name] for name in self.firmware.services if name in ports}
        wait_until(lambda: wanted <= set(self.machine.listening()), f"the vendor's ports {sorted(wanted)}")
        if "time" in self.firmware.services:
            wait_until(lambda: self.machine.runs("/usr/sbin/ntpd"), "the vendor's time server")

    def path_of(self, program):
        """Where the agent finds a program: of iptables, the old kind."""
        return shutil.which(program, path=self.more["PATH"])

    def agent_process(self):
        """The agent's number on the machine that runs the tests."""
        return int(Path(f"/proc/{self.running.pid}/task/{self.running.pid}/children").read_text().split()[0])

    def page_process(self):
        """The page's number there."""
        agent = self.agent_process()
        for child in Path(f"/proc/{agent}/task/{agent}/children").read_text().split():
            if b"\0page\0" in Path(f"/proc/{child}/cmdline").read_bytes():
                return int(child)
        return None

    def standin(self, *words):
        """Starts the stand-in of the firmware on the device, and does not wait."""
        self.start_program("/usr/sbin/standin", *words)

    def start_program(self, *words):
        """Starts a program on the device, and does not wait; it ends with the test."""
        return self._start_program(words)

    def is_held(self, *words, seconds=SECONDS):
        """How a program that stays is held: `ended`, `suspended`, or None while it goes on. Where it cannot be started,
        because a mount takes no programs again already, it is tried again, and at last is as good as ended."""
        for _ in range(5):
            process = self.start_program(*words)
            deadline = time.monotonic() + seconds
            while (code := process.poll()) is None and time.monotonic() < deadline:
                # Who started it stops with it: then its own state tells which it is.
                states = [state_of(process.pid), *(state_of(child) for child in children_of(process.pid))]
                if states == ["T", "T"]:
                    return "suspended"
                if states[0] == "T":
                    process.send_signal(signal.SIGCONT)
                time.sleep(0.05)
            if code is None:
                return None
            if code != CANNOT_START:
                return "ended" if code in (-signal.SIGKILL, -signal.SIGTERM) else None
        return "ended"

    def is_ended(self, *words, seconds=SECONDS):
        """Whether a program that stays is ended."""
        return self.is_held(*words, seconds=seconds) == "ended"

    def write(self, name, text):
        """Writes a file of the device's /etc, as somebody who is in it does."""
        file = self.etc / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)

    def told(self, *words):
        """What a command answers for machines; its exit code and the answer."""
        code, said = self.ask(*words, "--json")
        try:
            return code, json.loads(said[said.index("{"):said.rindex("}") + 1])
        except ValueError:
            raise AssertionError(f"komainu {' '.join(words)} --json: exit {code}: {said[-2000:]}") from None

    def findings(self):
        """Each finding, of the four surveys and besides: the measure, and what was found."""
        _, told = self.told("selfcheck")
        found = [*every(told, "findings"), *told["others"]]
        return sorted((finding["measure"], finding["what"]) for finding in found)

    def outcome(self, measure):
        """What `komainu harden` says of a measure: strong, weak, cannot tell or cannot enforce."""
        _, told = self.told("harden")
        return next(row["outcome"] for row in every(told, "measures") if row["id"] == measure)


def every(told, name):
    """The members of every list of this name in an answer, however deep."""
    if isinstance(told, dict):
        for key, value in told.items():
            if key == name and isinstance(value, list):
                yield from value
            else:
                yield from every(value, name)
    elif isinstance(told, list):
        for value in told:
            yield from every(value, name)
