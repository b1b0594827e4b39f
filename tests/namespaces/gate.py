"""A device with a gate, between a WAN and a LAN: the real agent, the vendor's services beside it, and its own /etc.

The device has a network and mounts of its own: what is written to its /etc/shadow is a file of the test, and the real
login programs read it there.
"""

import os
import re
import signal
import socket
import subprocess
import time
from pathlib import Path

from browser import Browser
from device import Agent, Device
from login import crypt
from net import DEVICE_LAN, DIE_WITH_US, WAN, Net, Services, programs
from place import PATIENCE, ROOT, command, end, need, wait_until

#: The password that such devices were shipped with.
DEFAULT = "vendor1234"
#: A good one.
PASSWORD = "Kaki-no-ki 7 Tsuru"
#: What the vendor lets listen besides; TCP 22, 53 and 80, UDP 53 and 67 are real programs.
VENDOR_TCP = (23, 443, 554, 5555, 7547, 8443, 37215, 48101, 49152, 52869)
VENDOR_UDP = (17, 19, 69, 111, 123, 137, 161, 389, 500, 520, 1900, 3283, 3702, 5353, 5683, 10001, 11211, 37810)
UDP_PORTS = (*VENDOR_UDP, 53, 67, 68, 546, 547)
PAGE = 8600
#: What the page says when the agent does not answer it for some time.
LATE = "takes longer than usual"
#: Nobody's: what a device is pointed at that shall not poll.
NO_SERVER = f"http://{WAN[4]}:9/"
EXAMPLE = ROOT / "keys-example"

#: The device has its own /etc, and the programs that log in write who did to nobody else's lists.
DEVICE_MOUNTS = """mount --bind "$1" /etc && mount -t tmpfs none /run && mount -t tmpfs none /var/log || exit 1
mount -t sysfs sysfs /sys
: > "$2"
exec sleep infinity
"""
#: A client in the LAN asks the device for names.
CLIENT_MOUNTS = """mount --bind "$1/resolv.conf" /etc/resolv.conf || exit 1
: > "$2"
exec sleep infinity
"""


