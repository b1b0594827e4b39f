"""What the WAN hears of a device with all of a vendor's services on it: nothing, from the moment its link is up, of any
port, to any question that reflectors answer, and also where somebody removes the rules."""

import os
import re
import socket
import time

from attack import lay_out
from dump import Dump
from firmware import Firmware
from internet import Internet
from matrix import attacked
from net import DEVICE_LAN, DEVICE_WAN, LENGTH, WAN
from place import alone, tests, wait_until
from reflect import QUESTIONS, STAND_INS, reflected
from scan import Scans
from walled import Walled, need_wall

TCP, UDP = socket.SOCK_STREAM, socket.SOCK_DGRAM
BACKENDS = [("nft", "nft"), ("iptables", "iptables")]
ALL = Firmware(services=("web", "names", "time", "upnp", "ssh"), open_resolver=True)
#: All of it is allowed, so that nothing but the firewall keeps it from the WAN.
ALLOWED = (("ntpd", "udp", 123), ("miniupnpd", "udp", 1900), ("miniupnpd", "tcp", 5000), ("dropbear", "tcp", 22),
           *(("standin", "udp", port) for port in STAND_INS))
#: How soon rules are back that somebody removed, in seconds. Of nf_tables the kernel tells, and rules are looked at
#: every five seconds at most; of iptables it does not, and they are looked at once a minute.
#: Beside other work that takes longer; still less than a turn of the wall where the kernel tells.
BACK = {"nft": 40, "iptables": 180}


def device(place, kind, **more):
    """Every service that a vendor may have, and stand-ins for reflectors that there is no real one of."""
    one = Walled(place, kind, firmware=ALL, services=ALLOWED, **more)
    one.vendor()
    one.standin("reflect", *(port for port in STAND_INS if port != 1900))
    return one, Internet(one.net, lay_out(place.path("attacker")))


def reflectors_hear_no_question_from_the_wan(place, kind):
    one, _ = device(place, kind)
    wanted = {name for name, _, _ in QUESTIONS} - {"NTP mode 7"}
    # The time server of today has no mode 7; everything else answers.
    before = all_reflected(one.net, wanted)
    one.run()
    states = [("before setup", reflected(one.net))]
    one.set_up()
    wait_until(lambda: one.standing() == "open", "the device works")
    states += [("after setup", reflected(one.net)),
               ("at its other addresses", reflected(one.net, addresses=(DEVICE_WAN[6], DEVICE_LAN[4], DEVICE_LAN[6])))]
    for when, found in states:
        for name, _, _ in QUESTIONS:
            attacked("reflectors", f"{name} asked from the WAN", kind, name not in found, when)
    all_reflected(one.net, {"DNS", "NTP mode 3", "SSDP"}, "lan", (DEVICE_LAN[4],))
    worst = max((name for name in before if name.startswith(("DNS", "NTP", "SSDP"))), key=before.get)
    return f"without the agent {len(before)} answer, {worst} with {before[worst]:.0f} bytes for each that was asked"


def all_reflected(net, wanted, *more):
    """Waits until all of these were answered at some time: this test sees who answers."""
    found = {}

    def answered():
        found.update(reflected(net, *more))
        return wanted <= set(found)

    wait_until(answered, f"all of these answer: {sorted(wanted)}")
    return found


