"""Cuts and resets with the real agent: killed at any moment of setting a password, forgotten owners, other doors."""

import os
import random
import socket
import threading
import time
from http.client import HTTPException

from device import DONE
from gate import DEFAULT, PAGE, PASSWORD, Gate
from internet import Internet
from net import DEVICE_LAN, ELSEWHERE, WAN
from place import test, tests, wait_until
from publisher import Publisher
from test_status import log_in

CUTS = 20
SEED = 4


def cut_anywhere(place, kind):
    gate = Gate(place, kind)
    gate.vendor()
    Internet(gate.net)
    gate.run()
    began = time.monotonic()
    gate.set_up()
    whole = time.monotonic() - began
    drawn, counts = random.Random(SEED), {"closed": 0, "open": 0}
    for number in range(CUTS):
        assert gate.ask("reset")[0] == 0
        wait_until(lambda: gate.page().text.count('action="/setup"'), "the page asks for a password")
        password, delay = f"{PASSWORD} {number}", drawn.uniform(0, whole * 1.3)
        claim = threading.Thread(target=try_to_claim, args=(gate, password))
        claim.start()
        # Not for luck: any moment is good, and the sum of them is the test.
        time.sleep(delay)
        gate.kill()
        claim.join()
        left = gate.standing()
        # iptables changes table by table: not all may be open yet. What is not closed has its owner's password.
        assert left == "closed" or gate.holds_password(password), f"cut {number}, seed {SEED}: left {left}"
        gate.run()
        # What was left half done is finished or given up by the first turns, and the page may be there before.
        standing = wait_until(lambda: (now := gate.stands("open", "closed")) in counts
                              and (now == "open") == gate.holds_password(password) and now,
                              f"cut {number} after {delay * 1000:.1f} ms, seed {SEED}: closed, or the password is set")
        assert not gate.holds_password(DEFAULT), f"cut {number}: {standing}"
        counts[standing] += 1
    ends = f"{counts['closed']} closed, {counts['open']} open"
    return f"seed {SEED}: {CUTS} cuts within {whole * 1300:.0f} ms, {ends} after"


def try_to_claim(gate, password):
    try:
        gate.claim(password)
    except (OSError, AssertionError, HTTPException):
        # The connection breaks in many ways.
        pass


tests(cut_anywhere, "killed_at_any_moment_of_setup_it_is_closed_or_the_password_is_set_by_{}",
      [("nft", "nft"), ("iptables", "iptables")])


def cut_while(gate, what, delay):
    """Kills the agent so many seconds after something was begun, and starts it again."""
    doing = threading.Thread(target=what)
    doing.start()
    time.sleep(delay)
    gate.kill()
    doing.join()
    gate.run()


@test
def killed_at_any_moment_of_a_change_one_password_holds_the_old_or_the_new(place):
    gate = Gate(place)
    gate.vendor()
    Internet(gate.net)
    gate.run()
    gate.set_up()
    drawn, counts, old = random.Random(SEED), {"old": 0, "new": 0}, PASSWORD
    for number in range(CUTS):
        new = f"{PASSWORD} {number}"
        cut_while(gate, lambda old=old, new=new: gate.ask("setup", stdin=f"{old}\n{new}\n"), drawn.uniform(0, 0.06))
        held = [password for password in (old, new) if gate.holds_password(password)]
        assert len(held) == 1 and gate.is_open(), f"cut {number}, seed {SEED}: {held} {gate.standing()}"
        counts["new" if held[0] == new else "old"] += 1
        old = held[0]
    return f"seed {SEED}: {counts['old']} old, {counts['new']} new"


@test
def killed_at_any_moment_of_a_reset_it_has_its_owner_or_has_forgotten(place):
    data = place.path("data")
    data.mkdir()
    gate = Gate(place, gate={"wipe": [str(data)]})
    gate.vendor()
    Internet(gate.net)
    gate.run()
    drawn, counts = random.Random(SEED), {"open": 0, "closed": 0}
    for number in range(CUTS):
        if gate.stands("open", "closed") == "closed":
            gate.set_up()
            assert gate.is_open()
        (data / "owners").write_text("the owner's")
        cut_while(gate, lambda: gate.ask("reset"), drawn.uniform(0, 0.05))
        standing = gate.stands("open", "closed")
        counts[standing] += 1
        if standing == "closed":
            wait_until(lambda: not (gate.state / "gate/resetting").exists(), "the reset goes on to its end")
        found = standing, gate.holds_password(PASSWORD), (data / "owners").exists(), gate.stands("open", "closed")
        assert found in (("open", True, True, "open"), ("closed", False, False, "closed")), \
            f"cut {number}, seed {SEED}: {found}"
    return f"seed {SEED}: {counts['open']} before, {counts['closed']} forgotten"


