"""A machine under QEMU: started, worked with by its serial port, and ended with the test, whatever happens.

`machines` says which there are, `setup` fetches what they are made of, image.py puts it together.
"""

import base64
import contextlib
import os
import re
import select
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

import image
from place import DEVICE_BUILDS, ROOT, Skip, need

HERE = Path(__file__).resolve().parent
FOLDER = Path(os.environ.get("KOMAINU_EMULATORS") or ROOT / "work/emulators")
#: Emulation is slow, and slower beside other work.
BOOT_SECONDS = 900
#: How long a script may take, and how long what must come is waited for, in the machine's seconds, which are the host's.
SECONDS = 300
#: A machine with a chip: its megabytes, what the kernel is told of them, and the chip's own as `phram` is told.
CHIP_MEMORY, CHIP_WORDS, CHIP = "80", ("mem=55M@1M", "mem=16M@64M"), "phram=chip,56Mi,8Mi,64ki"
#: Even a test that is killed leaves no machine behind.
DIE_WITH_US = ("setpriv", "--pdeathsig", "KILL")


@dataclass
class Kind:
    """A row of `machines`."""

    name: str
    architecture: str
    kernel: str
    iptables: str
    agent: str
    package: str
    program: str
    board: str
    megabytes: str
    console: str
    control: str


KINDS = {
    row.split()[0]: Kind(*row.split())
    for row in (HERE / "machines").read_text().splitlines()
    if row and not row.startswith("#")
}


@dataclass
class Said:
    """How a script in the machine ended."""

    code: int
    out: str


