"""The page once the gate is open, asked by HTTP from the LAN: logging in, what it shows, and who gets nothing."""

import json
import time

import login
from gate import DEFAULT, PAGE, PASSWORD, Gate
from internet import Internet
from net import DEVICE_LAN
from place import test, wait_until


def opened(place, **more):
    """A device whose owner has just set the password."""
    gate = Gate(place, **more)
    gate.vendor()
    Internet(gate.net)
    gate.run()
    gate.set_up()
    return gate


def log_in(gate, password=PASSWORD):
    # With a session, the first page has no form to log in by.
    gate.browser.cookie = None
    return gate.browser.send("/", "/login", {"user": "root", "password": password}, port=PAGE)


@test
def the_page_after_setup_leads_to_where_one_logs_in(place):
    gate = Gate(place)
    gate.vendor()
    gate.run()
    answer = gate.claim(PASSWORD)
    there = f"http://{DEVICE_LAN[4]}:{PAGE}/"
    assert f'href="{there}"' in answer.text, answer.text
    # The agent tells the page that the gate is open a moment after the answer.
    wait_until(lambda: 'action="/login"' in gate.page().text, "one logs in there")


@test
def the_owner_logs_in_and_sees_how_the_device_is(place):
    gate = opened(place)
    answer = gate.page("/status.json")
    assert answer.status == 401 and "slot" not in answer.text
    assert "Version" not in gate.page().text
    answer = log_in(gate)
    assert answer.status == 303 and gate.browser.cookie, answer
    for word in ("HttpOnly", "SameSite=Strict"):
        assert word.lower() in answer.headers["set-cookie"].lower(), answer.headers
    page = gate.page()
    assert page.status == 200 and "1.0.0" in page.text, page.text
    status = json.loads(gate.page("/status.json").text)
    wanted = {"gate": "open", "account": "root", "slot": "a", "version": "1.0.0", "release": 1, "firewall": "holds",
              "finding": []}
    assert wanted.items() <= status.items(), status
    token = page.token
    stranger = gate.browser.cookie
    gate.browser.ask("/logout", form={"token": token}, port=PAGE)
    assert gate.page("/status.json").status == 401
    gate.browser.cookie = stranger
    assert gate.page("/status.json").status == 401, "a session outlives its end"


@test
def who_logs_in_is_on_the_list_at_once(place):
    gate = opened(place)
    assert log_in(gate, "wrong").status == 403
    log_in(gate)

    def tries():
        return [(one["address"], one["result"]) for one in json.loads(gate.page("/status.json").text)["login"]]

    wait_until(lambda: tries() == [("192.168.1.20", "ok"), ("192.168.1.20", "wrong")], "both are on the list")


@test
def the_password_is_changed_by_who_knows_the_old_one(place):
    gate = opened(place)
    log_in(gate)
    other = "Another 8 Tanuki!"
    form = {"old": "not the one", "password": other}
    assert gate.browser.send("/password", "/password", form, port=PAGE).status == 403
    assert gate.holds_password(PASSWORD)
    answer = gate.browser.send("/password", "/password", {"old": PASSWORD, "password": "short"}, port=PAGE)
    assert answer.status == 422 and "at least 10" in answer.text
    assert gate.browser.send("/password", "/password", {"old": PASSWORD, "password": other}, port=PAGE).status == 303
    assert gate.holds_password(other)
    assert login.by_ssh(gate.net, "lan", DEVICE_LAN[4], other)
    assert not login.by_ssh(gate.net, "lan", DEVICE_LAN[4], PASSWORD)
    assert gate.is_open()


@test
def wrong_passwords_are_made_to_wait_and_a_killed_agent_does_not_forget_it(place):
    gate = opened(place)
    for _ in range(20):
        statuses = [log_in(gate, f"wrong {number}").status for number in range(4)]
        assert statuses[:3] == [403] * 3, statuses
        if statuses[3] == 429:
            break
        # After the third, one waits a second: beside other work the fourth may come later than that.
        wait_until(lambda: log_in(gate).status == 303, "the owner gets in")
    assert statuses[3] == 429, statuses
    waited = [wait_after(gate) for _ in range(3)]
    assert waited == sorted(waited) and waited[2] >= 3, f"the waits do not grow: {waited}"
    while True:
        began = time.monotonic()
        gate.restart_agent()
        answer = log_in(gate)
        if time.monotonic() - began < waited[-1] - 1:
            break
        # The start took as long as the wait, which says nothing: once more, with a longer one.
        assert len(waited) < 8, f"it starts too slowly: {waited}"
        waited.append(wait_after(gate))
    assert answer.status == 429 and int(answer.headers["retry-after"]) >= 1, "a restart is the way around it"
    wait_until(lambda: log_in(gate).status == 303, "the owner gets in", 600)
    assert log_in(gate, "wrong").status == 403, "after the right one it begins anew"
    return f"waits of {waited} s"


