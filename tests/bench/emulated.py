"""What looking at a busy device costs on the emulated MIPS machine: the agent at rest beside few processes, and beside
100 processes and 200 sockets. Emulated milliseconds are not those of a board; a measure is printed with them.
"""

import sys
from pathlib import Path

TESTS = Path(__file__).resolve().parents[1]
sys.path += [str(TESTS / "peers"), str(TESTS / "emulators")]

import busy  # noqa: E402
from place import Place, Skip  # noqa: E402
from router import KOMAINU, PASSWORD, Router  # noqa: E402

SETTLE_SECONDS, SECONDS = 15, 60
#: The measure for how fast this machine is: the hash of so many bytes by busybox.
MEASURE_MIB = 4


def run():
    try:
        with Place() as place:
            measure(place)
    except Skip as why:
        print(f"emulated: {why}")


def measure(place):
    router = Router(place, files={busy.PATH: busy.program(place)}, services=[busy.SERVICE])
    hashing = timed(router, f"dd if=/dev/zero bs=1M count={MEASURE_MIB} 2>/dev/null | sha256sum")
    print(f"the measure: busybox sha256sum of {MEASURE_MIB} MiB takes {hashing:.2f} s on this machine")
    agent = router.start()
    router.komainu("setup", stdin=PASSWORD)
    at_rest(router, agent, "as it starts")
    number = busy.start(router)
    at_rest(router, agent, f"and {busy.PROCESSES} processes, {busy.SOCKETS} sockets")
    assert busy.is_whole(router, number), "what was to be looked at was ended"
    for words in ("status", "plan", "harden", "selfcheck"):
        said = router.run(f"{KOMAINU} {words}", 60)
        if "see komainu --help" not in said.out:
            print(f"komainu {words}: {timed(router, f'{KOMAINU} {words}') * 1000:.0f} ms of the processor")


def at_rest(router, agent, name):
    """Prints the share of the processor, and what one waking costs, over some time."""
    router.must(f"sleep {SETTLE_SECONDS}", 6 * SETTLE_SECONDS)
    seconds, spent, wakings = -router.machine.uptime(), -router.processor_seconds(agent), -woken(router, agent)
    router.must(f"sleep {SECONDS}", 6 * SECONDS)
    spent += router.processor_seconds(agent)
    wakings += woken(router, agent)
    seconds += router.machine.uptime()
    processes, sockets = router.must("ls -d /proc/[0-9]* | wc -l; netstat -an | wc -l").split()
    most, now = router.memory_kib(agent)
    each = spent / max(wakings, 1) * 1000
    print(f"{name:36} {processes} processes, {sockets} sockets: {spent / seconds * 100:.2f} % of the processor,"
          f" {wakings} wakings in {seconds:.0f} s, {each:.1f} ms each, {now} KiB (most {most})")


def woken(router, number):
    """How often a process has waited of its own will, and so was woken."""
    return int(router.must(f"sed -n 's/^voluntary_ctxt_switches:[^0-9]*//p' /proc/{number}/status"))


def timed(router, script):
    """The processor's seconds for a script and what it starts."""
    said = router.must(f"( {script} ) >/dev/null 2>&1; cat /proc/self/stat >/dev/null; times", 120)
    # The second line is that of the children: 0m0.123456s twice.
    return sum(int(minutes) * 60 + float(rest) for minutes, rest in
               (word.rstrip("s").split("m") for word in said.splitlines()[1].split()))


if __name__ == "__main__":
    run()
