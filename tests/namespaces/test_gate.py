"""The gate of a real device between a WAN and a LAN: what reaches it before, while and after its owner sets a
password, by nf_tables and by iptables."""

import contextlib
import re
import select
import socket
import struct
import time

import login
from gate import DEFAULT, PAGE, PASSWORD, VENDOR_TCP, Gate
from internet import Internet
from net import DEVICE_LAN, DEVICE_WAN, ELSEWHERE, LAN, WAN, Capture
from place import alone, need, test, tests, wait_until
from scan import Knocker, Scans, wan_sees

TCP, UDP = socket.SOCK_STREAM, socket.SOCK_DGRAM
BACKENDS = [("nft", "nft"), ("iptables", "iptables")]
MASQUERADE = """table ip vendor {
    chain out { type nat hook postrouting priority srcnat; oifname "eth1" masquerade; }
}
"""


def device(place, kind, **more):
    """A device with what the vendor runs on it, a WAN with an internet in it, and no agent yet."""
    gate = Gate(place, kind, **more)
    gate.vendor()
    return gate, Internet(gate.net)


@alone
def nothing_is_open_on_the_wan(place, kind):
    gate, _ = device(place, kind)
    net = gate.net
    wan_sees(net, {("tcp", port) for port in (22, 53, 80, *VENDOR_TCP)} | {("udp", 53), ("udp", 161), ("udp", 1900)})
    gate.run()
    assert Scans(net).found() == [[], []], "before setup"
    came, scans = Capture(net, "device", "eth1"), Scans(net, again=True)
    wait_until(came.so_far, "the scan has begun")
    gate.set_up()
    assert scans.still_run(), "the scan was over before the password was set"
    assert scans.found() == [[], []], "while the password is set"
    assert Scans(net).found() == [[], []], "after setup"
    came, scans = Capture(net, "device", "eth1"), Scans(net, again=True)
    wait_until(came.so_far, "the scan has begun")
    assert gate.ask("reset")[0] == 0
    assert scans.still_run(), "the scan was over before the reset"
    assert scans.found() == [[], []], "while the owner is forgotten, and after"
    assert gate.standing() == "closed"


def who_knocks_from_the_beginning_hears_nothing_after_the_first_rule(place, kind):
    gate, _ = device(place, kind)
    knockers = [Knocker(gate.net, version, 161, 7547) for version in (4, 6)]
    wait_until(lambda: all(one.answers > 20 for one in knockers), "there are answers without an agent")
    began = time.monotonic()
    gate.run(until=False)
    wait_until(lambda: "firewall-applied gate=closed" in gate.said(), "the first rules")
    # What was on its way is left alone: the next knock but one was made after the rules.
    before = [one.knocks for one in knockers]
    wait_until(lambda: all(one.knocks > before[at] + 2 for at, one in enumerate(knockers)), "they knock on")
    answers = [one.answers for one in knockers]
    first = max(one.answered for one in knockers) - began
    gate.kill()
    for _ in range(2):
        before = [one.knocks for one in knockers]
        wait_until(lambda: all(one.knocks > before[at] + 20 for at, one in enumerate(knockers)), "they knock on")
        gate.run()
    assert [one.answers for one in knockers] == answers, "there was an answer after the first rules"
    return f"the last answer went out {first * 1000:.0f} ms after the agent's start"


def before_setup_the_lan_gets_an_address_names_and_the_page(place, kind):
    gate, internet = device(place, kind)
    net = gate.net
    gate.run()
    lease = dhcp_lease(gate)
    assert lease["ip"].startswith("192.168.1.1") and (lease["dns"], lease["router"]) == (DEVICE_LAN[4],) * 2, lease
    for server in (DEVICE_LAN, ELSEWHERE):
        for version in (4, 6):
            for name in ("captive.apple.com", "no-such-name.invalid", "router.example"):
                assert ask_name(net, server[version], name, 1) == (0, [(DEVICE_LAN[4], 0)])
                assert ask_name(net, server[version], name, 28) == (0, [])
    for version, shown in ((4, DEVICE_LAN[4]), (6, f"[{DEVICE_LAN[6]}]")):
        for there in (WAN, ELSEWHERE, DEVICE_LAN):
            answer = gate.browser.ask("/some/where?x=1", host="anything.example", to=there[version], version=version)
            assert (answer.status, answer.headers["location"]) == (302, f"http://{shown}/"), answer
        page = gate.browser.ask("/", version=version)
        assert page.status == 200 and page.token
    slowest = 0
    for version in (4, 6):
        for there in (DEVICE_LAN, WAN, ELSEWHERE, DEVICE_WAN):
            for port in (443, 22, 23, 8443, 7547):
                began = time.monotonic()
                assert net.hears("lan", version, TCP, (there[version], port)) == "refused", (there, port)
                slowest = max(slowest, time.monotonic() - began)
            assert net.hears("lan", version, UDP, (there[version], 443)) == "refused"
        assert net.hears("lan", version, UDP, (DEVICE_LAN[version], 161)) == "refused"
        assert not pings(net, "lan", version, WAN), "ICMP is forwarded"
        wait_until(lambda version=version: pings(net, "lan", version, DEVICE_LAN), "a device that is there")
    assert not login.by_ssh(net, "lan", DEVICE_LAN[4], DEFAULT)
    # Refused, and not left to wait until the client gives up, which takes minutes; beside other work that may be late.
    assert slowest < 30, f"refused only after {slowest} s"
    assert internet.asked == []
    return f"refused within {slowest * 1000:.1f} ms"


