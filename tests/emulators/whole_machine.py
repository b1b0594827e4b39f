"""A whole machine under QEMU: power, a boot loader in flash, storage that stays, two cables and a serial console.

A board says what the machine is made of; whole_networks.py has the cables; firmware.py what is in the slots. Nothing is
taken for granted that a real device does not do: each start begins in the boot loader, and a power cut is a kill of the
emulator, with what it has written on its disk.
"""

import base64
import os
import re
import select
import socket
import subprocess
import time
from pathlib import Path

from machine import DIE_WITH_US, KINDS, Said
from place import need, wait_until
from whole_networks import MAC, Cables

#: From power on until the machine says that it is up: emulation is slow, and slower beside other work.
UP_SECONDS = 900
#: How long a script may take in the machine.
SECONDS = 300
#: The machine's last line of a start, on the console: its uptime, version and slot.
UP = re.compile(rb"board up (?P<uptime>[\d.]+) s, version (?P<version>\S+), slot (?P<slot>\w)")
#: What every start begins with.
BOOT_LOADER = b"U-Boot 20"


class Board:
    """What a kind of machine is made of. Each board is a class of this with these values and methods.

    `name` is the board's in tests and artefacts, `kind` its row in `machines` (Debian's kernel and programs), `agent` the
    folder below target/device. `console` is the terminal of the kernel's messages, `control` that of the tests' scripts.
    `nic` is QEMU's network card; `modules` are loaded by the firmware, `early` by its initramfs (each with what it
    needs). `parts` are the parts of a slot: settings of the agent name them.
    """

    name = kind = nic = console = control = ""
    modules, early = (), ()
    #: Modules of the initramfs that `find_root` loads.
    later = ()
    #: What makes the folder of its kernel and programs.
    made_by = "tests/emulators/setup"
    #: Parameters of these modules, by name.
    parameters = {}
    #: A script for the start image: sets `root` to the device with the root of `slot`.
    find_root = ""
    #: Whether the firmware masquerades what the LAN sends to the WAN, by nftables; else it only routes.
    masquerades = True
    #: The kernel's name of the medium whose writes are counted, below /sys/block.
    disk = ""
    #: How the agent's settings name the parts of a slot: part → (slot a, slot b).
    parts = {}

    @property
    def row(self):
        """Its row in `machines`."""
        return KINDS[self.kind]

    @property
    def agent(self):
        """The folder below target/device."""
        return self.row.agent

    @property
    def megabytes(self):
        """The memory."""
        return self.row.megabytes

    def files(self):
        """Files of the firmware that only this board has, by path: content, or (content, mode). Among them are
        /etc/fw_env.config and /etc/board, a script that is sourced before the firewall and the network: it mounts the
        state partition at /data and, if it must, what the boot environment lies on."""
        raise NotImplementedError

    def settings(self):
        """Tables of the agent's settings that only this board has: {table: {key: value}}."""
        return {}

    def images(self, kernel, initramfs, rootfs, folder):
        """Makes the image of each part of a slot: {part: file}. `rootfs` is a squashfs."""
        raise NotImplementedError

    def factory(self, images, folder):
        """Makes the files of a machine as it leaves the factory: slot a has `images`, the boot environment names it, the
        state is empty."""
        raise NotImplementedError

    def qemu(self, folder, control):
        """The emulator and its words for these files: machine, memory, boot loader, storage, and the port of the tests'
        scripts, which is the unix socket `control` (a server). Cables and the console are added."""
        raise NotImplementedError


