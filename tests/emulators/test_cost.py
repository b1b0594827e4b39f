"""What the agent costs the machine: printed for people, not judged."""

from place import test
from router import KOMAINU, LOG, PAGE_ANSWERS, PASSWORD, Router

SECONDS = 20


@test
def an_agent_at_rest_costs_so_much(place):
    router = Router(place)
    agent = router.start()
    router.komainu("setup", stdin=PASSWORD)
    router.machine.wait(f"grep -q gate {LOG}", "the gate is open")
    page = router.page_process(agent)
    parts = []
    # The password's hash and the poll that follows it are over.
    router.must(f"sleep {SECONDS // 2}")
    began = router.machine.uptime()
    before = [router.processor_seconds(number) for number in (agent, page)]
    router.must(f"sleep {SECONDS}")
    after = [router.processor_seconds(number) for number in (agent, page)]
    seconds = router.machine.uptime() - began
    for name, number, first, then in zip(("agent", "page"), (agent, page), before, after):
        most, now = router.memory_kib(number)
        parts.append(f"{name} {(then - first) / seconds * 100:.2f} % of the processor, {now} KiB (most: {most})")
    return "; ".join(parts)


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
