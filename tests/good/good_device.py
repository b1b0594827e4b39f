"""A good device: one personality on its board, with the real agent as its maker has set it, and one owner."""

import re

from board import Board
from gate import DEFAULT, Gate
from net import DEVICE_LAN, WAN
from place import KOMAINU, PATIENCE, command, need, wait_until
from walled import OnMachine, Walled, every

#: Findings with more weight than this are findings.
TOLD = "told"
#: What the wall may do on a device that is as its maker wants it.
MAY = {"hold-watchdog"}
#: One line a file: what may have changed, and its content; run on the device itself, for its links lead there.
TREE = """for place in {places}; do [ ! -e $place ] || find $place/ -xdev \\( -type f -o -type l \\) -exec stat -c '%n %F %a %u %g' {{}} + \
-exec sha256sum {{}} + ; done 2>/dev/null"""
#: Where the wall edits, locks, restores and takes away.
PLACES = ("/etc", "/root", "/var/spool/cron", "/home", "/opt")


class GoodDevice(Walled):
    """`personality` says what it is; `enforce` whether its maker enforces everything, or nothing more than is shipped."""

    def __init__(self, place, personality, enforce=True, **more):
        self.personality, self.flash = personality, place.path("flash")
        self.flash.mkdir()
        rows = personality.services
        super().__init__(place, services=(), **more)
        self.allowed, self.rows = (), rows
        wall = {"kind": personality.kind, **personality.wall}
        if enforce:
            wall["enforce"] = ["all"]
        self.settings["wall"] = wall
        self.restarts = place.path("device") / "restarted"
        self.settings["boot"]["reboot_command"] = ["/bin/touch", str(self.restarts)]
        self.settings["gate"] |= personality.gate
        self.seen = 0

    def _make_etc(self):
        """The maker's files: below `firmware`, what is in front of the machine's own."""
        own = self.firmware.build(self.folder, KOMAINU)
        # The agent is at /usr, and so is all else of the firmware that can be run.
        self.own = self.folder / "image"
        self.own.mkdir()
        own.rename(self.own / "usr")
        for name, text in self.personality.files(DEFAULT).items():
            file = self.own / name
            file.parent.mkdir(parents=True, exist_ok=True)
            if isinstance(text, bytes):
                file.write_bytes(text)
            else:
                file.write_text(text)
            if text[:2] in ("#!", b"#!"):
                file.chmod(0o755)
            if file.name == "shadow":
                file.chmod(0o600)
        for folder in ("etc", "var/lib"):
            (self.own / folder).mkdir(parents=True, exist_ok=True)
        self.personality.finish(self)
        # Of the host in the LAN.
        self.etc.mkdir()
        (self.etc / "resolv.conf").write_text(f"nameserver {DEVICE_LAN[4]}\n")

    def _own_mounts(self, name, script):
        if name != "device":
            return Gate._own_mounts(self, name, script)
        return self.boot()

    def boot(self):
        """The power comes on."""
        it = self.personality
        image = self.folder / f"image-{Board.starts}"
        (self.own / "usr/lib").mkdir(parents=True, exist_ok=True)
        # Programs are this machine's, below the firmware's own; its services are not: a whiteout hides them.
        command(need("mksquashfs", "squashfs-tools"), self.own, image, "-quiet", "-no-progress", "-noI", "-noD", "-noF",
                "-noX", "-p", "usr/lib/systemd c 644 0 0 0 0")
        self.machine = Board(self.place, self.net, image, self.flash, layout=it.layout, init=it.init,
                             exec_tmp=it.exec_tmp)
        return self.machine.words()

    def restart(self):
        """The power goes, and comes again."""
        if self.running:
            self.kill()
        self.machine.cut()
        self.boot()
        self.agent = OnMachine(self.machine)
        self.vendor()

    def is_online(self):
        """A host of the LAN reaches the WAN; where the device is no router, it does so itself."""
        if self.personality.kind != "router":
            return "wan" in self.machine.run("sh", "-c", f"echo '?' | busybox nc -w 2 {WAN[4]} 443").stdout
        return self.net.says("lan", 4, 1, (WAN[4], 443)) == "wan"

    def vendor(self):
        """Waits until all that the maker starts is there."""
        for words in self.personality.runs:
            wait_until(lambda words=words: self.machine.runs(*words), f"{' '.join(words)} runs", 30)

    def settings_text(self):
        lists = "".join(f"\n[[{table}]]\n" + "".join(f"{key} = {_value(value)}\n" for key, value in row.items())
                        for table, row in self.rows)
        return Gate.settings_text(self) + lists

    def shadow(self):
        text = self.machine.run("cat", "/etc/shadow").stdout
        return re.search(r"^root:([^:]*):", text, re.M)[1]

    def shell(self, script, *, must=True, seconds=PATIENCE):
        """Runs a line of shell on the device; what it said."""
        done = self.machine.run("sh", "-c", script, seconds=seconds)
        assert done.returncode == 0 or not must, f"{script}: exit {done.returncode}: {done.stderr or done.stdout}"
        return done.stdout

    def tree(self):
        """What is in the places that the wall could edit: by name, what it is and holds."""
        places = (*PLACES, *self.personality.places)
        found = {}
        for line in self.machine.run("sh", "-c", TREE.format(places=" ".join(places))).stdout.splitlines():
            if re.match("[0-9a-f]{64}  ", line):
                found.setdefault(line[66:].replace("//", "/"), []).append(line[:64])
            else:
                name, _, what = line.partition(" ")
                found.setdefault(name.replace("//", "/"), []).append(what)
        return {name: " ".join(sorted(what)) for name, what in found.items()}

    def take_turns(self, count=2):
        """Returns once the wall has looked at everything so often since now: a request is taken before a turn, so that the
        next one is taken after it. An incident that does not exist is ended, which changes nothing."""
        request = self.folder / "run" / "request"
        for _ in range(count + 1):
            assert self.running.poll() is None, f"the agent ended: {self.said()[-2000:]}"
            code, said = self.ask("incident", "release")
            assert code == 0, f"{code} {said}"
            wait_until(lambda: not request.exists(), "the agent takes a request")

    def news(self):
        """Lines of the agent's log since the last time."""
        lines = self.said().splitlines()
        new, self.seen = lines[self.seen:], len(lines)
        return new

    def heavy(self):
        """Findings with more weight than `told`, by the agent's own report."""
        _, told = self.told("harden")
        return sorted(f"{one['evidence']} {one['measure']}: {one['what']}" for one in every(told, "findings")
                      if one["evidence"] != TOLD)

    def stopped(self):
        """Programs that are suspended."""
        said = self.machine.run("sh", "-c", "cat /proc/[0-9]*/stat").stdout
        return [line for line in said.splitlines() if re.match(r"\d+ \(.*\) T", line)]

    def state_files(self):
        """The state folder: each file with its content and when it was written."""
        return {str(file): (file.stat().st_mtime_ns, file.read_bytes()) for file in sorted(self.state.rglob("*"))
                if file.is_file()}


def _value(value):
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list):
        return "[" + ", ".join(_value(one) for one in value) + "]"
    return f'"{value}"' if isinstance(value, str) else str(value)
