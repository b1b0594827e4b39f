"""Name servers: one that says nothing holds up an update no longer than `stall_seconds`, and a name is asked for once."""

import sys
from pathlib import Path

from device import DONE, FAILED, RESTART, Device
from maker import Workshop
from place import need, need_root, test

HOST = "updates.example"


def made(place, mode):
    need_root("a network of its own")
    workshop = Workshop(place)
    images = workshop.publish(2)
    resolv, queries = place.path("resolv.conf"), place.path("queries")
    # Longer than the agent waits: only its own limit can be the one that ends a look-up.
    resolv.write_text("nameserver 127.0.0.1\noptions timeout:30 attempts:5\n")
    device = Device(place, workshop.root, f"http://{HOST}:8080/")
    tool = Path(__file__).resolve().parent / "tools" / "names.py"
    device.agent.runner = (need("unshare", "util-linux"), "--net", "--mount", sys.executable, str(tool), mode, str(resolv),
                           str(queries), str(workshop.repository), "8080")
    return device, images, lambda: queries.read_text().splitlines() if queries.exists() else []


@test
def a_name_server_that_says_nothing_holds_up_an_update_no_longer_than_a_stall(place):
    device, _, asked = made(place, "mute")
    device.settings["server"]["stall_seconds"] = 2
    with device.untouched("ab"):
        device.once().must(FAILED, "unreachable: timed out (the name server)")
    assert any(line.endswith(HOST) for line in asked()), asked()


@test
def a_name_is_looked_up_once_for_all_requests_of_a_poll(place):
    device, images, asked = made(place, "answers")
    device.once().must(RESTART, "activating release=2")
    lines = [line for line in asked() if line == f"1 {HOST}"]
    assert len(lines) == 1, asked()
    assert device.restart() == "b"
    device.once().must(DONE, "confirming release=2")
    device.holds(images, "b")
    return f"{len(asked())} questions"
