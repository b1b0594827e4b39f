"""What a device is and whom to call: read by everybody in the LAN, by nobody on the WAN, and no password."""

import html

from browser import Browser
from gate import PAGE, PASSWORD, Gate
from net import DEVICE_LAN, DEVICE_WAN
from place import test, wait_until

#: As hostile as the settings let it be.
IDENTITY = {"manufacturer": 'Aqua "<script>alert(1)</script>"', "model": "Ryuryokei-2000", "installer": "Tanaka & Sons' {=account}",
            "contact": "+81 3 1234 5678, help@installer.example"}
#: What no packet to the WAN may hold.
SECRET = ("Ryuryokei", "installer.example", "1234 5678")


def device(place):
    gate = Gate(place)
    gate.settings["identity"] = IDENTITY
    gate.vendor()
    gate.run()
    return gate


def heard_on_the_wan(gate):
    """All that the page's ports answer to the WAN, at every address of the device, asked by every name."""
    stranger = Browser(gate.net, "wan")
    heard = []
    for to, version in ((DEVICE_WAN[4], 4), (DEVICE_WAN[6], 6), (DEVICE_LAN[4], 4), (DEVICE_LAN[6], 6)):
        for port in (80, PAGE):
            answer = stranger.ask("/", patient=False, to=to, port=port, version=version, seconds=3)
            heard.append(f"{answer.headers} {answer.text}" if answer else "")
    return "\n".join(heard)


def read_in_the_lan(gate):
    shown = gate.page().text
    for value in IDENTITY.values():
        assert html.escape(value, quote=True).replace("&#x27;", "&#39;") in shown, (value, shown)
    assert "<script>alert" not in shown, shown


@test
def what_a_device_is_is_read_in_the_lan_and_never_on_the_wan(place):
    gate = device(place)
    read_in_the_lan(gate)
    assert not any(secret in heard_on_the_wan(gate) for secret in SECRET), "while the gate is closed"
    # Whoever reads it may try it as a password.
    answer = gate.claim("Ryuryokei-2000!a")
    assert answer.status == 200 and "a name that others can find out" in answer.text, answer.text
    gate.set_up()
    wait_until(lambda: 'action="/login"' in gate.page().text, "one logs in there")
    read_in_the_lan(gate)
    assert gate.listens("lan", DEVICE_LAN[4], PAGE), "this test sees who listens"
    heard = heard_on_the_wan(gate)
    assert not any(secret in heard for secret in SECRET), heard
    code, said = gate.ask("identity")
    assert code == 0 and all(value in said for value in IDENTITY.values()), said
    assert gate.holds_password(PASSWORD)


@test
def what_is_too_long_is_refused_with_its_line_and_the_gate_stays(place):
    gate = Gate(place)
    gate.settings["identity"] = {**IDENTITY, "contact": "x" * 81}
    gate.vendor()
    gate.run()
    code, said = gate.ask("identity")
    assert code == 2 and "`identity.contact` must have 80 characters at most, and this has 81" in said, said
    shown = gate.page().text
    assert "Ryuryokei" in shown and "xxx" not in shown, shown
    assert gate.stands("closed") == "closed"
