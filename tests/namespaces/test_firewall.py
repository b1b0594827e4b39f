"""The gate and the wall with real packets, by nf_tables and by iptables: what passes, what does not, and what is
silent."""

import threading

from net import DEVICE_LAN, DEVICE_WAN, ELSEWHERE, LAN, MARK, WAN, Capture, Services, dhcp_offer
from place import PATIENCE, alone, need, tests
from wall import TCP, TCP_PORTS, UDP, UDP_PORTS, Wall, scan

BACKENDS = [("nft", "nft"), ("iptables", "iptables")]


def nothing_answers_on_the_wan(place, kind):
    wall = Wall(place, kind)
    wall.services()
    net = wall.net
    some = ",".join(str(port) for port in TCP_PORTS)
    for version in (4, 6):
        assert scan(net, version, DEVICE_WAN[version], some) == sorted(TCP_PORTS), "this test sees open ports"
        assert net.hears("wan", version, UDP, (DEVICE_WAN[version], 53)) == "vendor", "this test sees answers"
    for state in ("closed", "open"):
        wall.put(state)
        for version in (4, 6):
            heard = Capture(net, "wan", "eth0")
            for address in (DEVICE_WAN, DEVICE_LAN):
                for port in (*UDP_PORTS, 67, 546, 547, 5353, 33434):
                    asker = net.socket("wan", version, UDP)
                    asker.sendto(b"?", (address[version], port))
                    asker.close()
            assert scan(net, version, DEVICE_WAN[version], "1-65535") == []
            for address in (DEVICE_WAN[version], LAN[version]):
                assert not net.echoes("wan", version, address)
            assert heard.answers() == [], state


def a_closed_lan_gets_the_page_and_names_only(place, kind):
    need("ping", "iputils-ping")
    wall = Wall(place, kind)
    wall.services()
    net = wall.net
    Services(net, "wan", "wan", tcp=[22, 80, 443], udp=[53, 443])
    for version in (4, 6):
        assert net.hears("lan", version, TCP, (WAN[version], 443)) == "wan", "before, it is forwarded"
    wall.put("closed")
    for version in (4, 6):
        for address in (ELSEWHERE[version], WAN[version], DEVICE_LAN[version]):
            assert net.hears("lan", version, TCP, (address, 80)) == "page", address
            assert net.hears("lan", version, UDP, (address, 53)) == "names", address
            # At once, and never by the page: a certificate for somebody else cannot be had.
            assert net.hears("lan", version, TCP, (address, 443)) == "refused", address
            assert net.hears("lan", version, TCP, (address, 22)) == "refused", address
            assert net.hears("lan", version, UDP, (address, 443)) == "refused", address
        assert net.hears("lan", version, UDP, (DEVICE_LAN[version], 1900)) == "refused"
        assert net.hears("lan", version, TCP, (DEVICE_LAN[version], 8080)) == "page"
        assert net.echoes_in_the_end("lan", version, DEVICE_LAN[version])


def a_closed_lan_gets_an_address(place, kind):
    need("dnsmasq", "dnsmasq-base")
    wall = Wall(place, kind)
    wall.put("closed")
    leases = place.path("leases")
    net = wall.net
    net.start("device", "dnsmasq", "--no-daemon", "--conf-file=/dev/null", "--port=0", "--interface=br0", "--no-ping",
              "--user=root", "--quiet-dhcp", "--log-facility=/dev/null", f"--dhcp-leasefile={leases}",
              "--dhcp-range=192.168.1.100,192.168.1.150", "--pid-file=")
    for _ in range(10):
        offer = dhcp_offer(net, "lan", "eth0")
        if offer:
            break
    assert offer and offer.startswith("192.168.1.1"), offer


def closing_cuts_sessions_from_the_wan(place, kind):
    wall = Wall(place, kind)
    net = wall.net
    for version in (4, 6):
        server = net.socket("device", version, TCP, port=22)
        server.listen()
        inbound = net.connection("wan", version, (DEVICE_WAN[version], 22))
        session, _ = server.accept()
        session.settimeout(PATIENCE)
        place.undo.callback(session.close)
        inbound.send(b"before")
        assert session.recv(100) == b"before"
        wall.put("closed")
        heard = Capture(net, "wan", "eth0")
        inbound.send(b"after")
        # Nor does the device get a word out of its side.
        session.send(b"answer")
        session.settimeout(1)
        for one in (session, inbound):
            try:
                assert one.recv(100) == b""
            except TimeoutError:
                pass
        assert heard.answers() == []
        wall.tell("remove")


