"""A stand-in with the outward signs of Mirai's family, on a device without a wall and on one with it: a program that
was deleted, a random name, its port, the watchdog, and knocking at others' telnet."""

import re
import socket
import threading
import time

from firmware import Firmware
from internet import Internet
from matrix import attacked
from net import WAN
from place import test, tests, wait_until
from walled import SECONDS, Walled, need_wall

BACKENDS = [("nft", "nft"), ("iptables", "iptables")]
#: Hosts on the WAN, which all are the WAN's one host: an infected device knocks at as many as it can.
HOSTS = [f"203.0.113.{number}" for number in range(100, 150)]
#: A scan that anybody sees is more than so many.
SCAN = 20


def device(place, kind="nft", **more):
    one = Walled(place, kind, firmware=Firmware(), **more)
    one.vendor()
    for host in HOSTS:
        one.net.run("wan", "ip", "address", "add", f"{host}/32", "dev", "eth0")
    return one, Internet(one.net)


class Knocked(threading.Thread):
    """Counts which hosts of the WAN are knocked at, by the packets that come there."""

    def __init__(self, net):
        super().__init__(daemon=True)
        self.hosts, self.end = set(), threading.Event()
        with net.inside("wan"):
            self.socket = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(0x0800))
            self.socket.bind(("eth0", 0x0800))
        self.socket.settimeout(0.1)
        net.place.undo.callback(self.socket.close)
        net.place.undo.callback(self.join)
        net.place.undo.callback(self.end.set)
        self.start()

    def run(self):
        while not self.end.is_set():
            try:
                packet = self.socket.recv(2000)
            except OSError:
                continue
            start = (packet[0] & 15) * 4
            port = int.from_bytes(packet[start + 2:start + 4], "big")
            if packet[9] == socket.IPPROTO_TCP and port in (23, 2323):
                self.hosts.add(socket.inet_ntoa(packet[16:20]))


def infected(one):
    """The stand-in's processes: those whose program's file is gone."""
    return [number for number, program in one.machine.programs() if program.endswith(" (deleted)")]


def watchdogs(one):
    """How many have the watchdog open."""
    return one.machine.run("sh", "-c", "readlink /proc/[0-9]*/fd/*").stdout.count("/dev/watchdog")


@test
def the_stand_in_shows_what_the_family_shows(place):
    one, _ = device(place)
    knocked = Knocked(one.net)
    one.standin("infect", "/tmp", "/dev/watchdog", *HOSTS)
    number = wait_until(lambda: infected(one), "it runs")[0]
    wait_until(lambda: 48101 in one.machine.listening(), "its port")
    wait_until(lambda: len(knocked.hosts) > SCAN, "it knocks")
    name = one.machine.run("cat", f"/proc/{number}/comm").stdout.strip()
    words = one.machine.run("cat", f"/proc/{number}/cmdline").stdout.rstrip("\0")
    assert re.fullmatch("[a-z0-9]{15}", name) and re.fullmatch("[a-z0-9]{20}", words), (name, words)
    files = one.machine.run("sh", "-c", f"readlink /proc/{number}/exe /proc/{number}/fd/*").stdout
    assert re.search(r"^/tmp/[a-z0-9]{12} \(deleted\)$", files, re.M) and "/dev/watchdog" in files, files
    return f"{len(knocked.hosts)} hosts knocked at"