class Machine:
    """A machine that runs. `files` are put into its image: content by path, or (content, mode). `words` are for the
    kernel's command line. `flash` are modules of flash by name, with their parameters. `chip` is a file that keeps
    the machine's memory, of which the kernel leaves some alone: a NOR chip (`phram`) there survives a power cut.
    `chip_memory` are the machine's megabytes then, and the words that tell the kernel which of them are its own."""

    def __init__(self, place, kind="malta", *, files=None, iptables=False, words=(), flash=None, chip=None,
                 chip_memory=(CHIP_MEMORY, CHIP_WORDS)):
        self.kind = KINDS[kind]
        folder = FOLDER / kind
        if not (folder / "wanted").is_file():
            raise Skip(f"needs tests/emulators/setup, or KOMAINU_EMULATORS is not its folder ({FOLDER})")
        agent = DEVICE_BUILDS / self.kind.agent / "komainu"
        if not agent.is_file():
            raise Skip(f"cross/build {self.kind.agent} has not been run, or KOMAINU_DEVICE is not its folder")
        began = time.monotonic()
        archive = place.path("machine.cpio")
        image.of_machine(folder, agent, self.kind.control, files or {}, iptables, flash).write(archive)
        self.console = place.path("console")
        self.number, self.heard, self.ended, self.listens = 0, b"", False, True
        one_port = self.kind.console == self.kind.control
        ports = [*(["-serial", f"file:{self.console}"] * (not one_port)), "-serial", "stdio"]
        memory, board = self.kind.megabytes, self.kind.board
        if chip:
            memory, board = chip_memory[0], f"{board},memory-backend=chip"
            ports += ["-object", f"memory-backend-file,id=chip,size={memory}M,mem-path={chip},share=on"]
            words = [*words, *chip_memory[1]]
        # A panic ends the machine, which is noticed at once.
        append = ("panic=-1", f"console={self.kind.console}", "komainu.slot=a", *words)
        self.qemu = subprocess.Popen(
            [*DIE_WITH_US, need(self.kind.program, self.kind.package), "-M", board,
             "-m", memory, "-kernel", folder / "kernel", "-initrd", archive, "-append", " ".join(append),
             "-nic", "none", "-vga", "none", "-display", "none", "-monitor", "none", "-no-reboot", *ports],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, bufsize=0)
        place.undo.callback(self.end)
        said = self._until(b"ready\n", BOOT_SECONDS, "it starts")
        if one_port:
            self.console.write_bytes(said)
        self.boot_seconds = time.monotonic() - began
        messages = self.console.read_text(errors="replace")
        broken = re.findall(r"^module .*|.*Initramfs unpacking failed.*", messages, re.M)
        assert not broken, f"the machine is not whole: {broken}"

    def run(self, script, seconds=SECONDS):
        """Runs a shell script in the machine, and waits for its end."""
        self.number += 1
        self._send(f"{self.number} {base64.b64encode(script.encode()).decode()}\n".encode())
        heard = self._until(f"end {self.number}\n".encode(), seconds, f"this ends:\n{script}")
        _, found, answer = heard.partition(f"code {self.number} ".encode())
        assert found, f"the machine's answer is not one: {heard[:200]}"
        code, _, said = answer.partition(b"\n")
        return Said(int(code), base64.b64decode(said).decode(errors="replace"))

    def must(self, script, seconds=SECONDS):
        """The same for a script that must succeed; what it said."""
        said = self.run(script, seconds)
        assert said.code == 0, f"exit {said.code}: {script}\n{said.out}"
        return said.out

    def start(self, command, log="/dev/null"):
        """Starts a command that goes on; its process number."""
        return int(self.must(f"{command} </dev/null >{log} 2>&1 & echo $!"))

    def wait(self, condition, what, seconds=SECONDS):
        """Waits, in the machine, until a command succeeds; how many of the machine's seconds that took."""
        script = f"""began=$(cut -d ' ' -f 1 /proc/uptime)
            for _ in $(seq {seconds * 20}); do
                if {condition} >/dev/null 2>&1; then echo $began $(cut -d ' ' -f 1 /proc/uptime); exit 0; fi
                [ $(cut -d . -f 1 /proc/uptime) -lt $((${{began%.*}} + {seconds})) ] || break
                usleep 50000
            done
            exit 1"""
        said = self.run(script, 3 * seconds + 30)
        assert said.code == 0, f"after {seconds} s still not so: {what}\n{said.out}"
        began, ended = map(float, said.out.split()[-2:])
        return ended - began

    def uptime(self):
        """How long the machine runs, by its own clock."""
        return float(self.must("cat /proc/uptime").split()[0])

    def end(self):
        """Ends it: by a restart, which ends the emulator as well; if it does not listen, as a power cut does."""
        if self.ended:
            return
        self.ended = True
        try:
            if self.listens and self.qemu.poll() is None:
                self._send(f"{self.number + 1} {base64.b64encode(b'reboot -f').decode()}\n".encode())
                self.qemu.wait(120)
        except subprocess.TimeoutExpired:
            pass
        finally:
            self.cut()

    def cut(self):
        """Cuts the power: nothing in the machine is asked."""
        self.ended = True
        self.qemu.kill()
        self.qemu.wait()
        self.qemu.stdin.close()
        self.qemu.stdout.close()

    def _send(self, line):
        # Who does not hear because it has ended is noticed by what it does not say.
        with contextlib.suppress(BrokenPipeError):
            self.qemu.stdin.write(line)

    def _until(self, end, seconds, what):
        """What the machine says up to this end, without it."""
        deadline = time.monotonic() + seconds
        self.listens = False
        while end not in self.heard:
            left = deadline - time.monotonic()
            if left <= 0:
                raise AssertionError(f"after {seconds} s still not so: {what}\n{self._last_words()}")
            if select.select([self.qemu.stdout], [], [], left)[0]:
                more = os.read(self.qemu.stdout.fileno(), 1 << 16)
                if not more:
                    raise AssertionError(f"the machine ended before {what}\n{self._last_words()}")
                self.heard += more.replace(b"\r", b"")
        said, _, self.heard = self.heard.partition(end)
        self.listens = True
        return said

    def _last_words(self):
        console = self.console.read_text(errors="replace") if self.console.exists() else ""
        return f"heard: {self.heard[-500:]!r}\nits console:\n" + "\n".join(console.splitlines()[-30:])