@test
def the_rules_stay_while_no_agent_runs(place):
    gate = Gate(place)
    gate.vendor()
    Internet(gate.net)
    gate.run()
    page = gate.page_process()
    gate.kill()
    wait_until(lambda: not os.path.exists(f"/proc/{page}/root"), "the page ends with its agent")
    assert gate.standing() == "closed"
    gate.run()
    gate.set_up()
    assert gate.is_open()
    gate.kill()
    assert gate.is_open()
    assert gate.net.says("wan", 4, 1, ("203.0.113.1", 22)) is None


@test
def a_closed_device_polls_and_nobody_else_on_it_gets_out(place):
    publisher = Publisher(place, consistent=True, lengths_and_hashes=True)
    publisher.publish(1)
    server = f"http://{WAN[4]}/"
    gate = Gate(place, root=publisher.root, server=server, polls=True)
    gate.vendor()
    internet = Internet(gate.net, publisher.folder)
    gate.run()
    wait_until(lambda: (WAN[4], "/metadata/timestamp.json") in internet.asked and "up-to-date" in gate.said(),
               f"it polls: {gate.said()}")
    assert gate.standing() == "closed"
    asked = len(internet.asked)
    curl = gate.run_on_device("curl", "-sS", "--max-time", "2", "--noproxy", "*", f"{server}metadata/timestamp.json")
    assert curl.returncode != 0 and curl.stdout == "", curl
    assert len(internet.asked) == asked
    gate.set_up()
    wait_until(lambda: gate.run_on_device("curl", "-sS", "--max-time", "10", "--noproxy", "*",
                                          f"{server}metadata/timestamp.json").returncode == 0,
               "this test sees who gets out")


def silent_server(place):
    """A device whose server never answers. It waits for that longer than any test does: what is done meanwhile is not
    done because it gave up."""
    gate = Gate(place, server=f"http://{ELSEWHERE[4]}/", polls=True)
    gate.settings["server"]["stall_seconds"] = 3600
    gate.vendor()
    Internet(gate.net)
    return gate


@test
def the_page_is_there_at_once_although_the_server_is_silent(place):
    gate = silent_server(place)
    # An agent that starts again has nothing to do for its gate first.
    for _ in range(2):
        gate.run()
        wait_until(lambda: "poll-due" in gate.said(), "it polls")
        assert "step-failed step=poll" not in gate.said(), "the page waited for the server"
        gate.kill()
    gate.run()
    # In the middle of a wait for the server; and again, though who rings all the time is not heard for a while.
    for password, says in (("weak", "at least 10"), (PASSWORD, "password is set")):
        wait_until(lambda: gate.said().count("poll-due") > 0, "it polls")
        answer = gate.browser.send("/", "/setup", {"user": "root", "password": password})
        assert says in answer.text, answer.text
    assert gate.is_open()


@test
def the_console_is_heard_although_the_server_is_silent(place):
    gate = silent_server(place)
    gate.run()
    wait_until(lambda: "poll-due" in gate.said(), "it polls")
    began = time.monotonic()
    code, said = gate.ask("setup", stdin=f"{PASSWORD}\n")
    seconds = time.monotonic() - began
    assert code == DONE, f"{seconds:.0f} s: {said}"
    # Who rings again at once waits until the bell is heard again.
    code, said = gate.ask("reset")
    again = time.monotonic() - began - seconds
    assert code == DONE, f"{again:.0f} s: {said}"
    assert "step-failed step=poll" not in gate.said(), "it was heard because the server was given up"
    return f"set within {seconds:.1f} s, reset within {again:.1f} s"


@test
def the_first_password_needs_the_code_where_the_maker_wants_it(place):
    code = place.path("code")
    code.write_text("KMN-4711-XY\n")
    gate = Gate(place, gate={"code_file": str(code)})
    gate.vendor()
    gate.run()
    assert 'name="code"' in gate.page().text
    for wrong in ({}, {"code": ""}, {"code": "KMN-4711-XX"}):
        answer = gate.claim(PASSWORD, **wrong)
        assert answer.status in (200, 403) and "The code is wrong" in answer.text, answer.text
        assert gate.holds_password(DEFAULT) and "KMN-4711-XY" not in answer.text
    wait_until(lambda: gate.claim("weak", code="kmn-4711-xy").text.count("at least 10"), "the code is looked at")
    answer = gate.claim(PASSWORD, code="KMN-4711-XY")
    assert "password is set" in answer.text, answer.text
    assert gate.holds_password(PASSWORD)