def wait_after(gate):
    """Waits until a password is looked at again, gives a wrong one, and says how long one has to wait then: of whole
    seconds, the larger, as some of it has passed when it is said."""
    while True:
        wait_until(lambda: log_in(gate, "wrong").status == 403, "a password is looked at", 600)
        answer = log_in(gate, "wrong")
        # Where even this took longer than the wait, it has counted as the next wrong one, and the wait is longer now.
        if answer.status == 429:
            return int(answer.headers["retry-after"])


@test
def names_of_others_and_forms_of_others_get_nothing(place):
    gate = Gate(place)
    gate.vendor()
    Internet(gate.net)
    gate.run()
    claim = {"user": "root", "password": PASSWORD}
    token = gate.browser.ask("/").token
    whole = {"form": {**claim, "token": token}}
    # Small browsers of captive portals show nothing but 200.
    for more, status in (
        ({"form": claim}, 200),
        ({"form": {**claim, "token": "0" * 32}}, 200),
        ({**whole, "headers": {"Origin": "http://evil.example"}}, 403),
        ({**whole, "headers": {"Origin": "null"}}, 403),
        ({**whole, "headers": {"Sec-Fetch-Site": "cross-site"}}, 403),
        ({**whole, "host": "evil.example"}, 421),
        ({**whole, "headers": {"Content-Type": "text/plain"}}, 415),
    ):
        answer = gate.browser.ask("/setup", **more)
        assert answer.status == status and "password is set" not in answer.text, f"{more}: {answer}"
        assert status != 200 or "too old" in answer.text, answer.text
    assert gate.standing() == "closed" and gate.holds_password(DEFAULT)
    gate.set_up()
    token = gate.page().token
    for path in ("/", "/status.json", "/login"):
        assert gate.page(path, host="evil.example").status == 421, path
        assert gate.page(path, host=f"evil.example:{PAGE}").status == 421, path
    assert gate.page("/login", form={"password": PASSWORD}).status == 403
    assert gate.page("/login", form={"token": token, "password": PASSWORD}, host="evil.example").status == 421
    log_in(gate)
    page = gate.page("/reset")
    for form in ({"password": PASSWORD, "sure": "yes"}, {"token": "0" * 32, "password": PASSWORD, "sure": "yes"}):
        assert gate.page("/reset", form=form).status == 403
    form = {"token": page.token, "password": PASSWORD, "sure": "yes"}
    assert gate.page("/reset", form=form, headers={"Origin": "http://evil.example"}).status == 403
    assert gate.page("/reset", form={**form, "password": "wrong"}).status == 403
    assert gate.is_open() and gate.holds_password(PASSWORD)


@test
def the_page_comes_back_when_its_process_is_killed(place):
    gate = opened(place)
    log_in(gate)
    before = gate.page_process()
    status = dict(line.split(":\t", 1) for line in open(f"/proc/{before}/status", encoding="utf-8").read().splitlines())
    assert status["Uid"].split() == ["65534"] * 4 and status["CapEff"].strip("0") == "", status
    assert status["NoNewPrivs"] == "1" and status["Seccomp"] == "2", status
    began = time.monotonic()
    gate.kill_page()
    wait_until(lambda: gate.page_process() not in (None, before), "another page's process")
    wait_until(lambda: (answer := gate.page(patient=False)) and 'action="/login"' in answer.text, "the page is back")
    seconds = time.monotonic() - began
    assert gate.is_open() and gate.running.poll() is None
    assert gate.page("/status.json").status == 401, "what nobody knows any more is no session"
    assert log_in(gate).status == 303
    return f"after {seconds:.1f} s"
