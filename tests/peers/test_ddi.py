"""hawkBit's DDI: a real server (goosebit), and a stand-in for the answers that it does not give. The release comes from the TUF
repository all the same; the server says when, and hears how it ended."""

import signal

from device import DONE, RESTART, Device
from fleet_server import Goosebit
from fleet_stand_in import StandIn
from maker import Workshop
from place import KOMAINU, PATIENCE, Skip, command, test, tests, wait_until
from web import Web

TOKEN = "a-token-of-32-letters-and-digits"


class Fleet:
    """A workshop, its repository on a web server, and a device that a fleet server looks after."""

    def __init__(self, place, server, **ddi):
        if " ddi" not in command(KOMAINU, "version").stdout:
            raise Skip("needs a komainu with the feature `ddi`")
        self.workshop = Workshop(place)
        self.web = Web(place, self.workshop.repository)
        self.server, self.device = server, Device(place, self.workshop.root, self.web.url)
        token = place.path("token")
        token.write_text(f"{TOKEN}\n")
        self.device.settings["ddi"] = {"url": server.url, "target_token_file": str(token), "poll_seconds_min": 1,
                                       "poll_seconds_max": 3, **ddi}
        # A trial is measured from the start of the device, and that is this machine's.
        self.device.settings["trial"]["seconds"] = 86_400
        self.starts = 0

    def run(self):
        """Starts the agent, with a log of its own."""
        self.starts += 1
        self.device.log = self.device.folder / f"log-{self.starts}"
        return self.device.start("run")

    def logs(self, words):
        log = self.device.log
        try:
            wait_until(lambda: words in log.read_text(), f"the log says {words!r}")
        except AssertionError as why:
            raise AssertionError(f"{why}\n{log.read_text()}") from None

    def command(self, *words):
        """A command beside the agent; the log stays the agent's."""
        log, self.device.log = self.device.log, self.device.folder / "log-of-command"
        try:
            return self.device.komainu(*words)
        finally:
            self.device.log = log

    def end(self, running):
        running.send_signal(signal.SIGTERM)
        assert running.wait(PATIENCE) == DONE, self.device.log.read_text()

    def restarts(self, running, slot):
        """The agent ends because the device must be restarted; this slot runs then."""
        assert running.wait(PATIENCE) == RESTART, self.device.log.read_text()
        assert self.device.restart() == slot


def registered(place):
    server = Goosebit(place)
    server.add_device("peer", TOKEN)
    fleet = Fleet(place, server)
    fleet.device.settings["trial"]["confirm_by"] = "command"
    running = fleet.run()
    wait_until(lambda: server.device("peer")["last_state"] == "Registered", "the device is registered")
    return fleet, server, running


@test
def a_fleet_server_shows_success_only_after_the_release_is_confirmed(place):
    fleet, server, running = registered(place)
    device = server.device("peer")
    assert (device["sw_version"], device["hardware"]["model"]) == ("1.0.0", "gate-1"), device
    images = fleet.workshop.publish(2)
    # Published, and not rolled out: the device knows of it, and waits.
    fleet.command("poll").must(DONE)
    fleet.logs("fleet-holds release=2")
    with fleet.device.untouched("ab"):
        wait_until(lambda: server.device("peer")["polling"], "it goes on asking")
    server.roll_out("2.0.0")
    fleet.restarts(running, "b")
    fleet.device.holds(images, "b")
    assert server.device("peer")["last_state"] == "Running" and server.counts() == (0, 0)
    running = fleet.run()
    fleet.logs("trial-waits release=2")
    wait_until(lambda: "trial-waits release=2" in server.heard("peer"), "the server hears of the trial")
    device = server.device("peer")
    assert (device["last_state"], device["sw_version"]) == ("Running", "1.0.0"), device
    assert server.counts() == (0, 0)
    fleet.command("confirm").must(DONE)
    # goosebit writes state, count and version one after the other, and the log last of all.
    wait_until(lambda: "release 2 version 2.0.0 is confirmed" in server.heard("peer"), "the server hears of success")
    device = server.device("peer")
    assert (device["last_state"], device["sw_version"], server.counts()) == ("Finished", "2.0.0", (1, 0)), device
    fleet.logs("stage=told")
    fleet.end(running)


