"""Writes README's table of the whole machines from what their lives measured, between two marks.

    python3 tests/emulators/life_table.py            README.md gets the table of work/life/*/timeline.json
    python3 tests/emulators/life_table.py --print    only says it

A life that was not lived here has no column, and one that broke off before a figure has a dash there.
"""

import json
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
LIVES = ROOT / "work/life"
BEGIN, END = "<!-- machines: made by tests/emulators/life_table.py -->", "<!-- /machines -->"
#: Machines in their order: the name of a life, and what it is to a reader.
MACHINES = (
    ("virt-stock", "ARM, Debian's U-Boot"),
    ("virt-counted", "ARM, U-Boot that counts"),
    ("malta", "MIPS little-endian"),
    ("malta-be", "MIPS big-endian"),
)
NONE = "–"


def seconds(value):
    return f"{value:.0f} s"


def kib(value):
    return f"{value:,}"


def both(values):
    return " + ".join(map(kib, values))


class Measured:
    """The figures of a life, and those of the same guest without the agent."""

    def __init__(self, name):
        (self.of, self.moments), (self.bare, _) = measured(name), measured(f"{name}-bare")

    def at(self, what):
        """The kernel's seconds at a moment."""
        uptimes = [moment["uptime"] for moment in self.moments if moment["what"] == what]
        return seconds(uptimes[0]) if uptimes and uptimes[0] is not None else NONE

    def value(self, name, say, pick=lambda value: value):
        """A figure in words."""
        return say(pick(self.of[name])) if name in self.of else NONE

    def beside(self, name, pick=lambda value: value):
        """A figure with the agent, and the same without it."""
        here, there = (kib(pick(of[name])) if name in of else NONE for of in (self.of, self.bare))
        return f"{here}; {there}"


def measured(name):
    """The figures of a life, and its moments."""
    file = LIVES / name / "timeline.json"
    said = json.loads(file.read_text()) if file.is_file() else {}
    return said.get("figures", {}), said.get("moments", [])


def at_rest(one):
    return one.value("resident at rest, KiB", both, lambda programs: [programs["komainu run"], programs["exe page"]])


#: A row each: what is measured, and how it is said of a machine.
ROWS = (
    ("kernel's start → WAN closed", lambda one: one.value("start: WAN closed, kernel's seconds", seconds)),
    ("kernel's start → page answers", lambda one: one.at("the page answers in the LAN")),
    ("restart into a release → confirmed (10 s of soak)", lambda one: one.at("release 2 is kept")),
    ("agent + page resident at rest, KiB", at_rest),
    ("agent resident while staging, most KiB", lambda one: one.value("agent's memory while staging, most KiB", kib)),
    ("agent + page resident under attack, most KiB", lambda one: one.value("agent and page under attack, most KiB", both)),
    ("all programs resident; without the agent, KiB",
     lambda one: one.beside("resident at rest, KiB", lambda programs: sum(programs.values()))),
    ("memory available; without the agent, KiB", lambda one: one.beside("available at rest, KiB")),
    ("written to flash in 20 s at rest; without the agent, bytes", lambda one: one.beside("flash writes at rest, bytes")),
    ("written to flash by an update, bytes", lambda one: one.value("flash writes of an update, bytes until the restart and after it",
                                                                   kib, sum)),
    ("bytes of the release's images", lambda one: one.value("images, bytes", kib, lambda parts: sum(parts.values()))),
)


def table():
    """The table, in lines of Markdown."""
    lives = [(said, one) for name, said in MACHINES if (one := Measured(name)).of]
    lines = ["| whole machines, emulated | " + " | ".join(said for said, _ in lives) + " |", "|---" * (len(lives) + 1) + "|"]
    for what, say in ROWS:
        lines.append(f"| {what} | " + " | ".join(say(one) for _, one in lives) + " |")
    return "\n".join(lines)


def main(words):
    made = table()
    if "--print" in words:
        print(made)
        return 0
    readme = ROOT / "README.md"
    before, begin, rest = readme.read_text().partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        print(f"{readme} has no lines '{BEGIN}' and '{END}' to write between")
        return 1
    readme.write_text(f"{before}{BEGIN}\n{made}\n{END}{after}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