@alone
def nothing_answers_from_link_up(place, kind):
    one, _ = device(place, kind)
    net = one.net
    source = re.search(r"link/ether (\S+)", net.run("device", "ip", "link", "show", "eth1").stdout)[1]
    seen = Dump(net, "wan", "eth0", source)
    for version in (4, 6):
        wait_until(lambda: one.listens("wan", DEVICE_WAN[version], 22), "this test sees who listens")
    assert len(seen.packets()) >= 2, "this test sees answers"
    net.run("device", "ip", "link", "set", "eth1", "down")
    net.run("device", "ip", "address", "flush", "dev", "eth1")
    one.run(until=False)
    wait_until(lambda: "firewall-applied gate=closed" in one.said(), "the first rules")
    seen = Dump(net, "wan", "eth0", source)
    net.run("device", "ip", "link", "set", "eth1", "up")
    for version in (4, 6):
        net.run("device", "ip", f"-{version}", "address", "add", f"{DEVICE_WAN[version]}/{LENGTH[version]}",
                "dev", "eth1")
        net.run("device", "ip", f"-{version}", "route", "add", "default", "via", WAN[version])
    wait_until(lambda: "state UP" in net.run("wan", "ip", "link", "show", "eth0").stdout, "the link is up")
    found = Scans(net).found()
    for version, ports in zip((4, 6), found):
        attacked("firewall", f"nmap by IPv{version}: 65,535 TCP ports, and the UDP list", kind, not ports, str(ports))
    for version in (4, 6):
        for address in (DEVICE_WAN[version], DEVICE_LAN[version]):
            attacked("firewall", f"echo request by IPv{version}", kind, not net.echoes("wan", version, address))
    packets = seen.packets()
    attacked("firewall", "tcpdump from link-up, while all of this is asked", kind, not packets,
             f"{len(packets)}: {packets[:3]}")


def a_link_that_comes_later_is_wan(place, kind):
    one, _ = device(place, kind)
    net = one.net
    one.run()
    one.set_up()
    wait_until(lambda: one.standing() == "open", "the device works")
    net.run("wan", "ip", "link", "add", "eth9", "type", "veth", "peer", "name", "usb0", "netns", net.holders["device"])
    for name, link, address in (("wan", "eth9", "198.51.100.2/24"), ("device", "usb0", "198.51.100.1/24")):
        net.run(name, "ip", "address", "add", address, "dev", link)
        net.run(name, "ip", "link", "set", link, "up")
    for kind_of, port in ((TCP, 22), (TCP, 80), (TCP, 5000), (UDP, 53), (UDP, 161)):
        for address in ("198.51.100.1", DEVICE_LAN[4]):
            if address == DEVICE_LAN[4]:
                net.run("wan", "ip", "route", "replace", f"{address}/32", "via", "198.51.100.1")
            attacked("links", "services asked by a link that comes later", kind,
                     net.says("wan", 4, kind_of, (address, port)) is None, f"{address} port {port}")


def rules_that_somebody_removes_are_back(place, kind):
    if kind == "iptables":
        # The kernel tells nobody of it: the turns of the wall look.
        need_wall()
    one, _ = device(place, kind, wall={"ssh": True})
    wait_until(lambda: one.listens("wan", DEVICE_WAN[4], 22), "without rules the WAN gets through")
    one.run()
    one.set_up()
    wait_until(lambda: one.standing() == "open", "the device works")
    names = [f"{name} -t {table} {what}" for name in ("iptables", "ip6tables") for table in ("filter", "mangle", "raw")
             for what in ("-F", "-X")]
    removal, slowest = "nft flush ruleset" if kind == "nft" else "; ".join(names), 0
    for _ in range(2 if kind == "nft" else 1):
        one.machine.run("sh", "-c", removal, env={**os.environ, "PATH": one.more["PATH"]})
        began = time.monotonic()
        wait_until(lambda: not one.listens("wan", DEVICE_WAN[4], 22), "the WAN hears nothing again", BACK[kind] + 2)
        # The last look takes the second in which nothing comes.
        slowest = max(slowest, time.monotonic() - began - 1)
    attacked("firewall", "somebody in the device removes all rules", kind, slowest < BACK[kind], f"{slowest} s")
    return f"back within {max(slowest, 0):.1f} s"


for sentence, function in (
    ("reflectors_hear_no_question_from_the_wan_by_{}", reflectors_hear_no_question_from_the_wan),
    ("nothing_answers_from_link_up_by_{}", nothing_answers_from_link_up),
    ("a_link_that_comes_later_is_wan_by_{}", a_link_that_comes_later_is_wan),
    ("rules_that_somebody_removes_are_back_by_{}", rules_that_somebody_removes_are_back),
):
    tests(function, sentence, BACKENDS)