def a_second_after_the_password_is_set_the_device_works(place, kind):
    gate, internet = device(place, kind)
    net = gate.net
    wait_until(lambda: answering(net, 4, DEVICE_WAN[4], (22, PAGE)) == [22, PAGE], "this test sees who answers")
    gate.run()
    gate.set_up()
    began = time.monotonic()
    wait_until(lambda: gate.standing() == "open", "the device works")
    seconds = time.monotonic() - began
    for version in (4, 6):
        assert net.hears("lan", version, TCP, (WAN[version], 443)) == "wan"
        assert net.hears("lan", version, UDP, (WAN[version], 443)) == "wan"
        wait_until(lambda version=version: pings(net, "lan", version, WAN), "a ping")
        assert gate.browser.ask("/", version=version).text == "the vendor's page\n"
        assert net.hears("lan", version, UDP, (DEVICE_LAN[version], 161)) == "vendor"
        assert net.hears("device", version, TCP, (WAN[version], 443)) == "wan"
        # The LAN's own names are the vendor's again.
        assert ask_name(net, DEVICE_LAN[version], "www.example.com", 1)[1][0][0] == WAN[4]
        for there in (DEVICE_WAN, DEVICE_LAN, LAN):
            assert answering(net, version, there[version], (22, 23, 80, 443, PAGE)) == []
    assert login.by_ssh(net, "lan", DEVICE_LAN[4], PASSWORD) and login.by_ssh(net, "lan", DEVICE_LAN[6], PASSWORD)
    assert not login.by_ssh(net, "wan", DEVICE_WAN[4], PASSWORD, seconds=5)
    assert not login.by_ssh(net, "lan", DEVICE_LAN[4], DEFAULT)
    assert login.by_console(gate, PASSWORD) and not login.by_console(gate, DEFAULT)
    assert internet.asked == []
    return f"{seconds * 1000:.0f} ms after the answer to the form"


@test
def beside_a_vendor_that_translates_addresses_setup_is_the_same(place):
    gate, _ = device(place, "nft")
    gate.net.run("device", "nft", "-f", "-", input=MASQUERADE)
    gate.run()
    gate.set_up()
    wait_until(lambda: gate.standing() == "open", "the device works")


@test
def the_password_is_set_by_ipv6(place):
    gate, _ = device(place, "nft")
    gate.run()
    answer = gate.browser.send("/", "/setup", {"user": "root", "password": PASSWORD}, version=6)
    assert "password is set" in answer.text and f'href="http://[{DEVICE_LAN[6]}]:{PAGE}/"' in answer.text, answer.text
    wait_until(lambda: gate.standing() == "open", "the device works")


@test
def weak_passwords_are_refused_with_the_reason_and_change_nothing(place):
    gate = Gate(place, gate={"vendor": "Hinoki Denki", "model": "HD-4000", "former_defaults": ["Sugi!Matsu7Hinoki"]})
    gate.vendor()
    gate.run()
    before = (gate.etc / "shadow").read_bytes()
    for password, why in (
        ("Ab1!", "at least 10"),
        ("onlysmallones", "none of these"),
        ("admin", "Mirai"),
        ("Sugi!Matsu7Hinoki", "factory"),
        ("HinokiDenki-2024!", "contains a name"),
        ("HD-4000HD-4000!a", "contains a name"),
        ("Password123!", "Mirai"),
        ("Chocolate1!", "common"),
        ("Qwertyuiop1!", "keyboard"),
        ("aaaaaaaaaaaaaaaaaaaa", "repeats"),
        ("x" * 200, "too long"),
    ):
        answer = gate.claim(password)
        assert answer.status in (200, 422) and why in answer.text, f"{password}: {answer.status} {answer.text[-2500:]}"
        assert f'"{password}"' not in answer.text, "the password is shown"
    assert (gate.etc / "shadow").read_bytes() == before
    assert gate.standing() == "closed"
    gate.set_up()
    assert gate.holds_password(PASSWORD) and not gate.holds_password(DEFAULT)
    assert (gate.etc / "shadow").read_text().endswith("nobody:*:19000::::::\n"), "other accounts changed"
    assert (gate.etc / "shadow").stat().st_mode & 0o777 == 0o600