class Gate(Device):
    """A device whose gate is closed, and whose agent does not run yet. `gate` are more keys of [gate]."""

    def __init__(self, place, kind="nft", *, root=None, server=NO_SERVER, gate=None, polls=False):
        for program, package in (("dnsmasq", "dnsmasq-base"), ("busybox", "busybox"), ("dropbear", "dropbear-bin"),
                                 ("dbclient", "dropbear-bin")):
            need(program, package)
        self.net = Net(place)
        self.kind = kind
        super().__init__(place, root or (EXAMPLE / "root.json").read_bytes(), server)
        self.etc = self.folder / "etc"
        self._make_etc()
        self.agent = Agent(runner=self._own_mounts("device", DEVICE_MOUNTS))
        self.client = self._own_mounts("lan", CLIENT_MOUNTS)
        self.more = {"PATH": self._path()}
        self.settings["gate"] = {"lan": ["br0"], "firewall": kind, "hooks_directory": str(self.folder / "hooks"),
                                 "hash": "sha256", **(gate or {})}
        # The default would restart the machine that runs the tests.
        self.settings["reset"] = {"restart": False}
        self.settings["boot"]["reboot_command"] = []
        if not polls:
            self.settings["poll"] = {"first_within_seconds": 3600}
        self.running, self.starts = None, 0
        self.browser = Browser(self.net)

    def _path(self):
        """Where the agent finds programs: for iptables, in a folder with the old kind that needs no nf_tables."""
        if self.kind != "iptables":
            return os.environ["PATH"]
        names = [name + ending for name in ("iptables", "ip6tables") for ending in ("", "-restore", "-save")]
        return f"{programs(self.place, 'legacy', *names)}:{os.environ['PATH']}"

    def _make_etc(self):
        self.etc.mkdir()
        shell = "/bin/sh"
        (self.etc / "passwd").write_text(f"root:x:0:0:root:/root:{shell}\nnobody:x:65534:65534::/:/bin/false\n")
        (self.etc / "group").write_text("root:x:0:\nnogroup:x:65534:\n")
        (self.etc / "shells").write_text(f"{shell}\n")
        shipped = crypt(DEFAULT, "$5$shipped$")
        (self.etc / "shadow").write_text(f"root:{shipped}:19000:0:99999:7:::\nnobody:*:19000::::::\n")
        (self.etc / "shadow").chmod(0o600)
        (self.etc / "resolv.conf").write_text(f"nameserver {DEVICE_LAN[4]}\n")

    def _own_mounts(self, name, script):
        """Mounts that only a namespace sees; the words that run a program in both."""
        ready = self.folder / f"{name}-has-mounts"
        network = ("nsenter", "-t", self.net.holders[name], "-n")
        own = ("unshare", "--mount", "--propagation", "private", "sh", "-c", script, "sh", self.etc, ready)
        holder = subprocess.Popen([str(word) for word in (*DIE_WITH_US, *network, *own)])
        self.place.undo.callback(holder.wait)
        self.place.undo.callback(holder.kill)
        wait_until(lambda: ready.exists() or holder.poll() is not None, "mounts of its own")
        assert holder.poll() is None, f"no mounts for {name}"
        return tuple(str(word) for word in (*DIE_WITH_US, "nsenter", "-n", "-m", "-t", holder.pid))

    def inside(self, *words):
        """The words that run a program on the device."""
        return [str(word) for word in (*self.agent.runner, *words)]

    def run_on_device(self, *words, seconds=PATIENCE):
        """Runs a program beside the agent, whether or not it succeeds."""
        return subprocess.run(self.inside(*words), capture_output=True, text=True, timeout=seconds, check=False,
                              stdin=subprocess.DEVNULL)

    def on_client(self, *words, seconds=PATIENCE, **more):
        """Runs a program in the LAN, whether or not it succeeds."""
        words = [str(word) for word in (*self.client, *words)]
        return subprocess.run(words, capture_output=True, text=True, timeout=seconds, check=False,
                              stdin=subprocess.DEVNULL, **more)

    def vendor(self):
        """Starts what the vendor has running on the device. It knows nothing of a gate."""
        www = self.folder / "www"
        www.mkdir()
        (www / "index.html").write_text("the vendor's page\n")
        key = self.folder / "hostkey"
        command("dropbearkey", "-t", "ed25519", "-f", key)
        for words in (
            ("busybox", "httpd", "-f", "-p", "80", "-h", www),
            ("dropbear", "-F", "-E", "-r", key, "-p", "22", "-P", self.folder / "dropbear.pid"),
            ("dnsmasq", "--no-daemon", "--conf-file=/dev/null", "--no-resolv", "--no-hosts", "--user=root", "--no-ping",
             "--quiet-dhcp", "--pid-file=", "--log-facility=/dev/null", f"--dhcp-leasefile={self.folder / 'leases'}",
             "--dhcp-range=192.168.1.100,192.168.1.150,1h", f"--address=/#/{WAN[4]}", f"--address=/#/{WAN[6]}"),
        ):
            self._start_program(words)
        Services(self.net, "device", "vendor", VENDOR_TCP, VENDOR_UDP)
        for port in (22, 53, 80):
            wait_until(lambda port=port: self.listens("device", DEVICE_LAN[4], port), f"the vendor's port {port}")

    def _start_program(self, words):
        with open(self.folder / "vendor.log", "a", encoding="utf-8") as log:
            process = subprocess.Popen(self.inside(*words), stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        self.place.undo.callback(end, process)
        return process

    def listens(self, where, address, port):
        """Whether a connection can be made."""
        version = 6 if ":" in address else 4
        probe = self.net.socket(where, version, socket.SOCK_STREAM)
        try:
            probe.connect((address, port))
            return True
        except OSError:
            return False
        finally:
            probe.close()

    def start(self, *words):
        """As of every device, but with a log of its own for every start."""
        self.starts += 1
        self.log = self.folder / f"log-{self.starts}"
        with open(self.log, "w", encoding="utf-8") as log:
            process = subprocess.Popen([*self.agent.words(), "--settings", self._settings_file(), "--testing", *words],
                                       stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=log, text=True,
                                       env={**os.environ, **self.more})
        self.place.undo.callback(process.stdout.close)
        self.place.undo.callback(end, process)
        return process

    def _settings_file(self):
        file = self.folder / "komainu.toml"
        file.write_text(self.settings_text())
        return str(file)

    def run(self, *, until=True):
        """Starts the agent as a device does; until its page is there."""
        self.running = self.start("run")
        self.running_log = self.log
        if until:
            wait_until(lambda: self.listens("lan", DEVICE_LAN[4], PAGE), "the page listens")
            # By what it asks for: small browsers are told with status 200 that the device is only starting, too.
            wait_until(lambda: (page := self.page(patient=False)) and re.search('action="/(setup|login)"', page.text),
                       "the page knows the state")
        return self.running

    def said(self):
        """What the running agent has logged."""
        return self.running_log.read_text()

    def kill(self):
        """Kills the agent as a power cut does."""
        self.running.kill()
        self.running.wait()

    def page_process(self):
        """The number of the page's process, if it runs."""
        number = self.running.pid
        for child in Path(f"/proc/{number}/task/{number}/children").read_text().split():
            if b"\0page\0" in Path(f"/proc/{child}/cmdline").read_bytes():
                return int(child)
        return None

    def kill_page(self):
        os.kill(self.page_process(), signal.SIGKILL)

    def restart_agent(self):
        self.kill()
        self.run()

    def ask(self, *words, stdin=""):
        """Runs a command of komainu on the device; its exit code and what it says."""
        words = [*self.agent.words(), "--settings", self._settings_file(), "--testing", *words]
        done = subprocess.run(words, input=stdin, capture_output=True, text=True, timeout=PATIENCE, check=False,
                              env={**os.environ, **self.more})
        return done.returncode, done.stdout + done.stderr

    def page(self, path="/", **more):
        """The page as the LAN sees it, whatever the state."""
        return self.browser.ask(path, port=PAGE, **more)

    def claim(self, password, **more):
        """Sets the first password by the page's form, as a person does; the answer."""
        return self.browser.send("/", "/setup", {"user": "root", "password": password, **more})

    def set_up(self):
        """Sets the password, which must succeed."""
        answer = self.claim(PASSWORD)
        # The page waits only so long for the agent: beside other work a person may have to look again.
        set_now = "password is set" in answer.text or LATE in answer.text
        assert answer.status == 200 and set_now, f"{answer.status} {answer.text}"
        wait_until(lambda: self.holds_password(PASSWORD), "the password is set")

    def shadow(self):
        """What the account holds."""
        return re.search(r"^root:([^:]*):", (self.etc / "shadow").read_text(), re.M)[1]

    def holds_password(self, password):
        """Whether the C library takes this password for the account."""
        field = self.shadow()
        return field.startswith("$") and crypt(password, field) == field

    def is_open(self, seconds=PATIENCE):
        """Whether it is open by the packets alone, at once or in a moment: an answer may be late."""
        return self.stands("open", seconds=seconds) == "open"

    def stands(self, *wanted, seconds=PATIENCE):
        """How it stands by the packets alone, once that is one of these; if it never is, what is so at the end."""
        deadline = time.monotonic() + seconds
        while (standing := self.standing()) not in wanted and time.monotonic() < deadline:
            pass
        return standing

    def standing(self):
        """By the packets alone: closed, open, or what is neither."""
        out = self.net.says("lan", 4, socket.SOCK_STREAM, (WAN[4], 443))
        # Where nobody serves the page nothing comes: then this is not the time to be patient.
        page = self.browser.ask("/", patient=False, seconds=10 if self.running and self.running.poll() is None else 1)
        is_vendors = page is not None and "the vendor's page" in page.text
        if out in ("refused", None) and not is_vendors:
            return "closed"
        if out == "wan" and is_vendors:
            return "open"
        return f"neither: LAN to WAN {out}, port 80 {page and page.text[:60]!r}"
