"""The whole life of a device, from its first power on to its factory reset, on any board: each step does what its maker,
its owner or an attacker does, waits for what must come of it, and puts a line into the timeline.

`whole_life.py` plays the steps in order; life_cuts.py has the power cuts.
"""

import json
import os
import re
import shutil
import time
from concurrent.futures import ThreadPoolExecutor

import firmware
import life_internet
import life_package
import login
from browser import Browser
from firmware import BARE, GOOD, PANICS, SICK, Firmware
from life_figures import Look
from maker import Workshop
from place import ROOT, command, need, wait_until
from timeline import Timeline
from whole_machine import SECONDS, UP_SECONDS, WholeMachine
from whole_networks import DEVICE_LAN, DEVICE_WAN, Cables, Capture

PASSWORD = "Kaki-no-ki 7 Tsuru"
SHIPPED = "admin"
PAGE = 8600
ARTEFACTS = ROOT / "work/life"
BROWSER = ROOT / "work/browser"
#: An update from the owner's wish until it is settled: staging, a restart, the trial.
UPDATE_SECONDS = 1800
#: At rest is what has been up for so long; and how long it is left alone then.
SETTLED_SECONDS = 90
REST_SECONDS = 20
#: The maker's releases: 1 as the factory writes it, 2 good, 3 fails its check, 4 panics.
RELEASES = {1: GOOD, 2: GOOD, 3: SICK, 4: PANICS}