def pings(net, where, version, there):
    """Whether an echo comes back."""
    family, kind = (socket.AF_INET, socket.IPPROTO_ICMP) if version == 4 else (socket.AF_INET6, socket.IPPROTO_ICMPV6)
    with net.inside(where):
        pinger = socket.socket(family, socket.SOCK_RAW, kind)
    with pinger:
        pinger.settimeout(0.5)
        try:
            # Echo request, with its sum; in IPv6 the kernel does the sum.
            pinger.sendto(b"\x08\0\xf7\xff\0\0\0\0" if version == 4 else b"\x80\0\0\0\0\0\0\0", (there[version], 0))
            for _ in range(20):
                packet = pinger.recv(200)
                if (version, packet[20 if version == 4 else 0]) in ((4, 0), (6, 129)):
                    return True
        except OSError:
            pass
        return False


def answering(net, version, address, ports):
    """Which of these ports answer the WAN at all, within a second."""
    askers = {net.socket("wan", version, TCP): port for port in ports}
    for asker, port in askers.items():
        asker.setblocking(False)
        asker.connect_ex((address, port))
    poll = select.poll()
    for asker in askers:
        poll.register(asker, select.POLLOUT)
    numbers = {number for number, _ in poll.poll(1000)}
    found = [port for asker, port in askers.items() if asker.fileno() in numbers]
    for asker in askers:
        asker.close()
    return found


def ask_name(net, server, name, kind):
    """The code of the answer, and its addresses with how long they hold."""
    version = 6 if ":" in server else 4
    asker = net.socket("lan", version, UDP)
    labels = b"".join(bytes([len(label)]) + label.encode() for label in name.split(".")) + b"\0"
    question = struct.pack("!6H", 7, 0x100, 1, 0, 0, 0) + labels + struct.pack("!2H", kind, 1)

    def answered():
        asker.sendto(question, (server, 53))
        with contextlib.suppress(TimeoutError):
            return asker.recv(1000)

    # As every client does, it asks again where nothing comes.
    answer = wait_until(answered, f"{server} answers {name}")
    asker.close()
    found, at = [], 12 + len(labels) + 4
    for _ in range(struct.unpack("!H", answer[6:8])[0]):
        _, its_kind, _, seconds, length = struct.unpack("!HHHIH", answer[at:at + 12])
        assert its_kind == kind, answer
        found.append((socket.inet_ntop(socket.AF_INET if kind == 1 else socket.AF_INET6,
                                       answer[at + 12:at + 12 + length]), seconds))
        at += 12 + length
    return answer[3] & 15, found


def dhcp_lease(gate):
    """What busybox's DHCP client is given in the LAN."""
    need("busybox", "busybox")
    script = gate.folder / "lease"
    script.write_text('#!/bin/sh\n[ "$1" != bound ] || echo "lease ip=$ip dns=$dns router=$router"\n')
    script.chmod(0o755)
    said = gate.on_client("busybox", "udhcpc", "-i", "eth0", "-f", "-n", "-q", "-t", "10", "-T", "1", "-s", script,
                          seconds=30)
    found = re.search(r"lease ip=(\S+) dns=(\S+) router=(\S+)", said.stdout)
    assert found, said.stdout + said.stderr
    return dict(zip(("ip", "dns", "router"), found.groups()))


for sentence, function in (
    ("nothing_is_open_on_the_wan_before_during_and_after_setup_by_{}", nothing_is_open_on_the_wan),
    ("who_knocks_from_the_beginning_hears_nothing_after_the_first_rule_by_{}",
     who_knocks_from_the_beginning_hears_nothing_after_the_first_rule),
    ("before_setup_the_lan_gets_an_address_names_and_the_page_by_{}",
     before_setup_the_lan_gets_an_address_names_and_the_page),
    ("a_second_after_the_password_is_set_the_device_works_by_{}",
     a_second_after_the_password_is_set_the_device_works),
):
    tests(function, sentence, BACKENDS)
