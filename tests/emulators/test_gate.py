"""The gate in a MIPS kernel: rules by netlink, the page, and setup from the console."""

from place import test, tests, wait_until
from router import DEVICE_LAN, DEVICE_WAN, KOMAINU, PAGE, PASSWORD, VENDORS_PAGE, WAN, Router

#: What attackers ask for, and the page.
PORTS = (22, 23, 53, 80, 443, 554, 2323, 5555, 7547, 8080, 8443, 37215, 48101, 49152, 52869, PAGE)


def guard_keeps_the_wan_out(place, firewall):
    router = Router(place, firewall=firewall)
    router.telnetd()
    router.machine.start("httpd -f -p 80 -h /www")
    for version in (4, 6):
        # Without the gate, all of this can be reached: the test sees who answers.
        assert router.is_reached("wan", DEVICE_WAN[version], 23, 80)
        assert router.is_reached("wan", DEVICE_WAN[version], 22, as_="refused")
        assert router.is_reached("lan", DEVICE_LAN[version], 23)
    assert VENDORS_PAGE in router.get("wan", DEVICE_WAN[4])
    assert router.status()["firewall"] != "holds"
    began, ended = router.must(f"""read -r began _ </proc/uptime
        {KOMAINU} firewall >/dev/null 2>/run/guard || {{ cat /run/guard; exit 1; }}
        read -r ended _ </proc/uptime; echo $began $ended""").split()
    assert router.status()["firewall"] == "holds"
    nothing_from_the_wan(router)
    for version in (4, 6):
        assert router.is_reached("lan", DEVICE_LAN[version], 23, as_="refused")
    if firewall == "iptables":
        router.must("iptables -F INPUT")
        assert router.status()["firewall"] != "holds", "who takes our rules away is not seen"
        router.komainu("firewall")
        assert router.status()["firewall"] == "holds"
    return f"rules in place {float(ended) - float(began):.2f} s after the agent's start"


def nothing_from_the_wan(router):
    """The device does not even refuse."""
    for version in (4, 6):
        for address in (DEVICE_WAN[version], DEVICE_LAN[version]):
            found = router.reaches("wan", address, *PORTS)
            assert found == "silent", f"the WAN hears from {address}: {found}"


tests(guard_keeps_the_wan_out, "guard_keeps_the_wan_out_of_a_mips_kernel_by_{}",
      [("nft", "nft"), ("iptables", "iptables")])


@test
def guard_before_there_is_a_network_holds_when_it_comes(place):
    router = Router(place, network=False)
    router.telnetd()
    assert "eth1" not in router.must("ls /sys/class/net")
    router.komainu("firewall")
    router.must("network")
    nothing_from_the_wan(router)
    assert router.status()["firewall"] == "holds"


@test
def a_closed_gate_is_set_up_from_the_console_and_opens(place):
    router = Router(place)
    router.machine.start("httpd -f -p 80 -h /www")
    router.machine.start("at wan nc -ll -p 443 -e /bin/true")
    assert router.is_reached("device", WAN[4], 443), "this test sees who answers"
    agent = router.start()
    for address in (DEVICE_LAN[4], DEVICE_LAN[6]):
        page = router.get("lan", address)
        assert "<form" in page and VENDORS_PAGE not in page, f"port 80 does not lead to the page: {page[:300]}"
    assert router.reaches("wan", DEVICE_WAN[4], PAGE) == "silent"
    assert router.reaches("device", WAN[4], 443) != "open", "a closed device gets out"
    assert router.status()["gate"] == "closed"
    weak = router.run(f"echo admin | {KOMAINU} setup")
    assert weak.code == 1 and "not good enough" in weak.out, weak.out
    router.komainu("setup", stdin=PASSWORD)
    wait_until(lambda: router.status()["gate"] == "open", "the gate is open")
    wait_until(lambda: router.reaches("device", WAN[4], 443) == "open", "an open device gets out")
    assert router.reaches("wan", DEVICE_WAN[4], 80) == "silent"
    assert router.must("cut -d : -f 2 /etc/shadow | head -n 1").startswith("$5$"), "no password is set"
    assert router.must(f"test -d /proc/{agent} && echo there").strip() == "there"
    return router.status()["firewall"]
