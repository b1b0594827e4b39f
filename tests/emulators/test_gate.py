"""The gate in a MIPS kernel: rules by netlink, the page, and setup from the console."""

from place import test, tests, wait_until
from router import DEVICE_LAN, DEVICE_WAN, KOMAINU, PASSWORD, VENDORS_PAGE, WAN, Router


def guard_keeps_the_wan_out(place, firewall):
    router = Router(place, firewall=firewall)
    router.telnetd()
    router.machine.start("httpd -f -p 80 -h /www")
    for version in (4, 6):
        # Without the gate, all of this can be reached: the test sees who answers.
        assert router.reaches("wan", DEVICE_WAN[version], 23) == "open"
        assert router.reaches("lan", DEVICE_LAN[version], 23) == "open"
    assert VENDORS_PAGE in router.get("wan", DEVICE_WAN[4])
    before = router.status()["wall"]
    began, ended = router.must(f"cut -d ' ' -f 1 /proc/uptime; {KOMAINU} guard || exit 1; cut -d ' ' -f 1 /proc/uptime"
                               ).split()[-2:]
    after = router.status()["wall"]
    assert before != after, f"the agent sees no difference: {after}"
    for version in (4, 6):
        for port in (23, 80):
            assert router.reaches("wan", DEVICE_WAN[version], port) == "silent", f"the WAN gets to port {port}"
            assert router.reaches("wan", DEVICE_LAN[version], port) == "silent", f"the WAN gets to port {port}"
        assert router.reaches("lan", DEVICE_LAN[version], 23) == "refused"
    # What is there is kept: a second time it is not put again, and who has taken the rules away is found out.
    assert router.status()["wall"] == after
    return f"rules in place {float(ended) - float(began):.2f} s after the agent's start: {after}"


tests(guard_keeps_the_wan_out, "guard_keeps_the_wan_out_of_a_mips_kernel_by_{}", [("nft", "nft"), ("iptables", "iptables")])


@test
def a_closed_gate_is_set_up_from_the_console_and_opens(place):
    router = Router(place)
    router.machine.start("httpd -f -p 80 -h /www")
    router.must(f"at wan true; (at wan nc -ll -p 443 -e /bin/true </dev/null >/dev/null 2>&1 &)")
    assert router.reaches("device", WAN[4], 443) == "open", "this test sees who answers"
    agent = router.start()
    for address in (DEVICE_LAN[4], DEVICE_LAN[6]):
        page = router.get("lan", address)
        assert "<form" in page and VENDORS_PAGE not in page, f"port 80 of the LAN does not lead to the page: {page[:300]}"
    assert router.reaches("wan", DEVICE_WAN[4], 8600) == "silent"
    assert router.reaches("device", WAN[4], 443) != "open", "a closed device gets out"
    assert router.status()["gate"] == "closed"
    weak = router.run(f"echo admin | {KOMAINU} setup")
    assert weak.code == 1 and "not good enough" in weak.out, weak.out
    router.komainu("setup", stdin=PASSWORD)
    wait_until(lambda: router.status()["gate"] == "open", "the gate is open")
    wait_until(lambda: router.reaches("device", WAN[4], 443) == "open", "an open device gets out", 20)
    assert router.reaches("wan", DEVICE_WAN[4], 80) == "silent"
    assert router.must("cut -d : -f 2 /etc/shadow | head -n 1").startswith("$5$"), "no password is set"
    assert router.must(f"test -d /proc/{agent} && echo there").strip() == "there"
    return router.status()["wall"]
