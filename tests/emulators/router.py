"""A router in the machine: a WAN and a LAN beside it, what its maker put there, and the agent with its settings.

The agent runs as on a device: in the machine's own network, among its processes, beside its busybox.
"""

import json
import re

import uboot
from machine import SECONDS, Machine
from place import ROOT

#: The password that such devices were shipped with, as its hash by SHA-256 crypt; and a good one.
DEFAULT_HASH = "$5$shipped$vz3Npg7FOROl3RRoO4yfF5KXDwC9P.CukrfiIwD2E96"
PASSWORD = "Kaki-no-ki 7 Tsuru"
WAN = {4: "203.0.113.2", 6: "2001:db8:1::2"}
DEVICE_WAN = {4: "203.0.113.1", 6: "2001:db8:1::1"}
DEVICE_LAN = {4: "192.168.1.1", 6: "2001:db8:2::1"}
LAN = {4: "192.168.1.20", 6: "2001:db8:2::20"}
PAGE = 8600
LOG = "/var/log/komainu"
#: In the words of the machine's shell. Busybox's own time limit of wget (-T) ends this wget by a crash.
PAGE_ANSWERS = f"at lan timeout 30 wget -q -O /dev/null http://{DEVICE_LAN[4]}:{PAGE}/"
VENDORS_PAGE = "the vendor's page"
KOMAINU = "komainu --settings /etc/komainu.toml --testing"