def what_infects_a_device_is_ended(place, kind):
    need_wall()
    one, _ = device(place, kind)
    one.run()
    one.set_up()
    wait_until(lambda: one.standing() == "open", "the device works")
    knocked = Knocked(one.net)
    # A program that the agent starts has it for the moment until it is loaded; who takes it, keeps it.
    wait_until(lambda: watchdogs(one) == 1, "nobody but the agent has the watchdog")
    attacked("watchdog", "nobody but the agent has it", kind, True)
    # Programs may be started from /tmp for once, or this measure would not be tried.
    infects = ("mount -o remount,exec /tmp && standin infect /tmp /dev/watchdog", *HOSTS)
    for _ in range(10):
        done = one.machine.run("sh", "-c", " ".join(infects))
        if "Permission denied" not in done.stderr:
            break
        # The wall was faster: the mount takes no programs again.
    assert done.returncode == 0, f"this test infects the device: {done.stderr}"
    began = time.monotonic()
    wait_until(lambda: not infected(one), "what hides is ended", SECONDS)
    seconds = time.monotonic() - began
    attacked("programs", "a deleted program under a random name", kind, seconds < SECONDS)
    attacked("services", "a listener at 48101", kind, 48101 not in one.machine.listening())
    attacked("egress", f"an infected device knocks at {len(HOSTS)} hosts", kind, len(knocked.hosts) <= SCAN,
             f"{len(knocked.hosts)} were reached")
    wait_until(lambda: any("infect" in line or "programs" in line for line in one.said().splitlines()), "it is told")
    return f"ended after {seconds:.1f} s, {len(knocked.hosts)} of {len(HOSTS)} hosts reached"


@test
def nothing_is_started_from_memory(place):
    need_wall()
    one, internet = device(place)
    done = one.machine.run("sh", "-c", f"cp /usr/sbin/standin /tmp/p && /tmp/p ran {WAN[4]} 80 before")
    assert done.returncode == 0, done.stderr
    wait_until(lambda: any(path == "/ran/before" for _, path in internet.asked), "this test sees a program that runs")
    one.run()
    one.set_up()
    for folder in ("/tmp", "/var", "/run", "/dev"):
        wait_until(lambda: one.machine.run("sh", "-c", f"cp /usr/sbin/standin {folder}/p; {folder}/p ran {WAN[4]} 80 "
                                           f"after").returncode != 0, f"no program starts from {folder}", SECONDS)
        attacked("mounts", f"a program is started from {folder}", "both", True)


@test
def a_program_in_memory_raw_sockets_and_who_writes_flash_are_found(place):
    need_wall()
    one, _ = device(place)
    one.run()
    one.set_up()
    words = "mount -o remount,exec /tmp && cp /usr/sbin/standin /tmp/update && exec /tmp/update stay"
    attacked("programs", "a program runs from /tmp", "both", one.is_held("sh", "-c", words))
    attacked("raw-sockets", "an unknown program has a raw and a packet socket", "both", one.is_held("standin", "raw"))
    one.standin("hold", "/dev/ubi0")
    wait_until(lambda: "measure=flash" in one.said(), "it is told", SECONDS)
    attacked("flash", "an unknown program opens the flash for writing", "both", True)


@test
def a_device_that_was_taken_cuts_itself_off_and_is_restarted(place):
    need_wall()
    one, _ = device(place, wall={"incident_response": ["contain", "evidence", "restart"]})
    marker = one.folder / "restarted"
    one.settings["boot"]["reboot_command"] = ["/bin/touch", str(marker)]
    one.run()
    one.set_up()
    wait_until(lambda: one.standing() == "open", "the device works")
    words = ("sh", "-c", "mount -o remount,exec /tmp && standin infect /tmp /dev/watchdog")
    tries = [one.start_program(*words)]

    def is_cut_off():
        if len(tries) < 10 and tries[-1].poll() not in (None, 0):
            # The wall was faster: the mount takes no programs again.
            tries.append(one.start_program(*words))
        return one.net.says("lan", 4, socket.SOCK_STREAM, (WAN[4], 443)) in (None, "refused")

    wait_until(is_cut_off, "it is cut off", 2 * SECONDS)
    attacked("programs", "an infected device goes on", "both", True)
    wait_until(marker.exists, "it is restarted", 3 * SECONDS)


tests(what_infects_a_device_is_ended, "what_infects_a_device_is_ended_by_{}", BACKENDS)