@test
def a_fleet_server_hears_why_a_trial_failed(place):
    fleet, server, running = registered(place)
    fleet.workshop.publish(2)
    server.roll_out("2.0.0")
    fleet.restarts(running, "b")
    fleet.device.health.mkdir()
    check = fleet.device.health / "10-web"
    check.write_text("#!/bin/sh\necho 'port 80 is <b>silent</b>' >&2\nexit 2\n")
    check.chmod(0o755)
    running = fleet.run()
    fleet.restarts(running, "a")
    assert server.counts() == (0, 0), "told before the device is back"
    running = fleet.run()
    wait_until(lambda: server.counts() == (0, 1) and "10-web" in server.heard("peer"), "the server hears of failure")
    device = server.device("peer")
    assert (device["last_state"], device["sw_version"], server.counts()) == ("Error", "1.0.0", (0, 1)), device
    assert "<" not in server.heard("peer"), server.heard("peer")
    fleet.logs("stage=told")
    # The same software once more: the release is refused now, and the server hears that as well.
    server.force("peer")
    wait_until(lambda: server.counts() == (0, 2) and "failed-before" in server.heard("peer"), "the second try is told")
    fleet.end(running)


@test
def a_token_that_the_fleet_server_does_not_know_changes_nothing(place):
    server = Goosebit(place)
    server.add_device("peer", "another-token")
    fleet = Fleet(place, server)
    fleet.workshop.publish(2)
    running = fleet.run()
    fleet.logs("ddi-failed why=\"status 401")
    fleet.logs("fleet-holds release=2")
    with fleet.device.untouched("ab"):
        assert server.device("peer")["last_state"] == "Unknown"
        fleet.end(running)


@test
def a_fleet_server_that_only_asks_for_looks_does_not_hold_a_release_back(place):
    fleet = Fleet(place, StandIn(place), hold=False)
    fleet.workshop.publish(2)
    fleet.restarts(fleet.run(), "b")


@test
def an_action_of_a_stand_in_is_told_step_by_step(place):
    server = StandIn(place)
    fleet = Fleet(place, server)
    fleet.device.settings["trial"]["confirm_by"] = "command"
    fleet.workshop.publish(2)
    server.links["configData"] = "configData"
    server.assign(17, "2.0.0")
    fleet.restarts(fleet.run(), "b")
    assert server.executions(17)[0] == "proceeding/none" and "closed/success" not in server.executions(17)
    [_, _, _, attributes, headers] = next(request for request in server.requests if request[1] == "PUT")
    assert attributes["data"]["hw_boardname"] == "gate-1" and attributes["mode"] == "merge", attributes
    assert headers["Authorization"] == f"TargetToken {TOKEN}"
    # An answer to the last word that says "gone" ends it as well.
    server.answers["/deploymentBase/17/feedback"] = (410, {}, b"")
    running = fleet.run()
    fleet.logs("trial-waits release=2")
    fleet.command("confirm").must(DONE)
    fleet.logs("stage=told")
    server.links = {}
    polls = len(server.polls())
    wait_until(lambda: len(server.polls()) > polls + 2, "it goes on asking")
    assert server.executions(17).count("closed/success") == 1, server.executions(17)
    fleet.end(running)


@test
def a_withdrawal_before_activation_is_obeyed(place):
    server = StandIn(place)
    fleet = Fleet(place, server)
    fleet.workshop.publish(2)
    # Staged, and not started: the window for that is not open.
    server.assign(17, "2.0.0", maintenanceWindow="unavailable")
    running = fleet.run()
    wait_until(lambda: "downloaded/none" in server.executions(17), "the release is staged")
    server.withdraw(17)
    wait_until(lambda: server.told("cancelAction", 17), "the withdrawal is answered")
    status = server.told("cancelAction", 17)[0]["status"]
    assert (status["execution"], status["result"]["finished"]) == ("closed", "success"), status
    server.links = {}
    polls = len(server.polls())
    wait_until(lambda: len(server.polls()) > polls + 2, "it goes on asking")
    assert running.poll() is None and fleet.device.environment.read().get("upgrade_available") != "1"
    assert not any(said.startswith("closed") for said in server.executions(17)), server.executions(17)
    # Another action starts what is staged.
    server.assign(18, "2.0.0")
    fleet.restarts(running, "b")


