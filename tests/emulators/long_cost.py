"""What the agent costs the machine: printed for people, not judged."""

import busy
from place import alone, test
from router import LOG, PASSWORD, Router

#: After a password, or the start of a hundred programs, the wall looks more often for so long.
SETTLE_SECONDS = 60
#: So long that the rarer parts of a look come, several times.
SECONDS = 245


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
    # The shell waits by itself: a program that is started makes the wall look.
    # Hundredths of a second of all its threads and of its programs that have ended: fields 14 to 17, of which 3 is the
    # first behind the name.
    sums = [f"read line </proc/{number}/stat; set -- ${{line##*)}}; {name}=$((${{12}} + ${{13}} + ${{14}} + ${{15}}))"
            for name, number in (("a", agent), ("p", page))]
    read = f"read u x </proc/uptime; {'; '.join(sums)}; echo $u $a $p"
    said = router.must(f"mkfifo /run/wait; exec 3<>/run/wait; wait_for() {{ read -t $1 x <&3; }}\n"
                       f"wait_for {SETTLE_SECONDS}\n{read}\nwait_for {seconds}\n{read}\nrm /run/wait",
                       3 * (seconds + SETTLE_SECONDS))
    (began, *before), (ended, *after) = ([float(word) for word in line.split()] for line in said.splitlines())
    seconds = ended - began
    for name, number, first, then in zip(("agent", "page"), (agent, page), before, after):
        most, now = router.memory_kib(number)
        parts.append(f"{name} {(then - first) / seconds:.2f} % of the processor, {now} KiB (most: {most})")
    return "; ".join(parts)
