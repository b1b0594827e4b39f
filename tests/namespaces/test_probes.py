"""What each operating system and browser asks to learn whether it is online, asked by curl: while the gate is closed
it is led to the page, and once it is open it hears what it wants, so that its window closes by itself."""

from gate import Gate
from internet import PROBES, Internet
from net import DEVICE_LAN, WAN
from place import need, tests, wait_until


def curl(gate, address, *more):
    """Status, headers and body of what a client in the LAN gets; it finds names by the device."""
    done = asked(gate, address, *more)
    assert done.returncode == 0, f"{address}: {done.stderr}"
    return parts(done.stdout, "-L" in more)


def asked(gate, address, *more):
    need("curl", "curl")
    return gate.on_client("curl", "-sSi", "--max-time", "60", "--noproxy", "*", *more, address)


def parts(text, led_on):
    text = text.replace("\r\n", "\n")
    head, _, body = text.rpartition("\n\n") if led_on else text.partition("\n\n")
    lines = head.split("\n\n")[-1].splitlines()
    headers = dict(line.split(": ", 1) for line in lines[1:])
    return int(lines[0].split()[1]), {name.lower(): value for name, value in headers.items()}, body


def leads_to_the_page(gate, address, home, *more):
    status, headers, _ = curl(gate, address, *more)
    assert (status, headers["location"]) == (302, home), (status, headers)
    assert "no-store" in headers["cache-control"], headers
    status, headers, body = curl(gate, home)
    assert status == 200 and "no-store" in headers["cache-control"], (status, headers)
    assert '<form method="post" action="/setup">' in body and 'autocomplete="new-password"' in body, body


def a_probe(place, host, path, status, body):
    gate = Gate(place)
    gate.vendor()
    internet = Internet(gate.net)
    address = f"http://{host}{path}"
    gate.run()
    leads_to_the_page(gate, address, f"http://{DEVICE_LAN[4]}/")
    # Names of somebody else's server, remembered or asked for by other ways: the same.
    for there, home in ((WAN[4], f"http://{DEVICE_LAN[4]}/"), (f"[{WAN[6]}]", f"http://[{DEVICE_LAN[6]}]/")):
        leads_to_the_page(gate, address, home, "--resolve", f"{host}:80:{there}")
    assert internet.asked == [], internet.asked
    gate.set_up()
    # A connection that is under way while the gate opens may break.
    wait_until(lambda: (done := asked(gate, address)).returncode == 0 and parts(done.stdout, False)[0] == status,
               "online")
    for version in ("-4", "-6"):
        found, headers, said = curl(gate, address, version)
        assert (found, said) == (status, body) and "location" not in headers, (found, headers, said)
    assert (host, path) in internet.asked


tests(a_probe, "{}_is_led_to_the_page_and_hears_that_it_is_online_afterwards", PROBES)