def a_closed_device_talks_only_for_the_agent(place, kind):
    wall = Wall(place, kind)
    net = wall.net
    Services(net, "wan", "wan", tcp=[53, 443], udp=[53, 123, 443])
    Services(net, "lan", "lan", tcp=[443], udp=[443])
    for version in (4, 6):
        assert net.hears("device", version, TCP, (WAN[version], 443)) == "wan", "before, it goes out"
    wall.put("closed")
    for version in (4, 6):
        there = WAN[version]
        for kind_of_socket in (TCP, UDP):
            assert net.hears("device", version, kind_of_socket, (there, 443), mark=MARK) == "wan"
            assert net.says("device", version, kind_of_socket, (there, 443)) in (None, "forbidden")
            assert net.says("device", version, kind_of_socket, (there, 443), mark=MARK + 1) in (None, "forbidden")
            assert net.says("device", version, kind_of_socket, (LAN[version], 443)) in (None, "forbidden")
            assert net.hears("device", version, kind_of_socket, (there, 53)) == "wan"
        assert net.hears("device", version, UDP, (there, 123)) == "wan"


def an_open_device_forwards_from_the_lan_only(place, kind):
    wall = Wall(place, kind)
    wall.services()
    net = wall.net
    Services(net, "wan", "wan", tcp=[443], udp=[443])
    inside = Services(net, "lan", "lan", tcp=[22, 443], udp=[443])
    for version in (4, 6):
        assert net.hears("wan", version, TCP, (LAN[version], 443)) == "lan", "before, it comes in"
    wall.put("closed")
    wall.put("open")
    before = inside.count
    for version in (4, 6):
        for kind_of_socket in (TCP, UDP):
            assert net.hears("lan", version, kind_of_socket, (WAN[version], 443)) == "wan"
            assert net.says("wan", version, kind_of_socket, (LAN[version], 443)) is None
            assert net.hears("device", version, kind_of_socket, (WAN[version], 443)) == "wan"
        assert net.hears("lan", version, TCP, (DEVICE_LAN[version], 22)) == "vendor"
        assert net.says("wan", version, TCP, (DEVICE_LAN[version], 22)) is None
    # The vendor's own rules still lead ports through; nothing comes of it.
    assert net.says("wan", 4, TCP, (DEVICE_WAN[4], 2222)) is None
    assert inside.count == before


def the_vendors_rules_stay_as_they_are(place, kind):
    wall = Wall(place, kind)
    before, all_before = wall.vendor(), wall.all_rules()
    for state in ("closed", "open", "closed", "closed"):
        wall.put(state)
        assert wall.vendor() == before
        assert wall.holds(state)
    wall.tell("remove")
    assert wall.all_rules() == all_before
    wall.tell("remove")


@alone
def replacing_leaves_no_moment_without_rules(place, kind):
    wall = Wall(place, kind)
    net = wall.net
    heard = Services(net, "device", "vendor", udp=[9999])
    wall.put("closed")
    sent, end = [0], threading.Event()
    hammer = net.socket("wan", 4, UDP)
    hammer.connect((DEVICE_WAN[4], 9999))

    def strike():
        while not end.is_set():
            hammer.send(b"?")
            sent[0] += 1

    thread = threading.Thread(target=strike, daemon=True)
    thread.start()
    rounds = 0
    try:
        # Beside other work few packets may come while rules are replaced: then they are replaced more often.
        while sent[0] <= 2000:
            assert rounds < 200, sent
            wall.put("closed", "--times", "50")
            rounds += 1
    finally:
        end.set()
        thread.join()
    net.settle()
    assert heard.count == 0, f"{heard.count} of {sent[0]} came in"
    wall.tell("remove")
    assert net.hears("wan", 4, UDP, (DEVICE_WAN[4], 9999)) == "vendor", "this test sees what comes in"
    return f"{sent[0]} packets during {100 * rounds - 1} replacements"


for sentence, function in (
    ("nothing_answers_on_the_wan_by_{}", nothing_answers_on_the_wan),
    ("a_closed_lan_gets_the_page_and_names_only_by_{}", a_closed_lan_gets_the_page_and_names_only),
    ("a_closed_lan_gets_an_address_by_{}", a_closed_lan_gets_an_address),
    ("closing_cuts_sessions_from_the_wan_by_{}", closing_cuts_sessions_from_the_wan),
    ("a_closed_device_talks_only_for_the_agent_by_{}", a_closed_device_talks_only_for_the_agent),
    ("an_open_device_forwards_from_the_lan_only_by_{}", an_open_device_forwards_from_the_lan_only),
    ("the_vendors_rules_stay_as_they_are_by_{}", the_vendors_rules_stay_as_they_are),
    ("replacing_leaves_no_moment_without_rules_by_{}", replacing_leaves_no_moment_without_rules),
):
    tests(function, sentence, BACKENDS)