class Life:
    """A device that is not made yet, its maker and its networks. `releases` are the kinds of its firmware by number;
    `ending` tells the artefacts of this life from those of the board's whole life."""

    def __init__(self, place, board, releases=None, ending=""):
        self.place, self.board, self.releases = place, board, releases or RELEASES
        self.cables = Cables(place)
        self.workshop = Workshop(place)
        self.internet = life_internet.Internet(place, self.cables, self.workshop.repository)
        self.folder = place.path("machine")
        self.folder.mkdir()
        self.machine = WholeMachine(place, board, self.folder, self.cables)
        self.has_agent, name = self.releases[1] != BARE, board.name + ending
        self.timeline = Timeline(name, ARTEFACTS / name, self.machine)
        place.undo.callback(self._keep)
        self.browser = Browser(self.cables, "lan")
        self.made, self.published = {}, 1

    def _keep(self):
        """What the run leaves behind, however it ends."""
        self.timeline.write()
        if self.machine.console.exists():
            shutil.copy(self.machine.console, self.timeline.folder / "console.log")

    # The maker.

    def make(self):
        """The maker's firmware, and the machine as it leaves the factory."""
        authority = self.internet.chain.root.read_bytes()

        def build(number):
            made = Firmware(self.board, number, self.workshop.root, authority, self.releases[number])
            return made.build(self.place.path(f"releases/{number}/x").parent)

        # Release 1 is needed now; the others are made while the device lives.
        together = ThreadPoolExecutor(1)
        self.place.undo.callback(together.shutdown, cancel_futures=True)
        self.made = {number: together.submit(build, number) for number in self.releases}
        self.board.factory(self.images(1), self.folder)
        self.publish(1)
        sizes = {part: os.path.getsize(file) for part, file in self.images(1).items()}
        self.timeline.figure("images, bytes", sizes)

    def images(self, number):
        """The images of one of these releases, once they are made."""
        return self.made[number].result(UP_SECONDS * 2)

    def publish(self, number, images=None):
        """The maker publishes a release."""
        words = []
        for part, file in (images or self.images(number)).items():
            words += ["--image", f"{part}={file}"]
        self.workshop.run("release", "add", "--board", "gate-1", "--channel", "stable", "--version", f"{number}.0.0",
                          "--release", str(number), "--raw", *words)
        self.workshop.run("publish")
        self.published = number

    # Power.

    def power_on(self):
        """The first power on: captures run before it."""
        self.internet.start()
        self.wan = Capture(self.cables, "wan", self.place.path("wan.pcap"))
        self.lan = Capture(self.cables, "lan", self.place.path("lan.pcap"))
        self.born = self.machine.power_on()
        self.timeline.mark("power on")

    def up(self, mark, what):
        """Waits until the machine is up; the slot that runs."""
        version, slot = self.machine.up(mark)
        self.timeline.mark(what, self.uptime(), version=version, slot=slot)
        return slot

    def uptime(self):
        """The kernel's seconds."""
        return float(self.machine.must("cat /proc/uptime").split()[0])

    def status(self):
        """What the agent says, looked at anew."""
        return json.loads(self.machine.must("komainu status --json 2>/dev/null"))

    def status_if_up(self, mark):
        """The same of a machine that may be between two starts; then None. Asked again and again, it is not asked so often
        that the machine has nothing else to do."""
        if not self.machine.runs(mark):
            return None
        said = self.machine.run("sleep 1; komainu status --json 2>/dev/null")
        return json.loads(said.out) if said.code == 0 else None

    # The gate.

    def closed(self):
        """The gate is closed: the LAN gets the page, the WAN nothing."""
        wait_until(lambda: self._page(), "the page asks for a password", SECONDS * 2)
        self.timeline.mark("the page answers in the LAN", self.uptime())
        closed = re.search(rb"board closed ([\d.]+) s", self.machine.said(self.born))
        assert closed, "the start script does not say when the WAN was closed"
        self.timeline.figure("start: WAN closed, kernel's seconds", float(closed[1]))
        status = self.status()
        assert status["gate"] == "closed" and status["firewall"] == "holds", status
        wait_until(lambda: f"{DEVICE_WAN}/24" in self.machine.must("ip address show dev eth1"), "an address by DHCP")
        self.silent("closed")

    def silent(self, state):
        """nmap on the WAN finds nothing, and nothing but what the gate allows has left since the first packet."""
        begun, _ = self._seen()
        for words, kind in ((("-sS", "--top-ports", "300"), "TCP"), (("-sU", "--top-ports", "40"), "UDP")):
            found, tried = life_internet.scan(self.cables, self.place, "wan", DEVICE_WAN, *words)
            assert tried and not found, f"{kind} on the WAN of a {state} gate: {found} of {tried}"
            self.timeline.mark(f"nmap from the WAN: {tried} {kind} ports, gate {state}", answers=len(found))
        ping = self.cables.popen("wan", "ping", "-c", "2", "-W", "1", DEVICE_WAN, stdout=-3)
        assert ping.wait(60) != 0, "the WAN gets an echo"
        counts, others = self._seen()
        assert begun.get("DHCP") and counts.get("ARP"), f"the capture sees nothing: {counts}"
        assert not others, f"packets on the WAN that no policy allows: {others[:5]}"
        self.timeline.figure(f"packets out on the WAN since the power came, gate {state}", counts)

    def _seen(self):
        return life_internet.seen_of(self.wan, self.board.masquerades)

    def _page(self):
        answer = self.browser.ask(patient=False, port=80, seconds=20)
        # Until the agent has looked at its state, the page says that the device is starting.
        return answer if answer and 'action="/setup"' in answer.text else None

    def _vendors_page(self):
        answer = self.browser.ask(patient=False, seconds=30)
        return answer and "Gate router" in answer.text

    def claim(self):
        """The owner sets the password, in Chromium where it is there."""
        assert not login.by_ssh(self.cables, "lan", DEVICE_LAN, SHIPPED, 20), "a closed gate lets a stranger in"
        if (BROWSER / "node_modules/playwright-core").is_dir():
            done = command(*self.cables.client(), need("node", "nodejs"), ROOT / "tests/browser/person.mjs",
                           "http://www.example.com/shop?x=1", f"http://{DEVICE_LAN}/", self.timeline.folder / "page",
                           seconds=600,
                           env={**os.environ, "KOMAINU_PASSWORD": PASSWORD, "HOME": str(self.place.folder)})
            assert done.stdout.strip() == "パスワードを設定しました", done.stdout
            for name, what in (("asked", "first page"), ("refused", "a lazy password"), ("done", "the password is set")):
                assert (self.timeline.folder / f"page-{name}.png").stat().st_size > 1000
                self.timeline.picture(f"page-{name}.png", what)
            by = "Chromium"
        else:
            answer = self.browser.send("/", "/setup", {"user": "root", "password": PASSWORD})
            assert answer.status == 200, f"{answer.status} {answer.text[:300]}"
            by = "HTTP, as there is no Chromium"
        wait_until(lambda: self.status()["gate"] == "open", "the gate is open", SECONDS * 2)
        self.timeline.mark("the owner has set the password", self.uptime(), by=by)

    def wall_up(self):
        """The gate is open: the owner is let in by SSH, the vendor's page answers, the LAN gets out, the wall stands."""
        wait_until(lambda: login.by_ssh(self.cables, "lan", DEVICE_LAN, PASSWORD, 60), "dropbear lets the owner in", SECONDS * 2)
        assert not login.by_ssh(self.cables, "lan", DEVICE_LAN, SHIPPED, 60), "the shipped password still works"
        self.vendors_page()
        authority = self.internet.chain.root
        self.cables.run("lan", "curl", "-sf", "--cacert", authority, "--resolve", f"{firmware.SERVER}:443:203.0.113.2",
                        "-o", "/dev/null", f"https://{firmware.SERVER}/metadata/timestamp.json")
        wait_until(lambda: "/dev/watchdog" in self.machine.must("ls -l /proc/[0-9]*/fd 2>/dev/null"), "the watchdog is held")
        said = self.machine.run("komainu harden")
        words = [line.split("  ")[0].strip() for line in said.out.splitlines() if re.match(r"\S", line)]
        self.timeline.mark("the wall is up", self.uptime(), measures={word: words.count(word) for word in sorted(set(words))})
        (self.timeline.folder / "harden.txt").write_text(said.out)
        (self.timeline.folder / "check.txt").write_text(self.machine.run("komainu check").out)

    # Updates.

    def ask_for_update(self):
        """The owner logs in at the page, and asks for an update now."""
        self.browser.cookie = None
        answer = self.browser.send("/", "/login", {"user": "root", "password": PASSWORD}, port=PAGE)
        assert answer.status == 303, f"{answer.status} {answer.text[:300]}"
        self.browser.ask("/update", form={"token": self.browser.ask("/", port=PAGE).token}, port=PAGE)

    def update(self, number):
        """A good release: fetched over TLS, installed, on trial, soaked, kept."""
        before, mark = Look(self.machine, self.board.disk), self.machine.mark()
        slot = self.status()["booted_slot"]
        self.publish(number)
        self.ask_for_update()
        self.machine.waits(rf"staging release={number}\b", "it is being staged", mark, UPDATE_SECONDS)
        self.timeline.mark(f"release {number} is being staged", self.uptime())
        self._staging(mark)
        now = self.up(mark, f"release {number} is on trial")
        assert now != slot, f"slot {now} runs as before"
        self.machine.waits(rf"confirming release={number}\b", "it is kept", mark, UPDATE_SECONDS)
        wait_until(lambda: self.status()["confirmed_release"] == number, "the record says so", SECONDS)
        self.timeline.mark(f"release {number} is kept", self.uptime(), slot=now)
        # Debian's fw_printenv reads the boot environment as the boot loader does.
        choice = self.machine.must("fw_printenv boot_slot; fw_printenv upgrade_available").split()
        assert choice == [f"boot_slot={now}", "upgrade_available=0"], choice
        tls = {tls for *_, tls, path in self.internet.requests() if path.startswith("/targets/")}
        assert tls == {"TLSv1.3"}, f"images came by {tls}"
        after = Look(self.machine, self.board.disk)
        self.timeline.figure("flash writes of an update, bytes until the restart and after it",
                             [self.staged - before.written, after.written])

    def _staging(self, mark):
        """Until the restart: what the agent takes, and what is written."""
        most, self.staged, deadline = 0, 0, time.monotonic() + UPDATE_SECONDS
        while b"activating release" not in self.machine.said(mark):
            assert time.monotonic() < deadline, f"it is not activated\n{self.machine.last_words(mark)}"
            look = Look.if_up(self.machine, self.board.disk)
            if look:
                most, self.staged = max(most, look.of("komainu run")[1]), look.written
        self.timeline.figure("agent's memory while staging, most KiB", most)
        self.timeline.mark("it is activated")

    def refused(self, number, pattern, what):
        """A bad release: tried, and left again. The device runs as before, and serves."""
        before, mark = self.status(), self.machine.mark()
        self.publish(number)
        self.ask_for_update()
        self.machine.waits(rf"activating release={number}\b", "it is activated", mark, UPDATE_SECONDS)
        self.timeline.mark(f"release {number} is activated")
        self.machine.waits(pattern, what, mark, UPDATE_SECONDS)
        self.timeline.mark(what)
        wait_until(lambda: self._back(number, mark), f"release {number} is given up", UPDATE_SECONDS)
        # A release that is bad for good, or that the boot loader gave up, is not tried again at once.
        tried = len(re.findall(rb"activating release=%d\b" % number, self.machine.said(mark)))
        assert tried == 1, f"release {number} was activated {tried} times"
        after = self.status()
        for key in ("confirmed_release", "booted_slot", "gate", "firewall"):
            assert after[key] == before[key], f"{key}: {after[key]}, not {before[key]}"
        self.timeline.mark(f"release {number} is given up", self.uptime(), slot=after["booted_slot"],
                           release=after["confirmed_release"])

    def _back(self, number, mark):
        status = self.status_if_up(mark)
        return status and status["update"] == "idle" and any(one["release"] == number for one in status["failed"])

    # At rest, and under attack.

    def rest(self):
        """What the machine costs when nothing happens."""
        # The machine waits by itself: every script is new programs, and the agent looks at each.
        self.machine.must(f"while [ $(cut -d . -f 1 /proc/uptime) -lt {SETTLED_SECONDS} ]; do sleep 10; done; sleep 10")
        first, began, used = Look(self.machine, self.board.disk), time.monotonic(), self.machine.host_seconds()
        self.machine.must(f"sleep {REST_SECONDS}")
        last = Look(self.machine, self.board.disk)
        # A busy host's time is the machine's too, and its kernel counts it for the process that waited: what the emulator
        # took of the host is the upper bound for all of the machine.
        host = 100 * (self.machine.host_seconds() - used) / (time.monotonic() - began)
        self.timeline.figure("the whole machine at rest, emulated: % of a processor of the host", round(host, 2))
        if self.has_agent:
            self._agent_at_rest(first, last)
        self.timeline.figure("flash writes at rest, bytes", last.written - first.written)
        self.timeline.figure("resident at rest, KiB", last.resident())
        self.timeline.figure("available at rest, KiB", last.available)

    def _agent_at_rest(self, first, last):
        number, most, now, seconds = last.of("komainu run")
        assert first.of("komainu run")[0] == number, "the agent was started again"
        passed = last.uptime - first.uptime
        self.timeline.figure("agent at rest: KiB, most KiB", [now, most])
        self.timeline.figure("agent at rest: % of the processor", round(100 * (seconds - first.of("komainu run")[3]) / passed, 2))

    def vendors_page(self):
        """The vendor's page answers in the LAN, as it does at once where there is no gate."""
        wait_until(self._vendors_page, "the vendor's page answers", SECONDS)
        self.timeline.mark("the vendor's page answers in the LAN", self.uptime())

    def attack(self):
        """A scan from the LAN and from the WAN, and a telnetd that is started in the machine."""
        with ThreadPoolExecutor(1) as together:
            scan = together.submit(life_internet.scan, self.cables, self.place, "lan", DEVICE_LAN, "-sS", "--top-ports", "300")
            looks = [Look(self.machine, self.board.disk)]
            while not scan.done():
                looks.append(Look(self.machine, self.board.disk))
        found, tried = scan.result()
        attacked = {words: max(look.of(words)[2] for look in looks) for words in ("komainu run", "exe page")}
        self.timeline.figure("agent and page under attack, most KiB", list(attacked.values()))
        allowed = {"tcp/22", "tcp/53", "tcp/80", f"tcp/{PAGE}"}
        opened = {port for port, state in found.items() if state == "open"}
        assert "tcp/80" in opened and opened <= allowed, f"open in the LAN: {opened}"
        self.timeline.mark(f"nmap from the LAN: {tried} TCP ports", self.uptime(), open=" ".join(sorted(opened)))
        number = self.machine.must("telnetd -F -p 23 -l /bin/sh </dev/null >/dev/null 2>&1 & echo $!").strip()
        began = self.uptime()
        alive = f"grep -q '^State:[[:space:]]*[^ZX[:space:]]' /proc/{number}/status"
        wait_until(lambda: self.machine.run(alive).code != 0, "the telnetd is ended", UP_SECONDS)
        ended = self.uptime()
        self.timeline.mark("a telnetd that was started is ended", ended, after=f"{ended - began:.1f} s")
        assert "telnet" in self.machine.must("cat /data/komainu/log/security.log"), "the log does not say so"
        self.silent("open")

    def packages(self):
        """Packages of the firmware are upgraded."""
        life_package.upgrade(self, PASSWORD)

    def reset(self):
        """The owner gives the device away."""
        self.machine.must("mkdir -p /data/owner && echo secret >/data/owner/wifi && sync")
        release, mark = self.status()["confirmed_release"], self.machine.mark()
        self.machine.say("komainu reset")
        self.machine.waits("U-Boot", "it starts anew", mark)
        self.up(mark, "up after a factory reset")
        wait_until(lambda: self._page(), "the page asks for a password", SECONDS * 2)
        status = self.status()
        assert status["gate"] == "closed" and status["confirmed_release"] == release, status
        assert "wifi" not in self.machine.must("ls /data/owner"), "the owner's files are still there"
        assert not login.by_ssh(self.cables, "lan", DEVICE_LAN, PASSWORD, 20), "the former owner is let in"
        life_package.gone(self)
        self.timeline.mark("closed again after a factory reset", self.uptime(), release=release)

    def end(self):
        """The captures are kept; over the whole life nothing left that no policy allows."""
        counts, others = self._seen()
        assert not others, f"packets on the WAN that no policy allows: {others[:5]}"
        self.timeline.figure("packets out on the WAN in the whole life", counts)
        for capture, name in ((self.wan, "wan"), (self.lan, "lan")):
            capture.stop()
            life_internet.keep(capture, self.timeline.folder, name)
        self.machine.off()
        self.timeline.mark("turned off")
