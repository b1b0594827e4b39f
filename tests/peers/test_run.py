"""`komainu run`, as it guards a device: it polls by itself, steps aside for nobody, and ends when it is told to."""

import json
import signal

from device import BUSY, DONE, FAILED, RESTART, USAGE, Device
from maker import Workshop
from place import PATIENCE, test, wait_until
from web import Web


@test
def run_updates_by_itself_and_ends_when_told(place):
    workshop = Workshop(place)
    images = workshop.publish(2)
    device = Device(place, workshop.root, Web(place, workshop.repository).url)
    # It ends because the device must be restarted, by whoever started it.
    device.komainu("run").must(RESTART, "started", "activating release=2")
    assert device.restart() == "b"
    running = device.start("run")
    wait_until(lambda: "confirming release=2" in device.log.read_text(), "release 2 is confirmed")
    wait_until(lambda: device.status()["update"] == "idle", "and recorded")
    running.send_signal(signal.SIGTERM)
    assert running.wait(PATIENCE) == DONE
    device.holds(images, "b")
    assert device.restart() == "b"


@test
def only_one_agent_is_at_work(place):
    workshop = Workshop(place)
    device = Device(place, workshop.root, Web(place, workshop.repository).url)
    running = device.start("run")
    wait_until(lambda: "first-start" in device.log.read_text(), "it is at work")
    with device.untouched("ab"):
        for word in ("once", "run"):
            device.komainu(word).must(BUSY, "another komainu is at work")
    assert running.poll() is None
    running.send_signal(signal.SIGTERM)
    assert running.wait(PATIENCE) == DONE


@test
def a_round_that_waits_for_its_trial_hears_confirm(place):
    workshop = Workshop(place)
    workshop.publish(2)
    device = Device(place, workshop.root, Web(place, workshop.repository).url)
    device.settings["trial"] = {**device.settings.get("trial", {}), "confirm_by": "command", "seconds": 86_400}
    device.komainu("once").must(RESTART, "activating release=2")
    assert device.restart() == "b"
    waits = device.start("once")
    log = device.log
    wait_until(lambda: "trial-waits release=2" in log.read_text(), "it waits for a word")
    device.log = device.folder / "log-of-confirm"
    device.komainu("confirm").must(DONE)
    assert waits.wait(PATIENCE) == DONE
    assert "confirming release=2" in log.read_text()
    assert device.status()["update"] == "idle"


@test
def poll_and_plan_ask_the_agent_that_is_at_work(place):
    workshop = Workshop(place)
    device = Device(place, workshop.root, Web(place, workshop.repository).url)
    device.komainu("plan").must(DONE)
    assert device.komainu("plan").out.startswith("alone "), "it says that it looks by itself"
    running, log = device.start("run"), device.log
    wait_until(lambda: "refused release=1" in log.read_text() or "offer-nothing" in log.read_text()
               or "first-start" in log.read_text(), "it is at work")
    workshop.publish(2)
    device.log = device.folder / "log-of-commands"
    assert device.komainu("plan").must(DONE).out.startswith(f"beside  the komainu that is at work (process {running.pid})")
    said = device.komainu("once").must(BUSY)
    assert f"another komainu is at work (process {running.pid}), and nothing was done" in said.log
    assert "asked the komainu that is at work" in device.komainu("poll").must(DONE).out
    wait_until(lambda: "activating release=2" in log.read_text(), "it polls at once")
    assert running.wait(PATIENCE) == RESTART


@test
def a_round_says_on_the_terminal_how_it_ended(place):
    workshop = Workshop(place)
    workshop.publish(2)
    web = Web(place, workshop.repository)
    device = Device(place, workshop.root, web.url)
    away = {**device.settings["server"], "metadata_url": "http://127.0.0.1:9/metadata/"}
    there, device.settings["server"] = device.settings["server"], away
    for word in ("once", "poll"):
        assert "step-failed step=poll" in device.komainu(word).must(FAILED).out, word
    for word, says in (("confirm", "nothing is on trial"), ("rollback", "nothing is staged or on trial")):
        assert f"komainu: {says}" in device.komainu(word).must(FAILED).log, word
    device.settings["server"] = there
    assert "release=2" in device.komainu("poll").must(RESTART).out
    says = "release 2 waits for its trial: restart the device first"
    assert says in device.komainu("confirm").must(FAILED).log
    assert device.restart() == "b"
    assert "release=2" in device.komainu("once").must(DONE, "confirming release=2").out


@test
def plan_is_there_for_machines(place):
    workshop = Workshop(place)
    device = Device(place, workshop.root, Web(place, workshop.repository).url)
    alone = json.loads(device.komainu("plan", "--json").must(DONE).out)
    assert not alone["at_work"] and alone["steps"] and alone["wall"] == [], alone
    assert alone["reason"].startswith("first-start"), alone
    # It does nothing, and leaves nothing behind.
    assert not device.state.exists()
    device.komainu("confirm", "--json").must(USAGE, "confirm takes no --json")
