"""Killed in the middle of a download (kill -9), the agent goes on where it was."""

import threading

import rough
from device import Device
from maker import Workshop
from place import test, wait_until
from web import Web

KIB = 1024
CRAWLS = "location ~ rootfs.img$ { limit_rate_after 600k; limit_rate 1k; }"
ROOTFS_INDEX = 1



def resumed(place, lines, status):
    """Kills while nginx crawls, then goes on with nginx as `lines` say; gives back what it was asked for."""
    workshop = Workshop(place)
    images = workshop.publish(2)
    web = Web(place, workshop.repository, extra=CRAWLS)
    device = Device(place, workshop.root, web.url)
    device.settings["server"]["slow_bytes_per_second"] = 0
    with device.untouched():
        offset = device.kill_while_staging(ROOTFS_INDEX, 256 * KIB)
        assert device.status()["update"] == "staging"
        # Powered off in this state, the device starts the slot that ran.
        assert device.restart() == "a"
    web.start(lines)
    device.update(2, images)
    found = [request for request in web.requests() if request["path"].endswith(".rootfs.img")]
    first = found[0]
    assert (first["range"], first["status"]) == (f"bytes={offset}-", status), first
    whole = len(images["rootfs"])
    return f"killed at {offset} of {whole}, {sum(request['sent_bytes'] for request in found)} bytes fetched after that"


@test
def a_killed_agent_resumes_with_a_range(place):
    return resumed(place, "", 206)


@test
def a_killed_agent_resumes_where_the_server_has_no_ranges(place):
    return resumed(place, "max_ranges 0;", 200)


@test
def a_killed_agent_resumes_when_the_server_held_the_body(place):
    workshop = Workshop(place)
    images = workshop.publish(2)
    held = threading.Event()
    server = rough.Rough(place, workshop.repository, {".rootfs.img": rough.held_at(500_000, held)})
    device = Device(place, workshop.root, server.url)
    with device.untouched():
        # 500,000 bytes from 4096 on come down to seven whole checkpoints of 64 KiB; the eighth never fills.
        offset = device.kill_while_staging(ROOTFS_INDEX, 4096 + 7 * 64 * KIB)
    assert held.is_set() and offset == 4096 + 7 * 64 * KIB, offset
    server.rules.clear()
    server.requests.clear()
    device.update(2, images)
    assert [span for path, span in server.requests if path.endswith(".rootfs.img")][0] == f"bytes={offset}-"
    return f"at {offset}"


@test
def a_killed_agent_leaves_no_lock_behind(place):
    workshop = Workshop(place)
    images = workshop.publish(2)
    server = rough.Rough(place, workshop.repository, {".rootfs.img": rough.held_at(100_000)})
    device = Device(place, workshop.root, server.url)
    process = device.start("once")
    wait_until(lambda: device.on_record() >= (ROOTFS_INDEX, 0), "the second image is under way")
    # While it works, a second one steps aside.
    with device.untouched():
        device.once().must(4, "another komainu is at work")
    process.kill()
    process.communicate()
    server.rules.clear()
    device.update(2, images)


@test
def a_release_killed_again_and_again_is_staged_in_the_end(place):
    workshop = Workshop(place)
    images = workshop.publish(2)
    web = Web(place, workshop.repository, extra=CRAWLS.replace("600k", "200k"))
    device = Device(place, workshop.root, web.url)
    device.settings["server"]["slow_bytes_per_second"] = 0
    offsets = [0]
    with device.untouched():
        for _ in range(4):
            offsets.append(device.kill_while_staging(ROOTFS_INDEX, offsets[-1] + 1))
    web.start()
    device.update(2, images)
    return f"killed at {', '.join(str(offset) for offset in offsets[1:])}"