class Router:
    """A machine with three networks whose agent does not run yet. `wall` is the table [wall] of its settings.
    `services` are programs with what they may listen on. Without `network` there are no links yet: the script of that
    name makes them. `more` is for the machine."""

    def __init__(self, place, *, firewall="nft", wall=None, files=None, network=True, services=(), **more):
        self.services = services
        environment = uboot.Environment.make(place.path("environment/env").parent)
        self.settings = {
            "device": {"board": "gate-1", "id": "emulated", "release": 1, "version": "1.0.0"},
            "server": {"metadata_url": f"http://{WAN[4]}:9/metadata/", "targets_url": f"http://{WAN[4]}:9/targets/"},
            "trust": {"root": "/usr/share/komainu/root.json"},
            "poll": {"first_within_seconds": 3600},
            # The defaults would restart the machine.
            "boot": {"reboot_command": []},
            "reset": {"restart": False},
            "log": {"to": "stderr"},
            "gate": {"lan": ["br-lan"], "firewall": firewall, "hash": "sha256"},
        }
        self.settings["wall"] = wall or {"kind": "router"}
        policies = (ROOT / "agent/dist/policies").glob("*.toml")
        self.machine = Machine(place, iptables=firewall == "iptables", files={
            "etc/komainu.toml": self.settings_text(),
            **{f"usr/share/komainu/policies/{policy.name}": policy.read_text() for policy in policies},
            "usr/share/komainu/root.json": (ROOT / "keys-example/root.json").read_bytes(),
            "etc/fw_env.config": "".join(f"/etc/env {copy * uboot.SIZE:#x} {uboot.SIZE:#x}\n" for copy in range(2)),
            "etc/env": environment.bytes(),
            **{f"slots/{part}-{slot}": bytes(4096) for part in ("kernel", "rootfs") for slot in "ab"},
            "etc/passwd": "root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534::/:/bin/false\n",
            "etc/group": "root:x:0:\nnogroup:x:65534:\n",
            "etc/shadow": (f"root:{DEFAULT_HASH}:19000:0:99999:7:::\nnobody:*:19000::::::\n", 0o600),
            "etc/shells": "/bin/sh\n",
            "www/index.html": f"{VENDORS_PAGE}\n",
            **(files or {}),
        }, **more)
        self.must, self.run = self.machine.must, self.machine.run
        if network:
            self.must("network")

    def settings_text(self, parts=None):
        """The text of the settings; the parts of the slots are small files, or other places by name."""
        lines = []
        for table, keys in self.settings.items():
            lines += [f"[{table}]"] + [f"{key} = {json.dumps(value)}" for key, value in keys.items()]
        parts = parts or {part: [f"/slots/{part}-{slot}" for slot in "ab"] for part in ("kernel", "rootfs")}
        for part, slots in parts.items():
            lines += ["[[part]]", f'name = "{part}"', *(f'{slot} = "{place}"' for slot, place in zip("ab", slots))]
        for program, listens in self.services:
            lines += ["[[service]]", f'program = "{program}"', f"listens = {json.dumps(listens)}"]
        return "\n".join(lines) + "\n"

    def komainu(self, *words, stdin=""):
        """Runs a command of komainu that must succeed; what it says."""
        typed = f"echo '{stdin}' | " if stdin else ""
        return self.must(f"{typed}{KOMAINU} {' '.join(words)}")

    def status(self):
        """What the agent says of the device, looked at anew."""
        return json.loads(self.must(f"{KOMAINU} status --json 2>/dev/null", ))

    def start(self):
        """Starts the agent as a device does, and waits until its page answers; its process number."""
        number = self.machine.start(f"{KOMAINU} run", LOG)
        try:
            self.machine.wait(f"{PAGE_ANSWERS} || ! kill -0 {number}", "the page answers")
            self.must(f"kill -0 {number}")
        except AssertionError as why:
            raise AssertionError(f"{str(why).splitlines()[0]}; the agent's log:\n{self.log()}") from None
        return number

    def log(self):
        """What the agent has logged since its start."""
        return self.run(f"cat {LOG}").out

    def telnetd(self, port=23):
        """Starts a telnetd without a password, as an attacker finds it; its process number. It listens, or has been
        ended."""
        number = self.machine.start(f"telnetd -F -p {port} -l /bin/sh")
        listens = f"netstat -ltn | grep -q ':{port} '"
        self.machine.wait(f"{listens} || ! kill -0 {number}", f"telnetd listens on {port}")
        return number

    def is_reached(self, where, address, *ports, as_="open"):
        """Whether connections from somewhere come to this at every port. Silence is asked again: beside other work an
        answer may take longer than it is waited for."""
        for _ in range(20):
            found = self.reaches(where, address, *ports)
            if found == as_:
                return True
            if "silent" not in (found.values() if isinstance(found, dict) else [found]):
                break
        return False

    def reaches(self, where, address, *ports):
        """What comes of connections from somewhere, tried at once: "open", "refused", or "silent" for two seconds. A
        word for each port, or one word if all are the same."""
        said = self.must(f"""for port in {" ".join(map(str, ports))}; do
            {{ words=$(at {where} timeout 60 nc -w 2 {address} $port </dev/null 2>&1 >/dev/null)
            echo $port $? $words; }} &
            done; wait""")
        found = {}
        for line in said.splitlines():
            port, code, words = (line + " ").split(" ", 2)
            known = ("refused", "refused"), ("timed out", "silent"), ("unreachable", "unreachable")
            meanings = ["open"] if code == "0" else [meaning for word, meaning in known if word in words]
            assert meanings, f"nc from {where} to {address} says: {line}"
            found[int(port)] = meanings[0]
        assert set(found) == set(ports), f"of {ports} only {said}"
        return found[ports[0]] if len(set(found.values())) == 1 else found

    def get(self, where, address, port=80):
        """The page that is there, or what wget says of its absence."""
        host = f"[{address}]" if ":" in address else address
        return self.run(f"at {where} timeout 60 wget -q -O - 'http://{host}:{port}/'").out

    def vanishes(self, number, what, seconds=SECONDS):
        """Waits until a process is gone, or only waits to be collected; how many seconds that took."""
        alive = f"grep -q '^State:[[:space:]]*[^ZX[:space:]]' /proc/{number}/status"
        return self.machine.wait(f"! {alive}", f"{what} is ended", seconds)

    def processor_seconds(self, number):
        """How long a process has been on the processor; of the kernel's ticks, or more exactly where it counts so."""
        said = self.must(f"cat /proc/{number}/stat; cat /proc/{number}/schedstat 2>/dev/null || true").splitlines()
        if len(said) > 1 and int(said[1].split()[0]):
            return int(said[1].split()[0]) / 1e9
        user, system = said[0].rpartition(")")[2].split()[11:13]
        return (int(user) + int(system)) / 100

    def memory_kib(self, number):
        """The resident memory of a process, most so far and now."""
        said = self.must(f"cat /proc/{number}/status")
        return tuple(int(re.search(rf"{name}:\s+(\d+)", said)[1]) for name in ("VmHWM", "VmRSS"))

    def page_process(self, agent):
        """The number of the page's process, the agent's child."""
        return int(self.must(f"cat /proc/{agent}/task/{agent}/children").split()[0])
