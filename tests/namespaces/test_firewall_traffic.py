"""What may pass an open device by policy, with real packets, by nf_tables and by iptables: ways in and through, who is
near, a device that is cut off, and what an infected device cannot do."""

import time

import packets
from net import DEVICE_LAN, DEVICE_WAN, ELSEWHERE, LAN, MARK, WAN, Capture, Services, dhcp_offer
from place import alone, need, tests, wait_until
from wall import TCP, TCP_PORTS, UDP, Wall

BACKENDS = [("nft", "nft"), ("iptables", "iptables")]
#: A second address of the WAN's host, and of the LAN's: the latter from far away.
NEIGHBOUR = {4: "203.0.113.3", 6: "2001:db8:1::3"}
FAR = {4: "198.51.100.20", 6: "2001:db8:8::20"}


def has_too(net, name, addresses):
    """The host has these addresses as well, at once."""
    for version, address in addresses.items():
        net.run(name, "ip", f"-{version}", "address", "add", f"{address}/{32 if version == 4 else 128}", "dev", "eth0")


def hears_from(*where):
    """The same where something must be answered: silence is asked again, as of Net.hears."""
    return next((said for said in (says_from(*where) for _ in range(20)) if said is not None), None)


def says_from(net, name, version, source, to):
    """What a service answers to somebody with this address, within a second."""
    asker = net.socket(name, version, TCP)
    try:
        asker.bind((source, 0))
        asker.connect(to)
        asker.send(b"?")
        return asker.recv(100).decode()
    except (ConnectionRefusedError, ConnectionResetError):
        return "refused"
    except (TimeoutError, OSError):
        return None
    finally:
        asker.close()


def each_port_that_is_asked_for_is_counted(place, kind):
    wall = Wall(place, kind)
    net = wall.net
    for state in ("closed", "open"):
        wall.put(state)
        assert wall.counts(state) == {}
        for version in (4, 6):
            packets.send(net, "wan", WAN[version], DEVICE_WAN[version], 23, 5)
            packets.send(net, "wan", WAN[version], DEVICE_WAN[version], 12345, 3)
            packets.send(net, "wan", WAN[version], DEVICE_WAN[version], 1900, 2, packets.UDP)
            packets.send(net, "wan", WAN[version], DEVICE_WAN[version], 0, 4, packets.ICMP)
        net.settle()
        # Reading, and asking whether all holds, changes nothing.
        for _ in range(2):
            assert wall.counts(state) == {"stranger 23/tcp": 10, "stranger 0/tcp": 6, "stranger 1900/udp": 4,
                                          "stranger 0/any": 8}, wall.counts(state)
            assert wall.holds(state)


def an_opening_is_for_one_source_only(place, kind):
    words = (f"tcp:7547@{WAN[4]}/32", f"tcp:7547@{WAN[6]}/127")
    wall = Wall(place, kind, *(word for one in words for word in ("--wan-rule", one)))
    wall.services()
    net = wall.net
    has_too(net, "wan", NEIGHBOUR)
    wall.put("open")
    for version in (4, 6):
        there = DEVICE_WAN[version]
        assert hears_from(net, "wan", version, WAN[version], (there, 7547)) == "vendor"
        assert says_from(net, "wan", version, WAN[version], (there, 22)) is None
        # The network of IPv6 has two addresses in it, and the neighbour's is one of them.
        asks = says_from if version == 4 else hears_from
        assert asks(net, "wan", version, NEIGHBOUR[version], (there, 7547)) == (None if version == 4 else "vendor")
    has_too(net, "wan", {6: "2001:db8:1::4"})
    assert says_from(net, "wan", 6, "2001:db8:1::4", (DEVICE_WAN[6], 7547)) is None
    for state, more in (("closed", ()), ("open", ("--contained", "yes"))):
        wall.put(state, *more)
        assert says_from(net, "wan", 4, WAN[4], (DEVICE_WAN[4], 7547)) is None, (state, more)


def a_way_through_is_for_one_port_of_one_host(place, kind):
    words = (f"tcp:22@{LAN[4]}", f"tcp:22@{LAN[6]}")
    wall = Wall(place, kind, *(word for one in words for word in ("--port-forward", one)))
    net = wall.net
    Services(net, "lan", "lan", tcp=[22, 443])
    wall.put("open")
    # The vendor's rules change the address: 2222 of the device leads there.
    assert net.hears("wan", 4, TCP, (DEVICE_WAN[4], 2222)) == "lan"
    for version in (4, 6):
        assert net.hears("wan", version, TCP, (LAN[version], 22)) == "lan"
        assert net.says("wan", version, TCP, (LAN[version], 443)) is None
    wall.put("open", "--forwards", "no")
    for version in (4, 6):
        assert net.says("wan", version, TCP, (LAN[version], 22)) is None
        # Refused in the name of the other side, which is no spoofing of the device's.
        assert net.hears("lan", version, TCP, (WAN[version], 443)) == "refused"
    assert not any(name.startswith("spoof") for name in wall.counts("open", "--forwards", "no"))


