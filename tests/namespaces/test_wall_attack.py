"""The attack on mobile routers, stage by stage: a device without the agent falls, one with it does not; and who is in
the LAN already and knows the page's password gets telnet for seconds at most, and no program."""

import time

from attack import STAGES, Attack, lay_out
from firmware import Firmware
from internet import Internet
from matrix import attacked
from net import DEVICE_LAN, DEVICE_WAN
from place import PATIENCE, test, tests, wait_until
from walled import SECONDS, Walled, need_wall

BACKENDS = [("nft", "nft"), ("iptables", "iptables")]
MEASURE = {"banner": "wan-admin", "telnet": "telnet", "login": "wan-admin", "program": "programs"}


def device(place, kind, **more):
    """A mobile router with a web page that can turn telnet on, and an attacker's web server on the WAN."""
    one = Walled(place, kind, firmware=Firmware(services=("web", "names"), open_resolver=True), **more)
    one.vendor()
    return one, Internet(one.net, lay_out(place.path("attacker")))


@test
def the_same_device_without_the_agent_falls(place):
    one, internet = device(place, "nft")
    stages = Attack(one.net, "wan", DEVICE_WAN[4], internet.asked).every_stage(PATIENCE)
    assert [stage.name for stage in stages] == list(STAGES)
    assert all(stage.fell for stage in stages), "; ".join(str(stage) for stage in stages)
    return "; ".join(str(stage) for stage in stages)


def each_stage_of_the_attack_is_refused(place, kind):
    one, internet = device(place, kind)
    attack = Attack(one.net, "wan", DEVICE_WAN[4], internet.asked)
    one.run()
    before = attack.every_stage()
    one.set_up()
    wait_until(lambda: one.standing() == "open", "the device works")
    after = attack.every_stage()
    # The page's function is there all the same: somebody in the LAN turns telnet on, and the WAN asks again.
    assert Attack(one.net, "lan", DEVICE_LAN[4], internet.asked).login().fell, "this test sees the page"
    again = attack.every_stage()
    by_six = Attack(one.net, "wan", DEVICE_WAN[6], internet.asked).every_stage()
    for when, stages in (("before setup", before), ("after setup", after), ("with telnet turned on", again),
                         ("with telnet turned on, by IPv6", by_six)):
        for stage in stages:
            attacked(MEASURE[stage.name], f"mobile router from the WAN, stage {stage.name}", kind, not stage.fell,
                     f"{when}: {stage}")
    return "; ".join(str(stage) for stage in again)


def who_knows_the_pages_password_gets_no_program_run(place, kind):
    need_wall()
    one, internet = device(place, kind)
    one.run()
    one.set_up()
    wait_until(lambda: one.standing() == "open", "the device works")
    attack = Attack(one.net, "lan", DEVICE_LAN[4], internet.asked)
    wait_until(lambda: "noexec" in one.machine.options("/tmp"), "the wall's first turn is over", SECONDS)
    assert attack.login().fell, "this test turns telnet on"
    began = time.monotonic()
    # At once, while telnet may still be there: what is downloaded cannot be run.
    program = attack.program()
    attacked("programs", "a program is fetched by telnet from the LAN, at once", kind, not program.fell, str(program))
    wait_until(lambda: 23 not in one.machine.listening(), "telnet is ended", SECONDS)
    seconds = time.monotonic() - began
    attacked("telnet", "the page's function turns telnet on", kind, seconds < SECONDS)
    wait_until(lambda: ["/bin/sh"] not in [words for _, words in one.machine.processes()], "no session is left",
               SECONDS)
    program = attack.program()
    attacked("programs", "a program is fetched by telnet from the LAN, later", kind, not program.fell, str(program))
    assert 80 in one.machine.listening(), "the page is the vendor's, and stays"
    return f"telnet was there for {seconds:.1f} s; {program}"


@test
def telnet_that_is_turned_on_again_and_again_is_ended_each_time(place):
    need_wall()
    one, internet = device(place, "nft")
    one.run()
    one.set_up()
    wait_until(lambda: one.standing() == "open", "the device works")
    attack, slowest = Attack(one.net, "lan", DEVICE_LAN[4], internet.asked), 0
    for _ in range(3):
        assert attack.login().fell, "this test turns telnet on"
        began = time.monotonic()
        wait_until(lambda: 23 not in one.machine.listening(), "telnet is ended", SECONDS)
        slowest = max(slowest, time.monotonic() - began)
    attacked("telnet", "the page's function turns telnet on again and again", "both", slowest < SECONDS)
    return f"telnet was there for {slowest:.1f} s at the longest"


tests(each_stage_of_the_attack_is_refused, "each_stage_of_the_attack_is_refused_by_{}", BACKENDS)
tests(who_knows_the_pages_password_gets_no_program_run, "who_knows_the_pages_password_gets_no_program_run_by_{}",
      BACKENDS)
