"""What the agent costs the machine: printed for people, not judged."""

import busy
from place import alone, test
from router import KOMAINU, LOG, PAGE_ANSWERS, PASSWORD, Router

#: After a password, or the start of a hundred programs, the wall looks more often for so long.
SETTLE_SECONDS = 60
#: So long that the rarer parts of a look come: every minute, and every two.
SECONDS = 125


@alone
@test
def an_agent_at_rest_costs_so_much(place):
    router = Router(place)
    return cost(router, *at_rest(router), SECONDS)


@alone
@test
def an_agent_beside_a_hundred_processes_and_two_hundred_sockets_costs_so_much(place):
    router = Router(place, files={busy.PATH: busy.program(place)}, services=[busy.SERVICE])
    agent, page = at_rest(router)
    number = busy.start(router)
    router.must(f"sleep {SETTLE_SECONDS}", 3 * SETTLE_SECONDS)
    said = cost(router, agent, page, SECONDS)
    assert busy.is_whole(router, number), "what was to be looked at was ended"
    return said


def at_rest(router):
    """Starts the agent, sets its password, and waits until that is over; the numbers of agent and page."""
    agent = router.start()
    router.komainu("setup", stdin=PASSWORD)
    router.machine.wait(f"grep -q gate {LOG}", "the gate is open")
    router.must(f"sleep {SETTLE_SECONDS}", 3 * SETTLE_SECONDS)
    return agent, router.page_process(agent)


def cost(router, agent, page, seconds):
    """What agent and page take of processor and memory over some time, in words."""
    parts = []
    began = router.machine.uptime()
    before = [router.processor_seconds(number) for number in (agent, page)]
    router.must(f"sleep {seconds}", 3 * seconds)
    after = [router.processor_seconds(number) for number in (agent, page)]
    seconds = router.machine.uptime() - began
    for name, number, first, then in zip(("agent", "page"), (agent, page), before, after):
        most, now = router.memory_kib(number)
        parts.append(f"{name} {(then - first) / seconds * 100:.2f} % of the processor, {now} KiB (most: {most})")
    return "; ".join(parts)


@alone
@test
def the_firewall_is_in_place_so_soon_after_the_start(place):
    router = Router(place)
    times = []
    for _ in range(3):
        said = router.must(f"read -r a _ </proc/uptime; {KOMAINU} firewall; read -r b _ </proc/uptime; echo $a $b")
        began, ended = map(float, said.split()[-2:])
        times.append(f"{ended - began:.2f}")
    # The page comes after the rules.
    began = router.machine.uptime()
    router.machine.start(f"{KOMAINU} run", LOG)
    router.machine.wait(PAGE_ANSWERS, "the page answers")
    page = router.machine.uptime() - began
    first, *others = times
    return f"guard {first} s, once the rules are there {' and '.join(others)} s; run: page after {page:.2f} s at most"
