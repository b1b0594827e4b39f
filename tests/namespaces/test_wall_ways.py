"""Ways past the firewall that others make: ports that UPnP leads into the LAN, addresses that are not the device's own,
and a device that is cut off because somebody has taken it."""

import re
import socket
import struct
from pathlib import Path

from attack import lay_out
from firmware import Firmware
from internet import Internet
from matrix import attacked
from net import DEVICE_LAN, DEVICE_WAN, LAN, WAN, Services
from place import test, tests, wait_until
from walled import SECONDS, Walled, has_wall, need_wall

TCP, UDP = socket.SOCK_STREAM, socket.SOCK_DGRAM
BACKENDS = [("nft", "nft"), ("iptables", "iptables")]
#: As a UPnP service makes them: the port outside, where it leads.
NFT_MAPPINGS = """table ip vendor_upnp {{
    chain prerouting {{
        type nat hook prerouting priority dstnat; policy accept;
        iifname "eth1" tcp dport 20023 dnat to {lan}:23
        iifname "eth1" tcp dport 20080 dnat to {device}:80
    }}
}}
"""
IPTABLES_MAPPINGS = """*nat
-A PREROUTING -i eth1 -p tcp -m tcp --dport 20023 -j DNAT --to-destination {lan}:23
-A PREROUTING -i eth1 -p tcp -m tcp --dport 20080 -j DNAT --to-destination {device}:80
COMMIT
"""


#: The same, as miniupnpd keeps them: protocol, port outside, host, port there, end, what it is called.
LEASES = "/run/upnp.leases"
LEASE = f"TCP:20023:{LAN[4]}:23:0:camera"


def device(place, kind):
    one = Walled(place, kind, firmware=Firmware(), wall={"upnp_leases": LEASES})
    one.vendor()
    return one, Internet(one.net, lay_out(place.path("attacker")))


def ready(one):
    one.run()
    one.set_up()
    wait_until(lambda: one.standing() == "open", "the device works")


def ports_that_upnp_leads_to_administration_are_refused(place, kind):
    one, _ = device(place, kind)
    Services(one.net, "lan", "camera", tcp=[23])
    rules = (NFT_MAPPINGS if kind == "nft" else IPTABLES_MAPPINGS).format(lan=LAN[4], device=DEVICE_LAN[4])
    words = ("nft", "-f", "-") if kind == "nft" else (one.path_of("iptables-restore"), "--noflush")
    one.net.run("device", *words, input=rules)
    one.machine.run("sh", "-c", f"echo {LEASE} > {LEASES}")
    assert one.net.hears("wan", 4, TCP, (DEVICE_WAN[4], 20023)) == "camera", "this test's mapping works"
    wait_until(lambda: one.listens("wan", DEVICE_WAN[4], 20080), "this test's mapping works")
    ready(one)
    for port, what in ((20023, "leads to telnet of a host in the LAN"), (20080, "leads to the device's own page")):
        attacked("mappings", f"a port that {what}", kind, not one.listens("wan", DEVICE_WAN[4], port))
    if has_wall():
        wait_until(lambda: any(measure == "mappings" and LAN[4] in what for measure, what in one.findings()),
                   "it is told", 3 * SECONDS)
        attacked("mappings", "a port that leads to telnet is told to the owner", kind, True)


def what_leaves_the_device_bears_its_own_address(place, kind):
    need_wall()
    one, _ = device(place, kind)
    heard = one.net.socket("wan", 4, UDP, port=7777)
    wait_until(lambda: arrives(one.net, heard, "192.0.2.9"), "this test sees who sends under another's address")
    ready(one)
    wait_until(lambda: own_arrives(one.net, heard), "this test hears what is its own")
    for source in ("192.0.2.9", LAN[4]):
        attacked("egress", "a sender's address that is not the device's own", kind,
                 not arrives(one.net, heard, source), source)


def own_arrives(net, heard):
    """Whether a datagram of the device's own comes to the WAN."""
    net.socket("device", 4, UDP).sendto(b"own", (WAN[4], 7777))
    try:
        return heard.recv(10) == b"own"
    except TimeoutError:
        return False


def arrives(net, heard, source):
    """Whether a datagram that the device sends under this address comes to the WAN."""
    with net.inside("device"):
        raw = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW)
    with raw:
        datagram = struct.pack("!4H", 7777, 7777, 8 + 7, 0) + b"spoofed"
        head = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 20 + len(datagram), 1, 0, 64, 17, 0, socket.inet_aton(source),
                           socket.inet_aton(WAN[4]))
        try:
            raw.sendto(head + datagram, (WAN[4], 0))
            return heard.recv(10) == b"spoofed"
        except (PermissionError, TimeoutError):
            return False


def a_device_that_was_taken_is_cut_off_until_it_is_released(place, kind):
    need_wall()
    one, internet = device(place, kind)
    marker = place.path("device/restarted")
    one.settings["boot"]["reboot_command"] = ["/bin/touch", str(marker)]
    ready(one)
    assert one.ask("incident", "contain")[0] == 0
    wait_until(lambda: one.net.says("lan", 4, TCP, (WAN[4], 443)) in (None, "refused"),
               "the LAN does not reach the WAN", SECONDS)
    attacked("firewall", "the LAN of a contained device asks the WAN", kind, True)
    attacked("egress", "a contained device asks the WAN", kind,
             one.net.says("device", 4, TCP, (WAN[4], 443)) in (None, "refused", "forbidden"))
    assert one.page().status == 200, "the owner's page stays"
    code, said = one.ask("incident", "evidence")
    assert code == 0, said
    assert one.ask("incident", "release")[0] == 0
    wait_until(lambda: one.net.says("lan", 4, TCP, (WAN[4], 443)) == "wan", "the WAN is back", SECONDS)
    one.ask("incident", "restart")
    wait_until(marker.exists, "it is restarted", SECONDS)
    assert internet.asked == []


@test
def the_page_has_no_privilege(place):
    one, _ = device(place, "nft")
    ready(one)
    told = privileges(one.page_process())
    attacked("confinement", "the page's process: no privilege that it could use", "both",
             int(told["CapEff"], 16) == 0 and told["NoNewPrivs"] == "1", str(told))
    attacked("confinement", "the page's process: system calls are filtered", "both", told["Seccomp"] == "2", str(told))


@test
def the_agent_has_given_up_what_it_does_not_need(place):
    need_wall()
    one, _ = device(place, "nft")
    ready(one)
    told, all_of_them = privileges(one.agent_process()), privileges(one.machine.first)
    attacked("confinement", "the agent: fewer capabilities than the device's first process", "both",
             int(told["CapEff"], 16) < int(all_of_them["CapEff"], 16), str(told))
    attacked("confinement", "the agent: system calls are filtered", "both", told["Seccomp"] == "2", str(told))


def privileges(number):
    return dict(re.findall(r"^(CapEff|NoNewPrivs|Seccomp):\s*(\S+)", Path(f"/proc/{number}/status").read_text(), re.M))


for sentence, function in (
    ("ports_that_upnp_leads_to_administration_are_refused_by_{}", ports_that_upnp_leads_to_administration_are_refused),
    ("what_leaves_the_device_bears_its_own_address_by_{}", what_leaves_the_device_bears_its_own_address),
    ("a_device_that_was_taken_is_cut_off_until_it_is_released_by_{}",
     a_device_that_was_taken_is_cut_off_until_it_is_released),
):
    tests(function, sentence, BACKENDS)