class WholeMachine:
    """A machine that is off. `folder` has the board's files, as `board.factory` made them."""

    def __init__(self, place, board, folder, cables=None):
        self.place, self.board, self.folder = place, board, Path(folder)
        self.cables = cables or Cables(place)
        self.console = self.folder / "console.log"
        self.process, self.control, self.number, self.starts, self.powered = None, None, 0, 0, 0.0
        place.undo.callback(self.power_cut)

    @property
    def is_on(self):
        """Whether the emulator runs."""
        return self.process is not None and self.process.poll() is None

    def power_on(self):
        """Power: the boot loader starts. Hands back the mark before its first word."""
        assert not self.is_on, "the machine is on"
        mark = self.mark()
        self.starts += 1
        control, serial = self.folder / "control", self.folder / "serial"
        for old in (control, serial):
            old.unlink(missing_ok=True)
        plugs = {name: self.cables.plug(name) for name in ("lan", "wan")}
        # The console is the first serial port.
        words = ["-chardev", f"socket,id=serial,path={serial},server=on,wait=off,logfile={self.console},logappend=on",
                 "-serial", "chardev:serial", *self.board.qemu(self.folder, control),
                 "-vga", "none", "-display", "none", "-monitor", "none"]
        for name, plug in plugs.items():
            words += ["-netdev", f"tap,id={name},fd={plug}", "-device", f"{self.board.nic},netdev={name},mac={MAC[name]}"]
        program = need(self.board.row.program, self.board.row.package)
        with open(self.folder / "qemu.log", "a", encoding="utf-8") as log:
            self.process = subprocess.Popen([*DIE_WITH_US, program, *map(str, words)], stdin=subprocess.DEVNULL,
                                            stdout=log, stderr=log, pass_fds=list(plugs.values()))
        self.powered = time.monotonic()
        for plug in plugs.values():
            os.close(plug)
        wait_until(lambda: control.exists() or not self.is_on, "the emulator has its ports")
        assert self.is_on, f"the emulator does not start: {(self.folder / 'qemu.log').read_text()[-500:]}"
        self.control = socket.socket(socket.AF_UNIX)
        self.control.connect(str(control))
        return mark

    def power_cut(self):
        """The power goes, whatever the machine does: nothing in it is asked."""
        if self.control:
            self.control.close()
            self.control = None
        if self.process:
            self.process.kill()
            self.process.wait()

    def off(self):
        """The machine is asked to turn itself off, as a person does with a button; then the power goes."""
        self.say("poweroff")
        wait_until(lambda: not self.is_on, "the machine turns itself off", SECONDS)
        self.power_cut()

    def seconds(self):
        """Since the power came."""
        return time.monotonic() - self.powered

    def host_seconds(self):
        """How long the emulator has been on the host's processors."""
        user, system = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()[11:13]
        return (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")

    # The console, which everything that starts writes to.

    def mark(self):
        """Where the console's log ends now."""
        return self.console.stat().st_size if self.console.exists() else 0

    def said(self, since=0):
        """What the console said from a mark on."""
        with open(self.console, "rb") as log:
            log.seek(since)
            return log.read()

    def waits(self, pattern, what, since, seconds=UP_SECONDS):
        """Waits until the console says this, from a mark on; the match."""
        wanted = re.compile(pattern.encode() if isinstance(pattern, str) else pattern)
        try:
            return wait_until(lambda: wanted.search(self.said(since)) or self._over(), what, seconds)
        except AssertionError as why:
            raise AssertionError(f"{why}\n{self.last_words(since)}") from None

    def runs(self, since):
        """Whether a start from a mark on has come to its end, and no other has begun."""
        said = self.said(since)
        ups = list(UP.finditer(said))
        return bool(ups) and BOOT_LOADER not in said[ups[-1].start():]

    def up(self, since, seconds=UP_SECONDS):
        """Waits until the machine is up; the version and the slot that run."""
        found = self.waits(UP.pattern, "the machine is up", since, seconds)
        # A port that has just been opened may lose what was sent first: nothing that matters is sent until it answers.
        wait_until(lambda: self._answers(), "the machine's port answers", seconds)
        return found["version"].decode(), found["slot"].decode()

    def _over(self):
        if not self.is_on:
            raise AssertionError("the emulator has ended")

    def last_words(self, since=0, lines=40):
        """The end of what the console said."""
        return "\n".join(self.said(since).decode(errors="replace").splitlines()[-lines:])

    # Scripts, by a port of their own: no network is needed, and none is seen.

    def say(self, script):
        """Sends a script to the machine, and does not wait for its end."""
        self.number += 1
        self.control.sendall(f"{self.number} {base64.b64encode(script.encode()).decode()}\n".encode())

    def run(self, script, seconds=SECONDS):
        """Runs a shell script in a machine that is up, and waits for its end. The code is -1 where the machine starts
        anew before that."""
        mark = self.mark()
        self.say(script)
        heard, end, deadline = b"", f"end {self.number}\n".encode(), time.monotonic() + seconds
        while end not in heard:
            left = deadline - time.monotonic()
            assert left > 0, f"after {seconds} s still not so: this ends: {script}\n{heard[-300:]!r}\n{self.last_words()}"
            if BOOT_LOADER in self.said(mark):
                return Said(-1, "the machine started anew")
            if select.select([self.control], [], [], min(left, 1))[0]:
                more = self.control.recv(1 << 16)
                assert more, f"the emulator ended before this: {script}\n{self.last_words()}"
                heard += more.replace(b"\r", b"")
        _, found, answer = heard.partition(f"code {self.number} ".encode())
        assert found, f"the machine's answer is not one: {heard[:200]}"
        code, _, said = answer.partition(b"\n")
        return Said(int(code), base64.b64decode(said.partition(b"end ")[0]).decode(errors="replace"))

    def _answers(self):
        """Whether a script that does nothing is answered in a moment."""
        try:
            return self.run("true", 10).code == 0
        except AssertionError:
            self._over()
            return False

    def must(self, script, seconds=SECONDS):
        """The same for a script that must succeed; what it said."""
        said = self.run(script, seconds)
        assert said.code == 0, f"exit {said.code}: {script}\n{said.out}"
        return said.out