@test
def a_withdrawal_after_activation_is_refused_and_the_update_goes_on(place):
    server = StandIn(place)
    fleet = Fleet(place, server)
    fleet.device.settings["trial"]["confirm_by"] = "command"
    fleet.workshop.publish(2)
    server.assign(17, "2.0.0")
    fleet.restarts(fleet.run(), "b")
    server.withdraw(17)
    running = fleet.run()
    wait_until(lambda: server.told("cancelAction", 17), "the withdrawal is answered")
    status = server.told("cancelAction", 17)[0]["status"]
    assert (status["execution"], status["result"]["finished"]) == ("rejected", "none"), status
    server.assign(17, "2.0.0")
    del server.links["cancelAction"]
    fleet.logs("trial-waits release=2")
    fleet.command("confirm").must(DONE)
    wait_until(lambda: "closed/success" in server.executions(17), "success is told")
    assert len(server.told("cancelAction", 17)) == 1
    fleet.end(running)


def is_asked_for_consent(place, consents):
    server = StandIn(place)
    fleet = Fleet(place, server, consent=consents)
    server.links["confirmationBase"] = "confirmationBase/17?c=1"
    running = fleet.run()
    wait_until(lambda: len(server.polls()) > 3, "it goes on asking")
    told = [said["confirmation"] for said in server.told("confirmationBase", 17)]
    assert told == (["confirmed"] if consents else []), told
    fleet.end(running)


tests(is_asked_for_consent, "a_question_for_consent_is_{}", [
    ("answered_by_the_device", True),
    ("left_to_people_where_the_settings_say_so", False),
])


@test
def a_busy_server_is_left_alone_for_as_long_as_it_asks_within_the_bound(place):
    server = StandIn(place)
    fleet = Fleet(place, server, poll_seconds_max=4)
    server.answers[""] = (429, {"Retry-After": "2"}, b"slow down")
    running = fleet.run()
    wait_until(lambda: len(server.polls()) > 3, "it asks again")
    polls = server.polls()
    pauses = [later - earlier for earlier, later in zip(polls, polls[1:])]
    assert min(pauses) >= 1.9, pauses
    server.answers[""] = (503, {"Retry-After": "99999999"}, b"")
    polls = len(server.polls())
    wait_until(lambda: len(server.polls()) > polls + 2, "it asks again, whatever the server wants", 60)
    del server.answers[""]
    polls = len(server.polls())
    wait_until(lambda: len(server.polls()) > polls + 2, "it goes on")
    fleet.end(running)


def nonsense(place, path, answer):
    """Nothing follows from it: no slot and no boot choice changes, the agent goes on, and a good answer is taken afterwards."""
    server = StandIn(place)
    fleet = Fleet(place, server)
    fleet.workshop.publish(2)
    server.assign(17, "2.0.0")
    server.answers[path] = answer
    running = fleet.run()
    fleet.logs("ddi-failed why=")
    fleet.logs("fleet-holds release=2")
    with fleet.device.untouched("ab"):
        polls = len(server.polls())
        wait_until(lambda: len(server.polls()) > polls + 2, "it goes on asking")
        assert running.poll() is None, fleet.device.log.read_text()
    del server.answers[path]
    server.assign(17, "2.0.0")
    fleet.restarts(running, "b")


DEEP = b'{"_links":' * 5000 + b"1" + b"}" * 5000
tests(nonsense, "nothing_follows_from_{}", [
    ("a_page_of_html", "", (200, {"Content-Type": "text/html"}, b"<html>log in</html>")),
    ("an_answer_that_is_too_deep", "", (200, {}, DEEP)),
    ("an_answer_that_is_too_long", "", (200, {}, b'{"_links":{}}' + b" " * (1 << 20))),
    ("a_length_that_lies", "", (200, {"Content-Length": "999999999"}, b"{}")),
    ("links_that_are_numbers", "", (200, {}, b'{"_links":{"deploymentBase":{"href":7}}}')),
    ("a_link_with_line_ends", "", (200, {}, b'{"_links":{"deploymentBase":{"href":"/deploymentBase/1\\r\\nHost: x"}}}')),
    ("a_deployment_of_another_action", "/deploymentBase/17", (200, {}, b'{"id":"18","deployment":{"chunks":[]}}')),
    ("a_deployment_that_is_null", "/deploymentBase/17", (200, {}, b"null")),
    ("a_redirect", "", (302, {"Location": "http://127.0.0.1:1/"}, b"")),
])