def only_the_near_reach_a_device_in_somebody_elses_network(place, kind):
    need("dnsmasq", "dnsmasq-base")
    wall = Wall(place, kind, "--lan-subnets-only", "yes", "--forwards", "no")
    wall.services()
    net = wall.net
    has_too(net, "lan", FAR)
    for version in (4, 6):
        net.run("device", "ip", f"-{version}", "route", "add", FAR[version], "via", LAN[version])
        assert hears_from(net, "lan", version, FAR[version], (DEVICE_LAN[version], 22)) == "vendor", "before, it comes in"
    net.start("device", "dnsmasq", "--no-daemon", "--conf-file=/dev/null", "--port=0", "--interface=br0", "--no-ping",
              "--user=root", "--quiet-dhcp", "--log-facility=/dev/null", f"--dhcp-leasefile={place.path('leases')}",
              "--dhcp-range=192.168.1.100,192.168.1.150", "--pid-file=")
    for state, port, answer in (("open", 22, "vendor"), ("closed", 8080, "page")):
        wall.put(state)
        assert hears_from(net, "lan", 4, LAN[4], (DEVICE_LAN[4], port)) == answer
        assert says_from(net, "lan", 4, FAR[4], (DEVICE_LAN[4], port)) is None
        assert any(dhcp_offer(net, "lan", "eth0") for _ in range(10)), state
        # Of IPv6 the links' own networks are near, and these words name none.
        for source in (LAN[6], FAR[6]):
            assert says_from(net, "lan", 6, source, (DEVICE_LAN[6], port)) is None
        near = ("--lan-subnet", "2001:db8:2::/64")
        wall.put(state, *near)
        assert wall.holds(state, *near) and not wall.holds(state)
        assert hears_from(net, "lan", 6, LAN[6], (DEVICE_LAN[6], port)) == answer
        assert says_from(net, "lan", 6, FAR[6], (DEVICE_LAN[6], port)) is None
        # What it began itself goes on, however far.
        assert wall.counts(state, *near)[f"stranger {'22' if state == 'open' else '8080'}/tcp"] > 0
    Services(net, "lan", "far", tcp=[443])
    wall.put("open")
    assert net.hears("device", 4, TCP, (FAR[4], 443)) == "far"


def a_device_that_is_cut_off_talks_to_the_lan_only(place, kind):
    wall = Wall(place, kind, "--contained", "yes")
    wall.services()
    net = wall.net
    Services(net, "wan", "wan", tcp=[53, 443], udp=[53, 123, 443])
    Services(net, "lan", "lan", tcp=[443])
    for version in (4, 6):
        assert net.hears("lan", version, TCP, (WAN[version], 443)) == "wan", "before, it is forwarded"
    server = net.socket("device", 4, TCP, port=9999)
    server.listen()
    inbound = net.connection("wan", 4, (DEVICE_WAN[4], 9999))
    session, _ = server.accept()
    place.undo.callback(session.close)
    session.settimeout(1)
    wall.put("open")
    heard = Capture(net, "wan", "eth0")
    inbound.send(b"download and run")
    session.send(b"a shell")
    try:
        assert session.recv(100) == b"", "a session from before is cut"
    except TimeoutError:
        pass
    assert heard.answers() == []
    inbound.close()
    for version in (4, 6):
        assert net.hears("lan", version, TCP, (DEVICE_LAN[version], 443)) == "vendor"
        assert net.hears("lan", version, UDP, (DEVICE_LAN[version], 53)) == "vendor"
        assert net.echoes_in_the_end("lan", version, DEVICE_LAN[version])
        assert net.hears("lan", version, TCP, (WAN[version], 443)) == "refused"
        assert net.says("wan", version, TCP, (DEVICE_WAN[version], 443)) is None
        for kind_of_socket in (TCP, UDP):
            assert net.says("device", version, kind_of_socket, (WAN[version], 443)) in (None, "forbidden")
            assert net.hears("device", version, kind_of_socket, (WAN[version], 443), mark=MARK) == "wan"
            assert net.hears("device", version, kind_of_socket, (WAN[version], 53)) == "wan"
        assert net.says("device", version, TCP, (LAN[version], 443)) in (None, "forbidden"), "nor does it attack the LAN"
        assert net.hears("device", version, UDP, (WAN[version], 123)) == "wan"