@test
def the_password_is_set_and_changed_at_the_console(place):
    gate = Gate(place)
    gate.vendor()
    code, said = gate.ask("setup", stdin=f"{PASSWORD}\n")
    assert code != DONE and "no komainu is running" in said, said
    gate.run()
    code, said = gate.ask("setup", stdin="admin\n")
    assert code != DONE and "Mirai" in said, said
    code, said = gate.ask("setup", stdin=f"{PASSWORD}\n")
    assert code == DONE, said
    assert gate.holds_password(PASSWORD)
    code, said = gate.ask("setup", stdin="wrong\nAnother 8 Tanuki!\n")
    assert code != DONE and "wrong" in said and gate.holds_password(PASSWORD), said
    code, said = gate.ask("setup", stdin=f"{PASSWORD}\nAnother 8 Tanuki!\n")
    assert code == DONE and gate.holds_password("Another 8 Tanuki!"), said


def reset(place, how):
    """The owner's data are gone, the account is locked, the gate closed; the firmware and its floor are kept."""
    publisher = Publisher(place, consistent=True, lengths_and_hashes=True)
    images = publisher.publish(2)
    data = place.path("data")
    (data / "photos").mkdir(parents=True)
    gate = Gate(place, root=publisher.root, server=f"http://{WAN[4]}/", gate={"wipe": [str(data)]})
    gate.vendor()
    Internet(gate.net, publisher.folder)
    gate.update(2, images)
    gate.run()
    gate.set_up()
    log_in(gate)
    cookie = gate.browser.cookie
    for file in (data / "photos/one", data / "settings"):
        file.write_text("the owner's")
    held = [hold(gate, WAN[4], 443), hold(gate, DEVICE_LAN[4], 5555)]
    for one in held:
        wait_until(lambda one=one: goes_on(one), "a connection goes on")
    before = gate.fingerprint("ab")
    how(gate)
    assert gate.standing() == "closed", "it says that it forgets, and is open"
    assert [goes_on(one) for one in held] == [False, False], "who was in is still in"
    wait_until(lambda: 'action="/setup"' in gate.page().text, "the page asks for a password")
    wait_until(lambda: not any(file.is_file() for file in data.glob("**/*")), "the owner's data are gone")
    wait_until(lambda: "resetting" not in os.listdir(gate.state / "gate"), "the reset has ended")
    assert gate.shadow()[:1] in ("!", "*"), gate.shadow()
    assert not gate.holds_password(PASSWORD) and not gate.holds_password(DEFAULT)
    gate.browser.cookie = cookie
    assert gate.page("/status.json").status != 200
    assert gate.fingerprint("ab") == before, "the firmware or the boot environment changed"
    status = gate.status()
    assert (status["floor"], status["confirmed_release"]) == (2, 2), status
    gate.restart_agent()
    assert gate.standing() == "closed"
    gate.browser.cookie = None
    gate.set_up()
    assert gate.is_open() and gate.holds_password(PASSWORD)


def hold(gate, address, port):
    """A connection from the LAN that stays."""
    return gate.net.connection("lan", 4, (address, port))


def goes_on(connection):
    """Whether something still answers on it."""
    try:
        connection.send(b"?")
        return connection.recv(100) != b""
    except OSError:
        return False


def by_console(gate):
    code, said = gate.ask("reset")
    assert code == DONE, said


def by_page(gate):
    form = {"password": PASSWORD, "sure": "yes"}
    answer = gate.browser.send("/reset", "/reset", form, port=PAGE)
    assert answer.status == 200 and "forgets its owner" in answer.text, answer.text


tests(reset, "a_reset_by_{}_forgets_the_owner_and_nothing_of_the_firmware",
      [("the_console", by_console), ("the_page", by_page)])


@test
def a_hook_that_refuses_leaves_everything_as_it_was(place):
    gate = Gate(place)
    gate.vendor()
    hooks = gate.folder / "hooks"
    hooks.mkdir()
    hook = hooks / "nvram"
    heard = gate.folder / "heard"
    hook.write_text(f"#!/bin/sh\necho \"$@ $(cat)\" >> {heard}\n[ \"$1\" != prepare ]\n")
    hook.chmod(0o755)
    gate.run()
    answer = gate.claim(PASSWORD)
    assert "did not work" in answer.text, answer.text
    assert gate.holds_password(DEFAULT) and gate.standing() == "closed"
    assert heard.read_text().splitlines() == [f"prepare root {PASSWORD}", "abort root "]
    hook.write_text(f"#!/bin/sh\necho \"$@ $(cat)\" >> {heard}\n")
    heard.unlink()
    wait_until(lambda: "password is set" in gate.claim(PASSWORD).text, "it is set")
    assert heard.read_text().splitlines() == [f"prepare root {PASSWORD}", "commit root "]
