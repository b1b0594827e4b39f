"""A person with a phone: Chromium in the LAN sets the password of the real device, and then logs in with it."""

import os
from pathlib import Path

import login
from gate import DEFAULT, PASSWORD, Gate
from net import DEVICE_LAN, DEVICE_WAN
from place import ROOT, Skip, need, test

SHOTS = ROOT / "work/browser"


@test
def a_person_sets_the_password_in_chromium_and_logs_in_with_it(place):
    node = need("node", "nodejs")
    need("chromium", "chromium")
    if not (SHOTS / "node_modules/playwright-core").is_dir():
        raise Skip("needs playwright-core below work/browser: tests/setup puts it there")
    gate = Gate(place, "nft")
    gate.vendor()
    gate.run()
    assert not login.by_console(gate, "") and login.by_console(gate, DEFAULT), "this test sees who is let in"
    done = gate.on_client(
        node, ROOT / "tests/browser/person.mjs", "http://www.example.com/shop?x=1", f"http://{DEVICE_LAN[4]}/",
        SHOTS / "device-phone-ja", seconds=600,
        env={**os.environ, "KOMAINU_PASSWORD": PASSWORD, "HOME": str(Path(place.folder))},
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "パスワードを設定しました", done.stdout
    assert gate.holds_password(PASSWORD)
    assert login.by_ssh(gate.net, "lan", DEVICE_LAN[4], PASSWORD), "dropbear lets the owner in"
    assert not login.by_ssh(gate.net, "lan", DEVICE_LAN[4], DEFAULT), "and nobody with the factory's password"
    assert login.by_console(gate, PASSWORD) and not login.by_console(gate, DEFAULT)
    assert not login.by_ssh(gate.net, "wan", DEVICE_WAN[4], PASSWORD, seconds=5)