def a_source_that_is_not_ours_goes_nowhere(place, kind):
    wall = Wall(place, kind, "--enforce", "yes")
    net = wall.net
    wall.put("open")
    for version in (4, 6):
        for protocol in (packets.TCP, packets.UDP, packets.ICMP):
            heard = Capture(net, "wan", "eth0")
            for name, wrong in (("device", ELSEWHERE), ("device", LAN), ("lan", ELSEWHERE), ("lan", WAN)):
                refused(net, name, wrong[version], WAN[version], protocol)
            assert heard.answers() == [], (version, protocol)
            for name, right in (("device", DEVICE_WAN), ("device", DEVICE_LAN), ("lan", LAN)):
                packets.send(net, name, right[version], WAN[version], 9, 1, protocol)
            assert len(heard.answers()) == 3, (version, protocol)
    assert wall.counts("open") == {"spoof 0/any": 12, "lan-spoof 0/any": 12}, wall.counts("open")


def refused(net, name, source, target, protocol):
    """Sends a packet that may be refused at once."""
    try:
        packets.send(net, name, source, target, 9, 1, protocol)
    except PermissionError:
        pass


@alone
def a_flood_is_a_trickle(place, kind):
    wall = Wall(place, kind, "--enforce", "yes", "--tcp", "50", "--udp", "100", "--icmp", "20")
    net = wall.net
    Services(net, "wan", "wan", tcp=[443])
    for version in (4, 6):
        wall.put("open")
        heard = Capture(net, "wan", "eth0")
        for protocol, name, rate, count in ((packets.TCP, "tcp", 50, 500), (packets.UDP, "udp", 100, 1000),
                                            (packets.ICMP, "icmp" if version == 4 else "icmp6", 20, 200)):
            # No neighbour is asked for meanwhile, and nothing else counts.
            began = time.monotonic()
            for _ in range(count):
                refused(net, "device", DEVICE_WAN[version], WAN[version], protocol)
            net.settle()
            most = rate * 2 + rate * (time.monotonic() - began) + 2
            came = len([one for one in heard.answers() if arrived(one, version, protocol)])
            assert rate <= came <= most, (name, came, most)
            assert wall.counts("open")[f"flood 0/{name}"] == count - came, (name, came, wall.counts("open"))
            if protocol == packets.TCP:
                # The agent's own connections are not in the way of that.
                assert net.hears("device", version, TCP, (WAN[version], 443), mark=MARK) == "wan"


def a_vpn_and_video_lose_no_packet_unless_policy_wants_it(place, kind):
    """As shipped what is above a limit is counted; what goes to the LAN, or leaves a port that is open, is not."""
    wall = Wall(place, kind, "--udp", "100", "--wan-rule", "udp:51820@0.0.0.0/0", "--wan-rule", "udp:51820@::/0")
    net = wall.net
    for version in (4, 6):
        # Nobody asks for a port without a socket: an error for each would be sent, too.
        wan, lan = (Services(net, name, name, udp=[9]) for name in ("wan", "lan"))
        for counted, name, place_to, taker, source in (
            (False, "a tunnel", WAN, wan, 51820), (False, "video to the LAN", LAN, lan, 5000), (True, "video", WAN, wan, 5000),
        ):
            wall.put("open")
            sender = net.socket("device", version, UDP, port=source)
            before = taker.count
            # Not more at a time than wait in the taker's socket, or that would lose some.
            for sent in range(100, 4001, 100):
                for _ in range(100):
                    sender.sendto(b"?", (place_to[version], 9))
                wait_until(lambda: taker.count - before == sent, f"all of {name} by IPv{version}", 30)
            assert any(one.startswith("flood") for one in wall.counts("open")) == counted, (name, wall.counts("open"))
            sender.close()
        for taker in (wan, lan):
            taker.end.set()
            taker.join()


def arrived(answer, version, protocol):
    """Whether a packet is of this protocol."""
    number = 58 if (version, protocol) == (6, packets.ICMP) else protocol
    return answer.startswith(f"IPv4 protocol {number}" if version == 4 else f"IPv6 next header {number}:")


def scanning_ends_after_a_few_connections(place, kind):
    wall = Wall(place, kind, "--enforce", "yes", "--scans", "6")
    net = wall.net
    wall.put("open")
    heard = Capture(net, "wan", "eth0")
    began = time.monotonic()
    for port in (23, 2323, 7547, 5555, 37215, 52869, 5358, 48101) * 5:
        for version in (4, 6):
            try:
                packets.send(net, "device", DEVICE_WAN[version], WAN[version], port)
            except PermissionError:
                pass
    came = len(heard.answers())
    # iptables limits each family by itself.
    most = (6 if kind == "nft" else 12) + 2 * (time.monotonic() - began) / 10 + 1
    assert 6 <= came <= most, came
    assert wall.counts("open") == {"scan 0/any": 80 - came}, wall.counts("open")
    # Other ports are as they were; the LAN's scans pass, and are counted.
    packets.send(net, "device", DEVICE_WAN[4], WAN[4], 443)
    packets.send(net, "lan", LAN[4], WAN[4], 23, 20)
    assert len(heard.answers()) == 21
    assert wall.counts("open")["lan-scan 23/tcp"] == 20


def the_vendors_rules_stay_beside_all_of_it(place, kind):
    words = ("--lan-subnets-only", "yes", "--lan-subnet", "2001:db8:2::/64", "--lan-subnet", "198.18.0.0/15",
             "--wan-rule", "tcp:443@203.0.113.0/24", "--wan-rule", "udp:53@0.0.0.0/0",
             "--wan-rule", "tcp:443@2001:db8::/33", "--port-forward", "udp:53@192.168.1.9",
             "--port-forward", "tcp:80@2001:db8:2::9", "--tcp", "60", "--udp", "2500", "--icmp", "1", "--scans", "0")
    wall = Wall(place, kind, *words)
    before, all_before = wall.vendor(), wall.all_rules()
    for state, more in (("open", ()), ("closed", ()), ("open", ("--contained", "yes")), ("open", ("--forwards", "no")),
                        ("open", ()), ("open", ())):
        wall.put(state, *more)
        assert wall.vendor() == before
        assert wall.holds(state, *more)
        assert not wall.holds(state, *more, "--scans", "7") or state == "closed"
    if kind == "nft":
        # What nft itself makes of our rules, it can say and hear.
        listed = wall.net.run("device", "nft", "list", "table", "inet", "komainu").stdout
        again = f"delete table inet komainu\n{listed}"
        wall.net.run("device", "nft", "-f", "-", input=again)
        assert wall.net.run("device", "nft", "list", "table", "inet", "komainu").stdout == listed
        wall.put("open")
    wall.tell("remove")
    assert wall.all_rules() == all_before


def a_poorer_kernel_guards_what_it_can(place, kind, lacking, said):
    wall = Wall(place, kind, "--without", lacking)
    wall.services()
    net = wall.net
    for state in ("closed", "open", "open"):
        answer = wall.tell(state)
        assert answer == f'{kind.capitalize()} ["{said}"] holds=true', answer
        assert net.says("wan", 4, TCP, (DEVICE_WAN[4], TCP_PORTS[0])) is None
    Services(net, "wan", "wan", tcp=[443])
    for version in (4, 6):
        assert net.hears("lan", version, TCP, (WAN[version], 443)) == "wan"
        assert net.hears("device", version, TCP, (WAN[version], 443)) == "wan"


for sentence, function in (
    ("each_port_that_is_asked_for_is_counted_by_{}", each_port_that_is_asked_for_is_counted),
    ("an_opening_is_for_one_source_only_by_{}", an_opening_is_for_one_source_only),
    ("a_way_through_is_for_one_port_of_one_host_by_{}", a_way_through_is_for_one_port_of_one_host),
    ("only_the_near_reach_a_device_in_somebody_elses_network_by_{}", only_the_near_reach_a_device_in_somebody_elses_network),
    ("a_device_that_is_cut_off_talks_to_the_lan_only_by_{}", a_device_that_is_cut_off_talks_to_the_lan_only),
    ("a_source_that_is_not_ours_goes_nowhere_by_{}", a_source_that_is_not_ours_goes_nowhere),
    ("a_flood_is_a_trickle_by_{}", a_flood_is_a_trickle),
    ("a_vpn_and_video_lose_no_packet_unless_policy_wants_it_by_{}", a_vpn_and_video_lose_no_packet_unless_policy_wants_it),
    ("scanning_ends_after_a_few_connections_by_{}", scanning_ends_after_a_few_connections),
    ("the_vendors_rules_stay_beside_all_of_it_by_{}", the_vendors_rules_stay_beside_all_of_it),
):
    tests(function, sentence, BACKENDS)

tests(a_poorer_kernel_guards_what_it_can, "a_kernel_without_{}_guards_what_it_can", [
    (f"{lacking.replace('-', '_')}_in_{kind}", kind, lacking, said)
    for kind in ("nft", "iptables")
    for lacking, said in (
        ("count", "what is turned away is not counted"),
        ("limit", "how much the device sends is not limited"),
        ("own-source", "what the device sends may have any source address"),
        ("way-back", "what the LAN sends may have any source address"),
    )
])
